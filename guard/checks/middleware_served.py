"""What a function is registered as: an endpoint, a dependency; and whether anything is checked before it runs."""

from __future__ import annotations

import ast
import re
from typing import Final

import msgspec

from guard.checks.middleware_facts import Free, Place4
from guard.checks.middleware_known import ROUTES
from guard.checks.middleware_names import Names, last_name
from guard.scopes import Scope

AnyFunction = ast.FunctionDef | ast.AsyncFunctionDef

_FRAMEWORK: Final = re.compile(r"^(?:fastapi|starlette)(?:\.|$)")
_REQUESTS: Final = frozenset({"Request", "HTTPConnection", "WebSocket"})
_CHECKS: Final = re.compile(
    r"auth|token|user|session|scope|header|cookie|query|param|secret|sign|key|depend|security|close|state|credential"
    r"|permission|verif|valid|allow|origin",
    re.IGNORECASE,
)


class Served(msgspec.Struct, frozen=True):
    """How a function is served."""

    kind: str = ""
    """`http`, `websocket` or `dependency`; empty where its file registers it as nothing."""
    request: str = ""
    """The parameter that is annotated with one of the framework's own requests."""
    bare: str = ""
    """The first parameter, where it has no annotation."""
    place: Place4 = (0, 0, 0, 0)
    """Its name, where it is defined."""
    trusts: bool = False
    """A WebSocket endpoint in which nothing looks like a check, and that hands the connection to nobody."""


def served_as(node: AnyFunction, scope: Scope, names: Names, *, depended: bool) -> Served:
    """What a function is registered as, as far as its own file says it. `depended`: it stands in a `Depends(…)`."""
    kind = "dependency" if depended else ""
    for decorator in node.decorator_list:
        func = decorator.func if isinstance(decorator, ast.Call) else None
        if isinstance(func, ast.Attribute) and func.attr in ROUTES:
            kind = ROUTES[func.attr]
    if scope.parent is None:
        return Served()
    request = ""
    for arg in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs):
        annotation = arg.annotation
        if annotation is not None and last_name(annotation) in _REQUESTS:
            found = names.expr(annotation, scope.parent)
            if isinstance(found, Free) and _FRAMEWORK.search(found.ref.module):
                request = arg.arg
                break
    arguments = (*node.args.posonlyargs, *node.args.args)
    bare = arguments[0].arg if arguments and arguments[0].annotation is None else ""
    if not kind:
        return Served("", request, bare)
    first = node.col_offset + len("async def " if isinstance(node, ast.AsyncFunctionDef) else "def ") + 1
    place = (node.lineno, first, node.lineno, first + len(node.name.encode()))
    return Served(kind, request, bare, place, kind == "websocket" and bool(request) and _trusts(node, request))


def _trusts(node: AnyFunction, connection: str) -> bool:
    if len(node.args.args) + len(node.args.kwonlyargs) + len(node.args.posonlyargs) > 1:
        return False  # a parameter of the path may be a ticket, and any other one a dependency
    if _CHECKS.search(ast.unparse([*node.decorator_list, *node.body])):  # type: ignore[arg-type]
        return False
    handed = (
        argument
        for inner in ast.walk(node)
        if isinstance(inner, ast.Call)
        for argument in (*inner.args, *(keyword.value for keyword in inner.keywords))
    )
    return not any(isinstance(argument, ast.Name) and argument.id == connection for argument in handed)
