"""The promises of a delivery as a machine: tries that are answered, refused, reset, killed and overtaken, in any order.

After each step the law of conservation holds: each record has one end, none that is settled is sent again, and what
was done twice is told. A try that is killed leaves what it had put until then; one that is only overtaken, a zombie,
puts the rest later.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import httpx
import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from airflow_provider_openai_dest.checkpoint.delivery_log import DeliveryLog
from airflow_provider_openai_dest.checkpoint.scope import Scope
from airflow_provider_openai_dest.delivery.attempts import RetryPolicy
from airflow_provider_openai_dest.delivery.outcome import Status
from airflow_provider_openai_dest.exceptions import SinkError
from airflow_provider_openai_dest.manifest import Manifest
from airflow_provider_openai_dest.operators.assembly import Delivery, Storage
from airflow_provider_openai_dest.sources.values import ValuesSource
from airflow_provider_openai_dest.wire.wire import WireRequest
from tests.core.delivery_parts import FakeWire, dispatcher
from tests.core.memory_folder import MemoryFolder, Store
from tests.core.test_delivery_promises import SERVER, addressed
from tests.core.test_destination import PACKED, SINGLE, renderer_of

SCOPE = Scope(dag_id="d", run_id="r", task_id="t")
WORDS = ("ok", "400", "500", "503 with Retry-After", "429", "401", "lost", "too slow", "half JSON", "not sent")
WORKED = {"ok", "lost", "too slow", "half JSON"}
"""Words after which the server has done the work, and bills it."""


class Files(dict[str, bytes]):
    """The files of a store; while it is ``frozen`` what is put is held, as that of a process that is dead or late."""

    def __init__(self) -> None:
        super().__init__()
        self.is_frozen = False
        self.held: dict[str, bytes] = {}

    def __setitem__(self, name: str, content: bytes) -> None:
        if self.is_frozen:
            self.held[name] = content
        else:
            super().__setitem__(name, content)


@dataclass
class Disk(Store):
    """A store with so much room for files, and then none."""

    room: int | None = None

    def check(self, operation: str) -> None:
        if (
            operation == "write"
            and self.room is not None
            and isinstance(self.files, Files)
            and not self.files.is_frozen
        ):
            if not self.room:
                raise OSError("no space left on device")
            self.room -= 1
        super().check(operation)


@dataclass
class Truth:
    """What the server has done."""

    executions: Counter[str] = field(default_factory=Counter)
    answered: set[str] = field(default_factory=set)


def keys_in(rows: bytes) -> set[str]:
    """Give the keys of rows."""
    return {msgspec.json.decode(line)["key"] for line in rows.splitlines()}


class Promises(RuleBasedStateMachine):
    """One task instance, its folder, and everything that can happen to it."""

    @initialize(
        records=st.integers(0, 12),
        is_packed=st.booleans(),
        on_unknown=st.sampled_from(["resend", "quarantine"]),
        ambiguous_retries=st.integers(0, 1),
    )
    def begin(self, records: int, is_packed: bool, on_unknown: str, ambiguous_retries: int) -> None:  # noqa: FBT001
        self.records = records
        self.endpoint = PACKED if is_packed else SINGLE
        self.quarantines = on_unknown == "quarantine"
        self.policy = RetryPolicy(ambiguous_retries=ambiguous_retries, quarantine_unknown=self.quarantines)
        self.never_twice = self.quarantines and not ambiguous_retries
        self.source = ValuesSource([{"k": number, "q": f"text {number}"} for number in range(records)], "k")
        self.files = Files()
        self.disk = Disk(files=self.files)
        self.truth = Truth()
        self.tries = self.generation = 0
        self.words: list[str] = []
        self.zombies: list[dict[str, bytes]] = []
        self.settled: dict[str, Status] = {}
        self.late: set[str] = set()

    @rule(words=st.lists(st.sampled_from(WORDS), min_size=1, max_size=8))
    def send(self, words: list[str]) -> None:
        """Say what the server does with the next requests."""
        self.words += words

    @rule()
    def resume(self) -> None:
        """Run a try to its end."""
        self.run_try()

    @rule(number=st.integers(1, 12))
    def stop(self, number: int) -> None:
        """Run a try that is asked to stop."""
        self.run_try(stop_at=number)

    @rule(number=st.integers(1, 12))
    def kill(self, number: int) -> None:
        """Run a try that is killed at a request."""
        self.run_try(freeze_at=number)
        self.files.held = {}

    @rule(number=st.integers(1, 12))
    def overtake(self, number: int) -> None:
        """Run a try that is overtaken at a request, and is late with the rest."""
        self.run_try(freeze_at=number)
        self.zombies.append(self.files.held)
        self.files.held = {}

    @precondition(lambda self: self.zombies)
    @rule(place=st.integers(0, 5))
    def flush_zombie(self, place: int) -> None:
        """Let a try that was overtaken put what it was late with, but for the manifest, which is another's."""
        late = self.zombies.pop(place % len(self.zombies))
        for name, content in late.items():
            if not name.rpartition("/")[2].startswith(("manifest-", "delivery-")):
                assert name not in self.files, "a file would be overwritten"
                self.files[name] = content
                self.late |= keys_in(content) if "/outcomes-" in name else set()
        self.settled = self.read_ends()

    @rule(room=st.integers(0, 6))
    def fail_flush(self, room: int) -> None:
        """Run a try that finds room for so many files."""
        self.run_try(room=room)

    @precondition(lambda self: not self.never_twice)
    @rule()
    def clear(self) -> None:
        """Clear the task: what was rejected is tried again."""
        self.generation += 1
        self.settled = self.read_ends()

    def run_try(self, *, stop_at: int | None = None, freeze_at: int | None = None, room: int | None = None) -> None:
        """Run one try and hold it to the promises."""
        self.tries += 1
        self.disk.room = room
        wire = FakeWire()
        try:
            delivery = self.delivery(wire)
            wire.answering = self.server(delivery, stop_at, freeze_at)
            manifest = delivery.run(self.source)
        except SinkError:
            assert room is not None
            manifest = None
        was_frozen, self.files.is_frozen, self.disk.room = self.files.is_frozen, False, None
        self.words.clear()
        before, self.settled = self.settled, self.read_ends()
        assert before.keys() <= self.settled.keys(), "a settled record was forgotten"
        if manifest is not None and not was_frozen:
            self.check_manifest(manifest)

    def delivery(self, wire: FakeWire) -> Delivery:
        log = DeliveryLog(MemoryFolder(self.disk), SCOPE, try_number=self.tries, generation=self.generation)
        if log.number > self.number:
            self.forget(log.number)
        return Delivery(
            endpoint=self.endpoint,
            renderer=renderer_of(self.endpoint),
            dispatcher=dispatcher(wire, address=addressed, policy=self.policy),
            log=log,
            storage=Storage(max_xcom_bytes=0),
            quarantine_unknown=self.quarantines,
        )

    number = 1

    def forget(self, number: int) -> None:
        """Begin the next delivery: the one before had ended, and all is sent anew."""
        self.number = number
        self.settled, self.truth, self.zombies, self.late = {}, Truth(), [], set()

    def server(
        self, delivery: Delivery, stop_at: int | None, freeze_at: int | None
    ) -> Callable[[WireRequest], httpx.Response | Exception]:
        """Give what the server does in one try."""
        numbers = count(1)

        def answer(asked: WireRequest) -> httpx.Response | Exception:
            keys = msgspec.json.decode(asked.headers["keys"])
            assert not self.settled.keys() & set(keys), "a settled record was sent again"
            number = next(numbers)
            word = self.words.pop(0) if self.words else "ok"
            if word in WORKED:
                self.truth.executions.update(keys)
            if word == "ok":
                self.truth.answered.update(keys)
            if number == freeze_at:
                self.files.is_frozen = True
            if number in (stop_at, freeze_at):
                delivery.stop()
            return SERVER[word](keys)

        return answer

    def check_manifest(self, manifest: Manifest) -> None:
        delivered = [key for key, status in self.settled.items() if status is Status.DELIVERED]
        assert manifest.delivered + manifest.rejected + manifest.pending == manifest.input
        assert (manifest.input, manifest.whole_input) == (self.records, True)
        assert manifest.delivered <= len(delivered), "counted as delivered, and not durable"

    def read_ends(self) -> dict[str, Status]:
        """Read what a next try would not send."""
        log = DeliveryLog(MemoryFolder(self.disk), SCOPE, try_number=self.tries + 1, generation=self.generation)
        return {one.record.key: one.status for one in log.outcomes()} if log.number == self.number else {}

    def rows(self, kind: str) -> list[dict[str, Any]]:
        """Read all rows of this delivery."""
        files = [text for name, text in self.files.items() if f"/{kind}-" in name and f"-d{self.number}-" in name]
        return [msgspec.json.decode(line) for text in files for line in text.splitlines()]

    @invariant()
    def nothing_is_delivered_that_was_not_answered(self) -> None:
        """A delivered record has had a good answer."""
        if self.tries:
            delivered = {key for key, status in self.settled.items() if status is Status.DELIVERED}
            assert delivered <= self.truth.answered

    @invariant()
    def what_is_rejected_is_in_the_quarantine(self) -> None:
        """A rejected record can be sent again from there."""
        if self.tries:
            rejected = {key for key, status in self.settled.items() if status is Status.REJECTED}
            assert rejected <= {row["key"] for row in self.rows("quarantine")}

    @invariant()
    def what_was_done_twice_is_told(self) -> None:
        """A settled record with more executions than rows says that it may have been billed twice.

        But for one that was settled by a late row, while the try that had sent it again died: nobody was left to tell.
        """
        if self.tries:
            rows = Counter(row["key"] for row in self.rows("outcomes"))
            told = {row["key"] for row in self.rows("outcomes") if row["maybe_billed"]}
            untold = {
                key: times
                for key, times in self.truth.executions.items()
                if key in self.settled.keys() - self.late and times > max(1, rows[key]) and key not in told
            }
            assert not untold

    @invariant()
    def nothing_is_done_twice_where_that_is_forbidden(self) -> None:
        """With ``on_unknown="quarantine"`` and no ambiguous retries no record is executed twice."""
        if self.tries and self.never_twice:
            assert max(self.truth.executions.values(), default=0) <= 1

    def teardown(self) -> None:
        """In the end a server that answers settles all that is left."""
        if self.tries:
            self.words.clear()
            self.run_try()
            assert len(self.settled) == self.records


IS_CHAOS = settings.get_current_profile_name() == "chaos"

TestPromises = Promises.TestCase
TestPromises.settings = settings(max_examples=2000 if IS_CHAOS else 40, stateful_step_count=8, deadline=None)
