"""Files in a folder, on disk or in object storage, and rows of JSON Lines in them."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import airflow_provider_openai_dest.sinks.folder as folder_module
from airflow_provider_openai_dest.exceptions import SinkError, TransientError
from airflow_provider_openai_dest.sinks.folder import (
    PIECE_BYTES,
    Folder,
    RowLog,
    list_names,
    put_file,
    put_new_file,
    read_rows,
)
from airflow_provider_openai_dest.sources.lines import split_lines
from tests.core.memory_folder import MemoryFolder, Store

MakeFolder = Callable[[], Folder]

# A character device that takes no byte, as a full disk does.
FULL = Path("/dev/full")
needs_full_disk = pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")


@pytest.fixture(params=["disk", "object storage"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Folder:
    """Give a folder of each kind, which is not there yet."""
    return tmp_path / "results" if request.param == "disk" else MemoryFolder()


def rows_in(folder: Folder, prefix: str = "") -> list[dict[str, Any]]:
    """Read all rows of a folder."""
    return list(read_rows(folder, list_names(folder, prefix)))


def content(folder: Folder, name: str) -> bytes:
    """Read a file."""
    with (folder / name).open("rb") as stream:
        read: bytes = stream.read()
    return read


def test_a_file_is_put_whole(folder: Folder) -> None:
    """The folder is made when it is needed, and the file replaced when it is there."""
    for text in (b"first", b"second"):
        assert str(folder / "a.json") == str(put_file(folder, "a.json", text))
    assert (["a.json"], b"second") == (list_names(folder, ""), content(folder, "a.json"))


def test_a_new_file_leaves_an_old_one_as_it_is(folder: Folder) -> None:
    """It was paid for; the new one has a digest in its name."""
    put_new_file(folder, "a-0", "png", b"first")
    second = put_new_file(folder, "a-0", "png", b"second")
    assert (b"first", b"second") == (content(folder, "a-0.png"), content(folder, second.name))
    assert second.name.startswith("a-0-")


def test_a_row_is_durable_after_the_flush(folder: Folder) -> None:
    """And not before."""
    log = RowLog(folder, "outcomes-1")
    log.append([{"key": "a"}, {"key": "b"}])
    before = rows_in(folder)
    log.flush()
    assert ([], [{"key": "a"}, {"key": "b"}], 2) == (before, rows_in(folder), log.count)


def test_flushes_follow_each_other(folder: Folder) -> None:
    """The rows stay in their order, and nothing is overwritten."""
    log = RowLog(folder, "outcomes-1")
    for number in range(20):
        log.append([{"key": number}])
        log.flush()
    log.close()
    assert [{"key": number} for number in range(20)] == rows_in(folder)


def test_closing_flushes(folder: Folder) -> None:
    """And a second time does nothing."""
    log = RowLog(folder, "outcomes-1")
    log.append([{"key": "a"}])
    log.close()
    log.close()
    assert [{"key": "a"}] == rows_in(folder)


def test_no_rows_are_no_file(folder: Folder) -> None:
    """An empty run leaves nothing behind."""
    log = RowLog(folder, "outcomes-1")
    log.flush()
    log.close()
    assert [] == list_names(folder, "")


def test_each_flush_is_a_segment_in_object_storage() -> None:
    """Objects can't grow."""
    folder = MemoryFolder()
    log = RowLog(folder, "outcomes-1")
    for _ in range(2):
        log.append([{"key": "a"}])
        log.flush()
    assert ["outcomes-1-000000.jsonl", "outcomes-1-000001.jsonl"] == list_names(folder, "outcomes-")


def test_rows_on_disk_are_for_their_owner_only(tmp_path: Path) -> None:
    """They hold records and answers."""
    log = RowLog(tmp_path, "outcomes-1")
    log.append([{"key": "a"}])
    log.flush()
    assert 0o600 == (tmp_path / "outcomes-1.jsonl").stat().st_mode & 0o777


CHECKSUM = len(',"crc32":"00000000"\n')


def test_many_rows_go_to_disk_in_pieces(tmp_path: Path) -> None:
    """However much one flush brings, no more than a piece of it is held; what is flushed is whole."""
    rows = [{"key": str(number), "answer": "x" * PIECE_BYTES} for number in range(3)]
    log = RowLog(tmp_path, "outcomes-1")
    log.append([*rows, {"key": "last"}])
    before = (tmp_path / "outcomes-1.jsonl").stat().st_size, log.count
    log.close()
    assert (sum(len(msgspec.json.encode(row)) + CHECKSUM for row in rows), 0) == before
    assert ([*rows, {"key": "last"}], 4) == (rows_in(tmp_path), log.count)


