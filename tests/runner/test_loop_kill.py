"""`kill -9` at any moment: resuming ends as if nothing had been, and does nothing twice."""

from __future__ import annotations

import os
import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from loop_support import APP, ENVIRON, TESTS, Nursery, gone, ran, shown, small, with_requests

from guard.runner.deployers.local import LocalDeployer
from tests.engine.support import inside

ALL = [f"1 {name}" for names in TESTS.values() for name in names]
STEPS = ["guards", "select", "deploy", "health", "phase:first", "phase:second", "stability", "audit", "record"]


@pytest.fixture(autouse=True)
def _requests(monkeypatch: pytest.MonkeyPatch) -> None:
    with_requests(monkeypatch)
    for name, value in ENVIRON.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="module")
def nursery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nursery]:
    with closing(Nursery(tmp_path_factory.mktemp("nursery"))) as nursery:
        yield nursery


def killed(nursery: Nursery, root: Path, moment: str) -> None:
    """Run a session up to a moment."""
    nursery.begin(root, "loop run", moment)
    run = nursery.end()
    assert run.code == -signal.SIGKILL, f"{moment} never came: {run}"


def last(root: Path) -> dict[str, Any]:
    return shown(inside("loop", "show", "--output", "json", cwd=root))


def is_whole(root: Path) -> bool:
    """What SQLite itself says of the file."""
    with closing(sqlite3.connect(root / ".guard/loop.db")) as connection:
        return connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def services(session: dict[str, Any]) -> set[int]:
    """The ids of all processes that were deployed."""
    deployments = [step["data"].get("deployment") for step in session["steps"]]
    return {one["data"]["pid"] for one in deployments if one}


@pytest.mark.parametrize(
    "moment",
    [
        "begun:guards",
        "begun:select",
        "begun:deploy",
        "serving",
        "save:deploy",
        "begun:health",
        "tested:1",
        "tested:4",
        "begun:stability",
        "saved:audit",
        "saved:record",
    ],
)
def test_a_session_that_was_killed_goes_on_where_it_stood(nursery: Nursery, tmp_path: Path, moment: str) -> None:
    root = small(tmp_path / "small")
    killed(nursery, root, moment)
    assert is_whole(root)
    before = last(root)
    assert before["verdict"] == "running"
    run = inside("loop", "resume", cwd=root)
    assert run.code == 0, run.out + run.err
    assert is_whole(root)
    session = last(root)
    assert (session["id"], session["verdict"]) == (before["id"], "goal-met")
    assert session["goal"]["reached"] == "5 of 5 passed"
    assert [(step["name"], step["outcome"]) for step in session["steps"]] == [(name, "ok") for name in STEPS]
    assert session["steps"][: len(before["steps"])] == before["steps"], "what had ended was not done again"
    assert ran(root) == ALL, "each test ran once"
    assert len(session["tests"]) == 5
    assert all(map(gone, services(session)))
    assert not (root / ".guard/local-small.json").exists(), "and no service is left"


@pytest.mark.parametrize(("moment", "own"), [("begin:deploy", 0), ("begun:deploy", 1), ("saved:audit", 1)])
def test_what_serves_is_a_resumed_session_s_own_where_it_began_to_deploy(
    nursery: Nursery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str, own: int
) -> None:
    root = small(tmp_path / "small")
    killed(nursery, root, moment)
    adopted: list[LocalDeployer] = []
    monkeypatch.setattr(LocalDeployer, "adopt", lambda self: adopted.append(self))
    assert inside("loop", "resume", cwd=root).code == 0
    assert len(adopted) == own


