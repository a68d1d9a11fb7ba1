"""A list of sessions, in every format that one session has, and as text for a terminal."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final
from xml.etree import ElementTree

import msgspec

from guard import __version__
from guard.report.escape import visible
from guard.report.junit_frame import document
from guard.report.session.content import VERDICTS, duration, moment
from guard.report.session.jsondoc import plain_json
from guard.report.session.markdown import code, escape, table
from guard.runner.record import EXIT_CODES, Verdict
from guard.runner.store import Summary


class ListJson(msgspec.Struct, frozen=True, kw_only=True):
    """What `--output json` gives."""

    schema_version: int = 1
    guard: str
    sessions: tuple[Mapping[str, object], ...]


def render(form: str, sessions: Sequence[Summary]) -> str:
    """`sessions` in a format: one of `FORMATS`, else KeyError."""
    return FORMATS[form](sessions)


def counts(one: Summary) -> str:
    """How many tests ended how."""
    return ", ".join(f"{number} {outcome}" for outcome, number in one.tests.items()) or "no tests"


def _text(sessions: Sequence[Summary]) -> str:
    lines = [_line(one) for one in sessions] or ["There is no session yet; guard loop run makes one."]
    return "".join(f"{line}\n" for line in lines)


def _line(one: Summary) -> str:
    took = f"{one.ended - one.started:.0f} s" if one.ended else "not ended"
    return (
        f"{one.id}  {_iso(one.started)}  {one.verdict:<13}  {visible(one.target)}  "
        f"{visible(one.revision) or 'no revision'}  {counts(one)}  ({took})"
    )


def _json(sessions: Sequence[Summary]) -> str:
    return plain_json(ListJson(guard=__version__, sessions=tuple(map(_entry, sessions))))


def _entry(one: Summary) -> dict[str, object]:
    return {
        **msgspec.structs.asdict(one),
        "exit_code": EXIT_CODES[one.verdict],
        "started": _iso(one.started),
        "ended": _iso(one.ended) if one.ended else None,
    }


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _markdown(sessions: Sequence[Summary]) -> str:
    rows = (
        (
            code(one.id),
            moment(one.started),
            duration(one.ended - one.started) if one.ended else "not ended",
            VERDICTS[one.verdict],
            escape(one.target),
            escape(one.revision),
            counts(one),
        )
        for one in sessions
    )
    head = ("session", "started", "took", "verdict", "target", "revision", "tests")
    lines = ["# Sessions", "", *table(head, rows, len(sessions))]
    return "\n".join(lines).rstrip("\n") + "\n"


def _junit(sessions: Sequence[Summary]) -> str:
    """A case per session; one whose goal was not met is a failure."""
    suite = ElementTree.Element("testsuite", name="sessions")
    for one in sessions:
        took = f"{max(0.0, one.ended - one.started):.3f}"
        case = ElementTree.SubElement(suite, "testcase", classname=visible(one.target), name=visible(one.id), time=took)
        if one.verdict is not Verdict.GOAL_MET:
            message = f"{VERDICTS[one.verdict]}: {counts(one)}"
            ElementTree.SubElement(case, "failure", type=one.verdict, message=message)
    return document("guard loop list", [suite])


def _html(sessions: Sequence[Summary]) -> str:
    from guard.report.session.html import rendered  # jinja2 is slow to import

    return rendered("listing", sessions=sessions, verdicts=VERDICTS, counts=counts, guard=__version__)


FORMATS: Final[Mapping[str, Callable[[Sequence[Summary]], str]]] = {
    "text": _text,
    "json": _json,
    "junit": _junit,
    "markdown": _markdown,
    "html": _html,
}
