"""Run as a child process: which layers requests really come through, in applications of Flask and aiohttp.

Reads a JSON list of folders from standard input; prints for each one the list of distinct ways of a request. A way is
the names of the functions and classes of the folder that ran for it, in order, and of the few layers of packages that
`PACKAGED` names. A request is sent to each application, to each of its blueprints, and to each one that is mounted in
it. What is called `view…` or begins with an underscore is no layer.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType, ModuleType

import flask
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from aiohttp.web_urldispatcher import MatchedSubAppResource, PrefixedSubAppResource
from real_modules import each_module

PACKAGED = {
    "ProxyFix.__call__": "ProxyFix",
    "DispatcherMiddleware.__call__": "DispatcherMiddleware",
    "make_after_request_function.<locals>.cors_after_request": "CORS",
    "LoginManager._update_remember_cookie": "LoginManager",
    "normalize_path_middleware.<locals>.impl": "normalize_path_middleware",
}


class Watch:
    """Notes which functions begin to run while it is on."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._frames: list[FrameType] = []
        self.seen: list[str] = []

    def __enter__(self) -> Watch:
        sys.setprofile(self._event)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)

    def _event(self, frame: FrameType, event: str, _: object) -> None:
        code = frame.f_code
        if event != "call" or frame in self._frames:
            return
        name = PACKAGED.get(code.co_qualname, "")
        if code.co_filename.startswith(self._folder) and not code.co_name.startswith("<"):
            name = code.co_qualname.removesuffix(".__call__").rpartition(".")[2]
        if name and not name.startswith(("_", "view")):
            self._frames.append(frame)  # a coroutine is called again each time that it goes on
            self.seen.append(name)


def of_flask(app: flask.Flask, folder: str) -> Iterator[list[str]]:
    """The ways of requests to an application and to its blueprints."""
    endpoints = ["view_probe", *(f"{name}.view_probe" for name in app.blueprints)]
    for number, endpoint in enumerate(endpoints):
        app.add_url_rule(f"/probe{number}", endpoint=endpoint, view_func=lambda: "")
    for number, _ in enumerate(endpoints):
        with Watch(folder) as watch:
            app.test_client().get(f"/probe{number}")
        yield watch.seen


async def of_aiohttp(app: web.Application, folder: str) -> list[list[str]]:
    """The ways of requests to an application and to those that are mounted in it, at their route `/view`."""

    async def view_probe(request: web.Request) -> web.Response:
        return web.Response()

    app.router.add_get("/probe", view_probe)
    asked = [("/probe", ""), *_mounted(app, "")]
    found = []
    async with TestClient(TestServer(app)) as client:
        for path, host in asked:
            with Watch(folder) as watch:
                response = await client.get(path, headers={"Host": host} if host else {})
            assert response.status == 200, (path, response.status)
            found.append(watch.seen)
    return found


def _mounted(app: web.Application, prefix: str) -> Iterator[tuple[str, str]]:
    for resource in app.router.resources():
        if isinstance(resource, MatchedSubAppResource):
            yield f"{prefix}/view", resource._rule.canonical
        elif isinstance(resource, PrefixedSubAppResource):
            yield f"{resource.canonical}/view", ""
            yield from _mounted(resource._app, resource.canonical)


def ways(module: ModuleType) -> Iterator[list[str]]:
    """The ways through the variables of a module whose names begin with `app`, and through what the main module's
    functions `create…()` give."""
    folder = str(Path(str(module.__file__)).parent)
    made: list[object] = [value for name, value in vars(module).items() if name.startswith("app")]
    if module.__name__ == "main":
        made += [_called(value) for name, value in vars(module).items() if name.startswith("create")]
    for app in made:
        if isinstance(app, flask.Flask):
            yield from of_flask(app, folder)
        elif isinstance(app, web.Application):
            yield from asyncio.run(of_aiohttp(app, folder))


def _called(create: Callable[[], object]) -> object:
    made = create()
    return asyncio.run(_awaited(made)) if inspect.iscoroutine(made) else made


async def _awaited(made: object) -> object:
    return await made


if __name__ == "__main__":
    print(json.dumps([each_module(Path(folder), ways) for folder in json.load(sys.stdin)]))
