"""The sandbox answers, and refuses, as OpenAI's API does."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import struct
import wave
import zlib

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.routing import Route, Router

from airflow_provider_openai_dest.sandbox import running_sandbox
from airflow_provider_openai_dest.sandbox.answers import ApiError
from airflow_provider_openai_dest.sandbox.app import create_app
from airflow_provider_openai_dest.sandbox.calls import Request, read_call
from airflow_provider_openai_dest.sandbox.gate import Gate
from airflow_provider_openai_dest.sandbox.operation import Operation
from airflow_provider_openai_dest.sandbox.operations import OPERATIONS
from airflow_provider_openai_dest.sandbox.pictures import draw_png
from airflow_provider_openai_dest.sandbox.settings import SandboxSettings
from airflow_provider_openai_dest.sandbox.state import SandboxState

PNG = draw_png("a", 32, 32)
EMBED = {"model": "text-embedding-3-small", "input": "a"}
DRAW = {"model": "gpt-image-2", "prompt": "a"}
CHAT = {"model": "gpt-6-luna", "messages": [{"role": "user", "content": "hello there"}]}
RESPOND = {"model": "gpt-6-luna", "input": "hello there"}
SPEAK = {"model": "tts-1", "voice": "alloy", "input": "hello"}


@pytest.fixture(scope="module")
def sandbox():
    with running_sandbox() as running:
        yield running


@pytest.fixture(scope="module")
def api(sandbox):
    with httpx.Client(base_url=sandbox.base_url, headers={"authorization": "Bearer key"}, trust_env=False) as client:
        yield client


# -- refusals ---------------------------------------------------------------------------------------

INVALID = "invalid_request_error"
# path, body, status, (type, param, code), words of the message
REFUSED_BODIES = [
    ("/embeddings", {"input": "a"}, 400, (INVALID, "model", "missing_required_parameter"), "parameter: 'model'"),
    ("/embeddings", {**EMBED, "input": None}, 400, (INVALID, "input", "missing_required_parameter"), "'input'"),
    ("/embeddings", {**EMBED, "sise": 1}, 400, (INVALID, "sise", "unknown_parameter"), "parameter: 'sise'"),
    ("/embeddings", {**EMBED, "input": 7}, 400, (INVALID, "input", "invalid_type"), "got an integer"),
    ("/embeddings", {**EMBED, "input": ["a", 7]}, 400, (INVALID, "input", "invalid_type"), "array of strings"),
    ("/embeddings", {**EMBED, "input": [1, True]}, 400, (INVALID, "input", "invalid_type"), "array of tokens"),
    ("/embeddings", {**EMBED, "input": ""}, 400, (INVALID, "input", "empty_string"), "minimum length 1"),
    ("/embeddings", {**EMBED, "input": ["a", ""]}, 400, (INVALID, "input", "empty_string"), "cannot be an empty"),
    ("/embeddings", {**EMBED, "input": []}, 400, (INVALID, "input", "empty_array"), "too short"),
    ("/embeddings", {**EMBED, "input": ["a"] * 2049}, 400, (INVALID, "input", "array_above_max_length"), "2049"),
    ("/embeddings", {**EMBED, "input": "a" * 32_769}, 400, (INVALID, None, None), "requested 8193 tokens"),
    ("/embeddings", {**EMBED, "input": [[1] * 8193]}, 400, (INVALID, None, None), "requested 8193 tokens"),
    (
        "/embeddings",
        {**EMBED, "input": ["a" * 32_000] * 38},
        400,
        ("max_tokens_per_request", None, "max_tokens_per_request"),
        "Requested 304000 tokens, max 300000 tokens per request",
    ),
    ("/embeddings", {**EMBED, "dimensions": 1537}, 400, (INVALID, "dimensions", None), "equal to 1536"),
    ("/embeddings", {**EMBED, "dimensions": 0}, 400, (INVALID, "dimensions", "integer_below_min_value"), ">= 1"),
    (
        "/embeddings",
        {**EMBED, "model": "text-embedding-ada-002", "dimensions": 8},
        400,
        (INVALID, "dimensions", None),
        "does not support",
    ),
    ("/embeddings", {**EMBED, "encoding_format": "hex"}, 400, (INVALID, "encoding_format", "invalid_value"), "'float'"),
    ("/embeddings", {**EMBED, "model": "nope"}, 404, (INVALID, "model", "model_not_found"), "`nope` does not exist"),
    ("/embeddings", {**EMBED, "model": "gpt-6-luna"}, 404, (INVALID, "model", "model_not_found"), "embedding work"),
    ("/embeddings", ["a"], 400, (INVALID, None, "invalid_type"), "expected an object"),
    ("/images/generations", {"model": "gpt-image-2"}, 400, (INVALID, "prompt", "missing_required_parameter"), "prompt"),
    ("/images/generations", {**DRAW, "n": 11}, 400, (INVALID, "n", "integer_above_max_value"), "<= 10, but got 11"),
    ("/images/generations", {**DRAW, "n": 0}, 400, (INVALID, "n", "integer_below_min_value"), ">= 1, but got 0"),
    ("/images/generations", {**DRAW, "n": True}, 400, (INVALID, "n", "invalid_type"), "got a boolean"),
    ("/images/generations", {**DRAW, "size": "big"}, 400, (INVALID, "size", "invalid_value"), "WIDTHxHEIGHT"),
    ("/images/generations", {**DRAW, "size": "1000x1000"}, 400, (INVALID, "size", "invalid_value"), "divisible by 16"),
    ("/images/generations", {**DRAW, "size": "256x1024"}, 400, (INVALID, "size", "invalid_value"), "1:3 and 3:1"),
    ("/images/generations", {**DRAW, "size": "4096x2160"}, 400, (INVALID, "size", "invalid_value"), "3840x2160"),
    (
        "/images/generations",
        {**DRAW, "prompt": "a" * 32_001},
        400,
        (INVALID, "prompt", "string_above_max_length"),
        "32",
    ),
    ("/images/generations", {**DRAW, "quality": "hd"}, 400, (INVALID, "quality", "invalid_value"), "'xhigh'"),
    (
        "/images/generations",
        {**DRAW, "output_format": "jpeg"},
        400,
        (INVALID, "output_format", "unsupported_value"),
        "The sandbox draws png and svg only",
    ),
    ("/images/generations", {**DRAW, "output_format": "svg", "n": 2}, 400, (INVALID, "n", "invalid_value"), "n=1"),
    ("/images/generations", {**DRAW, "stream": True}, 400, (INVALID, "stream", "unsupported_value"), "doesn't stream"),
    ("/images/generations", {**DRAW, "model": "dall-e-3"}, 404, (INVALID, "model", "model_not_found"), "May 12, 2026"),
    ("/images/generations", {**DRAW, "model": "gpt-image-1"}, 404, (INVALID, "model", "model_not_found"), "October 23"),
    ("/images/variations", {}, 404, (INVALID, None, None), "This endpoint is retired and no longer available."),
    ("/images/edits", DRAW, 400, (INVALID, "images", "missing_required_parameter"), "'images'"),
    ("/images/edits", {**DRAW, "images": [{}]}, 400, (INVALID, "images[0]", "invalid_value"), "exactly one of"),
    ("/images/edits", {**DRAW, "images": [{"file_id": "x"}]}, 404, (INVALID, "id", None), "No such File object: x"),
    ("/chat/completions", {**CHAT, "messages": []}, 400, (INVALID, "messages", "empty_array"), "too short"),
    (
        "/chat/completions",
        {**CHAT, "messages": [{}]},
        400,
        (INVALID, "messages[0].role", "missing_required_parameter"),
        "",
    ),
    (
        "/chat/completions",
        {**CHAT, "messages": [{"role": "x"}]},
        400,
        (INVALID, "messages[0].role", "invalid_value"),
        "",
    ),
    ("/chat/completions", {**CHAT, "model": "gpt-4"}, 404, (INVALID, "model", "model_not_found"), "gpt-6-luna"),
    (
        "/chat/completions",
        {**CHAT, "temperature": 2.5},
        400,
        (INVALID, "temperature", "decimal_above_max_value"),
        "<= 2",
    ),
    ("/responses", {"model": "gpt-6-luna"}, 400, (INVALID, "input", "missing_required_parameter"), "'input'"),
    (
        "/responses",
        {**RESPOND, "max_output_tokens": 15},
        400,
        (INVALID, "max_output_tokens", "integer_below_min_value"),
        "",
    ),
    (
        "/responses",
        {**RESPOND, "text": {"format": {"type": "json_schema", "schema": {"properties": 7}}}},
        400,
        (INVALID, None, "invalid_json_schema"),
        "Invalid schema",
    ),
    (
        "/chat/completions",
        {**CHAT, "response_format": {"type": "json_schema"}},
        400,
        (INVALID, "response_format.json_schema", "missing_required_parameter"),
        "",
    ),
    (
        "/responses",
        {**RESPOND, "text": {"format": {"type": "json_schema"}}},
        400,
        (INVALID, "text.format.schema", "missing_required_parameter"),
        "",
    ),
    ("/moderations", {"input": ["a", {}]}, 400, (INVALID, "input", "invalid_type"), "array of parts"),
    ("/audio/speech", {**SPEAK, "voice": "bob"}, 400, (INVALID, "voice", "invalid_value"), "'alloy'"),
    (
        "/audio/speech",
        {**SPEAK, "response_format": "mp3"},
        400,
        (INVALID, "response_format", "unsupported_value"),
        "wav",
    ),
    ("/assistants", {}, 404, (INVALID, None, None), "shut down on 2026-08-26"),
    ("/nowhere", {}, 404, (INVALID, None, None), "Invalid URL (POST /v1/nowhere)"),
    ("/models", {}, 405, (INVALID, None, "method_not_supported"), "Not allowed to POST on /v1/models"),
]


@pytest.mark.parametrize(("path", "body", "status", "error", "words"), REFUSED_BODIES)
def test_a_wrong_body_is_refused_in_the_api_s_form(api, path, body, status, error, words):
    """A wrong body is refused with the API's status, type, param, code and message."""
    response = api.post(path, json=body)

    assert response.json()["error"].keys() == {"message", "type", "param", "code"}
    found = response.json()["error"]
    assert (status, *error) == (response.status_code, found["type"], found["param"], found["code"])
    assert words in found["message"]


