"""OpenAIEmbeddingOperator: packed on the way out, handed back to each record on the way in."""

from __future__ import annotations

import json
import math
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_openai_dest import OpenAIEmbeddingOperator, decode_embedding
from airflow_provider_openai_dest.operators.airflow_versions import AirflowFailException, AirflowRescheduleException
from airflow_provider_openai_dest.rendering import tokens
from airflow_provider_openai_dest.sandbox import Sandbox
from airflow_provider_openai_dest.sandbox.vectors import embed as sandbox_vector
from tests.airflow.operator_context import (
    EMBED,
    Seen,
    attempt,
    counts,
    fail,
    openai_connection,
    recording_server,
    refuse,
    requests_to,
    rows_of,
    run,
)
from tests.core.tiny_vocabulary import known_as

EMBEDDINGS = "POST /v1/embeddings"


def embed(tmp_path: Path, **arguments: Any) -> OpenAIEmbeddingOperator:
    return OpenAIEmbeddingOperator(
        **{"task_id": "embed", "input": "{message.t}", "results": str(tmp_path)} | EMBED | arguments
    )


def texts(count: int) -> list[dict[str, Any]]:
    return [{"t": f"text number {number}"} for number in range(count)]


def test_records_are_packed_up_to_the_limit_of_the_api(sandbox: Sandbox, tmp_path: Path) -> None:
    """3,000 records go in 2 requests of up to 2,048 inputs."""
    manifest = run(embed(tmp_path, records=texts(3000)))
    assert ((3000, 3000, 0, 0), 2, 2) == (counts(manifest), manifest["requests"], requests_to(sandbox, EMBEDDINGS))
    assert 3000 == sandbox.stats()["items"]


def test_packs_stay_below_the_limit_of_tokens(sandbox: Sandbox, tmp_path: Path) -> None:
    """Long texts are packed by tokens: what would exceed 300,000 in a request begins the next."""
    records = [{"t": f"{number} " + "word " * 4000} for number in range(60)]  # about 5,000 tokens each
    manifest = run(embed(tmp_path, records=records))
    assert (60, 60, 0, 0) == counts(manifest)
    assert 2 == requests_to(sandbox, EMBEDDINGS)


def test_each_record_gets_the_vector_of_its_own_text(sandbox: Sandbox, tmp_path: Path) -> None:
    """The vector in each record's row is that of its text, and decodes to numbers."""
    manifest = run(embed(tmp_path, records=texts(300)))
    for row in rows_of(manifest["results"]):
        assert sandbox_vector(row["record"]["t"], 8) == decode_embedding(row["answer"]["embedding"])


def test_vectors_have_the_dimensions_asked_for(sandbox: Sandbox, tmp_path: Path) -> None:
    """dimensions= reaches the API; without it the vectors have the model's own length."""
    lengths = []
    for dimensions in (3, None):
        manifest = run(embed(tmp_path, records=texts(1), dimensions=dimensions), run_id=str(dimensions))
        vector = decode_embedding(manifest["outcomes"][0]["answer"]["embedding"])
        assert math.isclose(1.0, math.hypot(*vector), rel_tol=1e-5)
        lengths.append(len(vector))
    assert [3, 1536] == lengths


def test_a_record_with_a_list_of_texts_gets_a_list_of_vectors(sandbox: Sandbox, tmp_path: Path) -> None:
    """A record may bring several texts; it gets as many vectors, in their order, beside records with one."""
    records = [{"t": "alone"}, {"t": ["one", "two", "three"]}, {"t": ["single"]}]
    manifest = run(embed(tmp_path, records=records))
    alone, three, single = (outcome["answer"] for outcome in manifest["outcomes"])
    assert 1 == requests_to(sandbox, EMBEDDINGS)
    assert sandbox_vector("alone", 8) == decode_embedding(alone["embedding"])
    assert [sandbox_vector(text, 8) for text in ("one", "two", "three")] == [
        decode_embedding(item["embedding"]) for item in three["data"]
    ]
    assert [sandbox_vector("single", 8)] == [decode_embedding(item["embedding"]) for item in single["data"]]


