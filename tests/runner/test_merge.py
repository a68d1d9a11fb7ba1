"""Joining shards into one session, and refusing what are not the shards of one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from guard.model import GuardError
from guard.runner.merge import merged, merged_id
from guard.runner.plan import Phase, Plan
from guard.runner.record import (
    Cause,
    CauseKind,
    Criterion,
    Evidence,
    Outcome,
    Selected,
    Session,
    Step,
    Test,
    TestOutcome,
    Verdict,
)

PLAN = Plan(phases=(Phase(name="chat", tests=("t",), criteria=("pass_rate == 1.0",)),))


def judge(phase: Phase, cycle: int, tests: Sequence[Test], duration_s: float) -> tuple[Criterion, ...]:
    """Stands for the criteria of the loop: says what it was given."""
    passed = sum(test.outcome is TestOutcome.PASSED for test in tests)
    outcome = "met" if passed == len(tests) else "missed"
    value = f"{passed} of {len(tests)} in {duration_s:.0f} s"
    return (Criterion(phase=phase.name, cycle=cycle, expression="pass_rate == 1.0", value=value, outcome=outcome),)


def shard(number: int, *names: str, total: int = 2, bad: str = "", **more: Any) -> Session:
    """A shard that ran tests of these names."""
    tests = tuple(
        Test(
            id=name,
            phase="chat",
            cycle=1,
            outcome=TestOutcome.FAILED if name == bad else TestOutcome.PASSED,
            started=100.0 + index * 10 + number,
            cause="1-1" if name == bad else "",
        )
        for index, name in enumerate(names)
    )
    steps = (
        Step(name="deploy", cycle=1, outcome=Outcome.OK, started=number, ended=50, summary="rev-1"),
        Step(
            name="phase:chat",
            cycle=1,
            outcome=Outcome.FAILED if bad else Outcome.OK,
            started=100,
            ended=100 + 10 * number,
            summary=f"{len(names)} tests",
            evidence=(Evidence("test", f"of {number}"),),
        ),
        Step(
            name="stability",
            cycle=1,
            outcome=Outcome.OK,
            started=200,
            ended=201,
            data={"errors": [f"ERROR {number}"], "routes": {"GET /": "x"} if number == 2 else {}},
        ),
    )
    given = {
        "id": f"s{number}",
        "plan": PLAN,
        "target": "staging",
        "verdict": Verdict.TESTS_FAILED if bad else Verdict.GOAL_MET,
        "revision": "rev-1",
        "tree": "abc",
        "started": float(number),
        "ended": 300.0 + number,
        "cycles": 1,
        "selection": tuple(Selected(id=name, phase="chat", reason="in the plan") for name in names),
        "steps": steps,
        "tests": tests,
        "shard": f"{number}/{total}",
    }
    return Session(**(given | more))


def failing(number: int, *names: str, said: str) -> Session:
    """A shard whose first test failed."""
    cause = Cause(id="1-1", kind=CauseKind.HTTP, summary=said, tests=names[:1])
    return shard(number, *names, bad=names[0], causes=(cause,))


def test_two_good_shards_are_one_good_session() -> None:
    whole = merged([shard(2, "c"), shard(1, "a", "b")], judge)
    assert (whole.id, whole.shard, whole.verdict) == ("s1-all", "", Verdict.GOAL_MET)
    assert (whole.started, whole.ended) == (1.0, 302.0)
    assert [test.id for test in whole.tests] == ["a", "c", "b"]
    assert whole.goal is not None
    assert whole.goal.reached == "3 of 3 passed"
    assert [one.id for one in whole.selection] == ["a", "b", "c"]


def test_steps_are_joined_by_name() -> None:
    whole = merged([shard(1, "a", "b"), shard(2, "c", bad="c")], judge)
    deploy, phase, stability = whole.steps
    assert (deploy.started, deploy.summary) == (1, "rev-1")
    assert (phase.outcome, phase.ended, phase.summary) == (
        Outcome.FAILED,
        120,
        "2 passed, 1 failed, criterion missed: pass_rate == 1.0",
    )
    assert [one.text for one in phase.evidence] == ["of 1", "of 2"]
    assert stability.data == {"errors": ["ERROR 1", "ERROR 2"], "routes": {"GET /": "x"}}


def test_criteria_are_judged_over_all_tests() -> None:
    whole = merged([shard(1, "a", "b"), shard(2, "c", bad="c")], judge)
    assert [(one.value, one.outcome) for one in whole.criteria] == [("2 of 3 in 20 s", "missed")]
    assert whole.verdict is Verdict.TESTS_FAILED


def judged_by_a_share(number: int, *names: str) -> Session:
    """A shard whose tests passed, and that holds a criterion for missed, as an older guard did."""
    cause = Cause(
        id="1-1", kind=CauseKind.CRITERION, summary=f"{PLAN.phases[0].criteria[0]} is missed in chat: 0.{number}"
    )
    done = shard(number, *names, causes=(cause,), verdict=Verdict.TESTS_FAILED)
    return msgspec.structs.replace(
        done,
        steps=tuple(
            msgspec.structs.replace(step, outcome=Outcome.FAILED, summary="criterion missed")
            if step.name == "phase:chat"
            else step
            for step in done.steps
        ),
    )


def test_what_a_share_says_of_a_criterion_does_not_stay() -> None:
    whole = merged([judged_by_a_share(1, "a"), judged_by_a_share(2, "b")], judge)
    assert (whole.verdict, whole.causes) == (Verdict.GOAL_MET, ())
    (phase,) = [step for step in whole.steps if step.name == "phase:chat"]
    assert (phase.outcome, phase.summary) == (Outcome.OK, "2 passed")


def test_a_criterion_that_the_whole_misses_fails_its_phase_and_is_a_cause() -> None:
    def strict(phase: Phase, cycle: int, tests: Sequence[Test], _duration_s: float) -> tuple[Criterion, ...]:
        found = Criterion(
            phase=phase.name, cycle=cycle, expression="count(x) > 2", value=f"{len(tests)}", outcome="missed"
        )
        return (found,)

    whole = merged([shard(1, "a"), shard(2, "b")], strict)
    assert whole.verdict is Verdict.TESTS_FAILED
    (phase,) = [step for step in whole.steps if step.name == "phase:chat"]
    assert (phase.outcome, phase.summary) == (Outcome.FAILED, "2 passed, criterion missed: count(x) > 2")
    (cause,) = whole.causes
    assert (cause.id, cause.kind, cause.rank) == ("1-1", CauseKind.CRITERION, "primary")
    assert cause.summary == "count(x) > 2 is missed in chat: 2"
    assert cause.whys[-1].question == "Which change made it so?"


def test_a_phase_that_one_shard_could_not_run_whole_is_not_good() -> None:
    broken = shard(2, "b")
    steps = [
        msgspec.structs.replace(step, outcome=Outcome.FAILED, data={"broken": True, "tests": 1})
        if step.name == "phase:chat"
        else msgspec.structs.replace(step, data={"broken": False, **step.data})
        for step in broken.steps
    ]
    good = shard(1, "a")
    fine = [msgspec.structs.replace(step, data={"broken": False, **step.data}) for step in good.steps]
    shards = [msgspec.structs.replace(good, steps=tuple(fine)), msgspec.structs.replace(broken, steps=tuple(steps))]
    assert merged(shards, judge).verdict is Verdict.TESTS_FAILED


def test_a_phase_takes_as_long_as_its_longest_share() -> None:
    late = shard(2, "b")
    steps = tuple(
        msgspec.structs.replace(step, started=step.started + 500, ended=step.ended + 500) for step in late.steps
    )
    whole = merged([shard(1, "a"), msgspec.structs.replace(late, steps=steps)], judge)
    assert whole.criteria[0].value == "2 of 2 in 20 s"


def test_one_cause_in_two_shards_is_one_cause() -> None:
    first, second = failing(1, "a", "b", said="HTTP 503 from 10.0.0.1"), failing(2, "c", said="HTTP 503 from 10.0.0.2")
    whole = merged([first, second], judge)
    assert [(cause.id, cause.tests) for cause in whole.causes if cause.tests] == [("1-1", ("a", "c"))]
    (criterion,) = [cause for cause in whole.causes if not cause.tests]
    assert (criterion.id, criterion.rank) == ("1-2", "secondary")
    other = merged([first, failing(2, "c", said="HTTP from nowhere")], judge)
    assert [(cause.id, cause.tests) for cause in other.causes if cause.tests] == [("1-1", ("a",)), ("1-2", ("c",))]
    assert {test.id: test.cause for test in other.tests} == {"a": "1-1", "b": "", "c": "1-2"}


def test_a_goal_that_no_shard_reaches_alone_can_be_reached_together() -> None:
    plan = msgspec.structs.replace(PLAN, goal=3)
    shards = [shard(number, *names, plan=plan, verdict=Verdict.TESTS_FAILED) for number, names in ((1, "ab"), (2, "c"))]
    assert merged(shards, judge).verdict is Verdict.GOAL_MET


@pytest.mark.parametrize("verdict", [Verdict.INTERRUPTED, Verdict.BLOCKED, Verdict.DEPLOY_FAILED, Verdict.UNHEALTHY])
def test_a_shard_that_did_not_get_to_its_tests_decides(verdict: Verdict) -> None:
    assert merged([shard(1, "a"), shard(2, verdict=verdict)], judge).verdict is verdict


@pytest.mark.parametrize(
    ("shards", "fault"),
    [
        ([], "nothing to merge"),
        ([shard(1, "a", shard="")], "s1: not a shard"),
        ([shard(1, "a"), shard(2, "b", total=3)], "shards of 2 and of 3"),
        ([shard(1, "a"), shard(3, "b", total=2)], "missing: 2/2"),
        ([shard(1, "a", total=4), shard(4, "b", total=4)], "missing: 2/4, 3/4"),
        ([shard(1, "a"), shard(2, "b"), shard(2, "c")], "there twice: 2/2"),
        ([shard(1, "a"), shard(2, "b"), shard(2, "b")], "^there twice: 2/2$"),
        ([shard(1, "a"), shard(2, "b", target="production")], "different values of target: 'production', 'staging'"),
        ([shard(1, "a"), shard(2, "b", revision="rev-2")], "different values of revision: 'rev-1', 'rev-2'"),
        ([shard(1, "a"), shard(2, "b", tree="def")], "different values of tree"),
        ([shard(1, "a"), shard(2, "b", focus="--focus x")], "different values of focus"),
        ([shard(1, "a"), shard(2, "b", plan=Plan())], "the shards ran by different plans"),
        ([shard(1, "a", "b"), shard(2, "b", "c")], "run by more than one shard: b"),
    ],
)
def test_what_are_not_the_shards_of_one_session(shards: list[Session], fault: str) -> None:
    with pytest.raises(GuardError, match=fault) as caught:
        merged(shards, judge)
    assert caught.value.exit_code == 2


def test_a_shard_that_never_deployed_has_no_revision_to_differ_in() -> None:
    blocked = shard(2, revision="", verdict=Verdict.BLOCKED, steps=())
    assert merged([shard(1, "a"), blocked], judge).verdict is Verdict.BLOCKED


def test_the_id_is_the_same_whatever_the_order() -> None:
    assert merged_id([shard(1), shard(2)]) == merged_id([shard(2), shard(1)])
