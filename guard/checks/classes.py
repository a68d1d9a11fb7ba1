"""Classes, their fields and constructors, and the places that use them: the family behind the DCF rules.

The facts are in `classes_facts`, how they are seen in `classes_collect`; `classes_table` finds classes and what they
inherit, `classes_kinds` knows what a dataclass is, `classes_binding` binds arguments. Here is what they give
together: the calls and attributes that cannot work.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Final

import msgspec

from guard.checks import modules
from guard.checks.classes_binding import FITS, Misfit, Parameters
from guard.checks.classes_body import CONSTRUCTORS
from guard.checks.classes_collect import ClassCollector
from guard.checks.classes_facts import Access, Call, ClassesFacts, Update, Use
from guard.checks.classes_kinds import Constructor, constructor_of, kind_of
from guard.checks.classes_table import Class, ClassTable
from guard.checks.modules import External
from guard.checks.packing import unpack
from guard.families import Family

if TYPE_CHECKING:
    from guard.program import Program

_REPLACE: Final = frozenset({External("dataclasses", "replace"), External("copy", "replace")})


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
    replaces: bool = False
    """Whether it is a copy by `dataclasses.replace`, of an instance of `cls`."""


class MissingAttribute(msgspec.Struct, frozen=True):
    """Attributes of an instance that the class does not have."""

    place: Place
    """From the receiver to the end of the missing attribute."""
    cls: Class
    name: str
    chain: str
    """The attributes up to the missing one, dotted."""
    access: Access


class Classes:
    """The linked family."""

    def __init__(self, program: Program) -> None:
        self.table = ClassTable(program.facts(FAMILY), program.linked(modules.FAMILY))
        self._constructors: dict[Class, Constructor | None] = {}
        self._judged: dict[Class, bool] = {}
        self._parameters: dict[Class, Parameters] = {}
        self._misfits: dict[tuple[Class, int, tuple[str, ...], bool, bool], Misfit] = {}
        self._set_by_name = frozenset(name for facts in self.table.facts.values() for name in facts.set_by_name)

    def constructor(self, cls: Class) -> Constructor | None:
        """What calling `cls` takes; None where that is not certain."""
        try:
            return self._constructors[cls]
        except KeyError:
            found = self._constructors[cls] = constructor_of(self.table, cls)
            return found

    @cached_property
    def bad_calls(self) -> tuple[BadCall, ...]:
        """Every call of a class that must raise TypeError, by path."""
        return tuple(
            bad
            for path, facts in self.table.facts.items()
            for bad in (*self._bad_calls(path, facts), *self._bad_updates(path, facts))
        )

    def _bad_calls(self, path: str, facts: ClassesFacts) -> Iterator[BadCall]:
        for ref, raw in facts.calls.items():
            cls = self.table.class_of(path, ref)
            constructor = None if cls is None else self.constructor(cls)
            if cls is None or constructor is None or self._is_patched(cls, facts):
                continue
            for call in unpack(raw, list[Call]):
                misfit = self._misfit(cls, constructor, call)
                if misfit is not FITS:
                    yield BadCall(_place(path, facts, call), cls, constructor, misfit)

    def _misfit(self, cls: Class, constructor: Constructor, call: Call) -> Misfit:
        """`Parameters.bind`, once for all calls of a class that are written alike."""
        shape = (cls, call.positional, call.keywords, call.starred, call.double_starred)
        found = self._misfits.get(shape)
        if found is None:
            parameters = self._parameters.get(cls)
            if parameters is None:
                parameters = self._parameters[cls] = Parameters(constructor.signature)
            found = self._misfits[shape] = parameters.bind(
                call.positional, call.keywords, starred=call.starred, double_starred=call.double_starred
            )
        return found

    def _is_patched(self, cls: Class, facts: ClassesFacts) -> bool:
        """Whether code of the file puts another constructor in the place of the class's, as tests do."""
        return not CONSTRUCTORS.isdisjoint(facts.loose) and any(
            f"{owner.name}.{constructor}" in facts.loose
            for owner in self.table.lineage(cls).classes
            for constructor in CONSTRUCTORS
        )

    def _bad_updates(self, path: str, facts: ClassesFacts) -> Iterator[BadCall]:
        for update in facts.updates:
            cls = self.table.class_of(path, update.type)
            if cls is None or self.table.resolve(path, update.function) not in _REPLACE:
                continue
            constructor = self.constructor(cls)
            if constructor is None or constructor.fields is None:
                continue
            if not update.exact and any(self.table.descendants(cls)):
                continue
            taken = {parameter.name for parameter in constructor.signature}
            unexpected = tuple(name for name in update.keywords if name not in taken)
            if unexpected:
                yield BadCall(_place(path, facts, update), cls, constructor, Misfit(unexpected), replaces=True)

    @cached_property
    def missing_attributes(self) -> tuple[MissingAttribute, ...]:
        """Every use of an attribute that cannot be there, by path."""
        return tuple(missing for path, facts in self.table.facts.items() for missing in self._missing_in(path, facts))

    def _missing_in(self, path: str, facts: ClassesFacts) -> Iterator[MissingAttribute]:
        for ref, raw in facts.uses.items():
            cls = self.table.class_of(path, ref)
            if cls is None or not self._is_judged(cls):
                continue
            there = self.table.attributes(cls)
            for use in unpack(raw, list[Use]):
                if use.path not in there:
                    yield from self._missing(path, facts, cls, use)
        for ref, raw in facts.chains.items():
            cls = self.table.class_of(path, ref)
            if cls is not None:
                for use in unpack(raw, list[Use]):
                    yield from self._missing(path, facts, cls, use)

    def _missing(self, path: str, facts: ClassesFacts, cls: Class, use: Use) -> Iterator[MissingAttribute]:
        """The first attribute of the chain that its holder lacks, where every holder's class is known.

        What the file itself assigns, somewhere, to an attribute of one of the names is not judged.
        """
        names = use.path.split(".")
        holder = cls
        for depth, name in enumerate(names):
            if depth:
                held = self.table.attribute_type(holder, names[depth - 1], exact=use.exact and depth == 1)
                if held is None:
                    return
                holder = held
            if self._lacks(holder, name, use.exact and not depth):
                changed = frozenset(facts.loose).union(write.path.rpartition(".")[2] for write in facts.writes)
                if changed.isdisjoint(names[: depth + 1]):
                    yield _missing_attribute(path, facts, use, holder, depth)
                return

    def _lacks(self, cls: Class, name: str, exact: bool) -> bool:
        return (
            self._is_judged(cls)
            and name not in self._set_by_name
            and name not in self.table.facts[cls.path].loose
            and not self.table.has_attribute(cls, name, exact=exact)
        )

    def _is_judged(self, cls: Class) -> bool:
        """Whether the class is, or inherits from, one of a known kind, and all of its attributes are known."""
        found = self._judged.get(cls)
        if found is None:
            lineage = self.table.lineage(cls)
            found = self._judged[cls] = any(
                kind_of(self.table, owner) is not None for owner in lineage.classes
            ) and self.table.has_known_attributes(cls)
        return found


def _place(path: str, facts: ClassesFacts, used: Call | Update | Use) -> Place:
    return Place(path, used.line, used.column, used.end_column, facts.scopes[used.scope], used.lazy)


def _missing_attribute(path: str, facts: ClassesFacts, use: Use, cls: Class, depth: int) -> MissingAttribute:
    parts = use.path.split(".")
    behind = sum(len(part) + 1 for part in parts[depth + 1 :])
    place = _place(path, facts, use)
    return MissingAttribute(
        msgspec.structs.replace(place, end_column=max(place.column, place.end_column - behind)),
        cls,
        parts[depth],
        ".".join(parts[: depth + 1]),
        Access.LOAD if depth < len(parts) - 1 else use.access,
    )


FAMILY: Final[Family[ClassesFacts, Classes]] = Family(
    "classes", 3, ClassesFacts, Classes, see_python=ClassCollector, letters=("DCF",)
)
