"""`junit`: XML in the form that CI systems show as test results.

A suite per phase, a case per test as it ended last; what is flaky or unproven is a failure, since it does not count.
Criteria are cases of their phase. Steps that failed are errors of a suite of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from xml.etree import ElementTree

from guard.report.escape import visible
from guard.report.junit_frame import document
from guard.report.session.content import Result, bounded, content
from guard.runner.record import Criterion, Outcome, Session, Step, Test, TestOutcome

_FAILURES: Final = frozenset({TestOutcome.FAILED, TestOutcome.FLAKY, TestOutcome.UNPROVEN})


def render(session: Session, earlier: Sequence[Session]) -> str:
    """The session as a `testsuites` document. Characters that XML 1.0 forbids are backslash escapes."""
    page = content(session, earlier)
    steps = ElementTree.Element("testsuite", name="guard.loop")
    for step in session.steps:
        if not step.name.startswith("phase:") and step.outcome is not Outcome.SKIPPED:
            _step(steps, step)
    suites = [*map(_suite, page.results), *([steps] if len(steps) else [])]
    return document(visible(f"guard loop {session.id}"), suites, session.ended - session.started)


def _suite(result: Result) -> ElementTree.Element:
    suite = ElementTree.Element("testsuite", name=visible(result.name), time=f"{result.took_s:.3f}")
    for test in result.tests:
        _test(suite, test)
    for criterion in result.criteria:
        _criterion(suite, criterion)
    return suite


def _test(suite: ElementTree.Element, test: Test) -> None:
    file, _, name = test.id.partition("::")
    case = ElementTree.SubElement(
        suite, "testcase", classname=visible(file), name=visible(name or file), time=f"{test.duration_s:.3f}"
    )
    told = visible(test.message or test.outcome)
    written = _block(bounded("\n".join(part for part in (test.output, test.stacks) if part)))
    if test.outcome is TestOutcome.SKIPPED:
        ElementTree.SubElement(case, "skipped", message=told)
    elif test.outcome in _FAILURES:
        kind = test.exception if test.outcome is TestOutcome.FAILED else test.outcome
        ElementTree.SubElement(case, "failure", type=visible(kind), message=told).text = written
    elif test.outcome is not TestOutcome.PASSED:
        ElementTree.SubElement(case, "error", type=visible(test.exception or test.outcome), message=told).text = written


def _criterion(suite: ElementTree.Element, criterion: Criterion) -> None:
    case = ElementTree.SubElement(suite, "testcase", classname="criterion", name=visible(criterion.expression))
    if criterion.outcome != "met":
        told = criterion.message or (
            f"it was {criterion.value}" if criterion.value else "there was nothing to judge by"
        )
        ElementTree.SubElement(case, "failure", type=visible(criterion.outcome), message=visible(told))


def _step(suite: ElementTree.Element, step: Step) -> None:
    case = ElementTree.SubElement(
        suite,
        "testcase",
        classname=f"cycle {step.cycle}",
        name=visible(step.name),
        time=f"{max(0.0, step.ended - step.started):.3f}",
    )
    if step.outcome is not Outcome.OK:
        error = ElementTree.SubElement(case, "error", type=step.outcome, message=visible(step.summary or step.outcome))
        error.text = _block(bounded("\n".join(f"{one.source} {one.place}\n{one.text}" for one in step.evidence)))


def _block(text: str) -> str:
    """Literal text, with its lines kept."""
    return "\n".join(visible(line) for line in text.splitlines())
