"""What the collectors of a file want to be told of: the register that the walk reads.

A large monorepo has a million calls and as many attribute chains, and each collector cares for few of them. So a
collector does not see a node and then decide: it says beforehand which ones it wants (by the name that is called, by
the name that a chain begins with), and the walk decides with one look into a dict or a set.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Callable, Mapping, Sequence, Set
from typing import Any, Final

from guard.scopes import Context

Handler = Callable[[Any, Context], None]
"""Called with a node and the context that it stands in."""
CallHandler = Callable[[ast.Call, str, Context], None]
"""Called with a call, the last part of the name that is called, and the context."""
ChainHandler = Callable[[ast.Attribute, str, list[str], Context], None]
"""Called with the outermost node of `a.b.c`, its root `a`, the attributes in reading order, and the context."""


class Listeners:
    """Who is told of what in one file. Handlers are called in the order in which they came."""

    def __init__(self) -> None:
        self.nodes: Final[dict[type[ast.AST], tuple[Handler, ...]]] = {}
        self.module_level: Final[dict[type[ast.AST], tuple[Handler, ...]]] = {}
        self.calls: Mapping[str, tuple[int, ...]] = {}
        """By the name that is called, who is told: places in `of_calls`. Complete from `settle` on."""
        self.of_calls: Final[list[CallHandler]] = []
        self._names: Final[list[frozenset[str]]] = []
        """What each of them asked for."""
        self._settled = False
        self.class_calls: tuple[CallHandler, ...] = ()
        self.every_call: tuple[CallHandler, ...] = ()
        self.module_level_calls: tuple[CallHandler, ...] = ()
        self.chains: tuple[tuple[ChainHandler, Set[str], Set[str]], ...] = ()
        self.written_chains: tuple[ChainHandler, ...] = ()

    def close(self) -> None:
        """Let go of everybody. Collectors may hold the register, and the register holds their methods."""
        self.nodes.clear()
        self.module_level.clear()
        self.of_calls.clear()
        self.class_calls = self.every_call = self.module_level_calls = ()
        self.chains, self.written_chains = (), ()

    def on(self, kind: type[ast.AST], handler: Handler) -> None:
        """Tell `handler` of every statement or expression of a kind. Of a function or class, it is told when the walk
        is about to enter, with the outer context. Calls, attributes, names and constants are not among these kinds."""
        self.nodes[kind] = (*self.nodes.get(kind, ()), handler)

    def on_module_level(self, kind: type[ast.stmt], handler: Handler) -> None:
        """Tell `handler` of the statements of a kind that stand in the module's own scope, in its blocks too."""
        self.module_level[kind] = (*self.module_level.get(kind, ()), handler)

    def on_calls(self, names: frozenset[str], handler: CallHandler) -> None:
        """Tell `handler` of calls of `name(…)` and `….name(…)`. May be said while the walk runs."""
        self._names.append(names)
        self.of_calls.append(handler)
        if self._settled:
            self.calls = {**self.calls, **_by_name((*self._names,), names)}

    def settle(self) -> None:
        """Everybody has said what they want to be told of before the walk begins."""
        self._settled = True
        self.calls = _of_all(tuple(self._names))

    def on_class_calls(self, handler: CallHandler) -> None:
        """Tell `handler` of calls of what has an ASCII capital or an underscore at the beginning of its last name,
        where nobody asked for that very name."""
        self.class_calls = (*self.class_calls, handler)

    def on_every_call(self, handler: CallHandler) -> None:
        """Tell `handler` of all calls."""
        self.every_call = (*self.every_call, handler)

    def on_module_level_calls(self, handler: CallHandler) -> None:
        """Tell `handler` of all calls in the module's own scope."""
        self.module_level_calls = (*self.module_level_calls, handler)

    def on_chains(self, handler: ChainHandler, roots: Set[str], roots_of_longer: Set[str]) -> None:
        """Tell `handler` of maximal attribute chains on a name: of all that are assigned to or deleted, and of those
        read whose root is in `roots` (for one attribute) or `roots_of_longer` (for more). The sets may grow during the
        walk; what is added counts from then on."""
        self.chains = (*self.chains, (handler, roots, roots_of_longer))
        self.on_written_chains(handler)

    def on_written_chains(self, handler: ChainHandler) -> None:
        """Tell `handler` of maximal attribute chains on a name that are assigned to or deleted."""
        self.written_chains = (*self.written_chains, handler)


def _by_name(every: Sequence[frozenset[str]], names: Set[str]) -> dict[str, tuple[int, ...]]:
    return {name: tuple([place for place, wanted in enumerate(every) if name in wanted]) for name in names}


@functools.lru_cache(maxsize=256)
def _of_all(every: tuple[frozenset[str], ...]) -> Mapping[str, tuple[int, ...]]:
    """Computed once for all files in which the same is asked for, as it is in most: there are a hundred names."""
    return _by_name(every, frozenset().union(*every))
