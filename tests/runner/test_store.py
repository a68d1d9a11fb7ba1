"""The file of sessions: what goes in comes out, one transaction at a time, whatever else happens to it."""

from __future__ import annotations

import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from types import FrameType

import msgspec
import pytest

from guard.model import GuardError
from guard.runner.plan import Phase, Plan
from guard.runner.record import Evidence, Outcome, Selected, Session, Step, Test, TestOutcome, Verdict
from guard.runner.store import Begun, Store, folder_of, new_id

PLAN = Plan(phases=(Phase(name="one", tests=("tests",)),))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "loop.db") as store:
        yield store


def session(name: str, started: float = 1.0, **fields: object) -> Session:
    values = {"id": name, "plan": PLAN, "target": "t", "verdict": Verdict.RUNNING, "started": started, **fields}
    return Session(**values)  # type: ignore[arg-type]


def step(name: str, cycle: int = 1, **fields: object) -> Step:
    values = {"name": name, "cycle": cycle, "outcome": Outcome.OK, "started": 1.0, "ended": 2.0, **fields}
    return Step(**values)  # type: ignore[arg-type]


def case(name: str, outcome: TestOutcome = TestOutcome.PASSED, **fields: object) -> Test:
    values = {"id": name, "phase": "one", "cycle": 1, "outcome": outcome, "started": 5.0, "duration_s": 0.5, **fields}
    return Test(**values)  # type: ignore[arg-type]


def test_a_session_comes_back_as_it_was(store: Store) -> None:
    whole = session(
        "a",
        selection=(Selected(id="x", phase="one", reason="why"),),
        steps=(
            step("guards", evidence=(Evidence("log", "text\n", "p"),), data={"n": [1, {"k": None}]}),
            step("deploy"),
        ),
        tests=(case("x", measurements={"ms": (1, 2.5, "t")}, message="é \ud800"), case("y", TestOutcome.FAILED)),
    )
    store.save(whole)
    for test in whole.tests:
        store.add_test("a", test)
    for one in whole.steps:
        store.save(whole, one)
    found = store.load("a")
    assert msgspec.structs.replace(found, tests=()) == msgspec.structs.replace(whole, tests=())
    assert [test.message for test in found.tests] == ["é \\ud800", ""], "what cannot be encoded is replaced"
    assert found.tests[1] == whole.tests[1]


def test_a_step_that_was_begun_is_there_until_it_ends(store: Store) -> None:
    store.save(session("a"))
    store.begin("a", Begun("deploy", 1, 3.0, {"before": None}))
    assert store.begun("a") == (Begun("deploy", 1, 3.0, {"before": None}),)
    store.save(session("a"), step("deploy"))
    assert store.begun("a") == ()
    with pytest.raises(GuardError, match="UNIQUE"):
        store.save(session("a", verdict=Verdict.BLOCKED), step("deploy"))
    assert store.load("a").verdict is Verdict.RUNNING, "all of a step is kept, or nothing"


def test_a_later_outcome_of_a_test_takes_the_place_of_the_earlier_one(store: Store) -> None:
    store.save(session("a"))
    for test in (case("x", TestOutcome.FAILED), case("y"), case("x", TestOutcome.FLAKY), case("x", cycle=2)):
        store.add_test("a", test)
    assert [(test.id, test.cycle, test.outcome) for test in store.load("a").tests] == [
        ("x", 1, "flaky"),
        ("y", 1, "passed"),
        ("x", 2, "passed"),
    ]
    assert store.summaries(5)[0].tests == {"passed": 2}


def test_sessions_are_found_by_the_beginning_of_their_id(store: Store) -> None:
    with pytest.raises(GuardError, match="there is no session yet"):
        store.find()
    for number, name in enumerate(("251129-a", "251129-b", "251130-a")):
        store.save(session(name, float(number)))
    assert store.find() == "251130-a"
    assert store.find("251130") == "251130-a"
    assert store.find("251129-b") == "251129-b"
    with pytest.raises(GuardError, match="2 sessions begin with it: 251129-b, 251129-a"):
        store.find("251129")
    with pytest.raises(GuardError, match="%: no such session"):
        store.find("%")
    assert [one.id for one in store.earlier(store.load("251130-a"))] == ["251129-a", "251129-b"]


def test_what_was_healthy_is_known_last_first(store: Store) -> None:
    for number, (name, revision, outcome) in enumerate(
        [("a", "r1", Outcome.OK), ("b", "r2", Outcome.OK), ("c", "r3", Outcome.FAILED), ("d", "r1", Outcome.OK)]
    ):
        store.save(session(name, float(number)))
        health = step("health", outcome=outcome, ended=float(number), data={"revision": revision})
        store.save(session(name, float(number)), health)
    store.save(session("e", target="elsewhere"), step("health", data={"revision": "r9"}))
    assert store.healthy_revisions("t") == ("r1", "r2")


