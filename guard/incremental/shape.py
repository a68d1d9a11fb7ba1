"""What other files can see of a file, and which names tell that it has changed.

Facts of one file are of two sorts. What it does itself (imports, calls, uses) concerns nobody else. The rest, its
*shape*, may change what is found in any file that names what has changed. Positions are no part of it: no
verdict on another file depends on them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from guard.checks import families
from guard.checks.classes_facts import Body, ClassesFacts, Returning
from guard.checks.module_facts import ModuleFacts
from guard.checks.packing import unpack
from guard.checks.references import Ref
from guard.checks.strings_classes import ClassNames
from guard.checks.strings_facts import StringsFacts
from guard.facts import FileFacts

_OWN: Final[Mapping[str, frozenset[str]]] = {
    # Edges between files are looked at by themselves: see `changes`.
    # Folders on `sys.path` hold for the file that puts them there; as roots that anybody may have they are compared.
    "modules": frozenset(
        {
            "bound",
            "defined",
            "imports",
            "guards",
            "alternatives",
            "skips",
            "provides_later",
            "main",
            "exports",
            "sys_path",
        }
    ),
    "attributes": frozenset({"used"}),
    "strings": frozenset({"uses", "refs", "provides", "sets", "classes"}),
    "classes": frozenset(
        {"refs", "scopes", "classes", "calls", "updates", "uses", "chains", "stores", "members", "keys", "loose"}
        | {"returns", "again"}
    ),
    "syntax": frozenset({"broken", "newer", "late", "undefined", "template"}),
}
"""By family, the fields that concern the file alone, or that `Shape` holds in another form. A family, or a field, that
is not named here is a part of the shape: what is not known to concern nobody may concern anybody."""
_OF_FILES: Final = frozenset({"text", "suppressions", "line_counts", "ssot"})
"""Families whose facts of a file concern that file alone, or no rule of a gate before a commit."""
POSITIONS: Final = frozenset(
    {"line", "column", "end_line", "end_column", "place", "places", "handler_line", "swallowed_line"}
)
REFERENCES: Final = frozenset({"ref", "type", "metaclass", "bases"})
"""Fields of what is known of a class that hold indices into the file's own table of references."""


class Shape(msgspec.Struct, frozen=True):
    """What other files can see of one file."""

    names: Mapping[str, object]
    """What its module binds, by name; classes as other families know them by qualified name, with their family."""
    rest: Mapping[tuple[str, str], object]
    """Everything else, by family and field; what is empty is left out."""


EMPTY: Final = Shape({}, {})
"""The shape of a file that is not there."""


def shape_of(facts: FileFacts) -> Shape:
    """The shape of a file. Raises msgspec.DecodeError for facts that are damaged."""
    names: dict[str, object] = {}
    rest: dict[tuple[str, str], object] = {}
    for family in families():
        raw = facts.parts.get(family.name)
        if raw is None or family.name in _OF_FILES:
            continue
        found = msgspec.msgpack.decode(raw, type=family.facts)
        if isinstance(found, ModuleFacts):
            names.update((name, (bound.flags, bound.origins)) for name, bound in found.names.items())
            names.update((f"{name}()", True) for name in found.definitions)
            names.update((f"{name}*", True) for name in _taken_by_star(found))
        elif isinstance(found, ClassesFacts):
            names.update(_classes(found))
            names.update((f"{name}=", True) for name in found.loose)
            names.update((f"{name}@", True) for name in found.again)
            names.update(
                (f"{told.name}>{at}", without_positions(told, found.refs)) for at, told in _numbered(found.returns)
            )
        elif isinstance(found, StringsFacts):
            known = unpack(found.classes, dict[str, ClassNames])
            names.update((f"{name}:", without_positions(cls)) for name, cls in known.items())
        own = _OWN.get(family.name, frozenset())
        refs = found.refs if isinstance(found, ClassesFacts) else ()
        for field in found.__struct_fields__:
            value = getattr(found, field)
            if field not in own and value:
                rest[family.name, field] = without_positions(value, refs)
    return Shape(names, rest)


def _classes(facts: ClassesFacts) -> Iterator[tuple[str, object]]:
    """The classes of a file, by a key that no two of one name share."""
    seen: Counter[str] = Counter()
    for header in facts.classes:
        seen[header.name] += 1
        bases = tuple([_reference(base, facts.refs) for base in header.bases])
        yield f"{header.name}#{seen[header.name]}", (bases, without_positions(unpack(header.body, Body), facts.refs))


def _taken_by_star(facts: ModuleFacts) -> Iterator[str]:
    """The names that a module gives to who imports all of them."""
    if facts.exports is None:
        return (name for name in facts.names if not name.startswith("_"))
    return (exported.name for exported in facts.exports)


def _numbered(returns: Iterable[Returning]) -> Iterator[tuple[int, Returning]]:
    """The functions of a file, each with a number that only those of one name need."""
    seen: Counter[str] = Counter()
    for told in returns:
        seen[told.name] += 1
        yield seen[told.name], told


def without_positions(value: Any, refs: Sequence[Ref] | None = None) -> object:
    """A value of msgspec structs as plain tuples, with what says where something stands left out; with `refs`, what
    the fields in `REFERENCES` stand for in place of the indices."""
    if isinstance(value, msgspec.Struct):
        kept: list[object] = [type(value).__name__]
        for name in value.__struct_fields__:
            item = getattr(value, name)
            if name not in POSITIONS:
                kept.append(_reference(item, refs) if refs and name in REFERENCES else without_positions(item, refs))
        return tuple(kept)
    if isinstance(value, Mapping):
        return tuple(sorted((key, without_positions(item, refs)) for key, item in value.items()))
    if isinstance(value, (tuple, list)):
        return tuple([without_positions(item, refs) for item in value])
    return value


