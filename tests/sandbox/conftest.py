"""OpenAI's own SDK as a client of the sandbox, the synchronous one and the asynchronous one, called alike."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from airflow_provider_openai_dest.sandbox import DEMO_WEBHOOK_SECRET, Sandbox, running_sandbox


class Awaited:
    """An asynchronous client, called as a synchronous one is: pages and streams come as lists."""

    def __init__(self, target: Any, runner: asyncio.Runner) -> None:
        self._target = target
        self._runner = runner

    def __getattr__(self, name: str) -> Awaited:
        return Awaited(getattr(self._target, name), self._runner)

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        return self._runner.run(_settled(self._target(*arguments, **keywords)))


async def _settled(result: Any) -> Any:
    if inspect.isawaitable(result) and not hasattr(result, "__aiter__"):
        result = await result
    return [item async for item in result] if hasattr(result, "__aiter__") else result


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """Give a sandbox that takes a look more for each batch."""
    with running_sandbox(webhook_secret=DEMO_WEBHOOK_SECRET, batch_reads=1) as running:
        yield running


@pytest.fixture(scope="module")
def settings(sandbox: Sandbox) -> dict[str, Any]:
    """Give what a client needs; with strict validation it complains of each field that is missing or wrong."""
    return {
        "base_url": sandbox.base_url,
        "api_key": "key",
        "max_retries": 0,
        "webhook_secret": DEMO_WEBHOOK_SECRET,
        "_strict_response_validation": True,
    }


@pytest.fixture(scope="module")
def sync_client(settings: dict[str, Any]) -> Iterator[Any]:
    """Give the synchronous client."""
    openai = pytest.importorskip("openai")
    with openai.OpenAI(**settings, http_client=httpx.Client(trust_env=False)) as client:
        yield client


@pytest.fixture(scope="module")
def async_client(settings: dict[str, Any]) -> Iterator[Awaited]:
    """Give the asynchronous client, called as the synchronous one is."""
    openai = pytest.importorskip("openai")
    with asyncio.Runner() as runner:
        client = openai.AsyncOpenAI(**settings, http_client=httpx.AsyncClient(trust_env=False))
        yield Awaited(client, runner)
        runner.run(client.close())


@pytest.fixture(params=["sync_client", "async_client"])
def client(request: pytest.FixtureRequest) -> Any:
    """Give each of the two clients in turn."""
    return request.getfixturevalue(request.param)
