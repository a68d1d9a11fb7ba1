"""What can be wrong with a use of a class: what the rules on data classes are given."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from guard.checks.classes_binding import Misfit
from guard.checks.classes_facts import Access, ClassesFacts, Use
from guard.checks.classes_kinds import Constructor
from guard.checks.classes_lineage import Class

_LOAD: Final = Access.LOAD


class Place(msgspec.Struct, frozen=True):
    """Where something is used, on one line of a file; columns as `families.node_span` counts them."""

    path: str
    line: int
    column: int
    end_column: int
    symbol: str
    """Qualified name of the scope that it stands in."""
    lazy: bool
    """Whether it runs only when a function is called."""


class BadCall(msgspec.Struct, frozen=True):
    """A call of a class whose arguments do not fit its constructor."""

    place: Place
    cls: Class
    constructor: Constructor
    misfit: Misfit
    copy: str = ""
    """The function or method where it is a copy of an instance of `cls`: `replace`, `_replace`, `model_copy`."""

    @property
    def is_unchecked(self) -> bool:
        """Whether nothing is raised, since what copies takes any name."""
        return self.copy in ("model_copy", "copy")


class MissingAttribute(msgspec.Struct, frozen=True):
    """Attributes of an instance that the class does not have."""

    place: Place
    """From the receiver to the end of the missing attribute."""
    cls: Class
    name: str
    chain: str
    """The attributes up to the missing one, dotted."""
    access: Access
    hint: str = ""
    """What is done with it: the attribute that is read of it, or the type of the constant that it is augmented by."""


class MissingKey(msgspec.Struct, frozen=True):
    """A key that is read of a typed dictionary that declares no such key."""

    place: Place
    cls: Class
    name: str
    keys: frozenset[str]
    """The keys that it declares."""
    exact: bool
    """Whether the dictionary is made right there; else more may be in it than it declares."""


class BadWrite(msgspec.Struct, frozen=True):
    """An attribute of an instance that is given a value, or deleted, where that fails or is lost."""

    place: Place
    cls: Class
    name: str
    chain: str
    access: Access
    frozen: Class | None
    """The class that forbids it; None where the attribute is only declared nowhere."""
    kind: str
    """What kind of class it is."""


def places_of(path: str, facts: ClassesFacts, places: Sequence[int]) -> Iterator[Place]:
    """The places of a `Use` or a `Call`."""
    numbers = iter(places)
    for line, column, end_column, where in zip(numbers, numbers, numbers, numbers, strict=True):
        yield Place(path, line, column, end_column, facts.scopes[where // 2], where % 2 == 1)


def missing_attributes(path: str, facts: ClassesFacts, use: Use, cls: Class, depth: int) -> Iterator[MissingAttribute]:
    """What is said of the attribute at `depth` of the chain of a use, which `cls` has not: once for each place."""
    parts = use.path.split(".")
    behind = sum(len(part) + 1 for part in parts[depth + 1 :])
    for place in places_of(path, facts, use.places):
        yield MissingAttribute(
            msgspec.structs.replace(place, end_column=max(place.column, place.end_column - behind)),
            cls,
            parts[depth],
            ".".join(parts[: depth + 1]),
            _LOAD if depth < len(parts) - 1 else use.access,
            parts[depth + 1] if depth < len(parts) - 1 else use.value,
        )
