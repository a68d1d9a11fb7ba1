"""What the messages of the DCF rules have in common."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Final

from guard.checks.classes_faults import Place
from guard.checks.classes_lineage import Class
from guard.checks.classes_table import ClassTable
from guard.model import Related, Span

_ALIKE: Final = 70
"""Score out of 100 from which one name is taken for a slip of the other."""
_SLIP: Final = 85
_SHARED: Final = 75
"""The score of two names of which one holds all words of the other: `timeout`, `startup_timeout`."""


@cache
def alike(name: str, candidates: frozenset[str]) -> str:
    """The candidate that `name` is most likely meant to be; empty where none is near."""
    from rapidfuzz import fuzz  # imported where something is found: most runs find nothing

    words = set(name.split("_"))
    best, likely = 0.0, ""
    for candidate in sorted(candidates):
        score = fuzz.ratio(name, candidate)
        others = set(candidate.split("_"))
        if words <= others or others <= words:
            score = max(score, _SHARED)
        if score >= _ALIKE and score > best:
            best, likely = score, candidate
    return likely


def is_slip(name: str, likely: str) -> bool:
    """Whether a name is so near to another one that it is hardly meant to be one of its own."""
    from rapidfuzz import fuzz

    return bool(likely) and fuzz.ratio(name, likely) >= _SLIP


def did_you_mean(name: str) -> str:
    return f"; did you mean {name}?" if name else ""


def span_of(place: Place) -> Span:
    return Span(place.line, place.column, place.line, place.end_column)


def listed(names: Iterable[str]) -> str:
    return ", ".join(names)


def quoted(names: Iterable[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)


def where(cls: Class, message: str) -> tuple[Related, ...]:
    # A class of an installed package has no place in the tree.
    return () if cls.is_installed else (Related(cls.path, cls.line, message),)


def all_attributes(table: ClassTable, cls: Class) -> frozenset[str]:
    """Everything that an instance is known to have, without private names."""
    key = ("all attributes", cls)
    found = table.remembered.get(key)
    if not isinstance(found, frozenset):
        found = table.remembered[key] = frozenset(
            name
            for owner in table.lineage(cls).classes
            for name in (*owner.facts.names, *owner.facts.assigned, *(field.name for field in owner.facts.fields))
            if not name.startswith("_")
        )
    return found
