"""What the pages of a session say, whatever their format: all of it from the record."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

import msgspec

from guard.report.tally import counted
from guard.runner.known import IssueState, KnownIssue, known_issues, last_causes, last_outcomes
from guard.runner.record import (
    Cause,
    Criterion,
    Evidence,
    Option,
    Outcome,
    Selected,
    Session,
    Step,
    Test,
    TestOutcome,
    Verdict,
)

OUTPUT: Final = 6_000
"""Characters of the literal output of one test that a page shows at the most."""
OUTPUTS: Final = 25
"""Tests whose literal output a page shows at the most."""
_HEADLINE: Final = 160
"""Characters of a cause in the headline; the rest is told further down."""
VERDICTS: Final[Mapping[Verdict, str]] = {
    Verdict.RUNNING: "not ended",
    Verdict.GOAL_MET: "goal met",
    Verdict.BLOCKED: "blocked by the guards",
    Verdict.DEPLOY_FAILED: "deploy failed",
    Verdict.UNHEALTHY: "unhealthy",
    Verdict.TESTS_FAILED: "tests failed",
    Verdict.UNPROVEN: "passed, but unproven",
    Verdict.INTERRUPTED: "interrupted",
}
_FIRST: Final = tuple(one for one in TestOutcome if one not in (TestOutcome.PASSED, TestOutcome.SKIPPED))
"""The outcomes that a reader looks for first."""


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """One phase: what was wanted and what came of it, each test as it ended last."""

    name: str
    priority: str
    at_risk: str
    outcome: str
    """Of the phase's last step; empty where no test of it has ended, `not through` where some have and it has not."""
    left_out: str
    """Why the phase was not run; empty where it was."""
    took_s: float
    tests: tuple[Test, ...]
    """Those that did not pass first."""
    criteria: tuple[Criterion, ...]
    """Of its last cycle."""

    @property
    def counts(self) -> str:
        """`2 failed, 14 passed`."""
        return counts_of(self.tests)


class NextStep(msgspec.Struct, frozen=True):
    """Something to do, and what to run for it where that is one command."""

    text: str
    command: str = ""


class Content(msgspec.Struct, frozen=True, kw_only=True):
    """Everything on a page."""

    session: Session
    headline: str
    good: bool
    """Whether the goal was met."""
    header: tuple[tuple[str, str], ...]
    """Label and value."""
    results: tuple[Result, ...]
    failures: tuple[Test, ...]
    """The tests whose output is shown."""
    more_failures: int
    """How many more there are."""
    causes: tuple[Cause, ...]
    """Those of the last cycle, the primary ones first."""
    past_causes: tuple[Cause, ...]
    """Those of earlier cycles."""
    selection: tuple[tuple[str, tuple[Selected, ...]], ...]
    """By reason, in the order of the first of each."""
    known: tuple[KnownIssue, ...]
    next_steps: tuple[NextStep, ...]


def content(session: Session, earlier: Sequence[Session]) -> Content:
    """What a page of `session` says; `earlier` is what came before it on the same target, oldest first."""
    causes = tuple(sorted(last_causes(session), key=lambda cause: _rank(cause.rank)))
    kept = {cause.id for cause in causes}
    results = tuple(_results(session))
    bad = [test for result in results for test in result.tests if test.output or test.stacks]
    known = known_issues(session, earlier)
    return Content(
        session=session,
        headline=headline(session),
        good=session.verdict is Verdict.GOAL_MET,
        header=tuple(_header(session)),
        results=results,
        failures=tuple(bad[:OUTPUTS]),
        more_failures=max(0, len(bad) - OUTPUTS),
        causes=causes,
        past_causes=tuple(cause for cause in session.causes if cause.id not in kept),
        selection=_by_reason(session.selection),
        known=known,
        next_steps=tuple(_next_steps(session, causes, known)),
    )


def headline(session: Session) -> str:
    """The verdict in a few words: `unhealthy, rolled back: HTTP 503`."""
    told = VERDICTS[session.verdict]
    rollback = _last(session, "rollback")
    if rollback is not None:
        after = _last(session, "health-after-rollback")
        if rollback.outcome is Outcome.SKIPPED:
            told += ", not rolled back"
        elif rollback.outcome is not Outcome.OK:
            told += ", and rolling back failed"
        elif after is not None and after.outcome is not Outcome.OK:
            told += ", rolled back, and still unhealthy"
        else:
            told += ", rolled back"
    first = next((cause.summary for cause in last_causes(session) if cause.rank == "primary"), "")
    if session.verdict is Verdict.GOAL_MET or not first:
        return told + (f": {session.goal.reached}" if session.goal is not None else "")
    return f"{told}: {first if len(first) <= _HEADLINE else first[:_HEADLINE].rstrip() + '…'}"


def counts_of(tests: Sequence[Test]) -> str:
    """`2 failed, 14 passed`; what a reader looks for comes first."""
    order = (*_FIRST, TestOutcome.SKIPPED, TestOutcome.PASSED)
    counts = [(outcome, sum(test.outcome is outcome for test in tests)) for outcome in order]
    return ", ".join(f"{number:,} {outcome}" for outcome, number in counts if number) or "no tests"


