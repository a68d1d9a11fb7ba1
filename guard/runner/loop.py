"""The staging loop itself: guards, select, deploy, health, phases, verdict, and round again.

Each step asks the journal first whether it has been done, so that a session which was killed goes on where it stood:
running a session and resuming it are one and the same function.
"""

from __future__ import annotations

import contextlib
import time

import msgspec

from guard.model import GuardError
from guard.runner import after, gate, serving, testing
from guard.runner.deployers.base import DeployFailed, Deployment
from guard.runner.frame import Frame
from guard.runner.goal import judged
from guard.runner.record import Goal, Outcome, Session, Step, Verdict
from guard.runner.selection import phases_of
from guard.runner.snapshot import taken


def run(frame: Frame, calm: contextlib.AbstractContextManager[object] | None = None) -> Session:
    """Run a session to its verdict, from wherever it stands; gives it as it ended.

    An interrupt (KeyboardInterrupt) ends it as `interrupted`. Whatever ends it, what the deployer must not leave behind
    is stopped, within `calm`, which keeps a second interrupt away meanwhile. Raises GuardError.
    """
    journal = frame.journal
    if journal.has_begun("deploy", "rollback"):
        frame.deployer.adopt()
    try:
        verdict = _cycles(frame)
        _end(frame, verdict)
    except KeyboardInterrupt:
        journal.finish(Verdict.INTERRUPTED)
    except BaseException:
        with contextlib.suppress(GuardError):
            journal.finish(Verdict.INTERRUPTED)
        raise
    finally:
        with calm or contextlib.nullcontext():
            frame.deployer.close()
    return journal.session


def _cycles(frame: Frame) -> Verdict:
    journal = frame.journal
    cycle = max(journal.session.cycles, 1)
    while True:
        _same_tree(frame, cycle)
        journal.change(cycles=cycle)
        verdict = _cycle(frame, cycle)
        if verdict is Verdict.GOAL_MET or not _goes_round(frame, cycle, verdict):
            return verdict
        cycle += 1


def _cycle(frame: Frame, cycle: int) -> Verdict:
    """One time round. What failed has been explained when it returns."""
    if gate.guards(frame, cycle).outcome is Outcome.BLOCKED:
        return Verdict.BLOCKED
    testing.select(frame, cycle)
    step = serving.deploy(frame, cycle)
    failure = serving.failure_of(step)
    if failure is not None:
        return _not_up(frame, cycle, Verdict.DEPLOY_FAILED, failure, None)
    deployment = serving.deployment_of(step)
    if not _is_over(frame, cycle):
        try:
            deployment = serving.still_up(frame, cycle, deployment)
        except DeployFailed as again:
            return _not_up(frame, cycle, Verdict.DEPLOY_FAILED, again, None)
    if serving.health(frame, cycle, deployment).outcome is Outcome.FAILED:
        return _not_up(frame, cycle, Verdict.UNHEALTHY, None, deployment)
    _phases(frame, cycle, deployment)
    verdict, goal = judged(frame.journal.session, cycle)
    frame.journal.change(goal=goal)
    if verdict is Verdict.GOAL_MET:
        after.stability(frame, cycle, deployment)
        after.audit(frame, cycle)
    else:
        after.explain(frame, cycle, deployment, None)
    return verdict


def _phases(frame: Frame, cycle: int, deployment: Deployment) -> None:
    left_out = ""
    for one in phases_of(frame.plan, frame.narrowing):
        if not testing.is_selected(frame, cycle, one):
            continue
        step = testing.run(frame, cycle, one, deployment, left_out)
        if left_out or step.outcome is not Outcome.FAILED:
            continue
        if one.fail_fast:
            left_out = f"not run: {one.name} failed, and the plan stops there"
        elif testing.ended(step):
            left_out = f"not run: the service ended during {one.name}"


def _not_up(
    frame: Frame, cycle: int, verdict: Verdict, failure: DeployFailed | None, deployment: Deployment | None
) -> Verdict:
    """Explain why the service is not up or not well, and bring back the one that was."""
    after.explain(frame, cycle, deployment, failure)
    if failure is None or failure.phase != "build":
        failed = deployment or failure
        said = serving.rollback(frame, cycle, failed.revision if failed is not None else "")
        frame.journal.line(said)
        frame.journal.change(goal=Goal(wanted="a healthy service", reached=said, met=False))
    return verdict


def _is_over(frame: Frame, cycle: int) -> bool:
    """Whether nothing is left in this cycle that needs the service."""
    done = frame.journal.find
    return any(done(name, cycle) is not None for name in ("why", "audit", "rollback", "on-failure"))


def _goes_round(frame: Frame, cycle: int, verdict: Verdict) -> bool:
    """Whether there is another cycle, and anything that could make it end otherwise."""
    if frame.plan.on_failure is not None:
        after.ask_for_help(frame, cycle, verdict)
    if cycle >= frame.plan.cycles:
        return False
    before = _tree_of(frame.journal.find("guards", cycle))
    if taken(frame.root).digest != before:
        frame.journal.line(f"the tree has changed: cycle {cycle + 1}")
        return True
    served = _served(frame, cycle)
    now = frame.deployer.current() if served is not None else None
    if now is not None and now.revision != served:
        frame.journal.line(f"revision {now.revision} serves now, in place of {served}: cycle {cycle + 1}")
        return True
    frame.journal.line("nothing has changed, so another cycle would end the same")
    return False


def _served(frame: Frame, cycle: int) -> str | None:
    """The revision that the cycle itself left serving."""
    for name in ("rollback", "deploy"):
        step = frame.journal.find(name, cycle)
        if step is not None and step.outcome is Outcome.OK:
            return serving.deployment_of(step).revision
    return None


def _same_tree(frame: Frame, cycle: int) -> None:
    """Raises GuardError where a cycle goes on with another tree than it began with: its steps would not belong
    together, nor its tests to what is deployed."""
    step = frame.journal.find("guards", cycle)
    changed = gate.changed_since(step, taken(frame.root)) if step is not None and not _is_over(frame, cycle) else ""
    if changed:
        raise GuardError(
            f"the tree has changed since cycle {cycle} of session {frame.journal.session.id} began ({changed}); "
            "restore it, or begin a new session with: guard loop run"
        )


def _tree_of(step: Step | None) -> str:
    return str(step.data.get("tree", "")) if step is not None else ""


def _end(frame: Frame, verdict: Verdict) -> None:
    """Write the pages of the session as it ends, keep its verdict, then tell of it."""
    journal = frame.journal
    cycle = journal.session.cycles
    final = msgspec.structs.replace(journal.session, verdict=verdict, ended=time.time())
    after.record(frame, cycle, final)
    journal.finish(verdict)
    if frame.tools.publish is not None:
        after.publish(frame, cycle, frame.tools.publish)
