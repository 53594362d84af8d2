"""Starting boxes through one launcher process, which is kept between boxes."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from pytest_llmbench.sandbox.box import Channel
from pytest_llmbench.sandbox.environment import base_interpreter
from pytest_llmbench.sandbox.inside import frames
from pytest_llmbench.sandbox.protocol import SandboxError

_LARGEST_REPLY = 1 << 16
_ENDING_S = 10.0
INSIDE = Path(__file__).parent / "inside"


def server_command(interpreter: str, folder: str, call: str) -> list[str]:
    """The command that imports the package `inside` from `folder` and calls into it."""
    module, _, function = call.partition(":")
    name, _, argument = function.partition(" ")
    path = f"import sys; sys.path.append({folder!r})"
    code = f"{path}; from inside import {module}; {module}.{name}({argument})"
    # The first server leaves compiled modules, which spare all later ones a third of their start.
    unwritten = ["-B"] if sys.dont_write_bytecode else []
    return [interpreter, "-I", "-S", *unwritten, "-c", code]


class LauncherClient:
    """One launcher process, started at the first box and ended by `close`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None

    def fork_box(self, plan: list[bytes]) -> Channel:
        """Have a server forked for a box that the launcher makes. Raises SandboxError."""
        return self._start([b"fork", *plan], [])

    def execute(self, argv: Sequence[str], extra: Sequence[int]) -> Channel:
        """Have a server started by a command, which finds `extra` descriptors from 3 on.

        Closes them here. Raises SandboxError.
        """
        return self._start([b"exec", *map(os.fsencode, argv)], extra)

    def close(self) -> None:
        """End the launcher and every box that it started."""
        with self._lock:
            if self._socket is not None:
                self._socket.close()
                self._socket = None
            if self._process is not None:
                self._process.wait(_ENDING_S)
                self._process = None

    def _start(self, message: list[bytes], extra: Sequence[int]) -> Channel:
        server_requests, requests = os.pipe()
        replies, server_replies = os.pipe()
        complaints, server_complaints = os.pipe()
        given = [server_requests, server_replies, server_complaints, *extra]
        try:
            started = self._ask(message, given)
        except SandboxError:
            for fd in (requests, replies, complaints):
                os.close(fd)
            raise
        finally:
            for fd in given:
                os.close(fd)
        pid = started[1]
        return Channel(requests, replies, complaints, lambda: self._end(pid))

    def _end(self, pid: bytes) -> None:
        if self._process is not None:
            self._ask([b"end", pid], [])

    def _ask(self, message: list[bytes], descriptors: list[int]) -> list[bytes]:
        with self._lock:
            connection = self._connect()
            try:
                socket.send_fds(connection, [frames.pack(message)], descriptors)
                reply = connection.recv(_LARGEST_REPLY)
            except OSError as error:
                raise SandboxError(f"the sandbox's launcher broke: {error}") from error
        if not reply:
            raise SandboxError("the sandbox's launcher ended")
        fields = frames.unpack(reply[4:])
        if fields[0] == b"failed":
            raise SandboxError(f"cannot open a box: {os.fsdecode(fields[1])}")
        return fields

    def _connect(self) -> socket.socket:
        if self._socket is None:
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            with theirs:
                self._process = subprocess.Popen(
                    server_command(str(base_interpreter()), str(INSIDE.parent), "launcher:main"),
                    stdin=theirs.fileno(),
                    stdout=subprocess.DEVNULL,
                    env={},
                    cwd="/",
                )
            self._socket = ours
        return self._socket
