"""What the code of a test does that no event of pytest tells: connection errors that it goes on after, and mocks.

A trace function that is told of calls, and of exceptions in the project's own functions; nothing is patched. It is at
work only in tests whose code has something for it to see (`guard.runner.plugin_scan`). Where another one is at work
already (a debugger, or coverage on Python 3.11), it stands back, and sees nothing.
"""

from __future__ import annotations

import ast
import dis
import errno
import socket
import ssl
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType, ModuleType, TracebackType
from typing import Any, Final

from guard.runner.plugin_scan import Scan

_ERRNOS: Final = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ETIMEDOUT, errno.ENETDOWN, errno.EHOSTDOWN})
_ROOTS: Final = {
    "httpx": {"TransportError", "HTTPStatusError"},
    "httpcore": {"NetworkError", "TimeoutException", "ProtocolError"},
    "websockets": {"ConnectionClosed", "InvalidHandshake"},
    "aiohttp": {"ClientConnectionError", "ClientResponseError", "WSServerHandshakeError"},
    "requests": {"ConnectionError", "Timeout", "HTTPError"},
    "urllib3": {"HTTPError"},
    "urllib": {"URLError"},
    "http": {"HTTPException"},
    "websocket": {"WebSocketException"},
}
"""By the package that defines them: what libraries raise where a connection or an answer fails."""
_RETURNS: Final = frozenset(dis.opmap[name] for name in ("RETURN_VALUE", "RETURN_CONST") if name in dis.opmap)
_OTHERS, _PROJECT, _MOCK, _MONKEYPATCH = range(4)

_Trace = Callable[[FrameType, str, Any], Any]


def is_connection_error(error: BaseException, depth: int = 4) -> bool:
    """Whether an exception, or one that it came from, is a failure of a connection."""
    if isinstance(error, ConnectionError | ssl.SSLError | socket.gaierror | TimeoutError):
        return True
    if isinstance(error, OSError) and error.errno in _ERRNOS:
        return True
    for kind in type(error).__mro__:
        if kind.__name__ in _ROOTS.get(kind.__module__.partition(".")[0], ()):
            return True
    came_from = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return came_from is not None and depth > 0 and is_connection_error(came_from, depth - 1)


class Watch:
    """What one test after another does."""

    def __init__(self, root: Path) -> None:
        self.swallowed: list[str] = []
        self.mocked: list[str] = []
        self._root = f"{root}/"
        self._scan = Scan(lambda path: self._kind(path) == _PROJECT)
        self._quiet = False
        self._files: dict[str, int] = {}
        self._pending: dict[int, str] = {}
        self._expecting: dict[str, list[range]] = {}

    def begin(self, modules: frozenset[ModuleType], fixtures: Iterable[str]) -> None:
        """A test begins. `modules` are its own and those that fixtures come from, none where they are not known;
        `fixtures` are the names of all that it uses."""
        mocks = any("mock" in name or name == "monkeypatch" for name in fixtures)
        self._quiet = bool(modules) and not mocks and self._scan.is_quiet(modules)
        self.swallowed, self.mocked = [], []
        self._pending = {}

    def end(self) -> None:
        """It has ended; `swallowed` and `mocked` tell of it."""
        for patch in _started_patches():
            _add(self.mocked, patch)

    @contextmanager
    def tracing(self) -> Iterator[None]:
        """What the project's own code does in here is seen: to be put around fixtures and tests, and no more of pytest
        than must be, since every call costs."""
        if self._quiet or sys.gettrace() is not None:  # somebody else's, or our own around this
            yield
            return
        threading.settrace(self._call)
        sys.settrace(self._call)
        try:
            yield
        finally:
            sys.settrace(None)
            threading.settrace(None)

    def _call(self, frame: FrameType, _event: str, _arg: object) -> _Trace | None:
        name = frame.f_code.co_filename
        kind = self._files.get(name)
        if kind is None:
            kind = self._files[name] = self._kind(name)
        if kind == _OTHERS:
            return None
        if kind == _PROJECT:
            frame.f_trace_lines = False
            return self._within
        self._note(frame, kind)
        return None

    def _kind(self, name: str) -> int:
        for end, kind in (("unittest/mock.py", _MOCK), ("_pytest/monkeypatch.py", _MONKEYPATCH)):
            if name.endswith(end):
                return kind
        installed = "/site-packages/" in name or "/dist-packages/" in name or name.startswith(f"{sys.prefix}/lib/")
        return _PROJECT if name.startswith(self._root) and not installed else _OTHERS

    def _note(self, frame: FrameType, kind: int) -> None:
        called = frame.f_code.co_name
        if kind == _MONKEYPATCH:
            if called == "setattr":
                target, name = frame.f_locals["target"], frame.f_locals["name"]
                _add(self.mocked, target if isinstance(target, str) else f"{_name_of(target)}.{name}")
        elif called == "__enter__" and hasattr(frame.f_locals.get("self"), "getter"):
            _add(self.mocked, _patched(frame.f_locals["self"]))
        elif frame.f_code.co_qualname == "NonCallableMock.__init__" and frame.f_locals.get("parent") is None:
            _add(self.mocked, type(frame.f_locals["self"]).__name__)

    def _within(self, frame: FrameType, event: str, arg: Any) -> _Trace:
        if event == "exception":
            self._raised(frame, arg)
        elif event == "return" and self._pending and id(frame) in self._pending:
            # A function that is left by an exception gives this event too; only where it stands tells them apart.
            operation = frame.f_code.co_code[frame.f_lasti]
            if operation in _RETURNS:
                _add(self.swallowed, self._pending.pop(id(frame)))
            elif operation not in _YIELDS:
                del self._pending[id(frame)]
        return self._within

    def _raised(self, frame: FrameType, arg: tuple[type, BaseException, TracebackType]) -> None:
        error = arg[1]
        if not is_connection_error(error):
            return
        name, line = frame.f_code.co_filename, frame.f_lineno
        if name not in self._expecting:
            self._expecting[name] = _expecting(name)
        if any(line in lines for lines in self._expecting[name]):
            return
        what = f"{type(error).__module__}.{type(error).__qualname__}".removeprefix("builtins.")
        self._pending[id(frame)] = f"{what}: {error} ({name.removeprefix(self._root)}:{line})"


