"""One run of one program: started, watched, ended, told."""

from __future__ import annotations

import os
import resource
import select
import signal
import sys
import time

from . import files, tree

_FIRST_LOOK_S = 0.008
_LOOK_EVERY_S = 0.015
LOOK_OFTEN_S = 0.003
_MANY_PROCESSES = 16
_LONGEST_SHARE = 4
"""Looking may take a fourth of the time."""
_DRAIN_S = 0.25
_CHUNK = 1 << 16
_OPEN, _CLOSED = 0o700, 0o000
_OPEN_FILES = 256
_ADDRESS_SPACE = 1 << 31
_NOT_FOUND, _NOT_EXECUTABLE = 127, 126


class Bounds:
    """The limits of a run, as `protocol.Limits` describes them."""

    __slots__ = (
        "cpu_s",
        "disk_bytes",
        "file_bytes",
        "files",
        "memory_bytes",
        "output_bytes",
        "processes",
        "time_s",
    )

    def __init__(self, figures: list[bytes]) -> None:
        self.time_s = float(figures[0])
        (
            self.cpu_s,
            self.memory_bytes,
            self.processes,
            self.file_bytes,
            self.disk_bytes,
            self.files,
            self.output_bytes,
        ) = (int(figure) for figure in figures[1:])


class Place:
    """Where a box lies and how its processes are told from others."""

    __slots__ = ("confine", "folder", "look_every_s", "mounts", "processes_in_use", "tree", "work")

    def __init__(
        self,
        work: str,
        processes: tree.Namespace | tree.Descendants | tree.Group,
    ) -> None:
        self.work = work
        self.tree = processes
        self.folder = ""
        """Measured by walking through it; empty where `mounts` are asked instead."""
        self.mounts: list[str] = []
        """File systems of the box alone."""
        self.processes_in_use = _none_in_use
        """How many processes the kernel already counts against this user."""
        self.look_every_s = _LOOK_EVERY_S
        self.confine = _do_nothing
        """The last step of a program's process before it becomes the program."""

    def unlock(self) -> None:
        """Open the box's folder to its user, for a request's time."""
        if self.folder:
            os.chmod(self.folder, _OPEN)  # noqa: PTH101 - no pathlib in here

    def lock(self) -> None:
        """Close it again: other boxes' programs may be the same user's."""
        if self.folder:
            os.chmod(self.folder, _CLOSED)  # noqa: PTH101 - no pathlib in here

    def measure(self, pids: list[int]) -> tuple[int, int]:
        """Bytes and files that the box holds, with what its processes have deleted but keep
        open."""
        if self.mounts:
            return files.measure_mounts(self.mounts)
        used_bytes, used_files = files.measure(self.folder)
        return used_bytes + tree.weigh_deleted_files(pids, self.folder), used_files


class Command:
    """What to run. `stdin` is None where reading shall meet the end of the file at once."""

    __slots__ = ("argv", "environment", "stdin")

    def __init__(
        self, argv: list[bytes], environment: dict[bytes, bytes], stdin: bytes | None
    ) -> None:
        self.argv = argv
        self.environment = environment
        self.stdin = stdin


class Outcome:
    """What became of a run: `limit` names what ended it, or is empty."""

    __slots__ = ("duration_s", "limit", "out", "returncode", "stderr", "stdout")

    def __init__(self, stdout: Capture, stderr: Capture) -> None:
        self.stdout = stdout
        self.stderr = stderr
        self.returncode = 0
        self.limit = ""
        self.duration_s = 0.0


class Capture:
    """The beginning of a stream; the rest is read and dropped."""

    __slots__ = ("_pieces", "_room", "truncated")

    def __init__(self, most: int) -> None:
        self._pieces: list[bytes] = []
        self._room = most
        self.truncated = False

    def add(self, piece: bytes) -> None:
        """Keep as much of a piece as there is room for."""
        if len(piece) > self._room:
            self.truncated = True
            piece = piece[: self._room]
        if piece:
            self._pieces.append(piece)
            self._room -= len(piece)

    @property
    def content(self) -> bytes:
        """What was kept."""
        return b"".join(self._pieces)


class AbandonedError(Exception):
    """Whoever asked for the run is gone."""