FILE = {"file": ("a.jsonl", b"{}\n")}
REFUSED_FORMS = [
    ({"purpose": "batch"}, {}, "missing_required_parameter", "file"),
    ({}, FILE, "missing_required_parameter", "purpose"),
    ({"purpose": "nope"}, FILE, "invalid_value", "purpose"),
    ({"purpose": "batch", "colour": "red"}, FILE, "unknown_parameter", "colour"),
    ({"purpose": "batch"}, {"file": ("a.csv", b"")}, "invalid_file_format", "file"),
    ({"purpose": "fine-tune"}, {"file": ("a.txt", b"")}, "invalid_file_format", "file"),
    ({"purpose": "batch", "expires_after[anchor]": "now"}, FILE, "missing_required_parameter", "expires_after.seconds"),
    (
        {"purpose": "batch", "expires_after[anchor]": "created_at", "expires_after[seconds]": "3599"},
        FILE,
        "integer_below_min_value",
        "expires_after.seconds",
    ),
    (
        {"purpose": "batch", "expires_after[anchor]": "created_at", "expires_after[seconds]": "soon"},
        FILE,
        "invalid_type",
        "expires_after.seconds",
    ),
]


@pytest.mark.parametrize(("fields", "files", "code", "param"), REFUSED_FORMS)
def test_a_wrong_upload_is_refused(api, fields, files, code, param):
    """A wrong file upload is refused with 400, a code and the field's name."""
    response = api.post("/files", data=fields, files=files or {"other": ("a", b"")})

    error = response.json()["error"]
    assert (400, code, param) == (response.status_code, error["code"], error["param"])


