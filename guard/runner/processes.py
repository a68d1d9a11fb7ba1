"""Processes that were started by a session that may be dead: told by their id and a mark among their arguments, so that
an id which is used again is not taken for the process that had it before."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Final

_GRACE_S: Final = 5.0
_TICK_S: Final = 0.02


def is_running(pid: int, mark: str) -> bool:
    """Whether the process `pid` runs, and has `mark` among its arguments. One that has ended and that nobody has asked
    for its status does not run."""
    return bool(mark) and mark in _arguments(pid)


def stop(pid: int, mark: str) -> None:
    """End a process with all of its group, which it leads: politely, then not. Returns when it is gone."""
    for kind in (signal.SIGTERM, signal.SIGKILL):
        if not is_running(pid, mark):
            break
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, kind)
        deadline = time.monotonic() + _GRACE_S
        while (is_running(pid, mark) or _is_ending(pid)) and time.monotonic() < deadline:
            time.sleep(_TICK_S)


def _is_ending(pid: int) -> bool:
    """Whether a process has no memory any more and still holds its files: a port would be taken for a moment."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in ("Z", "X") and not _arguments(pid)


def _arguments(pid: int) -> str:
    if Path("/proc/self/cmdline").exists():
        try:
            return Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""
    done = subprocess.run(["ps", "-ww", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return done.stdout
