"""Showing a session while it runs, on standard error: a live table on a terminal, lines of a log elsewhere."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator

import structlog
from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from guard.report.escape import visible
from guard.runner.journal import Watcher
from guard.runner.record import Outcome, Session, Step, Test, TestOutcome

_STYLES = {
    Outcome.OK: "green",
    Outcome.FAILED: "bold red",
    Outcome.BLOCKED: "bold red",
    Outcome.UNPROVEN: "yellow",
    Outcome.SKIPPED: "dim",
}
_NO = ("", "0", "false")
_WELL = (TestOutcome.PASSED, TestOutcome.SKIPPED)


@contextlib.contextmanager
def watcher(session: Session) -> Iterator[Watcher]:
    """What shows `session` while it runs."""
    console = Console(stderr=True)
    if not console.is_terminal or console.is_dumb_terminal or os.environ.get("CI", "false").lower() not in _NO:
        yield LogLines(session)
        return
    table = LiveTable(session)
    with Live(table, console=console, refresh_per_second=4):
        yield table


class LogLines:
    """One line for each thing that happens, with its time in UTC; of tests that are well only their number."""

    def __init__(self, session: Session) -> None:
        self._log = structlog.wrap_logger(
            structlog.WriteLogger(sys.stderr),
            processors=[
                structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=True),
                structlog.dev.ConsoleRenderer(colors=False, pad_event_to=0, sort_keys=False),
            ],
        )
        self._log.msg("session", id=session.id, target=visible(session.target))
        self._counts: Counter[TestOutcome] = Counter()

    def begun(self, session: Session, name: str, cycle: int) -> None:
        """A step begins."""
        self._counts.clear()
        self._log.msg("begun", step=visible(name), cycle=cycle)

    def line(self, text: str) -> None:
        """Something to know while a step runs."""
        self._log.msg(visible(text))

    def test(self, test: Test) -> None:
        """A test has ended."""
        self._counts[test.outcome] += 1
        if test.outcome not in _WELL:
            self._log.msg(str(test.outcome), test=visible(test.id), message=visible(test.message))
        elif sum(self._counts.values()) % 100 == 0:
            self._log.msg("tests", **{str(one): number for one, number in self._counts.items()})

    def ended(self, session: Session, step: Step) -> None:
        """A step has ended."""
        took = f"{step.ended - step.started:.1f}"
        self._log.msg(str(step.outcome), step=visible(step.name), seconds=took, summary=visible(step.summary))


class LiveTable:
    """The steps of the cycle, with the test that ended last below them."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._running = ""
        self._since = time.time()
        self._cycle = 1
        self._last = ""
        self._counts: Counter[TestOutcome] = Counter()

    def begun(self, session: Session, name: str, cycle: int) -> None:
        """A step begins."""
        self._session, self._running, self._cycle, self._since = session, name, cycle, time.time()
        self._last = ""
        self._counts.clear()

    def line(self, text: str) -> None:
        """Something to know while a step runs."""
        self._last = visible(text)

    def test(self, test: Test) -> None:
        """A test has ended."""
        self._counts[test.outcome] += 1
        self._last = visible(f"{test.outcome} {test.id}")

    def ended(self, session: Session, step: Step) -> None:
        """A step has ended."""
        self._session, self._running = session, ""

    def __rich__(self) -> Group:
        """As it stands now."""
        table = Table(title=f"session {self._session.id} on {escape(visible(self._session.target))}", expand=True)
        for heading, ratio in (("step", 2), ("outcome", None), ("seconds", None), ("", 3)):
            table.add_column(heading, ratio=ratio, no_wrap=True, overflow="ellipsis")
        for step in self._session.steps:
            if step.cycle == self._cycle:
                outcome = Text(step.outcome, style=_STYLES[step.outcome])
                took = f"{step.ended - step.started:.1f}"
                table.add_row(Text(visible(step.name)), outcome, took, Text(visible(step.summary)))
        if self._running:
            took = f"{time.time() - self._since:.1f}"
            counts = ", ".join(f"{number} {one}" for one, number in sorted(self._counts.items()))
            table.add_row(Text(visible(self._running), style="bold"), "…", took, counts)
        return Group(table, Text(self._last, style="dim", no_wrap=True, overflow="ellipsis"))
