"""Servers: who else speaks OpenAI's API, and what of it. Data only.

Sources: the official SDK (``openai/lib/azure.py``, ``openai/_data_residency.py``);
https://learn.microsoft.com/azure/ai-foundry/openai/api-version-lifecycle for Azure's v1;
https://docs.vllm.ai/en/stable/serving/online_serving.html; https://docs.ollama.com/api/openai-compatibility;
https://github.com/michaelfeil/infinity. What is not known of a server is taken as there: its own refusal tells.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Literal

ServerName = Literal["openai", "azure", "azure_classic", "litellm", "vllm", "ollama", "infinity", "other"]

RESIDENCY_HOSTS = {region: f"{region}.api.openai.com" for region in ("us", "eu", "ae", "au", "in", "jp")}
"""OpenAI's hosts of one region each, beside api.openai.com; a project has one of them."""

DEPLOYMENT_PATHS = frozenset(
    {
        *("/completions", "/chat/completions", "/embeddings"),
        *("/audio/transcriptions", "/audio/translations", "/audio/speech"),
        *("/images/generations", "/images/edits"),
    }
)
"""Operations that Azure's classic API has below a deployment; it has all others beside them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a server can do.

    :param base64: gives embeddings as base64 (``encoding_format``), a quarter of the bytes of numbers.
    :param dimensions: takes ``dimensions`` of embeddings.
    :param embeddings: has ``/embeddings``.
    :param chat: has ``/chat/completions``.
    :param responses: has ``/responses``.
    :param files: has ``/files`` and ``/uploads``.
    :param batch: has ``/batches``.
    :param images: has ``/images``.
    :param audio: has ``/audio``.
    :param moderations: has ``/moderations``.
    """

    base64: bool = True
    dimensions: bool = True
    embeddings: bool = True
    chat: bool = True
    responses: bool = True
    files: bool = True
    batch: bool = True
    images: bool = True
    audio: bool = True
    moderations: bool = True

    def but(self, overrides: Mapping[str, bool]) -> Capabilities:
        """Give these with some of them replaced."""
        return replace(self, **overrides)


CAPABILITIES = tuple(field.name for field in fields(Capabilities))

PATHS = {
    "/embeddings": "embeddings",
    "/chat/completions": "chat",
    "/responses": "responses",
    "/files": "files",
    "/uploads": "files",
    "/batches": "batch",
    "/images": "images",
    "/audio": "audio",
    "/moderations": "moderations",
}
"""Beginnings of paths below the base URL, and the capability that each needs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """One kind of server.

    :param title: how a message names it.
    :param can: what it does of the API.
    :param path: path of the base URL where none is given.
    :param key_mode: what ``auth`` is where the connection does not say.
    :param is_open: whether it may want no key: then ``auth`` is ``none`` where there is none.
    :param has_deployments: whether the model stands in the path, and ``api-version`` in the query.
    """

    title: str
    can: Capabilities = Capabilities()
    path: str = ""
    key_mode: Literal["api_key", "azure_api_key"] = "api_key"
    is_open: bool = False
    has_deployments: bool = False


SERVERS: Mapping[str, Server] = {
    "openai": Server(title="OpenAI"),
    "azure": Server(title="Azure OpenAI", path="/openai/v1", key_mode="azure_api_key"),
    "azure_classic": Server(
        title="Azure OpenAI (classic)", path="/openai", key_mode="azure_api_key", has_deployments=True
    ),
    "litellm": Server(title="LiteLLM", is_open=True),
    "vllm": Server(
        title="vLLM",
        can=Capabilities(files=False, batch=False, images=False, moderations=False),
        is_open=True,
    ),
    # Older versions give numbers, whatever they are asked for.
    "ollama": Server(
        title="Ollama",
        can=Capabilities(base64=False, files=False, batch=False, audio=False, moderations=False),
        is_open=True,
    ),
    "infinity": Server(
        title="infinity",
        can=Capabilities(
            **dict.fromkeys(("base64", "chat", "responses", "files", "batch", "images", "audio", "moderations"), False)
        ),
        is_open=True,
    ),
    "other": Server(title="this server", can=Capabilities(base64=False), is_open=True),
}


def needed_capability(path: str) -> str | None:
    """Give the capability that a path below the base URL needs; None for one that no server is known to lack."""
    for beginning, capability in PATHS.items():
        if path == beginning or path.startswith((f"{beginning}/", f"{beginning}?")):
            return capability
    return None
