"""Check the figures that a demo run left in its report: ``check_demo.py .demo/report.json``."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

Report = Mapping[str, Any]

FEWEST_RECORDS = 300  # docstrings of what Airflow brings, once uploaded and once embedded, and a few more: 434 in 3.3.2
FEWEST_WEBHOOKS = 200
PNG = b"\x89PNG\r\n\x1a\n"
FOUND = {
    "wait until a file appears": "FileSensor",
    "send an e-mail": "EmailOperator",
    "run a shell command": "BashOperator",
    "start another Dag": "TriggerDagRunOperator",
}

# What must hold of .demo/report.json, which demo/run.py writes.
MUST_HOLD: dict[str, Callable[[Report], bool]] = {
    "the Dag run succeeded": lambda report: report["state"] == "success",
    "the input is some hundreds of real texts": lambda report: report["input"] >= FEWEST_RECORDS,
    "every record was delivered, none rejected or pending": lambda report: (
        (report["input"], 0, 0) == (report["delivered"], report["rejected"], report["pending"])
    ),
    "every answer to forward came to the webhook, each signature verified": lambda report: (
        FEWEST_WEBHOOKS < report["webhooks_expected"] == report["webhooks_verified"] == report["webhooks_received"]
        and report["webhooks_refused"] == 0
    ),
    "the one image is a PNG file": lambda report: (
        [Path(path).read_bytes()[: len(PNG)] for path in report["images"]] == [PNG]
    ),
    "each wish finds its operator among the three nearest": lambda report: all(
        name in report["nearest"][wish] for wish, name in FOUND.items()
    ),
}


def main(report: str) -> int:
    """Print each figure that is not as it should be; exit 1 if there is one."""
    figures = json.loads(Path(report).read_text(encoding="utf-8"))
    print(json.dumps(figures, indent=2))
    faults = []
    for words, holds in MUST_HOLD.items():
        try:
            if not holds(figures):
                faults.append(f"does not hold: {words}")
        except (LookupError, OSError) as error:
            faults.append(f"can't tell whether {words}: {error!r}")
    print("\n".join(faults) if faults else "the demo's figures are as they should be")
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
