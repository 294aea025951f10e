"""What was paid of a record that takes several requests outlives its try, and the budget knows of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from airflow_provider_openai_dest.checkpoint.claims import Claims
from airflow_provider_openai_dest.checkpoint.delivery_log import DeliveryLog
from airflow_provider_openai_dest.checkpoint.fates import Fates
from airflow_provider_openai_dest.checkpoint.portion_log import PortionLog
from airflow_provider_openai_dest.checkpoint.scope import Scope
from airflow_provider_openai_dest.delivery.billing import Billing
from airflow_provider_openai_dest.delivery.budget import Budget
from airflow_provider_openai_dest.delivery.budget_limits import BudgetLimits
from airflow_provider_openai_dest.delivery.clock import SystemClock
from airflow_provider_openai_dest.delivery.outcome import Outcome
from airflow_provider_openai_dest.destination import Destination
from airflow_provider_openai_dest.exceptions import BudgetReachedError, LongWaitError, TransientError
from airflow_provider_openai_dest.limits.rate_limit import Limits
from airflow_provider_openai_dest.manifest import Manifest
from airflow_provider_openai_dest.prices import ModelPrice, PriceList, TokenCounts
from airflow_provider_openai_dest.rendering.body import BodyTemplate
from airflow_provider_openai_dest.rendering.long_inputs import LongInputs
from airflow_provider_openai_dest.rendering.renderer import PackedRenderer
from airflow_provider_openai_dest.rendering.request_form import RequestForm
from airflow_provider_openai_dest.sinks.folder import Folder
from airflow_provider_openai_dest.sinks.results import ResultsSink
from airflow_provider_openai_dest.wire.wire import WireRequest
from tests.core.delivery_parts import FakeWire, ListSink, ListSource, dispatcher, lost, record, refusal
from tests.core.memory_folder import MemoryFolder
from tests.core.test_portions import AVERAGE, CHUNKS, ENDPOINT, LONG, answer, counts
from tests.core.tiny_vocabulary import known_as

LATER = refusal(429, "rate_limit_exceeded", **{"retry-after": "3600"})
BAD_KEY = refusal(401, "invalid_api_key")
SCOPE = Scope(dag_id="d", run_id="r", task_id="t")


@pytest.fixture(autouse=True)
def tiny() -> Iterator[None]:
    """Let the vocabulary be found."""
    with known_as("tiny"):
        yield


@pytest.fixture(params=["disk", "object storage"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Folder:
    """Give a place for rows."""
    return tmp_path if request.param == "disk" else MemoryFolder()


class Dollars(PriceList):
    """A token is a dollar."""

    def __init__(self) -> None:
        super().__init__("https://api.example/v1")

    def of(self, model: str, service_tier: str = "") -> ModelPrice | None:
        """Give the price of any model."""
        return ModelPrice(tiers=(), rates=(tuple(float(not place) for place in range(len(TokenCounts._fields))),))

    def cost(self, model: str, usage: Mapping[str, Any], service_tier: str = "") -> float | None:
        """Give the tokens."""
        return float(usage["total_tokens"])


class Try:
    """One try of a delivery in a folder.

    :param answers: how many requests are answered.
    :param then: what the others get.
    """

    def __init__(
        self,
        folder: Folder,
        *,
        answers: int = 99,
        then: Any = LATER,
        rule: LongInputs = CHUNKS,
        limits: BudgetLimits | None = None,
        answering: Callable[[WireRequest], Any] = answer,
        number: int = 1,
    ) -> None:
        self.wire = FakeWire(lambda asked: answering(asked) if len(self.wire.sent) <= answers else then)
        self.budget = Budget(limits or BudgetLimits(max_cost=1e6), Dollars())
        self.seen = ListSink()
        log = DeliveryLog(folder, SCOPE, try_number=number)
        rows, marks = log.marked_rows("outcomes")
        billing, portions = Billing(Dollars(), self.budget), PortionLog(log)
        renderer = PackedRenderer(
            RequestForm(ENDPOINT, base_url="https://api.example/v1"),
            BodyTemplate({"model": "m", "input": "{message}"}),
            None,
            rule,
        )
        renderer.keep_in(portions)
        self.destination = Destination(
            endpoint=ENDPOINT,
            renderer=renderer,
            dispatcher=dispatcher(
                self.wire,
                budget=self.budget,
                max_wait=120.0,
                limits=Limits(),
                concurrency=1,
                clock=SystemClock() if then is LATER else self.wire.clock,
            ),
            sinks=[self.seen, ResultsSink(rows, marks=marks)],
            earlier=log.settled(),
            fates=Fates(Claims(log.rows("claims"), untold=billing.untold), log.claimed(), portions),
            billing=billing,
        )

    def run(self, *values: Any) -> Manifest:
        """Deliver a record for each value."""
        source = ListSource([record(str(place), place, value) for place, value in enumerate(values)])
        return self.destination.run(source)

    @property
    def sent(self) -> list[int]:
        """Give how many values each request had."""
        return [len(body["input"]) for body in self.wire.bodies]

    def outcome(self, key: str = "0") -> Outcome:
        """Give what became of a record."""
        (found,) = [one for one in self.seen.written if one.record.key == key]
        return found


@pytest.mark.parametrize("rule", [CHUNKS, AVERAGE], ids=["chunks", "average"])
def test_what_was_paid_before_a_long_wait_is_not_paid_again(folder: Folder, rule: LongInputs) -> None:
    """Each resume begins behind it, and the answer is that of a run without a wait."""
    waiting = Try(folder, answers=1, rule=rule)
    manifest = waiting.run(LONG)
    with pytest.raises(LongWaitError):
        waiting.destination.raise_failure(manifest)
    again = Try(folder, answers=1, rule=rule)
    assert ((1, 0, 0, 1), [4, 1]) == (counts(again.run(LONG)), again.sent)
    last = Try(folder, rule=rule)
    assert ((1, 1, 0, 0), [1]) == (counts(last.run(LONG)), last.sent)
    whole = Try(MemoryFolder(), rule=rule)
    whole.run(LONG)
    assert (whole.outcome().answer, whole.outcome().usage) == (last.outcome().answer, last.outcome().usage)
    assert whole.outcome().cost == last.outcome().cost == 43


def test_a_record_whose_portions_are_kept_is_not_maybe_billed(folder: Folder) -> None:
    """Nothing of it is paid twice, and the next try does not take it for one of an unknown fate."""
    assert 0 == Try(folder, answers=2).run(LONG).maybe_billed
    manifest = Try(folder).run(LONG)
    assert (0, 0) == (manifest.unknown, manifest.maybe_billed)


def test_a_changed_record_begins_anew(folder: Folder) -> None:
    """What was paid for its old data stays spent."""
    Try(folder, answers=2).run(LONG)
    again = Try(folder)
    assert ((1, 1, 0, 0), [4, 4, 1]) == (counts(again.run(LONG[::-1])), again.sent)
    assert 40 + 44 == again.budget.spent.tokens
    third = Try(folder)
    third.run(LONG[::-1])
    assert 40 + 44 == third.budget.spent.tokens


def test_the_last_request_of_a_resumed_record_is_its_own(folder: Folder) -> None:
    """Another record of tokens goes in no pack with it, so that the usage of all requests stays on the long one."""
    Try(folder, answers=2).run([7, 8], LONG)
    again = Try(folder)
    assert (2, 2, 0, 0) == counts(again.run([7, 8], LONG))
    assert ({"total_tokens": 2}, {"total_tokens": 43}) == (again.outcome("0").usage, again.outcome("1").usage)


def test_a_list_that_was_sent_in_halves_is_gone_on_with(folder: Folder) -> None:
    """Also where nothing was cut: the first half is there."""

    def refuse_more_than_two(request: WireRequest) -> httpx.Response:
        is_large = len(json.loads(request.content)["input"]) > 2
        return refusal(400, "max_tokens_per_request", "too many") if is_large else answer(request)

    values = ["a", "bb", "ccc", "dddd"]
    Try(folder, answers=2, rule=LongInputs(), answering=refuse_more_than_two).run(values)
    again = Try(folder, rule=LongInputs())
    assert ((1, 1, 0, 0), [2]) == (counts(again.run(values)), again.sent)
    assert 4 == len(again.outcome().answer["data"])


@pytest.mark.parametrize("damage", ["gone", "cut"])
def test_portions_that_are_damaged_are_paid_again(tmp_path: Path, damage: str) -> None:
    """The record gets its answer all the same, and what was spent stays spent."""
    Try(tmp_path, answers=2).run(LONG)
    file = max(tmp_path.glob("portions-*.json"))
    if damage == "gone":
        file.unlink()
    else:
        file.write_bytes(file.read_bytes()[:-9])
    again = Try(tmp_path)
    assert ((1, 1, 0, 0), [4, 4, 1], 83) == (counts(again.run(LONG)), again.sent, again.budget.spent.tokens)


def test_portions_that_can_not_be_read_now_end_the_try(tmp_path: Path) -> None:
    """A state that can't be read is no empty one: nothing is paid again."""
    Try(tmp_path, answers=1).run(LONG)
    file = max(tmp_path.glob("portions-*.json"))
    file.unlink()
    file.mkdir()
    again = Try(tmp_path)
    manifest = again.run(LONG)
    assert [] == again.sent
    with pytest.raises(TransientError, match=r"can't read .*portions-"):
        again.destination.raise_failure(manifest)


