"""Tests of files and folders found with Airflow's ObjectStoragePath."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import ObjectStoragePath
from airflow.sdk.io import attach
from fsspec.implementations.memory import MemoryFileSystem

from airflow_provider_openai_dest.exceptions import ConfigurationError, TransientError
from airflow_provider_openai_dest.operators.object_storage import find_files, open_folder
from airflow_provider_openai_dest.sources.files import FilesSource
from airflow_provider_openai_dest.sources.readable_file import location

NAMES = [
    *("a.jsonl", "b.jsonl", "b.csv", "part-10.json", "part-2.json", "r1.json", "r[1].json", "w#x.json", "q?y.json"),
    *("z?", "p%20q.json", "u v.json", "ü.json", "sub/c.jsonl", "sub/deep/d.jsonl", "sub/a.jsonl/inside"),
]

# a pattern below the folder, and what it finds there
PATTERNS: dict[str, list[str]] = {
    "*.jsonl": ["a.jsonl", "b.jsonl"],
    "**/*.jsonl": ["a.jsonl", "b.jsonl", "sub/c.jsonl", "sub/deep/d.jsonl"],
    "sub/*": ["sub/c.jsonl"],
    "s*/c.*": ["sub/c.jsonl"],
    "?.jsonl": ["a.jsonl", "b.jsonl"],
    "[ab].jsonl": ["a.jsonl", "b.jsonl"],
    "[!a].jsonl": ["b.jsonl"],
    "part-*": ["part-10.json", "part-2.json"],
    "none*.jsonl": [],
    "nowhere/*.jsonl": [],
    "[xyz].jsonl": [],
    "a.jsonl": ["a.jsonl"],
    "sub/c.jsonl": ["sub/c.jsonl"],
    "r[1].json": ["r[1].json"],
    "r[0-9].json": ["r1.json"],
    "r[[]*.json": ["r[1].json"],
    "r[[]1].json": ["r[1].json"],
    "w#x.json": ["w#x.json"],
    "w#*": ["w#x.json"],
    "q?y.json": ["q?y.json"],
    "q[?]y.json": ["q?y.json"],
    "z?": ["z?"],
    "p%20q.json": ["p%20q.json"],
    "u v.json": ["u v.json"],
    "ü.*": ["ü.json"],
}


def _name(path: ObjectStoragePath, folder: str) -> str:
    told = location(path)
    assert told.startswith(folder)
    return told.removeprefix(folder)


@pytest.fixture
def local(tmp_path: Path) -> Path:
    """Give a folder on disk with the files, and a folder that is called like one."""
    for name in NAMES:
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text('{"name": 1}\n', encoding="utf-8")
    (tmp_path / "empty.jsonl").mkdir()
    return tmp_path


class Store(MemoryFileSystem):  # type: ignore[misc]  # fsspec is not typed
    """An object store with S3's habits: a folder that may not be read, and objects that mark empty folders."""

    cachable = False
    store: dict[str, Any] = {}  # noqa: RUF012 - fsspec's own attribute
    pseudo_dirs = [""]  # noqa: RUF012 - fsspec's own attribute
    marks: tuple[str, ...] = ()
    forgotten = 0

    def info(self, path: str, **options: Any) -> Any:
        if "/secret" in path:
            raise PermissionError(13, "Forbidden")
        return super().info(path, **options)

    def glob(self, path: str, **options: Any) -> Any:
        return super().glob(path, **options) | {mark: {"type": "file"} for mark in self.marks}

    def invalidate_cache(self, path: str | None = None) -> None:
        self.forgotten += 1
        super().invalidate_cache(path)


STORE = Store()


@pytest.fixture
def store() -> Iterator[Store]:
    """Give an object store behind the Airflow connection ``my_store``, with the files below ``memory://bucket/in/``."""
    attach("memory", "my_store", fs=STORE)
    for name in NAMES:
        STORE.pipe_file(f"/bucket/in/{name}", b'{"name": 1}\n')
    yield STORE
    STORE.store.clear()
    STORE.pseudo_dirs[:] = [""]
    STORE.marks = ()


@pytest.mark.parametrize(("pattern", "names"), PATTERNS.items())
@pytest.mark.parametrize("spelling", ["{}/", "file://{}/", "./", "../in/", "local://{}/"])
def test_local_files_are_found(
    local: Path, monkeypatch: pytest.MonkeyPatch, spelling: str, pattern: str, names: list[str]
) -> None:
    """A path, absolute or relative, or a file URI, plain or with a pattern, finds its files sorted, and no folders."""
    folder = local.rename(local.parent / "in")
    monkeypatch.chdir(folder)
    try:
        found = find_files(spelling.format(folder) + pattern)
    finally:
        folder.rename(local)

    scheme = spelling[: spelling.find("://") + 3] if "://" in spelling else ""
    assert names == [_name(path, f"{scheme}{folder}/") for path in found]


