"""The ground that attacks are tried on: planted folders, secrets and processes, and their end.

Everything that an attack aims at is planted here and removed afterwards, so that an attack which
gets out of its box harms nothing else.
"""

from __future__ import annotations

import os
import secrets
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from pytest_llmbench.sandbox.protocol import MIB, Limits

ENVIRONMENT_KEY = "LLMBENCH_PLANTED_API_KEY"
_NAME = "llmbench-attack-"
_DECOY = """\
import ctypes, os, signal, sys
signal.signal(signal.SIGURG, lambda *_: os._exit(3))
secret = os.environ["LLMBENCH_PLANTED_API_KEY"].encode()
buffer = ctypes.create_string_buffer(secret)
file = open("secret")
print(ctypes.addressof(buffer), file.fileno(), flush=True)
for line in sys.stdin:
    print(buffer.value.decode(errors="backslashreplace"), flush=True)
"""


class NoPlaceError(Exception):
    """The user has, on this machine, no place to plant a witness in."""


@dataclass(frozen=True, slots=True)
class Ground:
    """Where the attacks of one round take place."""

    limits: Limits
    token: str
    """Stands in the command line of every process of the attacks, and of no other."""
    secret: str
    """What must not be seen: in the environment, in files, in other processes."""
    home: Path
    temp: Path
    other: Path
    """A folder of the machine that is neither HOME nor for temporary files of one run."""
    shared_memory: Path | None
    runtime: Path | None
    """Where sockets of services lie; None when this user may not write there."""
    readable: Path
    """Shown to the box, read-only."""
    fill_bytes: int
    """How much an attack writes to fill a place that has no limit of its own."""
    unconfined: bool
    """Whether the round is a positive control, in which attacks only get at planted places."""

    def new_folder(self, parent: Path | None) -> Path:
        """Make an empty folder. Raises NoPlaceError for None."""
        if parent is None:
            raise NoPlaceError("this user cannot plant a witness there")
        return Path(tempfile.mkdtemp(dir=parent))

    def plant_secret(self, parent: Path) -> Path:
        """Make a file that holds the secret, readable for all."""
        folder = self.new_folder(parent)
        folder.chmod(0o755)
        file = folder / "secret"
        file.write_text(self.secret, "utf-8")
        file.chmod(0o644)
        return file

    def survivors(self, patience_s: float = 0.0) -> list[int]:
        """Processes of the attacks that still run after `patience_s`."""
        deadline = time.monotonic() + patience_s
        while (running := list(self._running())) and time.monotonic() < deadline:
            select.select([], [], [], 0.02)
        return running

    def end_survivors(self) -> None:
        """Kill what the attacks left running."""
        while running := list(self._running()):
            for pid in running:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            select.select([], [], [], 0.02)

    def _running(self) -> Iterator[int]:
        token = self.token.encode()
        for folder in Path("/proc").iterdir():
            if not folder.name.isdecimal() or int(folder.name) == os.getpid():
                continue
            with suppress(OSError):
                if token in (folder / "cmdline").read_bytes():
                    yield int(folder.name)


@dataclass(frozen=True, slots=True)
class Decoy:
    """A process that has nothing to do with the attack, and should not notice it."""

    pid: int
    address: int
    """Where its memory holds the secret."""
    descriptor: int
    """Its open file, which holds the secret."""
    process: subprocess.Popen[str]

    def is_alive(self) -> bool:
        """Whether it still runs, and received no signal."""
        try:
            self.process.wait(0.05)
        except subprocess.TimeoutExpired:
            return True
        return False

    def memory(self) -> str | None:
        """What its memory holds now; None when it is gone."""
        stdin, stdout = self._pipes()
        try:
            stdin.write("\n")
            stdin.flush()
        except BrokenPipeError:
            return None
        return stdout.readline().strip() or None

    def _pipes(self) -> tuple[IO[str], IO[str]]:
        assert self.process.stdin is not None  # noqa: S101 - both were asked for
        assert self.process.stdout is not None  # noqa: S101
        return self.process.stdin, self.process.stdout


@contextmanager
def decoy(ground: Ground) -> Iterator[Decoy]:
    """Start a decoy: the secret lies in its environment, arguments, memory, folder and file."""
    folder = ground.plant_secret(ground.home).parent
    with subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", _DECOY, ground.secret],
        cwd=folder,
        env={ENVIRONMENT_KEY: ground.secret},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None  # noqa: S101 - it was asked for
        address, descriptor = process.stdout.readline().split()
        yield Decoy(process.pid, int(address), int(descriptor), process)
        process.kill()


@contextmanager
def prepare_ground(limits: Limits, *, unconfined: bool = False) -> Iterator[Ground]:
    """Plant what has to be there before the sandbox starts, and remove all of it at the end."""
    token = _NAME + secrets.token_hex(6)
    secret = secrets.token_hex(16)
    folders = _make_folders(_NAME + secrets.token_hex(6))
    descriptor = _inheritable_descriptor(folders["home"], secret)
    os.environ[ENVIRONMENT_KEY] = secret
    ground = Ground(
        limits=limits,
        token=token,
        secret=secret,
        home=folders["home"],
        temp=folders["temp"],
        other=folders["other"],
        shared_memory=folders.get("shared memory"),
        runtime=folders.get("runtime"),
        readable=folders["readable"],
        fill_bytes=2 * MIB if unconfined else 96 * MIB,
        unconfined=unconfined,
    )
    try:
        yield ground
    finally:
        del os.environ[ENVIRONMENT_KEY]
        os.close(descriptor)
        ground.end_survivors()
        for folder in folders.values():
            shutil.rmtree(folder, ignore_errors=True)


def _make_folders(prefix: str) -> dict[str, Path]:
    uid = os.getuid()
    runtime = os.environ.get("XDG_RUNTIME_DIR", "/run" if uid == 0 else f"/run/user/{uid}")
    lasting = Path("/var/tmp")  # noqa: S108 - in a fresh folder there
    wanted = {
        "home": Path.home() if os.access(Path.home(), os.W_OK) else lasting,
        "temp": Path(tempfile.gettempdir()),
        "other": lasting,
        "readable": lasting,
        "shared memory": Path("/dev/shm"),  # noqa: S108 - likewise
        "runtime": Path(runtime),
    }
    folders = {}
    for name, parent in wanted.items():
        if os.access(parent, os.W_OK):
            folder = parent / f"{prefix}-{name.replace(' ', '-')}"
            folder.mkdir(mode=0o755)
            folders[name] = folder
    return folders


def _inheritable_descriptor(folder: Path, secret: str) -> int:
    file = folder / "inherited"
    file.write_text(secret, "utf-8")
    descriptor = os.open(file, os.O_RDONLY)
    os.set_inheritable(descriptor, True)  # noqa: FBT003 - the function's own signature
    return descriptor
