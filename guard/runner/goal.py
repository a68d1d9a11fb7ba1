"""What a phase came to, whether a session has reached its goal, and its verdict: pure."""

from __future__ import annotations

import operator
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from guard.runner.known import last_outcomes
from guard.runner.record import FAILED, Criterion, Evidence, Goal, Outcome, Session, Test, TestOutcome, Verdict

_RATE: Final = re.compile(r"\s*pass_rate\s*(>=|>|==)\s*([01](?:\.\d+)?|\.\d+)\s*")
_PROVEN: Final = frozenset({TestOutcome.PASSED, TestOutcome.SKIPPED})
_COMPARE: Final[Mapping[str, Callable[[float, float], bool]]] = {
    ">=": operator.ge,
    ">": operator.gt,
    "==": operator.eq,
}


def fault_of(goal: int | str) -> str | None:
    """What is wrong with a goal; None for a good one."""
    if isinstance(goal, int):
        return None if goal > 0 else f"expected at least 1 test, found {goal}"
    match = _RATE.fullmatch(goal)
    if goal == "all" or (match is not None and float(match[2]) <= 1):
        return None
    return f'expected "all", a number of tests, or a rate such as "pass_rate >= 0.99", found "{goal}"'


def reached(session: Session) -> Goal:
    """What was wanted of the session's tests, and what came of it. The last outcome of a test is the one that counts,
    and one that was skipped for a reason of its own counts neither for nor against."""
    outcomes = {name: test.outcome for name, test in last_outcomes(session.tests).items()}
    wanted_ids = {one.id for one in session.selection} | set(outcomes)
    counts = Counter(outcomes.values())
    passed, skipped = counts[TestOutcome.PASSED], counts[TestOutcome.SKIPPED]
    counted = len(wanted_ids) - skipped
    rate = passed / counted if counted else 0.0
    goal = session.plan.goal
    match = _RATE.fullmatch(goal) if isinstance(goal, str) else None
    if isinstance(goal, int):
        # A share of the tests may be fewer than are wanted of the whole.
        met = passed >= goal or (bool(session.shard) and bool(counted) and passed == counted)
        wanted = f"{goal} distinct tests passing"
    elif match is not None:
        met, wanted = bool(counted) and _COMPARE[match[1]](rate, float(match[2])), goal
    else:
        met, wanted = bool(counted) and passed == counted, "all tests passing"
    said = [f"{passed} of {counted} passed"]
    said += [f"{counts[one]} {one}" for one in TestOutcome if counts[one] and one is not TestOutcome.PASSED]
    missing = len(wanted_ids) - len(outcomes)
    said += [f"{missing} not run"] if missing else []
    return Goal(wanted=wanted, reached=", ".join(said), met=met)


def judged(session: Session, cycle: int) -> tuple[Verdict, Goal]:
    """The verdict on a cycle whose phases have all ended, or were left out."""
    goal = reached(session)
    phases = [step for step in session.steps if step.cycle == cycle and step.name.startswith("phase:")]
    criteria = {one.outcome for one in session.criteria if one.cycle == cycle}
    stopped = any(step.outcome is Outcome.SKIPPED for step in phases)
    broken = any(step.data.get("broken") for step in phases)
    if stopped or broken or "missed" in criteria:
        return Verdict.TESTS_FAILED, goal
    if goal.met and "unproven" not in criteria:
        return Verdict.GOAL_MET, goal
    failing = any(test.outcome in FAILED for test in last_outcomes(session.tests).values())
    unproven = any(step.outcome is Outcome.UNPROVEN for step in phases)
    if not failing and (unproven or not phases or goal.met):
        return Verdict.UNPROVEN, goal
    return Verdict.TESTS_FAILED, goal


def phase_outcome(tests: Sequence[Test], judged: Sequence[Criterion], broken: bool) -> Outcome:
    """What a phase came to, by its tests, its criteria, and whether it could not be run whole."""
    if broken or any(test.outcome in FAILED for test in tests) or any(one.outcome == "missed" for one in judged):
        return Outcome.FAILED
    proven = any(test.outcome is TestOutcome.PASSED for test in tests) and all(
        test.outcome in _PROVEN for test in tests
    )
    return Outcome.OK if proven and all(one.outcome == "met" for one in judged) else Outcome.UNPROVEN


def phase_summary(
    tests: Sequence[Test], judged: Sequence[Criterion], problems: Sequence[Evidence], timed_out: bool
) -> str:
    """The same in a line."""
    counts = {one: sum(test.outcome is one for test in tests) for one in TestOutcome}
    said = [f"{number} {one}" for one, number in counts.items() if number] or ["no test ran"]
    said += [f"criterion {one.outcome}: {one.expression}" for one in judged if one.outcome != "met"]
    if timed_out:
        said.append("stopped at the phase's timeout")
    if problems:
        said.append(problems[0].text.strip().splitlines()[-1] if problems[0].text.strip() else problems[0].source)
    return ", ".join(said)
