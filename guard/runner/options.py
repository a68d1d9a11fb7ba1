"""Ways out that guard can offer, each with what a dry run of it gave."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

import msgspec

from guard.model import Finding
from guard.runner.record import Cause


class Fixed(msgspec.Struct, frozen=True, kw_only=True):
    """What a dry run of `guard check --fix` gave."""

    before: tuple[Finding, ...]
    after: tuple[Finding, ...]
    files: tuple[str, ...]
    """Those that it would change."""


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """What options can be made of."""

    fix: Callable[[Collection[str], bool], Fixed | None]
    """(rule codes, unsafe too) -> a dry run of the fixes; None where it cannot be made."""
    healthy: tuple[str, ...] = ()
    """Revisions that this database knows healthy, the last one first."""
    revision: str = ""
    """The one that failed."""
    can_roll_back: bool = False
    serves: Callable[[str], bool] | None = None
    """Whether a revision could be served again, asked without doing it; None where that cannot be asked."""


def tried(causes: Sequence[Cause], context: Context) -> tuple[Cause, ...]:
    """The causes, with their options."""
    raise NotImplementedError
