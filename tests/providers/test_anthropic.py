"""The real Anthropic SDK against a server on loopback that speaks the Messages API."""

from __future__ import annotations

import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

import anthropic_server as wire
from anthropic_server import AnthropicServer
from asking import IMPATIENCE, QUESTION, ask, end_of, fail, figures_of, text_of, thinking_of
from pytest_llmbench.generation.chunks import (
    Alive,
    Connected,
    End,
    ThinkingStart,
    ThinkingText,
    VisibleText,
)
from pytest_llmbench.models import Model, ModelSpecError
from pytest_llmbench.providers.anthropic import AnthropicProvider, AnthropicSession
from pytest_llmbench.providers.protocol import FaultKind, Patience, ProviderError
from wire import Event, Reply, bundle

KEY = "sk-ant-secret-0123456789"

Open = Callable[..., AnthropicSession]


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One key, and nothing of the machine's own set-up."""
    for name in ("AUTH_TOKEN", "BASE_URL", "CONFIG_DIR", "CUSTOM_HEADERS", "PROFILE"):
        monkeypatch.delenv(f"ANTHROPIC_{name}", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)


@pytest.fixture
def open_session() -> Iterator[Open]:
    """Open sessions that are closed after the test."""
    sessions = []

    def open_one(server: AnthropicServer, name: str = "claude-test", **parameters: str) -> object:
        model = make_model({"base_url": server.url, **parameters}, name)
        sessions.append(AnthropicProvider().open(model))
        return sessions[-1]

    yield open_one  # type: ignore[misc]  # typed as what tests call
    for session in sessions:
        session.close()


def make_model(parameters: Mapping[str, str], name: str = "claude-test") -> Model:
    return Model("sonnet", "anthropic", name, parameters)


THINKING_EVENTS = (
    wire.message_start(),
    wire.block_start("thinking"),
    wire.thinking("First, "),
    wire.thinking("a plan."),
    wire.signature(),
    wire.block_stop(),
    wire.block_start("text", index=1),
    wire.text("print(1)", index=1),
    wire.block_stop(index=1),
    wire.message_delta("end_turn", 110, output_tokens_details={"thinking_tokens": 100}),
    wire.message_stop(),
)


def test_a_plain_answer(open_session: Open) -> None:
    """Text, figures and end arrive in the server's order, with the figures exact."""
    with AnthropicServer(wire.answer("print(1)", output_tokens=4)) as server:
        chunks = ask(open_session(server))
    assert text_of(chunks) == "print(1)"
    assert end_of(chunks) == End("end", "end_turn")
    assert figures_of(chunks) == {
        "served_model": wire.SERVED_MODEL,
        "request_id": "req_1",
        "input_tokens": 25,
        "output_tokens": 4,
        "extras": {"service_tier": "standard"},
    }


def test_what_is_sent(open_session: Open) -> None:
    """The request holds what was asked and no sampling; the SDK does not retry by itself."""
    with AnthropicServer(wire.answer()) as server:
        ask(open_session(server, thinking="adaptive", display="omitted", effort="low"))
        (asked,) = server.messages
    assert asked.body == {
        "model": "claude-test",
        "max_tokens": 1024,
        "messages": [{"role": "user", "content": "Write a todo app."}],
        "system": "Answer in Python.",
        "stream": True,
        "thinking": {"type": "adaptive", "display": "omitted"},
        "output_config": {"effort": "low"},
    }
    assert asked.headers["accept-encoding"] == "identity"
    assert asked.headers["authorization"] == f"Bearer {KEY}"
    assert asked.headers["x-api-key"] == KEY


def test_shown_thinking(open_session: Open) -> None:
    """Thoughts come in their own channel, after a sign that they began."""
    with AnthropicServer(wire.stream(THINKING_EVENTS)) as server:
        chunks = ask(open_session(server))
    kinds = [type(each) for each in chunks]
    assert kinds.index(ThinkingStart) < kinds.index(ThinkingText) < kinds.index(VisibleText)
    assert thinking_of(chunks) == "First, a plan."
    assert text_of(chunks) == "print(1)"
    assert figures_of(chunks)["thinking_tokens"] == 100
    assert figures_of(chunks)["output_tokens"] == 110


