"""Class statements that fail: fields in an order that makes no constructor, and defaults that would be shared."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import msgspec

from guard.checks.classes_bases import NAMED_TUPLES, STRUCTS
from guard.checks.classes_facts import Applied, Field, Marker, Value
from guard.checks.classes_kinds import kind_of
from guard.checks.classes_lineage import Class
from guard.checks.classes_model import Fields, ModelField
from guard.checks.classes_table import ClassTable
from guard.checks.modules import External

if TYPE_CHECKING:
    from guard.checks.classes import Classes

_ORDERED: Final = {
    "dataclass": "TypeError",
    "pydantic dataclass": "TypeError",
    "attrs": "ValueError",
    "named tuple": "TypeError",
    "struct": "TypeError",
}
"""Kinds whose constructor takes fields by position, with what a wrong order raises."""
_MAKING: Final = NAMED_TUPLES | STRUCTS
_DATACLASSES: Final = frozenset({"dataclass", "pydantic dataclass"})
_MUTABLE: Final = frozenset(External("builtins", name) for name in ("list", "dict", "set"))
_UNHASHABLE: Final = frozenset(
    {
        External("builtins", "bytearray"),
        *(External("collections", name) for name in ("defaultdict", "deque", "OrderedDict", "Counter")),
    }
)
_FIELD: Final = External("dataclasses", "field")
_SINCE: Final = (3, 11)
"""From then on every value that cannot be hashed is refused as a default, not only lists, dicts and sets."""


class BadField(msgspec.Struct, frozen=True):
    """A field because of which there is no such class."""

    cls: Class
    field: str
    line: int
    after: str
    """The field with a default that a required one stands behind; empty where the default itself is at fault."""
    raises: str


def bad_fields(linked: Classes) -> Iterator[BadField]:
    """The first such field of every class statement that fails by itself, in order of path."""
    table = linked.table
    for cls in table.all_classes():
        # Only these can be of such a kind. Whatever else is asked of a class has its body decoded.
        if not cls.header.decorated and _MAKING.isdisjoint(table.lineage(cls).externals):
            continue
        kind = kind_of(table, cls)
        raises = _ORDERED.get(kind.name) if kind is not None else None
        if kind is None or raises is None or cls.header.excused:
            continue
        shared = _shared_default(table, cls, kind.name, linked.version)
        if shared is not None:
            yield BadField(cls, shared.name, shared.line, "", "TypeError" if kind.name == "struct" else "ValueError")
            continue
        fields = kind.fields(table, cls) if kind.writes_constructor(table, cls) else None
        found = None if fields is None or not table.lineage(cls).complete else _misplaced(fields)
        if found is None or _fails_above(table, cls):
            continue
        field, after = found
        line = field.line if field.owner is cls else cls.line
        yield BadField(cls, field.name, line, after.name, raises)


def _misplaced(fields: Fields) -> tuple[ModelField, ModelField] | None:
    """The first required field behind one with a default, and that one."""
    first: ModelField | None = None
    for field in fields.values():
        if not field.init or field.keyword_only:
            continue
        if field.has_default:
            first = first or field
        elif first is not None:
            return field, first
    return None


def _fails_above(table: ClassTable, cls: Class) -> bool:
    """Whether a base fails for the same reason: then the place to mend is there."""
    for base in table.lineage(cls).classes[1:]:
        kind = kind_of(table, base)
        fields = kind.fields(table, base) if kind is not None and kind.name in _ORDERED else None
        if fields is not None and _misplaced(fields) is not None:
            return True
    return False


def _shared_default(table: ClassTable, cls: Class, kind: str, version: tuple[int, int]) -> Field | None:
    """The first field whose default the kind refuses, since every instance would share it."""
    if kind == "struct":
        plain = (field for field in cls.facts.fields if field.marker is Marker.NONE and not field.conditional)
        return next((field for field in plain if field.value is Value.FILLED), None)
    if kind not in _DATACLASSES:
        return None
    for field in cls.facts.fields:
        if field.marker is not Marker.NONE or field.conditional:
            continue
        if field.value in (Value.EMPTY, Value.FILLED):
            return field
        if field.maker is not None and _makes_shared(table, cls, field.maker, version):
            return field
    return None


def _makes_shared(table: ClassTable, cls: Class, maker: Applied, version: tuple[int, int]) -> bool:
    found = table.resolve(cls.path, maker.ref)
    if found == _FIELD:
        return maker.option("default") == "[]"
    if found in _MUTABLE:
        return True
    if version < _SINCE:
        return False
    return found in _UNHASHABLE or (isinstance(found, Class) and _is_unhashable(table, found))


def _is_unhashable(table: ClassTable, cls: Class) -> bool:
    """Whether instances are data classes that compare by value and may change, so that they have no hash."""
    kind = kind_of(table, cls)
    applied = table.decorator(cls, External("dataclasses", "dataclass"))
    lineage = table.lineage(cls)
    return (
        kind is not None
        and kind.name == "dataclass"
        and applied is not None
        and not applied.opaque
        and not any(applied.has(option) for option in ("eq", "frozen", "unsafe_hash"))
        and table.has_known_attributes(cls)
        and not any("__hash__" in one.facts.names for one in lineage.classes[:1])
    )
