"""What every provider over HTTP needs: watched connections, and faults told in one line.

The SDKs bring two HTTP libraries, httpx and its successor httpx2. Both are treated alike here,
and neither is imported: callers pass the module that their SDK uses.
"""

from __future__ import annotations

import ipaddress
import json
import re
import socket
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, Literal, Self
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from pytest_llmbench.generation.chunks import Connected
from pytest_llmbench.providers.protocol import FaultKind, Patience, ProviderError

KEEPALIVE_S = 300.0
"""How long an idle connection stays open: longer than checks take between two generations."""

CLOUD_CONCURRENCY = 4

MESSAGE_LIMIT = 200
"""The most characters of a server's own words that an error repeats."""

DRAIN_S = 0.25
"""How long a finished answer's connection may take to say that it is free again."""

_ALARMS = "llmbench.alarms"
"""The name under which a request carries the alarms of its watch."""

_OPENING = frozenset({"connect_tcp", "connect_unix_socket", "start_tls", "setup_socks5_connection"})

_KINDS: Mapping[int, FaultKind] = {
    401: "setup",
    402: "setup",
    403: "model",
    404: "model",
    408: "overloaded",
    413: "context-overflow",
    425: "rate-limited",
    429: "rate-limited",
    499: "overloaded",
}

# What each kind of refusal is, and what to do about it.
_REMEDIES: Mapping[FaultKind, tuple[str, str]] = {
    "setup": ("access was refused", "check the key and the account"),
    "model": ("the model is not served", "check its name, and what the account may use"),
    "rate-limited": ("too many requests", ""),
    "overloaded": ("the server failed or is overloaded", ""),
    "rejected": ("the request was refused", ""),
    "context-overflow": ("the prompt does not fit", "use a model with a larger context"),
    "broken": ("the stream ended with an error", ""),
}

# Some local servers report a prompt that does not fit as a fault of their own.
_MAY_SPEAK_OF_CONTEXT = frozenset({400, 422, 500})

_CONTEXT_WORDS = re.compile(
    r"context[ _](length|window|size|limit)|maximum context|prompt (is )?too long"
    r"|input (is )?too long|too many (input )?tokens|exceeds? the (model'?s |available )?context",
    re.IGNORECASE,
)


class ConnectionWatch:
    """Sees how each request reached its server, and can end all that are under way."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: weakref.WeakSet[Any] = weakref.WeakSet()
        self._of_thread = threading.local()
        self._closed = False
        self._alarms = _Alarms()

    @property
    def closed(self) -> bool:
        """Whether `shut` was called: a fault that follows is no fault of the server."""
        return self._closed

    def follow(self, request: Any) -> None:
        """Watch one request; made to be a client's event hook for requests."""
        opening = _Opening(self._keep)
        self._of_thread.opening = opening
        self._of_thread.response = None
        request.extensions |= {"trace": opening.note, _ALARMS: self._alarms}

    def connected(self) -> Connected:
        """How the latest request of the calling thread reached its server."""
        opening: _Opening | None = getattr(self._of_thread, "opening", None)
        return Connected(connect_s=None, reused=None) if opening is None else opening.outcome()

    def receive(self, response: Any) -> None:
        """Keep a response within reach; made to be a client's event hook for responses."""
        self._of_thread.response = response

    @property
    def response(self) -> Any:
        """The latest response of the calling thread, as soon as its headers are read, or None.

        For SDKs that do not hand it out.
        """
        return getattr(self._of_thread, "response", None)

    def shut(self) -> None:
        """End every request under way: whoever waits for its next byte gets an error at once."""
        with self._lock:
            self._closed = True
            streams = list(self._open)
        for stream in streams:
            _shut_socket(stream)
        self._alarms.stop()

    def _keep(self, stream: Any) -> None:
        with self._lock:
            self._open.add(stream)
            closed = self._closed
        if closed:
            _shut_socket(stream)


class _Opening:
    """What the trace of one request says of its connection."""

    def __init__(self, keep: Callable[[Any], None]) -> None:
        self._keep = keep
        self._began_s: float | None = None
        self._started_s: float | None = None
        self._opened_s: float | None = None

    def note(self, event: str, info: Mapping[str, Any]) -> None:
        if self._began_s is None:
            self._began_s = time.perf_counter()
        step, _, stage = event.partition(".")[2].rpartition(".")
        if step not in _OPENING:
            return
        if stage == "started":
            if self._started_s is None:
                self._started_s = time.perf_counter()
        elif stage == "complete":
            self._opened_s = time.perf_counter()
            if info.get("return_value") is not None:
                self._keep(info["return_value"])

    def outcome(self) -> Connected:
        since_s = None if self._began_s is None else time.perf_counter() - self._began_s
        if self._started_s is None:
            return Connected(None, reused=True, since_s=since_s)
        if self._opened_s is None:
            return Connected(None, reused=False, since_s=since_s)
        return Connected(self._opened_s - self._started_s, reused=False, since_s=since_s)


