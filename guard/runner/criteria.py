"""Criteria: expressions over what the tests of a phase measured.

    pass_rate == 1.0                                   of the tests that ran
    duration < 300                                     seconds, of the phase
    p95(response_ms) < 2000                            p50 p90 p95 p99 max min mean count sum of a measurement
    errors("1011") == 0                                tests whose failure, or what they caught, holds the text
    events contains [started, thinking, done] in order
    order(data, optimization, reporting)               short for: events contains […] in order

A measurement is what tests report with `record_property(name, value)`, or with `guard_measure` on top of it. A
criterion without data is unproven.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Final

import msgspec

from guard.runner.plan import Phase
from guard.runner.record import Criterion, Test, TestOutcome

_TOKEN: Final = re.compile(
    r"""\s*(?:
    (?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?%?)(?![\w.])
  | (?P<name>[A-Za-z_][\w.\-]*)
  | (?P<text>"[^"]*"|'[^']*')
  | (?P<sign>==|!=|<=|>=|<|>|[(),\[\]])
)""",
    re.VERBOSE,
)
_COMPARE: Final[Mapping[str, Callable[[float, float], bool]]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_PERCENTILES: Final = {"p50": 50, "p90": 90, "p95": 95, "p99": 99}
_FUNCTIONS: Final = (*_PERCENTILES, "max", "min", "mean", "sum", "count")
_CALLS: Final = (*_FUNCTIONS, "errors", "order")
_PLAIN: Final = ("pass_rate", "duration")
_EVENTS: Final = "events"
_BAD: Final = frozenset({TestOutcome.FAILED, TestOutcome.ERROR, TestOutcome.TIMEOUT, TestOutcome.FLAKY})


class Compare(msgspec.Struct, frozen=True):
    """`function(argument) sign number`; the argument is empty for `pass_rate` and `duration`."""

    function: str
    argument: str
    sign: str
    number: float


class Contains(msgspec.Struct, frozen=True):
    """A measurement holds these values: in this order, others between them, or in any."""

    name: str
    values: tuple[str, ...]
    in_order: bool


class Bad(Exception):
    """An expression that is not well formed; says where."""


def check(expression: str) -> str | None:
    """What is wrong with an expression, and where; None where it is well formed."""
    try:
        parse(expression)
    except Bad as error:
        return str(error)
    return None


def judge(phase: Phase, cycle: int, tests: Sequence[Test], duration_s: float) -> tuple[Criterion, ...]:
    """What came of each criterion of a phase, in their order. `tests` are those of the phase in this cycle, each once;
    `duration_s` is the phase's, in seconds."""
    return tuple(
        Criterion(phase=phase.name, cycle=cycle, expression=expression, value=value, outcome=outcome, message=message)
        for expression in phase.criteria
        for value, outcome, message in [_judged(expression, tests, duration_s)]
    )


def _judged(expression: str, tests: Sequence[Test], duration_s: float) -> tuple[str, str, str]:
    """Value, outcome and message."""
    try:
        parsed = parse(expression)
    except Bad as error:
        return "", "unproven", str(error)
    if isinstance(parsed, Contains):
        return _contained(parsed, tests)
    try:
        value = _measured(parsed, tests, duration_s)
    except _NoData as error:
        return "", "unproven", str(error)
    met = _COMPARE[parsed.sign](value, parsed.number)
    return f"{value:g}", "met" if met else "missed", ""


class _NoData(Exception):
    pass


def _measured(asked: Compare, tests: Sequence[Test], duration_s: float) -> float:
    if asked.function == "duration":
        return duration_s
    ran = [test for test in tests if test.outcome is not TestOutcome.SKIPPED]
    if not ran:
        raise _NoData("no test ran")
    if asked.function == "pass_rate":
        return sum(test.outcome is TestOutcome.PASSED for test in ran) / len(ran)
    if asked.function == "errors":
        return float(sum(_has_error(test, asked.argument) for test in ran))
    values = list(_numbers(ran, asked.argument))
    if asked.function == "count" and values:
        return float(len(values))
    if not values:
        raise _NoData(f'no test reported "{asked.argument}" as a number')
    return _statistic(asked.function, sorted(values))


def _statistic(function: str, values: Sequence[float]) -> float:
    """Of at least one value, sorted. Percentiles are nearest-rank: values that were measured, never between two."""
    if function in _PERCENTILES:
        return values[max(math.ceil(_PERCENTILES[function] / 100 * len(values)), 1) - 1]
    if function in ("max", "min"):
        return values[-1 if function == "max" else 0]
    return math.fsum(values) / (len(values) if function == "mean" else 1)


def _numbers(tests: Sequence[Test], name: str) -> Iterator[float]:
    for test in tests:
        for value in test.measurements.get(name, ()):
            if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
                yield float(value)


def _has_error(test: Test, text: str) -> bool:
    """Whether a text stands in what a test failed of, or caught; a number only as a whole one."""
    seen = [*test.swallowed]
    if test.outcome in _BAD:
        seen += [test.message, test.exception, *test.facts.values()]
    pattern = re.compile(rf"(?<!\d){re.escape(text)}(?!\d)" if text.isdigit() else re.escape(text))
    return any(pattern.search(one) for one in seen)


