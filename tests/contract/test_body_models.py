"""The models of bodies against OpenAI's own schemas: the same fields, the same that are required, the same limits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from airflow_provider_openai_dest.endpoints.catalogue import ENDPOINTS
from airflow_provider_openai_dest.rendering.body import BodyTemplate
from airflow_provider_openai_dest.validation.body_check import check_of
from airflow_provider_openai_dest.validation.catalogue import MODELS, model_of
from tests.contract.specification import body_of, needs_the_specification, newer_fields_of, required, resolved, variants
from tests.contract.test_bodies import GOOD, WRONG_VALUES

pytestmark = needs_the_specification

each_model = pytest.mark.parametrize("name", MODELS)

LIMITS = frozenset(
    {
        *("minimum", "maximum", "exclusiveMinimum", "minLength", "maxLength"),
        *("minItems", "maxItems", "minProperties", "maxProperties"),
    }
)

# Limits that the specification says in words only, or that are newer: path and word, and where they stand.
OF_COMPRESSION = {
    ("output_compression", "minimum"): "the description: 0 to 100 %",
    ("output_compression", "maximum"): "the description: 0 to 100 %",
}
OF_IMAGES = {
    ("frame_count", "minimum"): "openai 3.54",
    ("frame_count", "maximum"): "openai 3.54",
    ("frame_duration_ms", "minimum"): "openai 3.54: a time",
    ("safety_identifier", "maxLength"): "as that of the responses",
}
OF_PROMPTS = {
    ("prompt", "minLength"): "of the edit by references",
    ("prompt", "maxLength"): "the description of prompt",
}
IN_WORDS: dict[str, dict[tuple[str, str], str]] = {
    "create_image": OF_IMAGES | OF_PROMPTS | OF_COMPRESSION,
    "create_image_edit": OF_IMAGES | OF_PROMPTS | OF_COMPRESSION | {("image", "minItems"): "there is nothing to edit"},
    "create_image_edit_json": OF_IMAGES,
    "create_response": {("input", "minItems"): "there is nothing to answer"},
    "create_transcription": {
        ("temperature", "minimum"): "the description: between 0 and 1",
        ("temperature", "maximum"): "the description: between 0 and 1",
    },
}

# The limits of metadata are in its description: 16 pairs, keys of 64 characters, values of 512.
METADATA = {("metadata", "maxProperties"), ("metadata.*", "maxLength"), ("metadata", "propertyNames")}


def own_schema(name: str) -> Mapping[str, Any]:
    """Give the JSON Schema of a model."""
    model = model_of(ENDPOINTS[name])
    assert model is not None
    return model.model_json_schema(mode="validation")


def limits(schema: Any, definitions: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, str, float]]:
    """Give path, word and value of each limit of a schema of pydantic's."""
    if "$ref" in schema:
        schema = definitions[schema["$ref"].rpartition("/")[2]]
    yield from ((path, word, value) for word, value in schema.items() if word in LIMITS)
    for part in schema.get("anyOf", ()):
        yield from limits(part, definitions, path)
    for name, inner in schema.get("properties", {}).items():
        yield from limits(inner, definitions, f"{path}.{name}".removeprefix("."))
    for word in ("items", "additionalProperties"):
        if isinstance(schema.get(word), Mapping):
            yield from limits(schema[word], definitions, f"{path}{'[]' if word == 'items' else '.*'}")


def stated_limits(schema: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """Give word and value of each limit; of fine-tuning it is said as of old: ``exclusiveMinimum: true``."""
    for word, value in schema.items():
        if word in LIMITS and not isinstance(value, bool):
            yield "exclusiveMinimum" if word == "minimum" and schema.get("exclusiveMinimum") is True else word, value


def theirs(schema: Mapping[str, Any], path: str) -> Iterator[Mapping[str, Any]]:
    """Give the forms of what is at a path of the specification."""
    found = [schema]
    for step in path.replace("[]", ".[]").split("."):
        found = [inner for each in found for inner in _inside(each, step)]
    return (part for each in found for part in variants(each))


def _inside(schema: Mapping[str, Any], step: str) -> Iterator[Mapping[str, Any]]:
    for part in variants(schema):
        if step == "[]" and "items" in part:
            yield part["items"]
        elif step in part.get("properties", {}):
            yield part["properties"][step]
        elif step == "*" and isinstance(part.get("additionalProperties"), Mapping):
            yield part["additionalProperties"]


def paths(schema: Any, definitions: Mapping[str, Any], path: str = "") -> set[str]:
    """Give each path that a model looks at."""
    if "$ref" in schema:
        schema = definitions[schema["$ref"].rpartition("/")[2]]
    found = {path} if path else set()
    for part in schema.get("anyOf", ()):
        found |= paths(part, definitions, path)
    for name, inner in schema.get("properties", {}).items():
        found |= paths(inner, definitions, f"{path}.{name}".removeprefix("."))
    if isinstance(schema.get("items"), Mapping):
        found |= paths(schema["items"], definitions, f"{path}[]")
    return found


@each_model
def test_a_model_requires_what_the_api_requires(name: str) -> None:
    """Neither more nor less; what is required beyond that is the endpoint's own, as for the model of an image."""
    assert required(body_of(ENDPOINTS[name])) == {*own_schema(name).get("required", ())}


@each_model
def test_a_model_names_each_field(name: str) -> None:
    """A field that is offered is known; any other is in the specification, so that none is called unknown here."""
    endpoint, fields = ENDPOINTS[name], {*own_schema(name)["properties"]}
    known = {field for part in variants(body_of(endpoint)) for field in part.get("properties", {})}

    assert {*endpoint.required, *endpoint.optional} <= fields
    assert fields - known <= newer_fields_of(endpoint)
    assert known <= fields


@each_model
def test_limits_are_those_of_the_specification(name: str) -> None:
    """Each limit that the specification states is the model's, and each other one is declared with its source."""
    schema = own_schema(name)
    ours = {*limits(schema, schema.get("$defs", {}))}
    body = body_of(ENDPOINTS[name])
    stated = {
        (path, word, value)
        for path in paths(schema, schema.get("$defs", {}))
        for part in theirs(body, path)
        for word, value in stated_limits(resolved(part))
    }
    missing = {limit for limit in stated - ours if limit[0] != "seed"}  # which the specification rounds
    more = {(path, word) for path, word, _ in ours - stated if path != "seed"} - METADATA

    assert set() == missing
    assert {*IN_WORDS.get(name, {})} == more


@pytest.mark.parametrize(
    ("endpoint", "body"),
    [pytest.param(endpoint, body, id=case) for case, (endpoint, _, body) in GOOD.items() if endpoint in MODELS],
)
def test_a_good_body_has_no_fault(endpoint: str, body: dict[str, Any]) -> None:
    """What OpenAI's schemas take, the models take, and they know each of its fields."""
    check = check_of(ENDPOINTS[endpoint], BodyTemplate(), "strict")
    assert check is not None
    assert () == check(body)


@pytest.mark.parametrize(
    ("endpoint", "body"),
    [pytest.param(endpoint, body, id=case) for case, (endpoint, _, body) in WRONG_VALUES.items() if endpoint in MODELS],
)
def test_a_wrong_value_is_a_fault(endpoint: str, body: dict[str, Any]) -> None:
    """What OpenAI's schemas refuse, the models refuse; the inputs of a pack are the packer's to look at."""
    model = model_of(ENDPOINTS[endpoint])
    assert model is not None
    with pytest.raises(ValueError, match="validation error"):
        model.model_validate(body)
