"""How it is seen what code does, from outside of it: by `sys.monitoring`, or by a trace function on Python 3.11.

Both tell a `Sink` of the same. A trace function is called for every call of every function, whoever's it is, and makes
a test slower by a third; `sys.monitoring` calls where something is raised, and once for each function that is called.
"""

from __future__ import annotations

import dis
import sys
import threading
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Any, Final, Protocol

OTHERS, PROJECT, MOCK, MONKEYPATCH = range(4)
"""Whose a file is: nobody's that matters, the project's own, `unittest.mock`'s, pytest's `monkeypatch`."""

_RETURNS: Final = frozenset(dis.opmap[name] for name in ("RETURN_VALUE", "RETURN_CONST") if name in dis.opmap)
_YIELDS: Final = frozenset(
    dis.opmap[name]
    for name in ("YIELD_VALUE", "SEND", "RETURN_GENERATOR", "ASYNC_GEN_WRAP", "RESUME")  # the last one on Python 3.13
    if name in dis.opmap
)
_IDS: Final = (4, 3)
"""Of tools; `sys.monitoring` gives names to 0, 1, 2 and 5, and leaves these to whoever comes first."""
_Trace = Callable[[FrameType, str, Any], Any]


class Sink(Protocol):
    """Who is told."""

    def kind(self, name: str) -> int:
        """Whose a file is."""

    def called(self, frame: FrameType, kind: int) -> None:
        """A function of `MOCK` or `MONKEYPATCH` begins."""

    def raised(self, frame: FrameType, error: BaseException) -> bool:
        """An exception is raised in a function of the project, or comes through it from one that it called. Gives
        whether it matters how that function ends."""

    def ended(self, frame: FrameType, *, returned: bool) -> None:
        """A function of the project ends in which something was raised that matters, or another run of it."""


class Observer(Protocol):
    """What sees it."""

    def start(self) -> bool:
        """Look on, until `stop`. False, and nothing is seen, where that cannot be: somebody else looks on already."""

    def stop(self) -> None:
        """The thread's code is not looked at any more."""

    def close(self) -> None:
        """No more tests."""


def observer(sink: Sink) -> Observer:
    """The best that this Python has."""
    if sys.version_info >= (3, 12):
        return _Monitor(sink)
    return _Tracer(sink)


class _Tracer:
    """By a trace function. Where there is one already (a debugger, or coverage), it stands back."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._files: dict[str, int] = {}
        self._pending: set[int] = set()

    def start(self) -> bool:
        if sys.gettrace() is not None:
            return False
        threading.settrace(self._call)
        sys.settrace(self._call)
        return True

    def stop(self) -> None:
        sys.settrace(None)
        threading.settrace(None)

    def close(self) -> None:
        return

    def _call(self, frame: FrameType, _event: str, _arg: object) -> _Trace | None:
        name = frame.f_code.co_filename
        kind = self._files.get(name)
        if kind is None:
            kind = self._files[name] = self._sink.kind(name)
        if kind == OTHERS:
            return None
        if kind == PROJECT:
            frame.f_trace_lines = False
            return self._within
        self._sink.called(frame, kind)
        return None

    def _within(self, frame: FrameType, event: str, arg: Any) -> _Trace:
        if event == "exception":
            if self._sink.raised(frame, arg[1]):
                self._pending.add(id(frame))
        elif event == "return" and id(frame) in self._pending:
            # A function that is left by an exception gives this event too; only where it stands tells them apart.
            operation = frame.f_code.co_code[frame.f_lasti]
            if operation not in _YIELDS:
                self._pending.discard(id(frame))
                self._sink.ended(frame, returned=operation in _RETURNS)
        return self._within


if sys.version_info >= (3, 12):
    _EVENTS: Final = sys.monitoring.events

    class _Monitor:
        """By `sys.monitoring`, which others may use beside it. Where no tool may be added any more, by a trace."""

        def __init__(self, sink: Sink) -> None:
            self._sink = sink
            self._files: dict[str, int] = {}
            self._depth = 0
            self._main = threading.get_ident()
            self._tool: int | None = None
            self._tracer: _Tracer | None = None
            self._followed: set[CodeType] = set()

        def start(self) -> bool:
            if self._tool is None and self._tracer is None:
                self._tool = self._registered()
                if self._tool is None:
                    self._tracer = _Tracer(self._sink)
            if self._tracer is not None:
                return self._tracer.start()
            self._depth += 1
            return True

        def stop(self) -> None:
            if self._tracer is not None:
                self._tracer.stop()
            else:
                self._depth -= 1

        def close(self) -> None:
            if self._tool is not None:
                sys.monitoring.set_events(self._tool, 0)
                for code in self._followed:
                    sys.monitoring.set_local_events(self._tool, code, 0)
                sys.monitoring.free_tool_id(self._tool)
                self._tool = None

        def _registered(self) -> int | None:
            tool = next((one for one in _IDS if sys.monitoring.get_tool(one) is None), None)
            if tool is None:
                return None
            sys.monitoring.use_tool_id(tool, "guard-loop")
            for event, told in (
                (_EVENTS.PY_START, self._started),
                (_EVENTS.RAISE, self._raised),
                (_EVENTS.PY_RETURN, self._returned),
                (_EVENTS.PY_UNWIND, self._unwound),
            ):
                sys.monitoring.register_callback(tool, event, told)
            sys.monitoring.set_events(tool, _EVENTS.PY_START | _EVENTS.RAISE | _EVENTS.PY_UNWIND)
            return tool

        def _looks(self) -> bool:
            """Whether this thread is looked at: the tests' own between `start` and `stop`, others always."""
            return self._depth > 0 or threading.get_ident() != self._main

        def _kind(self, code: CodeType) -> int:
            name = code.co_filename
            kind = self._files.get(name)
            if kind is None:
                kind = self._files[name] = self._sink.kind(name)
            return kind

        def _started(self, code: CodeType, _offset: int) -> object:
            kind = self._kind(code)
            if kind not in (MOCK, MONKEYPATCH):
                return sys.monitoring.DISABLE
            if self._looks():
                self._sink.called(sys._getframe(1), kind)
            return None

        def _raised(self, code: CodeType, _offset: int, error: BaseException) -> object:
            if self._kind(code) == PROJECT and self._looks() and self._sink.raised(sys._getframe(1), error):
                self._follow(code)
            return None

        def _follow(self, code: CodeType) -> None:
            """Be told of returns from a function, the run of it that is going on among them."""
            if code not in self._followed and self._tool is not None:
                self._followed.add(code)
                sys.monitoring.set_local_events(self._tool, code, _EVENTS.PY_RETURN)

        def _returned(self, _code: CodeType, _offset: int, _value: object) -> object:
            self._sink.ended(sys._getframe(1), returned=True)
            return None

        def _unwound(self, code: CodeType, _offset: int, _error: BaseException) -> object:
            if code in self._followed:
                self._sink.ended(sys._getframe(1), returned=False)
            return None
