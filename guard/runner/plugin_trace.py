"""What the code of a test does that no event of pytest tells: connection errors that it goes on after, and mocks.

Nothing is patched: an observer (`guard.runner.plugin_monitor`) tells of exceptions in the project's own functions, and
of calls of what makes mocks. It is at work only in tests whose code has something for it to see
(`guard.runner.plugin_scan`).
"""

from __future__ import annotations

import ast
import errno
import socket
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from operator import is_
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any, Final

from guard.runner.plugin_monitor import MOCK, MONKEYPATCH, OTHERS, PROJECT, observer
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
    "ssl": {"SSLError"},
    "websocket": {"WebSocketException"},
}
"""By the package that defines them: what libraries raise where a connection or an answer fails."""


def is_connection_error(error: BaseException, depth: int = 4) -> bool:
    """Whether an exception, or one that it came from, is a failure of a connection."""
    if isinstance(error, ConnectionError | socket.gaierror | TimeoutError):
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
        self._scan = Scan(lambda path: self.kind(path) == PROJECT)
        self._observer = observer(self)
        self._patches = Patches()
        self._quiet = True
        self._within = False
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
        for patch in self._patches.started():
            _add(self.mocked, patch)

    def close(self) -> None:
        """No more tests."""
        self._observer.close()

    @property
    def is_quiet(self) -> bool:
        """Whether there is nothing to see in the test that runs."""
        return self._quiet

    @contextmanager
    def tracing(self) -> Iterator[None]:
        """What the project's own code does in here is seen: to be put around fixtures and tests, and no more of pytest
        than must be."""
        if self._quiet or self._within or not self._observer.start():
            yield
            return
        self._within = True
        try:
            yield
        finally:
            self._within = False
            self._observer.stop()

    # What the observer tells

    def kind(self, name: str) -> int:
        """Whose a file is."""
        for end, kind in (("unittest/mock.py", MOCK), ("_pytest/monkeypatch.py", MONKEYPATCH)):
            if name.endswith(end):
                return kind
        installed = "/site-packages/" in name or "/dist-packages/" in name or name.startswith(f"{sys.prefix}/lib/")
        return PROJECT if name.startswith(self._root) and not installed else OTHERS

    def called(self, frame: FrameType, kind: int) -> None:
        """A function that makes a mock, or may do so."""
        if self._quiet:
            return
        called = frame.f_code.co_name
        if kind == MONKEYPATCH:
            if called == "setattr":
                target, name = frame.f_locals["target"], frame.f_locals["name"]
                _add(self.mocked, target if isinstance(target, str) else f"{_name_of(target)}.{name}")
        elif called == "__enter__" and hasattr(frame.f_locals.get("self"), "getter"):
            _add(self.mocked, _patched(frame.f_locals["self"]))
        elif frame.f_code.co_qualname == "NonCallableMock.__init__" and frame.f_locals.get("parent") is None:
            _add(self.mocked, type(frame.f_locals["self"]).__name__)

    def raised(self, frame: FrameType, error: BaseException) -> bool:
        """An exception: of interest where a connection failed of which nobody said that it would."""
        if self._quiet or not is_connection_error(error):
            return False
        name, line = frame.f_code.co_filename, frame.f_lineno
        if name not in self._expecting:
            self._expecting[name] = _expecting(name)
        if any(line in lines for lines in self._expecting[name]):
            return False
        what = f"{type(error).__module__}.{type(error).__qualname__}".removeprefix("builtins.")
        self._pending[id(frame)] = f"{what}: {error} ({name.removeprefix(self._root)}:{line})"
        return True

    def ended(self, frame: FrameType, *, returned: bool) -> None:
        """The function returned, so it went on after the error; or it passed it on."""
        text = self._pending.pop(id(frame), "")
        if text and returned:
            _add(self.swallowed, text)


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


class Patches:
    """Patches of `unittest.mock` that were started by hand and not stopped yet, of a wider fixture for one."""

    def __init__(self) -> None:
        self._harmless: list[Any] = []
        """Those that are of mock itself: where no other is active, nothing is looked up again."""

    def started(self) -> list[str]:
        """What they stand in for."""
        mock = sys.modules.get("unittest.mock")
        active = getattr(getattr(mock, "_patch", None), "_active_patches", ())
        if not active or (len(active) == len(self._harmless) and all(map(is_, active, self._harmless))):
            return []
        self._harmless = [patch for patch in active if _of_mock_itself(patch)]
        harmless = set(map(id, self._harmless))
        return [_patched(patch) for patch in active if id(patch) not in harmless]


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
