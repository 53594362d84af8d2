"""The real Ollama SDK against a server on loopback that speaks the native API."""

from __future__ import annotations

import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping

import pytest

import ollama_server as wire
from asking import (
    IMPATIENCE,
    PATIENCE,
    QUESTION,
    ask,
    end_of,
    fail,
    figures_of,
    text_of,
    thinking_of,
)
from ollama_server import Machine, OllamaServer
from pytest_llmbench.generation.chunks import Connected, End, ThinkingText, VisibleText
from pytest_llmbench.generation.request import Message, Request
from pytest_llmbench.models import Model, ModelSpecError
from pytest_llmbench.providers.ollama import OllamaProvider, OllamaSession
from pytest_llmbench.providers.protocol import FaultKind, Patience, ProviderError
from wire import Event, Finish, bundle

KEY = "ollama-secret-0123456789"

Open = Callable[..., OllamaSession]


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    """One key, and nothing of the machine's own set-up."""
    monkeypatch.delenv("OLLAMA_HOST", raising=False)
    monkeypatch.setenv("OLLAMA_API_KEY", KEY)


@pytest.fixture
def open_session() -> Iterator[Open]:
    """Open sessions that are closed after the test."""
    sessions = []

    def open_one(server: OllamaServer, name: str = "devstral", **parameters: str) -> object:
        model = make_model({"host": server.url, **parameters}, name)
        sessions.append(OllamaProvider().open(model))
        return sessions[-1]

    yield open_one  # type: ignore[misc]  # typed as what tests call
    for session in sessions:
        session.close()


def make_model(parameters: Mapping[str, str], name: str = "devstral") -> Model:
    return Model("devstral", "ollama", name, parameters)


def make_request(prompt: str, max_tokens: int = 1024) -> Request:
    return Request(messages=(Message("user", prompt),), max_tokens=max_tokens)


def test_a_plain_answer(open_session: Open) -> None:
    """Text, the server's own figures and its end, exact."""
    with OllamaServer(wire.stream([wire.text("print"), wire.text("(1)"), wire.done()])) as server:
        chunks = ask(open_session(server))
    assert text_of(chunks) == "print(1)"
    assert end_of(chunks) == End("end", "stop")
    assert figures_of(chunks) == {
        "served_model": "devstral:latest",
        "input_tokens": 26,
        "output_tokens": 200,
        "decode_tokens": 200,
        "decode_s": 2.5,
        "prefill_s": 0.13,
        "load_s": 0.02,
        "extras": {"prompt_asked_before": False},
    }


def test_what_is_sent(open_session: Open) -> None:
    """The request says how large the context is and how long the answer may be."""
    parameters = {
        "temperature": "0.2",
        "seed": "7",
        "top_p": "0.9",
        "top_k": "40",
        "keep_alive": "30m",
        "think": "false",
    }
    with OllamaServer(wire.answer()) as server:
        ask(open_session(server, **parameters))
        (asked,) = server.questions
    assert asked.body == {
        "model": "devstral",
        "stream": True,
        "think": False,
        "keep_alive": "30m",
        "tools": [],
        "messages": [
            {"role": "system", "content": "Answer in Python."},
            {"role": "user", "content": "Write a todo app."},
        ],
        "options": {
            "temperature": 0.2,
            "seed": 7,
            "top_p": 0.9,
            "top_k": 40,
            "num_ctx": 4096,
            "num_predict": 1024,
        },
    }
    assert asked.headers["accept-encoding"] == "identity"


def test_thinking(open_session: Open) -> None:
    """Thoughts come in their own channel, and the model is left to think as it does."""
    events = [wire.thinking("First, "), wire.thinking("a plan."), wire.text("ok"), wire.done()]
    with OllamaServer(wire.stream(events), machine=Machine(thinks=True)) as server:
        session = open_session(server)
        chunks = ask(session)
        served = session.prepare(QUESTION, PATIENCE)
        assert "think" not in server.questions[0].body
    assert [type(each) for each in chunks[1:4]] == [ThinkingText, ThinkingText, VisibleText]
    assert thinking_of(chunks) == "First, a plan."
    assert text_of(chunks) == "ok"
    assert served.details["can_think"] is True


