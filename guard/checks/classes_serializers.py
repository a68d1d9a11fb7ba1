"""Fields that a dict leaves out which a method writes by hand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import msgspec

from guard.checks.classes_facts import Applied, Marker, Serializer
from guard.checks.classes_kinds import kind_of
from guard.checks.classes_lineage import Class
from guard.checks.classes_serializing import FEWEST

if TYPE_CHECKING:
    from guard.checks.classes import Classes

_SHARE: Final = 4
"""A field of so many may be forgotten; where more are left out, that is meant."""
_KINDS: Final = frozenset({"dataclass", "attrs", "struct"})
_CONFIDENTIAL: Final = frozenset(
    {
        *("password", "passwd", "pwd", "passphrase", "secret", "secrets", "token", "tokens", "key", "keys", "salt"),
        *("credential", "credentials", "private", "hash", "signature", "cookie", "cookies", "auth", "authorization"),
        *("raw", "internal", "cached", "cache"),
    }
)
"""Words in the names of what is left out of a dict on purpose."""


class Drift(msgspec.Struct, frozen=True):
    """A method that leaves fields out of its dict."""

    cls: Class
    method: str
    line: int
    left_out: tuple[str, ...]


def drifts(linked: Classes) -> Iterator[Drift]:
    """Every such method, by path."""
    table = linked.table
    for cls in table.all_classes():
        if not cls.header.decorated:
            continue  # a struct of msgspec is encoded, not written by hand
        for serializer in cls.facts.serializers:
            left_out = _left_out(linked, cls, serializer)
            if left_out:
                yield Drift(cls, serializer.method, serializer.line, left_out)


def _left_out(linked: Classes, cls: Class, serializer: Serializer) -> tuple[str, ...]:
    table = linked.table
    kind = kind_of(table, cls)
    fields = kind.fields(table, cls) if kind is not None and kind.name in _KINDS else None
    if fields is None or not table.has_known_attributes(cls):
        return ()
    kept = [name for name in serializer.written if name in fields]
    missing = [name for name, field in fields.items() if name not in serializer.read and not field.init_only]
    if len(kept) < FEWEST or not missing or len(missing) * _SHARE > len(fields):
        return ()
    if any(not _is_plain(fields[name].owner, name, serializer.values) for name in missing):
        return ()  # some of it is left out since it is no such value: so the author has thought about it
    return tuple(missing)


def _is_plain(owner: Class, name: str, values: str) -> bool:
    """Whether a field holds a value that belongs into a dict of such values, and is not hidden."""
    field = next(field for field in owner.facts.fields if field.name == name)
    hidden = isinstance(field.maker, Applied) and field.maker.option("repr") is False
    words = frozenset(name.lower().split("_"))
    return (
        bool(field.plain)
        and values in ("", field.plain)
        and field.marker is Marker.NONE
        and not hidden
        and not name.startswith("_")
        and words.isdisjoint(_CONFIDENTIAL)
    )
