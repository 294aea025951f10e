"""Every operation of OpenAI's specification is offered, or is not for a reason that is written down."""

from __future__ import annotations

import re
from typing import Any

import pytest

from airflow_provider_openai_dest.endpoints.absent import NOT_OFFERED, RETIRED
from airflow_provider_openai_dest.endpoints.catalogue import ENDPOINTS
from tests.contract.newer_fields import NEWER_OPERATIONS
from tests.contract.specification import SPECIFICATION, needs_admin_key, needs_the_specification, operations

pytestmark = needs_the_specification

OFFERED = {(endpoint.method, endpoint.path): endpoint.name for endpoint in ENDPOINTS.values()}
OPERATIONS = (
    {f"{method} {path}": operation for method, path, operation in operations()} if SPECIFICATION.exists() else {}
)

# The verbs that the names here have where the specification has others, and a spelling that it got wrong.
VERBS = (("get_", "retrieve_"), ("modify_", "update_"), ("submit_tool_ouputs", "submit_tool_outputs"))


def name_of(operation_id: str) -> str:
    """Give what an operation would be called here: ``getRunStep`` is ``retrieve_run_step``."""
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", operation_id).lower()
    for theirs, ours in VERBS:
        name = re.sub(f"^{theirs}", ours, name)
    return name


def is_told(operation: dict[str, Any]) -> bool:
    """Tell whether it is said of an operation that is not offered why it is not."""
    return operation["operationId"] in NOT_OFFERED or name_of(operation["operationId"]) in RETIRED


@pytest.mark.parametrize("operation", OPERATIONS)
def test_each_operation_is_offered_or_it_is_said_why_not(operation: str) -> None:
    """An operation has an endpoint, or a reason why it has none, and never both."""
    method, _, path = operation.partition(" ")

    assert ((method, path) in OFFERED) != is_told(OPERATIONS[operation])


def test_all_operations_are_looked_at() -> None:
    """The specification has 169 operations for a project's key and 119 for an admin key; three want the other one."""
    admin = sum(map(needs_admin_key, OPERATIONS.values()))

    assert (169 - 3, 119 + 3) == (len(OPERATIONS) - admin, admin)


def test_no_operation_is_offered_twice() -> None:
    """Each endpoint is an operation of its own, or another form of its body; all of them are OpenAI's, or newer."""
    assert len({(each.method, each.path, each.content) for each in ENDPOINTS.values()}) == len(ENDPOINTS)
    known = {tuple(operation.split(" ")) for operation in OPERATIONS}
    assert {name for operation, name in OFFERED.items() if operation not in known} == {*NEWER_OPERATIONS}


def test_what_is_not_offered_is_in_the_specification() -> None:
    """A reason or a retirement is of an operation that there is: none is left over."""
    identifiers = {operation["operationId"] for operation in OPERATIONS.values()}

    assert {*NOT_OFFERED} <= identifiers
    assert {*RETIRED} <= {name_of(identifier) for identifier in identifiers}


def test_an_operation_without_a_word_is_found() -> None:
    """The tests above would find an operation that is neither offered nor explained."""
    assert not is_told({"operationId": "createSomethingNew"})
