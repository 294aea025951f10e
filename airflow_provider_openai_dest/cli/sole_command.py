"""Sole command: two commands at work on one delivery in one folder would both send what is left, and pay twice."""

from __future__ import annotations

import fcntl
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from airflow_provider_openai_dest.checkpoint.scope import Scope
from airflow_provider_openai_dest.exceptions import ConfigurationError
from airflow_provider_openai_dest.sinks.folder import Folder

log = logging.getLogger(__name__)


@contextmanager
def sole_command(folder: Folder, scope: Scope) -> Iterator[None]:
    """Hold a local folder for one command; raises ConfigurationError when another one of its kind holds it.

    The system lets go of it when the process ends, however it ends. Object storage has no locks: there the marks of the
    commands tell them apart (:class:`StorageFence`).
    """
    if not isinstance(folder, Path):
        yield
        return
    with _opened(folder / f"lock-{scope.id}") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigurationError(
                f"another command sends to {scope.task_id} with --results {folder} at this moment, and both would pay "
                "for the same records: wait until it has ended, or name another folder"
            ) from None
        except OSError as error:
            log.warning("%s knows no locks (%s): run one command at a time there", folder, error)
        yield


@contextmanager
def _opened(file: Path) -> Iterator[int]:
    try:
        number = os.open(file, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise ConfigurationError(f"--results: can't write {file}: {error.strerror}") from None
    try:
        yield number
    finally:
        os.close(number)
