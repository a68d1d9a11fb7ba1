"""What stands around imports: the handlers that swallow a failure, and tests and markers that expect one."""

from __future__ import annotations

import ast
from typing import Any, Final

from guard.checks.module_facts import GuardFact
from guard.checks.test_marks import sets_aside
from guard.exceptions import may_catch_import
from guard.scopes import Context, Guard, Scope, caught_names, dotted, never_returns

_SIMPLE: Final = frozenset(
    {
        *(ast.Expr, ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Return, ast.Raise, ast.Assert, ast.Delete),
        *(ast.Pass, ast.Break, ast.Continue, ast.Global, ast.Nonlocal),
    }
)
"""Statements that hold no others."""
_IMPORT_ERRORS: Final = frozenset({"ImportError", "ModuleNotFoundError"})


class Guards:
    """Numbers the guards of one file as imports meet them."""

    def __init__(self) -> None:
        self.facts: list[GuardFact] = []
        self._numbers: dict[int, int] = {}
        self._behind: dict[int, int] = {}
        """By handler that catches nothing but failed imports: the guard that it belongs to."""

    def number(self, guard: Guard) -> int:
        """The place of a guard among the facts."""
        key = id(guard)
        if key not in self._numbers:
            self._numbers[key] = len(self.facts)
            self.facts.append(_guard_fact(guard))
            for handler in getattr(guard.node, "handlers", ()):
                names = caught_names(handler)
                if names and _IMPORT_ERRORS.issuperset(names):
                    self._behind[id(handler)] = self._numbers[key]
        return self._numbers[key]

    def before(self, context: Context) -> list[int]:
        """The guards each of whose imports must have failed before what stands in `context` runs."""
        if not self._behind:
            return []
        return [number for node in context.branch if (number := self._behind.get(id(node))) is not None]


def may_swallow(guard: Guard) -> bool:
    """Whether a guard may go on without an import that fails."""
    if guard.kind not in ("try", "suppress") or not may_catch_import(guard.catches):
        return False
    handlers: list[ast.ExceptHandler] = getattr(guard.node, "handlers", [])
    return not handlers or not all(map(_raises, handlers))


def _guard_fact(guard: Guard) -> GuardFact:
    node = guard.node
    line: int = getattr(node, "lineno", 1)
    handlers: list[ast.ExceptHandler] = getattr(node, "handlers", []) if guard.kind == "try" else []
    return GuardFact(
        guard.kind,
        line,
        guard.catches,
        handlers[0].lineno if handlers else line,
        bool(handlers) and all(map(_raises, handlers)),
        any(_imports(handler.body) for handler in handlers),
        bool(handlers) and all(map(_leaves, handlers)),
    )


def _imports(body: list[ast.stmt]) -> bool:
    """Whether an import stands in a block, or in one inside it."""
    stack: list[Any] = [*body]
    while stack:
        node = stack.pop()
        kind = node.__class__
        if kind is ast.Import or kind is ast.ImportFrom:
            return True
        if kind not in _SIMPLE:
            for name in ("body", "orelse", "finalbody", "handlers", "cases"):
                stack += getattr(node, name, ())
    return False


def _raises(handler: ast.ExceptHandler) -> bool:
    """Whether a handler ends by raising, and not what only says that a test is skipped."""
    last = handler.body[-1]
    if not isinstance(last, ast.Raise):
        return False
    raised = dotted(last.exc.func if isinstance(last.exc, ast.Call) else last.exc)
    return raised.rpartition(".")[2] != "SkipTest"


def _leaves(handler: ast.ExceptHandler) -> bool:
    """Whether nothing runs behind the statement of a handler."""
    last = handler.body[-1]
    if isinstance(last, ast.Raise):
        return True
    return isinstance(last, ast.Expr) and isinstance(last.value, ast.Call) and never_returns(last.value)


def asserts_absence(guard: Guard, node: ast.Import | ast.ImportFrom) -> bool:
    """Whether a guard says that the import may or must fail, so that its failure is no defect."""
    if guard.kind == "raises":
        last = {name.rpartition(".")[2] for name in guard.catches}
        return not last or not last.isdisjoint(_ABSENCE)
    if guard.kind == "test":
        return not guard.catches or any(alias.name.rpartition(".")[2] in guard.catches for alias in node.names)
    return False


def expected_to_fail(scope: Scope | None) -> bool:
    """Whether the code stands in a test that is marked as failing or skipped."""
    while scope is not None and scope.kind != "module":
        if sets_aside(getattr(scope.node, "decorator_list", ()), scope.parent):
            return True
        scope = scope.parent
    return False


_ABSENCE: Final = frozenset({"ImportError", "ModuleNotFoundError", "Exception", "BaseException", "?"})
