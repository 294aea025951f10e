"""TextFormat: a structured output: what the API is told to answer in, and each answer's text read by it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import msgspec
from msgspec.structs import replace

from airflow_provider_openai_dest.answers.answer import ReadOutcomes
from airflow_provider_openai_dest.answers.nesting import is_too_deep
from airflow_provider_openai_dest.delivery.attempts import Conclusion
from airflow_provider_openai_dest.delivery.outcome import Outcome, Status
from airflow_provider_openai_dest.endpoints.catalogue import find_operation
from airflow_provider_openai_dest.endpoints.template import EndpointTemplate
from airflow_provider_openai_dest.exceptions import ConfigurationError, RecordError
from airflow_provider_openai_dest.rendering.body import BodyTemplate, Missing, Verbatim
from airflow_provider_openai_dest.rendering.request import RenderedRequest
from airflow_provider_openai_dest.rendering.strict_schema import strict_schema

PARSED_FIELD = "output_parsed"
"""Field of an answer that the parsed text stands in, as OpenAI's own client calls it."""

MOST_FAULTS = 5
UNFINISHED = ("queued", "in_progress")

Parse = Callable[[Any, str], Any]
"""Takes a text as JSON and as it is, and gives the object; raises any exception for one that does not fit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where an operation takes the format in its body, and the texts of its answer.

    :param field: body field.
    :param wrap: makes the field's value of name and schema, and of what the field holds already.
    :param texts: gives the texts of an answer.
    """

    field: str
    wrap: Callable[[dict[str, Any], Mapping[str, Any]], dict[str, Any]]
    texts: Callable[[Any], list[str]]


class TextFormat:
    """The form of the answers' texts. Raises ConfigurationError with all faults of its schema.

    :param definition: a class that pydantic reads (a model, a dataclass, a TypedDict), a JSON Schema, or the dotted
        path of either.
    :param endpoint: what is called; it, or the operation that it calls by another name, must take a format.
    """

    def __init__(self, definition: Any, endpoint: EndpointTemplate) -> None:
        self._place = _place_of(endpoint)
        definition = _imported(definition) if isinstance(definition, str) else definition
        schema, self._parse = _by_schema(definition) if isinstance(definition, Mapping) else _by_class(definition)
        named = schema.get("title") or getattr(definition, "__name__", "") or "output"
        self._name = re.sub(r"[^A-Za-z0-9_-]", "_", str(named))[:64]
        try:
            self.schema = strict_schema(schema)
        except ConfigurationError as error:
            raise ConfigurationError(*(f"text_format: {fault}" for fault in error.faults)) from None

    @property
    def field(self) -> str:
        """The body field that holds the format."""
        return self._place.field

    def added_to(self, fields: Mapping[str, Any], body: Any, missing: Missing) -> dict[str, Any]:
        """Give the fields of a body with the format; raises ConfigurationError where a text would hold one already."""
        held = {**body, **fields} if isinstance(body, Mapping) else fields
        if isinstance(body, str) and self.field in (BodyTemplate(body, missing=missing).names() or ()):
            raise ConfigurationError(f"text_format: write the body as an object, so that its {self.field!r} is kept")
        return {**fields, self.field: self.body_field(held.get(self.field))}

    def body_field(self, held: Any) -> dict[str, Any]:
        """Give the value of the body field; ``held`` is what a Dag author has put there. Raises ConfigurationError."""
        if held is not None and not isinstance(held, Mapping):
            raise ConfigurationError(
                f"text_format: {self.field!r} must be an object, so that the format is added to it"
            )
        return self._place.wrap({"name": self._name, "schema": self.schema, "strict": True}, held or {})

    def reading(self, read: ReadOutcomes) -> ReadOutcomes:
        """Give a reader of outcomes that parses each delivered text; one that does not fit is rejected, and kept."""

        def read_parsed(endpoint: EndpointTemplate, request: RenderedRequest, conclusion: Conclusion) -> list[Outcome]:
            return [self._parsed(outcome) for outcome in read(endpoint, request, conclusion)]

        return read_parsed

    def _parsed(self, outcome: Outcome) -> Outcome:
        answer = outcome.answer
        if outcome.status is not Status.DELIVERED or not isinstance(answer, Mapping):
            return outcome
        if answer.get("status") in UNFINISHED:
            return outcome
        try:
            objects = [self._object(text) for text in _texts(self._place, answer)]
        except RecordError as error:
            return replace(outcome, status=Status.REJECTED, error=error)
        return replace(outcome, answer={**answer, PARSED_FIELD: objects[0] if len(objects) == 1 else objects})

    def _object(self, text: str) -> Any:
        try:
            value = msgspec.json.decode(text)  # which refuses NaN, as what reads the results does
            parsed = self._parse(value, text)
        except Exception as error:  # noqa: BLE001 - a model's own validators may raise anything
            raise _mismatch(_reason(error)) from None
        if is_too_deep(parsed):
            raise _mismatch("it is nested too deep")
        return parsed


