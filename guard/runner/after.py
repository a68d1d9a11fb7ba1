"""What follows the tests: explaining, asking for help, stability, audit, the pages, and telling of it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from functools import partial

import httpx
import msgspec

from guard.model import GuardError
from guard.runner import classify, lately, options, whys
from guard.runner.audit import audited
from guard.runner.audit import step_data as audit_data
from guard.runner.deployers.base import DeployFailed, Deployment
from guard.runner.deployers.tool import Tool
from guard.runner.environment import urls_of
from guard.runner.frame import Frame
from guard.runner.journal import Did
from guard.runner.lately import Lately
from guard.runner.probe import got
from guard.runner.record import EXIT_CODES, FAILING, Outcome, Session, Step, Verdict
from guard.runner.stability import assess, observed
from guard.runner.stability import step_data as stability_data
from guard.runner.store import Begun

_OPENAPI_S = 10
_OPENAPI_BYTES = 20_000_000


def explain(frame: Frame, cycle: int, deployment: Deployment | None, failure: DeployFailed | None) -> None:
    """Find the causes of what failed, ask why, and try the ways out."""
    journal = frame.journal

    def why(_: Begun | None) -> Did:
        log = frame.deployer.logs(deployment, journal.session.started) if deployment is not None else ""
        found = classify.causes(journal.session, cycle, log, failure)
        context = whys.Context(
            findings=lambda: frame.report.findings,
            trace=frame.tools.trace,
            brought=frame.tools.brought,
            left_out=frame.tools.left_out,
            is_ours=frame.tools.is_ours,
            defines=frame.tools.defines,
            served_by=frame.plan.deploy.python or sys.executable if frame.plan.deploy.kind == "local" else "",
            gates=frame.tools.gates(),
        )
        found = lately.told(whys.explained(found, context), partial(_lately, frame))
        others = tuple(cause for cause in journal.session.causes if cause.id not in {one.id for one in found})
        # A test of several causes has the first: the primary ones come before the others.
        journal.set_causes(cycle, {test: cause.id for cause in reversed(found) for test in cause.tests})
        answered = sum(bool(one.answer) for cause in found for one in cause.whys)
        return Did(
            outcome=Outcome.OK if found else Outcome.SKIPPED,
            summary="; ".join(cause.summary for cause in found if cause.rank == "primary") or "no cause was found",
            data={"causes": [cause.id for cause in found], "answered": answered},
            changes={"causes": (*others, *found)},
        )

    step = journal.step("why", cycle, why)

    def try_options(_: Begun | None) -> Did:
        mine = [cause for cause in journal.session.causes if cause.id in set(_ids(step))]
        failed = deployment or failure
        context = options.Context(
            fix=frame.tools.fix,
            good=good.revision if (good := _last_good(frame)) is not None else "",
            healthy=frame.store.healthy_revisions(journal.session.target),
            revision=failed.revision if failed is not None else "",
            can_roll_back=frame.deployer.can_roll_back,
            back=frame.tools.back,
            findings=lambda: frame.report.findings,
        )
        found = {cause.id: cause for cause in options.tried(mine, context)}
        number = sum(len(cause.options) for cause in found.values())
        return Did(
            outcome=Outcome.OK if number else Outcome.SKIPPED,
            summary=f"{number} {'way' if number == 1 else 'ways'} out" if number else "no way out that guard can offer",
            changes={"causes": tuple(found.get(cause.id, cause) for cause in journal.session.causes)},
        )

    journal.step("options", cycle, try_options)


def _lately(frame: Frame) -> Lately | None:
    """What changed since the last good session on the target."""
    good = _last_good(frame)
    return frame.tools.lately(good.id, good.tree) if good is not None else None


def _last_good(frame: Frame) -> Session | None:
    """The last session on the target that met its goal."""
    return next(iter(frame.store.earlier(frame.journal.session, Verdict.GOAL_MET, 1)), None)


def _ids(step: Step) -> list[str]:
    found = step.data.get("causes")
    return [str(one) for one in found] if isinstance(found, list | tuple) else []


def ask_for_help(frame: Frame, cycle: int, verdict: Verdict) -> Step:
    """Run the plan's command for a failure, with the failure as JSON on its standard input."""
    command = frame.plan.on_failure
    assert command is not None

    def work(_: Begun | None) -> Did:
        tool = Tool(
            (),
            root=frame.root,
            environ={**frame.environ, "GUARD_LOOP_SESSION": frame.journal.session.id},
            redact=frame.journal.redact.text,
            timeout_s=frame.plan.on_failure_timeout_s,
            mend="see loop.on_failure in the configuration",
        )
        told = json.dumps(failure_json(frame.journal.session, cycle, verdict))
        ran = tool.run(*command, stdin=told, progress=frame.journal.line)
        return Did(
            outcome=Outcome.OK if ran.ok else Outcome.FAILED,
            summary=f"{ran.command}: done" if ran.ok else f"{ran.command}: {ran.complaint()}",
            evidence=(tool.evidence(ran),),
        )

    return frame.journal.step("on-failure", cycle, work)


