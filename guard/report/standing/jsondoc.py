"""`json`: one document, in the shape that `guard/schemas/standing.schema.json` describes."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Final

import msgspec

from guard.census import Unread
from guard.model import Finding
from guard.report.context import RenderContext
from guard.report.escape import encodable
from guard.report.jsondoc import (
    FilesJson,
    FindingJson,
    ProblemJson,
    TreeJson,
    encoded,
    finding_json,
    problem_json,
    tree_json,
)
from guard.report.standing.words import formula
from guard.scoring.model import (
    GRADES,
    Appraisal,
    CategoryScore,
    Comparison,
    Lift,
    PackageScore,
    Point,
    Standing,
    change,
    points,
)

SCHEMA_VERSION: Final = 1
"""Raised when a reader of the old shape would misread the new one; a new key alone does not raise it."""


class ShareJson(msgspec.Struct, frozen=True):
    """Lines of a category in one area."""

    area: str
    lines: int
    clean: int
    unclean: int
    doubtful: int
    unread: int


class CategoryJson(msgspec.Struct, frozen=True):
    """One category that is in the score."""

    category: str
    label: str
    weight: int
    score: float
    best: float
    errors: int
    warnings: int
    areas: tuple[ShareJson, ...]


class AbsentJson(msgspec.Struct, frozen=True):
    """One that is not."""

    label: str
    why: str


class PackageJson(msgspec.Struct, frozen=True):
    """One part of the repository."""

    name: str
    files: int
    lines: int
    score: float
    costs: float
    errors: int
    warnings: int
    categories: Mapping[str, float]


class LiftJson(msgspec.Struct, frozen=True):
    """Findings with one cause, and what mending them is worth. The finding shown is the first of them."""

    category: str
    gain: float
    findings: int
    files: int
    code: str
    slug: str
    path: str
    line: int
    message: str
    help: str
    fingerprints: tuple[str, ...]


class UnreadJson(msgspec.Struct, frozen=True):
    """One place that was not analysed."""

    path: str
    area: str
    lines: int | None
    python: bool
    kind: str


class LeftOutJson(msgspec.Struct, frozen=True):
    """What the configuration leaves out, and the score does not."""

    files: int
    lines: int
    findings: int
    rules: tuple[str, ...]


class CountsJson(msgspec.Struct, frozen=True):
    """What the score is a share of."""

    files: int
    python_files: int
    lines: int
    unparsed_files: int
    unparsed_lines: int
    beside: Mapping[str, int]


class SinceJson(msgspec.Struct, frozen=True):
    """What is different since a revision."""

    rev: str
    commit: str
    score: float
    change: float
    categories: Mapping[str, float]
    new: tuple[str, ...]
    """Fingerprints."""
    fixed: tuple[FindingJson, ...]
    unchanged: int


class PointJson(msgspec.Struct, frozen=True):
    """One commit of the history."""

    commit: str
    date: str
    subject: str
    score: float
    errors: int
    warnings: int
    read: bool


class StandingJson(msgspec.Struct, frozen=True):
    """The whole document."""

    schema_version: int
    guard: str
    tree: TreeJson
    score: float
    best: float
    grade: str
    grades: Mapping[str, int]
    capped: bool
    stops: int
    formula: str
    area_weights: Mapping[str, int]
    counts: CountsJson
    categories: tuple[CategoryJson, ...]
    absent: tuple[AbsentJson, ...]
    packages: tuple[PackageJson, ...]
    lifts: tuple[LiftJson, ...]
    unread: tuple[UnreadJson, ...]
    left_out: LeftOutJson
    since: SinceJson | None
    history: tuple[PointJson, ...]
    notes: tuple[str, ...]
    failures: tuple[str, ...]
    files: FilesJson
    findings: tuple[FindingJson, ...]
    suppressed: int
    baselined: int
    problems: tuple[ProblemJson, ...]
    exit_code: int


def render(appraisal: Appraisal, _context: RenderContext) -> str:
    """The appraisal as one JSON document, indented by two."""
    report, standing = appraisal.report, appraisal.standing
    document = StandingJson(
        schema_version=SCHEMA_VERSION,
        guard=report.guard,
        tree=tree_json(report),
        score=points(standing.score),
        best=points(standing.best),
        grade=standing.grade,
        grades=dict(GRADES),
        capped=standing.is_capped,
        stops=standing.stops,
        formula=formula(standing),
        area_weights={str(area): weight for area, weight in standing.areas.items()},
        counts=CountsJson(
            standing.files,
            standing.python_files,
            standing.lines,
            standing.unparsed_files,
            standing.unparsed_lines,
            standing.beside,
        ),
        categories=tuple(map(_category, standing.categories)),
        absent=tuple(AbsentJson(one.label, one.why) for one in standing.absent),
        packages=tuple(map(_package, standing.packages)),
        lifts=tuple(map(_lift, standing.lifts)),
        unread=tuple(map(_unread, standing.unread)),
        left_out=_left_out(standing),
        since=_since(appraisal.comparison, standing.score) if appraisal.comparison is not None else None,
        history=tuple(map(_point, appraisal.history)),
        notes=tuple(map(encodable, appraisal.notes)),
        failures=tuple(map(encodable, appraisal.failures)),
        files=FilesJson(report.files_found, report.files_analysed),
        findings=tuple(map(finding_json, report.findings)),
        suppressed=report.suppressed,
        baselined=report.baselined,
        problems=tuple(map(problem_json, report.problems)),
        exit_code=appraisal.exit_code,
    )
    return encoded(document, indent=2)


def gained(gain: Fraction) -> float:
    """A gain as points of the score with four decimals, rounded down: in a large repository one finding is little."""
    return (gain.numerator * 1_000_000 // gain.denominator) / 10_000


def _category(one: CategoryScore) -> CategoryJson:
    shares = tuple(
        ShareJson(area, share.lines, share.clean, share.unclean, share.doubtful, share.unread)
        for area, share in one.areas.items()
    )
    return CategoryJson(
        one.category,
        one.category.label,
        one.weight,
        points(one.share),
        points(one.best),
        one.errors,
        one.warnings,
        shares,
    )


def _package(one: PackageScore) -> PackageJson:
    return PackageJson(
        encodable(one.name),
        one.files,
        one.lines,
        points(one.share),
        gained(one.costs),
        one.errors,
        one.warnings,
        {str(category): points(share) for category, share in one.categories.items()},
    )


def _lift(one: Lift) -> LiftJson:
    first = one.findings[0]
    return LiftJson(
        one.category,
        gained(one.gain),
        len(one.findings),
        len({finding.path for finding in one.findings}),
        first.code,
        first.slug,
        encodable(first.path),
        first.span.line,
        encodable(first.message),
        encodable(first.help),
        tuple(dict.fromkeys(encodable(finding.fingerprint) for finding in one.findings)),
    )


def _unread(one: Unread) -> UnreadJson:
    return UnreadJson(encodable(one.path), one.area, one.lines if one.lines >= 0 else None, one.python, one.kind)


def _left_out(standing: Standing) -> LeftOutJson:
    left_out = standing.left_out
    return LeftOutJson(left_out.files, left_out.lines, left_out.findings, left_out.rules)


def _since(comparison: Comparison, score: Fraction) -> SinceJson:
    since = comparison.since
    return SinceJson(
        rev=encodable(since.rev),
        commit=since.commit,
        score=points(comparison.before),
        change=change(score - comparison.before),
        categories={str(category): points(share) for category, share in comparison.categories.items()},
        new=tuple(_fingerprint(finding) for finding in comparison.new),
        fixed=tuple(map(finding_json, comparison.fixed)),
        unchanged=since.unchanged,
    )


def _fingerprint(finding: Finding) -> str:
    return encodable(finding.fingerprint)


def _point(point: Point) -> PointJson:
    return PointJson(
        point.commit,
        point.date,
        encodable(point.subject),
        points(point.score),
        point.errors,
        point.warnings,
        point.read,
    )
