"""The shutdown dates that OpenAI has announced (state of 2026-11-22), as data.

``GET /models`` tells the date of a model while it is served; of one that has ended it says nothing any more, and of
successors nothing at all. Sources: https://developers.openai.com/api/docs/deprecations, and the deprecated values in
``types/image_model.py``, ``types/shared/chat_model.py``, ``types/audio/speech_model.py`` and ``types/audio_model.py``
of openai 3.54.0. What serves in place of a model is named where those say so.
"""

from __future__ import annotations

from dataclasses import dataclass

DEPRECATIONS = "https://developers.openai.com/api/docs/deprecations"


@dataclass(frozen=True, slots=True)
class Shutdown:
    """On ``date`` (``YYYY-MM-DD``) a model ends; ``successor`` is empty where none is named."""

    date: str
    successor: str = ""


_IMAGES = "gpt-image-2.5-sunburst or gpt-image-2.5-flare"
_TEXT = "gpt-6-luna"
_TRANSCRIBE = "gpt-transcribe"

_ANNOUNCED: tuple[tuple[Shutdown, tuple[str, ...]], ...] = (
    (
        Shutdown("2024-01-04"),
        (
            *("ada", "babbage", "curie", "davinci", "code-davinci-002", "text-ada-001", "text-babbage-001"),
            *("text-curie-001", "text-davinci-001", "text-davinci-002", "text-davinci-003"),
        ),
    ),
    (Shutdown("2024-09-13"), ("gpt-3.5-turbo-0301", "gpt-3.5-turbo-0613", "gpt-3.5-turbo-16k")),
    (Shutdown("2024-12-06"), ("gpt-4-vision-preview",)),
    (Shutdown("2025-06-06"), ("gpt-4-32k", "gpt-4-32k-0314", "gpt-4-32k-0613")),
    (Shutdown("2025-07-14"), ("gpt-4.5-preview", "gpt-4.5-preview-2025-02-27")),
    (Shutdown("2025-07-28"), ("o1-preview", "o1-preview-2024-09-12")),
    (Shutdown("2025-10-27"), ("o1-mini", "o1-mini-2024-09-12")),
    (
        Shutdown("2025-10-27", "omni-moderation-latest"),
        ("text-moderation-007", "text-moderation-latest", "text-moderation-stable"),
    ),
    (Shutdown("2026-02-12"), ("codex-mini-latest",)),
    (Shutdown("2026-02-17"), ("chatgpt-4o-latest",)),
    (Shutdown("2026-03-26"), ("gpt-4-0125-preview", "gpt-4-turbo-preview", "gpt-4-0314")),
    (
        Shutdown("2026-05-07"),
        (
            *("gpt-4o-audio-preview", "gpt-4o-mini-audio-preview"),
            *("gpt-4o-realtime-preview", "gpt-4o-mini-realtime-preview"),
        ),
    ),
    (Shutdown("2026-05-12", _IMAGES), ("dall-e-2", "dall-e-3")),
    (
        Shutdown("2026-07-23"),
        (
            *("gpt-5.1-codex", "gpt-5.1-chat-latest", "gpt-5-chat-latest"),
            *("gpt-4o-search-preview", "gpt-4o-mini-search-preview"),
        ),
    ),
    (Shutdown("2026-08-10"), ("gpt-5.3-chat-latest", "gpt-5.2-chat-latest")),
    (
        Shutdown("2026-09-24"),
        ("sora-2", "sora-2-2025-10-06", "sora-2-2025-12-08", "sora-2-pro", "sora-2-pro-2025-10-06"),
    ),
    (Shutdown("2026-09-28"), ("gpt-3.5-turbo-1106", "gpt-3.5-turbo-instruct", "babbage-002", "davinci-002")),
    (Shutdown("2026-10-23", _IMAGES), ("gpt-image-1",)),
    (
        Shutdown("2026-10-23", _TEXT),
        (
            *("gpt-3.5-turbo", "gpt-3.5-turbo-0125", "gpt-4", "gpt-4-0613", "gpt-4-1106-preview", "gpt-4-turbo"),
            *("gpt-4-turbo-2024-04-09", "gpt-4.1-nano", "gpt-4.1-nano-2025-04-14", "gpt-4o-2024-05-13"),
            *("o1", "o1-2024-12-17", "o3-mini", "o3-mini-2025-01-31", "o4-mini", "o4-mini-2025-04-16"),
        ),
    ),
    (Shutdown("2026-12-01", _IMAGES), ("gpt-image-1.5", "gpt-image-1-mini", "chatgpt-image-latest")),
    (
        Shutdown("2026-12-11"),
        (
            *("gpt-5", "gpt-5-2025-08-07", "gpt-5-mini", "gpt-5-mini-2025-08-07", "gpt-5-nano"),
            *("gpt-5-nano-2025-08-07", "gpt-5-pro", "o3", "o3-2025-04-16", "o3-pro"),
        ),
    ),
    (Shutdown("2027-01-06"), ("tts-1", "tts-1-hd", "gpt-4o-mini-tts", "gpt-4o-mini-tts-2025-12-15")),
    (
        Shutdown("2027-01-14", _TEXT),
        (
            *("gpt-4o", "gpt-4o-2024-08-06", "gpt-4o-2024-11-20", "gpt-4o-mini", "gpt-4o-mini-2024-07-18"),
            *("gpt-4.1", "gpt-4.1-2025-04-14", "gpt-4.1-mini", "gpt-4.1-mini-2025-04-14"),
        ),
    ),
    (Shutdown("2027-01-20"), ("gpt-audio-mini", "gpt-audio-mini-2025-12-15")),
    (
        Shutdown("2027-02-26", _TRANSCRIBE),
        (
            *("whisper-1", "gpt-4o-transcribe", "gpt-4o-transcribe-diarize", "gpt-4o-mini-transcribe"),
            "gpt-4o-mini-transcribe-2025-12-15",
        ),
    ),
    (
        Shutdown("2027-04-01"),
        ("gpt-5.1", "gpt-5.1-2025-11-13", "gpt-5.4-nano", "gpt-5.4-nano-2026-03-17", "gpt-5.3-codex"),
    ),
)

SHUTDOWNS: dict[str, Shutdown] = {model: shutdown for shutdown, models in _ANNOUNCED for model in models}
