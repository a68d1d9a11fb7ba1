"""What a file does with instances that shows that they are not what they are said to be."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

import msgspec

from guard.checks.classes_facts import Access, ClassesFacts, Use
from guard.checks.classes_lineage import Class

if TYPE_CHECKING:
    from guard.checks.classes import Classes

_FEWEST: Final = 2
"""Attributes that must speak for another class. One alone may be a slip, or have been a field of this class."""


def misnamed_scopes(linked: Classes, path: str, facts: ClassesFacts, ref: int, cls: Class) -> frozenset[int]:
    """The scopes of a file (indices) where annotations name the class `cls` for what is of another class.

    There nothing is used that `cls` has, and all that is used in these scopes together, several attributes, is what one
    other class has that the file deals with too. Callers pass that one, so nothing is missing when the code runs. What
    a file does with its own classes is not remembered in full, so nothing is said of these.
    """
    if cls.path == path:
        return frozenset()
    used: dict[int, set[str]] = {}
    for uses in (facts.uses.get(ref, ()), facts.chains.get(ref, ()), facts.stores.get(ref, ())):
        for use in uses:
            if not use.exact:
                for scope in _scopes(use):
                    used.setdefault(scope, set()).add(use.path.partition(".")[0])
    names = {name for scope in used.values() for name in scope}
    there = {name for name in names if linked.table.has_attribute(cls, name, exact=False)}
    doubtful = {scope: names for scope, names in used.items() if names.isdisjoint(there)}
    missing = frozenset().union(*doubtful.values())
    if len(missing) < _FEWEST:
        return frozenset()
    others = {linked.table.class_of(path, number) for number in range(len(facts.refs))} - {cls, None}
    if any(missing <= linked.table.attributes(other, given=False) for other in others if other is not None):
        return frozenset(doubtful)
    return frozenset()


def doubled_scopes(linked: Classes, facts: ClassesFacts, uses: Sequence[Use], cls: Class) -> frozenset[int]:
    """The scopes (indices) that put something else in the place of a method of an instance of `cls`, and those inside
    them: what else they set on it is meant for those who look at the double. `uses` are the attributes that are set on
    such instances."""
    doubling = {
        facts.scopes[scope]
        for use in uses
        if use.access is Access.STORE and _is_method(linked, cls, use.path)
        for scope in _scopes(use)
    }
    if not doubling:
        return frozenset()
    inside = tuple(f"{scope}." for scope in doubling)
    return frozenset(
        number for number, scope in enumerate(facts.scopes) if scope in doubling or scope.startswith(inside)
    )


def _is_method(linked: Classes, cls: Class, name: str) -> bool:
    return any(name in owner.bound and name not in owner.fields for owner in linked.table.lineage(cls).classes)


def outside_of(use: Use, scopes: frozenset[int]) -> Use | None:
    """A use without its places in some scopes; None where it has no others."""
    if not scopes:
        return use
    numbers = iter(use.places)
    kept = [place for place in zip(numbers, numbers, numbers, numbers, strict=True) if place[3] // 2 not in scopes]
    return msgspec.structs.replace(use, places=tuple(number for place in kept for number in place)) if kept else None


def _scopes(use: Use) -> Iterator[int]:
    return (where // 2 for where in use.places[3::4])
