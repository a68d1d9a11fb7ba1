"""One pytest process: started, listened to, and ended whatever it does."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final

import msgspec

from guard.runner.plugin_watch import Ended, Event, Hung, Only, Started

GRACE_S: Final = 5.0
"""What a test is given to end after it was stopped, before its process is ended."""
_POLL_S: Final = 0.03
_LATE_S: Final = 3.0
_TAIL: Final = 20_000
_DROPPED: Final = ("PYTEST_ADDOPTS", "PYTEST_CURRENT_TEST", "PYTEST_XDIST_WORKER", "PYTEST_XDIST_WORKER_COUNT")
_EVENTS: msgspec.json.Decoder[Event] = msgspec.json.Decoder(Event)


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What one pytest process is to do."""

    root: Path
    paths: tuple[str, ...]
    """Files and folders."""
    markers: str = ""
    only: tuple[str, ...] | None = None
    """Node ids; None for all that the paths hold."""
    skip: tuple[str, ...] = ()
    env: Mapping[str, str] = {}
    """The whole environment."""
    real: bool = False
    workers: int = 1
    fail_fast: bool = False
    test_timeout_s: float = 0
    """0 for none."""
    grace_s: float = msgspec.field(default_factory=lambda: GRACE_S)
    collect_only: bool = False
    keep: Path | None = None
    """The folder that the events are written into, where they are to outlive this process."""


class Pytest:
    """A running pytest; a context that does not end before the process and its children have."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self.running: dict[str, Started] = {}
        """Tests that have begun and not ended."""
        self.hung: dict[str, Hung] = {}
        self.stuck: set[str] = set()
        """Tests whose process had to be ended from outside."""
        self.status: int | None = None
        """The exit status, once it has ended."""

    def __enter__(self) -> Pytest:
        self._scratch = tempfile.TemporaryDirectory(prefix="guard-loop-")
        folder = Path(self._scratch.name)
        self._events, self._output = folder / "events", folder / "output"
        if self._request.keep is not None:
            self._request.keep.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._events = self._request.keep / f"{time.time_ns()}.events"
        (folder / "only").write_bytes(
            msgspec.json.encode(
                Only(None if self._request.only is None else list(self._request.only), list(self._request.skip))
            )
        )
        self._reading, self._lifeline = os.pipe()
        with self._output.open("wb") as output:
            self._process = subprocess.Popen(
                self._arguments(folder),
                cwd=self._request.root,
                env=self._environment(folder),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=(self._reading,),
            )
        os.close(self._reading)
        self._read = 0
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        os.close(self._lifeline)
        self._scratch.cleanup()

    def _arguments(self, folder: Path) -> list[str]:
        request = self._request
        arguments = [sys.executable, "-m", "pytest", f"--rootdir={request.root}", "-o", f"cache_dir={folder / 'cache'}"]
        arguments += ["-n", str(request.workers) if request.workers > 1 and not request.collect_only else "0"]
        arguments += ["-m", request.markers] if request.markers else []
        arguments += ["-x"] if request.fail_fast else ["--continue-on-collection-errors"]
        arguments += ["--collect-only", "-q"] if request.collect_only else []
        return [*arguments, *(f"./{path}" if path.startswith("-") else path for path in request.paths)]

    def _environment(self, folder: Path) -> dict[str, str]:
        request = self._request
        env = {name: value for name, value in request.env.items() if name not in _DROPPED}
        env["GUARD_LOOP_EVENTS"] = str(self._events)
        env["GUARD_LOOP_ONLY"] = str(folder / "only")
        env["GUARD_LOOP_LIFELINE"] = str(self._reading)
        env["GUARD_LOOP_REAL"] = "1" if request.real else "0"
        if request.test_timeout_s:
            env["GUARD_LOOP_TIMEOUT"] = str(request.test_timeout_s)
            env["GUARD_LOOP_GRACE"] = str(request.grace_s)
        return env

    def events(self, deadline: float, stop: Callable[[], bool]) -> Iterator[Event]:
        """What happens, as it happens, until the process ends, the deadline (of `time.monotonic`) has passed, or `stop`
        says so; in the latter two cases the process is ended."""
        while True:
            ended = self._wait()
            yield from self._new_events()
            if ended:
                return
            if time.monotonic() > deadline or stop() or self._is_stuck():
                self.kill()
                yield from self._new_events()
                return

    def _wait(self) -> bool:
        try:
            self.status = self._process.wait(_POLL_S)
        except subprocess.TimeoutExpired:
            return False
        return True

    def _is_stuck(self) -> bool:
        """Whether a test goes on though everything was tried from inside."""
        limit = self._request.test_timeout_s + self._request.grace_s + _LATE_S
        now = time.time()
        if not self._request.test_timeout_s:
            return False
        for test in self.running.values():
            if test.id in self.stuck or now - test.at <= limit:
                continue
            self.stuck.add(test.id)
            if test.pid == self._process.pid:
                return True
            with contextlib.suppress(ProcessLookupError):  # a worker of xdist's, which starts another one
                os.kill(test.pid, signal.SIGKILL)
        return False

    def _new_events(self) -> Iterator[Event]:
        try:
            with self._events.open("rb") as file:
                file.seek(self._read)
                data = file.read()
        except FileNotFoundError:
            return
        whole = data[: data.rfind(b"\n") + 1]
        self._read += len(whole)
        for line in whole.splitlines():
            event = _EVENTS.decode(line)
            if isinstance(event, Started):
                self.running[event.id] = event
            elif isinstance(event, Hung):
                self.hung[event.id] = event
            elif isinstance(event, Ended):
                self.running.pop(event.id, None)
            yield event

    def kill(self) -> None:
        """End the process and all that it started; nothing happens where it has ended."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self.status = self._process.wait()

    def output(self) -> str:
        """The end of what it printed."""
        return self._output.read_bytes()[-_TAIL:].decode("utf-8", "replace")

    def last_words(self, test: Started) -> str:
        """The stacks that `faulthandler` wrote when it ended the process of a test; empty where it did not."""
        path = Path(f"{self._events}.{test.pid}")
        return path.read_text("utf-8", "replace")[-_TAIL:] if path.exists() else ""


def kept_events(folder: Path) -> Iterator[Event]:
    """What earlier processes told of, in order; a line that was not written to its end is left out."""
    for path in sorted(folder.glob("*.events")):
        data = path.read_bytes()
        yield from map(_EVENTS.decode, data[: data.rfind(b"\n") + 1].splitlines())


def missing_of(collected: Sequence[str], *done: Collection[str]) -> tuple[str, ...]:
    """The collected tests that are in none of the others."""
    known: set[str] = set().union(*done)
    return tuple(one for one in collected if one not in known)
