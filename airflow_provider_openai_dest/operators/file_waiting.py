"""File waiting: what an operator or sensor does until files are processed, in the worker or in a trigger."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from airflow_provider_openai_dest.exceptions import AbortError, ConfigurationError, TransientError
from airflow_provider_openai_dest.manifest import Manifest, most_frequent, new_kind
from airflow_provider_openai_dest.uploads.file_status import FileEnd

if TYPE_CHECKING:
    from airflow_provider_openai_dest.delivery.outcome import Outcome
    from airflow_provider_openai_dest.triggers.file_processed import OpenAIFileProcessedTrigger

FILE_FAILED = "file_not_processed"

Uploaded = dict[str, dict[str, Any]]
"""By file id: how many records are in the file, and the key of the first."""

_ERRORS: dict[str, type[Exception]] = {"AbortError": AbortError, "ConfigurationError": ConfigurationError}


def uploaded_files(outcomes: Iterable[Outcome]) -> Uploaded:
    """Give the files of delivered records that are not processed yet, as far as the answers say."""
    files: Uploaded = {}
    for outcome in outcomes:
        answer = outcome.answer
        if isinstance(answer, Mapping) and isinstance(answer.get("id"), str) and answer.get("status") != "processed":
            file = files.setdefault(answer["id"], {"records": 0, "first_key": outcome.record.key})
            file["records"] += 1
    return files


def wait_for(conn_id: str, file_ids: Iterable[str], poll_interval: float, seconds: float | None) -> dict[str, FileEnd]:
    """Hold the worker until the files are processed."""
    from airflow_provider_openai_dest.hooks.file_status import files_processed
    from airflow_provider_openai_dest.hooks.openai_dest import OpenAIDestHook

    hook = OpenAIDestHook(conn_id)
    _ = hook.settings  # read here, where it may block
    return asyncio.run(files_processed(hook, file_ids, poll_interval=poll_interval, seconds=seconds))


def new_trigger(
    conn_id: str,
    file_ids: Iterable[str],
    poll_interval: float,
    seconds: float | None,
    carried: Mapping[str, Any] | None = None,
) -> OpenAIFileProcessedTrigger:
    """Make what waits without a worker, and gives ``carried`` back."""
    from airflow_provider_openai_dest.triggers.file_processed import OpenAIFileProcessedTrigger

    end_time = None if seconds is None else time.time() + seconds
    return OpenAIFileProcessedTrigger(
        conn_id=conn_id, file_ids=[*file_ids], poll_interval=poll_interval, end_time=end_time, carried=carried
    )


def ends_of(event: Any) -> dict[str, FileEnd]:
    """Read what the trigger has found; raises what it could not go on with."""
    if not isinstance(event, Mapping) or not isinstance(event.get("files", {}), Mapping):
        raise TransientError(f"the trigger's event is none that this operator knows: {event!r:.200}")
    if "error" in event:
        raise _ERRORS.get(str(event["error"]), TransientError)(str(event.get("message")))
    return {str(file_id): FileEnd.from_row(row) for file_id, row in event["files"].items()}


def with_ends(row: Mapping[str, Any], uploaded: Uploaded, ends: Mapping[str, FileEnd]) -> Manifest:
    """Give the manifest with the records of files that could not be processed as rejected."""
    manifest = Manifest(**{field.name: row[field.name] for field in fields(Manifest)})
    if failed := [file_id for file_id, end in ends.items() if not end.is_processed]:
        _reject(manifest, uploaded, failed, ends[failed[0]])
    manifest.outcomes = (
        [_told(outcome, ends) for outcome in manifest.outcomes] if manifest.outcomes else row["outcomes"]
    )
    return manifest


def _reject(manifest: Manifest, uploaded: Uploaded, failed: Sequence[str], first: FileEnd) -> None:
    """Count the records of files that could not be processed as one kind of rejection."""
    count = sum(int(uploaded[file_id]["records"]) for file_id in failed)
    manifest.delivered -= count
    manifest.rejected += count
    message = f"{failed[0]} is {first.status}: {first.details or 'no reason given'}"
    manifest.rejections = most_frequent(
        [
            *manifest.rejections,
            new_kind("rejected", FILE_FAILED, None, uploaded[failed[0]]["first_key"], message) | {"count": count},
        ]
    )


def _told(outcome: dict[str, Any], ends: Mapping[str, FileEnd]) -> dict[str, Any]:
    """Give an outcome with the status of its file."""
    answer = outcome["answer"]
    end = ends.get(answer.get("id", "")) if isinstance(answer, Mapping) else None
    if end is None:
        return outcome
    outcome = {**outcome, "answer": {**answer, "status": end.status, "status_details": end.details}}
    if end.is_processed:
        return outcome
    error = {"code": FILE_FAILED, "message": end.details or end.status, "param": None, "status": None}
    return {**outcome, "status": "rejected", "error": error}
