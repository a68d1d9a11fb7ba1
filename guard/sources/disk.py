"""Files on disk, read so that nothing hangs, nothing is followed and nothing is held in memory but what is asked for.

A name is opened with `O_NOFOLLOW`, so a link is never read through, and with `O_NONBLOCK`, so a FIFO is never
waited for; what was opened is looked at before a byte of it is read.
"""

# ruff: noqa: PTH115 - pathlib cannot hold a name as bytes, and costs more than the call

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from collections.abc import Iterator
from typing import Final

from guard.model import Problem
from guard.sources.paths import encode_path, folders_above
from guard.sources.tree import EXECUTABLE, REGULAR, Reader, SourceFile, Unreadable, too_large, verified

_FLAGS: Final = (
    os.O_RDONLY
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
)
"""Windows has none of the first three, and needs the last."""
_CHUNK: Final = 1024 * 1024
_ATTEMPTS: Final = 3
_CHANGED: Final = "it changed while guard was reading it; run guard again"

_SPECIAL: Final = {
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a character device",
    stat.S_IFBLK: "a block device",
    stat.S_IFDIR: "a folder",
}


class DiskReader(Reader):
    """Reads files below one folder, named by their paths in the tree."""

    def __init__(self, root: str) -> None:
        self._root = os.path.join(os.fsencode(root), b"")
        self._real_folders: set[str] = set()

    def read(self, file: SourceFile, limit: int | None = None) -> bytes:
        """The bytes of the file or, for a link, its target. Raises `Unreadable`."""
        self._refuse_links_above(file.path)
        name = self._root + encode_path(file.path)
        content = read_link(name, file.path) if file.is_link else read_regular(name, file.path, limit)
        return verified(file, content, _CHANGED)

    def _refuse_links_above(self, path: str) -> None:
        """Raise `Unreadable` when a folder above was replaced since the tree was listed."""
        for folder in folders_above(path):
            if folder in self._real_folders:
                continue
            try:
                mode = os.lstat(self._root + encode_path(folder)).st_mode
            except OSError as error:
                raise unreadable(path, error) from error
            if not stat.S_ISDIR(mode):
                raise Unreadable(Problem(path, "unreadable", _CHANGED))
            self._real_folders.add(folder)


def read_regular(name: bytes, path: str, limit: int | None = None) -> bytes:
    """The bytes of the regular file `name`. Raises `Unreadable`, with `path` in it."""
    with _opened(name, path) as (descriptor, status):
        if limit is not None and status.st_size > limit:
            raise too_large(path, status.st_size, limit)
        chunks = []
        total = 0
        wanted = status.st_size + 1
        while chunk := os.read(descriptor, wanted):
            total += len(chunk)
            if limit is not None and total > limit:
                raise too_large(path, total, limit)
            chunks.append(chunk)
            wanted = _CHUNK
    return b"".join(chunks)


def read_link(name: bytes, path: str) -> bytes:
    """The target of the symbolic link `name`, as it is written there. Raises `Unreadable`, with `path` in it."""
    try:
        return os.readlink(name)
    except OSError as error:
        raise unreadable(path, error) from error


def identify_regular(name: bytes, path: str, algorithm: str) -> SourceFile:
    """The regular file `name` with the id of its bytes, which are never held all at once.

    Raises `Unreadable`, with `path` in it; also for a file that changes at every look.
    """
    for _ in range(_ATTEMPTS):
        with _opened(name, path) as (descriptor, status):
            size = status.st_size
            digest = hashlib.new(algorithm, b"blob %d\0" % size, usedforsecurity=False)
            total = 0
            while total <= size and (chunk := os.read(descriptor, min(size + 1, _CHUNK))):
                digest.update(chunk)
                total += len(chunk)
        if total == size:
            return SourceFile(path, disk_mode(status.st_mode), digest.hexdigest())
    raise Unreadable(Problem(path, "unreadable", _CHANGED))


def disk_mode(mode: int) -> int:
    """The mode that git would record for a regular file."""
    return EXECUTABLE if mode & stat.S_IXUSR else REGULAR


def special_problem(path: str, mode: int) -> Problem:
    """What is said of a name that is neither a file, nor a folder, nor a link."""
    return Problem(path, "special-file", f"{_called(mode)}, not a regular file: not read")


def _called(mode: int) -> str:
    return _SPECIAL.get(stat.S_IFMT(mode), "something else")


def unreadable(path: str, error: OSError) -> Unreadable:
    """The error for what the operating system does not give."""
    return Unreadable(Problem(path, "unreadable", error.strerror or type(error).__name__))


@contextlib.contextmanager
def _opened(name: bytes, path: str) -> Iterator[tuple[int, os.stat_result]]:
    try:
        descriptor = os.open(name, _FLAGS)
    except OSError as error:
        raise unreadable(path, error) from error
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise Unreadable(Problem(path, "unreadable", f"{_called(status.st_mode)}, not a regular file"))
        yield descriptor, status
    except OSError as error:
        raise unreadable(path, error) from error
    finally:
        os.close(descriptor)
