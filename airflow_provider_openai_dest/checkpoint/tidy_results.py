"""Tidy results: the rows of a delivery that is settled as a set of files, in which each record stands once.

Beside the rows, which stay as they are, and in a folder for this delivery and what its rows were::

    results-{scope}-d1-1a2b3c4d5e6f7a8b/part-00000.jsonl.gz
    results-{scope}-d1-1a2b3c4d5e6f7a8b/manifest.json

The manifest comes last: where it is, the set is whole. A try that was cut off while it wrote puts the same files again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from typing import Any, Literal

import msgspec

from airflow_provider_openai_dest.checkpoint.delivery_log import DeliveryLog
from airflow_provider_openai_dest.checkpoint.holding_rows import HoldingRows, SourceKeys
from airflow_provider_openai_dest.exceptions import OpenAIDestError, TransientError
from airflow_provider_openai_dest.sinks.answer_parts import with_numbers
from airflow_provider_openai_dest.sinks.folder import Folder, list_names, put_file
from airflow_provider_openai_dest.sinks.parquet import AnswerShape, ParquetRows
from airflow_provider_openai_dest.sinks.parts import JSON_WRITERS, NewWriter, ResultsFormat, put_parts, row_bytes
from airflow_provider_openai_dest.sinks.sorted_rows import in_order

ResultsOrder = Literal["completion", "input"]

MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class TidyForm:
    """How the set is written.

    ``vector_field`` is the field of an answer that is a vector: in Parquet a column, in JSON Lines with
    ``has_plain_vectors`` a list of numbers, else as it came.
    """

    format: ResultsFormat = "jsonl"
    order: ResultsOrder = "completion"
    vector_field: str | None = None
    has_plain_vectors: bool = False

    @property
    def is_wanted(self) -> bool:
        """Whether it is anything else than the rows as they are."""
        return (self.format, self.order) != ("jsonl", "completion") or self.has_plain_vectors

    @property
    def plain_field(self) -> str | None:
        """The field whose bytes are to be numbers."""
        return self.vector_field if self.has_plain_vectors and self.format != "parquet" else None


class TidyResults:
    """Writes the set; ``keys`` is shown the records of the source before.

    :param kind: the rows that it is made of.
    """

    def __init__(self, log: DeliveryLog, kind: str, form: TidyForm) -> None:
        self._log = log
        self._kind = kind
        self._form = form
        self.keys = SourceKeys()

    def put(self, manifest: Mapping[str, Any]) -> str:
        """Put the files, unless they are there, and give the pattern that names them.

        SinkError when one can't be written; TransientError when a row is gone that was there when it was counted: the
        next try sends its record.
        """
        name = f"results-{self._log.scope.id}-d{self._log.number}-{self._digest()}"
        folder, pattern = self._log.folder / name, f"{self._log.pattern_of_folder()}/{name}/part-*.{self._form.format}"
        if MANIFEST not in list_names(folder, MANIFEST):
            self._write(folder, dict(manifest) | {"results": pattern})
        return pattern

    def _write(self, folder: Folder, manifest: dict[str, Any]) -> None:
        shape = AnswerShape(self._form.vector_field)
        rows = HoldingRows(self._log, self._kind, self.keys, shape.see)
        if len(rows) != len(self.keys):
            self._log.distrust_marks()
            raise TransientError(
                f"{len(self.keys) - len(rows)} of {len(self.keys)} rows can't be found any more in "
                f"{self._log.folder}: the next try sends their records"
            )
        encoded = _encoded(rows, self._form.plain_field)
        contents = in_order(encoded) if self._form.order == "input" else encoded
        parts = put_parts(folder, self._form.format, self._writer(shape), (content for _, content in contents))
        if sum(part.records for part in parts) != len(rows):
            raise OpenAIDestError(f"not all of {len(rows)} rows came into {folder}, a fault of this package")
        facts = {"format": self._form.format, "order": self._form.order, "parts": [part.as_row() for part in parts]}
        put_file(folder, MANIFEST, msgspec.json.format(msgspec.json.encode(manifest | facts), indent=2))

    def _writer(self, shape: AnswerShape) -> NewWriter:
        return JSON_WRITERS.get(self._form.format) or partial(ParquetRows, shape=shape)

    def _digest(self) -> str:
        """Give a name to what the set is made of: a later try that has written nothing gives the same."""
        names = [name for _, name in self._log.row_files(self._kind)]
        form = [self._form.order, self._form.format, *["numbers"] * (self._form.plain_field is not None)]
        words = "\0".join([*form, *names])
        return blake2b(words.encode() + self.keys.digest(), digest_size=8).hexdigest()


def _encoded(rows: HoldingRows, plain_field: str | None) -> Iterator[tuple[int, bytes]]:
    for place, row in rows:
        answer = row.get("answer")
        shown = {"answer": with_numbers(answer, plain_field)} if plain_field and answer else {}
        yield place, row_bytes(row | shown | {"position": place})