@pytest.mark.parametrize("block", ["thinking", "redacted_thinking"])
def test_omitted_thinking(open_session: Open, block: str) -> None:
    """Thoughts that are not shown still have a beginning, and a count."""
    shown = [each for each in THINKING_EVENTS if b"thinking_delta" not in each.data]
    events = [shown[0], wire.block_start(block), *shown[2:]]
    with AnthropicServer(wire.stream(events)) as server:
        chunks = ask(open_session(server))
    kinds = [type(each) for each in chunks]
    assert thinking_of(chunks) == ""
    assert kinds.index(ThinkingStart) < kinds.index(VisibleText)
    assert figures_of(chunks)["thinking_tokens"] == 100


def test_a_thought_is_heard_before_the_text_is_sent(open_session: Open) -> None:
    """Each chunk is there when its event is, not when the answer is."""
    events = [
        wire.message_start(),
        wire.block_start("thinking"),
        wire.block_start("text", at_s=0.2, index=1),
        wire.text("late", at_s=0.2, index=1),
        wire.message_stop(at_s=0.2),
    ]
    with AnthropicServer(wire.stream(events)) as server:
        session = open_session(server)
        session.prepare(QUESTION, IMPATIENCE)
        for chunk in session.stream(QUESTION, Patience(total_s=10, stall_s=5)):
            if isinstance(chunk, ThinkingStart):
                sent_by_then = len(server.messages[0].sent_s)
                break
    assert sent_by_then == 2


def test_pings_are_no_text(open_session: Open) -> None:
    """A ping shows that the server lives, and nothing more."""
    events = [wire.message_start(), wire.ping(), wire.ping(), wire.message_stop()]
    with AnthropicServer(wire.stream(events)) as server:
        chunks = ask(open_session(server))
    assert chunks.count(Alive()) == 2
    assert text_of(chunks) == ""


def test_usage_that_grows(open_session: Open) -> None:
    """Counts are cumulative: the last one holds. Cached input is input too."""
    events = [
        wire.message_start(
            input_tokens=10, cache_creation_input_tokens=20, cache_read_input_tokens=3
        ),
        wire.message_delta(None, 5),
        wire.message_delta("end_turn", 12, input_tokens=14),
        wire.message_stop(),
    ]
    with AnthropicServer(wire.stream(events)) as server:
        figures = figures_of(ask(open_session(server)))
    assert figures["output_tokens"] == 12
    assert figures["input_tokens"] == 14 + 20 + 3
    assert figures["cached_input_tokens"] == 3


def test_the_placeholder_count_is_not_reported(open_session: Open) -> None:
    """The opening event counts one token of output, whatever comes; a cut stream has no count."""
    events = [wire.message_start(output_tokens=1), wire.text("pri")]
    with AnthropicServer(wire.stream(events)) as server:
        chunks = ask(open_session(server))
    assert "output_tokens" not in figures_of(chunks)


def test_where_and_how_it_ran(open_session: Open) -> None:
    """Tier, speed and region are kept as the server says them."""
    start = wire.message_start(service_tier="priority", speed="fast", inference_geo="eu")
    with AnthropicServer(wire.stream([start, wire.message_stop()])) as server:
        figures = figures_of(ask(open_session(server)))
    assert figures["extras"] == {
        "service_tier": "priority",
        "speed": "fast",
        "inference_geo": "eu",
    }


def test_bundled_events(open_session: Open) -> None:
    """Events that arrive in one packet are the same chunks."""
    with AnthropicServer(
        wire.stream(THINKING_EVENTS), wire.stream(bundle(THINKING_EVENTS, 4))
    ) as server:
        session = open_session(server)
        assert ask(session)[1:] == ask(session)[1:]


