"""What providers over HTTP share, with the real HTTP libraries against a scripted server."""

from __future__ import annotations

import socket
import threading
import time
from datetime import UTC, datetime
from types import ModuleType
from typing import Any

import httpx
import httpx2
import pytest

from pytest_llmbench.generation.chunks import Connected
from pytest_llmbench.providers import http
from pytest_llmbench.providers.protocol import Patience, ProviderError
from wire import Event, Finish, Reply, WireServer

PATIENCE = Patience(total_s=5.0, stall_s=0.05)

HALF = (Event(b"half of an "),)

both_libraries = pytest.mark.parametrize("library", [httpx, httpx2], ids=["httpx", "httpx2"])


def open_client(library: ModuleType, watch: http.ConnectionWatch, address: str) -> Any:
    options = http.client_options(library, watch, address)
    return library.Client(base_url=address, timeout=http.timeouts(library, PATIENCE), **options)


def provoke(library: ModuleType, address: str) -> ProviderError:
    """The fault of one request."""
    watch = http.ConnectionWatch()
    with open_client(library, watch, address) as client:
        try:
            client.get("/")
        except library.HTTPError as error:
            fault = http.transport_fault(error, "some/model", address, PATIENCE)
            assert fault is not None
            return fault
        finally:
            watch.shut()
    raise AssertionError("the request succeeded")


def unused_address() -> str:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}"


@both_libraries
def test_connections_are_told_apart(library: ModuleType) -> None:
    """The first request opens a connection and says how long; the second uses it again."""
    watch = http.ConnectionWatch()
    assert watch.connected() == Connected(connect_s=None, reused=None)
    with WireServer(lambda _: Reply()) as server, open_client(library, watch, server.url) as client:
        client.get("/")
        first = watch.connected()
        client.get("/")
        second = watch.connected()
    watch.shut()
    assert first.reused is False
    assert first.connect_s is not None
    assert 0 < first.connect_s < 1
    assert second == Connected(connect_s=None, reused=True)
    assert [asked.connection for asked in server.asked] == [0, 0]


@both_libraries
def test_no_server(library: ModuleType) -> None:
    """A refused connection is `unreachable`, and may be tried again."""
    address = unused_address()
    fault = provoke(library, address)
    assert (fault.kind, fault.retryable) == ("unreachable", True)
    assert str(fault) == f"some/model: no answer at {address}: [Errno 111] Connection refused"


@both_libraries
@pytest.mark.parametrize("finish", ["reset", "hang up"])
def test_torn_connections(library: ModuleType, finish: Finish) -> None:
    """A connection that ends in mid-body is `broken`."""
    with WireServer(lambda _: Reply(HALF, finish=finish)) as server:
        fault = provoke(library, server.url)
    assert fault.kind == "broken"
    assert str(fault).startswith(f"some/model: the connection to {server.url} tore: ")


@both_libraries
def test_silence(library: ModuleType) -> None:
    """A server that says nothing more is `stalled`, and the message says for how long."""
    with WireServer(lambda _: Reply(HALF, finish="stall")) as server:
        fault = provoke(library, server.url)
    assert fault.kind == "stalled"
    assert str(fault) == f"some/model: {server.url} sent nothing for 0.05 s"


@both_libraries
def test_a_key_with_a_line_break_is_not_repeated(library: ModuleType) -> None:
    """The library quotes a header that is no header; the fault does not."""
    watch = http.ConnectionWatch()
    with WireServer(lambda _: Reply()) as server, open_client(library, watch, server.url) as client:
        with pytest.raises(library.LocalProtocolError, match="secret") as caught:
            client.get("/", headers={"Authorization": "Bearer secret\n"})
        fault = http.transport_fault(caught.value, "some/model", server.url, PATIENCE)
    watch.shut()
    assert fault is not None
    assert fault.kind == "setup"
    assert "secret" not in str(fault)


def test_other_errors_are_no_transport_faults() -> None:
    """What did not come from the network is left to the caller."""
    assert http.transport_fault(KeyError("x"), "some/model", "http://h", PATIENCE) is None


