"""A test that is in two phases: each phase shows it, and the worse of what it came to is what counts."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest

from guard.report.session.content import content
from guard.runner.goal import reached
from guard.runner.known import last_outcomes
from guard.runner.record import Session, Test, TestOutcome
from tests.runner.pages.page_sessions import good

PASSED, FAILED, SKIPPED, UNPROVEN = TestOutcome.PASSED, TestOutcome.FAILED, TestOutcome.SKIPPED, TestOutcome.UNPROVEN


def in_two(*outcomes: tuple[int, TestOutcome]) -> Session:
    """One test, alternately in the first phase and in the second."""
    session = good()
    first = session.tests[0]
    names = ("websocket events", "agents")
    tests = tuple(
        msgspec.structs.replace(first, phase=names[at % 2], cycle=cycle, outcome=outcome)
        for at, (cycle, outcome) in enumerate(outcomes)
    )
    return msgspec.structs.replace(session, tests=tests, selection=session.selection[:1])


@pytest.mark.parametrize(
    ("outcomes", "counts"),
    [
        ([(1, FAILED), (1, PASSED)], FAILED),
        ([(1, PASSED), (1, FAILED)], FAILED),
        ([(1, UNPROVEN), (1, PASSED)], UNPROVEN),
        ([(1, SKIPPED), (1, PASSED)], PASSED),
        ([(1, PASSED), (1, SKIPPED)], PASSED),
        ([(1, FAILED), (1, PASSED), (2, PASSED), (2, PASSED)], PASSED),
        ([(1, PASSED), (1, PASSED), (2, FAILED), (2, PASSED)], FAILED),
        ([(1, FAILED), (1, PASSED), (2, PASSED)], PASSED),
    ],
)
def test_the_worst_of_the_last_cycle_counts(outcomes: Sequence[tuple[int, TestOutcome]], counts: TestOutcome) -> None:
    session = in_two(*outcomes)
    (one,) = last_outcomes(session.tests).values()
    assert one.outcome is counts
    assert reached(session).met is (counts is PASSED)


def test_each_phase_shows_it() -> None:
    session = in_two((1, FAILED), (1, PASSED))
    shown: dict[str, list[Test]] = {one.name: list(one.tests) for one in content(session, ()).results}
    assert [test.outcome for test in shown["websocket events"]] == [FAILED]
    assert [test.outcome for test in shown["agents"]] == [PASSED]
