"""Tests of files: formats, gzip, and what happens when one can't be read."""

from __future__ import annotations

import errno
import gzip
import os
import random
import tracemalloc
import zlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_openai_dest.exceptions import ConfigurationError, RecordError, TransientError
from airflow_provider_openai_dest.sources.files import READERS, FilesSource
from airflow_provider_openai_dest.sources.readable_file import ReadableFile, location, read_blocks
from airflow_provider_openai_dest.sources.record import Record
from tests.core.memory_file import MemoryFile, gzipped

CONTENT = {
    "csv": b"a\n1\n2\n",
    "json": b'[{"a": "1"}, {"a": "2"}]',
    "jsonl": b'{"a": "1"}\n{"a": "2"}\n',
    "ndjson": b'{"a": "1"}\n{"a": "2"}\n',
    "tsv": b"a\n1\n2\n",
}
LINES = CONTENT["jsonl"]


def _data(*files: ReadableFile, **settings: str) -> list[Any]:
    """Give the data of each record, and the code of a fault in its place."""
    return [record.fault.code if record.fault else record.data for record in FilesSource(files, **settings)]


@pytest.mark.parametrize("file_format", READERS)
@pytest.mark.parametrize("name", ["a.{}", "A.B.{}", "a.{}.gz"])
@pytest.mark.parametrize("upper", [False, True])
def test_the_extension_names_the_format(file_format: str, name: str, upper: bool) -> None:  # noqa: FBT001 - a table column
    """Each format is known by its extension, in any case, and each may be gzipped."""
    name = name.format(file_format)
    content = CONTENT[file_format]
    file = MemoryFile(name.upper() if upper else name, gzip.compress(content) if name.endswith(".gz") else content)

    assert [{"a": "1"}, {"a": "2"}] == _data(file)


@pytest.mark.parametrize("name", ["part-0001", "a.txt", "a.csv"])
def test_a_given_format_goes_before_the_extension(name: str) -> None:
    """With file_format all files are read so, whatever they are called."""
    assert [{"a": "1"}, {"a": "2"}] == _data(MemoryFile(name, LINES), file_format="jsonl")


def test_unknown_extensions_are_refused_all_at_once() -> None:
    """Before a byte is read, each file of unknown format is named, with the nearest or else all known formats."""
    files = [MemoryFile("a.jsnl"), MemoryFile("b.csv"), MemoryFile("part-1"), MemoryFile("c.parquet.gz")]
    with pytest.raises(ConfigurationError) as caught:
        FilesSource(files)

    typo, nameless, other = caught.value.faults
    assert typo.startswith(
        "mem://store/a.jsnl: the extension 'jsnl' is unknown, did you mean 'jsonl' or 'json' or 'ndjson'? Each may"
    )
    known = "known are: csv, json, jsonl, ndjson, tsv"
    assert nameless.startswith(f"mem://store/part-1: there is no extension, {known}. Each may")
    assert "'parquet' is unknown" in other


def test_an_unknown_format_is_refused() -> None:
    """A file_format that doesn't exist fails the task at once and names the nearest."""
    with pytest.raises(ConfigurationError, match="'jsonlines' is unknown: did you mean 'jsonl'"):
        FilesSource([], file_format="jsonlines")


def test_files_are_read_one_after_the_other() -> None:
    """Records come in the order of the files with positions over all, and a file is opened when its turn comes."""
    files = [MemoryFile("b.csv", b"a\nx\n"), MemoryFile("a.jsonl", LINES)]
    records = iter(FilesSource(files, key="a"))
    first = next(records)

    assert [1, 0] == [file.opened for file in files]
    assert [("x", 0), ("1", 1), ("2", 2)] == [(record.key, record.position) for record in (first, *records)]


def test_keys_are_unique_over_all_files() -> None:
    """A key that an earlier file has is a duplicate in a later one."""
    assert [{"a": "1"}, {"a": "2"}, "duplicate_key", "duplicate_key"] == _data(
        MemoryFile("a.jsonl", LINES), MemoryFile("b.jsonl", LINES), key="a"
    )


def test_the_total_is_not_known() -> None:
    """How many records files hold is known only when they were read."""
    assert FilesSource([]).total() is None


# --- gzip ---


def test_a_compressed_file_under_a_plain_name_is_unpacked() -> None:
    """Object stores keep gzip under plain names (Content-Encoding), so it is known by its first bytes too."""
    assert [{"a": "1"}, {"a": "2"}] == _data(MemoryFile("a.jsonl", gzip.compress(LINES)))


@pytest.mark.parametrize("padding", [b"", b"\0" * 300])
def test_gzip_members_follow_each_other(padding: bytes) -> None:
    """A file put together of gzip files is read to its end, zeros between and after them are skipped."""
    half = len(LINES) // 2 - 3
    packed = gzip.compress(LINES[:half]) + padding + gzip.compress(b"") + gzip.compress(LINES[half:]) + padding

    assert [{"a": "1"}, {"a": "2"}] == _data(MemoryFile("a.jsonl.gz", packed))
    assert LINES == b"".join(read_blocks(MemoryFile("a.jsonl.gz", packed), block_bytes=7))


