"""File references: a body field that names a file by its path or URI becomes a part of the form."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import PurePosixPath
from stat import S_ISDIR
from typing import Any, BinaryIO, Protocol

from airflow_provider_openai_dest.exceptions import ConfigurationError, RecordError
from airflow_provider_openai_dest.rendering.multipart import FilePart
from airflow_provider_openai_dest.sources.readable_file import ReadableFile

# What some file systems read as a way elsewhere: encoded or reversed slashes, the end of a name, a chain of URIs.
_MISLEADING = re.compile(r"[\\%\x00]|::")


class SizedFile(ReadableFile, Protocol):
    """A readable file that knows its size."""

    def stat(self) -> Any:
        """Give an object with ``st_size`` and ``st_mode``."""


OpenFile = Callable[[str], SizedFile]


class FileReferences:
    """Turns file URIs into parts of a form, for named files and for files below one folder only.

    A record may name a file, so a record could name any file that the worker can read: hence the bounds.

    :param roots: folders (path or URI) that a file must be in, or the files themselves.
    :param open_file: gives a handle on the file of a URI.
    """

    def __init__(self, roots: Sequence[str], open_file: OpenFile) -> None:
        if not all(roots):
            raise ConfigurationError(
                "files_root must not be empty: it is the folder that files named by records are in"
            )
        self._roots = tuple(root.rstrip("/") for root in roots)
        self._open_file = open_file

    def parts(self, name: str, value: Any) -> list[FilePart]:
        """Give the parts for one body field: a URI, or a list of URIs which become ``name[]``."""
        if isinstance(value, (list, tuple)):
            return [self.part(f"{name}[]", item) for item in value]
        return [self.part(name, value)]

    def part(self, name: str, uri: Any) -> FilePart:
        """Give the part for one file; raises RecordError when it may not be read, or is not there."""
        if not (isinstance(uri, str) and uri and any(_is_inside(uri, root) for root in self._roots)):
            shown = f"; {uri[:200]!r} is not below it: give the whole path" if isinstance(uri, str) and uri else ""
            raise RecordError(
                "file_outside_root", f"{name} must name a file in {' or '.join(self._roots[:3])}{shown}", param=name
            )
        file = self._open_file(uri)

        def open_stream() -> BinaryIO:
            stream: BinaryIO = file.open("rb")
            return stream

        return FilePart(name=name, filename=PurePosixPath(uri).name, size=_size(name, uri, file), open=open_stream)


def _is_inside(uri: str, root: str) -> bool:
    if uri == root:
        return True
    inside = uri.removeprefix(f"{root}/")
    return inside != uri and ".." not in PurePosixPath(inside).parts and not _MISLEADING.search(inside)


def _size(name: str, uri: str, file: SizedFile) -> int:
    try:
        facts = file.stat()
        if not S_ISDIR(facts.st_mode):
            return int(facts.st_size)
        reason = "it is a folder"
    except (OSError, TypeError, ValueError) as error:
        reason = type(error).__name__
    raise RecordError("file_not_found", f"{name}: can't read {uri[:200]!r}: {reason}", param=name)
