"""Counting findings, and saying counts in words."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from guard.model import Finding, Impact, Report, Severity
from guard.report.escape import visible


class Tally(NamedTuple):
    """How many findings there are of each severity."""

    errors: int = 0
    warnings: int = 0
    infos: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return sum(self)

    def __str__(self) -> str:
        """`3 errors, 1 warning`, leaving out what there is none of."""
        named = ((self.errors, "error"), (self.warnings, "warning"))
        parts = [counted(number, noun) for number, noun in named if number]
        if self.infos:
            parts.append(f"{self.infos:,} info")
        return ", ".join(parts) or "no findings"


class RuleTally(NamedTuple):
    """How often one rule was found, overall and by impact."""

    code: str
    slug: str
    total: int
    by_impact: dict[Impact, int]
    fixable: int
    """How many of them `--fix` can mend, with or without `--unsafe-fixes`."""


def counted(number: int, noun: str, plural: str = "") -> str:
    """`1 file`, `8,061 files`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def tally(findings: Iterable[Finding]) -> Tally:
    """The findings by severity."""
    counts = dict.fromkeys(Severity, 0)
    for finding in findings:
        counts[finding.severity] += 1
    return Tally(counts[Severity.ERROR], counts[Severity.WARNING], counts[Severity.INFO])


def family_of(code: str) -> str:
    """The letters of a rule's code."""
    return code.rstrip("0123456789")


def by_impact(findings: Iterable[Finding]) -> dict[Impact, list[Finding]]:
    """The findings of each impact that there are any of, in the order of impacts, each list in the given order."""
    groups: dict[Impact, list[Finding]] = {impact: [] for impact in Impact}
    for finding in findings:
        groups[finding.impact].append(finding)
    return {impact: group for impact, group in groups.items() if group}


def by_family(findings: Iterable[Finding]) -> dict[str, list[Finding]]:
    """The findings of each family, families sorted by name, each list in the given order."""
    groups: dict[str, list[Finding]] = {}
    for finding in findings:
        groups.setdefault(family_of(finding.code), []).append(finding)
    return dict(sorted(groups.items()))


def by_rule(findings: Iterable[Finding]) -> list[RuleTally]:
    """Counts per rule, the most frequent first."""
    groups: dict[str, list[Finding]] = {}
    for finding in findings:
        groups.setdefault(finding.code, []).append(finding)
    tallies = [
        RuleTally(
            code,
            group[0].slug,
            len(group),
            {impact: len(members) for impact, members in by_impact(group).items()},
            sum(finding.fix is not None for finding in group),
        )
        for code, group in groups.items()
    ]
    return sorted(tallies, key=lambda rule: (-rule.total, rule.code))


def fixable(findings: Iterable[Finding]) -> tuple[int, int]:
    """How many findings `--fix` mends, and how many more it mends with `--unsafe-fixes`."""
    kinds = [finding.fix.applicability for finding in findings if finding.fix is not None]
    safe = kinds.count("safe")
    return safe, len(kinds) - safe


def blocking(report: Report, most: int) -> list[Finding]:
    """The findings whose mending lets pytest collect the most test files, at most `most`: the best first, and only
    such as hold up more than one."""
    found = [finding for finding in report.findings if finding.extent is not None and finding.extent.test_files > 1]
    return sorted(found, key=_gain, reverse=True)[:most]


def _gain(finding: Finding) -> tuple[int, int]:
    extent = finding.extent
    return (extent.frees, extent.test_files) if extent is not None else (0, 0)


def broken(report: Report) -> str:
    """`3 modules cannot be imported, and 12 test files cannot be collected`; empty where all can."""
    modules, tests = len(report.broken.modules), len(report.broken.test_files)
    parts = [f"{counted(modules, 'module')} cannot be imported"] if modules else []
    parts += [f"{counted(tests, 'test file')} cannot be collected"] if tests else []
    return ", and ".join(parts)


def set_aside(report: Report) -> list[str]:
    """`3 suppressed`, `120 in the baseline` and `9 known since main, 2 fixed`, where there are any."""
    parts = []
    if report.suppressed:
        parts.append(f"{report.suppressed:,} suppressed")
    if report.baselined:
        parts.append(f"{report.baselined:,} in the baseline")
    if report.since is not None:
        known = f"{report.since.unchanged:,} known since {visible(report.since.rev)}"
        parts.append(f"{known}, {report.since.fixed:,} fixed" if report.since.fixed else known)
    return parts


def nothing_analysed(report: Report) -> str:
    """What to say of a report that found nothing because it looked at nothing; empty for any other."""
    return "" if report.files_analysed else f"none of {counted(report.files_found, 'file')} was analysed"


def extent(report: Report) -> str:
    """`8,061 files analysed of 8,070 found in 1.2 s`."""
    analysed = counted(report.files_analysed, "file")
    return f"{analysed} analysed of {report.files_found:,} found in {report.total_s:.1f} s"
