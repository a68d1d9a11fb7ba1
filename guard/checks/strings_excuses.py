"""Whether a string that is resolved somewhere may fail to: it never is, or its failure is asserted or swallowed."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from typing import Final

from guard.checks.test_marks import sets_aside
from guard.scopes import Context, Guard, Scope, constant_truth, dotted, guard_of_with

_RAISED: Final = frozenset({"AttributeError", "ImportError", "ModuleNotFoundError", "Exception", "BaseException"})
"""What resolving a string raises, and what catches it. Which of the first three it is differs from one Python to the
next, and from one way of resolving to another."""
_OTHER: Final = frozenset(
    {
        *("NameError", "SyntaxError", "ValueError", "TypeError", "KeyError", "OSError", "RuntimeError", "IndexError"),
        *("KeyboardInterrupt", "LookupError", "AssertionError", "SystemExit", "NotImplementedError", "EOFError"),
        *("IOError", "EnvironmentError", "FileNotFoundError", "UnicodeDecodeError", "TimeoutError", "ConnectionError"),
        *("StopIteration", "PermissionError", "ArithmeticError", "ZeroDivisionError", "RecursionError"),
        *("CancelledError", "FileExistsError", "JSONDecodeError", "UnicodeError", "StopAsyncIteration"),
    }
)
"""Exceptions that it is not."""
_FAILS: Final = frozenset({"fail", "exit", "_exit"})
ASSERTIONS: Final = frozenset(
    {
        *("raises", "assertRaises", "assertRaisesRegex", "assertRaisesRegexp", "assertRaisesMessage"),
        *("assert_raises", "assert_raises_message", "expect_raises"),
    }
)
"""Functions that assert that what they are given raises."""
MAY_FAIL: Final = -1
_NOT: Final = 0


def swallowed_by(context: Context, text: str) -> int:
    """The line of the handler that swallows the failure of resolving `text` in `context`; 0 where nothing does.

    MAY_FAIL where the failure is what is asserted or asked for, or where that cannot be told.
    """
    if context.dead or context.type_checking or context.platform:
        return MAY_FAIL
    if _in_absence(context):
        return MAY_FAIL
    for guard in reversed(context.guards):
        if guard.kind == "test" and guard.catches and not set(guard.catches) & set(text.split(".")):
            continue  # another attribute is what is asked for
        found = _swallows(guard)
        if found:
            return found
    return _NOT


def _in_absence(context: Context) -> bool:
    """Whether it stands in the handler of an import that failed: what is there then is not what is there otherwise."""
    return any(
        isinstance(block, ast.ExceptHandler)
        and block.type is not None
        and not {"ImportError", "ModuleNotFoundError"}.isdisjoint(_last_names([block.type]))
        for block in context.branch
    )


def _last_names(expressions: Iterable[ast.expr]) -> set[str]:
    found: set[str] = set()
    for expression in expressions:
        parts = expression.elts if isinstance(expression, ast.Tuple) else [expression]
        found.update(dotted(part).rpartition(".")[2] or "?" for part in parts)
    return found


def _swallows(guard: Guard) -> int:
    """The same for one guard."""
    if guard.kind == "test":
        return MAY_FAIL
    names = {name.rpartition(".")[2] for name in guard.catches}
    catches = not names or not names.isdisjoint(_RAISED)
    if not catches:
        return MAY_FAIL if names - _OTHER else _NOT
    if guard.kind == "raises":
        return MAY_FAIL
    node = guard.node
    if not isinstance(node, (ast.Try, ast.TryStar)):
        line: int = getattr(node, "lineno", 1)
        return line
    if _fails(node.body[-1:]) or _fails(node.orelse[-1:]):
        return MAY_FAIL  # `try: …; self.fail() except ImportError: pass` asserts the failure
    for handler in node.handlers:
        caught = _last_names([handler.type]) if handler.type is not None else set()
        if caught and caught.isdisjoint(_RAISED):
            if caught - _OTHER:
                return MAY_FAIL
            continue
        return _NOT if any(_fails([statement]) for statement in handler.body) else handler.lineno
    return _NOT


def _fails(body: list[ast.stmt]) -> bool:
    """Whether a block ends what it stands in: raises, fails the test, asserts what is false."""
    for node in body:
        if isinstance(node, ast.Raise):
            return True
        if isinstance(node, ast.Assert) and constant_truth(node.test) is False:
            return True
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            name = dotted(node.value.func).rpartition(".")[2]
            if name in _FAILS:
                return True
    return False


def is_skipped(scope: Scope, decorates: Scope | None) -> bool:
    """Whether the code in `scope`, or what it decorates, is a test that is skipped for good or expected to fail."""
    return _is_skipped(scope) or (decorates is not None and _is_skipped(decorates))


def _is_skipped(start: Scope) -> bool:
    scope: Scope | None = start
    while scope is not None:
        if sets_aside(getattr(scope.node, "decorator_list", ()), scope.parent):
            return True
        if scope.kind in ("module", "class") and _marked(scope):
            return True
        scope = scope.parent
    return False


def _marked(scope: Scope) -> bool:
    """`pytestmark = pytest.mark.skip(…)`, alone or in a list."""
    marks = [
        binding.value
        for binding in scope.bindings.get("pytestmark", ())
        if binding.value is not None and not binding.context.branch
    ]
    return any(sets_aside(mark.elts if isinstance(mark, (ast.List, ast.Tuple)) else [mark], scope) for mark in marks)


def calls_inside(node: ast.Call) -> set[ast.AST]:
    """The calls among the arguments of a call that asserts a failure: `assertRaises(ImportError, patch("x").start)`."""
    values = [*node.args, *(keyword.value for keyword in node.keywords)]
    return {inner for value in values for inner in ast.walk(value) if isinstance(inner, ast.Call)}


def entered_under_assertion(node: ast.With | ast.AsyncWith) -> set[ast.AST]:
    """The items of one `with` that stand behind one that asserts a failure: `with raises(…), patch("x"):`."""
    found: set[ast.AST] = set()
    asserted = False
    for item in node.items:
        if asserted:
            found.add(item.context_expr)
        guard = guard_of_with(item.context_expr, node)
        asserted = asserted or (guard is not None and _swallows(guard) == MAY_FAIL)
    return found


def is_dropped(node: ast.Call, context: Context) -> bool:
    """Whether nothing is done with what a call gives: it is a statement of its own. A patch that nobody starts looks
    for nothing."""
    block: ast.AST = context.branch[-1] if context.branch else context.scope.node
    waiting = [block]
    while waiting:
        around = waiting.pop()
        for field in ("body", "orelse", "finalbody"):
            statements = getattr(around, field, ())
            if not isinstance(statements, list):
                continue  # of a lambda
            for statement in statements:
                if isinstance(statement, ast.Expr) and statement.value is node:
                    return True
                if isinstance(statement, (ast.With, ast.AsyncWith, ast.Try)):
                    waiting.append(statement)  # its body is no branch
    return False