@pytest.mark.parametrize(
    ("text", "sent"), [("true", True), ("false", False), ("high", "high"), ("low", "low")]
)
def test_think_as_asked(open_session: Open, text: str, sent: object) -> None:
    """Levels go as words, yes and no as such."""
    with OllamaServer(wire.answer(), machine=Machine(thinks=True)) as server:
        ask(open_session(server, think=text))
        assert server.questions[0].body["think"] == sent


def test_a_model_that_cannot_think(open_session: Open) -> None:
    """Known before asking, with what to do."""
    with OllamaServer(wire.answer()) as server:
        fault, _ = fail(open_session(server, think="true"))
        assert server.questions == []
    assert fault.kind == "rejected"
    assert str(fault) == "ollama/devstral: the model does not think; leave ?think= out"


def test_bundled_lines(open_session: Open) -> None:
    """Lines that arrive in one packet are the same chunks."""
    events = (*(wire.text(str(number)) for number in range(6)), wire.done())
    with OllamaServer(wire.stream(events), wire.stream(bundle(events, 3))) as server:
        assert text_of(ask(open_session(server))) == text_of(ask(open_session(server))) == "012345"


def test_a_piece_is_heard_before_the_next_is_sent(open_session: Open) -> None:
    """Each chunk is there when its line is, not when the answer is."""
    events = [wire.text("early"), wire.text("late", at_s=0.2), wire.done(at_s=0.2)]
    with OllamaServer(wire.stream(events)) as server:
        session = open_session(server)
        session.prepare(QUESTION, PATIENCE)
        for chunk in session.stream(QUESTION, PATIENCE):
            if chunk == VisibleText("early"):
                sent_by_then = len(server.questions[0].sent_s)
                break
    assert sent_by_then == 1


@pytest.mark.parametrize(
    ("word", "reason"), [("stop", "end"), ("length", "length"), ("load", "unknown")]
)
def test_stop_reasons(open_session: Open, word: str, reason: str) -> None:
    """The server's word is kept beside what it means."""
    with OllamaServer(wire.stream([wire.text("x"), wire.done(word)])) as server:
        end = end_of(ask(open_session(server)))
    assert end is not None
    assert (end.stop_reason, end.provider_stop_reason) == (reason, word)


def test_an_empty_answer(open_session: Open) -> None:
    """A model may end without a word; what the server leaves out is unknown, not 0."""
    end = Event(
        b'{"model": "devstral", "message": {"role": "assistant", "content": ""},'
        b' "done": true, "done_reason": "stop"}\n'
    )
    with OllamaServer(wire.stream([end])) as server:
        chunks = ask(open_session(server))
    assert text_of(chunks) == ""
    assert end_of(chunks) == End("end", "stop")
    assert figures_of(chunks) == {
        "served_model": "devstral",
        "extras": {"prompt_asked_before": False},
    }


def test_the_model_is_loaded_before_the_clock_starts(open_session: Open) -> None:
    """Loading is timed apart; the second answer finds the model in memory."""
    with OllamaServer(wire.answer(), machine=Machine(load_takes_s=0.05)) as server:
        session = open_session(server)
        first = session.prepare(QUESTION, PATIENCE)
        list(session.stream(QUESTION, PATIENCE))
        second = session.prepare(QUESTION, PATIENCE)
        assert server.machine.loads == 1
    assert first.warm
    assert first.load_s is not None
    assert 0.05 <= first.load_s < 5
    assert second.warm
    assert second.load_s is None


