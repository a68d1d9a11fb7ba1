"""Five whys: a chain from what was seen to where it came from, as far as evidence reaches."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec

from guard.model import Finding
from guard.runner.record import Cause


class Gone(msgspec.Struct, frozen=True, kw_only=True):
    """What the history knows of a name that is missing."""

    commit: str
    """Empty where the change is not committed yet."""
    date: str
    """ISO 8601."""
    subject: str
    path: str
    line: int
    how: str
    importers: int
    """How many imports of it are left in the tree."""
    replacement: str = ""
    """What took its place, as `module:name`; empty where nothing did."""


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """What the whys can ask. Every function is asked at most once for each thing."""

    findings: Callable[[], Sequence[Finding]]
    """What the guards say of the tree that was deployed."""
    trace: Callable[[str, str], Gone | None]
    """(module, name) -> what became of it; the name is empty for a module. None where nothing can be told."""
    gates: Mapping[str, str] = {}
    """Gates that could have stopped it, by name (`guard loop`, `pre-commit`, `ci`), and for each why it did not:
    `not installed`, `installed`, `overridden: REASON`."""


def explained(causes: Sequence[Cause], context: Context) -> tuple[Cause, ...]:
    """The causes, with their whys, the rule that should have caught each, and the gate."""
    raise NotImplementedError
