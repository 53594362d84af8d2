"""Attacks on the kernel: namespaces, and system calls that ordinary programs never make."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from contextlib import contextmanager

from pytest_llmbench.testing.attacks.attack import Attack, Outcome, Planted
from pytest_llmbench.testing.attacks.ground import Ground

# Numbers that differ between machines; those from 424 on are the same everywhere.
_NUMBERS = {
    "x86_64": {
        "add_key": 248,
        "keyctl": 250,
        "perf_event_open": 298,
        "open_by_handle_at": 304,
        "setns": 308,
        "bpf": 321,
        "userfaultfd": 323,
        "ptrace": 101,
        "process_vm_readv": 310,
        "process_vm_writev": 311,
        "kcmp": 312,
    },
    "aarch64": {
        "add_key": 217,
        "keyctl": 219,
        "perf_event_open": 241,
        "open_by_handle_at": 265,
        "setns": 268,
        "bpf": 280,
        "userfaultfd": 282,
        "ptrace": 117,
        "process_vm_readv": 270,
        "process_vm_writev": 271,
        "kcmp": 272,
    },
}
_COMMON_NUMBERS = {"io_uring_setup": 425, "fsopen": 430, "pidfd_getfd": 438, "memfd_secret": 447}


@contextmanager
def _own_namespace(_: Ground) -> Iterator[Planted]:
    def find_harm(outcome: Outcome) -> str | None:
        for what in ("unshare a user namespace", "clone into a user namespace"):
            if outcome.value(what) is not None:
                return "it made a user namespace of its own"
        return None

    yield Planted(find_harm)


@contextmanager
def _system_calls(_: Ground) -> Iterator[Planted]:
    numbers = _NUMBERS.get(platform.machine(), {}) | _COMMON_NUMBERS

    def find_harm(outcome: Outcome) -> str | None:
        reached = [name for name in numbers if outcome.value(name) == "reached"]
        return f"the kernel answered {', '.join(reached)}" if reached else None

    yield Planted(find_harm, {"numbers": numbers})


KERNEL_ATTACKS = (
    Attack(
        "nested_userns",
        """
NEW_USER = 0x10000000
def in_child(step):
    pid = os.fork()
    if not pid:
        try:
            step()
        except OSError as error:
            os._exit(error.errno)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if code:
        raise OSError(code, "in the child")
    return True
def clone3():
    import ctypes
    arguments = (ctypes.c_uint64 * 11)(NEW_USER, 0, 0, 0, signal.SIGCHLD)
    if not call("syscall", 435, arguments, ctypes.sizeof(arguments)):
        os._exit(0)
attempt("unshare a user namespace", lambda: in_child(lambda: call("unshare", NEW_USER)))
attempt("clone into a user namespace", lambda: in_child(clone3))
""",
        _own_namespace,
    ),
    Attack(
        "kernel_surface",
        # Arguments that no call accepts: a refusal that looks at them shows that it was reached.
        """
REFUSED = {errno.EPERM, errno.ENOSYS, errno.EACCES}
def reach(number):
    try:
        call("syscall", number, -1, -1, -1, -1, -1)
    except OSError as error:
        if error.errno in REFUSED:
            raise
    return "reached"
for name, number in settings["numbers"].items():
    attempt(name, lambda: reach(number))
""",
        _system_calls,
    ),
)
