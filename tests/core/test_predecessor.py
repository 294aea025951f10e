"""A try waits for one that did not end by itself, and may still send."""

from __future__ import annotations

import logging
import multiprocessing
from pathlib import Path

import pytest

from airflow_provider_openai_dest.checkpoint.claims import Claims
from airflow_provider_openai_dest.checkpoint.delivery_log import DeliveryLog
from airflow_provider_openai_dest.checkpoint.ownership import RENEW_SECONDS, StorageFence
from airflow_provider_openai_dest.checkpoint.predecessor import OUTWAIT_SECONDS, outwait_predecessor
from airflow_provider_openai_dest.checkpoint.scope import Scope
from airflow_provider_openai_dest.delivery.event_loop import WATCH_SECONDS
from airflow_provider_openai_dest.sinks.folder import Folder, put_file
from tests.core.delivery_parts import record
from tests.core.memory_folder import MemoryFolder

SCOPE = Scope(dag_id="d", run_id="r", task_id="t")


class CachingFolder(MemoryFolder):
    """A folder whose client keeps its listings, as those of object storage do."""

    @property
    def fs(self) -> CachingFolder:
        return self

    def invalidate_cache(self) -> None:
        self.store.failing.add("kept listings")


def waited(folder: Folder) -> list[float]:
    """Begin the second try, and give how long it waits."""
    seconds: list[float] = []
    marks = StorageFence(folder, SCOPE, 2)
    marks.begin()
    outwait_predecessor(DeliveryLog(folder, SCOPE, try_number=2), marks, sleep=seconds.append)
    return seconds


def claims_of_a_first_try(folder: Folder) -> Claims:
    StorageFence(folder, SCOPE, 1).begin()
    claims = Claims(DeliveryLog(folder, SCOPE).rows("claims"))
    claims.claim(record())
    return claims


def test_one_that_ended_by_itself_is_not_waited_for() -> None:
    """Nor is one that had nothing to send: a usual retry begins at once."""
    ended, idle = MemoryFolder(), MemoryFolder()
    claims_of_a_first_try(ended).end([])
    DeliveryLog(idle, SCOPE)
    assert ([], []) == (waited(ended), waited(idle))


def test_one_that_may_still_run_is_waited_for_and_told(caplog: pytest.LogCaptureFixture) -> None:
    """Once, since no clock tells when it was last alive."""
    caplog.set_level(logging.INFO)
    folder = MemoryFolder()
    claims_of_a_first_try(folder)
    assert [OUTWAIT_SECONDS] == waited(folder)
    assert "did not end by itself" in caplog.text


def test_one_whose_process_is_gone_is_not_waited_for(tmp_path: Path) -> None:
    """It ran on this host; one that is there still is waited for, whatever it does."""
    process = multiprocessing.get_context("fork").Process(target=claims_of_a_first_try, args=(tmp_path,))
    process.start()
    process.join()
    assert [] == waited(tmp_path)
    StorageFence(tmp_path, SCOPE, 1).begin()
    assert [OUTWAIT_SECONDS] == waited(tmp_path)


def test_one_that_does_not_say_who_it_is_is_waited_for() -> None:
    """As one of a version before, or whose mark can't be read."""
    for mark in (b"{}", b"", b'{"process": "elsewhere 1 2"}', b'{"process": 3}'):
        folder = MemoryFolder()
        claims_of_a_first_try(folder)
        put_file(folder, f"try-{SCOPE.id}-t01.json", mark)
        assert [OUTWAIT_SECONDS] == waited(folder)


def test_it_has_seen_the_mark_by_then() -> None:
    """With half a second for asking, and for writing what was answered."""
    assert OUTWAIT_SECONDS >= RENEW_SECONDS + WATCH_SECONDS + 0.5


def test_what_it_put_meanwhile_is_listed() -> None:
    """Though the client of the storage keeps the listing from before."""
    folder = CachingFolder()
    claims_of_a_first_try(folder)
    waited(folder)
    assert "kept listings" in folder.store.failing
