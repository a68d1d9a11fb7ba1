"""How a layer answers by itself: statuses, and tests that let most requests pass."""

from __future__ import annotations

import ast
import re
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from typing import Final

from guard.checks.middleware_names import last_name
from guard.scopes import caught_names

_REFUSALS: Final = frozenset({401, 403})
_REFUSAL_NAMES: Final = frozenset({"HTTP_401_UNAUTHORIZED", "HTTP_403_FORBIDDEN", "UNAUTHORIZED", "FORBIDDEN"})
CREDENTIALS: Final = ("authorization", "bearer", "api-key", "api_key", "apikey", "token", "www-authenticate")
INWARD: Final = frozenset({"call_next", "get_response", "_get_response", "handler"})
"""What layers call the rest of the stack by: Starlette's dispatch functions, Django's, and aiohttp's."""
REFUSING_ERRORS: Final = frozenset({"HTTPUnauthorized", "HTTPForbidden"})
"""aiohttp's exceptions of status 401 and 403."""
_INWARD_OR_APP: Final = INWARD | {"app"}
_OF_ALL: Final = re.compile(r"\btype\b|\bmethod\b|OPTIONS")


def status_of(call: ast.Call, position: int) -> ast.expr | None:
    """The status that a response or exception is made with."""
    for keyword in call.keywords:
        if keyword.arg in ("status_code", "status"):
            return keyword.value
    return call.args[position] if len(call.args) > position else None


def refusing(status: ast.expr | None) -> bool:
    """Whether it is 401 or 403."""
    if isinstance(status, ast.Constant):
        return status.value in _REFUSALS
    return last_name(status) in _REFUSAL_NAMES


def is_401(status: ast.expr | None) -> bool:
    """401 is about credentials by its definition; 403 may be about anything."""
    if isinstance(status, ast.Constant):
        return status.value == 401
    return last_name(status) in ("HTTP_401_UNAUTHORIZED", "UNAUTHORIZED")


def lets_most_pass(node: ast.If) -> bool:
    """Whether an `if` whose body calls the inner layers hands on every request that does *not* ask for something:
    `if not is_metrics(path): …`."""
    tests = node.test.values if isinstance(node.test, ast.BoolOp) else [node.test]
    return any(
        (
            (isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not))
            or (isinstance(test, ast.Compare) and isinstance(test.ops[0], (ast.NotIn, ast.NotEq)))
        )
        and not _OF_ALL.search(ast.unparse(test))
        for test in tests
    )


def answers_any(handler: ast.ExceptHandler) -> bool:
    """Whether a handler answers every exception with something of its own, and never raises."""
    names = caught_names(handler)
    if names and not {name.rpartition(".")[2] for name in names} & {"Exception", "BaseException"}:
        return False
    inner = [node for statement in handler.body for node in ast.walk(statement)]
    return any(isinstance(node, (ast.Return, ast.Await)) for node in inner) and not any(
        isinstance(node, ast.Raise) for node in inner
    )


class Inward:
    """The calls of one file that may run the inner layers."""

    def __init__(self, calls: Iterable[ast.Call]) -> None:
        self._lines: Final = sorted({call.lineno for call in calls if _may_run_inward(call)})

    def is_called_in(self, nodes: Sequence[ast.stmt | ast.expr]) -> bool:
        """Whether the inner layers may be called anywhere in there; rather once too often."""
        lines = self._lines
        first = bisect_left(lines, nodes[0].lineno)
        if first == len(lines) or lines[first] > (nodes[-1].end_lineno or 0):
            return False
        return any(isinstance(node, ast.Call) and _may_run_inward(node) for root in nodes for node in ast.walk(root))


def _may_run_inward(call: ast.Call) -> bool:
    return len(call.args) >= 3 or last_name(call.func) in _INWARD_OR_APP