def test_split_events(open_session: Open) -> None:
    """An event may arrive in two packets, cut in the middle of a character."""
    data = wire.text("naïve").data.replace(b"\\u00ef", "ï".encode())
    cut = data.index("ï".encode()) + 1
    events = [Event(data[:cut]), Event(data[cut:], at_s=0.01), wire.message_stop(at_s=0.01)]
    with AnthropicServer(wire.stream(events)) as server:
        assert text_of(ask(open_session(server))) == "naïve"


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("end_turn", "end"),
        ("stop_sequence", "end"),
        ("tool_use", "end"),
        ("pause_turn", "end"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("refusal", "refused"),
        ("brand_new", "unknown"),
        (None, "unknown"),
    ],
)
def test_stop_reasons(open_session: Open, word: str | None, reason: str) -> None:
    """The provider's word is kept beside what it means."""
    events = [wire.message_start(), wire.message_delta(word, 3), wire.message_stop()]
    with AnthropicServer(wire.stream(events)) as server:
        end = end_of(ask(open_session(server)))
    assert end is not None
    assert (end.stop_reason, end.provider_stop_reason) == (reason, word)


def test_a_refusal_without_a_word(open_session: Open) -> None:
    """A refusal may have no token and no delta; it is an end, with its category."""
    details = {"type": "refusal", "category": "cyber", "explanation": None}
    events = [
        wire.message_start(),
        wire.message_delta("refusal", 0, stop_details=details),
        wire.message_stop(),
    ]
    with AnthropicServer(wire.stream(events)) as server:
        chunks = ask(open_session(server))
    assert end_of(chunks) == End("refused", "refusal")
    assert text_of(chunks) == ""
    assert figures_of(chunks)["output_tokens"] == 0
    assert figures_of(chunks)["extras"]["refusal_category"] == "cyber"


def test_unknown_events_are_signs_of_life(open_session: Open) -> None:
    """A newer server may send events that this version does not know."""
    events = [wire.event("confetti", colour="red"), wire.text("ok"), wire.message_stop()]
    with AnthropicServer(wire.stream(events)) as server:
        assert text_of(ask(open_session(server))) == "ok"


@pytest.mark.parametrize(
    ("word", "kind", "what"),
    [
        ("overloaded_error", "overloaded", "the server failed or is overloaded"),
        ("api_error", "overloaded", "the server failed or is overloaded"),
        ("rate_limit_error", "rate-limited", "too many requests"),
        ("invalid_request_error", "rejected", "the request was refused"),
    ],
)
def test_an_error_in_mid_stream(open_session: Open, word: str, kind: FaultKind, what: str) -> None:
    """An error event under HTTP status 200 is the fault that it names; what came is kept."""
    events = [wire.message_start(), wire.text("pri"), wire.error(word, "Oh no")]
    with AnthropicServer(wire.stream(events)) as server:
        fault, chunks = fail(open_session(server))
    assert (fault.kind, fault.status) == (kind, 200)
    assert str(fault) == f"anthropic/claude-test: {what} (200: Oh no)"
    assert text_of(chunks) == "pri"


def test_a_polite_cut(open_session: Open) -> None:
    """A stream that closes well but has no end marker has no End."""
    with AnthropicServer(wire.stream([wire.message_start(), wire.text("pri")])) as server:
        chunks = ask(open_session(server))
    assert text_of(chunks) == "pri"
    assert end_of(chunks) is None


@pytest.mark.parametrize("finish", ["reset", "hang up"])
def test_a_torn_connection(open_session: Open, finish: str) -> None:
    """A connection that goes in mid-stream is `broken`; what came is kept."""
    reply = Reply(
        (wire.message_start(), wire.text("pri")),
        headers={"content-type": "text/event-stream"},
        finish=finish,  # type: ignore[arg-type]  # one of the two
    )
    with AnthropicServer(reply) as server:
        fault, _ = fail(open_session(server))
    assert fault.kind == "broken"
    assert fault.retryable
    assert str(fault).startswith(f"anthropic/claude-test: the connection to {server.url} tore: ")


