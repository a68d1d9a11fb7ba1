"""`concise`: one line per finding, for `grep` and for editors that know `path:line:column: message`."""

from __future__ import annotations

from guard.model import Report
from guard.report.context import RenderContext
from guard.report.escape import visible


def render(report: Report, _context: RenderContext) -> str:
    """`path:line:col: CODE message [impact]` per finding, then `path: problem kind: message` per problem."""
    lines = [
        f"{visible(finding.path)}:{finding.span.line}:{finding.span.column}: "
        f"{finding.code} {visible(finding.message)} [{finding.impact}]\n"
        for finding in report.findings
    ]
    lines += [
        f"{visible(problem.path)}: problem {problem.kind}: {visible(problem.message)}\n" for problem in report.problems
    ]
    return "".join(lines)
