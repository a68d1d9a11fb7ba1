"""Starlette and FastAPI: `add_middleware`, `middleware=[…]`, `@app.middleware("http")`, `mount`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guard.checks import middleware_known as known
from guard.checks.middleware_framework import Arguments, Framework
from guard.checks.middleware_stack import ClassAt, FunctionAt, Layer, Node, Place, reverse
from guard.checks.middleware_values import (
    NOTHING,
    Application,
    Callee,
    Decorator,
    Endpoint,
    Instance,
    Listed,
    Mounted,
    Opaque,
    Recorder,
    Value,
    applications_in,
    flat,
)
from guard.checks.modules import External

if TYPE_CHECKING:
    from guard.checks.middleware_calls import Calls


class Starlette(Framework):
    """Starlette and what is built on it."""

    name = "starlette"
    packages = ("starlette", "fastapi")
    signs = (b"iddleware", b"FastAPI", b"tarlette", b".websocket(", b"Depends(")
    faint_signs = (
        (b"equest.", rb"equest\.(?:s|user)"),
        (b"(app", rb"\(app[,)]"),
        (b"_app(", rb"= *(?:\w+\.)*\w+_app\("),
    )
    classes = frozenset({"FastAPI", "Starlette"})
    mounts = frozenset({"mount"})
    methods = frozenset({"add_middleware", "middleware", *mounts})
    attributes = frozenset({"user_middleware", "middleware_stack", "lifespan_context"})
    inert = frozenset(
        {
            "include_router",
            *("add_exception_handler", "exception_handler", "openapi", "setup"),
            *("get", "post", "put", "delete", "patch", "options", "head", "trace", "route"),
            *("websocket", "websocket_route", "url_path_for", "build_middleware_stack", "host"),
        }
    )
    outer = ("starlette.middleware.errors.ServerErrorMiddleware",)
    inner = ("starlette.middleware.exceptions.ExceptionMiddleware",)
    parts_of_request = True
    handed = "asgi"

    def is_application(self, thing: External) -> bool:
        """Whether it is the class of a Starlette or FastAPI application."""
        return known.is_application(thing)

    def made_by(self, name: str) -> External:
        """Any application: a function that is handed one mostly takes either."""
        return External("starlette.applications", "Starlette")

    def spoken(self, kind: External) -> str:
        """`fastapi` or `starlette`."""
        return "fastapi" if known.is_fastapi(kind) else "starlette"

    def construct(self, calls: Calls, app: Application, given: Arguments, place: Place) -> None:
        """What the arguments of `FastAPI(…)` or `Starlette(…)` say."""
        args, keywords = given
        run = calls.run
        middleware = keywords.get("middleware")
        if middleware is None and not known.is_fastapi(app.kind) and len(args) > 2:
            middleware = args[2]
        if middleware is not None:
            entries = run.entries(middleware)
            if entries is None:
                app.partial[place] = None
            else:
                run.recorder.add(app, "constructor", calls.as_layers(entries, place, "constructor"))
        elif "**" in keywords:
            app.partial[place] = None
        routes = keywords.get("routes") or (args[1] if not known.is_fastapi(app.kind) and len(args) > 1 else NOTHING)
        for route in flat(run.entries(routes) or ()):
            if isinstance(route, Mounted):
                route.app.mounted_in.append(app)
            elif isinstance(route, Endpoint):
                calls.register(app, "http", route.value)
        lifespan = keywords.get("lifespan")
        if lifespan is not None:
            app.given_state = _gives_state(calls, lifespan)
            calls.register(app, "lifespan", lifespan)
        for name in ("on_startup", "on_shutdown"):
            for handler in flat(run.entries(keywords.get(name, NOTHING)) or ()):
                calls.register(app, "startup handler", handler)
        app.depends = "dependencies" in keywords or "**" in keywords

    def external(self, calls: Calls, thing: External, given: Arguments, place: Place) -> Value | None:
        """`Middleware(…)`, and routes."""
        args, keywords = given
        if known.is_entry(thing):
            nodes = _entry(calls, given, place, "constructor")
            if len(nodes) == 1 and isinstance(nodes[0], Layer):
                return nodes[0]
            listed = Listed()
            calls.run.recorder.add(listed, "items", nodes)
            return listed
        if known.is_mount(thing):
            apps = list(applications_in((*args[1:2], keywords.get("app", NOTHING))))
            return Mounted(apps[0]) if apps else NOTHING
        if known.is_route(thing):
            endpoint = args[1] if len(args) > 1 else keywords.get("endpoint")
            return Endpoint(endpoint) if isinstance(endpoint, Callee | Opaque) else NOTHING
        return None

    def method(self, calls: Calls, app: Application, name: str, given: Arguments, place: Place) -> Value:
        """`add_middleware` and the like."""
        args, keywords = given
        if name == "add_middleware":
            calls.add(app, "added", _entry(calls, given, place, "add_middleware"))
        elif name == "middleware":
            return Decorator(app)
        elif name == "on_event":
            return Decorator(app, "startup handler")
        elif name == "add_event_handler":
            calls.register(app, "startup handler", args[1] if len(args) > 1 else keywords.get("func", NOTHING))
        elif name in known.ADDS_ROUTE:
            calls.register(app, "http", args[1] if len(args) > 1 else keywords.get("endpoint", NOTHING))
        elif name in known.ROUTES:
            return Decorator(app, known.ROUTES[name])
        elif name == "mount":
            for inner in applications_in((*args[1:2], keywords.get("app", NOTHING))):
                inner.mounted_in.append(app)
        elif name.startswith("user_middleware.") and name != "user_middleware.copy":
            app.opaque = True
        return NOTHING

    def assign(self, calls: Calls, app: Application, name: str, value: Value) -> None:
        """A list of layers that is set by hand."""
        if name in ("user_middleware", "middleware_stack"):
            app.opaque = True

    def stack(self, recorder: Recorder, app: Application) -> tuple[tuple[Node, ...], tuple[Node, ...]]:
        """The constructor's list is outermost first; of what is added later, the last one stands outside of all."""
        nodes = (*reverse(recorder.nodes(app, "constructor")), *recorder.nodes(app, "added"))
        return nodes, recorder.nodes(app, "wraps")


def _entry(calls: Calls, given: Arguments, place: Place, means: str) -> tuple[Node, ...]:
    """The layer that `add_middleware(C, …)` or `Middleware(C, …)` is about."""
    args, keywords = given
    value = args[0] if args else keywords.get("middleware_class", keywords.get("cls", NOTHING))
    dispatch = keywords.get("dispatch")
    if isinstance(value, External) and known.is_base_http(value) and dispatch is not None:
        value = dispatch
    elif isinstance(value, Opaque | Callee):
        # What is called with the application: a class that nothing is remembered of, or a function that makes one.
        at = value.at if isinstance(value, Opaque) else FunctionAt(value.path, value.function.name)
        value = ClassAt(at.path, at.name)
    helpers = tuple(helper.cls for helper in (*args[1:], *keywords.values()) if isinstance(helper, Instance))
    return calls.layers(value, place, means, helpers)


def _gives_state(calls: Calls, lifespan: Value) -> bool:
    """Whether a lifespan may yield a state; one that is not known may."""
    if isinstance(lifespan, Callee):
        at = FunctionAt(lifespan.path, lifespan.function.name)
    elif isinstance(lifespan, Opaque):
        at = lifespan.at
    else:
        return True
    flow = calls.run.sources.flow(at.path, at.name)
    return flow is not None and flow.yields_state
