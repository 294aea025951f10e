"""POST /audio/speech: what it takes and what it answers."""

from __future__ import annotations

import io
import math
import wave
from array import array
from zlib import crc32

from airflow_provider_openai_dest.sandbox.answers import Answer
from airflow_provider_openai_dest.sandbox.calls import Call
from airflow_provider_openai_dest.sandbox.models import model_check
from airflow_provider_openai_dest.sandbox.state import SandboxState
from airflow_provider_openai_dest.sandbox.tokens import count_tokens
from airflow_provider_openai_dest.sandbox.validation import Body, Field, Number, Shape, Text, refuse

SAMPLES_A_SECOND = 24_000  # of the API's own pcm: 16 bits, one channel
SPOKEN_FORMATS = ("wav", "pcm")
VOICES = (
    "alloy", "ash", "ballad", "coral", "echo", "fable", "onyx", "nova", "sage", "shimmer", "verse", "marin", "cedar",
)  # fmt: skip


def count_speech_tokens(body: Body) -> int:
    """Count the tokens of the text."""
    return count_tokens(body["input"])


def create_speech(_state: SandboxState, call: Call) -> Answer:
    """Answer a short tone, its pitch from the text: a WAV, also where OpenAI's default (mp3) was left in place."""
    samples = _tone(call.body["input"])
    if call.body.get("response_format") == "pcm":
        return Answer(content=samples, media_type="audio/pcm")
    return Answer(content=as_wav(samples), media_type="audio/wav")


def as_wav(samples: bytes) -> bytes:
    """Give the WAV file of these samples, of 16 bits and one channel."""
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(SAMPLES_A_SECOND)
        sound.writeframes(samples)
    return file.getvalue()


def _tone(text: str) -> bytes:
    samples_a_wave = 40 + crc32(text.encode("utf-8", "surrogatepass")) % 80  # 200 to 600 Hz
    one = array("h", [round(6000 * math.sin(2 * math.pi * at / samples_a_wave)) for at in range(samples_a_wave)])
    return one.tobytes() * (SAMPLES_A_SECOND // 5 // samples_a_wave)


def _check_speech(body: Body) -> None:
    wanted = body.get("response_format", "wav")
    if wanted not in SPOKEN_FORMATS:
        message = f"The sandbox speaks wav and pcm only: it has no encoder for '{wanted}', which OpenAI would speak."
        refuse(message, "response_format", "unsupported_value")
    if body.get("stream_format") == "sse":
        refuse("The sandbox doesn't stream: leave 'stream_format' out.", "stream_format", "unsupported_value")


SPEECH = Shape(
    fields={
        "model": Text(required=True),
        "input": Text(required=True, shortest=1, longest=4096),
        "voice": Field(kinds=("string", "object"), required=True, choices=VOICES),
        "instructions": Text(longest=4096),
        "response_format": Text(choices=("mp3", "opus", "aac", "flac", "wav", "pcm")),
        "speed": Number(at_least=0.25, at_most=4),
    },
    checks=(model_check("speech"), _check_speech),
)
