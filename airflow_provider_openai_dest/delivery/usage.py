"""Usage: the tokens that an answer says were used."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from airflow_provider_openai_dest.wire.wire import Reply

MOST_NAMES = 50
DEEPEST = 3
LARGEST = 2**53
"""What a sum keeps of names, of objects within objects, and of one number: these come from a server."""

_NAME = b'"total_tokens"'
_TOTAL = re.compile(_NAME + rb"\s*:\s*(\d{1,12})\b")
_TAIL_BYTES = 4096


def used_tokens(response: Reply) -> int | None:
    """Find ``usage.total_tokens`` near the end or the start of an answer, without reading all of it as JSON."""
    if not response.is_success:
        return 0
    content = response.content
    at = content.rfind(_NAME, -_TAIL_BYTES)
    if at < 0:
        at = content.find(_NAME, 0, _TAIL_BYTES)
    found = _TOTAL.match(content, at) if at >= 0 else None
    return int(found[1]) if found else None


def add_usage(total: dict[str, Any], usage: Mapping[str, Any], *, depth: int = DEEPEST) -> None:
    """Add the numbers of one usage object to ``total``, nested ones too; other values are left out."""
    for name, value in usage.items():
        known = total.get(name)
        if type(value) is int and type(known) is int and 0 <= value < LARGEST:  # nearly always
            total[name] = known + value
            continue
        if name not in total and len(total) >= MOST_NAMES:
            continue
        if isinstance(value, Mapping):
            inner = total.setdefault(name, {}) if depth else None
            if isinstance(inner, dict):
                add_usage(inner, value, depth=depth - 1)
        elif _is_amount(value) and not isinstance(total.get(name), dict):
            total[name] = total.get(name, 0) + value


def _is_amount(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < LARGEST
