"""Asking servers apart through the lanes, as a run does, beside whatever else this process does."""

from __future__ import annotations

import ast
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from apart import DistantServer, serve_apart
from pytest_llmbench.extraction import extract_files
from pytest_llmbench.generation.ask import RetryPolicy
from pytest_llmbench.generation.clock import SystemClock
from pytest_llmbench.generation.lanes import Job, Lanes
from pytest_llmbench.generation.live import LiveAnswerer
from pytest_llmbench.generation.recording import Recording
from pytest_llmbench.generation.request import Message, Request
from pytest_llmbench.models import Model
from pytest_llmbench.providers.protocol import Patience
from pytest_llmbench.suites import round1
from streams import DIALECTS, Dialect, Play
from wire import Asked

SHORTEST = 6
"""Events; whatever is shorter is no play."""

ROUNDS = 20
"""The most often that one bench can hear all its plays."""

Work: TypeAlias = Callable[[Callable[[], bool]], None]
"""What the main thread does until the answers are there."""

SOURCE = Path(round1.__file__).with_name("reference_todo.py")


@dataclass(frozen=True, slots=True)
class Heard:
    """One answer as it was sent, in seconds since the server read the request, and as heard."""

    play: Play
    sent_s: list[float]
    recording: Recording

    @property
    def heard_s(self) -> list[float]:
        """When each generated piece was stamped, since our own start."""
        return [piece.at_s for piece in self.recording.pieces]


def wait_idly(done: Callable[[], bool]) -> None:
    """Nothing."""
    while not done():
        time.sleep(0.02)


def run_checks(done: Callable[[], bool]) -> None:
    """What checks do: parse an answer, take it apart, run programs and wait for them."""
    source = SOURCE.read_text(encoding="utf-8")
    while not done():
        ast.parse(source)
        extract_files(f"Here it is:\n\n```python\n{source}```\n", entry="todo.py")
        subprocess.run([sys.executable, "-S", "-c", "import time; time.sleep(0.02)"], check=True)


def compute(done: Callable[[], bool]) -> None:
    """The worst that a test can do in Python: never wait."""
    while not done():
        for _ in range(10_000):
            pass


class Bench:
    """One server for each dialect, and the lanes to them."""

    def __init__(self, servers: Mapping[str, DistantServer], plays: Sequence[Play]) -> None:
        self._servers = servers
        self._plays = plays
        self._models = {each.name: each.model(servers[each.name].url) for each in DIALECTS}
        providers = {each.name: each.provider() for each in DIALECTS}
        clock = SystemClock()
        self.live = LiveAnswerer(
            providers, patience=Patience(60, 30), clock=clock, policy=RetryPolicy(attempts=1)
        )
        self.lanes = Lanes(
            self.live, lambda model: providers[model.provider].endpoint(model), clock
        )
        self._rounds = 0

    def hear_all(self, dialects: Sequence[Dialect], work: Work) -> dict[str, list[Heard]]:
        """Each play once in each of the dialects, while `work` goes on; by the dialect's name."""
        self._rounds += 1
        before = {each.name: len(self._answered(each.name)) for each in dialects}
        jobs = {
            each.name: [
                self._job(self._models[each.name], place) for place in range(len(self._plays))
            ]
            for each in dialects
        }
        self.lanes.start(job for some in jobs.values() for job in some)
        futures = [self.lanes.find(job).future for some in jobs.values() for job in some]
        work(lambda: all(future.done() for future in futures))
        return {
            each.name: [
                Heard(
                    play,
                    [sent - asked.read_s for sent in each.sent_s(play, asked.sent_s)],
                    self.lanes.find(job).future.result().recording,
                )
                for play, asked, job in zip(
                    self._plays,
                    self._answered(each.name)[before[each.name] :],
                    jobs[each.name],
                    strict=True,
                )
            ]
            for each in dialects
        }

    def _job(self, model: Model, place: int) -> Job:
        request = Request((Message("user", "Count."),), max_tokens=1000)
        return Job((model.label, self._rounds, place), model, request)

    def _answered(self, name: str) -> list[Asked]:
        """The requests that a play answered; warm-ups and questions about models are shorter."""
        return [each for each in self._servers[name].asked if len(each.sent_s) > SHORTEST]


@contextmanager
def open_bench(plays: Sequence[Play]) -> Iterator[Bench]:
    """Servers that give these plays one after the other and again; SDKs imported, models warm."""
    with ExitStack() as stack:
        servers = {
            each.name: stack.enter_context(
                serve_apart(each.open_server, *[each.reply(play) for play in [*plays] * ROUNDS])
            )
            for each in DIALECTS
        }
        bench = Bench(servers, plays)
        stack.callback(bench.live.close)
        bench.hear_all(DIALECTS, wait_idly)
        yield bench
