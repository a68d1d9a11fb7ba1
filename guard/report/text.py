"""`text`, the default: what stops the service from starting first, each finding with its code, cause and way out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Final

from guard.model import WHOLE_FILE, Finding, Impact, Problem, Report
from guard.report.context import RenderContext
from guard.report.escape import cells, visible, wrapped
from guard.report.frame import frame, split_lines
from guard.report.paint import SEVERITY_STYLE, Paint, painter
from guard.report.summary import summary_lines
from guard.report.tally import by_impact, counted, tally

_NARROWEST: Final = 40
_PROSE: Final = 100
"""Prose wider than this is hard to read, however wide the terminal."""
_RELATED: Final = 5
"""Related places shown per finding."""
_HEADLINES: Final[Mapping[Impact, tuple[str, str]]] = {
    # with errors, without
    Impact.STARTUP: ("Stops the service from starting", "In code that runs when the service starts"),
    Impact.RUNTIME: ("Breaks production code when it is used", "In production code"),
    Impact.TESTS: ("Breaks tests", "In tests"),
    Impact.TOOLING: ("Breaks scripts and tooling", "In scripts and tooling"),
}


def render(report: Report, context: RenderContext) -> str:
    """The report for a person: findings by impact, what could not be checked, and a summary."""
    lines = _Page(context).findings(report.findings)
    paint, width = painter(context.color), max(context.width, _NARROWEST)
    lines += _problems(report.problems, context.limit, width, paint)
    lines += summary_lines(report, width, paint, statistics=context.statistics)
    return "".join(f"{line}\n" for line in lines)


class _Page:
    """Lays out findings; splits each source into lines only once."""

    def __init__(self, context: RenderContext) -> None:
        self._sources = context.sources
        self._limit = context.limit
        self._width = max(context.width, _NARROWEST)
        self._prose = min(self._width, _PROSE)
        self._paint = painter(context.color)
        self._split: dict[str, list[str]] = {}

    def findings(self, findings: Sequence[Finding]) -> list[str]:
        """All findings, in groups by impact, most urgent first."""
        lines: list[str] = []
        for impact, group in by_impact(findings).items():
            lines += [_headline(impact, group, self._prose, self._paint), ""]
            lines += self._group(group)
        return lines

    def _group(self, group: list[Finding]) -> list[str]:
        lines: list[str] = []
        seen: dict[str, int] = {}
        shown: list[Finding] = []
        for finding in group:
            seen[finding.code] = seen.get(finding.code, 0) + 1
            if not self._limit or seen[finding.code] <= self._limit:
                shown.append(finding)
        for _, alike in groupby(shown, key=_sameness):
            lines += [*self._findings_alike(list(alike)), ""]
        hidden = [(code, number - self._limit) for code, number in seen.items() if number > self._limit > 0]
        for code, number in hidden:
            hint = self._paint(f"(guard check --select {code} --output concise)", "dim")
            lines.append(f"… and {number:,} more {code} {hint}")
        return [*lines, ""] if hidden else lines

    def _findings_alike(self, findings: list[Finding]) -> list[str]:
        """One finding; or several of one rule at one place, which differ in their messages, and share the rest."""
        paint = self._paint
        finding = findings[0]
        severity = SEVERITY_STYLE[finding.severity]
        title = f"{paint(finding.severity, severity)} {paint(finding.code, 'bold')} {finding.slug}"
        lines = [f"{title}  {paint(_place(finding), 'cyan')}"]
        for one in findings:
            lines += [paint(line, "bold") for line in wrapped(one.message, self._prose - 2)]
        lines += self._frame(finding)
        related = list(dict.fromkeys(place for one in findings for place in one.related))
        for place in related[:_RELATED]:
            where = f"{visible(place.path)}:{place.line}"
            lines += self._labelled("see", f"{where}: {place.message}")
        if len(related) > _RELATED:
            lines += self._labelled("see", counted(len(related) - _RELATED, "more place"))
        lines += self._labelled("in production", finding.cause)
        if len(findings) == 1 or finding.fix is None:
            for text in dict.fromkeys(one.help for one in findings):
                lines += self._labelled("help", text)
        if finding.fix is not None:
            option = "--fix" if finding.fix.applicability == "safe" else "--fix --unsafe-fixes"
            lines += self._labelled("fix", f"{finding.fix.description} (guard check {option})")
        return [lines[0], *(f"  {line}" for line in lines[1:])]

    def _labelled(self, label: str, text: str) -> list[str]:
        if not text.strip():
            return []
        mark = f"{label}: "
        # Continued lines stand a little in, not under the text: a long label would leave no room in 80 columns.
        first, *rest = wrapped(text, self._prose - 2, mark, "    ")
        return [self._paint(mark, "bold green") + first.removeprefix(mark), *rest]

    def _frame(self, finding: Finding) -> list[str]:
        source = self._sources.get(finding.path)
        if source is None or finding.span.closed() == WHOLE_FILE:
            return []
        if finding.path not in self._split:
            self._split[finding.path] = split_lines(source)
        framed = frame(self._split[finding.path], finding.span, self._width - 2)
        style = SEVERITY_STYLE[finding.severity]
        lines = []
        for line in framed:
            text = self._paint(line.text, style) if line.is_caret else line.text
            lines.append(self._paint(f"{line.number} |", "blue") + (f" {text}" if line.text else ""))
        return lines


def _sameness(finding: Finding) -> tuple[object, ...]:
    """What findings have in common that are shown as one: all that is said of them but their messages and helps."""
    fix = finding.fix
    return (
        finding.severity,
        finding.code,
        finding.path,
        finding.span.closed(),
        finding.cause,
        (fix.applicability, fix.description) if fix is not None else None,
    )


def _place(finding: Finding) -> str:
    if finding.span.closed() == WHOLE_FILE:
        return visible(finding.path)
    return f"{visible(finding.path)}:{finding.span.line}:{finding.span.column}"


def _headline(impact: Impact, group: Sequence[Finding], width: int, paint: Paint) -> str:
    counts = tally(group)
    failing, standing = _HEADLINES[impact]
    words = f"== {failing if counts.errors else standing}: {counts} "
    style = "bold red" if counts.errors and impact is Impact.STARTUP else "bold"
    return paint(words + "=" * max(2, width - cells(words)), style)


def _problems(problems: Sequence[Problem], limit: int, width: int, paint: Paint) -> list[str]:
    """What could not be checked, then what a repository leaves out on purpose; each kind up to the limit."""
    lines: list[str] = []
    for fatal, title in ((True, "Could not be checked"), (False, "Noted")):
        group = [problem for problem in problems if problem.fatal is fatal]
        if not group:
            continue
        words = f"== {title}: {len(group):,} "
        lines += [
            paint(words + "=" * max(2, min(width, _PROSE) - cells(words)), "bold red" if fatal else "bold"),
            "",
        ]
        seen: dict[str, int] = {}
        for problem in group:
            seen[problem.kind] = seen.get(problem.kind, 0) + 1
            if not limit or seen[problem.kind] <= limit:
                place = f"{visible(problem.path)}  " if problem.path else ""
                lines += wrapped(problem.message, width, f"{place}{problem.kind}: ", "    ")
        for kind, number in seen.items():
            if number > limit > 0:
                lines.append(f"… and {number - limit:,} more {kind} (guard check --output concise)")
        lines.append("")
    return lines
