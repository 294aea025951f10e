"""Peers: what a Dag author would otherwise write, each in a few lines of its own library.

It runs in the peers' virtual environments, which hold none of this package::

    .bench/venv/bin/python benchmarks/peers.py openai --input texts.jsonl --base-url http://127.0.0.1:9000/v1

A peer reads the same JSON Lines file, sends the same texts, and gets each vector as its library gives it. None of them
writes outcomes to a disk; ``aiohttp_rows`` shows what a program by hand costs that does. The command prints its cost as
one line of JSON. Imports come before the clock starts, clients are made after it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import tempfile
from array import array
from base64 import b64decode
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from measured import Cost, wait_until

MODEL = "text-embedding-3-small"
PACK = 2048

Text = str | list[str]
Embed = Callable[[Text], Awaitable[Any]]


@dataclass(kw_only=True)
class Job:
    """What is sent, where to, and what came of it."""

    input: Path
    base_url: str
    concurrency: int
    packed: bool
    max_retries: int | None
    api_key: str
    start_at: float
    done: int = 0
    lost: int = 0
    errors: dict[str, int] = field(default_factory=dict)
    cost: Cost | None = None

    def begin(self) -> None:
        """Start the clock; call after the imports."""
        wait_until(self.start_at)
        self.cost = Cost()

    def inputs(self) -> Iterator[Text]:
        """Read the texts, one by one or in packs."""
        with self.input.open("rb") as file:
            texts = (json.loads(line)["text"] for line in file)
            if not self.packed:
                yield from texts
                return
            while pack := list(islice(texts, PACK)):
                yield pack

    def count(self, sent: Text, error: Exception | None = None) -> None:
        """Count what was answered, or lost for good."""
        records = 1 if isinstance(sent, str) else len(sent)
        if error is None:
            self.done += records
            return
        self.lost += records
        name = type(error).__name__
        self.errors[name] = self.errors.get(name, 0) + 1


async def send_all(job: Job, embed: Embed) -> None:
    """Send everything with so many workers; an error loses the records of its request."""
    inputs = job.inputs()

    async def work() -> None:
        for text in inputs:
            try:
                await embed(text)
            except Exception as error:  # noqa: BLE001 - whatever a library raises when it gives up
                job.count(text, error)
            else:
                job.count(text)

    await asyncio.gather(*(work() for _ in range(job.concurrency)))


def send_in_turn(job: Job, embed: Callable[[Text], Any]) -> None:
    """Send one request after the other."""
    for text in job.inputs():
        try:
            embed(text)
        except Exception as error:  # noqa: BLE001 - whatever a library raises when it gives up
            job.count(text, error)
        else:
            job.count(text)


def openai(job: Job) -> None:
    """Run AsyncOpenAI as it comes."""
    from openai import AsyncOpenAI

    job.begin()
    asyncio.run(_openai(job, AsyncOpenAI))


def openai_aiohttp(job: Job) -> None:
    """Run AsyncOpenAI over aiohttp."""
    import httpx_aiohttp  # noqa: F401 - it is loaded at the first client otherwise
    from openai import AsyncOpenAI, DefaultAioHttpClient

    job.begin()
    asyncio.run(_openai(job, lambda **settings: AsyncOpenAI(**settings, http_client=DefaultAioHttpClient())))


async def _openai(job: Job, new_client: Callable[..., Any]) -> None:
    retries = {} if job.max_retries is None else {"max_retries": job.max_retries}
    async with new_client(api_key=job.api_key, base_url=job.base_url, **retries) as client:

        async def embed(text: Text) -> Any:
            return (await client.embeddings.create(model=MODEL, input=text)).data[0].embedding

        await send_all(job, embed)


def official_hook(job: Job) -> None:
    """Run the hook of the official provider, one request after the other."""
    _connect_official(job)
    from airflow.providers.openai.hooks.openai import OpenAIHook

    job.begin()
    hook = OpenAIHook(conn_id="openai_default")
    send_in_turn(job, lambda text: hook.create_embeddings(text, model=MODEL))


def official_operator(job: Job) -> None:
    """Run the embedding operator of the official provider: a new one for each request, as for each task."""
    _connect_official(job)
    from airflow.providers.openai.operators.openai import OpenAIEmbeddingOperator

    job.begin()

    def execute(text: Text) -> Any:
        embed = OpenAIEmbeddingOperator(task_id="embed", conn_id="openai_default", input_text=text, model=MODEL)
        return embed.execute({})

    send_in_turn(job, execute)


def official_upload(job: Job) -> None:
    """Upload the input file with the official hook."""
    _connect_official(job)
    from airflow.providers.openai.hooks.openai import OpenAIHook

    job.begin()
    OpenAIHook(conn_id="openai_default").upload_file(str(job.input), "batch")
    job.done = 1


def openai_upload(job: Job) -> None:
    """Upload the input file with openai's files.create."""
    from openai import OpenAI

    job.begin()
    with OpenAI(api_key=job.api_key, base_url=job.base_url) as client, job.input.open("rb") as file:
        client.files.create(file=file, purpose="user_data")
    job.done = 1


