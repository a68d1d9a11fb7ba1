"""What one version of a file binds, and how its definitions look, in a form that two versions can be compared by.

How a body is made comparable, `guard.checks.bodies` says.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from guard.checks.bodies import TELLING, resemblance, summary, tokens_of
from guard.parse import parse, parse_newer
from guard.scopes import dotted

VERSION: Final = 3
"""Raised whenever the same content would give another outline."""


class Bound(msgspec.Struct, frozen=True, array_like=True):
    """One name that a module binds when it runs."""

    kind: str
    """`class`, `function`, `variable` or `import`."""
    line: int
    digest: str = ""
    """Of the body; empty for an import, and where nothing could parse the file."""
    size: int = 0
    """Tokens of the body."""
    sketch: tuple[int, ...] = ()
    level: int = 0
    module: str = ""
    name: str = ""
    """Where an import takes it from; `name` is empty where the module itself is bound."""
    words: tuple[str, ...] = ()
    """Some of the rarest looking identifiers of the body."""
    alias: str = ""
    """For `Old = New`: the other name, dotted."""

    @property
    def is_telling(self) -> bool:
        """Whether the body is long enough to be recognised by."""
        return bool(self.digest) and self.size >= TELLING


class Outline(msgspec.Struct, frozen=True, array_like=True):
    """What one content binds at module level, names in source order; of several bindings the last one."""

    names: dict[str, Bound]
    stars: tuple[tuple[int, str], ...] = ()
    """Dots and module of `from … import *`."""
    open: bool = False
    """It may bind names that its text does not show."""
    parsed: bool = True


def outline(content: bytes) -> Outline:
    """The outline of a Python file's bytes; a poor one, of names only, where nothing can parse it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        parsed = parse(content, "python")
        if parsed.tree is None and parsed.readable_by_newer and not parsed.too_deep:
            parsed = parse_newer(parsed)
    if parsed.tree is None:
        return Outline(dict(_by_lines(content)), parsed=False)
    reader = _Reader()
    try:
        reader.block(parsed.tree.body)
    except RecursionError:
        return Outline(dict(_by_lines(content)), parsed=False)
    return Outline(reader.names, tuple(reader.stars), reader.open or "__getattr__" in reader.names)


def likeness(one: Bound, other: Bound) -> float:
    """How much of two bodies is the same: 1.0 for equal ones, 0.0 where nothing is, or the kinds differ."""
    if one.kind != other.kind or not one.digest or not other.digest:
        return 0.0
    if one.digest == other.digest:
        return 1.0
    return min(resemblance(one.sketch, other.sketch), 0.99)


_LINE: Final = re.compile(rb"^(?:async[ \t]+)?(class|def)[ \t]+(\w+)|^(\w+)[ \t]*(?::[^=\n]+)?=[^=]", re.MULTILINE)


def _by_lines(content: bytes) -> Iterator[tuple[str, Bound]]:
    """The names that stand at the beginning of a line as a definition has them."""
    for match in _LINE.finditer(content):
        kind, name = (match[1], match[2]) if match[2] else (b"", match[3])
        line = content.count(b"\n", 0, match.start()) + 1
        word = {b"class": "class", b"def": "function"}.get(kind, "variable")
        yield name.decode("utf-8", "replace"), Bound(word, line)