def test_a_stall(open_session: Open) -> None:
    """No byte for too long is `stalled`; what came is kept."""
    events = [wire.message_start(), wire.text("pri")]
    with AnthropicServer(wire.stream(events, finish="stall")) as server:
        fault, chunks = fail(open_session(server), patience=IMPATIENCE)
    assert fault.kind == "stalled"
    assert str(fault) == f"anthropic/claude-test: {server.url} sent nothing for 0.05 s"
    assert text_of(chunks) == "pri"


def test_the_whole_takes_too_long(open_session: Open) -> None:
    """Bytes that trickle without ever making an event end at the total limit."""
    trickle = [Event(b".", at_s=0.02 * place) for place in range(300)]
    with AnthropicServer(wire.stream(trickle)) as server:
        fault, _ = fail(open_session(server), patience=Patience(total_s=0.15, stall_s=5))
    assert (fault.kind, fault.retryable) == ("timeout", False)
    assert str(fault) == (
        "anthropic/claude-test: the answer was not complete after 0.15 s (--llm-timeout)"
    )


@pytest.mark.parametrize(
    "garbage",
    [
        b"event: content_block_delta\ndata: {broken\n\n",
        b"event: content_block_delta\ndata: [1]\n\n",
        b'event: content_block_delta\ndata: {"type": "content_block_delta"}\n\n',
        b"event: x\ndata: \xff\xfe\n\n",
    ],
)
def test_garbage(open_session: Open, garbage: bytes) -> None:
    """What is no event is a fault of the stream in one line, not a crash."""
    with AnthropicServer(wire.stream([wire.text("pri"), Event(garbage)])) as server:
        fault, chunks = fail(open_session(server))
    assert fault.kind == "broken"
    assert str(fault).startswith("anthropic/claude-test: the answer makes no sense: ")
    assert text_of(chunks) == "pri"


def test_a_web_page_instead_of_a_stream(open_session: Open) -> None:
    """A log-in page of a hotel's network is not an answer, now or later."""
    page = Reply((Event(b"<html>Welcome</html>"),), headers={"content-type": "text/html"})
    with AnthropicServer(page) as server:
        fault, _ = fail(open_session(server))
    assert (fault.kind, fault.retryable) == ("broken", False)
    assert str(fault) == (
        f"anthropic/claude-test: {server.url} answered with text/html, not with a stream"
    )


def test_an_empty_answer(open_session: Open) -> None:
    """A model may end without a word."""
    events = [wire.message_start(), wire.message_delta("end_turn", 1), wire.message_stop()]
    with AnthropicServer(wire.stream(events)) as server:
        chunks = ask(open_session(server))
    assert text_of(chunks) == ""
    assert end_of(chunks) == End("end", "end_turn")


