"""Run end: what a run raises that left records unsettled, worded for whoever reads the task's log."""

from __future__ import annotations

from airflow_provider_openai_dest.delivery.dispatcher import Dispatcher
from airflow_provider_openai_dest.exceptions import (
    AbortError,
    BudgetReachedError,
    LongWaitError,
    OpenAIDestError,
    TransientError,
)
from airflow_provider_openai_dest.manifest import Manifest


def failure_of(manifest: Manifest, dispatcher: Dispatcher) -> OpenAIDestError | None:
    """Give the error by what happens next; None when every record is settled.

    AbortError when key, quota, project or address is refused, BudgetReachedError when no more may be spent,
    LongWaitError when the server asks for a long wait, TransientError when records are left for the next try.
    """
    if manifest.is_settled:
        return None
    if dispatcher.abort is not None:
        next_step = "mend the cause and clear the task to send all but the delivered"
        return AbortError(_stopped(manifest, dispatcher.abort, next_step), manifest.as_dict())
    if dispatcher.budget_reached:
        next_step = "raise the limit and clear the task to send only the rest"
        return BudgetReachedError(_stopped(manifest, dispatcher.budget_reached, next_step), manifest.as_dict())
    rest = "" if manifest.whole_input else ", and the source was not read to its end"
    pending = f"{manifest.endpoint}: {manifest.pending} of {manifest.input} records are pending"
    if dispatcher.long_wait is not None:
        return LongWaitError(f"{pending}, and must wait{rest}", seconds=dispatcher.long_wait)
    why = f" (the server failed: {dispatcher.outage})" if dispatcher.outage else manifest.why_pending
    return TransientError(f"{pending}{why}{rest}; the next try sends just these")


def _stopped(manifest: Manifest, why: object, next_step: str) -> str:
    said = str(why)
    end = "" if said.endswith(".") else ";"
    return (
        f"{manifest.endpoint} was stopped: {said}{end} {manifest.delivered} records are delivered and kept, "
        f"{manifest.rejected} rejected, {manifest.pending} pending: {next_step}"
    )
