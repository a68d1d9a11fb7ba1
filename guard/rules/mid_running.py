"""MID: what middleware does, and does not, once the application runs."""

from __future__ import annotations

from collections.abc import Iterator

from guard.checks.middleware import FAMILY
from guard.checks.middleware_endpoints import Served, Unseen
from guard.checks.middleware_order import errors_bypass_cors
from guard.checks.middleware_stack import Late, Place, Stack
from guard.impact import reach_of
from guard.model import Impact, Related, Severity, Span, Violation
from guard.program import Program
from guard.registry import rule
from guard.rules.mid_words import application, called, spoken


@rule("MID004", "never-sees-websocket", Severity.ERROR)
def never_sees_websocket(program: Program) -> Iterator[Violation]:
    """A WebSocket endpoint relies on a layer that no WebSocket passes.

    ## What it does
    `BaseHTTPMiddleware` and `@app.middleware("http")` hand WebSockets on unseen. Reports a WebSocket endpoint that
    reads what only such layers provide (`websocket.session`, `.user`, `.auth`, `websocket.state.x`), and one that
    checks nothing at all in an application whose layer of that kind refuses requests with 401 or 403.

    ## What breaks in production
    What is read is not there: AssertionError or AttributeError on every connection. The check is not made: whoever
    knows the address is connected, while every HTTP route asks who it is.

    ## Bad
    `app/main.py`:

    ```python
    from fastapi import FastAPI, WebSocket

    app = FastAPI()


    @app.middleware("http")
    async def tenant(request, call_next):
        request.state.tenant = request.headers.get("x-tenant")
        return await call_next(request)


    @app.websocket("/ws")
    async def stream(websocket: WebSocket):
        await websocket.accept()
        await websocket.send_text(websocket.state.tenant)  # <- MID004
    ```

    ## Good
    `app/main.py`:

    ```python
    from fastapi import FastAPI, WebSocket


    class Tenant:
        def __init__(self, app):
            self.app = app

        async def __call__(self, scope, receive, send):
            if scope["type"] in ("http", "websocket"):
                scope.setdefault("state", {})["tenant"] = dict(scope["headers"]).get(b"x-tenant", b"").decode()
            await self.app(scope, receive, send)


    app = FastAPI()
    app.add_middleware(Tenant)


    @app.websocket("/ws")
    async def stream(websocket: WebSocket):
        await websocket.accept()
        await websocket.send_text(websocket.state.tenant)
    ```

    ## Configuration
    None.

    ## What it cannot see
    An endpoint that has parameters, hands the connection on, or speaks of anything that may be a check is taken to make
    one; so is one of a router, whose dependencies may stand anywhere.
    """
    stacks = program.linked(FAMILY)
    reach = reach_of(program)
    served = Served(stacks, lambda path: reach.kind(path) is Impact.RUNTIME)
    reported: set[tuple[Place, str]] = set()
    for found in served.unseen():
        if (found.place, found.part) not in reported:
            reported.add((found.place, found.part))
            yield _unseen(found)


def _unseen(found: Unseen) -> Violation:
    name, place = called(found.layer), found.place
    how = "a function for HTTP only" if found.layer.means == "decorator" else "a BaseHTTPMiddleware"
    if found.part:
        part = spoken(found.part).replace("request.", "websocket.", 1)
        message = f"{part} is read, and only {name} provides it, which WebSockets pass unseen"
        error = {"state": "AttributeError", "scope": "KeyError"}.get(found.part.partition(".")[0], "AssertionError")
        cause = f"{name} is {how}, so the part is never there: {error} on every connection."
    else:
        message = f"this WebSocket endpoint checks nothing, and WebSockets pass {name} unseen"
        cause = f"{name} is {how}: it refuses HTTP requests only, and every WebSocket is let in."
    way_out = (
        f"Make {name} a plain ASGI layer that looks at scopes of type websocket too, or do the same in the endpoint."
    )
    at = found.layer.place
    return Violation(
        path=place.path,
        span=Span(*place.span),
        message=message,
        anchor=f"{name} unseen {found.part}",
        symbol=place.symbol,
        cause=cause,
        help=way_out,
        related=(Related(at.path, at.line, f"{name} is added here"), *application(found.stack)),
        severity=Severity.WARNING if "." in found.part else None,
        lazy=True,
        data={"layer": name, "part": found.part},
    )


