"""What Starlette's and FastAPI's own classes do, as their sources have it.

Checked against the installed packages by `tests/middleware`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from guard.checks.modules import External

_APPLICATIONS: Final = frozenset(
    {
        ("fastapi", "FastAPI"),
        ("fastapi.applications", "FastAPI"),
        ("starlette.applications", "Starlette"),
        ("fastapi.applications", "Starlette"),
    }
)
_MIDDLEWARE_ENTRIES: Final = frozenset({("starlette.middleware", "Middleware"), ("fastapi.middleware", "Middleware")})
_MOUNTS: Final = frozenset(
    {
        *(("starlette.routing", name) for name in ("Mount", "Host")),
        *(("fastapi.routing", name) for name in ("Mount", "Host")),
    }
)
ROUTES: Final[Mapping[str, str]] = {
    **dict.fromkeys(
        ("get", "post", "put", "delete", "patch", "options", "head", "trace", "route", "api_route"), "http"
    ),
    "websocket": "websocket",
    "websocket_route": "websocket",
}
"""The decorators that make a function an endpoint, and of what kind."""

_ROUTES: Final = frozenset(
    {("starlette.routing", "Route"), ("starlette.routing", "WebSocketRoute"), ("fastapi.routing", "APIRoute")}
)
ADDS_ROUTE: Final = frozenset({"add_route", "add_api_route", "add_websocket_route", "add_api_websocket_route"})
"""The methods that make a function an endpoint."""

_BASE_HTTP: Final = frozenset({("starlette.middleware.base", "BaseHTTPMiddleware")})
_OWN: Final = re.compile(r"^(?:starlette|fastapi)(?:\.|$)")

PROVIDES: Final[Mapping[str, frozenset[str]]] = {
    "SessionMiddleware": frozenset({"session"}),
    "AuthenticationMiddleware": frozenset({"user", "auth"}),
}
"""What Starlette's own layers put into the scope, by class name. The others put nothing there."""

_MAY_PROVIDE: Final[Mapping[str, re.Pattern[str]]] = {
    "session": re.compile("session", re.IGNORECASE),
    "user": re.compile("auth|user|login|jwt|token|oidc|account|identity|session", re.IGNORECASE),
    "auth": re.compile("auth|user|login|jwt|token|oidc|account|identity|session", re.IGNORECASE),
}
"""By part of the request: the names of unknown layers that may well provide it."""


def is_application(thing: External) -> bool:
    """Whether it is the class of a Starlette or FastAPI application."""
    return (thing.module, thing.name) in _APPLICATIONS


def is_fastapi(thing: External) -> bool:
    """Whether it is FastAPI's class, which builds its stack with layers of its own."""
    return thing.name == "FastAPI"


def is_entry(thing: External) -> bool:
    """Whether it is `Middleware(C, …)`, an entry of a constructor's list."""
    return (thing.module, thing.name) in _MIDDLEWARE_ENTRIES


def is_route(thing: External) -> bool:
    """Whether it is a route that holds an endpoint."""
    return (thing.module, thing.name) in _ROUTES


def is_partial(thing: External) -> bool:
    """Whether it is `functools.partial`."""
    return (thing.module, thing.name) == ("functools", "partial")


def is_mount(thing: External) -> bool:
    """Whether it is a route that holds an application."""
    return (thing.module, thing.name) in _MOUNTS


def is_base_http(thing: External) -> bool:
    """Whether it is `BaseHTTPMiddleware`."""
    return (thing.module, thing.name) in _BASE_HTTP


def is_own(thing: External) -> bool:
    """Whether it comes from Starlette or FastAPI, so that all of what it does is known."""
    return bool(_OWN.match(thing.module))


def is_cors(thing: External) -> bool:
    """Whether it is Starlette's CORS layer, by whatever module it is imported from."""
    return is_own(thing) and thing.name == "CORSMiddleware"


def is_layer(thing: External) -> bool:
    """Whether something that is not first-party wraps an application, by its name."""
    return thing.name.endswith("Middleware") and thing.name != "Middleware"


def may_provide(name: str, part: str) -> bool:
    """Whether an unknown layer of this name may provide a part of the request; an unnamed one may provide anything."""
    pattern = _MAY_PROVIDE.get(part)
    return not name or pattern is None or bool(pattern.search(name))
