"""The system-call filters, as BPF programs for the kernel.

A filter names what it refuses; everything else is allowed. A refused call fails with an
error number and the program goes on: killing programs for a call that a library merely
tried would falsify results.
"""

from __future__ import annotations

import errno
import platform
import struct
from collections.abc import Iterator, Mapping, Sequence

_ALLOW = 0x7FFF0000
_KILL_PROCESS = 0x80000000
_ERRNO = 0x00050000

_LOAD_WORD = 0x20
_JUMP_EQUAL = 0x15
_JUMP_AT_LEAST = 0x35
_JUMP_ANY_BIT = 0x45
_AND = 0x54
_RETURN = 0x06

_NUMBER_OFFSET = 0
_ARCH_OFFSET = 4
_ARGS_OFFSET = 16

_AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_X32_BIT = 0x40000000
_FIRST_UNKNOWN = 463
"""Calls from this number on are younger than these tables: the kernel is said to lack them."""

# name: (x86_64, aarch64); None where the architecture has no such call
_NUMBERS: Mapping[str, tuple[int | None, int | None]] = {
    "accept": (43, 202),
    "accept4": (288, 242),
    "acct": (163, 89),
    "add_key": (248, 217),
    "adjtimex": (159, 171),
    "bind": (49, 200),
    "bpf": (321, 280),
    "chmod": (90, None),
    "chown": (92, None),
    "chroot": (161, 51),
    "clock_adjtime": (305, 266),
    "clock_settime": (227, 112),
    "clone": (56, 220),
    "clone3": (435, 435),
    "connect": (42, 203),
    "creat": (85, None),
    "delete_module": (176, 106),
    "fanotify_init": (300, 262),
    "fanotify_mark": (301, 263),
    "fchmod": (91, 52),
    "fchmodat": (268, 53),
    "fchmodat2": (452, 452),
    "fchown": (93, 55),
    "fcntl": (72, 25),
    "fchownat": (260, 54),
    "finit_module": (313, 273),
    "fremovexattr": (199, 16),
    "fsconfig": (431, 431),
    "fsetxattr": (190, 7),
    "fsmount": (432, 432),
    "fsopen": (430, 430),
    "fspick": (433, 433),
    "futimesat": (261, None),
    "init_module": (175, 105),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "io_uring_setup": (425, 425),
    "ioctl": (16, 29),
    "ioperm": (173, None),
    "iopl": (172, None),
    "ioprio_set": (251, 30),
    "kcmp": (312, 272),
    "kexec_file_load": (320, 294),
    "kexec_load": (246, 104),
    "keyctl": (250, 219),
    "kill": (62, 129),
    "lchown": (94, None),
    "listen": (50, 201),
    "lookup_dcookie": (212, 18),
    "lremovexattr": (198, 15),
    "lsetxattr": (189, 6),
    "mbind": (237, 235),
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "migrate_pages": (256, 238),
    "mkdir": (83, None),
    "mkdirat": (258, 34),
    "mknod": (133, None),
    "mknodat": (259, 33),
    "modify_ldt": (154, None),
    "mount": (165, 40),
    "mount_setattr": (442, 442),
    "move_mount": (429, 429),
    "move_pages": (279, 239),
    "mq_open": (240, 180),
    "mq_unlink": (241, 181),
    "msgget": (68, 186),
    "name_to_handle_at": (303, 264),
    "nfsservctl": (180, 42),
    "open": (2, None),
    "open_by_handle_at": (304, 265),
    "open_tree": (428, 428),
    "openat": (257, 56),
    "openat2": (437, 437),
    "perf_event_open": (298, 241),
    "personality": (135, 92),
    "pidfd_getfd": (438, 438),
    "pidfd_send_signal": (424, 424),
    "pivot_root": (155, 41),
    "prlimit64": (302, 261),
    "process_madvise": (440, 440),
    "process_mrelease": (448, 448),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "ptrace": (101, 117),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "reboot": (169, 142),
    "removexattr": (197, 14),
    "request_key": (249, 218),
    "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240),
    "sched_setaffinity": (203, 122),
    "sched_setattr": (314, 274),
    "sched_setparam": (142, 118),
    "sched_setscheduler": (144, 119),
    "semget": (64, 190),
    "set_mempolicy": (238, 237),
    "setdomainname": (171, 162),
    "sethostname": (170, 161),
    "setns": (308, 268),
    "setpriority": (141, 140),
    "settimeofday": (164, 170),
    "setxattr": (188, 5),
    "shmat": (30, 196),
    "shmctl": (31, 195),
    "shmget": (29, 194),
    "socket": (41, 198),
    "socketpair": (53, 199),
    "swapoff": (168, 225),
    "swapon": (167, 224),
    "syslog": (103, 116),
    "tgkill": (234, 131),
    "tkill": (200, 130),
    "truncate": (76, 45),
    "umount2": (166, 39),
    "unshare": (272, 97),
    "uselib": (134, None),
    "userfaultfd": (323, 282),
    "utime": (132, None),
    "utimensat": (280, 88),
    "utimes": (235, None),
    "vhangup": (153, 58),
}