class _Reader:
    """Reads the statements that run when a module is imported."""

    def __init__(self) -> None:
        self.names: dict[str, Bound] = {}
        self.stars: list[tuple[int, str]] = []
        self.open = False

    def block(self, statements: list[ast.stmt]) -> None:
        for node in statements:
            self._statement(node)

    def _statement(self, node: Any) -> None:
        if isinstance(node, ast.ClassDef):
            self._define(node.name, "class", node)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            self._define(node.name, "function", node)
        elif isinstance(node, ast.ImportFrom):
            self._import_from(node)
        elif isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name.partition(".")[0]
                self.names[alias.asname or top] = Bound(
                    "import", node.lineno, module=alias.name if alias.asname else top
                )
        elif isinstance(node, ast.Assign):
            for target in node.targets:
                self._target(target, node)
        elif isinstance(node, ast.AnnAssign):
            if node.value is not None:
                self._target(node.target, node)
        elif isinstance(node, ast.Delete):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    self.names.pop(target.id, None)
        elif isinstance(node, ast.If):
            if not _is_type_checking(node.test):
                self.block(node.body)
            self.block(node.orelse)
        elif isinstance(node, (ast.For, ast.AsyncFor, ast.While)):
            if not isinstance(node, ast.While):
                self._target(node.target, node)
            self.block([*node.body, *node.orelse])
        elif isinstance(node, (ast.With, ast.AsyncWith)):
            for item in node.items:
                if item.optional_vars is not None:
                    self._target(item.optional_vars, node)
            self.block(node.body)
        elif isinstance(node, ast.Try) or node.__class__.__name__ == "TryStar":
            self._try(node)
        elif isinstance(node, ast.Match):
            for case in node.cases:
                self.block(case.body)
        elif node.__class__.__name__ == "TypeAlias":
            self._target(node.name, node)
        elif isinstance(node, ast.Expr):
            self.open = self.open or _writes_globals(node.value)

    def _try(self, node: Any) -> None:
        """What the handlers bind is a fallback: it does not take the place of what the body binds."""
        self.block(node.body)
        tried = dict(self.names)
        for handler in node.handlers:
            self.block(handler.body)
        self.names.update(tried)
        self.block([*node.orelse, *node.finalbody])

    def _import_from(self, node: ast.ImportFrom) -> None:
        for alias in node.names:
            if alias.name == "*":
                self.stars.append((node.level, node.module or ""))
            else:
                self.names[alias.asname or alias.name] = Bound(
                    "import", node.lineno, level=node.level, module=node.module or "", name=alias.name
                )

    def _define(self, name: str, kind: str, node: Any) -> None:
        tokens = list(tokens_of(node, name))
        self.names[name] = Bound(kind, node.lineno, *summary(tokens), words=_rare(node))

    def _target(self, target: ast.expr, node: Any) -> None:
        if isinstance(target, ast.Name):
            value = getattr(node, "value", None)
            tokens = list(tokens_of(value, target.id)) if value is not None else []
            alias = dotted(value) if isinstance(value, (ast.Name, ast.Attribute)) else ""
            self.names[target.id] = Bound("variable", node.lineno, *summary(tokens), alias=alias)
        elif isinstance(target, (ast.Tuple, ast.List)):
            for element in target.elts:
                self._target(element.value if isinstance(element, ast.Starred) else element, node)
        elif isinstance(target, ast.Subscript):
            self.open = self.open or _writes_globals(target.value)


def _is_type_checking(test: ast.expr) -> bool:
    return (isinstance(test, ast.Name) and test.id == "TYPE_CHECKING") or (
        isinstance(test, ast.Attribute) and test.attr == "TYPE_CHECKING"
    )


def _writes_globals(node: ast.expr) -> bool:
    for inner in ast.walk(node):
        if isinstance(inner, ast.Call) and isinstance(inner.func, ast.Name) and inner.func.id in ("globals", "exec"):
            return True
    return False


_WORD_LENGTH: Final = 9
_WORDS: Final = 3


def _rare(node: Any) -> tuple[str, ...]:
    """A few long identifiers that a definition brings with it: those of its methods first, then of its variables."""
    methods = [inner.name for inner in ast.walk(node) if isinstance(inner, (ast.FunctionDef, ast.AsyncFunctionDef))]
    used = [inner.attr for inner in ast.walk(node) if isinstance(inner, ast.Attribute)] if len(methods) < _WORDS else []
    named = dict.fromkeys(name for name in (*methods, *used) if name != getattr(node, "name", ""))
    telling = [name for name in named if len(name) >= _WORD_LENGTH and not name.startswith("__") and name.isascii()]
    return tuple(sorted(telling, key=lambda name: (-len(name), name))[:_WORDS])
