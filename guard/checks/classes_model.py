"""What the kinds of classes have in common: fields, and what is asked of a kind."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Final, Protocol

import msgspec

from guard.checks.classes_facts import Applied, Parameter, ParameterKind, Signature
from guard.checks.classes_lineage import Class
from guard.checks.classes_table import ClassTable
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
    argument: str = ""
    """What the constructor calls it, where that is not its name."""
    also: str = ""
    """Another name that the constructor takes for it."""

    @property
    def parameter(self) -> str:
        """The name of the constructor's parameter."""
        return self.argument or self.name


Fields = dict[str, ModelField]


class Kind(Protocol):
    """One way in which annotations become a constructor."""

    name: str
    makes_instances: bool
    """Whether its constructor is a `__new__`, which takes the arguments also where there is an `__init__`."""
    error: str
    """What the constructor raises for arguments that do not fit."""

    freezes_all: bool
    """Whether a frozen instance takes no attribute at all, not even one that is no field."""
    inherits_frozen: bool
    """Whether `is_frozen` takes the bases into account."""

    def makes(self, table: ClassTable, cls: Class) -> bool:
        """Whether the class statement itself, not only one that it inherits from, is of this kind."""

    def writes_constructor(self, table: ClassTable, cls: Class) -> bool:
        """Whether the constructor follows from the fields, for a class of this kind."""

    def fields(self, table: ClassTable, cls: Class) -> Fields | None:
        """The fields in order, inherited ones included; None where they cannot be told."""

    def signature(self, table: ClassTable, cls: Class, fields: Fields) -> Signature | None:
        """What the constructor that follows from `fields` takes; None where there can be none."""

    def refuses(self, table: ClassTable, cls: Class, name: str) -> bool:
        """Whether giving an instance of exactly `cls` an attribute that is not declared fails."""

    def is_frozen(self, table: ClassTable, cls: Class) -> bool:
        """Whether giving a field of an instance another value fails, for subclasses too unless they say otherwise."""

    def is_open(self, table: ClassTable, cls: Class) -> bool:
        """Whether the class statement asks for attributes of any name."""


def field_owner(kind: Kind, table: ClassTable, cls: Class) -> Class | None:
    """The nearest class of the lineage that is of the kind."""
    return next((c for c in table.lineage(cls).classes if kind.makes(table, c)), None)


def places_then_keywords(fields: Iterable[ModelField]) -> Signature | None:
    """Fields in order, keyword-only ones behind the rest; None where a required field stands behind one with a
    default, since then there is no such class."""
    taken = [field for field in fields if field.init]
    places = [field for field in taken if not field.keyword_only]
    optional = [field.has_default for field in places]
    if optional != sorted(optional):
        return None
    return (
        *(Parameter(field.parameter, ParameterKind.POSITIONAL, not field.has_default) for field in places),
        *(
            Parameter(field.parameter, ParameterKind.KEYWORD_ONLY, not field.has_default)
            for field in taken
            if field.keyword_only
        ),
    )


def is_legible(applied: Applied, options: tuple[str, ...]) -> bool:
    """Whether the options that matter are written as literals."""
    return not applied.opaque and all(
        isinstance(applied.option(option), bool) for option in options if applied.has(option)
    )


def makes_plain_value(table: ClassTable, cls: Class, maker: Applied) -> bool:
    """Whether the call that makes a default gives an ordinary value, and not what `dataclasses.field` or the like
    gives."""
    found = table.resolve(cls.path, maker.ref)
    if isinstance(found, Class):
        return True
    if found is None:
        return False
    root = found.module.partition(".")[0]
    return root in _PLAIN_MODULES or looks_like_class(found.name)


_PLAIN_MODULES: Final = sys.stdlib_module_names - {"dataclasses"}


def external_bases(table: ClassTable, cls: Class) -> set[External]:
    """The bases in the class statement that are not first-party."""
    return {base for ref in cls.header.bases if isinstance(base := table.resolve(cls.path, ref), External)}