@pytest.mark.parametrize(
    ("content", "content_type"),
    [(b"{", "application/json"), (b"\xff", "application/json"), (b'{"input": NaN}', "application/json"), (b"", "")],
)
def test_a_body_that_is_not_json_is_refused(api, content, content_type):
    """A body that is not JSON is refused with 400."""
    response = api.post("/embeddings", content=content, headers={"content-type": content_type})

    assert response.status_code == 400
    assert "could not parse the JSON body" in response.json()["error"]["message"]


@pytest.mark.parametrize("content_type", ["application/json", "multipart/form-data", "multipart/form-data; boundary=x"])
def test_a_body_that_is_no_form_is_refused(api, content_type):
    """A file upload that is not multipart is refused with 400."""
    response = api.post("/files", content=b"{}", headers={"content-type": content_type})

    assert response.status_code == 400


@pytest.mark.parametrize("value", ["", "Bearer", "Basic a2V5", "key"])
def test_a_request_without_a_key_is_refused(api, value):
    """A request without a bearer key is refused with 401."""
    response = api.get("/models", headers={"authorization": value})

    assert response.status_code == 401
    assert response.json()["error"]["type"] == INVALID


def test_only_the_given_key_is_taken():
    """A sandbox with its own key takes that key only, and never repeats what it was sent."""
    with running_sandbox(api_key="sk-right") as sandbox, httpx.Client(trust_env=False) as client:
        right = client.get(f"{sandbox.base_url}/models", headers={"authorization": "Bearer sk-right"})
        wrong = client.get(f"{sandbox.base_url}/models", headers={"authorization": "Bearer sk-wrong"})

    assert (200, 401) == (right.status_code, wrong.status_code)
    assert wrong.json()["error"]["code"] == "invalid_api_key"
    assert "sk-wrong" not in wrong.text


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_no_json_body_makes_the_sandbox_fail(data):
    """Whatever a field of a JSON body holds, the answer is an answer or a refusal, never a failure."""
    operation = data.draw(st.sampled_from([one for one in OPERATIONS if one.json is not None]))
    body = {**EMBED, **DRAW, **CHAT, **SPEAK, "images": [{"file_id": "file-1"}]}
    body["model"] = data.draw(st.sampled_from(["text-embedding-3-small", "gpt-image-2", "gpt-6-luna", "tts-1"]))
    body = {name: value for name, value in body.items() if name in operation.json.fields}
    body[data.draw(st.sampled_from(sorted(operation.json.fields)))] = data.draw(json_values)
    raw = json.dumps(body).encode()
    parameters = {"upload_id": "upload_1"}
    request = Request(method="POST", path=operation.path, parameters=parameters, query={}, headers={}, body=raw)
    try:
        call = asyncio.run(read_call(request, operation.json, None))
        answer = operation.answer(SandboxState(SandboxSettings()), call)
    except ApiError as refusal:
        answer = refusal.answer()
    assert 200 <= answer.status < 500
    assert answer.body()


