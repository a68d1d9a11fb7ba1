"""The one walk over one syntax tree.

A file is parsed once and walked once; every family listens. The walk knows Python's blocks and scopes:
which names a scope binds, whether a statement is dead, under `TYPE_CHECKING`, in a branch, inside a `try`
that catches. Families learn that from the `Context` that comes with each node.

Speed decides the shape of this module: a monorepo of three million lines has thirteen million nodes. So the walk visits
a node only when it can hold something (names, constants and operators are passed over), asks the register of
listeners before it calls anybody, gathers the expressions of a whole block before it looks into them, and makes a
`Context` only where a block begins.
"""

from __future__ import annotations

import ast
import contextlib
from collections.abc import Iterator, Sequence
from typing import Any, Final, Protocol

from guard.listeners import Listeners
from guard.nodes import PARTS, STATEMENTS
from guard.scopes import (
    ENDS_BLOCK,
    MAY_END_BLOCK,
    Binding,
    BindingKind,
    Context,
    Guard,
    Scope,
    branches,
    caught_names,
    constant_truth,
    ends_block,
    guard_of_with,
    never_returns,
)
from guard.walk_expressions import ExpressionWalker, Plan, Special, bind, qualname_in


class Collector(Protocol):
    """What a family brings to the walk."""

    def listen(self, to: Listeners) -> None:
        """Say what it wants to be told of."""


_ASSIGN: Final = BindingKind.ASSIGN
_IMPORT: Final = BindingKind.IMPORT
_FUNCTION: Final = BindingKind.FUNCTION
_LOOP: Final = BindingKind.LOOP
"""A look into an enumeration costs several times what one at a name of the module does."""
_TYPE_ALIAS: Final[type[ast.stmt] | None] = getattr(ast, "TypeAlias", None)
_TRY_STAR: Final[type[ast.stmt] | None] = getattr(ast, "TryStar", None)


