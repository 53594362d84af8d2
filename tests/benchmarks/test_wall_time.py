"""How long a run takes beside what its models take: generation runs ahead of the tests."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from importlib import resources
from itertools import pairwise
from pathlib import Path
from statistics import median

import pytest

import anthropic_server
import ollama_server
from apart import DistantServer, control_run, serve_apart
from pytest_llmbench.generation.ask import RetryPolicy
from pytest_llmbench.generation.clock import SystemClock
from pytest_llmbench.generation.lanes import Job, Lanes
from pytest_llmbench.generation.live import LiveAnswerer
from pytest_llmbench.generation.recording import Recording, read_recording
from pytest_llmbench.generation.request import Message, Request
from pytest_llmbench.providers.protocol import Patience
from streams import Anthropic, Play, steady
from wire import Event, Reply

SPEED = 10
"""The demo's times are played so many times as fast."""
PIECES = 60
LOCAL = ("menu", "minimal", "thinking-menu", "cut-off")
CLOUD = ("argparse", "argv")
START_UP_S = 3.0
OVERHEAD = 1.10

REQUESTS = 200
CONCURRENCY = 16
THROUGHPUT = 0.85
TTFT_WITHIN_S = 0.005
ONE_OF_MANY = Play(steady(6, per_s=100, first_s=0.2))


def read_demo(name: str) -> Recording:
    file = resources.files("pytest_llmbench.demo") / name / "todo.json"
    return read_recording(json.loads(file.read_text(encoding="utf-8")))


def length_s(name: str) -> float:
    """How long an answer takes here."""
    total_s = read_demo(name).timing.total_s
    assert total_s is not None
    return total_s / SPEED


def cut(recording: Recording) -> list[tuple[str, float]]:
    """The answer's text in pieces, each with its moment."""
    text, timing = recording.text, recording.timing
    assert timing.ttfo_s is not None
    assert timing.total_s is not None
    bounds = [round(len(text) * place / PIECES) for place in range(PIECES + 1)]
    step_s = (timing.total_s - timing.ttfo_s) / (PIECES - 1)
    moments_s = [(timing.ttfo_s + step_s * place) / SPEED for place in range(PIECES)]
    return [(text[a:b], at_s) for (a, b), at_s in zip(pairwise(bounds), moments_s, strict=True)]


def local_reply(name: str) -> Reply:
    recording = read_demo(name)
    events: list[Event] = [ollama_server.text(words, at_s) for words, at_s in cut(recording)]
    reason = "length" if recording.stop_reason == "length" else "stop"
    figures = {"eval_count": recording.usage.output_tokens or 0, "eval_duration": 0}
    return ollama_server.stream([*events, ollama_server.done(reason, length_s(name), **figures)])


def cloud_reply(name: str) -> Reply:
    server, end_s = anthropic_server, length_s(name)
    pieces = [server.text(words, at_s) for words, at_s in cut(read_demo(name))]
    closing = [server.message_delta("end_turn", 1400, end_s), server.message_stop(end_s)]
    return server.stream([server.message_start(), *pieces, *closing])


