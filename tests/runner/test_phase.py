"""A phase: each test once, with what it did, whatever becomes of the processes that run them."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from guard.runner.phase import collect_phases
from guard.runner.plan import Phase
from guard.runner.record import Outcome, TestOutcome
from tests.runner.phase_support import ASK, run, service, write

_CATCHES = """while True:
        try:
            __import__('time').sleep(60)
        except BaseException:
            pass"""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with service() as where:
        yield where


def test_the_outcomes(tmp_path: Path, url: str) -> None:
    text = ASK + (
        "import pytest, warnings\n"
        "def test_passes(record_property):\n    record_property('ms', 3); record_property('ms', 4.5); ask()\n"
        "def test_fails():\n    print('said'); ask(); assert 1 == 2\n"
        "def test_skips():\n    pytest.skip('not today')\n"
        "@pytest.fixture\ndef broken():\n    raise RuntimeError('no set-up')\n"
        "def test_error(broken):\n    pass\n"
        "def test_warns():\n    ask(); warnings.warn('old')\n"
        "def test_idle():\n    pass\n"
    )
    write(tmp_path, {"test_it.py": text})
    result, tests = run(tmp_path, url)
    assert {name: test.outcome for name, test in tests.items()} == {
        "test_passes": TestOutcome.PASSED,
        "test_fails": TestOutcome.FAILED,
        "test_skips": TestOutcome.SKIPPED,
        "test_error": TestOutcome.ERROR,
        "test_warns": TestOutcome.PASSED,
        "test_idle": TestOutcome.UNPROVEN,
    }
    assert result.outcome is Outcome.FAILED
    assert not result.problems
    assert [one.partition("::")[2] for one in result.collected][:2] == ["test_passes", "test_fails"]
    passed, failed = tests["test_passes"], tests["test_fails"]
    assert passed.measurements == {"ms": (3, 4.5)}
    assert passed.peers == (url.removeprefix("http://"),)
    assert passed.bytes_sent > 10
    assert passed.bytes_received > 10
    assert failed.exception == "AssertionError"
    assert "assert 1 == 2" in failed.message
    assert "said" in failed.output
    assert "test_it.py" in failed.facts["frame"]
    assert tests["test_error"].exception == "RuntimeError"
    assert tests["test_skips"].message == "not today"
    assert tests["test_warns"].warnings == ("UserWarning: old",)
    assert "without reaching the target" in tests["test_idle"].message
    assert not (tmp_path / ".pytest_cache").exists()


def test_in_workers_of_xdist_too(tmp_path: Path, url: str) -> None:
    body = "".join(f"def test_{at}():\n    ask()\n" for at in range(6))
    write(tmp_path, {"test_it.py": ASK + body + "def test_idle():\n    pass\ndef test_fails():\n    assert 0\n"})
    result, tests = run(tmp_path, url, workers=2)
    assert len(tests) == 8
    assert [tests[f"test_{at}"].outcome for at in range(6)] == [TestOutcome.PASSED] * 6
    assert tests["test_idle"].outcome is TestOutcome.UNPROVEN
    assert tests["test_fails"].outcome is TestOutcome.FAILED
    assert len(result.collected) == 8


def test_a_flake_is_told_and_is_no_pass(tmp_path: Path, url: str) -> None:
    text = ASK + (
        "import pathlib\nMARK = pathlib.Path(__file__).with_name('seen')\n"
        "def test_flake():\n    ask()\n    if not MARK.exists():\n        MARK.touch(); assert 0, 'first time'\n"
        "def test_well():\n    ask()\n"
    )
    write(tmp_path, {"test_it.py": text})
    result, tests = run(tmp_path, url)
    assert tests["test_flake"].outcome is TestOutcome.FLAKY
    assert "first time" in tests["test_flake"].message
    assert tests["test_well"].outcome is TestOutcome.PASSED
    assert result.outcome is Outcome.FAILED


def test_fail_fast_stops_at_the_first_failure(tmp_path: Path, url: str) -> None:
    write(tmp_path, {"test_it.py": "def test_a():\n    assert 0\ndef test_b():\n    pass\n"})
    result, tests = run(tmp_path, url, fail_fast=True)
    assert list(tests) == ["test_a"]
    assert result.outcome is Outcome.FAILED
    assert not result.problems


def test_a_test_that_hangs_is_stopped_and_shows_where(tmp_path: Path, url: str) -> None:
    text = (
        "import asyncio, threading\n"
        "async def waits_for_ever():\n    await asyncio.Event().wait()\n"
        "async def main():\n    await asyncio.gather(waits_for_ever())\n"
        "def test_task():\n    asyncio.run(main())\n"
        "def test_lock():\n    threading.Lock().acquire(); lock = threading.Lock(); lock.acquire(); lock.acquire()\n"
        "def test_after():\n    pass\n"
    )
    write(tmp_path, {"test_it.py": text})
    result, tests = run(tmp_path, url, test_timeout_s=0.4, real=False)
    assert tests["test_task"].outcome is TestOutcome.TIMEOUT
    assert "waits_for_ever" in tests["test_task"].stacks
    assert "Task " in tests["test_task"].stacks
    assert "in test_lock" in tests["test_lock"].stacks
    assert "/_pytest/" not in tests["test_lock"].stacks
    assert tests["test_after"].outcome is TestOutcome.PASSED
    assert result.outcome is Outcome.FAILED


@pytest.mark.parametrize("method", ["signal", "thread"])
def test_a_timeout_of_the_project_s_own_is_kept_where_it_is_shorter(tmp_path: Path, method: str) -> None:
    text = (
        "import pytest, time\n"
        f"@pytest.mark.timeout(0.3, method='{method}')\ndef test_hangs():\n    time.sleep(60)\n"
        "@pytest.mark.timeout(0.3, func_only=True)\ndef test_hangs_too():\n    time.sleep(60)\n"
        "@pytest.mark.timeout(60)\ndef test_ends():\n    pass\n"
    )
    write(tmp_path, {"test_it.py": text})
    _, tests = run(tmp_path, real=False, test_timeout_s=20)
    assert [test.outcome for test in tests.values()] == [TestOutcome.TIMEOUT, TestOutcome.TIMEOUT, TestOutcome.PASSED]
    assert tests["test_hangs"].duration_s < 5
    assert "time.sleep(60)" in tests["test_hangs"].stacks


@pytest.mark.parametrize(
    ("hangs", "workers"),
    [
        ("import signal, time\n    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])\n    time.sleep(60)", 1),
        (_CATCHES, 1),
        ("import ctypes; ctypes.PyDLL(None).sleep(60)", 1),
        ("import ctypes; ctypes.PyDLL(None).sleep(60)", 2),
    ],
    ids=["blocks signals", "catches everything", "holds the interpreter", "holds the interpreter of a worker"],
)
def test_one_that_cannot_be_stopped_is_ended_and_the_others_go_on(
    tmp_path: Path, hangs: str, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("guard.runner.phase_process.GRACE_S", 0.3)
    monkeypatch.setattr("guard.runner.phase_process._LATE_S", 1.0)
    text = f"def test_hangs():\n    {hangs}\ndef test_after():\n    pass\n"
    write(tmp_path, {"test_it.py": text})
    result, tests = run(tmp_path, test_timeout_s=0.3, real=False, workers=workers)
    assert {name: test.outcome for name, test in tests.items()} == {
        "test_hangs": TestOutcome.TIMEOUT,
        "test_after": TestOutcome.PASSED,
    }
    assert "test_hangs" in tests["test_hangs"].stacks
    assert not result.timed_out


def test_a_tear_down_is_not_broken_off_half_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("guard.runner.phase_process.GRACE_S", 30)
    text = (
        "import time, pytest\n"
        "@pytest.fixture\ndef slow():\n    yield\n    time.sleep(1.2); print('undone')\n"
        "def test_hangs(slow):\n    time.sleep(60)\ndef test_after():\n    pass\n"
    )
    write(tmp_path, {"test_it.py": text})
    _, tests = run(tmp_path, test_timeout_s=0.3, real=False)
    assert tests["test_hangs"].outcome is TestOutcome.TIMEOUT
    assert tests["test_after"].outcome is TestOutcome.PASSED


def test_a_test_that_takes_its_process_along_is_an_error(tmp_path: Path) -> None:
    text = "import os\ndef test_dies():\n    os.kill(os.getpid(), 9)\ndef test_after():\n    pass\n"
    write(tmp_path, {"test_it.py": text})
    result, tests = run(tmp_path, real=False)
    assert tests["test_dies"].outcome is TestOutcome.ERROR
    assert "SIGKILL" in tests["test_dies"].message
    assert tests["test_after"].outcome is TestOutcome.PASSED
    assert result.outcome is Outcome.FAILED


def test_the_time_of_a_phase_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "import time\ndef test_a():\n    pass\ndef test_b():\n    time.sleep(60)\ndef test_c():\n    pass\n"
    write(tmp_path, {"test_it.py": text})
    clock, later = time.monotonic, [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock() + later[0])
    result, tests = run(tmp_path, timeout_s=600, real=False, on_test=lambda _: later.append(later.pop() + 601))
    assert [test.outcome for test in tests.values()] == [TestOutcome.PASSED, TestOutcome.TIMEOUT]
    assert "test_c" not in tests
    assert result.timed_out
    assert len(result.collected) == 3


def test_it_is_stopped_from_outside(tmp_path: Path) -> None:
    text = "import time\ndef test_a():\n    pass\ndef test_b():\n    time.sleep(60)\n"
    write(tmp_path, {"test_it.py": text})
    seen: list[str] = []
    _, tests = run(tmp_path, real=False, stop=lambda: bool(seen), on_test=lambda test: seen.append(test.id))
    assert list(tests) == ["test_a"]


def test_only_some_of_the_tests(tmp_path: Path) -> None:
    text = "import pytest\n@pytest.mark.parametrize('n', [1, 2])\ndef test_a(n):\n    pass\ndef test_b():\n    pass\n"
    write(tmp_path, {"test_it.py": text})
    assert set(run(tmp_path, real=False, tests=["test_it.py::test_a[2]"])[1]) == {"test_a[2]"}
    assert set(run(tmp_path, real=False, tests=["test_it.py::test_a"])[1]) == {"test_a[1]", "test_a[2]"}
    assert set(run(tmp_path, real=False, deselect=["test_it.py::test_a[1]"])[1]) == {"test_a[2]", "test_b"}


def test_what_cannot_be_collected_is_a_problem_and_the_rest_is_run(tmp_path: Path) -> None:
    write(tmp_path, {"test_it.py": "def test_a():\n    pass\n", "test_bad.py": "import not_there_at_all\n"})
    result, tests = run(tmp_path, real=False, tests=["test_it.py", "test_bad.py"])
    assert tests["test_a"].outcome is TestOutcome.PASSED
    assert result.outcome is Outcome.FAILED
    assert "not_there_at_all" in result.problems[0].text
    assert result.problems[0].place == "test_bad.py"


@pytest.mark.parametrize("tests", [("nowhere.py",), ("no_*.py",), ("empty.py",)])
def test_a_phase_without_tests_is_a_failure(tmp_path: Path, tests: tuple[str, ...]) -> None:
    write(tmp_path, {"empty.py": ""})
    result, ended = run(tmp_path, tests=tests)
    assert not ended
    assert result.outcome is Outcome.FAILED
    assert tests[0] in result.problems[0].text


def test_collecting_gives_node_ids(tmp_path: Path) -> None:
    write(tmp_path, {"sub/test_it.py": "def test_a():\n    pass\nclass TestB:\n    def test_c(self):\n        pass\n"})
    phase = Phase(name="p", tests=("sub/test_*.py",))
    found = collect_phases([phase], tmp_path, {})["p"]
    assert found.ids == ("sub/test_it.py::test_a", "sub/test_it.py::TestB::test_c")
    assert not found.problems


def test_what_cannot_be_collected_is_told_with_its_reason_by_phase(tmp_path: Path) -> None:
    good, bad = "def test_a():\n    pass\n", "import os\nURL = os.environ['NO_SUCH']\ndef test_b():\n    pass\n"
    write(tmp_path, {"test_good.py": good, "test_bad.py": bad, "sub/conftest.py": bad, "sub/test_it.py": good})
    phases = [
        Phase(name="well", tests=("test_good.py",)),
        Phase(name="partly", tests=("test_good.py", "test_bad.py")),
        Phase(name="conftest", tests=("sub",)),
        Phase(name="nowhere", tests=("no_*.py",)),
    ]
    found = collect_phases(phases, tmp_path, {})
    assert {name: tests.ids for name, tests in found.items() if tests.ids} == {
        "well": ("test_good.py::test_a",),
        "partly": ("test_good.py::test_a",),
    }
    said = {name: [(one.place, one.text) for one in tests.problems] for name, tests in found.items()}
    assert said["well"] == []
    ((place, text),) = said["partly"]
    assert place == "test_bad.py"
    assert "KeyError: 'NO_SUCH'" in text
    for name, expected in (("conftest", "KeyError: 'NO_SUCH'"), ("nowhere", "no_*.py: no such tests below")):
        ((place, text),) = said[name]
        assert place == name
        assert expected in text


def test_phases_are_collected_together_unless_that_cannot_be(tmp_path: Path) -> None:
    text = "import pytest\ndef test_a():\n    pass\n@pytest.mark.filterwarnings('ignore')\ndef test_b():\n    pass\n"
    write(tmp_path, {"one/test_it.py": text, "two/test_other.py": text, "three/test_it.py": text})
    phases = [
        Phase(name="one", tests=("one/test_it.py::test_b",)),
        Phase(name="two", tests=("two",)),
        Phase(name="marked", tests=("one", "two/"), markers="filterwarnings"),
        Phase(name="nowhere", tests=("no_*.py",)),
    ]
    expected = {
        "one": ("one/test_it.py::test_b",),
        "two": ("two/test_other.py::test_a", "two/test_other.py::test_b"),
        "marked": ("one/test_it.py::test_b", "two/test_other.py::test_b"),
        "nowhere": (),
    }
    assert {name: tests.ids for name, tests in collect_phases(phases, tmp_path, {}).items()} == expected
    same_name = Phase(name="three", tests=("three/test_it.py::test_a",))
    found = {name: tests.ids for name, tests in collect_phases([*phases, same_name], tmp_path, {}).items()}
    assert found == {**expected, "three": ("three/test_it.py::test_a",)}


def test_what_is_secret_stays_out(tmp_path: Path) -> None:
    text = (
        "import os\ndef test_a(record_property):\n"
        "    t = os.environ['E2E_TOKEN']; record_property('t', t); print(t); assert 0, t\n"
    )
    write(tmp_path, {"test_it.py": text})
    _, tests = run(tmp_path, real=False, env={"E2E_TOKEN": "hunter2hunter2"})
    assert "hunter2" not in repr(tests)
    assert tests["test_a"].outcome is TestOutcome.FAILED


def test_its_process_ends_with_the_loop(tmp_path: Path) -> None:
    """`kill -9` of the loop leaves no pytest behind."""
    text = "import os, time\ndef test_a():\n    open('pid', 'w').write(str(os.getpid())); time.sleep(60)\n"
    write(tmp_path, {"test_it.py": text})
    child = os.fork()
    if not child:
        try:
            run(tmp_path, real=False)
        finally:
            os._exit(0)
    pid = _wait_for(tmp_path / "pid")
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    assert _ends(pid)


def _wait_for(path: Path) -> int:
    for _ in range(1000):
        if path.exists() and path.read_text():
            return int(path.read_text())
        time.sleep(0.01)
    raise AssertionError("it did not start")


def _ends(pid: int) -> bool:
    for _ in range(1000):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z":
            return True
        time.sleep(0.01)
    return False


LEANS = """
import pytest
left = []
def test_leaves():
    ask(); left.append(1)
def test_leans_on_it():
    if left:
        ask(); assert False, "it is wrong"
"""


def test_a_pass_that_asks_nobody_makes_no_flake(tmp_path: Path, url: str) -> None:
    """By itself the test does nothing: that it passes then is no news of the service."""
    write(tmp_path, {"test_it.py": ASK + LEANS})
    _, tests = run(tmp_path, url)
    assert tests["test_leans_on_it"].outcome is TestOutcome.FAILED
    assert tests["test_leans_on_it"].message.endswith("(run again by itself it passes, but connects to nothing)")
