"""Upload log: which parts of which files are there, so that a retry sends only the others.

Rows beside those of the outcomes, written as each part is answered::

    {"upload": "upload_1", "file": "3fa9...", "expires_at": 1795338001}
    {"upload": "upload_1", "part": 0, "id": "part_7"}
    {"upload": "upload_1", "ended": true}
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Mapping
from typing import Any

from airflow_provider_openai_dest.exceptions import SinkError
from airflow_provider_openai_dest.sinks.folder import RowLog
from airflow_provider_openai_dest.uploads.upload_memory import KnownUpload

log = logging.getLogger(__name__)


class UploadLog:
    """What this try has sent in parts, after what earlier ones have.

    A row that can't be written costs a part that is sent again, and no more.

    :param rows: where the rows of this try go.
    :param earlier: uploads that earlier tries began and did not end, by file.
    """

    def __init__(self, rows: RowLog, earlier: Mapping[str, KnownUpload]) -> None:
        self._rows = rows
        self._earlier = dict(earlier)
        self._lock = threading.Lock()

    def unfinished(self, file: str) -> KnownUpload | None:
        """Give what an earlier try began; each is given once."""
        return self._earlier.pop(file, None)

    def begun(self, file: str, upload_id: str, expires_at: int) -> None:
        """Write that an upload was created."""
        self._write({"upload": upload_id, "file": file, "expires_at": expires_at})

    def added(self, upload_id: str, number: int, part_id: str) -> None:
        """Write that a part is there."""
        self._write({"upload": upload_id, "part": number, "id": part_id})

    def ended(self, upload_id: str) -> None:
        """Write that nobody goes on with an upload."""
        self._write({"upload": upload_id, "ended": True})

    def _write(self, row: dict[str, Any]) -> None:
        with self._lock:
            try:
                self._rows.append([row])
                self._rows.flush()
            except SinkError as error:
                log.warning("A retry would send this part again: %s", error)


def read_uploads(rows: Iterable[Mapping[str, Any]]) -> dict[str, KnownUpload]:
    """Give the uploads that began and did not end, by file, from the rows of all tries in the order of time.

    Rows of another form are passed over.
    """
    files: dict[str, str] = {}
    known: dict[str, KnownUpload] = {}
    for row in rows:
        match row:
            case {"upload": str(upload_id), "file": str(file), "expires_at": int(expires_at)}:
                known[upload_id] = KnownUpload(id=upload_id, expires_at=expires_at)
                files[file] = upload_id
            case {"upload": str(upload_id), "part": int(number), "id": str(part_id)} if upload_id in known:
                known[upload_id].parts[number] = part_id
            case {"upload": str(upload_id), "ended": True}:
                known.pop(upload_id, None)
    return {file: known[upload_id] for file, upload_id in files.items() if upload_id in known}
