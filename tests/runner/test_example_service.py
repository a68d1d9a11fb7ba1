"""The example service, well and made to misbehave: the whole loop ends with the right code, cause and evidence."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.engine.support import git
from tests.runner.example_support import commit, looped, only, primary, service, told

__all__ = ["service"]  # a fixture


def test_it_is_clean_and_passes(service: Path) -> None:
    code, session = looped(service)
    assert code == 0, session
    assert [test["outcome"] for test in session["tests"]] == ["passed"] * 9
    assert {criterion["outcome"] for criterion in session["criteria"]} == {"met"}
    assert not session["causes"]
    assert git(service, "status", "--porcelain") == ""


CASES = [
    # what misbehaves, the phase that tells, exit code, kind of the primary cause, what the evidence must hold
    ("unready", "session", 12, "http-status", ["503", "starting", "/health"]),
    ("old-revision", "session", 12, "revision-mismatch", ["an-older-one"]),
    ("ws-403", "session", 12, "websocket-refused", ["403", "/ws"]),
    ("ws-1011", "websocket", 13, "service-error", ["agents' store cannot be reached", "agents.py"]),
    ("ws-early-close", "websocket", 13, "websocket-close", ["close_code: 1000", "closed_by: server", "it was done"]),
    ("hang", "session", 13, "timeout-client", ["ReadTimeout", "/history", "connected to 127.0.0.1:"]),
    ("disorder", "websocket", 13, "criterion", ["not in this order", "agent_started, tool_executing"]),
    ("missing-event", "websocket", 13, "criterion", ["tool_completed did not come"]),
    ("slow", "speed", 13, "criterion", ["p95(response_ms) < 200"]),
    ("first-fails", "session", 13, "flake", ["test_history_is_there", "run again", "500"]),
]


@pytest.mark.parametrize(("how", "phase", "code", "kind", "evidence"), CASES, ids=[case[0] for case in CASES])
def test_it_misbehaves(
    service: Path, monkeypatch: pytest.MonkeyPatch, how: str, phase: str, code: int, kind: str, evidence: list[str]
) -> None:
    only(service, phase)
    monkeypatch.setenv("CHAT_MISBEHAVE", how)
    ended, session = looped(service)
    cause = primary(session)
    assert (ended, cause["kind"]) == (code, kind), session["causes"]
    for text in evidence:
        assert text in told(cause), told(cause)
    assert cause["whys"]
    assert cause["gate"]
    if how == "ws-1011":
        closed = next(one for one in session["causes"] if one["kind"] == "websocket-close")
        assert closed["rank"] == "secondary"
        assert "1011" in closed["summary"]
    if how == "ws-early-close":
        assert "not a failure" not in cause["summary"]
        assert not any(one["kind"] == "service-error" for one in session["causes"])


def test_it_does_not_start(service: Path) -> None:
    """ImportError in the log; the whys name the missing name, the rule, and the commit that removed it."""
    only(service, "session")
    events, agents = service / "app/events.py", service / "app/agents.py"
    events.write_text(events.read_text() + "\n\nLIMIT = 5\n")
    agents.write_text(agents.read_text().replace("import AgentEvent\n", "import LIMIT, AgentEvent\n"))
    agents.write_text(agents.read_text() + "\n\nassert LIMIT\n")
    commit(service, "Limit the events")
    events.write_text(events.read_text().replace("\n\nLIMIT = 5\n", ""))
    commit(service, "Nobody needs a limit")
    removed = git(service, "rev-parse", "HEAD").strip()

    assert looped(service)[0] == 10
    code, session = looped(service, "--override-guards", "to see it fail")
    cause = primary(session)
    assert (code, cause["kind"], cause["rule"]) == (11, "deploy-start", "IMP002")
    assert "ImportError: cannot import name 'LIMIT' from 'app.events'" in told(cause)
    answers = " ".join(why["answer"] for why in cause["whys"])
    for text in ("LIMIT", "IMP002", removed[:12], "Nobody needs a limit", "overridden: to see it fail", "1 file"):
        assert text in answers, answers
    assert len(cause["whys"]) == 5
    assert all(why["answer"] for why in cause["whys"])
    assert any(option["kind"] == "fix" and option["tried"] for option in cause["options"])


UNPROVEN = """
import os

import httpx


def test_asks() -> None:
    assert httpx.get(os.environ["GUARD_TARGET_URL"] + "/health").status_code == 200


def test_is_never_connected() -> None:
    assert sum(range(1000)) == 499_500


def test_swallows() -> None:
    assert httpx.get(os.environ["GUARD_TARGET_URL"] + "/health").status_code == 200
    try:
        httpx.get("http://127.0.0.1:9/")
    except httpx.ConnectError:
        pass
"""


def test_passes_that_prove_nothing(service: Path) -> None:
    (service / "tests/staging/test_5_unproven.py").write_text(UNPROVEN)
    only(service, more='\n[[tool.guard.loop.phases]]\nname = "u"\ntests = ["tests/staging/test_5_unproven.py"]\n')
    code, session = looped(service)
    assert code == 14, session
    outcomes = {test["id"].rpartition("::")[2]: test for test in session["tests"]}
    assert outcomes["test_asks"]["outcome"] == "passed"
    assert outcomes["test_is_never_connected"]["outcome"] == "unproven"
    assert outcomes["test_swallows"]["outcome"] == "unproven"
    assert "httpx.ConnectError" in json.dumps(outcomes["test_swallows"])
    assert {cause["kind"] for cause in session["causes"]} == {"unproven"}
    assert len([cause for cause in session["causes"] if cause["rank"] == "primary"]) == 2
    assert os.environ["CHAT_TOKEN"] not in json.dumps(session)
