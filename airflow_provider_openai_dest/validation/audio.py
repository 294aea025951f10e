"""Audio: https://platform.openai.com/docs/api-reference/audio."""

from __future__ import annotations

from typing import Annotated, Literal

from annotated_types import MaxLen
from pydantic import Field

from airflow_provider_openai_dest.validation.body_model import BodyModel, FormModel, Object, Texts

LONGEST_SPEECH = 4096
MOST_SPEAKERS = 4


class Voice(BodyModel):
    """A voice of one's own."""

    id: str


class CreateSpeech(BodyModel):
    """``create_speech``."""

    model: str
    input: str = Field(max_length=LONGEST_SPEECH)
    voice: str | Voice
    instructions: str | None = Field(None, max_length=LONGEST_SPEECH)
    response_format: str | None = None
    speed: float | None = Field(None, ge=0.25, le=4)
    stream_format: str | None = None


class VoiceActivity(FormModel):
    """``chunking_strategy`` by pauses."""

    type: Literal["server_vad"]
    prefix_padding_ms: int | None = None
    silence_duration_ms: int | None = None
    threshold: float | None = None


class CreateTranscription(FormModel):
    """``create_transcription``."""

    model: str
    file: str | Object
    chunking_strategy: Literal["auto"] | VoiceActivity | None = None
    include: list[str] | None = None
    keywords: list[str] | None = None
    known_speaker_names: Annotated[list[str], MaxLen(MOST_SPEAKERS)] | None = None
    known_speaker_references: Annotated[list[str], MaxLen(MOST_SPEAKERS)] | None = None
    language: str | None = None
    languages: Texts | None = None
    prompt: str | None = None
    response_format: str | None = None
    stream: bool | None = None
    temperature: float | None = Field(None, ge=0, le=1)
    timestamp_granularities: list[Literal["segment", "word"]] | None = None
