"""Audio: https://platform.openai.com/docs/api-reference/audio."""

from __future__ import annotations

from airflow_provider_openai_dest.endpoints.template import EndpointTemplate

CREATE_SPEECH = EndpointTemplate(
    name="create_speech",
    path="/audio/speech",
    required=("model", "input", "voice"),
    optional=("instructions", "response_format", "speed"),
    answer="file",
)

CREATE_TRANSCRIPTION = EndpointTemplate(
    name="create_transcription",
    path="/audio/transcriptions",
    content="multipart",
    required=("model", "file"),
    optional=(
        *("language", "languages", "keywords", "prompt", "response_format", "temperature", "include"),
        *("timestamp_granularities", "chunking_strategy", "known_speaker_names", "known_speaker_references"),
    ),
    file_fields=("file",),
    answer="any",
)

CREATE_TRANSLATION = EndpointTemplate(
    name="create_translation",
    path="/audio/translations",
    content="multipart",
    required=("file", "model"),
    optional=("prompt", "response_format", "temperature"),
    file_fields=("file",),
    answer="any",
)
