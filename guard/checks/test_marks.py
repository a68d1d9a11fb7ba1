"""Decorators that say that a test does not count as it runs: it is skipped for good, or expected to fail."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from typing import Final

from guard.scopes import Scope, dotted

_MARKS: Final = frozenset({"xfail", "expectedfailure", "skip"})


def sets_aside(marks: Iterable[ast.expr], scope: Scope | None) -> bool:
    """Whether one of `marks`, read in `scope`, is `pytest.mark.skip(…)`, `@unittest.expectedFailure` or the like, or a
    name that holds one. Only right once the walk is over."""
    return any(_is_one(mark) or _holds_one(mark, scope) for mark in marks)


def _is_one(mark: ast.expr | None) -> bool:
    callee = mark.func if isinstance(mark, ast.Call) else mark
    return dotted(callee).rpartition(".")[2].lower() in _MARKS


def _holds_one(mark: ast.expr, scope: Scope | None) -> bool:
    found = scope.lookup(mark.id) if isinstance(mark, ast.Name) and scope is not None else None
    return found is not None and any(_is_one(binding.value) for binding in found[1])