@pytest.mark.parametrize(
    "moment", ["begun:why", "begun:options", "save:rollback", "begun:health-after-rollback", "saved:on-failure"]
)
def test_a_session_that_fails_ends_the_same_after_a_kill(nursery: Nursery, tmp_path: Path, moment: str) -> None:
    root = small(tmp_path / "small", head='on_failure = ["sh", "-c", "echo asked >> .guard/asked"]\n')
    assert inside("loop", "run", cwd=root).code == 0
    main = root / "app/main.py"
    main.write_text(main.read_text(encoding="utf-8").replace("STATUS = 200", "STATUS = 503"), encoding="utf-8")
    killed(nursery, root, moment)
    run = inside("loop", "resume", cwd=root)
    assert run.code == 12, run.out + run.err
    session = last(root)
    assert session["verdict"] == "unhealthy"
    assert session["goal"]["reached"].endswith(", which is well")
    assert (root / ".guard/asked").read_text(encoding="utf-8") == "asked\n"
    names = [step["name"] for step in session["steps"]]
    assert sorted(set(names)) == sorted(names)
    assert is_whole(root)
    assert all(map(gone, services(session)))


def test_a_service_that_died_with_its_loop_is_served_again(nursery: Nursery, tmp_path: Path) -> None:
    root = small(tmp_path / "small")
    killed(nursery, root, "tested:3")
    (pid,) = services(last(root))
    os.kill(pid, signal.SIGKILL)
    assert inside("loop", "resume", cwd=root).code == 0
    session = last(root)
    assert "deploy-again-1" in [step["name"] for step in session["steps"]]
    assert ran(root) == ALL


def test_another_tree_is_not_gone_on_with(nursery: Nursery, tmp_path: Path) -> None:
    root = small(tmp_path / "small")
    for name in ("api_token.py", "other.md"):
        (root / name).write_text("", encoding="utf-8")
    killed(nursery, root, "tested:3")
    (root / "other.md").unlink()
    (root / "app/main.py").write_text(APP + "# changed\n", encoding="utf-8")
    (root / "notes.md").write_text("new", encoding="utf-8")
    run = inside("loop", "resume", cwd=root)
    assert run.code == 2
    assert "the tree has changed since cycle 1" in run.err
    assert "began (app/main.py, notes.md, other.md); restore it" in run.err
    assert inside("loop", "run", cwd=root).code == 0


def test_another_plan_is_not_gone_on_with(nursery: Nursery, tmp_path: Path) -> None:
    root = small(tmp_path / "small")
    killed(nursery, root, "tested:3")
    run = inside("loop", "resume", "--config", "loop.cycles=2", "--config", 'loop.target.revision="r"', cwd=root)
    assert run.code == 2
    assert "began with (loop.cycles, loop.target); restore it" in run.err
    assert inside("loop", "resume", cwd=root).code == 0


def test_a_new_session_ends_one_that_was_killed_and_says_so(nursery: Nursery, tmp_path: Path) -> None:
    root = small(tmp_path / "small")
    killed(nursery, root, "tested:2")
    old = last(root)
    run = inside("loop", "run", cwd=root)
    assert run.code == 0
    assert f"session {old['id']} was killed; go on with it later: guard loop resume {old['id']}" in run.err
    kept = shown(inside("loop", "show", old["id"], "--output", "json", cwd=root))
    assert kept["verdict"] == "interrupted"
    assert all(map(gone, services(old)))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_stops_the_service_and_leaves_a_session_to_go_on_with(
    nursery: Nursery, tmp_path: Path, number: int
) -> None:
    slow = APP.replace(
        '    path = scope["path"]\n',
        '    path = scope["path"]\n    if path == "/test_d": await receive(); await receive()\n',
    )
    root = small(tmp_path / "small", app=slow)
    pid = nursery.begin(root, "loop run")
    deadline = time.monotonic() + 30
    while len(ran(root)) < 3 and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(pid, number)
    run = nursery.end()
    assert run.code == 130, run
    session = last(root)
    assert (session["verdict"], session["exit_code"]) == ("interrupted", 130)
    assert all(map(gone, services(session)))
    assert f"go on with: guard loop resume {session['id']}" in run.out
