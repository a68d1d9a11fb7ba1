"""Groups of definitions of one name that are one thing, and the place of each that is to be kept."""

from __future__ import annotations

import posixpath
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Final

import msgspec

from guard.checks.modules import FAMILY as MODULES
from guard.checks.modules import Definition
from guard.checks.references import Ref
from guard.checks.ssot import FAMILY
from guard.checks.ssot_facts import Defined, SourceFacts
from guard.duplicates.likeness import Kinship, kinship
from guard.impact import reach_of
from guard.model import Impact
from guard.program import Program
from guard.where import where

_FOREIGN: Final = frozenset(
    {"vendor", "_vendor", "vendored", "third_party", "thirdparty", "node_modules", "migrations"}
)
"""Folders whose files are somebody else's, or never to be changed once they are there."""
_LEFT_BEHIND: Final = ("legacy", "deprecated", "old", "backup", "bak", "compat", "archive", "obsolete", "copy", "tmp")


_Located = tuple[str, Defined]


class Place(msgspec.Struct, frozen=True):
    """One definition, and how many files import it from there, by whatever way."""

    path: str
    defined: Defined
    production_users: int
    users: int


class Copy(msgspec.Struct, frozen=True):
    """A definition beside the canonical one."""

    place: Place
    kinship: Kinship
    """To the canonical one; `DIVERGED` also where it is a copy of another copy."""
    import_from: str = ""
    """The module that it can be imported from in its stead: its body is the same, and so is all that it reads."""


class Group(msgspec.Struct, frozen=True):
    """Definitions of one name that are one thing."""

    name: str
    canonical: Place
    reason: str
    """Why that one, in a few words."""
    copies: tuple[Copy, ...]
    """By path."""

    @property
    def places(self) -> tuple[Place, ...]:
        """All of them, the canonical one first."""
        return (self.canonical, *(copy.place for copy in self.copies))