@pytest.mark.parametrize(
    ("status", "word", "said", "kind", "line"),
    [
        (
            401,
            "authentication_error",
            f"invalid key {KEY}",
            "setup",
            "access was refused (401: invalid key ***); check the key in ANTHROPIC_API_KEY",
        ),
        (
            402,
            "billing_error",
            "no funds",
            "setup",
            "access was refused (402: no funds); add credit to the account",
        ),
        (
            400,
            "invalid_request_error",
            "Your credit balance is too low",
            "setup",
            "access was refused (400: Your credit balance is too low); add credit to the account",
        ),
        (
            403,
            "permission_error",
            "not for you",
            "model",
            "the model is not served (403: not for you); "
            "check its name, and what the account may use",
        ),
        (
            404,
            "not_found_error",
            "model: claude-test",
            "model",
            "the model is not served (404: model: claude-test); "
            "check its name, and what the account may use",
        ),
        (
            413,
            "request_too_large",
            "too large",
            "context-overflow",
            "the prompt does not fit (413: too large); use a model with a larger context",
        ),
        (
            400,
            "invalid_request_error",
            "prompt is too long: 210000 tokens > 200000 maximum",
            "context-overflow",
            "the prompt does not fit (400: prompt is too long: 210000 tokens > 200000 maximum); "
            "use a model with a larger context",
        ),
        (
            400,
            "invalid_request_error",
            "bad thinking",
            "rejected",
            "the request was refused (400: bad thinking)",
        ),
        (
            429,
            "rate_limit_error",
            "slow down",
            "rate-limited",
            "too many requests (429: slow down)",
        ),
        (
            500,
            "api_error",
            "Internal server error",
            "overloaded",
            "the server failed or is overloaded (500: Internal server error)",
        ),
        (
            529,
            "overloaded_error",
            "Overloaded",
            "overloaded",
            "the server failed or is overloaded (529: Overloaded)",
        ),
    ],
)
def test_refusals(
    open_session: Open, status: int, word: str, said: str, *, kind: FaultKind, line: str
) -> None:
    """Each status is one line that says what to do; the SDK asks once only."""
    with AnthropicServer(wire.refusal(status, word, said)) as server:
        fault, chunks = fail(open_session(server))
        assert len(server.messages) == 1
    assert str(fault) == f"anthropic/claude-test: {line}"
    assert (fault.kind, fault.status, fault.retry_after_s) == (kind, status, None)
    assert chunks == []


def test_retry_after(open_session: Open) -> None:
    """How long the server asks to wait is handed on, not waited for."""
    reply = wire.refusal(429, "rate_limit_error", "slow down", {"retry-after": "3600"})
    with AnthropicServer(reply) as server:
        fault, _ = fail(open_session(server))
    assert fault.retry_after_s == 3600.0
    assert str(fault) == (
        "anthropic/claude-test: too many requests (429: slow down); it asks to wait 3600 s"
    )


def test_a_key_that_is_refused_is_known_before_the_clock_starts(open_session: Open) -> None:
    """Preparing already finds out; nothing is asked."""
    info = wire.refusal(401, "authentication_error", "invalid x-api-key")
    with AnthropicServer(wire.answer(), info=info) as server:
        fault, _ = fail(open_session(server))
        assert server.messages == []
    assert fault.kind == "setup"


def test_no_server(open_session: Open) -> None:
    """A server that is not there is one line with its address."""
    with AnthropicServer(wire.answer()) as server:
        session = open_session(server)
    fault, _ = fail(session)
    assert fault.kind == "unreachable"
    assert str(fault).startswith(f"anthropic/claude-test: no answer at {server.url}: ")


def test_the_answers_connection_is_warm(open_session: Open) -> None:
    """The connection is opened while preparing, and serves one answer after the other."""
    with AnthropicServer(wire.answer()) as server:
        session = open_session(server)
        connected = [each for _ in range(3) for each in ask(session) if isinstance(each, Connected)]
        paths = [asked.path for asked in server.asked]
        assert {asked.connection for asked in server.asked} == {0}
    assert connected == [Connected(connect_s=None, reused=True)] * 3
    assert paths == ["/v1/models/claude-test", *[wire.MESSAGES] * 3]


def test_what_the_server_says_of_the_model(open_session: Open) -> None:
    """The resolved name, its context, and what was asked of it."""
    with AnthropicServer(wire.answer(), info=wire.model_info()) as server:
        served = open_session(server, thinking="adaptive", effort="high").prepare(
            QUESTION, IMPATIENCE
        )
    assert served.name == wire.SERVED_MODEL
    assert served.context_length == 200_000
    assert served.warm is None
    assert dict(served.details) == {
        "sdk": served.details["sdk"],
        "proxy": False,
        "thinking_type": "adaptive",
        "effort": "high",
        "lifecycle": "active",
        "max_tokens": 64_000,
    }


def test_no_longer_an_answer_than_the_model_can_give(open_session: Open) -> None:
    """A limit beyond the model's own would be refused; it is lowered, and that is said."""
    with AnthropicServer(wire.answer(), info=wire.model_info(max_tokens=512)) as server:
        chunks = ask(open_session(server))
        assert server.messages[0].body["max_tokens"] == 512
    assert figures_of(chunks)["extras"]["max_tokens_sent"] == 512


