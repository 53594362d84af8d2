"""The `openai` provider against llama.cpp's own server: nothing here is played."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from llama_engine import ALIAS, SCRIPTS, Engine
from pytest_llmbench.generation.chunks import (
    Chunk,
    Connected,
    End,
    ServerReport,
    ThinkingStart,
    ThinkingText,
    VisibleText,
)
from pytest_llmbench.generation.request import Message, Request
from pytest_llmbench.models import Model
from pytest_llmbench.providers.openai import OpenAIProvider, OpenAISession
from pytest_llmbench.providers.presets import PRESETS
from pytest_llmbench.providers.protocol import Patience, ProviderError

PATIENCE = Patience(total_s=20, stall_s=10)


@contextmanager
def asking(engine: Engine, name: str = ALIAS, **parameters: str) -> Iterator[OpenAISession]:
    spec = {"base_url": engine.base_url, **parameters}
    session = OpenAIProvider(PRESETS["openai"]).open(Model("tiny", "openai", name, spec))
    try:
        yield session
    finally:
        session.close()


def ask(session: OpenAISession, prompt: str, max_tokens: int = 200) -> list[Chunk]:
    request = Request(messages=(Message("user", prompt),), max_tokens=max_tokens)
    return list(session.stream(request, PATIENCE))


def visible(chunks: list[Chunk]) -> str:
    return "".join(each.text for each in chunks if isinstance(each, VisibleText))


def test_the_text_is_exact_and_stops(engine: Engine) -> None:
    with asking(engine) as session:
        chunks = ask(session, "Please write two_sum")

    assert visible(chunks) == "".join(map(str, SCRIPTS["two_sum"]))
    assert chunks[-1] == End("end", "stop")


def test_each_token_is_a_piece(engine: Engine) -> None:
    """Nothing is bundled on the way."""
    with asking(engine) as session:
        chunks = ask(session, "Please write two_sum")

    pieces = sum(isinstance(each, VisibleText) for each in chunks)
    assert pieces == engine.tokens["two_sum"]


def test_an_answer_that_is_too_long_is_cut_and_says_so(engine: Engine) -> None:
    with asking(engine) as session:
        chunks = ask(session, "Please write two_sum", max_tokens=7)

    assert sum(isinstance(each, VisibleText) for each in chunks) == 7
    assert "".join(map(str, SCRIPTS["two_sum"])).startswith(visible(chunks))
    assert chunks[-1] == End("length", "length")


def test_a_think_block_is_told_apart(engine: Engine) -> None:
    with asking(engine) as session:
        chunks = ask(session, "Please write fizzbuzz")

    thoughts = "".join(each.text for each in chunks if isinstance(each, ThinkingText))
    assert thoughts == "The user wants FizzBuzz.\nMultiples of 3 and 5."
    assert visible(chunks) == SCRIPTS["fizzbuzz"][1]
    kinds = [type(each) for each in chunks]
    assert kinds.index(ThinkingStart) < kinds.index(ThinkingText) < kinds.index(VisibleText)


def test_no_count_is_invented(engine: Engine) -> None:
    """The server streams no usage, asked or not: then nobody knows the number of tokens."""
    with asking(engine) as session:
        reports = [each for each in ask(session, "two_sum") if isinstance(each, ServerReport)]

    assert {report.output_tokens for report in reports} == {None}
    assert {report.input_tokens for report in reports} == {None}
    assert [report.served_model for report in reports if report.served_model] == [ALIAS]


def test_the_model_is_found_and_warm_before_the_clock_starts(engine: Engine) -> None:
    request = Request(messages=(Message("user", "two_sum"),), max_tokens=9)
    with asking(engine) as session:
        served = session.prepare(request, PATIENCE)
        connected = next(each for each in ask(session, "two_sum") if isinstance(each, Connected))

    assert (served.name, served.warm) == (ALIAS, True)
    assert connected == Connected(connect_s=None, reused=True)


def test_a_model_that_is_not_served_is_told(engine: Engine) -> None:
    request = Request(messages=(Message("user", "two_sum"),), max_tokens=9)
    with asking(engine, "devstral") as session, pytest.raises(ProviderError) as raised:
        session.prepare(request, PATIENCE)

    assert str(raised.value) == (
        f"openai/devstral: {engine.base_url} serves no such model; it serves: tiny"
    )
    assert raised.value.kind == "model"


def test_a_prompt_that_does_not_fit_is_no_empty_answer(engine: Engine) -> None:
    """The server fails after its headers and cuts the stream politely: no end, so no answer."""
    with asking(engine) as session:
        chunks = ask(session, "word " * 400)

    assert visible(chunks) == ""
    assert not any(isinstance(each, End) for each in chunks)


def test_a_seed_decides_a_choice(engine: Engine) -> None:
    """The engine's own sampler draws; both options are drawn, and each seed repeats itself."""
    drawn = {}
    for seed in range(16):
        with asking(engine, seed=str(seed), temperature="1") as session:
            first, second = (visible(ask(session, "adder")) for _ in range(2))
        assert first == second
        drawn[seed] = first

    assert set(drawn.values()) == {
        "def adder(x, y):\n    return x + y\n\nprint(adder(1, 2))\n",
        "def adder(x, y):\n    return x - y  # oops\n\nprint(adder(1, 2))\n",
    }


def test_without_temperature_the_likelier_option_is_drawn(engine: Engine) -> None:
    with asking(engine, temperature="0") as session:
        answers = {visible(ask(session, "adder")) for _ in range(3)}

    assert answers == {"def adder(x, y):\n    return x + y\n\nprint(adder(1, 2))\n"}
