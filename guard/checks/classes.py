"""Classes, their fields and constructors, and the places that use them: the family behind the DCF rules.

The facts are in `classes_facts`, how they are seen in `classes_collect`; `classes_table` finds classes and what they
inherit, `classes_kinds` knows what a dataclass is, `classes_binding` binds arguments. Here is what they give
together: the calls and attributes that cannot work.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Final

from guard.checks import modules
from guard.checks.classes_bases import ENUMS, TYPED_DICTS
from guard.checks.classes_binding import FITS, Misfit, Parameters
from guard.checks.classes_body import CONSTRUCTORS
from guard.checks.classes_collect import ClassCollector
from guard.checks.classes_doubts import doubled_scopes, misnamed_scopes, outside_of
from guard.checks.classes_facts import (
    AWAITED,
    RETURNED,
    Access,
    Call,
    ClassesFacts,
    Parameter,
    ParameterKind,
    Update,
    Use,
)
from guard.checks.classes_faults import (
    BadCall,
    BadWrite,
    MissingAttribute,
    MissingKey,
    missing_attributes,
    places_of,
)
from guard.checks.classes_kinds import Constructor, constructor_of, frozen_by, is_open, kind_of
from guard.checks.classes_lineage import Class
from guard.checks.classes_order import BadField, bad_fields
from guard.checks.classes_serializers import Drift, drifts
from guard.checks.classes_table import ClassTable
from guard.checks.modules import External
from guard.families import Family
from guard.program import at_hand

if TYPE_CHECKING:
    from guard.program import Program

_LOAD: Final = Access.LOAD
_STORE: Final = Access.STORE
_WITHOUT_FIELDS: Final = frozenset({"enumeration", "typed dictionary"})
"""Kinds of which nothing is said where an attribute is declared nowhere."""
_EXTENSIBLE: Final = frozenset({"dataclass", "pydantic model", "attrs", "struct"})
_EVERY: Final = 1_000
"""Stands for as many positional arguments as there are places."""
_OF_OTHERS: Final = frozenset(
    {
        *("get", "items", "keys", "values", "pop", "popitem", "setdefault", "update", "copy", "clear"),
        *("append", "extend", "insert", "sort"),
        *("return_value", "side_effect", "call_count", "call_args", "call_args_list", "called", "mock_calls"),
        *("assert_called", "assert_called_once", "assert_called_with", "assert_called_once_with"),
        *("assert_any_call", "assert_not_called", "assert_has_calls", "assert_awaited", "assert_awaited_once"),
        *("assert_awaited_with", "assert_awaited_once_with", "assert_not_awaited", "await_count", "reset_mock"),
    }
)
"""Attributes of dictionaries, of lists and of doubles. Where they are used on what is annotated as another class, it is
the annotation that is wrong."""
_REPLACE: Final = frozenset(
    {
        External("dataclasses", "replace"),
        External("copy", "replace"),
        External("attr", "evolve"),
        External("attrs", "evolve"),
        External("msgspec.structs", "replace"),
        External("msgspec", "structs.replace"),
    }
)
_METHODS: Final = {"_replace": "named tuple", "model_copy": "pydantic model", "copy": "pydantic model"}
"""Methods that copy an instance with other values, with the kind that has them."""


class Classes:
    """The linked family."""

    def __init__(self, program: Program) -> None:
        self.table = ClassTable(program.facts(FAMILY), program.linked(modules.FAMILY))
        self.version = program.target.version
        self.table.is_open = lambda cls: is_open(self.table, cls)
        self.table.is_closed = lambda cls: self._all_refuse(cls, "_", exact=False)
        self._constructors: dict[Class, Constructor | None] = {}
        self._judged: dict[Class, bool] = {}
        self._misnamed: dict[tuple[str, int], frozenset[int]] = {}
        self._parameters: dict[Class, Parameters] = {}
        self._positional: dict[Class, int] = {}
        self._misfits: dict[tuple[Class, int, tuple[str, ...], bool, bool], Misfit] = {}

    @cached_property
    def _set_by_name(self) -> frozenset[str]:
        """Names of attributes that some file sets by their names."""
        return frozenset(name for facts in at_hand(self.table.facts).values() for name in facts.set_by_name)

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
        for ref, calls in facts.calls.items():
            cls = self.table.class_of(path, ref)
            constructor = None if cls is None else self.constructor(cls)
            if cls is None or constructor is None or self._is_patched(cls, facts):
                continue
            for call in calls:
                if call.own and any(self.table.descendants(cls)):
                    continue
                if call.tried and constructor.kind is not None and constructor.kind.error == "ValidationError":
                    continue
                misfit = self._misfit(cls, constructor, call)
                if misfit is not FITS:
                    for place in places_of(path, facts, call.places):
                        yield BadCall(place, cls, constructor, misfit)

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
            exact = update.exact
            for name in filter(None, update.path.split(".")):
                cls = None if cls is None else self.table.attribute_type(cls, name, exact=exact)
                exact = False
            if cls is None or (not exact and any(self.table.descendants(cls))):
                continue
            found = self._updated(cls, update.method) if update.method else self._rebuilt(path, cls, update)
            if found is None:
                continue
            constructor, taken = found
            unexpected = tuple(name for name in update.keywords if name not in taken)
            if unexpected:
                for place in places_of(path, facts, update.places):
                    yield BadCall(place, cls, constructor, Misfit(unexpected), update.method or "replace")

    def _rebuilt(self, path: str, cls: Class, update: Update) -> tuple[Constructor, frozenset[str]] | None:
        """What a copy that calls the constructor takes."""
        constructor = self.constructor(cls) if self.table.resolve(path, update.function) in _REPLACE else None
        if constructor is None or constructor.fields is None:
            return None
        if any(parameter.kind is ParameterKind.VAR_KEYWORD for parameter in constructor.signature):
            return None
        return constructor, frozenset(parameter.name for parameter in constructor.signature)

    def _updated(self, cls: Class, method: str) -> tuple[Constructor, frozenset[str]] | None:
        """What a method that copies an instance takes."""
        owner, kind = next(
            ((c, kind) for c in self.table.lineage(cls).classes if (kind := kind_of(self.table, c))), (cls, None)
        )
        if kind is None or kind.name != _METHODS[method] or not self._is_judged(cls):
            return None
        if method in self.table.attributes(cls) and any(
            method in c.facts.names for c in self.table.lineage(cls).classes
        ):
            return None  # a method of its own
        fields = kind.fields(self.table, owner)
        if fields is None:
            return None
        signature = tuple(
            Parameter(field.name, ParameterKind.KEYWORD_ONLY, False) for field in fields.values() if not field.init_only
        )
        names = {*fields, *(name for name in self.table.attributes(cls) if name.startswith("_"))}
        return Constructor(signature, owner, fields, kind), frozenset(names if method != "_replace" else fields)

    @cached_property
    def missing_attributes(self) -> tuple[MissingAttribute, ...]:
        """Every use of an attribute that cannot be there: reads by path, then writes by path."""
        return (
            *(missing for path, facts in self.table.facts.items() for missing in self._missing_in(path, facts)),
            *(found for found in self._bad_stores if isinstance(found, MissingAttribute)),
        )

    @cached_property
    def bad_fields(self) -> tuple[BadField, ...]:
        """Every field because of which there is no such class, by path."""
        return tuple(bad_fields(self))

    @cached_property
    def missing_keys(self) -> tuple[MissingKey, ...]:
        """Every read of a key that a typed dictionary does not declare, by path."""
        return tuple(missing for path, facts in self.table.facts.items() for missing in self._missing_keys(path, facts))

    def _missing_keys(self, path: str, facts: ClassesFacts) -> Iterator[MissingKey]:
        for ref, uses in facts.keys.items():
            cls = self._held(path, facts, ref)
            if cls is None or not self._is_typed_dict(cls) or not self._is_judged(cls):
                continue
            keys = frozenset(field.name for one in self.table.lineage(cls).classes for field in one.facts.fields)
            for use in uses:
                if use.path not in keys and (use.exact or not any(self.table.descendants(cls))):
                    for place in places_of(path, facts, use.places):
                        yield MissingKey(place, cls, use.path, keys, use.exact)

    @cached_property
    def drifts(self) -> tuple[Drift, ...]:
        """Every method that leaves fields out of the dict that it writes by hand, by path."""
        return tuple(drifts(self))

    @cached_property
    def bad_writes(self) -> tuple[BadWrite, ...]:
        """Every write of an attribute that fails since it is frozen, or that no field is there for, by path."""
        return tuple(found for found in self._bad_stores if isinstance(found, BadWrite))

    @cached_property
    def _bad_stores(self) -> tuple[MissingAttribute | BadWrite, ...]:
        return tuple(found for path, facts in self.table.facts.items() for found in self._writes(path, facts))

    def _missing_in(self, path: str, facts: ClassesFacts) -> Iterator[MissingAttribute]:
        for ref, uses in facts.uses.items():
            cls = self._held(path, facts, ref)
            if cls is None or not self._is_judged(cls):
                continue
            there = frozenset() if self._is_typed_dict(cls) else self.table.attributes(cls, given=False)
            for use in uses:
                if use.path not in there:
                    yield from self._believed(path, facts, ref, cls, use)
        for ref, uses in facts.chains.items():
            cls = self._held(path, facts, ref)
            if cls is not None:
                for use in uses:
                    yield from self._believed(path, facts, ref, cls, use)
        yield from self._missing_members(path, facts)

    def _believed(self, path: str, facts: ClassesFacts, ref: int, cls: Class, use: Use) -> Iterator[MissingAttribute]:
        """`_missing`, where the annotation is to be believed."""
        if any(True for _ in self._missing(path, facts, cls, use)):
            key = (path, ref)
            if key not in self._misnamed:
                self._misnamed[key] = misnamed_scopes(self, path, facts, ref, cls)
            sure = use if use.exact else outside_of(use, self._misnamed[key])
            if sure is not None:
                yield from self._missing(path, facts, cls, sure)

    def _held(self, path: str, facts: ClassesFacts, ref: int) -> Class | None:
        """The class of a receiver; None too where a function gives it that code of the file puts another one for."""
        name = facts.refs[ref].name
        if name.endswith((RETURNED, AWAITED)) and facts.loose:
            function = name.removesuffix(AWAITED).removesuffix(RETURNED).rpartition(".")[2]
            if function in facts.loose:
                return None
        return self.table.class_of(path, ref)

    @cached_property
    def hints(self) -> Mapping[tuple[Class, str], frozenset[str]]:
        """What is done with the attributes that are missing, by class and name."""
        found: dict[tuple[Class, str], set[str]] = {}
        for missing in self.missing_attributes:
            found.setdefault((missing.cls, missing.name), set()).add(missing.hint)
        return {key: frozenset(hints - {""}) for key, hints in found.items()}

    @cached_property
    def _calls(self) -> Mapping[Class, list[Call]]:
        """The calls of each class."""
        found: dict[Class, list[Call]] = {}
        for path, facts in at_hand(self.table.facts).items():
            for ref, calls in facts.calls.items():
                cls = self.table.class_of(path, ref)
                if cls is not None:
                    found.setdefault(cls, []).extend(calls)
        return found

    def _most_positional(self, cls: Class) -> int:
        """How many positional arguments a class is called with at most."""
        most = self._positional.get(cls)
        if most is None:
            calls = self._calls.get(cls, ())
            most = max((_EVERY if call.starred else call.positional for call in calls), default=0)
            self._positional[cls] = most
        return most

    def extensible(self, cls: Class) -> tuple[str, int] | None:
        """The kind of a class that a field can be added to, and how many fields must stay where they are, since calls
        give them by position; None for a class of another kind."""
        kind = kind_of(self.table, cls)
        if kind is None or kind.name not in _EXTENSIBLE:
            return None
        related = (cls, *self.table.descendants(cls))
        return kind.name, max(map(self._most_positional, related))

    def _missing_members(self, path: str, facts: ClassesFacts) -> Iterator[MissingAttribute]:
        """Members that an enumeration has not, what is written like one on another class, and attributes that no
        member has."""
        for ref, uses in facts.members.items():
            cls = self.table.class_of(path, ref)
            if cls is None or not self._is_judged(cls) or self._is_typed_dict(cls):
                continue
            there = self.table.attributes(cls)
            for use in uses:
                first, _, rest = use.path.partition(".")
                second = rest.partition(".")[0]
                if first not in there:
                    if use.access is _LOAD and first not in facts.loose and self._lacks_member(cls, first):
                        yield from missing_attributes(path, facts, use, cls, 0)
                elif (
                    second
                    and use.access is _LOAD
                    and self.table.is_plain_member(cls, first)
                    and self._lacks(cls, second, True)
                    and second not in facts.loose
                ):
                    yield from missing_attributes(path, facts, use, cls, 1)

    def _lacks_member(self, cls: Class, name: str) -> bool:
        if self._is_enumeration(cls):
            return name not in self._set_by_name
        return self._lacks(cls, name, True)

    def _is_enumeration(self, cls: Class) -> bool:
        return not ENUMS.isdisjoint(self.table.lineage(cls).externals) and self._is_judged(cls)

    def _writes(self, path: str, facts: ClassesFacts) -> Iterator[MissingAttribute | BadWrite]:
        for ref, uses in facts.stores.items():
            cls = self._held(path, facts, ref)
            if cls is not None:
                doubled = doubled_scopes(self, facts, uses, cls)
                for use in uses:
                    meant = outside_of(use, doubled)
                    found = tuple(self._written(path, facts, cls, meant)) if meant is not None else ()
                    if found and self._changed(facts).isdisjoint(use.path.split(".")[:-1]):
                        yield from found
        for ref, uses in facts.members.items():
            cls = self.table.class_of(path, ref)
            if cls is None or not self._is_enumeration(cls):
                continue
            for use in uses:
                if use.access is not _LOAD and self.table.is_plain_member(cls, use.path):
                    for place in places_of(path, facts, use.places):
                        yield BadWrite(place, cls, use.path, use.path, use.access, cls, "enumeration")

    def _written(self, path: str, facts: ClassesFacts, cls: Class, use: Use) -> Iterator[MissingAttribute | BadWrite]:
        """What is wrong with an attribute that is given a value or deleted."""
        *leading, name = use.path.split(".")
        holder = cls
        for depth, attribute in enumerate(leading):
            held = self.table.attribute_type(holder, attribute, exact=use.exact and not depth)
            if held is None:
                return
            holder = held
        exact = use.exact and not leading
        if not self._is_judged(holder) or name in self._set_by_name or (name.startswith("__") and name.endswith("__")):
            return
        declared = self.table.has_attribute(holder, name, exact=exact, given=False)
        family = (holder,) if exact else (holder, *self.table.descendants(holder))
        kind = next(kind for owner in self.table.lineage(holder).classes if (kind := kind_of(self.table, owner)))
        owners = [frozen_by(self.table, one, name, exact=exact) for one in family]
        if owners[0] is not None and all(owners):
            if not declared and use.access is not _STORE:
                return
        elif declared or use.access is not _STORE or kind.name in _WITHOUT_FIELDS:
            return
        elif all(self._refuses(one, name) for one in family):
            yield from missing_attributes(path, facts, use, holder, len(leading))
            return
        elif name.startswith("_") or any(self._refuses(one, name) for one in family):
            return
        frozen = owners[0] if all(owners) else None
        for place in places_of(path, facts, use.places):
            yield BadWrite(place, holder, name, use.path, use.access, frozen, kind.name)

    def _refuses(self, cls: Class, name: str) -> bool:
        """Whether an instance of exactly this class takes no attribute that is not declared."""
        kind = kind_of(self.table, cls)
        return kind is not None and kind.refuses(self.table, cls, name)

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
            if name in _OF_OTHERS and not (use.exact and not depth):
                return  # written for a dictionary or a double, whatever the annotation says
            if not self._is_judged(holder):
                continue
            if not (use.exact and not depth) and self._is_enumeration(holder):
                return  # what has other attributes than a member is annotated with an enumeration by mistake
            if self._lacks(holder, name, use.exact and not depth):
                if self._changed(facts).isdisjoint(names[: depth + 1]):
                    yield from missing_attributes(path, facts, use, holder, depth)
                return

    def _changed(self, facts: ClassesFacts) -> frozenset[str]:
        """The attributes that a file gives to instances from outside of their methods."""
        return frozenset(facts.loose).union(write.path.rpartition(".")[2] for write in facts.writes)

    def _lacks(self, cls: Class, name: str, exact: bool) -> bool:
        return (
            self._is_judged(cls)
            and name not in self._set_by_name
            and name not in self._loose(cls.path)
            and not self._has(cls, name, exact)
            and not (exact and self._makes_enumerations(cls))
        )

    def _makes_enumerations(self, cls: Class) -> bool:
        """Whether a call of `cls` gives an enumeration, and no member of one: `Words("Animals", "CAT DOG")`."""
        return not ENUMS.isdisjoint(self.table.lineage(cls).externals) and not any(
            self.table.is_plain_member(cls, name) for name in self.table.attributes(cls, given=False)
        )

    def _is_typed_dict(self, cls: Class) -> bool:
        return not TYPED_DICTS.isdisjoint(self.table.lineage(cls).externals)

    def _loose(self, path: str) -> tuple[str, ...]:
        facts = self.table.facts.get(path)
        return facts.loose if facts is not None else ()

    def _has(self, cls: Class, name: str, exact: bool) -> bool:
        if self._is_typed_dict(cls):
            return hasattr(dict, name)
        if not self.table.has_attribute(cls, name, exact=exact):
            return False
        declared = self.table.has_attribute(cls, name, exact=exact, given=False)
        if declared or not self._all_refuse(cls, name, exact=exact):
            return True
        family = (cls,) if exact else (cls, *self.table.descendants(cls))
        return any(name in self.table.forced(owner) for one in family for owner in self.table.lineage(one).classes)

    def _all_refuse(self, cls: Class, name: str, *, exact: bool) -> bool:
        """Whether giving an instance the attribute fails, where it is not declared; without `exact`, one of a subclass
        too."""
        family = (cls,) if exact else (cls, *self.table.descendants(cls))
        return all(
            self._refuses(one, name) or frozen_by(self.table, one, name, exact=True) is not None for one in family
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


FAMILY: Final[Family[ClassesFacts, Classes]] = Family(
    "classes", 20, ClassesFacts, Classes, see_python=ClassCollector, letters=("DCF",)
)
