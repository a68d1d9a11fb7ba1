"""Running the tests of a phase, in a process of their own, and telling of each as it ends."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

import msgspec

from guard.runner.plan import Phase
from guard.runner.record import Evidence, Outcome, Test
from guard.runner.redact import Redactor


class PhaseResult(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a phase as a whole."""

    outcome: Outcome
    collected: tuple[str, ...] = ()
    problems: tuple[Evidence, ...] = ()
    timed_out: bool = False


def run_phase(
    phase: Phase,
    *,
    root: Path,
    tests: Sequence[str],
    deselect: Collection[str],
    target_env: Mapping[str, str],
    revision: str,
    base_url: str,
    websocket_url: str,
    cycle: int,
    redact: Redactor,
    on_test: Callable[[Test], None],
    stop: Callable[[], bool],
) -> PhaseResult:
    """Run the tests of a phase."""
    raise NotImplementedError


def collect_tests(phase: Phase, root: Path, env: Mapping[str, str]) -> tuple[str, ...]:
    """The node ids of a phase's tests."""
    raise NotImplementedError
