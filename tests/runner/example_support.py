"""The example service in a repository of its own, and the loop over it."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.engine.support import git, inside

EXAMPLE = Path(__file__).parents[2] / "examples" / "chat-service"
PHASES = {"websocket": "websocket events", "agent": "agent pipeline", "session": "session and auth", "speed": "speed"}


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The example in a repository of its own."""
    monkeypatch.setenv("CHAT_TOKEN", "a-token-of-the-tests")
    monkeypatch.setenv("GUARD_CACHE_DIR", str(tmp_path / "cache"))
    for name in ("PYTEST_ADDOPTS", "CHAT_MISBEHAVE"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "chat"
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns("__pycache__", ".guard"))
    git(folder, "init", "-q")
    commit(folder, "A chat")
    return folder


def commit(folder: Path, subject: str) -> None:
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", subject)


def only(folder: Path, *phases: str, more: str = "") -> None:
    """Leave only these phases in the plan, and no time for a cold start."""
    plan = folder / "pyproject.toml"
    head, *tables = re.split(r"(?m)^(?=\[\[tool\.guard\.loop\.phases\]\])", plan.read_text())
    kept = [table for table in tables if any(f'name = "{PHASES[phase]}"' in table for phase in phases)]
    plan.write_text("".join([head.replace("cold_start_s = 2", "cold_start_s = 0.2"), *kept]) + more)
    commit(folder, "Fewer phases")


def looped(folder: Path, *arguments: str) -> tuple[int, dict[str, Any]]:
    """Run a session; gives its exit code, and what the record says of it."""
    done = inside("loop", "run", *arguments, cwd=folder)
    shown = inside("loop", "show", "--output", "json", cwd=folder)
    assert shown.code == 0, done.err + shown.err
    session: dict[str, Any] = json.loads(shown.out)
    assert session["exit_code"] == done.code
    return done.code, session


def primary(session: dict[str, Any]) -> dict[str, Any]:
    return next(cause for cause in session["causes"] if cause["rank"] == "primary")


def told(cause: dict[str, Any]) -> str:
    """The evidence of a cause, and its whys."""
    return json.dumps([cause["evidence"], cause["whys"]])
