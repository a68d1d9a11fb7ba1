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
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, Protocol

from guard.listeners import Handler, Listeners
from guard.nodes import CHILDREN, PARTS, PASSED_OVER
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

_Special = Callable[["Walker", Any, Context, list[Any]], None]
"""Given the walker, a node, its context and the expressions of that context that wait to be walked."""
_Plan = tuple[tuple[Handler, ...], _Special | None]
"""Who is told of a kind of node, and what the walk itself does with it."""


class Collector(Protocol):
    """What a family brings to the walk."""

    def listen(self, to: Listeners) -> None:
        """Say what it wants to be told of."""


_COMPREHENSIONS: Final = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_TYPE_ALIAS: Final[type[ast.stmt] | None] = getattr(ast, "TypeAlias", None)
_TRY_STAR: Final[type[ast.stmt] | None] = getattr(ast, "TryStar", None)


class Walker:
    """Walks one module for a list of collectors. Use `walk`."""

    def __init__(self, module: ast.Module, collectors: Sequence[Collector]) -> None:
        self.module_scope = Scope("module", module, "", None)
        self.scopes = [self.module_scope]
        self.listeners: Final = Listeners()
        for collector in collectors:
            collector.listen(self.listeners)
        listeners = self.listeners
        self._inner: dict[type, _Plan] = {}
        self._outer: dict[type, _Plan] = {}
        """What is done at each kind of statement, in the module's own scope and in any other, as far as some were met:
        a file is small, and holds few kinds."""
        told = {kind: (told, _SPECIAL.get(kind)) for kind, told in listeners.nodes.items() if kind not in _PLANS}
        expressions = {**_EXPRESSIONS, **told} if told else _EXPRESSIONS
        rest = (listeners.chains, listeners.written_chains, expressions)
        self._told = (listeners.calls, listeners.class_calls, listeners.every_call, *rest)
        every_call = (*listeners.every_call, *listeners.module_level_calls)
        self._told_outside = (listeners.calls, listeners.class_calls, every_call, *rest)
        """What the innermost loop asks for, in the module's own scope and in any other."""

    def _plan(self, plans: dict[type, _Plan], kind: type) -> _Plan:
        told = self.listeners.nodes.get(kind, ())
        if plans is self._outer:
            told = (*told, *self.listeners.module_level.get(kind, ()))
        plan = plans[kind] = (told, _STATEMENTS.get(kind)) if told else _PLANS[kind]
        return plan

    def _scope(self, kind: str, node: ast.AST, qualname: str, parent: Scope) -> Scope:
        scope = Scope(kind, node, qualname, parent)
        self.scopes.append(scope)
        return scope

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
                _bind(target.id, Binding(BindingKind.ASSIGN, node, context, value))
            else:
                self._target(target, BindingKind.ASSIGN, node, context, value, waiting)
        waiting.append(value)

    def _annotated(self, node: ast.AnnAssign, context: Context, waiting: list[Any]) -> None:
        if isinstance(node.target, ast.Name):
            kind = BindingKind.DECLARED if node.value is None else BindingKind.ANNOTATED
            _bind(node.target.id, Binding(kind, node, context, node.value, node.annotation))
        else:
            waiting.append(node.target)
        waiting.append(node.annotation)
        if node.value is not None:
            waiting.append(node.value)

    def _augmented(self, node: ast.AugAssign, context: Context, waiting: list[Any]) -> None:
        if isinstance(node.target, ast.Name):
            _bind(node.target.id, Binding(BindingKind.AUGMENTED, node, context))
        else:
            waiting.append(node.target)
        waiting.append(node.value)

    def _delete(self, node: ast.Delete, context: Context, waiting: list[Any]) -> None:
        for target in node.targets:
            self._target(target, BindingKind.DELETE, node, context, None, waiting)

    def _import(self, node: ast.Import | ast.ImportFrom, context: Context, _waiting: list[Any]) -> None:
        for alias in node.names:
            name = alias.asname or (alias.name.partition(".")[0] if isinstance(node, ast.Import) else alias.name)
            if name != "*":
                _bind(name, Binding(BindingKind.IMPORT, node, context))

    def _global(self, node: ast.Global, context: Context, _waiting: list[Any]) -> None:
        context.scope.global_names |= set(node.names)

    def _nonlocal(self, node: ast.Nonlocal, context: Context, _waiting: list[Any]) -> None:
        context.scope.nonlocal_names |= set(node.names)

    def _type_alias(self, node: Any, context: Context, waiting: list[Any]) -> None:
        _bind(node.name.id, Binding(BindingKind.TYPE_ALIAS, node, context))
        waiting.append(node.value)

    def _for(self, node: ast.For | ast.AsyncFor, context: Context, waiting: list[Any]) -> None:
        waiting.append(node.iter)
        inner = context.block_of(node)
        self._target(node.target, BindingKind.LOOP, node, inner, None, waiting)
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
                self._target(item.optional_vars, BindingKind.WITH, node, context, value, waiting)
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
                _bind(handler.name, Binding(BindingKind.EXCEPT, handler, in_handler))
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
                _bind(name, Binding(BindingKind.MATCH, node, context))
            elif isinstance(node, (ast.MatchValue, ast.MatchClass)):
                self.scan(node.value if isinstance(node, ast.MatchValue) else node.cls, context)

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef, context: Context, waiting: list[Any]) -> None:
        _bind(node.name, Binding(BindingKind.FUNCTION, node, context))
        waiting += node.decorator_list
        if node.returns is not None:
            waiting.append(node.returns)
        scope = self._scope("function", node, _qualname(context.scope, node.name), context.scope)
        inner = context.in_scope(scope)
        self._parameters(node.args, inner, waiting)
        self.block(node.body, inner)

    def _parameters(self, args: ast.arguments, inner: Context, waiting: list[Any]) -> None:
        """Bind the parameters. Their defaults and annotations belong to the scope around."""
        waiting += args.defaults
        bindings = inner.scope.bindings
        named = args.args
        if args.posonlyargs or args.kwonlyargs:
            waiting += args.kw_defaults
            named = [*args.posonlyargs, *named, *args.kwonlyargs]
        for arg in named:
            annotation = arg.annotation
            bindings[arg.arg] = [Binding(BindingKind.PARAMETER, arg, inner, None, annotation)]
            if annotation is not None:
                waiting.append(annotation)
        for rest in (args.vararg, args.kwarg):
            if rest is not None:
                # The annotation of `*args` is that of one element, so the name itself has none.
                bindings[rest.arg] = [Binding(BindingKind.PARAMETER, rest, inner)]
                if rest.annotation is not None:
                    waiting.append(rest.annotation)

    def _class(self, node: ast.ClassDef, context: Context, waiting: list[Any]) -> None:
        _bind(node.name, Binding(BindingKind.CLASS, node, context))
        waiting += node.decorator_list
        waiting += node.bases
        waiting += node.keywords
        scope = self._scope("class", node, _qualname(context.scope, node.name), context.scope)
        self.block(node.body, context.in_scope(scope))

    def _target(
        self,
        target: ast.expr,
        kind: BindingKind,
        node: ast.AST,
        context: Context,
        value: ast.expr | None,
        waiting: list[Any],
    ) -> None:
        """Bind what a target names; what is written in it besides belongs to the block's expressions."""
        if target.__class__ is ast.Name:
            _bind(target.id, Binding(kind, node, context, value))
        elif isinstance(target, (ast.Tuple, ast.List)):
            unpacked = kind if kind is BindingKind.DELETE else BindingKind.UNPACKED
            for element in target.elts:
                self._target(element, unpacked, node, context, None, waiting)
        elif isinstance(target, ast.Starred):
            self._target(target.value, BindingKind.UNPACKED, node, context, None, waiting)
        else:
            waiting.append(target)

    # Expressions

    def scan(self, root: ast.AST, context: Context) -> None:
        """Walk one expression, and bind the names that it binds."""
        if root.__class__ not in PASSED_OVER:
            self._drain([root], context)

    def _drain(self, stack: list[Any], context: Context) -> None:
        """Walk the expressions on the stack. The innermost loop of guard: three million turns for a large monorepo."""
        told_of = self._told_outside if context.scope is self.module_scope else self._told
        calls, class_calls, every_call, chains, written_chains, expressions = told_of
        passed_over = PASSED_OVER
        pop, push = stack.pop, stack.append
        while stack:
            node = pop()
            kind = node.__class__
            if kind in passed_over:
                continue
            if kind is ast.Call:
                func = node.func
                func_kind = func.__class__
                name = func.id if func_kind is ast.Name else func.attr if func_kind is ast.Attribute else ""
                told = calls.get(name)
                if told is not None:
                    for listener in told:
                        listener(node, name, context)
                elif name and name[0] < "a":
                    for listener in class_calls:
                        listener(node, name, context)
                for listener in every_call:
                    listener(node, name, context)
                for item in node.args:
                    if item.__class__ not in passed_over:
                        push(item)
                for item in node.keywords:
                    value = item.value
                    if value.__class__ not in passed_over:
                        push(value)
                if func_kind is not ast.Attribute:
                    push(func)
                    continue
                node, kind = func, func_kind
            if kind is ast.Attribute:
                attributes = [node.attr]
                base = node.value
                while base.__class__ is ast.Attribute:
                    attributes.append(base.attr)
                    base = base.value
                if base.__class__ is not ast.Name:
                    push(base)
                    continue
                root = base.id
                if node.ctx.__class__ is not ast.Load:
                    for written in written_chains:
                        written(node, root, attributes[::-1], context)
                    continue
                is_long = len(attributes) > 1
                for chain, short, long in chains:
                    if root in (long if is_long else short):
                        chain(node, root, attributes[::-1], context)
                continue
            action = expressions.get(kind)
            if action is not None:
                listeners, special = action
                for handler in listeners:
                    handler(node, context)
                if special is not None:
                    special(self, node, context, stack)
                    continue
            children = CHILDREN.get(kind)
            for value in node.__dict__.values() if children is None else children(node):
                value_kind = value.__class__
                if value_kind is list:
                    for item in value:
                        if item.__class__ not in passed_over:
                            push(item)
                elif value_kind not in passed_over:
                    push(value)

    def _lambda(self, node: ast.Lambda, context: Context, waiting: list[Any]) -> None:
        scope = self._scope("lambda", node, _qualname(context.scope, "<lambda>"), context.scope)
        inner = context.in_scope(scope)
        self._parameters(node.args, inner, waiting)
        self.scan(node.body, inner)

    def _comprehension(self, node: Any, context: Context, waiting: list[Any]) -> None:
        scope = self._scope("comprehension", node, context.scope.qualname, context.scope)
        inner = context.in_comprehension(scope)
        inside: list[Any] = []
        # Only the first iterable is read in the scope around the comprehension.
        around = waiting
        for generator in node.generators:
            around.append(generator.iter)
            around = inside
            self._target(generator.target, BindingKind.LOOP, node, inner, None, inside)
            inside += generator.ifs
        if node.__class__ is ast.DictComp:
            inside += (node.key, node.value)
        else:
            inside.append(node.elt)
        self._drain(inside, inner)

    def _walrus(self, node: ast.NamedExpr, context: Context, waiting: list[Any]) -> None:
        scope = context.scope
        while scope.kind == "comprehension" and scope.parent is not None:
            scope = scope.parent
        # An expression may be skipped (`a and (b := …)`), so a walrus binds as in a branch. The statements of its block
        # have bound their names by now, those behind it too; a name's bindings stand in source order.
        binding = Binding(BindingKind.WALRUS, node, context.block_of(node), node.value)
        found = scope.bindings.setdefault(node.target.id, [])
        later = (n for n, other in enumerate(found) if getattr(other.node, "lineno", 0) > node.lineno)
        found.insert(next(later, len(found)), binding)
        waiting.append(node.value)

    def _yield(self, node: ast.Yield | ast.YieldFrom, context: Context, waiting: list[Any]) -> None:
        function = context.scope.function
        if function is not None:
            function.has_yield = True
        if node.value is not None:
            waiting.append(node.value)


def _bind(name: str, binding: Binding) -> None:
    bindings = binding.context.scope.bindings
    found = bindings.get(name)
    if found is None:
        bindings[name] = [binding]
    else:
        found.append(binding)


_STATEMENTS: Final[dict[type, _Special]] = {
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

_SPECIAL: Final[dict[type, _Special]] = {
    ast.Lambda: Walker._lambda,
    ast.NamedExpr: Walker._walrus,
    ast.Yield: Walker._yield,
    ast.YieldFrom: Walker._yield,
    **dict.fromkeys(_COMPREHENSIONS, Walker._comprehension),
}

_PLANS: Final[dict[type, _Plan]] = {kind: ((), _STATEMENTS.get(kind)) for kind in ast.stmt.__subclasses__()}
"""What is done at each kind of statement where nobody listens."""
_EXPRESSIONS: Final[dict[type, _Plan]] = {kind: ((), special) for kind, special in _SPECIAL.items()}


def _qualname(scope: Scope, name: str) -> str:
    return f"{scope.qualname}.{name}" if scope.qualname else name


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
