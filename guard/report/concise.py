"""`concise`: one line per finding, for `grep` and for editors that know `path:line:column: message`."""

from __future__ import annotations

from guard.model import Report
from guard.report.context import RenderContext
from guard.report.escape import visible
from guard.report.tally import nothing_analysed


def render(report: Report, _context: RenderContext) -> str:
    """`path:line:col: CODE message [impact]` per finding, then `path: problem kind: message` per problem.

    A problem of no file, and that nothing was analysed, have no `path: ` before them.
    """
    lines = [
        f"{visible(finding.path)}:{finding.span.line}:{finding.span.column}: "
        f"{finding.code} {visible(finding.message)} [{finding.impact}]\n"
        for finding in report.findings
    ]
    for problem in report.problems:
        place = f"{visible(problem.path)}: " if problem.path else ""
        lines.append(f"{place}problem {problem.kind}: {visible(problem.message)}\n")
    if nothing := nothing_analysed(report):
        lines.append(f"problem nothing-analysed: {nothing}\n")
    return "".join(lines)
