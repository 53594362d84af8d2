"""The OpenAI dialect in its variants, the real SDK against a server on loopback."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields, replace
from typing import Any

import openai as openai_sdk
import pytest

import openai_server as wire
from openai_server import OpenAIServer
from pytest_llmbench.generation.chunks import (
    Alive,
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
from pytest_llmbench.providers.presets import PRESETS, resolve_target
from pytest_llmbench.providers.protocol import Patience, ProviderError
from wire import Asked, Event, Finish, Reply, WireServer, json_reply

REQUEST = Request(messages=(Message("user", "Write a todo app."),), max_tokens=100)
PATIENCE = Patience(total_s=5, stall_s=2)
KEY = "sk-loopback-0123456789"


@contextmanager
def serving(
    *replies: Reply,
    provider: str = "openai",
    name: str = wire.SERVED_MODEL,
    parameters: Mapping[str, str] | None = None,
    **server_options: Any,
) -> Iterator[tuple[OpenAIServer, OpenAISession]]:
    """A server and a session that asks it as a server of one's own."""
    with OpenAIServer(*replies, **server_options) as server:
        spec = {"base_url": server.base_url, **(parameters or {})}
        session = OpenAIProvider(PRESETS[provider]).open(Model("label", provider, name, spec))
        try:
            yield server, session
        finally:
            session.close()


def hear(session: OpenAISession, patience: Patience = PATIENCE) -> list[Chunk]:
    return list(session.stream(REQUEST, patience))


def generated(chunks: list[Chunk]) -> list[Chunk]:
    """What the model made of it: no signs of life, no figures."""
    return [each for each in chunks if not isinstance(each, Alive | Connected | ServerReport)]


def figures(chunks: list[Chunk]) -> dict[str, Any]:
    """What the server's reports say together."""
    reports = [each for each in chunks if isinstance(each, ServerReport)]
    told = {
        each.name: value
        for report in reports
        for each in fields(ServerReport)
        if each.name != "extras" and (value := getattr(report, each.name)) is not None
    }
    return told | {name: value for report in reports for name, value in report.extras.items()}


def fail(session: OpenAISession, patience: Patience = PATIENCE) -> ProviderError:
    with pytest.raises(ProviderError) as raised:
        hear(session, patience)
    return raised.value


# What is asked


def test_the_request_says_all_and_nothing_else() -> None:
    request = replace(REQUEST, system="Be brief.")
    spec = {"temperature": "0", "seed": "7", "reasoning_effort": "low", "extra.min_p": "0.1"}
    with serving(wire.answer(), provider="vllm", parameters=spec) as (server, session):
        list(session.stream(request, PATIENCE))

    assert server.questions[0].body == {
        "model": "tiny-1",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Write a todo app."},
        ],
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_tokens": 100,
        "temperature": 0.0,
        "seed": 7,
        "reasoning_effort": "low",
        "min_p": 0.1,
    }
    assert server.questions[0].headers["accept-encoding"] == "identity"


def test_mistral_is_not_asked_for_usage() -> None:
    with serving(wire.answer(), provider="mistral") as (server, session):
        hear(session)

    assert "stream_options" not in server.questions[0].body


def test_a_key_goes_to_its_server_and_openai_variables_to_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MOONSHOT_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-openai")
    monkeypatch.setenv("OPENAI_ORG_ID", "org-of-openai")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "Authorization: Bearer other\nX-Own: secret")
    with OpenAIServer(wire.answer()) as server:
        provider = OpenAIProvider(replace(PRESETS["moonshot"], base_url=server.base_url))
        session = provider.open(Model("kimi", "moonshot", wire.SERVED_MODEL))
        session.prepare(REQUEST, PATIENCE)
        hear(session)
        session.close()

    for asked in server.asked:
        assert asked.headers["authorization"] == f"Bearer {KEY}"
        assert "of-openai" not in str(asked.headers)
        assert "x-own" not in asked.headers


def test_a_server_of_ones_own_gets_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_ADMIN_KEY", "sk-admin")
    with serving(wire.answer()) as (server, session):
        hear(session)

    assert "authorization" not in server.questions[0].headers


def test_a_server_of_ones_own_gets_the_key_that_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GPU_KEY", KEY)
    with serving(wire.answer(), parameters={"key_env": "GPU_KEY"}) as (server, session):
        hear(session)

    assert server.questions[0].headers["authorization"] == f"Bearer {KEY}"


def test_a_missing_key_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GROQ_API_KEY", raising=False)
    with pytest.raises(ProviderError) as raised:
        OpenAIProvider(PRESETS["groq"]).open(Model("q", "groq", "qwen/qwen3-32b"))

    assert str(raised.value) == "groq/qwen/qwen3-32b: no key found; set GROQ_API_KEY"
    assert (raised.value.kind, raised.value.retryable) == ("setup", False)


