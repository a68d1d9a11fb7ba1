"""Which names and expressions of a function hold the request, its scope or its state, and which part they name."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from typing import Final

from guard.checks.middleware_names import last_name

PARTS: Final = frozenset({"session", "user", "auth"})
"""Parts of the request that a layer has to provide; `state.x` and `scope.x` are more, one for each x."""

_STANDARD: Final = frozenset(
    {
        *(
            "type",
            "asgi",
            "http_version",
            "method",
            "scheme",
            "path",
            "raw_path",
            "query_string",
            "root_path",
            "headers",
        ),
        *(
            "client",
            "server",
            "extensions",
            "subprotocols",
            "state",
            "app",
            "router",
            "endpoint",
            "path_params",
            "route",
        ),
    }
)
"""What the server and the router put into every scope."""


def part_of(kind: str, name: object) -> str | None:
    """The part that a name of the state (`kind` is `state`) or a key of the scope stands for; None where no layer
    provides it."""
    if not isinstance(name, str) or name.startswith("_"):
        return None
    if kind == "state":
        return f"state.{name}"
    if name in PARTS:
        return name
    return None if name in _STANDARD else f"scope.{name}"


WRAPPERS: Final = frozenset({"Request", "HTTPConnection", "WebSocket"})
"""What makes a request of a scope."""


class Carriers:
    """The local names of one function that hold a request or its state, with the parameter it comes from."""

    def __init__(self, params: Iterable[str]) -> None:
        self._held: dict[str, tuple[str, str]] = {param: ("request", param) for param in params}

    def __contains__(self, name: str) -> bool:
        return name in self._held

    def __bool__(self) -> bool:
        return bool(self._held)

    def bind(self, name: str, carried: tuple[str, str]) -> None:
        """A name that is given what another expression carries."""
        self._held[name] = carried

    def carrier(self, node: ast.expr) -> tuple[str, str] | None:
        """`("request", parameter)` for a request or scope, `("state", parameter)` for its state; else None."""
        if isinstance(node, ast.Name):
            return self._held.get(node.id)
        if isinstance(node, ast.Attribute) and node.attr in ("state", "scope"):
            carried = self.carrier(node.value)
            if carried is None or carried[0] != "request":
                return None
            return ("state" if node.attr == "state" else "request", carried[1])
        if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant) and node.slice.value == "state":
            carried = self.carrier(node.value)
            return ("state", carried[1]) if carried and carried[0] == "request" else None
        if isinstance(node, ast.Call):
            if last_name(node.func) in WRAPPERS and node.args:
                return self.carrier(node.args[0])
            if isinstance(node.func, ast.Attribute) and node.func.attr in ("setdefault", "get") and node.args:
                first = node.args[0]
                if isinstance(first, ast.Constant) and first.value == "state":
                    carried = self.carrier(node.func.value)
                    return ("state", carried[1]) if carried else None
        return None

    def part(self, node: ast.expr) -> tuple[str, str] | None:
        """The part of the request that an expression names, and the parameter it belongs to."""
        if isinstance(node, ast.Attribute):
            carried = self.carrier(node.value)
            if carried is None or (carried[0] == "request" and node.attr not in PARTS):
                return None
            part = part_of(carried[0], node.attr)
        elif isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
            carried = self.carrier(node.value)
            part = part_of(carried[0], node.slice.value) if carried is not None else None
        else:
            return None
        return (part, carried[1]) if carried is not None and part is not None else None

    def told_by(self, test: ast.expr) -> tuple[frozenset[str], frozenset[str]]:
        """The parts that are there when a test holds, and when it does not."""
        if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
            present, absent = self.told_by(test.operand)
            return absent, present
        if isinstance(test, ast.BoolOp):
            told = [self.told_by(value) for value in test.values]
            side = 0 if isinstance(test.op, ast.And) else 1
            union = frozenset().union(*(pair[side] for pair in told))
            return (union, frozenset()) if side == 0 else (frozenset(), union)
        nothing: frozenset[str] = frozenset()
        if isinstance(test, ast.Compare) and len(test.ops) == 1:
            left, right, op = test.left, test.comparators[0], test.ops[0]
            if isinstance(op, (ast.In, ast.NotIn)) and isinstance(left, ast.Constant) and isinstance(left.value, str):
                carried = self.carrier(right)
                if carried is not None:
                    part = part_of(carried[0], left.value)
                    told_here = frozenset({part} if part else ())
                    return (told_here, nothing) if isinstance(op, ast.In) else (nothing, told_here)
            if isinstance(op, (ast.Is, ast.IsNot)) and isinstance(right, ast.Constant) and right.value is None:
                present, _ = self.told_by(left)
                return (nothing, present) if isinstance(op, ast.Is) else (present, nothing)
        if (
            isinstance(test, ast.Call)
            and isinstance(test.func, ast.Attribute)
            and test.func.attr == "get"
            and test.args
        ):
            carried, first = self.carrier(test.func.value), test.args[0]
            if carried is not None and carried[0] == "request" and isinstance(first, ast.Constant):
                part = part_of("request", first.value)
                return frozenset({part} if part else ()), nothing
        return nothing, nothing