@rule("MID007", "added-too-late", Severity.ERROR)
def too_late(program: Program) -> Iterator[Violation]:
    """A layer is added while the application runs already.

    ## What it does
    Reports `add_middleware` and `@app.middleware` on an application in its own lifespan, in one of its startup or
    shutdown handlers, or while it serves a request, also through helpers.

    ## What breaks in production
    The stack is built before the lifespan begins. Starlette refuses what comes later: "RuntimeError: Cannot add
    middleware after an application has started". In a lifespan or a startup handler, the service does not start.

    ## Bad
    `app/main.py`:

    ```python
    from contextlib import asynccontextmanager

    from fastapi import FastAPI
    from starlette.middleware.gzip import GZipMiddleware


    @asynccontextmanager
    async def lifespan(app: FastAPI):
        app.add_middleware(GZipMiddleware)  # <- MID007
        yield


    app = FastAPI(lifespan=lifespan)
    ```

    ## Good
    `app/main.py`:

    ```python
    from contextlib import asynccontextmanager

    from fastapi import FastAPI
    from starlette.middleware.gzip import GZipMiddleware


    @asynccontextmanager
    async def lifespan(app: FastAPI):
        yield


    app = FastAPI(lifespan=lifespan)
    app.add_middleware(GZipMiddleware)
    ```

    ## Configuration
    None.

    ## What it cannot see
    Handlers that are registered on a router. Starlette before 0.25 built the stack anew instead of refusing.
    """
    reported: set[Place] = set()
    for stack in program.linked(FAMILY).all:
        for late in stack.late:
            if late.layer.place not in reported and not stack.opaque:
                reported.add(late.layer.place)
                yield _late(late, stack)


_EFFECTS = {
    "lifespan": "Starlette raises RuntimeError here, so the service does not start.",
    "startup handler": "Starlette raises RuntimeError here, so the service does not start.",
    "request handler": "Starlette raises RuntimeError here on every request.",
}


def _late(late: Late, stack: Stack) -> Violation:
    name, place = called(late.layer), late.layer.place
    where = "a lifespan" if late.when == "lifespan" else f"a {late.when}"
    calls = tuple(Related(at.path, at.line, "called here") for at in late.layer.chain[:-1])
    return Violation(
        path=place.path,
        span=Span(*place.span),
        message=f"{name} is added in {where}, when the application runs already",
        anchor=f"{name} too late",
        symbol=place.symbol,
        cause=_EFFECTS[late.when],
        help=f"Add {name} where the application is created, and let it read what comes later when a request comes.",
        related=(*calls, *(() if stack.handed else application(stack))),
        lazy=True,
        data={"layer": name, "when": late.when},
    )


@rule("MID008", "errors-bypass-cors", Severity.INFO)
def bypass_cors(program: Program) -> Iterator[Violation]:
    """The answer to an unhandled error leaves without CORS headers.

    ## What it does
    Reports `CORSMiddleware` that is added to an application in which nothing inside of it answers every exception. The
    framework's own answer to what nobody handled, and that of a handler for `Exception` or 500, is made outside of all
    layers.

    ## What breaks in production
    A browser hides a 500 without CORS headers from the page, so the page's own error reporting sees a network error,
    and nobody can tell an outage from a lost connection.

    ## Bad
    `app/main.py`:

    ```python
    from fastapi import FastAPI
    from starlette.middleware.cors import CORSMiddleware

    app = FastAPI()
    app.add_middleware(CORSMiddleware, allow_origins=["https://example.org"])  # <- MID008
    ```

    ## Good
    `app/main.py`:

    ```python
    from fastapi import FastAPI
    from starlette.middleware.cors import CORSMiddleware
    from starlette.responses import JSONResponse

    app = FastAPI()


    @app.middleware("http")
    async def answer_errors(request, call_next):
        try:
            return await call_next(request)
        except Exception:
            return JSONResponse({"detail": "internal error"}, status_code=500)


    app.add_middleware(CORSMiddleware, allow_origins=["https://example.org"])
    ```

    ## Configuration
    None.

    ## What it cannot see
    Layers whose code is not known may answer errors or write the headers: then nothing is said.
    """
    stacks = program.linked(FAMILY)
    reach = reach_of(program)
    reported: set[Place] = set()
    for stack in stacks.with_parts:
        if reach.kind(stack.place.path) is not Impact.RUNTIME:
            continue
        for layer in errors_bypass_cors(stack, stacks.profile):
            if layer.place not in reported:
                reported.add(layer.place)
                place = layer.place
                yield Violation(
                    path=place.path,
                    span=Span(*place.span),
                    message=f"answers to unhandled errors leave without the headers of {called(layer)}",
                    anchor=f"errors bypass {called(layer)}",
                    symbol=place.symbol,
                    cause="The framework answers them outside of all layers, so that a page sees a network error.",
                    help="Answer exceptions in a layer inside of it, or wrap the whole application in CORSMiddleware.",
                    related=application(stack),
                    lazy=True,
                )
