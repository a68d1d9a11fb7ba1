"""`sarif`: SARIF 2.1.0, for GitHub code scanning and every viewer that reads the standard."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from guard.model import WHOLE_FILE, Finding, Problem, Related, Report, Severity, Span
from guard.report import sarif_model as sarif
from guard.report.context import RenderContext
from guard.report.escape import encodable
from guard.report.jsondoc import encoded
from guard.report.tally import family_of

if TYPE_CHECKING:
    from guard.registry import Rule

SCHEMA_URI: Final = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_ROOT: Final = "%SRCROOT%"
_RELATED: Final = 100
"""Related locations of one result; GitHub keeps 100 and refuses a result with more than 1,000."""
_LEVEL: Final = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}
_GITHUB_SEVERITY: Final = {
    Severity.ERROR: "error",
    Severity.WARNING: "warning",
    Severity.INFO: "recommendation",
}


def render(report: Report, context: RenderContext) -> str:
    """The report as a SARIF log of one run.

    Findings beyond `context.sarif_results` are left out from the end of the report's order, which puts the least
    important last; a notification says how many of which rules.
    """
    cap = context.sarif_results or len(report.findings)
    kept, cut = report.findings[:cap], report.findings[cap:]
    codes = sorted({*context.rules, *(finding.code for finding in kept)})
    slugs = {finding.code: finding.slug for finding in kept}
    index = {code: number for number, code in enumerate(codes)}
    run = sarif.Run(
        tool=sarif.Tool(
            driver=sarif.Driver(
                name="guard",
                semantic_version=report.guard,
                rules=tuple(_descriptor(code, context.rules, slugs) for code in codes),
            )
        ),
        invocations=(
            sarif.Invocation(
                execution_successful=report.exit_code != 3,
                exit_code=report.exit_code,
                tool_execution_notifications=(*_cut_notice(cut, cap), *map(_notification, report.problems)),
            ),
        ),
        original_uri_base_ids=sarif.Bases(
            root=sarif.BaseLocation(description=sarif.Message(text="The root of the tree that was checked."))
        ),
        column_kind="unicodeCodePoints",
        results=tuple(_result(finding, index[finding.code]) for finding in kept),
    )
    return encoded(sarif.Log(schema=SCHEMA_URI, version="2.1.0", runs=(run,)), indent=2)


def _descriptor(code: str, rules: Mapping[str, Rule], slugs: Mapping[str, str]) -> sarif.Descriptor:
    """A rule's metadata from its documentation; only its id and name where the documentation was not given."""
    rule = rules.get(code)
    if rule is None:
        return sarif.Descriptor(id=code, name=slugs[code])
    summary = encodable(rule.summary)
    full = encodable(rule.section("What it does")) or summary
    doc = encodable(rule.doc)
    return sarif.Descriptor(
        id=code,
        name=rule.slug,
        short_description=sarif.Message(text=summary),
        full_description=sarif.MultiformatMessage(text=full, markdown=full),
        help=sarif.MultiformatMessage(text=doc, markdown=doc),
        default_configuration=sarif.Configuration(level=_LEVEL[rule.severity]),
        properties=sarif.RuleProperties(tags=(family_of(code),), problem_severity=_GITHUB_SEVERITY[rule.severity]),
    )


def _result(finding: Finding, rule_index: int) -> sarif.Result:
    symbol = encodable(finding.symbol)
    logical = (sarif.LogicalLocation(fully_qualified_name=symbol),) if symbol else ()
    return sarif.Result(
        rule_id=finding.code,
        rule_index=rule_index,
        level=_LEVEL[finding.severity],
        message=_message(*_paragraphs(finding)),
        locations=(
            sarif.Location(physical_location=_place(finding.path, _region(finding.span)), logical_locations=logical),
        ),
        related_locations=tuple(_related(number, place) for number, place in enumerate(finding.related[:_RELATED])),
        partial_fingerprints=sarif.Fingerprints(guard_v1=encodable(finding.fingerprint)),
        properties=sarif.ResultProperties(
            impact=finding.impact,
            symbol=symbol,
            fix=finding.fix.applicability if finding.fix else "",
            omitted_related_locations=max(0, len(finding.related) - _RELATED),
        ),
    )


def _paragraphs(finding: Finding) -> list[str]:
    """Message, cause, help and fix: GitHub shows nothing of a result but its message."""
    parts = [finding.message]
    if finding.cause:
        parts.append(f"In production: {finding.cause}")
    if finding.help:
        parts.append(f"Help: {finding.help}")
    if finding.fix is not None:
        option = "--fix" if finding.fix.applicability == "safe" else "--fix --unsafe-fixes"
        parts.append(f"guard check {option}: {finding.fix.description}")
    return parts


def _message(*paragraphs: str) -> sarif.Message:
    """A plain-text message. `[text](target)` would be a link in it (SARIF 2.1.0, 3.11.6), so it is broken up."""
    return sarif.Message(text=encodable("\n".join(paragraphs)).replace("](", "] ("))


def _related(number: int, place: Related) -> sarif.Location:
    region = sarif.Region(start_line=max(1, place.line))
    return sarif.Location(id=number, physical_location=_place(place.path, region), message=_message(place.message))


def _place(path: str, region: sarif.Region | None = None) -> sarif.PhysicalLocation:
    return sarif.PhysicalLocation(
        artifact_location=sarif.ArtifactLocation(uri=_uri(path), uri_base_id=_ROOT), region=region
    )


def _uri(path: str) -> str:
    """A relative URI of `path`; bytes that are not UTF-8 are percent-encoded as they are on disk."""
    try:
        return quote(path.encode("utf-8", "surrogateescape"), safe="/")
    except UnicodeEncodeError:
        return quote(encodable(path), safe="/")


def _region(span: Span) -> sarif.Region:
    """The span as a region that the standard allows: nothing below 1, and no end before its beginning."""
    span = span.closed()
    line, column = max(1, span.line), max(1, span.column)
    if span == WHOLE_FILE:
        return sarif.Region(start_line=1)
    end_line = max(line, span.end_line)
    end_column = max(1, span.end_column) if end_line > line else max(column, span.end_column)
    return sarif.Region(start_line=line, start_column=column, end_line=end_line, end_column=end_column)


def _notification(problem: Problem) -> sarif.Notification:
    return sarif.Notification(
        descriptor=sarif.DescriptorReference(id=problem.kind),
        level="error" if problem.fatal else "note",
        message=_message(problem.message),
        locations=(sarif.Location(physical_location=_place(problem.path)),) if problem.path else (),
    )


def _cut_notice(cut: Sequence[Finding], cap: int) -> list[sarif.Notification]:
    if not cut:
        return []
    numbers = Counter(finding.code for finding in cut).most_common()
    listed = ", ".join(f"{number:,} {code}" for code, number in sorted(numbers, key=lambda pair: (-pair[1], pair[0])))
    text = f"{cap:,} of {cap + len(cut):,} results are written; the least important are left out: {listed}."
    return [
        sarif.Notification(
            descriptor=sarif.DescriptorReference(id="results-left-out"),
            level="warning",
            message=sarif.Message(text=text),
        )
    ]