def test_a_long_load_is_no_stall(open_session: Open) -> None:
    """A server that loads says nothing, for longer than any pause in an answer may be."""
    with OllamaServer(wire.answer(), machine=Machine(load_takes_s=0.2)) as server:
        assert text_of(ask(open_session(server), patience=IMPATIENCE)) == "print(1)"


def test_a_cold_start(open_session: Open) -> None:
    """The model is unloaded first; the answer's own request loads it."""
    machine = Machine(loaded_context=4096)
    with OllamaServer(wire.answer(load_duration=4_000_000_000), machine=machine) as server:
        session = open_session(server, cold="true")
        for loads in (1, 2):
            served = session.prepare(QUESTION, PATIENCE)
            assert machine.loaded_context is None
            chunks = list(session.stream(QUESTION, PATIENCE))
            assert machine.loads == loads
            assert served.warm is False
            assert served.load_s is None
            figures = figures_of(chunks)
            assert figures["load_s"] == 4.0
            assert figures["extras"]["context_length"] == 4096
            assert figures["extras"]["prompt_asked_before"] is False


def test_what_the_server_says_of_the_model(open_session: Open) -> None:
    """Digest, quantization, the fitted context, and the share that lies in the CPU's memory."""
    with OllamaServer(wire.answer(), machine=Machine(gpu_bytes=7_500)) as server:
        served = open_session(server, seed="7").prepare(QUESTION, PATIENCE)
    assert served.digest == wire.DIGEST
    assert served.quantization == "Q4_K_M"
    assert served.context_length == 4096
    assert dict(served.details) == {
        "num_ctx": 4096,
        "trained_context_length": wire.TRAINED_CONTEXT,
        "can_think": False,
        "think": None,
        "family": "llama",
        "parameter_size": "24B",
        "size_bytes": 10_000,
        "gpu_bytes": 7_500,
        "cpu_share": 0.25,
        "option_seed": 7,
    }


def test_one_context_for_prompts_of_about_one_length(open_session: Open) -> None:
    """Prompts of different length do not reload the model; a much longer one does, once."""
    prompts = ["Write. " * 10, "Write. " * 100, "Write. " * 50, "Write. " * 4000, "Write."]
    with OllamaServer(wire.answer()) as server:
        session = open_session(server)
        for prompt in prompts:
            ask(session, make_request(prompt))
        assert server.machine.loads == 2
        contexts = [asked.body["options"]["num_ctx"] for asked in server.questions]
    assert contexts == [4096, 4096, 4096, 16384, 16384]


def test_a_context_as_asked(open_session: Open) -> None:
    """An explicit `num_ctx` is sent as it is."""
    with OllamaServer(wire.answer()) as server:
        session = open_session(server, num_ctx="5000")
        ask(session, make_request("Write.", max_tokens=9000))
        assert server.questions[0].body["options"]["num_ctx"] == 5000
        assert session.prepare(QUESTION, PATIENCE).context_length == 5000


def test_a_model_in_memory_with_another_context_is_loaded_again(open_session: Open) -> None:
    """Before the clock starts, not in the answer's time."""
    machine = Machine(loaded_context=2048)
    with OllamaServer(wire.answer(), machine=machine) as server:
        served = open_session(server).prepare(QUESTION, PATIENCE)
    assert machine.loads == 1
    assert served.load_s is not None
    assert served.context_length == 4096


def test_a_context_that_the_server_cuts_down(open_session: Open) -> None:
    """What was really fitted is shown, and does not load the model time after time."""
    machine = Machine(largest_context=3000)
    with OllamaServer(wire.answer(), machine=machine) as server:
        session = open_session(server)
        ask(session)
        served = session.prepare(QUESTION, PATIENCE)
    assert served.context_length == 3000
    assert served.details["num_ctx"] == 4096
    assert machine.loads == 1


