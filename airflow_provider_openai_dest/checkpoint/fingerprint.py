"""Fingerprint: what must not change under a half-done delivery."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any


def fingerprint(
    *,
    connection: str,
    origin: str,
    organization: str | None,
    project: str | None,
    endpoint: str,
    model: str | None,
    template: Sequence[Any],
    source: str,
) -> dict[str, str]:
    """Give what is compared, by the names that an error tells.

    :param endpoint: method and path.
    :param template: what shapes the requests. It becomes a digest, since it may be long; the model has a name of its
        own beside it.
    """
    parts = [_without(model or "", part) for part in template]
    return {
        "connection": connection,
        "origin": origin,
        "organization": organization or "",
        "project": project or "",
        "endpoint": endpoint,
        "model": model or "",
        "template": hashlib.sha256(json.dumps(parts, sort_keys=True, default=repr).encode()).hexdigest()[:16],
        "source": source,
    }


def _without(model: str, part: Any) -> Any:
    if not isinstance(part, Mapping):
        return part
    return {name: value for name, value in part.items() if (name, value) != ("model", model)}
