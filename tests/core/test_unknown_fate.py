"""Records whose fate nobody can know: a try that died may have sent them, or an answer was lost."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from airflow_provider_openai_dest.checkpoint.claims import Claimed, Claims
from airflow_provider_openai_dest.checkpoint.fates import Fates
from airflow_provider_openai_dest.delivery.outcome import Status
from airflow_provider_openai_dest.exceptions import SinkError
from airflow_provider_openai_dest.sinks.folder import RowLog, read_rows
from tests.core.delivery_parts import FakeWire, ListSource, lost, outcome, record, refusal, reply
from tests.core.memory_folder import MemoryFolder
from tests.core.test_destination import BAD_KEY, PACKED, REAL_TIME, Delivery, answer_all

DIED = Claimed(to=3)
ENDED = {"ended": True, "lost": []}


def billed(delivery: Delivery) -> dict[str, bool]:
    """Give what the outcomes say."""
    return {one.record.key: one.maybe_billed for one in delivery.sink.written}


def claims_in(folder: Path) -> list[dict[str, Any]]:
    return list(read_rows(folder, ["claims.jsonl"]))


def test_what_a_dead_try_may_have_sent_is_sent_again_and_told() -> None:
    """Its outcomes say so, and the manifest counts it."""
    delivery = Delivery(fates=Fates(None, DIED))
    manifest = delivery.run(5)
    assert (5, 3, 3) == (manifest.delivered, manifest.unknown, manifest.maybe_billed)
    assert {"0": True, "1": True, "2": True, "3": False, "4": False} == billed(delivery)


def test_what_a_dead_try_may_have_sent_is_set_aside_where_that_is_asked() -> None:
    """It is rejected as ``unknown_fate``, and nothing is sent for it."""
    delivery = Delivery(fates=Fates(None, DIED), quarantine_unknown=True)
    manifest = delivery.run(5)
    assert (2, 3, 3, 2) == (manifest.delivered, manifest.rejected, manifest.unknown, len(delivery.wire.sent))
    assert ["unknown_fate"] == [kind["code"] for kind in manifest.rejections]
    assert {"0": True, "1": True, "2": True, "3": False, "4": False} == billed(delivery)


@pytest.mark.parametrize("quarantine", [False, True])
def test_what_was_settled_is_known(quarantine: bool) -> None:  # noqa: FBT001
    """The rows say what became of it, whatever was claimed."""
    earlier = [outcome(str(key), Status.DELIVERED) for key in range(3)]
    delivery = Delivery(fates=Fates(None, DIED), quarantine_unknown=quarantine, earlier=earlier)
    manifest = delivery.run(5)
    assert (5, 0, 0) == (manifest.delivered, manifest.unknown, manifest.maybe_billed)


def test_a_record_is_claimed_before_it_is_sent(tmp_path: Path) -> None:
    """Whenever a request leaves, its claim can be read."""

    def answer(asked: Any) -> Any:
        claimed.append(claims_in(tmp_path)[-1]["to"])
        return answer_all(asked)

    claimed: list[int] = []
    delivery = Delivery(wire=FakeWire(answer), fates=Fates(Claims(RowLog(tmp_path, "claims"), at_once=2)))
    delivery.run(6)
    assert all(to > position for position, to in enumerate(claimed))
    assert 6 == len(claimed)


def test_new_records_wait_until_what_may_have_been_sent_is_durable() -> None:
    """So a try that dies after that leaves no record that was sent three times."""

    def answer(asked: Any) -> Any:
        durable[asked.content] = {one.record.key for one in delivery.sink.written}
        return answer_all(asked)

    durable: dict[Any, set[str]] = {}
    delivery = Delivery(wire=FakeWire(answer), fates=Fates(None, DIED))
    delivery.run(6)
    assert all(durable[b'{"q":"%d"}' % key] >= {"0", "1", "2"} for key in (3, 4, 5))


def test_a_claim_that_can_not_be_written_ends_the_sending() -> None:
    """What was claimed is sent and kept, and the rest counted as pending."""
    folder = MemoryFolder()

    def answer(asked: Any) -> Any:
        folder.store.failing.add("write")
        return answer_all(asked)

    claims = Claims(RowLog(folder, "claims"), at_once=4)
    delivery = Delivery(wire=FakeWire(answer), fates=Fates(claims), intake_chunk=1, sending={"concurrency": 1})
    manifest = delivery.run(400)
    assert (400, True) == (manifest.input, manifest.whole_input)
    assert manifest.delivered == len(delivery.wire.sent) < 400
    with pytest.raises(SinkError, match="claims"):
        delivery.destination.raise_failure(manifest)


def test_a_run_that_ends_by_itself_names_what_it_lost(tmp_path: Path) -> None:
    """The answer to record 1 was lost, the key refused then: of the others nothing is unknown."""
    claims = Claims(RowLog(tmp_path, "claims"))
    ends = {b'{"q":"1"}': lost(), b'{"q":"3"}': BAD_KEY}
    wire = FakeWire(lambda asked: ends.get(asked.content, reply()))
    manifest = Delivery(wire=wire, fates=Fates(claims), sending={"concurrency": 1}).run(9)
    assert (2, 7) == (manifest.delivered, manifest.pending)
    assert {"ended": True, "lost": [1]} == claims_in(tmp_path)[-1]


def test_a_run_whose_answers_could_not_be_written_ends_nothing(tmp_path: Path) -> None:
    """They were paid for and are lost: the next try must count them as unknown."""
    delivery = Delivery(fates=Fates(Claims(RowLog(tmp_path, "claims"))))
    delivery.sink.fails_in = "flush"
    delivery.run(9)
    assert not any("ended" in row for row in claims_in(tmp_path))


def test_a_source_that_breaks_leaves_nothing_unknown(tmp_path: Path) -> None:
    """The run ends by itself: what was sent is answered, and nothing else was."""
    source = ListSource([record(str(number), number) for number in range(5)], OSError("connection lost"))
    manifest = Delivery(fates=Fates(Claims(RowLog(tmp_path, "claims")))).run(source)
    assert (5, False, ENDED) == (manifest.delivered, manifest.whole_input, claims_in(tmp_path)[-1])


def test_an_interrupted_run_that_could_drain_leaves_nothing_unknown(tmp_path: Path) -> None:
    """As when the task's own time is over: all answers came within the grace."""

    def interrupt(_now: float) -> None:
        if sent.wait(0):
            raise KeyboardInterrupt

    def answer(asked: Any) -> Any:
        sent.set()
        return answer_all(asked)

    sent = Event()
    source = ListSource([record(str(number), number) for number in range(50)])
    delivery = Delivery(
        wire=FakeWire(answer), fates=Fates(Claims(RowLog(tmp_path, "claims"))), watch=interrupt, sending=REAL_TIME
    )
    with suppress(KeyboardInterrupt):
        delivery.run(source)
    assert ENDED == claims_in(tmp_path)[-1]


def test_a_pack_whose_answer_was_lost_is_remembered_by_its_halves() -> None:
    """It may have been billed whole before it was refused and halved."""
    replies = [lost(), refusal(400)]
    wire = FakeWire(lambda asked: replies.pop(0) if replies else answer_all(asked))
    delivery = Delivery(endpoint=PACKED, wire=wire)
    manifest = delivery.run([record(str(number), number) for number in range(4)])
    assert (4, 4) == (manifest.delivered, manifest.maybe_billed)