def openai_uploads(job: Job) -> None:
    """Upload the input file in parts with openai's own helper, which sends one after the other."""
    from openai import OpenAI

    job.begin()
    with OpenAI(api_key=job.api_key, base_url=job.base_url) as client:
        client.uploads.upload_file_chunked(file=job.input, mime_type="application/jsonl", purpose="user_data")
    job.done = 1


def httpx_upload(job: Job) -> None:
    """Upload the input file with httpx and ``files=``."""
    import httpx

    job.begin()
    with httpx.Client(headers=_headers(job), timeout=300) as client, job.input.open("rb") as file:
        data = {"purpose": "user_data"}
        client.post(f"{job.base_url}/files", data=data, files={"file": file}).raise_for_status()
    job.done = 1


def httpx(job: Job) -> None:
    """Run one httpx.AsyncClient; JSON and vector decoded by the standard library."""
    import httpx as library

    job.begin()

    async def run() -> None:
        limits = library.Limits(max_connections=None)
        async with library.AsyncClient(headers=_headers(job), limits=limits, timeout=600) as client:

            async def embed(text: Text) -> Any:
                answer = await client.post(f"{job.base_url}/embeddings", json=_body(text))
                return _vectors(answer.raise_for_status().json())

            await send_all(job, embed)

    asyncio.run(run())


def aiohttp(job: Job) -> None:
    """Run one aiohttp session; JSON and vector decoded by the standard library."""
    _import_aiohttp()
    job.begin()

    async def run() -> None:
        async with _aiohttp_post(job) as post:

            async def embed(text: Text) -> Any:
                status, answer, _ = await post(text)
                return _vectors(json.loads(answer)) if status == 200 else _lose(status)

            await send_all(job, embed)

    asyncio.run(run())


def aiohttp_rows(job: Job) -> None:
    """Run one aiohttp session and write each answer as a row, by msgspec: what could be had by hand."""
    import msgspec

    _import_aiohttp()
    job.begin()

    async def run() -> None:
        place = job.input.parent
        with tempfile.TemporaryFile("wb", dir=place, buffering=1 << 20) as rows:
            async with _aiohttp_post(job) as post:

                async def embed(text: Text) -> None:
                    status, answer, headers = await post(text)
                    if status != 200:
                        _lose(status)
                    body = msgspec.json.decode(answer)
                    _vectors(body)
                    row = {"text": text, "answer": body["data"], "request_id": headers["x-request-id"]}
                    rows.write(msgspec.json.encode(row) + b"\n")

                await send_all(job, embed)

    asyncio.run(run())


def pyreqwest(job: Job) -> None:
    """Run one client of pyreqwest, which is Rust's; JSON and vector decoded by the standard library."""
    from pyreqwest.client import ClientBuilder

    job.begin()

    async def run() -> None:
        async with ClientBuilder().build() as client:

            async def embed(text: Text) -> Any:
                request = client.post(f"{job.base_url}/embeddings").headers(_headers(job)).body_json(_body(text))
                answer = await request.build().send()
                content = bytes(await answer.bytes())
                return _vectors(json.loads(content)) if answer.status == 200 else _lose(answer.status)

            await send_all(job, embed)

    asyncio.run(run())


def retry_after(job: Job) -> None:
    """Run one aiohttp session whose every worker waits as a 429 says and sends again."""
    _import_aiohttp()
    job.begin()

    async def run() -> None:
        async with _aiohttp_post(job) as post:

            async def embed(text: Text) -> Any:
                while True:
                    status, answer, headers = await post(text)
                    if status != 429:
                        return _vectors(json.loads(answer)) if status == 200 else _lose(status)
                    await asyncio.sleep(int(headers["retry-after-ms"]) / 1000)

            await send_all(job, embed)

    asyncio.run(run())


def litellm(job: Job) -> None:
    """Run LiteLLM's aembedding."""
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # it would fetch a list of prices from the Internet
    import litellm as library

    library.suppress_debug_info = True
    job.begin()
    more = {} if job.max_retries is None else {"num_retries": job.max_retries}

    async def embed(text: Text) -> Any:
        return await library.aembedding(
            model=f"openai/{MODEL}",
            input=[text] if isinstance(text, str) else text,
            api_base=job.base_url,
            api_key=job.api_key,
            **more,
        )

    asyncio.run(send_all(job, embed))