def run(place: Place, bounds: Bounds, command: Command, control: int) -> Outcome:
    """Run a program to its end, or to its limit, and end all that it started.

    Raises AbandonedError when `control` closes meanwhile.
    """
    streams = _Streams(command.stdin, bounds.output_bytes)
    outcome = Outcome(streams.stdout, streams.stderr)
    began = time.monotonic()
    pid = _start(place, bounds, command, streams)
    try:
        streams.close_program_ends()
        watch = _Watch(place, bounds, began)
        _follow(pid, streams, watch, outcome, control)
        outcome.duration_s = time.monotonic() - began
    finally:
        tree.kill_all(place.tree)
        streams.drain()
        streams.close()
    if not outcome.limit:
        outcome.limit = _find_late_limit(place, bounds)
    return outcome


def _follow(pid: int, streams: _Streams, watch: _Watch, outcome: Outcome, control: int) -> None:
    """Serve the program's streams until it ends or meets a limit."""
    poller = select.poll()
    poller.register(control, select.POLLIN)
    streams.register(poller)
    ending = _open_pidfd(pid)
    if ending is not None:
        poller.register(ending, select.POLLIN)
    try:
        while True:
            ready = poller.poll(watch.patience_ms(exact=ending is not None))
            for fd, _ in ready:
                if fd == control:
                    raise AbandonedError
                if fd != ending:
                    streams.serve(fd, poller)
            ended, status, usage = os.wait4(pid, os.WNOHANG)
            if ended:
                outcome.returncode = os.waitstatus_to_exitcode(status)
                cpu_s = usage.ru_utime + usage.ru_stime
                outcome.limit = watch.explain_signal(outcome.returncode, cpu_s)
                return
            outcome.limit = watch.look()
            if outcome.limit:
                return
    finally:
        if ending is not None:
            os.close(ending)


def _find_late_limit(place: Place, bounds: Bounds) -> str:
    """What a program that ended before anybody looked has left behind."""
    used_bytes, used_files = place.measure([])
    if used_bytes > bounds.disk_bytes:
        return "disk"
    if used_files > bounds.files:
        return "files"
    return ""


class _Watch:
    """Looks at a run now and then, oftener when it grows."""

    def __init__(self, place: Place, bounds: Bounds, began: float) -> None:
        self._place = place
        self._bounds = bounds
        self._deadline = began + bounds.time_s
        self._next_look = began + _FIRST_LOOK_S

    def patience_ms(self, *, exact: bool) -> float:
        """How long nothing needs to be done unless something happens."""
        until = min(self._deadline, self._next_look) - time.monotonic()
        if not exact:
            until = min(until, LOOK_OFTEN_S)
        return max(0.0, until * 1000)

    def look(self) -> str:
        """The limit that the program has met; empty for none."""
        now = time.monotonic()
        if now >= self._deadline:
            return "time"
        if now < self._next_look:
            return ""
        pids = self._place.tree.pids()
        limit = self._weigh(pids)
        cost = time.monotonic() - now
        often = len(pids) > _MANY_PROCESSES
        pause = max(
            LOOK_OFTEN_S if often else self._place.look_every_s, cost * (_LONGEST_SHARE - 1)
        )
        self._next_look = now + cost + pause
        return limit

    def _weigh(self, pids: list[int]) -> str:
        memory, threads = tree.weigh(pids)
        bounds = self._bounds
        if memory > bounds.memory_bytes and tree.weigh_exactly(pids) > bounds.memory_bytes:
            return "memory"
        if threads > bounds.processes:
            return "processes"
        used_bytes, used_files = self._place.measure(pids)
        if used_bytes > bounds.disk_bytes:
            return "disk"
        if used_files > bounds.files:
            return "files"
        return ""

    def explain_signal(self, returncode: int, cpu_s: float) -> str:
        """The limit behind a death by signal; empty for none."""
        if returncode == -signal.SIGXFSZ:
            return "file"
        spent = cpu_s >= self._bounds.cpu_s and returncode == -signal.SIGKILL
        return "cpu" if spent or returncode == -signal.SIGXCPU else ""


