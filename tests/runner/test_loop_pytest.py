"""`guard loop run` with real pytest: what it selects, and what a `kill -9` leaves of the tests that it runs."""

from __future__ import annotations

import os
import signal
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from loop_support import APP, ENVIRON, Nursery, quick, shown, small

from tests.engine.support import git, inside
from tests.runner.phase_support import QUICK

HEAD = """\
import json, os, pathlib, signal, time, urllib.request
URL = os.environ["GUARD_TARGET_URL"]
ROOT = pathlib.Path(__file__).parents[1]

def ask(name, kills=False):
    urllib.request.urlopen(URL + "/" + name, timeout=10).read()
    mark = ROOT / ".guard" / "killed"
    if kills and not mark.exists():
        mark.touch()
        time.sleep(0.5)  # what another worker runs has ended by then, and told of it
        (holder,) = (ROOT / ".guard" / "locks").glob("*.json")
        os.kill(json.loads(holder.read_text())["pid"], signal.SIGKILL)
        time.sleep(30)
    with (ROOT / "ran.txt").open("a") as file:
        file.write(name + "\\n")

"""
"""Tests write down that they have run to their end; one may first kill the loop that runs it."""
NAMES = ["test_a", "test_b", "test_c", "test_d", "test_e"]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    quick(monkeypatch)
    for name, value in ENVIRON.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)


@pytest.fixture(scope="module")
def nursery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nursery]:
    with closing(Nursery(tmp_path_factory.mktemp("nursery"), "quick")) as nursery:
        yield nursery


def with_tests(folder: Path, *, kills: str = "", fails: str = "", workers: int = 1, app: str = APP) -> Path:
    """The small service with tests of its own, two in the first phase and three in the second."""
    root = small(folder, app=app)
    for file, names in (("first", NAMES[:2]), ("second", NAMES[2:])):
        tests = [
            f"def {name}():\n    ask('{name}', {name == kills})\n" + "    assert 0, 'wrong'\n" * (name == fails)
            for name in names
        ]
        (root / f"tests/test_{file}.py").write_text(HEAD + "\n".join(tests), encoding="utf-8")
    (root / "pytest.ini").write_text(QUICK, encoding="utf-8")
    plan = root / "pyproject.toml"
    plan.write_text(plan.read_text(encoding="utf-8") + f"workers = {workers}\n", encoding="utf-8")
    git(root, "add", ".")
    git(root, "commit", "-q", "-m", "Tests")
    return root


def last(root: Path) -> dict[str, Any]:
    return shown(inside("loop", "show", "--output", "json", cwd=root))


def ran(root: Path) -> Counter[str]:
    return Counter((root / "ran.txt").read_text(encoding="utf-8").split())


def outcomes(session: dict[str, Any]) -> dict[str, str]:
    return {test["id"].rpartition("::")[2]: test["outcome"] for test in session["tests"]}


