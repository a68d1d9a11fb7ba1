"""The kinds of classes whose constructor and fields follow from annotations.

A kind says which classes are its own, which fields they have and what their constructor takes. Another kind is
another class with the methods of `Kind`, named in `KINDS`; nothing else has to know it.
"""

from __future__ import annotations

import sys
from typing import Final, Protocol

import msgspec

from guard.checks.classes_facts import Applied, Field, Marker, Parameter, ParameterKind, Signature
from guard.checks.classes_table import Class, ClassTable
from guard.checks.classes_types import looks_like_class
from guard.checks.modules import External


class ModelField(msgspec.Struct, frozen=True):
    """A field, as the kind's own rules make it of an annotation."""

    name: str
    owner: Class
    line: int
    has_default: bool
    init: bool
    keyword_only: bool
    init_only: bool
    """An argument of the constructor that is no attribute (`InitVar`)."""


Fields = dict[str, ModelField]


class Kind(Protocol):
    """One way in which annotations become a constructor."""

    name: str

    def makes(self, table: ClassTable, cls: Class) -> bool:
        """Whether the class statement itself, not only one that it inherits from, is of this kind."""

    def writes_constructor(self, table: ClassTable, cls: Class) -> bool:
        """Whether `__init__` follows from the fields, for a class of this kind that does not define it."""

    def fields(self, table: ClassTable, cls: Class) -> Fields | None:
        """The fields in order, inherited ones included; None where they cannot be told."""

    def signature(self, fields: Fields) -> Signature | None:
        """What the constructor that follows from `fields` takes; None where there can be none."""

    def has_no_dict(self, table: ClassTable, cls: Class) -> bool:
        """Whether the class statement leaves its instances no place for attributes that are not fields."""


class Dataclasses:
    """`dataclasses.dataclass` of the standard library, as `dataclasses._process_class` does it."""

    name = "dataclass"
    _DECORATOR: Final = External("dataclasses", "dataclass")
    _FIELD: Final = External("dataclasses", "field")

    def makes(self, table: ClassTable, cls: Class) -> bool:
        """Whether the class is decorated."""
        return bool(cls.facts.decorators) and self._decorator(table, cls) is not None

    def writes_constructor(self, table: ClassTable, cls: Class) -> bool:
        """Unless `init=False`."""
        decorator = self._decorator(table, cls)
        return decorator is not None and decorator.option("init") is not False

    def has_no_dict(self, table: ClassTable, cls: Class) -> bool:
        """With `slots=True`."""
        decorator = self._decorator(table, cls)
        return decorator is not None and decorator.option("slots") is True

    def fields(self, table: ClassTable, cls: Class) -> Fields | None:
        """Fields of the bases, last in the resolution order first, then the class's own: a name that comes again keeps
        its place and changes what it is."""
        if cls not in table.remembered:
            table.remembered[cls] = self._find_fields(table, cls)
        found = table.remembered[cls]
        return found if isinstance(found, dict) else None

    def _find_fields(self, table: ClassTable, cls: Class) -> Fields | None:
        decorator = self._decorator(table, cls)
        if decorator is None or not _is_legible(decorator, ("init", "kw_only", "slots")):
            return None
        found: Fields = {}
        for base in reversed(table.lineage(cls).classes[1:]):
            holder = next((c for c in table.lineage(base).classes if self.makes(table, c)), None)
            if holder is None:
                continue
            inherited = self.fields(table, holder)
            if inherited is None:
                return None
            found.update(inherited)
        keyword_only = decorator.option("kw_only") is True
        for field in cls.facts.fields:
            if field.marker is Marker.KW_ONLY:
                keyword_only = True
            elif field.marker is not Marker.CLASS_VAR:
                own = self._own_field(table, cls, field, keyword_only)
                if own is None:
                    return None
                found[field.name] = own
        return found

    def signature(self, fields: Fields) -> Signature | None:
        """Fields in order, keyword-only ones behind the rest."""
        taken = [field for field in fields.values() if field.init]
        places = [field for field in taken if not field.keyword_only]
        optional = [field.has_default for field in places]
        if optional != sorted(optional):
            return None  # a required field behind one with a default: there is no such class
        return (
            *(Parameter(field.name, ParameterKind.POSITIONAL, not field.has_default) for field in places),
            *(
                Parameter(field.name, ParameterKind.KEYWORD_ONLY, not field.has_default)
                for field in taken
                if field.keyword_only
            ),
        )

    def _decorator(self, table: ClassTable, cls: Class) -> Applied | None:
        return table.decorator(cls, self._DECORATOR)

    def _own_field(self, table: ClassTable, cls: Class, field: Field, keyword_only: bool) -> ModelField | None:
        """None where what the field is depends on something that is not written here."""
        if field.conditional:
            return None
        init = True
        maker = field.maker
        if maker is None:
            has_default = field.has_value or self._has_class_value(table, cls, field.name)
        elif table.resolve(cls.path, maker.ref) == self._FIELD:
            if maker.positional or not _is_legible(maker, ("init", "kw_only")):
                return None
            has_default = maker.has("default") or maker.has("default_factory")
            init = maker.option("init") is not False
            if maker.has("kw_only"):
                keyword_only = maker.option("kw_only") is True
        elif _makes_plain_value(table, cls, maker):
            has_default = True
        else:
            return None  # perhaps a helper that gives back a `field(…)`
        init_only = field.marker is Marker.INIT_VAR
        return ModelField(field.name, cls, field.line, has_default, init, keyword_only, init_only)

    def _has_class_value(self, table: ClassTable, cls: Class, name: str) -> bool:
        """Whether `getattr(cls, name)` finds something, for a name that is annotated without a value: a method or
        property of that name, or what a base class left there, is the default."""
        if name in cls.facts.names:
            return True
        for base in table.lineage(cls).classes[1:]:
            own = next((field for field in base.facts.fields if field.name == name), None)
            if own is not None and self.has_no_dict(table, base):
                return False  # a slot's descriptor: `dataclass` knows it for what it is
            if name not in base.facts.names:
                continue
            maker = own.maker if own is not None else None
            if maker is not None and table.resolve(base.path, maker.ref) == self._FIELD:
                if maker.has("default"):
                    return True
                continue  # `dataclass` takes a `field()` without a default value off the class
            return True
        return False


