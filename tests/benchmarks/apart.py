"""Servers and readers in processes of their own, where nothing that this process does slows them.

All stamps are of `time.perf_counter`, which is one clock for all processes of a machine.
"""

from __future__ import annotations

import math
import multiprocessing
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from typing import TypeAlias
from urllib.parse import urlsplit

from wire import Asked, Event, Reply, WireServer

OpenServer: TypeAlias = Callable[..., WireServer]

TICK = b"tick\n"


class DistantServer:
    """A scripted server in another process."""

    def __init__(self, pipe: Connection, url: str) -> None:
        self._pipe = pipe
        self.url = url

    @property
    def asked(self) -> list[Asked]:
        """All requests so far, with the stamps of what was sent; see `WireServer.asked`."""
        self._pipe.send("asked")
        asked: list[Asked] = self._pipe.recv()
        return asked


@contextmanager
def serve_apart(open_server: OpenServer, *replies: Reply) -> Iterator[DistantServer]:
    """`open_server(*replies)`, served by a process of its own; gone afterwards."""
    processes = multiprocessing.get_context("spawn")
    here, there = processes.Pipe()
    process = processes.Process(target=_serve, args=(open_server, replies, there), daemon=True)
    process.start()
    there.close()
    try:
        yield DistantServer(here, here.recv())
    finally:
        here.close()
        process.join()


def _serve(open_server: OpenServer, replies: Sequence[Reply], pipe: Connection) -> None:
    with open_server(*replies) as server, suppress(EOFError):
        pipe.send(server.url)
        while pipe.recv():
            pipe.send(server.asked)


class Control:
    """What another process finds at the same time: how fast this machine wakes and serves it."""

    def __init__(self) -> None:
        self.lags_s: list[float] = []
        """From when each tick was sent until a bare reader of the socket had it."""
        self.slowdowns: list[float] = []
        """How much longer than its processor time a short computation took, each tick's."""

    @property
    def crowded(self) -> str | None:
        """Why times taken on this machine now say little; None when it was quiet."""
        slowdown = percentile(self.slowdowns, 0.9)
        if slowdown > CROWDED_SLOWDOWN:
            return (
                f"other processes want this machine: computing takes {slowdown:.1f} times as long"
            )
        lag_s = percentile(self.lags_s, 0.99)
        if lag_s > CROWDED_LAG_S:
            return f"this machine is slow to wake a process: {lag_s * 1000:.1f} ms"
        return None


CROWDED_SLOWDOWN = 1.2
CROWDED_LAG_S = 0.003
COMPUTE_S = 0.002


def percentile(values: Sequence[float], share: float) -> float:
    """The value that so large a share of all values does not exceed."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


@contextmanager
def control_run(seconds: float, every_s: float = 0.02) -> Iterator[Control]:
    """Let a process of its own read ticks for so long, and compute a little after each.

    The figures are there when the block is left; it waits for them.
    """
    ticks = tuple(Event(TICK, every_s * number) for number in range(int(seconds / every_s)))
    processes = multiprocessing.get_context("spawn")
    here, there = processes.Pipe()
    control = Control()
    with serve_apart(_open_plain_server, Reply(ticks)) as server:
        process = processes.Process(target=_read_ticks, args=(server.url, there), daemon=True)
        process.start()
        there.close()
        here.recv()
        try:
            yield control
        finally:
            read_s: list[float]
            read_s, control.slowdowns = here.recv()
            process.join()
        (asked,) = server.asked
        control.lags_s = [read - sent for sent, read in zip(asked.sent_s, read_s, strict=True)]


def _open_plain_server(reply: Reply) -> WireServer:
    return WireServer(lambda _: reply)


def _read_ticks(url: str, pipe: Connection) -> None:
    address = urlsplit(url)
    pipe.send("ready")
    read_s: list[float] = []
    slowdowns: list[float] = []
    with socket.create_connection((str(address.hostname), int(address.port or 0))) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\n\r\n")
        while piece := connection.recv(65536):
            now_s = time.perf_counter()
            read_s += [now_s] * piece.count(TICK)
            if piece.endswith(b"0\r\n\r\n"):
                break
            slowdowns.append(_compute() / COMPUTE_S)
    pipe.send((read_s, slowdowns))


def _compute() -> float:
    """Compute for COMPUTE_S of processor time; the seconds that it took."""
    started_s, used_s = time.perf_counter(), time.thread_time()
    while time.thread_time() - used_s < COMPUTE_S:
        pass
    return time.perf_counter() - started_s
