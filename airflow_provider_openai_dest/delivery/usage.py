"""Usage: the tokens that an answer says were used."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import httpx

_TOTAL = re.compile(rb'"total_tokens"\s*:\s*(\d{1,12})\b')
_TAIL_BYTES = 4096


def used_tokens(response: httpx.Response) -> int | None:
    """Find ``usage.total_tokens`` near the end or the start of an answer, without reading all of it as JSON."""
    if not response.is_success:
        return 0
    content = response.content
    found = _TOTAL.search(content[-_TAIL_BYTES:]) or _TOTAL.search(content[:_TAIL_BYTES])
    return int(found[1]) if found else None


def add_usage(total: dict[str, Any], usage: Mapping[str, Any]) -> None:
    """Add the numbers of one usage object to ``total``, nested ones too; other values are left out."""
    for name, value in usage.items():
        if isinstance(value, Mapping):
            add_usage(total.setdefault(name, {}), value)
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            total[name] = total.get(name, 0) + value
