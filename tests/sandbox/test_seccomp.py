"""The system-call filters, judged by running them as the kernel would."""

from __future__ import annotations

import errno
import struct

import pytest

from pytest_llmbench.sandbox import seccomp

ALLOWED = "allowed"
KILLED = "killed"
X86_64, AARCH64 = 0xC000003E, 0xC00000B7
UNSHARED_NEWUSER = 0x10000000


def decide(program: bytes, arch: int, number: int, *args: int) -> str:
    """What a filter says to a call: allowed, killed, or the error's name."""
    padded = [*args, *[0] * (6 - len(args))]
    data = struct.pack("=IIQ6Q", number, arch, 0, *padded)
    code = [struct.unpack_from("=HBBI", program, at) for at in range(0, len(program), 8)]
    accumulator = place = 0
    while True:
        operation, if_true, if_false, value = code[place]
        place += 1
        if operation == 0x20:
            accumulator = struct.unpack_from("=I", data, value)[0]
        elif operation == 0x54:
            accumulator &= value
        elif operation == 0x06:
            return {0x7FFF0000: ALLOWED, 0x80000000: KILLED, 0x50000: "0"}.get(value) or (
                errno.errorcode[value & 0xFFFF]
            )
        else:
            holds = {
                0x15: accumulator == value,
                0x35: accumulator >= value,
                0x45: bool(accumulator & value),
            }[operation]
            place += if_true if holds else if_false


NAMESPACED = seccomp.namespaced_filter("x86_64")
SHARED = seccomp.shared_filter(7, "x86_64")

BOTH = {
    "read": ((0,), ALLOWED),
    "execve": ((59,), ALLOWED),
    "ptrace": ((101,), "EPERM"),
    "unshare": ((272, UNSHARED_NEWUSER), "EPERM"),
    "clone of a thread": ((56, 0x3D0F00), ALLOWED),
    "clone into a user namespace": ((56, UNSHARED_NEWUSER | 17), "EPERM"),
    "clone3": ((435,), "ENOSYS"),
    "io_uring_setup": ((425,), "EPERM"),
    "bpf": ((321,), "EPERM"),
    "memfd_create": ((319,), "EPERM"),
    "ioctl TCGETS": ((16, 0, 0x5401), ALLOWED),
    "ioctl TIOCSTI": ((16, 0, 0x5412), "EPERM"),
    "ioctl TIOCSTI with high bits": ((16, 0, 0x1_0000_5412), "EPERM"),
    "own limits": ((302, 0), ALLOWED),
    "limits of another process": ((302, 4711), "EPERM"),
    "vsock socket": ((41, 40, 1), "EAFNOSUPPORT"),
    "mkdir with the set-group-id bit": ((83, 0, 0o2755), "EPERM"),
    "open that makes a set-user-id file": ((257, 0, 0, 0o101, 0o4755), "EPERM"),
    "open that makes a file": ((257, 0, 0, 0o101, 0o644), ALLOWED),
    "open for reading with stray mode bits": ((257, 0, 0, 0, 0o4755), ALLOWED),
    "openat2": ((437,), "ENOSYS"),
    "usual personality": ((135, 0xFFFFFFFF), ALLOWED),
    "personality without random addresses": ((135, 0x40000), "EPERM"),
    "the last call of the tables": ((462,), ALLOWED),
    "a call younger than the tables": ((463,), "ENOSYS"),
    "an x32 call": ((0x40000000,), KILLED),
}


@pytest.mark.parametrize(("call", "expected"), BOTH.values(), ids=BOTH)
@pytest.mark.parametrize("program", [NAMESPACED, SHARED], ids=["namespaced", "shared"])
def test_both_filters(program: bytes, call: tuple[int, ...], expected: str) -> None:
    assert decide(program, X86_64, *call) == expected


DIFFERENT = {
    "internet socket": ((41, 2, 1), ALLOWED, "EACCES"),
    "connect": ((42,), ALLOWED, "EACCES"),
    "stream pair": ((53, 1, 0x80801), ALLOWED, ALLOWED),
    "datagram pair": ((53, 1, 0x80802), ALLOWED, "EACCES"),
    "chmod": ((90, 0, 0o600), ALLOWED, "0"),
    "fchmodat with the set-user-id bit": ((268, 0, 0, 0o4755), "EPERM", "EPERM"),
    "times of a file": ((280, 0xFFFFFF9C, 0x1000, 0x2000), ALLOWED, "0"),
    "times of an open file set to now": ((280, 3, 0, 0), ALLOWED, "0"),
    "times of a file set to now": ((280, 0xFFFFFF9C, 0x1000, 0), ALLOWED, "EPERM"),
    "chown": ((92,), ALLOWED, "EPERM"),
    "own priority": ((141, 0, 0), ALLOWED, ALLOWED),
    "priority of another process": ((141, 0, 4711), ALLOWED, "EPERM"),
    "priority of all the user's processes": ((141, 2, 0), ALLOWED, "EPERM"),
    "processors of another process": ((203, 4711), ALLOWED, "EPERM"),
    "kill": ((62, 4711, 9), ALLOWED, ALLOWED),
    "truncate": ((76,), ALLOWED, ALLOWED),
}


@pytest.mark.parametrize(("call", "namespaced", "shared"), DIFFERENT.values(), ids=DIFFERENT)
def test_what_only_a_shared_system_forbids(
    call: tuple[int, ...], namespaced: str, shared: str
) -> None:
    assert decide(NAMESPACED, X86_64, *call) == namespaced
    assert decide(SHARED, X86_64, *call) == shared


@pytest.mark.parametrize(
    ("call", "last_abi_that_needs_it"),
    [
        ((62, 4711, 9), 5),
        ((234, 4711, 4711, 9), 5),
        ((424, 3, 9), 5),
        ((72, 3, 8), 5),
        ((76,), 2),
        ((257, 0, 0, 0o1000), 2),
    ],
    ids=["kill", "tgkill", "pidfd_send_signal", "F_SETOWN", "truncate", "O_RDONLY | O_TRUNC"],
)
def test_what_older_versions_of_landlock_leave_open(
    call: tuple[int, ...], last_abi_that_needs_it: int
) -> None:
    """The filter takes over exactly where Landlock does not govern yet."""
    refused = [
        abi
        for abi in range(1, 8)
        if decide(seccomp.shared_filter(abi, "x86_64"), X86_64, *call) == "EPERM"
    ]
    assert refused == list(range(1, last_abi_that_needs_it + 1))


@pytest.mark.parametrize("abi", [1, 7])
def test_truncating_what_may_be_written(abi: int) -> None:
    program = seccomp.shared_filter(abi, "x86_64")
    assert decide(program, X86_64, 257, 0, 0, 0o1101, 0o644) == ALLOWED


def test_other_architectures() -> None:
    """The same rules under the other numbers; a foreign call's number means nothing."""
    arm = seccomp.shared_filter(7, "aarch64")
    assert decide(arm, AARCH64, 63) == ALLOWED
    assert decide(arm, AARCH64, 117) == "EPERM"
    assert decide(arm, AARCH64, 198, 2, 1) == "EACCES"
    assert decide(arm, AARCH64, 220, UNSHARED_NEWUSER) == "EPERM"
    assert decide(arm, X86_64, 63) == KILLED
    assert decide(NAMESPACED, 0x40000003, 63) == KILLED


def test_unknown_machine() -> None:
    assert seccomp.find_missing_filter("x86_64") is None
    assert seccomp.find_missing_filter("riscv64") == (
        "no system-call filter for riscv64 (there is one for x86_64, aarch64)"
    )
