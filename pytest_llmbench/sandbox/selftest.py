"""The proof of a sandbox on this machine: a hostile program and an honest one, by their effects."""

from __future__ import annotations

import secrets
import select
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pytest_llmbench.sandbox.protocol import Box, Limits, ProgramResult, Sandbox

_LIMITS = Limits(time_s=20.0)
_DECOY_S = "60"
_HONEST_CODE = 3

_HONEST = """
import pathlib, sqlite3, sys
for folder in (pathlib.Path.cwd(), pathlib.Path.home()):
    with sqlite3.connect(folder / "notes.db") as database:
        database.execute("create table if not exists note (text)")
        database.execute("insert into note values ('kept')")
        rows = database.execute("select count(*) from note").fetchone()[0]
if rows == 1:
    import subprocess, tempfile
    tempfile.TemporaryFile().close()
    show = [sys.executable, "-c", "print('child')"]
    print(subprocess.run(show, capture_output=True, text=True).stdout.strip(), end=" ")
print(rows, sys.stdin.read(), "\u00e9")
sys.exit(int(sys.argv[1]))
"""

_HOSTILE = """
import os, signal, socket, sys
secret, folder, decoy, port, path, abstract, done = sys.argv[1:]

def read(name):
    with open(name, "rb") as file:
        print(file.read().replace(b"\\0", b"\\n").decode(errors="replace"))

def write():
    with open(os.path.join(folder, "written"), "w") as file:
        file.write("by the program")

def connect(family, address):
    with socket.socket(family) as client:
        client.settimeout(1)
        client.connect(address)

for attack in (
    lambda: read(secret),
    lambda: read(f"/proc/{decoy}/environ"),
    lambda: os.unlink(secret),
    write,
    lambda: connect(socket.AF_INET, ("127.0.0.1", int(port))),
    lambda: connect(socket.AF_UNIX, path),
    lambda: connect(socket.AF_UNIX, "\\0" + abstract),
    lambda: os.kill(int(decoy), signal.SIGKILL),
):
    try:
        attack()
    except Exception as error:
        print(type(error).__name__)
print(done)
"""


def find_leak(sandbox: Sandbox) -> str | None:
    """What a program could do in a box that it must not, or could not that it must; one line.

    None when there was nothing. Raises SandboxError where no box opens.
    """
    box = sandbox.open_box(_LIMITS)
    try:
        return find_hindrance(sandbox, box) or _find_escape(sandbox, box)
    finally:
        box.close()


def find_hindrance(sandbox: Sandbox, box: Box) -> str | None:
    """What keeps an honest program from running twice in a box; None for nothing."""
    box.write_files({"honest.py": _HONEST.encode()})
    for expected in ("child 1 input \u00e9", "2 input \u00e9"):
        command = [sandbox.python(), "honest.py", str(_HONEST_CODE)]
        result = box.run(command, stdin=b"input")
        if result.returncode != _HONEST_CODE or result.stdout.strip() != expected:
            return f"an honest program does not run in it: {_describe(result)}"
    return None


def _find_escape(sandbox: Sandbox, box: Box) -> str | None:
    done = secrets.token_hex(8)
    with _bait() as bait:
        box.write_files({"hostile.py": _HOSTILE.encode()})
        command = [sandbox.python(), "-I", "-S", "hostile.py", *bait.arguments, done]
        result = box.run(command)
        if done not in result.stdout:
            return f"the hostile self-test did not come to its end: {_describe(result)}"
        taken = bait.taken(result.stdout)
    return f"a hostile program {taken}" if taken else None


@dataclass(frozen=True, slots=True)
class _Bait:
    """Things outside of the box that a hostile program would touch."""

    folder: Path
    secret: Path
    key: str
    decoy: subprocess.Popen[bytes]
    listeners: dict[str, socket.socket]
    abstract: str

    @property
    def arguments(self) -> list[str]:
        port = self.listeners["TCP"].getsockname()[1]
        path = self.folder / "socket"
        return [
            str(self.secret),
            str(self.folder),
            str(self.decoy.pid),
            str(port),
            str(path),
            self.abstract,
        ]

    def taken(self, output: str) -> str | None:
        """What the program did; None when it did nothing."""
        if self.key in output:
            return "read a file or the environment of a process outside of its box"
        if not self.secret.exists() or (self.folder / "written").exists():
            return "changed files outside of its box"
        if self.decoy.poll() is not None:
            return "killed a process outside of its box"
        ready = select.select(list(self.listeners.values()), [], [], 0)[0]
        reached = [kind for kind, listener in self.listeners.items() if listener in ready]
        return f"reached a {reached[0]} socket outside of its box" if reached else None


@contextmanager
def _bait() -> Iterator[_Bait]:
    key = secrets.token_hex(16)
    folder = Path(tempfile.mkdtemp(prefix="llmbench-bait-"))
    folder.chmod(0o777)
    secret = folder / "secret"
    secret.write_text(key)
    secret.chmod(0o644)
    decoy = subprocess.Popen(["/bin/sleep", _DECOY_S], env={"KEY": key})
    abstract = f"llmbench-{key[:8]}"
    listeners = {"TCP": socket.create_server(("127.0.0.1", 0))}
    try:
        listeners["Unix"] = _listen(str(folder / "socket"))
        if sys.platform.startswith("linux"):
            listeners["abstract Unix"] = _listen("\0" + abstract)
        (folder / "socket").chmod(0o777)
        yield _Bait(folder, secret, key, decoy, listeners, abstract)
    finally:
        for listener in listeners.values():
            listener.close()
        decoy.kill()
        decoy.wait()
        shutil.rmtree(folder)


def _listen(address: str) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(address)
    listener.listen()
    return listener


def _describe(result: ProgramResult) -> str:
    lines = (result.stderr or result.stdout).strip().splitlines()
    ending = (
        f"stopped by its limit of {result.limit}"
        if result.limit
        else f"exit code {result.returncode}"
    )
    return f"{ending}, {lines[-1][:200] if lines else 'no output'}"
