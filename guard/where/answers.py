"""What is said of where something is: places, and candidates for what has taken its place."""

from __future__ import annotations

import enum
from typing import Final

import msgspec


class Certainty(enum.StrEnum):
    """How sure it is that a candidate is what the missing thing has become. In order, the surest first."""

    CERTAIN = "certain"
    """The evidence allows nothing else: what has the name, or is named in its stead, is the same thing."""
    LIKELY = "likely"
    POSSIBLE = "possible"

    @property
    def rank(self) -> int:
        """Position in a listing, 0 first."""
        return _RANK[self]


_RANK: Final = {certainty: rank for rank, certainty in enumerate(Certainty)}


class Role(enum.StrEnum):
    """How a module comes by a name."""

    DEFINITION = "definition"
    RE_EXPORT = "re-export"
    """It imports the name, and so others can import it from there."""
    ALIAS = "alias"
    """It binds the name to something of another name."""
    FALLBACK = "fallback"
    """It defines the name only for the case that an import of it fails."""


class Place(msgspec.Struct, frozen=True):
    """One module of the tree that binds a name, or is called by it."""

    path: str
    line: int
    kind: str
    """`class`, `function`, `variable` or `module`; for an import what it leads to, or `name` where that is unknown."""
    role: Role
    defined_in: str = ""
    """The file that the definition is in; the module that it comes from where that is not first-party."""
    defined_as: str = ""
    """The name that it is defined under."""


class Replacement(msgspec.Struct, frozen=True, kw_only=True):
    """One answer to the question where something went."""

    certainty: Certainty
    module: str
    """The module to import from, as the importing file would name it, absolute."""
    name: str
    """The name to take from it; empty where it is the module that stands in for a module."""
    kind: str
    path: str
    """The file; empty for a third-party module."""
    line: int
    reasons: tuple[str, ...]
    """What the certainty rests on, the weightiest first."""
