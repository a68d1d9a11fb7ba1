"""Tests of the running Python's version, decided for the Python that is deployed."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from guard.scopes import dotted

_COMPARISONS: Final[Mapping[type[ast.cmpop], Callable[[Any, Any], bool]]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}


def version_truth(test: ast.expr, target: tuple[int, int]) -> bool | None:
    """Whether a test of `sys.version_info` holds on Python `target`; None for any other test, and where the patch
    release would decide."""
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        inner = version_truth(test.operand, target)
        return None if inner is None else not inner
    if not isinstance(test, ast.Compare) or len(test.ops) != 1:
        return None
    compare = _COMPARISONS.get(type(test.ops[0]))
    version, asked = _version(test.left, target), _numbers(test.comparators[0])
    if compare is None or version is None or asked is None or isinstance(version, int) is not isinstance(asked, int):
        return None
    if isinstance(asked, tuple) and len(asked) > 2:
        return None if asked[:2] == target else compare(version, asked[:2])
    return compare(version, asked)


def _version(node: ast.expr, target: tuple[int, int]) -> tuple[int, ...] | int | None:
    if _is_version_info(node):
        return (*target, 0)  # it has more parts than the two that are asked for
    if isinstance(node, ast.Attribute) and _is_version_info(node.value):
        return {"major": target[0], "minor": target[1]}.get(node.attr)
    if not isinstance(node, ast.Subscript) or not _is_version_info(node.value):
        return None
    index = node.slice
    if isinstance(index, ast.Constant):
        return {0: target[0], 1: target[1]}.get(index.value) if type(index.value) is int else None
    if isinstance(index, ast.Slice) and index.lower is None and index.step is None:
        return target if isinstance(index.upper, ast.Constant) and index.upper.value == 2 else None
    return None


def _is_version_info(node: ast.expr) -> bool:
    return dotted(node) in ("sys.version_info", "version_info")


def _numbers(node: ast.expr) -> tuple[int, ...] | int | None:
    if isinstance(node, ast.Constant) and type(node.value) is int:
        return node.value
    if not isinstance(node, ast.Tuple):
        return None
    values = [part.value for part in node.elts if isinstance(part, ast.Constant) and type(part.value) is int]
    return tuple(values) if values and len(values) == len(node.elts) else None


def skipped(marks: Iterable[ast.expr], target: tuple[int, int]) -> bool:
    """Whether one of the marks or decorators of a test skips it on Python `target`, whatever else holds."""
    for mark in marks:
        if isinstance(mark, (ast.List, ast.Tuple)):
            if skipped(mark.elts, target):
                return True
        elif isinstance(mark, ast.Call) and mark.args:
            last = dotted(mark.func).rpartition(".")[2].lower()
            if last in ("skipif", "skipunless") and version_truth(mark.args[0], target) is (last == "skipif"):
                return True
    return False
