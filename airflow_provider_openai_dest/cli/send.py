"""``send``, ``preview`` and ``replay``: a delivery without a Dag, which the same command goes on with."""

from __future__ import annotations

import logging
import signal
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from tempfile import TemporaryDirectory
from typing import Any

from airflow_provider_openai_dest.answers.preview import PREVIEW_FOLDER, Preview
from airflow_provider_openai_dest.checkpoint.delivery_log import DeliveryLog, Resume, generations
from airflow_provider_openai_dest.checkpoint.ownership import Ownership, StorageFence
from airflow_provider_openai_dest.checkpoint.predecessor import outwait_predecessor
from airflow_provider_openai_dest.checkpoint.replay import Replay
from airflow_provider_openai_dest.checkpoint.scope import Scope
from airflow_provider_openai_dest.cli.ending import DONE, INTERRUPTED
from airflow_provider_openai_dest.cli.inputs import Inputs, open_results, print_json, without_vectors
from airflow_provider_openai_dest.cli.sole_command import sole_command
from airflow_provider_openai_dest.delivery.attempts import RetryPolicy
from airflow_provider_openai_dest.delivery.billing import Billing
from airflow_provider_openai_dest.delivery.budget import new_budget
from airflow_provider_openai_dest.delivery.budget_limits import BudgetLimits
from airflow_provider_openai_dest.delivery.tolerance import Tolerance
from airflow_provider_openai_dest.delivery.verdict import table_of
from airflow_provider_openai_dest.destination import MAX_XCOM_BYTES
from airflow_provider_openai_dest.exceptions import ConfigurationError
from airflow_provider_openai_dest.operators.assembly import Delivery, Speed, Storage, new_dispatcher
from airflow_provider_openai_dest.operators.end_of_run import log_end
from airflow_provider_openai_dest.operators.refusal_hints import refusal_hints
from airflow_provider_openai_dest.sinks.folder import Folder
from airflow_provider_openai_dest.sources.first_records import FirstRecords
from airflow_provider_openai_dest.sources.quarantine import QuarantineSource
from airflow_provider_openai_dest.sources.readable_file import ReadableFile
from airflow_provider_openai_dest.sources.record import Source

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """What one command delivers, and where its state is; ``kind`` tells the states in one folder apart.

    ``is_passing`` says that the folder is gone afterwards.
    """

    kind: str
    folder: Folder
    source: Source
    resume: Resume = "always"
    view: Preview | None = None
    is_passing: bool = False


def send(options: Namespace) -> int:
    """Send a whole file and print the manifest."""
    inputs = Inputs(options)
    resume: Resume = "never" if options.anew else "always"
    run = _Run(kind="send", folder=open_results(options.results), source=inputs.source, resume=resume)
    return _deliver(options, inputs, run)


def replay(options: Namespace) -> int:
    """Send what a quarantine holds, and settle it in the delivery that rejected it."""
    inputs = Inputs(options)
    if not isinstance(inputs.source, QuarantineSource):
        raise ConfigurationError(f"--input {options.input}: is no quarantine; `send` sends other files")
    return _deliver(options, inputs, _Run(kind="replay", folder=open_results(options.results), source=inputs.source))


def preview(options: Namespace) -> int:
    """Send the first records, apart from any delivery, and print the manifest with what was sent and answered."""
    inputs = Inputs(options)
    source, view = FirstRecords(inputs.source, options.records), Preview(inputs.settings.secrets)
    with TemporaryDirectory() as passing:
        run = _Run(
            kind="preview",
            folder=open_results(f"{options.results.rstrip('/')}/{PREVIEW_FOLDER}" if options.results else passing),
            source=source,
            resume="never",
            view=view,
            is_passing=not options.results,
        )
        return _deliver(options, inputs, run)


def _deliver(options: Namespace, inputs: Inputs, run: _Run) -> int:
    claimed = inputs.fingerprint()
    scope = Scope(dag_id="command line", run_id=run.kind, task_id=claimed["endpoint"])
    with sole_command(run.folder, scope):
        return _deliver_alone(options, inputs, run, _open_state(run, scope, claimed))


