"""The fixture `guard_measure`: what tests report by it is what criteria are judged by, under workers too."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import msgspec
import pytest

from guard.runner.criteria import judge
from guard.runner.plan import Phase
from tests.runner.phase_support import run, write

TESTS = """
import time
import pytest
def test_reports(guard_measure):
    with guard_measure.ms():
        time.sleep(0.02)
    with guard_measure.ms("slow_ms"):
        pass
    guard_measure("tokens", 7)
    for name in ("data", "optimization", "reporting"):
        guard_measure.event(name)
    guard_measure.revision("rev-0")
def test_reports_nothing_of_what_raises(guard_measure):
    with pytest.raises(ValueError), guard_measure.ms():
        raise ValueError
"""


@pytest.mark.parametrize("workers", [0, 2])
def test_measurements(tmp_path: Path, workers: int) -> None:
    write(tmp_path, {"test_it.py": TESTS})
    result, tests = run(tmp_path, real=False, workers=workers)
    assert result.outcome == "ok", result
    measured = tests["test_reports"].measurements
    assert measured.keys() == {"response_ms", "slow_ms", "tokens", "events", "revision"}
    assert 20 <= measured["response_ms"][0] < 20_000
    assert measured["slow_ms"][0] < measured["response_ms"][0]
    assert measured["events"] == ("data", "optimization", "reporting")
    assert tests["test_reports"].revisions == ("rev-0",)
    assert not tests["test_reports_nothing_of_what_raises"].measurements
    criteria = ("order(data, optimization, reporting)", "max(tokens) == 7", "count(response_ms) == 1", "p95(no) < 1")
    judged = judge(Phase(name="p", tests=("test_it.py",), criteria=criteria), 1, tuple(tests.values()), 1.0)
    assert [one.outcome for one in judged] == ["met", "met", "met", "unproven"], msgspec.to_builtins(judged)


def test_it_works_where_no_loop_runs(tmp_path: Path) -> None:
    """What it reports goes where pytest puts the properties of a test."""
    write(tmp_path, {"test_it.py": TESTS})
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "GUARD"))}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--junitxml=report.xml"]
    subprocess.run(command, cwd=tmp_path, env=env, check=True, capture_output=True)
    report = ElementTree.parse(tmp_path / "report.xml")
    names = [one.attrib["name"] for one in report.iter("property")]
    assert names == ["response_ms", "slow_ms", "tokens", "events", "events", "events", "revision"]


def test_the_docs_know_every_function_of_criteria() -> None:
    page = (Path(__file__).parents[2] / "docs/loop.md").read_text()
    for name in ("p50", "p90", "p95", "p99", "max", "min", "mean", "count", "sum", "errors", "order", "pass_rate"):
        assert f"`{name}" in page, name
