"""`junit`: XML in the form that CI systems show as test results.

A suite per phase, a case per test as it ended last; what is flaky or unproven is a failure, since it does not count.
Criteria are cases of their phase. Steps that failed are errors of a suite of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from xml.etree import ElementTree

from guard.report.escape import visible_char
from guard.report.session.content import Result, bounded, content
from guard.runner.record import Criterion, Outcome, Session, Step, Test, TestOutcome

_HEAD: Final = '<?xml version="1.0" encoding="UTF-8"?>\n'
_FAILURES: Final = frozenset({TestOutcome.FAILED, TestOutcome.FLAKY, TestOutcome.UNPROVEN})


def render(session: Session, earlier: Sequence[Session]) -> str:
    """The session as a `testsuites` document. Characters that XML 1.0 forbids are backslash escapes."""
    page = content(session, earlier)
    root = ElementTree.Element("testsuites", name=_text(f"guard loop {session.id}"))
    for result in page.results:
        _suite(root, result)
    steps = ElementTree.Element("testsuite", name="guard.loop")
    for step in session.steps:
        if not step.name.startswith("phase:") and step.outcome is not Outcome.SKIPPED:
            _step(steps, step)
    if len(steps):
        root.append(steps)
    suites = list(root)
    for suite in suites:
        _count(suite, [suite])
    _count(root, suites)
    root.set("time", f"{max(0.0, session.ended - session.started):.3f}")
    ElementTree.indent(root)
    return f"{_HEAD}{ElementTree.tostring(root, encoding='unicode')}\n"


def _suite(root: ElementTree.Element, result: Result) -> None:
    suite = ElementTree.SubElement(root, "testsuite", name=_text(result.name), time=f"{result.took_s:.3f}")
    for test in result.tests:
        _test(suite, test)
    for criterion in result.criteria:
        _criterion(suite, criterion)


def _test(suite: ElementTree.Element, test: Test) -> None:
    file, _, name = test.id.partition("::")
    case = ElementTree.SubElement(
        suite, "testcase", classname=_text(file), name=_text(name or file), time=f"{test.duration_s:.3f}"
    )
    told = _text(test.message or test.outcome)
    written = _block(bounded("\n".join(part for part in (test.output, test.stacks) if part)))
    if test.outcome is TestOutcome.SKIPPED:
        ElementTree.SubElement(case, "skipped", message=told)
    elif test.outcome in _FAILURES:
        kind = test.exception if test.outcome is TestOutcome.FAILED else test.outcome
        ElementTree.SubElement(case, "failure", type=_text(kind), message=told).text = written
    elif test.outcome is not TestOutcome.PASSED:
        ElementTree.SubElement(case, "error", type=_text(test.exception or test.outcome), message=told).text = written


def _criterion(suite: ElementTree.Element, criterion: Criterion) -> None:
    case = ElementTree.SubElement(suite, "testcase", classname="criterion", name=_text(criterion.expression))
    if criterion.outcome != "met":
        told = criterion.message or (
            f"it was {criterion.value}" if criterion.value else "there was nothing to judge by"
        )
        ElementTree.SubElement(case, "failure", type=_text(criterion.outcome), message=_text(told))


def _step(suite: ElementTree.Element, step: Step) -> None:
    case = ElementTree.SubElement(
        suite,
        "testcase",
        classname=f"cycle {step.cycle}",
        name=_text(step.name),
        time=f"{max(0.0, step.ended - step.started):.3f}",
    )
    if step.outcome is not Outcome.OK:
        error = ElementTree.SubElement(case, "error", type=step.outcome, message=_text(step.summary or step.outcome))
        error.text = _block(bounded("\n".join(f"{one.source} {one.place}\n{one.text}" for one in step.evidence)))


def _text(text: str) -> str:
    """On one line, with nothing that XML forbids."""
    return "".join(map(visible_char, text))


def _block(text: str) -> str:
    """The same, with its lines kept."""
    return "\n".join(_text(line) for line in text.splitlines())


def _count(element: ElementTree.Element, suites: Sequence[ElementTree.Element]) -> None:
    """Write the totals of `suites` on `element`, which is one of them or their root."""
    element.set("tests", str(sum(len(suite) for suite in suites)))
    for total, outcome in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        element.set(total, str(sum(len(suite.findall(f"testcase/{outcome}")) for suite in suites)))
