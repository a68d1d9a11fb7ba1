"""The value of an expression that gives a string, where the file itself says it: constants, and what is put together
from them."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Set
from typing import Final

import msgspec

from guard.checks.references import Ref, only_binding, reference_of_name
from guard.checks.strings_facts import SELF
from guard.scopes import BindingKind, Scope, dotted

_MOST: Final = 100
"""Expressions looked at for one string. Nobody writes more, and names that stand for names can have no end."""
_LIMIT: Final = 1000
"""Characters. No dotted path is longer."""
_PACKAGE: Final = Ref(1, "", "")


class Folded(msgspec.Struct, frozen=True):
    """A string: the dotted path of what `base` stands for, if any, and `text` behind it."""

    text: str
    base: Ref | None = None


def fold(node: ast.expr, scope: Scope, rebound: Set[str]) -> Folded | None:
    """What the string expression `node` gives when it is read in `scope`; None where that is not certain.

    Names in `rebound` are bound by functions other than their own. Only right once the walk is over.
    """
    return _Folder(rebound).fold(node, scope)


def constant_of(name: str, scope: Scope, rebound: Set[str]) -> tuple[ast.expr, Scope] | None:
    """The expression that `name` certainly stands for, with the scope that it is read in: assigned once, no branch."""
    found = only_binding(scope, name)
    if found is None or name in rebound:
        return None
    where, binding = found
    if binding.kind not in (BindingKind.ASSIGN, BindingKind.ANNOTATED) or binding.context.branch:
        return None
    return None if binding.value is None else (binding.value, where)


class _Folder:
    """Folds one string."""

    def __init__(self, rebound: Set[str]) -> None:
        self._rebound = rebound
        self._left = _MOST

    def fold(self, node: ast.expr, scope: Scope) -> Folded | None:
        self._left -= 1
        if self._left < 0:
            return None
        if isinstance(node, ast.Constant):
            return Folded(node.value) if isinstance(node.value, str) else None
        if isinstance(node, ast.Name):
            return self._name(node.id, scope)
        if isinstance(node, ast.Attribute):
            return _name_of(node, scope)
        if isinstance(node, ast.JoinedStr):
            return _joined(self._part(value, scope) for value in node.values)
        if isinstance(node, ast.BinOp):
            if isinstance(node.op, ast.Add):
                return _joined(self.fold(side, scope) for side in (node.left, node.right))
            if isinstance(node.op, ast.Mod):
                return self._formatted(node, scope)
        return None

    def _name(self, name: str, scope: Scope) -> Folded | None:
        if name in ("__name__", "__package__"):
            return Folded("", SELF if name == "__name__" else _PACKAGE)
        value = constant_of(name, scope, self._rebound)
        return None if value is None else self.fold(*value)

    def _part(self, node: ast.expr, scope: Scope) -> Folded | None:
        if isinstance(node, ast.FormattedValue):
            if node.format_spec is not None or node.conversion not in (-1, ord("s")):
                return None
            node = node.value
        return self.fold(node, scope)

    def _formatted(self, node: ast.BinOp, scope: Scope) -> Folded | None:
        """`"%s.name" % module`."""
        if not isinstance(node.left, ast.Constant) or not isinstance(node.left.value, str):
            return None
        values = node.right.elts if isinstance(node.right, ast.Tuple) else [node.right]
        texts = node.left.value.split("%s")
        if any("%" in text for text in texts) or len(texts) != len(values) + 1:
            return None
        parts: list[Folded | None] = [Folded(texts[0])]
        for value, text in zip(values, texts[1:], strict=True):
            parts += (self.fold(value, scope), Folded(text))
        return _joined(parts)


def _name_of(node: ast.Attribute, scope: Scope) -> Folded | None:
    """`module.__name__`."""
    text = dotted(node.value) if node.attr == "__name__" else ""
    found = reference_of_name(text, scope) if text else None
    return None if found is None or found.is_local else Folded("", found)


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
