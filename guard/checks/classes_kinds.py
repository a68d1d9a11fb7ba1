"""The kinds of classes whose constructor and fields follow from annotations.

A kind says which classes are its own, which fields they have and what their constructor takes. Another kind is
another class with the methods of `Kind`, named in `KINDS`; nothing else has to know it. What all of them share is in
`classes_model`.
"""

from __future__ import annotations

from typing import Final

import msgspec

from guard.checks.classes_attrs import Attrs
from guard.checks.classes_dataclasses import Dataclasses, PydanticDataclasses
from guard.checks.classes_facts import Signature
from guard.checks.classes_lineage import Class
from guard.checks.classes_model import Fields, Kind
from guard.checks.classes_pydantic import Models
from guard.checks.classes_table import ClassTable
from guard.checks.classes_tuples import Enums, NamedTuples, Structs, TypedDicts

KINDS: Final[tuple[Kind, ...]] = (
    Dataclasses(),
    PydanticDataclasses(),
    Attrs(),
    Models(),
    NamedTuples(),
    Structs(),
    Enums(),
    TypedDicts(),
)
"""In the order in which they are asked."""


def kind_of(table: ClassTable, cls: Class) -> Kind | None:
    """The kind that the class statement itself is of."""
    if not cls.header.decorated and not table.lineage(cls).externals:
        return None  # what makes a kind is a decorator or something external, and most classes have neither
    key = ("kind", cls)
    try:
        return table.remembered[key]  # type: ignore[return-value]
    except KeyError:
        found = table.remembered[key] = next((kind for kind in KINDS if kind.makes(table, cls)), None)
        return found


class Constructor(msgspec.Struct, frozen=True):
    """What calling a class takes."""

    signature: Signature
    owner: Class
    """The class whose `__init__` it is, written or made by a kind."""
    fields: Fields | None
    """The fields that it follows from; None where it is written, or object's own."""
    kind: Kind | None = None
    """The kind that made it."""


def constructor_of(table: ClassTable, cls: Class) -> Constructor | None:
    """The constructor that a call of `cls` is bound to; None where that is not certain."""
    if not table.is_called_plainly(cls):
        return None
    lineage = table.lineage(cls)
    written: Constructor | None = None
    for owner in lineage.classes:
        kind = kind_of(table, owner)
        if kind is not None and kind.writes_constructor(table, owner):
            if written is not None:
                return None  # there is a `__new__` that takes the arguments too
            fields = kind.fields(table, owner)
            made = None if fields is None else kind.signature(table, owner, fields)
            return None if made is None else Constructor(made, owner, fields, kind)
        if written is None and owner.defines("__init__"):
            signature = owner.signature("__init__")
            if signature is None or owner.is_installed:
                return None  # code may ask an installed package which arguments this version of it takes
            written = Constructor(signature, owner, None)
            if not any(one.makes_instances and one.makes(table, cls) for one in KINDS):
                return written
        if lineage.externals and len(owner.header.bases) != 1 and written is None:
            return None  # which of several bases comes first is not known
    return written or (Constructor((), cls, None) if lineage.closed else None)


def is_open(table: ClassTable, cls: Class) -> bool:
    """Whether the class statement asks for attributes of any name."""
    return kind_of(table, cls) is not None and any(kind.is_open(table, cls) for kind in KINDS if kind.makes(table, cls))


def frozen_by(table: ClassTable, cls: Class, name: str, *, exact: bool) -> Class | None:
    """The class of the lineage that forbids that an attribute of an instance is given another value."""
    for owner in table.lineage(cls).classes:
        kind = kind_of(table, owner)
        if kind is None:
            continue
        if kind.is_frozen(table, owner):
            fields = kind.fields(table, owner)
            # Where the class forbids its fields alone, an instance of a subclass may be given something else.
            known = fields is not None and name in fields and not fields[name].init_only
            return owner if known or (exact and owner is cls and kind.freezes_all) else None
        if kind.inherits_frozen:
            return None
    return None