def test_a_prompt_that_cannot_fit(open_session: Open) -> None:
    """A prompt surely larger than the context is not asked at all."""
    request = make_request("one two three four five six " * 600)
    with OllamaServer(wire.answer()) as server:
        fault, _ = fail(open_session(server, num_ctx="2048"), request)
        assert server.questions == []
    assert (fault.kind, fault.retryable) == ("context-overflow", False)
    assert str(fault) == (
        "ollama/devstral: the prompt has at least 2,700 tokens, the context holds 2,048; "
        "give more with ?num_ctx=, or use a model with a larger context"
    )


def test_a_prompt_that_the_server_cut(open_session: Open) -> None:
    """A server that read much less than there was has cut the prompt without a word."""
    request = make_request("one two three four five six " * 420)
    with OllamaServer(wire.answer(prompt_eval_count=1030)) as server:
        fault, chunks = fail(open_session(server, num_ctx="2048"), request)
    assert fault.kind == "context-overflow"
    assert str(fault) == (
        "ollama/devstral: the server read 1,030 tokens of a prompt of at least 1,890; "
        "the context holds 2,048; give more with ?num_ctx=, or use a model with a larger context"
    )
    assert text_of(chunks) == "print(1)"
    assert end_of(chunks) is None


def test_an_old_server_that_leaves_cached_tokens_out(open_session: Open) -> None:
    """A small count for a prompt that fits by far is no cut prompt."""
    request = make_request("one two three four five six " * 420)
    with OllamaServer(wire.answer(prompt_eval_count=3)) as server:
        assert end_of(ask(open_session(server), request)) == End("end", "stop")


def test_an_answer_that_ran_out_of_the_context(open_session: Open) -> None:
    """A context that is full has dropped something."""
    with OllamaServer(wire.answer(prompt_eval_count=1000, eval_count=1048)) as server:
        fault, _ = fail(open_session(server, num_ctx="2048"))
    assert fault.kind == "context-overflow"
    assert str(fault) == (
        "ollama/devstral: prompt and answer filled the context: 1,000 + 1,048 tokens; "
        "the context holds 2,048; give more with ?num_ctx=, or use a model with a larger context"
    )


def test_a_prompt_asked_twice_is_marked(open_session: Open) -> None:
    """The server reads it from its cache, and its reading time means nothing."""
    with OllamaServer(wire.answer()) as server:
        session = open_session(server)
        marks = [
            figures_of(ask(session, request))["extras"]["prompt_asked_before"]
            for request in (QUESTION, QUESTION, make_request("Another."))
        ]
    assert marks == [False, True, False]


def test_the_answers_connection_is_warm(open_session: Open) -> None:
    """One connection serves preparing and answering, time after time."""
    with OllamaServer(wire.answer()) as server:
        session = open_session(server)
        connected = [each for _ in range(3) for each in ask(session) if isinstance(each, Connected)]
        assert {asked.connection for asked in server.asked} == {0}
    assert connected == [Connected(connect_s=None, reused=True)] * 3


def test_an_error_in_mid_stream(open_session: Open) -> None:
    """An error line under HTTP status 200 is a fault; what came is kept."""
    events = [wire.text("pri"), wire.error("model runner has unexpectedly stopped")]
    with OllamaServer(wire.stream(events)) as server:
        fault, chunks = fail(open_session(server))
    assert (fault.kind, fault.retryable, fault.status) == ("broken", True, 200)
    assert str(fault) == (
        "ollama/devstral: the stream ended with an error "
        "(200: model runner has unexpectedly stopped)"
    )
    assert text_of(chunks) == "pri"


def test_a_polite_cut(open_session: Open) -> None:
    """A stream that closes well but has no `done` line has no End."""
    with OllamaServer(wire.stream([wire.text("pri")])) as server:
        chunks = ask(open_session(server))
    assert text_of(chunks) == "pri"
    assert end_of(chunks) is None


