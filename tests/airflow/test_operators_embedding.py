"""OpenAIEmbeddingOperator: packed on the way out, handed back to each record on the way in."""

from __future__ import annotations

import json
import math
from array import array
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_openai_dest import OpenAIEmbeddingOperator, decode_embedding
from airflow_provider_openai_dest.sandbox import Sandbox
from airflow_provider_openai_dest.sandbox.vectors import embed as sandbox_vector
from tests.airflow.operator_context import (
    EMBED,
    Seen,
    counts,
    openai_connection,
    recording_server,
    requests_to,
    rows_of,
    run,
)

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
