"""Joining the records of shards, each of which ran a part of the tests, into one session."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

import msgspec

from guard.model import GuardError
from guard.runner.classify import of_criteria
from guard.runner.goal import judged, phase_outcome, phase_summary, reached
from guard.runner.known import is_of_a_criterion, key_of
from guard.runner.plan import Phase
from guard.runner.record import Cause, Criterion, Outcome, Session, Step, Test, Verdict
from guard.runner.stability import Observed, step_data
from guard.runner.whys import Context, explained

Judge = Callable[[Phase, int, Sequence[Test], float], tuple[Criterion, ...]]
"""What came of the criteria of a phase: the phase, the cycle, its tests, and its seconds."""

_PHASE: Final = "phase:"
_NOTHING_KNOWN: Final = Context(findings=tuple, trace=lambda _module, _name: None)
"""What is asked why a criterion was missed; no tree and no history is."""
_SHARD: Final = re.compile(r"(\d{1,6})/(\d{1,6})")
_WORST: Final = (
    Verdict.RUNNING,
    Verdict.INTERRUPTED,
    Verdict.BLOCKED,
    Verdict.DEPLOY_FAILED,
    Verdict.UNHEALTHY,
)
"""Verdicts of one shard that are the whole session's, the worst first: there the tests did not all get to run."""
_OUTCOMES: Final = (Outcome.BLOCKED, Outcome.FAILED, Outcome.UNPROVEN, Outcome.OK, Outcome.SKIPPED)
"""The worst first."""


def merged_id(shards: Sequence[Session]) -> str:
    """The id of the joined session: the same for the same shards, so that joining twice is seen."""
    return f"{min(session.id for session in shards)}-all"


def merged(shards: Sequence[Session], judge: Judge) -> Session:
    """The shards as one session. Criteria are judged anew, over the tests of all of them, and so is the goal.

    Raises GuardError, all of what is wrong at once, where they are not the shards of one session: one is missing or
    there twice, they ran by different plans, on different targets or revisions, or ran one test twice.
    """
    faults = list(_faults(shards))
    if faults:
        raise GuardError("\n".join(faults))
    ordered = sorted(shards, key=lambda session: _number(session)[0])
    first = ordered[0]
    tests = tuple(sorted((test for one in ordered for test in one.tests), key=lambda test: (test.cycle, test.started)))
    shard_of = {test.id: one.shard for one in ordered for test in one.tests}
    causes, renamed = _causes([_without_criteria(one) for one in ordered])
    whole = msgspec.structs.replace(
        first,
        id=merged_id(shards),
        shard="",
        started=min(one.started for one in ordered),
        ended=max(one.ended for one in ordered),
        cycles=max(one.cycles for one in ordered),
        selection=tuple(selected for one in ordered for selected in one.selection),
        steps=tuple(_steps(ordered)),
        tests=tuple(_with_cause(test, shard_of, renamed) for test in tests),
        causes=causes,
        stability=None,  # of a part against the whole, it says nothing
    )
    whole = msgspec.structs.replace(whole, criteria=tuple(_criteria(whole, judge, _longest(ordered))))
    whole = msgspec.structs.replace(whole, steps=tuple(_judged_anew(step, whole) for step in whole.steps))
    whole = msgspec.structs.replace(whole, causes=tuple(_with_missed(whole)))
    worst = next((verdict for verdict in _WORST if any(one.verdict is verdict for one in ordered)), None)
    verdict, goal = judged(whole, whole.cycles) if worst is None else (worst, reached(whole))
    return msgspec.structs.replace(whole, verdict=verdict, goal=goal)


def _faults(shards: Sequence[Session]) -> Iterator[str]:
    if not shards:
        yield "nothing to merge"
        return
    whole = [session.id for session in shards if not _SHARD.fullmatch(session.shard)]
    if whole:
        yield f"{', '.join(whole)}: not a shard; run each with --shard K/N"
        return
    totals = {_number(session)[1] for session in shards}
    if len(totals) > 1:
        yield f"shards of {' and of '.join(map(str, sorted(totals)))}: they are not of one session"
        return
    (total,) = totals
    numbers = [_number(session)[0] for session in shards]
    missing = [f"{number}/{total}" for number in range(1, total + 1) if number not in numbers]
    twice = sorted({f"{number}/{total}" for number in numbers if numbers.count(number) > 1})
    if missing:
        yield f"missing: {', '.join(missing[:20])}"
    if twice:
        yield f"there twice: {', '.join(twice[:20])}"
    else:
        yield from _overlaps(shards)
    for what, values in (
        ("target", {session.target for session in shards}),
        ("revision", {session.revision for session in shards if session.revision}),
        ("tree", {session.tree for session in shards}),
        ("focus", {session.focus for session in shards}),
    ):
        if len(values) > 1:
            yield f"the shards have different values of {what}: {', '.join(sorted(map(repr, values)))}"
    if any(session.plan != shards[0].plan for session in shards):
        yield "the shards ran by different plans"


def _overlaps(shards: Sequence[Session]) -> Iterator[str]:
    counts = Counter(test for session in shards for test in {test.id for test in session.tests})
    both = [test for test, count in counts.items() if count > 1]
    if both:
        more = f" and {len(both) - 5:,} more" if len(both) > 5 else ""
        yield f"run by more than one shard: {', '.join(sorted(both)[:5])}{more}"


def _number(session: Session) -> tuple[int, int]:
    match = _SHARD.fullmatch(session.shard)
    assert match is not None
    return int(match[1]), int(match[2])


