"""The rows of a settled delivery as a set of files in which each record stands once."""

from __future__ import annotations

import gzip
import json
import tracemalloc
from base64 import b64encode
from pathlib import Path
from struct import pack
from typing import Any

import pytest

from airflow_provider_openai_dest.checkpoint import marks, tidy_results
from airflow_provider_openai_dest.checkpoint.delivery_log import DeliveryLog
from airflow_provider_openai_dest.checkpoint.scope import Scope
from airflow_provider_openai_dest.checkpoint.tidy_results import TidyForm, TidyResults
from airflow_provider_openai_dest.delivery.outcome import Outcome, Status
from airflow_provider_openai_dest.exceptions import ConfigurationError, SinkError, TransientError
from airflow_provider_openai_dest.sinks import parquet, parts
from airflow_provider_openai_dest.sinks.folder import Folder
from airflow_provider_openai_dest.sinks.results import ResultsSink
from airflow_provider_openai_dest.sinks.sorted_rows import in_order
from airflow_provider_openai_dest.sources.record import Record
from tests.core.delivery_parts import outcome, record
from tests.core.memory_folder import MemoryFolder, Store

SCOPE = Scope(dag_id="d", run_id="r", task_id="t")
GZ = TidyForm(format="jsonl.gz", order="input")
PARQUET = TidyForm(format="parquet", order="input", vector_field="embedding")
MANIFEST = {"delivered": 3}
THREE = ["manifest.json", *(f"part-{number:05d}.jsonl.gz" for number in range(3))]
D, R = Status.DELIVERED, Status.REJECTED


