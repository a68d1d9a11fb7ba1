"""`gitlab`: a Code Quality report, which GitLab shows in the merge request.

The keys are those that GitLab reads: description, check_name, fingerprint, severity, location.path and
location.lines.begin. Fingerprints must be unique in a report: GitLab takes equal ones for one finding.
"""

from __future__ import annotations

import hashlib
from typing import Final

import msgspec

from guard.model import Finding, Impact, Problem, Report, Severity
from guard.report.context import RenderContext
from guard.report.escape import encodable
from guard.report.jsondoc import encoded
from guard.report.tally import nothing_analysed


class Lines(msgspec.Struct, frozen=True):
    """Where it begins, from 1."""

    begin: int


class Location(msgspec.Struct, frozen=True):
    """A line of a file, relative to the repository."""

    path: str
    lines: Lines


class Issue(msgspec.Struct, frozen=True):
    """One entry of the report."""

    description: str
    check_name: str
    fingerprint: str
    severity: str
    location: Location


_ERROR_SEVERITY: Final = {Impact.STARTUP: "blocker", Impact.RUNTIME: "critical"}


def render(report: Report, _context: RenderContext) -> str:
    """A JSON array: the findings, then the problems as issues of the check `guard-problem`."""
    taken: set[str] = set()
    issues: list[msgspec.Struct] = [
        Issue(
            description=encodable(f"{finding.code} {finding.message}"),
            check_name=f"{finding.code} {finding.slug}",
            fingerprint=_unique(encodable(finding.fingerprint), taken),
            severity=_severity(finding),
            location=Location(encodable(finding.path), Lines(max(1, finding.span.line))),
        )
        for finding in report.findings
    ]
    issues += [
        Issue(
            description=encodable(f"{problem.kind}: {problem.message}"),
            check_name="guard-problem",
            fingerprint=_unique(_problem_fingerprint(problem), taken),
            severity="critical" if problem.fatal else "info",
            location=Location(encodable(problem.path) or ".", Lines(1)),
        )
        for problem in report.problems
    ]
    if nothing := nothing_analysed(report):
        fingerprint = _unique("nothing-analysed", taken)
        issues.append(Issue(nothing, "guard-problem", fingerprint, "critical", Location(".", Lines(1))))
    return encoded(issues, indent=2)


def _severity(finding: Finding) -> str:
    if finding.severity is Severity.ERROR:
        return _ERROR_SEVERITY.get(finding.impact, "major")
    return "minor" if finding.severity is Severity.WARNING else "info"


def _problem_fingerprint(problem: Problem) -> str:
    identity = encodable(f"{problem.kind}\0{problem.path}")
    return hashlib.sha256(identity.encode()).hexdigest()[:32]


def _unique(fingerprint: str, taken: set[str]) -> str:
    """`fingerprint`, numbered where it is `taken` already; the report's order keeps the numbers stable."""
    candidate, number = fingerprint, 1
    while candidate in taken:
        number += 1
        candidate = f"{fingerprint}-{number}"
    taken.add(candidate)
    return candidate
