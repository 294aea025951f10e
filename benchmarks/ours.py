"""Ours: whole deliveries of this package without Airflow, put together as the operators do it.

All other scripts of benchmarks/ reach the package through this file, which is also a command::

    python benchmarks/ours.py deliver --input texts.jsonl --results folder --base-url http://127.0.0.1:9000/v1

The command prints what it cost as one line of JSON. Imports come before the clock starts.
"""

from __future__ import annotations

import argparse
import json
import logging
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp  # noqa: F401 - the package imports it when it first sends; the peers have theirs before the clock starts
from measured import Cost, wait_until

from airflow_provider_openai_dest.checkpoint.delivery_log import DeliveryLog
from airflow_provider_openai_dest.checkpoint.scope import Scope
from airflow_provider_openai_dest.checkpoint.upload_log import UploadLog
from airflow_provider_openai_dest.connection.settings import ConnectionSettings
from airflow_provider_openai_dest.delivery.attempts import RetryPolicy
from airflow_provider_openai_dest.endpoints.embeddings import CREATE_EMBEDDING
from airflow_provider_openai_dest.endpoints.files import UPLOAD_FILE
from airflow_provider_openai_dest.endpoints.images import CREATE_IMAGE
from airflow_provider_openai_dest.endpoints.template import EndpointTemplate
from airflow_provider_openai_dest.manifest import Manifest
from airflow_provider_openai_dest.operators import assembly
from airflow_provider_openai_dest.operators.assembly import Delivery, Speed, Storage, new_dispatcher
from airflow_provider_openai_dest.rendering.body import BodyTemplate
from airflow_provider_openai_dest.rendering.duplicates import Originals
from airflow_provider_openai_dest.rendering.file_references import FileReferences
from airflow_provider_openai_dest.rendering.renderer import PackedRenderer, SingleRenderer
from airflow_provider_openai_dest.rendering.request_form import RequestForm
from airflow_provider_openai_dest.sources.files import FilesSource
from airflow_provider_openai_dest.sources.record import Source
from airflow_provider_openai_dest.sources.values import ValuesSource
from airflow_provider_openai_dest.uploads.file_sending import FileRenderer, FileSending
from airflow_provider_openai_dest.uploads.upload_in_parts import UploadOptions
from airflow_provider_openai_dest.wire.aiohttp_wire import AiohttpWire

PACKED = CREATE_EMBEDDING
# Packs of one, so that each vector is still checked.
ONE_RECORD = (
    replace(CREATE_EMBEDDING, packing=replace(CREATE_EMBEDDING.packing, max_records=1))
    if CREATE_EMBEDDING.packing
    else CREATE_EMBEDDING
)
SCOPE = Scope(dag_id="bench", run_id="bench", task_id="send")
API_KEY = "sk-bench-ours-00"
BODY = {"model": "text-embedding-3-small", "input": "{message.text}"}


def deliver(
    input_path: Path,
    results_dir: Path,
    base_url: str,
    *,
    endpoint: EndpointTemplate = ONE_RECORD,
    body: Any = BODY,
    concurrency: int = 64,
    rpm: int | None = None,
    tpm: int | None = None,
    api_key: str = API_KEY,
    try_number: int = 1,
) -> Manifest:
    """Send each line of a JSON Lines file, and write each outcome to ``results_dir``, as an operator does.

    :param rpm: requests a minute, as the Dag author gives them; None learns them from the answers.
    :param tpm: tokens a minute, likewise.
    :param try_number: above 1 it goes on with what an earlier try left in the same ``results_dir``.
    """
    return _run(
        FilesSource([input_path], key="sku"),
        endpoint,
        body,
        results_dir=results_dir,
        settings=ConnectionSettings(api_key=api_key, base_url=base_url),
        speed=Speed(concurrency=concurrency, requests_per_minute=rpm, tokens_per_minute=tpm),
        try_number=try_number,
    )


def upload(file: Path, results_dir: Path, base_url: str) -> Manifest:
    """Upload one file as it is."""
    return _run(
        ValuesSource([{"uri": str(file)}], key="uri"),
        UPLOAD_FILE,
        {"purpose": "user_data", "file": "{message.uri}"},
        results_dir=results_dir,
        settings=ConnectionSettings(api_key=API_KEY, base_url=base_url),
        files=FileReferences((str(file),), Path),
    )


def upload_in_parts(file: Path, results_dir: Path, base_url: str, *, parts_at_once: int, md5: bool) -> Manifest:
    """Upload one file by the Uploads API."""
    settings = ConnectionSettings(api_key=API_KEY, base_url=base_url)
    files = FileReferences((str(file),), Path)
    form = RequestForm(UPLOAD_FILE, base_url=base_url, files=files)
    log = DeliveryLog(results_dir, SCOPE)
    options = UploadOptions(
        memory=UploadLog(log.rows("uploads"), log.uploads()),
        parts_at_once=parts_at_once,
        checks_md5=md5,
        is_killed=lambda: False,
        now=time.time,
    )
    whole = SingleRenderer(form, BodyTemplate({"purpose": "user_data", "file": "{message.uri}"}))
    delivery = Delivery(
        endpoint=UPLOAD_FILE,
        renderer=FileRenderer(whole, form, FileSending(in_parts=options, whole_bytes=0)),
        dispatcher=new_dispatcher(settings, Speed(), RetryPolicy()),
        log=log,
        storage=Storage(max_xcom_bytes=48 * 1024),
    )
    return delivery.run(ValuesSource([{"uri": str(file)}], key="uri"))


