"""The steps that run tests: selecting them, and each phase."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from guard.model import GuardError
from guard.runner import criteria, environment, phase, selection
from guard.runner.deployers.base import Deployment
from guard.runner.frame import Frame
from guard.runner.goal import phase_outcome, phase_summary
from guard.runner.journal import Did
from guard.runner.plan import Phase
from guard.runner.record import FAILED, Evidence, Outcome, Selected, Step, Test, TestOutcome
from guard.runner.redact import Names
from guard.runner.serving import deployment_of
from guard.runner.store import Begun, Store

_WELL: Final = (TestOutcome.PASSED, TestOutcome.SKIPPED)
_EVENTS: Final = "events"
_RESUMABLE: Final = 20
"""Sessions of which it is kept what their tests told; about as many can be deployed again."""


def select(frame: Frame, cycle: int) -> Step:
    """Collect the tests, and choose which to run."""

    def work(_: Begun | None) -> Did:
        environ = {**frame.environ, **environment.before_deploy(frame.plan.target), **frame.test_env}
        phases = selection.phases_of(frame.plan, frame.narrowing)
        found_by = phase.collect_phases(phases, frame.root, environ)
        names = {name: Names(frame.journal.redact) for name in found_by}
        collected = {name: tuple(map(names[name].shown, tests.ids)) for name, tests in found_by.items()}
        problems = {name: tests.problems for name, tests in found_by.items() if tests.problems}
        skipped = tuple(dict.fromkeys(one for tests in found_by.values() for one in tests.skipped))
        ran = frame.store.recent_runs(frame.journal.session.target, frame.journal.session.id)
        found = selection.selected(frame.plan, collected, ran, frame.narrowing)
        total = sum(map(len, collected.values()))
        if frame.narrowing.text and not found and not frame.narrowing.shard:
            raise GuardError(f"{frame.narrowing.text} selects none of the {total} tests{_left_out(problems, skipped)}")
        return Did(
            outcome=Outcome.OK if found and not problems else Outcome.UNPROVEN,
            summary=f"{len(found)} of {total} tests in {_phases(len({one.phase for one in found}))}"
            + (f", {frame.narrowing.text}" if frame.narrowing.text else "")
            + _left_out(problems, skipped),
            evidence=(*dict.fromkeys(one for some in problems.values() for one in some), *skipped),
            data={"problems": {name: [one.place for one in some] for name, some in problems.items()}},
            changes={"selection": found},
        )

    return frame.journal.step("select", cycle, work)


def _left_out(problems: Mapping[str, Sequence[Evidence]], skipped: Sequence[Evidence]) -> str:
    """The first thing that could not be collected, and its reason; and the same of what left itself out."""
    said = ""
    for what, found in (("not collected", [one for some in problems.values() for one in some]), ("skipped", skipped)):
        if found:
            more = f" and {len(found) - 1} more" if len(found) > 1 else ""
            said += f"; {what}: {found[0].place}{more}: {last_line(found[0])}"
    return said


def last_line(one: Evidence) -> str:
    """What a traceback ends with."""
    lines = [line.removeprefix("E ").strip() for line in one.text.splitlines() if line.strip()]
    return lines[-1] if lines else one.source


def problems_of(frame: Frame, cycle: int, one: Phase) -> tuple[Evidence, ...]:
    """What of a phase could not be collected when its tests were selected."""
    step = frame.journal.find("select", cycle)
    places = step.data.get("problems") if step is not None else None
    mine = places.get(one.name, ()) if isinstance(places, Mapping) else ()
    return tuple(problem for problem in step.evidence if problem.place in mine) if step is not None else ()


def is_selected(frame: Frame, cycle: int, one: Phase) -> bool:
    """Whether a phase is run at all: a part of the tests may have none of it."""
    if frame.narrowing.is_whole or any(chosen.phase == one.name for chosen in frame.journal.session.selection):
        return True
    return not frame.narrowing.focus and bool(problems_of(frame, cycle, one))


def _phases(number: int) -> str:
    return "1 phase" if number == 1 else f"{number} phases"


def run(frame: Frame, cycle: int, one: Phase, deployment: Deployment, left_out: str = "") -> Step:
    """Run the selected tests of a phase that have not ended yet; or leave it out, with a reason."""

    def work(_: Begun | None) -> Did:
        if left_out:
            return Did(outcome=Outcome.SKIPPED, summary=left_out)
        mine = [chosen for chosen in frame.journal.session.selection if chosen.phase == one.name]
        return _run(frame, cycle, one, deployment, mine)

    step = frame.journal.step(f"phase:{one.name}", cycle, work)
    events = _events(frame, cycle, one)
    shutil.rmtree(events, ignore_errors=True)
    with contextlib.suppress(OSError):  # that of another phase is there still, or there was none
        events.parent.rmdir()
    return step


def _events(frame: Frame, cycle: int, one: Phase) -> Path:
    """Where a phase's tests tell of themselves: it outlives a loop that is killed."""
    number = [phase.name for phase in frame.plan.phases].index(one.name)
    return frame.store.path.with_name(_EVENTS) / frame.journal.session.id / f"{cycle}-{number}"


