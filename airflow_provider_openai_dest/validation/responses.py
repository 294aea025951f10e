"""Responses: https://platform.openai.com/docs/api-reference/responses/create."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from annotated_types import MinLen
from pydantic import Field

from airflow_provider_openai_dest.validation.body_model import BodyModel, Object, Objects, TextModelBody


class JsonSchemaFormat(BodyModel):
    """``text.format`` of a structured output."""

    type: Literal["json_schema"]
    name: str
    schema_: Object = Field(alias="schema")
    description: str | None = None
    strict: bool | None = None


class PlainFormat(BodyModel):
    """``text.format`` of any other output."""

    type: Literal["text", "json_object"]


class Text(BodyModel):
    """``text``."""

    format: JsonSchemaFormat | PlainFormat | None = None
    verbosity: str | None = None


class Reasoning(BodyModel):
    """``reasoning``."""

    context: str | None = None
    effort: str | None = None
    generate_summary: str | None = None
    mode: str | None = None
    summary: str | None = None


class ContextManagement(BodyModel):
    """An entry of ``context_management``."""

    type: str
    compact_threshold: int | None = Field(None, ge=1000)


class Prompt(BodyModel):
    """``prompt``."""

    id: str
    variables: Object | None = None
    version: str | None = None


class CreateResponse(TextModelBody):
    """``create_response``. The items of a list input are of too many kinds, and new ones come, to look into them.

    A stored ``prompt`` or a ``conversation`` may take the place of ``model`` and ``input``.
    """

    model: str | None = None
    input: str | Annotated[Objects, MinLen(1)] | None = None
    access_programs: Any = None
    background: bool | None = None
    background_options: Object | None = None
    context_management: Annotated[list[ContextManagement], MinLen(1)] | None = None
    conversation: str | Object | None = None
    image: Any = None
    include: list[str] | None = None
    instructions: str | None = None
    max_output_tokens: int | None = Field(None, ge=16)
    max_tool_calls: int | None = None
    previous_response_id: str | None = None
    prompt: Prompt | None = None
    reasoning: Reasoning | None = None
    text: Text | None = None
    truncation: Literal["auto", "disabled"] | None = None