def _place_of(endpoint: EndpointTemplate) -> Place:
    operation = find_operation(endpoint.method, endpoint.path)
    if operation is None or operation.name not in PLACES:
        raise ConfigurationError(f"text_format= is for {' and '.join(PLACES)}, not for {endpoint.name}")
    return PLACES[operation.name]


# -- what defines a format ---------------------------------------------------------------------------


def _imported(path: str) -> Any:
    module, _, name = path.replace(":", ".").rpartition(".")
    try:
        return getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigurationError(f"text_format={path!r}: can't be imported: {error}") from None


def _by_class(definition: Any) -> tuple[Mapping[str, Any], Parse]:
    from pydantic import TypeAdapter
    from pydantic.errors import PydanticSchemaGenerationError, PydanticUserError

    try:
        adapter: TypeAdapter[Any] = TypeAdapter(definition)
        schema = adapter.json_schema()
    except (PydanticSchemaGenerationError, PydanticUserError) as error:
        raise ConfigurationError(f"text_format: no schema can be made of {definition!r}: {error.message}") from None

    def parse(_value: Any, text: str) -> Any:
        return adapter.dump_python(adapter.validate_json(text), mode="json", by_alias=True)

    return schema, parse


def _by_schema(schema: Mapping[str, Any]) -> tuple[Mapping[str, Any], Parse]:
    from jsonschema import Draft202012Validator, SchemaError

    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        raise ConfigurationError(f"text_format: is no JSON Schema: {error.json_path}: {error.message}") from None
    validator = Draft202012Validator(schema)

    def parse(value: Any, _text: str) -> Any:
        faults = [f"{error.json_path} is not as {error.validator!r} says" for error in validator.iter_errors(value)]
        if faults:
            raise ValueError("; ".join(faults[:MOST_FAULTS]))
        return value

    return schema, parse


# -- the texts of an answer --------------------------------------------------------------------------


def _texts(place: Place, answer: Any) -> list[str]:
    try:
        texts = place.texts(answer)
    except (AttributeError, KeyError, TypeError):
        texts = []
    if not texts:
        raise _mismatch("it has no text")
    return texts


def _response_texts(answer: Any) -> list[str]:
    """Join the texts of a response; such as have none of their own are calls of tools, and the like."""
    parts = [part for item in answer["output"] if item.get("type") == "message" for part in item["content"]]
    texts = [part["text"] for part in parts if part.get("type") == "output_text"]
    return ["".join(texts)] if texts else []


def _chat_texts(answer: Any) -> list[str]:
    """Give the text of each choice."""
    texts = [choice["message"].get("content") for choice in answer["choices"]]
    return texts if all(isinstance(text, str) for text in texts) else []


def _in_text(schema: dict[str, Any], held: Mapping[str, Any]) -> dict[str, Any]:
    return {**_without_format(held, "format"), "format": Verbatim({"type": "json_schema", **schema})}


def _in_response_format(schema: dict[str, Any], held: Mapping[str, Any]) -> dict[str, Any]:
    return {**_without_format(held, *held), "type": "json_schema", "json_schema": Verbatim(schema)}


def _without_format(held: Mapping[str, Any], *names: str) -> Mapping[str, Any]:
    if any(name in held for name in names):
        raise ConfigurationError("text_format: the body has a format of its own: leave one of them out")
    return held


PLACES: Mapping[str, Place] = {
    "create_response": Place(field="text", wrap=_in_text, texts=_response_texts),
    "create_chat_completion": Place(field="response_format", wrap=_in_response_format, texts=_chat_texts),
}


# -- what does not fit -------------------------------------------------------------------------------


def _mismatch(reason: str) -> RecordError:
    return RecordError("output_mismatch", f"the answer does not fit text_format: {reason}"[:1000])


def _reason(error: Exception) -> str:
    from pydantic import ValidationError

    if isinstance(error, ValidationError):
        return "; ".join(_worded(error))
    kind = "" if isinstance(error, (ValueError, msgspec.MsgspecError)) else f"{type(error).__name__}: "
    return f"{kind}{error}"


def _worded(error: Any) -> Iterator[str]:
    for each in error.errors(include_url=False, include_input=False, include_context=False)[:MOST_FAULTS]:
        yield f"{'.'.join(map(str, each['loc'])) or 'the whole'}: {each['msg']}"
