"""Which names of a file may stand for an application, for a layer, or for what holds one."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterable, Iterator
from typing import Final

from guard.checks.middleware_frameworks import (
    APP_CLASSES,
    ATTACHING,
    ATTRIBUTES,
    DECORATORS,
    EXTENSIONS,
    METHODS,
    MOUNTS,
)
from guard.checks.middleware_names import MAKES, last_name
from guard.scopes import BindingKind, Scope

_IMPORT: Final = BindingKind.IMPORT
_LOOP: Final = BindingKind.LOOP
_APPLICATION: Final = re.compile(r"(?:^|_)(?:app|application|api|asgi|fastapi|starlette|flask|wsgi)$", re.IGNORECASE)
_WORD: Final = re.compile(r"\w+")


def wanted_names(calls: Iterable[ast.Call], scopes: Iterable[Scope], decorating: Iterable[str]) -> frozenset[str]:
    """The names in one file that may stand for an application, for a layer, or for a list of layers. `decorating` are
    those of whose attributes decorators are made that add layers."""
    wanted: set[str] = set(decorating)
    called: set[str] = set()
    owners: set[str] = set()
    extended: list[tuple[str, ast.expr]] = []
    for call in calls:
        func, args, keywords = call.func, call.args, call.keywords
        kind = func.__class__
        if _may_name(call):
            wanted.update(_named_by(call))
        if kind is ast.Name:
            name = last_name(func)
            for arg in args:
                if _is_called_application(last_name(arg)):
                    called.add(name)
                    break
            if name in APP_CLASSES:
                owners.update(_owners_named_by(call))
            continue
        if not args and not keywords:
            continue
        if keywords or kind is not ast.Attribute or _may_hold_layers(func):  # type: ignore[arg-type]
            owners.update(_owners_named_by(call))
        elif _is_called_application(last_name(args[0])):
            owners.add(last_name(func.value))  # type: ignore[attr-defined]
        if args and isinstance(func, ast.Attribute) and func.attr == "extend":
            extended.append((last_name(func.value), args[0]))
    scopes = list(scopes)
    for scope in scopes:
        for name, bindings in scope.bindings.items():
            named = _is_called_application(name)
            for binding in bindings:
                annotation, value = binding.annotation, binding.value
                if (
                    (annotation is not None and application_class(annotation))
                    or (named and binding.kind is not _IMPORT)
                    or (value is not None and (name in called or _makes_something(value)))
                    or (name in called and binding.kind is _LOOP)
                    or (name in owners and isinstance(value, ast.Call))
                ):
                    wanted.add(name)
    for _ in range(3):
        size = len(wanted)
        for name, values in extended:
            if name in wanted:
                wanted.update(_names_in(values))
        for scope in scopes:
            for name in wanted & scope.bindings.keys():
                for binding in scope.bindings[name]:
                    source = binding.value
                    if isinstance(binding.node, (ast.For, ast.AsyncFor)):
                        source = binding.node.iter
                    wanted.update(_names_in(source))
        if len(wanted) == size:
            break
    return frozenset((wanted | ATTRIBUTES) - {"", "self", "cls"})


@functools.lru_cache(maxsize=10_000)
def _is_called_application(name: str) -> bool:
    return _APPLICATION.search(name) is not None


def application_class(annotation: ast.expr | None) -> str:
    """The last name of the application's class that an annotation names: that of `FastAPI`, `"FastAPI"`,
    `Starlette | None`, `Optional[Starlette]`. Empty where it names none."""
    if isinstance(annotation, ast.Constant):
        text = annotation.value
        return _spoken_of(text) if isinstance(text, str) else ""
    if isinstance(annotation, ast.BinOp):
        return application_class(annotation.left) or application_class(annotation.right)
    if isinstance(annotation, ast.Subscript):
        return application_class(annotation.slice)
    last = last_name(annotation)
    return last if last in APP_CLASSES else ""


@functools.lru_cache(maxsize=10_000)
def _spoken_of(text: str) -> str:
    return next((word for word in _WORD.findall(text) if word in APP_CLASSES), "")


def is_about_applications(call: ast.Call, wanted: frozenset[str]) -> bool:
    """Whether a call may make, change or hand on an application or a layer, by its names alone."""
    func = call.func
    last = last_name(func)
    if _is_about_layers(last):
        return True
    if isinstance(func, ast.Attribute) and last_name(func.value) in wanted:
        return True
    for arg in call.args:
        if last_name(arg) in wanted:
            return True
    return any(last_name(keyword.value) in wanted for keyword in call.keywords) if call.keywords else False


@functools.lru_cache(maxsize=10_000)
def _is_about_layers(last: str) -> bool:
    return last in ("add_middleware", "middleware", "Middleware", "super") or MAKES.search(last) is not None


_MAKERS: Final = APP_CLASSES | EXTENSIONS
_NAMING: Final = frozenset({*METHODS, *ATTACHING, "append", "insert", "extend", "Middleware"})


def _may_name(call: ast.Call) -> bool:
    """Whether `_named_by` can give anything: most calls are none of its kinds, and it is asked of all of a file."""
    func, args = call.func, call.args
    kind = func.__class__
    if call.keywords or (args and args[0].__class__ is ast.Attribute):
        return True
    if kind is ast.Name:
        return last_name(func) in _NAMING
    return kind is not ast.Attribute or last_name(func) in _NAMING or func.value.__class__ is ast.Attribute  # type: ignore[attr-defined]


def _named_by(call: ast.Call) -> Iterator[str]:
    func = call.func
    if isinstance(func, ast.Attribute) and func.attr in METHODS:
        yield last_name(func.value)
        yield from map(last_name, call.args[: 2 if func.attr in MOUNTS else 1])
    elif isinstance(func, ast.Attribute) and func.attr in ATTACHING:
        yield last_name(func.value)
        yield from map(last_name, call.args[:1])
    elif isinstance(func, ast.Attribute) and func.attr in ("append", "insert", "extend") and call.args:
        last = call.args[-1]
        if isinstance(last, ast.Call) and last_name(last.func) == "Middleware":
            yield last_name(func.value)
        elif last_name(func.value) in ATTRIBUTES:
            yield from _names_in(last)
    elif (
        isinstance(func, ast.Call) and isinstance(func.func, ast.Attribute) and func.func.attr == "middleware"
    ) or last_name(func) == "Middleware":
        yield from map(last_name, call.args[:1])
    for value in (func.value if isinstance(func, ast.Attribute) else func, *call.args[:1]):
        if isinstance(value, ast.Attribute) and value.attr in ATTRIBUTES:  # `app.middlewares.append`, `f(app.wsgi_app)`
            yield last_name(value.value)
    for keyword in call.keywords:
        if keyword.arg in ("middleware", "middlewares", "middleware_class", "dispatch", "routes"):
            yield from _names_in(keyword.value)
        elif keyword.arg == "app" or (keyword.arg is None and last_name(func) in APP_CLASSES):
            yield last_name(keyword.value)


def _may_hold_layers(func: ast.Attribute) -> bool:
    """Whether a method may be called on more than an object that is named, or be one that takes layers."""
    owner = func.value
    return owner.__class__ is not ast.Name or func.attr in DECORATORS or last_name(owner) in ATTRIBUTES


def _owners_named_by(call: ast.Call) -> Iterator[str]:
    """The variable whose method is made a layer, adds one, or which holds the application."""
    func = call.func
    layers: list[ast.expr] = []
    for keyword in call.keywords:
        if keyword.arg == "dispatch":
            layers.append(keyword.value)
        elif keyword.arg == "middlewares" and isinstance(keyword.value, ast.List | ast.Tuple):
            layers += keyword.value.elts
    if isinstance(func, ast.Attribute) and (last_name(func.value) in ATTRIBUTES or func.attr in DECORATORS):
        layers += call.args[-1:]
    if isinstance(func, ast.Call) and isinstance(func.func, ast.Attribute) and func.func.attr == "middleware":
        layers += call.args[:1]
    elif isinstance(func, ast.Attribute) and isinstance(func.value, ast.Attribute):
        if func.attr in METHODS and isinstance(func.value.value, ast.Name):
            yield func.value.value.id
    elif isinstance(func, ast.Attribute) and isinstance(func.value, ast.Name):
        for arg in (*call.args[:1], *[keyword.value for keyword in call.keywords]):
            if _is_called_application(last_name(arg)):
                yield func.value.id
                break
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
    if isinstance(value, ast.Attribute):
        return value.attr in ATTRIBUTES
    if isinstance(value, (ast.List, ast.Tuple)):
        return any(isinstance(item, ast.Call) and last_name(item.func) == "Middleware" for item in value.elts)
    return isinstance(value, ast.Call) and last_name(value.func) in _MAKERS
