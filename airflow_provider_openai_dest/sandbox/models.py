"""The models that the sandbox knows, with their shutdown dates (state of 2026-11-22).

The table is fixed on purpose: whether a model is served never depends on today's date, so no test breaks overnight.
Sources: openai 3.54.0 ``types/image_model.py``, ``types/shared/chat_model.py``, ``types/audio/speech_model.py``,
``types/audio_model.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from airflow_provider_openai_dest.sandbox.answers import ApiError

Kind = Literal["embedding", "image", "text", "moderation", "speech", "transcription"]

CREATED = 1_767_225_600  # 2026-01-01; the API tells a date for each model, no client needs it


@dataclass(frozen=True, slots=True)
class Model:
    """One model: what it does, when it is shut down (None: not announced), the vector length of embeddings."""

    id: str
    kind: Kind
    shutdown_date: str | None = None
    dimensions: int | None = None

    def as_json(self) -> dict[str, Any]:
        """Give the API's ``model`` object."""
        return {
            "id": self.id,
            "object": "model",
            "created": CREATED,
            "owned_by": "openai-sandbox",
            "shutdown_date": self.shutdown_date,
        }


_TABLE = (
    Model("text-embedding-3-small", "embedding", dimensions=1536),
    Model("text-embedding-3-large", "embedding", dimensions=3072),
    Model("text-embedding-ada-002", "embedding", dimensions=1536),
    Model("gpt-image-2.6-sunburst", "image"),
    Model("gpt-image-2.6-flare", "image"),
    Model("gpt-image-2.5-sunburst", "image"),
    Model("gpt-image-2.5-sunburst-2026-09-08", "image"),
    Model("gpt-image-2.5-flare", "image"),
    Model("gpt-image-2.5-flare-2026-09-08", "image"),
    Model("gpt-image-2", "image"),
    Model("gpt-image-2-2026-04-21", "image"),
    Model("gpt-image-1.5", "image", "2026-12-01"),
    Model("gpt-image-1-mini", "image", "2026-12-01"),
    Model("chatgpt-image-latest", "image", "2026-12-01"),
    Model("gpt-6-luna", "text"),
    Model("gpt-6-sol", "text"),
    Model("gpt-6-astra", "text"),
    Model("gpt-6.1-terra", "text"),
    Model("gpt-6.1-sol", "text"),
    Model("gpt-6.2-sol", "text"),
    Model("gpt-6.2-astra", "text"),
    Model("gpt-5.5", "text"),
    Model("gpt-5.4-mini", "text"),
    Model("gpt-5.1", "text", "2027-04-01"),
    Model("gpt-5", "text", "2026-12-11"),
    Model("gpt-5-mini", "text", "2026-12-11"),
    Model("gpt-5-nano", "text", "2026-12-11"),
    Model("gpt-4.1", "text", "2027-01-14"),
    Model("gpt-4.1-mini", "text", "2027-01-14"),
    Model("gpt-4o", "text", "2027-01-14"),
    Model("gpt-4o-mini", "text", "2027-01-14"),
    Model("omni-moderation-latest", "moderation"),
    Model("omni-moderation-2024-09-26", "moderation"),
    Model("gpt-4o-mini-tts", "speech", "2027-01-06"),
    Model("tts-1", "speech", "2027-01-06"),
    Model("tts-1-hd", "speech", "2027-01-06"),
    Model("gpt-transcribe", "transcription"),
    Model("gpt-4o-transcribe", "transcription", "2027-02-26"),
    Model("gpt-4o-mini-transcribe", "transcription", "2027-02-26"),
    Model("gpt-4o-transcribe-diarize", "transcription", "2027-02-26"),
    Model("whisper-1", "transcription", "2027-02-26"),
)

MODELS = {model.id: model for model in _TABLE}

_USE_IMAGES = "Use gpt-image-2.5-sunburst or gpt-image-2.5-flare instead."
_USE_TEXT = "Use gpt-6-luna instead."

RETIRED_MODELS = {
    "dall-e-2": f"was retired on May 12, 2026. {_USE_IMAGES}",
    "dall-e-3": f"was retired on May 12, 2026. {_USE_IMAGES}",
    "gpt-image-1": f"was shut down on October 23, 2026. {_USE_IMAGES}",
    "gpt-3.5-turbo": f"was shut down on October 23, 2026. {_USE_TEXT}",
    "gpt-4": f"was shut down on October 23, 2026. {_USE_TEXT}",
    "gpt-4-turbo": f"was shut down on October 23, 2026. {_USE_TEXT}",
    "gpt-4.1-nano": f"was shut down on October 23, 2026. {_USE_TEXT}",
    "o1": f"was shut down on October 23, 2026. {_USE_TEXT}",
    "o3-mini": f"was shut down on October 23, 2026. {_USE_TEXT}",
    "o4-mini": f"was shut down on October 23, 2026. {_USE_TEXT}",
}


def find_model(name: str | None, kind: Kind | None = None) -> Model:
    """Give the model of that name; a 404 when it is unknown, retired, or does another kind of work."""
    model = MODELS.get(name or "")
    if model is not None and kind in (None, model.kind):
        return model
    if model is not None:
        message = f"This is not a model for {kind} work: `{name}` is one for {model.kind} work."
    elif name in RETIRED_MODELS:
        message = f"The model `{name}` {RETIRED_MODELS[name]}"
    else:
        message = f"The model `{name}` does not exist or you do not have access to it."
    raise ApiError(404, message, param="model", code="model_not_found")


def model_check(kind: Kind, default: str | None = None) -> Callable[[Mapping[str, Any]], None]:
    """Give the check of a body's ``model`` for a :class:`.validation.Shape`."""

    def check(body: Mapping[str, Any]) -> None:
        find_model(body.get("model", default), kind)

    return check
