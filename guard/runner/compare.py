"""Two sessions side by side: what is worse in the later one, what is better, what else differs."""

from __future__ import annotations

from collections.abc import Collection, Iterator

import msgspec

from guard.runner.known import is_of_a_criterion, key_of, last_causes, last_outcomes
from guard.runner.record import Change, Latency, Session, TestOutcome, Verdict
from guard.runner.stability import Observed, assess, observed_in


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """One of the two."""

    id: str
    target: str
    verdict: Verdict
    revision: str
    tree: str
    started: float
    duration_s: float
    goal: str
    """What was reached of it."""
    tests: dict[str, int]
    """How many tests ended how; the last time of each."""


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """The second session against the first."""

    before: Side
    after: Side
    score: float
    formula: str
    worse: tuple[Change, ...]
    """As in `Stability`, and `new-cause`, `criterion`."""
    better: tuple[Change, ...]
    """`now-passing`, `cause-gone`, `criterion`."""
    other: tuple[Change, ...]
    """`new-test`, `now-run` (which the first had selected and did not reach), `not-run`, `findings` (by rule), and what
    was asked for differently: `plan`, `run`."""
    latencies: tuple[Latency, ...]


def compared(before: Session, after: Session) -> Comparison:
    """`after` against `before`, whichever ran first."""
    found = assess(after, before, observed_in(after) or Observed())
    gone = {change.subject for change in found.changes if change.kind == "gone"}
    return Comparison(
        before=_side(before),
        after=_side(after),
        score=found.score,
        formula=found.formula,
        worse=(*found.changes, *_causes("new-cause", before, after), *_criteria(before, after)),
        better=(
            *_passing(before, after),
            *_causes("cause-gone", after, before),
            *_criteria(after, before, turned=True),
        ),
        other=(
            *_new_tests(before, after),
            *_not_run(before, after, gone),
            *_settings(before, after),
            *_findings(before, after),
        ),
        latencies=found.latencies,
    )


def _side(session: Session) -> Side:
    tests = last_outcomes(session.tests).values()
    counts = {outcome.value: sum(test.outcome is outcome for test in tests) for outcome in TestOutcome}
    return Side(
        id=session.id,
        target=session.target,
        verdict=session.verdict,
        revision=session.revision,
        tree=session.tree,
        started=session.started,
        duration_s=max(0.0, session.ended - session.started),
        goal=session.goal.reached if session.goal is not None else "",
        tests={outcome: number for outcome, number in counts.items() if number},
    )


def _passing(before: Session, after: Session) -> Iterator[Change]:
    former = last_outcomes(before.tests)
    for name, test in last_outcomes(after.tests).items():
        if test.outcome is TestOutcome.PASSED and name in former and former[name].outcome is not TestOutcome.PASSED:
            yield Change(kind="now-passing", subject=name, before=former[name].outcome, after="passed")


def _new_tests(before: Session, after: Session) -> Iterator[Change]:
    former = last_outcomes(before.tests)
    selected = {one.id for one in before.selection}
    for name, test in last_outcomes(after.tests).items():
        if name not in former:
            yield Change(kind="now-run" if name in selected else "new-test", subject=name, after=test.outcome)


def _not_run(before: Session, after: Session, gone: Collection[str]) -> Iterator[Change]:
    """The tests that ran in the one and not in the other, and are not `gone`: not reached, or not asked for."""
    today = last_outcomes(after.tests)
    for name, test in last_outcomes(before.tests).items():
        if name not in today and name not in gone:
            yield Change(kind="not-run", subject=name, before=test.outcome)


def _causes(kind: str, without: Session, having: Session) -> Iterator[Change]:
    """The causes that one of two has and the other has not, by kind and shape. Criteria are compared themselves."""
    known = {key_of(cause) for cause in last_causes(without)}
    for cause in last_causes(having):
        if key_of(cause) not in known and not is_of_a_criterion(cause, having.plan):
            yield Change(kind=kind, subject=f"{cause.kind}: {cause.summary}")


def _criteria(good: Session, bad: Session, *, turned: bool = False) -> Iterator[Change]:
    """The criteria that are met in the one and not in the other; `turned` where the good one is the later."""
    met = {(one.phase, one.expression): one for one in good.criteria}
    for key, one in {(one.phase, one.expression): one for one in bad.criteria}.items():
        if key in met and met[key].outcome == "met" and one.outcome != "met":
            told = [f"{one.outcome} {one.value}".strip() for one in (met[key], one)]
            before, after = reversed(told) if turned else told
            yield Change(kind="criterion", subject=": ".join(key), before=before, after=after)


def _findings(before: Session, after: Session) -> Iterator[Change]:
    if before.audit is None or after.audit is None:
        return
    former, now = before.audit.findings, after.audit.findings
    for rule in sorted(former.keys() | now.keys()):
        if former.get(rule, 0) != now.get(rule, 0):
            yield Change(kind="findings", subject=rule, before=str(former.get(rule, 0)), after=str(now.get(rule, 0)))


def _settings(before: Session, after: Session) -> Iterator[Change]:
    for name in before.plan.__struct_fields__:
        former, now = getattr(before.plan, name), getattr(after.plan, name)
        if former != now:
            yield Change(kind="plan", subject=name)
    for name in ("target", "focus", "shard"):
        was, is_now = getattr(before, name), getattr(after, name)
        if was != is_now:
            yield Change(kind="run", subject=name, before=was, after=is_now)