class Duplicates:
    """The production code of one tree, looked through for what is in it twice."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._modules = program.linked(MODULES)
        self._reach = reach_of(program)
        self._canonical = program.config.ssot.canonical

    @cached_property
    def production(self) -> Mapping[str, SourceFacts]:
        """The facts of the files that are compared: production code that somebody here writes."""
        return {
            path: facts
            for path, facts in self._program.linked(FAMILY).items()
            if path in self._modules.facts
            and path.endswith(".py")
            and not facts.generated
            and self._reach.kind(path) is Impact.RUNTIME
            and _FOREIGN.isdisjoint(path.split("/"))
            and "/management/commands/" not in path
            and not path.endswith(("_pb2.py", "_pb2_grpc.py"))
        }

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        """Every group of two or more, by name and the path of the canonical place."""
        by_name: defaultdict[tuple[str, bool], list[tuple[str, Defined]]] = defaultdict(list)
        for path, facts in self.production.items():
            for one in facts.defined:
                by_name[one.name, one.is_class].append((path, one))
        found = [
            self._group(name, alike)
            for (name, _), places in by_name.items()
            if len(places) > 1
            for alike in self._alike([place for place in places if not self._passes_on(*place)])
        ]
        return tuple(sorted(found, key=lambda group: (group.name, group.canonical.path)))

    def _passes_on(self, path: str, defined: Defined) -> bool:
        """Whether a class is only another name for the one of the same name elsewhere: `class X(base.X): pass`."""
        return defined.is_thin and bool(self._derived_from(path, defined))

    def _alike(self, places: Sequence[_Located]) -> Iterator[list[_Located]]:
        """Groups of those that are the same or copies, by way of one another."""
        left = list(places)
        while len(left) > 1:
            group, left = [left[0]], left[1:]
            for one in group:  # it grows
                near = [other for other in left if self._are_one(one, other)]
                group += near
                left = [other for other in left if other not in near]
            if len({path for path, _ in group}) > 1:
                yield group

    def _are_one(self, one: _Located, other: _Located) -> bool:
        found = kinship(one[1], other[1])
        if found is Kinship.NAMESAKE:
            return False
        # What makes a class of another one, and calls it the same, is no copy of it, nor of another such class.
        bases, others = self._derived_from(*one), self._derived_from(*other)
        siblings = bool(bases and others) and found is Kinship.DIVERGED
        return not siblings and other[0] not in bases and one[0] not in others

    def _derived_from(self, path: str, defined: Defined) -> set[str]:
        """The files of the classes of the same name that a class is derived from."""
        if not defined.is_class:
            return set()
        found: set[str] = set()
        for base in defined.bases:
            led = self._modules.follow(path, Ref(0, "", base)) if base else None
            if isinstance(led, Definition) and led.path != path and led.name == defined.name:
                found.add(led.path)
        return found

    def _group(self, name: str, alike: Sequence[tuple[str, Defined]]) -> Group:
        importers = {group.place.path: group.importers for group in where(self._program).groups(name, "")}
        places = []
        for path, defined in alike:
            users = importers.get(path, set()) - {path}
            served = sum(self._reach.kind(user) is Impact.RUNTIME for user in users)
            places.append(Place(path, defined, served, len(users)))
        places.sort(key=_rank)
        chosen = next((place for place in places if self._is_named(name, place.path)), None)
        first = chosen or places[0]
        copies = sorted((place for place in places if place is not first), key=lambda place: place.path)
        return Group(
            name,
            first,
            "the configuration names it" if chosen is not None else _reason(first, places),
            tuple(self._copy(first, place) for place in copies),
        )

    def _copy(self, first: Place, place: Place) -> Copy:
        if kinship(first.defined, place.defined) is not Kinship.SAME:
            return Copy(place, Kinship.DIVERGED)
        return Copy(place, Kinship.SAME, self._way_to(first, place) if self._reads_the_same(first, place) else "")

    def _reads_the_same(self, first: Place, place: Place) -> bool:
        """Whether every name that the two bodies read means the same in both modules."""
        if place.defined.reads is None:
            return False
        facts = [self._modules.facts[one.path] for one in (first, place)]
        for name in place.defined.reads:
            if name == place.defined.name or not any(name in one.names for one in facts):
                continue  # a parameter, a local name, a builtin
            led = self._modules.follow(first.path, Ref(0, "", name))
            if led is None or led != self._modules.follow(place.path, Ref(0, "", name)):
                return False
        return not any(one.stars or one.open for one in facts)

    @cached_property
    def _used(self) -> frozenset[tuple[str, str]]:
        """The top-level folders of production code, each with those that it imports from."""
        return frozenset(
            (path.partition("/")[0], target.path.partition("/")[0])
            for path in self.production
            for statement in self._modules.facts[path].imports
            for module in statement.modules
            for target in self._modules.resolve(path, statement.level, module).targets
        )

    def _way_to(self, first: Place, place: Place) -> str:
        """The module of the canonical definition as the copy's file can import it; empty where it cannot.

        What lies in another top-level folder may be deployed without it: that must be imported from there already.
        """
        tops = (place.path.partition("/")[0], first.path.partition("/")[0])
        if tops[0] != tops[1] and tops not in self._used:
            return ""
        module = where(self._program).module_of(first.path, place.path)
        resolution = self._modules.resolve(place.path, 0, module)
        leads = not resolution.doubtful and [target.path for target in resolution.targets] == [first.path]
        return module if leads else ""

    def _is_named(self, name: str, path: str) -> bool:
        module = self._canonical.get(name)
        return module is not None and where(self._program).module_of(path) == module


def _rank(place: Place) -> tuple[object, ...]:
    return (-place.production_users, -place.users, _is_left_behind(place.path), place.path.count("/"), place.path)


def _is_left_behind(path: str) -> bool:
    stem = posixpath.splitext(path)[0]
    return any(word in _LEFT_BEHIND for part in stem.split("/") for word in part.split("_"))


def _reason(first: Place, places: Sequence[Place]) -> str:
    if first.users:
        files = "file imports" if first.users == 1 else "files import"
        return f"{first.users:,} {files} it from there"
    return "nobody imports any of them" if not any(place.users for place in places) else "it is the nearest"
