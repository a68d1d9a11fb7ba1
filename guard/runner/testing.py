"""The steps that run tests: selecting them, and each phase."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from pathlib import Path

from guard.model import GuardError
from guard.runner import criteria, phase, selection
from guard.runner.deployers.base import Deployment
from guard.runner.environment import urls_of
from guard.runner.frame import Frame
from guard.runner.goal import phase_outcome, phase_summary
from guard.runner.journal import Did
from guard.runner.plan import Phase
from guard.runner.record import FAILED, Evidence, Outcome, Selected, Step, Test
from guard.runner.redact import Names
from guard.runner.store import Begun


def select(frame: Frame, cycle: int) -> Step:
    """Collect the tests, and choose which to run."""

    def work(_: Begun | None) -> Did:
        environ = {**frame.environ, **frame.test_env}
        phases = selection.phases_of(frame.plan, frame.narrowing)
        found_by = phase.collect_phases(phases, frame.root, environ)
        names = {name: Names(frame.journal.redact) for name in found_by}
        collected = {name: tuple(map(names[name].shown, ids)) for name, ids in found_by.items()}
        ran = frame.store.recent_runs(frame.journal.session.target, frame.journal.session.id)
        found = selection.selected(frame.plan, collected, ran, frame.narrowing)
        total = sum(map(len, collected.values()))
        if frame.narrowing.text and not found and not frame.narrowing.shard:
            raise GuardError(f"{frame.narrowing.text} selects none of the {total} tests; see: guard loop plan")
        return Did(
            outcome=Outcome.OK if found else Outcome.UNPROVEN,
            summary=f"{len(found)} of {total} tests in {_phases(len({one.phase for one in found}))}"
            + (f", {frame.narrowing.text}" if frame.narrowing.text else ""),
            changes={"selection": found},
        )

    return frame.journal.step("select", cycle, work)


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
    shutil.rmtree(_events(frame, cycle, one), ignore_errors=True)
    return step


def _events(frame: Frame, cycle: int, one: Phase) -> Path:
    """Where a phase's tests tell of themselves: it outlives a loop that is killed."""
    number = [phase.name for phase in frame.plan.phases].index(one.name)
    return frame.store.path.parent / "events" / frame.journal.session.id / f"{cycle}-{number}"


def _run(frame: Frame, cycle: int, one: Phase, deployment: Deployment, mine: Sequence[Selected]) -> Did:
    ended = {test.id for test in _tests(frame, cycle, one)}
    remaining = [chosen.id for chosen in mine if chosen.id not in ended]
    begun = time.monotonic()
    problems: tuple[Evidence, ...] = ()
    broken = timed_out = False
    # Where nothing could be collected, pytest itself has to say why.
    wanted = bool(remaining) or (frame.narrowing.is_whole and not ended)
    if wanted and not (one.fail_fast and any(test.outcome in FAILED for test in _tests(frame, cycle, one))):
        base_url, websocket_url = urls_of(frame.plan.target, deployment)
        whole = frame.narrowing.is_whole and not ended
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
        )
        problems, timed_out = result.problems, result.timed_out
        broken = bool(problems) or timed_out
    tests = _tests(frame, cycle, one)
    took = time.monotonic() - begun
    # Of a share of the tests a criterion says nothing: `guard loop merge` judges them of the whole.
    is_share = bool(frame.narrowing.shard)
    judged = () if is_share else criteria.judge(one, cycle, tests, took)
    return Did(
        outcome=phase_outcome(tests, judged, broken),
        summary=phase_summary(tests, judged, problems, timed_out)
        + ("; its criteria are left to guard loop merge" if is_share and one.criteria else ""),
        evidence=problems,
        data={"broken": broken, "timed_out": timed_out, "duration_s": round(took, 3), "tests": len(tests)},
        changes={"criteria": (*frame.journal.session.criteria, *judged)},
    )


def _tests(frame: Frame, cycle: int, one: Phase) -> list[Test]:
    return [test for test in frame.journal.session.tests if test.cycle == cycle and test.phase == one.name]
