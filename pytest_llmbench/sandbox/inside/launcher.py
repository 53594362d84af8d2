"""The process from which all boxes of one pytest process are started.

It lives as long as pytest does, has one thread, a clean environment and no secret in its memory,
so that "die with your parent" means what it says, and boxes are forked from something small.
When pytest ends, however it ends, the launcher ends every box and removes its folder.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import tempfile
import time

from . import confinement, files, frames, kernel, server, tree

_LARGEST_MESSAGE = 1 << 17
_MOST_DESCRIPTORS = 8
_ENDING_S = 5.0


class Launcher:
    """Starts boxes for the process at the other end of a socket."""

    def __init__(self, requests: socket.socket, parent: int) -> None:
        self._requests = requests
        self._folders: dict[int, str] = {}
        self._parent_pidfd = _watch_process(parent)

    def work(self) -> None:
        """Answer until the other side is gone, then clean up."""
        poller = select.poll()
        poller.register(self._requests, select.POLLIN)
        if self._parent_pidfd is not None:
            poller.register(self._parent_pidfd, select.POLLIN)
        try:
            while True:
                ready = [fd for fd, _ in poller.poll()]
                if self._parent_pidfd in ready:
                    return
                message, descriptors, _, _ = socket.recv_fds(
                    self._requests, _LARGEST_MESSAGE, _MOST_DESCRIPTORS
                )
                if not message:
                    return
                self._requests.sendall(frames.pack(self._answer(message, descriptors)))
                for fd in descriptors:
                    os.close(fd)
        finally:
            self._end_everything()

    def _answer(self, message: bytes, descriptors: list[int]) -> list[bytes]:
        verb, *arguments = frames.unpack(message[4:])
        try:
            if verb == b"fork":
                pid, folder = self._fork_box(server.parse_plan(arguments), descriptors)
                return [b"started", str(pid).encode(), os.fsencode(folder)]
            if verb == b"exec":
                return [b"started", str(self._execute(arguments, descriptors)).encode(), b""]
            self._end(int(arguments[0]))
        except OSError as error:
            return [b"failed", os.fsencode(str(error))]
        return [b"ended"]

    def _fork_box(self, plan: dict[bytes, bytes], descriptors: list[int]) -> tuple[int, str]:
        folder = tempfile.mkdtemp(prefix="llmbench-", dir=os.fsdecode(plan[b"parent"]))
        pid = os.fork()
        if pid:
            self._folders[pid] = folder
            return pid, folder
        try:
            _take_streams(descriptors)
            confinement.serve_box(plan, folder)
            os._exit(0)
        except OSError as error:
            os.write(2, os.fsencode(f"{error}\n"))
        finally:
            os._exit(1)

    def _execute(self, argv: list[bytes], descriptors: list[int]) -> int:
        pid = os.fork()
        if pid:
            self._folders[pid] = ""
            return pid
        try:
            _take_streams(descriptors)
            os.execv(argv[0], argv)  # noqa: S606 - no shell is what is wanted
        except OSError as error:
            os.write(2, os.fsencode(f"{error}\n"))
        finally:
            os._exit(1)

    def _end(self, pid: int) -> None:
        """Wait for a box whose pipes were closed; kill it when it does not end by itself."""
        folder = self._folders.pop(pid)
        give_up = time.monotonic() + _ENDING_S
        while os.waitpid(pid, os.WNOHANG)[0] == 0:
            if time.monotonic() > give_up:
                os.kill(pid, signal.SIGKILL)
            time.sleep(0.0005)
        self._end_strays()
        if folder:
            files.remove_tree(folder)

    def _end_strays(self) -> None:
        """End what a server that was killed itself has left to be adopted here."""
        for pid in set(tree.children(os.getpid())) - set(self._folders):
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)

    def _end_everything(self) -> None:
        tree.kill_all(tree.Descendants())
        for folder in self._folders.values():
            if folder:
                files.remove_tree(folder)


def main() -> None:
    """Serve the socket that is stdin, for the parent process."""
    os.setsid()
    os.umask(0o022)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    kernel.adopt_orphans()
    requests = socket.socket(fileno=os.dup(0))
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.close(null)
    Launcher(requests, os.getppid()).work()


def _take_streams(descriptors: list[int]) -> None:
    """Number the received descriptors from 0 and close all others."""
    above = 1 << 8
    for place, fd in enumerate(descriptors):
        os.dup2(fd, above + place)
    for place in range(len(descriptors)):
        os.dup2(above + place, place)
    os.closerange(len(descriptors), 1 << 10)


def _watch_process(pid: int) -> int | None:
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):
        # The end of the socket has to do.
        return None
