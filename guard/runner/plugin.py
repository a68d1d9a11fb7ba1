"""guard's pytest plugin: one fixture; beside it silent, and of no cost, unless `GUARD_LOOP_EVENTS` asks for more."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from guard.runner.measure import Measure


def pytest_configure(config: pytest.Config) -> None:
    """Start to watch, where the loop asks for it."""
    if os.environ.get("GUARD_LOOP_EVENTS"):
        from guard.runner.plugin_watch import start

        start(config)


@pytest.fixture
def guard_measure(record_property: Callable[[str, object], None]) -> Measure:
    """Report what a test measures: `guard_measure("response_ms", 12.5)`, `with guard_measure.ms():`,
    `guard_measure.event("done")`, `guard_measure.revision(answer.headers["x-revision"])`."""
    from guard.runner.measure import Measure

    return Measure(record_property)
