"""Check that a wheel holds the package whole, and nothing else of the repository: ``check_wheel.py WHEEL``."""

from __future__ import annotations

import sys
from pathlib import Path
from zipfile import ZipFile

PACKAGE = "airflow_provider_openai_dest"


def main(wheel: str) -> int:
    """Print each fault; exit 1 if there is one."""
    archive = ZipFile(wheel)
    inside = {name for name in archive.namelist() if not name.endswith("/")}
    source = {str(path) for path in Path(PACKAGE).rglob("*") if path.is_file() and path.suffix not in {".pyc", ".pyo"}}
    metadata = {name for name in inside if name.partition("/")[0].endswith(".dist-info")}
    info = next(archive.read(name).decode() for name in metadata if name.endswith("/METADATA"))
    entry_points = next(archive.read(name).decode() for name in metadata if name.endswith("/entry_points.txt"))
    expected = {
        f"missing: {source - inside}": not source - inside,
        f"not of the package: {inside - source - metadata}": not inside - source - metadata,
        "no py.typed": f"{PACKAGE}/py.typed" in inside,
        "no sandbox": f"{PACKAGE}/sandbox/__main__.py" in inside,
        "no licence text": any(name.endswith("/licenses/LICENSE") for name in metadata),
        "the licence is not Apache-2.0": "License-Expression: Apache-2.0" in info,
        "no Airflow classifier": "Classifier: Framework :: Apache Airflow :: Provider" in info,
        "no provider entry point": "[apache_airflow_provider]" in entry_points,
    }
    faults = [fault for fault, holds in expected.items() if not holds]
    print("\n".join(faults) if faults else f"{Path(wheel).name}: {len(inside)} files, as they should be")
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
