"""`junit`: XML in the form that CI systems show as test results.

A suite per family, a case per finding: errors and warnings are failures, an info is a case that passes and says
why. Problems are errors of a suite of their own. A clean report holds one case that passes, so that the check
is seen to have run.
"""

from __future__ import annotations

from xml.etree import ElementTree

from guard.model import Finding, Problem, Report, Severity
from guard.report.context import RenderContext
from guard.report.escape import visible
from guard.report.junit_frame import document
from guard.report.tally import by_family, extent, set_aside


def render(report: Report, _context: RenderContext) -> str:
    """The report as a `testsuites` document. Characters that XML 1.0 forbids are backslash escapes."""
    suites = []
    for family, findings in by_family(report.findings).items():
        suite = ElementTree.Element("testsuite", name=f"guard.{family}")
        for finding in findings:
            _case(suite, finding)
        suites.append(suite)
    run = ElementTree.Element("testsuite", name="guard")
    if not report.files_analysed:
        _error(run, "files", "nothing-analysed", f"Nothing was analysed: {extent(report)}.")
    elif not report.findings and not report.problems:
        case = ElementTree.SubElement(run, "testcase", classname="guard", name="check")
        ElementTree.SubElement(
            case, "system-out"
        ).text = f"{', '.join(['Clean', *set_aside(report)])}: {extent(report)}."
    for problem in report.problems:
        _problem(run, problem)
    return document("guard", [*suites, *([run] if len(run) else [])], report.total_s)


def _case(suite: ElementTree.Element, finding: Finding) -> None:
    place = f"{visible(finding.path)}:{finding.span.line}:{finding.span.column}"
    case = ElementTree.SubElement(
        suite,
        "testcase",
        classname=f"{finding.code} {finding.slug}",
        name=place,
        file=visible(finding.path),
        line=str(finding.span.line),
    )
    text = "\n".join(visible(line) for line in _explanation(place, finding))
    if finding.severity is Severity.INFO:
        ElementTree.SubElement(case, "system-out").text = text
        return
    message = f"{finding.severity} [{finding.impact}]: {visible(finding.message)}"
    ElementTree.SubElement(case, "failure", type=finding.code, message=message).text = text


def _explanation(place: str, finding: Finding) -> list[str]:
    lines = [f"{place}: {finding.code} {finding.message} [{finding.impact}]"]
    lines += [f"see {related.path}:{related.line}: {related.message}" for related in finding.related]
    if finding.cause:
        lines.append(f"in production: {finding.cause}")
    if finding.help:
        lines.append(f"help: {finding.help}")
    return lines


def _problem(suite: ElementTree.Element, problem: Problem) -> None:
    name = visible(problem.path) or problem.kind
    if problem.fatal:
        _error(suite, name, problem.kind, visible(problem.message))
        return
    case = ElementTree.SubElement(suite, "testcase", classname=problem.kind, name=name)
    ElementTree.SubElement(case, "skipped", message=visible(problem.message))


def _error(suite: ElementTree.Element, name: str, kind: str, message: str) -> None:
    case = ElementTree.SubElement(suite, "testcase", classname=kind, name=name)
    ElementTree.SubElement(case, "error", type=kind, message=message)