@pytest.mark.parametrize("finish", ["reset", "hang up"])
def test_a_torn_connection(open_session: Open, finish: Finish) -> None:
    """A connection that goes in mid-stream is `broken`."""
    with OllamaServer(wire.stream([wire.text("pri")], finish)) as server:
        fault, _ = fail(open_session(server))
    assert fault.kind == "broken"
    assert str(fault).startswith(f"ollama/devstral: the connection to {server.url} tore: ")


def test_a_stall(open_session: Open) -> None:
    """No byte for too long is `stalled`, though the SDK would wait for ever."""
    with OllamaServer(wire.stream([wire.text("pri")], "stall")) as server:
        fault, chunks = fail(open_session(server), patience=IMPATIENCE)
    assert fault.kind == "stalled"
    assert str(fault) == f"ollama/devstral: {server.url} sent nothing for 0.05 s"
    assert text_of(chunks) == "pri"


def test_the_whole_takes_too_long(open_session: Open) -> None:
    """Bytes that trickle without ever making a line end at the total limit."""
    trickle = [Event(b".", at_s=0.02 * place) for place in range(300)]
    with OllamaServer(wire.stream(trickle)) as server:
        fault, _ = fail(open_session(server), patience=Patience(total_s=0.15, stall_s=5))
    assert (fault.kind, fault.retryable) == ("timeout", False)
    assert str(fault) == "ollama/devstral: the answer was not complete after 0.15 s (--llm-timeout)"


@pytest.mark.parametrize("garbage", [b"{broken\n", b"[1]\n", b'{"done": false}\n', b"\xff\xfe\n"])
def test_garbage(open_session: Open, garbage: bytes) -> None:
    """What is no line of an answer is a fault in one line, not a crash."""
    with OllamaServer(wire.stream([wire.text("pri"), Event(garbage)])) as server:
        fault, chunks = fail(open_session(server))
    assert fault.kind == "broken"
    assert str(fault).startswith("ollama/devstral: the answer makes no sense: ")
    assert "\n" not in str(fault)
    assert text_of(chunks) == "pri"


@pytest.mark.parametrize(
    ("status", "said", "kind", "line"),
    [
        (
            404,
            "model 'devstral' not found",
            "model",
            "the model is not served (404: model 'devstral' not found); run `ollama pull devstral`",
        ),
        (
            401,
            f"unauthorized {KEY}",
            "setup",
            "access was refused (401: unauthorized ***); "
            "run `ollama signin`, or set OLLAMA_API_KEY",
        ),
        (
            403,
            "cloud is off",
            "model",
            "the model is not served (403: cloud is off); "
            "run `ollama signin`, or set OLLAMA_API_KEY",
        ),
        (400, "invalid option", "rejected", "the request was refused (400: invalid option)"),
        (
            400,
            "the input length exceeds the context length",
            "context-overflow",
            "the prompt does not fit (400: the input length exceeds the context length); "
            "use a model with a larger context",
        ),
        (429, "slow down", "rate-limited", "too many requests (429: slow down)"),
        (
            500,
            "model requires more system memory (21.5 GiB) than is available (7.9 GiB)",
            "model",
            "not enough memory: "
            "model requires more system memory (21.5 GiB) than is available (7.9 GiB); "
            "choose a smaller quantization or a smaller ?num_ctx=",
        ),
        (
            503,
            "server busy",
            "overloaded",
            "the server failed or is overloaded (503: server busy)",
        ),
        (529, "busy", "overloaded", "the server failed or is overloaded (529: busy)"),
    ],
)
def test_refusals(
    open_session: Open, status: int, said: str, *, kind: FaultKind, line: str
) -> None:
    """Each status is one line that says what to do."""
    with OllamaServer(wire.refusal(status, said)) as server:
        fault, chunks = fail(open_session(server))
        assert len(server.questions) == 1
    assert str(fault) == f"ollama/devstral: {line}"
    assert (fault.kind, fault.status) == (kind, status)
    assert chunks == []


