"""Parquet: rows as columns, and vectors as lists of float32 of one length. Needs pyarrow, the extra ``parquet``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from typing import IO, Any

import msgspec
from pybase64 import b64decode, b64encode

from airflow_provider_openai_dest.delivery.outcome import Outcome, Status
from airflow_provider_openai_dest.delivery.vector import FLOAT_BYTES, decode_embedding
from airflow_provider_openai_dest.exceptions import ConfigurationError
from airflow_provider_openai_dest.rendering.encoding import encode_json

GROUP_BYTES = 8 * 1024 * 1024
"""So much JSON makes a row group: it is held until then."""

_LARGEST = 2**31 - 1


def require_pyarrow() -> None:
    """Raise ConfigurationError where pyarrow is not installed, before anything is paid for."""
    if find_spec("pyarrow") is None:
        raise ConfigurationError(
            'results_format="parquet" needs pyarrow: pip install "airflow-provider-openai-dest[parquet]"'
        )


class AnswerShape:
    """What the answers of a data set have in common, so that all its files have the same columns.

    :param vector_field: the field of an answer that is a vector, by the endpoint's template; where a column has its
        name already, it is a part of the answer as any other.
    """

    def __init__(self, vector_field: str | None) -> None:
        self.vector_field = None if vector_field in _PLAIN else vector_field
        self.lengths: set[int] = set()
        self.has_text = self.vector_field is None

    def see(self, outcome: Outcome) -> None:
        """Take one outcome."""
        if outcome.status is not Status.DELIVERED and outcome.answer is None:
            return
        vector, rest = split_answer(outcome.answer, self.vector_field)
        if vector is not None and len(self.lengths) < 2:
            self.lengths.add(len(vector) // FLOAT_BYTES)
        self.has_text = self.has_text or rest is not None

    def schema(self) -> Any:
        """Give the columns, as pyarrow's schema."""
        import pyarrow as pa

        error = pa.struct({"code": pa.string(), "message": pa.string(), "param": pa.string(), "status": pa.int32()})
        columns = {"key": pa.string(), "position": pa.int64(), "status": pa.string(), "model": pa.string()}
        if self.lengths:
            length = next(iter(self.lengths)) if len(self.lengths) == 1 else -1
            columns[str(self.vector_field)] = pa.list_(pa.float32(), length)
        if self.has_text:
            columns["answer"] = pa.string()
        columns |= {"error": error, "http_status": pa.int32(), "request_id": pa.string(), "attempts": pa.int32()}
        columns |= {"maybe_billed": pa.bool_(), "usage": pa.string(), "record": pa.string()}
        return pa.schema(columns)


def split_answer(answer: Any, vector_field: str | None) -> tuple[bytes | None, Any]:
    """Give the bytes of an answer's vector, and what the answer has beside it and the model; None where there is none.

    A vector that can't be read stays what it is.
    """
    if not isinstance(answer, Mapping):
        return None, answer
    rest = {name: value for name, value in answer.items() if name != "model"}
    vector = None
    if vector_field is not None and isinstance(text := rest.get(vector_field), str):
        try:
            vector = b64decode(text, validate=True)
        except ValueError:
            return None, rest
        if not vector or len(vector) % FLOAT_BYTES:
            return None, rest
        del rest[vector_field]
    return vector, rest or None


class ParquetRows:
    """Writes rows in groups of bounded size.

    :param shape: what the columns are made of.
    """

    def __init__(self, file: IO[bytes], shape: AnswerShape) -> None:
        from pyarrow.parquet import ParquetWriter

        self._shape = shape
        self._schema = shape.schema()
        self._writer = ParquetWriter(file, self._schema)
        self._rows: list[Outcome] = []
        self._bytes = 0

    def add(self, row: bytes) -> None:
        """Take the JSON of a row."""
        self._rows.append(Outcome.from_row(msgspec.json.decode(row)))
        self._bytes += len(row)
        if self._bytes >= GROUP_BYTES:
            self._write()

    def finish(self) -> None:
        """Write the last group and the end of the file."""
        self._write()
        self._writer.close()

    def _write(self) -> None:
        import pyarrow as pa

        rows, self._rows, self._bytes = self._rows, [], 0
        answers = [split_answer(row.answer, self._shape.vector_field) for row in rows]
        columns = {name: [make(row) for row in rows] for name, make in _PLAIN.items()}
        columns["answer"] = [_text(rest) for _, rest in answers]
        arrays = [
            _vectors([vector for vector, _ in answers], field.type)
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
    "record": lambda row: _text(row.record.data),
}