def test_what_can_not_be_written_is_told_as_maybe_billed() -> None:
    """The sending goes on, and only a retry pays again."""
    folder = MemoryFolder()

    def fail_once(asked: WireRequest) -> Any:
        folder.store.failing = {"write"} if len(broken.sent) == 1 else set()
        return answer(asked)

    broken = Try(folder, answers=2, answering=fail_once)
    assert ((1, 0, 0, 1), 1) == (counts(manifest := broken.run(LONG)), manifest.maybe_billed)
    again = Try(folder)
    assert ((1, 1, 0, 0), [4, 4, 1]) == (counts(again.run(LONG)), again.sent)


def test_the_budget_knows_what_was_paid_for_pending_records(folder: Folder) -> None:
    """So three tries spend no more than one may."""
    sent = []
    for _ in range(3):
        limited = Try(folder, limits=BudgetLimits(max_tokens_total=25))
        manifest = limited.run(LONG)
        assert (1, 0, 0, 1) == counts(manifest)
        with pytest.raises(BudgetReachedError, match="20 tokens are spent"):
            limited.destination.raise_failure(manifest)
        sent += limited.sent
    assert [4] == sent
    assert 20 == limited.budget.spent.cost


@pytest.mark.parametrize("then", [lost(), BAD_KEY], ids=["lost", "stopped"])
def test_the_budget_knows_of_lost_answers(folder: Folder, then: Any) -> None:
    """Nobody can know what was billed, so the next try begins with what was reserved."""
    first = Try(folder, answers=0, then=then)
    first.run("abcdef")
    again = Try(folder, answers=0, then=BAD_KEY)
    again.run("abcdef")
    third = Try(folder, answers=0, then=BAD_KEY)
    third.run("abcdef")
    assert first.budget.spent == again.budget.spent == third.budget.spent
    assert (first.budget.spent.tokens > 0) is (then is not BAD_KEY)


def test_the_budget_knows_of_answers_without_usage(folder: Folder) -> None:
    """They count as what was reserved, in later tries, too."""

    def answer_without_usage(asked: WireRequest) -> Any:
        body = answer(asked).json()
        del body["usage"]
        return httpx.Response(200, json=body)

    first = Try(folder, answering=answer_without_usage)
    first.run("abcdef")
    again = Try(folder)
    again.run("abcdef")
    assert [] == again.sent
    assert first.budget.spent == again.budget.spent
    assert again.budget.spent.tokens > 0


def test_a_portion_before_a_refused_one_has_a_cost(tmp_path: Path) -> None:
    """On the rejected record, and in the manifest."""
    refused = Try(tmp_path, answers=1, then=refusal(400, "bad"))
    manifest = refused.run(LONG)
    assert ((1, 0, 1, 0), {"total_tokens": 20}, 20.0) == (counts(manifest), manifest.usage, manifest.cost)
    assert 20.0 == refused.outcome().cost
    assert 20.0 == refused.budget.spent.cost
