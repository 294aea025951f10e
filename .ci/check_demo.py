"""Check the figures that a demo run left in its report: ``check_demo.py .demo/report.json``."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

Report = Mapping[str, Any]

# What must hold of .demo/report.json, which demo/run.py writes.
MUST_HOLD: dict[str, Callable[[Report], bool]] = {
    "the input is some hundreds of real texts": lambda report: report["input"] >= 300,
    "every record is accounted for": lambda report: (
        report["delivered"] + report["rejected"] + report["pending"] == report["input"]
    ),
    "all were delivered": lambda report: report["delivered"] == report["input"],
    "each answer came to the webhook, its signature verified": lambda report: (
        report["webhooks_verified"] == report["delivered"]
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
        except KeyError as missing:
            faults.append(f"can't tell whether {words}: the report has no {missing}")
    print("\n".join(faults) if faults else "the demo's figures are as they should be")
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
