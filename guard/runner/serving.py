"""The steps that get a service up: deploy, health, rollback, and finding it again after a kill."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from guard.runner.deployers.base import DeployFailed, Deployment
from guard.runner.environment import urls_of
from guard.runner.frame import Frame
from guard.runner.health import examined
from guard.runner.journal import Did
from guard.runner.record import Evidence, Outcome, Step
from guard.runner.store import Begun


def deploy(frame: Frame, cycle: int) -> Step:
    """Deploy the tree. The step's data has the deployment, or in which phase it failed."""

    def work(left: Begun | None) -> Did:
        found = _adopted(frame, left)
        try:
            found = found or frame.deployer.deploy(frame.journal.line)
        except DeployFailed as failure:
            return _not_deployed(failure)
        return _deployed(found, left)

    return frame.journal.step("deploy", cycle, work, lambda: {"before": _current(frame)})


def deployment_of(step: Step) -> Deployment:
    """What a step that deployed left in its data."""
    return msgspec.convert(step.data["deployment"], Deployment)


def failure_of(step: Step) -> DeployFailed | None:
    """How a step that should have deployed failed; None where it did not."""
    if step.outcome is not Outcome.FAILED:
        return None
    phase, revision = (str(step.data.get(key, other)) for key, other in (("phase", "start"), ("revision", "")))
    return DeployFailed(step.summary, phase, step.evidence, revision)


def still_up(frame: Frame, cycle: int, deployment: Deployment) -> Deployment:
    """The deployment of a session that is resumed; where it has ended meanwhile, its revision is served again.

    Raises DeployFailed where that cannot be done.
    """
    if frame.deployer.alive(deployment):
        return deployment
    found = frame.deployer.current()
    if found is not None and found.revision == deployment.revision:
        return found
    done = sum(step.name.startswith("deploy-again") for step in frame.journal.session.steps)
    name = f"deploy-again-{done + 1}"

    def work(_: Begun | None) -> Did:
        try:
            return _deployed(frame.deployer.rollback(deployment.revision, frame.journal.line), None)
        except DeployFailed as failure:
            return _not_deployed(failure)

    step = frame.journal.step(name, cycle, work)
    failure = failure_of(step)
    if failure is not None:
        raise failure
    return deployment_of(step)


def health(frame: Frame, cycle: int, deployment: Deployment, name: str = "health") -> Step:
    """Ask whether the service is well."""

    def work(_: Begun | None) -> Did:
        found = examined(
            frame.plan,
            deployment,
            urls_of(frame.plan.target, deployment),
            frame.environ,
            frame.journal.redact,
            lambda: frame.deployer.alive(deployment),
        )
        return Did(
            outcome=found.outcome,
            summary=found.summary,
            evidence=found.evidence,
            data=found.data(deployment.revision),
        )

    return frame.journal.step(name, cycle, work)


def rollback(frame: Frame, cycle: int, failed: str) -> str:
    """Go back from revision `failed` (empty where none came about) to the last one that is known healthy, and ask it
    whether it is well. Gives one line on what came of it."""
    healthy = frame.store.healthy_revisions(frame.journal.session.target)
    known = [one for one in healthy if one != failed]

    def work(left: Begun | None) -> Did:
        if not frame.deployer.can_roll_back:
            return Did(outcome=Outcome.SKIPPED, summary="not rolled back: this deployer cannot, as the plan has it")
        if not known:
            return Did(
                outcome=Outcome.SKIPPED,
                summary=f"not rolled back: no {'other ' * bool(healthy)}revision is known that was healthy here",
            )
        found = _adopted(frame, left)
        if found is not None and found.revision == known[0]:
            return _deployed(found, left)
        try:
            return _deployed(frame.deployer.rollback(known[0], frame.journal.line), None)
        except DeployFailed as failure:
            return _not_deployed(failure)

    step = frame.journal.step("rollback", cycle, work, lambda: {"before": _current(frame)})
    if step.outcome is Outcome.SKIPPED:
        return step.summary
    if step.outcome is not Outcome.OK:
        return f"ROLLBACK FAILED: {step.summary}"
    after = health(frame, cycle, deployment_of(step), "health-after-rollback")
    revision = deployment_of(step).revision
    if after.outcome is Outcome.FAILED:
        return f"ROLLED BACK TO {revision}, AND IT IS NOT WELL EITHER: {after.summary}"
    return f"rolled back to {revision}, which is well"


def _current(frame: Frame) -> object:
    found = frame.deployer.current()
    return msgspec.to_builtins(found) if found is not None else None


def _adopted(frame: Frame, left: Begun | None) -> Deployment | None:
    """What serves now where a deploy was begun and not ended, and something else serves than before it began."""
    if left is None:
        return None
    found = frame.deployer.current()
    before = left.data.get("before")
    if found is None or (isinstance(before, Mapping) and msgspec.convert(before, Deployment) == found):
        return None
    return found


def _deployed(found: Deployment, left: Begun | None) -> Did:
    more = f"; {found.note}" if found.note else ""
    more += " (found as an earlier beginning left it)" if left is not None else ""
    return Did(
        outcome=Outcome.OK,
        summary=f"revision {found.revision} at {found.base_url or 'the target'}{more}",
        data={"deployment": msgspec.to_builtins(found)},
        changes={"revision": found.revision},
    )


def _not_deployed(failure: DeployFailed) -> Did:
    evidence = failure.evidence or (Evidence(source="deployer", text=str(failure)),)
    return Did(
        outcome=Outcome.FAILED,
        summary=str(failure),
        evidence=evidence,
        data={"phase": failure.phase, "revision": failure.revision},
    )
