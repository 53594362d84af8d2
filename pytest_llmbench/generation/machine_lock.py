"""A lock that all runs on one machine share, so that two never time the same local server."""

from __future__ import annotations

import fcntl
import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pytest_llmbench.generation.clock import Clock

NAP_S = 0.2


def lock_path(address: str) -> Path:
    """The lock file of an endpoint; the same for every run of this user on this machine."""
    folder = os.environ.get("XDG_RUNTIME_DIR", "")
    if not os.access(folder, os.W_OK | os.X_OK):  # as under sudo, or in a container
        folder = tempfile.gettempdir()
    name = hashlib.sha256(address.encode()).hexdigest()[:16]
    return Path(folder) / f"pytest-llmbench-{os.getuid()}-{name}.lock"


@contextmanager
def hold_machine_lock(
    address: str, clock: Clock, *, called_off: Callable[[], bool]
) -> Iterator[bool]:
    """Hold the endpoint's lock; yields False when the wait for it was called off.

    The kernel lets go of it when the process ends, however it ends.
    """
    descriptor = os.open(lock_path(address), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        yield _acquire(descriptor, clock, called_off)
    finally:
        os.close(descriptor)


def _acquire(descriptor: int, clock: Clock, called_off: Callable[[], bool]) -> bool:
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if called_off():
                return False
            clock.sleep(NAP_S)
        else:
            return True
