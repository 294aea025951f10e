"""JSON values as the world has them: for property-based tests, and tables of what is carried and what is refused."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

from hypothesis import settings
from hypothesis import strategies as st

# The properties of rendering are many and their inputs small; with fewer examples each the core's tests stay quick.
few_examples = settings(max_examples=40)

# Texts that some template engine, parser or terminal would take for its own.
STRANGE_TEXTS = (
    *("{{ 7*7 }}", "{{ ds }}", "{% raw %}", "{message.json}", "{message.x}", "{record.x}", r"\{message.x}", "{message"),
    *("${x}", "${{x}}", "$(id)", "`id`", "%(x)s", "%s", "{0}", "{}", "<script>", "'; DROP TABLE x; --", "#{x}", "=1+1"),
    *(
        '"',
        "\\",
        "\\u0041",
        "\x00",
        "\r\n",
        "\u2028\u2029",
        "\ufeff",
        "\x7f",
        "é",
        "e\u0301",
        "👩\u200d🚀",
        "\U0010ffff",
    ),
    *("", " ", "null", "NaN", "1e999", "[", "]}", "../..", "\x1b[31m"),
)

texts = st.text(max_size=8) | st.sampled_from(STRANGE_TEXTS)


def _nested(leaves: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
        max_leaves=4,
    )


scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts
json_values = _nested(scalars)
json_objects = st.dictionaries(texts, json_values, max_size=3)

# As Python has them: among them are some that JSON has not.
python_values = _nested(scalars | st.floats() | st.text(st.characters(), max_size=4) | st.dates() | st.decimals())


def _circle(make: Any) -> Any:
    if make is list:
        circle: list[Any] = []
        circle.append(circle)
        return circle
    loop: dict[str, Any] = {}
    loop["again"] = [loop]
    return loop


def nested(depth: int) -> list[Any]:
    """Give a list that many levels deep."""
    value: list[Any] = []
    for _ in range(depth - 1):
        value = [value]
    return value


# What is written exactly: the value and the JSON that stands for it.
CARRIED: dict[str, tuple[Any, str]] = {
    "null": (None, "null"),
    "true": (True, "true"),
    "a large integer": (2**70, "1180591620717411303424"),
    "a negative zero": (-0.0, "-0.0"),
    "a small float": (5e-324, "5e-324"),
    "an empty object": ({}, "{}"),
    "a tuple": ((1, (2,)), "[1,[2]]"),
    "an emoji": ("👩\u200d🚀", '"👩\u200d🚀"'),
    "line separators": ("\u2028\u2029", '"\u2028\u2029"'),
    "a NUL": ("\x00", '"\\u0000"'),
    "a quote and a backslash": ('"\\', '"\\"\\\\"'),
    "HTML": ("</script>", '"</script>"'),
    "a date": (date(2026, 1, 2), '"2026-01-02"'),
    "a time": (time(3, 4, 5), '"03:04:05"'),
    "a datetime": (datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC), '"2026-01-02T03:04:05.000006+00:00"'),
    "a Decimal": (Decimal("1.10"), '"1.10"'),
    "a UUID": (UUID(int=1), '"00000000-0000-0000-0000-000000000001"'),
}

# What JSON can't carry exactly.
REFUSED: dict[str, Any] = {
    "NaN": float("nan"),
    "infinity": float("inf"),
    "negative infinity": float("-inf"),
    "a Decimal that is no number": Decimal("NaN"),
    "an infinite Decimal": Decimal("-Infinity"),
    "a lone surrogate": "a\ud800b",
    "a lone surrogate in a name": {"\udfff": 1},
    "10**5000": 10**5000,
    "bytes": b"a",
    "a set": {1},
    "an object": object(),
    "a circular list": _circle(list),
    "a circular object": _circle(dict),
    "nested 100,000 deep": nested(100_000),
    "an integer as a name": {1: "a"},
    "an integer as a name beside the same text": {1: "a", "1": "b"},
    "an integer as a name, deep inside": [{"a": ({"b": [{2: 3}]},)}],
    "null as a name": {None: 1},
    "NaN as a name": {float("nan"): 1},
    "a tuple as a name": {(1, 2): 3},
    "a date as a name": {date(2026, 1, 2): 3},
}
