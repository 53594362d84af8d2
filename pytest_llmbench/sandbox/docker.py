"""Docker, by name only: each box is one container, alive from its opening to its closing."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from pytest_llmbench.sandbox.box import ServedBox, encode_greeting
from pytest_llmbench.sandbox.environment import USER
from pytest_llmbench.sandbox.launching import INSIDE, server_command
from pytest_llmbench.sandbox.protocol import MIB, Box, Limits, SandboxError
from pytest_llmbench.sandbox.selftest import find_leak
from pytest_llmbench.sandbox.streaming import start_server

_WORK, _HOME, _TMP = "/work", f"/home/{USER}", "/tmp"  # noqa: S108 - the container's own
_SERVER_FOLDER = "/run/llmbench"
_PYTHON = "/usr/local/bin/python3"
_NOBODY = 65534
_SERVER_BYTES = 128 * MIB
"""Memory of a container beyond the program's: the server, its buffers and the files."""
_SERVER_PROCESSES = 4
_KILLING_S = 10.0


class Docker:
    """Containers without network, capabilities or a writable root, of an image with Python."""

    name = "docker"
    automatic = False
    restrictions: Sequence[str] = (
        "no network but the box's own loopback",
        "the image's libraries, not those of the environment in which pytest runs",
    )

    def __init__(self, program: str | None = None, image: str | None = None) -> None:
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        self._program = program or shutil.which("docker")
        self._image = image or f"python:{version}-slim"

    def find_obstacle(self) -> str | None:
        """See `Sandbox.find_obstacle`."""
        if self._program is None:
            return "there is no docker command; install Docker"
        try:
            return find_leak(self)
        except SandboxError as error:
            return (
                f"{error}; is the daemon running, and the image there (docker pull {self._image})?"
            )

    def open_box(self, limits: Limits, *, readable: Sequence[Path] = ()) -> Box:
        """See `Sandbox.open_box`."""
        if self._program is None:
            raise SandboxError("there is no docker command; install Docker")
        container = f"llmbench-{secrets.token_hex(8)}"
        command = self._command(container, limits, readable)
        channel = start_server(command, _client_environment(), lambda: self._remove(container))
        greeting = encode_greeting(
            (_WORK, _HOME, _TMP), limits, mounts=(_WORK, _HOME, _TMP), folder="", uid=0
        )
        interpreters = [str(Path(_PYTHON).parent)]
        return ServedBox(channel, limits, greeting=greeting, interpreters=interpreters)

    def python(self, *, libraries: bool = False) -> str:
        """See `Sandbox.python`. There is no other interpreter than the image's."""
        if libraries:
            raise SandboxError(
                "a docker box has the image's libraries only, not the environment's: "
                "choose another sandbox, or an image that holds them"
            )
        return _PYTHON

    def close(self) -> None:
        """See `Sandbox.close`. Nothing runs between boxes."""

    def _command(self, container: str, limits: Limits, readable: Sequence[Path]) -> list[str]:
        assert self._program is not None  # noqa: S101 - open_box has looked
        memory = str(limits.memory_bytes + 3 * limits.disk_bytes + _SERVER_BYTES)
        options = f"rw,exec,nosuid,nodev,mode=0700,uid={_NOBODY},gid={_NOBODY}"
        size = f"size={limits.disk_bytes},nr_inodes={limits.files + 5}"
        arguments = [self._program, "run", "--rm", "--interactive", "--name", container]
        arguments += ["--pull", "never", "--log-driver", "none"]
        arguments += ["--network", "none", "--read-only", "--cap-drop", "ALL"]
        arguments += ["--security-opt", "no-new-privileges", "--ipc", "private"]
        arguments += ["--user", f"{_NOBODY}:{_NOBODY}", "--workdir", _WORK]
        arguments += ["--pids-limit", str(limits.processes + _SERVER_PROCESSES)]
        arguments += ["--memory", memory, "--memory-swap", memory]
        for folder in (_WORK, _HOME, _TMP):
            arguments += ["--tmpfs", f"{folder}:{options},{size}"]
        shown = [(INSIDE, Path(_SERVER_FOLDER, INSIDE.name)), *((path, path) for path in readable)]
        for outside, inside in shown:
            arguments += ["--mount", f"type=bind,source={outside},target={inside},readonly"]
        serve = server_command(_PYTHON, _SERVER_FOLDER, "server:serve_streams 'namespace'")
        return [*arguments, "--entrypoint", serve[0], self._image, *serve[1:]]

    def _remove(self, container: str) -> None:
        """Remove a container that did not end by itself; no error when it is gone."""
        assert self._program is not None  # noqa: S101 - there was a container
        with suppress(OSError, subprocess.TimeoutExpired):
            subprocess.run(
                [self._program, "rm", "--force", container],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                env=_client_environment(),
                timeout=_KILLING_S,
                check=False,
            )


def _client_environment() -> dict[str, str]:
    """What the docker command needs to find its daemon, and nothing else of the user's."""
    return {
        name: value
        for name, value in os.environ.items()
        if name in {"PATH", "HOME", "XDG_RUNTIME_DIR"} or name.startswith("DOCKER_")
    }
