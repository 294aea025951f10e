"""File ledger: which bytes are at OpenAI under which file id, so that they need not be sent again.

One small file of rows for each try that uploaded something, in a folder that runs share. What it says is a hint: the
API is asked for each file before it is believed.
"""

from __future__ import annotations

import logging
import secrets
import threading
from collections.abc import Mapping
from typing import Any

from airflow_provider_openai_dest.exceptions import SinkError
from airflow_provider_openai_dest.sinks.folder import Folder, RowLog, list_names, read_rows
from airflow_provider_openai_dest.uploads.reuse import KnownFile

log = logging.getLogger(__name__)

PREFIX = "uploaded-files-"


class FileLedger:
    """The uploaded files of one account by their content.

    :param folder: where the rows are.
    :param account: what tells accounts apart: a file id is worth nothing in another project.
    """

    def __init__(self, folder: Folder, account: str) -> None:
        self._folder = folder
        self._account = account
        self._known: dict[tuple[str, str, str], KnownFile] | None = None
        self._rows = RowLog(folder, f"{PREFIX}{secrets.token_hex(8)}")
        self._lock = threading.Lock()

    def find(self, sha256: str, purpose: str, filename: str) -> KnownFile | None:
        """Give the newest file of that content, purpose and name."""
        with self._lock:
            if self._known is None:
                self._known = self._read()
            return self._known.get((sha256, purpose, filename))

    def add(self, sha256: str, file: Mapping[str, Any]) -> None:
        """Write down an uploaded file, as the API describes it."""
        facts = {name: file.get(name) for name in ("id", "bytes", "filename", "purpose", "expires_at", "created_at")}
        with self._lock:
            try:
                self._rows.append([{"sha256": sha256, "account": self._account, **facts}])
                self._rows.flush()
            except SinkError as error:
                log.warning("A later run would upload %s again: %s", file.get("filename"), error)

    def _read(self) -> dict[tuple[str, str, str], KnownFile]:
        found = []
        for row in read_rows(self._folder, list_names(self._folder, PREFIX)):
            match row:
                case {
                    "account": self._account,
                    "sha256": str(sha256),
                    "id": str(file_id),
                    "bytes": int(size),
                    "filename": str(filename),
                    "purpose": str(purpose),
                }:
                    known = KnownFile(id=file_id, bytes=size, filename=filename, purpose=purpose)
                    found.append((row.get("created_at") or 0, (sha256, purpose, filename), known))
        return {key: known for _, key, known in sorted(found, key=lambda one: one[0])}