@pytest.mark.parametrize(("pattern", "names"), PATTERNS.items())
@pytest.mark.parametrize(
    ("host", "conn_id"), [("my_store@bucket", None), ("bucket", "my_store"), ("no@bucket", "my_store")]
)
@pytest.mark.usefixtures("store")
def test_stored_files_are_found(host: str, conn_id: str | None, pattern: str, names: list[str]) -> None:
    """In an object store, with the connection in the URI or beside it, files are found and can be read."""
    found = find_files(f"memory://{host}/in/{pattern}", conn_id)

    assert names == [_name(path, "memory:///bucket/in/") for path in found]
    assert [{"name": 1}] * len(names) == [record.data for record in FilesSource(found, file_format="jsonl")]


def test_found_files_have_fingerprints_and_readers(local: Path) -> None:
    """What is found goes into a source as it is: its extension names the format, its size and time are known."""
    source = FilesSource(find_files(f"{local}/*.jsonl"))

    assert source.fingerprint() == FilesSource(find_files(f"{local}/?.jsonl")).fingerprint()
    assert [{"name": 1}, {"name": 1}] == [record.data for record in source]


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("{}/none.jsonl", "none.jsonl: there is no such file"),
        ("{}/nowhere/none.jsonl", "none.jsonl: there is no such file"),
        ("{}", "is a folder; name its files"),
        ("{}/", "is a folder; name its files"),
        ("{}/sub", "is a folder; name its files"),
        ("file://{}/sub/", "is a folder; name its files"),
        ("{}/**x", "can't open"),
        ("", "is empty"),
        ("  ", "is empty"),
        ("nosuch://bucket/x", "can't open nosuch://bucket/x"),
        ("nosuch://user:password@bucket/x", "can't open nosuch://bucket/x"),
        ("memory://my_store@buck*/x", "memory://buck*/x: the bucket can't be a pattern"),
        ("memory://my_store@bucket", "is a folder; name its files"),
        ("memory://my_store@bucket/in/none", "memory://bucket/in/none: there is no such file"),
    ],
)
@pytest.mark.usefixtures("store")
def test_a_wrong_uri_is_a_wrong_setting(local: Path, uri: str, words: str) -> None:
    """A file that isn't there, a folder, and a URI that can't be opened fail the task, and no password is told."""
    with pytest.raises(ConfigurationError) as caught:
        find_files(uri.format(local))

    assert words in str(caught.value)
    assert "password" not in str(caught.value)


@pytest.mark.usefixtures("store")
def test_a_refusal_of_the_storage_is_for_the_next_try() -> None:
    """What the storage refuses may be mended outside the Dag, so Airflow tries again."""
    with pytest.raises(TransientError, match="can't open memory://bucket/secret/x: Forbidden"):
        find_files("memory://my_store@bucket/secret/x")


def test_listings_are_never_stale(store: Store) -> None:
    """A listing that the file system keeps is dropped first, so that files of an upstream in this process are seen."""
    before = store.forgotten
    find_files("memory://my_store@bucket/in/*.csv")

    assert store.forgotten > before


def test_the_mark_of_an_empty_folder_is_no_file(store: Store) -> None:
    """An object named folder/, which S3 calls a file, is not found by a pattern."""
    store.marks = ("/bucket/in/m/", "/bucket/in/x")

    assert ["b.csv", "x"] == [path.name for path in find_files("memory://my_store@bucket/in/*.csv")]


@pytest.mark.parametrize("spelling", ["{}/out/day", "{}/out/day/", "file://{}/out/day/", "./out/day"])
def test_a_local_folder_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spelling: str) -> None:
    """A results folder on disk is made with those above it, and what is written below it is there."""
    monkeypatch.chdir(tmp_path)
    folder = open_folder(spelling.format(tmp_path))
    with (folder / "a.jsonl").open("wb") as file:
        file.write(b"1\n")

    assert b"1\n" == (tmp_path / "out" / "day" / "a.jsonl").read_bytes()
    assert folder == open_folder(spelling.format(tmp_path))


def test_a_stored_folder_is_opened_and_not_made(store: Store) -> None:
    """A results folder in an object store is only opened: a mistyped bucket must not be created."""
    folder = open_folder("memory://my_store@bucket/out/")
    assert not store.exists("/bucket/out")

    with (folder / "a.jsonl").open("wb") as file:
        file.write(b"1\n")
    assert b"1\n" == store.cat_file("/bucket/out/a.jsonl")
    assert "memory:///bucket/out" == location(folder).rstrip("/")


@pytest.mark.parametrize("uri", ["", "nosuch://bucket/x"])
def test_a_folder_that_can_not_be_opened_is_a_wrong_setting(uri: str) -> None:
    """An empty or unknown results URI fails the task before anything is sent."""
    with pytest.raises(ConfigurationError):
        open_folder(uri)


def test_a_folder_that_can_never_be_made_is_told_at_once(tmp_path: Path) -> None:
    """A file where the folder should be fails without a retry: it will still be there."""
    (tmp_path / "out").write_text("", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"/out/day is a file, or below one: name a folder"):
        open_folder(f"{tmp_path}/out/day")


def test_the_reader_of_a_found_file_closes_it(local: Path) -> None:
    """Airflow's file wrapper is closed when a reading is left half-way; a leak would be a warning, and so an error."""
    records: Callable[[], Iterator[Any]] = FilesSource(find_files(f"{local}/a.jsonl")).__iter__

    next(records())
