"""`markdown`: a job summary or a comment on a pull request, within the length that such a comment may have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from guard.model import WHOLE_FILE, Finding, Impact, Problem, Report
from guard.report.context import RenderContext
from guard.report.escape import visible
from guard.report.markdown_page import Page, as_text
from guard.report.tally import Tally, blocking, broken, by_family, by_impact, counted, extent, fixable, set_aside, tally

_STRUCTURE: Final = 1800
"""Characters kept for headings, summaries and counts of what was cut: at most seven sections, each well under 250."""
_TITLES: Final = {
    Impact.STARTUP: "Start-up",
    Impact.RUNTIME: "Production code",
    Impact.TESTS: "Tests",
    Impact.TOOLING: "Scripts and tooling",
}
_FINDING_HEAD: Final = ("| | rule | place | what |", "|---|---|---|---|")
_BLOCKING_HEAD: Final = ("| freed | held up | rule | place |", "|---|---|---|---|")
_FREEING: Final = 5
"""Findings named that hold up test files."""
_PROBLEM_HEAD: Final = ("| kind | path | what |", "|---|---|---|")


def render(report: Report, context: RenderContext) -> str:
    """Headline, counts, a table of what stops the start, and the rest folded away.

    At most `context.markdown_chars` long (a few thousand is the least that makes sense): the rows that do not fit
    are counted, "and 12 more", and they are the last ones of the report's order.
    """
    page = Page(context.markdown_chars - _STRUCTURE)
    page.add(f"### guard: {_headline(report)}", "", *_totals(report), "")
    if report.findings:
        page.add(*_counts(report.findings), "")
    about = broken(report)
    if about:
        page.add(f"{about}.", "")
        first = blocking(report, _FREEING)
        if first:
            page.add("Mended alone, these let pytest collect the most test files:", "")
            page.table(_BLOCKING_HEAD, map(_blocking_row, first), len(first))
    groups = by_impact(report.findings)
    startup = groups.pop(Impact.STARTUP, [])
    if startup:
        page.add(f"#### {_TITLES[Impact.STARTUP]}: {tally(startup)}", "")
        page.table(_FINDING_HEAD, map(_finding_row, startup), len(startup))
    # Before what is folded: a report with a problem is not clean, and nobody should have to unfold that.
    fatal = [problem for problem in report.problems if problem.fatal]
    if fatal:
        page.add(f"#### Could not be checked: {counted(len(fatal), 'problem')}", "")
        page.table(_PROBLEM_HEAD, map(_problem_row, fatal), len(fatal))
    for impact, group in groups.items():
        page.fold(f"{_TITLES[impact]}: {tally(group)}", _FINDING_HEAD, map(_finding_row, group), len(group))
    noted = [problem for problem in report.problems if not problem.fatal]
    if noted:
        page.fold(
            f"{counted(len(noted), 'note')} on what was left out",
            _PROBLEM_HEAD,
            map(_problem_row, noted),
            len(noted),
        )
    return page.text()


def _headline(report: Report) -> str:
    if not report.files_analysed:
        return "nothing was analysed"
    errors = tally(by_impact(report.findings).get(Impact.STARTUP, ())).errors
    if errors:
        return f"{counted(errors, 'error')} {'stops' if errors == 1 else 'stop'} the service from starting"
    if report.exit_code == 3:
        return "not everything could be checked"
    if report.findings:
        return str(tally(report.findings))
    return "no findings" if report.problems else "clean"


def _totals(report: Report) -> list[str]:
    parts = [extent(report), *set_aside(report)]
    safe, unsafe = fixable(report.findings)
    if safe:
        parts.append(f"<code>--fix</code> mends {safe:,}")
    if unsafe:
        parts.append(f"<code>--unsafe-fixes</code> mends {unsafe:,}{' more' if safe else ''}")
    return [f"{'; '.join(parts)}."]


def _counts(findings: Sequence[Finding]) -> list[str]:
    """Families down, impacts across."""
    impacts = list(by_impact(findings))
    lines = [
        f"| | {' | '.join(_TITLES[impact] for impact in impacts)} |",
        f"|---|{'---|' * len(impacts)}",
    ]
    for family, members in by_family(findings).items():
        groups = by_impact(members)
        cells = (_cell(tally(groups.get(impact, ()))) for impact in impacts)
        lines.append(f"| {family} | {' | '.join(cells)} |")
    return lines


def _cell(count: Tally) -> str:
    return str(count) if count.total else ""


def _finding_row(finding: Finding) -> str:
    place = visible(finding.path)
    if finding.span.closed() != WHOLE_FILE:
        place += f":{finding.span.line}"
    what = as_text(finding.message)
    if finding.help:
        what += f"<br>{as_text(finding.help)}"
    return f"| {finding.severity} | {finding.code} {finding.slug} | <code>{as_text(place)}</code> | {what} |"


def _blocking_row(finding: Finding) -> str:
    assert finding.extent is not None
    place = f"{visible(finding.path)}:{finding.span.line}"
    return (
        f"| {finding.extent.frees:,} | {finding.extent.test_files:,} | {finding.code} | <code>{as_text(place)}</code> |"
    )


def _problem_row(problem: Problem) -> str:
    return f"| {problem.kind} | <code>{as_text(problem.path)}</code> | {as_text(problem.message)} |"
