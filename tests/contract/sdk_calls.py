"""The calls of the official SDK that are compared with ours: its method, and the arguments that both are given.

An argument is written once. The SDK gets it as it is, and our body template has it under the same name; where it is a
:class:`Named` file, the SDK gets name and bytes, and ours the path.
"""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from pathlib import PurePosixPath
from typing import Any

FOLDER = "/data"
FILES = {
    "a.png": b"PNG a",
    "b.png": b"PNG b",
    "m.png": b"PNG mask",
    "a.mp3": b"MP3",
    "no_extension": b"\x00\x01",
    "a b.jsonl": b'{"a":1}\n',
    'quo"te.txt': b"text",
    "Bär.pdf": b"PDF",
    "skill.zip": b"ZIP",
}


@dataclass(frozen=True)
class Named:
    """A file of :data:`FILES`."""

    name: str
    st_mode: int = 0

    @property
    def st_size(self) -> int:
        """Give the size, as a stat does."""
        return len(FILES[self.name])

    def stat(self) -> Named:
        """Give mode and size."""
        return self

    def open(self, mode: str = "rb", /) -> Any:
        """Open the file."""
        return BytesIO(FILES[self.name])


def named(uri: str) -> Named:
    """Give the file at a path."""
    return Named(PurePosixPath(uri).name)


def for_the_sdk(argument: Any) -> Any:
    """Give an argument as the SDK takes it."""
    if isinstance(argument, Named):
        return argument.name, FILES[argument.name]
    return [for_the_sdk(item) for item in argument] if isinstance(argument, list) else argument


def for_a_body(argument: Any) -> Any:
    """Give an argument as a body template has it."""
    if isinstance(argument, Named):
        return f"{FOLDER}/{argument.name}"
    return [for_a_body(item) for item in argument] if isinstance(argument, list) else argument


Call = tuple[str, str, dict[str, Any]]

A, B, M, MP3 = Named("a.png"), Named("b.png"), Named("m.png"), Named("a.mp3")
EDIT = {"model": "m", "prompt": "p"}
HOUR = {"anchor": "created_at", "seconds": 3600}

# What is sent as a form: our endpoint, the SDK's method, the arguments of both.
FORMS: dict[str, Call] = {
    "a file": ("upload_file", "files.create", {"file": Named("a b.jsonl"), "purpose": "batch"}),
    "a file that expires": (
        "upload_file",
        "files.create",
        {"file": Named("a b.jsonl"), "purpose": "batch", "expires_after": HOUR},
    ),
    "a file without an extension": (
        "upload_file",
        "files.create",
        {"file": Named("no_extension"), "purpose": "user_data"},
    ),
    "a file name with a quotation mark": (
        "upload_file",
        "files.create",
        {"file": Named('quo"te.txt'), "purpose": "user_data"},
    ),
    "a file name beyond ASCII": ("upload_file", "files.create", {"file": Named("Bär.pdf"), "purpose": "user_data"}),
    "an edit of one image": ("create_image_edit", "images.edit", {**EDIT, "image": A, "n": 2}),
    "an edit of a list of one image": ("create_image_edit", "images.edit", {**EDIT, "image": [A]}),
    "an edit of two images, with a mask": ("create_image_edit", "images.edit", {**EDIT, "image": [A, B], "mask": M}),
    "an edit with markup, as an animation": (
        "create_image_edit",
        "images.edit",
        {
            **EDIT,
            "image": A,
            "markup": M,
            "output_format": "gif",
            "frame_count": 4,
            "frame_duration_ms": 80,
            "svg": {"model": "m", "reasoning": {"effort": "low"}},
        },
    ),
    "an edit with all that is no file": (
        "create_image_edit",
        "images.edit",
        {
            **EDIT,
            "image": A,
            "n": 3,
            "size": "1536x1024",
            "quality": "high",
            "background": "transparent",
            "output_format": "webp",
            "output_compression": 0,
            "input_fidelity": "high",
            "complexity": "low",
            "safety_identifier": "s",
            "user": "ü\n",
        },
    ),
    "a transcription": ("create_transcription", "audio.transcriptions.create", {"model": "m", "file": MP3}),
    "a transcription with everything": (
        "create_transcription",
        "audio.transcriptions.create",
        {
            "model": "m",
            "file": MP3,
            "language": "en",
            "languages": ["en", "de"],
            "keywords": ["Kubernetes", "Airflow"],
            "prompt": "p",
            "response_format": "verbose_json",
            "temperature": 0.5,
            "include": ["logprobs"],
            "timestamp_granularities": ["word", "segment"],
            "chunking_strategy": {"type": "server_vad", "threshold": 0.5, "prefix_padding_ms": 300},
            "known_speaker_names": ["agent", "customer"],
            "known_speaker_references": ["data:audio/wav;base64,AAA=", "data:audio/wav;base64,AAE="],
        },
    ),
    "a transcription cut by the server": (
        "create_transcription",
        "audio.transcriptions.create",
        {"model": "m", "file": MP3, "temperature": 0, "chunking_strategy": "auto"},
    ),
    "a translation": (
        "create_translation",
        "audio.translations.create",
        {"model": "m", "file": MP3, "prompt": "p", "response_format": "srt", "temperature": 1},
    ),
    "a part of an upload": (
        "add_upload_part",
        "uploads.parts.create",
        {"upload_id": "upload_1", "data": Named("no_extension")},
    ),
    "a container's file": ("create_container_file", "containers.files.create", {"container_id": "c_1", "file": A}),
    "a skill of one archive": ("create_skill", "skills.create", {"files": Named("skill.zip")}),
    "a skill of several files": ("create_skill", "skills.create", {"files": [A, Named('quo"te.txt')]}),
    "a version of a skill": (
        "create_skill_version",
        "skills.versions.create",
        {"skill_id": "s_1", "default": True, "files": [Named("skill.zip")]},
    ),
    "a consent to a voice": (
        "create_voice_consent",
        "audio.voice_consents.create",
        {"language": "en-US", "name": "n", "recording": MP3},
    ),
    "a voice": ("create_voice", "audio.voices.create", {"audio_sample": MP3, "consent": "cons_1", "name": "n"}),
    "a check of provenance": (
        "create_content_provenance_check",
        "content_provenance_checks.create",
        {"file": A},
    ),
}

