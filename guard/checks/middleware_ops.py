"""What can be told of set-up code without running it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from guard.checks.middleware_facts import Attr, Branch, Call, Loop, Op, Return, Stop, Var

REQUESTS: Final = frozenset({"request", "req", "websocket"})
"""What a parameter is called that gets a request."""


def raises(body: Sequence[Op]) -> bool:
    """Whether a handler raises in the end, whatever it does before."""
    return bool(body) and isinstance(body[-1], Stop)


def asks_for_application(op: Op) -> bool:
    """Whether a statement begins with `request.app`, at any depth of branches."""
    if isinstance(op, Branch):
        return any(asks_for_application(inner) for arm in op.arms for inner in arm.body)
    if isinstance(op, Loop):
        return any(map(asks_for_application, op.body))
    value = getattr(op, "value", None)
    while isinstance(value, Call | Attr):
        if isinstance(value, Attr) and value.name == "app" and isinstance(value.base, Var):
            return value.base.name in REQUESTS
        value = value.func if isinstance(value, Call) else value.base
    return False


def returns(body: Sequence[Op]) -> bool:
    """Whether any way through a body returns."""
    for op in body:
        if isinstance(op, Return):
            return True
        if isinstance(op, Branch) and any(returns(arm.body) for arm in op.arms):
            return True
    return False
