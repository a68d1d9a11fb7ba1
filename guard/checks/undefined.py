"""Names that nothing binds, and whether the code that reads them would fail.

ruff's F821 says which names have no binding. It does not say whether the expression is ever evaluated (an annotation
often is not), and it cannot know what a module is given from outside. This module follows the syntax tree from the
module down to each name, and leaves out what cannot be known.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec

from guard.checks.undefined_annotations import Annotations, is_looked_up
from guard.checks.undefined_open import NAMESPACES, is_open
from guard.checks.undefined_places import Places
from guard.exceptions import catches
from guard.model import Span
from guard.parse import Parsed
from guard.scopes import asserts_failure, caught_names, constant_truth, dotted
from guard.syntax_oracle import Diagnostic
from guard.versions import skipped

RUNS: Final = "runs"
ANNOTATION: Final = "annotation"
CHECKERS: Final = "checkers"


class Undefined(msgspec.Struct, frozen=True, array_like=True):
    """One place that reads a name which nothing binds."""

    name: str
    span: Span
    symbol: str
    """Qualified name of the class or function that it stands in."""
    lazy: bool
    """Whether it is read only when something is called, or in a branch."""
    use: str
    """`runs`: NameError when it is reached. `annotation`: Python does not evaluate it by itself. `checkers`: only type
    checkers see it."""
    stops: bool = False
    """Whether importing the module certainly fails at it: it is read then, and nothing catches the NameError."""


_NAME: Final = re.compile(r"`([^`]+)`")
_PYTHON_2: Final = frozenset(
    {
        *("unicode", "basestring", "long", "unichr", "xrange", "raw_input", "file", "reduce", "cmp", "execfile"),
        *("reload", "apply", "buffer", "intern", "coerce", "StandardError"),
    }
)
_PYTHON_2_METHODS: Final = frozenset(
    {"__cmp__", "__unicode__", "__nonzero__", "__long__", "__getslice__", "__coerce__"}
)
_PYTHON_2_MARKS: Final = (
    *(b"version_info", b"hexversion", b"NameError", b"import six", b"PY2", b"PY3", b"is_py2", b"is_py3"),
)
"""A file that has one of them knows of Python 2, and reads its builtins behind some test."""
_GIVEN: Final = frozenset({"_", "get_ipython", "snakemake"})
"""Names that a host puts into builtins or into the module: gettext, IPython, Snakemake."""
_DUNDER: Final = re.compile(r"__\w+__")
"""Names that are made to be given from outside: `__path__` by import, `__salt__` by Salt's loader."""
_NOTEBOOK_MARKS: Final = (b"# Databricks notebook", b"# In[", b"# %%", b"# COMMAND -")
_NOTEBOOK: Final = re.compile(rb"^# (?:Databricks notebook source|In\[|%%|COMMAND -)", re.MULTILINE)
_NOTEBOOK_GIVEN: Final = frozenset({"dbutils", "spark", "sc", "sqlContext", "display", "displayHTML", "table"})
_CHECKER_CALLS: Final = frozenset({"reveal_type", "reveal_locals"})
_DELETES: Final = re.compile(rb"\bdel[ \t(]")
_BREAK: Final = re.compile(r"\r\n|\r|\n")
_ASKED_FOR: Final = frozenset({"globals", "locals", "vars", "dir", "builtins", "__builtins__", "hasattr"})
_PLATFORM: Final = re.compile(
    r"(?:^|\.)(?:version_info|hexversion|PY[23]\d*|IS_PY\w*|is_py[23]\w*|PYTHON_?[23]|PYPY|IS_PYPY)$|^sys\.platform$|^os\.name$"
)
_NAME_ERRORS: Final = frozenset({"NameError", "UnboundLocalError", "builtins.NameError"})
_BLOCKS: Final = (ast.stmt, ast.excepthandler, ast.match_case)