@pytest.fixture(params=["disk", "object storage"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Folder:
    """Give a results folder of each kind."""
    return tmp_path if request.param == "disk" else MemoryFolder()


def log_in(folder: Folder, **settings: Any) -> DeliveryLog:
    return DeliveryLog(folder, SCOPE, **settings)


def write(folder: Folder, *outcomes: Outcome, **settings: Any) -> None:
    """Write the rows of a try."""
    sink = ResultsSink(log_in(folder, **settings).rows("outcomes"))
    sink.write(outcomes)
    sink.close()


def put(folder: Folder, *records: Record, form: TidyForm = GZ, **settings: Any) -> str:
    """Put the set of a source with these records."""
    tidy = TidyResults(log_in(folder, **settings), "outcomes", form)
    for one in records:
        tidy.keys.see(one)
    return tidy.put(MANIFEST)


def files_of(folder: Folder, pattern: str) -> dict[str, bytes]:
    """Read what a pattern names, and the manifest beside it."""
    place, _, name = pattern.rpartition("/")
    if isinstance(folder, Path):
        files = {file.name: file.read_bytes() for file in Path(place).iterdir() if not file.name.startswith(".")}
    else:
        store = folder.store  # type: ignore[attr-defined]
        files = {key.rpartition("/")[2]: value for key, value in store.files.items() if key.startswith(f"{place}/")}
    assert all(file == "manifest.json" or file.endswith(name.removeprefix("part-*")) for file in files)
    return files


def rows_of(folder: Folder, pattern: str) -> list[dict[str, Any]]:
    """Read the rows of a set."""
    contents = [content for name, content in sorted(files_of(folder, pattern).items()) if name != "manifest.json"]
    plain = (gzip.decompress(content) if pattern.endswith(".gz") else content for content in contents)
    return [json.loads(line) for content in plain for line in content.splitlines()]


A, B, C = (record(key, place) for place, key in enumerate("abc"))


def test_each_record_stands_once_in_the_order_of_the_input(folder: Folder) -> None:
    """What was rejected and then delivered is delivered; what was changed is what it is now."""
    changed = record("c", 2, {"q": "new"})
    write(folder, outcome("b", R, record=B), outcome("c", record=C), outcome("a", record=A))
    write(folder, outcome("c", answer=1, record=changed), outcome("b", record=B), generation=1)
    rows = rows_of(folder, put(folder, A, B, changed, generation=1))
    assert [("a", 0), ("b", 1), ("c", 2)] == [(row["key"], row["position"]) for row in rows]
    assert {"delivered"} == {row["status"] for row in rows}
    assert ({"q": "new"}, 1) == (rows[2]["record"], rows[2]["answer"])


def test_the_order_of_completion_is_kept(folder: Folder) -> None:
    """When no other one is asked for."""
    write(folder, outcome("c", record=C), outcome("a", record=A))
    write(folder, outcome("b", record=B), try_number=2)
    pattern = put(folder, A, B, C, form=TidyForm(format="jsonl.gz"), try_number=2)
    assert list("cab") == [row["key"] for row in rows_of(folder, pattern)]


def test_plain_lines_can_be_sorted(folder: Folder) -> None:
    """As they are, but for their order."""
    write(folder, outcome("b", record=B), outcome("a", record=A))
    pattern = put(folder, A, B, form=TidyForm(order="input"))
    assert pattern.endswith("/part-*.jsonl")
    assert list("ab") == [row["key"] for row in rows_of(folder, pattern)]


def test_a_delivered_row_stands_against_a_later_rejection_of_the_same_data(folder: Folder) -> None:
    """It was paid for, and is an answer to this record."""
    write(folder, outcome("a", record=A))
    write(folder, outcome("a", R, record=A), try_number=2)
    assert ["delivered"] == [row["status"] for row in rows_of(folder, put(folder, A, try_number=2))]


def test_a_record_that_has_gone_is_left_out(folder: Folder) -> None:
    """The set is that of the source, and its positions are those of now."""
    write(folder, *(outcome(one.key, record=one) for one in (A, B, C)))
    assert [("c", 0), ("a", 1)] == [(row["key"], row["position"]) for row in rows_of(folder, put(folder, C, A))]


def test_the_manifest_names_the_files(folder: Folder) -> None:
    """With what they are, beside that of the delivery."""
    write(folder, outcome("a", record=A))
    pattern = put(folder, A)
    files = files_of(folder, pattern)
    manifest = json.loads(files["manifest.json"])
    part = {"name": "part-00000.jsonl.gz", "rows": 1, "bytes": len(files["part-00000.jsonl.gz"])}
    assert MANIFEST | {"results": pattern, "format": "jsonl.gz", "order": "input", "parts": [part]} == manifest


def test_a_part_has_a_bound(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of rows and of bytes; the parts follow each other in order."""
    records = [record(f"k{number}", number) for number in range(25)]
    write(folder, *(outcome(one.key, record=one) for one in reversed(records)))
    monkeypatch.setattr(tidy_results, "put_parts", lambda *given: parts.put_parts(*given, part_rows=10))
    pattern = put(folder, *records)
    assert THREE == sorted(files_of(folder, pattern))
    assert [one.key for one in records] == [row["key"] for row in rows_of(folder, pattern)]
    monkeypatch.setattr(tidy_results, "put_parts", lambda *given: parts.put_parts(*given, part_bytes=1))
    assert 26 == len(files_of(folder, put(folder, *records, form=TidyForm(order="input"))))


def test_the_same_set_is_not_written_again(folder: Folder) -> None:
    """A retry of what was finished finds it; other rows, keys or forms make another set."""
    write(folder, outcome("a", record=A))
    first = put(folder, A)
    before = files_of(folder, first)
    assert (first, before) == (put(folder, A, try_number=2), files_of(folder, first))
    write(folder, outcome("b", record=B), try_number=2)
    others = {put(folder, A, B), put(folder, B, A), put(folder, B), put(folder, B, form=TidyForm(order="input"))}
    assert (4, before) == (len(others - {first}), files_of(folder, first))


@pytest.mark.parametrize("left", [0, 1, 2, 3])
def test_a_try_that_was_cut_off_while_it_wrote_is_done_again(left: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same files under the same names, and the manifest last: where it is, all of them are."""
    records = [record(f"k{number}", number) for number in range(25)]
    store = _FailingStore(room=None)
    folder = MemoryFolder(store)
    write(folder, *(outcome(one.key, record=one) for one in reversed(records)))
    monkeypatch.setattr(tidy_results, "put_parts", lambda *given: parts.put_parts(*given, part_rows=10))
    store.room = left
    with pytest.raises(SinkError, match="no space left"):
        put(folder, *records)
    assert not [name for name in store.files if name.endswith("/manifest.json")]
    store.room = None
    pattern = put(folder, *records, try_number=2)
    assert THREE == sorted(files_of(folder, pattern))
    assert [one.key for one in records] == [row["key"] for row in rows_of(folder, pattern)]


class _FailingStore(Store):
    """A store that takes so many files, and no more."""

    def __init__(self, room: int | None) -> None:
        super().__init__()
        self.room = room

    def check(self, operation: str) -> None:
        if operation == "write" and self.room is not None:
            if not self.room:
                raise OSError("no space left on device")
            self.room -= 1


def test_a_disk_that_can_not_be_written_leaves_no_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither half a file, nor one beside it."""
    write(tmp_path, outcome("a", record=A))

    def fail(*_: Any) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(parts.shutil, "copyfileobj", fail)
    with pytest.raises(SinkError, match="no space left"):
        put(tmp_path, A)
    (made,) = tmp_path.glob("results-*")
    assert [] == [*made.iterdir()]


def test_the_files_are_for_their_owner_only(tmp_path: Path) -> None:
    """They hold records and answers."""
    write(tmp_path, outcome("a", record=A))
    put(tmp_path, A)
    assert {0o600} == {file.stat().st_mode & 0o777 for file in tmp_path.glob("results-*/*")}


def test_a_row_that_is_gone_is_told(folder: Folder) -> None:
    """It was there when it was counted: the next try sends its record again."""
    write(folder, outcome("a", record=A))
    with pytest.raises(TransientError, match="1 of 2 rows can't be found"):
        put(folder, A, B)


def test_a_row_that_is_gone_although_it_has_a_mark_is_sent_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next try looks at the rows themselves: what was damaged is not settled, the others are."""
    monkeypatch.setattr(marks, "LEAST_RECORDS", 1)
    rows, marked = log_in(tmp_path).marked_rows("outcomes")
    sink = ResultsSink(rows, marks=marked)
    sink.write([outcome("a", record=A), outcome("b", record=B)])
    sink.flush()
    sink.close()
    (file,) = tmp_path.glob("outcomes-*.jsonl")
    file.write_bytes(b"x" + file.read_bytes()[1:])
    with pytest.raises(TransientError, match="1 of 2 rows"):
        put(tmp_path, A, B, try_number=2)
    left = [one.record.key for one in log_in(tmp_path, try_number=3).settled() if isinstance(one, Outcome)]
    assert ["b"] == left


def peak_of(tidy: TidyResults, answer: Any, number: int) -> int:
    """Put so many rows with this answer; gives the bytes of Python's memory that it took."""
    sink = ResultsSink(tidy._log.rows("outcomes"), keep_records=False)
    keys = [f"k{place}" for place in range(number)]
    sink.write([outcome(key, answer=answer) for key in reversed(keys)])
    sink.close()
    for place, key in enumerate(keys):
        tidy.keys.see(record(key, place))
    tracemalloc.start()
    pattern = tidy.put(MANIFEST)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    (part,) = json.loads((Path(pattern).parent / "manifest.json").read_text())["parts"]
    assert part["rows"] == number
    return peak


def test_memory_stays_flat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 20,000 rows, 16 MB, no more than a run of the sorting is held."""
    monkeypatch.setattr(tidy_results, "in_order", lambda rows: in_order(rows, run_bytes=1024 * 1024))
    assert peak_of(TidyResults(log_in(tmp_path), "outcomes", GZ), {"text": "x" * 600}, 20_000) < 6_000_000


# -- Parquet -----------------------------------------------------------------------------------------


def vector(*numbers: float) -> str:
    return b64encode(pack(f"<{len(numbers)}f", *numbers)).decode()


def embedded(one: Record, *numbers: float, **fields: Any) -> Outcome:
    return outcome(one.key, record=one, answer={"model": "m", "embedding": vector(*numbers)} | fields)


def table_of(folder: Folder, pattern: str) -> Any:
    """Read a set of Parquet files."""
    pq = pytest.importorskip("pyarrow.parquet")
    import pyarrow as pa

    contents = [content for name, content in sorted(files_of(folder, pattern).items()) if name != "manifest.json"]
    return pa.concat_tables([pq.read_table(pa.BufferReader(content)) for content in contents])


needs_pyarrow = pytest.mark.skipif(not parquet.find_spec("pyarrow"), reason="the extra parquet is not installed")


@needs_pyarrow
def test_vectors_are_lists_of_one_length(folder: Folder) -> None:
    """Exactly as they came; a rejected record has none."""
    write(folder, embedded(C, 0.1, -2.5), outcome("b", R, record=B, request_id="req_1"), embedded(A, 1.0, 2.0))
    table = table_of(folder, put(folder, A, B, C, form=PARQUET))
    assert "fixed_size_list<element: float>[2]" == str(table.schema.field("embedding").type)
    assert "answer" not in table.column_names
    first, second, third = table.to_pylist()
    assert ("a", 0, "delivered", "m", [1.0, 2.0]) == tuple(
        first[name] for name in ("key", "position", "status", "model", "embedding")
    )
    assert (None, "req_1", "bad", 400) == (
        second["embedding"], second["request_id"], second["error"]["code"], second["error"]["status"]
    )  # fmt: skip
    assert pack("<2f", 0.1, -2.5) == pack("<2f", *third["embedding"])


@needs_pyarrow
def test_vectors_of_several_lengths_are_lists(folder: Folder) -> None:
    """Records may ask for dimensions of their own."""
    write(folder, embedded(A, 1.0, 2.0), embedded(B, 3.0), outcome("c", R, record=C))
    table = table_of(folder, put(folder, A, B, C, form=PARQUET))
    assert [[1.0, 2.0], [3.0], None] == table.column("embedding").to_pylist()


@needs_pyarrow
def test_what_is_no_vector_is_json(folder: Folder) -> None:
    """A list with one that can't be read, a field beside a vector, such a vector, and what other endpoints answer."""
    several = [{"embedding": vector(1.0)}, {"embedding": "?"}]
    answers: list[Any] = [{"model": "m", "data": several}, {"embedding": vector(1.0), "x": 1}, {"embedding": "?"}]
    ends = zip((A, B, C), answers, strict=True)
    write(folder, *(outcome(one.key, record=one, answer=answer) for one, answer in ends))
    table = table_of(folder, put(folder, A, B, C, form=PARQUET))
    rest = [{"data": several}, {"x": 1}, {"embedding": "?"}]
    assert rest == [json.loads(text) for text in table.column("answer").to_pylist()]
    assert [None, [1.0], None] == table.column("embedding").to_pylist()
    other = table_of(folder, put(folder, A, B, C, form=TidyForm(format="parquet")))
    assert "embedding" not in other.column_names


@needs_pyarrow
def test_numbers_that_no_column_holds_are_bounded(folder: Folder) -> None:
    """A row may have been damaged."""
    write(folder, outcome("a", R, record=A, attempts=2**70, http_status=-(2**40)))
    (row,) = table_of(folder, put(folder, A, form=PARQUET)).to_pylist()
    assert (2**31 - 1, -(2**31) + 1) == (row["attempts"], row["http_status"])


@needs_pyarrow
def test_the_parts_of_parquet_have_the_same_columns(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where a part has no vector; row groups are of bounded size."""
    monkeypatch.setattr(parquet, "GROUP_BYTES", 300)
    monkeypatch.setattr(tidy_results, "put_parts", lambda *given: parts.put_parts(*given, part_rows=3))
    records = [record(f"k{number}", number) for number in range(7)]
    ends = [embedded(one, 1.0) if one.position < 6 else outcome(one.key, R, record=one) for one in records]
    write(folder, *ends)
    pattern = put(folder, *records, form=PARQUET)
    assert 4 == len(files_of(folder, pattern))
    assert [*[[1.0]] * 6, None] == table_of(folder, pattern).column("embedding").to_pylist()


@needs_pyarrow
def test_memory_stays_flat_with_parquet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No more than a row group is held."""
    import pyarrow.parquet  # noqa: F401 - importing it is not what is measured

    monkeypatch.setattr(parquet, "GROUP_BYTES", 128 * 1024)
    form = TidyForm(format="parquet", vector_field="embedding")
    answer = {"model": "m", "embedding": vector(*[0.5] * 100)}
    assert peak_of(TidyResults(log_in(tmp_path), "outcomes", form), answer, 4000) < 2_500_000


def test_without_pyarrow_it_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is paid for."""
    monkeypatch.setattr(parquet, "find_spec", lambda _: None)
    with pytest.raises(ConfigurationError, match="`parquet`: pip install pyarrow"):
        parquet.require_pyarrow()


@needs_pyarrow
def test_each_vector_of_a_record_has_a_row(folder: Folder) -> None:
    """With its place in the record's list and in its text; usage, cost and data stand once, so that sums hold."""
    chunks = [{"embedding": vector(1.0), "start": 0, "end": 9}, {"embedding": vector(2.0), "start": 8, "end": 12}]
    long = outcome("b", record=B, answer={"model": "m", "data": chunks}, usage={"total_tokens": 7}, cost=0.5)
    write(folder, embedded(A, 0.5), long, outcome("c", R, record=C))
    pattern = put(folder, A, B, C, form=PARQUET)
    rows = table_of(folder, pattern).to_pylist()
    names = ("key", "position", "model", "item", "start", "end", "embedding", "usage", "cost", "record")
    assert [
        ("a", 0, "m", None, None, None, [0.5], None, None, '{"q":"a"}'),
        ("b", 1, "m", 0, 0, 9, [1.0], '{"total_tokens":7}', 0.5, '{"q":"b"}'),
        ("b", 1, "m", 1, 8, 12, [2.0], None, None, None),
        ("c", 2, None, None, None, None, None, None, None, '{"q":"c"}'),
    ] == [tuple(row[name] for name in names) for row in rows]
    assert 4 == json.loads(files_of(folder, pattern)["manifest.json"])["parts"][0]["rows"]
    assert "answer" not in rows[0]


@needs_pyarrow
def test_the_columns_of_chunks_are_there_when_there_are_some(folder: Folder) -> None:
    """An average says of how many chunks it is; a data set without chunks has no such column."""
    write(folder, embedded(A, 0.5, chunks=3), embedded(B, 1.0))
    table = table_of(folder, put(folder, A, B, form=PARQUET))
    assert [3, None] == table.column("chunks").to_pylist()
    assert not {"item", "input", "start", "end", "answer"} & {*table.column_names}


@needs_pyarrow
def test_several_lengths_are_told(folder: Folder, caplog: pytest.LogCaptureFixture) -> None:
    """No index takes such vectors; they are kept, since records may have asked for them."""
    write(folder, embedded(A, 1.0, 2.0), embedded(B, 3.0))
    put(folder, A, B, form=PARQUET)
    assert ["The vectors have several lengths: that of 'b' has 1 numbers"] == caplog.messages


# -- numbers in JSON Lines ---------------------------------------------------------------------------


def test_vectors_can_stand_as_numbers(folder: Folder) -> None:
    """Exactly those of the bytes, also within a list; what can't be read stays what it is."""
    chunks = [{"embedding": vector(0.1), "start": 0, "end": 9}, {"embedding": vector(-2.5)}]
    ends = [
        embedded(A, 0.1, -1e-30),
        outcome("b", record=B, answer={"model": "m", "data": chunks}),
        outcome("c", record=C, answer={"model": "m", "embedding": "?"}),
    ]
    write(folder, *ends)
    plain = TidyForm(vector_field="embedding", has_plain_vectors=True)
    pattern = put(folder, A, B, C, form=plain)
    first, second, third = (row["answer"] for row in rows_of(folder, pattern))
    assert pack("<2f", 0.1, -1e-30) == pack("<2f", *first["embedding"])
    assert [{"embedding": [0.100000001], "start": 0, "end": 9}, {"embedding": [-2.5]}] == second["data"]
    assert {"model": "m", "embedding": "?"} == third
    assert {pattern} & {put(folder, A, B, C, form=TidyForm(vector_field="embedding", order="input"))} == set()


@needs_pyarrow
def test_parquet_has_numbers_anyway(folder: Folder) -> None:
    """The same files, however the vectors of JSON Lines are to stand."""
    write(folder, embedded(A, 0.5))
    plain = TidyForm(format="parquet", order="input", vector_field="embedding", has_plain_vectors=True)
    assert put(folder, A, form=PARQUET) == put(folder, A, form=plain)
