"""Constants that are written down more than once, and bodies that stand under several names."""

from __future__ import annotations

import posixpath
from collections import defaultdict
from collections.abc import Iterator
from typing import Final

import msgspec

from guard.checks.ssot_facts import Constant, Defined
from guard.duplicates.groups import Duplicates
from guard.program import Program
from guard.where import where

STATEMENTS: Final = 8
"""A body under several names has to have more."""


class SameValue(msgspec.Struct, frozen=True):
    """A constant that another module has with the same name and the same value."""

    path: str
    constant: Constant
    first_path: str
    first: Constant
    modules: int
    """That have it."""


class SameBody(msgspec.Struct, frozen=True):
    """A definition whose body stands under another name elsewhere."""

    path: str
    defined: Defined
    first_path: str
    first: Defined


def same_values(program: Program, duplicates: Duplicates) -> Iterator[SameValue]:
    """Constants in more than one production module. The first is the one that most files import, then by path."""
    found: defaultdict[tuple[str, str], list[tuple[str, Constant]]] = defaultdict(list)
    for path, facts in duplicates.production.items():
        for constant in facts.constants:
            found[constant.name, constant.digest].append((path, constant))
    for (name, _), places in found.items():
        if len({_family(path) for path, _ in places}) < 2:
            continue
        users = {group.place.path: len(group.importers) for group in where(program).groups(name, "")}
        (first_path, first), *others = sorted(places, key=lambda place: (-users.get(place[0], 0), place[0]))
        for path, constant in sorted(others, key=lambda place: place[0]):
            yield SameValue(path, constant, first_path, first, len(places))


def _family(path: str) -> tuple[str, str]:
    """Files of one name in folders beside one another are variants of one thing, as those of locales or drivers are:
    each has to have its own values."""
    folder, name = posixpath.split(path)
    return (posixpath.dirname(folder), name) if folder else ("", path)


def same_bodies(duplicates: Duplicates) -> Iterator[SameBody]:
    """Definitions with the body of one that has another name, in another place. The first is the first by path."""
    found: defaultdict[str, list[tuple[str, Defined]]] = defaultdict(list)
    for path, facts in duplicates.production.items():
        for one in facts.defined:
            if one.statements > STATEMENTS:
                found[one.digest].append((path, one))
    for places in found.values():
        named: dict[str, tuple[str, Defined]] = {}
        for path, one in sorted(places, key=lambda place: (place[0], place[1].line)):
            named.setdefault(one.name, (path, one))  # those of one name are SSOT001
        first_path, first = next(iter(named.values()))
        for path, one in list(named.values())[1:]:
            yield SameBody(path, one, first_path, first)
