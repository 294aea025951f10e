"""BodyModel: what a request body is described by, and the types that several sections of the API share.

The models are open, since the API moves faster than any package: fields that they do not name pass, and so do words of
lists that grow (models, sizes, qualities, voices). They refuse what the API certainly refuses. Null passes for every
field that is not required. Sources: OpenAI's OpenAPI specification, and the parameters of openai 3.54 where newer.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from annotated_types import Ge, Le, Len, MaxLen, MinLen
from pydantic import BaseModel, ConfigDict, Field


class BodyModel(BaseModel):
    """The body of a JSON request, or an object in it: a number is no text, and a truth value no number."""

    model_config = ConfigDict(strict=True, extra="ignore", hide_input_in_errors=True)


class FormModel(BodyModel):
    """The body of a form, where everything is written as text in any case."""

    model_config = ConfigDict(strict=False, coerce_numbers_to_str=True)


Texts = Annotated[list[str], MinLen(1)]
Tokens = Annotated[list[int], MinLen(1)]
Object = dict[str, Any]
Objects = list[dict[str, Any]]
TopLogprobs = Annotated[int, Ge(0), Le(20)]
PartialImages = Annotated[int, Ge(0), Le(3)]
SafetyIdentifier = Annotated[str, MaxLen(64)]

Metadata = Annotated[dict[Annotated[str, MaxLen(64)], Annotated[str, MaxLen(512)]], MaxLen(16)]
Files = str | Object | Annotated[list[Any], Len(1, 16)]
"""A file, or a list of up to 16, as the record names them."""


class FileExpiry(BodyModel):
    """When a file is deleted."""

    anchor: Literal["created_at"]
    seconds: int = Field(ge=3600, le=2_592_000)


class FormFileExpiry(FormModel):
    """When a file that is uploaded by a form is deleted."""

    anchor: Literal["created_at"]
    seconds: int = Field(ge=3600, le=2_592_000)


class ModerationOfText(BodyModel):
    """The moderation of input and output."""

    model: str
    policy: Object | None = None


class TextModelBody(BodyModel):
    """What responses and chat completions have in common."""

    metadata: Metadata | None = None
    moderation: ModerationOfText | None = None
    parallel_tool_calls: bool | None = None
    prompt_cache_key: str | None = None
    prompt_cache_options: Object | None = None
    prompt_cache_retention: str | None = None
    safety_identifier: SafetyIdentifier | None = None
    service_tier: str | None = None
    store: bool | None = None
    stream: bool | None = None
    stream_options: Object | None = None
    temperature: float | None = Field(None, ge=0, le=2)
    tool_choice: str | Object | None = None
    tools: Objects | None = None
    top_logprobs: TopLogprobs | None = None
    top_p: float | None = Field(None, ge=0, le=1)
    user: str | None = None
