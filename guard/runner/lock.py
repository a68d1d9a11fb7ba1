"""One session at a time on a target.

A lock of the operating system, which ends with the process that holds it, however it ends: nobody can hold one after
death, and a process id that is used again means nothing. The file beside it says who holds it, for whoever is refused;
it is never what decides.
"""

from __future__ import annotations

import fcntl
import os
import re
import socket
import time
from hashlib import sha256
from pathlib import Path
from typing import Final

import msgspec

from guard.cache import default_path
from guard.files import replace_file
from guard.model import EnvironmentFailed, GuardError
from guard.runner.plan import Plan

_LOCAL: Final = re.compile(r"https?://(localhost|127\.[\d.]+|\[::1\])(:|/|$)", re.IGNORECASE)


class Holder(msgspec.Struct, frozen=True, kw_only=True):
    """Who holds a target, or held it last."""

    pid: int
    host: str
    session: str
    since: float
    root: str


class TargetLock:
    """The lock on one target, held until `close`. A context manager."""

    def __init__(self, place: Path, root: Path) -> None:
        """Take the lock at `place`. Raises GuardError with exit code 4, at once, where another process holds it."""
        self._note = place.with_suffix(".json")
        self._root = root
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(place, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise EnvironmentFailed(f"{place}: cannot be opened: {error.strerror or error}") from error
        self.before = _read(self._note)
        """Who held it last, and did not let go of it well; None where all is well."""
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._file)
            raise GuardError(_refusal(_read(self._note)), 4) from error

    def hold(self, session: str) -> None:
        """Say for which session it is held."""
        holder = Holder(
            pid=os.getpid(), host=socket.gethostname(), session=session, since=time.time(), root=str(self._root)
        )
        replace_file(self._note, msgspec.json.encode(holder), 0o600)

    def close(self) -> None:
        """Let go."""
        self._note.unlink(missing_ok=True)
        os.close(self._file)

    def __enter__(self) -> TargetLock:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def place_of(plan: Plan, folder: Path) -> Path:
    """The file that is locked for a plan's target: below `folder` where the target is this repository's own, and among
    the user's caches where it is a service that other clones on this machine deploy to as well."""
    target, url = plan.target, plan.target.base_url
    name = re.sub(r"[^\w.-]+", "-", target.name)[:60]
    if plan.deploy.kind == "local" or _LOCAL.match(url):
        return folder / "locks" / f"{name}-{_digest(target.name)}.lock"
    identity = "\0".join(
        (plan.deploy.kind, target.name, url, plan.deploy.project, plan.deploy.service, plan.deploy.context)
    )
    return default_path().parent / "targets" / f"{name}-{_digest(identity)}.lock"


def _digest(text: str) -> str:
    return sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:12]


def _read(note: Path) -> Holder | None:
    try:
        return msgspec.json.decode(note.read_bytes(), type=Holder)
    except (OSError, msgspec.DecodeError):
        return None


def _refusal(holder: Holder | None) -> str:
    if holder is None:
        return "another session has just begun on this target; wait for its end, or run on another target"
    since = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(holder.since))
    return (
        f"session {holder.session} holds this target since {since} (process {holder.pid} on {holder.host}, "
        f"in {holder.root}); wait for its end, or end that process"
    )
