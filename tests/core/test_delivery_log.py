"""Which records are settled, read back from the rows that earlier tries wrote."""

from __future__ import annotations

from glob import glob
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_openai_dest.checkpoint.claims import Claims
from airflow_provider_openai_dest.checkpoint.delivery_log import LAST_CLAIMS, DeliveryLog, Resume
from airflow_provider_openai_dest.checkpoint.scope import Scope
from airflow_provider_openai_dest.delivery.outcome import Outcome, Status
from airflow_provider_openai_dest.exceptions import CheckpointMismatchError, SinkError, TransientError
from airflow_provider_openai_dest.manifest import Manifest
from airflow_provider_openai_dest.sinks.folder import Folder, list_names
from airflow_provider_openai_dest.sinks.results import ResultsSink
from tests.core.delivery_parts import outcome, record
from tests.core.memory_folder import MemoryFolder, Store

SCOPE = Scope(dag_id="d", run_id="manual__2026", task_id="t")
FINGERPRINT = {"origin": "https://api.example/v1", "template": "0a"}
D, R, P = Status.DELIVERED, Status.REJECTED, Status.PENDING
LEFT = {"pending": 1, "rejected": 0}
DONE = {"pending": 0, "rejected": 0}


@pytest.fixture(params=["disk", "object storage"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Folder:
    """Give a results folder of each kind, which is not there yet."""
    return tmp_path / "results" if request.param == "disk" else MemoryFolder()


def log_in(folder: Folder, **settings: Any) -> DeliveryLog:
    """Open the log of a try."""
    return DeliveryLog(folder, **{"scope": SCOPE, "fingerprint": FINGERPRINT} | settings)


def write(log: DeliveryLog, *outcomes: Outcome, kind: str = "outcomes") -> None:
    """Write rows as a try does."""
    sink = ResultsSink(log.rows(kind))
    sink.write(outcomes)
    sink.close()


def ends(log: DeliveryLog) -> dict[str, str]:
    """Give what earlier tries have settled."""
    return {one.record.key: one.status.value for one in log.outcomes()}


def try_once(folder: Folder, *outcomes: Outcome, end: dict[str, Any] | None = None, **settings: Any) -> DeliveryLog:
    """Run a try that writes these outcomes and, unless it crashes, puts this manifest."""
    log = log_in(folder, **settings)
    write(log, *outcomes)
    if end is not None:
        log.end(end)
    return log


def test_a_first_try_finds_nothing(folder: Folder) -> None:
    """It begins the first delivery."""
    log = log_in(folder)
    assert (1, False, {}) == (log.number, log.is_resumed, ends(log))


# how the first try ended, what comes then -> number of the delivery, what is settled
D_AND_R = {"a": "delivered", "b": "rejected"}
FOLLOWING: dict[str, tuple[dict[str, int] | None, dict[str, Any], int, dict[str, str]]] = {
    "a retry after a crash": (None, {"try_number": 2}, 1, D_AND_R),
    "a retry of what was left": (LEFT, {"try_number": 2}, 1, D_AND_R),
    "a retry of what had ended": (DONE, {"try_number": 2}, 1, D_AND_R),
    "a clear after a crash": (None, {"generation": 1}, 1, {"a": "delivered"}),
    "a clear of what was left": (LEFT, {"generation": 1}, 1, {"a": "delivered"}),
    "a clear of what was rejected": ({"pending": 0, "rejected": 1}, {"generation": 1}, 1, {"a": "delivered"}),
    "a clear of what was not read to its end": (
        DONE | {"whole_input": False},
        {"generation": 1},
        1,
        {"a": "delivered"},
    ),
    "a clear of what had ended": (DONE, {"generation": 1}, 2, {}),
    "a clear of what had ended, always": (DONE, {"generation": 1, "resume": "always"}, 1, {"a": "delivered"}),
    "a clear of what was left, never": (LEFT, {"generation": 1, "resume": "never"}, 2, {}),
    "a retry of what was left, never": (LEFT, {"try_number": 2, "resume": "never"}, 2, {}),
}


@pytest.mark.parametrize("case", FOLLOWING)
def test_the_next_try_goes_on_or_begins_anew(folder: Folder, case: str) -> None:
    """A retry keeps all that is settled, a clear tries the rejected again, a clear of what had ended sends anew."""
    end, settings, number, settled = FOLLOWING[case]
    try_once(folder, outcome("a"), outcome("b", R), end=end)
    log = log_in(folder, **settings)
    assert (number, number == 1, settled) == (log.number, log.is_resumed, ends(log))


@pytest.mark.parametrize("left", [{"pending": 1}, {"rejected": 1}])
def test_a_delivery_has_not_ended_while_webhook_items_are_left(folder: Folder, left: dict[str, int]) -> None:
    """A retry in a run that was cleared meanwhile must not pay for everything again."""
    try_once(folder, outcome("a"), end=DONE | {"webhook": {"delivered": 4} | left})
    assert log_in(folder, try_number=2, generation=1).is_resumed


def test_a_delivery_has_ended_with_its_webhook(folder: Folder) -> None:
    """When all items arrived, or there was no webhook."""
    try_once(folder, outcome("a"), end=DONE | {"webhook": {"delivered": 4, "pending": 0, "rejected": 0}})
    assert not log_in(folder, generation=1).is_resumed


def test_a_real_manifest_ends_a_delivery(folder: Folder) -> None:
    """As :class:`Manifest` gives it; it stands beside the results."""
    try_once(folder, outcome("a"), end=Manifest(endpoint="x", input=1, delivered=1).as_dict())
    assert not log_in(folder, generation=1).is_resumed
    assert f"manifest-{SCOPE.id}-d1.json" in list_names(folder, "")


def test_a_retry_after_a_clear_keeps_what_the_clear_settled(folder: Folder) -> None:
    """A rejection of its own generation holds, those from before the clear do not."""
    try_once(folder, outcome("a", R), outcome("b", R), outcome("c"), end=LEFT)
    try_once(folder, outcome("a", R), generation=1, try_number=2)
    assert {"a": "rejected", "c": "delivered"} == ends(log_in(folder, generation=1, try_number=3))


def test_what_was_delivered_after_all_is_settled_once(folder: Folder) -> None:
    """Its rejection from before the clear is no kind of this run."""
    try_once(folder, outcome("a", R, usage={"n": 1}), end=LEFT)
    try_once(folder, outcome("a", usage={"n": 2}), generation=1, try_number=2)
    (one,) = log_in(folder, generation=1, try_number=3).outcomes()
    assert (D, {"n": 2}) == (one.status, one.usage)


def test_a_changed_record_supersedes_its_old_outcome(folder: Folder) -> None:
    """The newest try says what the record is now."""
    old, new = (outcome("a", answer=text, record=record("a", data={"q": text})) for text in ("old", "new"))
    try_once(folder, old, end=LEFT)
    try_once(folder, new, try_number=2)
    (one,) = log_in(folder, try_number=3).outcomes()
    assert one.answer == "new"


def test_a_later_delivery_knows_nothing_of_an_earlier_one(folder: Folder) -> None:
    """It has its own rows."""
    try_once(folder, outcome("a"), end=DONE)
    try_once(folder, outcome("b"), generation=1)
    log = log_in(folder, generation=1, try_number=2)
    assert (2, {"b": "delivered"}) == (log.number, ends(log))


def test_task_instances_share_a_folder(folder: Folder) -> None:
    """Each finds its own rows only."""
    for map_index in (0, 1):
        try_once(folder, outcome(str(map_index)), scope=Scope(dag_id="d", run_id="r", task_id="t", map_index=map_index))
    log = log_in(folder, scope=Scope(dag_id="d", run_id="r", task_id="t", map_index=1), try_number=2)
    assert {"1": "delivered"} == ends(log)


def test_two_tries_at_once_write_different_files(folder: Folder) -> None:
    """An orphaned try can go on beside the next one, with the same number too: nothing is overwritten."""
    first, orphan = log_in(folder, try_number=2), log_in(folder, try_number=2)
    for log, key in ((first, "a"), (orphan, "b"), (first, "c"), (orphan, "a")):
        write(log, outcome(key))
    assert 4 == len(list_names(folder, "outcomes-"))
    assert {"a", "b", "c"} == set(ends(log_in(folder, try_number=3)))


def test_a_torn_last_line_is_passed_over(tmp_path: Path) -> None:
    """Its record counts as not settled, those before it do."""
    try_once(tmp_path, outcome("a"), outcome("b"))
    (path,) = tmp_path.glob("outcomes-*")
    path.write_bytes(path.read_bytes()[:-7])
    assert {"a": "delivered"} == ends(log_in(tmp_path, try_number=2))


def test_rows_that_are_no_outcomes_are_passed_over_and_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """One line a file."""
    try_once(tmp_path, outcome("a"))
    (path,) = tmp_path.glob("outcomes-*")
    path.write_bytes(b'{"a": 1}\n{"key": 5}\n' + path.read_bytes())
    assert {"a": "delivered"} == ends(log_in(tmp_path, try_number=2))
    assert [f"{path.name} has 2 rows that are no outcomes: their records count as not settled"] == caplog.messages


@given(st.data())
def test_a_damaged_byte_keeps_what_stands_before_it(data: st.DataObject) -> None:
    """Wherever it is, the reading goes on, and the records of the rows before it are settled."""
    folder = MemoryFolder()
    try_once(folder, *[outcome(key) for key in "abc"])
    (name,) = [path for path in folder.store.files if "/outcomes-" in path]
    content = bytearray(folder.store.files[name])
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] = data.draw(st.sampled_from([0, 10, 34, 44, 92, 123, 125, 255]))
    folder.store.files[name] = bytes(content)
    before = "abc"[: content[:place].count(b"\n")]
    assert set(before) <= set(ends(log_in(folder, try_number=2)))


def test_a_change_is_told_with_both_values(folder: Folder) -> None:
    """But for a digest, which says nothing to a person; and then what to do."""
    before, after = {"template": "0a", "model": "m-small"}, {"template": "0b", "model": "m-large"}
    log_in(folder, fingerprint=before)
    with pytest.raises(CheckpointMismatchError) as caught:
        log_in(folder, fingerprint=after, try_number=2)
    told = str(caught.value)
    assert told.startswith("model ('m-small', now 'm-large') and template changed under the half-done delivery 1 in ")
    assert 'on_mismatch="restart"' in told


def test_a_change_can_begin_the_next_delivery(folder: Folder, caplog: pytest.LogCaptureFixture) -> None:
    """``restart`` sends everything anew, says so, and a retry of it goes on with the new one."""
    try_once(folder, outcome("a"), end=LEFT)
    changed = {"fingerprint": FINGERPRINT | {"template": "0b"}, "on_mismatch": "restart"}
    second = try_once(folder, outcome("b"), try_number=2, **changed)
    assert (2, False, "delivery 2" in caplog.text) == (second.number, second.is_resumed, True)
    third = log_in(folder, try_number=3, **changed)
    assert (2, True, {"b": "delivered"}) == (third.number, third.is_resumed, ends(third))


def test_restart_changes_nothing_where_nothing_changed(folder: Folder) -> None:
    """The delivery goes on."""
    try_once(folder, outcome("a"), end=LEFT)
    log = log_in(folder, try_number=2, on_mismatch="restart")
    assert (1, {"a": "delivered"}) == (log.number, ends(log))


CHANGES = [{"origin": "https://other.example/v1"}, {"template": "0b"}, {"account": "new"}]


@pytest.mark.parametrize("change", CHANGES, ids=["the origin", "the template", "a new one"])
@pytest.mark.parametrize("settings", [{"try_number": 2}, {"generation": 1}, {"resume": "always"}])
def test_a_change_under_a_half_done_delivery_is_refused(
    folder: Folder, change: dict[str, str], settings: dict[str, Any]
) -> None:
    """It says what changed, and how to send anew."""
    try_once(folder, outcome("a"), end=LEFT)
    with pytest.raises(CheckpointMismatchError, match=f'{next(iter(change))}.* changed .* resume="never"'):
        log_in(folder, fingerprint=FINGERPRINT | change, **settings)


@pytest.mark.parametrize("resume", ["auto", "never"])
def test_a_change_before_a_new_delivery_is_welcome(folder: Folder, resume: Resume) -> None:
    """What had ended is not continued."""
    try_once(folder, outcome("a"), end=DONE if resume == "auto" else LEFT)
    assert log_in(folder, fingerprint={"template": "0b"}, generation=1, resume=resume).number == 2


@pytest.mark.parametrize("operation", ["list", "read"])
def test_a_state_that_can_not_be_read_is_never_a_fresh_start(operation: str) -> None:
    """Everything would be paid for again."""
    store = Store()
    try_once(MemoryFolder(store), outcome("a"), end=LEFT)
    store.failing.add(operation)
    with pytest.raises(TransientError):
        log_in(MemoryFolder(store), try_number=2)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"null", b'{"fingerprint": 5, "scope": {}}', b'{"scope": {}}', b"\xff"]
)
def test_a_broken_claim_is_never_a_fresh_start(content: bytes) -> None:
    """Nor a crash of another kind."""
    store = Store()
    try_once(MemoryFolder(store), outcome("a"), end=LEFT)
    (claim,) = [path for path in store.files if "/delivery-" in path]
    store.files[claim] = content
    with pytest.raises(TransientError, match="can't read the state"):
        log_in(MemoryFolder(store), try_number=2)