@pytest.mark.xfail(
    reason="not reached yet: 14.2 s against 13.1 s; the last answer's programs follow the lane",
    strict=False,
)
@pytest.mark.parametrize("workers", [(), ("-n2",)], ids=["plain", "n2"])
def test_round_1_takes_little_longer_than_its_local_models(
    tmp_path: Path, workers: tuple[str, ...]
) -> None:
    """The whole run: at most 1.10 × the local lane plus the start-up, itself at most 3 s.

    The start-up ends when the local server has read the first question.
    """
    with (
        serve_apart(ollama_server.OllamaServer, *map(local_reply, LOCAL)) as local,
        serve_apart(anthropic_server.AnthropicServer, *map(cloud_reply, CLOUD)) as cloud,
        control_run(4.0) as control,
    ):
        specs = [f"ollama/devstral:latest?host={local.url}&seed={n}" for n in range(len(LOCAL))]
        specs += [f"anthropic/claude-{name}?base_url={cloud.url}" for name in CLOUD]
        started_s = time.perf_counter()
        run_round_1(tmp_path, specs, workers)
        wall_s = time.perf_counter() - started_s
        start_up_s = questions(local, ollama_server.CHAT)[0] - started_s
        assert len(questions(local, ollama_server.CHAT)) == len(LOCAL)
        assert len(questions(cloud, anthropic_server.MESSAGES)) == len(CLOUD)
    lane_s = sum(map(length_s, LOCAL))
    found = f"{wall_s:.1f} s for a lane of {lane_s:.1f} s after a start-up of {start_up_s:.1f} s"
    if control.crowded:
        pytest.skip(f"{control.crowded}; {found}")
    assert wall_s <= OVERHEAD * lane_s + start_up_s, found
    if not workers:
        assert start_up_s <= START_UP_S, found


def run_round_1(folder: Path, specs: list[str], workers: tuple[str, ...]) -> None:
    (folder / "pytest.ini").write_text("[pytest]\n")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q",
         "--pyargs", "pytest_llmbench.suites.round1", "--llm-report=out.json",
         f"--llm-models={','.join(specs)}", *workers],
        cwd=folder, env={**os.environ, "ANTHROPIC_API_KEY": "none"},
        capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip
    report = json.loads((folder / "out.json").read_text())
    scores = [result["score"] for result in report["results"]]
    assert sorted(scores) == [28.0, 60.0, 60.0, 100.0, 100.0, 100.0], done.stdout


def questions(server: DistantServer, path: str) -> list[float]:
    """When the server had read each question, in order."""
    asked = [each for each in server.asked if each.path == path and each.body["messages"]]
    return [each.read_s for each in asked]


def test_a_cloud_lane_is_kept_full(monkeypatch: pytest.MonkeyPatch) -> None:
    """200 answers, 16 at once: 85 % of the ideal throughput, and TTFT as the server sent it."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", "none")
    dialect, clock = Anthropic(), SystemClock()
    provider = dialect.provider()
    live = LiveAnswerer(
        {dialect.name: provider},
        patience=Patience(60, 30),
        clock=clock,
        policy=RetryPolicy(attempts=1),
    )
    lanes = Lanes(live, provider.endpoint, clock)
    request = Request((Message("user", "Count."),), max_tokens=100)
    with (
        serve_apart(dialect.open_server, dialect.reply(ONE_OF_MANY)) as server,
        control_run(3.0) as control,
    ):
        model = dialect.model(server.url, concurrency=CONCURRENCY)
        lanes.start([Job("warm", model, request)])
        lanes.find(Job("warm", model, request)).future.result()
        jobs = [Job(number, model, request) for number in range(REQUESTS)]
        started_s = clock.now()
        lanes.start(jobs)
        recordings = [lanes.find(job).future.result().recording for job in jobs]
        took_s = clock.now() - started_s
        answered = [each for each in server.asked if each.path == anthropic_server.MESSAGES]
    live.close()
    sent_s = [dialect.sent_s(ONE_OF_MANY, each.sent_s)[0] - each.read_s for each in answered]
    ideal_s = REQUESTS / CONCURRENCY * ONE_OF_MANY.moments_s[-1]
    ttft_s = median(each.timing.ttft_s or 0.0 for each in recordings)
    found = (
        f"{ideal_s / took_s:.0%} of the ideal throughput; "
        f"median TTFT {ttft_s * 1000:.1f} ms, sent after {median(sent_s) * 1000:.1f} ms"
    )
    assert len(answered) == REQUESTS + 1
    if control.crowded:
        pytest.skip(f"{control.crowded}; {found}")
    assert ideal_s / took_s >= THROUGHPUT, found
    assert abs(ttft_s - median(sent_s)) <= TTFT_WITHIN_S, found
