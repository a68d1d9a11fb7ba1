"""What is selected, what a goal comes to, and who holds a target."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from guard.model import GuardError
from guard.runner.deployers.base import Deployment
from guard.runner.environment import urls_of
from guard.runner.goal import fault_of, judged, reached
from guard.runner.lock import TargetLock, place_of
from guard.runner.plan import Deploy, Phase, Plan, Target
from guard.runner.record import Criterion, Outcome, Selected, Session, Step, Test, TestOutcome, Verdict
from guard.runner.selection import Narrowing, selected, shard_of
from guard.runner.store import Ran

PLAN = Plan(
    phases=(
        Phase(name="chat", tests=("a",), priority="P0", at_risk="$80K: silence"),
        Phase(name="billing", tests=("b",), priority="P2"),
    )
)
COLLECTED = {"chat": ("a::one", "a::two", "a::three"), "billing": ("b::Invoice", "b::two")}
RAN = {
    "a::one": Ran(9, 50.0, TestOutcome.PASSED, 1.0),
    "a::two": Ran(2, 70.0, TestOutcome.FAILED, 4.0),
    "a::three": Ran(2, 60.0, TestOutcome.PASSED, 2.0),
    "b::Invoice": Ran(1, 10.0, TestOutcome.FLAKY, 3.0),
}


def ids(**options: object) -> list[str]:
    return [one.id for one in selected(PLAN, COLLECTED, RAN, Narrowing(**options))]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, ["a::one", "a::two", "a::three", "b::Invoice", "b::two"]),
        ({"focus": "TWO"}, ["a::two", "b::two"]),
        ({"focus": "silence"}, ["a::one", "a::two", "a::three"]),
        ({"focus": "invoice"}, ["b::Invoice"]),
        ({"focus": "nowhere"}, []),
        ({"priorities": ("P2",)}, ["b::Invoice", "b::two"]),
        ({"priorities": ("P0",), "focus": "two"}, ["a::two"]),
        ({"least_covered": 1}, ["b::two"]),
        ({"least_covered": 3}, ["a::three", "b::Invoice", "b::two"]),
        ({"failed_first": True}, ["a::two", "a::one", "a::three", "b::Invoice", "b::two"]),
    ],
)
def test_what_is_selected(options: dict[str, object], expected: list[str]) -> None:
    assert ids(**options) == expected


def test_reasons() -> None:
    found = selected(PLAN, COLLECTED, RAN, Narrowing(focus="two", least_covered=1, failed_first=True))
    assert [(one.id, one.reason) for one in found] == [("b::two", "least covered: no recent session ran it")]
    assert selected(PLAN, COLLECTED, RAN, Narrowing())[0].reason == "P0 phase of the plan"
    first = selected(PLAN, COLLECTED, RAN, Narrowing(failed_first=True))[0]
    assert first.reason == "P0 phase of the plan; failed the last time"


def test_shards_share_all_the_tests_and_take_about_as_long() -> None:
    shares = [ids(shard=f"{number}/3") for number in (1, 2, 3)]
    assert sorted(name for share in shares for name in share) == sorted(ids())
    loads = [sum(RAN[name].duration_s if name in RAN else 2.5 for name in share) for share in shares]
    assert max(loads) - min(loads) <= 1
    assert ids(shard="1/1") == ids()
    assert ids(shard="2/9") != [], "tests of no known length are spread as well"


@pytest.mark.parametrize("text", ["", "1", "0/2", "3/2", "1/0", "-1/2", "a/b", "1/2/3"])
def test_shards_that_are_none(text: str) -> None:
    with pytest.raises(GuardError, match="expected K/N"):
        shard_of(text)


@pytest.mark.parametrize("goal", ["all", 1, 466, "pass_rate >= 0.99", "pass_rate==1.0", "pass_rate > .5"])
def test_goals_that_are_good(goal: int | str) -> None:
    assert fault_of(goal) is None


@pytest.mark.parametrize("goal", ["", "most", 0, -1, "pass_rate >= 1.5", "pass_rate <= 0.5", "pass_rate", "99%"])
def test_goals_that_are_none(goal: int | str) -> None:
    assert fault_of(goal) is not None


def session(outcomes: str, goal: int | str = "all", criterion: str = "", step: Outcome = Outcome.OK) -> Session:
    """One test for each letter: passed, failed, skipped, unproven, flaky, timeout, and - for one that did not run."""
    names = {one.value[0]: one for one in TestOutcome if one is not TestOutcome.FLAKY} | {"l": TestOutcome.FLAKY}
    return Session(
        id="s",
        plan=Plan(goal=goal, phases=PLAN.phases),
        target="t",
        verdict=Verdict.RUNNING,
        selection=tuple(Selected(id=str(n), phase="chat", reason="") for n in range(len(outcomes))),
        steps=(Step(name="phase:chat", cycle=1, outcome=step, started=0, ended=0),),
        tests=tuple(
            Test(id=str(number), phase="chat", cycle=1, outcome=names[letter])
            for number, letter in enumerate(outcomes)
            if letter != "-"
        ),
        criteria=(Criterion(phase="chat", cycle=1, expression="x", value="", outcome=criterion),) if criterion else (),
    )


@pytest.mark.parametrize(
    ("one", "verdict", "text"),
    [
        (session("ppp"), Verdict.GOAL_MET, "3 of 3 passed"),
        (session("pps"), Verdict.GOAL_MET, "2 of 2 passed, 1 skipped"),
        (session("ppf"), Verdict.TESTS_FAILED, "2 of 3 passed, 1 failed"),
        (session("ppl"), Verdict.TESTS_FAILED, "2 of 3 passed, 1 flaky"),
        (session("ppt"), Verdict.TESTS_FAILED, "2 of 3 passed, 1 timeout"),
        (session("ppu", step=Outcome.UNPROVEN), Verdict.UNPROVEN, "2 of 3 passed, 1 unproven"),
        (session("ufp", step=Outcome.FAILED), Verdict.TESTS_FAILED, "1 of 3 passed, 1 failed, 1 unproven"),
        (session("ss", step=Outcome.UNPROVEN), Verdict.UNPROVEN, "0 of 0 passed, 2 skipped"),
        (session("", step=Outcome.UNPROVEN), Verdict.UNPROVEN, "0 of 0 passed"),
        (session("pp-", step=Outcome.SKIPPED), Verdict.TESTS_FAILED, "2 of 3 passed, 1 not run"),
        (session("pp", criterion="met"), Verdict.GOAL_MET, "2 of 2 passed"),
        (session("pp", criterion="missed", step=Outcome.FAILED), Verdict.TESTS_FAILED, "2 of 2 passed"),
        (session("pp", criterion="unproven", step=Outcome.UNPROVEN), Verdict.UNPROVEN, "2 of 2 passed"),
        (session("ppf", 2), Verdict.GOAL_MET, "2 of 3 passed, 1 failed"),
        (session("pp", 3), Verdict.TESTS_FAILED, "2 of 2 passed"),
        (session("pppf", "pass_rate >= 0.75"), Verdict.GOAL_MET, "3 of 4 passed, 1 failed"),
        (session("pppf", "pass_rate > 0.75"), Verdict.TESTS_FAILED, "3 of 4 passed, 1 failed"),
    ],
)
def test_verdicts(one: Session, verdict: Verdict, text: str) -> None:
    assert (judged(one, 1)[0], reached(one).reached) == (verdict, text)


@pytest.mark.parametrize(
    ("target", "deployed", "urls"),
    [
        (Target(), "http://h:1", ("http://h:1", "ws://h:1")),
        (Target(websocket_path="/ws"), "https://h/", ("https://h", "wss://h/ws")),
        (Target(websocket_path="ws"), "http://h/api/", ("http://h/api", "ws://h/api/ws")),
        (Target(base_url="http://proxy:2/"), "http://h:1", ("http://proxy:2", "ws://proxy:2")),
        (Target(websocket_url="wss://else/x"), "http://h", ("http://h", "wss://else/x")),
    ],
)
def test_where_the_target_is(target: Target, deployed: str, urls: tuple[str, str]) -> None:
    assert urls_of(target, Deployment(revision="r", base_url=deployed)) == urls


def test_a_target_without_a_place() -> None:
    with pytest.raises(GuardError, match=r"loop\.target\.base_url is missing"):
        urls_of(Target(), Deployment(revision="r", base_url=""))


HOLD = """
import sys
from pathlib import Path
from guard.runner.lock import TargetLock
lock = TargetLock(Path(sys.argv[1]), Path("/a/clone"))
lock.hold("251129-120000-abc")
print("held", flush=True)
sys.stdin.read()
"""


def test_a_target_is_held_until_its_holder_is_dead_however_it_died(tmp_path: Path) -> None:
    place = tmp_path / "locks/t.lock"
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(place)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        begun = time.perf_counter()
        with pytest.raises(GuardError) as caught:
            TargetLock(place, tmp_path)
        assert time.perf_counter() - begun < 1
        assert caught.value.exit_code == 4
        said = str(caught.value)
        assert said.startswith("session 251129-120000-abc holds this target since 20")
        assert f"(process {holder.pid} on {os.uname().nodename}, in /a/clone)" in said
        holder.kill()
    with TargetLock(place, tmp_path) as lock:
        assert lock.before is not None
        assert lock.before.session == "251129-120000-abc", "whose end nobody has seen"
        lock.hold("next")
    with TargetLock(place, tmp_path) as lock:
        assert lock.before is None


def test_targets_of_other_names_and_places_are_others(tmp_path: Path) -> None:
    def place(name: str, kind: str = "local", url: str = "") -> Path:
        deploy = Deploy(kind=kind)  # type: ignore[arg-type]
        return place_of(Plan(target=Target(name=name, base_url=url), deploy=deploy), tmp_path)

    assert place("a b") != place("a-b")
    assert place("a").is_relative_to(tmp_path)
    assert not place("a", "command", "https://staging.example").is_relative_to(tmp_path), (
        "other clones deploy to it too"
    )
    assert place("a", "command", "https://staging.example") != place("a", "command", "https://other.example")