def _deliver_alone(options: Namespace, inputs: Inputs, run: _Run, state: DeliveryLog) -> int:
    tolerance = Tolerance(max_error_rate=options.max_error_rate, max_errors=options.max_errors)
    delivery = _new_delivery(options, inputs, run, state)
    with _stopped_by_signals(delivery) as signals:
        manifest = delivery.run(run.source)
    if run.is_passing:
        manifest = replace(manifest, results=None, rows=None, quarantine=None)
    row = manifest.as_dict()
    log_end(log, row)
    if inputs.check is not None:
        inputs.check.tell_sent()
    print_json(_printed(row, run.view, inputs.endpoint.vector_field))
    if signals:
        return INTERRUPTED
    delivery.raise_failure(manifest, webhook_required=False)
    tolerance.check(manifest)
    return DONE


def _printed(row: dict[str, Any], view: Preview | None, vector_field: str | None) -> dict[str, Any]:
    """Give what is printed of a manifest: vectors are cut, and a preview shows the outcomes in its own way."""
    if view is None:
        return row | {"outcomes": without_vectors(row["outcomes"], vector_field)}
    return {name: value for name, value in row.items() if name != "outcomes"} | {"preview": view.shown(MAX_XCOM_BYTES)}


def _new_delivery(options: Namespace, inputs: Inputs, run: _Run, state: DeliveryLog) -> Delivery:
    limits = BudgetLimits(
        max_cost=options.max_cost, max_tokens_total=options.max_tokens_total, max_requests=options.max_requests
    )
    prices, budget = new_budget(limits, base_url=inputs.settings.base_url, model=inputs.one_model)
    fence = StorageFence(run.folder, state.scope, state.generation + 1)
    fence.begin()
    outwait_predecessor(state, fence)
    ownership = Ownership([fence], parent=lambda: 0)
    hints = refusal_hints(inputs.settings, options.conn_id or "")
    policy = RetryPolicy(table=table_of(inputs.endpoint.path, *hints))
    speed = Speed(concurrency=options.concurrency)
    return Delivery(
        endpoint=inputs.endpoint,
        renderer=inputs.renderer,
        dispatcher=new_dispatcher(
            inputs.settings, speed, policy, ownership.is_kept, budget=budget, tokens=inputs.tokens
        ),
        log=state,
        storage=Storage(max_xcom_bytes=MAX_XCOM_BYTES),
        ownership=ownership,
        replay=_replay_of(run.source, state),
        secrets=inputs.settings.secrets,
        billing=Billing(prices, budget) if prices or budget else None,
        preview=run.view,
    )


def _replay_of(source: Source, state: DeliveryLog) -> Replay | None:
    if not isinstance(source, QuarantineSource):
        return None
    return Replay(source, _folder_of, endpoint=state.scope.task_id, by=state.scope.as_row())


def _folder_of(file: ReadableFile) -> Folder:
    folder: Folder = file.parent  # type: ignore[attr-defined]
    return folder


def _open_state(run: _Run, scope: Scope, claimed: dict[str, str]) -> DeliveryLog:
    """Open the state of a command in a folder; each run is a generation of its own, which tries the rejected again."""
    generation = generations(run.folder, scope)
    return DeliveryLog(
        run.folder,
        scope,
        try_number=generation + 1,
        generation=generation,
        fingerprint=claimed,
        resume=run.resume,
        on_mismatch="restart" if run.kind == "replay" else "fail",
    )


@contextmanager
def _stopped_by_signals(delivery: Delivery) -> Iterator[list[int]]:
    """Stop at Ctrl-C or SIGTERM, when what is on the wire has ended; the second one ends the program at once."""
    came: list[int] = []

    def stop(number: int, _frame: object) -> None:
        came.append(number)
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
        log.warning("Stopping: nothing more is sent, what is on the wire ends")
        delivery.stop()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