_YIELDS: Final = frozenset(
    dis.opmap[name] for name in ("YIELD_VALUE", "SEND", "RETURN_GENERATOR", "ASYNC_GEN_WRAP") if name in dis.opmap
)


def _expecting(name: str) -> list[range]:
    """The lines of a file where an exception is expected: what is below `with pytest.raises(…)` and not caught by a
    `try` of its own in there."""
    try:
        tree = ast.parse(Path(name).read_bytes())
    except (OSError, SyntaxError, ValueError):
        return []
    return [lines for node in ast.walk(tree) if isinstance(node, ast.With | ast.AsyncWith) for lines in _below(node)]


def _below(node: ast.With | ast.AsyncWith) -> list[range]:
    if not any(
        isinstance(item.context_expr, ast.Call)
        and ast.unparse(item.context_expr.func).rpartition(".")[2] in ("raises", "RaisesGroup", "assertRaises")
        for item in node.items
    ):
        return []
    lines = set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    for inner in ast.walk(node):
        if isinstance(inner, ast.Try) and inner.handlers:
            lines -= set(range(inner.body[0].lineno, (inner.body[-1].end_lineno or inner.body[-1].lineno) + 1))
    return [range(line, line + 1) for line in sorted(lines)]


def _started_patches() -> list[str]:
    """Patches of `unittest.mock` that were started by hand and not stopped yet, of a wider fixture for one."""
    mock = sys.modules.get("unittest.mock")
    active = getattr(getattr(mock, "_patch", None), "_active_patches", ())
    return [_patched(patch) for patch in active if not _of_mock_itself(patch)]


def _of_mock_itself(patch: Any) -> bool:
    """Whether it patches the mocks' own class: pytest-mock does, for every test, to tell better what was expected."""
    try:
        return str(getattr(patch.getter(), "__module__", "")) in ("unittest.mock", "mock", "mock.mock")
    except Exception:  # as below
        return False


def _patched(patch: Any) -> str:
    """What a patch of `unittest.mock` stands in for."""
    try:
        return f"{_name_of(patch.getter())}.{patch.attribute}"
    except Exception:  # the target is the user's, and looking it up may do anything
        return str(getattr(patch, "attribute", "?"))


def _name_of(target: object) -> str:
    return str(getattr(target, "__name__", None) or type(target).__name__)


def _add(texts: list[str], text: str) -> None:
    if text not in texts and len(texts) < 20:
        texts.append(text)
