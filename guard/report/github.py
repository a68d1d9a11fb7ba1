"""`github`: workflow commands that a GitHub Actions runner turns into annotations on the lines of a pull request.

GitHub shows the first ten errors, ten warnings and ten notices of a step; the report's order decides which.
"""

from __future__ import annotations

from typing import Final

from guard.model import WHOLE_FILE, Finding, Problem, Report, Severity
from guard.report.context import RenderContext
from guard.report.escape import encodable, visible
from guard.report.tally import nothing_analysed

_COMMAND: Final = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "notice"}
# The runner's own escapes (actions/toolkit, command.ts): the percent sign first, `:` and `,` in properties only.
_DATA: Final = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
_PROPERTY: Final = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A", ":": "%3A", ",": "%2C"})


def render(report: Report, _context: RenderContext) -> str:
    """A command per finding and per problem; nothing for a clean report."""
    commands = [*map(_finding, report.findings), *map(_problem, report.problems)]
    if nothing := nothing_analysed(report):
        commands.append(_command("error", [("title", "guard could not check this")], [nothing]))
    return "".join(commands)


def _finding(finding: Finding) -> str:
    place = [("file", finding.path)]
    if finding.span.closed() != WHOLE_FILE:
        place += [("line", str(finding.span.line)), ("col", str(finding.span.column))]
    parts = [finding.message]
    if finding.cause:
        parts.append(f"In production: {finding.cause}")
    if finding.help:
        parts.append(f"Help: {finding.help}")
    return _command(_COMMAND[finding.severity], [*place, ("title", f"{finding.code} {finding.slug}")], parts)


def _problem(problem: Problem) -> str:
    command = "error" if problem.fatal else "notice"
    title = "guard could not check this" if problem.fatal else "guard left this out"
    place = [("file", problem.path)] if problem.path else []
    return _command(command, [*place, ("title", title)], [f"{problem.kind}: {problem.message}"])


def _command(name: str, properties: list[tuple[str, str]], paragraphs: list[str]) -> str:
    written = ",".join(f"{key}={_property(value)}" for key, value in properties)
    data = "\n".join(map(visible, paragraphs)).translate(_DATA)
    return f"::{name} {written}::{data}\n"


def _property(value: str) -> str:
    """A property's value: `%`, line ends, `:` and `,` as the runner reads them back, other controls made visible."""
    return visible(encodable(value).translate(_PROPERTY))
