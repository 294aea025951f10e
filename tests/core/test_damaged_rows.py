"""Whatever has become of the rows, no reader of them raises, and none counts what is not there."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_openai_dest.checkpoint.delivery_log import DeliveryLog
from airflow_provider_openai_dest.checkpoint.replay import PastDelivery
from airflow_provider_openai_dest.checkpoint.scope import Scope
from airflow_provider_openai_dest.delivery.outcome import Outcome, Status
from airflow_provider_openai_dest.exceptions import RecordError
from airflow_provider_openai_dest.manifest import Tally
from airflow_provider_openai_dest.sinks.results import QuarantineSink, ResultsSink
from airflow_provider_openai_dest.sinks.webhook_items import OutcomeRows, from_row
from airflow_provider_openai_dest.sources.files import FilesSource
from airflow_provider_openai_dest.sources.quarantine import QuarantineSource
from tests.core.delivery_parts import outcome
from tests.core.memory_folder import MemoryFolder, Store

SCOPE = Scope(dag_id="d", run_id="r", task_id="t")
KEYS = "abcdef"


def written() -> dict[str, bytes]:
    """Give the files of a delivery that delivered some records and rejected others."""
    folder = MemoryFolder()
    log = DeliveryLog(folder, SCOPE, fingerprint={"endpoint": "POST /x"})
    ends = [outcome(key, Status.REJECTED if key in "be" else Status.DELIVERED, usage={"n": 1}) for key in KEYS]
    for sink in (QuarantineSink(log.rows("quarantine")), ResultsSink(log.rows("outcomes"))):
        sink.write(ends)
        sink.close()
    return folder.store.files


FILES = written()
ROWS = [name for name in FILES if name.endswith(".jsonl")]
(OUTCOMES,) = (name for name in ROWS if "outcomes-" in name)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
FIELDS = sorted(msgspec.json.decode(FILES[OUTCOMES].splitlines()[0]))


def read_all(files: dict[str, bytes]) -> list[Outcome]:
    """Read the rows in every way that there is, and give the outcomes that hold."""
    folder = MemoryFolder(Store(files=dict(files)))
    read, tally = list(DeliveryLog(folder, SCOPE, fingerprint={"endpoint": "POST /x"}).outcomes()), Tally(10_000)
    for one in read:
        tally.add(one)
    msgspec.json.encode(tally.manifest("x").as_dict())
    delivered = {one.record.key for one in read if one.status is Status.DELIVERED}
    assert delivered == PastDelivery(folder, f"{SCOPE.id}-d1").delivered({one.record.key for one in read})
    names = [folder / name.rpartition("/")[2] for name in sorted(files)]
    quarantine = [name for name in names if name.name.startswith("quarantine-")]
    keys = [record.key for record in QuarantineSource(quarantine)]
    assert len(keys) == len(set(keys))
    for record in OutcomeRows(FilesSource([name for name in names if name.name.startswith("outcomes-")])):
        try:
            from_row(record)
        except RecordError:
            continue
    return read


def test_whole_rows_are_all_read() -> None:
    """They are what the damage is done to."""
    assert set(KEYS) == {one.record.key for one in read_all(FILES)}


@settings(max_examples=300)
@given(st.sampled_from(ROWS), st.data())
def test_changed_bytes_break_no_reader(name: str, data: st.DataObject) -> None:
    """A byte of another value, bytes that are gone, bytes that came between."""
    content = FILES[name]
    place = data.draw(st.integers(0, len(content)))
    gone = data.draw(st.integers(0, 3))
    damaged = content[:place] + data.draw(st.binary(max_size=8)) + content[place + gone :]
    read = {one.record.key for one in read_all(FILES | {name: damaged})}
    assert len(set(KEYS) - read) <= 2


@settings(max_examples=300)
@given(st.sampled_from(ROWS), st.integers(0, 1), st.sampled_from(FIELDS), JSON)
def test_rows_of_another_shape_break_no_reader(name: str, number: int, field: str, value: Any) -> None:
    """A field of a row holds anything: the other rows are read."""
    rows = [msgspec.json.decode(line) for line in FILES[name].splitlines()]
    rows[number][field] = value
    damaged = b"".join(msgspec.json.encode(row) + b"\n" for row in rows)
    read = {one.record.key for one in read_all(FILES | {name: damaged})}
    assert len(set(KEYS) - read) <= 1


@settings(max_examples=300)
@given(JSON)
def test_a_row_that_is_something_else_breaks_no_reader(value: Any) -> None:
    """The file may hold any JSON."""
    content = FILES[OUTCOMES] + msgspec.json.encode(value) + b"\n"
    assert set(KEYS) <= {one.record.key for one in read_all(FILES | {OUTCOMES: content})}
