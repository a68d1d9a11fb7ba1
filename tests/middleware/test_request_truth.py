"""What the rules claim about requests, against a real Starlette."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.middleware.middleware_support import stacks_of

SEEN = """
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.routing import Mount


class B:
    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        await self.app(scope, receive, send)


class A(BaseHTTPMiddleware):
    async def dispatch(self, request, call_next):
        return await call_next(request)


class C(B): ...


class D(A): ...


class Last(B): ...


async def noted(request, call_next):
    return await call_next(request)


inner = Starlette(middleware=[Middleware(C), Middleware(D)])
app = Starlette(routes=[Mount("", inner)], middleware=[Middleware(A), Middleware(B)])
app.add_middleware(Last)
app.add_middleware(BaseHTTPMiddleware, dispatch=noted)
"""


@pytest.fixture(scope="module")
def real() -> dict[str, object]:
    here = Path(__file__).parent
    environment = dict(os.environ)
    if importlib.util.find_spec("itsdangerous") is None:
        environment["PYTHONPATH"] = str(here / "stand_in")
    child = subprocess.run(
        [sys.executable, str(here / "real_requests.py")], capture_output=True, text=True, check=False, env=environment
    )
    assert child.returncode == 0, child.stderr
    result: dict[str, object] = json.loads(child.stdout)
    return result


def test_hasattr_does_not_guard_the_session(real: dict[str, dict[str, list[str]]]) -> None:
    assert real["nowhere"]["hasattr"] == ["AssertionError", "AssertionError"]
    assert real["nowhere"]["getattr"] == ["AssertionError", "AssertionError"]
    assert real["nowhere"]["user"] == ["AssertionError", "AssertionError"]
    assert real["nowhere"]["auth"] == ["AssertionError", "AssertionError"]


def test_outside_of_the_provider_nothing_is_there_before_the_inner_layers(
    real: dict[str, dict[str, list[str]]],
) -> None:
    before = {name: outcome[0] for name, outcome in real["outside"].items()}
    assert before == {
        "session": "AssertionError",
        "hasattr": "AssertionError",
        "getattr": "AssertionError",
        "in scope": "False",
        "user": "AssertionError",
        "auth": "AssertionError",
        "state": "AttributeError",
        "hasattr state": "False",
    }


def test_behind_the_inner_layers_it_is_there_from_anywhere(real: dict[str, dict[str, list[str]]]) -> None:
    after = {name: outcome[1] for name, outcome in real["outside"].items() if name not in ("user", "auth")}
    assert after == {
        "session": "{}",
        "hasattr": "True",
        "getattr": "{}",
        "in scope": "True",
        "state": "'t'",
        "hasattr state": "True",
    }


def test_inside_of_the_provider_it_is_there(real: dict[str, dict[str, list[str]]]) -> None:
    assert real["inside"]["session"] == ["{}", "{}"]
    assert real["inside"]["state"] == ["'t'", "'t'"]


def test_a_refusal_outside_of_cors_has_no_cors_headers(real: dict[str, object]) -> None:
    assert real["refusal outside CORS"] == [401, False]
    assert real["refusal inside CORS"] == [401, True]


def test_a_refusal_outside_of_cors_stops_preflights(real: dict[str, object]) -> None:
    assert real["preflight, refusal outside CORS"] == [401, False]
    assert real["preflight, refusal inside CORS"] == [200, True]
    assert real["preflight spared, refusal outside CORS"] == [200, True]


def test_each_layer_sees_a_request_in_the_order_of_the_stack(real: dict[str, object]) -> None:
    assert real["order of a request"] == ["noted", "last", "A", "B", "C", "D", "endpoint"]


def test_a_websocket_passes_http_layers_unseen(real: dict[str, object], tmp_path: Path) -> None:
    """So guard says it of the same layers, and has them in the same order."""
    assert real["order of a websocket"] == ["last", "B", "C", "endpoint"]
    (tmp_path / "main.py").write_text(SEEN)
    stacks = stacks_of(tmp_path)
    inner = next(stack for stack in stacks.all if stack.outer)
    (outer,) = inner.outer
    whole = [layer for stack in (outer, inner) for layer in reversed(list(stack.layers()))]
    assert [layer.name for layer in whole] == ["noted", "Last", "A", "B", "C", "D"]
    assert [layer.name for layer in whole if not stacks.profile(layer).http_only] == ["Last", "B", "C"]


def test_what_only_http_layers_give_no_websocket_has(real: dict[str, object]) -> None:
    assert real["websocket, state of a function"] == "AttributeError"
    assert real["websocket, refusal of a function"] == "'connected'"
    assert real["websocket, session"] == "{}"
    assert real["websocket, no session"] == "AssertionError"


def test_a_layer_that_is_added_late_is_refused(real: dict[str, dict[str, str]]) -> None:
    late = real["added late"]
    refused = "RuntimeError: Cannot add middleware after an application has started"
    assert late["never"] == late["mounted"] == late["rebuilt"] == "lifespan.startup.complete"
    assert late["lifespan"] == late["decorator"] == refused
    assert late["request"] == "RuntimeError"


def test_unhandled_errors_are_answered_outside_of_all_layers(real: dict[str, object]) -> None:
    assert real["failure"] == real["failure with a handler"] == [500, False]
    assert real["failure answered inside"] == real["failure of a wrapped application"] == [500, True]


def test_raising_has_no_cors_headers_in_either_order(real: dict[str, object]) -> None:
    """So a layer that only raises is out of order for its preflights alone."""
    assert real["raising inside CORS"] == [500, False]
    assert real["raising outside CORS"] == [500, False]