Post = Callable[[Text], Awaitable[tuple[int, bytes, Any]]]


@asynccontextmanager
async def _aiohttp_post(job: Job) -> AsyncIterator[Post]:
    import aiohttp as library

    connector = library.TCPConnector(limit=0)
    async with library.ClientSession(connector=connector, headers=_headers(job)) as session:
        url = f"{job.base_url}/embeddings"

        async def post(text: Text) -> tuple[int, bytes, Any]:
            async with session.post(url, json=_body(text)) as answer:
                return answer.status, await answer.read(), answer.headers

        yield post


def _import_aiohttp() -> None:
    import aiohttp as library  # noqa: F401 - before the clock starts


def _lose(status: int) -> None:
    raise RuntimeError(f"HTTP status {status}")


def _headers(job: Job) -> dict[str, str]:
    return {"Authorization": f"Bearer {job.api_key}"}


def _body(text: Text) -> dict[str, Any]:
    return {"model": MODEL, "input": text, "encoding_format": "base64"}


def _vectors(answer: Any) -> list[array[float]]:
    return [array("f", b64decode(item["embedding"])) for item in answer["data"]]


def _connect_official(job: Job) -> None:
    """Give the official provider its connection, and Airflow a home of its own."""
    host = {"conn_type": "openai", "password": job.api_key, "host": job.base_url}
    os.environ["AIRFLOW_CONN_OPENAI_DEFAULT"] = json.dumps(host)
    os.environ["AIRFLOW_HOME"] = str(job.input.parent / "airflow")
    os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
    os.environ["AIRFLOW__LOGGING__LOGGING_LEVEL"] = "ERROR"


@dataclass(frozen=True)
class Peer:
    """A peer: what people call it, what its figures hold, and the folder of its virtual environment."""

    run: Callable[[Job], None]
    title: str
    does: str
    venv: str = "venv"


_SENDS = "read, send, decode"

PEERS = {
    "openai": Peer(openai, "AsyncOpenAI", _SENDS),
    "openai_aiohttp": Peer(openai_aiohttp, "AsyncOpenAI + DefaultAioHttpClient", _SENDS),
    "openai_2": Peer(openai, "AsyncOpenAI of openai 2, on httpx", _SENDS, venv="venv-litellm"),
    "official_hook": Peer(official_hook, "official OpenAIHook, in turn", _SENDS),
    "official_operator": Peer(official_operator, "official OpenAIEmbeddingOperator.execute", _SENDS),
    "httpx": Peer(httpx, "httpx.AsyncClient", _SENDS),
    "aiohttp": Peer(aiohttp, "aiohttp", _SENDS),
    "pyreqwest": Peer(pyreqwest, "pyreqwest", _SENDS),
    "aiohttp_rows": Peer(aiohttp_rows, "aiohttp + msgspec, by hand", "read, send, decode, rows on disk"),
    "retry_after": Peer(retry_after, "aiohttp, each worker obeys Retry-After", _SENDS),
    "litellm": Peer(litellm, "LiteLLM aembedding", _SENDS, venv="venv-litellm"),
    "official_upload": Peer(official_upload, "official OpenAIHook.upload_file", "upload"),
    "openai_upload": Peer(openai_upload, "openai files.create", "upload"),
    "openai_uploads": Peer(openai_uploads, "openai uploads.upload_file_chunked", "upload in parts"),
    "httpx_upload": Peer(httpx_upload, "httpx files=", "upload"),
}


def main() -> None:
    """Run one peer and print what it cost."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("peer", choices=PEERS)
    parser.add_argument("--input", type=Path, required=True)
    parser.add_argument("--base-url", required=True)
    parser.add_argument("--concurrency", type=int, default=64)
    parser.add_argument("--packed", action="store_true", help="2,048 records a request instead of one")
    parser.add_argument("--max-retries", type=int, help="of openai and litellm; their own number unless given")
    parser.add_argument("--api-key", default="sk-bench-peer-00")
    parser.add_argument("--start-at", type=float, default=0, help="begin at this time, in seconds since 1970")
    arguments = vars(parser.parse_args())

    logging.disable(logging.WARNING)
    peer = PEERS[arguments.pop("peer")]
    job = Job(**arguments)
    peer.run(job)
    assert job.cost is not None  # noqa: S101 - each peer begins
    counts = {"records": job.done + job.lost, "done": job.done, "lost": job.lost, "pending": 0}
    errors = [f"{number} x {name}" for name, number in job.errors.items()]
    print(json.dumps(job.cost.so_far() | counts | {"errors": errors}))


if __name__ == "__main__":
    main()