def undefined_names(parsed: Parsed, diagnostics: Sequence[Diagnostic]) -> tuple[Undefined, ...]:
    """Those of ruff's undefined names that are known to be so, in order.

    Raises RecursionError where there are so many, so deep in other code, that following them would not end.
    """
    if not diagnostics or parsed.tree is None:
        return ()
    if is_open(parsed.content, parsed.tree):
        return ()
    given = _given(parsed.content, parsed.tree)
    asks = any(mark in parsed.content for mark in NAMESPACES)
    lines = [] if parsed.content.isascii() else _BREAK.split(parsed.text or "")
    lazy_annotations = parsed.target >= (3, 14) or _has_future_annotations(parsed.tree)
    found: list[Undefined] = []
    bound: _Bound = {}
    tests: dict[ast.expr, _Signs] = {}
    places, annotations = Places(parsed.target), Annotations()
    marks = _marks(parsed.tree) if b"pytestmark" in parsed.content else ()
    skips = skipped(marks, parsed.target)
    uses = Counter(match[1] for found in diagnostics for match in _NAME.finditer(found.message))
    written = {name: parsed.content.count(name.encode()) for name in uses}
    for diagnostic in diagnostics:
        named = _NAME.search(diagnostic.message)
        if named is None or named[1] in given or _DUNDER.fullmatch(named[1]):
            continue
        if asks and _is_asked_for(named[1], parsed.content):
            continue
        elsewhere = written[named[1]] > uses[named[1]]
        trail = _Trail(named[1], lazy_annotations, tests, places, annotations, skips)
        line = diagnostic.span.line
        if not trail.follow(parsed.tree, line, _byte_column(lines, diagnostic.span)) and parsed.rewritten:
            trail = _Trail(named[1], lazy_annotations, tests, places, annotations, skips)
            trail.follow(parsed.tree, line, None)
        if (
            not trail.unknowable
            and not trail.is_meant_otherwise
            and not (elsewhere and trail.may_be_bound(line, bound))
        ):
            use = CHECKERS if named[1] in _CHECKER_CALLS else trail.use
            stops = trail.certain and not trail.lazy and use == RUNS
            found.append(Undefined(named[1], diagnostic.span, ".".join(trail.names), trail.lazy, use, stops))
    return tuple(found)


def _given(content: bytes, tree: ast.Module) -> frozenset[str]:
    """The names that the module may have from elsewhere."""
    given = _GIVEN
    if any(mark in content for mark in _PYTHON_2_MARKS):
        given |= _PYTHON_2
    if any(mark in content for mark in _NOTEBOOK_MARKS) and _NOTEBOOK.search(content):
        given |= _NOTEBOOK_GIVEN
    if _DELETES.search(content):
        given |= _deleted(tree)
    return given


def _has_future_annotations(tree: ast.Module) -> bool:
    return any(
        isinstance(node, ast.ImportFrom)
        and node.module == "__future__"
        and any(alias.name == "annotations" for alias in node.names)
        for node in tree.body[:20]
    )


def _is_asked_for(name: str, content: bytes) -> bool:
    """Whether the file asks if the name is there, as in `"name" in globals()`."""
    quoted = re.escape(name.encode())
    asked = rb"""['"]%s['"]\s+(?:not\s+)?in\s+(?:globals|locals|vars|dir)\b""" % quoted
    return re.search(asked, content) is not None


def _deleted(tree: ast.Module) -> frozenset[str]:
    """The names that some `del` unbinds: they were bound, and whether they still are is a matter of order."""
    return frozenset(
        target.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Delete)
        for target in node.targets
        if isinstance(target, ast.Name)
    )


def _byte_column(lines: Sequence[str], span: Span) -> int:
    """The column as `ast` counts it: from 0, in UTF-8 bytes."""
    if not lines:
        return span.column - 1
    return len(lines[span.line - 1][: span.column - 1].encode("utf-8", "surrogatepass"))


_Bound = dict[ast.AST, dict[str, int]]
_NAMED: Final = frozenset({ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef})
_SCOPES: Final = _NAMED | {ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp}


