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


def limit(service: Path) -> str:
    """Let the history know a name of `app.events` that is gone; gives the commit that removed it."""
    events = service / "app/events.py"
    text = events.read_text()
    events.write_text(text + "\n\nLIMIT = 5\n")
    commit(service, "Limit the events")
    events.write_text(text)
    commit(service, "Nobody needs a limit")
    return git(service, "rev-parse", "HEAD").strip()


@pytest.mark.parametrize("how", ["variable", "commit"])
def test_it_does_not_start(service: Path, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    """ImportError in the log; the whys name the missing name, the rule, the commit that removed it, and what kept the
    gate from telling: a comment in the service's own code, or whoever overrode the gate."""
    only(service, "session")
    removed = limit(service)
    arguments: tuple[str, ...] = ()
    let_through = "the comment ignore[IMP002] at app/agents.py:"
    if how == "variable":
        monkeypatch.setenv("CHAT_MISBEHAVE", "does-not-start")
    else:
        agents = service / "app/agents.py"
        agents.write_text(agents.read_text().replace("import AgentEvent\n", "import LIMIT, AgentEvent\n"))
        agents.write_text(agents.read_text() + "\n\nassert LIMIT\n")
        commit(service, "Use the limit")
        assert looped(service)[0] == 10
        arguments, let_through = ("--override-guards", "to see it fail"), "overridden: to see it fail"
    code, session = looped(service, *arguments)
    cause = primary(session)
    assert (code, cause["kind"], cause["rule"]) == (11, "deploy-start", "IMP002")
    assert "ImportError: cannot import name 'LIMIT' from 'app.events'" in told(cause)
    answers = " ".join(why["answer"] for why in cause["whys"])
    for text in ("LIMIT", "IMP002", removed[:12], "Nobody needs a limit", let_through, "1 file"):
        assert text in answers, answers
    assert let_through in cause["gate"]
    assert len(cause["whys"]) == 5
    assert all(why["answer"] for why in cause["whys"])
    assert any(option["kind"] == "fix" and option["tried"] for option in cause["options"])


@pytest.mark.parametrize(
    ("how", "phase", "tests", "evidence"),
    [
        ("recorded", "speed", ["test_answers_come_quickly"], ["passed without reaching the target", "no connection"]),
        (
            "swallows",
            "session",
            ["test_a_session_is_kept", "test_history_is_there", "test_other_sites_are_told_nothing"],
            ["that it caught", "httpx.ConnectError", "proves_nothing.py"],
        ),
    ],
)
def test_its_tests_prove_nothing(
    service: Path, monkeypatch: pytest.MonkeyPatch, how: str, phase: str, tests: list[str], evidence: list[str]
) -> None:
    """All is green and quick enough, and does not count; in the same phase, what did ask the service does."""
    only(service, phase)
    monkeypatch.setenv("CHAT_MISBEHAVE", how)
    code, session = looped(service)
    assert code == 14, session
    outcomes = {test["id"].rpartition("::")[2]: test["outcome"] for test in session["tests"]}
    assert [name for name, outcome in outcomes.items() if outcome == "unproven"] == tests
    assert {outcomes[name] for name in outcomes.keys() - set(tests)} <= {"passed"}
    assert {criterion["outcome"] for criterion in session["criteria"]} <= {"met"}
    cause = primary(session)
    assert cause["kind"] == "unproven"
    assert sorted(test.rpartition("::")[2] for test in cause["tests"]) == sorted(tests)
    for text in evidence:
        assert text in told(cause), told(cause)


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
