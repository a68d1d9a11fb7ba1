"""Which tests a session runs, and why each: pure, from what was collected and what earlier sessions recorded."""

from __future__ import annotations

import re
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from guard.model import GuardError
from guard.runner.plan import Phase, Plan
from guard.runner.record import Selected, TestOutcome
from guard.runner.store import Ran

_UNKNOWN_S: Final = 1.0
"""Seconds that a test is taken to last where nothing at all was recorded."""


class Narrowing(msgspec.Struct, frozen=True, kw_only=True):
    """The options that narrow or order a selection."""

    focus: str = ""
    """A piece of text of the test's id, or of its phase's name or risk; case does not count."""
    priorities: tuple[str, ...] = ()
    least_covered: int = 0
    """So many tests: those that recent sessions ran least, or longest ago. 0 for all."""
    failed_first: bool = False
    shard: str = ""
    """`K/N`."""

    @property
    def text(self) -> str:
        """As on the command line; without the shard, which a session has a field for."""
        parts = [f"--focus {self.focus!r}"] if self.focus else []
        parts += [f"--priority {one}" for one in self.priorities]
        parts += [f"--least-covered {self.least_covered}"] if self.least_covered else []
        return " ".join(parts + (["--failed-first"] if self.failed_first else []))

    @property
    def is_whole(self) -> bool:
        """Whether every test of the plan is run, in the plan's order."""
        return not (self.text or self.shard)


def phases_of(plan: Plan, narrowing: Narrowing) -> tuple[Phase, ...]:
    """The phases that can have selected tests; only these need be collected."""
    return tuple(phase for phase in plan.phases if not narrowing.priorities or phase.priority in narrowing.priorities)


def selected(
    plan: Plan, collected: Mapping[str, Sequence[str]], ran: Mapping[str, Ran], narrowing: Narrowing
) -> tuple[Selected, ...]:
    """The tests to run, in order. `collected` has the node ids of each phase, `ran` what is known of each test."""
    found = [one for phase in phases_of(plan, narrowing) for one in _of_phase(phase, collected, narrowing)]
    if narrowing.least_covered:
        found = _least_covered(found, ran, narrowing.least_covered)
    if narrowing.shard:
        found = _share(found, ran, *shard_of(narrowing.shard))
    if narrowing.failed_first:
        found = _failed_first(plan, found, ran)
    return tuple(found)


def shard_of(text: str) -> tuple[int, int]:
    """K and N of `K/N`. Raises GuardError for anything else."""
    match = re.fullmatch(r"(\d{1,4})/(\d{1,4})", text)
    number, of = (int(match[1]), int(match[2])) if match else (0, 0)
    if not 1 <= number <= of:
        raise GuardError(f"--shard {text}: expected K/N with K from 1 to N, such as 2/5")
    return number, of


def _of_phase(phase: Phase, collected: Mapping[str, Sequence[str]], narrowing: Narrowing) -> Iterable[Selected]:
    focus = narrowing.focus.casefold()
    whole = focus and (focus in phase.name.casefold() or focus in phase.at_risk.casefold())
    for name in collected.get(phase.name, ()):
        if not focus or whole or focus in name.casefold():
            reason = f"in focus: {narrowing.focus}" if focus else f"{phase.priority} phase of the plan"
            yield Selected(id=name, phase=phase.name, reason=reason)


def _least_covered(found: Sequence[Selected], ran: Mapping[str, Ran], most: int) -> list[Selected]:
    def covered(one: Selected) -> tuple[int, float]:
        known = ran.get(one.id)
        return (known.runs, known.last) if known is not None else (0, 0.0)

    chosen = {id(one) for one in sorted(found, key=covered)[:most]}
    return [
        msgspec.structs.replace(one, reason=f"least covered: {_runs(ran.get(one.id))}")
        for one in found
        if id(one) in chosen
    ]


def _runs(known: Ran | None) -> str:
    return f"ran {known.runs} times in recent sessions" if known is not None else "no recent session ran it"


def _share(found: Sequence[Selected], ran: Mapping[str, Ran], number: int, of: int) -> list[Selected]:
    """The share of one machine: the longest test goes first to whoever has least to do."""
    known = [ran[one.id].duration_s for one in found if one.id in ran]
    usual = statistics.median(known) if known else _UNKNOWN_S
    loads = [0.0] * of
    mine: set[str] = set()
    durations = {one.id: ran[one.id].duration_s if one.id in ran else usual for one in found}
    for name in sorted(durations, key=lambda name: (-durations[name], name)):
        least = loads.index(min(loads))
        loads[least] += durations[name] or 1e-6  # tests of no length are spread too
        if least == number - 1:
            mine.add(name)
    return [
        msgspec.structs.replace(one, reason=f"{one.reason}; share {number} of {of}") for one in found if one.id in mine
    ]


def _failed_first(plan: Plan, found: Sequence[Selected], ran: Mapping[str, Ran]) -> list[Selected]:
    """Phases stay in their order; in each, what did not pass the last time comes first."""
    order = {phase.name: number for number, phase in enumerate(plan.phases)}

    def failed(one: Selected) -> bool:
        return one.id in ran and ran[one.id].outcome not in (TestOutcome.PASSED, TestOutcome.SKIPPED)

    marked = [
        msgspec.structs.replace(one, reason=f"{one.reason}; {ran[one.id].outcome} the last time")
        if failed(one)
        else one
        for one in found
    ]
    return sorted(marked, key=lambda one: (order[one.phase], not failed(one)))