@both_libraries
def test_the_environments_proxy_is_not_asked_for_local_servers(
    library: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy that answers nobody does no harm."""
    monkeypatch.setenv("HTTP_PROXY", unused_address())
    monkeypatch.setenv("ALL_PROXY", unused_address())
    monkeypatch.delenv("NO_PROXY", raising=False)
    watch = http.ConnectionWatch()
    with WireServer(lambda _: Reply()) as server, open_client(library, watch, server.url) as client:
        assert client.get("/").status_code == 200
    watch.shut()
    assert http.uses_proxy("http://example.com")
    assert not http.uses_proxy(server.url)


@both_libraries
def test_shutting_ends_a_request_in_another_thread(library: ModuleType) -> None:
    """Who waits for a byte is woken at once, long before the stall limit."""
    watch = http.ConnectionWatch()
    reading = threading.Event()
    outcome: list[float] = []

    def read(client: Any) -> None:
        started_s = time.monotonic()
        with client.stream("GET", "/") as response:
            pieces = response.iter_raw()
            next(pieces)
            reading.set()
            with pytest.raises(library.TransportError):
                next(pieces)
        outcome.append(time.monotonic() - started_s)

    with WireServer(lambda _: Reply(HALF, finish="stall")) as server:
        client = library.Client(
            base_url=server.url, timeout=30.0, **http.client_options(library, watch, server.url)
        )
        reader = threading.Thread(target=read, args=(client,))
        reader.start()
        assert reading.wait(5)
        watch.shut()
        reader.join(5)
        client.close()
    assert watch.closed
    assert outcome
    assert outcome[0] < 5


@both_libraries
def test_a_deadline_ends_a_trickle(library: ModuleType) -> None:
    """Bytes that keep coming, each in time, do not stretch the whole."""
    watch = http.ConnectionWatch()
    trickle = tuple(Event(b".", at_s=0.02 * place) for place in range(200))
    with (
        WireServer(lambda _: Reply(trickle)) as server,
        open_client(library, watch, server.url) as client,
        client.stream("GET", "/") as response,
        http.Deadline(response, 0.1) as deadline,
    ):
        started_s = time.monotonic()
        with pytest.raises(library.TransportError):
            response.read()
        took_s = time.monotonic() - started_s
    watch.shut()
    assert deadline.over
    assert 0.05 < took_s < 3


@both_libraries
def test_a_cancelled_deadline_does_nothing(library: ModuleType) -> None:
    """A connection that serves again is not cut by an earlier answer's deadline."""
    watch = http.ConnectionWatch()
    slow = Reply((Event(b".", at_s=0.04),))
    with WireServer(lambda _: slow) as server, open_client(library, watch, server.url) as client:
        with client.stream("GET", "/") as response, http.Deadline(response, 0.03) as deadline:
            pass
        assert client.get("/").text == "."
    watch.shut()
    assert not deadline.over


@both_libraries
def test_draining_gives_the_connection_back(library: ModuleType) -> None:
    """What follows the end marker is read, and the connection serves again."""
    watch = http.ConnectionWatch()
    reply = Reply((Event(b"end marker"), Event(b"the rest", at_s=0.02)))
    with WireServer(lambda _: reply) as server, open_client(library, watch, server.url) as client:
        with client.stream("GET", "/") as response:
            pieces = response.iter_raw()
            next(pieces)
            http.drain(pieces, response)
        client.get("/")
    watch.shut()
    assert [asked.connection for asked in server.asked] == [0, 0]


@both_libraries
def test_draining_does_not_wait_for_ever(library: ModuleType) -> None:
    """A server that keeps a finished answer open loses the connection soon."""
    watch = http.ConnectionWatch()
    options = http.client_options(library, watch, "http://127.0.0.1")
    with (
        WireServer(lambda _: Reply(HALF, finish="stall")) as server,
        library.Client(base_url=server.url, timeout=30.0, **options) as client,
        client.stream("GET", "/") as response,
    ):
        pieces = response.iter_raw()
        next(pieces)
        started_s = time.monotonic()
        http.drain(pieces, response)
        took_s = time.monotonic() - started_s
    watch.shut()
    assert http.DRAIN_S * 0.9 <= took_s < 5


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({}, None),
        ({"retry-after": "2"}, 2.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "-3"}, 0.0),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"retry-after-ms": "soon", "retry-after": "9"}, 9.0),
        ({"retry-after": "Mon, 23 Nov 2026 06:00:30 GMT"}, 30.0),
        ({"retry-after": "Mon, 23 Nov 2026 05:00:00 GMT"}, 0.0),
        ({"retry-after": "later"}, None),
    ],
)
def test_retry_after(headers: dict[str, str], wait_s: float | None) -> None:
    """Seconds, milliseconds and dates are understood; the rest is as if unsaid."""
    now = datetime(2026, 11, 23, 6, 0, 0, tzinfo=UTC)
    assert http.retry_after_s(headers, now) == wait_s