class Walker(ExpressionWalker):
    """Walks one module for a list of collectors. Use `walk`."""

    def __init__(self, module: ast.Module, collectors: Sequence[Collector]) -> None:
        listeners = Listeners()
        for collector in collectors:
            collector.listen(listeners)
        listeners.settle()
        super().__init__(module, listeners)
        self._inner: dict[type, Plan] = {}
        self._outer: dict[type, Plan] = {}
        """What is done at each kind of statement, in the module's own scope and in any other, as far as some were met:
        a file is small, and holds few kinds."""

    def _plan(self, plans: dict[type, Plan], kind: type) -> Plan:
        told = self.listeners.nodes.get(kind, ())
        if plans is self._outer:
            told = (*told, *self.listeners.module_level.get(kind, ()))
        plan = plans[kind] = (told, _STATEMENTS.get(kind)) if told else _PLANS[kind]
        return plan

    # Blocks

    def block(self, statements: Sequence[ast.stmt], context: Context) -> None:
        """Walk the statements of one block in order, and then the expressions in them."""
        plans = self._outer if context.scope is self.module_scope else self._inner
        waiting: list[Any] = []
        for index, node in enumerate(statements):
            kind = node.__class__
            try:
                listeners, special = plans[kind]
            except KeyError:
                listeners, special = self._plan(plans, kind)
            for listener in listeners:
                listener(node, context)
            if special is not None:
                special(self, node, context, waiting)
                ended = kind in MAY_END_BLOCK and ends_block(node)
            elif kind is ast.Expr:
                value = node.value  # type: ignore[attr-defined]
                waiting.append(value)
                ended = value.__class__ is ast.Call and never_returns(value)
            else:
                parts = PARTS.get(kind)
                if parts is not None:
                    waiting += parts(node)
                ended = kind in ENDS_BLOCK
            if ended:
                rest = statements[index + 1 :]
                if rest:
                    self.block(rest, context.inside(node, dead=True))
                break
        if waiting:
            waiting.reverse()  # the last is taken first
            self._drain(waiting, context)

    def _assign(self, node: ast.Assign, context: Context, waiting: list[Any]) -> None:
        value = node.value
        for target in node.targets:
            if target.__class__ is ast.Name:
                bind(target.id, Binding(_ASSIGN, node, context, value))
            else:
                self._bind_target(target, _ASSIGN, node, context, value, waiting)
        waiting.append(value)

    def _annotated(self, node: ast.AnnAssign, context: Context, waiting: list[Any]) -> None:
        if isinstance(node.target, ast.Name):
            kind = BindingKind.DECLARED if node.value is None else BindingKind.ANNOTATED
            bind(node.target.id, Binding(kind, node, context, node.value, node.annotation))
        else:
            waiting.append(node.target)
        waiting.append(node.annotation)
        if node.value is not None:
            waiting.append(node.value)

    def _augmented(self, node: ast.AugAssign, context: Context, waiting: list[Any]) -> None:
        if isinstance(node.target, ast.Name):
            bind(node.target.id, Binding(BindingKind.AUGMENTED, node, context))
        else:
            waiting.append(node.target)
        waiting.append(node.value)

    def _delete(self, node: ast.Delete, context: Context, waiting: list[Any]) -> None:
        for target in node.targets:
            self._bind_target(target, BindingKind.DELETE, node, context, None, waiting)

    def _import(self, node: ast.Import | ast.ImportFrom, context: Context, _waiting: list[Any]) -> None:
        for alias in node.names:
            name = alias.asname or (alias.name.partition(".")[0] if isinstance(node, ast.Import) else alias.name)
            if name != "*":
                bind(name, Binding(_IMPORT, node, context))

    def _global(self, node: ast.Global, context: Context, _waiting: list[Any]) -> None:
        context.scope.global_names |= set(node.names)

    def _nonlocal(self, node: ast.Nonlocal, context: Context, _waiting: list[Any]) -> None:
        context.scope.nonlocal_names |= set(node.names)

    def _type_alias(self, node: Any, context: Context, waiting: list[Any]) -> None:
        bind(node.name.id, Binding(BindingKind.TYPE_ALIAS, node, context))
        waiting.append(node.value)

    def _for(self, node: ast.For | ast.AsyncFor, context: Context, waiting: list[Any]) -> None:
        waiting.append(node.iter)
        inner = context.block_of(node)
        self._bind_target(node.target, _LOOP, node, inner, None, waiting)
        self.block(node.body, inner)
        if node.orelse:
            self.block(node.orelse, inner)

    def _while(self, node: ast.While, context: Context, waiting: list[Any]) -> None:
        waiting.append(node.test)
        self.block(node.body, context.inside(node, dead=constant_truth(node.test) is False))
        if node.orelse:
            self.block(node.orelse, context.block_of(node))

    def _if(self, node: ast.If, context: Context, waiting: list[Any]) -> None:
        waiting.append(node.test)
        # An `elif` is an `If` alone in `orelse`: followed in a loop, so that a thousand of them are no recursion.
        while True:
            then, otherwise = branches(node, context)
            self.block(node.body, then)
            rest = node.orelse
            if len(rest) == 1 and rest[0].__class__ is ast.If:
                node, context = rest[0], otherwise
                self.scan(node.test, context)
                continue
            if rest:
                self.block(rest, otherwise)
            return

    def _with(self, node: ast.With | ast.AsyncWith, context: Context, waiting: list[Any]) -> None:
        guard: Guard | None = None
        for item in node.items:
            waiting.append(item.context_expr)
            if item.optional_vars is not None:
                value = item.context_expr if isinstance(item.optional_vars, ast.Name) else None
                self._bind_target(item.optional_vars, BindingKind.WITH, node, context, value, waiting)
            guard = guard_of_with(item.context_expr, node) or guard
        # The body of a `with` runs, so it is no branch; a guard around it changes what a failure means.
        self.block(node.body, context if guard is None else context.inside(node, guard))

    def _try(self, node: ast.Try, context: Context, waiting: list[Any]) -> None:
        guard = None
        if node.handlers:
            catches: tuple[str, ...] = ()
            for handler in node.handlers:
                names = caught_names(handler)
                if not names:
                    catches = ()
                    break
                catches += names
            guard = Guard("try", catches, node)
        self.block(node.body, context.inside(node, guard) if guard else context)
        for handler in node.handlers:
            in_handler = context.block_of(handler)
            if handler.type is not None:
                waiting.append(handler.type)
            if handler.name:
                bind(handler.name, Binding(BindingKind.EXCEPT, handler, in_handler))
            self.block(handler.body, in_handler)
        if node.orelse:
            self.block(node.orelse, context.block_of(node) if guard else context)
        if node.finalbody:
            self.block(node.finalbody, context)

    def _match(self, node: ast.Match, context: Context, waiting: list[Any]) -> None:
        waiting.append(node.subject)
        for case in node.cases:
            inner = context.block_of(case)
            self._pattern(case.pattern, inner)
            if case.guard is not None:
                self.scan(case.guard, inner)
            self.block(case.body, inner)

    def _pattern(self, pattern: ast.pattern, context: Context) -> None:
        for node in ast.walk(pattern):
            name = getattr(node, "rest", None) if isinstance(node, ast.MatchMapping) else getattr(node, "name", None)
            if name and isinstance(node, (ast.MatchAs, ast.MatchStar, ast.MatchMapping)):
                bind(name, Binding(BindingKind.MATCH, node, context))
            elif isinstance(node, (ast.MatchValue, ast.MatchClass)):
                self.scan(node.value if isinstance(node, ast.MatchValue) else node.cls, context)

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef, context: Context, waiting: list[Any]) -> None:
        bind(node.name, Binding(_FUNCTION, node, context))
        waiting += node.decorator_list
        if node.returns is not None:
            waiting.append(node.returns)
        scope = self._enter("function", node, qualname_in(context.scope, node.name), context.scope)
        inner = context.in_scope(scope)
        self._bind_parameters(node.args, inner, waiting)
        self.block(node.body, inner)

    def _class(self, node: ast.ClassDef, context: Context, waiting: list[Any]) -> None:
        bind(node.name, Binding(BindingKind.CLASS, node, context))
        waiting += node.decorator_list
        waiting += node.bases
        waiting += node.keywords
        scope = self._enter("class", node, qualname_in(context.scope, node.name), context.scope)
        self.block(node.body, context.in_scope(scope))


