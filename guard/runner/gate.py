"""The first step: the guards. A session whose tree they find fault with does not begin to deploy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from guard.model import Finding, Report, Severity
from guard.runner.frame import Frame
from guard.runner.journal import Did
from guard.runner.record import Cause, CauseKind, Evidence, Outcome, Step
from guard.runner.snapshot import Snapshot, taken, uncommitted
from guard.runner.store import Begun

_SHOWN = 50
"""Findings that the record has of one run; the check itself has all."""
_NAMED = 200
"""Files with changes that are not committed, up to which the record has their names."""


def guards(frame: Frame, cycle: int) -> Step:
    """Check the tree, and keep what it is called."""

    def work(_: Begun | None) -> Did:
        frame.forget_report()
        tree = taken(frame.root)
        # Pairs, since a value beside a name such as `token.py` would be taken for a secret.
        changed = sorted(uncommitted(tree).items())
        said = {"tree": tree.digest, "commit": tree.commit, "changed": changed if len(changed) <= _NAMED else []}
        return _did(frame, cycle, said)

    return frame.journal.step("guards", cycle, work)


def _did(frame: Frame, cycle: int, tree: Mapping[str, object]) -> Did:
    """What the step comes to: `ok`, `blocked`, or `failed` where somebody has given a reason to go on.

    `tree` is what it will be known by again.
    """
    report, override = frame.report, frame.override
    said = _sum(report)
    data = {"exit_code": report.exit_code, "findings": len(report.findings), "override": override, **tree}
    if report.exit_code == 0:
        return Did(outcome=Outcome.OK, summary=said, data=data)
    evidence = tuple(_evidence(report))
    if override:
        return Did(
            outcome=Outcome.FAILED, summary=f"GUARDS OVERRIDDEN: {override} ({said})", evidence=evidence, data=data
        )
    return Did(
        outcome=Outcome.BLOCKED,
        summary=said,
        evidence=evidence,
        data=data,
        changes={"causes": (*frame.journal.session.causes, *_causes(report, cycle))},
    )


def changed_since(step: Step, now: Snapshot) -> str:
    """In what the tree of now differs from that of a step of this kind, in words; empty for one that is the same."""
    before = step.data
    if not before.get("tree") or before["tree"] == now.digest:
        return ""
    if before.get("commit", now.commit) != now.commit:
        return f"{now.commit[:12] or 'no commit'} is checked out, in place of {str(before['commit'])[:12] or 'none'}"
    kept, today = before.get("changed"), uncommitted(now)
    then = {str(path): oid for path, oid in kept} if isinstance(kept, list | tuple) else {}
    names = sorted(path for path in then.keys() | today.keys() if then.get(path) != today.get(path))
    if not names or len(names) > _NAMED:
        return "other files"
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _sum(report: Report) -> str:
    fatal = [problem for problem in report.problems if problem.fatal]
    if fatal:
        return f"{len(fatal)} of the tree's files could not be checked: {fatal[0].path}: {fatal[0].message}"
    bad = _blocking(report)
    if not bad:
        return f"{report.files_analysed} files, no findings that block"
    return f"{'1 finding blocks' if len(bad) == 1 else f'{len(bad)} findings block'}: {_line(bad[0])}"


def _blocking(report: Report) -> list[Finding]:
    return [finding for finding in report.findings if finding.severity is not Severity.INFO]


def _evidence(report: Report) -> Iterator[Evidence]:
    for problem in report.problems:
        if problem.fatal:
            yield Evidence(source="guard", text=f"{problem.kind}: {problem.message}", place=problem.path)
    for finding in _blocking(report)[:_SHOWN]:
        yield Evidence(source="guard", text=_line(finding), place=f"{finding.path}:{finding.span.line}")


def _whole(finding: Finding) -> Evidence:
    """With what it does in production, and the way out."""
    more = [("in production", finding.cause), ("help", finding.help)]
    text = "\n".join([_line(finding), *(f"{name}: {said}" for name, said in more if said)])
    return Evidence(source="guard", text=text, place=f"{finding.path}:{finding.span.line}")


def _causes(report: Report, cycle: int) -> Iterator[Cause]:
    """One for each rule: what a rule finds in ten places is mended as one thing more often than not."""
    by_code: dict[str, list[Finding]] = {}
    for finding in _blocking(report):
        by_code.setdefault(finding.code, []).append(finding)
    for number, (code, found) in enumerate(by_code.items(), 1):
        more = f", and {len(found) - 1} more of {code}" if len(found) > 1 else ""
        yield Cause(
            id=f"{cycle}-{number}",
            kind=CauseKind.GUARD,
            summary=_line(found[0]) + more,
            rule=code,
            gate="guard loop: it held",
            evidence=tuple(map(_whole, found[:10])),
        )
    if not by_code:
        said = _sum(report)
        yield Cause(id=f"{cycle}-1", kind=CauseKind.GUARD, summary=said, gate="guard loop: it held")


def _line(finding: Finding) -> str:
    return f"{finding.code} {finding.path}:{finding.span.line}: {finding.message}"