def _steps(shards: Sequence[Session]) -> Iterator[Step]:
    """The steps of one name and cycle as one, in the order in which the first of each began."""
    groups: dict[tuple[int, str], list[tuple[str, Step]]] = {}
    for session in shards:
        for step in session.steps:
            groups.setdefault((step.cycle, step.name), []).append((session.shard, step))
    for members in sorted(groups.values(), key=lambda group: min(step.started for _, step in group)):
        steps = [step for _, step in members]
        told = dict.fromkeys(step.summary for step in steps)
        summary = (
            "; ".join(f"{shard}: {step.summary}" for shard, step in members) if len(told) > 1 else steps[0].summary
        )
        yield msgspec.structs.replace(
            steps[0],
            outcome=min((step.outcome for step in steps), key=_OUTCOMES.index),
            started=min(step.started for step in steps),
            ended=max(step.ended for step in steps),
            summary=summary,
            evidence=tuple(dict.fromkeys(piece for step in steps for piece in step.evidence)),
            data=_data(steps),
        )


def _data(steps: Sequence[Step]) -> Mapping[str, object]:
    """What a later session needs of them: of each key the first value, but the errors of all logs."""
    found: dict[str, object] = {}
    for step in reversed(steps):
        found |= step.data
    if steps[0].name.startswith(_PHASE):
        found |= {key: any(step.data.get(key) for step in steps) for key in ("broken", "timed_out")}
    if steps[0].name == "stability":
        seen = [msgspec.convert(dict(step.data), Observed) for step in steps]
        errors = tuple(dict.fromkeys(error for one in seen for error in one.errors))
        routes = next((one.routes for one in seen if one.routes), {})
        found |= step_data(Observed(errors=errors, routes=routes))
    return found


def _causes(shards: Sequence[Session]) -> tuple[tuple[Cause, ...], dict[tuple[str, str], str]]:
    """The causes of all shards, those of one kind and shape as one; and the new id of each, by shard and old id."""
    groups: dict[tuple[str, str, str], list[tuple[str, Cause]]] = {}
    for session in shards:
        for cause in session.causes:
            cycle = cause.id.partition("-")[0]
            groups.setdefault((cycle, *key_of(cause)), []).append((session.shard, cause))
    causes: list[Cause] = []
    renamed: dict[tuple[str, str], str] = {}
    counts: dict[str, int] = {}
    for (cycle, _, _), members in groups.items():
        counts[cycle] = counts.get(cycle, 0) + 1
        name = f"{cycle}-{counts[cycle]}"
        first = members[0][1]
        tests = tuple(dict.fromkeys(test for _, cause in members for test in cause.tests))
        causes.append(msgspec.structs.replace(first, id=name, tests=tests))
        renamed |= {(shard, cause.id): name for shard, cause in members}
    return tuple(causes), renamed


def _with_cause(test: Test, shard_of: Mapping[str, str], renamed: Mapping[tuple[str, str], str]) -> Test:
    if not test.cause:
        return test
    return msgspec.structs.replace(test, cause=renamed.get((shard_of[test.id], test.cause), ""))


def _longest(shards: Sequence[Session]) -> Mapping[tuple[str, int], float]:
    """Of each step the seconds of its longest share: shares run side by side, and need not begin at once."""
    found: dict[tuple[str, int], float] = {}
    for step in (step for session in shards for step in session.steps):
        key = step.name, step.cycle
        found[key] = max(found.get(key, 0.0), step.ended - step.started)
    return found


def _criteria(session: Session, judge: Judge, took: Mapping[tuple[str, int], float]) -> Iterator[Criterion]:
    for step in session.steps:
        phase = next((one for one in session.plan.phases if step.name == f"{_PHASE}{one.name}"), None)
        if phase is not None and step.outcome is not Outcome.SKIPPED:
            yield from judge(phase, step.cycle, _tests_of(step, session), took[step.name, step.cycle])


def _tests_of(step: Step, session: Session) -> list[Test]:
    name = step.name.removeprefix(_PHASE)
    return [test for test in session.tests if (test.phase, test.cycle) == (name, step.cycle)]


def _judged_anew(step: Step, session: Session) -> Step:
    """The step of a phase by all of its tests and the criteria of the whole; any other as it is."""
    if not step.name.startswith(_PHASE) or step.outcome is Outcome.SKIPPED:
        return step
    tests, name = _tests_of(step, session), step.name.removeprefix(_PHASE)
    criteria = [one for one in session.criteria if (one.phase, one.cycle) == (name, step.cycle)]
    broken, timed_out = bool(step.data.get("broken")), bool(step.data.get("timed_out"))
    return msgspec.structs.replace(
        step,
        outcome=phase_outcome(tests, criteria, broken),
        summary=phase_summary(tests, criteria, step.evidence if broken else (), timed_out),
    )


def _without_criteria(shard: Session) -> Session:
    """Without the causes of criteria that were judged by a share of the tests, as guard once did."""
    kept = tuple(cause for cause in shard.causes if not is_of_a_criterion(cause, shard.plan))
    return msgspec.structs.replace(shard, causes=kept)


def _with_missed(session: Session) -> Iterator[Cause]:
    """The causes, and those of criteria that the whole does not meet."""
    yield from session.causes
    for cycle in sorted({one.cycle for one in session.criteria}):
        number = sum(cause.id.startswith(f"{cycle}-") for cause in session.causes)
        yield from explained(of_criteria(session, cycle, number), _NOTHING_KNOWN)
