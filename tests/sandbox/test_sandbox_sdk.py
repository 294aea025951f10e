"""OpenAI's own SDK understands the sandbox."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import Literal

import httpx
import pydantic
import pytest
from standardwebhooks import Webhook

from airflow_provider_openai_dest.sandbox import DEMO_WEBHOOK_SECRET
from airflow_provider_openai_dest.sandbox.pictures import draw_png
from airflow_provider_openai_dest.sandbox.speech import as_wav

openai = pytest.importorskip("openai")

PNG = draw_png("a", 32, 32)


class Item(pydantic.BaseModel):
    title: str
    kind: Literal["good", "bad"]


def test_models(client):
    """The SDK lists models and reads one with its shutdown date."""
    assert "text-embedding-3-small" in {model.id for model in client.models.list()}
    assert client.models.retrieve("gpt-5").shutdown_date == "2026-12-11"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("gpt-none")


def test_embeddings(settings, client):
    """The SDK reads floats, and the base64 that it asks for itself as the same vector."""
    wanted = {"model": "text-embedding-3-large", "input": ["a", "b"]}
    floats = client.embeddings.create(**wanted, encoding_format="float")
    # Its strict validation runs before it decodes base64, and so refuses every answer that it asked for itself.
    lenient = settings | {"_strict_response_validation": False}
    with openai.OpenAI(**lenient, http_client=httpx.Client(trust_env=False)) as sdk:
        decoded = sdk.embeddings.create(**wanted)

    assert [3072, 3072] == [len(item.embedding) for item in decoded.data]
    assert decoded.data == floats.data
    assert floats.usage.total_tokens == 2


def test_images(client):
    """The SDK draws a picture and edits it, alone and with a second one and a mask."""
    drawn = client.images.generate(model="gpt-image-2.5-flare", prompt="a cat", size="1536x864", quality="xhigh")
    picture = base64.b64decode(drawn.data[0].b64_json)
    edited = client.images.edit(model="gpt-image-2", image=("a.png", picture), prompt="a dog", n=2)
    masked = client.images.edit(image=[("a.png", PNG), ("b.png", PNG)], mask=("m.png", PNG), prompt="a dog")

    assert ("1536x864", "xhigh", "png") == (drawn.size, drawn.quality, drawn.output_format)
    assert 2 == len(edited.data)
    assert masked.usage.input_tokens_details.image_tokens > edited.usage.input_tokens_details.image_tokens


def test_responses(client):
    """The SDK reads a text answer, a parsed structured one, and a background one."""
    answer = client.responses.create(model="gpt-6-luna", input=[{"role": "user", "content": "hello there"}])
    parsed = client.responses.parse(model="gpt-6-luna", input="hello there", text_format=Item)
    queued = client.responses.create(model="gpt-6-luna", input="hello", background=True)

    assert answer.output_text == "Sandbox answer to 2 words: hello there"
    assert answer.usage.input_tokens == 3
    assert parsed.output_parsed == Item(title="hello there", kind="good")
    assert (queued.status, client.responses.retrieve(queued.id).status) == ("queued", "completed")


def test_a_response_s_end(client):
    """The SDK cancels a background response, and deletes one."""
    queued = client.responses.create(model="gpt-6-luna", input="hello", background=True)
    plain = client.responses.create(model="gpt-6-luna", input="hello")
    cancelled = client.responses.cancel(queued.id)
    client.responses.delete(plain.id)

    assert (cancelled.status, cancelled.output) == ("cancelled", [])
    with pytest.raises(openai.BadRequestError, match="synchronous"):
        client.responses.cancel(client.responses.create(model="gpt-6-luna", input="hello").id)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(plain.id)


def test_chat(client):
    """The SDK reads chat completions, plain and parsed."""
    messages = [{"role": "user", "content": [{"type": "text", "text": "hello there"}]}]
    answer = client.chat.completions.create(model="gpt-6-luna", messages=messages, n=2)
    parsed = client.chat.completions.parse(model="gpt-6-luna", messages=messages, response_format=Item)

    assert ["Sandbox answer to 2 words: hello there"] * 2 == [choice.message.content for choice in answer.choices]
    assert parsed.choices[0].message.parsed == Item(title="hello there", kind="good")


def test_moderations(client):
    """The SDK reads moderations."""
    answer = client.moderations.create(input=["fine", "you idiot"], model="omni-moderation-latest")

    assert [False, True] == [result.flagged for result in answer.results]
    assert answer.results[1].categories.harassment


def test_speech(client):
    """The SDK reads speech as bytes."""
    answer = client.audio.speech.create(model="gpt-4o-mini-tts", voice="coral", input="hi", response_format="wav")

    assert answer.content.startswith(b"RIFF")


WAV = ("hi.wav", as_wav(b"\0\0" * 4800))
TRANSCRIPTS = {
    "json": ("gpt-transcribe", {}, lambda answer: (answer.text, answer.usage.type)),
    "text": ("gpt-4o-transcribe", {}, lambda answer: answer),
    "verbose_json": (
        "whisper-1",
        {"timestamp_granularities": ["word", "segment"]},
        lambda answer: (answer.text, answer.duration, len(answer.words), answer.segments[0].end, answer.usage.seconds),
    ),
    "diarized_json": (
        "gpt-4o-transcribe-diarize",
        {"chunking_strategy": "auto"},
        lambda answer: (answer.text, answer.segments[0].speaker),
    ),
    "srt": ("whisper-1", {}, lambda answer: answer),
    "vtt": ("whisper-1", {}, lambda answer: answer),
}
TEXT = "Sandbox transcript of hi.wav."
READ = {
    "json": (TEXT, "tokens"),
    "text": f"{TEXT}\n",
    "verbose_json": (TEXT, 0.2, 4, 0.2, 1),
    "diarized_json": (TEXT, "A"),
    "srt": f"1\n00:00:00,000 --> 00:00:00,200\n{TEXT}\n\n\n",
    "vtt": f"WEBVTT\n\n00:00:00.000 --> 00:00:00.200\n{TEXT}\n\n",
}


@pytest.mark.parametrize("response_format", TRANSCRIPTS)
def test_transcriptions(client, response_format):
    """The SDK reads a transcript in each of its forms."""
    model, wanted, facts = TRANSCRIPTS[response_format]
    answer = client.audio.transcriptions.create(file=WAV, model=model, response_format=response_format, **wanted)

    assert facts(answer) == READ[response_format]


@pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")  # the SDK's word on translations
@pytest.mark.parametrize("response_format", ["json", "verbose_json"])
def test_translations(client, response_format):
    """The SDK reads a translation."""
    answer = client.audio.translations.create(file=WAV, model="whisper-1", response_format=response_format)

    assert answer.text == "Sandbox translation of hi.wav."


@pytest.mark.parametrize(
    ("file", "wanted", "param"),
    [
        (("a.txt", b"x"), {}, "file"),
        (("a.wav", b""), {}, "file"),
        (WAV, {"response_format": "srt"}, "response_format"),
        (WAV, {"timestamp_granularities": ["word"]}, "timestamp_granularities"),
        (WAV, {"temperature": 2}, "temperature"),
    ],
)
def test_a_transcription_that_is_refused(client, file, wanted, param):
    """What the API refuses of a transcription, the sandbox refuses, and the SDK says of which parameter."""
    with pytest.raises(openai.BadRequestError) as caught:
        client.audio.transcriptions.create(file=file, model="gpt-transcribe", **wanted)

    assert caught.value.param == param


ERRORS = {
    "status=400,code=bad": "BadRequestError",
    "status=401": "AuthenticationError",
    "status=403": "PermissionDeniedError",
    "status=404": "NotFoundError",
    "status=409": "ConflictError",
    "status=422": "UnprocessableEntityError",
    "status=429,code=insufficient_quota": "RateLimitError",
    "status=500": "InternalServerError",
    "status=503": "InternalServerError",
    "reset": "APIConnectionError",
    "reset_after_work": "APIConnectionError",
    "truncated": "APIConnectionError",
    "slow=5": "APITimeoutError",
    "html200": "APIResponseValidationError",
}


@pytest.mark.parametrize("rule", ERRORS)
def test_errors(sandbox, client, rule):
    """The SDK raises the exception that belongs to each fault, and no other of its kind."""
    wanted = {"model": "text-embedding-3-small", "input": "a", "encoding_format": "float"}
    timeout = 0.1 if rule.startswith("slow") else 30
    sandbox.set_faults(rule)
    try:
        with pytest.raises(openai.APIError) as caught:
            client.embeddings.create(**wanted, timeout=timeout)
    finally:
        sandbox.set_faults()

    assert type(caught.value).__name__ == ERRORS[rule]


def test_a_refusal_carries_its_code(client):
    """The SDK finds code, param and request id of a refusal."""
    with pytest.raises(openai.BadRequestError) as caught:
        client.embeddings.create(model="text-embedding-3-small", input="a", dimensions=0)

    assert ("integer_below_min_value", "dimensions") == (caught.value.code, caught.value.param)
    assert caught.value.request_id.startswith("req_")


def test_what_the_inbox_takes_the_sdk_takes(sandbox, client):
    """A webhook that the inbox verifies is one that the SDK verifies as well."""
    body, now = '{"id":"evt_1"}', datetime.now(tz=UTC)
    signature = Webhook(DEMO_WEBHOOK_SECRET).sign("msg_1", now, body)
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": signature,
    }
    client.webhooks.verify_signature(body, headers)

    assert httpx.post(sandbox.inbox_url, content=body, headers=headers, trust_env=False).status_code == 200


def test_a_streamed_response(sync_client):
    """The SDK reads the events of a response, and puts its text together."""
    with sync_client.responses.stream(model="gpt-6-luna", input="hello there, how are you?") as stream:
        kinds = [event.type for event in stream]
        whole = stream.get_final_response()
    cut = list(
        sync_client.responses.create(model="gpt-6-luna", input="elephant " * 99, max_output_tokens=16, stream=True)
    )

    assert whole.output_text == "Sandbox answer to 5 words: hello there, how are you?"
    assert ("response.created", "response.completed") == (kinds[0], kinds[-1])
    assert kinds.count("response.output_text.delta") > 1
    assert ("response.incomplete", "incomplete") == (cut[-1].type, cut[-1].response.status)


def test_a_streamed_chat(sync_client):
    """The SDK reads the chunks of a chat, its usage where it was asked for, and puts the messages together."""
    messages = [{"role": "user", "content": "hello there, how are you?"}]
    wanted = {"model": "gpt-6-luna", "messages": messages, "stream_options": {"include_usage": True}}
    with sync_client.chat.completions.stream(**wanted) as stream:
        whole = stream.get_final_completion()
    chunks = list(sync_client.chat.completions.create(model="gpt-6-luna", messages=messages, n=2, stream=True))

    assert whole.choices[0].message.content == "Sandbox answer to 5 words: hello there, how are you?"
    assert (whole.choices[0].finish_reason, whole.usage.prompt_tokens > 0) == ("stop", True)
    assert ({0, 1}, {None}) == ({chunk.choices[0].index for chunk in chunks}, {chunk.usage for chunk in chunks})


def test_both_clients_read_streams(client):
    """Each event and each chunk is read by the asynchronous client as well."""
    events = list(client.responses.create(model="gpt-6-luna", input="hello there", stream=True))
    messages = [{"role": "user", "content": "hello there"}]
    chunks = list(client.chat.completions.create(model="gpt-6-luna", messages=messages, stream=True))

    assert events[-1].response.output_text == "Sandbox answer to 2 words: hello there"
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert text == "Sandbox answer to 2 words: hello there"


def test_an_error_within_a_stream(sandbox, client):
    """The SDK raises what an error event says, and knows a broken stream."""
    sandbox.set_faults("stream_error,code=server_error,message=Oh no")
    with pytest.raises(openai.APIError, match="Oh no"):
        list(client.responses.create(model="gpt-6-luna", input="hello", stream=True))
    sandbox.set_faults("truncated")
    with pytest.raises(openai.APIConnectionError):
        list(client.responses.create(model="gpt-6-luna", input="hello", stream=True))
    sandbox.set_faults()