@pytest.mark.parametrize(
    ("damage", "before"),
    [
        (b"", []),
        (b"no gzip", []),
        (LINES, []),
        (gzip.compress(LINES, mtime=0)[:-1], [{"a": "1"}, {"a": "2"}]),
        (gzip.compress(LINES, mtime=0) + b"rest", [{"a": "1"}, {"a": "2"}]),
        (gzip.compress(LINES, mtime=0) + gzip.compress(LINES, mtime=0)[:4], [{"a": "1"}, {"a": "2"}]),
    ],
)
def test_a_broken_stream_is_one_fault(damage: bytes, before: list[Any]) -> None:
    """A stream that is no gzip, ends too soon or goes on as something else is one fault, and other files are read."""
    source = FilesSource([MemoryFile("a.jsonl.gz", damage), MemoryFile("b.jsonl", b"3")])
    [fault] = [record.fault for record in source if record.fault]

    assert [*before, None, 3] == [record.data for record in source]
    assert fault.code == "broken_file"
    assert fault.message.startswith("mem://store/a.jsonl.gz: the gzip stream is broken at byte ")


@pytest.mark.parametrize("damaged", [0, 1, 7, 49])
def test_all_records_before_the_damage_are_read(damaged: int) -> None:
    """Of a stream damaged in the middle every record before the damage is read, byte for byte, and none after it."""
    packer = zlib.compressobj(wbits=31)
    packed = bytearray(packer.compress(b"") + packer.flush(zlib.Z_FULL_FLUSH))
    starts = []
    for number in range(50):
        starts.append(len(packed))
        packed += packer.compress(b'{"n": %d}\n' % number) + packer.flush(zlib.Z_FULL_FLUSH)
    packed += packer.flush()
    packed[starts[damaged]] = 0x07  # a block of a type that doesn't exist
    *records, last = FilesSource([MemoryFile("a.jsonl.gz", bytes(packed))])

    assert [{"n": number} for number in range(damaged)] == [record.data for record in records]
    assert last.fault is not None
    assert f"at byte {starts[damaged]} " in last.fault.message


def test_a_cut_stream_gives_all_that_it_holds() -> None:
    """Wherever a stream is cut, all comes that zlib can unpack of it at once, however small the blocks are."""
    packed = gzip.compress(bytes(random.Random(1).choices(b"ab", k=500)) * 20, mtime=0)  # noqa: S311 - no secret
    for length in range(len(packed)):
        unpacked = b""
        with pytest.raises(RecordError, match="ends too soon"):  # noqa: PT012 - what came before the fault counts
            for block in read_blocks(MemoryFile("a.jsonl.gz", packed[:length]), block_bytes=64):
                unpacked += block

        assert unpacked == zlib.decompressobj(31).decompress(packed[:length])


@pytest.mark.parametrize("block_bytes", [1, 5, 1000])
def test_the_damage_is_named_by_its_place_in_the_file(block_bytes: int) -> None:
    """The byte that a fault names counts from the start of the packed file, over members and padding."""
    good = gzip.compress(b"x" * 10_000) + b"\0" * 10
    with pytest.raises(RecordError, match=f"broken at byte {len(good) + 1} "):
        list(read_blocks(MemoryFile("a.jsonl.gz", good + b"\x1f?"), block_bytes))


@pytest.mark.parametrize("name", ["a.jsonl.gz", "a.csv.gz"])
def test_half_a_record_is_never_taken_for_a_whole_one(name: str) -> None:
    """Wherever a stream is cut, what was read is a beginning of the records; a number cut in two is not one of them."""
    numbers = [str(number * 1234567) for number in range(40)]
    packed = gzip.compress("\n".join(["a", *numbers] if "csv" in name else numbers).encode(), mtime=0)
    for length in range(len(packed)):
        *records, last = FilesSource([MemoryFile(name, packed[:length])])
        found = [str(record.data["a"] if "csv" in name else record.data) for record in records]

        assert found == numbers[: len(found)]
        assert last.fault is not None


@given(st.data())
def test_any_damage_is_told(data: st.DataObject) -> None:
    """Whatever bytes of a packed file are changed, reading never raises, and the end says so if a record changed."""
    packed = bytearray(gzip.compress(b"".join(b"%d\n" % number for number in range(300)), mtime=0))
    for at in data.draw(st.lists(st.integers(10, len(packed) - 1), min_size=1, max_size=3, unique=True)):
        packed[at] ^= data.draw(st.integers(1, 255))
    *records, last = FilesSource([MemoryFile("a.jsonl.gz", bytes(packed))])

    if last.fault is None:
        assert list(range(300)) == [record.data for record in (*records, last)]
    else:
        assert last.fault.code == "broken_file"


def test_a_gzip_bomb_does_not_fill_the_memory() -> None:
    """A small file that unpacks to 25 MB is read within 3 MB."""
    bomb = gzipped("a.jsonl", (b'"' + b"x" * 100_000 + b'"\n') * 250)
    tracemalloc.start()
    try:
        count = len(_lengths(FilesSource([bomb])))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert 250 == count
    assert peak < 3 * 1024 * 1024