def test_thinking_that_the_model_does_not_take(open_session: Open) -> None:
    """Known before asking, with what it takes instead."""
    info = wire.model_info(takes=["adaptive", "between_tools"])
    with AnthropicServer(wire.answer(), info=info) as server:
        fault, _ = fail(open_session(server, thinking="disabled"))
        assert server.messages == []
    assert fault.kind == "rejected"
    assert str(fault) == (
        "anthropic/claude-test: the model does not take thinking=disabled; "
        "it takes adaptive, between_tools"
    )


@pytest.mark.parametrize("name", ["claude-opus-4-0", "claude-3-opus-20240229"])
def test_old_models_do_not_end_strict_suites(open_session: Open, name: str) -> None:
    """The SDK warns of models that will go; under `-W error`, as here, that would be the end."""
    with AnthropicServer(wire.answer()) as server:
        session = open_session(server, name, thinking="enabled", budget_tokens="2048")
        assert text_of(ask(session)) == "print(1)"


def test_closing_ends_a_stream_in_another_thread(open_session: Open) -> None:
    """Who waits for the next piece gets a fault at once, and no retry."""
    events = [wire.message_start(), wire.text("pri")]
    faults: list[ProviderError] = []
    heard = threading.Event()

    def listen(session: AnthropicSession) -> None:
        try:
            for chunk in session.stream(QUESTION, Patience(total_s=60, stall_s=60)):
                if isinstance(chunk, VisibleText):
                    heard.set()
        except ProviderError as fault:
            faults.append(fault)

    with AnthropicServer(wire.stream(events, finish="stall")) as server:
        session = open_session(server)
        listener = threading.Thread(target=listen, args=(session,))
        listener.start()
        assert heard.wait(5)
        session.close()
        listener.join(5)
    assert [str(each) for each in faults] == [
        "anthropic/claude-test: closed while an answer was under way"
    ]
    assert not faults[0].retryable


