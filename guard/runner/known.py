"""Issues that are known from earlier sessions on the same target: what became of each.

A failure that is not seen again is not thereby gone: it is *resolved* only where this session looked, and saw it well.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec

from guard.runner.plan import Plan
from guard.runner.record import Cause, CauseKind, Outcome, Session, Test, TestOutcome
from guard.runner.shapes import shape


class IssueState(enum.StrEnum):
    """What became of an issue in the session that is looked at."""

    OPEN = "open"
    """It was seen again."""
    RESOLVED = "resolved"
    """What failed of it was tried again and is well."""
    NOT_CHECKED = "not-checked"
    """Nothing in this session tells."""


class KnownIssue(msgspec.Struct, frozen=True, kw_only=True):
    """One cause that an earlier session ended with."""

    kind: CauseKind
    summary: str
    tests: tuple[str, ...]
    first: str
    """The id of the session that saw it first."""
    last: str
    """The id of the last one that saw it."""
    state: IssueState


def last_outcomes(tests: Iterable[Test]) -> dict[str, Test]:
    """Each test by its id, as it ended in the last cycle in which it ran: the worst of it where several phases run it,
    since a pass in one of them takes nothing back of what another one saw."""
    last: dict[str, Test] = {}
    for test in {(test.id, test.phase): test for test in tests}.values():
        known = last.get(test.id)
        if known is None or (test.cycle, _WORSE[test.outcome]) >= (known.cycle, _WORSE[known.outcome]):
            last[test.id] = test
    return last


_TIMES: Final = re.compile(r" \(\d+ times\)$")
_WHERE: Final = {CauseKind.GUARD: "guards", CauseKind.BUILD: "deploy", CauseKind.START: "deploy"}
"""The step that tells whether an issue that is of no test is there still, where it is not the asking for health."""
_WORSE: Final = {
    outcome: at
    for at, outcome in enumerate(
        (
            TestOutcome.SKIPPED,
            TestOutcome.PASSED,
            TestOutcome.UNPROVEN,
            TestOutcome.FLAKY,
            TestOutcome.FAILED,
            TestOutcome.ERROR,
            TestOutcome.TIMEOUT,
        )
    )
}


def last_causes(session: Session) -> tuple[Cause, ...]:
    """The causes of the last cycle: those of earlier ones were mended on the way, or are among these again."""
    cycle = max((step.cycle for step in session.steps), default=1)
    return tuple(cause for cause in session.causes if _cycle_of(cause) in (cycle, 0))


def is_of_a_criterion(cause: Cause, plan: Plan) -> bool:
    """Whether a cause is that a criterion of the plan was not met: `EXPRESSION is missed in PHASE`."""
    said = tuple(f"{expression} is " for phase in plan.phases for expression in phase.criteria)
    return not cause.tests and cause.summary.startswith(said)


def known_issues(session: Session, earlier: Sequence[Session]) -> tuple[KnownIssue, ...]:
    """The issues that were open before `session`, with what became of each; `earlier` is oldest first."""
    carried: dict[tuple[str, str], KnownIssue] = {}
    for one in earlier:
        if one.id == session.id or one.target != session.target:
            continue
        carried = {key: issue for key, issue in _after(carried, one) if issue.state is not IssueState.RESOLVED}
        for cause in last_causes(one):
            key = key_of(cause)
            if key not in carried:
                carried[key] = KnownIssue(
                    kind=cause.kind,
                    summary=cause.summary,
                    tests=cause.tests,
                    first=one.id,
                    last=one.id,
                    state=IssueState.OPEN,
                )
    return tuple(issue for _, issue in _after(carried, session))


def _after(
    carried: dict[tuple[str, str], KnownIssue], session: Session
) -> Iterator[tuple[tuple[str, str], KnownIssue]]:
    seen = {key_of(cause): cause for cause in last_causes(session)}
    tests = last_outcomes(session.tests)
    for key, issue in carried.items():
        if key not in seen and _is_overridden(issue, session):
            yield key, msgspec.structs.replace(issue, last=session.id, state=IssueState.OPEN)
        elif key in seen:
            yield (
                key,
                msgspec.structs.replace(
                    issue, last=session.id, tests=seen[key].tests or issue.tests, state=IssueState.OPEN
                ),
            )
        else:
            state = IssueState.RESOLVED if _is_well(issue, session, tests) else IssueState.NOT_CHECKED
            yield key, msgspec.structs.replace(issue, state=state)


def _is_overridden(issue: KnownIssue, session: Session) -> bool:
    """Whether the guards found it, and were overridden: then it is no cause of what failed, if anything did."""
    found = [one.text for step in session.steps if step.name == "guards" for one in step.evidence]
    return issue.kind is CauseKind.GUARD and any(shape(issue.summary).startswith(shape(text)) for text in found)


def _is_well(issue: KnownIssue, session: Session, tests: dict[str, Test]) -> bool:
    if issue.tests:
        return all(name in tests and tests[name].outcome is TestOutcome.PASSED for name in issue.tests)
    step = _WHERE.get(issue.kind, "health")
    outcomes = [one.outcome for one in session.steps if one.name == step]
    return bool(outcomes) and outcomes[-1] is Outcome.OK


def key_of(cause: Cause) -> tuple[str, str]:
    """What makes causes of two sessions the same: their kind, and the shape of what they say, not how often."""
    return cause.kind, shape(_TIMES.sub("", cause.summary))


def _cycle_of(cause: Cause) -> int:
    """The cycle that a cause's id begins with; 0 where it does not say."""
    digits = re.search(r"\d+", cause.id)
    return int(digits[0]) if digits is not None else 0
