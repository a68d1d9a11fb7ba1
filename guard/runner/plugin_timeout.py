"""Stopping a test that hangs, with the stacks of its threads and tasks as evidence.

Three steps: after the test's timeout its stacks are told of and an exception is raised in it; a moment later again, as
it may have been caught; and after a grace `faulthandler`, which needs nothing of Python, ends the process.
"""

from __future__ import annotations

import contextlib
import faulthandler
import io
import linecache
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING, Final, TextIO

from _pytest.outcomes import Failed

if TYPE_CHECKING:
    import asyncio

_TICK_S: Final = 0.5
"""Between two looks at the clock, and between two attempts to stop a test."""
_MOST: Final = 100
"""Tasks whose stacks are shown."""
_DEEPEST: Final = 40
"""Frames of one stack that are shown."""


class Stopped(Failed):
    """Raised in a test that ran for too long."""


class Watchdog:
    """Stops tests. `told` is called from another thread with the stacks, once for each test that hangs.

    The thread looks at a clock several times a second, so that a test costs no more than setting it.
    """

    def __init__(self, limit: float, grace: float, last_words: TextIO, told: Callable[[str], None]) -> None:
        self.interruptible = False
        """Whether an exception may be raised now: while the test or its set-up runs, neither in pytest itself nor in
        a tear-down, which would leave fixtures half undone for the next test. One that hangs there is ended with its
        process."""
        self._limit = self._own = limit
        self._grace = grace
        self._last_words = last_words
        self._told = told
        self._armed = 0
        self._done = 0
        self._since = 0.0
        self._stopping = 0
        self._signal = getattr(signal, "SIGUSR2", None)
        threading.Thread(target=self._watch, name="guard-loop-watchdog", daemon=True).start()

    def arm(self) -> None:
        """A test begins."""
        if self._signal is not None:
            signal.signal(self._signal, self._raise)
        if not self._armed:
            self._last_resort(self._limit)
        self._since = time.monotonic()
        self._own = self._limit
        self._armed += 1

    def shorten(self, limit: float) -> None:
        """The test that runs has so many seconds from now on, if that is less than it has anyway."""
        self._own = min(self._own, time.monotonic() - self._since + limit)

    def disarm(self) -> None:
        """It has ended."""
        self._done = self._armed

    def close(self) -> None:
        """No more tests."""
        self._last_words.close()

    def _raise(self, _signal: int, _frame: object) -> None:
        if self.interruptible and self._done != self._armed and self._stopping == self._armed:
            raise Stopped(f"stopped after its timeout of {self._own:.3g} s")

    def _watch(self) -> None:
        while not self._last_words.closed:
            time.sleep(_TICK_S if self._stopping == self._armed else min(max(self._limit / 20, 0.02), _TICK_S))
            test, since = self._armed, self._since
            if not test:
                continue
            if test == self._done:  # the next one may begin at once
                self._last_resort(self._limit + _TICK_S)
                continue
            if self._stopping == test:
                self._interrupt()
                continue
            left = self._own - (time.monotonic() - since)
            self._last_resort(max(left, 0))
            if left <= 0:
                self._stopping = test
                self._told(stacks())
                self._interrupt()
        faulthandler.cancel_dump_traceback_later()

    def _last_resort(self, left: float) -> None:
        """End the process where nobody says otherwise in time. Set anew with every look, so it comes to that only where
        nobody can look any more, as something holds the interpreter; or where a test does not end after it was stopped.
        """
        with contextlib.suppress(ValueError):  # closed meanwhile
            faulthandler.dump_traceback_later(left + self._grace, exit=True, file=self._last_words)

    def _interrupt(self) -> None:
        main = threading.main_thread().ident
        if self._signal is not None and main is not None:
            signal.pthread_kill(main, self._signal)


def stacks() -> str:
    """The stacks of all threads but guard's own, and of the tasks of every event loop that runs."""
    text = io.StringIO()
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    loops: list[asyncio.AbstractEventLoop] = []
    for ident, innermost in sorted(sys._current_frames().items()):
        name = names.get(ident, "?")
        if name.startswith("guard-loop-"):
            continue
        frames = [frame for frame, _ in traceback.walk_stack(innermost)]
        loops += [frame.f_locals["self"] for frame in frames if frame.f_code.co_name == "run_forever"]
        text.write(f"Thread {name} (innermost last):\n")
        _write(text, _of_the_test(frames[::-1]))
    for loop in loops:
        for task in sorted(_tasks(loop), key=lambda task: task.get_name())[:_MOST]:
            coroutine = task.get_coro()
            text.write(f"Task {task.get_name()}, {getattr(coroutine, '__qualname__', '?')} (innermost last):\n")
            _write(text, _awaited(coroutine))
    return text.getvalue()


def _of_the_test(frames: list[FrameType]) -> list[FrameType]:
    """Without pytest's own frames, which call the test."""
    last = max((at for at, frame in enumerate(frames) if "/_pytest/" in frame.f_code.co_filename), default=-1)
    return frames[last + 1 :] or frames


def _tasks(loop: asyncio.AbstractEventLoop) -> set[asyncio.Task[object]]:
    import asyncio  # a part of every start that tests without a loop need not pay

    for _ in range(10):
        with contextlib.suppress(RuntimeError):  # the loop changes them meanwhile
            return {task for task in asyncio.all_tasks(loop) if not task.done()}
    return set()


def _awaited(coroutine: object) -> list[FrameType]:
    """The frames of a coroutine and of what it waits for, the innermost last."""
    frames: list[FrameType] = []
    while coroutine is not None and len(frames) < _DEEPEST:
        frame = getattr(coroutine, "cr_frame", None) or getattr(coroutine, "gi_frame", None)
        if not isinstance(frame, FrameType):
            break
        frames.append(frame)
        coroutine = getattr(coroutine, "cr_await", None) or getattr(coroutine, "gi_yieldfrom", None)
    return frames


def _write(text: TextIO, frames: list[FrameType]) -> None:
    if len(frames) > _DEEPEST:
        text.write(f"  … {len(frames) - _DEEPEST} more above\n")
    for frame in frames[-_DEEPEST:]:
        code = frame.f_code
        text.write(f'  File "{code.co_filename}", line {frame.f_lineno}, in {code.co_name}\n')
        line = linecache.getline(code.co_filename, frame.f_lineno).strip()
        if line:
            text.write(f"    {line}\n")
