"""Attacks over sockets."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any

from pytest_llmbench.testing.attacks.attack import Attack, Outcome, Planted
from pytest_llmbench.testing.attacks.ground import Ground

_SOMEWHERE = ("192.0.2.1", 9)
"""An address for documentation; only the route to it is asked for."""


def _outside_address() -> str:
    """The machine's address for others; loopback's when it has no network."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe, suppress(OSError):
        probe.connect(_SOMEWHERE)
        address: str = probe.getsockname()[0]
        return address
    return "127.0.0.1"


def _listening(
    kind: int, family: int, bind_to: Callable[[Ground], Any]
) -> Callable[[Ground], AbstractContextManager[Planted]]:
    """Plant a listener that nobody may reach."""

    @contextmanager
    def plant(ground: Ground) -> Iterator[Planted]:
        with socket.socket(family, kind) as listener:
            listener.bind(bind_to(ground))
            if kind == socket.SOCK_STREAM:
                listener.listen()
            listener.settimeout(0)
            if family == socket.AF_UNIX and not isinstance(listener.getsockname(), bytes):
                Path(listener.getsockname()).chmod(0o777)

            def find_harm(_: Outcome) -> str | None:
                try:
                    if kind == socket.SOCK_STREAM:
                        listener.accept()[0].close()
                    else:
                        listener.recv(64)
                except BlockingIOError:
                    return None
                return "it reached the listener"

            name = listener.getsockname()
            address = name.decode() if isinstance(name, bytes) else name
            yield Planted(find_harm, {"address": address})

    return plant


def _loopback(_: Ground) -> tuple[str, int]:
    return "127.0.0.1", 0


def _outside(_: Ground) -> tuple[str, int]:
    return _outside_address(), 0


def _abstract(ground: Ground) -> bytes:
    return b"\0" + ground.token.encode()


def _path_in(choose: Callable[[Ground], Path | None]) -> Callable[[Ground], str]:
    def bind_to(ground: Ground) -> str:
        folder = ground.new_folder(choose(ground))
        folder.chmod(0o755)
        return str(folder / "s")

    return bind_to


_STREAM = """
import socket
def connect():
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as link:
        link.settimeout(0.3)
        link.connect(tuple(settings["address"]))
        return True
attempt("connect", connect)
"""
_DATAGRAM = """
import socket
def send():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
        return link.sendto(b"hello", tuple(settings["address"]))
attempt("send", send)
"""
_UNIX = """
import socket
def connect():
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as link:
        link.settimeout(0.3)
        link.connect(settings["address"])
        return True
attempt("connect", connect)
"""
_UNIX_STREAM = (socket.SOCK_STREAM, socket.AF_UNIX)

NETWORK_ATTACKS = (
    Attack(
        "net_tcp_loopback",
        _STREAM,
        _listening(socket.SOCK_STREAM, socket.AF_INET, _loopback),
    ),
    Attack(
        "net_udp_loopback",
        _DATAGRAM,
        _listening(socket.SOCK_DGRAM, socket.AF_INET, _loopback),
    ),
    Attack("net_outside", _STREAM, _listening(socket.SOCK_STREAM, socket.AF_INET, _outside)),
    Attack("unix_abstract", _UNIX, _listening(*_UNIX_STREAM, _abstract)),
    Attack("unix_path_home", _UNIX, _listening(*_UNIX_STREAM, _path_in(lambda g: g.home))),
    Attack("unix_path_tmp", _UNIX, _listening(*_UNIX_STREAM, _path_in(lambda g: g.temp))),
    Attack("unix_path_run", _UNIX, _listening(*_UNIX_STREAM, _path_in(lambda g: g.runtime))),
    Attack("unix_path_other", _UNIX, _listening(*_UNIX_STREAM, _path_in(lambda g: g.other))),
)
