"""aiohttp's server: `web.Application(middlewares=[…])`, `app.middlewares.append`, `add_subapp`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from guard.checks.middleware_framework import Arguments, Framework
from guard.checks.middleware_stack import Node, Place, reverse
from guard.checks.middleware_values import NOTHING, Application, Method, Nothing, Recorder, Value, applications_in
from guard.checks.modules import External

if TYPE_CHECKING:
    from guard.checks.middleware_calls import Calls

_APPLICATIONS: Final = frozenset({"aiohttp.web.Application", "aiohttp.web_app.Application"})
_LIST: Final = "middlewares"
_SETUPS: Final = {
    "aiohttp_session.setup": "aiohttp_session.session_middleware",
    "aiohttp_cors.setup": "",
    "aiohttp_security.setup": "",
}
"""Functions of well-known packages that are handed an application, and the function that makes the layer which they
add; empty where they add none."""


class Aiohttp(Framework):
    """aiohttp's applications. Their list of layers is one that code may change until they run."""

    name = "aiohttp"
    packages = ("aiohttp",)
    signs = (b"middlewares",)  # one that has none mostly hands its application on, which is a sign by itself
    classes = frozenset({"Application"})
    mounts = frozenset({"add_subapp", "add_domain"})
    methods = mounts
    attributes = frozenset({_LIST})
    first_is_outermost = True
    inert = frozenset({"add_routes", "make_handler"})

    def is_application(self, thing: External) -> bool:
        """Whether it is `web.Application`."""
        return f"{thing.module}.{thing.name}" in _APPLICATIONS

    def made_by(self, name: str) -> External:
        """`web.Application`."""
        return External("aiohttp.web", "Application")

    def construct(self, calls: Calls, app: Application, given: Arguments, place: Place) -> None:
        """`middlewares=[…]`, which is copied."""
        _, keywords = given
        listed = keywords.get(_LIST)
        entries = calls.run.entries(listed) if listed is not None else ()
        if entries is None or (listed is None and "**" in keywords):
            app.partial[place] = None
        elif entries:
            calls.add(app, "listed", calls.as_layers(entries, place, "constructor"))

    def external(self, calls: Calls, thing: External, given: Arguments, place: Place) -> Value | None:
        """What packages around aiohttp make layers with, and what adds them."""
        name = f"{thing.module}.{thing.name}"
        if name in _SETUPS:
            module, _, function = _SETUPS[name].rpartition(".")
            args, keywords = given
            for app in applications_in((*args[:1], keywords.get("app", NOTHING))) if module else ():
                calls.add(app, "listed", calls.layers(External(module, function), place, "append"))
            return NOTHING
        if thing.module.startswith("aiohttp") and thing.name.endswith("_middleware"):
            return thing  # a function that makes a layer, which is called by its name
        return None

    def method(self, calls: Calls, app: Application, name: str, given: Arguments, place: Place) -> Value:
        """Applications that are mounted, and changes of the list."""
        args, keywords = given
        if name in self.mounts:
            for inner in applications_in((*args[1:2], keywords.get("subapp", NOTHING))):
                inner.mounted_in.append(app)
        elif name == f"{_LIST}.append" and args:
            calls.add(app, "listed", calls.layers(args[0], place, "append"))
        elif name == f"{_LIST}.extend" and args:
            entries = calls.run.entries(args[0])
            if entries is None:
                app.opaque = True
            else:
                calls.add(app, "listed", calls.as_layers(entries, place, "append"))
        elif name == f"{_LIST}.insert" and len(args) > 1 and args[0] == Nothing("0"):
            calls.add(app, "front", calls.layers(args[1], place, "append"))
        elif name.startswith(f"{_LIST}.") and name not in (f"{_LIST}.index", f"{_LIST}.count"):
            app.opaque = True
        return NOTHING

    def assign(self, calls: Calls, app: Application, name: str, value: Value) -> None:
        """There is no other list for it: this fails, or is about a class of the tree that has one of its own."""
        if name in (_LIST, "_middlewares"):
            app.opaque = True

    def attribute(self, app: Application, name: str) -> Value | None:
        """The list is known by its name, so that what is called of it is known as a method of the application."""
        return Method(app, _LIST) if name == _LIST else None

    def stack(self, recorder: Recorder, app: Application) -> tuple[tuple[Node, ...], tuple[Node, ...]]:
        """The first of the list stands outside of all."""
        nodes = (*reverse(recorder.nodes(app, "listed")), *recorder.nodes(app, "front"))
        return nodes, recorder.nodes(app, "wraps")
