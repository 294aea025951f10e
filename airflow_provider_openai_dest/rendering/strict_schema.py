"""Strict schema: a JSON Schema in the form that OpenAI demands of structured outputs.

https://platform.openai.com/docs/guides/structured-outputs: every object is closed, all of its fields are required, the
whole is an object, and some words are not taken. A field that may be left out is one that may be null there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_openai_dest.exceptions import ConfigurationError

Schema = dict[str, Any]

NOT_TAKEN = ("dependentRequired", "dependentSchemas", "else", "if", "not", "patternProperties", "then")
"""Words of JSON Schema that the API refuses."""

_LEFT_OUT = frozenset({"$schema", "default", "discriminator"})
_BY_NAME = ("$defs", "definitions", "properties")
_LISTS = ("anyOf", "prefixItems")


def strict_schema(schema: Mapping[str, Any]) -> Schema:
    """Close every object, require every field, and put the rest into the words that the API takes.

    ``oneOf`` becomes ``anyOf``, an ``allOf`` of one is taken apart, what stands beside a reference is merged with what
    it refers to, defaults are left out. Raises ConfigurationError with all faults that can't be mended.
    """
    making = _Making(schema)
    made: Schema = making.strict(schema, "", ())
    if made.get("type") != "object" or "anyOf" in made:
        making.faults.append("the whole must be an object: put a list, or a choice, into a field of one")
    if making.faults:
        raise ConfigurationError(*making.faults)
    return made


class _Making:
    """One schema on its way; ``faults`` are those found so far."""

    def __init__(self, root: Mapping[str, Any]) -> None:
        self._root = root
        self.faults: list[str] = []

    def strict(self, node: Any, place: str, entered: tuple[str, ...]) -> Any:
        """Make one part; ``entered`` are the references that were merged on the way here."""
        if not isinstance(node, Mapping):
            return node
        if "$ref" in node:
            reference = str(node["$ref"])
            beside = {name: value for name, value in node.items() if name != "$ref" and name not in _LEFT_OUT}
            found = self._found(reference, place)
            if place and (not beside or reference in entered):
                return {"$ref": reference}
            return self.strict({**found, **beside}, place, (*entered, reference))
        taken = {name: value for name, value in _plainer(node).items() if name not in _LEFT_OUT}
        self.faults += [f"{place or 'the schema'}: {word!r} is not taken" for word in NOT_TAKEN if word in taken]
        made = {name: self._inside(name, value, place, entered) for name, value in taken.items()}
        return self._closed(made, place) if _is_object(made) else made

    def _inside(self, word: str, value: Any, place: str, entered: tuple[str, ...]) -> Any:
        if word in _BY_NAME and isinstance(value, Mapping):
            return {name: self.strict(inner, _below(place, word, name), entered) for name, inner in value.items()}
        if word in _LISTS and isinstance(value, list):
            return [self.strict(inner, f"{place}.{word}[{index}]", entered) for index, inner in enumerate(value)]
        return self.strict(value, f"{place}[]", entered) if word == "items" else value

    def _closed(self, node: Schema, place: str) -> Schema:
        if node.get("additionalProperties", False) is not False or "properties" not in node:
            self.faults.append(
                f"{place or 'the schema'}: an object must name all of its fields; "
                "make one whose names are not known a list of names and values"
            )
        return {**node, "required": [*node.get("properties", ())], "additionalProperties": False}

    def _found(self, reference: str, place: str) -> Mapping[str, Any]:
        found: Any = self._root
        for step in reference.removeprefix("#/").split("/"):
            found = found.get(step) if isinstance(found, Mapping) else None
        if not reference.startswith("#/") or not isinstance(found, Mapping):
            self.faults.append(f"{place or 'the schema'}: there is no {reference!r} in it")
            return {}
        return found


def _plainer(node: Mapping[str, Any]) -> Mapping[str, Any]:
    """Give a node without ``oneOf``, and without an ``allOf`` of one."""
    if isinstance(parts := node.get("allOf"), list) and len(parts) == 1 and isinstance(parts[0], Mapping):
        return {**parts[0], **_without(node, "allOf")}
    if "oneOf" in node and "anyOf" not in node:
        return {**_without(node, "oneOf"), "anyOf": node["oneOf"]}
    return node


def _without(node: Mapping[str, Any], word: str) -> Schema:
    return {name: value for name, value in node.items() if name != word}


def _is_object(node: Mapping[str, Any]) -> bool:
    kind = node.get("type")
    return kind == "object" or "properties" in node or (isinstance(kind, list) and "object" in kind)


def _below(place: str, word: str, name: str) -> str:
    return f"{place}.{name}".removeprefix(".") if word == "properties" else f"{word}.{name}"
