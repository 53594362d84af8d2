"""The cap on what a run may cost."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from datetime import UTC, datetime

import pytest

from pytest_llmbench.budget import Budget, CapReached
from pytest_llmbench.costs import Costs
from pytest_llmbench.generation.ask import (
    WAITING_FOR_THE_CAP,
    CalledOff,
    GenerationFailed,
    Progress,
    RetryPolicy,
    ask,
)
from pytest_llmbench.generation.chunks import End, ServerReport, VisibleText
from pytest_llmbench.generation.recording import Recording
from pytest_llmbench.generation.request import Message, Request
from pytest_llmbench.models import Model
from pytest_llmbench.prices import OwnPrice, PriceList
from pytest_llmbench.providers.protocol import Endpoint, Kind, Patience, ProviderError, Session
from pytest_llmbench.testing.clock import FakeClock
from pytest_llmbench.testing.provider import Script, ScriptedProvider


class SettlingClock(FakeClock):
    """At its first sleep, an answer of another thread settles."""

    def __init__(self) -> None:
        super().__init__()
        self.settle: Callable[[], None] = lambda: None

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        self.settle()
        self.settle = lambda: None


@pytest.fixture
def clock() -> SettlingClock:
    return SettlingClock()


@pytest.fixture
def budget(clock: SettlingClock) -> Iterator[Budget]:
    """A cap of $1."""
    budget = Budget.create(1.0, clock)
    yield budget
    budget.remove()


def never() -> bool:
    return False


def test_what_is_spent_and_the_next_answer_never_exceed_the_cap(budget: Budget) -> None:
    budget.settle(budget.hold(0.9, called_off=never), 0.43)
    with pytest.raises(CapReached) as caught:
        budget.hold(0.6, called_off=never)
    assert str(caught.value) == (
        "not asked: the cap of $1.00 (llm_max_cost) would be passed: "
        "$0.43 spent, up to $0.60 for this answer"
    )
    budget.hold(0.5, called_off=never)


def test_an_answer_waits_while_only_those_under_way_stand_in_its_way(
    budget: Budget, clock: SettlingClock
) -> None:
    under_way = budget.hold(0.8, called_off=never)
    clock.settle = lambda: budget.settle(under_way, 0.1)
    budget.hold(0.8, called_off=never)
    assert len(clock.slept_s) == 1


def test_the_wait_ends_when_the_run_is_called_off(budget: Budget) -> None:
    budget.hold(0.8, called_off=never)
    with pytest.raises(CapReached):
        budget.hold(0.8, called_off=lambda: True)


def test_an_unknown_cost_counts_as_all_that_was_held(budget: Budget) -> None:
    budget.settle(budget.hold(0.7, called_off=never), None)
    with pytest.raises(CapReached, match=r"\$0.70 spent"):
        budget.hold(0.4, called_off=never)


def test_what_a_killed_process_held_counts_as_spent(budget: Budget) -> None:
    program = (
        "import sys; from pathlib import Path; from pytest_llmbench.budget import Budget\n"
        "from pytest_llmbench.generation.clock import SystemClock\n"
        "budget = Budget(1.0, Path(sys.argv[1]), SystemClock())\n"
        "budget.hold(0.7, called_off=lambda: False)\n"
    )
    subprocess.run([sys.executable, "-c", program, budget.path], check=True, timeout=60)
    with pytest.raises(CapReached, match=r"\$0.70 spent"):
        budget.hold(0.4, called_off=never)


def test_processes_together_stay_below_the_cap(budget: Budget) -> None:
    """Four processes ask for as many answers of up to $0.10 as they get; each costs $0.03."""
    program = """
import sys
from pathlib import Path
from pytest_llmbench.budget import Budget, CapReached
from pytest_llmbench.generation.clock import SystemClock
budget = Budget(1.0, Path(sys.argv[1]), SystemClock())
answers = 0
try:
    while True:
        hold = budget.hold(0.10, called_off=lambda: False)
        answers += 1
        budget.settle(hold, 0.03)
except CapReached:
    print(answers)