@pytest.mark.parametrize(
    ("address", "local"),
    [
        ("http://127.0.0.1:11434", True),
        ("http://localhost:8000/v1", True),
        ("http://[::1]:8000", True),
        ("http://192.168.1.20:8000", True),
        ("http://10.0.0.3", True),
        ("http://0.0.0.0:8000", True),
        ("http://gpu-box:8000", True),
        ("http://gpu-box.local", True),
        ("https://api.anthropic.com", False),
        ("https://8.8.8.8", False),
        ("gpu-box:8000", True),
    ],
)
def test_local_addresses(address: str, local: bool) -> None:  # noqa: FBT001  # a table's column
    """The machine itself and private networks are local; no name server is asked."""
    assert http.is_local(address) is local
    assert http.kind_of(address) == ("local" if local else "cloud")


def test_shown_addresses_hold_no_password() -> None:
    """A URL's user name and password stay out of messages."""
    assert http.shown("https://ann:secret@host:8000/v1") == "https://host:8000/v1"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"error": {"type": "x", "message": "no such model"}}, "no such model"),
        ('{"error": "no such model"}', "no such model"),
        (b'{"detail": "gone"}', "gone"),
        ("<h1>Bad\r\n  Gateway</h1>", "<h1>Bad Gateway</h1>"),
        ({"code": 7}, '{"code": 7}'),
        (None, ""),
        ("x" * 300, "x" * 199 + "…"),
        ({"error": {"message": "bad key sk-123\x1b[31m"}}, "bad key *** [31m"),
    ],
)
def test_a_servers_words(body: object, words: str) -> None:
    """One printable line, cut, without the key."""
    assert http.said(body, secrets=["sk-123", ""]) == words


@pytest.mark.parametrize(
    ("status", "words", "kind"),
    [
        (400, "temperature is not allowed", "rejected"),
        (400, "prompt is too long: 210000 tokens > 200000 maximum", "context-overflow"),
        (500, "the request exceeds the available context size", "context-overflow"),
        (401, "", "setup"),
        (402, "", "setup"),
        (403, "", "model"),
        (404, "", "model"),
        (408, "", "overloaded"),
        (413, "", "context-overflow"),
        (418, "", "rejected"),
        (429, "", "rate-limited"),
        (500, "", "overloaded"),
        (529, "", "overloaded"),
    ],
)
def test_what_a_status_means(status: int, words: str, kind: str) -> None:
    """Each status is one kind of fault, and keeps its number."""
    fault = http.status_fault("some/model", status, words)
    assert (fault.kind, fault.status) == (kind, status)


def test_a_refusal_in_one_line() -> None:
    """What failed, the server's words, and how long to wait."""
    fault = http.status_fault("some/model", 429, "slow down", {"retry-after": "7"})
    assert str(fault) == "some/model: too many requests (429: slow down); it asks to wait 7 s"
    assert fault.retry_after_s == 7.0
    assert fault.retryable
