"""What tests told when their loop was killed is not lost: none runs twice, and no flake passes for a good test."""

from __future__ import annotations

import contextlib
from pathlib import Path

from guard.runner.phase import PhaseResult, run_phase
from guard.runner.plan import Phase
from guard.runner.record import Test
from guard.runner.redact import Redactor
from tests.runner.phase_support import write

TESTS = """
import pathlib

HERE = pathlib.Path(__file__).parent

def ran(name):
    with (HERE / "ran.txt").open("a") as file:
        file.write(name)
    return (HERE / "ran.txt").read_text().count(name)

def test_a():
    ran("a")

def test_b():
    assert ran("b") == 2

def test_c():
    ran("c")
"""


class Killed(BaseException):
    """As if the process had been."""


def run(root: Path, told: list[Test], die_at: str = "") -> PhaseResult:
    def on_test(test: Test) -> None:
        if die_at and test.id.endswith(die_at):
            raise Killed
        told.append(test)

    return run_phase(
        Phase(name="p", tests=("test_it.py",), real=False),
        root=root,
        tests=(),
        deselect=tuple(test.id for test in told),
        target_env={},
        revision="r",
        base_url="http://127.0.0.1:1",
        websocket_url="",
        cycle=1,
        redact=Redactor({}),
        on_test=on_test,
        stop=lambda: False,
        keep=root / "events",
    )


def test_tests_that_had_ended_are_told_of_and_not_run_again(tmp_path: Path) -> None:
    write(tmp_path, {"test_it.py": TESTS})
    told: list[Test] = []
    with contextlib.suppress(Killed):
        run(tmp_path, told, die_at="test_c")
    assert [test.id for test in told] == ["test_it.py::test_a"]
    assert (tmp_path / "ran.txt").read_text() == "abc"
    run(tmp_path, told)
    assert [(test.id.rpartition("::")[2], test.outcome) for test in told] == [
        ("test_a", "passed"),
        ("test_c", "passed"),
        ("test_b", "flaky"),
    ]
    assert (tmp_path / "ran.txt").read_text() == "abcb", "only what failed is run once more"
    again: list[Test] = []
    run(tmp_path, again)
    assert [(test.id.rpartition("::")[2], test.outcome) for test in again] == [
        ("test_a", "passed"),
        ("test_c", "passed"),
        ("test_b", "flaky"),
    ], "and the second time it ran is remembered too"
    assert (tmp_path / "ran.txt").read_text() == "abcb"