"""
    command = [sys.executable, "-c", program, str(budget.path)]
    runs = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    answers = sum(int(run.communicate(timeout=60)[0]) for run in runs)
    # With 30 answers $0.90 is spent, and one of up to $0.10 fits; with 31 none does.
    assert answers in (30, 31)


REQUEST = Request(messages=(Message("user", "hello"),), max_tokens=1_000)
PRICE = {"scripted/m": OwnPrice(input=0.0, output=400.0)}
"""Of which 1,000 tokens cost $0.40."""
ANSWER = Script(
    [(0.1, VisibleText("x")), (0.0, ServerReport(input_tokens=5, output_tokens=500)),
     (0.0, End("end", "stop"))]
)  # fmt: skip


class Asker:
    """Asks a scripted model under a cap of $1."""

    def __init__(self, budget: Budget, *scripts: Script, kind: Kind = "cloud") -> None:
        self.clock = FakeClock()
        self.provider = ScriptedProvider({"m": scripts}, self.clock)
        self.endpoint = Endpoint("scripted.invalid", kind, 1)
        self.budget = budget
        self.progress = Progress()

    def ask(self, prices: dict[str, OwnPrice]) -> Recording:
        model = Model("m", "scripted", "m")
        costs = Costs(
            PriceList(prices),
            self.budget,
            find_meter=lambda: None,
            tariff=None,
            now=lambda: datetime(2026, 11, 23, tzinfo=UTC),
        )
        return costs.account(
            self.provider.open(model),
            model,
            self.endpoint,
            REQUEST,
            progress=self.progress,
            ask=self._ask_session,
        )

    def _ask_session(self, session: Session) -> Recording:
        return ask(
            session,
            REQUEST,
            patience=Patience(60, 60),
            policy=RetryPolicy(attempts=2),
            clock=self.clock,
            progress=self.progress,
            attention=nullcontext(),
        )


def test_answers_are_asked_for_until_the_next_one_could_pass_the_cap(budget: Budget) -> None:
    """Each may cost $0.40 and does cost $0.20: after the fourth, the next could pass $1."""
    asker = Asker(budget, ANSWER)
    assert [asker.ask(PRICE).cost_usd for _ in range(4)] == pytest.approx([0.2] * 4)
    with pytest.raises(GenerationFailed) as caught:
        asker.ask(PRICE)
    assert str(caught.value) == (
        "not asked: the cap of $1.00 (llm_max_cost) would be passed: "
        "$0.80 spent, up to $0.40 for this answer"
    )
    assert len(asker.provider.requests) == 4


def test_under_a_cap_nothing_is_asked_of_a_cloud_whose_price_is_not_known(budget: Budget) -> None:
    asker = Asker(budget, ANSWER)
    with pytest.raises(GenerationFailed) as caught:
        asker.ask({})
    assert str(caught.value) == (
        "not asked: what scripted/m costs is not known, so the cap of $1.00 (llm_max_cost) "
        "cannot be kept; give its price in [tool.llmbench.prices]"
    )
    assert not asker.provider.requests


def test_a_server_at_home_that_nobody_charges_for_is_asked_under_any_cap(budget: Budget) -> None:
    asker = Asker(budget, ANSWER, kind="local")
    assert asker.ask({}).cost_usd is None
    assert len(asker.provider.requests) == 1


@pytest.mark.parametrize(
    ("fault", "spent", "answers"),
    [
        (ProviderError("down", kind="overloaded", status=529), "$0.80", 4),
        (ProviderError("torn", kind="broken"), "$0.80", 2),
    ],
    ids=["refused: free", "broke off: as much as it can have cost"],
)
def test_an_attempt_that_fails_counts_as_what_it_may_have_cost(
    budget: Budget, fault: ProviderError, spent: str, answers: int
) -> None:
    """One attempt fails, the next ones come through at $0.20 each, until the cap."""
    asker = Asker(budget, Script([(0.1, fault)]), ANSWER)
    for _ in range(answers):
        asker.ask(PRICE)
    with pytest.raises(GenerationFailed, match="would be passed") as caught:
        asker.ask(PRICE)
    assert f"{spent} spent" in str(caught.value)


def test_an_answer_that_waits_for_others_is_called_off_with_the_run(budget: Budget) -> None:
    budget.hold(0.9, called_off=never)
    asker = Asker(budget, ANSWER)
    asker.progress.called_off.set()
    with pytest.raises(CalledOff):
        asker.ask(PRICE)
    assert not asker.provider.requests


def test_waiting_for_others_is_a_stage_that_may_last(budget: Budget, clock: SettlingClock) -> None:
    """Getting ready may not; a lane whose answer does so for too long is given up."""
    under_way = budget.hold(0.9, called_off=never)
    asker = Asker(budget, ANSWER)
    seen = []

    def look_and_settle() -> None:
        seen.append(asker.progress.stage)
        budget.settle(under_way, 0.1)

    clock.settle = look_and_settle
    assert asker.ask(PRICE).cost_usd == pytest.approx(0.2)
    assert seen == [WAITING_FOR_THE_CAP]
    assert asker.progress.stage == "generating"


def test_the_account_is_a_file_of_this_user_alone_and_goes_with_the_run(budget: Budget) -> None:
    assert budget.path.stat().st_mode & 0o077 == 0
    assert budget.path.stat().st_uid == os.getuid()
    budget.remove()
    assert not budget.path.exists()


def test_a_thread_that_outlives_the_run_leaves_no_account_behind(budget: Budget) -> None:
    held = budget.hold(0.1, called_off=never)
    budget.remove()
    budget.settle(held, None)
    budget.settle(held, 0.1)
    with pytest.raises(CapReached, match=r"^not asked: the run has ended$"):
        budget.hold(0.1, called_off=never)
    assert not budget.path.exists()
