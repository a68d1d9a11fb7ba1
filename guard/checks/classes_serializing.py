"""Methods that write the fields of their class into a dict by hand."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from typing import Final

from guard.checks.classes_facts import Serializer
from guard.checks.classes_types import plain_name
from guard.nodes import mangled

SERIALIZERS: Final = frozenset({"to_dict", "as_dict", "asdict", "to_json", "serialize", "to_payload", "__repr__"})
"""Names of methods that are looked into."""
FEWEST: Final = 3
"""Fields that a dict must hold before it is taken for one of the fields."""


def serializer_of(node: ast.FunctionDef, owner: str, methods: Mapping[str, ast.FunctionDef]) -> Serializer | None:
    """What a method of the class `owner` writes into a dict; None where it writes none by hand, or other code has a
    hand in it. `methods` are those of the class: a field from which a property is computed that is read is no field
    that is forgotten."""
    if not node.args.args or node.decorator_list:
        return None
    own = node.args.args[0].arg
    written: list[str] = []
    read: set[str] = set()
    line = 0
    for part in ast.walk(node):
        kind = part.__class__
        if kind is ast.Attribute and part.value.__class__ is ast.Name and part.value.id == own:  # type: ignore[attr-defined]
            read.add(mangled(part.attr, owner))  # type: ignore[attr-defined]
        elif kind is ast.Dict:
            if None in part.keys:  # type: ignore[attr-defined]
                return None  # `**` of something
            for key, value in zip(part.keys, part.values, strict=True):  # type: ignore[attr-defined]
                if isinstance(key, ast.Constant) and isinstance(key.value, str):
                    read.add(key.value)  # the name is there, whatever stands under it
                    if _reads(value, own, key.value):
                        written.append(key.value)
                        line = line or part.lineno  # type: ignore[attr-defined]
        elif kind is ast.Call and _hands_over(part, own):  # type: ignore[arg-type]
            return None
    if len(written) < FEWEST or "__dict__" in read:
        return None
    waiting = [name for name in read if name in methods]
    while waiting:
        inner = methods[waiting.pop()]
        found = {mangled(name, owner) for name in _read_from_self(inner)} - read
        read |= found
        waiting += [name for name in found if name in methods]
    return Serializer(node.name, line, tuple(written), tuple(sorted(read)), _values(node.returns))


def _read_from_self(node: ast.FunctionDef) -> Iterator[str]:
    own = node.args.args[0].arg if node.args.args else ""
    for part in ast.walk(node):
        if isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name) and part.value.id == own:
            yield part.attr


def _values(returns: ast.expr | None) -> str:
    """The one plain type of the values in `dict[str, int]`."""
    inner = returns.slice if isinstance(returns, ast.Subscript) else None
    name = plain_name(inner.elts[1]) if isinstance(inner, ast.Tuple) and len(inner.elts) == 2 else ""
    return "" if name in ("*", "Any") else name


def _reads(value: ast.expr, own: str, name: object) -> bool:
    return any(
        isinstance(part, ast.Attribute)
        and part.attr == name
        and isinstance(part.value, ast.Name)
        and part.value.id == own
        for part in ast.walk(value)
    )


def _hands_over(call: ast.Call, own: str) -> bool:
    """Whether a call sees all of the instance: it is given it, or is one of its own methods, or of a base's."""
    func = call.func
    if isinstance(func, ast.Name) and func.id == "super":
        return True
    if isinstance(func, ast.Attribute) and isinstance(func.value, ast.Name) and func.value.id == own:
        return True
    arguments = [*call.args, *(keyword.value for keyword in call.keywords)]
    return any(isinstance(argument, ast.Name) and argument.id == own for argument in arguments)
