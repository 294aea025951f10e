"""Whether a try may still send."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_provider_openai_dest.checkpoint.ownership import RENEW_SECONDS, TRIES_AHEAD, Ownership, StorageFence
from airflow_provider_openai_dest.checkpoint.scope import Scope
from airflow_provider_openai_dest.exceptions import TransientError
from airflow_provider_openai_dest.sinks.folder import Folder
from tests.core.memory_folder import MemoryFolder

SCOPE = Scope(dag_id="d", run_id="r", task_id="t")


class Gate:
    """A fence that is closed by hand, and counts who asks."""

    def __init__(self) -> None:
        self.closed = False
        self.asked = 0

    def is_closed(self) -> bool:
        self.asked += 1
        return self.closed


def fence(folder: Folder, try_number: int) -> StorageFence:
    """Begin a try."""
    begun = StorageFence(folder, SCOPE, try_number)
    begun.begin()
    return begun


def test_a_try_owns_its_delivery_from_the_start() -> None:
    """Without a fence as well."""
    assert (True, None) == (Ownership().is_kept(), Ownership().lost)


def test_an_orphan_may_not_send() -> None:
    """Its supervisor was killed, and another process is its parent now."""
    parents = [100, 100, 1, 100]
    ownership = Ownership(parent=lambda: parents.pop(0))
    assert [True, False, False] == [ownership.is_kept() for _ in range(3)]
    assert ownership.lost == "the process that supervises this task is gone"


def test_the_fences_are_asked_from_time_to_time() -> None:
    """Not before each request."""
    gate = Gate()
    ownership = Ownership([gate])
    for now in (0.0, 1.0, RENEW_SECONDS, RENEW_SECONDS + 1):
        ownership.renew(now)
    assert 2 == gate.asked


def test_a_closed_fence_ends_the_ownership() -> None:
    """For good."""
    gate = Gate()
    ownership = Ownership([Gate(), gate])
    ownership.renew(0.0)
    gate.closed = True
    ownership.renew(RENEW_SECONDS)
    gate.closed = False
    ownership.renew(3 * RENEW_SECONDS)
    assert (False, "a later try of this task has begun") == (ownership.is_kept(), ownership.lost)


@pytest.mark.parametrize("later", range(2, 2 + TRIES_AHEAD))
def test_a_later_try_closes_the_fence(tmp_path: Path, later: int) -> None:
    """Also when the one between them died before it left its mark."""
    first = fence(tmp_path, 1)
    assert not first.is_closed()
    fence(tmp_path, later)
    assert first.is_closed()


@pytest.mark.parametrize("other", [1, 2])
def test_an_earlier_try_or_the_same_closes_nothing(tmp_path: Path, other: int) -> None:
    """A try that freed its worker begins again under its own number."""
    second = fence(tmp_path, 2)
    fence(tmp_path, other)
    assert not second.is_closed()


def test_marks_of_a_former_run_of_the_same_name_close_nothing(tmp_path: Path) -> None:
    """They were there before."""
    fence(tmp_path, 2)
    assert not fence(tmp_path, 1).is_closed()


def test_a_try_that_can_not_see_the_marks_does_not_begin() -> None:
    """It might take an old mark for a later try."""
    folder = MemoryFolder()
    fence(folder, 2)
    folder.store.failing = {"list"}
    with pytest.raises(TransientError):
        fence(folder, 1)


def test_other_tasks_close_nothing(tmp_path: Path) -> None:
    """They may share the folder."""
    first = fence(tmp_path, 1)
    StorageFence(tmp_path, Scope(dag_id="d", run_id="r", task_id="other"), 2).begin()
    assert not first.is_closed()


def test_a_storage_that_can_not_be_asked_closes_nothing(tmp_path: Path) -> None:
    """The next look may succeed."""

    class Broken:
        def exists(self) -> bool:
            raise OSError("no route to host")

    begun = fence(tmp_path, 1)
    begun._later = [Broken()]  # type: ignore[list-item]
    assert not begun.is_closed()
