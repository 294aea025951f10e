"""Structured outputs: what the API is told, and each answer's text read by it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import pytest
from pydantic import BaseModel, Field, field_validator

from airflow_provider_openai_dest.answers.answer import read_outcomes
from airflow_provider_openai_dest.answers.text_format import TextFormat
from airflow_provider_openai_dest.delivery.outcome import Outcome, Status
from airflow_provider_openai_dest.endpoints.catalogue import find_endpoint
from airflow_provider_openai_dest.endpoints.template import EndpointTemplate
from airflow_provider_openai_dest.exceptions import ConfigurationError
from airflow_provider_openai_dest.rendering.body import BodyTemplate
from tests.core.delivery_parts import conclusion, rejected, reply, request

RESPONSE = find_endpoint("create_response")
CHAT = find_endpoint("create_chat_completion")


class Size(BaseModel):
    """An inner object."""

    width: float


class Product(BaseModel):
    """What is asked for."""

    name: str = Field(description="as in {message.title}")
    colour: Literal["red", "blue"] = "red"
    size: Size | None = None

    @field_validator("name")
    @classmethod
    def _is_one_word(cls, name: str) -> str:
        if name == "boom":
            raise KeyError(name)
        return name.strip()


@dataclass
class Pair:
    """The same by other means."""

    a: int
    b: int


SCHEMA = {
    "title": "A pair!",
    "type": "object",
    "properties": {"a": {"type": "integer"}, "b": {"type": "integer", "minimum": 0}},
}
PRODUCT = {"name": "Kettle", "colour": "red", "size": {"width": 1.5}}


def response(text: str, **fields: Any) -> dict[str, Any]:
    """Give the answer of a response with this text."""
    part = {"type": "output_text", "text": text}
    items = [{"type": "reasoning", "summary": []}, {"type": "message", "content": [part]}]
    return {"id": "resp_1", "status": "completed", "output": items} | fields


def chat(*texts: Any) -> dict[str, Any]:
    """Give the answer of a chat completion with these choices."""
    return {"choices": [{"finish_reason": "stop", "message": {"content": text}} for text in texts]}


def read(definition: Any, answer: dict[str, Any], endpoint: EndpointTemplate = RESPONSE) -> Outcome:
    """Give the outcome of an answer."""
    reading = TextFormat(definition, endpoint).reading(read_outcomes)
    (outcome,) = reading(endpoint, request(), conclusion(reply(body=answer)))
    return outcome


def sent(definition: Any, endpoint: EndpointTemplate, held: Any = None) -> Any:
    """Give the body field as it is sent."""
    wanted = TextFormat(definition, endpoint)
    return BodyTemplate({}, fields={wanted.field: wanted.body_field(held)}).render({})


# -- what the API is told ----------------------------------------------------------------------------


def test_a_response_is_told_in_its_text() -> None:
    """The format stands beside what is there already, and is strict."""
    text = sent(Product, RESPONSE, {"verbosity": "low"})["text"]
    assert ("low", "json_schema", "Product", True) == (
        text["verbosity"],
        *(text["format"][name] for name in ("type", "name", "strict")),
    )
    schema = text["format"]["schema"]
    assert (["name", "colour", "size"], False) == (schema["required"], schema["additionalProperties"])


def test_a_chat_is_told_in_its_response_format() -> None:
    """There the schema has a level of its own."""
    told = sent(SCHEMA, CHAT)["response_format"]
    assert ("json_schema", "A_pair_", True) == (
        told["type"],
        told["json_schema"]["name"],
        told["json_schema"]["strict"],
    )


def test_a_schema_is_no_template() -> None:
    """What looks like a placeholder in a description is sent as it is."""
    text = sent(Product, RESPONSE)["text"]
    assert "as in {message.title}" == text["format"]["schema"]["properties"]["name"]["description"]


DEFINITIONS = {
    "a dataclass": Pair,
    "a schema": SCHEMA,
    "the path of a class": f"{__name__}.Pair",
    "the path of a schema, with a colon": f"{__name__}:SCHEMA",
}


@pytest.mark.parametrize("case", DEFINITIONS)
def test_a_format_has_many_forms(case: str) -> None:
    """Each defines the same object."""
    assert {"a": 1, "b": 2} == read(DEFINITIONS[case], response('{"a": 1, "b": 2}')).answer["output_parsed"]


# a definition, what the body has already, and a part of the message
REFUSED: dict[str, tuple[Any, EndpointTemplate, Any, str]] = {
    "another endpoint": (Product, find_endpoint("create_embedding"), None, "text_format= is for create_response and"),
    "an open object": (
        {"type": "object", "properties": {"a": {"type": "object"}}},
        RESPONSE,
        None,
        "text_format: a: an object must name all of its fields",
    ),
    "a list": (list[Pair], RESPONSE, None, "the whole must be an object"),
    "what is no schema": ({"type": "thing"}, RESPONSE, None, "is no JSON Schema"),
    "what is no class": (7, RESPONSE, None, "no schema can be made of 7"),
    "a path to nothing": ("json.Nothing", RESPONSE, None, "can't be imported"),
    "a path to no module": ("no_such_module.Product", RESPONSE, None, "can't be imported"),
    "a format beside it": (Product, RESPONSE, {"format": {"type": "text"}}, "a format of its own"),
    "a response format beside it": (Product, CHAT, {"type": "text"}, "a format of its own"),
    "a text that records fill": (Product, RESPONSE, "{message.text}", "'text' must be an object"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_format_is_refused(case: str) -> None:
    """It is told before anything is sent."""
    definition, endpoint, held, words = REFUSED[case]
    with pytest.raises(ConfigurationError, match=words.replace("(", r"\(")):
        sent(definition, endpoint, held)


# -- what is answered --------------------------------------------------------------------------------


def test_an_answer_holds_the_object() -> None:
    """The parsed object stands beside what the API gave, as the model writes it."""
    outcome = read(Product, response('{"name": " Kettle ", "colour": "red", "size": {"width": 1.5}}'))
    assert (Status.DELIVERED, PRODUCT, "resp_1") == (
        outcome.status,
        outcome.answer["output_parsed"],
        outcome.answer["id"],
    )


def test_choices_of_a_chat_are_all_read() -> None:
    """One choice gives its object, several give a list of theirs."""
    assert {"a": 1, "b": 2} == read(SCHEMA, chat('{"a": 1, "b": 2}'), CHAT).answer["output_parsed"]
    assert [{"a": 1}, {"a": 2}] == read(SCHEMA, chat('{"a": 1}', '{"a": 2}'), CHAT).answer["output_parsed"]


# a definition, the text of an answer, and a part of the reason
MISMATCHES: dict[str, tuple[Any, str, str]] = {
    "no JSON": (Product, "I am sorry", "JSON is malformed"),
    "cut JSON": (Product, '{"name": "Ket', "truncated"),
    "NaN": (Pair, '{"a": NaN, "b": 1}', "JSON is malformed"),
    "a missing field": (Pair, '{"a": 1}', "b: Field required"),
    "another word": (Product, '{"name": "a", "colour": "green"}', "colour: Input should be 'red' or 'blue'"),
    "a validator that breaks": (Product, '{"name": "boom"}', "KeyError: 'boom'"),
    "a bound of a schema": (SCHEMA, '{"a": 1, "b": -1}', "$.b is not as 'minimum' says"),
    "a type of a schema": (SCHEMA, '{"a": "secret"}', "$.a is not as 'type' says"),
}


@pytest.mark.parametrize("case", MISMATCHES)
def test_a_text_that_does_not_fit_rejects_the_record(case: str) -> None:
    """The answer is kept, since it was paid for; the reason does not repeat the value."""
    definition, text, words = MISMATCHES[case]
    outcome = read(definition, response(text))
    assert outcome.error is not None
    assert (Status.REJECTED, "output_mismatch", "resp_1") == (
        outcome.status,
        outcome.error.code,
        outcome.answer["id"],
    )
    assert words in outcome.error.message
    assert "secret" not in outcome.error.message


NO_TEXT: dict[str, tuple[dict[str, Any], EndpointTemplate]] = {
    "a call of a tool": (response("", output=[{"type": "function_call", "name": "f"}]), RESPONSE),
    "a choice without content": (chat(None), CHAT),
    "no output": ({"id": "resp_1"}, RESPONSE),
    "an output that is none": ({"output": [7]}, RESPONSE),
}


@pytest.mark.parametrize("case", NO_TEXT)
def test_an_answer_without_a_text_does_not_fit(case: str) -> None:
    """There is nothing to read."""
    answer, endpoint = NO_TEXT[case]
    assert "it has no text" in str(read(SCHEMA, answer, endpoint).error)


def test_a_response_in_the_background_is_not_read_yet() -> None:
    """It says only that it is queued."""
    outcome = read(Product, response("", status="queued", output=[]))
    assert (Status.DELIVERED, False) == (outcome.status, "output_parsed" in outcome.answer)


def test_what_failed_stays_as_it_is() -> None:
    """A response that was cut off is rejected for that."""
    outcome = read(Product, response('{"name": "Ket', status="incomplete"))
    assert outcome.error is not None
    assert "output_mismatch" != outcome.error.code
    reading = TextFormat(Product, RESPONSE).reading(read_outcomes)
    (refused,) = reading(RESPONSE, request(), rejected("c"))
    assert (Status.REJECTED, "c") == (refused.status, refused.error and refused.error.code)
