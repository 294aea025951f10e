"""FilesSource: the records of files, each read by the reader of its format."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import sha256
from itertools import chain
from pathlib import PurePosixPath
from typing import Any

from airflow_provider_openai_dest.exceptions import ConfigurationError, RecordError, nearest
from airflow_provider_openai_dest.sources.csv_rows import read_csv, read_tsv
from airflow_provider_openai_dest.sources.json_document import read_json_document
from airflow_provider_openai_dest.sources.json_lines import read_json_lines
from airflow_provider_openai_dest.sources.keys import assign_keys, parse_key
from airflow_provider_openai_dest.sources.readable_file import ReadableFile, location
from airflow_provider_openai_dest.sources.record import Record

Reader = Callable[[ReadableFile], Iterator[Any]]

# A reader yields the items of a file in order: data, or a RecordError in place of data that can't be read. It raises a
# RecordError when the rest of the file can't be read.
READERS: Mapping[str, Reader] = {
    "csv": read_csv,
    "json": read_json_document,
    "jsonl": read_json_lines,
    "ndjson": read_json_lines,
    "tsv": read_tsv,
}


class FilesSource:
    """The records of files, in the order of the files; one that is broken doesn't stop the others.

    :param files: the files; ``pathlib.Path`` and Airflow's ``ObjectStoragePath`` both fit.
    :param key: the field that identifies a record, such as ``sku`` or ``a.b[0]``; None is the position over all files.
    :param file_format: one of :data:`READERS`, for all files; None takes each from its extension (``.csv.gz``).
    :param name: what was asked for, such as a pattern, for the fingerprint; None is the paths of the files.
    """

    def __init__(
        self,
        files: Sequence[ReadableFile],
        key: str | None = None,
        file_format: str | None = None,
        name: str | None = None,
    ) -> None:
        self._files = tuple(files)
        self._key = parse_key(key)
        self._readers = _choose_readers(self._files, file_format)
        self._file_format = file_format
        self._name = name

    def __iter__(self) -> Iterator[Record]:
        """Read the files one after the other; :class:`TransientError` when one can't be read now."""
        readings = map(_read, self._readers, self._files)
        return assign_keys(chain.from_iterable(readings), self._key)

    def fingerprint(self) -> str:
        """Give the place, the format and the name of the key; what stands in the files is compared record by record."""
        name = self._name or _named(self._files)
        return f"files {name}, format={self._file_format}, key={self._key}"

    def total(self) -> int | None:
        """Say that how many records there are is not known before they are read."""
        return None


def _read(reader: Reader, file: ReadableFile) -> Iterator[Any]:
    try:
        yield from reader(file)
    except RecordError as fault:
        yield fault


def _choose_readers(files: Sequence[ReadableFile], file_format: str | None) -> list[Reader]:
    if file_format is not None:
        if file_format not in READERS:
            raise ConfigurationError(f"the format {file_format!r} is unknown: {nearest(file_format, READERS)}")
        return [READERS[file_format]] * len(files)
    found = [(file, _extension(file)) for file in files]
    faults = [_unknown(file, extension) for file, extension in found if extension not in READERS]
    if faults:
        raise ConfigurationError(*faults)
    return [READERS[extension] for _, extension in found]


def _extension(file: ReadableFile) -> str:
    name = PurePosixPath(file.name.lower().removesuffix(".gz"))
    return name.suffix.removeprefix(".")


def _unknown(file: ReadableFile, extension: str) -> str:
    what = f"the extension {extension!r} is unknown" if extension else "there is no extension"
    known = nearest(extension, READERS)
    return (
        f"{location(file)}: {what}, {known}{'' if known.endswith('?') else '.'} Each may also be gzipped (.gz). "
        "Where the name does not tell it, name the format (source_format)"
    )


def _named(files: Sequence[ReadableFile]) -> str:
    places = [location(file) for file in files]
    if len(places) == 1:
        return places[0]
    digest = sha256("\n".join(places).encode(errors="surrogateescape")).hexdigest()[:32]
    return f"count={len(places)} sha256={digest}"
