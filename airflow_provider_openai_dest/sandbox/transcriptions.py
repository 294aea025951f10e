"""POST /audio/transcriptions and /audio/translations: what they take and what they answer."""

from __future__ import annotations

import io
import math
import wave
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

from airflow_provider_openai_dest.sandbox.answers import Answer
from airflow_provider_openai_dest.sandbox.calls import Call, Upload
from airflow_provider_openai_dest.sandbox.models import model_check
from airflow_provider_openai_dest.sandbox.state import SandboxState
from airflow_provider_openai_dest.sandbox.tokens import count_tokens
from airflow_provider_openai_dest.sandbox.validation import Array, Body, Field, Flag, Number, Shape, Text, refuse

EXTENSIONS = ("flac", "m4a", "mp3", "mp4", "mpeg", "mpga", "oga", "ogg", "wav", "webm")
BYTES_A_SECOND = 16_000  # of what is no WAV: 128 kbit/s
TOKENS_A_SECOND = 10
WHISPER, DIARIZE = "whisper-1", "gpt-4o-transcribe-diarize"
# Formats that a model has beside json and text.
FORMATS = {WHISPER: ("srt", "verbose_json", "vtt"), DIARIZE: ("diarized_json",)}

Writing: TypeAlias = Callable[[str, float], Any]


def create_transcription(_state: SandboxState, call: Call) -> Answer:
    """Answer a text that names the recording, in the form that was asked for."""
    recording = _recording_of(call)
    text, seconds = f"Sandbox transcript of {recording.name}.", seconds_of(recording)
    return _written(call.body, text, seconds, task="transcribe", usage=_usage(call.body["model"], text, seconds))


def create_translation(_state: SandboxState, call: Call) -> Answer:
    """Answer an English text that names the recording, in the form that was asked for."""
    recording = _recording_of(call)
    text = f"Sandbox translation of {recording.name}."
    return _written(call.body, text, seconds_of(recording), task="translate")


def seconds_of(recording: Upload) -> float:
    """Give how long a recording is: exactly of a WAV, by its size of all others."""
    try:
        with wave.open(io.BytesIO(recording.data)) as sound:
            seconds: float = sound.getnframes() / sound.getframerate()
    except (wave.Error, EOFError):
        seconds = len(recording.data) / BYTES_A_SECOND
    return round(seconds, 2)


def _recording_of(call: Call) -> Upload:
    uploads = call.uploads.get("file", ())
    if len(uploads) != 1 or not uploads[0].name:
        refuse("Missing required parameter: 'file'.", "file", "missing_required_parameter")
    if uploads[0].name.rpartition(".")[2].lower() not in EXTENSIONS:
        refuse(f"Unrecognized file format. Supported formats: {list(EXTENSIONS)}", "file", "invalid_value")
    if not uploads[0].data:
        refuse("Audio file is empty.", "file", "invalid_value")
    return uploads[0]


def _written(body: Body, text: str, seconds: float, **facts: Any) -> Answer:
    wanted = body.get("response_format", "json")
    content = WRITING[wanted](text, seconds)
    if isinstance(content, str):
        return Answer(content=content.encode(), media_type="text/plain; charset=utf-8")
    if "word" in body.get("timestamp_granularities", ()):
        content["words"] = list(_words(text.split(), seconds))
    return Answer(content=content | {name: fact for name, fact in facts.items() if name != "task" or "task" in content})


def _words(words: list[str], seconds: float) -> Iterator[dict[str, Any]]:
    each = seconds / len(words)
    for place, word in enumerate(words):
        yield {"word": word, "start": round(place * each, 2), "end": round((place + 1) * each, 2)}


def _verbose(text: str, seconds: float) -> dict[str, Any]:
    segment = {
        "id": 0,
        "seek": 0,
        "start": 0.0,
        "end": seconds,
        "text": text,
        "tokens": list(range(count_tokens(text))),
        "temperature": 0.0,
        "avg_logprob": -0.1,
        "compression_ratio": 1.0,
        "no_speech_prob": 0.0,
    }
    return {"task": "transcribe", "language": "english", "duration": seconds, "text": text, "segments": [segment]}


def _diarized(text: str, seconds: float) -> dict[str, Any]:
    place = {"id": "seg_0", "type": "transcript.text.segment", "start": 0.0, "end": seconds}
    return {
        "task": "transcribe",
        "duration": seconds,
        "text": text,
        "segments": [{**place, "speaker": "A", "text": text}],
    }


def _clock(seconds: float, point: str) -> str:
    minutes, milliseconds = divmod(round(seconds * 1000), 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{milliseconds // 1000:02}{point}{milliseconds % 1000:03}"


WRITING: Mapping[str, Writing] = {
    "json": lambda text, _seconds: {"text": text},
    "text": lambda text, _seconds: f"{text}\n",
    "srt": lambda text, seconds: f"1\n{_clock(0, ',')} --> {_clock(seconds, ',')}\n{text}\n\n\n",
    "vtt": lambda text, seconds: f"WEBVTT\n\n{_clock(0, '.')} --> {_clock(seconds, '.')}\n{text}\n\n",
    "verbose_json": _verbose,
    "diarized_json": _diarized,
}


def _usage(model: str, text: str, seconds: float) -> dict[str, Any]:
    if model == WHISPER:
        return {"type": "duration", "seconds": math.ceil(seconds)}
    given, made = math.ceil(seconds * TOKENS_A_SECOND), count_tokens(text)
    return {
        "type": "tokens",
        "input_tokens": given,
        "input_token_details": {"audio_tokens": given, "text_tokens": 0},
        "output_tokens": made,
        "total_tokens": given + made,
    }


def _check_format(body: Body) -> None:
    wanted, model = body.get("response_format", "json"), body["model"]
    if wanted not in ("json", "text", *FORMATS.get(model, ())):
        message = f"response_format '{wanted}' is not compatible with model '{model}'."
        refuse(message, "response_format", "unsupported_value")
    if "timestamp_granularities" in body and wanted != "verbose_json":
        message = "timestamp_granularities needs response_format 'verbose_json'."
        refuse(message, "timestamp_granularities", "invalid_value")
    if body.get("stream"):
        refuse("The sandbox doesn't stream transcripts: leave 'stream' out.", "stream", "unsupported_value")


_SHARED = {
    "model": Text(required=True),
    "prompt": Text(),
    "response_format": Text(choices=tuple(WRITING)),
    "temperature": Number(at_least=0, at_most=1),
}
TRANSCRIPTION = Shape(
    fields={
        **_SHARED,
        "language": Text(),
        "languages": Array(),
        "keywords": Array(),
        "include": Array(),
        "timestamp_granularities": Array(),
        "chunking_strategy": Field(kinds=("string", "object")),
        "known_speaker_names": Array(longest=4),
        "known_speaker_references": Array(longest=4),
        "stream": Flag(),
    },
    is_open=False,
    checks=(model_check("transcription"), _check_format),
)
TRANSLATION = Shape(fields=_SHARED, is_open=False, checks=(model_check("transcription"), _check_format))
