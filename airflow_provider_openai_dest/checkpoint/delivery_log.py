"""Delivery log: which records are settled, read back from the rows that earlier tries wrote.

The outcomes are the log. Beside them each delivery has a small claim file, put before anything is sent, which says
what is delivered where, and whether it came to its end::

    outcomes-{scope}-d1-t02-3fa9c1.jsonl      rows of delivery 1, written by try 2
    delivery-{scope}-d1-g0.json               claim: delivery 1 began in generation 0 (the run's clear number)
    delivery-{scope}-d1-end.json              the manifest, when nothing was left pending or rejected
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Mapping
from typing import Any, Literal

import msgspec

from airflow_provider_openai_dest.checkpoint.scope import Scope
from airflow_provider_openai_dest.delivery.outcome import Outcome, Status
from airflow_provider_openai_dest.exceptions import CheckpointMismatchError, TransientError
from airflow_provider_openai_dest.sinks.folder import Folder, RowLog, list_names, put_file, read_rows

Resume = Literal["auto", "always", "never"]

_CLAIM = re.compile(r"delivery-[0-9a-f]+-d(\d+)-g(\d+)\.json")


class DeliveryLog:
    """The state of one task instance's deliveries in a folder.

    :param folder: results folder; may be shared with other task instances.
    :param scope: whose delivery it is.
    :param try_number: number of this try, for file names.
    :param generation: how often the run was cleared; a retry has the same, a clear the next.
    :param fingerprint: what must not change under a half-done delivery: account, origin, endpoint, template.
    :param resume: ``auto``: a retry continues, a clear of an unfinished delivery continues and tries the rejected
        again, a clear of a finished one sends anew; ``always`` continues; ``never`` sends anew.
    """

    def __init__(
        self,
        folder: Folder,
        scope: Scope,
        *,
        try_number: int = 1,
        generation: int = 0,
        fingerprint: Mapping[str, str] | None = None,
        resume: Resume = "auto",
    ) -> None:
        self.folder = folder
        self.scope = scope
        self._try_number = try_number
        self._names = list_names(folder, f"delivery-{scope.id}-")
        claims = sorted((int(m[1]), int(m[2])) for name in self._names if (m := _CLAIM.fullmatch(name)))
        last, began = claims[-1] if claims else (0, generation)
        ended = f"delivery-{scope.id}-d{last}-end.json" in self._names
        same_generation = any(claim == (last, generation) for claim in claims)
        self.is_resumed = bool(claims) and (
            resume == "always" or (resume == "auto" and (same_generation or not ended))
        )
        self.number = last if self.is_resumed else last + 1
        self._retries_rejected = self.is_resumed and not same_generation
        self.settled: dict[str, Status] = {}
        self._claim(generation, dict(fingerprint or {}), claimed_generation=began)

    def outcomes(self, kind: str = "outcomes") -> Iterator[Outcome]:
        """Read what earlier tries of this delivery settled, and remember the keys as settled.

        The first delivered outcome of a key wins; a rejection holds until the record is delivered. After a clear
        rejections are passed over, so that these records are tried again.
        """
        names = list_names(self.folder, f"{self._prefix(kind)}-")
        for row in read_rows(self.folder, names):
            outcome = Outcome.from_row(row)
            key = outcome.record.key
            if outcome.status is Status.REJECTED and self._retries_rejected:
                continue
            if self.settled.get(key) in (Status.DELIVERED, outcome.status):
                continue
            self.settled[key] = outcome.status
            yield outcome

    def keys(self, kind: str) -> set[str]:
        """Read the keys of all rows of one kind of log, such as ``forwarded``."""
        names = list_names(self.folder, f"{self._prefix(kind)}-")
        return {row["key"] for row in read_rows(self.folder, names)}

    def rows(self, kind: str) -> RowLog:
        """Open a new log of rows of this delivery and try."""
        return RowLog(self.folder, f"{self._prefix(kind)}-t{self._try_number:02d}-{secrets.token_hex(3)}")

    def pattern(self, kind: str) -> str:
        """Give the pattern of the files of one kind, for manifests and readers."""
        return f"{str(self.folder).rstrip('/')}/{self._prefix(kind)}-*.jsonl"

    def end(self, manifest: Mapping[str, Any]) -> None:
        """Put the manifest, and the mark of an ended delivery when nothing was left."""
        content = msgspec.json.format(msgspec.json.encode(manifest), indent=2)
        put_file(self.folder, f"{self._prefix('manifest')}.json", content)
        if not manifest["pending"] and not manifest["rejected"]:
            put_file(self.folder, f"{self._prefix('delivery')}-end.json", content)

    def _prefix(self, kind: str) -> str:
        return f"{kind}-{self.scope.id}-d{self.number}"

    def _claim(self, generation: int, fingerprint: dict[str, str], *, claimed_generation: int) -> None:
        if self.is_resumed:
            self._refuse_changes(fingerprint, claimed_generation)
        name = f"{self._prefix('delivery')}-g{generation}.json"
        if name not in self._names:
            put_file(self.folder, name, msgspec.json.encode({"scope": self.scope.as_row(), "fingerprint": fingerprint}))

    def _refuse_changes(self, fingerprint: dict[str, str], claimed_generation: int) -> None:
        name = f"{self._prefix('delivery')}-g{claimed_generation}.json"
        try:
            with (self.folder / name).open("rb") as stream:
                claimed = msgspec.json.decode(stream.read())["fingerprint"]
        except (OSError, msgspec.MsgspecError, KeyError) as error:
            raise TransientError(f"can't read the state in {self.folder / name}: {error}") from error
        changed = [name for name in {**claimed, **fingerprint} if claimed.get(name) != fingerprint.get(name)]
        if changed:
            raise CheckpointMismatchError(
                f"{' and '.join(sorted(changed))} changed under the half-done delivery in {self.folder}; "
                'change it back, or send everything anew with resume="never"'
            )