@pytest.mark.parametrize(
    ("moment", "kills", "workers"),
    [
        ("begun:select", "", 1),
        ("begun:phase:first", "", 1),
        ("test:1", "", 1),
        ("tested:3", "", 1),
        ("", "test_d", 1),
        ("", "test_d", 2),
        ("save:phase:second", "", 2),
    ],
)
def test_a_kill_loses_no_test_and_runs_none_twice(
    nursery: Nursery, tmp_path: Path, moment: str, kills: str, workers: int
) -> None:
    root = with_tests(tmp_path / "small", kills=kills, workers=workers)
    nursery.begin(root, "loop run", moment)
    run = nursery.end()
    assert run.code == -signal.SIGKILL, f"{moment} never came: {run}"
    before = last(root)
    done = inside("loop", "resume", cwd=root)
    assert done.code == 0, done.out + done.err
    session = last(root)
    assert (session["id"], session["verdict"]) == (before["id"], "goal-met")
    assert session["steps"][: len(before["steps"])] == before["steps"]
    assert outcomes(session) == dict.fromkeys(NAMES, "passed")
    assert all(test["peers"] for test in session["tests"])
    assert ran(root) == Counter(NAMES), "each ran to its end once; one that was cut off was run anew"
    with closing(sqlite3.connect(root / ".guard/loop.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


@pytest.mark.parametrize("moment", ["tested:5", "begun:why", "saved:why"])
def test_a_kill_does_not_change_what_a_session_failed_of(nursery: Nursery, tmp_path: Path, moment: str) -> None:
    root = with_tests(tmp_path / "small", fails="test_d")
    nursery.begin(root, "loop run", moment)
    assert nursery.end().code == -signal.SIGKILL
    done = inside("loop", "resume", cwd=root)
    assert done.code == 13, done.out + done.err
    session = last(root)
    assert outcomes(session) == {**dict.fromkeys(NAMES, "passed"), "test_d": "failed"}
    (cause,) = session["causes"]
    assert (cause["kind"], [one.rpartition("::")[2] for one in cause["tests"]]) == ("assertion", ["test_d"])
    assert ran(root) == Counter([*NAMES, "test_d"]), "what fails is run once more, with or without a kill"


def test_a_service_that_ends_while_it_is_tested_is_what_the_tests_failed_of(tmp_path: Path) -> None:
    app = APP.replace(
        '    path = scope["path"]\n',
        '    path = scope["path"]\n    if path == "/test_d": print("out of memory", flush=True); os._exit(3)\n',
    )
    root = with_tests(tmp_path / "small", app=app)
    run = inside("loop", "run", cwd=root)
    assert run.code == 13, run.out + run.err
    session = last(root)
    assert outcomes(session) == {**dict.fromkeys(NAMES, "passed"), "test_d": "failed", "test_e": "failed"}
    cause, *others = session["causes"]
    assert (cause["kind"], cause["rank"], len(cause["tests"])) == ("service-ended", "primary", 2)
    assert cause["summary"].endswith("when the phase second was over: its process ended with status 3")
    assert "out of memory" in cause["evidence"][1]["text"]
    assert [why["question"] for why in cause["whys"]] == ["Why did the tests fail?", "Why does it no longer serve?"]
    assert {one["kind"] for one in others} == {"connection-refused", "connection-reset"}
    assert {one["rank"] for one in others} == {"secondary"}
    assert all("(cause 1-1)" in one["whys"][-1]["answer"] for one in others)


def test_modules_that_read_the_target_are_selected_before_there_is_one(tmp_path: Path) -> None:
    root = with_tests(tmp_path / "small")
    run = inside("loop", "run", "--focus", "test_d", cwd=root)
    assert run.code == 0, run.out + run.err
    session = last(root)
    assert outcomes(session) == {"test_d": "passed"}
    assert next(step["summary"] for step in session["steps"] if step["name"] == "select").startswith("1 of 5 tests")


def broken(root: Path) -> None:
    (root / "tests/test_second.py").write_text("import not_there_at_all\n\ndef test_x():\n    pass\n", encoding="utf-8")


def test_what_cannot_be_selected_is_said_with_its_reason(tmp_path: Path) -> None:
    root = with_tests(tmp_path / "small")
    broken(root)
    run = inside("loop", "run", "--focus", "test_x", "--override-guards", "to see", cwd=root)
    assert run.code == 2
    assert "--focus 'test_x' selects none of the 2 tests; not collected: tests/test_second.py: " in run.err
    assert "ModuleNotFoundError: No module named 'not_there_at_all'" in run.err


def test_a_file_that_is_skipped_as_a_whole_before_there_is_a_service_is_told(tmp_path: Path) -> None:
    root = with_tests(tmp_path / "small")
    text = (root / "tests/test_second.py").read_text(encoding="utf-8")
    asks = "import pytest\ntry:\n    urllib.request.urlopen(URL, timeout=5)\nexcept OSError:\n"
    asks += "    pytest.skip('no service', allow_module_level=True)\n"
    (root / "tests/test_second.py").write_text(text.replace("def ask(", f"{asks}\ndef ask("), encoding="utf-8")
    said = "; skipped: tests/test_second.py: Skipped: no service"
    run = inside("loop", "run", "--focus", "test_d", cwd=root)
    assert run.code == 2
    assert f"selects none of the 2 tests{said}" in run.err
    assert inside("loop", "run", cwd=root).code == 0, "with the service there it is run as any other"
    session = last(root)
    assert outcomes(session) == dict.fromkeys(NAMES, "passed")
    select = next(step for step in session["steps"] if step["name"] == "select")
    assert (select["outcome"], select["summary"]) == ("ok", f"2 of 2 tests in 1 phase{said}")


@pytest.mark.parametrize("arguments", [(), ("--shard", "1/1"), ("--failed-first",)])
def test_a_share_of_tests_that_cannot_all_be_collected_is_not_well(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    root = with_tests(tmp_path / "small")
    broken(root)
    run = inside("loop", "run", *arguments, "--override-guards", "to see", cwd=root)
    assert run.code == 13, run.out + run.err
    session = last(root)
    assert outcomes(session) == {"test_a": "passed", "test_b": "passed"}
    (cause,) = (one for one in session["causes"] if one["rank"] == "primary")
    assert cause["kind"] == "test-bug"
    assert "not_there_at_all" in cause["summary"]


def test_a_file_that_is_collected_only_with_its_target_is_not_lost_in_a_kill(nursery: Nursery, tmp_path: Path) -> None:
    root = with_tests(tmp_path / "small")
    text = (root / "tests/test_second.py").read_text(encoding="utf-8")
    asks = text.replace("def ask(", "urllib.request.urlopen(URL + '/test_none', timeout=10).read()\ndef ask(")
    (root / "tests/test_second.py").write_text(asks, encoding="utf-8")
    nursery.begin(root, "loop run", "tested:3")
    assert nursery.end().code == -signal.SIGKILL
    done = inside("loop", "resume", cwd=root)
    assert done.code == 0, done.out + done.err
    assert outcomes(last(root)) == dict.fromkeys(NAMES, "passed")
    assert ran(root) == Counter(NAMES)


def test_what_tests_asked_of_a_service_that_died_with_the_loop_counts(nursery: Nursery, tmp_path: Path) -> None:
    root = with_tests(tmp_path / "small", kills="test_d")
    nursery.begin(root, "loop run")
    assert nursery.end().code == -signal.SIGKILL
    deployed = next(step for step in last(root)["steps"] if step["name"] == "deploy")
    os.kill(deployed["data"]["deployment"]["data"]["pid"], signal.SIGKILL)
    done = inside("loop", "resume", cwd=root)
    assert done.code == 0, done.out + done.err
    assert outcomes(last(root)) == dict.fromkeys(NAMES, "passed")
    assert ran(root) == Counter(NAMES)


def test_what_tests_told_before_a_kill_is_kept_for_a_resume_and_no_longer(nursery: Nursery, tmp_path: Path) -> None:
    root = with_tests(tmp_path / "small", kills="test_d")
    nursery.begin(root, "loop run")
    assert nursery.end().code == -signal.SIGKILL
    events = root / ".guard" / "events"
    killed = last(root)["id"]
    for name in ("260101-000000-abc", "of-nobody"):
        (events / name / "1-0").mkdir(parents=True)
    assert inside("loop", "run", "--focus", "test_a", cwd=root).code == 0
    assert [one.name for one in events.iterdir()] == [killed], (
        "of others nobody asks any more; this one can be gone on with"
    )
    assert inside("loop", "resume", killed, cwd=root).code == 0
    assert not list(events.iterdir())
