"""What the rules claim about requests, against a real Starlette."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest


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


def test_raising_has_no_cors_headers_in_either_order(real: dict[str, object]) -> None:
    """So a layer that only raises is out of order for its preflights alone."""
    assert real["raising inside CORS"] == [500, False]
    assert real["raising outside CORS"] == [500, False]
