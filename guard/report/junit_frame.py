"""What every JUnit document has: its head, its suites, and their totals."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree

_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'


def document(name: str, suites: Sequence[ElementTree.Element], took_s: float | None = None) -> str:
    """A `testsuites` document, with the totals on it and on each of `suites`. All text in them has to be `visible`."""
    root = ElementTree.Element("testsuites", name=name)
    root.extend(suites)
    for suite in suites:
        _count(suite, [suite])
    _count(root, suites)
    if took_s is not None:
        root.set("time", f"{max(0.0, took_s):.3f}")
    ElementTree.indent(root)
    return f"{_HEAD}{ElementTree.tostring(root, encoding='unicode')}\n"


def _count(element: ElementTree.Element, suites: Sequence[ElementTree.Element]) -> None:
    """Write the totals of `suites` on `element`, which is one of them or their root."""
    element.set("tests", str(sum(len(suite) for suite in suites)))
    for total, outcome in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        element.set(total, str(sum(len(suite.findall(f"testcase/{outcome}")) for suite in suites)))
