"""Run as a child process: what Starlette really does with requests in the situations that the rules speak of.

Prints a JSON object: for each situation, what came of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Mount, Route, WebSocketRoute

NOTED: dict[str, object] = {}


async def endpoint(request):
    return PlainTextResponse("served")


def layer(dispatch):
    return Middleware(BaseHTTPMiddleware, dispatch=dispatch)


SESSION = Middleware(SessionMiddleware, secret_key="secret")
CORS = Middleware(CORSMiddleware, allow_origins=["https://page.example"])


def request(middleware, method="GET", headers=()):
    """Status and headers of one request to an application with these layers, outermost first."""
    return request_to(Starlette(routes=[Route("/", endpoint)], middleware=middleware), method, headers)


def request_to(app, method="GET", headers=()):
    """Status and headers of one request."""
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "server": ("host", 80),
        "path": "/",
        "raw_path": b"/",
        "root_path": "",
        "query_string": b"",
        "headers": [(b"origin", b"https://page.example"), *headers],
    }
    sent = []

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        sent.append(message)

    try:
        asyncio.run(app(scope, receive, send))
    except Exception as error:
        NOTED["raised"] = type(error).__name__
    start = next(message for message in sent if message["type"] == "http.response.start")
    return start["status"], {name.decode() for name, _ in start["headers"]}


def outcome_of(act, middleware):
    """What `act(request)` gives in a layer of this stack, before the inner layers, and behind them."""
    found = {}

    def attempt(when, connection):
        try:
            found[when] = repr(act(connection))
        except BaseException as error:
            found[when] = type(error).__name__

    async def dispatch(connection, call_next):
        attempt("before", connection)
        response = await call_next(connection)
        attempt("after", connection)
        return response

    request([layer(dispatch) if entry is None else entry for entry in middleware])
    return [found["before"], found["after"]]


async def set_state(connection, call_next):
    connection.state.tenant = "t"
    return await call_next(connection)


async def refuse(connection, call_next):
    return JSONResponse({}, status_code=401)


async def refuse_by_raising(connection, call_next):
    raise HTTPException(401)


async def refuse_but_options(connection, call_next):
    if connection.method == "OPTIONS":
        return await call_next(connection)
    return JSONResponse({}, status_code=401)


def cors(middleware, method="GET"):
    headers = [(b"access-control-request-method", b"GET")] if method == "OPTIONS" else ()
    status, names = request(middleware, method, headers)
    return [status, "access-control-allow-origin" in names]


READ = {
    "session": lambda r: dict(r.session),
    "hasattr": lambda r: hasattr(r, "session"),
    "getattr": lambda r: getattr(r, "session", None),
    "in scope": lambda r: "session" in r.scope,
    "user": lambda r: hasattr(r, "user"),
    "auth": lambda r: hasattr(r, "auth"),
    "state": lambda r: r.state.tenant,
    "hasattr state": lambda r: hasattr(r.state, "tenant"),
}


async def fail(request):
    raise RuntimeError("unhandled")


def cors_of_a_failure(*, layers=(), wrapped=False, handler=False):
    """Whether the answer to an unhandled error has CORS headers."""
    handlers = {Exception: refuse_plainly} if handler else {}
    app = Starlette(
        routes=[Route("/", fail)],
        middleware=[*([] if wrapped else [CORS]), *layers],
        exception_handlers=handlers,
    )
    status, names = request_to(CORSMiddleware(app, allow_origins=["*"]) if wrapped else app)
    return [status, "access-control-allow-origin" in names]


async def refuse_plainly(request, error):
    return PlainTextResponse("failed", status_code=500)


async def answer_errors(connection, call_next):
    try:
        return await call_next(connection)
    except Exception:
        return PlainTextResponse("failed", status_code=500)


def websocket(middleware, act):
    """What `act(websocket)` gives in an endpoint behind these layers."""
    found = {}

    async def endpoint(connection):
        await connection.accept()
        try:
            found["act"] = repr(act(connection))
        except BaseException as error:
            found["act"] = type(error).__name__
        await connection.close()

    app = Starlette(routes=[WebSocketRoute("/", endpoint)], middleware=middleware)
    asyncio.run(connect(app))
    return found.get("act", "never came here")


async def connect(app):
    scope = {
        "type": "websocket",
        "path": "/",
        "root_path": "",
        "query_string": b"",
        "headers": [],
        "subprotocols": [],
        "extensions": {},
    }
    messages = iter([{"type": "websocket.connect"}, {"type": "websocket.disconnect", "code": 1000}])

    async def receive():
        return next(messages)

    async def send(message):
        pass

    await app(scope, receive, send)


def lifespan_of(app):
    """What comes of the start of an application."""
    sent = []
    messages = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])

    async def receive():
        return next(messages)

    async def send(message):
        sent.append(message)

    try:
        asyncio.run(app({"type": "lifespan"}, receive, send))
    except BaseException as error:
        return f"{type(error).__name__}: {error}"
    return sent[0]["type"]


def added_late(what):
    """What comes of a layer that is added in a lifespan, in a request, or to another application in a lifespan."""

    @contextlib.asynccontextmanager
    async def lifespan(app):
        if what == "lifespan":
            app.add_middleware(CORSMiddleware)
        elif what == "decorator":
            app.add_middleware(BaseHTTPMiddleware, dispatch=refuse)
        elif what == "mounted":
            inner.add_middleware(CORSMiddleware)
        elif what == "rebuilt":
            app.middleware_stack = None
            app.add_middleware(CORSMiddleware)
        yield

    async def endpoint(request):
        if what == "request":
            request.app.add_middleware(CORSMiddleware)
        return PlainTextResponse("served")

    inner = Starlette()
    app = Starlette(routes=[Route("/", endpoint), Mount("/inner", inner)], lifespan=lifespan)
    started = lifespan_of(app)
    if what != "request":
        return started
    NOTED.clear()
    request_to(app)
    return NOTED.get("raised", "served")


ORDER = []


class Pure:
    def __init__(self, app, name):
        self.app = app
        self.name = name

    async def __call__(self, scope, receive, send):
        ORDER.append(self.name)
        await self.app(scope, receive, send)


class Http(BaseHTTPMiddleware):
    def __init__(self, app, name):
        super().__init__(app)
        self.name = name

    async def dispatch(self, request, call_next):
        ORDER.append(self.name)
        return await call_next(request)


def order_of(kind):
    """In which order the layers of one application see a request or a WebSocket."""

    async def serve(connection):
        ORDER.append("endpoint")
        if kind == "websocket":
            await connection.accept()
            await connection.close()
        return PlainTextResponse("served")

    route = WebSocketRoute if kind == "websocket" else Route
    inner = Starlette(routes=[route("/", serve)], middleware=[Middleware(Pure, name="C"), Middleware(Http, name="D")])
    app = Starlette(routes=[Mount("", inner)], middleware=[Middleware(Http, name="A"), Middleware(Pure, name="B")])
    app.add_middleware(Pure, name="last")
    app.add_middleware(BaseHTTPMiddleware, dispatch=noted)
    ORDER.clear()
    if kind == "websocket":
        asyncio.run(connect(app))
    else:
        request_to(app)
    return list(ORDER)


async def noted(connection, call_next):
    ORDER.append("noted")
    return await call_next(connection)


if __name__ == "__main__":
    result = {
        "order of a request": order_of("http"),
        "order of a websocket": order_of("websocket"),
        "added late": {
            what: added_late(what) for what in ("never", "lifespan", "decorator", "request", "mounted", "rebuilt")
        },
        "failure": cors_of_a_failure(),
        "failure with a handler": cors_of_a_failure(handler=True),
        "failure answered inside": cors_of_a_failure(layers=[layer(answer_errors)]),
        "failure of a wrapped application": cors_of_a_failure(wrapped=True),
        "websocket, state of a function": websocket([layer(set_state)], lambda w: w.state.tenant),
        "websocket, refusal of a function": websocket([layer(refuse)], lambda w: "connected"),
        "websocket, session": websocket([SESSION], lambda w: dict(w.session)),
        "websocket, no session": websocket([], lambda w: w.session),
        "outside": {name: outcome_of(act, [None, SESSION, layer(set_state)]) for name, act in READ.items()},
        "inside": {name: outcome_of(act, [SESSION, layer(set_state), None]) for name, act in READ.items()},
        "nowhere": {name: outcome_of(act, [None]) for name, act in READ.items()},
        "refusal outside CORS": cors([layer(refuse), CORS]),
        "refusal inside CORS": cors([CORS, layer(refuse)]),
        "preflight, refusal outside CORS": cors([layer(refuse), CORS], "OPTIONS"),
        "preflight, refusal inside CORS": cors([CORS, layer(refuse)], "OPTIONS"),
        "preflight spared, refusal outside CORS": cors([layer(refuse_but_options), CORS], "OPTIONS"),
        "raising inside CORS": cors([CORS, layer(refuse_by_raising)]),
        "raising outside CORS": cors([layer(refuse_by_raising), CORS]),
    }
    print(json.dumps(result))
