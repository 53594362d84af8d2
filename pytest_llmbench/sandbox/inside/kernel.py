"""System calls that Python has no function for: prctl, Landlock, mount."""

# No pathlib in here: importing it would lengthen the start of every box.
# ruff: noqa: PTH112

from __future__ import annotations

import ctypes
import os

_PR_SET_DUMPABLE = 4
_PR_SET_SECCOMP = 22
_PR_SET_CHILD_SUBREAPER = 36
_PR_SET_NO_NEW_PRIVS = 38
_SECCOMP_MODE_FILTER = 2
_CAPABILITY_VERSION_3 = 0x20080522

_LANDLOCK_CREATE_RULESET, _LANDLOCK_ADD_RULE, _LANDLOCK_RESTRICT_SELF = 444, 445, 446
_LANDLOCK_ASK_VERSION = 1
_LANDLOCK_RULE_PATH_BENEATH = 1
_SCOPES = 0b11
_TCP = 0b11

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
TRUNCATE, IOCTL_DEV = 1 << 14, 1 << 15
_FILE_RIGHTS = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV
_DEVICE_NODES = (1 << 6) | (1 << 11)

_ALL_RIGHTS = (1 << 16) - 1
_RIGHTS_BY_ABI = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 4: (1 << 15) - 1}
_ABI_WITH_TCP, _ABI_WITH_SCOPES = 4, 6

MS_NOSUID, MS_NODEV, MS_BIND, MS_REC, MS_PRIVATE = 2, 4, 1 << 12, 1 << 14, 1 << 18
_CLONE_NEWNS = 0x20000

_libc = ctypes.CDLL(None, use_errno=True)


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.c_char_p))


def _check(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def _prctl(option: int, argument: int) -> None:
    zero = ctypes.c_ulong(0)
    _check(_libc.prctl(option, ctypes.c_ulong(argument), zero, zero, zero), "prctl")


def hide_memory() -> None:
    """Keep processes of the same user from this one's memory and open files."""
    _prctl(_PR_SET_DUMPABLE, 0)


def adopt_orphans() -> None:
    """Become the parent of all descendants that lose theirs."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def renounce_privileges() -> None:
    """Give up every capability, and what set-user-id programs would add."""
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    none = (ctypes.c_uint32 * 6)()
    _check(_libc.capset(header, none), "capset")


def filter_system_calls(code: bytes) -> None:
    """Install a seccomp filter, for good. Needs `renounce_privileges` before."""
    program = _Program(len(code) // 8, code)
    pointer = ctypes.c_ulong(ctypes.addressof(program))
    zero = ctypes.c_ulong(0)
    mode = ctypes.c_ulong(_SECCOMP_MODE_FILTER)
    _check(_libc.prctl(_PR_SET_SECCOMP, mode, pointer, zero, zero), "seccomp")


def landlock_abi() -> int:
    """The version of Landlock that this kernel speaks; 0 when it has none."""
    version = _libc.syscall(
        _LANDLOCK_CREATE_RULESET, None, ctypes.c_size_t(0), _LANDLOCK_ASK_VERSION
    )
    return max(0, int(version))


class Landlock:
    """A rule set: all that it governs is refused but what was allowed."""

    def __init__(self, abi: int) -> None:
        self._rights = _RIGHTS_BY_ABI.get(abi, _ALL_RIGHTS)
        parts = [self._rights]
        if abi >= _ABI_WITH_TCP:
            parts.append(_TCP)
        if abi >= _ABI_WITH_SCOPES:
            parts.append(_SCOPES)
        attributes = (ctypes.c_uint64 * len(parts))(*parts)
        size = ctypes.c_size_t(ctypes.sizeof(attributes))
        self._fd = _check(
            _libc.syscall(_LANDLOCK_CREATE_RULESET, attributes, size, 0), "landlock_create_ruleset"
        )
        os.set_inheritable(self._fd, False)  # noqa: FBT003 - it has no keyword

    def allow(self, path: str, rights: int) -> None:
        """Allow rights on a file, or on a folder and all beneath; skip what does not exist."""
        try:
            fd = os.open(path, os.O_PATH)
        except OSError:
            return
        try:
            if not os.path.isdir(path):
                rights &= _FILE_RIGHTS
            attributes = (ctypes.c_uint64 * 2)(rights & self._rights, fd)
            _check(
                _libc.syscall(
                    _LANDLOCK_ADD_RULE, self._fd, _LANDLOCK_RULE_PATH_BENEATH, attributes, 0
                ),
                f"landlock_add_rule for {path}",
            )
        finally:
            os.close(fd)

    def allow_reading(self, path: str) -> None:
        """Allow to read, list and execute."""
        self.allow(path, READ_FILE | READ_DIR | EXECUTE)

    def allow_everything(self, path: str) -> None:
        """Allow all but making device nodes."""
        self.allow(path, _ALL_RIGHTS & ~_DEVICE_NODES)

    def enforce(self) -> None:
        """Confine this process and its children, for good."""
        _check(_libc.syscall(_LANDLOCK_RESTRICT_SELF, self._fd, 0), "landlock_restrict_self")


def leave_mount_namespace() -> None:
    """Get mounts of one's own, which nobody else sees and which end with the process."""
    _check(_libc.unshare(_CLONE_NEWNS), "unshare")
    mount("none", "/", None, MS_REC | MS_PRIVATE)


def mount(source: str, target: str, kind: str | None, flags: int, options: str = "") -> None:
    """Attach a file system; the arguments are those of the system call."""
    encoded_kind = None if kind is None else kind.encode()
    _check(
        _libc.mount(
            os.fsencode(source),
            os.fsencode(target),
            encoded_kind,
            ctypes.c_ulong(flags),
            options.encode(),
        ),
        f"mount on {target}",
    )