def test_retry_after(open_session: Open) -> None:
    """How long the server asks to wait is handed on, though the SDK hides the response."""
    with OllamaServer(wire.refusal(429, "slow down", {"retry-after": "7"})) as server:
        fault, _ = fail(open_session(server))
    assert fault.retry_after_s == 7.0
    assert fault.retryable


def test_a_model_that_is_not_pulled(open_session: Open) -> None:
    """Known before the clock starts, with the command to run."""
    with OllamaServer(wire.answer()) as server:
        fault, _ = fail(open_session(server, "qwen3.5:35b"))
    assert (fault.kind, fault.retryable) == ("model", False)
    assert str(fault) == (
        "ollama/qwen3.5:35b: the model is not served (404: model 'qwen3.5:35b' not found); "
        "run `ollama pull qwen3.5:35b`"
    )


def test_another_kind_of_server(open_session: Open) -> None:
    """An address where something else listens is not answered with a `pull`."""
    with OllamaServer(wire.answer()) as server:
        model = make_model({"host": f"{server.url}/elsewhere"})
        session = OllamaProvider().open(model)
        fault, _ = fail(session)
        session.close()
    assert str(fault) == (
        "ollama/devstral: the model is not served (404); "
        f"is {server.url}/elsewhere an Ollama server?"
    )


def test_no_server(open_session: Open) -> None:
    """A server that is not there is one line with its address and the command that starts it."""
    with OllamaServer(wire.answer()) as server:
        session = open_session(server)
    fault, _ = fail(session)
    assert (fault.kind, fault.retryable) == ("unreachable", True)
    assert str(fault) == (
        f"ollama/devstral: no Ollama server at {server.url}; is `ollama serve` running?"
    )


def test_a_server_that_goes_between_preparing_and_asking(open_session: Open) -> None:
    """The SDK raises another error when it streams; the line is the same."""
    with OllamaServer(wire.answer()) as server:
        session = open_session(server)
        session.prepare(QUESTION, PATIENCE)
    with pytest.raises(ProviderError, match="is `ollama serve` running") as caught:
        list(session.stream(QUESTION, PATIENCE))
    assert caught.value.kind == "unreachable"


def test_closing_ends_a_stream_in_another_thread(open_session: Open) -> None:
    """Who waits for the next piece gets a fault at once, and no retry."""
    faults: list[ProviderError] = []
    heard = threading.Event()
    patience = Patience(total_s=60, stall_s=60)

    def listen(session: OllamaSession) -> None:
        try:
            for chunk in session.stream(QUESTION, patience):
                if isinstance(chunk, VisibleText):
                    heard.set()
        except ProviderError as fault:
            faults.append(fault)

    with OllamaServer(wire.stream([wire.text("pri")], "stall")) as server:
        session = open_session(server)
        session.prepare(QUESTION, patience)
        listener = threading.Thread(target=listen, args=(session,))
        listener.start()
        assert heard.wait(5)
        session.close()
        listener.join(5)
    assert [str(each) for each in faults] == [
        "ollama/devstral: closed while an answer was under way"
    ]
    assert not faults[0].retryable


def test_the_key_is_nowhere(open_session: Open) -> None:
    """Neither in a fault and its traceback nor in the session's repr."""
    with OllamaServer(wire.refusal(401, f"the key {KEY} is no good")) as server:
        session = open_session(server)
        fault, _ = fail(session)
        assert server.questions[0].headers["authorization"] == f"Bearer {KEY}"
    shown = "".join(traceback.format_exception(fault)) + repr(session) + repr(fault)
    assert KEY not in shown


