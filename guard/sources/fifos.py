"""FIFOs where git expects files. git opens some files by name, and would wait at a FIFO for ever."""

# ruff: noqa: PTH116 - pathlib cannot hold a name as bytes, and costs more than the call

from __future__ import annotations

import os
import select
import stat
from collections.abc import Iterator
from typing import IO, Final, Protocol

from guard.model import EnvironmentFailed

_OPENED: Final = (
    "HEAD",
    "config",
    "config.worktree",
    "commondir",
    "index",
    "info/attributes",
    "info/exclude",
    "info/sparse-checkout",
    "objects/info/alternates",
    "packed-refs",
    "shallow",
)
"""What git opens in its own folder before it looks what it is."""
_IGNORE: Final = b".gitignore"
PATIENCE: Final = 5.0
"""Seconds before anybody looks for a FIFO; a healthy tree of any usual size is listed by then."""
_POLL: Final = 0.05


class Running(Protocol):
    """A command of git that runs."""

    def ends_within(self, seconds: float) -> bool:
        """Wait for at most so long; tells whether it has ended."""


def refuse_special_files(folder: str) -> None:
    """Raise EnvironmentFailed where the repository of `folder` (which has a `.git`, or is a git directory) holds
    something else in place of a file."""
    git_dir = _git_dir(folder)
    for name in _OPENED:
        try:
            mode = os.stat(os.path.join(git_dir, name)).st_mode
        except OSError:
            continue
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            raise EnvironmentFailed(
                f"{os.path.join(git_dir, name)}: not a regular file; git would wait for it for ever"
            )


def _git_dir(folder: str) -> str:
    beside = os.path.join(folder, ".git")
    try:
        if stat.S_ISREG(os.stat(beside).st_mode):
            with open(beside, encoding="utf-8", errors="surrogateescape") as file:
                return os.path.join(folder, file.read(4096).removeprefix("gitdir:").strip())
    except OSError:
        return folder  # a git directory itself
    return beside


def wait_past_fifos(running: Running, root: bytes) -> list[tuple[bytes, int]]:
    """Wait until git has listed what is below `root`, though a FIFO be called `.gitignore` there.

    Gives the names and modes of such FIFOs. git opens them to read; whoever opens them to write lets it go on, and
    closing them at once lets it find nothing in them.
    """
    if running.ends_within(PATIENCE):
        return []
    fifos = list(_fifos(root))
    while not running.ends_within(_POLL if fifos else PATIENCE):
        for name, _ in fifos:
            _release(name)
    return fifos


def refuse_if_stuck(git_dir: str, common_dir: str) -> None:
    """Raise EnvironmentFailed where the repository has something else in place of a file below its objects or refs.

    Asked only of a git that has not answered for a while: a repository may have very many files there.
    """
    for folder in dict.fromkeys((git_dir, common_dir)):
        for name in ("objects", "refs"):
            found = next(_special_files(os.path.join(folder, name)), None)
            if found is not None:
                raise EnvironmentFailed(f"{found}: not a regular file; git would wait for it for ever")


def answers_within(stream: IO[bytes]) -> bool:
    """Whether git begins to answer before anybody looks for what it may wait at. Nothing may be left in the buffer."""
    return bool(select.select([stream], [], [], PATIENCE)[0])


def _special_files(folder: str) -> Iterator[str]:
    waiting = [folder]
    while waiting:
        try:
            entries = list(os.scandir(waiting.pop()))
        except OSError:
            continue
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                waiting.append(entry.path)
            elif not entry.is_file() and not entry.is_dir() and os.path.exists(entry.path):
                yield entry.path


def _release(name: bytes) -> None:
    try:
        os.close(os.open(name, os.O_WRONLY | os.O_NONBLOCK | os.O_NOFOLLOW))
    except OSError:
        return  # nobody waits for this one, or not yet


def _fifos(root: bytes) -> Iterator[tuple[bytes, int]]:
    for folder, _, names in os.walk(root):
        if _IGNORE in names:
            name = os.path.join(folder, _IGNORE)
            try:
                mode = os.lstat(name).st_mode
            except OSError:
                continue
            if stat.S_ISFIFO(mode):
                yield name, mode