MESSAGES = [{"role": "user", "content": [{"type": "text", "text": "hi ü"}]}]
SCHEMA = {"type": "json_schema", "name": "s", "schema": {"type": "object"}, "strict": True}
PAGE = {"limit": 5, "order": "asc", "after": "x 1"}

# What is sent as JSON, or without a body: our endpoint, the SDK's method, the arguments of both.
REQUESTS: dict[str, Call] = {
    "a response": (
        "create_response",
        "responses.create",
        {
            "model": "m",
            "input": [{"role": "user", "content": "hi ü"}],
            "instructions": None,
            "text": {"format": SCHEMA},
            "reasoning": {"effort": "low"},
            "tools": [{"type": "web_search"}],
            "include": ["reasoning.encrypted_content"],
            "metadata": {"a": "b"},
            "temperature": 0.2,
            "max_output_tokens": 16,
            "store": False,
            "background": True,
        },
    ),
    "a response's reading": (
        "retrieve_response",
        "responses.retrieve",
        {"response_id": "r_1", "include": ["message.output_text.logprobs", "file_search_call.results"]},
    ),
    "a response's end": ("cancel_response", "responses.cancel", {"response_id": "r_1"}),
    "a response's deletion": ("delete_response", "responses.delete", {"response_id": "r_1"}),
    "a response's input": (
        "list_response_input_items",
        "responses.input_items.list",
        {"response_id": "r_1", "include": ["code_interpreter_call.outputs"], **PAGE},
    ),
    "a response's tokens": ("count_input_tokens", "responses.input_tokens.count", {"model": "m", "input": "hi"}),
    "a chat completion": (
        "create_chat_completion",
        "chat.completions.create",
        {
            "model": "m",
            "messages": MESSAGES,
            "n": 2,
            "stop": ["a", "b"],
            "logit_bias": {"50256": -100},
            "response_format": {"type": "json_object"},
            "seed": 7,
            "top_p": 1,
        },
    ),
    "stored chat completions": (
        "list_chat_completions",
        "chat.completions.list",
        {"model": "m", "metadata": {"a": "b c"}, **PAGE},
    ),
    "embeddings": (
        "create_embedding",
        "embeddings.create",
        {"model": "m", "input": "a", "encoding_format": "base64", "dimensions": 8, "user": "u"},
    ),
    "moderations": (
        "create_moderation",
        "moderations.create",
        {"model": "m", "input": [{"type": "text", "text": "a"}]},
    ),
    "an image": (
        "create_image",
        "images.generate",
        {"model": "m", "prompt": "p", "n": 2, "size": "auto", "output_format": "webp", "output_compression": 50},
    ),
    "speech": (
        "create_speech",
        "audio.speech.create",
        {"model": "m", "input": "i", "voice": "coral", "response_format": "wav", "speed": 1.5, "instructions": "x"},
    ),
    "a completion": ("create_completion", "completions.create", {"model": "m", "prompt": "p", "max_tokens": 5}),
    "files": ("list_files", "files.list", {"purpose": "batch", **PAGE}),
    "a file's reading": ("retrieve_file", "files.retrieve", {"file_id": "file-1"}),
    "a file's content": ("retrieve_file_content", "files.content", {"file_id": "file-1"}),
    "a file's deletion": ("delete_file", "files.delete", {"file_id": "file-1"}),
    "an id that must be escaped": ("retrieve_file", "files.retrieve", {"file_id": "a b?c#d é%"}),
    "an upload": (
        "create_upload",
        "uploads.create",
        {"bytes": 5, "filename": "a.bin", "mime_type": "text/plain", "purpose": "batch", "expires_after": HOUR},
    ),
    "an upload's end": (
        "complete_upload",
        "uploads.complete",
        {"upload_id": "upload_1", "part_ids": ["part_2", "part_1"], "md5": "d41d8cd98f00b204e9800998ecf8427e"},
    ),
    "an upload given up": ("cancel_upload", "uploads.cancel", {"upload_id": "upload_1"}),
    "a batch": (
        "create_batch",
        "batches.create",
        {
            "completion_window": "24h",
            "endpoint": "/v1/responses",
            "input_file_id": "file-1",
            "metadata": {"a": "b"},
            "output_expires_after": HOUR,
        },
    ),
    "a batch's reading": ("retrieve_batch", "batches.retrieve", {"batch_id": "batch_1"}),
    "a batch given up": ("cancel_batch", "batches.cancel", {"batch_id": "batch_1"}),
    "batches": ("list_batches", "batches.list", {"after": "batch_1", "limit": 2}),
    "models": ("list_models", "models.list", {}),
    "a model": ("retrieve_model", "models.retrieve", {"model": "ft:gpt:a:b"}),
    "a vector store": (
        "create_vector_store",
        "vector_stores.create",
        {"name": "n", "file_ids": ["file-1"], "expires_after": {"anchor": "last_active_at", "days": 1}},
    ),
    "a search in a vector store": (
        "search_vector_store",
        "vector_stores.search",
        {
            "vector_store_id": "vs_1",
            "query": ["a", "b"],
            "filters": {"type": "eq", "key": "k", "value": 1},
            "max_num_results": 3,
        },
    ),
    "files for a vector store": (
        "create_vector_store_file_batch",
        "vector_stores.file_batches.create",
        {"vector_store_id": "vs_1", "file_ids": ["file-1", "file-2"], "attributes": {"a": 1, "b": True, "c": "d"}},
    ),
    "a file for a container by its id": (
        "create_container_file",
        "containers.files.create",
        {"container_id": "c_1", "file_id": "file-1"},
    ),
    "a container": (
        "create_container",
        "containers.create",
        {"name": "n", "file_ids": ["file-1"], "expires_after": {"anchor": "last_active_at", "minutes": 20}},
    ),
    "a conversation": (
        "create_conversation",
        "conversations.create",
        {"items": [{"type": "message", "role": "user", "content": "hi"}], "metadata": {"a": "b"}},
    ),
    "a fine-tuning job": (
        "create_fine_tuning_job",
        "fine_tuning.jobs.create",
        {"model": "m", "training_file": "file-1", "seed": 1, "suffix": "s", "method": {"type": "supervised"}},
    ),
    "fine-tuning jobs": ("list_fine_tuning_jobs", "fine_tuning.jobs.list", {"limit": 2, "metadata": {"a": "b"}}),
}
