"""The value of an expression that gives a string, where the file itself says it: constants, and what is put together
from them."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Set
from typing import Final

import msgspec

from guard.checks.references import Ref, only_binding, reference_of_name
from guard.checks.strings_facts import SELF
from guard.scopes import Binding, BindingKind, Scope, dotted

_DEPTH: Final = 20
"""Names and operators followed for one string. Nobody writes more, and a circle of names has no end."""
_LIMIT: Final = 1000
"""Characters. No dotted path is longer."""
_PACKAGE: Final = Ref(1, "", "")


class Folded(msgspec.Struct, frozen=True):
    """A string: the dotted path of what `base` stands for, if any, and `text` behind it."""

    text: str
    base: Ref | None = None


def fold(node: ast.expr, scope: Scope, rebound: Set[str], depth: int = 0) -> Folded | None:
    """What the string expression `node` gives when it is read in `scope`; None where that is not certain.

    Names in `rebound` are bound by functions other than their own. Only right once the walk is over.
    """
    if depth > _DEPTH:
        return None
    if isinstance(node, ast.Constant):
        return Folded(node.value) if isinstance(node.value, str) else None
    if isinstance(node, ast.Name):
        if node.id in ("__name__", "__package__"):
            return Folded("", SELF if node.id == "__name__" else _PACKAGE)
        value = constant_of(node.id, scope, rebound)
        return None if value is None else fold(value[0], value[1], rebound, depth + 1)
    if isinstance(node, ast.Attribute):
        if node.attr != "__name__":
            return None
        text = dotted(node.value)
        found = reference_of_name(text, scope) if text else None
        return None if found is None or found.is_local else Folded("", found)
    if isinstance(node, ast.JoinedStr):
        return _joined([_part(value, scope, rebound, depth) for value in node.values])
    if isinstance(node, ast.BinOp):
        if isinstance(node.op, ast.Add):
            return _joined([fold(side, scope, rebound, depth + 1) for side in (node.left, node.right)])
        if isinstance(node.op, ast.Mod):
            return _formatted(node, scope, rebound, depth)
    return None


def constant_of(name: str, scope: Scope, rebound: Set[str]) -> tuple[ast.expr, Scope] | None:
    """The expression that `name` certainly stands for, with the scope that it is read in: assigned once, no branch."""
    found = only_binding(scope, name)
    if found is None or name in rebound:
        return None
    where, binding = found
    if not _is_constant(binding):
        return None
    return None if binding.value is None else (binding.value, where)


def _is_constant(binding: Binding) -> bool:
    return binding.kind in (BindingKind.ASSIGN, BindingKind.ANNOTATED) and not binding.context.branch


def _part(node: ast.expr, scope: Scope, rebound: Set[str], depth: int) -> Folded | None:
    if isinstance(node, ast.FormattedValue):
        if node.format_spec is not None or node.conversion not in (-1, ord("s")):
            return None
        node = node.value
    return fold(node, scope, rebound, depth + 1)


def _joined(parts: Iterable[Folded | None]) -> Folded | None:
    """The parts one behind the other; only the first can stand for something that is named elsewhere."""
    base: Ref | None = None
    text = ""
    for part in parts:
        if part is None or len(text) > _LIMIT:
            return None
        if part.base is not None:
            if base is not None or text:
                return None
            base = part.base
        text += part.text
    return Folded(text, base)


def _formatted(node: ast.BinOp, scope: Scope, rebound: Set[str], depth: int) -> Folded | None:
    """`"%s.name" % module`."""
    if not isinstance(node.left, ast.Constant) or not isinstance(node.left.value, str):
        return None
    values = node.right.elts if isinstance(node.right, ast.Tuple) else [node.right]
    texts = node.left.value.split("%s")
    if any("%" in text for text in texts) or len(texts) != len(values) + 1:
        return None
    parts: list[Folded | None] = [Folded(texts[0])]
    for value, text in zip(values, texts[1:], strict=True):
        parts += (fold(value, scope, rebound, depth + 1), Folded(text))
    return _joined(parts)