_KERNEL_SURFACE = [
    "acct",
    "add_key",
    "adjtimex",
    "bpf",
    "chroot",
    "clock_adjtime",
    "clock_settime",
    "delete_module",
    "fanotify_init",
    "fanotify_mark",
    "finit_module",
    "fsconfig",
    "fsmount",
    "fsopen",
    "fspick",
    "init_module",
    "io_uring_enter",
    "io_uring_register",
    "io_uring_setup",
    "ioperm",
    "iopl",
    "kcmp",
    "kexec_file_load",
    "kexec_load",
    "keyctl",
    "lookup_dcookie",
    "mbind",
    "memfd_create",
    "memfd_secret",
    "migrate_pages",
    "modify_ldt",
    "mount",
    "mount_setattr",
    "move_mount",
    "move_pages",
    "name_to_handle_at",
    "nfsservctl",
    "open_by_handle_at",
    "open_tree",
    "perf_event_open",
    "pidfd_getfd",
    "pivot_root",
    "process_madvise",
    "process_mrelease",
    "process_vm_readv",
    "process_vm_writev",
    "ptrace",
    "quotactl",
    "quotactl_fd",
    "reboot",
    "request_key",
    "set_mempolicy",
    "setdomainname",
    "sethostname",
    "setns",
    "settimeofday",
    "shmget",
    "swapoff",
    "swapon",
    "syslog",
    "umount2",
    "unshare",
    "uselib",
    "userfaultfd",
    "vhangup",
]

_OTHERS_OBJECTS = [
    "msgget",
    "semget",
    "shmat",
    "shmctl",
    "mq_open",
    "mq_unlink",
    "chown",
    "fchown",
    "lchown",
    "fchownat",
    "setxattr",
    "lsetxattr",
    "fsetxattr",
    "removexattr",
    "lremovexattr",
    "fremovexattr",
]
"""Objects and attributes that Landlock does not govern and a namespace would hide."""

_PRETENDED = ["chmod", "fchmod", "fchmodat", "fchmodat2"]
"""Reported as done without being done, so that copying a file with its attributes works."""

# name: the places of the path and of the times among its arguments
_TIME_SETTERS = {"utime": (0, 1), "utimes": (0, 1), "utimensat": (1, 2), "futimesat": (1, 2)}

_NETWORK = ["socket", "connect", "bind", "listen", "accept", "accept4"]

_SIGNALS = ["kill", "tkill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo", "pidfd_send_signal"]

_NAMESPACE_FLAGS = 0x7E020000
_SET_ID_BITS = 0o6000
_OPEN_CREATES = 0o100
_OPEN_TRUNCATES = 0o1000
_OPEN_WRITES = 0o3
_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C
_AF_UNIX, _AF_INET, _AF_INET6, _AF_NETLINK = 1, 2, 10, 16
_SOCK_TYPE_MASK, _SOCK_STREAM, _SOCK_SEQPACKET = 0xF, 1, 5
_PRIO_PROCESS, _IOPRIO_WHO_PROCESS = 0, 1
_F_SETOWN, _F_SETSIG, _F_SETOWN_EX, _FIOSETOWN, _SIOCSPGRP = 8, 10, 15, 0x8901, 0x8902
_HARMLESS_PERSONALITIES = (0x0, 0x8, 0x20000, 0x20008, 0xFFFFFFFF)

LANDLOCK_GOVERNS_TRUNCATE = 3
LANDLOCK_SCOPES_SIGNALS = 6


