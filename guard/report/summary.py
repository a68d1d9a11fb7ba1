"""The end of the text format: what a reader sees without scrolling back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from guard.model import Finding, Impact, Report, Severity
from guard.report.escape import shortened, visible, wrapped
from guard.report.paint import SEVERITY_STYLE, Paint
from guard.report.tally import (
    Tally,
    blocking,
    broken,
    by_family,
    by_impact,
    by_rule,
    counted,
    extent,
    fixable,
    set_aside,
    tally,
)

_REMINDED: Final = 8
"""Findings that stop the start, repeated at the end when the details no longer fit one screen."""
_FREEING: Final = 5
"""Findings named that hold up test files."""
_ONE_SCREEN: Final = 3
"""So many findings, with their details, still do."""

Row = tuple[str, ...]


def summary_lines(report: Report, width: int, paint: Paint, *, statistics: bool) -> list[str]:
    """Counts by rule if asked for, the table by family and impact, what stops the start, and the totals."""
    findings = report.findings
    if not findings:
        return [_without_findings(report, paint)]
    lines = _statistics(findings, paint) if statistics else []
    lines += _table(findings, paint)
    lines += _reminder(findings, width, paint)
    lines += _broken(report, width, paint)
    lines += _totals(report, width, paint)
    return lines


def _without_findings(report: Report, paint: Paint) -> str:
    about = "; ".join([extent(report), *set_aside(report)])
    if not report.files_analysed:
        return paint("Nothing was analysed", "bold red") + f": {about}."
    if report.exit_code:
        unread = sum(problem.fatal for problem in report.problems)
        return paint("Could not check everything", "bold red") + f": {counted(unread, 'problem')}; {about}."
    word = "No findings" if report.problems else "Clean"
    return paint(word, "bold green") + f": {about}."


def _statistics(findings: Sequence[Finding], paint: Paint) -> list[str]:
    rows: list[Row] = [("count", "rule", "name", "where", "")]
    for rule in by_rule(findings):
        where = ", ".join(f"{impact} {number:,}" for impact, number in rule.by_impact.items())
        mended = f"--fix mends {rule.fixable:,}" if rule.fixable else ""
        rows.append((f"{rule.total:,}", rule.code, rule.slug, where, mended))
    return _aligned(rows, paint, right=lambda column: column == 0)


def _table(findings: Sequence[Finding], paint: Paint) -> list[str]:
    """Families down, impacts across; each cell errors/warnings/info."""
    impacts = list(by_impact(findings))
    families = by_family(findings)
    infos = any(finding.severity is Severity.INFO for finding in findings)
    heads: Row = (
        f"errors/warnings{'/info' if infos else ''}",
        *impacts,
        *(["all"] if len(impacts) > 1 else []),
    )
    rows: list[Row] = [heads]
    named = [*families.items(), *([("all", list(findings))] if len(families) > 1 else [])]
    for name, members in named:
        groups = by_impact(members)
        counts = [tally(groups.get(impact, ())) for impact in impacts]
        if len(impacts) > 1:
            counts.append(tally(members))
        rows.append((name, *(_cell(count, infos) for count in counts)))
    return _aligned(rows, paint, right=lambda column: column > 0)


def _cell(count: Tally, infos: bool) -> str:
    if not count.total:
        return "-"
    return "/".join(f"{number:,}" for number in (count if infos else count[:2]))


def _aligned(rows: Sequence[Row], paint: Paint, right: Callable[[int], bool]) -> list[str]:
    """A table with its first row as heads, and an empty line behind it."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for number, row in enumerate(rows):
        padded = [
            cell.rjust(width) if right(column) else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        line = f"  {'  '.join(padded)}".rstrip()
        lines.append(line if number else paint(line, "bold"))
    return [*lines, ""]


def _reminder(findings: Sequence[Finding], width: int, paint: Paint) -> list[str]:
    """The findings that stop the start, one line each: on a terminal their details have scrolled away by now."""
    stopping = [
        finding for finding in findings if finding.impact is Impact.STARTUP and finding.severity is Severity.ERROR
    ]
    if not stopping or len(findings) <= _ONE_SCREEN:
        return []
    lines = [paint("The service will not start:", "bold red")]
    for finding in stopping[:_REMINDED]:
        line = f"  {finding.code} {visible(finding.path)}:{finding.span.line} {visible(finding.message)}"
        lines.append(shortened(line, width))
    if len(stopping) > _REMINDED:
        lines.append(f"  … and {len(stopping) - _REMINDED:,} more")
    return [*lines, ""]


def _broken(report: Report, width: int, paint: Paint) -> list[str]:
    """What cannot be imported or collected, and which findings hold up the most test files."""
    about = broken(report)
    if not about:
        return []
    first = blocking(report, _FREEING)
    lines = [paint(f"{about}{'. Mend first:' if first else '.'}", "bold")]
    for finding in first:
        assert finding.extent is not None
        frees = f"frees {finding.extent.frees:,} of the {counted(finding.extent.test_files, 'test file')} it holds up"
        line = f"  {frees}: {finding.code} {visible(finding.path)}:{finding.span.line}"
        lines.append(shortened(line, width))
    return [*lines, ""]


def _totals(report: Report, width: int, paint: Paint) -> list[str]:
    worst = min((finding.severity for finding in report.findings), key=list(Severity).index)
    lines = [paint(f"Found {tally(report.findings)}.", SEVERITY_STYLE[worst])]
    safe, unsafe = fixable(report.findings)
    if safe:
        lines.append(f"--fix mends {safe:,}" + (f", --fix --unsafe-fixes {unsafe:,} more." if unsafe else "."))
    elif unsafe:
        lines.append(f"--fix --unsafe-fixes mends {unsafe:,}.")
    unread = sum(problem.fatal for problem in report.problems)
    if unread:
        lines.append(paint("Not everything was checked", "bold red") + f": {counted(unread, 'problem')}.")
    lines += wrapped(f"{'; '.join([extent(report), *set_aside(report)])}.", width)
    return lines
