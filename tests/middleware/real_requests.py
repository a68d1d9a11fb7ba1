"""Run as a child process: what Starlette really does with requests in the situations that the rules speak of.

Prints a JSON object: for each situation, what came of it.
"""

from __future__ import annotations

import asyncio
import json

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route

NOTED: dict[str, object] = {}


async def endpoint(request):
    return PlainTextResponse("served")


def layer(dispatch):
    return Middleware(BaseHTTPMiddleware, dispatch=dispatch)


SESSION = Middleware(SessionMiddleware, secret_key="secret")
CORS = Middleware(CORSMiddleware, allow_origins=["https://page.example"])


def request(middleware, method="GET", headers=()):
    """Status and headers of one request to an application with these layers, outermost first."""
    app = Starlette(routes=[Route("/", endpoint)], middleware=middleware)
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

if __name__ == "__main__":
    result = {
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
