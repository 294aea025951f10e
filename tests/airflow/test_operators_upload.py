"""OpenAIUploadFileOperator on real files and records: what arrives is what was given, byte for byte."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_openai_dest import OpenAIUploadFileOperator
from airflow_provider_openai_dest.exceptions import ConfigurationError
from airflow_provider_openai_dest.operators.airflow_versions import AirflowFailException
from airflow_provider_openai_dest.sandbox import Sandbox
from tests.airflow.operator_context import (
    Row,
    counts,
    fail,
    file_content,
    requests_to,
    rows_of,
    run,
)

UPLOADS = "POST /v1/files"
CITIES = [
    {"city": "Oslo", "day": "mon"},
    {"city": "São Paulo", "day": "mon"},
    {"city": "東京 \U0001f5fc", "day": "tue", "zero": 0.0, "none": None, "nested": [{"a": [1, 2.5]}]},
]
LINES = [json.dumps(city, ensure_ascii=False, separators=(",", ":")).encode() + b"\n" for city in CITIES]


def upload(tmp_path: Path, **arguments: Any) -> OpenAIUploadFileOperator:
    return OpenAIUploadFileOperator(
        **{"task_id": "upload", "purpose": "user_data", "results": str(tmp_path / "results")} | arguments
    )


def files_of(manifest: Row) -> dict[str, Row]:
    """Give the uploaded files by name, as the API described them."""
    return {outcome["answer"]["filename"]: outcome["answer"] for outcome in manifest["outcomes"]}


# -- records -----------------------------------------------------------------------------------------


def test_all_records_of_a_run_become_one_file(sandbox: Sandbox, tmp_path: Path) -> None:
    """By default one file holds every record, a line each, and its content arrives byte for byte."""
    manifest = run(upload(tmp_path, records=CITIES))
    assert ((3, 3, 0, 0), 1) == (counts(manifest), requests_to(sandbox, UPLOADS))
    (file,) = files_of(manifest).values()
    assert b"".join(LINES) == file_content(sandbox, file["id"])


def test_each_record_can_be_a_file_of_its_own(sandbox: Sandbox, tmp_path: Path) -> None:
    """file_per="record" uploads a file for each record, named by its key."""
    manifest = run(upload(tmp_path, records=CITIES[:2], key="city", file_per="record"))
    files = files_of(manifest)
    assert ["Oslo.jsonl", "São Paulo.jsonl"] == list(files)
    assert LINES[:2] == [file_content(sandbox, file["id"]) for file in files.values()]


def test_records_that_fill_a_text_alike_share_a_file(sandbox: Sandbox, tmp_path: Path) -> None:
    """file_per="{message.day}" uploads a file for each day, named as filename= says."""
    manifest = run(upload(tmp_path, records=CITIES, file_per="{message.day}", filename="cities-{message.day}.jsonl"))
    files = files_of(manifest)
    assert {"cities-mon.jsonl": LINES[0] + LINES[1], "cities-tue.jsonl": LINES[2]} == {
        name: file_content(sandbox, file["id"]) for name, file in files.items()
    }
    assert 2 == requests_to(sandbox, UPLOADS)


def test_a_line_can_be_made_of_parts_of_a_record(sandbox: Sandbox, tmp_path: Path) -> None:
    """line= says what each line is, and a lone placeholder keeps the value's type."""
    line = {"custom_id": "{message.city}-{message.day}", "body": {"nested": "{message.nested}"}}
    manifest = run(upload(tmp_path, records=CITIES[2:], line=line))
    (file,) = files_of(manifest).values()
    expected = {"custom_id": "東京 \U0001f5fc-tue", "body": {"nested": [{"a": [1, 2.5]}]}}
    assert expected == json.loads(file_content(sandbox, file["id"]))