def test_tokens_can_be_given_instead_of_text(sandbox: Sandbox, tmp_path: Path) -> None:
    """A list of numbers is one input of tokens."""
    manifest = run(embed(tmp_path, records=[{"t": [9906, 1917]}, {"t": [15339]}]))
    assert [sandbox_vector([9906, 1917], 8), sandbox_vector([15339], 8)] == [
        decode_embedding(outcome["answer"]["embedding"]) for outcome in manifest["outcomes"]
    ]


def test_texts_and_tokens_may_stand_beside_each_other(sandbox: Sandbox, tmp_path: Path) -> None:
    """The API refuses texts and tokens in one list; records of both kinds are delivered all the same."""
    manifest = run(embed(tmp_path, records=[{"t": "a text"}, {"t": [9906, 1917]}, {"t": "another"}]))
    assert (3, 3, 0, 0) == counts(manifest)


def test_records_of_different_models_do_not_share_a_request(sandbox: Sandbox, tmp_path: Path) -> None:
    """Records whose other fields differ are packed apart."""
    records = [{"t": f"text {number}", "d": 4 + number % 2} for number in range(20)]
    manifest = run(embed(tmp_path, records=records, dimensions="{message.d}"))
    assert [record["d"] for record in records] == [
        len(decode_embedding(outcome["answer"]["embedding"])) for outcome in manifest["outcomes"]
    ]
    assert 2 == requests_to(sandbox, EMBEDDINGS)


def test_the_usage_of_a_packed_request_is_counted_once(sandbox: Sandbox, tmp_path: Path) -> None:
    """The manifest's tokens are those that the API counted."""
    manifest = run(embed(tmp_path, records=texts(50)))
    assert sandbox.stats()["tokens"] == manifest["usage"]["total_tokens"]


# -- one record's fault is its own ---------------------------------------------------------------------


def test_a_vector_with_nan_is_refused_and_the_others_are_kept(sandbox: Sandbox, tmp_path: Path) -> None:
    """A NaN in one vector rejects that record alone."""
    sandbox.set_faults("nan")
    manifest = run(embed(tmp_path, records=texts(10), max_errors=1))
    assert (10, 9, 1, 0) == counts(manifest)
    assert ("bad_answer", "0") == (manifest["rejections"][0]["code"], manifest["rejections"][0]["first_key"])


def test_the_guilty_one_of_a_refused_pack_is_found(sandbox: Sandbox, tmp_path: Path) -> None:
    """A pack that the API refuses is halved until the guilty record is found: the other 199 are delivered."""
    sandbox.set_faults("status=400,match=text number 137,message=not this one")
    manifest = run(embed(tmp_path, records=texts(200), max_errors=1))
    assert (200, 199, 1, 0) == counts(manifest)
    (kind,) = manifest["rejections"]
    assert ("137", "not this one") == (kind["first_key"], kind["first_message"])
    assert 17 >= requests_to(sandbox, EMBEDDINGS)


# what a record's text may be, and the code of its rejection; nothing is sent for these
NO_INPUTS = {
    "an empty text": ("", "empty_input"),
    "an empty list": ([], "empty_input"),
    "an empty text in a list": (["a", ""], "empty_input"),
    "a truth value": (True, "invalid_input"),
    "null": (None, "missing_required_parameter"),
    "an object": ({"a": 1}, "invalid_input"),
    "texts and numbers": (["a", 7], "invalid_input"),
    "a lone surrogate": ("\ud800", "invalid_input"),
    "too many texts": (["a"] * 2049, "too_many_inputs"),
    "half a token": ([1.5], "invalid_input"),
    "a negative token": ([-1], "invalid_input"),
}