def test_a_proxy_never_stands_before_a_local_server(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "ALL_PROXY", "http_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with serving(wire.answer("ok")) as (_, session):
        assert generated(hear(session))[0] == VisibleText("ok")


# What is heard


def test_text_arrives_piece_by_piece_and_the_end_is_last() -> None:
    """Each piece is told before the server sends the next: nothing waits for anything."""
    script = wire.stream(
        [
            wire.role(0.02),
            wire.text("one ", 0.06),
            wire.text("two ", 0.16),
            wire.text("three", 0.26),
            wire.finish("stop", 0.36),
            wire.usage(0.36, prompt_tokens=9, completion_tokens=3, total_tokens=12),
            wire.done(0.36),
        ]
    )
    with serving(script) as (server, session):
        told = [(time.perf_counter(), chunk) for chunk in session.stream(REQUEST, PATIENCE)]

    chunks = [chunk for _, chunk in told]
    assert generated(chunks) == [
        VisibleText("one "),
        VisibleText("two "),
        VisibleText("three"),
        End("end", "stop"),
    ]
    assert chunks[-1] == End("end", "stop")
    assert figures(chunks) == {
        "request_id": "req_1",
        "served_model": "tiny-1",
        "input_tokens": 9,
        "output_tokens": 3,
    }
    arrivals = [at_s for at_s, chunk in told if isinstance(chunk, VisibleText)]
    sent = server.questions[0].sent_s[1:]
    for arrived, sent_this, sent_next in zip(arrivals, sent, sent[1:], strict=False):
        assert sent_this < arrived < sent_next


def test_a_role_a_comment_and_an_empty_delta_are_signs_of_life() -> None:
    script = wire.stream(
        [
            wire.comment("OPENROUTER PROCESSING", 0.01),
            wire.role(0.03),
            wire.chunk({"content": None}, 0.05),
            wire.text("x", 0.07),
            wire.finish(at_s=0.09),
            wire.done(0.11),
        ]
    )
    with serving(script) as (_, session):
        chunks = hear(session)

    first_generated = chunks.index(VisibleText("x"))
    assert chunks[:first_generated].count(Alive()) == 2
    assert generated(chunks) == [VisibleText("x"), End("end", "stop")]


@pytest.mark.parametrize(
    "thoughts",
    [
        [wire.chunk({"reasoning_content": "hm "}), wire.chunk({"reasoning_content": "so"})],
        [wire.chunk({"reasoning": "hm "}), wire.chunk({"reasoning": "so", "content": ""})],
        [
            wire.chunk({"content": [{"type": "thinking", "thinking": [{"text": "hm "}]}]}),
            wire.chunk({"content": [{"type": "thinking", "thinking": [{"text": "so"}]}]}),
        ],
    ],
    ids=["reasoning_content", "reasoning", "content parts"],
)
def test_thinking_is_told_apart_in_each_dialect(thoughts: list[Event]) -> None:
    script = [wire.role(), *thoughts, wire.text("answer"), wire.finish(), wire.done()]
    with serving(wire.stream(script)) as (_, session):
        assert generated(hear(session)) == [
            ThinkingText("hm "),
            ThinkingText("so"),
            VisibleText("answer"),
            End("end", "stop"),
        ]


def test_thinking_in_tags_is_told_apart_and_flagged() -> None:
    pieces = ["<th", "ink>", "hm ", "so</", "think>", "\n\n", "an", "swer"]
    script = [wire.role(), *map(wire.text, pieces), wire.finish(), wire.done()]
    with serving(wire.stream(script)) as (_, session):
        chunks = hear(session)

    assert generated(chunks) == [
        ThinkingStart(),
        ThinkingText("hm "),
        ThinkingText("so"),
        VisibleText("an"),
        VisibleText("swer"),
        End("end", "stop"),
    ]
    assert figures(chunks)["thinking_in_tags"] is True


def test_an_answer_that_ends_like_a_tag_is_whole() -> None:
    with serving(wire.answer("<thi")) as (_, session):
        assert generated(hear(session)) == [VisibleText("<thi"), End("end", "stop")]


MOONSHOT_USAGE = {
    "prompt_tokens": 30,
    "completion_tokens": 12,
    "total_tokens": 42,
    "cached_tokens": 16,
}
GROQ_USAGE = {
    "queue_time": 0.05,
    "prompt_tokens": 30,
    "prompt_time": 0.01,
    "completion_tokens": 12,
    "completion_time": 0.04,
    "total_tokens": 42,
    "total_time": 0.05,
    "completion_tokens_details": {"reasoning_tokens": 7},
}


@pytest.mark.parametrize(
    ("closing", "expected"),
    [
        pytest.param(
            [
                wire.usage(
                    prompt_tokens=30,
                    completion_tokens=12,
                    total_tokens=42,
                    completion_tokens_details={"reasoning_tokens": 0},
                    prompt_tokens_details={"cached_tokens": 16},
                )
            ],
            {
                "input_tokens": 30,
                "output_tokens": 12,
                "thinking_tokens": 0,
                "cached_input_tokens": 16,
            },
            id="openai",
        ),
        pytest.param(
            [wire.finish(in_choice={"usage": MOONSHOT_USAGE})],
            {"input_tokens": 30, "output_tokens": 12, "cached_input_tokens": 16},
            id="moonshot",
        ),
        pytest.param(
            [wire.finish(x_groq={"id": "req", "usage": GROQ_USAGE})],
            {
                "input_tokens": 30,
                "output_tokens": 12,
                "thinking_tokens": 7,
                "decode_tokens": 12,
                "decode_s": 0.04,
                "prefill_s": 0.01,
            },
            id="groq",
        ),
        pytest.param(
            [
                wire.usage(
                    prompt_tokens=30,
                    completion_tokens=12,
                    total_tokens=42,
                    prompt_cache_hit_tokens=20,
                    prompt_cache_miss_tokens=10,
                )
            ],
            {"input_tokens": 30, "output_tokens": 12, "cached_input_tokens": 20},
            id="deepseek",
        ),
        pytest.param(
            [wire.usage(prompt_tokens=30, completion_tokens=12, total_tokens=42, cost=0.00125)],
            {"input_tokens": 30, "output_tokens": 12, "cost_usd": 0.00125},
            id="openrouter",
        ),
        pytest.param(
            [wire.usage(prompt_tokens=30, completion_tokens=12, total_tokens=442)],
            {"input_tokens": 30, "output_tokens": 412, "thinking_tokens": 400},
            id="gemini",
        ),
        pytest.param(
            [
                wire.event(
                    {
                        "choices": [],
                        "timings": {
                            "cache_n": 20,
                            "prompt_n": 10,
                            "prompt_ms": 25.0,
                            "predicted_n": 12,
                            "predicted_ms": 120.0,
                            "predicted_per_second": 100.0,
                        },
                    }
                )
            ],
            {
                "input_tokens": 30,
                "cached_input_tokens": 20,
                "output_tokens": 12,
                "decode_tokens": 12,
                "decode_s": 0.12,
                "prefill_s": 0.025,
            },
            id="llama.cpp",
        ),
        pytest.param([], {}, id="none"),
    ],
)
def test_figures_are_found_wherever_they_stand(
    closing: list[Event], expected: Mapping[str, object]
) -> None:
    """And where a server counts nothing, there is no count."""
    with serving(wire.answer("x", *closing)) as (_, session):
        told = figures(hear(session))

    assert {name: told[name] for name in told.keys() - {"request_id", "served_model"}} == expected


def test_what_else_the_server_says_is_kept() -> None:
    opening = wire.chunk(
        {"role": "assistant"}, system_fingerprint="fp_1", service_tier="flex", provider="DeepInfra"
    )
    with serving(wire.stream([opening, wire.text("x"), wire.finish(), wire.done()])) as (
        _,
        session,
    ):
        told = figures(hear(session))

    assert told["system_fingerprint"] == "fp_1"
    assert told["service_tier"] == "flex"
    assert told["provider"] == "DeepInfra"


@pytest.mark.parametrize(
    ("word", "stop_reason"),
    [
        ("stop", "end"),
        ("tool_calls", "end"),
        ("length", "length"),
        ("content_filter", "refused"),
        ("something_new", "unknown"),
    ],
)
def test_finish_reasons_keep_the_servers_own_word(word: str, stop_reason: str) -> None:
    script = wire.stream([wire.text("x"), wire.finish(word), wire.done()])
    with serving(script) as (_, session):
        end = hear(session)[-1]

    assert isinstance(end, End)
    assert (end.stop_reason, end.provider_stop_reason) == (stop_reason, word)


def test_a_refusal_is_visible_and_refused() -> None:
    script = wire.stream(
        [wire.role(), wire.chunk({"refusal": "I can't help."}), wire.finish(), wire.done()]
    )
    with serving(script) as (_, session):
        assert generated(hear(session)) == [VisibleText("I can't help."), End("refused", "stop")]


def test_a_refusal_without_a_word_is_no_crash() -> None:
    with serving(wire.stream([wire.finish("content_filter"), wire.done()])) as (_, session):
        assert generated(hear(session)) == [End("refused", "content_filter")]


# Connections


def test_one_connection_serves_all() -> None:
    with serving(wire.answer()) as (server, session):
        for _ in range(3):
            session.prepare(REQUEST, PATIENCE)
            assert hear(session)[0] == Connected(connect_s=None, reused=True)

    assert {asked.connection for asked in server.asked} == {0}


def test_the_first_connection_is_timed() -> None:
    with serving(wire.answer()) as (_, session):
        connected = hear(session)[0]

    assert isinstance(connected, Connected)
    assert connected.reused is False
    assert connected.connect_s is not None
    assert 0 < connected.connect_s < 1


def test_an_end_without_done_keeps_the_connection_too() -> None:
    with serving(wire.stream([wire.text("x"), wire.finish()])) as (server, session):
        for _ in range(2):
            assert generated(hear(session))[-1] == End("end", "stop")

    assert {asked.connection for asked in server.questions} == {0}


# Before the clock


def test_a_local_model_is_brought_into_memory_once() -> None:
    with serving(wire.answer()) as (server, session):
        served = [session.prepare(REQUEST, PATIENCE) for _ in range(3)]

    assert [each.warm for each in served] == [True, True, True]
    assert len(server.warm_ups) == 1
    assert server.warm_ups[0].body["max_tokens"] == 1


def test_what_the_server_says_of_its_model_is_kept() -> None:
    listing = wire.models({"id": "other"}, {"id": wire.SERVED_MODEL, "max_model_len": 16384})
    spec = {"temperature": "0.5", "reasoning_effort": "high"}
    with serving(wire.answer(), listing=listing, parameters=spec) as (_, session):
        served = session.prepare(REQUEST, PATIENCE)

    assert (served.name, served.context_length, served.warm) == ("tiny-1", 16384, True)
    assert served.details == {
        "sdk": f"openai {openai_sdk.__version__}",
        "api": "chat",
        "proxy": False,
        "temperature": 0.5,
        "reasoning_effort": "high",
    }


def test_figures_of_llama_cpp_about_its_model_are_kept() -> None:
    meta = {"n_ctx_train": 131072, "n_ctx": 8192, "n_params": 494032768, "size": 398000000}
    listing = wire.models({"id": "q", "aliases": [wire.SERVED_MODEL], "meta": meta})
    with serving(wire.answer(), listing=listing) as (_, session):
        served = session.prepare(REQUEST, PATIENCE)

    assert served.context_length == 8192
    assert served.details["parameters"] == 494032768
    assert served.details["size_bytes"] == 398000000


def test_a_model_that_is_not_served_is_told_with_those_that_are() -> None:
    listing = wire.models("qwen3-8b", "gemma4")
    with (
        serving(wire.answer(), name="devstral", listing=listing) as (server, session),
        pytest.raises(ProviderError) as raised,
    ):
        session.prepare(REQUEST, PATIENCE)

    assert str(raised.value) == (
        f"openai/devstral: {server.base_url} serves no such model; it serves: qwen3-8b, gemma4"
    )
    assert (raised.value.kind, raised.value.retryable) == ("model", False)


@pytest.mark.parametrize("status", [404, 405])
def test_a_server_that_lists_no_models_is_asked_all_the_same(status: int) -> None:
    with serving(wire.answer("ok"), listing=wire.refusal(status, "no")) as (_, session):
        assert session.prepare(REQUEST, PATIENCE).name is None
        assert VisibleText("ok") in hear(session)


def test_a_server_that_takes_no_warm_up_is_not_called_warm() -> None:
    refused = wire.refusal(400, "max_tokens must be at least 16")
    with serving(wire.answer("ok"), warm_up=[refused]) as (_, session):
        assert session.prepare(REQUEST, PATIENCE).warm is None
        assert VisibleText("ok") in hear(session)


def test_a_server_that_is_not_there_is_one_line() -> None:
    with OpenAIServer() as server:
        gone = server.base_url
    provider = OpenAIProvider(PRESETS["openai"])
    session = provider.open(Model("x", "openai", "m", {"base_url": gone}))
    with pytest.raises(ProviderError) as raised:
        session.prepare(REQUEST, PATIENCE)
    session.close()

    assert str(raised.value) == (
        f"openai/m: no answer at {gone}: [Errno 111] Connection refused; "
        "start the server, or correct ?base_url="
    )
    assert raised.value.kind == "unreachable"


def test_a_known_server_that_is_not_there_is_told_how_to_start() -> None:
    with OpenAIServer() as server:
        gone = server.base_url
    provider = OpenAIProvider(replace(PRESETS["vllm"], base_url=gone))
    session = provider.open(Model("x", "vllm", "Qwen/Qwen3-8B"))
    fault = fail(session)
    session.close()

    assert str(fault).endswith("; start it with: vllm serve Qwen/Qwen3-8B")


@contextmanager
def serving_as_cloud(server: OpenAIServer) -> Iterator[OpenAISession]:
    """A session that takes a server on loopback for one in the cloud."""
    preset = replace(PRESETS["groq"], base_url=server.base_url)
    target = resolve_target(preset, Model("x", "groq", "vendor/m"))
    target = replace(target, endpoint=replace(target.endpoint, kind="cloud"))
    session = OpenAISession(target, KEY, openai_sdk)
    try:
        yield session
    finally:
        session.close()


def test_a_cloud_is_greeted_and_never_asked_for_a_token() -> None:
    listing = json_reply({"id": "vendor/m", "context_window": 131072})
    with (
        OpenAIServer(wire.answer(), listing=listing) as server,
        serving_as_cloud(server) as session,
    ):
        served = session.prepare(REQUEST, PATIENCE)
        session.prepare(REQUEST, PATIENCE)
        hear(session)

    assert [asked.path for asked in server.asked] == [
        "/v1/models/vendor%2Fm",
        "/v1/chat/completions",
    ]
    assert (served.name, served.context_length, served.warm) == ("vendor/m", 131072, None)


@pytest.mark.parametrize("status", [403, 404, 405, 429, 500])
def test_a_cloud_that_describes_no_models_is_asked_all_the_same(status: int) -> None:
    listing = wire.refusal(status, "no")
    with (
        OpenAIServer(wire.answer(), listing=listing) as server,
        serving_as_cloud(server) as session,
    ):
        assert session.prepare(REQUEST, PATIENCE).name is None


def test_a_refused_key_is_told_before_the_clock_starts() -> None:
    listing = wire.refusal(401, f"Incorrect API key provided: {KEY[:8]}***{KEY[-4:]}")
    with (
        OpenAIServer(listing=listing) as server,
        serving_as_cloud(server) as session,
        pytest.raises(ProviderError) as raised,
    ):
        session.prepare(REQUEST, PATIENCE)

    assert str(raised.value) == (
        "groq/vendor/m: access was refused (401); check the key in GROQ_API_KEY"
    )
    assert raised.value.kind == "setup"


# What servers disagree on


def test_a_server_that_refuses_stream_options_is_asked_again_without() -> None:
    refused = wire.refusal(422, "extra_forbidden: body.stream_options.include_usage")
    with serving(refused, wire.answer("ok")) as (server, session):
        fault = fail(session)
        assert generated(hear(session))[0] == VisibleText("ok")
        hear(session)

    assert str(fault) == (
        "openai/tiny-1: the request was refused (422: extra_forbidden: "
        "body.stream_options.include_usage); the next one leaves that out"
    )
    assert (fault.kind, fault.retryable, fault.retry_after_s) == ("rejected", True, 0.0)
    assert ["stream_options" in asked.body for asked in server.questions] == [True, False, False]


def test_a_server_that_wants_the_newer_limit_gets_it() -> None:
    refused = wire.refusal(
        400, "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."
    )
    with serving(refused, wire.answer("ok")) as (server, session):
        assert fail(session).retryable
        hear(session)

    assert server.questions[1].body["max_completion_tokens"] == 100
    assert "max_tokens" not in server.questions[1].body


def test_a_warm_up_learns_what_the_server_refuses() -> None:
    """So that a local server's first answer is not spoiled."""
    warm_up = [wire.refusal(400, "unknown field stream_options"), wire.answer("H")]
    with serving(wire.answer(), warm_up=warm_up) as (server, session):
        session.prepare(REQUEST, PATIENCE)
        hear(session)

    assert len(server.warm_ups) == 2
    assert ["stream_options" in asked.body for asked in server.questions] == [False]


# Faults


@pytest.mark.parametrize(
    ("reply", "kind", "retryable", "message"),
    [
        (
            wire.refusal(400, "bad tool"),
            "rejected",
            False,
            "the request was refused (400: bad tool)",
        ),
        (
            wire.refusal(
                400, "This model's maximum context length is 512", code="context_length_exceeded"
            ),
            "context-overflow",
            False,
            "the prompt does not fit (400: This model's maximum context length is 512); "
            "use a model with a larger context",
        ),
        (
            wire.refusal(401, "no key"),
            "setup",
            False,
            "access was refused (401); name the environment variable that holds the key with "
            "?key_env=",
        ),
        (
            wire.refusal(402, "Insufficient Balance"),
            "setup",
            False,
            "access was refused (402: Insufficient Balance); check the key and the account",
        ),
        (
            wire.refusal(403, "not in your region"),
            "model",
            False,
            "the model is not served (403: not in your region); check its name, and what the "
            "account may use",
        ),
        (
            wire.refusal(404, "Not Found"),
            "model",
            False,
            "the model is not served (404: Not Found); check the model's name and ?base_url= "
            "(most end in /v1)",
        ),
        (
            wire.refusal(429, "slow down"),
            "rate-limited",
            True,
            "too many requests (429: slow down)",
        ),
        (
            wire.refusal(429, "You exceeded your current quota", code="insufficient_quota"),
            "setup",
            False,
            "access was refused (429: You exceeded your current quota); check the key and the "
            "account",
        ),
        (
            wire.refusal(500, "oops"),
            "overloaded",
            True,
            "the server failed or is overloaded (500: oops)",
        ),
        (
            wire.refusal(529, "busy"),
            "overloaded",
            True,
            "the server failed or is overloaded (529: busy)",
        ),
        (
            json_reply([{"error": {"code": 400, "message": "listed"}}], 400),
            "rejected",
            False,
            "the request was refused (400: listed)",
        ),
    ],
)
def test_each_status_is_its_own_kind_of_fault(
    reply: Reply,
    kind: str,
    retryable: bool,  # noqa: FBT001  # a row of the table
    message: str,
) -> None:
    with serving(reply, wire.answer("the next one")) as (_, session):
        fault = fail(session)
        assert generated(hear(session))[0] == VisibleText("the next one")

    assert str(fault) == f"openai/tiny-1: {message}"
    assert (fault.kind, fault.retryable) == (kind, retryable)


def test_the_sdk_does_not_retry_by_itself() -> None:
    with serving(wire.refusal(503, "busy")) as (server, session):
        fail(session)

    assert len(server.questions) == 1


def test_retry_after_is_told() -> None:
    reply = wire.refusal(429, "slow down", {"retry-after": "7"})
    with serving(reply) as (_, session):
        fault = fail(session)

    assert fault.retry_after_s == 7.0
    assert str(fault) == ("openai/tiny-1: too many requests (429: slow down); it asks to wait 7 s")


def test_a_long_message_is_cut() -> None:
    with serving(wire.refusal(400, "x" * 5000)) as (_, session):
        assert str(fail(session)) == (f"openai/tiny-1: the request was refused (400: {'x' * 199}…)")


@pytest.mark.parametrize(
    ("error", "kind", "status"),
    [
        ({"code": 502, "message": "upstream died"}, "overloaded", 502),
        ({"code": "429", "message": "slow"}, "rate-limited", 429),
        ({"type": "server_error", "message": "oops"}, "overloaded", 200),
        ({"code": "rate_limit_exceeded", "message": "slow"}, "rate-limited", 200),
        ({"code": "context_length_exceeded", "message": "long"}, "context-overflow", 200),
        ({"message": "who knows"}, "broken", 200),
        ("just words", "broken", 200),
    ],
)
def test_an_error_inside_a_stream_keeps_what_came_before(
    error: object, kind: str, status: int
) -> None:
    script = [wire.text("half an "), wire.event({"error": error}, 0.02), wire.done(0.02)]
    heard: list[Chunk] = []
    with serving(wire.stream(script)) as (_, session):
        with pytest.raises(ProviderError) as raised:
            heard.extend(session.stream(REQUEST, PATIENCE))
        # list.extend keeps what an iterator gave before it raised.
        assert VisibleText("half an ") in heard

    assert (raised.value.kind, raised.value.status) == (kind, status)


def test_an_error_event_tells_the_servers_words() -> None:
    script = [wire.text("half"), wire.event({"error": {"code": 502, "message": "upstream died"}})]
    with serving(wire.stream(script)) as (_, session):
        assert str(fail(session)) == (
            "openai/tiny-1: the server failed or is overloaded (502: upstream died)"
        )


def test_finish_reason_error_is_broken() -> None:
    with serving(wire.stream([wire.text("half"), wire.finish("error"), wire.done()])) as (
        _,
        session,
    ):
        fault = fail(session)

    assert str(fault) == (
        "openai/tiny-1: the stream ended with an error (200: finish_reason 'error')"
    )
    assert (fault.kind, fault.retryable) == ("broken", True)


def test_an_event_named_error_is_an_error() -> None:
    event = Event(b'event: error\ndata: {"message": "boom"}\n\n')
    with serving(wire.stream([event])) as (_, session):
        assert str(fail(session)) == ("openai/tiny-1: the stream ended with an error (200: boom)")


@pytest.mark.parametrize("data", ["{not json", "[1, 2]", '"text"'])
def test_garbage_in_the_stream_is_broken(data: str) -> None:
    garbage = Event(f"data: {data}\n\n".encode())
    with serving(wire.stream([wire.text("half"), garbage])) as (_, session):
        fault = fail(session)

    assert str(fault) == f"openai/tiny-1: the stream is garbled: {data}"
    assert fault.kind == "broken"


def test_a_polite_cut_has_no_end() -> None:
    """The stream is over, and nobody said that the answer is."""
    with serving(wire.stream([wire.text("half an ans")])) as (_, session):
        assert generated(hear(session)) == [VisibleText("half an ans")]


def test_done_alone_is_no_end() -> None:
    with serving(wire.stream([wire.text("half an ans"), wire.done()])) as (_, session):
        assert generated(hear(session)) == [VisibleText("half an ans")]


@pytest.mark.parametrize("ending", ["hang up", "reset"])
def test_a_torn_stream_is_broken(ending: Finish) -> None:
    with serving(wire.stream([wire.text("half")], ending)) as (server, session):
        fault = fail(session)

    assert str(fault).startswith(f"openai/tiny-1: the connection to {server.base_url} tore: ")
    assert (fault.kind, fault.retryable) == ("broken", True)


@pytest.mark.parametrize("ending", ["hang up", "reset", "stall"])
def test_what_follows_the_end_harms_nothing(ending: Finish) -> None:
    script = wire.stream([wire.text("whole"), wire.finish(), wire.done()], ending)
    with serving(script, wire.answer("next")) as (_, session):
        assert generated(hear(session)) == [VisibleText("whole"), End("end", "stop")]
        assert generated(hear(session))[0] == VisibleText("next")


def test_a_tear_between_the_end_and_the_counts_costs_only_the_counts() -> None:
    script = wire.stream([wire.text("whole"), wire.finish()], "hang up")
    with serving(script) as (_, session):
        chunks = hear(session)

    assert chunks[-1] == End("end", "stop")
    assert "output_tokens" not in figures(chunks)


def test_silence_is_a_stall() -> None:
    with serving(wire.stream([wire.text("half")], "stall")) as (server, session):
        fault = fail(session, Patience(total_s=5, stall_s=0.2))

    assert str(fault) == f"openai/tiny-1: {server.base_url} sent nothing for 0.2 s"
    assert (fault.kind, fault.retryable) == ("stalled", True)


def test_signs_of_life_do_not_outlast_the_deadline() -> None:
    endless = [wire.comment(at_s=0.05 * beat) for beat in range(40)]
    with serving(wire.stream(endless)) as (_, session):
        fault = fail(session, Patience(total_s=0.3, stall_s=1))

    assert str(fault) == ("openai/tiny-1: the answer was not complete after 0.3 s (--llm-timeout)")
    assert (fault.kind, fault.retryable) == ("timeout", False)


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (
            Reply((Event(b"<html>hello</html>"),), headers={"content-type": "text/html"}),
            "{url} answered with text/html, not with a stream; check ?base_url= (most end in /v1)",
        ),
        (
            json_reply({"error": {"message": "no such engine", "code": "model_not_found"}}),
            "the model is not served (200: no such engine); check its name, and what the "
            "account may use",
        ),
    ],
)
def test_a_success_that_is_no_stream_is_told(reply: Reply, message: str) -> None:
    with serving(reply) as (server, session):
        fault = fail(session)

    assert str(fault) == f"openai/tiny-1: {message.format(url=server.base_url)}"
    assert not fault.retryable


