"""Where a missing module or name may be today, as far as one tree can tell. It needs no git.

    for candidate in replacements(program, "app.websockets", "Manager", origin="app/main.py"):
        candidate.certainty, candidate.module, candidate.name, candidate.reasons

What the history says of the same question is `guard.history`'s to find out.
"""

from __future__ import annotations

from guard.program import Program
from guard.where.answers import Certainty, Place, Replacement, Role
from guard.where.candidates import Where
from guard.where.index import dotted_below
from guard.where.words import Hints, shown, taken

__all__ = [
    "Certainty",
    "Hints",
    "Place",
    "Replacement",
    "Role",
    "Where",
    "dotted_below",
    "hints_of",
    "replacements",
    "shown",
    "taken",
    "where",
]


def replacements(program: Program, module: str, name: str, origin: str = "") -> tuple[Replacement, ...]:
    """What may stand in for `name` of `module` (for the module itself where `name` is empty), the best first.

    `module` is as an import names it, with dots in front where it is relative; `origin` is the importing file: it says
    what is near, and how a module is to be named. Nothing is looked up but the tree.
    """
    return where(program).replacements(module, name, origin)


def where(program: Program) -> Where:
    """The index of a program's names, made once."""
    found = program.remembered.get("where")
    if not isinstance(found, Where):
        found = program.remembered["where"] = Where(program)
    return found


def hints_of(program: Program) -> Hints:
    """What the findings on a program's broken imports say of the way out, made once."""
    found = program.remembered.get("hints")
    if not isinstance(found, Hints):
        found = program.remembered["hints"] = Hints(where(program))
    return found