def test_records_of_files_are_uploaded_as_lines(sandbox: Sandbox, tmp_path: Path) -> None:
    """source= reads CSV and JSON, and each row becomes a line."""
    (tmp_path / "a.csv").write_text("sku,name\n1,kettle\n2,toaster\n")
    (tmp_path / "b.json").write_text('[{"sku": "3", "name": "fan"}]')
    manifest = run(upload(tmp_path, source=f"{tmp_path}/?.*", filename="products.jsonl"))
    lines = file_content(sandbox, files_of(manifest)["products.jsonl"]["id"]).splitlines()
    assert [("1", "kettle"), ("2", "toaster"), ("3", "fan")] == [
        (row["sku"], row["name"]) for row in map(json.loads, lines)
    ]


def test_a_file_expires_when_it_was_asked_to(sandbox: Sandbox, tmp_path: Path) -> None:
    """expires_after reaches the API."""
    expires_after = {"anchor": "created_at", "seconds": 3600}
    (file,) = files_of(run(upload(tmp_path, records=CITIES, expires_after=expires_after))).values()
    assert 3600 == file["expires_at"] - file["created_at"]


def test_a_record_that_can_not_be_a_line_is_left_out(sandbox: Sandbox, tmp_path: Path) -> None:
    """A record with NaN is rejected and quarantined; the file holds the others."""
    records = [CITIES[0], {"city": float("nan")}, CITIES[1]]
    manifest = run(upload(tmp_path, records=records, max_errors=1))
    assert (3, 2, 1, 0) == counts(manifest)
    assert LINES[0] + LINES[1] == file_content(sandbox, manifest["outcomes"][0]["answer"]["id"])
    assert ["1"] == [row["key"] for row in rows_of(manifest["quarantine"])]


def test_no_records_make_no_file(sandbox: Sandbox, tmp_path: Path) -> None:
    """An empty data set uploads nothing."""
    assert ((0, 0, 0, 0), 0) == (counts(run(upload(tmp_path, records=[]))), requests_to(sandbox, UPLOADS))


@pytest.mark.parametrize("key", ["a/b", "..", 'quo"te', "new\nline", "back\\slash", "x" * 300])
def test_a_strange_key_makes_a_file_all_the_same(sandbox: Sandbox, tmp_path: Path, key: str) -> None:
    """Whatever a key looks like, the file named by it arrives with its content."""
    manifest = run(upload(tmp_path, records=[{"id": key}], key="id", file_per="record"))
    assert {"id": key} == json.loads(file_content(sandbox, manifest["outcomes"][0]["answer"]["id"]))


# -- files as they are -------------------------------------------------------------------------------

CONTENTS = {
    "text.txt": "a line\r\nanother, without an end: ü".encode(),
    "bytes.bin": bytes(range(256)) * 3,
    "empty.txt": b"",
    "boundary.txt": b"--boundary\r\nContent-Disposition: form-data\r\n\r\n--\r\n",
    "large.bin": os.urandom(5_000_000),
}


@pytest.mark.parametrize("name", [name for name in CONTENTS if name != "empty.txt"])
def test_a_file_arrives_as_it_is(sandbox: Sandbox, tmp_path: Path, name: str) -> None:
    """A file that exists is uploaded byte for byte, under its own name."""
    (tmp_path / name).write_bytes(CONTENTS[name])
    files = files_of(run(upload(tmp_path, files=f"{tmp_path}/{name}")))
    assert CONTENTS[name] == file_content(sandbox, files[name]["id"])


def test_patterns_name_many_files(sandbox: Sandbox, tmp_path: Path) -> None:
    """files= takes globs and lists; a file found twice is uploaded once, and the manifest counts files."""
    for name in ("a.txt", "b.txt", "c.md", "sub/d.txt"):
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    patterns = [f"{tmp_path}/in/**/*.txt", f"{tmp_path}/in/c.*", f"{tmp_path}/in/a.txt"]
    manifest = run(upload(tmp_path, files=patterns))
    assert (4, 4, 0, 0) == counts(manifest)
    assert ["a.txt", "b.txt", "c.md", "d.txt"] == sorted(files_of(manifest))


def test_a_pattern_that_finds_nothing_uploads_nothing(sandbox: Sandbox, tmp_path: Path) -> None:
    """A pattern without a match is an empty data set."""
    assert ((0, 0, 0, 0), 0) == (
        counts(run(upload(tmp_path, files=f"{tmp_path}/*.none"))),
        requests_to(sandbox, UPLOADS),
    )


