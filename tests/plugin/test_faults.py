"""Every fault that a server can have, met by a whole run through each of the three real SDKs.

One run, three models, one task for each fault: what one answer meets must harm no other.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import anthropic_server
import ollama_server
import openai_server
from small_projects import one_of, read_report
from wire import Asked, Event, Reply, WireServer

TIMEOUT_S = 3

SUITE = """
import pytest

TASKS = [
    pytest.param(name, id=name, marks=pytest.mark.llm_task(name=name, prompt=f"case: {name}."))
    for name in NAMES
]

@pytest.mark.parametrize("name", TASKS)
def test_case(name, solution, rubric):
    with rubric.check("works", "answers"):
        assert "hello" in solution.source()
"""

CODE = "```python\nprint('hello')\n```\n"
PARTIAL = "```python\nprint('hel"


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one SDK's server says things."""

    server: Callable[..., WireServer]
    label: str
    address: str
    """After the server's URL."""
    parameter: str
    """The spec's name for the address."""
    stream: Callable[..., Reply]
    refuse: Callable[[int, Mapping[str, str]], Reply]
    text: Callable[[str], Event]
    end: Sequence[Event]
    refusal: Sequence[Event] | None
    """None: this API knows none."""
    error: Event

    def spec(self, url: str) -> str:
        return f"{self.label}?{self.parameter}={url}{self.address}&concurrency=16"


ANTHROPIC = Dialect(
    server=anthropic_server.AnthropicServer,
    label="anthropic/claude",
    address="",
    parameter="base_url",
    stream=anthropic_server.stream,
    refuse=lambda status, headers: anthropic_server.refusal(status, "x_error", "no luck", headers),
    text=anthropic_server.text,
    end=[anthropic_server.message_delta("end_turn", 9), anthropic_server.message_stop()],
    refusal=[anthropic_server.message_delta("refusal", 0), anthropic_server.message_stop()],
    error=anthropic_server.error("overloaded_error", "no luck"),
)
OPENAI = Dialect(
    server=openai_server.OpenAIServer,
    label=f"openai/{openai_server.SERVED_MODEL}",
    address="/v1",
    parameter="base_url",
    stream=openai_server.stream,
    refuse=lambda status, headers: openai_server.refusal(status, "no luck", headers),
    text=openai_server.text,
    end=[openai_server.finish(), openai_server.done()],
    refusal=[openai_server.finish("content_filter"), openai_server.done()],
    error=openai_server.event({"error": {"message": "no luck", "code": 503}}),
)
OLLAMA = Dialect(
    server=ollama_server.OllamaServer,
    label="ollama/devstral:latest",
    address="",
    parameter="host",
    stream=ollama_server.stream,
    refuse=lambda status, headers: ollama_server.refusal(status, "no luck", headers),
    text=ollama_server.text,
    end=[ollama_server.done(eval_duration=0)],
    refusal=None,
    error=ollama_server.error("no luck"),
)
DIALECTS = {"anthropic": ANTHROPIC, "openai": OPENAI, "ollama": OLLAMA}
GARBAGE = {
    "anthropic": Event(b"event: content_block_delta\ndata: {gar\n\n"),
    "openai": Event(b"data: {gar\n\n"),
    "ollama": Event(b"{gar\n"),
}


def script(dialect: Dialect, garbage: Event) -> dict[str, list[Reply]]:
    """What the server answers: the first reply to the first attempt, the last to all others."""
    stream, text, refuse = dialect.stream, dialect.text, dialect.refuse
    answer = stream([text(CODE), *dialect.end])
    replies = {
        "good": [answer],
        "429-wait": [refuse(429, {"retry-after": "2"}), answer],
        "429": [refuse(429, {}), answer],
        "429-hour": [refuse(429, {"retry-after": "3600"})],
        "500": [refuse(500, {}), answer],
        "529": [refuse(529, {})],
        "reset": [stream([text(PARTIAL)], "reset")],
        "cut": [stream([text(PARTIAL)])],
        "stall": [stream([text(PARTIAL)], "stall")],
        "garbage": [stream([text(PARTIAL), garbage])],
        "error-200": [stream([text(PARTIAL), dialect.error])],
        "empty": [stream(dialect.end)],
    }
    if dialect.refusal is not None:
        replies["refusal"] = [stream(dialect.refusal)]
    return replies


class FaultyServer(WireServer):
    """Answers questions by the case that they name, and all else as `usual` does."""

    def __init__(self, usual: WireServer, replies: Mapping[str, Sequence[Reply]]) -> None:
        super().__init__(self._choose_by_case)
        self._usual = usual
        self._replies = replies

    def times_asked(self, case: str) -> int:
        """How often the case was asked, attempts and all."""
        return sum(f"case: {case}." in json.dumps(asked.body) for asked in self.asked)

    def _choose_by_case(self, asked: Asked) -> Reply:
        for case, replies in self._replies.items():
            if f"case: {case}." in json.dumps(asked.body):
                return replies[min(self.times_asked(case), len(replies)) - 1]
        return self._usual._choose(asked)


