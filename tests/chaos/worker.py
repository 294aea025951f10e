"""The worker: one try of a delivery as a process of its own, put together as the operators do it, without Airflow.

``python -m tests.chaos.worker '{"source": ..., "results": ...}'`` takes the fields of :class:`Try`. SIGTERM does what
Airflow does with it: the operator's ``on_kill``, which stops the delivery; whoever sent it kills the process 5 s later.
At the end it writes a report: the manifest, the error, CPU seconds and memory.
"""

from __future__ import annotations

import json
import logging
import os
import resource
import signal
import sys
import time
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from airflow_provider_openai_dest.checkpoint.delivery_log import DeliveryLog
from airflow_provider_openai_dest.checkpoint.ownership import Ownership, StorageFence
from airflow_provider_openai_dest.checkpoint.predecessor import outwait_predecessor
from airflow_provider_openai_dest.checkpoint.scope import Scope
from airflow_provider_openai_dest.connection.settings import ConnectionSettings
from airflow_provider_openai_dest.connection.webhook_settings import WebhookSettings
from airflow_provider_openai_dest.delivery.attempts import RetryPolicy
from airflow_provider_openai_dest.destination import Destination
from airflow_provider_openai_dest.endpoints.embeddings import CREATE_EMBEDDING
from airflow_provider_openai_dest.endpoints.template import EndpointTemplate
from airflow_provider_openai_dest.manifest import Manifest
from airflow_provider_openai_dest.operators.assembly import Delivery, Speed, Storage, new_dispatcher
from airflow_provider_openai_dest.rendering.body import BodyTemplate
from airflow_provider_openai_dest.rendering.renderer import PackedRenderer
from airflow_provider_openai_dest.rendering.request_form import RequestForm
from airflow_provider_openai_dest.sinks.folder import Folder
from airflow_provider_openai_dest.sources.files import FilesSource
from tests.chaos.object_folder import ObjectFolder, Weather
from tests.chaos.receiver import SECRET

SCOPE = Scope(dag_id="chaos", run_id="chaos", task_id="send")
BODY = {"model": "text-embedding-3-small", "input": "{message.text}"}


@dataclass(frozen=True, kw_only=True)
class Try:
    """What one try is told.

    :param storage: ``local``, a folder of this host, or ``object``, where nothing but whole files can be put.
    :param weather: fields of :class:`Weather`, for the storage ``object``.
    :param file_limit: bytes that a file may have, for the storage ``local``: a disk that is full.
    :param is_stateless: only send, and keep nothing: what the sending alone costs.
    :param report: where the report goes.
    """

    source: str
    results: str
    base_url: str
    report: str
    number: int = 1
    generation: int = 0
    storage: str = "local"
    weather: dict[str, Any] = field(default_factory=dict)
    file_limit: int | None = None
    concurrency: int = 64
    pack: int = 1
    on_unknown: str = "resend"
    ambiguous_retries: int = 1
    timeout: float = 60.0
    webhook_url: str | None = None
    is_stateless: bool = False

    @property
    def client(self) -> str:
        """Name the try for the stub."""
        return f"g{self.generation}t{self.number}"


def run(one: Try) -> None:
    """Run the try and write its report."""
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, force=True)
    cost = _Cost()
    manifest: Manifest | None = None
    error: Exception | None = None
    try:
        if one.file_limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (one.file_limit, one.file_limit))
        if one.is_stateless:
            manifest = _stateless(one).run(_source(one))
        else:
            delivery = _delivery(one)
            signal.signal(signal.SIGTERM, lambda *_: delivery.stop())
            manifest = delivery.run(_source(one))
            delivery.raise_failure(manifest, webhook_required=True)
    except Exception as raised:  # noqa: BLE001 - whatever it is, the report says it
        error = raised
        logging.getLogger(__name__).warning("The try ended with %s: %s", type(raised).__name__, raised)
    report = {
        "manifest": manifest.as_dict() if manifest else None,
        "error": type(error).__name__ if error else None,
        "message": str(error or ""),
        **cost.so_far(),
    }
    part = Path(f"{one.report}.part")
    part.write_text(json.dumps(report))
    part.replace(one.report)


