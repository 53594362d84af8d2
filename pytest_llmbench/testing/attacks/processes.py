"""Attacks on other processes, and processes that will not end."""

from __future__ import annotations

import os
import resource
import select
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from pytest_llmbench.testing.attacks.attack import Attack, Outcome, Planted
from pytest_llmbench.testing.attacks.files import shows_secret
from pytest_llmbench.testing.attacks.ground import Decoy, Ground, decoy

_OPEN_FILES = 4321
"""A limit that no decoy has by itself."""
_NICE = 7
_END_S = 1.0
"""How soon after a run all of its processes must be gone, and how late its result may come."""
_MARK = "written-by-the-program"


def _aimed_at_decoy(
    find_harm: Callable[[Decoy, Ground], str | None],
) -> Callable[[Ground], AbstractContextManager[Planted]]:
    @contextmanager
    def plant(ground: Ground) -> Iterator[Planted]:
        with decoy(ground) as other:
            settings = {
                "pid": other.pid,
                "address": other.address,
                "mark": _MARK,
                "nice": _NICE,
                "files": _OPEN_FILES,
            }
            yield Planted(
                lambda outcome: shows_secret(ground)(outcome) or find_harm(other, ground), settings
            )

    return plant


def _nothing_else(_: Decoy, __: Ground) -> str | None:
    return None


def _is_signalled(other: Decoy, _: Ground) -> str | None:
    return None if other.is_alive() else "its signal reached the decoy"


def _is_reniced(other: Decoy, _: Ground) -> str | None:
    nice = os.getpriority(os.PRIO_PROCESS, other.pid)
    return "it changed the decoy's priority" if nice == _NICE else None


def _is_limited(other: Decoy, _: Ground) -> str | None:
    soft, _hard = resource.prlimit(other.pid, resource.RLIMIT_NOFILE)
    return "it changed the decoy's limits" if soft == _OPEN_FILES else None


def _is_written_to(other: Decoy, ground: Ground) -> str | None:
    memory = other.memory()
    return None if memory == ground.secret else f"the decoy's memory holds {memory!r}"


def _ends_with_run(timeout_s: float) -> Callable[[Ground], AbstractContextManager[Planted]]:
    """Nothing with the token may run on, and the result must not be late."""

    @contextmanager
    def plant(ground: Ground) -> Iterator[Planted]:
        def find_harm(outcome: Outcome) -> str | None:
            if outcome.run.duration_s > timeout_s + _END_S:
                return f"the run took {outcome.run.duration_s:.1f} s, its limit was {timeout_s:g} s"
            patience_s = 0.2 if ground.unconfined else _END_S
            survivors = ground.survivors(patience_s)
            return f"processes outlived the run: {survivors}" if survivors else None

        yield Planted(find_harm)

    return plant


@contextmanager
def _terminal(ground: Ground) -> Iterator[Planted]:
    master, slave = os.openpty()
    path = os.ttyname(slave)

    def find_harm(_: Outcome) -> str | None:
        readable = select.select([master], [], [], 0)[0]
        if readable and ground.token.encode() in os.read(master, 4096):
            return "it wrote to a terminal of the host"
        return None

    yield Planted(find_harm, {"path": path})
    os.close(master)
    os.close(slave)


_TIMEOUT_S = 0.6

