"""What the fixture `guard_measure` gives: measurements for the criteria of a phase, by pytest's `record_property`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Measure:
    """Reports what a test measures. Works in every run of pytest; the loop judges its criteria by it."""

    def __init__(self, record: Callable[[str, object], None]) -> None:
        """`record` is what `record_property` gives."""
        self._record = record

    def __call__(self, name: str, value: float | bool | str) -> None:
        """Report one value of the measurement `name`, as `p95(name)` and the like take it."""
        self._record(name, value)

    @contextmanager
    def ms(self, name: str = "response_ms") -> Iterator[None]:
        """Report how many milliseconds the block took. What raises has not answered, so it is no measurement."""
        begun = time.perf_counter()
        yield
        self._record(name, 1000 * (time.perf_counter() - begun))

    def event(self, name: str) -> None:
        """Report an event, as `events contains […] in order` and `order(…)` take it."""
        self._record("events", name)

    def revision(self, name: str) -> None:
        """Report the revision that answered; where it is not the deployed one, that is a failure of its own."""
        self._record("revision", name)
