"""What an attack is: a hostile program, and the witness on the host that tells what it did."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

from pytest_llmbench.sandbox.protocol import ProgramResult
from pytest_llmbench.testing.attacks.ground import Ground

PREAMBLE = """\
import errno, json, os, signal, sys, time
settings = json.loads(sys.argv[1])
def tell(**facts):
    os.write(1, (json.dumps(facts) + "\\n").encode())
def attempt(what, step):
    try:
        tell(tried=what, value=step())
    except MemoryError:
        tell(tried=what, error="MemoryError")
    except OSError as error:
        tell(tried=what, error=errno.errorcode.get(error.errno, str(error.errno)))
def call(name, *arguments):
    import ctypes
    libc = ctypes.CDLL(None, use_errno=True)
    value = getattr(libc, name)(*arguments)
    if value == -1:
        raise OSError(ctypes.get_errno(), name)
    return value
def read(path):
    with open(path, "rb") as file:
        return file.read(4096).decode(errors="backslashreplace")
tell(started=settings["token"])
"""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One run of an attack, as the host sees it."""

    run: ProgramResult
    told: Sequence[Mapping[str, Any]]
    """The facts that the program wrote, one a line."""
    read: Callable[[str], bytes | None]
    """Reads a file of the workspace as the host's owner of the box would; None: refused."""

    def value(self, what: str) -> Any:
        """What the last successful attempt of that name gave; None when none succeeded."""
        values = [
            fact["value"] for fact in self.told if fact.get("tried") == what and "value" in fact
        ]
        return values[-1] if values else None


@dataclass(frozen=True, slots=True)
class Planted:
    """A witness in place."""

    find_harm: Callable[[Outcome], str | None]
    """Looks at the witness after the run: what the attack achieved, in words, or None."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """What the program is told, besides the token by which the host knows its processes."""


@dataclass(frozen=True, slots=True)
class Attack:
    """One hostile program."""

    name: str
    program: str
    plant: Callable[[Ground], AbstractContextManager[Planted]]
    timeout_s: float = 5.0
    outlives_limits: bool = False
    """Never ends by itself; without a sandbox it is stopped when the witness has been read."""
    fills_box: bool = False
    """Leaves files behind, so that it wants a box of its own."""

    def source(self) -> str:
        """The whole program, to be run with the settings as its argument."""
        return PREAMBLE + self.program


class AttackDidNotRunError(Exception):
    """The program did not come as far as its first attempt, so nothing was shown."""


def settings_of(planted: Planted, ground: Ground) -> str:
    """The program's argument."""
    return json.dumps({"token": ground.token, **planted.settings})


def read_outcome(
    run: ProgramResult, ground: Ground, read: Callable[[str], bytes | None]
) -> Outcome:
    """Parse what the program told. Raises AttackDidNotRunError when it did not start."""
    told = []
    for line in run.stdout.splitlines():
        try:
            fact = json.loads(line)
        except ValueError:  # a flood, or a line that the output limit cut
            continue
        if isinstance(fact, dict):
            told.append(fact)
    if not any(fact.get("started") == ground.token for fact in told):
        raise AttackDidNotRunError(f"{run.returncode=} {run.limit=}: {run.stderr[-1000:]}")
    if not any("tried" in fact for fact in told):
        raise AttackDidNotRunError(f"it tried nothing, {run.returncode=}: {run.stderr[-1000:]}")
    return Outcome(run, told, read)
