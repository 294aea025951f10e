"""Intake: reads a source in a thread of its own, a little ahead of the event loop and never further."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")


async def read_ahead(items: Iterator[Item], *, chunk: int) -> AsyncGenerator[Item]:
    """Give the items of a blocking iterator; the next chunk is read while this one is used.

    One thread reads all of it, since database cursors may not change threads. What the iterator raises, this raises.

    :param chunk: items read at once; 1 gives each item as soon as it is there.
    """
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(1, thread_name_prefix="openai-dest-read") as thread:
        ahead = loop.run_in_executor(thread, _take, items, chunk)
        while taken := await ahead:
            ahead = loop.run_in_executor(thread, _take, items, chunk)
            for item in taken:
                yield item


def _take(items: Iterator[Item], chunk: int) -> list[Item]:
    return list(islice(items, chunk))
