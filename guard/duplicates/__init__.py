"""What a tree defines more than once, and which of the places is the one to keep."""

from __future__ import annotations

from guard.duplicates.groups import Copy, Duplicates, Group, Place
from guard.duplicates.likeness import Kinship
from guard.program import Program

__all__ = ["Copy", "Duplicates", "Group", "Kinship", "Place", "duplicates_of"]


def duplicates_of(program: Program) -> Duplicates:
    """The duplicates of a program, looked for once."""
    found = program.remembered.get("duplicates")
    if not isinstance(found, Duplicates):
        found = program.remembered["duplicates"] = Duplicates(program)
    return found
