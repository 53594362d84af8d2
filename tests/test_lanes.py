"""Who may generate when: lanes, and what their answerer does for them."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing.synchronize import Barrier as ProcessBarrier

import pytest

from ollama_server import CHAT, OllamaServer
from ollama_server import answer as ollama_answer
from pytest_llmbench.generation.ask import (
    WAITING_FOR_THE_CAP,
    CalledOff,
    GenerationFailed,
    Progress,
    RetryPolicy,
)
from pytest_llmbench.generation.chunks import End, VisibleText
from pytest_llmbench.generation.clock import SystemClock
from pytest_llmbench.generation.lanes import Answer, Job, Lanes
from pytest_llmbench.generation.live import LiveAnswerer
from pytest_llmbench.generation.machine_lock import hold_machine_lock
from pytest_llmbench.generation.recording import Recording
from pytest_llmbench.generation.request import Message, Request
from pytest_llmbench.models import Model
from pytest_llmbench.providers.ollama import OllamaProvider
from pytest_llmbench.providers.protocol import Endpoint, Kind, Patience, ProviderError
from pytest_llmbench.testing.clock import FakeClock
from pytest_llmbench.testing.provider import Script, ScriptedProvider

WAIT_S = 20.0
"""Long enough for any machine; only a failing test waits for its end."""

HELLO = Script([(1.0, VisibleText("hello")), (0.1, End("end", "stop"))])


def job(model: str, task: str = "todo", sample: int = 0, system: str | None = None) -> Job:
    request = Request(
        (Message("user", f"Write {task}."),), max_tokens=64, task=task, sample=sample, system=system
    )
    return Job((model, task, sample), Model(model, "scripted", model), request)


@dataclass
class Doorman:
    """Answers a job when the test lets it; knows who was inside together."""

    outcome: Callable[[Job, Progress], Answer] = lambda _, __: Answer(
        Recording("ok"), replayed=False
    )
    inside: list[str] = field(default_factory=list)
    most_inside: int = 0
    entered: list[str] = field(default_factory=list)
    changed: threading.Condition = field(default_factory=threading.Condition)
    let_go: set[str] = field(default_factory=set)
    expected: list[str] = field(default_factory=list)

    def expect(self, jobs: Sequence[Job]) -> None:
        self.expected += [name_of(each) for each in jobs]

    def answer(self, job: Job, progress: Progress) -> Answer:
        name = name_of(job)
        with self.changed:
            self.inside.append(name)
            self.entered.append(name)
            self.most_inside = max(self.most_inside, len(self.inside))
            self.changed.notify_all()
            try:
                while not (name in self.let_go or progress.called_off.is_set()):
                    assert self.changed.wait(WAIT_S) or progress.called_off.is_set()
            finally:
                self.inside.remove(name)
        if progress.called_off.is_set():
            raise CalledOff
        return self.outcome(job, progress)

    def release(self, *names: str) -> None:
        with self.changed:
            self.let_go.update(names)
            self.changed.notify_all()

    def await_inside(self, count: int) -> list[str]:
        """Who is inside, as soon as there are so many."""
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.inside) == count, WAIT_S), self.inside
            return sorted(self.inside)

    def wake(self) -> None:
        with self.changed:
            self.changed.notify_all()


def name_of(job: Job) -> str:
    return f"{job.model.name} {job.request.task}"


def open_lanes(answerer: Doorman, endpoints: Mapping[str, Endpoint]) -> Lanes:
    return Lanes(answerer, lambda model: endpoints[model.name], FakeClock())


def cloud(concurrency: int, address: str = "cloud.invalid") -> Endpoint:
    return Endpoint(address, "cloud", concurrency)


def local(tmp_path: object) -> Endpoint:
    return Endpoint(f"local.invalid {tmp_path}", "local", 1)


def result(lanes: Lanes, wanted: Job) -> Answer:
    return lanes.find(wanted).future.result(WAIT_S)


def test_a_local_endpoint_is_asked_one_question_at_a_time_in_order(tmp_path: object) -> None:
    """Two models share the server: the first one's questions are over before the second's begin."""
    answerer = Doorman()
    lanes = open_lanes(answerer, {"a": local(tmp_path), "b": local(tmp_path)})
    jobs = [job("a", "one"), job("a", "two"), job("b", "one"), job("b", "two")]
    answerer.release(*map(name_of, jobs))
    lanes.start(jobs)
    for each in jobs:
        result(lanes, each)
    assert answerer.entered == ["a one", "a two", "b one", "b two"]
    assert answerer.most_inside == 1


def test_a_cloud_is_asked_as_much_at_once_as_it_allows() -> None:
    answerer = Doorman()
    lanes = open_lanes(answerer, {"a": cloud(3)})
    jobs = [job("a", str(number)) for number in range(5)]
    lanes.start(jobs)
    assert answerer.await_inside(3) == ["a 0", "a 1", "a 2"]
    answerer.release("a 1")
    result(lanes, jobs[1])
    assert answerer.await_inside(3) == ["a 0", "a 2", "a 3"]
    answerer.release(*map(name_of, jobs))
    for each in jobs:
        result(lanes, each)
    assert answerer.most_inside == 3


def test_an_answer_waits_for_no_other() -> None:
    """Neither for one on another endpoint, nor for a slower one on its own."""
    answerer = Doorman()
    lanes = open_lanes(answerer, {"slow": cloud(2), "quick": cloud(1, "other.invalid")})
    jobs = [job("slow", "one"), job("slow", "two"), job("quick", "one")]
    lanes.start(jobs)
    answerer.await_inside(3)
    answerer.release("quick one", "slow two")
    assert result(lanes, jobs[2]).recording.text == "ok"
    assert result(lanes, jobs[1]).recording.text == "ok"
    assert not lanes.find(jobs[0]).future.done()
    answerer.release("slow one")
    result(lanes, jobs[0])


def test_each_answer_is_made_once_however_many_ask_for_it() -> None:
    answerer = Doorman()
    lanes = open_lanes(answerer, {"a": cloud(4)})
    answerer.release("a todo")
    lanes.start([job("a"), job("a")])
    assert result(lanes, job("a")) is result(lanes, job("a"))
    assert answerer.entered == answerer.expected == ["a todo"]


def test_a_lane_narrows_when_the_server_asks_to_slow_down_and_widens_again() -> None:
    """Half as many at once after a 429; one more after each answer that met none."""
    limited = {"a 0"}

    def outcome(job: Job, progress: Progress) -> Answer:
        progress.rate_limited = int(name_of(job) in limited)
        return Answer(Recording("ok"), replayed=False)

    answerer = Doorman(outcome)
    lanes = open_lanes(answerer, {"a": cloud(4)})
    jobs = [job("a", str(number)) for number in range(12)]
    lanes.start(jobs)
    answerer.await_inside(4)
    answerer.release("a 0")
    result(lanes, jobs[0])
    assert answerer.await_inside(3) == ["a 1", "a 2", "a 3"]  # two are allowed, nobody is sent away
    answerer.release("a 1")
    result(lanes, jobs[1])
    assert answerer.await_inside(3) == ["a 2", "a 3", "a 4"]
    answerer.release("a 2")
    result(lanes, jobs[2])
    assert answerer.await_inside(4) == ["a 3", "a 4", "a 5", "a 6"]
    answerer.release(*map(name_of, jobs))
    for each in jobs:
        result(lanes, each)
    assert answerer.most_inside == 4


def test_calling_off_drops_what_waits_and_ends_what_is_under_way() -> None:
    answerer = Doorman()
    lanes = open_lanes(answerer, {"a": cloud(1)})
    jobs = [job("a", str(number)) for number in range(3)]
    lanes.start(jobs)
    answerer.await_inside(1)
    lanes.call_off()
    answerer.wake()
    for each in jobs:
        with pytest.raises(CalledOff):
            result(lanes, each)
    assert answerer.entered == ["a 0"]


def test_nothing_is_asked_after_calling_off() -> None:
    answerer = Doorman()
    lanes = open_lanes(answerer, {"a": cloud(1)})
    lanes.call_off()
    lanes.start([job("a")])
    with pytest.raises(CalledOff):
        result(lanes, job("a"))
    assert answerer.entered == []


def test_a_request_beyond_every_limit_costs_its_lane_and_not_the_run() -> None:
    """A provider that never comes back: all that would wait behind it fails, with the reason."""
    answerer, clock = Doorman(), FakeClock()
    lanes = Lanes(answerer, lambda _: cloud(1), clock)
    jobs = [job("a", "one"), job("a", "two")]
    lanes.start(jobs)
    answerer.await_inside(1)
    lanes.find(jobs[0]).progress.enter("generating", clock)
    clock.sleep(100)
    lanes.end_stuck(lanes.find(jobs[1]), 100)
    assert not lanes.find(jobs[1]).future.done()
    clock.sleep(1)
    lanes.end_stuck(lanes.find(jobs[1]), 100)
    words = (
        "cloud.invalid holds a request for 100 s, beyond every limit; nothing more is asked there"
    )
    for each in (*jobs, job("a", "three")):
        with pytest.raises(GenerationFailed) as failed:
            result(lanes, each)
        assert str(failed.value) == words
    answerer.wake()


def test_a_wait_for_other_answers_is_no_request_beyond_every_limit() -> None:
    """An answer may wait for the cap as long as the others take."""
    answerer, clock = Doorman(), FakeClock()
    lanes = Lanes(answerer, lambda _: cloud(1), clock)
    lanes.start([job("a")])
    answerer.await_inside(1)
    lanes.find(job("a")).progress.enter(WAITING_FOR_THE_CAP, clock)
    clock.sleep(1_000)
    lanes.end_stuck(lanes.find(job("a")), 100)
    assert not lanes.find(job("a")).future.done()
    answerer.wake()


def _hold(address: str, barrier: ProcessBarrier) -> None:
    with hold_machine_lock(address, SystemClock(), called_off=lambda: False) as held:
        assert held
        barrier.wait(WAIT_S)  # held
        barrier.wait(WAIT_S)  # let go


def test_two_processes_never_ask_one_local_endpoint_at_once(tmp_path: object) -> None:
    """While another process holds the endpoint, a lane waits; when it ends, the lane goes on."""
    endpoint = local(tmp_path)
    processes = multiprocessing.get_context("spawn")
    barrier = processes.Barrier(2)
    process = processes.Process(target=_hold, args=(endpoint.address, barrier), daemon=True)
    process.start()
    barrier.wait(WAIT_S)
    answerer, clock = Doorman(), _NoticedClock()
    lanes = Lanes(answerer, lambda _: endpoint, clock)
    answerer.release("a todo")
    lanes.start([job("a")])
    assert clock.slept.wait(WAIT_S)
    assert answerer.entered == []
    barrier.wait(WAIT_S)
    process.join()
    assert result(lanes, job("a")).recording.text == "ok"


def test_a_lane_that_waits_for_another_run_can_be_called_off(tmp_path: object) -> None:
    endpoint = local(tmp_path)
    clock = _NoticedClock()
    with hold_machine_lock(endpoint.address, clock, called_off=lambda: False):
        answerer = Doorman()
        lanes = Lanes(answerer, lambda _: endpoint, clock)
        lanes.start([job("a")])
        assert clock.slept.wait(WAIT_S)
        lanes.call_off()
        with pytest.raises(CalledOff):
            result(lanes, job("a"))
    assert answerer.entered == []


class _NoticedClock(SystemClock):
    """Tells when somebody has begun to wait."""

    def __init__(self) -> None:
        self.slept = threading.Event()

    def sleep(self, seconds: float) -> None:
        self.slept.set()
        super().sleep(seconds)


def open_live(provider: ScriptedProvider) -> LiveAnswerer:
    return LiveAnswerer(
        {"scripted": provider},
        patience=Patience(60, 30),
        clock=provider.clock,
        policy=RetryPolicy(),
    )


@pytest.mark.parametrize("kind", ["setup", "model", "unreachable"])
def test_a_fault_that_lasts_is_not_met_twice(kind: str) -> None:
    """The next question to the same model fails at once, with the same words."""
    fault = ProviderError("no such luck", kind=kind)  # type: ignore[arg-type]  # of the three
    provider = ScriptedProvider({"m": [Script(obstacle=fault)]}, FakeClock())
    live = open_live(provider)
    with pytest.raises(GenerationFailed, match="no such luck"):
        live.answer(job("m", "one"), Progress())
    asked = len(provider.requests)
    with pytest.raises(GenerationFailed, match="no such luck"):
        live.answer(job("m", "two"), Progress())
    assert len(provider.requests) == asked


def test_a_fault_of_one_answer_is_its_own() -> None:
    broken = Script([(1, ProviderError("garbage", kind="broken", retryable=False))])
    provider = ScriptedProvider({"m": [broken, HELLO]}, FakeClock())
    live = open_live(provider)
    with pytest.raises(GenerationFailed, match="garbage"):
        live.answer(job("m", "one"), Progress())
    assert live.answer(job("m", "two"), Progress()).recording.text == "hello"


@pytest.mark.parametrize(
    ("kind", "system", "sent"),
    [
        pytest.param("local", None, ["Write todo.", "[b2a5247b]\n\nWrite todo."], id="local"),
        pytest.param("local", "Be brief.", ["Be brief.", "[b2a5247b]\n\nBe brief."], id="system"),
        pytest.param("cloud", None, ["Write todo.", "Write todo."], id="cloud"),
    ],
)
def test_further_samples_of_a_local_model_begin_differently(
    kind: Kind, system: str | None, sent: list[str]
) -> None:
    """Its server keeps what it has read; a cloud tells how much came from its cache."""
    provider = ScriptedProvider({"m": [HELLO]}, FakeClock(), kind=kind)
    live = open_live(provider)
    details = [
        live.answer(job("m", sample=sample, system=system), Progress()).recording.details
        for sample in (0, 1)
    ]
    starts = [request.system or request.messages[0].content for _, request in provider.requests]
    assert starts == sent
    marked = {"nonce": "b2a5247b"} if kind == "local" else {}
    assert details == [{}, marked]


def test_a_local_model_is_loaded_once_for_all_that_it_will_be_asked() -> None:
    """Its context is chosen for the largest question, though the smallest comes first."""
    endpoint = OllamaProvider().endpoint
    with OllamaServer(ollama_answer("print(1)")) as server:
        model = Model("m", "ollama", "devstral:latest", {"host": server.url})
        live = LiveAnswerer(
            {"ollama": OllamaProvider()},
            patience=Patience(60, 30),
            clock=SystemClock(),
            policy=RetryPolicy(),
        )
        lanes = Lanes(live, endpoint, SystemClock())
        jobs = [
            Job(limit, model, Request((Message("user", "Hi"),), max_tokens=limit))
            for limit in (64, 20_000)
        ]
        lanes.start(jobs)
        contexts = [result(lanes, each).recording.details["context_length"] for each in jobs]
        live.close()
    loads = [each for each in server.of_path(CHAT) if each.body["messages"] == []]
    assert contexts == [20_480, 20_480]
    assert len(loads) == 1