def _shut_socket(stream: Any) -> None:
    # Closing would not wake a thread that waits in recv; shutting down does.
    sock = stream.get_extra_info("socket")
    if sock is not None:
        with suppress(OSError):
            socket.socket.shutdown(sock, socket.SHUT_RDWR)


class Deadline:
    """Ends one response when its time is over, however its bytes trickle in.

    A context manager; the reading thread sees the connection end. The response's client is
    followed by a `ConnectionWatch`.
    """

    def __init__(self, response: Any, seconds: float) -> None:
        self.over = False
        """Whether the response was ended."""
        self.end_s = time.monotonic() + seconds
        """When it ends, on `time.monotonic`."""
        self._stream = response.extensions.get("network_stream")
        self._alarms: _Alarms = response.request.extensions[_ALARMS]

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *exc_info: object) -> None:
        self.cancel()

    def start(self) -> Self:
        """Let the time run."""
        self._alarms.add(self)
        return self

    def cancel(self) -> None:
        """Let the response be."""
        self._alarms.drop(self)

    def ring(self) -> None:
        """End the response."""
        self.over = True
        if self._stream is not None:
            _shut_socket(self._stream)


class _Alarms:
    """One thread that ends responses when their time is over.

    It is started before any clock is: a timer for each response would start a thread in the
    middle of the measured time, which takes milliseconds when others compute.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._set: list[Deadline] = []
        self._stopped = False
        threading.Thread(target=self._run, name="llmbench-deadlines", daemon=True).start()

    def add(self, deadline: Deadline) -> None:
        with self._changed:
            if all(deadline.end_s < each.end_s for each in self._set):
                self._changed.notify()
            self._set.append(deadline)

    def drop(self, deadline: Deadline) -> None:
        with self._changed:
            if deadline in self._set:
                self._set.remove(deadline)

    def stop(self) -> None:
        with self._changed:
            self._stopped = True
            self._changed.notify()

    def _run(self) -> None:
        with self._changed:
            while not self._stopped:
                now_s = time.monotonic()
                for deadline in [each for each in self._set if each.end_s <= now_s]:
                    self._set.remove(deadline)
                    deadline.ring()
                ends_s = [each.end_s for each in self._set]
                self._changed.wait(min(ends_s) - now_s if ends_s else None)


def drain(pieces: Iterable[object], response: Any) -> None:
    """Read what is left of a finished answer, so that its connection can serve again."""
    with Deadline(response, DRAIN_S), suppress(Exception):
        for _ in pieces:
            pass


def client_options(httpx: Any, watch: ConnectionWatch, address: str) -> dict[str, Any]:
    """Keyword arguments for an HTTP client of the module `httpx` (or `httpx2`).

    A server on this machine or network is never asked through a proxy.
    """
    options: dict[str, Any] = {
        "limits": httpx.Limits(
            max_connections=1000, max_keepalive_connections=100, keepalive_expiry=KEEPALIVE_S
        ),
        "event_hooks": {"request": [watch.follow], "response": [watch.receive]},
    }
    if is_local(address):
        # The SDKs' own clients read the proxy variables themselves; only mounts overrule them.
        options |= {
            "trust_env": False,
            "mounts": {"http://": None, "https://": None, "all://": None},
        }
    return options


PLAIN_HEADERS: Mapping[str, str] = {"Accept-Encoding": "identity"}
"""A compressed stream may hold pieces back until a block is full."""


def timeouts(httpx: Any, patience: Patience) -> Any:
    """The `Timeout` of the module `httpx` (or `httpx2`) that `patience` asks for."""
    wait_s = min(patience.stall_s, patience.total_s)
    return httpx.Timeout(connect=patience.connect_s, read=wait_s, write=wait_s, pool=wait_s)


def is_local(address: str) -> bool:
    """Whether a base URL names this machine or a private network. Asks no name server."""
    host = urlsplit(address if "//" in address else f"//{address}").hostname or ""
    try:
        ip = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return "." not in host or host.endswith((".localhost", ".local", ".internal", ".lan"))
    return ip.is_loopback or ip.is_private or ip.is_link_local or ip.is_unspecified


def kind_of(address: str) -> Literal["local", "cloud"]:
    """What kind of endpoint a base URL is."""
    return "local" if is_local(address) else "cloud"


def usual_concurrency(address: str) -> int:
    """How many requests a server is asked at once; one where they would slow each other down."""
    return 1 if is_local(address) else CLOUD_CONCURRENCY


def uses_proxy(address: str) -> bool:
    """Whether requests to a base URL go through a proxy that the environment names."""
    url = urlsplit(address)
    return (
        not is_local(address)
        and bool({url.scheme, "all"} & getproxies().keys())
        and not proxy_bypass(url.hostname or "")
    )


def shown(address: str) -> str:
    """A base URL without a user name and password."""
    url = urlsplit(address)
    return url._replace(netloc=url.netloc.rpartition("@")[2]).geturl()


def retry_after_s(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """How long the server asks to wait; None when it does not say, or not in a form we know.

    `headers` must ignore case, as those of httpx do, or be in lower case.
    """
    for name, per_second in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        value = headers.get(name)
        if value is None:
            continue
        with suppress(ValueError):
            return max(0.0, float(value) / per_second)
        if per_second == 1.0:
            return _seconds_until(value, now or datetime.now(UTC))
    return None


def _seconds_until(date: str, now: datetime) -> float | None:
    try:
        moment = parsedate_to_datetime(date)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - now).total_seconds())


def fault_kind(status: int, message: str = "") -> FaultKind:
    """What an HTTP status means for a generation; `message` is the server's own text."""
    if status in _MAY_SPEAK_OF_CONTEXT and _CONTEXT_WORDS.search(message):
        return "context-overflow"
    return _KINDS.get(
        status, "overloaded" if status >= HTTPStatus.INTERNAL_SERVER_ERROR else "rejected"
    )


