"""Chat completions: https://platform.openai.com/docs/api-reference/chat/create."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from annotated_types import Len
from pydantic import Field

from airflow_provider_openai_dest.validation.body_model import BodyModel, Object, Objects, TextModelBody, Texts

Penalty = Annotated[float, Field(ge=-2, le=2)]


class Message(BodyModel):
    """An entry of ``messages``; its parts are of too many kinds to look into them."""

    role: str
    content: str | Annotated[Objects, Len(1)] | None = None
    name: str | None = None
    tool_call_id: str | None = None
    tool_calls: Objects | None = None


class NamedSchema(BodyModel):
    """``response_format.json_schema``."""

    name: str
    description: str | None = None
    schema_: Object | None = Field(None, alias="schema")
    strict: bool | None = None


class JsonSchemaFormat(BodyModel):
    """``response_format`` of a structured output."""

    type: Literal["json_schema"]
    json_schema: NamedSchema


class PlainFormat(BodyModel):
    """``response_format`` of any other output."""

    type: Literal["text", "json_object"]


class Audio(BodyModel):
    """``audio``."""

    format: str
    voice: str | Object


class CreateChatCompletion(TextModelBody):
    """``create_chat_completion``."""

    model: str
    messages: Annotated[list[Message], Len(1)]
    audio: Audio | None = None
    frequency_penalty: Penalty | None = None
    function_call: str | Object | None = None
    functions: Annotated[Objects, Len(1, 128)] | None = None
    logit_bias: dict[str, int] | None = None
    logprobs: bool | None = None
    max_completion_tokens: int | None = None
    max_tokens: int | None = None
    modalities: list[str] | None = None
    n: int | None = Field(None, ge=1, le=128)
    prediction: Any = None
    presence_penalty: Penalty | None = None
    reasoning_effort: str | None = None
    response_format: JsonSchemaFormat | PlainFormat | None = None
    seed: int | None = Field(None, ge=-(2**63), le=2**63 - 1)
    stop: str | Annotated[Texts, Len(1, 4)] | None = None
    verbosity: str | None = None
    web_search_options: Object | None = None
