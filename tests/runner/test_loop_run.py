"""`guard loop run`: what it does in which order, and what it ends with."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from loop_support import APP, ENVIRON, gone, ran, shown, small, with_requests

from tests.engine.support import git, inside

GOOD_STEPS = ["guards", "select", "deploy", "health", "phase:first", "phase:second", "stability", "audit", "record"]


@pytest.fixture(autouse=True)
def _requests(monkeypatch: pytest.MonkeyPatch) -> None:
    with_requests(monkeypatch)
    for name, value in ENVIRON.items():
        monkeypatch.setenv(name, value)


def last(root: Path) -> dict[str, Any]:
    """The last session, as JSON."""
    return shown(inside("loop", "show", "--output", "json", cwd=root))


def outcomes(session: dict[str, Any], cycle: int = 1) -> dict[str, str]:
    return {step["name"]: step["outcome"] for step in session["steps"] if step["cycle"] == cycle}


def service_of(session: dict[str, Any]) -> int:
    """The process id of the service that was deployed first."""
    return int(next(s for s in session["steps"] if s["name"] == "deploy")["data"]["deployment"]["data"]["pid"])


def test_a_good_service_meets_the_goal(tmp_path: Path) -> None:
    root = small(tmp_path / "small")
    run = inside("loop", "run", cwd=root)
    assert (run.code, run.out.splitlines()[0].split(" ", 1)[1]) == (0, "goal-met: 5 of 5 passed"), run.err
    session = last(root)
    assert outcomes(session) == dict.fromkeys(GOOD_STEPS, "ok")
    assert [step["name"] for step in session["steps"]] == GOOD_STEPS
    assert session["revision"].startswith(git(root, "rev-parse", "HEAD")[:8] + "-")
    assert session["tests"][0]["outcome"] == "passed"
    assert session["audit"]["files_found"] == 7
    assert gone(service_of(session))
    assert git(root, "status", "--porcelain") == "", "what the loop keeps is no part of the repository"
