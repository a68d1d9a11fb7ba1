"""`jsonl`: one JSON object per line, for streams and for `jq` without a slurp.

Findings come first, then problems, then exactly one summary, which also tells a reader that nothing was cut off.
"""

from __future__ import annotations

import msgspec

from guard.model import Report, Since
from guard.report.context import RenderContext
from guard.report.jsondoc import (
    SCHEMA_VERSION,
    BrokenJson,
    FilesJson,
    FindingJson,
    ProblemJson,
    TimingJson,
    TreeJson,
    broken_json,
    encoded,
    finding_json,
    problem_json,
    since_json,
    timing_json,
    tree_json,
)


class FindingLine(FindingJson, frozen=True, tag_field="type", tag="finding"):
    """A finding, with its type in front."""


class ProblemLine(ProblemJson, frozen=True, tag_field="type", tag="problem"):
    """A problem, with its type in front."""


class SummaryLine(msgspec.Struct, frozen=True, tag_field="type", tag="summary"):
    """The last line: everything about the run that is no finding and no problem; of those, the numbers."""

    schema_version: int
    guard: str
    tree: TreeJson
    files: FilesJson
    findings: int
    suppressed: int
    baselined: int
    since: Since | None
    broken: BrokenJson
    problems: int
    exit_code: int
    timing: TimingJson


def render(report: Report, _context: RenderContext) -> str:
    """The report as JSON lines."""
    lines: list[msgspec.Struct] = [
        FindingLine(*msgspec.structs.astuple(finding_json(finding))) for finding in report.findings
    ]
    lines += [ProblemLine(*msgspec.structs.astuple(problem_json(problem))) for problem in report.problems]
    lines.append(
        SummaryLine(
            schema_version=SCHEMA_VERSION,
            guard=report.guard,
            tree=tree_json(report),
            files=FilesJson(report.files_found, report.files_analysed),
            findings=len(report.findings),
            suppressed=report.suppressed,
            baselined=report.baselined,
            since=since_json(report),
            broken=broken_json(report),
            problems=len(report.problems),
            exit_code=report.exit_code,
            timing=timing_json(report),
        )
    )
    return "".join(map(encoded, lines))
