"""Criteria: expressions over what the tests of a phase measured."""

from __future__ import annotations

from collections.abc import Sequence

from guard.runner.plan import Phase
from guard.runner.record import Criterion, Test


def judge(phase: Phase, cycle: int, tests: Sequence[Test], duration_s: float) -> tuple[Criterion, ...]:
    """What came of each criterion of a phase."""
    raise NotImplementedError


def check(expression: str) -> str | None:
    """What is wrong with an expression, and where; None where it is well formed."""
    raise NotImplementedError
