"""`markdown`: a job summary or a comment on a pull request, within the length that such a comment may have."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from guard.model import WHOLE_FILE, Finding, Impact, Problem, Report
from guard.report.context import RenderContext
from guard.report.escape import shortened, visible
from guard.report.tally import Tally, blocking, broken, by_family, by_impact, counted, extent, fixable, set_aside, tally

_SPECIAL: Final = str.maketrans({char: f"&#{ord(char)};" for char in "&<>|`*_~[]\\\u200b"})
_MENTION: Final = re.compile(r"@|#(?=\d)")
_CELL: Final = 400
"""Columns of a message or a path in a table."""
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
    page = _Page(context.markdown_chars - _STRUCTURE)
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


class _Page:
    """Lines, with rows only as long as there is room for them."""

    def __init__(self, room: int) -> None:
        self._lines: list[str] = []
        self._room = room

    def add(self, *lines: str) -> None:
        """Write `lines` whatever the room."""
        self._lines += lines
        self._room -= sum(len(line) + 1 for line in lines)

    def table(self, head: Sequence[str], rows: Iterator[str], total: int) -> None:
        """The rows that there is room for, and how many of `total` had none."""
        written = 0
        for row in rows:
            if len(row) + 1 > self._room:
                break
            if not written:
                self.add(*head)
            self.add(row)
            written += 1
        if written:
            self.add("")
        if written < total:
            # Where one row found no room no later one may: the cut stays at the end of the order.
            self._room = 0
            self.add(f"… and {total - written:,} more", "")

    def fold(self, summary: str, head: Sequence[str], rows: Iterator[str], total: int) -> None:
        """A table that is folded away under its summary."""
        self.add(f"<details><summary>{summary}</summary>", "")
        self.table(head, rows, total)
        self.add("</details>", "")

    def text(self) -> str:
        """What was written."""
        return "\n".join(self._lines).rstrip("\n") + "\n"


def _escape(text: str) -> str:
    """`text` as itself: no markup, no HTML, no table cell, no mention of a person or an issue."""
    # `visible` leaves no zero-width space, so each one here keeps a sign from what follows it.
    apart = _MENTION.sub("\\g<0>\u200b", shortened(visible(text), _CELL))
    return apart.translate(_SPECIAL)


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
    what = _escape(finding.message)
    if finding.help:
        what += f"<br>{_escape(finding.help)}"
    return f"| {finding.severity} | {finding.code} {finding.slug} | <code>{_escape(place)}</code> | {what} |"


def _blocking_row(finding: Finding) -> str:
    assert finding.extent is not None
    place = f"{visible(finding.path)}:{finding.span.line}"
    return (
        f"| {finding.extent.frees:,} | {finding.extent.test_files:,} | {finding.code} | <code>{_escape(place)}</code> |"
    )


def _problem_row(problem: Problem) -> str:
    return f"| {problem.kind} | <code>{_escape(problem.path)}</code> | {_escape(problem.message)} |"
