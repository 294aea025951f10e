"""The sandbox's own operations, below ``/sandbox``: faults, statistics, reset and the webhook inbox."""

from __future__ import annotations

from airflow_provider_openai_dest.exceptions import ConfigurationError
from airflow_provider_openai_dest.sandbox.answers import Answer
from airflow_provider_openai_dest.sandbox.calls import Call, read_query
from airflow_provider_openai_dest.sandbox.fault_plan import FaultPlan
from airflow_provider_openai_dest.sandbox.operation import Operation
from airflow_provider_openai_dest.sandbox.state import SandboxState
from airflow_provider_openai_dest.sandbox.validation import Array, Shape, Whole, refuse

ITEMS_SHOWN = 20


def get_faults(state: SandboxState, _call: Call) -> Answer:
    """Give the rules in force and how often each has fired."""
    return Answer(content=state.faults.as_json())


def replace_faults(state: SandboxState, call: Call) -> Answer:
    """Replace the rules: ``{"faults": ["status=503,times=3", {"mode": "nan"}], "seed": 7}``."""
    try:
        state.faults = FaultPlan(call.body["faults"], call.body.get("seed", state.settings.seed))
    except ConfigurationError as error:
        refuse(str(error), "faults", "invalid_value")
    return get_faults(state, call)


def delete_faults(state: SandboxState, call: Call) -> Answer:
    """Let nothing go wrong any more."""
    state.faults = FaultPlan((), state.settings.seed)
    return get_faults(state, call)


def get_stats(state: SandboxState, _call: Call) -> Answer:
    """Give the counts."""
    return Answer(content={**state.counters.as_json(), "webhooks": state.inbox.counts(), **state.faults.as_json()})


def reset(state: SandboxState, call: Call) -> Answer:
    """Clear counters, buckets and the inbox."""
    state.forget()
    return get_stats(state, call)


def receive_webhook(state: SandboxState, call: Call) -> Answer:
    """Take a webhook in."""
    return state.inbox.receive(call.request.headers, call.request.body)


def get_inbox(state: SandboxState, call: Call) -> Answer:
    """Give the counts and the last ``?limit=`` items."""
    query = read_query(call.request.query, Shape(fields={"limit": Whole(at_least=0)}))
    return Answer(content=state.inbox.as_json(query.get("limit", ITEMS_SHOWN)))


FAULTS = Shape(fields={"faults": Array(required=True), "seed": Whole()}, is_open=False)

CONTROL_OPERATIONS = (
    Operation(method="GET", path="/sandbox/faults", answer=get_faults, is_observed=False),
    Operation(method="POST", path="/sandbox/faults", json=FAULTS, answer=replace_faults, is_observed=False),
    Operation(method="DELETE", path="/sandbox/faults", answer=delete_faults, is_observed=False),
    Operation(method="GET", path="/sandbox/stats", answer=get_stats, is_observed=False),
    Operation(method="POST", path="/sandbox/reset", answer=reset, is_observed=False),
    Operation(method="GET", path="/sandbox/inbox", answer=get_inbox, is_observed=False),
    Operation(method="POST", path="/sandbox/inbox", answer=receive_webhook),
)
