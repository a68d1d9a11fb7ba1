"""The answer to where something went."""

from __future__ import annotations

import enum

import msgspec

from guard.history.commits import Commit
from guard.where import Place, Replacement


class Verdict(enum.StrEnum):
    """What has become of a name or a module."""

    THERE = "there"
    """It is where it was asked for."""
    MOVED = "moved"
    """It is gone from there, and something has taken its place, or very likely has."""
    REMOVED = "removed"
    """It is gone, and nothing that could be seen has certainly, or even likely, taken its place."""
    NEVER = "never"
    """It was never there, in no commit that the tree descends from."""
    UNKNOWN = "unknown"
    """Not enough of the history could be seen to tell."""


class Removed(msgspec.Struct, frozen=True, kw_only=True):
    """The change that took it away."""

    commit: Commit | None
    """None for a change that is not committed yet."""
    path: str
    line: int
    """Where it stood before; 0 for a whole file."""
    kind: str
    how: str
    """In words."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What has become of `name` of `module`; of the module itself where `name` is empty."""

    module: str
    name: str
    verdict: Verdict
    places: tuple[Place, ...] = ()
    """Where it is, for what is there."""
    removed: Removed | None = None
    replacements: tuple[Replacement, ...] = ()
    """The best first."""
    unseen: tuple[str, ...] = ()
    """Why the answer may be incomplete."""
