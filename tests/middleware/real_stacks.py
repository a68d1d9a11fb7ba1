"""Run as a child process: the stacks that Starlette and FastAPI really build for the modules of some folders.

Reads a JSON list of folders from standard input; prints for each one the list of distinct stacks, a stack being the
names of its layers from the outermost inwards. That of a mounted application stands behind the one that it is mounted
in, and a `|` between them. Every module of a folder is imported by itself, once for each
combination of the environment variables that the folder's code asks for.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import FunctionType, MethodType

from real_modules import each_module
from starlette.applications import Starlette
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.routing import Host, Mount, Router


def stacks(app: object, around: tuple[str, ...] = ()) -> list[list[str]]:
    """The stack of an application, and those of the ones that are mounted in it."""
    names = list(around)
    mounted = []
    while not isinstance(app, Router):
        if isinstance(app, Starlette):
            mounted += [route.app for route in app.routes if isinstance(route, Mount | Host)]
            app = app.build_middleware_stack()
            continue
        name = type(app).__name__
        if type(app) is BaseHTTPMiddleware:
            dispatch = app.dispatch_func
            named = isinstance(dispatch, FunctionType | MethodType)
            name = dispatch.__name__ if named else type(dispatch).__name__
        names.append(name)
        app = app.app
    inner = [app for app in mounted if _is_application(app)]
    return [names, *(stack for app in inner for stack in stacks(app, (*names, "|")))]


def _is_application(thing: object) -> bool:
    while not isinstance(thing, Starlette) and hasattr(thing, "app"):
        thing = thing.app
    return isinstance(thing, Starlette)


def applications(module: object) -> list[object]:
    """The variables of a module whose names begin with `app`, and what the main module's functions `create…()` give."""
    found = [value for name, value in vars(module).items() if name.startswith("app") and callable(value)]
    if module.__name__ == "main":
        created = [value for name, value in vars(module).items() if name.startswith("create")]
        found += [create() for create in created if create.__module__ == "main"]
    return [app for app in found if _is_application(app)]


def stacks_of(folder: Path) -> list[list[str]]:
    return each_module(folder, lambda module: [stack for app in applications(module) for stack in stacks(app)])


if __name__ == "__main__":
    print(json.dumps([stacks_of(Path(folder)) for folder in json.load(sys.stdin)]))
