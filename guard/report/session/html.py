"""`html`: the session as one self-contained page: no network, no script, light and dark, for paper too."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Final

import msgspec

from guard import __version__
from guard.report.session.content import Result, bounded, content, dry_run, duration, fresh, moment
from guard.report.tally import counted
from guard.report.templates import environment
from guard.runner.record import Session, TestOutcome

_TONES: Final = {
    "ok": "good",
    "met": "good",
    "passed": "good",
    "resolved": "good",
    "unproven": "unsure",
    "flaky": "unsure",
    "not-checked": "unsure",
    "skipped": "quiet",
    "": "quiet",
}
_MARKS: Final = {"good": "✓", "unsure": "?", "quiet": "–", "bad": "✗"}


class _Bar(msgspec.Struct, frozen=True, kw_only=True):
    """A step on the time line, in percent of the session."""

    left: float
    width: float


def render(session: Session, earlier: Sequence[Session]) -> str:
    """The page. Nothing in the record becomes markup."""
    page = content(session, earlier)
    return rendered(
        "session",
        page=page,
        session=session,
        bars=_bars(session),
        split=_split,
        shares=_shares,
        fresh=functools.partial(fresh, shown=set()),
        guard=__version__,
    )


def rendered(template: str, **values: object) -> str:
    """One of the pages of this package with `values`, none of which becomes markup."""
    pages = environment(__package__)
    pages.filters.update(
        moment=moment, duration=duration, bounded=bounded, counted=counted, dry_run=dry_run, tone=tone, mark=mark
    )
    return pages.get_template(f"{template}.html.jinja").render(values).rstrip("\n") + "\n"


def tone(outcome: str) -> str:
    """The class of an outcome: `good`, `unsure`, `quiet` or `bad`."""
    return _TONES.get(outcome, "bad")


def mark(outcome: str) -> str:
    """A sign for an outcome, since colour alone tells some readers nothing."""
    return _MARKS[tone(outcome)]


def _split(result: Result) -> tuple[Sequence[object], Sequence[object]]:
    """The tests of a phase that did not pass, and those that did."""
    bad = [test for test in result.tests if test.outcome is not TestOutcome.PASSED]
    return bad, [test for test in result.tests if test.outcome is TestOutcome.PASSED]


def _shares(result: Result) -> list[tuple[str, int]]:
    """Each outcome of a phase with its number, as parts of one bar."""
    counts = [(outcome.value, sum(test.outcome is outcome for test in result.tests)) for outcome in TestOutcome]
    return [(outcome, number) for outcome, number in counts if number]


def _bars(session: Session) -> list[_Bar]:
    end = max([session.ended, *(step.ended for step in session.steps)], default=0.0)
    start = min([session.started, *(step.started for step in session.steps)], default=0.0)
    whole = max(end - start, 1e-9)
    return [
        _Bar(
            left=round(100 * (step.started - start) / whole, 2),
            width=round(max(0.4, 100 * (step.ended - step.started) / whole), 2),
        )
        for step in session.steps
    ]
