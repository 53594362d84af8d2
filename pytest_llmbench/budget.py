"""The cap on what a run may cost, kept by all of its processes together.

Before an answer is asked for, the most that it can cost is held back; when it is there, what it
did cost is written down instead. What is held and what is spent together never exceed the cap.

The account is one small file under a lock, because under xdist each endpoint's answers are asked
for by another worker. A split of the cap between the workers would need no file, but would leave
one endpoint without money while another has some left. The file only ever grows by whole lines,
so that a killed process spoils nothing.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path

from pytest_llmbench.generation.clock import Clock

NAP_S = 0.1

CENT_USD = 0.01


class CapReached(Exception):  # noqa: N818  # no error: the user wants it so
    """An answer that may not be asked for; its text is one line for a person."""


class Budget:
    """The cap and its account. `path` is the account's file, which `create` made."""

    def __init__(self, cap_usd: float, path: Path, clock: Clock) -> None:
        self.cap_usd = cap_usd
        self.path = path
        self.clock = clock

    @classmethod
    def create(cls, cap_usd: float, clock: Clock) -> Budget:
        """With an account of its own, in the folder for temporary files. Raises OSError."""
        descriptor, name = tempfile.mkstemp(prefix="pytest-llmbench-", suffix=".account")
        os.close(descriptor)
        return cls(cap_usd, Path(name), clock)

    def remove(self) -> None:
        """Delete the account."""
        self.path.unlink(missing_ok=True)

    def hold(self, usd: float, *, called_off: Callable[[], bool]) -> str:
        """Hold `usd` back; the name of the hold, for `settle`.

        When only what others hold stands in the way, wait until it is known what they spent.
        Raises CapReached; also when the wait is called off, and when the account was removed.
        """
        while True:
            with self._open() as file:
                if file is None:
                    raise CapReached("not asked: the run has ended")
                account = _Account.read(file)
                if account.spent_usd + account.held_usd + usd <= self.cap_usd:
                    name = f"{os.getpid()}-{secrets.token_hex(8)}"
                    _append(file, f"hold {name} {usd!r}\n")
                    return name
            if account.spent_usd + usd > self.cap_usd or called_off():
                raise CapReached(
                    f"not asked: the cap of {show_usd(self.cap_usd)} (llm_max_cost) would be "
                    f"passed: {show_usd(account.spent_usd)} spent, "
                    f"up to {show_usd(usd)} for this answer"
                )
            self.clock.sleep(NAP_S)

    def settle(self, name: str, usd: float | None) -> None:
        """Write down what was spent; None: not known, and all that was held counts as spent.

        After the account was removed, nothing: the run has ended.
        """
        with self._open() as file:
            if file is not None:
                spent_usd = _Account.read(file).holds[name] if usd is None else usd
                _append(file, f"settle {name} {spent_usd!r}\n")

    @contextmanager
    def _open(self) -> Iterator[TextIOWrapper | None]:
        """The account, locked; None when it was removed under a thread that outlives the run."""
        try:
            file = self.path.open("r+", encoding="ascii")
        except FileNotFoundError:
            yield None
            return
        with file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield file


def _append(file: TextIOWrapper, line: str) -> None:
    file.seek(0, os.SEEK_END)
    file.write(line)


class _Account:
    """What the lines of an account add up to."""

    def __init__(self) -> None:
        self.holds: dict[str, float] = {}
        """Name → USD that may yet be spent."""
        self.spent_usd = 0.0

    @classmethod
    def read(cls, file: TextIOWrapper) -> _Account:
        """Add all lines up."""
        account = cls()
        for line in file:
            verb, name, usd = line.split()
            if verb == "hold":
                account.holds[name] = float(usd)
            else:
                del account.holds[name]
                account.spent_usd += float(usd)
        account._bury_the_dead()
        return account

    @property
    def held_usd(self) -> float:
        return sum(self.holds.values())

    def _bury_the_dead(self) -> None:
        """Count what a process held that is gone as spent: it may well have been charged."""
        for name in list(self.holds):
            if not _is_alive(int(name.partition("-")[0])):
                self.spent_usd += self.holds.pop(name)


def show_usd(usd: float) -> str:
    """An amount as in `$0.43`; below a cent with as many digits as it takes."""
    return f"${usd:,.2f}" if usd >= CENT_USD or usd == 0 else f"${usd:.2g}"


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
