"""A call whose arguments hold strings that are resolved, and what is read from them."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Set
from typing import Final

import msgspec

from guard.checks.references import Ref, reference
from guard.checks.strings_facts import LAST_ONLY
from guard.checks.strings_fold import Folded, constant_of, fold
from guard.scopes import Context, Scope

_STANDARD: Final = sys.stdlib_module_names


class Found(msgspec.Struct, frozen=True):
    """One string that is resolved. `node` is where it stands."""

    api: str
    way: int
    text: str
    node: ast.expr | ast.keyword
    flags: int = 0
    base: Ref | None = None
    callee: Ref | None = None
    context: Context | None = None
    """Set where it is not that of a call."""


class Reading(msgspec.Struct, frozen=True):
    """A call of a function that resolves strings."""

    node: ast.Call
    scope: Scope
    rebound: Set[str]
    """Names of other scopes that functions of the file bind."""
    api: str
    """The function, as it is told to people."""
    callee: Ref | None = None
    """Set where another file has to say that the function is what it looks like."""

    def argument(self, index: int, *names: str) -> ast.expr | None:
        """An argument by position or by one of its names; None where it is not given, or cannot be told."""
        arguments = self.node.args
        if index < len(arguments):
            starred = any(isinstance(argument, ast.Starred) for argument in arguments[: index + 1])
            return None if starred else arguments[index]
        return next((keyword.value for keyword in self.node.keywords if keyword.arg in names), None)

    def fold(self, node: ast.expr | None) -> Folded | None:
        """The string that an expression gives."""
        return None if node is None else fold(node, self.scope, self.rebound)

    def value(self, node: ast.expr | None) -> tuple[ast.expr | None, Scope]:
        """An expression, or what the name that it is certainly stands for, with the scope that it is read in."""
        if isinstance(node, ast.Name):
            return constant_of(node.id, self.scope, self.rebound) or (None, self.scope)
        return node, self.scope

    def has(self, *names: str) -> bool:
        """Whether one of the keywords is given, or may be hidden in `**`."""
        return any(keyword.arg is None or keyword.arg in names for keyword in self.node.keywords)

    def may_create(self, position: int, name: str, *, harmless: bool) -> bool:
        """Whether an option says that the last part need not be there, or cannot be told to say that it must."""
        if len(self.node.args) > position:
            return True
        return any(
            keyword.arg is None
            or (
                keyword.arg == name
                and not (isinstance(keyword.value, ast.Constant) and keyword.value.value is harmless)
            )
            for keyword in self.node.keywords
        )

    def named(self, way: int, node: ast.expr | None, flags: int = 0, *, least: int = 1) -> Iterator[Found]:
        """The string that `node` gives, where it is read for certain; with `least` parts, where nothing is in front."""
        folded = self.fold(node)
        if node is not None and folded is not None:
            yield from self.found(way, folded, node, flags, least=least)

    def found(
        self, way: int, folded: Folded, node: ast.expr | ast.keyword, flags: int = 0, *, least: int = 1
    ) -> Iterator[Found]:
        """A folded string, where it may name something of the tree."""
        text, base = folded.text, folded.base
        if base is not None:
            if not text.startswith("."):
                return
            text = text[1:]
        elif text.count(".") + 1 < least or text.partition(".")[0] in _STANDARD:
            return
        yield Found(self.api, way, text, node, flags, base, self.callee)

    def attribute(self, way: int, owner: ast.expr | None, name: ast.expr | None, flags: int = 0) -> Iterator[Found]:
        """The attribute, named by a string, of an object that an expression gives."""
        folded = self.fold(name)
        if owner is None or name is None or folded is None or folded.base is not None or "." in folded.text:
            return
        ref = None if isinstance(owner, ast.Constant) else reference(owner, self.scope)
        if ref is not None and may_be_ours(ref):
            yield Found(self.api, way, folded.text, name, flags | LAST_ONLY, ref, self.callee)


def may_be_ours(ref: Ref) -> bool:
    """Whether a reference may lead into the tree: the standard library does not."""
    return ref.level > 0 or ref.module.partition(".")[0] not in _STANDARD