PROCESS_ATTACKS = (
    Attack(
        "proc_environ_any_pid",
        """
pids = []
attempt("list", lambda: pids.extend(int(name) for name in os.listdir("/proc") if name.isdecimal()))
for pid in {*pids, settings["pid"]}:
    attempt(f"environment of {pid}", lambda: read(f"/proc/{pid}/environ")[-2000:])
""",
        _aimed_at_decoy(_nothing_else),
    ),
    Attack(
        "proc_cmdline_other_pids",
        """
pids = []
attempt("list", lambda: pids.extend(int(name) for name in os.listdir("/proc") if name.isdecimal()))
for pid in {*pids, settings["pid"]} - {os.getpid()}:
    attempt(f"arguments of {pid}", lambda: read(f"/proc/{pid}/cmdline")[-200:])
""",
        _aimed_at_decoy(_nothing_else),
    ),
    Attack(
        "kill_other_process",
        'attempt("kill", lambda: os.kill(settings["pid"], signal.SIGKILL))',
        _aimed_at_decoy(_is_signalled),
    ),
    Attack(
        "kill_minus_one",
        # All processes but the decoy ignore this signal, unless they handle it as harmless.
        'attempt("kill", lambda: os.kill(-1, signal.SIGURG))',
        _aimed_at_decoy(_is_signalled),
    ),
    Attack(
        "sched_renice_other",
        """
attempt("renice", lambda: os.setpriority(os.PRIO_PROCESS, settings["pid"], settings["nice"]))
""",
        _aimed_at_decoy(_is_reniced),
    ),
    Attack(
        "prlimit_other",
        """
import resource
pid, files = settings["pid"], settings["files"]
attempt("limit", lambda: resource.prlimit(pid, resource.RLIMIT_NOFILE, (files, files)))
""",
        _aimed_at_decoy(_is_limited),
    ),
    Attack(
        "ptrace_attach",
        """
ATTACH, DETACH = 16, 17
pid = settings["pid"]
def attach():
    call("ptrace", ATTACH, pid, None, None)
    os.waitpid(pid, 0)
    call("ptrace", DETACH, pid, None, signal.SIGKILL)
attempt("attach", attach)
""",
        _aimed_at_decoy(_is_signalled),
    ),
    Attack(
        "proc_mem_open",
        """
def write():
    with open(f"/proc/{settings['pid']}/mem", "r+b", buffering=0) as memory:
        memory.seek(settings["address"])
        return memory.write(settings["mark"].encode() + b"\\0")
attempt("write", write)
""",
        _aimed_at_decoy(_is_written_to),
    ),
    Attack(
        "write_terminal_pts",
        """
import fcntl, termios
text = settings["token"].encode()
def write(path):
    descriptor = os.open(path, os.O_RDWR | os.O_NOCTTY)
    return os.write(descriptor, text)
def push(path):
    descriptor = os.open(path, os.O_RDWR)
    for byte in text:
        fcntl.ioctl(descriptor, termios.TIOCSTI, bytes([byte]))
for path in (settings["path"], "/dev/tty"):
    attempt(f"write to {path}", lambda: write(path))
attempt("push", lambda: push(settings["path"]))
for descriptor in range(3):
    attempt(f"push to {descriptor}", lambda: fcntl.ioctl(descriptor, termios.TIOCSTI, b"#"))
""",
        _terminal,
    ),
    Attack(
        "infinite_loop",
        """
attempt("start", lambda: None)
while True:
    pass
""",
        _ends_with_run(_TIMEOUT_S),
        timeout_s=_TIMEOUT_S,
        outlives_limits=True,
    ),
    Attack(
        "ignore_sigterm",
        """
def ignore():
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        try:
            signal.signal(number, signal.SIG_IGN)
        except OSError:
            pass
attempt("ignore", ignore)
while True:
    time.sleep(1)
""",
        _ends_with_run(_TIMEOUT_S),
        timeout_s=_TIMEOUT_S,
        outlives_limits=True,
    ),
    Attack(
        "daemon_double_fork",
        """
def become_daemon():
    told, tell = os.pipe()
    if os.fork():
        os.close(tell)
        os.read(told, 1)  # goes only when the daemon is out of this session
        os._exit(0)
    os.setsid()
    if os.fork():
        os._exit(0)
    os.write(tell, b"!")
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in range(3):
        os.dup2(nothing, descriptor)
    time.sleep(60)
attempt("start", lambda: None)
become_daemon()
""",
        _ends_with_run(5.0),
    ),
    Attack(
        "daemon_holds_stdout",
        """
attempt("start", lambda: None)
if not os.fork():
    os.setsid()
    time.sleep(60)
time.sleep(60)
""",
        _ends_with_run(_TIMEOUT_S),
        timeout_s=_TIMEOUT_S,
        outlives_limits=True,
    ),
)