def test_many_rows_go_to_object_storage_in_one_piece() -> None:
    """A segment is whole or not there."""
    folder = MemoryFolder()
    log = RowLog(folder, "outcomes-1")
    log.append({"answer": "x" * PIECE_BYTES} for _ in range(3))
    before = folder.store.puts
    log.flush()
    assert (0, 1) == (before, folder.store.puts)


@needs_full_disk
def test_a_disk_that_is_full_in_the_midst_of_many_rows_is_told(tmp_path: Path) -> None:
    """None of them counts as written, and closing has nothing more to write."""
    (tmp_path / "outcomes-1.jsonl").symlink_to(FULL)
    log = RowLog(tmp_path, "outcomes-1")
    with pytest.raises(SinkError, match="No space left"):
        log.append({"answer": "x" * PIECE_BYTES} for _ in range(3))
    log.close()
    assert log.count == 0


@needs_full_disk
def test_a_full_disk_is_told_and_not_tried_again(tmp_path: Path) -> None:
    """The rows do not count as written, and closing has nothing more to write."""
    (tmp_path / "outcomes-1.jsonl").symlink_to(FULL)
    log = RowLog(tmp_path, "outcomes-1")
    log.append([{"key": "a"}])
    with pytest.raises(SinkError, match="No space left"):
        log.flush()
    log.close()
    assert log.count == 0


def test_a_file_that_can_not_be_put_leaves_no_part(tmp_path: Path) -> None:
    """Neither half a file, nor a part beside it."""
    (tmp_path / "a.json").mkdir()
    (tmp_path / "a.json" / "inside").touch()
    with pytest.raises(SinkError, match=r"a\.json"):
        put_file(tmp_path, "a.json", b"x")
    assert ["a.json"] == [path.name for path in tmp_path.iterdir()]


@pytest.mark.parametrize("error", [PermissionError("denied"), RuntimeError("a client's own error")])
def test_whatever_object_storage_raises_is_a_sink_error(error: Exception) -> None:
    """Its clients raise what they like."""
    folder = MemoryFolder(Store(fails=error, failing={"write"}))
    log = RowLog(folder, "outcomes-1")
    log.append([{"key": "a"}])
    for act in (log.flush, lambda: put_file(folder, "a", b"x"), lambda: put_new_file(folder, "a", "x", b"x")):
        with pytest.raises(SinkError, match=type(error).__name__):
            act()
    assert log.count == 0


def test_a_folder_that_is_not_there_is_empty(folder: Folder) -> None:
    """Nothing was written yet."""
    assert [] == rows_in(folder)


@pytest.mark.parametrize("error", [PermissionError("denied"), RuntimeError("a client's own error")])
def test_a_folder_that_can_not_be_listed_is_never_an_empty_one(error: Exception) -> None:
    """That would mean to send everything again."""
    with pytest.raises(TransientError, match="can't list"):
        list_names(MemoryFolder(Store(fails=error, failing={"list"})), "")


@pytest.mark.parametrize("error", [PermissionError("denied"), RuntimeError("a client's own error")])
def test_a_file_that_can_not_be_read_is_never_an_empty_one(error: Exception) -> None:
    """The state that could not be read is an error."""
    folder = MemoryFolder(Store(files={"mem://results/a": b'{"key": "a"}\n'}, fails=error, failing={"read"}))
    with pytest.raises(TransientError, match="can't read"):
        rows_in(folder)


def test_a_file_that_is_gone_is_an_error() -> None:
    """It was there when the folder was listed."""
    with pytest.raises(TransientError, match="can't read"):
        list(read_rows(MemoryFolder(), ["gone.jsonl"]))


def test_broken_rows_are_passed_over_and_told(caplog: pytest.LogCaptureFixture) -> None:
    """One line a file says how many."""
    lines = [b'{"key": "a"}', b"[1]", b"\xff", b"", b'{"key": "b"}', b'{"key": "c']
    folder = MemoryFolder(Store(files={"mem://results/a.jsonl": b"\n".join(lines)}))
    assert [{"key": "a"}, {"key": "b"}] == rows_in(folder)
    assert ["mem://results/a.jsonl has 4 broken rows: their records count as not settled"] == caplog.messages


ROWS = [{"key": f"k{number}", "answer": {"text": 'grüß \n "x" 👩‍🚀', "n": number}} for number in range(5)]
FILE = b"".join(msgspec.json.encode(row) + b"\n" for row in ROWS)
PACKED = gzip.compress(FILE, mtime=0)
ENDS = [place + 1 for place, byte in enumerate(FILE) if byte == 0x0A]


def read_damaged(damaged: bytes) -> list[dict[str, Any]]:
    """Read a file that was damaged."""
    return rows_in(MemoryFolder(Store(files={"mem://results/a.jsonl": damaged})))


def hit(place: int) -> int:
    """Give the number of the row that a byte belongs to, its newline included."""
    return sum(end <= place for end in ENDS)