def _contained(asked: Contains, tests: Sequence[Test]) -> tuple[str, str, str]:
    """Every test that reported one of the values must hold them all; a test that is about others is left out."""
    all_of_them = {
        test.id: _listed(test.measurements[asked.name]) for test in tests if test.measurements.get(asked.name)
    }
    if not all_of_them:
        return "", "unproven", f'no test reported "{asked.name}"'
    seen = {test: values for test, values in all_of_them.items() if set(values) & set(asked.values)}
    if not seen:
        test, values = next(iter(all_of_them.items()))
        return ", ".join(values), "missed", f"none of {', '.join(asked.values)} came, in {test} for one"
    for test, values in seen.items():
        missing = [one for one in asked.values if one not in values]
        if missing:
            return ", ".join(values), "missed", f"{', '.join(missing)} did not come, in {test}"
        if asked.in_order and not _in_order(asked.values, values):
            return ", ".join(values), "missed", f"not in this order, in {test}"
    return ", ".join(next(iter(seen.values()))), "met", ""


def _listed(values: Sequence[object]) -> list[str]:
    """Values that were reported one by one, or as one text with commas."""
    if len(values) == 1 and isinstance(values[0], str) and "," in values[0]:
        return [one.strip(" []'\"") for one in values[0].split(",")]
    return [str(value) for value in values]


def _in_order(wanted: Sequence[str], values: Sequence[str]) -> bool:
    # Each of them first comes after the first of the one before it: one that comes late is no excuse for coming early.
    places = [values.index(one) for one in wanted]
    return all(before < after for before, after in pairwise(places))


# Parsing


def parse(expression: str) -> Compare | Contains:
    """The parts of an expression. Raises Bad."""
    reader = _Reader(expression)
    kind, name = reader.take()
    if kind != "name":
        raise reader.bad(f"expected one of {', '.join((*_PLAIN, *_CALLS))}, or a measurement's name and `contains`")
    if name == "order":
        values = reader.listed("(", ")")
        reader.end()
        return Contains(_EVENTS, values, in_order=True)
    if name in _PLAIN:
        return _compared(reader, name, "")
    if name in _CALLS:
        reader.expect("(")
        argument = reader.word()
        reader.expect(")")
        return _compared(reader, name, argument)
    if reader.ahead()[1] == "(":
        raise reader.bad(f"{name} is no function; there are {', '.join(_CALLS)}", back=True)
    reader.expect("contains")
    values = reader.listed("[", "]")
    in_order = reader.ahead()[1] == "in"
    if in_order:
        reader.expect("in")
        reader.expect("order")
    reader.end()
    return Contains(name, values, in_order)


def _compared(reader: _Reader, function: str, argument: str) -> Compare:
    _, sign = reader.take()
    if sign not in _COMPARE:
        raise reader.bad(f"expected one of {' '.join(_COMPARE)}")
    kind, number = reader.take()
    if kind != "number":
        raise reader.bad("expected a number")
    reader.end()
    value = float(number.removesuffix("%")) / (100 if number.endswith("%") else 1)
    return Compare(function, argument, sign, value)


class _Reader:
    """The tokens of an expression, one after the other, with where each stands."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._last = 0

    def ahead(self) -> tuple[str, str]:
        """The next token's kind and text, without taking it; empty at the end."""
        match = _TOKEN.match(self._text, self._at)
        if match is None or match.lastgroup is None:
            return "", ""
        return match.lastgroup, match[match.lastgroup]

    def take(self) -> tuple[str, str]:
        """The next token."""
        match = _TOKEN.match(self._text, self._at)
        self._last = len(self._text) - len(self._text[self._at :].lstrip())
        if match is None or match.lastgroup is None:
            return "", ""
        self._at = match.end()
        return match.lastgroup, match[match.lastgroup]

    def expect(self, token: str) -> None:
        """Take this very token."""
        if self.take()[1] != token:
            raise self.bad(f"expected {token}")

    def word(self) -> str:
        """Take a name, a text in quotes, or a number."""
        kind, token = self.take()
        if kind not in ("name", "text", "number"):
            raise self.bad("expected a name, or a text in quotes")
        return token[1:-1] if kind == "text" else token

    def listed(self, begin: str, end: str) -> tuple[str, ...]:
        """Take words with commas between them, one at the least."""
        self.expect(begin)
        words = [self.word()]
        while self.ahead()[1] == ",":
            self.take()
            words.append(self.word())
        self.expect(end)
        return tuple(words)

    def end(self) -> None:
        """Nothing may follow."""
        if self._text[self._at :].strip():
            self.take()
            raise self.bad("expected the end")

    def bad(self, what: str, *, back: bool = False) -> Bad:
        """An error at the last token; `back` leaves out what was found there."""
        found = self._text[self._last :].strip()
        told = "" if back else f", found {found[:20]}" if found else ", found the end"
        return Bad(f"column {self._last + 1}: {what}{told}")
