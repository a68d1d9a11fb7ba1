"""What code itself does not take for certain: failures that it expects, names whose class it asks for."""

from __future__ import annotations

import ast
from collections.abc import Set
from typing import Final

from guard.scopes import Context, Scope, caught_names, dotted

_MISSES: Final = frozenset({"AttributeError", "TypeError", "?"})
"""Exceptions whose handler, or whose assertion, says that a use may be wrong; `?` is one that cannot be read."""


_NOTHING: Final[Set[str]] = frozenset()
BY_CLASS: Final = "?"
"""Stands for the chain of a name whose class is asked for by `isinstance`."""


class Excuses:
    """What is known of one file. `expects_failure` and `asks_about` are told first; then it answers."""

    def __init__(self) -> None:
        self._raising: set[Scope] = set()
        """Functions that hold an assertion that something raises."""
        self._asked: dict[tuple[Scope | None, str], set[str]] = {}
        """By function and name, the chains of attributes behind the name that are asked about; the empty chain is the
        name itself, and `BY_CLASS` too."""
        self._roots: set[str] = set()
        """The names of all of these."""
        self._answers: dict[tuple[Context, str], bool] = {}

    def expects_failure(self, context: Context) -> None:
        """Something in `context` is asserted to raise: `pytest.raises(…)`, `self.assertRaises(…)`."""
        if context.scope.function is not None:
            self._raising.add(context.scope.function)

    def asks_about(self, subject: ast.expr, context: Context, *, by_class: bool = False) -> None:
        """The class, or the attributes, of `subject` are asked for: `isinstance(x.a, C)`, `match x`. With `by_class`
        it is `isinstance`, which says in its own branch what the class is."""
        root, _, chain = dotted(subject).partition(".")
        if root and (root != "self" or chain):
            if by_class and not chain:
                chain = BY_CLASS
            elif "__" in chain:
                chain = ".".join(map(context.scope.private, chain.split(".")))
            self._roots.add(root)
            self._asked.setdefault((context.scope.function, root), set()).add(chain)

    def asked_about(self, root: str, scope: Scope) -> Set[str]:
        """The chains behind the name `root` that code in `scope` or around it asks about."""
        if root not in self._roots:
            return _NOTHING
        found: set[str] = set()
        function = scope.function
        while True:
            found.update(self._asked.get((function, root), ()))
            if function is None:
                break
            function = function.parent.function if function.parent is not None else None
        return found

    def excuse(self, context: Context, error: str) -> bool:
        """Whether code in `context` never runs, or is meant to fail with `error`."""
        key = (context, error)
        known = self._answers.get(key)
        if known is None:
            known = self._answers[key] = self._decide(context, error)
        return known

    def expects_values_to_fail(self, context: Context) -> bool:
        """Whether code around `context` catches what a model raises for arguments that it does not take."""
        return any(
            name.rpartition(".")[2].endswith(("ValueError", "ValidationError"))
            for guard in context.guards
            for name in guard.catches
        )

    def _decide(self, context: Context, error: str) -> bool:
        if context.dead or context.type_checking or context.platform:
            return True
        for guard in context.guards:
            if guard.kind in ("raises", "suppress") or (guard.kind == "test" and error == "AttributeError"):
                return True
            if any(name.rpartition(".")[2] in _MISSES for name in guard.catches):
                return True
        for block in context.branch:
            if isinstance(block, ast.ExceptHandler) and error in caught_names(block):
                return True
        # A function inside one that asserts a failure is likely what is meant to fail.
        scope = context.scope.parent
        while scope is not None and self._raising:
            if scope in self._raising:
                return True
            scope = scope.parent
        return False
