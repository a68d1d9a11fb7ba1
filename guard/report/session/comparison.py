"""Two sessions side by side, in every format that a session has, and as text for a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final
from xml.etree import ElementTree

import msgspec

from guard import __version__
from guard.report.escape import visible, wrapped
from guard.report.junit_frame import document
from guard.report.session.content import VERDICTS, duration, moment
from guard.report.session.jsondoc import plain_json
from guard.report.session.markdown import code, escape, table
from guard.runner.compare import Comparison, Side
from guard.runner.record import Change

_WIDTH: Final = 100
_SHOWN: Final = 30
"""Changes of one kind that the text lists; the other formats have all."""


class ComparisonJson(msgspec.Struct, frozen=True, kw_only=True):
    """The whole document."""

    schema_version: int = 1
    guard: str
    comparison: Comparison


def render(form: str, comparison: Comparison) -> str:
    """`comparison` in a format: one of `FORMATS`, else KeyError."""
    return FORMATS[form](comparison)


def _text(comparison: Comparison) -> str:
    lines = [*_side_text("before", comparison.before), *_side_text("after", comparison.after), ""]
    for title, changes in _groups(comparison):
        if changes:
            lines.append(f"{title} ({len(changes):,}):")
            for change in changes[:_SHOWN]:
                lines += wrapped(_told(change), _WIDTH, f"  {change.kind:<13} ", " " * 16)
            if len(changes) > _SHOWN:
                lines.append(f"  … and {len(changes) - _SHOWN:,} more (--output json)")
            lines.append("")
    for one in comparison.latencies:
        told = ", ".join(
            f"p{of} {a:,.0f} → {b:,.0f}" for of, a, b in zip((50, 95, 99), one.before, one.after, strict=True)
        )
        lines.append(f"{visible(one.name)}: {told}")
    lines += [f"score {comparison.score:.2f} = {comparison.formula}"]
    return "\n".join(lines) + "\n"


def _side_text(label: str, side: Side) -> Iterator[str]:
    told = ", ".join(f"{number:,} {outcome}" for outcome, number in side.tests.items()) or "no tests"
    yield f"{label:<7} {visible(side.id)}  {VERDICTS[side.verdict]}, {told}"
    yield f"        {moment(side.started)}, {duration(side.duration_s)}, revision {visible(side.revision) or 'none'}"


def _groups(comparison: Comparison) -> tuple[tuple[str, Sequence[Change]], ...]:
    return ("Worse", comparison.worse), ("Better", comparison.better), ("Other differences", comparison.other)


def _told(change: Change) -> str:
    if change.before and change.after:
        return f"{change.subject}: {change.before} → {change.after}"
    return f"{change.subject}: {change.before or change.after}" if change.before or change.after else change.subject


def _json(comparison: Comparison) -> str:
    return plain_json(ComparisonJson(guard=__version__, comparison=comparison))


def _markdown(comparison: Comparison) -> str:
    before, after = comparison.before, comparison.after
    lines = [f"# Session {escape(after.id)} against {escape(before.id)}: {comparison.score:.2f}", ""]
    lines += [escape(comparison.formula), ""]
    rows = [(label, escape(one), escape(two)) for label, one, two in _facts(before, after)]
    lines += table(("", "before", "after"), rows, len(rows))
    for title, changes in _groups(comparison):
        if changes:
            found = ((one.kind, code(one.subject), escape(one.before), escape(one.after)) for one in changes)
            lines += [f"## {title}: {len(changes):,}", "", *table(("", "what", "before", "after"), found, len(changes))]
    return "\n".join(lines).rstrip("\n") + "\n"


def _facts(before: Side, after: Side) -> list[tuple[str, str, str]]:
    def facts(side: Side) -> list[str]:
        tests = ", ".join(f"{number:,} {outcome}" for outcome, number in side.tests.items())
        told = [side.id, VERDICTS[side.verdict], side.goal, tests, side.revision, side.tree]
        return [*told, moment(side.started), duration(side.duration_s)]

    labels = ("session", "verdict", "goal", "tests", "revision", "tree", "started", "took")
    return list(zip(labels, facts(before), facts(after), strict=True))


def _junit(comparison: Comparison) -> str:
    """What is worse as failures, what is better as cases that pass."""
    name = f"{comparison.after.id} against {comparison.before.id}"
    suite = ElementTree.Element("testsuite", name=visible(name))
    for change in comparison.worse:
        case = ElementTree.SubElement(suite, "testcase", classname=change.kind, name=visible(change.subject))
        ElementTree.SubElement(case, "failure", type=change.kind, message=visible(_told(change)))
    for change in comparison.better:
        ElementTree.SubElement(suite, "testcase", classname=change.kind, name=visible(change.subject))
    if not len(suite):
        ElementTree.SubElement(suite, "testcase", classname="comparison", name="nothing is worse")
    return document("guard loop compare", [suite])


def _html(comparison: Comparison) -> str:
    from guard.report.session.html import rendered  # jinja2 is slow to import

    facts = _facts(comparison.before, comparison.after)
    return rendered("comparison", comparison=comparison, facts=facts, groups=_groups(comparison), guard=__version__)


FORMATS: Final[Mapping[str, Callable[[Comparison], str]]] = {
    "text": _text,
    "json": _json,
    "junit": _junit,
    "markdown": _markdown,
    "html": _html,
}
