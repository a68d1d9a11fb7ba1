"""What the guards say of the tree, beside what they said of the last good session's."""

from __future__ import annotations

from collections import Counter

from guard.model import Report
from guard.runner.record import Audit, Session


def audited(report: Report, last_good: Session | None) -> Audit:
    """The audit of the tree that `report` is about, with the difference to the last good session's."""
    before = fingerprints_in(last_good)
    now = fingerprints(report)
    return Audit(
        files_found=report.files_found,
        files_analysed=report.files_analysed,
        findings=dict(sorted(Counter(finding.code for finding in report.findings).items())),
        problems=len(report.problems),
        new=() if before is None else tuple(one for one in now if one not in before),
        fixed=0 if before is None else len(before - set(now)),
        compared_with=last_good.id if last_good is not None and before is not None else "",
    )


def fingerprints(report: Report) -> tuple[str, ...]:
    """Of every finding, sorted."""
    return tuple(sorted(finding.fingerprint for finding in report.findings))


def step_data(report: Report) -> dict[str, object]:
    """What the step `audit` keeps, for the session after it."""
    return {"fingerprints": list(fingerprints(report))}


def fingerprints_in(session: Session | None) -> set[str] | None:
    """The fingerprints that a session's own step `audit` kept; None where it has none."""
    for step in reversed(session.steps if session is not None else ()):
        kept = step.data.get("fingerprints")
        if step.name == "audit" and isinstance(kept, list | tuple):
            return {str(one) for one in kept}
    return None