@pytest.mark.parametrize("case", NO_INPUTS)
def test_what_can_not_be_embedded_is_rejected_before_it_is_sent(sandbox: Sandbox, tmp_path: Path, case: str) -> None:
    """An input that the API refuses for certain is rejected here, and spoils no pack."""
    value, code = NO_INPUTS[case]
    manifest = run(embed(tmp_path, records=[{"t": "fine"}, {"t": value}, {"t": "fine as well"}], max_errors=1))
    assert ((3, 2, 1, 0), code, 1) == (
        counts(manifest),
        manifest["rejections"][0]["code"],
        requests_to(sandbox, EMBEDDINGS),
    )


# -- inputs that are too long --------------------------------------------------------------------------


@pytest.fixture
def vocabulary() -> Iterator[None]:
    """Let the model's vocabulary be one of bytes: it would else have to be loaded."""
    with known_as("cl100k_base"):
        yield


LONG = "".join(f"{number:06d}" for number in range(1500))  # 9,000 tokens by that vocabulary
TOKENS = [*LONG.encode()]


def test_a_text_that_is_too_long_is_rejected_before_it_is_sent(
    sandbox: Sandbox, tmp_path: Path, vocabulary: None
) -> None:
    """Where its tokens can be counted: no pack is spoilt by it."""
    manifest = run(embed(tmp_path, records=[{"t": LONG}, *texts(9)], max_errors=1))
    assert ((10, 9, 1, 0), 1) == (counts(manifest), requests_to(sandbox, EMBEDDINGS))
    (kind,) = manifest["rejections"]
    assert ("input_too_long", None) == (kind["code"], kind["http_status"])
    assert "an input has 9000 tokens and the model takes 8192: long_input= can cut it" == kind["first_message"]