def test_what_recent_sessions_ran(store: Store) -> None:
    for number in range(25):
        store.save(session(f"s{number:02}", float(number)))
        store.add_test(f"s{number:02}", case("x", started=float(number)))
    store.add_test("s24", case("y", TestOutcome.FAILED, started=30.0, duration_s=2.0))
    ran = store.recent_runs("t")
    assert (ran["x"].runs, ran["x"].last) == (20, 24.0)
    assert (ran["y"].runs, ran["y"].outcome, ran["y"].duration_s) == (1, "failed", 2.0)
    assert store.recent_runs("t", without="s24").keys() == {"x"}
    assert store.recent_runs("elsewhere") == {}


def test_a_killed_session_ends_with_the_last_that_was_heard_of_it(store: Store) -> None:
    store.save(session("a"), step("guards", ended=7.0))
    store.add_test("a", case("x", started=9.0, duration_s=0.5))
    assert store.unfinished("t") == ("a",)
    store.end_interrupted("a")
    assert (store.load("a").verdict, store.load("a").ended) == ("interrupted", 9.5)
    assert store.unfinished("t") == ()


def test_two_processes_may_have_it_open_at_once(store: Store) -> None:
    with Store(store.path) as other:
        store.save(session("a"))
        assert other.load("a").id == "a"
        other.add_test("a", case("x"))
    assert len(store.load("a").tests) == 1
    assert store.integrity() == "ok"


def test_a_file_that_is_none_or_of_a_later_version(tmp_path: Path) -> None:
    (tmp_path / "loop.db").write_bytes(b"no database at all, but long enough to be one" * 50)
    with pytest.raises(GuardError, match="move the file away") as caught:
        Store(tmp_path / "loop.db")
    assert caught.value.exit_code == 4
    with closing(sqlite3.connect(tmp_path / "later.db")) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(GuardError, match="written by a later version of guard"):
        Store(tmp_path / "later.db")


def test_ids_are_sorted_by_time_and_differ() -> None:
    ids = [new_id(1_764_000_000.0 + number) for number in range(100)]
    assert ids == sorted(ids)
    assert len({new_id(1_764_000_000.0) for _ in range(20)}) > 15
    assert len(ids[0]) == 17


def test_the_folder_is_no_part_of_the_repository(tmp_path: Path) -> None:
    assert (folder_of(tmp_path) / ".gitignore").read_text() == "*\n"
    (tmp_path / "file").write_text("")
    with pytest.raises(GuardError, match="cannot be made"):
        folder_of(tmp_path / "file")


def test_a_session_of_a_thousand_tests_is_read_at_once(store: Store) -> None:
    store.save(session("a"))
    for number in range(1000):
        store.add_test("a", case(f"tests/test_x.py::test_{number}", peers=("127.0.0.1:1",), output="x" * 200))
    begun = time.perf_counter()
    assert len(store.load("a").tests) == 1000
    assert time.perf_counter() - begun < 0.5
    assert store.path.stat().st_size < 5_000_000


def test_an_interrupt_between_any_two_instructions_of_a_write_lets_the_next_write_through(store: Store) -> None:
    whole, only = session("a"), case("t/a.py::test_b")
    store.save(whole)
    nth, held = 0, []
    while error := interrupted(nth, lambda: store.add_test("a", only)):
        held.append(error)  # as who handles it does, while the session is kept as interrupted
        store.save(whole)
        nth += 1
    assert nth > 50
    assert store.load("a").tests == (only,)


def interrupted(nth: int, write: Callable[[], None]) -> KeyboardInterrupt | None:
    """Write, with an interrupt before the nth instruction of the store; None where it has fewer."""
    passed = 0

    def trace(frame: FrameType, event: str, _: object) -> Callable[..., object] | None:
        nonlocal passed
        if Path(frame.f_code.co_filename).name not in ("store.py", "contextlib.py"):
            return None
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        if event == "opcode":
            passed += 1
            if passed > nth:
                sys.settrace(None)
                raise KeyboardInterrupt
        return trace

    former = sys.gettrace()
    sys._getframe().f_trace_opcodes = True  # Python 3.12 tells of instructions only where some frame asked before
    sys.settrace(trace)
    try:
        write()
    except KeyboardInterrupt as error:
        return error
    finally:
        sys.settrace(former)
    return None