def _lengths(source: FilesSource) -> list[int]:
    return [len(record.data) for record in source]


def test_a_packed_file_larger_than_a_block_is_read_whole() -> None:
    """Blocks of packed bytes leave no gap: noise that hardly packs is read back exactly."""
    noise = random.Random(1).randbytes(700_000).hex().encode()  # noqa: S311 - no secret

    assert noise == b"".join(read_blocks(gzipped("a.jsonl", noise)))


# --- files that can't be opened ---


def _error(number: int) -> OSError:
    return OSError(number, os.strerror(number))


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (_error(errno.ENOENT), ConfigurationError, "mem://store/a.jsonl: there is no such file"),
        (_error(errno.EISDIR), ConfigurationError, "mem://store/a.jsonl: is a folder"),
        (_error(errno.EACCES), TransientError, "can't read mem://store/a.jsonl: Permission denied"),
        (_error(errno.EIO), TransientError, "can't read mem://store/a.jsonl: Input/output error"),
        (ConnectionError("secret"), TransientError, "can't read mem://store/a.jsonl: ConnectionError"),
    ],
)
def test_a_file_that_can_not_be_opened_stops_the_reading(error: OSError, kind: type[Exception], words: str) -> None:
    """A missing file is a wrong setting, any other trouble is for the next try; both name the path."""
    with pytest.raises(kind) as caught:
        list(FilesSource([MemoryFile("a.jsonl", error=error)]))

    assert words in str(caught.value)
    assert "secret" not in str(caught.value)


class Failing:
    """A stream that breaks off after its first block."""

    def __init__(self) -> None:
        self.reads = 0
        self.closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.closed = True

    def read(self, _size: int = -1, /) -> bytes:
        self.reads += 1
        if self.reads > 1:
            raise TimeoutError(errno.ETIMEDOUT, "timed out")
        return b'{"a": 1}\n{"a": '


def test_a_connection_lost_while_reading_is_for_the_next_try() -> None:
    """Trouble in the middle of a file is a TransientError after the records before it, and the file is closed."""
    stream = Failing()
    file = SimpleNamespace(name="a.jsonl", open=lambda _mode="rb": stream)
    records = iter(FilesSource([file]))

    assert {"a": 1} == next(records).data
    with pytest.raises(TransientError, match="timed out"):
        next(records)
    assert stream.closed


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("s3://my_conn@bucket/a@b.json", "s3://bucket/a@b.json"),
        ("sftp://user:p%40ss@host/x", "sftp://host/x"),
        ("s3://bucket/a@b.json", "s3://bucket/a@b.json"),
        ("/data/a@b.json", "/data/a@b.json"),
    ],
)
def test_a_path_is_told_without_connection_or_password(path: str, told: str) -> None:
    """Messages name the path, but not what stands before the host in a URI."""
    assert told == location(_Named(path))


class _Named(MemoryFile):
    def __str__(self) -> str:
        return self.name


# --- fingerprint ---


def test_a_fingerprint_names_what_files_are_read() -> None:
    """Names, order, number, key and format of the files make the fingerprint; no file is opened for it."""
    one, other = MemoryFile("a.jsonl"), MemoryFile("b.jsonl")
    sources = [
        FilesSource([one]),
        FilesSource([other]),
        FilesSource([one, other]),
        FilesSource([other, one]),
        FilesSource([one], key="sku"),
        FilesSource([one], file_format="csv"),
        FilesSource([]),
    ]

    assert len(sources) == len({source.fingerprint() for source in sources})
    assert [0, 0] == [one.opened, other.opened]


def test_files_that_are_written_again_are_the_same_source(tmp_path: Path) -> None:
    """Neither size nor time counts, nor that a file is there yet: each record tells whether it has changed."""
    file = tmp_path / "a.jsonl"
    source = FilesSource([file])
    before = source.fingerprint()
    file.write_bytes(LINES)

    assert before == source.fingerprint()


def test_a_pattern_that_finds_one_more_file_is_the_same_source() -> None:
    """What was asked for is the name, for people as well."""
    files = [MemoryFile("a.jsonl"), MemoryFile("b.jsonl")]
    before, after = (FilesSource(found, key="sku", name="s3://lake/*.jsonl") for found in (files[:1], files))

    assert before.fingerprint() == after.fingerprint() == "files s3://lake/*.jsonl, format=None, key=sku"


def test_pathlib_paths_fit(tmp_path: Path) -> None:
    """A pathlib.Path is a readable file; so is a folder, until it is opened."""
    file = tmp_path / "a.jsonl"
    file.write_bytes(LINES)
    records: list[Record] = list(FilesSource([file]))

    assert [{"a": "1"}, {"a": "2"}] == [record.data for record in records]
    with pytest.raises(ConfigurationError, match="is a folder"):
        list(FilesSource([tmp_path], file_format="jsonl"))
    with pytest.raises(ConfigurationError, match="no such file"):
        list(FilesSource([tmp_path / "b.jsonl"]))