def test_no_sdk(monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing SDK is one line with the command that installs it."""
    monkeypatch.setitem(sys.modules, "ollama", None)
    with pytest.raises(ProviderError) as caught:
        OllamaProvider().open(make_model({}))
    assert caught.value.kind == "setup"
    assert str(caught.value) == (
        "ollama/devstral: the SDK is missing; run `pip install 'ollama>=0.6'`"
    )


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("", "http://127.0.0.1:11434"),
        (":8000", "http://127.0.0.1:8000"),
        ("0.0.0.0", "http://127.0.0.1:11434"),  # noqa: S104  # nothing listens
        ("0.0.0.0:8000", "http://127.0.0.1:8000"),
        ("gpu-box", "http://gpu-box:11434"),
        ("gpu-box:8000", "http://gpu-box:8000"),
        ("http://gpu-box", "http://gpu-box:80"),
        ("https://gpu.example.com/ollama/", "https://gpu.example.com:443/ollama"),
        ("https://ann:pw@gpu.example.com", "https://gpu.example.com:443"),
        ("[::1]:8000", "http://[::1]:8000"),
    ],
)
def test_addresses(monkeypatch: pytest.MonkeyPatch, host: str, address: str) -> None:
    """`OLLAMA_HOST` is read as Ollama itself reads it; `?host=` goes before it."""
    monkeypatch.setenv("OLLAMA_HOST", host)
    endpoint = OllamaProvider().endpoint(make_model({}))
    assert (endpoint.address, endpoint.kind, endpoint.concurrency) == (address, "local", 1)
    if "@" not in host:  # which no spec may hold
        monkeypatch.setenv("OLLAMA_HOST", "elsewhere")
        given = OllamaProvider().endpoint(make_model({"host": host or "127.0.0.1"}))
        assert given.address == address


def test_models_in_ollamas_cloud() -> None:
    """They are no models of this machine, whoever passes the question on."""
    provider = OllamaProvider()
    assert provider.endpoint(make_model({}, "gpt-oss:120b-cloud")).kind == "cloud"
    assert provider.endpoint(make_model({"host": "https://ollama.com"})).kind == "cloud"


@pytest.mark.parametrize(
    ("parameters", "line"),
    [
        (
            {"num_ctxt": "4096"},
            "ollama knows no parameter 'num_ctxt' (did you mean num_ctx?); it knows base_url, "
            "cold, concurrency, host, keep_alive, num_ctx, seed, temperature, think, top_k, top_p",
        ),
        ({"num_ctx": "many"}, "num_ctx must be a whole number of at least 1, not 'many'"),
        ({"temperature": "9"}, "temperature must be a number from 0 to 5, not '9'"),
        ({"top_p": "nan"}, "top_p must be a number from 0 to 1, not 'nan'"),
        ({"cold": "maybe"}, "cold must be true or false, not 'maybe'"),
        ({"think": "hard"}, "think must be true, false, low, medium, high, max, not 'hard'"),
        (
            {"keep_alive": "long"},
            "keep_alive must be a duration such as 10m, or seconds, not 'long'",
        ),
        ({"host": "ftp://x"}, "host must be host, host:port or a URL, not 'ftp://x'"),
        (
            {"host": "ann:hunter2@gpu-box"},
            "host must not hold a user name or password; "
            "set what is secret in an environment variable",
        ),
        ({"host": "a", "base_url": "b"}, "host and base_url mean the same; give one"),
    ],
)
def test_parameters_that_make_no_sense(parameters: dict[str, str], line: str) -> None:
    """One line with what is known or wanted."""
    model = make_model(parameters)
    with pytest.raises(ModelSpecError) as caught:
        OllamaProvider().endpoint(model)
    assert str(caught.value) == f"{model.bare_spec}: {line}"


@pytest.mark.parametrize(("text", "sent"), [("10m", "10m"), ("-1", -1.0), ("90", 90.0)])
def test_keep_alive(open_session: Open, text: str, sent: object) -> None:
    """A duration goes as it is, a number as seconds, for loading and answering alike."""
    with OllamaServer(wire.answer()) as server:
        ask(open_session(server, keep_alive=text))
        sent_all = [asked.body.get("keep_alive") for asked in server.of_path(wire.CHAT)]
    assert sent_all == [sent, sent]
