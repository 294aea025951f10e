"""Files and folders named by a path or URI, opened with Airflow's ``ObjectStoragePath`` and its connections."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow_provider_openai_dest.exceptions import ConfigurationError, TransientError
from airflow_provider_openai_dest.sources.readable_file import without_user_info

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

_MAGIC = re.compile(r"[*?\[]")
_LOCAL_PROTOCOLS = ("", "file", "local")


def find_files(uri: str, conn_id: str | None = None) -> list[ObjectStoragePath]:
    """Find the files that a path, a URI or a pattern names, sorted by path.

    ``*``, ``?`` and ``[...]`` match within one folder, ``**`` matches any number of folders. A pattern that matches
    nothing gives an empty list, for an empty data set is legal. Since ``[`` and ``?`` also stand in plain names, such
    as ``s3://bucket/report[1].json``, a URI without ``*`` names the file of exactly that name where there is one. To
    write such a character in a pattern, put it in brackets: ``report[[]1]*.json``.

    Errors of a storage's own library that are no ``OSError`` (botocore's, for one) pass through.

    :param uri: ``/data/x.jsonl``, ``./x/*.csv``, ``file:///data/x.json``, ``s3://bucket/x/**/*.jsonl.gz``; a connection
        id may stand before the bucket (``s3://my_aws@bucket/x``).
    :param conn_id: Airflow connection to use, whatever the URI says.
    :raises ConfigurationError: there is no such file, it is a folder, or the URI can't be opened.
    :raises TransientError: the storage does not answer, or refuses.
    """
    folder_uri, name = _split(_absolute(uri))
    with _told_by(uri):
        folder = _open(folder_uri, conn_id)
        folder.fs.invalidate_cache()  # a listing from before an upstream wrote would lose its files
        if not _MAGIC.search(name) or ("*" not in name and folder.fs.isfile(_join(folder, name))):
            return [_existing_file(folder, name, uri)]
        return _match(folder, name)


def open_folder(uri: str, conn_id: str | None = None) -> ObjectStoragePath:
    """Open the folder that results go to; a local one is made when it isn't there, a bucket never is.

    :param uri: a path or URI, as in :func:`find_files`, without a pattern.
    :param conn_id: Airflow connection to use, whatever the URI says.
    :raises ConfigurationError: the URI can't be opened.
    :raises TransientError: the storage does not answer, or refuses.
    """
    with _told_by(uri):
        folder = _open(_absolute(uri), conn_id)
        file_system = folder.fs
        if folder.protocol in _LOCAL_PROTOCOLS:
            _make(file_system, folder.path, uri)
        return folder


def _make(file_system: Any, path: str, uri: str) -> None:
    try:
        file_system.makedirs(path, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise ConfigurationError(f"{without_user_info(uri)} is a file, or below one: name a folder") from None
    except (FileNotFoundError, PermissionError) as error:
        reason = error.strerror or type(error).__name__
        raise ConfigurationError(f"the folder {without_user_info(uri)} can't be made: {reason}") from None


def open_file(uri: str, conn_id: str | None = None) -> ObjectStoragePath:
    """Give a handle on the file of exactly that path or URI; nothing in it is a pattern, and nothing is read yet.

    :raises ConfigurationError: the URI can't be opened.
    """
    with _told_by(uri):
        return _open(_absolute(uri), conn_id)


def _absolute(uri: str) -> str:
    if not uri.strip():
        raise ConfigurationError("a path or URI is empty")
    # Airflow 3.1 takes a relative path as one from the root. Links stay as they are named, unlike with Path.resolve().
    return uri if "://" in uri else os.path.abspath(uri)  # noqa: PTH100


def _split(uri: str) -> tuple[str, str]:
    """Split a URI into the folder that is certain and the rest, which may be a pattern."""
    start = uri.find("://") + 3 if "://" in uri else 0
    magic = _MAGIC.search(uri, start)
    cut = uri.rfind("/", start, magic.start() if magic else None) + 1
    if cut:
        return uri[:cut], uri[cut:]
    if magic:
        raise ConfigurationError(f"{without_user_info(uri)}: the bucket can't be a pattern")
    return uri, ""


def _open(uri: str, conn_id: str | None) -> ObjectStoragePath:
    from airflow.sdk import ObjectStoragePath

    # With both ids, Airflow 3.1 goes by conn_id (even if it is None) and 3.3 by the URI: so it is given only one.
    if conn_id is None:
        return ObjectStoragePath(uri)
    return ObjectStoragePath(without_user_info(uri), conn_id=conn_id)


def _existing_file(folder: ObjectStoragePath, name: str, uri: str) -> ObjectStoragePath:
    if folder.fs.info(_join(folder, name))["type"] == "directory":
        where = without_user_info(uri)
        raise ConfigurationError(f"{where}: is a folder; name its files with a pattern, such as folder/*.jsonl")
    return folder / name


def _match(folder: ObjectStoragePath, pattern: str) -> list[ObjectStoragePath]:
    found = folder.fs.glob(_join(folder, pattern), detail=True)
    # An object named folder/ is the mark of an empty folder, though its type says that it is a file.
    paths = sorted(path for path, facts in found.items() if facts["type"] != "directory" and not path.endswith("/"))
    return [folder / path.removeprefix(_join(folder, "")) for path in paths]


def _join(folder: ObjectStoragePath, name: str) -> str:
    return f"{folder.path.rstrip('/')}/{name}"


@contextmanager
def _told_by(uri: str) -> Iterator[None]:
    """Turn what a file system raises into what happens next, naming the URI."""
    where = without_user_info(uri)
    try:
        yield
    except FileNotFoundError:
        raise ConfigurationError(f"{where}: there is no such file") from None
    except OSError as error:
        raise TransientError(f"can't open {where}: {error.strerror or type(error).__name__}") from error
    except (ValueError, ImportError) as error:
        raise ConfigurationError(f"can't open {where}: {error}") from error
