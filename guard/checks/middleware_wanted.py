"""Which names of a file may stand for an application, for a layer, or for what holds one."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterable, Iterator
from typing import Final

from guard.checks.middleware_names import MAKES, last_name
from guard.scopes import BindingKind, Scope

_APPLICATION: Final = re.compile(r"(?:^|_)(?:app|application|api|asgi|fastapi|starlette)$", re.IGNORECASE)
APP_CLASSES: Final = frozenset({"FastAPI", "Starlette"})
"""What an application is made by, by last name."""


def wanted_names(calls: Iterable[ast.Call], scopes: Iterable[Scope]) -> frozenset[str]:
    """The names in one file that may stand for an application, for a layer, or for a list of layers."""
    wanted: set[str] = set()
    called: set[str] = set()
    owners: set[str] = set()
    for call in calls:
        wanted.update(_named_by(call))
        if isinstance(call.func, ast.Name):
            if any(_APPLICATION.search(last_name(arg)) for arg in call.args):
                called.add(call.func.id)
        else:
            owners.update(_owners_named_by(call))
    scopes = list(scopes)
    for scope in scopes:
        for name, bindings in scope.bindings.items():
            for binding in bindings:
                annotation = binding.annotation
                if (
                    (annotation is not None and speaks_of_application(annotation))
                    or (_APPLICATION.search(name) and binding.kind is not BindingKind.IMPORT)
                    or (binding.value is not None and _makes_something(binding.value))
                    or (name in called and (binding.kind is BindingKind.LOOP or binding.value is not None))
                    or (name in owners and isinstance(binding.value, ast.Call))
                ):
                    wanted.add(name)
    for _ in range(3):
        size = len(wanted)
        for scope in scopes:
            for name in wanted & scope.bindings.keys():
                for binding in scope.bindings[name]:
                    source = binding.value
                    if isinstance(binding.node, (ast.For, ast.AsyncFor)):
                        source = binding.node.iter
                    wanted.update(_names_in(source))
        if len(wanted) == size:
            break
    return frozenset((wanted | {"user_middleware", "middleware_stack", "lifespan_context"}) - {"", "self", "cls"})


def speaks_of_application(annotation: ast.expr | None) -> bool:
    """Whether an annotation names an application's class: `FastAPI`, `"FastAPI"`, `Starlette | None`, `Optional[…]`."""
    if isinstance(annotation, ast.Constant):
        return isinstance(annotation.value, str) and any(name in annotation.value for name in APP_CLASSES)
    if isinstance(annotation, ast.BinOp):
        return speaks_of_application(annotation.left) or speaks_of_application(annotation.right)
    if isinstance(annotation, ast.Subscript):
        return speaks_of_application(annotation.slice)
    return last_name(annotation) in APP_CLASSES


def is_about_applications(call: ast.Call, wanted: frozenset[str]) -> bool:
    """Whether a call may make, change or hand on an application or a layer, by its names alone."""
    func = call.func
    last = last_name(func)
    if _is_about_layers(last):
        return True
    if isinstance(func, ast.Attribute) and last_name(func.value) in wanted:
        return True
    return any(last_name(arg) in wanted for arg in call.args) or any(
        last_name(keyword.value) in wanted for keyword in call.keywords
    )


@functools.lru_cache(maxsize=10_000)
def _is_about_layers(last: str) -> bool:
    return last in ("add_middleware", "middleware", "Middleware", "super") or MAKES.search(last) is not None


def _named_by(call: ast.Call) -> Iterator[str]:
    func = call.func
    if isinstance(func, ast.Attribute) and func.attr in ("add_middleware", "middleware", "mount"):
        yield last_name(func.value)
        yield from map(last_name, call.args[-1:] if func.attr == "mount" else call.args[:1])
    elif isinstance(func, ast.Attribute) and func.attr in ("append", "insert") and call.args:
        last = call.args[-1]
        if isinstance(last, ast.Call) and last_name(last.func) == "Middleware":
            yield last_name(func.value)
    elif (
        isinstance(func, ast.Call) and isinstance(func.func, ast.Attribute) and func.func.attr == "middleware"
    ) or last_name(func) == "Middleware":
        yield from map(last_name, call.args[:1])
    for keyword in call.keywords:
        if keyword.arg in ("middleware", "middleware_class", "dispatch", "routes"):
            yield from _names_in(keyword.value)
        elif keyword.arg == "app" or (keyword.arg is None and last_name(func) in APP_CLASSES):
            yield last_name(keyword.value)


def _owners_named_by(call: ast.Call) -> Iterator[str]:
    """The variable whose method is made a layer, adds one, or which holds the application."""
    func = call.func
    layers = [keyword.value for keyword in call.keywords if keyword.arg == "dispatch"]
    if isinstance(func, ast.Call) and isinstance(func.func, ast.Attribute) and func.func.attr == "middleware":
        layers += call.args[:1]
    elif isinstance(func, ast.Attribute) and isinstance(func.value, ast.Attribute):
        if func.attr in ("add_middleware", "middleware", "mount") and isinstance(func.value.value, ast.Name):
            yield func.value.value.id
    elif isinstance(func, ast.Attribute) and isinstance(func.value, ast.Name):
        handed = (*call.args[:1], *(keyword.value for keyword in call.keywords))
        if any(_APPLICATION.search(last_name(arg)) for arg in handed):
            yield func.value.id
    for layer in layers:
        if isinstance(layer, ast.Attribute) and isinstance(layer.value, ast.Name):
            yield layer.value.id


def _names_in(value: ast.expr | None) -> Iterator[str]:
    if isinstance(value, (ast.Name, ast.Attribute)):
        yield last_name(value)
    elif isinstance(value, ast.Subscript):
        yield from _names_in(value.value)
    elif isinstance(value, ast.Call):
        if isinstance(value.func, ast.Name) and value.func.id in ("reversed", "enumerate", "list", "tuple"):
            yield from map(last_name, value.args[:1])
        elif isinstance(value.func, ast.Attribute) and value.func.attr in ("items", "values"):
            yield last_name(value.func.value)
    elif isinstance(value, ast.ListComp):
        yield from _names_in(value.generators[0].iter)
    elif isinstance(value, ast.BinOp):
        yield from _names_in(value.left)
        yield from _names_in(value.right)
    elif isinstance(value, ast.IfExp):
        yield from _names_in(value.body)
        yield from _names_in(value.orelse)
    elif isinstance(value, (ast.List, ast.Tuple)):
        for element in value.elts:
            yield from _names_in(element.value if isinstance(element, ast.Starred) else element)


def _makes_something(value: ast.expr) -> bool:
    if isinstance(value, (ast.List, ast.Tuple)):
        return any(isinstance(item, ast.Call) and last_name(item.func) == "Middleware" for item in value.elts)
    return isinstance(value, ast.Call) and last_name(value.func) in APP_CLASSES
