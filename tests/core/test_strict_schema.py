"""A JSON Schema in the form that OpenAI demands of structured outputs."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_openai_dest.exceptions import ConfigurationError
from airflow_provider_openai_dest.rendering.strict_schema import strict_schema

TEXT = {"type": "string"}
ITEM = {"type": "object", "properties": {"a": TEXT}}
STRICT_ITEM = {**ITEM, "required": ["a"], "additionalProperties": False}


def of(**properties: Any) -> dict[str, Any]:
    """Give an object with these fields."""
    return {"type": "object", "properties": properties}


def strict(**properties: Any) -> dict[str, Any]:
    """Give the same as the API demands it."""
    return {**of(**properties), "required": [*properties], "additionalProperties": False}


# a schema, and what becomes of it
MADE: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "every field is required": ({**of(a=TEXT, b=TEXT), "required": ["a"]}, strict(a=TEXT, b=TEXT)),
    "defaults are left out": (of(a={**TEXT, "default": ""}), strict(a=TEXT)),
    "objects inside": (
        of(a=ITEM, b={"type": "array", "items": ITEM}),
        strict(a=STRICT_ITEM, b={"type": "array", "items": STRICT_ITEM}),
    ),
    "choices": (of(a={"oneOf": [ITEM, TEXT], "discriminator": {}}), strict(a={"anyOf": [STRICT_ITEM, TEXT]})),
    "an allOf of one": (of(a={"allOf": [TEXT], "description": "d"}), strict(a={**TEXT, "description": "d"})),
    "references": (
        {**of(a={"$ref": "#/$defs/Item"}), "$defs": {"Item": ITEM}},
        {**strict(a={"$ref": "#/$defs/Item"}), "$defs": {"Item": STRICT_ITEM}},
    ),
    "what stands beside a reference": (
        {**of(a={"$ref": "#/$defs/Item", "description": "d"}), "$defs": {"Item": ITEM}},
        {**strict(a={**STRICT_ITEM, "description": "d"}), "$defs": {"Item": STRICT_ITEM}},
    ),
    "a field called default, or items": (of(default=TEXT, items=TEXT), strict(default=TEXT, items=TEXT)),
    "a value that looks like a schema": (
        of(a={"enum": [{"type": "object"}]}),
        strict(a={"enum": [{"type": "object"}]}),
    ),
}


@pytest.mark.parametrize("case", MADE)
def test_a_schema_is_made_strict(case: str) -> None:
    """Objects are closed, all of their fields required, and the rest is said in words that the API takes."""
    given, expected = MADE[case]
    assert expected == strict_schema(given)


def test_a_schema_that_refers_to_itself_has_an_end() -> None:
    """A tree is an object whose children are such objects, also with a description beside the reference."""
    node = of(children={"type": "array", "items": {"$ref": "#/$defs/Node", "description": "a child"}})
    made = strict_schema({"$ref": "#/$defs/Node", "$defs": {"Node": node}})
    assert ("object", False) == (made["type"], made["additionalProperties"])
    assert {"$ref": "#/$defs/Node"} == made["properties"]["children"]["items"]


def test_a_schema_is_not_changed() -> None:
    """A new one is made, since a Dag author may use his again."""
    given = of(a={**TEXT, "default": ""})
    strict_schema(given)
    assert of(a={**TEXT, "default": ""}) == given


# a schema, and the words of each of its faults
REFUSED: dict[str, tuple[dict[str, Any], list[str]]] = {
    "a list": ({"type": "array", "items": ITEM}, ["the whole must be an object"]),
    "a choice": ({"anyOf": [ITEM, TEXT]}, ["the whole must be an object"]),
    "open objects, and words that are not taken": (
        of(a={"type": "object"}, b={"type": "object", "additionalProperties": TEXT}, c={"not": TEXT}),
        ["a: an object must name", "b: an object must name", "c: 'not' is not taken"],
    ),
    "a reference to nothing": (of(a={"$ref": "#/$defs/No"}), ["a: there is no '#/$defs/No' in it"]),
    "a reference elsewhere": (of(a={"$ref": "https://x/y", "title": "t"}), ["there is no 'https://x/y'"]),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_can_not_be_strict_is_refused(case: str) -> None:
    """All faults are told, each with its place."""
    given, words = REFUSED[case]
    with pytest.raises(ConfigurationError) as caught:
        strict_schema(given)
    assert len(words) == len(caught.value.faults)
    assert all(word in fault for word, fault in zip(words, caught.value.faults, strict=True))