class _Trail:
    """The way from the module down to one name."""

    def __init__(
        self,
        name: str,
        lazy_annotations: bool,
        tests: dict[ast.expr, _Signs],
        places: Places,
        annotations: Annotations,
        skips: bool,
    ) -> None:
        self._skips = skips
        """No test in it runs on the deployed Python."""
        self._name = name
        self._tests = tests
        self._places = places
        self._annotations = annotations
        self._lazy_annotations = lazy_annotations
        self.names: list[str] = []
        self.lazy = False
        self.use = RUNS
        self.unknowable = False
        self.certain = True
        """It is reached whenever the code around it runs, and the failure gets out."""
        self._in_function = False
        self._scope: ast.AST | None = None
        self._in_loop = False
        self._expression: ast.expr | None = None
        """The annotation that it stands in; elsewhere the outermost brackets, or the string."""
        self._annotated: ast.AST | None = None
        """The function, or the assignment, whose annotation that is."""

    def may_be_bound(self, line: int, bound: _Bound) -> bool:
        """Whether the scope itself binds the name somewhere, so that the order of what happens decides.

        ruff goes by the order of lines. In a loop the later line may have been first; where the code runs straight
        down, the name is not bound before the first line that binds it. `bound` remembers scopes that were looked at.
        """
        if self._scope is None:
            return False
        names = bound.get(self._scope)
        if names is None:
            names = bound[self._scope] = _first_bound(self._scope)
        first = names.get(self._name)
        return first is not None and (self._in_loop or first < line)

    @property
    def is_meant_otherwise(self) -> bool:
        """Whether it stands where Python does not evaluate it, and need not be a type that the module has to bind."""
        if self.use != ANNOTATION or self._expression is None:
            return False
        if isinstance(self._annotated, (ast.FunctionDef, ast.AsyncFunctionDef)):
            if self._annotations.is_imported_late(self._annotated, self._name):
                return True
        elif isinstance(self._annotated, ast.AnnAssign) and is_looked_up(self._annotated):
            return True
        return not self._annotations.means_type(self._expression, self._name)

    def follow(self, node: ast.AST, line: int, column: int | None) -> bool:
        """Walk down to the innermost node at a place; gives whether the name is there.

        `column` is None where only the line is known: then the walk ends at the statement.
        """
        self._scope = node
        while True:
            step = self._places.child_at(node, line, column)
            if step is None or (column is None and not isinstance(step[1], _BLOCKS)):
                break
            if isinstance(node, ast.JoinedStr):
                break  # before 3.12 its parts have no places of their own
            field, child, after_end = step
            self.unknowable = self.unknowable or after_end
            self._enter(node, field, child)
            node = child
        if column is None:
            self._judge_line(node, line)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and self.use == RUNS:
            self.use = ANNOTATION
            self._expression = self._expression or node
        return isinstance(node, (ast.Constant, ast.JoinedStr)) or getattr(node, "id", None) == self._name

    def _judge_line(self, statement: ast.AST, line: int) -> None:
        """A name that stands on its line only in annotations, in strings, or in what the rewriting took out."""
        annotations = [
            part
            for node in ast.walk(statement)
            for part in (getattr(node, "annotation", None), getattr(node, "returns", None))
            if part is not None
        ]
        inside = {id(node) for annotation in annotations for node in ast.walk(annotation)}
        if not any(
            isinstance(node, ast.Name) and node.id == self._name and node.lineno == line and id(node) not in inside
            for node in ast.walk(statement)
        ):
            self.use = ANNOTATION

    def _enter(self, node: ast.AST, field: str, child: ast.AST) -> None:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) and field == "body":
            self.names.append(node.name)
            self._scope, self._in_loop = node, False
            self._in_function = not isinstance(node, ast.ClassDef)
            self.lazy = self.lazy or self._in_function
            self._skips = self._skips or skipped(node.decorator_list, self._places.target)
            if self._in_function and (self._skips or node.name in _PYTHON_2_METHODS):
                self.unknowable = True
        elif isinstance(node, ast.Lambda) and field == "body":
            self.lazy = True
            self._scope, self._in_loop = node, False
        elif isinstance(node, ast.Assign) and isinstance(self._scope, ast.Module):
            if isinstance(child, ast.Set) and len(child.elts) == 1 and isinstance(child.elts[0], ast.Name):
                self.unknowable = True  # `KEY = {key}` is for `str.format` to fill in
        elif isinstance(node, (ast.GeneratorExp, ast.ListComp, ast.SetComp, ast.DictComp, ast.Assert)):
            self.certain = False
        elif isinstance(node, (ast.For, ast.AsyncFor)) and field in ("body", "orelse"):
            self._in_loop = self.lazy = True
        elif isinstance(node, (ast.If, ast.IfExp, ast.While)) and field in ("body", "orelse"):
            self.lazy = True
            self._branch(node.test, field == "body")
        elif isinstance(node, (ast.ExceptHandler, ast.match_case)) and field == "body":
            self.lazy = True
        elif isinstance(node, ast.BoolOp) and child is not node.values[0]:
            self.certain = False
            before = node.values[: node.values.index(child)]  # type: ignore[arg-type]
            self._places.count(len(before))
            for test in before:
                self._branch(test, True)
        elif isinstance(node, ast.Try) and field == "body":
            every = [caught_names(handler) for handler in node.handlers]
            if any(catches(names, "NameError") is not False for names in every):
                self.certain = False
            caught = {name for handler in node.handlers for name in caught_names(handler)}
            self.unknowable = self.unknowable or not caught.isdisjoint(_NAME_ERRORS)
        elif isinstance(node, (ast.With, ast.AsyncWith)) and field == "body":
            self.certain = False
            self.unknowable = self.unknowable or any(_expects(item.context_expr) for item in node.items)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and field == "args":
            self._annotated = node
        elif field in ("annotation", "returns"):
            local = isinstance(node, ast.AnnAssign) and self._in_function
            if local or self._lazy_annotations:
                self.use = ANNOTATION
            if isinstance(child, ast.expr):
                self._expression = child
            if not isinstance(node, ast.arg):
                self._annotated = node
        elif type(node).__name__ == "TypeAlias" or field in ("type_params", "bound", "default_value"):
            self.use = ANNOTATION

        if isinstance(node, ast.While):
            self._in_loop = True
        elif isinstance(node, ast.Subscript) and self._expression is None:
            self._expression = node

    def _branch(self, test: ast.expr, taken: bool) -> None:
        signs = self._tests.get(test)
        if signs is None:
            signs = self._tests[test] = _signs(test)
        if signs.for_checkers and taken:
            self.use = CHECKERS
        never = signs.truth is not None and signs.truth is not taken
        self.unknowable = self.unknowable or never or signs.platform or self._name in signs.asked