def test_a_file_that_is_not_there_fails_the_task(sandbox: Sandbox, tmp_path: Path) -> None:
    """A plain path of no file fails without a retry and names it."""
    fail(upload(tmp_path, files=f"{tmp_path}/gone.txt"), AirflowFailException, f"{tmp_path}/gone.txt")


def test_records_can_name_files(sandbox: Sandbox, tmp_path: Path) -> None:
    """file= uploads the file that each record names, below files_root."""
    (tmp_path / "a.txt").write_text("first")
    (tmp_path / "b.txt").write_text("second")
    records = [{"uri": f"{tmp_path}/a.txt"}, {"uri": f"{tmp_path}/b.txt"}]
    manifest = run(upload(tmp_path, records=records, file="{message.uri}", files_root=str(tmp_path)))
    assert [b"first", b"second"] == [file_content(sandbox, outcome["answer"]["id"]) for outcome in manifest["outcomes"]]


# what a record names, below a folder that has "in" with "a.txt" and beside it "secret.txt"
OUTSIDE = [
    "{root}/../secret.txt",
    "{root}/./../secret.txt",
    "{root}-not/a.txt",
    "{root}/%2e%2e/secret.txt",
    "{root}/..\\secret.txt",
    "/etc/passwd",
    "file:///etc/passwd",
    "",
    "a.txt",
    7,
]


@pytest.mark.parametrize("uri", OUTSIDE)
def test_records_can_not_name_files_elsewhere(sandbox: Sandbox, tmp_path: Path, uri: Any) -> None:
    """A record that names a file outside of files_root is rejected, and nothing is sent for it."""
    root = tmp_path / "in"
    root.mkdir()
    (tmp_path / "secret.txt").write_text("secret")
    named = uri.format(root=root) if isinstance(uri, str) else uri
    manifest = run(
        upload(tmp_path, records=[{"uri": named}], file="{message.uri}", files_root=str(root), max_error_rate=1.0)
    )
    assert ("file_outside_root", 0) == (manifest["rejections"][0]["code"], requests_to(sandbox, UPLOADS))


def test_a_file_that_a_record_names_and_that_is_gone_is_its_own_fault(sandbox: Sandbox, tmp_path: Path) -> None:
    """The record of a missing file is rejected, the others are uploaded."""
    (tmp_path / "a.txt").write_text("first")
    records = [{"uri": f"{tmp_path}/gone.txt"}, {"uri": f"{tmp_path}/a.txt"}]
    manifest = run(upload(tmp_path, records=records, file="{message.uri}", files_root=str(tmp_path), max_errors=1))
    assert ((2, 1, 1, 0), "file_not_found") == (counts(manifest), manifest["rejections"][0]["code"])


# -- arguments ---------------------------------------------------------------------------------------

# what is wrong with the arguments, and words of the error
REFUSED = {
    "nothing at all": ({}, "nothing to upload"),
    "unknown purpose": ({"purpose": "finetune", "records": CITIES}, "'fine-tune'"),
    "files and records": ({"files": "/x/*", "records": CITIES}, "files="),
    "files and source": ({"files": "/x/*", "source": "/y"}, "files="),
    "files and file": ({"files": "/x/*", "file": "{message.uri}", "files_root": "/x"}, "files="),
    "file without files_root": ({"file": "{message.uri}", "records": CITIES}, "files_root="),
    "a body": ({"body": {"a": 1}, "records": CITIES}, "no body"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_arguments_that_do_not_fit_are_refused_when_the_dag_is_parsed(tmp_path: Path, case: str) -> None:
    """Each fault of the arguments is told by the constructor."""
    arguments, words = REFUSED[case]
    with pytest.raises(ConfigurationError, match=words):
        upload(tmp_path, **arguments)


def test_file_per_without_a_placeholder_is_refused_when_the_dag_is_parsed(tmp_path: Path) -> None:
    """file_per= is run, record or a text with a placeholder; a misspelt word is told by the constructor."""
    with pytest.raises(ConfigurationError, match="file_per"):
        upload(tmp_path, records=CITIES, file_per="records")