def find_missing_filter(machine: str = platform.machine()) -> str | None:
    """Why no filter can be built for this kind of machine; None when one can."""
    if machine in _AUDIT_ARCH:
        return None
    return f"no system-call filter for {machine} (there is one for {', '.join(_AUDIT_ARCH)})"


def namespaced_filter(machine: str = platform.machine()) -> bytes:
    """For programs that namespaces already keep from files, processes and networks."""
    return _Filter(machine).refuse_common().assemble()


def shared_filter(landlock_abi: int, machine: str = platform.machine()) -> bytes:
    """For programs that share every namespace with the user's own processes.

    It closes what Landlock of this ABI leaves open. Below ABI 6 that is every signal,
    to own children too.
    """
    return _Filter(machine).refuse_common().refuse_shared(landlock_abi).assemble()


def _statement(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)


def _answer(error: int) -> int:
    return _ERRNO | error


class _Filter:
    """Collects rules, each a self-contained piece of BPF that begins with the call's number
    in the accumulator and ends with it there or returns."""

    def __init__(self, machine: str) -> None:
        self._column = list(_AUDIT_ARCH).index(machine)
        self._code: list[bytes] = [
            _statement(_LOAD_WORD, _ARCH_OFFSET),
            _statement(_JUMP_EQUAL, _AUDIT_ARCH[machine], 1, 0),
            _statement(_RETURN, _KILL_PROCESS),
            _statement(_LOAD_WORD, _NUMBER_OFFSET),
            _statement(_JUMP_AT_LEAST, _X32_BIT, 0, 1),
            _statement(_RETURN, _KILL_PROCESS),
            _statement(_JUMP_AT_LEAST, _FIRST_UNKNOWN, 0, 1),
            _statement(_RETURN, _answer(errno.ENOSYS)),
        ]

    def assemble(self) -> bytes:
        return b"".join([*self._code, _statement(_RETURN, _ALLOW)])

    def refuse_common(self) -> _Filter:
        self._refuse(_KERNEL_SURFACE, errno.EPERM)
        # Their arguments lie in memory, where no filter can look; callers fall back.
        self._refuse(["clone3", "openat2"], errno.ENOSYS)
        self._refuse_bits("clone", 0, _NAMESPACE_FLAGS)
        for value in (_TIOCSTI, _TIOCLINUX):
            self._refuse_value("ioctl", 1, value)
        self._refuse_bits("chmod", 1, _SET_ID_BITS)
        self._refuse_bits("fchmod", 1, _SET_ID_BITS)
        for name in ("fchmodat", "fchmodat2"):
            self._refuse_bits(name, 2, _SET_ID_BITS)
        for name, argument in (("creat", 1), ("mkdir", 1), ("mknod", 1)):
            self._refuse_bits(name, argument, _SET_ID_BITS)
        for name, argument in (("mkdirat", 2), ("mknodat", 2)):
            self._refuse_bits(name, argument, _SET_ID_BITS)
        for name, flags in (("open", 1), ("openat", 2)):
            self._refuse_all_bits(
                name, [(flags, _OPEN_CREATES, None), (flags + 1, _SET_ID_BITS, None)]
            )
        self._allow_values("personality", 0, _HARMLESS_PERSONALITIES, errno.EPERM)
        self._allow_values(
            "socket", 0, (_AF_UNIX, _AF_INET, _AF_INET6, _AF_NETLINK), errno.EAFNOSUPPORT
        )
        self._allow_values("prlimit64", 0, (0,), errno.EPERM)
        return self

    def refuse_shared(self, landlock_abi: int) -> _Filter:
        self._refuse(_OTHERS_OBJECTS, errno.EPERM)
        self._refuse(_PRETENDED, 0)
        for name, (path, times) in _TIME_SETTERS.items():
            self._pretend_to_set_times(name, path, times)
        self._refuse(_NETWORK, errno.EACCES)
        # An unconnected datagram socket could send to any socket of the machine by its path.
        self._allow_values("socketpair", 0, (_AF_UNIX,), errno.EACCES)
        self._allow_values(
            "socketpair", 1, (_SOCK_STREAM, _SOCK_SEQPACKET), errno.EACCES, mask=_SOCK_TYPE_MASK
        )
        self._allow_values("setpriority", 0, (_PRIO_PROCESS,), errno.EPERM)
        self._allow_values("ioprio_set", 0, (_IOPRIO_WHO_PROCESS,), errno.EPERM)
        for name in ("setpriority", "ioprio_set"):
            self._allow_values(name, 1, (0,), errno.EPERM)
        for name in ("sched_setaffinity", "sched_setattr", "sched_setparam", "sched_setscheduler"):
            self._allow_values(name, 0, (0,), errno.EPERM)
        if landlock_abi < LANDLOCK_GOVERNS_TRUNCATE:
            self._refuse(["truncate"], errno.EPERM)
            for name, flags in (("open", 1), ("openat", 2)):
                self._refuse_all_bits(
                    name, [(flags, _OPEN_TRUNCATES, None), (flags, None, _OPEN_WRITES)]
                )
        if landlock_abi < LANDLOCK_SCOPES_SIGNALS:
            self._refuse(_SIGNALS, errno.EPERM)
            for command in (_F_SETOWN, _F_SETSIG, _F_SETOWN_EX):
                self._refuse_value("fcntl", 1, command)
            for request in (_FIOSETOWN, _SIOCSPGRP):
                self._refuse_value("ioctl", 1, request)
        return self

    def _refuse(self, names: Sequence[str], error: int) -> None:
        for number in self._known(names):
            self._code += [
                _statement(_JUMP_EQUAL, number, 0, 1),
                _statement(_RETURN, _answer(error)),
            ]

    def _refuse_value(self, name: str, argument: int, value: int) -> None:
        refusal = [
            self._load(argument),
            _statement(_JUMP_EQUAL, value, 0, 1),
            _statement(_RETURN, _answer(errno.EPERM)),
        ]
        self._for_call(name, refusal)

    def _refuse_bits(self, name: str, argument: int, bits: int) -> None:
        self._refuse_all_bits(name, [(argument, bits, None)])

    def _refuse_all_bits(
        self, name: str, conditions: Sequence[tuple[int, int | None, int | None]]
    ) -> None:
        """Refuse a call when each (argument, bits, absent bits) holds."""
        refusal = [_statement(_RETURN, _answer(errno.EPERM))]
        for argument, bits, absent in reversed(conditions):
            to_end = len(refusal)
            if bits is not None:
                test = _statement(_JUMP_ANY_BIT, bits, 0, to_end)
            else:
                test = _statement(_JUMP_ANY_BIT, absent or 0, to_end, 0)
            refusal = [self._load(argument), test, *refusal]
        self._for_call(name, refusal)

    def _allow_values(
        self, name: str, argument: int, values: Sequence[int], error: int, mask: int | None = None
    ) -> None:
        tests = [
            _statement(_JUMP_EQUAL, value, len(values) - place, 0)
            for place, value in enumerate(values)
        ]
        masking = [] if mask is None else [_statement(_AND, mask)]
        refusal = [_statement(_RETURN, _answer(error))]
        self._for_call(name, [self._load(argument), *masking, *tests, *refusal])

    def _pretend_to_set_times(self, name: str, path: int, times: int) -> None:
        """As `_PRETENDED`; but the setting to now of a file by its name fails.

        With that, and no other call, Python's `Path.touch` asks whether the file exists.
        """
        rule = [
            self._load(times),
            _statement(_JUMP_EQUAL, 0, 0, 3),
            self._load(path),
            _statement(_JUMP_EQUAL, 0, 1, 0),
            _statement(_RETURN, _answer(errno.EPERM)),
            _statement(_RETURN, _answer(0)),
        ]
        self._for_call(name, rule)

    def _for_call(self, name: str, rule: list[bytes]) -> None:
        for number in self._known([name]):
            back = _statement(_LOAD_WORD, _NUMBER_OFFSET)
            self._code += [_statement(_JUMP_EQUAL, number, 0, len(rule) + 1), *rule, back]

    def _known(self, names: Sequence[str]) -> Iterator[int]:
        for name in names:
            number = _NUMBERS[name][self._column]
            if number is not None:
                yield number

    @staticmethod
    def _load(argument: int) -> bytes:
        """Load the low half of an argument: the half that the kernel looks at."""
        return _statement(_LOAD_WORD, _ARGS_OFFSET + 8 * argument)