class _Signs(NamedTuple):
    """What a test says of the branches that it decides."""

    truth: bool | None
    for_checkers: bool
    platform: bool
    asked: frozenset[str]
    """The names whose presence it asks for."""


def _signs(test: ast.expr) -> _Signs:
    parts = list(ast.walk(test))
    written = [dotted(part) for part in parts if isinstance(part, (ast.Name, ast.Attribute))]
    texts = [part.value for part in parts if isinstance(part, ast.Constant) and isinstance(part.value, str)]
    return _Signs(
        constant_truth(test),
        any(name.rpartition(".")[2] == "TYPE_CHECKING" for name in written),
        any(_PLATFORM.search(name) for name in written),
        frozenset(texts) if texts and _asks(test) else frozenset(),
    )


def _first_bound(scope: ast.AST) -> dict[str, int]:
    """The first line at which the code of one scope binds each name, but for `except … as` and bare annotations."""
    found: list[tuple[str, int]] = []
    stack: list[ast.AST] = list(ast.iter_child_nodes(scope))
    while stack:
        node = stack.pop()
        kind = node.__class__
        if kind is ast.Name:
            if node.ctx.__class__ is ast.Store:  # type: ignore[attr-defined]
                found.append((node.id, node.lineno))  # type: ignore[attr-defined]
            continue
        if kind in _SCOPES:
            if kind in _NAMED:
                found.append((node.name, node.lineno))  # type: ignore[attr-defined]
            continue
        if isinstance(node, ast.alias):
            found.append((node.asname or node.name.partition(".")[0], node.lineno))
        elif isinstance(node, (ast.MatchAs, ast.MatchStar)) and node.name:
            found.append((node.name, node.lineno))
        elif isinstance(node, ast.AnnAssign) and node.value is None:
            continue
        for value in node.__dict__.values():
            if isinstance(value, list):
                stack += [item for item in value if isinstance(item, ast.AST)]
            elif isinstance(value, ast.AST):
                stack.append(value)
    first: dict[str, int] = {}
    for name, line in found:
        first[name] = min(line, first.get(name, line))
    return first


def _marks(tree: ast.Module) -> list[ast.expr]:
    """What the module gives `pytestmark`."""
    assigned = [statement for statement in tree.body if isinstance(statement, ast.Assign)]
    return [one.value for one in assigned if any(dotted(target) == "pytestmark" for target in one.targets)]


def _asks(test: ast.expr) -> bool:
    return any(isinstance(part, ast.Name) and part.id in _ASKED_FOR for part in ast.walk(test))


def _expects(expression: ast.expr) -> bool:
    """Whether a `with` item swallows a NameError, or asserts one."""
    if not isinstance(expression, ast.Call):
        return False
    called = dotted(expression.func).rpartition(".")[2]
    if called != "suppress" and not asserts_failure(called):
        return False
    types = [dotted(node) for argument in expression.args[:1] for node in _each(argument)]
    return not _NAME_ERRORS.isdisjoint(types) or "Exception" in types


def _each(node: ast.expr) -> Sequence[ast.expr]:
    return node.elts if isinstance(node, ast.Tuple) else [node]