def test_an_empty_answer_is_an_answer() -> None:
    with serving(wire.stream([wire.role(), wire.finish(), wire.done()])) as (_, session):
        assert generated(hear(session)) == [End("end", "stop")]


def test_closing_ends_a_stream_in_another_thread() -> None:
    started = threading.Event()
    caught: list[ProviderError] = []
    with serving(wire.stream([wire.text("half")], "stall")) as (_, session):

        def listen() -> None:
            try:
                for chunk in session.stream(REQUEST, Patience(total_s=30, stall_s=30)):
                    if isinstance(chunk, VisibleText):
                        started.set()
            except ProviderError as fault:
                caught.append(fault)

        listener = threading.Thread(target=listen)
        listener.start()
        assert started.wait(5)
        session.close()
        listener.join(5)

    assert not listener.is_alive()
    assert str(caught[0]) == "openai/tiny-1: closed while an answer was under way"
    assert not caught[0].retryable


def test_a_closed_session_says_so() -> None:
    with serving(wire.answer()) as (_, session):
        session.close()
        assert str(fail(session)) == "openai/tiny-1: closed while an answer was under way"


def test_streams_side_by_side_do_not_mix() -> None:
    """A session serves as many threads as its endpoint allows."""

    def echo(asked: Asked) -> Reply:
        words = asked.body["messages"][0]["content"].split()
        pieces = [wire.text(f"{word} ", 0.01 * n) for n, word in enumerate(words)]
        return wire.stream([*pieces, wire.finish(at_s=0.1), wire.done(0.1)])

    heard: dict[str, str] = {}
    with WireServer(echo) as server:
        spec = {"base_url": f"{server.url}/v1", "concurrency": "4"}
        session = OpenAIProvider(PRESETS["openai"]).open(Model("x", "openai", "m", spec))

        def listen(question: str) -> None:
            request = Request(messages=(Message("user", question),), max_tokens=9)
            chunks = list(session.stream(request, PATIENCE))
            heard[question] = "".join(c.text for c in chunks if isinstance(c, VisibleText))

        questions = [f"{name} {name} {name}" for name in ("a", "b", "c", "d")]
        threads = [threading.Thread(target=listen, args=(each,)) for each in questions]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(5)
        session.close()

    assert heard == {question: f"{question} " for question in questions}