def status_fault(
    server: str,
    status: int,
    words: str,
    headers: Mapping[str, str] | None = None,
    *,
    kind: FaultKind | None = None,
    remedy: str | None = None,
) -> ProviderError:
    """The fault that an HTTP status reports.

    `server` begins the message; `words` are the server's own, as `said` gives them; `kind` and
    `remedy` overrule what is usual for the status.
    """
    kind = kind or fault_kind(status, words)
    what, usual_remedy = _REMEDIES[kind]
    wait_s = retry_after_s(headers or {})
    if wait_s is not None:
        usual_remedy = f"it asks to wait {wait_s:g} s"
    remedy = remedy or usual_remedy
    message = f"{server}: {what} ({status}{f': {words}' if words else ''})"
    return ProviderError(
        f"{message}; {remedy}" if remedy else message,
        kind=kind,
        status=status,
        retry_after_s=wait_s,
    )


def said(body: object, secrets: Iterable[str] = ()) -> str:
    """The server's own words in an error's body: one line, cut, with every secret taken out."""
    return one_line(_message_in(body), secrets)


def _message_in(body: object) -> str:
    if isinstance(body, bytes):
        body = body.decode("utf-8", "replace")
    if isinstance(body, str):
        with suppress(ValueError):
            parsed = json.loads(body)
            if isinstance(parsed, dict):
                return _message_in(parsed)
        return body
    if isinstance(body, Mapping):
        for key in ("error", "message", "detail"):
            if body.get(key):
                return _message_in(body[key])
    return "" if body is None else json.dumps(body, default=str)


def one_line(text: str, secrets: Iterable[str] = ()) -> str:
    """`text` on one line of at most `MESSAGE_LIMIT` characters, with every secret taken out."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, "***")
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= MESSAGE_LIMIT else line[: MESSAGE_LIMIT - 1].rstrip() + "…"


def transport_fault(
    error: BaseException, server: str, address: str, patience: Patience
) -> ProviderError | None:
    """The fault behind an HTTP library's or an SDK's error; None when it is no transport fault.

    `server` begins the message: the name under which a person knows what was asked.
    """
    address = shown(address)
    for cause in _causes(error):
        for name in (each.__name__ for each in type(cause).__mro__):
            if name in ("ConnectError", "ConnectTimeout", "ProxyError", "ConnectionRefusedError"):
                why = one_line(str(cause)) or f"no connection within {patience.connect_s:g} s"
                return ProviderError(f"{server}: no answer at {address}: {why}", kind="unreachable")
            if name in ("ReadTimeout", "WriteTimeout", "PoolTimeout"):
                wait_s = min(patience.stall_s, patience.total_s)
                return ProviderError(
                    f"{server}: {address} sent nothing for {wait_s:g} s", kind="stalled"
                )
            if name in ("UnsupportedProtocol", "InvalidURL"):
                return ProviderError(f"{server}: {address} is no usable URL", kind="setup")
            if name == "LocalProtocolError":
                # Its text may quote a header, and so a key.
                return ProviderError(
                    f"{server}: the request is no valid HTTP; is there a line break in the key?",
                    kind="setup",
                )
            if name in ("NetworkError", "ProtocolError", "DecodingError", "ConnectionError"):
                why = one_line(str(cause)) or type(cause).__name__
                return ProviderError(
                    f"{server}: the connection to {address} tore: {why}", kind="broken"
                )
    return None


def total_fault(server: str, patience: Patience) -> ProviderError:
    """The fault of an answer that a `Deadline` ended."""
    return ProviderError(
        f"{server}: the answer was not complete after {patience.total_s:g} s (--llm-timeout)",
        kind="timeout",
    )


def closed_fault(server: str) -> ProviderError:
    """The fault of an answer whose session was closed meanwhile."""
    return ProviderError(
        f"{server}: closed while an answer was under way", kind="broken", retryable=False
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        cause = cause.__cause__ or cause.__context__