@dataclass(frozen=True, slots=True)
class Run:
    """A finished run and what it met."""

    folder: Path
    output: str
    servers: Mapping[str, FaultyServer]
    specs: Mapping[str, str]

    def result(self, provider: str, case: str) -> dict[str, Any]:
        """One result of its JSON report."""
        results = read_report(self.folder / "out.json")["results"]
        label = self.specs[provider]
        return one_of([r for r in results if (r["model"], r["task"]) == (label, case)])

    def partial(self, provider: str, case: str) -> str | None:
        """What was kept of a failed generation."""
        files = list((self.folder / ".llmbench" / "failed" / provider).rglob(f"{case}/*.json"))
        texts: list[str] = [json.loads(file.read_text())["text"] for file in files]
        assert len(texts) <= 1
        return texts[0] if texts else None


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """All cases in all dialects, in one run."""
    folder = tmp_path_factory.mktemp("faults")
    scripts = {name: script(each, GARBAGE[name]) for name, each in DIALECTS.items()}
    (folder / "pytest.ini").write_text("[pytest]\n")
    names = list(scripts["anthropic"])
    (folder / "test_cases.py").write_text(SUITE.replace("NAMES", repr(names)))
    with ExitStack() as stack:
        servers = {}
        for name, dialect in DIALECTS.items():
            usual = stack.enter_context(dialect.server(*scripts[name]["good"]))
            servers[name] = stack.enter_context(FaultyServer(usual, scripts[name]))
        specs = {name: each.spec(servers[name].url) for name, each in DIALECTS.items()}
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-rA",
             f"--llm-models={','.join(specs.values())}", f"--llm-timeout={TIMEOUT_S}",
             "--llm-report=out.json"],
            cwd=folder, env={**os.environ, "ANTHROPIC_API_KEY": "none"},
            capture_output=True, text=True, timeout=200, check=False,
        )  # fmt: skip
        yield Run(folder, done.stdout, servers, specs)


SERVED = [(name, case) for name in DIALECTS for case in ("good", "429-wait", "429", "500")]
ATTEMPTS = {"good": (1, 0.0), "429-wait": (2, 2.0), "429": (2, 1.0), "500": (2, 1.0)}
"""Requests sent, and seconds waited: as the server asks, else one."""

JSON_WORDS = "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"
NONSENSE = f"the answer makes no sense: JSONDecodeError: {JSON_WORDS}"
OVERLOADED = "the server failed or is overloaded"
REASONS = {
    "429-hour": "{model}: too many requests (429: no luck); it asks to wait 3600 s",
    "529": "{model}: the server failed or is overloaded (529: no luck) (after 4 attempts)",
    "reset": "{model}: the connection to {url} tore: [Errno 104] Connection reset by peer "
    "(after 4 attempts)",
    "cut": "the stream ended without its end marker after 20 characters (after 4 attempts)",
    "stall": "{model}: the answer was not complete after 3 s (--llm-timeout)",
    "garbage": "{model}: {garbage} (after 4 attempts)",
    "error-200": "{model}: {error} (after 4 attempts)",
}
OWN_WORDS = {
    "anthropic": {"garbage": NONSENSE, "error": f"{OVERLOADED} (200: no luck)"},
    "openai": {
        "garbage": "the stream is garbled: {gar",
        "error": f"{OVERLOADED} (503: no luck)",
    },
    "ollama": {"garbage": NONSENSE, "error": "the stream ended with an error (200: no luck)"},
}
BEFORE_ANY_TEXT = ("429-hour", "529")
ONCE = ("429-hour", "stall")


@pytest.mark.parametrize(("provider", "case"), SERVED)
def test_a_passing_fault_costs_nothing_but_time(run: Run, provider: str, case: str) -> None:
    """A wait stands beside the times, and is no part of them."""
    result = run.result(provider, case)
    assert (result["status"], result["score"]) == ("scored", 100.0)
    generation = result["generation"]
    assert (generation["attempts"], generation["retry_wait_s"]) == ATTEMPTS[case]
    assert generation["total_s"] < 1.0
    assert run.servers[provider].times_asked(case) == ATTEMPTS[case][0]


@pytest.mark.parametrize("provider", DIALECTS)
@pytest.mark.parametrize("case", REASONS)
def test_a_lasting_fault_leaves_its_answer_unscored(run: Run, provider: str, case: str) -> None:
    """The reason is in the report and on the terminal; what had come is kept, apart."""
    dialect, server = DIALECTS[provider], run.servers[provider]
    reason = REASONS[case].format(
        model=dialect.label, url=f"{server.url}{dialect.address}", **OWN_WORDS[provider]
    )
    result = run.result(provider, case)
    assert (result["status"], result["score"]) == ("unscored", None)
    assert result["reason"] == reason
    assert f"{run.specs[provider]}: {reason}" in run.output
    assert run.partial(provider, case) == (None if case in BEFORE_ANY_TEXT else PARTIAL)
    assert server.times_asked(case) == (1 if case in ONCE else 4)


@pytest.mark.parametrize(
    ("provider", "case", "diagnosis"),
    [
        ("anthropic", "empty", "no-code"),
        ("openai", "empty", "no-code"),
        ("ollama", "empty", "no-code"),
        ("anthropic", "refusal", "refused"),
        ("openai", "refusal", "refused"),
    ],
)
def test_an_empty_answer_is_the_models_own_doing(
    run: Run, provider: str, case: str, diagnosis: str
) -> None:
    """It is scored, with 0 points and the reason, and has no times that nobody took."""
    result = run.result(provider, case)
    assert (result["status"], result["score"]) == ("scored", 0.0)
    assert [each["code"] for each in result["diagnoses"]] == [diagnosis]
    generation = result["generation"]
    assert (generation["attempts"], generation["ttft_s"], generation["total_s"]) == (1, None, None)
    assert generation["tokens_per_s"] is None