_STATEMENTS: Final[dict[type, Special]] = {
    ast.Assign: Walker._assign,
    ast.AnnAssign: Walker._annotated,
    ast.AugAssign: Walker._augmented,
    ast.Delete: Walker._delete,
    ast.Import: Walker._import,
    ast.ImportFrom: Walker._import,
    ast.Global: Walker._global,
    ast.Nonlocal: Walker._nonlocal,
    ast.For: Walker._for,
    ast.AsyncFor: Walker._for,
    ast.While: Walker._while,
    ast.If: Walker._if,
    ast.With: Walker._with,
    ast.AsyncWith: Walker._with,
    ast.Try: Walker._try,
    ast.Match: Walker._match,
    ast.FunctionDef: Walker._function,
    ast.AsyncFunctionDef: Walker._function,
    ast.ClassDef: Walker._class,
}
if _TYPE_ALIAS is not None:
    _STATEMENTS[_TYPE_ALIAS] = Walker._type_alias
if _TRY_STAR is not None:
    _STATEMENTS[_TRY_STAR] = Walker._try

_PLANS: Final[dict[type, Plan]] = {kind: ((), _STATEMENTS.get(kind)) for kind in STATEMENTS}
"""What is done at each kind of statement where nobody listens."""


@contextlib.contextmanager
def walking(module: ast.Module, collectors: Sequence[Collector]) -> Iterator[Scope]:
    """Walk `module` once for all `collectors`; gives the module's scope, complete with every binding.

    Scopes and their bindings refer to one another, and so do collectors and the register of listeners. When the block
    ends they are taken apart, so that the syntax tree goes at once: kept for the cyclic collector, the trees of a batch
    would fill the memory. Raises RecursionError when statements are nested deeper than the interpreter's stack.
    """
    walker = Walker(module, collectors)
    try:
        walker.block(module.body, Context(walker.module_scope))
        yield walker.module_scope
    finally:
        walker.listeners.close()
        for scope in walker.scopes:
            scope.bindings.clear()
            scope.inner.clear()


def walk(module: ast.Module, collectors: Sequence[Collector]) -> Scope:
    """`walking` for the few who keep what they walked."""
    walker = Walker(module, collectors)
    walker.block(module.body, Context(walker.module_scope))
    return walker.module_scope