def draw(input_path: Path, results_dir: Path, base_url: str) -> Manifest:
    """Draw one image for each line of a JSON Lines file."""
    return _run(
        FilesSource([input_path], key="sku"),
        CREATE_IMAGE,
        {"model": "gpt-image-2", "prompt": "{message.text}"},
        results_dir=results_dir,
        settings=ConnectionSettings(api_key=API_KEY, base_url=base_url),
    )


def upload_each(input_path: Path, results_dir: Path, base_url: str) -> Manifest:
    """Upload one small file for each line of a JSON Lines file: the same file from the disk, each time read anew."""
    file = results_dir / "one.json"
    file.write_bytes(b"x" * 1_800)
    return _run(
        FilesSource([input_path], key="sku"),
        UPLOAD_FILE,
        {"purpose": "user_data", "file": str(file)},
        results_dir=results_dir,
        settings=ConnectionSettings(api_key=API_KEY, base_url=base_url),
        files=FileReferences((str(file),), Path),
    )


def _run(
    source: Source,
    endpoint: EndpointTemplate,
    body: Any,
    *,
    results_dir: Path,
    settings: ConnectionSettings,
    speed: Speed = Speed(),  # noqa: B008 - frozen
    files: FileReferences | None = None,
    try_number: int = 1,
) -> Manifest:
    form = RequestForm(endpoint, base_url=settings.base_url, files=files)
    renderer = PackedRenderer if endpoint.packing else SingleRenderer
    originals = Originals(keeps_all=endpoint.packing is None) if endpoint.deterministic else None
    delivery = Delivery(
        endpoint=endpoint,
        renderer=renderer(form, BodyTemplate(body), originals),
        dispatcher=new_dispatcher(settings, speed, RetryPolicy()),
        log=DeliveryLog(results_dir, SCOPE, try_number=try_number, resume="auto"),
        storage=Storage(max_xcom_bytes=48 * 1024),
    )
    return delivery.run(source)


EACH = {"draw": draw, "upload-each": upload_each}


def main() -> None:
    """Run one delivery and print what it cost."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["deliver", "upload", "upload-in-parts", *EACH])
    parser.add_argument("--input", type=Path, required=True)
    parser.add_argument("--results", type=Path, required=True)
    parser.add_argument("--base-url", required=True)
    parser.add_argument("--packed", action="store_true", help="up to 2,048 records a request instead of one")
    parser.add_argument("--concurrency", type=int, default=64)
    parser.add_argument("--rpm", type=int)
    parser.add_argument("--tpm", type=int)
    parser.add_argument("--through-aiohttp", action="store_true", help="send nothing directly")
    parser.add_argument("--parts-at-once", type=int, default=8)
    parser.add_argument("--md5", action="store_true", help="hash the file, so that the API can compare")
    parser.add_argument("--api-key", default=API_KEY)
    parser.add_argument("--try-number", type=int, default=1)
    parser.add_argument("--start-at", type=float, default=0, help="begin at this time, in seconds since 1970")
    arguments = parser.parse_args()

    logging.basicConfig(level=logging.WARNING)
    if arguments.through_aiohttp:
        assembly.new_wire = AiohttpWire
    wait_until(arguments.start_at)
    cost = Cost()
    if arguments.what in EACH:
        manifest = EACH[arguments.what](arguments.input, arguments.results, arguments.base_url)
    elif arguments.what == "upload":
        manifest = upload(arguments.input, arguments.results, arguments.base_url)
    elif arguments.what == "upload-in-parts":
        manifest = upload_in_parts(
            arguments.input,
            arguments.results,
            arguments.base_url,
            parts_at_once=arguments.parts_at_once,
            md5=arguments.md5,
        )
    else:
        manifest = deliver(
            arguments.input,
            arguments.results,
            arguments.base_url,
            endpoint=PACKED if arguments.packed else ONE_RECORD,
            concurrency=arguments.concurrency,
            rpm=arguments.rpm,
            tpm=arguments.tpm,
            api_key=arguments.api_key,
            try_number=arguments.try_number,
        )
    xcom = {"xcom_bytes": len(json.dumps(manifest.as_dict()))}
    print(json.dumps(cost.so_far() | counts(manifest) | xcom))


def counts(manifest: Manifest) -> dict[str, Any]:
    """Give the counts of a manifest under the names that the peers use, too."""
    return {
        "records": manifest.input,
        "done": manifest.delivered,
        "lost": manifest.rejected,
        "pending": manifest.pending,
        "requests": manifest.requests,
        "errors": [f"{kind['count']} x {kind['code']}: {kind['first_message']}" for kind in manifest.rejections],
    }


if __name__ == "__main__":
    main()
