"""Whether two definitions of one name are one and the same thing."""

from __future__ import annotations

import enum
from typing import Final

from guard.checks.bodies import TELLING, resemblance
from guard.checks.ssot_facts import Defined


class Kinship(enum.StrEnum):
    """What two definitions of one name have to do with one another."""

    SAME = "same body"
    DIVERGED = "diverged copy"
    NAMESAKE = "namesake"


_FUNCTION_SIZE: Final = 40
_FUNCTION_STATEMENTS: Final = 5
"""Tokens and statements. Of shorter functions it is told only where they are the same."""
_FUNCTION_LIKENESS: Final = 0.5
_CLASS_LIKENESS: Final = 0.4
_MEMBERS: Final = 3
"""Members that two classes must share at the least, to be known by them."""
_OPEN_BASES: Final = frozenset(
    {
        *("", "object", "ABC", "Protocol", "Generic", "NamedTuple", "TypedDict", "BaseModel", "SQLModel", "Struct"),
        *("Enum", "IntEnum", "StrEnum", "Flag", "IntFlag", "str", "int", "dict", "list", "tuple", "Exception"),
    }
)
"""Bases that give a class no methods to override that would make it look like another one of theirs."""


def kinship(one: Defined, other: Defined) -> Kinship:
    """What two definitions of one name and one kind are to one another."""
    if one.is_thin or other.is_thin:
        # Without a body nothing but an exception is anything: which one it is, is all that is asked of it.
        both = one.is_thin and other.is_thin and one.bases == other.bases
        return Kinship.SAME if both and is_exception(one) else Kinship.NAMESAKE
    if one.digest == other.digest:
        return Kinship.SAME if one.size >= TELLING or len(one.members) >= _MEMBERS else Kinship.NAMESAKE
    alike = resemblance(one.sketch, other.sketch) if one.sketch and other.sketch else 0.0
    if one.is_table is not other.is_table:
        return Kinship.NAMESAKE  # a table and what is sent of it are two things, which are alike on purpose
    if not one.is_class:
        if one.name.startswith("_") or one.name == "main":
            return Kinship.NAMESAKE  # one module's own, which has to be the same to be told of
        long = min(one.size, other.size) >= _FUNCTION_SIZE
        long = long and min(one.statements, other.statements) >= _FUNCTION_STATEMENTS
        return Kinship.DIVERGED if long and alike >= _FUNCTION_LIKENESS else Kinship.NAMESAKE
    # Enums look alike whatever they are of, so that only their members tell.
    if min(one.size, other.size) >= TELLING and alike >= _CLASS_LIKENESS and not (is_enum(one) and is_enum(other)):
        return Kinship.DIVERGED
    return Kinship.DIVERGED if _shares_members(one, other) else Kinship.NAMESAKE


def is_exception(defined: Defined) -> bool:
    """Whether a class is an exception, by the names of its bases. Two of them are told apart by `except`."""
    return any(base.endswith(("Error", "Exception", "Warning")) for base in defined.bases)


def is_enum(defined: Defined) -> bool:
    """Whether a class is an enum, by the names of its bases."""
    return any(base.rpartition(".")[2].endswith(("Enum", "Flag")) for base in defined.bases)


def _shares_members(one: Defined, other: Defined) -> bool:
    """Whether the smaller class has half of its members in common with the other one.

    Members that two classes have since both override those of one base say nothing.
    """
    bases = {base.rpartition(".")[2] for base in one.bases} & {base.rpartition(".")[2] for base in other.bases}
    if bases - _OPEN_BASES:
        return False
    shared = len(set(one.members).intersection(other.members))
    sizes = sorted((len(one.members), len(other.members)))
    return shared >= _MEMBERS and 2 * shared >= sizes[0] and 4 * shared >= sizes[1]
