"""The processes of a box: found, weighed, ended to the last one."""

# No pathlib and no contextlib in here: importing them would lengthen the start of every box.
# ruff: noqa: PTH116, PTH208, SIM105

from __future__ import annotations

import os
import signal
import time

_KIB = 1024
_REAPING_S = 5.0


class Namespace:
    """The server is the first process of a PID namespace: all others are the program's."""

    def pids(self) -> list[int]:
        """Every process of the box."""
        return [int(name) for name in os.listdir("/proc") if name.isdigit() and name != "1"]

    def kill(self) -> None:
        """Send SIGKILL to every process of the box at one instant."""
        try:
            os.kill(-1, signal.SIGKILL)
        except ProcessLookupError:
            pass


class Descendants:
    """The server adopts all orphans beneath it: its descendants are the program's processes."""

    def pids(self) -> list[int]:
        """Every process of the box that could be seen in one walk from parent to child."""
        found: list[int] = []
        waiting = [os.getpid()]
        while waiting:
            below = children(waiting.pop())
            found += below
            waiting += below
        return found

    def kill(self) -> None:
        """Send SIGKILL to every process found; call again until none is left."""
        for pid in self.pids():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue


class Group:
    """Where orphans cannot be adopted: the process group that the program began in."""

    def __init__(self) -> None:
        self.leader = 0

    def pids(self) -> list[int]:
        """Nothing is known of single processes."""
        return []

    def kill(self) -> None:
        """Send SIGKILL to the group."""
        try:
            os.killpg(self.leader, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass


def children(pid: int) -> list[int]:
    """The processes whose parent is `pid`; none when it is gone."""
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return []
    found = []
    for thread in threads:
        found += [int(child) for child in _read(f"/proc/{pid}/task/{thread}/children").split()]
    return found


def kill_all(tree: Namespace | Descendants | Group) -> None:
    """End every process of the box and collect it. Raises TimeoutError when one stays."""
    give_up = time.monotonic() + _REAPING_S
    while True:
        tree.kill()
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        if time.monotonic() > give_up:
            raise TimeoutError("a process of the program does not end")
        time.sleep(0.0005)


def weigh(pids: list[int]) -> tuple[int, int]:
    """Bytes of memory that the processes hold, shared pages counted each time, and their
    threads."""
    memory = threads = 0
    for pid in pids:
        text = _read(f"/proc/{pid}/status")
        memory += _figure(text, b"\nRssAnon:") + _figure(text, b"\nRssShmem:")
        threads += _figure(text, b"\nThreads:")
    return memory * _KIB, threads


def weigh_exactly(pids: list[int]) -> int:
    """Bytes of memory that the processes hold, shared pages counted once.

    Slow. A process that hides its pages is weighed as by `weigh`.
    """
    memory = 0
    for pid in pids:
        text = _read(f"/proc/{pid}/smaps_rollup")
        if text:
            memory += (_figure(text, b"\nPss_Anon:") + _figure(text, b"\nPss_Shmem:")) * _KIB
        else:
            memory += weigh([pid])[0]
    return memory


def weigh_deleted_files(pids: list[int], folder: str) -> int:
    """Bytes of files that have no name any more but are open, on the file system of `folder`.

    Those of processes that hide their open files are not seen.
    """
    device = os.stat(folder).st_dev
    found = {}
    for pid in pids:
        try:
            for fd in os.listdir(f"/proc/{pid}/fd"):
                opened = os.stat(f"/proc/{pid}/fd/{fd}")
                if opened.st_nlink == 0 and opened.st_dev == device:
                    found[opened.st_ino] = opened.st_blocks * 512
        except OSError:
            continue
    return sum(found.values())


def count_threads_of_user() -> int:
    """Processes and threads of this process's user on the whole machine."""
    uid = os.getuid()
    count = 0
    for name in os.listdir("/proc"):
        if name.isdigit():
            text = _read(f"/proc/{name}/status")
            if _figure(text, b"\nUid:") == uid:
                count += _figure(text, b"\nThreads:")
    return count


def _figure(text: bytes, key: bytes) -> int:
    """The first number of a line of a /proc file; 0 when there is no such line."""
    start = text.find(key)
    if start < 0:
        return 0
    return int(text[start + len(key) :].split(None, 1)[0])


def _read(path: str) -> bytes:
    try:
        fd = os.open(path, os.O_RDONLY)
    except OSError:
        return b""
    try:
        return os.read(fd, 1 << 16)
    except OSError:
        return b""
    finally:
        os.close(fd)
