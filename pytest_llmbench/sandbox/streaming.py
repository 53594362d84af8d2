"""Starting a box's server as an ordinary child process, where no launcher is needed."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from pytest_llmbench.sandbox.box import Channel, ServedBox, encode_greeting
from pytest_llmbench.sandbox.environment import interpreter, interpreter_path
from pytest_llmbench.sandbox.inside import files
from pytest_llmbench.sandbox.launching import INSIDE, server_command
from pytest_llmbench.sandbox.protocol import Box, Limits, SandboxError

_ENDING_S = 10.0


def open_folder_box(
    wrap: Callable[[Path], Sequence[str]], limits: Limits, readable: Sequence[Path]
) -> Box:
    """Open a box that is a folder, and whose programs are told by their process group.

    `wrap` gives the command, for that folder, behind which the server's own is put.
    Raises SandboxError.
    """
    folder = Path(tempfile.mkdtemp(prefix="llmbench-")).resolve()
    work, home, tmp = (str(folder / name) for name in ("work", "home", "tmp"))
    for place in (work, home, tmp):
        Path(place).mkdir()
    server = server_command(
        interpreter(libraries=False), str(INSIDE.parent), "server:serve_streams 'group'"
    )
    command = [*wrap(folder), *server]
    channel = start_server(command, {}, lambda: files.remove_tree(str(folder)))
    greeting = encode_greeting((work, home, tmp), limits, mounts=(), folder=str(folder), uid=0)
    return ServedBox(channel, limits, greeting=greeting, interpreters=interpreter_path(readable))


def start_server(
    command: Sequence[str], environment: Mapping[str, str], clean_up: Callable[[], None]
) -> Channel:
    """Start a server; it ends when its channel closes, or when this process does.

    `clean_up` is called after its end. Raises SandboxError.
    """
    complaints, server_complaints = os.pipe()
    server_requests, requests = os.pipe()
    replies, server_replies = os.pipe()
    try:
        process = subprocess.Popen(
            command,
            stdin=server_requests,
            stdout=server_replies,
            stderr=server_complaints,
            env=environment,
            start_new_session=True,
        )
    except OSError as error:
        for fd in (requests, replies, complaints):
            os.close(fd)
        clean_up()
        raise SandboxError(f"cannot start {command[0]}: {error.strerror}") from error
    finally:
        for fd in (server_requests, server_replies, server_complaints):
            os.close(fd)

    def end() -> None:
        try:
            process.wait(_ENDING_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        clean_up()

    return Channel(requests, replies, complaints, end)