def failure_json(session: Session, cycle: int, verdict: Verdict) -> dict[str, object]:
    """What a command is told of a failure: `schema_version` 1, with the causes, the tests that did not pass, and the
    steps of the cycle, all as the record has them."""
    return {
        "schema_version": 1,
        "session": session.id,
        "cycle": cycle,
        "cycles": session.plan.cycles,
        "verdict": str(verdict),
        "exit_code": EXIT_CODES[verdict],
        "target": session.target,
        "revision": session.revision,
        "causes": [msgspec.to_builtins(one) for one in session.causes if one.id.startswith(f"{cycle}-")],
        "tests": [
            msgspec.to_builtins(test) for test in session.tests if test.cycle == cycle and test.outcome in FAILING
        ],
        "criteria": [
            msgspec.to_builtins(one) for one in session.criteria if one.cycle == cycle and one.outcome != "met"
        ],
        "steps": [msgspec.to_builtins(step) for step in session.steps if step.cycle == cycle],
    }


def stability(frame: Frame, cycle: int, deployment: Deployment) -> Step:
    """Hold the session against the last good one."""

    def work(_: Begun | None) -> Did:
        session = frame.journal.session
        seen = observed(frame.deployer.logs(deployment, session.started), _openapi(frame, deployment))
        found = assess(session, _last_good(frame), seen)
        changes = "1 change" if len(found.changes) == 1 else f"{len(found.changes)} changes"
        return Did(
            outcome=Outcome.OK,
            summary=f"score {found.score:.2f}, {changes}"
            + (f" since {found.compared_with}" if found.compared_with else "; nothing to compare with yet"),
            data=stability_data(seen),
            changes={"stability": found},
        )

    return frame.journal.step("stability", cycle, work)


def _openapi(frame: Frame, deployment: Deployment) -> object:
    """The service's own description of its routes; None where it has none."""
    base, _ = urls_of(frame.plan.target, deployment)
    try:
        answer = got(f"{base}/openapi.json", {}, _OPENAPI_S)
        return answer.json() if answer.status_code == 200 and len(answer.content) < _OPENAPI_BYTES else None
    except (httpx.HTTPError, httpx.InvalidURL, ValueError):
        return None


def audit(frame: Frame, cycle: int) -> Step:
    """What the guards say of the tree, beside the last good session's."""

    def work(_: Begun | None) -> Did:
        found = audited(frame.report, _last_good(frame))
        return Did(
            outcome=Outcome.OK,
            summary=f"{found.files_analysed} of {found.files_found} files; findings: {sum(found.findings.values())}, "
            f"{len(found.new)} new, {found.fixed} fixed",
            data=audit_data(frame.report),
            changes={"audit": found},
        )

    return frame.journal.step("audit", cycle, work)


def record(frame: Frame, cycle: int, final: Session) -> Step:
    """Write the pages of a session that is about to end."""

    def work(_: Begun | None) -> Did:
        try:
            files = frame.tools.record(final)
        except (OSError, GuardError) as error:
            return Did(outcome=Outcome.FAILED, summary=f"the session's pages could not be written: {error}")
        return Did(outcome=Outcome.OK, summary=", ".join(files), data={"files": list(files)})

    return frame.journal.step("record", cycle, work)


def publish(frame: Frame, cycle: int, tell: Callable[[Session], Did]) -> Step:
    """Tell of the session elsewhere. What goes wrong there changes nothing in its verdict."""

    def work(_: Begun | None) -> Did:
        try:
            return tell(frame.journal.session)
        except GuardError as error:
            return Did(outcome=Outcome.FAILED, summary=f"not published: {error}")

    return frame.journal.step("publish", cycle, work)