class _Streams:
    """The pipes of one program."""

    def __init__(self, stdin: bytes | None, most: int) -> None:
        self.stdout = Capture(most)
        self.stderr = Capture(most)
        self._input = memoryview(stdin or b"")
        out_read, out_write = os.pipe()
        err_read, err_write = os.pipe()
        self._readers = {out_read: self.stdout, err_read: self.stderr}
        self._writer: int | None = None
        if stdin is None:
            program_stdin = os.open(os.devnull, os.O_RDONLY)
        else:
            program_stdin, self._writer = os.pipe()
            os.set_blocking(self._writer, False)
        for reader in self._readers:
            os.set_blocking(reader, False)
        self.program_ends = (program_stdin, out_write, err_write)

    def close_program_ends(self) -> None:
        for fd in self.program_ends:
            os.close(fd)

    def register(self, poller: select.poll) -> None:
        for reader in self._readers:
            poller.register(reader, select.POLLIN)
        if self._writer is not None:
            poller.register(self._writer, select.POLLOUT)

    def serve(self, fd: int, poller: select.poll) -> None:
        """Move what can be moved; a stream that ended is closed."""
        goes_on = self._write() if fd == self._writer else self._read(fd)
        if not goes_on:
            poller.unregister(fd)
            self._close(fd)

    def drain(self) -> None:
        """Read what is left in the pipes, which nobody may write to any more."""
        give_up = time.monotonic() + _DRAIN_S
        for reader in list(self._readers):
            while self._read(reader):
                if time.monotonic() > give_up:
                    return
                select.select([reader], [], [], max(0.0, give_up - time.monotonic()))

    def close(self) -> None:
        for fd in [*self._readers, *([] if self._writer is None else [self._writer])]:
            self._close(fd)

    def _close(self, fd: int) -> None:
        os.close(fd)
        if fd == self._writer:
            self._writer = None
        else:
            del self._readers[fd]

    def _read(self, fd: int) -> bool:
        try:
            piece = os.read(fd, _CHUNK)
        except BlockingIOError:
            return True
        self._readers[fd].add(piece)
        return bool(piece)

    def _write(self) -> bool:
        assert self._writer is not None  # noqa: S101 - only a registered writer is served
        try:
            self._input = self._input[os.write(self._writer, self._input[:_CHUNK]) :]
        except BlockingIOError:
            return True
        except BrokenPipeError:
            return False
        return bool(self._input)


def _start(place: Place, bounds: Bounds, command: Command, streams: _Streams) -> int:
    processes = place.processes_in_use() + bounds.processes
    argv = command.argv
    pid = os.fork()
    if pid:
        if isinstance(place.tree, tree.Group):
            place.tree.leader = pid
        return pid
    try:
        os.setsid()
        os.chdir(place.work)
        for target, fd in enumerate(streams.program_ends):
            os.dup2(fd, target)
        for number in (signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)
        _set_limits(bounds, processes)
        place.confine()
        os.execvpe(argv[0], argv, command.environment)  # noqa: S606 - no shell is what is wanted
    except FileNotFoundError:
        _complain(argv[0], b"no such program", _NOT_FOUND)
    except OSError as error:
        _complain(argv[0], os.fsencode(error.strerror or str(error)), _NOT_EXECUTABLE)
    finally:
        os._exit(_NOT_EXECUTABLE)


def _complain(program: bytes, reason: bytes, code: int) -> None:
    os.write(2, b"cannot start " + program + b": " + reason + b"\n")
    os._exit(code)


def _set_limits(bounds: Bounds, processes: int) -> None:
    address_space = max(_ADDRESS_SPACE, 4 * bounds.memory_bytes)
    limits = [
        (resource.RLIMIT_CPU, bounds.cpu_s, bounds.cpu_s + 1),
        (resource.RLIMIT_FSIZE, bounds.file_bytes, bounds.file_bytes),
        (resource.RLIMIT_NPROC, processes, processes),
        (resource.RLIMIT_NOFILE, _OPEN_FILES, _OPEN_FILES),
        (resource.RLIMIT_CORE, 0, 0),
    ]
    if sys.platform == "linux":
        # On macOS the libraries alone take more.
        limits.append((resource.RLIMIT_AS, address_space, address_space))
    for kind, soft, hard in limits:
        try:
            resource.setrlimit(kind, (soft, hard))
        except ValueError:
            # Not above a hard limit that the surroundings have set already.
            highest = resource.getrlimit(kind)[1]
            resource.setrlimit(kind, (min(soft, highest), highest))


def _open_pidfd(pid: int) -> int | None:
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):
        return None


def _none_in_use() -> int:
    return 1


def _do_nothing() -> None:
    pass
