"""A scripted HTTP/1.1 server on loopback that controls each byte and notes when it sent it."""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Literal, Self, TypeAlias

Finish: TypeAlias = Literal["end", "hang up", "reset", "stall"]
"""How a reply ends: `end` closes the body as HTTP wants and keeps the connection; `hang up`
closes the connection in mid-body; `reset` resets it; `stall` sends nothing more.
"""


@dataclass(frozen=True, slots=True)
class Event:
    """Bytes to send in one piece, `at_s` seconds after the request was read."""

    data: bytes
    at_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Reply:
    """What the server answers one request with."""

    events: tuple[Event, ...] = ()
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    finish: Finish = "end"


@dataclass(slots=True)
class Asked:
    """One request that the server got, and when it sent each event of its reply."""

    method: str
    path: str
    headers: Mapping[str, str]
    """Names in lower case."""
    body: Any
    """The JSON that was sent; None for an empty body."""
    connection: int
    """Which of the server's connections brought it, counted from 0."""
    read_s: float
    """When it was read, on `time.perf_counter`."""
    sent_s: list[float] = field(default_factory=list)
    """When each event was sent, on the same clock."""


def json_reply(
    value: object, status: int = 200, headers: Mapping[str, str] | None = None, at_s: float = 0.0
) -> Reply:
    """A reply of one JSON value."""
    return Reply(
        events=(Event(json.dumps(value).encode(), at_s),),
        status=status,
        headers={"content-type": "application/json", **(headers or {})},
    )


def bundle(events: Iterable[Event], size: int) -> tuple[Event, ...]:
    """The same bytes in fewer pieces: each `size` events leave together, with the last of them."""
    events = tuple(events)
    groups = [events[start : start + size] for start in range(0, len(events), size)]
    return tuple(Event(b"".join(each.data for each in group), group[-1].at_s) for group in groups)


class WireServer:
    """Answers each request with what `choose` says; a context manager."""

    def __init__(self, choose: Callable[[Asked], Reply]) -> None:
        self.asked: list[Asked] = []
        """All requests, in the order in which they were read."""
        self._choose = choose
        self._closing = threading.Event()
        self._lock = threading.Lock()
        self._connections: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._closing.set()
        with self._lock:
            for each in (self._listener, *self._connections):
                with suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
                each.close()

    def of_path(self, path: str) -> list[Asked]:
        """The requests to one path."""
        return [each for each in self.asked if each.path == path]

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                with self._lock:
                    number = len(self._connections)
                    self._connections.append(connection)
                threading.Thread(target=self._serve, args=(connection, number), daemon=True).start()

    def _serve(self, connection: socket.socket, number: int) -> None:
        with suppress(OSError), connection, connection.makefile("rb") as lines:
            while asked := _read_request(lines, number):
                with self._lock:
                    self.asked.append(asked)
                if not self._answer(connection, asked, self._choose(asked)):
                    return

    def _answer(self, connection: socket.socket, asked: Asked, reply: Reply) -> bool:
        """Send the reply; whether the connection can serve again."""
        first = reply.events[0].at_s if reply.events else 0.0
        self._wait_until(asked.read_s + first)
        connection.sendall(_head(reply))
        for event in reply.events:
            self._wait_until(asked.read_s + event.at_s)
            asked.sent_s.append(time.perf_counter())
            connection.sendall(b"%x\r\n%s\r\n" % (len(event.data), event.data))
        if reply.finish == "end":
            connection.sendall(b"0\r\n\r\n")
            return True
        if reply.finish == "stall":
            self._closing.wait()
        if reply.finish == "reset":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        else:
            connection.shutdown(socket.SHUT_RDWR)
        return False

    def _wait_until(self, moment_s: float) -> None:
        wait_s = moment_s - time.perf_counter()
        if wait_s > 0:
            self._closing.wait(wait_s)


def _read_request(lines: BinaryIO, number: int) -> Asked | None:
    first = lines.readline().decode("ascii").split()
    if not first:
        return None
    headers = {}
    while line := lines.readline().decode("latin-1").strip():
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    body = lines.read(int(headers.get("content-length", "0")))
    return Asked(
        method=first[0],
        path=first[1].partition("?")[0],
        headers=headers,
        body=json.loads(body) if body else None,
        connection=number,
        read_s=time.perf_counter(),
    )


def _head(reply: Reply) -> bytes:
    lines = [f"HTTP/1.1 {reply.status} Scripted", "transfer-encoding: chunked"]
    lines += [f"{name}: {value}" for name, value in reply.headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
