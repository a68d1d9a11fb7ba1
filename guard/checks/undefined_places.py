"""What stands at a place of a syntax tree, and whether its block has ended before it."""

from __future__ import annotations

import ast
from bisect import bisect_left, bisect_right
from typing import Final

from guard.scopes import dotted
from guard.versions import version_truth

_NEVER_RETURN: Final = frozenset({"sys.exit", "os._exit", "exit", "quit", "pytest.skip", "pytest.fail", "pytest.exit"})
_ENDS: Final = (ast.Return, ast.Raise, ast.Continue, ast.Break)
_MANY: Final = 32
"""Nodes. Fewer are looked at one after the other."""
_MOST_STEPS: Final = 300_000
"""Steps down for one file, a few seconds. No file that was written by hand comes near it."""
_BODIES: Final = frozenset({"body", "orelse", "finalbody", "handlers", "cases"})


class Places:
    """Finds what stands at a place. A block of many thousand statements is searched by halves, each time."""

    def __init__(self, target: tuple[int, int]) -> None:
        self.target: Final = target
        """The deployed Python."""
        self._ends: dict[int, list[tuple[int, int]]] = {}
        self._last: dict[int, int] = {}
        self._left = _MOST_STEPS

    def count(self, steps: int) -> None:
        """Raise RecursionError when there have been too many steps in one file."""
        self._left -= steps
        if self._left < 0:
            raise RecursionError("too many undefined names in code that is nested too deeply")

    def child_at(self, node: ast.AST, line: int, column: int | None) -> tuple[str, ast.AST, bool] | None:
        """The child that holds a place, the field that it stands in, and whether its block has ended before it."""
        self.count(1)
        for field, value in ast.iter_fields(node):
            if isinstance(value, list):
                first = self._first(value, line, column) if len(value) > _MANY else 0
                for index, child in enumerate(value[first : first + 1] if first else value, first):
                    if isinstance(child, ast.AST) and _holds(child, line, column):
                        return field, child, field in _BODIES and self._has_ended(value, index)
            elif isinstance(value, ast.AST) and _holds(value, line, column):
                return field, value, False
        return None

    def _has_ended(self, block: list[ast.stmt], index: int) -> bool:
        first = self._last.get(id(block))
        if first is None:
            first = next(
                (number for number, statement in enumerate(block) if _ends(statement, self.target)), len(block)
            )
            self._last[id(block)] = first
        return first < index

    def _first(self, nodes: list[ast.AST | None], line: int, column: int | None) -> int:
        """The first of many nodes that does not end before a place; 0, too, where they are not in order."""
        ends = self._ends.get(id(nodes))
        if ends is None:
            ends = [_end(node) for node in nodes]
            self._ends[id(nodes)] = ends = ends if ends == sorted(ends) else []
        return bisect_left(ends, (line, 0)) if column is None else bisect_right(ends, (line, column))


def _ends(statement: ast.stmt, target: tuple[int, int]) -> bool:
    if isinstance(statement, ast.If) and version_truth(statement.test, target):
        return _ends(statement.body[-1], target)
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
        return dotted(statement.value.func) in _NEVER_RETURN
    return isinstance(statement, _ENDS)


def _end(node: ast.AST | None) -> tuple[int, int]:
    """Where a node ends; one that has no place of its own, with its last child."""
    if node is None:
        return 0, 0
    if (line := getattr(node, "end_lineno", None)) is not None:
        return line, node.end_col_offset  # type: ignore[attr-defined]
    return max(map(_end, ast.iter_child_nodes(node)), default=(0, 0))


def _holds(node: ast.AST, line: int, column: int | None) -> bool:
    end_line: int | None = getattr(node, "end_lineno", None)
    if end_line is None:
        return any(_holds(child, line, column) for child in ast.iter_child_nodes(node))
    if end_line < line:
        return False
    first: int = node.lineno  # type: ignore[attr-defined]
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    if decorators:
        first = min(first, decorators[0].lineno)
    if line < first:
        return False
    if column is None:
        return True
    if line == node.lineno and column < node.col_offset and not decorators:  # type: ignore[attr-defined]
        return False
    return not (line == end_line and column >= node.end_col_offset)  # type: ignore[attr-defined]
