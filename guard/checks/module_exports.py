"""The literal names of `__all__`."""

from __future__ import annotations

import ast

import msgspec

from guard.checks.module_facts import Exported
from guard.scopes import dotted

Place = tuple[int, int]
"""Line and column, by which statements are put in order."""


def literal_exports(
    statements: list[tuple[Place, ast.expr | None, str, bool]],
) -> tuple[tuple[Exported, ...] | None, bool]:
    """The literal names of `__all__`, and whether there may be more."""
    if not statements:
        return None, False
    names: dict[str, Exported] = {}
    computed = False
    for _, value, how, certain in statements:
        if how == "remove":
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                names.pop(value.value, None)
            else:
                computed = True
            continue
        if how == "=":
            names.clear()
        literals, all_literal = _strings([value] if how in ("append", "insert") else value)
        computed = computed or not all_literal
        for literal in literals:
            names[literal.name] = literal if certain else msgspec.structs.replace(literal, certain=False)
    return tuple(names.values()), computed


def _strings(value: ast.expr | list[ast.expr | None] | None) -> tuple[list[Exported], bool]:
    """The string literals of a list expression, also of concatenations; False where there is something else."""
    if isinstance(value, (ast.List, ast.Tuple, ast.Set)):
        items: list[ast.expr | None] = list(value.elts)
    elif isinstance(value, list):
        items = value
    elif isinstance(value, ast.BinOp) and isinstance(value.op, ast.Add):
        left, left_literal = _strings(value.left)
        right, right_literal = _strings(value.right)
        return left + right, left_literal and right_literal
    elif isinstance(value, ast.Call) and dotted(value.func) in ("list", "tuple", "sorted") and len(value.args) == 1:
        return _strings(value.args[0])
    else:
        return [], False
    found = []
    complete = True
    for item in items:
        if isinstance(item, ast.Constant) and isinstance(item.value, str):
            found.append(
                Exported(item.value, item.lineno, item.col_offset + 1, (item.end_col_offset or item.col_offset) + 1)
            )
        else:
            complete = False
    return found, complete
