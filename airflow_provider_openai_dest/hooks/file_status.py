"""Asking for files with a connection, on an event loop: a trigger's, or one of a worker's own."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from airflow_provider_openai_dest.hooks.openai_dest import OpenAIDestHook
from airflow_provider_openai_dest.uploads.file_status import FileEnd, FilesPoll

if TYPE_CHECKING:
    import httpx


async def files_processed(
    hook: OpenAIDestHook, file_ids: Iterable[str], *, poll_interval: float, seconds: float | None
) -> dict[str, FileEnd]:
    """Wait until the files are processed, and tell how each ended.

    :param poll_interval: seconds between the questions.
    :param seconds: how long to wait at most; None is for ever. Raises TransientError then.
    """
    await hook.aget_settings()
    async with hook.get_async_conn() as client:
        poll = FilesPoll(lambda path: _get(client, path), file_ids)
        return await poll.until_all(poll_interval, seconds, now=time.monotonic)


async def _get(client: httpx.AsyncClient, path: str) -> httpx.Response | None:
    import httpx

    try:
        return await client.get(path)
    except httpx.TransportError:
        return None