# -- answers ----------------------------------------------------------------------------------------


def test_answers_carry_the_api_s_headers(api):
    """Each answer carries a request id of its own, the version and the time it took."""
    first, second = api.get("/models"), api.get("/nowhere")

    assert first.headers["x-request-id"].startswith("req_")
    assert first.headers["x-request-id"] != second.headers["x-request-id"]
    for response in (first, second):
        assert response.headers["openai-version"] == "2020-10-01"
        assert int(response.headers["openai-processing-ms"]) >= 0


def test_models_tell_when_they_are_shut_down(api):
    """The list of models tells the shutdown date of each, or null; retired models are not in it."""
    dates = {model["id"]: model["shutdown_date"] for model in api.get("/models").json()["data"]}

    assert dates["gpt-image-1-mini"] == "2026-12-01"
    assert dates["gpt-image-2"] is None
    assert "gpt-image-1" not in dates
    assert api.get("/models/gpt-5").json()["shutdown_date"] == "2026-12-11"
    assert api.get("/models/gpt-image-1").status_code == 404


@pytest.mark.parametrize(
    ("value", "tokens"),
    [("abcd", [1]), ("abcde", [2]), (["a", "abcde"], [1, 2]), ([5, 6, 7], [3]), ([[5, 6], [7]], [2, 1])],
)
def test_every_form_of_embedding_input_is_taken(api, value, tokens):
    """A text, texts, a list of tokens and lists of tokens are embedded, one vector for each, in order."""
    answer = api.post("/embeddings", json={**EMBED, "input": value, "dimensions": 8}).json()

    assert [item["index"] for item in answer["data"]] == list(range(len(tokens)))
    assert answer["usage"] == {"prompt_tokens": sum(tokens), "total_tokens": sum(tokens)}


