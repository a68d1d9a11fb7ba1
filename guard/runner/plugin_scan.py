"""Whether the code of a test can do anything that only a trace function sees, told from its source.

A function goes on after an exception only where it has a handler for it, and mocks are made by name. Where neither is
in the project's files that take part in a test, nothing is lost without the trace function, which is what costs.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Final, NamedTuple

_HARMLESS: Final = frozenset({
    *("AsyncClient", "Client", "ClientSession", "Session", "TestClient", "connect", "create_connection"),
    *("create_server", "open", "raises", "socket", "urlopen", "websocket_connect", "ws_connect"),
})  # fmt: skip
"""Context managers that let exceptions through, by the last part of their name, or expect them."""
_TELLING: Final = re.compile(
    rb"mock|monkeypatch|\bpatch\b|importlib|__import__|importorskip|runpy|\bexec\b", re.IGNORECASE
)
"""Words of a source that mocks, or that runs code which its imports do not name."""


class _Source(NamedTuple):
    """What a file says of itself."""

    is_telling: bool
    """It has a handler of exceptions, or mocks."""
    imports: tuple[tuple[str, str], ...]
    """Absolute names: a module, and what is imported from it or an empty text."""


class Scan:
    """Answers for one test after another; each file is read once."""

    def __init__(self, is_own: Callable[[str], bool]) -> None:
        """`is_own` tells whether a file is the project's own."""
        self._is_own = is_own
        self._sources: dict[str, _Source] = {}
        self._known: dict[frozenset[ModuleType], bool] = {}

    def is_quiet(self, modules: frozenset[ModuleType]) -> bool:
        """Whether neither these modules nor the project's own ones among what they import have a handler or mock
        anything. Never said where one of them is not imported yet, since it cannot be looked at."""
        known = self._known.get(modules)
        if known is None:
            certain, known = self._judged(modules)
            if not certain:
                return False
            self._known[modules] = known
        return known

    def _judged(self, modules: Iterable[ModuleType]) -> tuple[bool, bool]:
        """Whether it can be told for good, and whether they are quiet."""
        certain = True
        seen: set[ModuleType] = set()
        left = list(modules)
        while left:
            module = left.pop()
            path = getattr(module, "__file__", None)
            if module in seen or not path or not self._is_own(path):
                continue
            seen.add(module)
            source = self._sources.get(path)
            if source is None:
                source = self._sources[path] = _read(path, module)
            if source.is_telling:
                return True, False
            for name in {part for one in source.imports for part in self._parts(*one)}:
                if name in sys.modules:
                    left.append(sys.modules[name])
                else:
                    certain = False
        return certain, True

    def _parts(self, imported: str, attribute: str) -> Iterator[str]:
        """The modules that an import statement runs or names, as far as they may be the project's."""
        name = ""
        for part in imported.split("."):
            name = f"{name}.{part}".lstrip(".")
            yield name
            if self._is_foreign(sys.modules.get(name)):
                return
        member, package = f"{imported}.{attribute}", sys.modules.get(imported)
        if attribute and (member in sys.modules or (package is not None and attribute not in vars(package))):
            yield member

    def _is_foreign(self, module: ModuleType | None) -> bool:
        """Whether a module is installed or built in. A package without a file may be the project's own."""
        if module is None:
            return False
        path = getattr(module, "__file__", None)
        return not self._is_own(path) if path else not hasattr(module, "__path__")


def _read(path: str, module: ModuleType) -> _Source:
    try:
        data = Path(path).read_bytes()
        tree = ast.parse(data)
    except (OSError, SyntaxError, ValueError):
        return _Source(True, ())
    if _TELLING.search(data):
        return _Source(True, ())
    package = getattr(module, "__package__", None) or ""
    imports: list[tuple[str, str]] = []
    for node in ast.walk(tree):
        if _may_swallow(node):
            return _Source(True, ())
        if isinstance(node, ast.Import):
            imports += [(alias.name, "") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package.split(".")[: len(package.split(".")) - node.level + 1]) if node.level else ""
            name = ".".join(filter(None, [base, node.module or ""]))
            if not name or any(alias.name == "*" for alias in node.names):
                return _Source(True, ())
            imports += [(name, alias.name) for alias in node.names]
    return _Source(False, tuple(dict.fromkeys(imports)))


def _may_swallow(node: ast.AST) -> bool:
    """Whether an exception may end here: at a handler, at a way out of a `finally`, or at a context manager."""
    if isinstance(node, ast.Try | ast.TryStar):
        leaves = (ast.Return, ast.Break, ast.Continue)
        return bool(node.handlers) or any(isinstance(one, leaves) for end in node.finalbody for one in ast.walk(end))
    if isinstance(node, ast.With | ast.AsyncWith):
        return not all(_is_harmless(item.context_expr) for item in node.items)
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name in ("__exit__", "__aexit__")


def _is_harmless(manager: ast.expr) -> bool:
    return isinstance(manager, ast.Call) and ast.unparse(manager.func).rpartition(".")[2] in _HARMLESS