def test_a_text_that_is_too_long_is_found_by_the_api_where_it_is_only_estimated(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    """The sandbox counts a token for four characters."""
    manifest = run(
        embed(
            tmp_path,
            records=[{"t": LONG * 4}, *texts(9)],
            max_errors=1,
            model="text-embedding-ada-002",
            dimensions=None,
        )
    )
    assert ((10, 9, 1, 0), 400) == (counts(manifest), manifest["rejections"][0]["http_status"])


def test_a_long_text_gets_a_vector_for_each_chunk(sandbox: Sandbox, tmp_path: Path, vocabulary: None) -> None:
    """With the characters that each is of; short ones are as ever."""
    records = [{"t": LONG}, *texts(3)]
    manifest = run(embed(tmp_path, records=records, long_input="chunk", chunk_tokens=5000, chunk_overlap=200))
    assert ((4, 4, 0, 0), 2) == (counts(manifest), requests_to(sandbox, EMBEDDINGS))
    chunked, *others = [outcome["answer"] for outcome in manifest["outcomes"]]
    assert [(0, 5000), (4800, 9000)] == [(item["start"], item["end"]) for item in chunked["data"]]
    assert [sandbox_vector(TOKENS[item["start"] : item["end"]], 8) for item in chunked["data"]] == [
        decode_embedding(item["embedding"]) for item in chunked["data"]
    ]
    assert [{"model", "embedding"}] * 3 == [answer.keys() for answer in others]


def test_the_chunks_of_a_text_can_be_averaged(sandbox: Sandbox, tmp_path: Path, vocabulary: None) -> None:
    """By their lengths, to a vector of length 1."""
    manifest = run(embed(tmp_path, records=[{"t": LONG}], long_input="chunk", chunk_average=True))
    first, second = sandbox_vector(TOKENS[:8192], 8), sandbox_vector(TOKENS[8192:], 8)
    sums = [8192 * one + 808 * other for one, other in zip(first, second, strict=True)]
    answer = manifest["outcomes"][0]["answer"]
    expected = [number / math.hypot(*sums) for number in sums]
    assert expected == pytest.approx(list(decode_embedding(answer["embedding"])), abs=1e-6)
    assert 2 == answer["chunks"]


def test_a_long_text_can_be_truncated(sandbox: Sandbox, tmp_path: Path, vocabulary: None) -> None:
    """To what the model takes; the row says where it ends."""
    manifest = run(embed(tmp_path, records=[{"t": LONG}], long_input="truncate"))
    answer = manifest["outcomes"][0]["answer"]
    assert (0, 8192) == (answer["start"], answer["end"])
    assert sandbox_vector(TOKENS[:8192], 8) == decode_embedding(answer["embedding"])


def test_a_book_takes_several_requests(sandbox: Sandbox, tmp_path: Path, vocabulary: None) -> None:
    """Of up to 300,000 tokens each; it is one record, with one outcome."""
    book = " ".join(f"word{number}" for number in range(40_000))
    manifest = run(embed(tmp_path, records=[{"t": book}, *texts(2)], long_input="chunk", keep_records=False))
    assert ((3, 3, 0, 0), 3) == (counts(manifest), requests_to(sandbox, EMBEDDINGS))
    row = next(row for row in rows_of(manifest["results"]) if row["key"] == "0")
    assert (len(book.encode()) // 8192 + 1, len(book)) == (len(row["answer"]["data"]), row["answer"]["data"][-1]["end"])
    assert sandbox.stats()["tokens"] == manifest["usage"]["total_tokens"]


def test_a_record_whose_chunks_did_not_all_come_is_gone_on_with(
    sandbox: Sandbox, tmp_path: Path, vocabulary: None
) -> None:
    """By the next try, which sends just the others: nothing is paid twice."""
    book = " ".join(f"word{number}" for number in range(40_000))
    arguments: dict[str, Any] = {"records": [*texts(2049), {"t": book}], "long_input": "chunk", "concurrency": 1}
    sandbox.set_faults("status=401,code=invalid_api_key,after=2")  # a full pack, and a part of the book
    first = attempt(embed(tmp_path, **arguments)).xcom
    assert ((2050, 2048, 0, 2), 0) == (counts(first), first["maybe_billed"])
    sandbox.set_faults()
    before = requests_to(sandbox, EMBEDDINGS)
    again = run(embed(tmp_path, **arguments), try_number=2)
    assert ((2050, 2050, 0, 0), 2) == (counts(again), requests_to(sandbox, EMBEDDINGS) - before)
    row = next(row for row in rows_of(again["results"]) if row["key"] == "2049")
    assert len(book) == row["answer"]["data"][-1]["end"]
    assert sandbox.stats()["tokens"] == again["usage"]["total_tokens"]


def test_a_book_is_gone_on_with_after_a_long_wait(sandbox: Sandbox, tmp_path: Path, vocabulary: None) -> None:
    """Each time that the task comes back it pays for what is left, and so comes to the end."""
    book = " ".join(f"word{number}" for number in range(70_000))  # three requests
    operator = embed(tmp_path, records=[{"t": book}], long_input="chunk")
    for reschedules in (0, 1):
        sandbox.set_faults("status=429,code=rate_limit_exceeded,retry_after=3600,after=1")
        ended = attempt(operator, reschedules=reschedules)
        assert isinstance(ended.error, AirflowRescheduleException)
        assert (1, 0, 0, 1) == counts(ended.xcom)
    sandbox.set_faults()
    manifest = attempt(operator, reschedules=2).xcom
    assert ((1, 1, 0, 0), 1) == (counts(manifest), manifest["requests"])
    assert sandbox.stats()["tokens"] == manifest["usage"]["total_tokens"]


def test_each_chunk_has_a_row_in_parquet(sandbox: Sandbox, tmp_path: Path, vocabulary: None) -> None:
    """Vectors of one length, ready for an index; the record stands on its first row."""
    pq = pytest.importorskip("pyarrow.parquet")
    arguments = {"long_input": "chunk", "results_format": "parquet", "results_order": "input"}
    manifest = run(embed(tmp_path, records=[{"t": "short"}, {"t": LONG}], **arguments))
    (path,) = Path(manifest["results"]).parent.glob("*.parquet")
    table = pq.read_table(path)
    assert "fixed_size_list<element: float>[8]" == str(table.schema.field("embedding").type)
    assert [("0", None, None), ("1", 0, 8192), ("1", 1, 9000)] == [
        (row["key"], row["item"], row["end"]) for row in table.to_pylist()
    ]
    assert [True, True, False] == [row["record"] is not None for row in table.to_pylist()]


def test_vectors_can_be_numbers(sandbox: Sandbox, tmp_path: Path) -> None:
    """In the files that the manifest names; the rows keep them as they came."""
    manifest = run(embed(tmp_path, records=texts(2), vectors="numbers"))
    assert manifest["results"] != manifest["rows"]
    for shown, kept in zip(rows_of(manifest["results"]), rows_of(manifest["rows"]), strict=True):
        assert array("f", shown["answer"]["embedding"]) == decode_embedding(kept["answer"]["embedding"])


def test_what_is_cut_otherwise_is_another_delivery(sandbox: Sandbox, tmp_path: Path, vocabulary: None) -> None:
    """A half-done one is not mixed with it."""
    sandbox.set_faults("status=401,code=invalid_api_key")
    attempt(embed(tmp_path, records=texts(1)))
    sandbox.set_faults()
    fail(embed(tmp_path, records=texts(1), long_input="chunk"), AirflowFailException, "template", try_number=2)


def test_a_vocabulary_that_can_not_be_had_fails_the_task(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is sent."""
    cut = {"long_input": "truncate", "records": texts(1), "dimensions": None}
    fail(embed(tmp_path, model="my-deployment", **cut), AirflowFailException, "say encoding_name=")
    monkeypatch.setattr(tokens, "find_spec", lambda _: None)
    fail(embed(tmp_path, model="another", **cut), AirflowFailException, r"pip install")
    assert 0 == requests_to(sandbox, EMBEDDINGS)


FAULTS = {
    "an unknown word": ({"long_input": "cut"}, "unknown long_input='cut'"),
    "another form of vectors": ({"vectors": "float"}, "unknown vectors='float'"),
    "no tokens": ({"long_input": "chunk", "chunk_tokens": 0}, "chunk_tokens=0 must be a whole number of at least 1"),
    "tokens without chunks": ({"chunk_tokens": 10}, 'chunk_tokens= needs long_input="chunk"'),
    "an average without chunks": ({"long_input": "truncate", "chunk_average": True}, "chunk_average= needs"),
    "nothing but overlap": (
        {"long_input": "chunk", "chunk_tokens": 10, "chunk_overlap": 10},
        "chunk_overlap=10 must be less than the 10 tokens of a chunk",
    ),
}


@pytest.mark.parametrize("case", FAULTS)
def test_faults_of_cutting_are_told_when_the_dag_is_parsed(tmp_path: Path, case: str) -> None:
    """Each names the keyword and what it may be."""
    arguments, words = FAULTS[case]
    refuse(lambda: embed(tmp_path, records=texts(1), **arguments), words)


# -- other servers -------------------------------------------------------------------------------------


def reversed_numbers(request: Seen) -> tuple[int, str, bytes]:
    """Answer each text's length and place as plain numbers, the last text first."""
    inputs = json.loads(request.body)["input"]
    data = [{"index": index, "embedding": [len(text), index + 0.5]} for index, text in enumerate(inputs)]
    return 200, "application/json", json.dumps({"data": data[::-1], "model": "m"}).encode()


def test_answers_are_handed_back_by_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that answers plain numbers in another order still gives each record its own."""
    records = [{"t": "x" * length} for length in range(1, 20)]
    with recording_server(reversed_numbers) as (root, _):
        monkeypatch.setenv("AIRFLOW_CONN_OTHER", openai_connection(f"{root}/v1"))
        manifest = run(embed(tmp_path, records=records, conn_id="other", dimensions=2))
    assert [array("f", [length, length - 0.5]) for length in range(1, 20)] == [
        decode_embedding(outcome["answer"]["embedding"]) for outcome in manifest["outcomes"]
    ]