def moment(seconds: float) -> str:
    """A time for people: `2026-09-21 14:13:20 UTC`."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def duration(seconds: float) -> str:
    """`0.25 s`, `42 s`, `3 min 20 s`, `2 h 5 min`."""
    if seconds < 10:
        return f"{max(0.0, seconds):.2f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3_600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3_600} h {whole % 3_600 // 60} min"


def bounded(text: str, most: int = OUTPUT) -> str:
    """A text whose middle is left out where it is long: tracebacks tell the most at both ends.

    Lines stay whole, but for one that is most of it.
    """
    if len(text) <= most:
        return text
    head, end = text[: most // 3], text[-(most - most // 3) :]
    head = head[: head.rfind("\n")] if head.rfind("\n") > len(head) // 2 else head
    at = end.find("\n") + 1
    end = end[at:] if at < len(end) // 2 else end
    return f"{head}\n… {len(text) - len(head) - len(end):,} characters left out …\n{end}"


def fresh(items: Sequence[Evidence], shown: set[Evidence]) -> list[Evidence]:
    """The evidence that a page has not `shown` yet, and that it has from now on: whys speak of what is above."""
    found = [one for one in items if one not in shown]
    shown.update(found)
    return found


def dry_run(option: Option) -> str:
    """What a dry run of an option gave, in a few words."""
    if not option.tried:
        return option.note or "not tried"
    found = (("removes", option.removes), ("adds", option.adds), ("leaves", option.leaves))
    told = ", ".join(f"{word} {counted(len(findings), 'finding')}" for word, findings in found)
    named = "; ".join((*option.removes[:3], *(f"adds {one}" for one in option.adds[:3])))
    return told + (f" ({named})" if named else "") + (f"; {option.note}" if option.note else "")


def _header(session: Session) -> Iterator[tuple[str, str]]:
    plan = session.plan
    if plan.mission:
        yield "Mission", plan.mission
    if session.focus:
        yield "Focus", session.focus
    yield "Target", f"{session.target} ({plan.deploy.kind})"
    yield "Revision", session.revision or "none"
    if session.tree:
        yield "Tree", session.tree
    yield "Started", moment(session.started)
    if session.ended:
        yield "Duration", duration(session.ended - session.started)
    yield "Cycles", f"{session.cycles} of at most {plan.cycles}"
    if session.goal is not None:
        met = "met" if session.goal.met else "not met"
        yield "Goal", f"{session.goal.wanted}: {met}, {session.goal.reached}"
    yield "Exit code", str(session.exit_code) if session.verdict is not Verdict.RUNNING else "none yet"
    if session.shard:
        yield "Shard", session.shard


def _results(session: Session) -> Iterator[Result]:
    """In the order of the plan, then what the plan does not have (a record may come from elsewhere)."""
    planned = {phase.name: phase for phase in session.plan.phases}
    for name in dict.fromkeys((*planned, *(test.phase for test in session.tests))):
        phase, step = planned.get(name), _last(session, f"phase:{name}")
        tests = last_outcomes(test for test in session.tests if test.phase == name).values()
        cycle = max((one.cycle for one in session.criteria if one.phase == name), default=0)
        yield Result(
            name=name,
            priority=phase.priority if phase is not None else "",
            at_risk=phase.at_risk if phase is not None else "",
            outcome=step.outcome if step is not None else "not through" if tests else "",
            left_out=step.summary if step is not None and step.outcome is Outcome.SKIPPED else "",
            took_s=step.ended - step.started if step is not None else 0.0,
            tests=tuple(
                sorted(
                    tests,
                    key=lambda test: _FIRST.index(test.outcome) if test.outcome in _FIRST else len(_FIRST),
                )
            ),
            criteria=tuple(one for one in session.criteria if one.phase == name and one.cycle == cycle),
        )


def _next_steps(session: Session, causes: Sequence[Cause], known: Sequence[KnownIssue]) -> Iterator[NextStep]:
    for cause in causes:
        if cause.rank != "primary":
            continue
        offered = [one for one in cause.options if one.command]
        if offered:
            yield NextStep(f"{cause.id}: {offered[0].title}", offered[0].command)
        else:
            question = next((why.question for why in cause.whys if not why.answer), "")
            yield NextStep(f"{cause.id}: {question or f'mend it: {cause.summary}'}")
    unproven = sum(test.outcome is TestOutcome.UNPROVEN for test in last_outcomes(session.tests).values())
    if unproven:
        yield NextStep(f"Let {counted(unproven, 'unproven test')} reach the target, or say real = false of the phase")
    flaky = sum(test.outcome is TestOutcome.FLAKY for test in last_outcomes(session.tests).values())
    if flaky:
        yield NextStep(f"Find out what {counted(flaky, 'flaky test')} {'depends' if flaky == 1 else 'depend'} on")
    unchecked = sum(issue.state is IssueState.NOT_CHECKED for issue in known)
    if unchecked:
        yield NextStep(f"Look at {counted(unchecked, 'known issue')} that this session did not check")
    if session.verdict in (Verdict.INTERRUPTED, Verdict.RUNNING):
        yield NextStep("Go on with it", f"guard loop resume {session.id}")


def _by_reason(selection: Sequence[Selected]) -> tuple[tuple[str, tuple[Selected, ...]], ...]:
    groups: dict[str, list[Selected]] = {}
    for one in selection:
        groups.setdefault(one.reason, []).append(one)
    return tuple((reason, tuple(members)) for reason, members in groups.items())


def _last(session: Session, name: str) -> Step | None:
    return next((step for step in reversed(session.steps) if step.name == name), None)


def _rank(rank: str) -> int:
    ranks = ("primary", "secondary", "tertiary")
    return ranks.index(rank) if rank in ranks else len(ranks)
