"""Criteria: what they say of what was measured, and of what was not."""

from __future__ import annotations

from typing import Any

import pytest

from guard.runner.criteria import check, judge
from guard.runner.plan import Phase
from guard.runner.record import Criterion, Test, TestOutcome


def _test(name: str = "a", outcome: str = "passed", **rest: Any) -> Test:
    return Test(id=f"t.py::{name}", phase="p", cycle=1, outcome=TestOutcome(outcome), **rest)


def _judged(expression: str, *tests: Test, duration_s: float = 5.0) -> Criterion:
    phase = Phase(name="p", tests=("t.py",), criteria=(expression,))
    return judge(phase, 1, tests, duration_s)[0]


TIMES = tuple(_test(str(at), measurements={"ms": (at, at + 0.5)}) for at in range(1, 51))
EVENTS = ("agent_started", "agent_thinking", "tool_executing", "tool_completed", "agent_completed")
LISTED = ", ".join(EVENTS)


@pytest.mark.parametrize(
    ("expression", "value", "outcome"),
    [
        ("p50(ms) < 26", "25.5", "met"),
        ("p95(ms) < 48", "48", "missed"),
        ("p99(ms) <= 50", "50", "met"),
        ("max(ms) == 50.5", "50.5", "met"),
        ("min(ms) == 1", "1", "met"),
        ("mean(ms) > 25.7", "25.75", "met"),
        ("count(ms) >= 100", "100", "met"),
        ("sum(ms) != 2575", "2575", "missed"),
        ("duration < 5", "5", "missed"),
        ("pass_rate == 100%", "1", "met"),
        ("p95(other) < 5", "", "unproven"),
        ("count(other) == 0", "", "unproven"),
        ("other contains [a]", "", "unproven"),
        ("errors('1011') == 0", "0", "met"),
    ],
)
def test_numbers(expression: str, value: str, outcome: str) -> None:
    criterion = _judged(expression, *TIMES)
    assert (criterion.value, criterion.outcome) == (value, outcome)


def test_only_passes_count_and_skips_are_not_asked() -> None:
    tests = [_test(one, one) for one in ("passed", "failed", "flaky", "unproven", "skipped")]
    assert _judged("pass_rate >= 0.25", *tests).value == "0.25"


def test_nothing_measured_is_unproven_never_met() -> None:
    for expression in ("pass_rate == 1.0", "errors('1011') == 0", "p95(ms) < 1"):
        assert _judged(expression).outcome == "unproven"
        assert _judged(expression, _test(outcome="skipped")).outcome == "unproven"


def test_errors_are_those_of_failures_and_of_what_was_caught() -> None:
    tests = [
        _test("a", "failed", message="received 1011 (internal error)"),
        _test("b", "failed", facts={"close_code": "1011"}),
        _test("c", "unproven", swallowed=("ConnectionClosedError: received 1011",)),
        _test("d", "failed", message="took 10113 ms"),
        _test("e", "passed", message="1011"),
    ]
    assert _judged('errors("1011") == 0', *tests).value == "3"
    assert _judged('errors("internal error") == 1', *tests).outcome == "met"


@pytest.mark.parametrize(
    ("came", "outcome", "message"),
    [
        (EVENTS, "met", ""),
        (("x", *EVENTS, "y"), "met", ""),
        ((*EVENTS[:3], EVENTS[2], *EVENTS[3:]), "met", ""),
        ((LISTED,), "met", ""),
        (EVENTS[:4], "missed", "agent_completed did not come"),
        ((EVENTS[0], EVENTS[2], EVENTS[1], *EVENTS[3:]), "missed", "not in this order"),
        ((*EVENTS[1:], *EVENTS), "missed", "not in this order"),
    ],
)
def test_events_in_order(came: tuple[str, ...], outcome: str, message: str) -> None:
    test = _test(measurements={"events": came})
    criterion = _judged(f"events contains [{LISTED}] in order", test)
    assert criterion.outcome == outcome
    assert message in criterion.message
    assert _judged(f"order({LISTED})", test).outcome == outcome


def test_every_test_that_has_events_must_have_them_in_order() -> None:
    tests = [_test("a", measurements={"events": ("a", "b")}), _test("b", measurements={"events": ("b", "a")}), _test()]
    assert "t.py::b" in _judged("order(a, b)", *tests).message
    assert _judged("events contains [b, a]", *tests).outcome == "met"


def test_a_test_with_other_events_is_not_asked_unless_there_are_only_such() -> None:
    other = _test("a", measurements={"events": ("x", "y")})
    assert _judged("order(a, b)", other, _test("b", measurements={"events": ("a", "b")})).outcome == "met"
    missed = _judged("order(a, b)", other)
    assert (missed.outcome, missed.value) == ("missed", "x, y")


@pytest.mark.parametrize(
    ("expression", "error"),
    [
        ("", "column 1: expected one of pass_rate, duration, p50"),
        ("p95(ms) < ", "column 11: expected a number, found the end"),
        ("p95(ms) ~ 3", "column 9: expected one of == != < <= > >=, found ~ 3"),
        ("p96(ms) < 3", "p96 is no function; there are p50, p90"),
        ("p95 < 3", "column 5: expected (, found < 3"),
        ("pass_rate == 1.0 and duration < 3", "column 18: expected the end, found and duration < 3"),
        ("events contains a", "column 17: expected [, found a"),
        ("events contains [a, ] in order", "column 21: expected a name, or a text in quotes, found ] in order"),
        ("events contains [a] in turn", "column 24: expected order, found turn"),
        ("errors('1011 == 0", "column 8: expected a name, or a text in quotes"),
        ("pass_rate = 1", "column 11: expected one of =="),
        ("duration < 1.2.3", "expected a number"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(expression: str, error: str) -> None:
    assert error in (check(expression) or "")
    assert _judged(expression, *TIMES).outcome == "unproven"


def test_what_is_right_passes() -> None:
    for expression in ("pass_rate == 1.0", "duration<300", "events contains [a, 'b c'] in order", "order(data)"):
        assert check(expression) is None
