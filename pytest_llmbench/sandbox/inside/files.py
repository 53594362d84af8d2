"""The files of a box: written, read, counted and removed without following a link.

All of it happens while no program of the box runs, so what was looked at stays what it was.
"""

# No pathlib in here: importing it would lengthen the start of every box.
# ruff: noqa: PTH101, PTH106, PTH208

from __future__ import annotations

import os
import stat

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
_DEEPEST = 64
"""Folders nested deeper are not searched, nor their sizes summed up."""


def write_file(root: str, path: str, data: bytes) -> None:
    """Write a file beneath `root`, replacing whatever stands in its way."""
    *folders, name = path.split("/")
    here = os.open(root, _FOLDER)
    try:
        for folder in folders:
            below = _enter_or_make(here, folder)
            os.close(here)
            here = below
        _clear(here, name)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        fd = os.open(name, flags, 0o644, dir_fd=here)
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(fd, rest) :]
        finally:
            os.close(fd)
    finally:
        os.close(here)


def read_file(root: str, path: str, max_bytes: int) -> bytes:
    """Read a regular file beneath `root`.

    Raises FileNotFoundError, or OSError where it is no regular file, lies behind a link or
    holds more than `max_bytes`.
    """
    *folders, name = path.split("/")
    here = os.open(root, _FOLDER)
    try:
        for folder in folders:
            below = os.open(folder, _FOLDER, dir_fd=here)
            os.close(here)
            here = below
        fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=here)
    finally:
        os.close(here)
    try:
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode):
            raise OSError("it is no regular file")
        if found.st_size > max_bytes:
            raise OSError(f"it holds {found.st_size} bytes, more than the {max_bytes} to be read")
        return _read_all(fd, max_bytes)
    finally:
        os.close(fd)


def list_files(root: str, most: int) -> list[str]:
    """The regular files beneath `root`, sorted; at most `most`, none behind a link."""
    found: list[str] = []
    fd = os.open(root, _FOLDER)
    try:
        _list(fd, "", 0, found, most)
    finally:
        os.close(fd)
    return sorted(found)


def measure(root: str) -> tuple[int, int]:
    """Bytes on disk, and the number of files and folders, beneath `root`."""
    fd = os.open(root, _FOLDER)
    try:
        return _measure(fd, 0)
    finally:
        os.close(fd)


def measure_mounts(mounts: list[str]) -> tuple[int, int]:
    """Bytes, and the number of files and folders, on file systems that hold nothing else."""
    used_bytes = used_files = 0
    for mount in mounts:
        state = os.statvfs(mount)
        used_bytes += (state.f_blocks - state.f_bfree) * state.f_frsize
        used_files += max(0, state.f_files - state.f_ffree - 1)
    return used_bytes, used_files


def remove_tree(path: str) -> None:
    """Remove a folder, however deep, closed or odd its content; no error when it is gone."""
    try:
        os.chmod(path, 0o700)
        fd = os.open(path, _FOLDER)
    except FileNotFoundError:
        return
    try:
        empty_folder(fd)
    finally:
        os.close(fd)
    os.rmdir(path)


def empty_folder(fd: int) -> None:
    """Remove all that an open folder holds.

    Folders are moved up to this one before they are emptied, so that no depth is too deep.
    """
    moved = 0
    while True:
        names = os.listdir(fd)
        if not names:
            return
        for name in names:
            if not _is_folder(fd, name):
                os.unlink(name, dir_fd=fd)
                continue
            below = _open_folder(fd, name)
            try:
                for inner in os.listdir(below):
                    if not _is_folder(below, inner):
                        os.unlink(inner, dir_fd=below)
                        continue
                    moved = _move_up(below, inner, fd, moved)
            finally:
                os.close(below)
            os.rmdir(name, dir_fd=fd)


def _move_up(below: int, name: str, above: int, moved: int) -> int:
    """Move a folder one level up under a free name; the number that made it so."""
    # A folder that cannot be written to cannot be moved: its `..` would have to change.
    os.close(_open_folder(below, name))
    while True:
        moved += 1
        try:
            os.stat(f".moved-{moved}", dir_fd=above, follow_symlinks=False)
        except FileNotFoundError:
            os.rename(name, f".moved-{moved}", src_dir_fd=below, dst_dir_fd=above)
            return moved


def _open_folder(parent: int, name: str) -> int:
    """Open a folder, for changes too, that its owner may have closed against himself."""
    os.chmod(name, 0o700, dir_fd=parent)
    return os.open(name, _FOLDER, dir_fd=parent)


def _is_folder(parent: int, name: str) -> bool:
    return stat.S_ISDIR(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode)


def _enter_or_make(parent: int, name: str) -> int:
    try:
        if _is_folder(parent, name):
            return _enter(parent, name)
        os.unlink(name, dir_fd=parent)
    except FileNotFoundError:
        pass
    os.mkdir(name, 0o755, dir_fd=parent)
    return os.open(name, _FOLDER, dir_fd=parent)


def _enter(parent: int, name: str) -> int:
    mode = os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode
    if mode & stat.S_IRWXU != stat.S_IRWXU:
        return _open_folder(parent, name)
    return os.open(name, _FOLDER, dir_fd=parent)


def _clear(parent: int, name: str) -> None:
    try:
        is_folder = _is_folder(parent, name)
    except FileNotFoundError:
        return
    if not is_folder:
        os.unlink(name, dir_fd=parent)
        return
    fd = _open_folder(parent, name)
    try:
        empty_folder(fd)
    finally:
        os.close(fd)
    os.rmdir(name, dir_fd=parent)


def _read_all(fd: int, max_bytes: int) -> bytes:
    pieces = []
    left = max_bytes
    while left:
        piece = os.read(fd, min(left, 1 << 20))
        if not piece:
            break
        pieces.append(piece)
        left -= len(piece)
    return b"".join(pieces)


def _list(fd: int, prefix: str, depth: int, found: list[str], most: int) -> None:
    with os.scandir(fd) as entries:
        for entry in entries:
            if len(found) >= most:
                return
            if entry.is_file(follow_symlinks=False):
                found.append(prefix + entry.name)
            elif entry.is_dir(follow_symlinks=False) and depth < _DEEPEST:
                try:
                    below = os.open(entry.name, _FOLDER, dir_fd=fd)
                except OSError:
                    continue
                try:
                    _list(below, f"{prefix}{entry.name}/", depth + 1, found, most)
                finally:
                    os.close(below)


def _measure(fd: int, depth: int) -> tuple[int, int]:
    used_bytes = used_files = 0
    with os.scandir(fd) as entries:
        for entry in entries:
            used_files += 1
            try:
                used_bytes += entry.stat(follow_symlinks=False).st_blocks * 512
                if not entry.is_dir(follow_symlinks=False) or depth >= _DEEPEST:
                    continue
                below = os.open(entry.name, _FOLDER, dir_fd=fd)
            except OSError:
                continue
            try:
                inner_bytes, inner_files = _measure(below, depth + 1)
            finally:
                os.close(below)
            used_bytes += inner_bytes
            used_files += inner_files
    return used_bytes, used_files