def test_rows_that_can_not_be_read_are_never_no_rows() -> None:
    """The reading fails, and the next try reads them."""
    store = Store()
    try_once(MemoryFolder(store), outcome("a"), end=LEFT)
    log = log_in(MemoryFolder(store), try_number=2)
    store.failing.add("read")
    with pytest.raises(TransientError):
        ends(log)


def test_nothing_is_sent_without_a_claim() -> None:
    """A place that can't be written to is told before the first request."""
    with pytest.raises(SinkError):
        log_in(MemoryFolder(Store(failing={"write"})))


def test_what_arrived_is_told_from_what_was_refused(folder: Folder) -> None:
    """A refused webhook item is sent again by the next try."""
    log = log_in(folder)
    write(log, outcome("a"), outcome("b", R), kind="forwarded")
    following = log_in(folder, try_number=2)
    assert ({"a"}, ["a"]) == (following.keys("forwarded"), [one.record.key for one in following.delivered("forwarded")])


def test_the_pattern_names_all_files_of_a_kind(tmp_path: Path) -> None:
    """Of all tries of this delivery, and no other's."""
    for try_number in (1, 2):
        log = try_once(tmp_path, outcome("a"), try_number=try_number)
    write(log, outcome("a"), kind="quarantine")
    assert 2 == len(list(tmp_path.glob(Path(log.pattern("outcomes")).name)))
    assert log.pattern("outcomes").startswith(str(tmp_path))


