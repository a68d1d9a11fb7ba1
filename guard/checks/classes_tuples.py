"""Named tuples, msgspec's structs, enumerations and typed dictionaries."""

from __future__ import annotations

from typing import Final

from guard.checks.classes_bases import ENUMS, NAMED_TUPLES, STRUCTS, TYPED_DICTS
from guard.checks.classes_facts import Applied, Marker, Signature, Value
from guard.checks.classes_lineage import Class
from guard.checks.classes_model import (
    Fields,
    ModelField,
    external_bases,
    is_legible,
    makes_plain_value,
    places_then_keywords,
)
from guard.checks.classes_table import ClassTable
from guard.checks.modules import External


class NamedTuples:
    """`typing.NamedTuple` and `collections.namedtuple`."""

    name = "named tuple"
    makes_instances = True
    error = "TypeError"
    freezes_all = False
    inherits_frozen = False

    def makes(self, table: ClassTable, cls: Class) -> bool:
        """Whether the class statement makes the tuple; what inherits from it is a plain class."""
        return not NAMED_TUPLES.isdisjoint(external_bases(table, cls))

    def writes_constructor(self, table: ClassTable, cls: Class) -> bool:
        """Always: a `__new__`."""
        return True

    def fields(self, table: ClassTable, cls: Class) -> Fields | None:
        """The annotated names in order."""
        if cls.facts.dynamic:
            return None
        found: Fields = {}
        for field in cls.facts.fields:
            if field.conditional:
                return None
            if field.marker is not Marker.BARE:
                found[field.name] = ModelField(field.name, cls, field.line, field.has_value, True, False, False)
        return found

    def signature(self, table: ClassTable, cls: Class, fields: Fields) -> Signature | None:
        """Fields in order."""
        return places_then_keywords(fields.values())

    def refuses(self, table: ClassTable, cls: Class, name: str) -> bool:
        """An instance of the tuple itself has no dictionary."""
        return self.makes(table, cls) and not any(table.class_of(cls.path, ref) for ref in cls.header.bases)

    def is_frozen(self, table: ClassTable, cls: Class) -> bool:
        """Always."""
        return True

    def is_open(self, table: ClassTable, cls: Class) -> bool:
        """Where the names of the fields are not written."""
        return cls.facts.dynamic


class Structs:
    """`msgspec.Struct`."""

    name = "struct"
    makes_instances = True
    error = "TypeError"
    freezes_all = True
    inherits_frozen = True
    _FIELD: Final = External("msgspec", "field")
    _LITERAL: Final = ("frozen", "kw_only", "dict")

    def makes(self, table: ClassTable, cls: Class) -> bool:
        """Whether the class inherits from `Struct`."""
        return not STRUCTS.isdisjoint(table.lineage(cls).externals)

    def writes_constructor(self, table: ClassTable, cls: Class) -> bool:
        """Always."""
        return True

    def _said(self, cls: Class, option: str) -> bool | str | None:
        return next((value for name, value in cls.facts.keywords if name == option), None)

    def _inherited(self, table: ClassTable, cls: Class, option: str) -> bool:
        said = (self._said(one, option) for one in table.lineage(cls).classes)
        return next((value for value in said if value is not None), False) is True

    def fields(self, table: ClassTable, cls: Class) -> Fields | None:
        """Fields of the bases, then the class's own: a name that comes again keeps its place and changes what it is."""
        found: Fields = {}
        for owner in reversed(table.lineage(cls).classes):
            if not self.makes(table, owner):
                if any(field.marker is not Marker.BARE for field in owner.facts.fields):
                    return None
                continue
            own = self._own_fields(table, owner)
            if own is None:
                return None
            found.update(own)
        return found

    def _own_fields(self, table: ClassTable, cls: Class) -> Fields | None:
        if not is_legible(Applied(0, options=cls.facts.keywords), self._LITERAL) or self._said(cls, "**") is not None:
            return None
        if any(name == "**" for name, _ in cls.facts.keywords):
            return None
        found: Fields = {}
        keyword_only = self._said(cls, "kw_only") is True
        for field in cls.facts.fields:
            if field.marker in (Marker.BARE, Marker.CLASS_VAR):
                continue
            if field.conditional or field.value is Value.FILLED:
                return None
            has_default = field.has_value
            maker = field.maker
            if maker is not None:
                if table.resolve(cls.path, maker.ref) == self._FIELD:
                    if maker.opaque:
                        return None
                    has_default = maker.has("default") or maker.has("default_factory")
                elif not makes_plain_value(table, cls, maker):
                    return None
            elif not has_default and field.name in cls.facts.names:
                return None
            found[field.name] = ModelField(field.name, cls, field.line, has_default, True, keyword_only, False)
        return found

    def signature(self, table: ClassTable, cls: Class, fields: Fields) -> Signature | None:
        """Fields in order, keyword-only ones behind the rest."""
        return places_then_keywords(fields.values())

    def refuses(self, table: ClassTable, cls: Class, name: str) -> bool:
        """Unless a class of the lineage has a dictionary."""
        return all(
            self.makes(table, one) and not any(option in ("dict", "**") for option, _ in one.facts.keywords)
            for one in table.lineage(cls).classes
        )

    def is_frozen(self, table: ClassTable, cls: Class) -> bool:
        """With `frozen=True`, inherited unless the class says otherwise."""
        return self._inherited(table, cls, "frozen")

    def is_open(self, table: ClassTable, cls: Class) -> bool:
        """Never."""
        return False


class Enums:
    """`enum.Enum` and its kin. How they are called is not looked at."""

    name = "enumeration"
    makes_instances = True
    error = "ValueError"
    freezes_all = False
    inherits_frozen = False

    def makes(self, table: ClassTable, cls: Class) -> bool:
        """Whether the class inherits from one of them."""
        return not ENUMS.isdisjoint(table.lineage(cls).externals)

    def writes_constructor(self, table: ClassTable, cls: Class) -> bool:
        """Not of fields; what it takes is not told."""
        return True

    def fields(self, table: ClassTable, cls: Class) -> Fields | None:
        """There are none."""
        return None

    def signature(self, table: ClassTable, cls: Class, fields: Fields) -> Signature | None:
        """Not told."""
        return None

    def refuses(self, table: ClassTable, cls: Class, name: str) -> bool:
        """Never."""
        return False

    def is_frozen(self, table: ClassTable, cls: Class) -> bool:
        """Not its instances."""
        return False

    def is_open(self, table: ClassTable, cls: Class) -> bool:
        """Never."""
        return False


class TypedDicts(Enums):
    """`typing.TypedDict`: a dictionary at run time, so that any call of it works."""

    name = "typed dictionary"

    def makes(self, table: ClassTable, cls: Class) -> bool:
        """Whether the class inherits from it."""
        return not TYPED_DICTS.isdisjoint(table.lineage(cls).externals)

    def refuses(self, table: ClassTable, cls: Class, name: str) -> bool:
        """Always: what is made is a dictionary."""
        return True