def _is_legible(applied: Applied, options: tuple[str, ...]) -> bool:
    """Whether the options that matter are written as literals."""
    return not applied.opaque and all(
        isinstance(applied.option(option), bool) for option in options if applied.has(option)
    )


def _makes_plain_value(table: ClassTable, cls: Class, maker: Applied) -> bool:
    """Whether the call that makes a default gives an ordinary value, and not what `dataclasses.field` gives."""
    found = table.resolve(cls.path, maker.ref)
    if isinstance(found, Class):
        return True
    if found is None:
        return False
    root = found.module.partition(".")[0]
    return root in sys.stdlib_module_names or looks_like_class(found.name)


KINDS: Final[tuple[Kind, ...]] = (Dataclasses(),)
"""In the order in which they are asked."""


def kind_of(table: ClassTable, cls: Class) -> Kind | None:
    """The kind that the class statement itself is of."""
    return next((kind for kind in KINDS if kind.makes(table, cls)), None)


class Constructor(msgspec.Struct, frozen=True):
    """What calling a class takes."""

    signature: Signature
    owner: Class
    """The class whose `__init__` it is, written or made by a kind."""
    fields: Fields | None
    """The fields that it follows from; None where it is written, or object's own."""


def constructor_of(table: ClassTable, cls: Class) -> Constructor | None:
    """The constructor that a call of `cls` is bound to; None where that is not certain."""
    if not table.is_called_plainly(cls):
        return None
    lineage = table.lineage(cls)
    for owner in lineage.classes:
        if owner.defines("__init__"):
            signature = owner.signature("__init__")
            return None if signature is None else Constructor(signature, owner, None)
        kind = kind_of(table, owner)
        if kind is not None and kind.writes_constructor(table, owner):
            fields = kind.fields(table, owner)
            made = None if fields is None else kind.signature(fields)
            return None if made is None else Constructor(made, owner, fields)
        if lineage.externals and len(owner.header.bases) != 1:
            return None  # which of several bases comes first is not known
    return Constructor((), cls, None) if lineage.closed else None