def test_answers_side_by_side(open_session: Open) -> None:
    """Threads that share a session do not mix their answers."""
    replies = [wire.answer(f"answer {number}", output_tokens=number) for number in range(8)]
    outcomes: list[tuple[str, int]] = []

    def listen(session: AnthropicSession) -> None:
        chunks = ask(session)
        outcomes.append((text_of(chunks), figures_of(chunks)["output_tokens"]))

    with AnthropicServer(*replies) as server:
        session = open_session(server)
        threads = [threading.Thread(target=listen, args=(session,)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
    assert len(outcomes) == 8
    assert all(text == f"answer {number}" for text, number in outcomes)


def test_the_key_is_nowhere(open_session: Open) -> None:
    """Neither in a fault and its traceback nor in the session's repr."""
    said = f"the key {KEY} is no good"
    with AnthropicServer(wire.refusal(401, "authentication_error", said)) as server:
        session = open_session(server)
        fault, _ = fail(session)
    shown = "".join(traceback.format_exception(fault)) + repr(session) + str(session) + repr(fault)
    assert KEY not in shown
    assert fault.__cause__ is None
    assert fault.__suppress_context__


def test_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a key for the real API, the variable is named."""
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    with pytest.raises(ProviderError) as caught:
        AnthropicProvider().open(make_model({}))
    assert caught.value.kind == "setup"
    assert str(caught.value) == "anthropic/claude-test: no key found; set ANTHROPIC_API_KEY"


def test_a_profile_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK's own account of the profile comes first."""
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    monkeypatch.setenv("ANTHROPIC_PROFILE", "work")
    with pytest.raises(ProviderError) as caught:
        AnthropicProvider().open(make_model({}))
    assert caught.value.kind == "setup"
    assert str(caught.value).startswith("anthropic/claude-test: no key found: Config file not")
    assert str(caught.value).endswith("; set ANTHROPIC_API_KEY")


def test_servers_at_home_need_no_key(open_session: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """A local server that speaks the API is asked without one."""
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    with AnthropicServer(wire.answer()) as server:
        assert text_of(ask(open_session(server))) == "print(1)"


def test_no_sdk(monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing SDK is one line with the command that installs it."""
    monkeypatch.setitem(sys.modules, "anthropic", None)
    with pytest.raises(ProviderError) as caught:
        AnthropicProvider().open(make_model({}))
    assert caught.value.kind == "setup"
    assert str(caught.value) == (
        "anthropic/claude-test: the SDK is missing; run `pip install 'anthropic>=2,<3'`"
    )


def test_endpoints(monkeypatch: pytest.MonkeyPatch) -> None:
    """The spec's address goes before the environment's, and that before Anthropic's."""
    provider = AnthropicProvider()
    own = provider.endpoint(make_model({}))
    assert (own.address, own.kind, own.concurrency) == ("https://api.anthropic.com", "cloud", 4)
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://localhost:8000/v1/")
    near = provider.endpoint(make_model({}))
    assert (near.address, near.kind, near.concurrency) == ("http://localhost:8000", "local", 1)
    assert provider.endpoint(make_model({"concurrency": "2"})).concurrency == 2
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "https://ann:pw@proxy.example.com/claude")
    given = provider.endpoint(make_model({}))
    assert (given.address, given.kind) == ("https://proxy.example.com/claude", "cloud")


@pytest.mark.parametrize(
    ("parameters", "line"),
    [
        (
            {"efort": "low"},
            "anthropic knows no parameter 'efort' (did you mean effort?); it knows base_url, "
            "budget_tokens, concurrency, display, effort, service_tier, thinking",
        ),
        (
            {"temperature": "0"},
            "anthropic knows no parameter 'temperature'; it knows base_url, "
            "budget_tokens, concurrency, display, effort, service_tier, thinking",
        ),
        ({"effort": "huge"}, "effort must be one of low, medium, high, xhigh, max, not 'huge'"),
        ({"concurrency": "0"}, "concurrency must be a whole number of at least 1, not '0'"),
        (
            {"budget_tokens": "10"},
            "budget_tokens must be a whole number of at least 1024, not '10'",
        ),
        ({"thinking": "enabled"}, "thinking=enabled needs budget_tokens, such as 4096"),
        (
            {"thinking": "adaptive", "budget_tokens": "2048"},
            "budget_tokens goes with thinking=enabled alone",
        ),
        (
            {"thinking": "disabled", "display": "omitted"},
            "thinking=disabled has no thoughts to display",
        ),
        (
            {"base_url": "localhost:8000"},
            "base_url must be a URL that begins with http:// or https://, not 'localhost:8000'",
        ),
        (
            {"base_url": "http://localhost:8000?token=hunter2"},
            "base_url must end with its path, without a ? or # and what follows; "
            "set what is secret in an environment variable",
        ),
    ],
)
def test_parameters_that_make_no_sense(parameters: dict[str, str], line: str) -> None:
    """One line with what is known or wanted."""
    model = make_model(parameters)
    with pytest.raises(ModelSpecError) as caught:
        AnthropicProvider().endpoint(model)
    assert str(caught.value) == f"{model.bare_spec}: {line}"


@pytest.mark.parametrize(
    ("parameters", "thinking"),
    [
        ({"budget_tokens": "2048"}, {"type": "enabled", "budget_tokens": 2048}),
        ({"display": "summarized"}, {"type": "adaptive", "display": "summarized"}),
        ({"thinking": "between_tools"}, {"type": "between_tools"}),
    ],
)
def test_thinking_parameters(
    open_session: Open, parameters: dict[str, str], thinking: dict[str, object]
) -> None:
    """What is left out follows from what is given."""
    with AnthropicServer(wire.answer()) as server:
        ask(open_session(server, **parameters))
        assert server.messages[0].body["thinking"] == thinking
