"""What an annotation says of the elements of a container."""

from __future__ import annotations

import ast
import enum
from typing import Final

from guard.scopes import dotted


class Taken(enum.Enum):
    """How elements are taken out of a container."""

    ITERATED = "iterated"
    VALUES = "values"
    """Iterated over `.values()`, or the second of what `.items()` gives."""
    INDEXED = "indexed"
    """`x[…]`, `x.get(…)` and `x.pop(…)` of a mapping, `x[…]` of a sequence."""


SEQUENCES: Final = frozenset(
    {
        *("list", "List", "Sequence", "MutableSequence", "deque", "Deque"),
        *("tuple", "Tuple"),
    }
)
_ITERABLES: Final = SEQUENCES | {
    *("set", "Set", "frozenset", "FrozenSet", "Iterable", "Iterator", "Collection", "AbstractSet", "KeysView"),
    *("MutableSet", "ValuesView", "Generator"),
}
MAPPINGS: Final = frozenset({"dict", "Dict", "Mapping", "MutableMapping", "OrderedDict", "defaultdict", "DefaultDict"})
CONTAINERS: Final = _ITERABLES | MAPPINGS
_TRANSPARENT: Final = frozenset({"Optional", "Final", "ClassVar", "Annotated"})


def element_of(annotation: ast.expr | None, taken: Taken) -> ast.expr | None:
    """The annotation of the elements of what `annotation` describes; None where it describes no such container."""
    while isinstance(annotation, ast.BinOp) and isinstance(annotation.op, ast.BitOr):
        sides = [side for side in (annotation.left, annotation.right) if not _is_none(side)]
        if len(sides) != 1:
            return None
        annotation = sides[0]
    if not isinstance(annotation, ast.Subscript):
        return None
    head = dotted(annotation.value).rpartition(".")[2]
    inner = annotation.slice
    parts = inner.elts if isinstance(inner, ast.Tuple) else [inner]
    if head in _TRANSPARENT and parts:
        return element_of(parts[0], taken)
    if head in MAPPINGS:
        return parts[1] if len(parts) == 2 and taken is not Taken.ITERATED else None
    if taken is Taken.VALUES or head not in _ITERABLES or (taken is Taken.INDEXED and head not in SEQUENCES):
        return None
    if head in ("tuple", "Tuple") and not (len(parts) == 2 and _is_dots(parts[1])):
        return None
    if head == "Generator":
        return parts[0] if len(parts) == 3 else None
    return parts[0] if head in ("tuple", "Tuple") or len(parts) == 1 else None


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _is_dots(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is ...


def container_of(value: ast.expr) -> tuple[ast.expr, Taken] | None:
    """The container that an expression takes one element out of, and how: `x[…]`, `x.get(…)`."""
    if isinstance(value, ast.Subscript) and not isinstance(value.slice, ast.Slice):
        return value.value, Taken.INDEXED
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute) and value.func.attr in ("get", "pop"):
        return (value.func.value, Taken.INDEXED) if len(value.args) == 1 and not value.keywords else None
    return None


def iterated_by(node: ast.AST, name: str) -> tuple[ast.expr, Taken] | None:
    """The container over which a loop or comprehension runs that binds `name`, and how its elements are taken."""
    if isinstance(node, ast.For):
        pairs = [(node.target, node.iter)]
    elif isinstance(node, (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)):
        pairs = [(one.target, one.iter) for one in node.generators if not one.is_async]
    else:
        return None
    for target, iterable in pairs:
        if isinstance(target, ast.Name) and target.id == name:
            return _iterated(iterable)
        if isinstance(target, ast.Tuple) and len(target.elts) == 2:
            second = target.elts[1]
            if isinstance(second, ast.Name) and second.id == name:
                return _second(iterable)
    return None


def _iterated(iterable: ast.expr) -> tuple[ast.expr, Taken] | None:
    method = _method(iterable, "values")
    if method is not None:
        return method, Taken.VALUES
    if isinstance(iterable, ast.Call):
        called = dotted(iterable.func)
        plain = called in ("list", "sorted", "reversed", "tuple", "set") and len(iterable.args) == 1
        return _iterated(iterable.args[0]) if plain else None
    return iterable, Taken.ITERATED


def _second(iterable: ast.expr) -> tuple[ast.expr, Taken] | None:
    """What the second of two targets gets, from `x.items()` or `enumerate(x)`."""
    if isinstance(iterable, ast.Call) and dotted(iterable.func) in ("list", "sorted") and len(iterable.args) == 1:
        return _second(iterable.args[0])
    method = _method(iterable, "items")
    if method is not None:
        return method, Taken.VALUES
    if isinstance(iterable, ast.Call) and dotted(iterable.func) == "enumerate" and iterable.args:
        return _iterated(iterable.args[0])
    return None


def _method(node: ast.expr, name: str) -> ast.expr | None:
    """What a method without arguments is called on."""
    called = isinstance(node, ast.Call) and not node.args and not node.keywords
    if called and isinstance(node.func, ast.Attribute) and node.func.attr == name:  # type: ignore[attr-defined]
        return node.func.value  # type: ignore[attr-defined]
    return None
