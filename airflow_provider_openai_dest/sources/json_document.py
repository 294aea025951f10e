"""A JSON document: an array of records, or one value that is one record."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from airflow_provider_openai_dest.exceptions import RecordError
from airflow_provider_openai_dest.sources.json_text import JSON_ERRORS, read_json, reason_of
from airflow_provider_openai_dest.sources.lines import BYTE_ORDER_MARK
from airflow_provider_openai_dest.sources.readable_file import ReadableFile, location, read_blocks

DOCUMENT_BYTES = 1024 * 1024 * 1024


def read_json_document(file: ReadableFile) -> Iterator[Any]:
    """Yield each item of the array in a ``.json`` file; any other value is one record.

    The document is read whole, so it takes several times its size in memory: large data sets belong in JSON Lines.
    A document that can't be read, or is above 1 GiB, is one :class:`RecordError` ``broken_document``.
    """
    where = location(file)
    document = bytearray()
    for block in read_blocks(file):
        document += block
        if len(document) > DOCUMENT_BYTES:
            yield _broken(where, f"larger than {DOCUMENT_BYTES:,} bytes; write it as JSON Lines")
            return
    if document.startswith(BYTE_ORDER_MARK):
        del document[: len(BYTE_ORDER_MARK)]
    try:
        value = read_json(document)
    except JSON_ERRORS as error:
        value = _broken(where, _with_advice(reason_of(error)))
    del document
    if isinstance(value, list):
        yield from value
    else:
        yield value


def _with_advice(reason: str) -> str:
    if "trailing characters" in reason:
        return f"{reason}; if each line is a record, name it .jsonl, or say that its format is jsonl"
    return reason


def _broken(where: str, reason: str) -> RecordError:
    return RecordError("broken_document", f"{where}: {reason}")