def test_a_pattern_can_name_the_files_of_this_generation_or_try(tmp_path: Path) -> None:
    """Of what a clear, or each try, does again; signs that mean something in patterns stand for themselves."""
    folder = tmp_path / "a[b]*"
    for settings in ({}, {"try_number": 2}, {"try_number": 3, "generation": 12}, {"try_number": 4, "generation": 12}):
        log = try_once(folder, outcome("a"), **settings)
    found = {of: glob(log.pattern("outcomes", of=of)) for of in ("delivery", "generation", "try")}  # noqa: PTH207
    assert {"delivery": 4, "generation": 2, "try": 1} == {of: len(names) for of, names in found.items()}
    assert max(found["delivery"]) == found["try"][0]


def test_a_scope_has_a_short_name_of_its_own() -> None:
    """The same for every try, and another for every task instance."""
    scopes = [
        SCOPE,
        Scope(dag_id="d", run_id="manual__2026", task_id="t", map_index=0),
        Scope(dag_id="d", run_id="manual__2026t", task_id=""),
        Scope(dag_id="dm", run_id="anual__2026", task_id="t"),
    ]
    assert 4 == len({scope.id for scope in scopes})
    assert SCOPE.id == Scope(**SCOPE.as_row()).id


class CountingStore(Store):
    """A store that counts what is read of it."""

    reads = 0

    def check(self, operation: str) -> None:
        self.reads += operation == "read"
        super().check(operation)


def test_of_many_claims_the_last_are_read() -> None:
    """In object storage each is a file, and a million records have fifteen thousand."""
    store = CountingStore()
    claims = Claims(log_in(MemoryFolder(store)).rows("claims"), at_once=1)
    for position in range(3 * LAST_CLAIMS):
        claims.claim(record(str(position), position))
    log = log_in(MemoryFolder(store), try_number=2)
    store.reads = 0
    claimed = log.claimed()
    assert (3 * LAST_CLAIMS, LAST_CLAIMS, LAST_CLAIMS) == (claimed.to, len(claimed.keys), store.reads)