@settings(max_examples=300)
@given(st.integers(0, len(FILE)), st.binary(max_size=5))
def test_a_file_that_was_cut_off_keeps_the_rows_before(place: int, rest: bytes) -> None:
    """At any byte, and whatever a crash has left there: the reader never raises."""
    assert ROWS[: hit(place)] == read_damaged(FILE[:place] + rest)[: hit(place)]


@given(st.dictionaries(st.text(min_size=1), st.text() | st.integers(), min_size=1), st.integers(0), st.integers(0, 7))
def test_a_flipped_bit_of_a_row_that_was_written_is_seen(row: dict[str, Any], place: int, bit: int) -> None:
    """It is read as it was, or not at all, also where it is good JSON still."""
    folder = MemoryFolder()
    log = RowLog(folder, "outcomes-1")
    log.append([row])
    log.flush()
    (name,) = folder.store.files
    content = bytearray(folder.store.files[name])
    content[place % len(content)] ^= 1 << bit
    folder.store.files[name] = bytes(content)
    found = [{key: value for key, value in one.items() if key in row} for one in rows_in(folder)]
    assert found in ([], [row])


@settings(max_examples=300)
@given(st.integers(0, len(FILE) - 1), st.integers(0, 7))
def test_a_flipped_bit_costs_one_row(place: int, bit: int) -> None:
    """The one that it is in, also when it is the end of a line that is gone; all others are read."""
    damaged = bytearray(FILE)
    damaged[place] ^= 1 << bit
    read, row = read_damaged(bytes(damaged)), hit(place)
    assert [one for one in read if one in ROWS and one != ROWS[row]] == ROWS[:row] + ROWS[row + 1 :]
    assert len(read) <= len(ROWS)


@settings(max_examples=300)
@given(st.lists(st.tuples(st.integers(0, len(FILE) - 1), st.binary(min_size=1, max_size=40)), max_size=3))
def test_overwritten_bytes_cost_the_rows_that_they_hit(damages: list[tuple[int, bytes]]) -> None:
    """Zeros, newlines, halves of characters: what nobody wrote over is read, but for a row whose line has no start."""
    damaged, lost = bytearray(FILE), set()
    for place, bytes_over in damages:
        content = bytes_over[: len(FILE) - place]
        damaged[place : place + len(content)] = content
        lost |= {
            hit(place - 1) if place else 0,
            *(hit(at) for at in range(place, place + len(content))),
            hit(place) + 1,
        }
    read = read_damaged(bytes(damaged))
    assert all(row in read for number, row in enumerate(ROWS) if number not in lost)


def test_broken_rows_and_their_file_are_told(caplog: pytest.LogCaptureFixture) -> None:
    """Zeros of a crash, a line without its end, another shape: each is counted."""
    damaged = FILE.replace(b"\n", b"~", 1) + b"\0" * 4096 + b"\n[1]\n\xff\n"
    assert ROWS[1:] == read_damaged(damaged)
    assert "mem://results/a.jsonl has 4 broken rows: their records count as not settled" in caplog.text


def test_what_stands_within_a_broken_row_is_no_row() -> None:
    """A record may look like a row, and be cut off at its own end."""
    row = {"key": "a", "record": [{"key": "b", "status": "delivered"}, {"key": "c"}]}
    content = msgspec.json.encode(row)
    for place in range(len(content)):
        assert [] == read_damaged(content[:place])


def test_a_line_that_no_memory_can_hold_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rows after it are read."""
    lines = split_lines
    monkeypatch.setattr(folder_module, "split_lines", lambda blocks: lines(blocks, 200))
    assert ROWS == read_damaged(b"x" * 5_000_000 + b"\n" + FILE)


@settings(max_examples=300)
@given(st.integers(0, len(PACKED) - 1), st.integers(1, 255), st.booleans())
def test_damage_in_a_packed_file_keeps_what_stands_before(place: int, flip: int, cut: bool) -> None:  # noqa: FBT001
    """Cut off, or with a byte changed: the reader never raises, and gives whole rows alone."""
    damaged = bytearray(PACKED[:place] if cut else PACKED)
    if not cut:
        damaged[place] ^= flip
    files = {"mem://results/a.jsonl.gz": bytes(damaged)}
    read = rows_in(MemoryFolder(Store(files=files)))
    assert all(isinstance(row, dict) for row in read)
    assert not cut or read == ROWS[: len(read)]


def test_a_packed_file_is_read() -> None:
    """As the plain one is."""
    assert ROWS == rows_in(MemoryFolder(Store(files={"mem://results/a.jsonl.gz": PACKED})))


@settings(max_examples=300)
@given(st.binary(max_size=200))
def test_no_file_breaks_the_reader(damaged: bytes) -> None:
    """It may be another file altogether."""
    assert all(isinstance(row, dict) for row in read_damaged(damaged))
