"""`json`: one document, in the shape that `guard/schemas/report.schema.json` describes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from guard.model import Finding, Problem, Report, Since
from guard.report.context import RenderContext
from guard.report.escape import encodable
from guard.report.tally import blocking

_FREEING: Final = 10
"""Findings named that hold up test files."""
SCHEMA_VERSION: Final = 1
"""Raised when a reader of the old shape would misread the new one; a new key alone does not raise it."""


class TreeJson(msgspec.Struct, frozen=True):
    """What was checked."""

    kind: str
    label: str


class FilesJson(msgspec.Struct, frozen=True):
    """How much of it."""

    found: int
    analysed: int


class RelatedJson(msgspec.Struct, frozen=True):
    """A second place."""

    path: str
    line: int
    message: str


class FixJson(msgspec.Struct, frozen=True):
    """What `--fix` would do."""

    applicability: str
    description: str


class FindingJson(msgspec.Struct, frozen=True):
    """One finding, keys in the order of the output."""

    code: str
    slug: str
    severity: str
    impact: str
    path: str
    line: int
    column: int
    end_line: int
    end_column: int
    message: str
    symbol: str
    fingerprint: str
    related: tuple[RelatedJson, ...]
    help: str
    fix: FixJson | None
    data: Mapping[str, object]


class BlockingJson(msgspec.Struct, frozen=True):
    """A finding that holds up test files. Its own entry has the rest."""

    fingerprint: str
    code: str
    path: str
    line: int
    breaks_test_files: int
    frees_test_files: int


class BrokenJson(msgspec.Struct, frozen=True):
    """What cannot be imported, and which findings to mend first."""

    modules: int
    test_files: int
    mend_first: tuple[BlockingJson, ...]


class ProblemJson(msgspec.Struct, frozen=True):
    """One thing that could not be checked."""

    path: str
    kind: str
    message: str


class TimingJson(msgspec.Struct, frozen=True):
    """The only part of a report that differs between two runs on the same input."""

    total_s: float


class ReportJson(msgspec.Struct, frozen=True):
    """The whole document."""

    schema_version: int
    guard: str
    tree: TreeJson
    files: FilesJson
    findings: tuple[FindingJson, ...]
    suppressed: int
    baselined: int
    since: Since | None
    broken: BrokenJson
    problems: tuple[ProblemJson, ...]
    exit_code: int
    timing: TimingJson


def render(report: Report, _context: RenderContext) -> str:
    """The report as one JSON document, indented by two."""
    document = ReportJson(
        schema_version=SCHEMA_VERSION,
        guard=report.guard,
        tree=tree_json(report),
        files=FilesJson(report.files_found, report.files_analysed),
        findings=tuple(map(finding_json, report.findings)),
        suppressed=report.suppressed,
        baselined=report.baselined,
        since=since_json(report),
        broken=broken_json(report),
        problems=tuple(map(problem_json, report.problems)),
        exit_code=report.exit_code,
        timing=timing_json(report),
    )
    return encoded(document, indent=2)


def encoded(document: msgspec.Struct | list[msgspec.Struct], indent: int = 0) -> str:
    """`document` as JSON with a newline behind it: structs in the order of their fields, mappings sorted by key."""
    content = msgspec.json.encode(document, order="deterministic")
    return (msgspec.json.format(content, indent=indent) if indent else content).decode() + "\n"


def tree_json(report: Report) -> TreeJson:
    """What was checked."""
    return TreeJson(report.tree_kind, encodable(report.tree_label))


def since_json(report: Report) -> Since | None:
    """What the findings were compared with, in characters that JSON can hold."""
    return report.since and msgspec.structs.replace(report.since, rev=encodable(report.since.rev))


def timing_json(report: Report) -> TimingJson:
    """How long it took, to the millisecond."""
    return TimingJson(round(report.total_s, 3))


def finding_json(finding: Finding) -> FindingJson:
    """One finding, with its span closed and its texts encodable."""
    span = finding.span.closed()
    fix = finding.fix
    return FindingJson(
        code=finding.code,
        slug=finding.slug,
        severity=finding.severity,
        impact=finding.impact,
        path=encodable(finding.path),
        line=span.line,
        column=span.column,
        end_line=span.end_line,
        end_column=span.end_column,
        message=encodable(finding.message),
        symbol=encodable(finding.symbol),
        fingerprint=encodable(finding.fingerprint),
        related=tuple(
            RelatedJson(encodable(place.path), place.line, encodable(place.message)) for place in finding.related
        ),
        help=encodable(finding.help),
        fix=None if fix is None else FixJson(fix.applicability, encodable(fix.description)),
        data={encodable(key): _encodable_value(value) for key, value in finding.data.items()},
    )


def broken_json(report: Report) -> BrokenJson:
    """What the findings break, and the ten whose mending frees the most test files."""
    first = [
        BlockingJson(
            encodable(finding.fingerprint),
            finding.code,
            encodable(finding.path),
            finding.span.line,
            finding.extent.test_files,
            finding.extent.frees,
        )
        for finding in blocking(report, _FREEING)
        if finding.extent is not None
    ]
    return BrokenJson(len(report.broken.modules), len(report.broken.test_files), tuple(first))


def problem_json(problem: Problem) -> ProblemJson:
    """One problem, with its texts encodable."""
    return ProblemJson(encodable(problem.path), problem.kind, encodable(problem.message))


def _encodable_value(value: object) -> object:
    """A rule's own data, with every string in it encodable."""
    if isinstance(value, str):
        return encodable(value)
    if isinstance(value, Mapping):
        return {encodable(str(key)): _encodable_value(item) for key, item in value.items()}
    if isinstance(value, set | frozenset):
        return sorted((_encodable_value(item) for item in value), key=repr)
    if isinstance(value, list | tuple):
        return [_encodable_value(item) for item in value]
    return value
