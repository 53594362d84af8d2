"""One question: its stamps, its attempts, its faults."""

import threading
from contextlib import nullcontext

import pytest

from pytest_llmbench.generation.ask import (
    CalledOff,
    GenerationFailed,
    Progress,
    RetryPolicy,
    ask,
)
from pytest_llmbench.generation.chunks import (
    Alive,
    Connected,
    End,
    ServerReport,
    ThinkingStart,
    ThinkingText,
    VisibleText,
)
from pytest_llmbench.generation.recording import Recording
from pytest_llmbench.generation.request import Message, Request
from pytest_llmbench.models import Model
from pytest_llmbench.providers.protocol import Patience, ProviderError, ServedModel
from pytest_llmbench.testing.clock import FakeClock
from pytest_llmbench.testing.provider import Script, ScriptedProvider

REQUEST = Request(messages=(Message("user", "say hello"),), max_tokens=64)
HELLO = Script([(0.5, VisibleText("hel")), (0.5, VisibleText("lo")), (2.0, End("end", "stop"))])


def answer(
    *scripts: Script, progress: Progress | None = None, total_s: float = 60
) -> tuple[Recording, FakeClock]:
    clock = FakeClock()
    session = ScriptedProvider({"m": scripts}, clock).open(Model("m", "scripted", "m"))
    recording = ask(
        session,
        REQUEST,
        patience=Patience(total_s, 10),
        policy=RetryPolicy(),
        clock=clock,
        progress=progress or Progress(),
        attention=nullcontext(),
    )
    return recording, clock


def test_each_stamp_is_taken_when_its_piece_comes() -> None:
    recording, _ = answer(
        Script(
            [
                (0.1, Connected(0.05, reused=False)),
                (0.2, Alive()),
                (0.3, ThinkingStart()),
                (0.4, ThinkingText("hmm")),
                (1.0, VisibleText("hello")),
                (1.0, VisibleText(" world")),
                (3.0, ServerReport(output_tokens=9, thinking_tokens=4, served_model="m-1")),
                (0.1, End("length", "max_tokens")),
            ],
            served=ServedModel(digest="abc", warm=True, load_s=2.5),
        )
    )
    timing = recording.timing
    assert timing.ttft_s == pytest.approx(0.6)
    assert timing.ttfo_s == pytest.approx(2.0)
    assert timing.total_s == pytest.approx(3.0)
    assert (timing.connect_s, timing.connection_reused, timing.load_s) == (0.05, False, 2.5)
    assert (recording.text, recording.thinking) == ("hello world", "hmm")
    assert (recording.stop_reason, recording.provider_stop_reason) == ("length", "max_tokens")
    assert (recording.usage.output_tokens, recording.usage.visible_tokens) == (9, 5)
    assert recording.usage.reported_by == "provider"
    assert [piece.channel for piece in recording.pieces] == ["start", "thinking", "text", "text"]
    last = recording.pieces[-1]
    assert last.at_s == pytest.approx(3.0)
    assert (last.channel, last.chars) == ("text", 6)
    assert (recording.served_model, recording.warm) == ("m-1", True)
    assert recording.details == {"digest": "abc"}


def test_the_clock_starts_when_the_request_touches_the_network() -> None:
    """What an SDK computes before that is no part of the model's time."""
    recording, _ = answer(
        Script(
            [
                (0.7, Connected(None, reused=True, since_s=0.5)),
                (0.5, VisibleText("hel")),
                (0.5, VisibleText("lo")),
                (0.1, End("end", "stop")),
            ]
        )
    )
    assert recording.timing.ttft_s == pytest.approx(1.0)
    assert recording.timing.total_s == pytest.approx(1.5)


def test_an_empty_answer_has_no_times() -> None:
    recording, _ = answer(Script([(0.5, End("refused", "refusal"))]))
    assert (recording.text, recording.stop_reason) == ("", "refused")
    assert (recording.timing.ttft_s, recording.timing.ttfo_s, recording.timing.total_s) == (
        None,
        None,
        None,
    )


def test_a_later_report_overrides_only_what_it_knows() -> None:
    recording, _ = answer(
        Script(
            [
                (0.1, ServerReport(input_tokens=7, output_tokens=1, extras={"tier": "standard"})),
                (0.1, VisibleText("hi")),
                (0.1, ServerReport(output_tokens=5, extras={"region": "eu"})),
                (0.1, End("end", "stop")),
            ]
        )
    )
    assert (recording.usage.input_tokens, recording.usage.output_tokens) == (7, 5)
    assert recording.details == {"tier": "standard", "region": "eu"}


def test_each_attempt_has_a_fresh_clock_and_the_wait_stands_apart() -> None:
    busy = Script([(4.0, ProviderError("busy", kind="rate-limited", retry_after_s=7.0))])
    progress = Progress()
    recording, clock = answer(busy, busy, HELLO, progress=progress)
    assert recording.timing.ttft_s == pytest.approx(0.5)
    assert (recording.attempts, recording.retry_wait_s) == (3, 14.0)
    assert clock.now() - 1000.0 == pytest.approx(4 + 7 + 4 + 7 + 3)
    assert progress.rate_limited == 2


def test_without_advice_the_wait_doubles() -> None:
    overloaded = Script(obstacle=ProviderError("overloaded", kind="overloaded"))
    recording, _ = answer(overloaded, overloaded, overloaded, HELLO)
    assert (recording.attempts, recording.retry_wait_s) == (4, 1 + 2 + 4)


@pytest.mark.parametrize(
    ("script", "kind", "message", "kept", "asked"),
    [
        pytest.param(
            Script([(0.5, VisibleText("hel"))]),
            "broken",
            "the stream ended without its end marker after 3 characters (after 4 attempts)",
            "hel",
            4,
            id="polite cut",
        ),
        pytest.param(
            Script([(0.5, VisibleText("hel")), (59.0, Alive()), (1.0, VisibleText("lo"))]),
            "timeout",
            "the answer was not complete after 60 s (--llm-timeout)",
            "hello",
            1,
            id="total deadline",
        ),
        pytest.param(
            Script([(1, ProviderError("wait an hour", kind="rate-limited", retry_after_s=3600))]),
            "rate-limited",
            "wait an hour",
            "",
            1,
            id="a wait beyond the cap",
        ),
        pytest.param(
            Script(obstacle=ProviderError("no key", kind="setup")),
            "setup",
            "no key",
            "",
            1,
            id="no second try without a key",
        ),
    ],
)
def test_a_fault_ends_it_with_what_had_come(
    script: Script, kind: str, message: str, kept: str, asked: int
) -> None:
    with pytest.raises(GenerationFailed) as failed:
        answer(script)
    assert str(failed.value) == message
    assert failed.value.fault.kind == kind
    assert (failed.value.partial.text, failed.value.partial.attempts) == (kept, asked)


def test_an_answer_that_ends_just_after_its_deadline_is_kept() -> None:
    recording, _ = answer(Script([(59.0, VisibleText("hello")), (2.0, End("end", "stop"))]))
    assert recording.text == "hello"


@pytest.mark.parametrize("first", [HELLO, Script([(1, ProviderError("no", kind="overloaded"))])])
def test_calling_off_ends_a_stream_and_a_wait(first: Script) -> None:
    progress = Progress(called_off=threading.Event())
    progress.called_off.set()
    with pytest.raises(CalledOff):
        answer(first, HELLO, progress=progress)
