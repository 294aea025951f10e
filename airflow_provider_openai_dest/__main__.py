"""The command line: ``python -m airflow_provider_openai_dest``."""

from __future__ import annotations

import sys

from airflow_provider_openai_dest.cli.commands import main

if __name__ == "__main__":
    sys.exit(main())