def test_base64_and_float_embeddings_are_the_same_vector(api):
    """base64 is the little-endian float32 form of the float vector."""
    floats = api.post("/embeddings", json=EMBED).json()["data"][0]["embedding"]
    text = api.post("/embeddings", json={**EMBED, "encoding_format": "base64"}).json()["data"][0]["embedding"]

    assert list(struct.unpack("<1536f", base64.b64decode(text))) == floats


def picture_of(response):
    return base64.b64decode(response.json()["data"][0]["b64_json"])


@pytest.mark.parametrize("size", ["1024x1024", "1536x1024", "1024x1536", "3840x2160", "16x48", "48x16", "auto"])
def test_a_picture_has_the_size_that_was_asked_for(api, size):
    """The PNG has the requested size, all its lines and right checksums, and is small."""
    response = api.post("/images/generations", json={**DRAW, "size": size})
    picture = picture_of(response)
    width, height = (int(side) for side in ("1024x1024" if size == "auto" else size).split("x"))

    assert struct.unpack(">II", picture[16:24]) == (width, height)
    pixels, at = b"", 8
    while at < len(picture):
        (length,) = struct.unpack(">I", picture[at : at + 4])
        name, data = picture[at + 4 : at + 8], picture[at + 8 : at + 8 + length]
        assert struct.unpack(">I", picture[at + 8 + length : at + 12 + length]) == (zlib.crc32(name + data),)
        pixels += data if name == b"IDAT" else b""
        at += 12 + length
    assert len(zlib.decompress(pixels)) == height * (1 + width // 4)
    assert len(picture) < 25_000
    assert response.json()["size"] == f"{width}x{height}"


def test_the_same_prompt_gives_the_same_pictures(api):
    """Pictures follow from the prompt: the same for the same words, different among the n of one request."""
    first, again, other = (api.post("/images/generations", json={**DRAW, "n": 2, "prompt": p}) for p in "aab")

    assert picture_of(first) == picture_of(again) != picture_of(other)
    assert len({item["b64_json"] for item in first.json()["data"]}) == 2


def test_a_picture_can_be_transparent_or_svg(api):
    """background=transparent makes the first colour transparent; output_format=svg draws an SVG."""
    transparent = api.post("/images/generations", json={**DRAW, "background": "transparent"})
    svg = api.post("/images/generations", json={**DRAW, "output_format": "svg"})

    assert b"tRNS" in picture_of(transparent)
    assert transparent.json()["background"] == "transparent"
    assert picture_of(svg).startswith(b"<svg")


def test_images_are_edited_as_form_and_as_references(api):
    """Uploaded images, data URLs and uploaded files are edited alike, and cost image tokens."""
    file_id = api.post("/files", data={"purpose": "vision"}, files={"file": ("a.png", PNG)}).json()["id"]
    url = "data:image/png;base64," + base64.b64encode(PNG).decode()
    parts = [("image[]", ("a.png", PNG)), ("image[]", ("b.png", PNG)), ("mask", ("m.png", PNG))]
    form = api.post("/images/edits", data={**DRAW, "n": "2"}, files=parts)
    references = {"images": [{"file_id": file_id}, {"image_url": url}], "mask": {"image_url": url}}
    body = api.post("/images/edits", json={**DRAW, "n": 2, **references})

    assert (200, 200) == (form.status_code, body.status_code)
    assert form.json()["data"] == body.json()["data"]
    assert form.json()["usage"]["input_tokens_details"]["image_tokens"] > 0


@pytest.mark.parametrize(
    ("parts", "param"),
    [
        ([("image", ("a.png", b"no picture"))], "image"),
        ([("image[]", ("a.png", PNG))] * 17, "image"),
        ([("image", ("a.png", PNG)), ("mask", ("m.png", draw_png("a", 48, 48)))], "mask"),
        ([("image", ("a.png", PNG)), ("mask", ("m.png", b"no picture"))], "mask"),
        ([("picture", ("a.png", PNG))], "image"),
    ],
)
def test_images_that_can_t_be_edited_are_refused(api, parts, param):
    """What is no image, too many images, and a mask of another size are refused."""
    response = api.post("/images/edits", data=DRAW, files=parts)

    assert (400, param) == (response.status_code, response.json()["error"]["param"])


def test_a_file_comes_back_as_it_went_in(api):
    """An uploaded file keeps its name and bytes, is listed, and is gone once deleted."""
    data = bytes(range(256)) * 8000
    fields = {"purpose": "user_data", "expires_after[anchor]": "created_at", "expires_after[seconds]": "3600"}
    file = api.post("/files", data=fields, files={"file": ("ä b.bin", data)}).json()

    assert {"object": "file", "bytes": len(data), "filename": "ä b.bin", "status": "processed"}.items() <= file.items()
    assert file["expires_at"] == file["created_at"] + 3600
    assert api.get(f"/files/{file['id']}").json() == file
    assert api.get(f"/files/{file['id']}/content").content == data
    assert api.delete(f"/files/{file['id']}").json() == {"id": file["id"], "object": "file", "deleted": True}
    assert api.get(f"/files/{file['id']}").status_code == 404
    assert api.delete(f"/files/{file['id']}").status_code == 404


def test_files_are_listed_in_pages(api):
    """Files are listed newest first or in order, in pages after a cursor, by purpose."""
    ids = [
        api.post("/files", data={"purpose": "evals"}, files={"file": (f"{n}.txt", b"x")}).json()["id"] for n in range(3)
    ]
    newest = api.get("/files", params={"purpose": "evals", "limit": 2}).json()
    rest = api.get("/files", params={"purpose": "evals", "limit": 2, "after": newest["last_id"]}).json()
    oldest = api.get("/files", params={"purpose": "evals", "order": "asc"}).json()

    assert ([ids[2], ids[1]], True) == ([file["id"] for file in newest["data"]], newest["has_more"])
    assert ([ids[0]], False) == ([file["id"] for file in rest["data"]], rest["has_more"])
    assert ids == [file["id"] for file in oldest["data"]]
    assert api.get("/files", params={"limit": 0}).status_code == 400
    assert api.get("/files", params={"purpose": "batch"}).json()["first_id"] is None


SCHEMA = {
    "type": "object",
    "properties": {
        "title": {"type": "string", "maxLength": 5},
        "rank": {"type": "integer", "minimum": 3},
        "kind": {"enum": ["good", "bad"]},
        "tags": {"type": "array", "items": {"type": "boolean"}, "minItems": 2},
        "parent": {"anyOf": [{"$ref": "#"}, {"type": "null"}]},
        "place": {"$ref": "#/$defs/place"},
        "note": {"type": ["string", "null"]},
    },
    "$defs": {"place": {"type": "object", "properties": {"x": {"type": "number", "exclusiveMinimum": 0}}}},
}


def test_a_json_schema_is_filled(api):
    """With a JSON schema the answer is the least JSON that fits it, in responses and in chat."""
    wanted = {"type": "json_schema", "name": "item", "schema": SCHEMA}
    response = api.post("/responses", json={**RESPOND, "text": {"format": wanted}}).json()
    chat_format = {"type": "json_schema", "json_schema": wanted}
    chat = api.post("/chat/completions", json={**CHAT, "response_format": chat_format})

    filled = json.loads(response["output"][0]["content"][0]["text"])
    assert filled == json.loads(chat.json()["choices"][0]["message"]["content"])
    assert filled["title"] == "hello"
    assert (filled["rank"], filled["kind"], filled["tags"]) == (3, "good", [False, False])
    assert (filled["place"], filled["note"]) == ({"x": 1}, "hello there")


def test_a_text_answer_begins_with_the_input(api):
    """A text answer is made of the input's first words, and is the same each time."""
    first, again = (api.post("/responses", json=RESPOND).json() for _ in range(2))

    assert first["output"][0]["content"][0]["text"] == "Sandbox answer to 2 words: hello there"
    assert first["output"][0]["content"] == again["output"][0]["content"]
    assert first["id"] != again["id"]


def test_a_short_limit_leaves_an_answer_incomplete(api):
    """An answer over max_output_tokens is cut and says so: 200, status incomplete; in chat finish_reason length."""
    response = api.post("/responses", json={**RESPOND, "input": "word " * 99, "max_output_tokens": 16}).json()
    chat = api.post("/chat/completions", json={**CHAT, "max_completion_tokens": 2, "n": 2}).json()

    assert ("incomplete", {"reason": "max_output_tokens"}) == (response["status"], response["incomplete_details"])
    assert response["usage"]["output_tokens"] == 16
    assert [(0, "length"), (1, "length")] == [(choice["index"], choice["finish_reason"]) for choice in chat["choices"]]


def test_a_background_response_is_fetched_later(api):
    """A background response is queued first and complete when fetched; store=false keeps nothing."""
    queued = api.post("/responses", json={**RESPOND, "background": True}).json()
    fetched = api.get(f"/responses/{queued['id']}").json()
    unstored = api.post("/responses", json={**RESPOND, "store": False}).json()

    assert ("queued", []) == (queued["status"], queued["output"])
    assert ("completed", 1) == (fetched["status"], len(fetched["output"]))
    assert api.get(f"/responses/{unstored['id']}").status_code == 404


def test_speech_is_a_real_wav(api):
    """Speech is a WAV that plays, or bare samples when pcm is asked for."""
    response = api.post("/audio/speech", json=SPEAK)
    pcm = api.post("/audio/speech", json={**SPEAK, "response_format": "pcm"})

    with wave.open(io.BytesIO(response.content)) as sound:
        assert 0.1 < sound.getnframes() / sound.getframerate() < 1
        assert sound.readframes(sound.getnframes()) == pcm.content
    assert ("audio/wav", "audio/pcm") == (response.headers["content-type"], pcm.headers["content-type"])


def test_moderation_gives_a_result_for_each_text(api):
    """A list of texts has a result for each, a list of parts one together; 13 categories each."""
    texts = api.post("/moderations", json={"input": ["a nice day", "I will kill you"]}).json()["results"]
    parts = [
        {"type": "text", "text": "you idiot"},
        {"type": "image_url", "image_url": {"url": "https://example.com/a"}},
    ]
    together = api.post("/moderations", json={"input": parts}).json()["results"]

    assert [False, True] == [result["flagged"] for result in texts]
    assert [True] == [result["categories"]["harassment"] for result in together]
    assert len(texts[0]["categories"]) == 13


def test_a_failure_of_the_sandbox_itself_is_told(caplog):
    """Where the sandbox itself fails, it answers 500 in the API's form and logs why."""
    operation = Operation(method="GET", path="/sandbox/broken", answer=lambda state, call: 1 / 0)
    app = Router([Route(operation.path, Gate(operation, SandboxState(SandboxSettings())))])
    response = asyncio.run(ask(app, "GET", operation.path))

    assert (500, "server_error") == (response.status_code, response.json()["error"]["type"])
    assert "ZeroDivisionError" in caplog.text


async def ask(app, method, path, **request):
    headers = {"authorization": "Bearer key"}
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://sandbox", headers=headers) as client:
        return await client.request(method, path, **request)


def test_the_sandbox_keeps_no_more_than_its_share_of_memory():
    """A body or a sum of files beyond the bound is refused with 413."""
    app = create_app(SandboxState(SandboxSettings(max_body_bytes=1000, max_file_bytes=100)))
    form = {"data": {"purpose": "evals"}, "files": {"file": ("a", b"x" * 60)}}
    answers = [
        asyncio.run(ask(app, "POST", "/v1/files", **form)),
        asyncio.run(ask(app, "POST", "/v1/files", **form)),
        asyncio.run(ask(app, "POST", "/v1/moderations", json={"input": "x" * 1000})),
    ]

    assert [200, 413, 413] == [answer.status_code for answer in answers]
    assert "file_storage_full" == answers[1].json()["error"]["code"]