def _reference(index: int | None, refs: Sequence[Ref]) -> object:
    return without_positions(refs[index]) if index is not None and 0 <= index < len(refs) else index


def changed_names(before: Shape, now: Shape) -> frozenset[str]:
    """The names by which another file can come to see that a shape has changed."""
    found: set[str] = set()
    for key in before.names.keys() | now.names.keys():
        old, new = before.names.get(key), now.names.get(key)
        if old == new:
            continue
        qualified = re.split(r"[#>]", key)[0].rstrip(":()=@*")
        found.update((qualified.partition(".")[0], qualified.rpartition(".")[2]))
        if key != qualified:
            found.update(_strings_that_differ(old, new))
    return frozenset(found)


def _strings_that_differ(old: object, new: object) -> Iterator[str]:
    """The strings in the parts of two values that differ."""
    if isinstance(old, tuple) and isinstance(new, tuple):
        if len(old) == len(new) and not all(isinstance(item, tuple) for item in (*old, *new)):
            for one, other in zip(old, new, strict=True):
                if one != other:
                    yield from _strings_that_differ(one, other)
            return
        left, right = Counter(map(repr, old)), Counter(map(repr, new))
        for item in (*old, *new):
            if left[repr(item)] != right[repr(item)]:
                yield from strings_in(item)
        return
    yield from strings_in(old)
    yield from strings_in(new)


def strings_in(value: object) -> Iterator[str]:
    """Every string in a value of tuples and structs."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, tuple):
        for item in value:
            yield from strings_in(item)
    elif isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            yield from strings_in(getattr(value, name))


_SILENCING: Final = frozenset(
    {
        *(("classes", "writes"), ("classes", "set_by_name"), ("syntax", "into_builtins")),
        *(("syntax", "into_modules"), ("syntax", "into_new_modules")),
        *(("attributes", "written"), ("attributes", "set_by_name"), ("attributes", "imports_any")),
        ("attributes", "imported_by_name"),
    }
)
"""Parts of a shape that only ever keep something from being reported: more of them brings no finding."""


def concerns_anybody(before: Shape, now: Shape) -> str:
    """What of a change may bring a finding to files that name nothing of what has changed; empty for nothing."""
    for key in before.rest.keys() | now.rest.keys():
        old, new = before.rest.get(key), now.rest.get(key)
        if old == new:
            continue
        if key not in _SILENCING or not _has_all(new, old):
            return ".".join(key)
    return ""


GIVEN_TO: Final = {"classes": ("DCF",), "attributes": ("IMP011", "IMP015"), "syntax": ("SYN004",)}
"""By family of what silences, how the codes begin of what it keeps from being reported."""


def newly_given(before: Shape, now: Shape) -> Mapping[str, frozenset[str]] | None:
    """By family, the names that may be given to something elsewhere since a shape changed, so that less may be found of
    them; None for any name."""
    found: dict[str, frozenset[str]] = {}
    for key in _SILENCING:
        old, new = before.rest.get(key), now.rest.get(key)
        if old == new or not new:
            continue
        if not isinstance(new, tuple):
            return None
        had = set(old) if isinstance(old, tuple) else set()
        for gained in set(new) - had:
            if isinstance(gained, tuple) and (any(item is True for item in gained) or gained[-1] == ""):
                return None  # attributes of any name
            names = frozenset(part for text in strings_in(gained) for part in text.split(".") if part)
            found[key[0]] = found.get(key[0], frozenset()) | names
    return found


def bases_of_changed(before: Shape, now: Shape) -> frozenset[str]:
    """The names of the bases of classes that are new or have changed: of instances of a base less may be found then,
    since they may be of the class."""
    return frozenset(
        text.rpartition(".")[2]
        for name, cls in now.names.items()
        if "#" in name and before.names.get(name) != cls and isinstance(cls, tuple)
        for text in strings_in(cls[0])
    )


class Lessened(msgspec.Struct, frozen=True):
    """A class that is gone, or may have less than before: more may be lacking of what its bases stand for."""

    bases: frozenset[str]
    words: frozenset[str]
    """What it had, by name, among other words."""
    dynamic: bool
    """Whether it had attributes of any name."""


def lessened_classes(before: Shape, now: Shape) -> Iterator[Lessened]:
    """The classes of a file that inherit from something, and are gone or may have less than before."""
    for key, old in before.names.items():
        if "#" not in key or not isinstance(old, tuple) or not old[0]:
            continue
        new: Any = now.names.get(key)
        words = Counter(strings_in(old[1]))
        keeps_bases = isinstance(new, tuple) and new[0] == old[0]
        if keeps_bases and words <= Counter(strings_in(new[1])) and _is_dynamic(new[1]) >= _is_dynamic(old[1]):
            continue
        bases = frozenset(text.rpartition(".")[2] for text in strings_in(old[0]))
        yield Lessened(bases, frozenset(words), _is_dynamic(old[1]))


def _is_dynamic(body: tuple[object, ...]) -> bool:
    return body[1 + Body.__struct_fields__.index("dynamic")] is True


def _has_all(value: object, wanted: object) -> bool:
    if not wanted:
        return True
    if not isinstance(value, tuple) or not isinstance(wanted, tuple):
        return value == wanted
    return set(wanted) <= set(value)


def mentions(facts: FileFacts, names: Iterable[bytes]) -> bool:
    """Whether the facts of a file have any of some names in them, as a part of another one perhaps."""
    packed = [bytes(raw) for raw in facts.parts.values()]
    return any(name in raw for name in names for raw in packed)