def test_no_key_in_any_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not in a fault, its causes, or how the parts show themselves."""
    monkeypatch.setenv("GPU_KEY", KEY)
    echo = wire.refusal(400, f"you sent Bearer {KEY} in the header")
    with serving(echo, parameters={"key_env": "GPU_KEY"}) as (server, session):
        fault = fail(session)
        shown = repr(session) + repr(vars(session)) + repr(fault)

    assert server.questions[0].headers["authorization"] == f"Bearer {KEY}"
    assert str(fault) == (
        "openai/tiny-1: the request was refused (400: you sent Bearer *** in the header)"
    )
    assert KEY not in shown
    assert fault.__cause__ is None
    assert fault.__suppress_context__


# The Responses API

RESPONSE = {"id": "resp_1", "model": "gpt-served", "service_tier": "default", "status": "completed"}
RESPONSE_USAGE = {
    "input_tokens": 30,
    "input_tokens_details": {"cached_tokens": 16},
    "output_tokens": 112,
    "output_tokens_details": {"reasoning_tokens": 100},
    "total_tokens": 142,
}


def item_added(kind: str, at_s: float = 0.0) -> Event:
    item = {"id": "i", "type": kind}
    return wire.response_event("response.output_item.added", at_s, output_index=0, item=item)


def closing(kind: str = "response.completed", **more: object) -> Event:
    return wire.response_event(kind, response={**RESPONSE, "usage": RESPONSE_USAGE, **more})


RESPONSES = {"api": "responses", "reasoning_effort": "high"}


def test_responses_are_asked_for_in_their_own_words() -> None:
    request = replace(REQUEST, system="Be brief.")
    script = wire.stream([closing()])
    with serving(script, parameters=RESPONSES) as (server, session):
        list(session.stream(request, PATIENCE))

    assert server.questions[0].path == "/v1/responses"
    assert server.questions[0].body == {
        "model": "tiny-1",
        "input": [{"role": "user", "content": "Write a todo app."}],
        "instructions": "Be brief.",
        "max_output_tokens": 100,
        "store": False,
        "stream": True,
        "reasoning": {"effort": "high"},
    }


def test_hidden_thinking_is_seen_to_begin() -> None:
    script = wire.stream(
        [
            wire.response_event("response.created", response={**RESPONSE, "usage": None}),
            wire.response_event("response.in_progress", response=RESPONSE),
            item_added("reasoning", 0.03),
            item_added("message", 0.13),
            wire.response_event("response.output_text.delta", 0.16, delta="print("),
            wire.response_event("response.output_text.delta", 0.18, delta="1)"),
            wire.response_event("response.output_text.done", 0.2, text="print(1)"),
            closing(),
        ]
    )
    with serving(script, parameters=RESPONSES) as (_, session):
        told = [(time.perf_counter(), chunk) for chunk in session.stream(REQUEST, PATIENCE)]

    chunks = [chunk for _, chunk in told]
    assert generated(chunks) == [
        ThinkingStart(),
        VisibleText("print("),
        VisibleText("1)"),
        End("end", "completed"),
    ]
    assert figures(chunks) == {
        "request_id": "req_1",
        "served_model": "gpt-served",
        "service_tier": "default",
        "input_tokens": 30,
        "cached_input_tokens": 16,
        "output_tokens": 112,
        "thinking_tokens": 100,
    }
    at_s = {type(chunk): at_s for at_s, chunk in reversed(told)}
    assert at_s[VisibleText] - at_s[ThinkingStart] > 0.1


def test_summaries_of_thinking_are_thinking() -> None:
    script = wire.stream(
        [
            item_added("reasoning"),
            wire.response_event("response.reasoning_summary_text.delta", delta="I weigh"),
            wire.response_event("response.reasoning_text.delta", delta=" options"),
            closing(),
        ]
    )
    with serving(script, parameters=RESPONSES) as (_, session):
        assert generated(hear(session)) == [
            ThinkingStart(),
            ThinkingText("I weigh"),
            ThinkingText(" options"),
            End("end", "completed"),
        ]


@pytest.mark.parametrize(
    ("reason", "end"),
    [
        ("max_output_tokens", End("length", "max_output_tokens")),
        ("content_filter", End("refused", "content_filter")),
        ("something_new", End("unknown", "something_new")),
    ],
)
def test_an_incomplete_response_says_why(reason: str, end: End) -> None:
    last = closing("response.incomplete", incomplete_details={"reason": reason})
    with serving(wire.stream([last]), parameters=RESPONSES) as (_, session):
        chunks = hear(session)

    assert chunks[-1] == end
    assert figures(chunks)["output_tokens"] == 112


def test_a_refusal_in_a_response_is_refused() -> None:
    script = [wire.response_event("response.refusal.delta", delta="No."), closing()]
    with serving(wire.stream(script), parameters=RESPONSES) as (_, session):
        assert generated(hear(session)) == [VisibleText("No."), End("refused", "completed")]


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        (
            closing("response.failed", error={"code": "server_error", "message": "oops"}),
            "overloaded",
        ),
        (
            wire.response_event("error", code="rate_limit_exceeded", message="slow", param=None),
            "rate-limited",
        ),
        (wire.response_event("error", error={"message": "who knows"}), "broken"),
    ],
)
def test_a_failed_response_is_a_fault(event: Event, kind: str) -> None:
    with serving(wire.stream([event]), parameters=RESPONSES) as (_, session):
        assert fail(session).kind == kind


def test_a_response_that_is_cut_has_no_end() -> None:
    script = [wire.response_event("response.output_text.delta", delta="half")]
    with serving(wire.stream(script), parameters=RESPONSES) as (_, session):
        assert generated(hear(session)) == [VisibleText("half")]