def tidy(store: Store) -> None:
    """Remove what tests told in sessions that nobody can go on with, or will: those that have ended, and such as were
    interrupted long ago."""
    needed = store.resumable()[:_RESUMABLE]
    for folder in store.path.with_name(_EVENTS).glob("*"):
        if folder.name not in needed:
            shutil.rmtree(folder, ignore_errors=True)


def _run(frame: Frame, cycle: int, one: Phase, deployment: Deployment, mine: Sequence[Selected]) -> Did:
    ended = {test.id for test in _tests(frame, cycle, one)}
    remaining = [chosen.id for chosen in mine if chosen.id not in ended]
    begun = time.monotonic()
    left_out = problems_of(frame, cycle, one)
    # What could not be collected before there was a target may be collected now; else pytest has to say why.
    whole = frame.narrowing.is_whole and (not ended or bool(left_out))
    # Of a part of the tests nobody can say whether those are among it that could not be collected.
    problems: tuple[Evidence, ...] = () if frame.narrowing.is_whole else left_out
    timed_out = False
    wanted = bool(remaining) or whole
    if wanted and not (one.fail_fast and any(test.outcome in FAILED for test in _tests(frame, cycle, one))):
        base_url, websocket_url = environment.urls_of(frame.plan.target, deployment)
        result = phase.run_phase(
            one,
            root=frame.root,
            tests=() if whole else remaining,
            deselect=tuple(ended),
            target_env=frame.test_env,
            revision=frame.plan.target.revision or deployment.revision,
            base_url=base_url,
            websocket_url=websocket_url,
            cycle=cycle,
            redact=frame.journal.redact,
            on_test=frame.journal.add_test,
            stop=frame.stopping,
            keep=_events(frame, cycle, one),
            former_urls=_former_urls(frame, cycle),
        )
        problems = tuple(dict.fromkeys((*problems, *result.problems)))
        timed_out = result.timed_out
    broken = bool(problems) or timed_out
    end = _end(frame, cycle, one, deployment) if wanted else None
    tests = _tests(frame, cycle, one)
    took = time.monotonic() - begun
    # Of a share of the tests a criterion says nothing: `guard loop merge` judges them of the whole.
    is_share = bool(frame.narrowing.shard)
    judged = () if is_share else criteria.judge(one, cycle, tests, took)
    return Did(
        outcome=phase_outcome(tests, judged, broken),
        summary=phase_summary(tests, judged, problems, timed_out)
        + ("; the service no longer serves" if end is not None else "")
        + ("; its criteria are left to guard loop merge" if is_share and one.criteria else ""),
        evidence=problems,
        data={"broken": broken, "timed_out": timed_out, "duration_s": round(took, 3), "tests": len(tests)}
        | ({"ended": end} if end is not None else {}),
        changes={"criteria": (*frame.journal.session.criteria, *judged)},
    )


def _end(frame: Frame, cycle: int, one: Phase, deployment: Deployment) -> str | None:
    """How the service ended while a phase ran that did not go well; None where it still serves, or nobody can tell."""
    if all(test.outcome in _WELL for test in _tests(frame, cycle, one)):
        return None
    with contextlib.suppress(GuardError):
        return None if frame.deployer.alive(deployment) else frame.deployer.ending(deployment)
    return None


def ended(step: Step) -> bool:
    """Whether the service no longer served when a phase was over."""
    return "ended" in step.data


def _former_urls(frame: Frame, cycle: int) -> tuple[str, ...]:
    """Where the service has been in this cycle."""
    steps = [
        step
        for step in frame.journal.session.steps
        if step.cycle == cycle and step.name.startswith("deploy") and step.outcome is Outcome.OK
    ]
    return tuple(url for step in steps for url in environment.urls_of(frame.plan.target, deployment_of(step)))


def _tests(frame: Frame, cycle: int, one: Phase) -> list[Test]:
    return [test for test in frame.journal.session.tests if test.cycle == cycle and test.phase == one.name]
