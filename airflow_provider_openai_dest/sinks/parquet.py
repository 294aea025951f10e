"""Parquet: rows as columns, and vectors as lists of float32 of one length. Needs pyarrow, the extra ``parquet``.

A record whose answer is a list of vectors, of its texts or chunks, has a row for each of them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib.util import find_spec
from typing import IO, Any

import msgspec
from msgspec.structs import replace
from pybase64 import b64encode

from airflow_provider_openai_dest.answers.vector import FLOAT_BYTES, decode_embedding
from airflow_provider_openai_dest.delivery.outcome import Outcome, Status
from airflow_provider_openai_dest.exceptions import ConfigurationError
from airflow_provider_openai_dest.rendering.encoding import encode_json
from airflow_provider_openai_dest.sinks.answer_parts import PLACES, AnswerPart, answer_parts

log = logging.getLogger(__name__)

GROUP_BYTES = 8 * 1024 * 1024
"""So much JSON makes a row group: it is held until then."""

_LARGEST = 2**31 - 1


def require_pyarrow() -> None:
    """Raise ConfigurationError where pyarrow is not installed, before anything is paid for."""
    if find_spec("pyarrow") is None:
        raise ConfigurationError('results_format="parquet" needs the extra `parquet`: pip install pyarrow')


class AnswerShape:
    """What the answers of a data set have in common, so that all its files have the same columns.

    :param vector_field: the field of an answer that is a vector, by the endpoint's template; where a column has its
        name already, it is a part of the answer as any other.
    """

    def __init__(self, vector_field: str | None) -> None:
        self.vector_field = None if vector_field in (*_PLAIN, *_OF_PARTS) else vector_field
        self.lengths: set[int] = set()
        self.has_text = self.vector_field is None
        self.has_items = False
        self.places: set[str] = set()

    def see(self, outcome: Outcome) -> None:
        """Take one outcome."""
        if outcome.status is not Status.DELIVERED and outcome.answer is None:
            return
        for part in answer_parts(outcome.answer, self.vector_field):
            if part.vector is not None and len(self.lengths) < 2:
                self._see_length(len(part.vector) // FLOAT_BYTES, outcome)
            self.has_text = self.has_text or part.rest is not None
            self.has_items = self.has_items or part.item is not None
            self.places.update(part.places)

    def _see_length(self, length: int, outcome: Outcome) -> None:
        self.lengths.add(length)
        if len(self.lengths) > 1:
            log.warning("The vectors have several lengths: that of %r has %d numbers", outcome.record.key, length)

    def schema(self) -> Any:
        """Give the columns, as pyarrow's schema."""
        import pyarrow as pa

        error = pa.struct({"code": pa.string(), "message": pa.string(), "param": pa.string(), "status": pa.int32()})
        columns = {"key": pa.string(), "position": pa.int64(), "status": pa.string(), "model": pa.string()}
        columns |= {"item": pa.int32()} if self.has_items else {}
        columns |= {name: pa.int64() for name in PLACES if name in self.places}
        if self.lengths:
            length = next(iter(self.lengths)) if len(self.lengths) == 1 else -1
            columns[str(self.vector_field)] = pa.list_(pa.float32(), length)
        if self.has_text:
            columns["answer"] = pa.string()
        columns |= {"error": error, "http_status": pa.int32(), "request_id": pa.string(), "attempts": pa.int32()}
        columns |= {"maybe_billed": pa.bool_(), "usage": pa.string(), "cost": pa.float64()}
        columns |= {"record": pa.string()}
        return pa.schema(columns)


class ParquetRows:
    """Writes rows in groups of bounded size.

    :param shape: what the columns are made of.
    """

    def __init__(self, file: IO[bytes], shape: AnswerShape) -> None:
        from pyarrow.parquet import ParquetWriter

        self._shape = shape
        self._schema = shape.schema()
        self._writer = ParquetWriter(file, self._schema)
        self._rows: list[tuple[Outcome, AnswerPart]] = []
        self._bytes = 0

    def add(self, row: bytes) -> int:
        """Take the JSON of a record's row. Usage, cost and its data stand on the first of the rows that it makes."""
        outcome = Outcome.from_row(msgspec.json.decode(row))
        first, *others = answer_parts(outcome.answer, self._shape.vector_field)
        self._rows.append((outcome, first))
        if others:
            further = replace(outcome, usage=None, cost=None, record=replace(outcome.record, data=None))
            self._rows += [(further, part) for part in others]
        self._bytes += len(row)
        if self._bytes >= GROUP_BYTES:
            self._write()
        return 1 + len(others)

    def finish(self) -> None:
        """Write the last group and the end of the file."""
        self._write()
        self._writer.close()

    def _write(self) -> None:
        import pyarrow as pa

        rows, self._rows, self._bytes = self._rows, [], 0
        columns = {name: [make(row) for row, _ in rows] for name, make in _PLAIN.items()}
        columns |= {name: [make(part) for _, part in rows] for name, make in _OF_PARTS.items()}
        arrays = [
            _vectors([part.vector for _, part in rows], field.type)
            if field.name == self._shape.vector_field
            else pa.array(columns[field.name], type=field.type)
            for field in self._schema
        ]
        if rows:
            self._writer.write_table(pa.Table.from_arrays(arrays, schema=self._schema))


def _vectors(vectors: Sequence[bytes | None], kind: Any) -> Any:
    """Make the column of vectors, those of one length without a look at their numbers."""
    import pyarrow as pa

    length = getattr(kind, "list_size", None)
    if length is None:
        return pa.array([_floats(vector) for vector in vectors], type=kind)
    nothing = bytes(length * FLOAT_BYTES)
    content = b"".join(nothing if vector is None else vector for vector in vectors)
    numbers = pa.Array.from_buffers(pa.float32(), len(vectors) * length, [None, pa.py_buffer(content)])
    mask = pa.array([vector is None for vector in vectors], type=pa.bool_())
    return pa.FixedSizeListArray.from_arrays(numbers, type=kind, mask=mask)


def _floats(vector: bytes | None) -> list[float] | None:
    return None if vector is None else list(decode_embedding(b64encode(vector).decode()))


def _text(value: Any) -> str | None:
    return None if value is None else encode_json(value).decode()


def _bounded(number: int | None) -> int | None:
    return None if number is None else max(-_LARGEST, min(number, _LARGEST))


def _model(row: Outcome) -> str | None:
    model = row.answer.get("model") if isinstance(row.answer, Mapping) else None
    return model if isinstance(model, str) else None


def _error(row: Outcome) -> dict[str, Any] | None:
    return row.error.as_row() | {"status": _bounded(row.error.status)} if row.error else None


_PLAIN: dict[str, Callable[[Outcome], Any]] = {
    "key": lambda row: row.record.key,
    "position": lambda row: row.record.position,
    "status": lambda row: row.status.value,
    "model": _model,
    "error": _error,
    "http_status": lambda row: _bounded(row.http_status),
    "request_id": lambda row: row.request_id,
    "attempts": lambda row: _bounded(row.attempts),
    "maybe_billed": lambda row: row.maybe_billed,
    "usage": lambda row: _text(row.usage),
    "cost": lambda row: row.cost,
    "record": lambda row: _text(row.record.data),
}

_OF_PARTS: dict[str, Callable[[AnswerPart], Any]] = {
    "item": lambda part: part.item,
    "answer": lambda part: _text(part.rest),
    **{name: partial(lambda name, part: part.places.get(name), name) for name in PLACES},
}
