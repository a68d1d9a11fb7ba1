"""Writing files so that nobody ever sees half of one."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from pathlib import Path
from typing import Final

PREFIX: Final = ".guard-"
"""What the name of a file begins with that is being written."""
_UNFINISHED: Final = re.compile(r"(?:.*/)?\.guard-[a-z0-9_]{8}", re.DOTALL)


def is_unfinished(path: str) -> bool:
    """Whether a file is one of `replace_file`, by its name: one that is being written, or was when guard was killed."""
    return PREFIX in path and _UNFINISHED.fullmatch(path) is not None


def replace_file(target: Path, content: bytes, mode: int | None = None) -> None:
    """Write `content` beside `target`, then put it in its place, with `mode` or what the umask gives a new file. What a
    killed guard has left beside it goes.

    Raises OSError; then the file is as it was.
    """
    if mode is None:
        mask = os.umask(0)
        os.umask(mask)
        mode = 0o666 & ~mask
    _remove_unfinished(target.parent)
    handle, name = _open_new(target.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            temporary.chmod(mode)
            if os.name != "nt":
                temporary.replace(target)
        if os.name == "nt":
            temporary.replace(target)  # not while it is open
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _open_new(folder: Path) -> tuple[int, str]:
    """A new file, open and locked, and its name. Raises OSError."""
    while True:
        handle, name = tempfile.mkstemp(prefix=PREFIX, dir=folder)
        if _lock(handle) is not False and os.fstat(handle).st_nlink:
            return handle, name
        os.close(handle)  # another guard has taken it for one that was left, before it was locked


def _remove_unfinished(folder: Path) -> None:
    """Remove what killed processes have left: who still writes a file, has it locked."""
    for path in folder.glob(f"{PREFIX}*"):
        if is_unfinished(path.name):
            with contextlib.suppress(OSError):
                handle = os.open(path, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
                try:
                    if _lock(handle):
                        path.unlink()
                finally:
                    os.close(handle)


def _lock(handle: int) -> bool | None:
    """Lock an open file until it is closed; whether it is locked by that; None where there are no such locks."""
    try:
        import fcntl
    except ImportError:
        return None  # on Windows
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True