class _Cost:
    def __init__(self) -> None:
        self._cpu = time.process_time()
        self._began = time.monotonic()
        self._bytes = _most_bytes()

    def so_far(self) -> dict[str, float]:
        """Give seconds, CPU seconds, and the most memory, in all and above what it was at the start."""
        most = _most_bytes()
        return {
            "seconds": time.monotonic() - self._began,
            "cpu_seconds": time.process_time() - self._cpu,
            "most_bytes": most,
            "grown_bytes": most - self._bytes,
        }


def _most_bytes() -> int:
    """Read the high-water mark: that of ``getrusage`` would be the parent's before a fork."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


def _source(one: Try) -> FilesSource:
    return FilesSource([Path(one.source)], key="key")


def _delivery(one: Try) -> Delivery:
    settings = _settings(one)
    log = DeliveryLog(
        _folder(one),
        SCOPE,
        try_number=one.number,
        generation=one.generation,
        fingerprint={"origin": settings.base_url},
    )
    marks = StorageFence(log.folder, log.scope, one.number)
    marks.begin()
    outwait_predecessor(log, marks)
    ownership = Ownership([marks])
    policy = RetryPolicy(ambiguous_retries=one.ambiguous_retries, quarantine_unknown=one.on_unknown == "quarantine")
    endpoint = _endpoint(one)
    return Delivery(
        endpoint=endpoint,
        renderer=_renderer(endpoint, settings),
        dispatcher=new_dispatcher(settings, Speed(concurrency=one.concurrency), policy, ownership.is_kept),
        log=log,
        storage=Storage(max_xcom_bytes=0),
        webhook=_webhook(one),
        quarantine_unknown=one.on_unknown == "quarantine",
        ownership=ownership,
    )


def _stateless(one: Try) -> Destination:
    settings, endpoint = _settings(one), _endpoint(one)
    return Destination(
        endpoint=endpoint,
        renderer=_renderer(endpoint, settings),
        dispatcher=new_dispatcher(settings, Speed(concurrency=one.concurrency), RetryPolicy()),
        max_inline_bytes=0,
    )


def _folder(one: Try) -> Folder:
    return Path(one.results) if one.storage == "local" else ObjectFolder(one.results, Weather(**one.weather))


def _settings(one: Try) -> ConnectionSettings:
    return ConnectionSettings(api_key=f"sk-chaos-{one.client}", base_url=one.base_url, timeout=one.timeout)


def _endpoint(one: Try) -> EndpointTemplate:
    packing = CREATE_EMBEDDING.packing
    assert packing is not None
    return replace(CREATE_EMBEDDING, packing=replace(packing, max_records=one.pack))


def _renderer(endpoint: EndpointTemplate, settings: ConnectionSettings) -> PackedRenderer:
    return PackedRenderer(RequestForm(endpoint, base_url=settings.base_url), BodyTemplate(BODY))


def _webhook(one: Try) -> WebhookSettings | None:
    if one.webhook_url is None:
        return None
    return WebhookSettings(signing_secrets=SECRET, allowed_networks="127.0.0.0/8", url=one.webhook_url)


def run_in_child(one: dict[str, Any], log: str) -> None:
    """Run a try in a process that was just forked; what it logs goes to a file."""
    _log_to(log)
    run(Try(**one))


def supervise(one: dict[str, Any], log: str, pid_file: str) -> None:
    """Do as Airflow's supervisor: fork the task and wait for it."""
    _log_to(log)
    child = os.fork()
    if not child:
        try:
            run(Try(**one))
        finally:
            os._exit(0)
    Path(pid_file).write_text(str(child))
    os.waitpid(child, 0)


def _log_to(path: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)


if __name__ == "__main__":
    run(Try(**json.loads(sys.argv[1])))

__all__ = ["SCOPE", "Try", "asdict", "run", "run_in_child", "supervise"]
