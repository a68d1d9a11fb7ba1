"""Strings in settings that a framework resolves: Django's settings modules, and dictionaries for `dictConfig`."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Set
from typing import Final

from guard.checks.strings_facts import IMPORT, OBJECT
from guard.checks.strings_fold import fold
from guard.checks.strings_reading import Found
from guard.scopes import Binding, Context, Scope

_MODULES: Final = frozenset({"ROOT_URLCONF", "SESSION_ENGINE", "SETTINGS_MODULE"})
"""Settings that name one module."""
_OBJECTS: Final = frozenset(
    {
        *("WSGI_APPLICATION", "ASGI_APPLICATION", "TEST_RUNNER", "EMAIL_BACKEND", "DEFAULT_FILE_STORAGE"),
        *("STATICFILES_STORAGE", "MESSAGE_STORAGE", "FORM_RENDERER", "CSRF_FAILURE_VIEW"),
        *("SESSION_SERIALIZER", "DEFAULT_EXCEPTION_REPORTER", "DEFAULT_EXCEPTION_REPORTER_FILTER"),
    }
)
"""Settings that name one thing in a module."""
_LISTS: Final = frozenset(
    {
        *("INSTALLED_APPS", "MIDDLEWARE", "AUTHENTICATION_BACKENDS", "PASSWORD_HASHERS", "DATABASE_ROUTERS"),
        *("STATICFILES_FINDERS", "FILE_UPLOAD_HANDLERS"),
    }
)
"""Settings that name several things."""
_TELLING: Final = frozenset({"INSTALLED_APPS", "ROOT_URLCONF"})
_TELLING_TOO: Final = frozenset(
    {"MIDDLEWARE", "DATABASES", "TEMPLATES", "SECRET_KEY", "WSGI_APPLICATION", "AUTHENTICATION_BACKENDS"}
)
"""A module that binds one of the former and one of the latter, or both of the former, is one of Django's."""
_LOGGED: Final = ("formatters", "filters", "handlers", "loggers")
_DEPTH: Final = 20

_Values = Mapping[str, ast.expr]


def settings_of(module: Scope, rebound: Set[str]) -> Iterator[Found]:
    """The strings of a Django settings module; none for any other file."""
    bound = module.bindings
    if _TELLING.isdisjoint(bound) or len((_TELLING | _TELLING_TOO) & bound.keys()) < 2:
        return
    for name in sorted((_MODULES | _OBJECTS | _LISTS | {"TEMPLATES", "LOGGING"}) & bound.keys()):
        for binding in bound[name]:
            value = _value(binding)
            if value is None:
                continue
            if name == "TEMPLATES":
                yield from _templates(value, module, rebound, binding.context)
            elif name == "LOGGING":
                yield from logging_strings(name, value, module, rebound, binding.context)
            else:
                for node in texts_of(value):
                    way = IMPORT if name in _MODULES else OBJECT
                    yield from _named(name, way, node, module, rebound, binding.context)


def _value(binding: Binding) -> ast.expr | None:
    """What is bound, or added."""
    if binding.value is None and isinstance(binding.node, ast.AugAssign):
        return binding.node.value
    return binding.value


def texts_of(node: ast.expr, depth: int = 0) -> Iterator[ast.expr]:
    """The elements of a list that is written down, or of several that are added; anything else is its own element."""
    if isinstance(node, (ast.List, ast.Tuple, ast.Set)):
        yield from node.elts
    elif isinstance(node, ast.BinOp) and depth < _DEPTH and _adds_lists(node):
        yield from texts_of(node.left, depth + 1)
        yield from texts_of(node.right, depth + 1)
    else:
        yield node


def _adds_lists(node: ast.BinOp) -> bool:
    """Whether a sum is one of lists, so that its parts are no parts of a string."""
    left = node
    while isinstance(left.left, ast.BinOp):
        left = left.left
    return any(isinstance(side, (ast.List, ast.Tuple)) for side in (left.left, left.right, node.right))


def _named(
    api: str, way: int, node: ast.expr, scope: Scope, rebound: Set[str], context: Context | None
) -> Iterator[Found]:
    folded = fold(node, scope, rebound)
    if folded is not None and folded.base is None:
        yield Found(api, way, folded.text, node, context=context)


def _templates(node: ast.expr, scope: Scope, rebound: Set[str], context: Context) -> Iterator[Found]:
    """`TEMPLATES`: the back ends and their context processors."""
    for engine in texts_of(node):
        values = _entries(engine)
        if "BACKEND" in values:
            yield from _named("TEMPLATES", OBJECT, values["BACKEND"], scope, rebound, context)
        options = _entries(values.get("OPTIONS"))
        for processor in texts_of(options["context_processors"]) if "context_processors" in options else ():
            yield from _named("context_processors", OBJECT, processor, scope, rebound, context)


def _entries(node: ast.expr | None) -> _Values:
    """The values of a dictionary that is written down, by their keys, those that are strings."""
    if not isinstance(node, ast.Dict):
        return {}
    return {
        key.value: value
        for key, value in zip(node.keys, node.values, strict=True)
        if isinstance(key, ast.Constant) and isinstance(key.value, str)
    }


def logging_strings(
    api: str, node: ast.expr, scope: Scope, rebound: Set[str], context: Context | None
) -> Iterator[Found]:
    """The strings in a dictionary for `logging.config.dictConfig`: classes, factories, and `ext://` values."""
    settings = _entries(node)
    for section in _LOGGED:
        for entry in _entries(settings.get(section)).values():
            for key, value in _entries(entry).items():
                if key in ("class", "()") and section != "loggers":
                    yield from _named(api, OBJECT, value, scope, rebound, context)
                else:
                    yield from _external(api, value, scope, rebound, context)


def _external(
    api: str, node: ast.expr, scope: Scope, rebound: Set[str], context: Context | None, depth: int = 0
) -> Iterator[Found]:
    """`ext://module.name`, alone or inside lists and dictionaries."""
    if depth > _DEPTH:
        return
    if isinstance(node, ast.Constant):
        if isinstance(node.value, str) and node.value.startswith("ext://"):
            yield Found(api, OBJECT, node.value.removeprefix("ext://"), node, context=context)
        return
    inner = node.values if isinstance(node, ast.Dict) else node.elts if isinstance(node, (ast.List, ast.Tuple)) else ()
    for value in inner:
        yield from _external(api, value, scope, rebound, context, depth + 1)
