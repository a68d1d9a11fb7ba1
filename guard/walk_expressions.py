"""What the walk does inside statements: with expressions, and with the names that parameters and targets bind.

See `guard.walk`, which does the rest.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any, Final

from guard.listeners import Handler, Listeners
from guard.nodes import CHILDREN, PASSED_OVER, STATEMENTS
from guard.scopes import Binding, BindingKind, Context, Scope

Special = Callable[[Any, Any, Context, list[Any]], None]
"""Given the walker, a node, its context and the expressions of that context that wait to be walked."""
Plan = tuple[tuple[Handler, ...], Special | None]
"""Who is told of a kind of node, and what the walk itself does with it."""

_PARAMETER: Final = BindingKind.PARAMETER
_UNPACKED: Final = BindingKind.UNPACKED
_DELETE: Final = BindingKind.DELETE
_LOOP: Final = BindingKind.LOOP
"""A look into an enumeration costs several times what one at a name of the module does."""
_COMPREHENSIONS: Final = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


class ExpressionWalker:
    """The part of a `guard.walk.Walker` that looks into statements."""

    def __init__(self, module: ast.Module, listeners: Listeners) -> None:
        self.module_scope = Scope("module", module, "", None)
        self.scopes = [self.module_scope]
        self.listeners: Final = listeners
        told = {kind: (told, _SPECIAL.get(kind)) for kind, told in listeners.nodes.items() if kind not in STATEMENTS}
        expressions = {**_EXPRESSIONS, **told} if told else _EXPRESSIONS
        rest = (listeners.chains, listeners.written_chains, expressions)
        self._told = (listeners.class_calls, listeners.every_call, *rest)
        every_call = (*listeners.every_call, *listeners.module_level_calls)
        self._told_outside = (listeners.class_calls, every_call, *rest)
        """What the innermost loop asks for, in the module's own scope and in any other."""

    def _enter(self, kind: str, node: ast.AST, qualname: str, parent: Scope) -> Scope:
        scope = Scope(kind, node, qualname, parent)
        self.scopes.append(scope)
        return scope

    # Names

    def _bind_parameters(self, args: ast.arguments, inner: Context, waiting: list[Any]) -> None:
        """Bind the parameters. Their defaults and annotations belong to the scope around."""
        waiting += args.defaults
        bindings = inner.scope.bindings
        named = args.args
        if args.posonlyargs or args.kwonlyargs:
            waiting += args.kw_defaults
            named = [*args.posonlyargs, *named, *args.kwonlyargs]
        for arg in named:
            annotation = arg.annotation
            bindings[arg.arg] = [Binding(_PARAMETER, arg, inner, None, annotation)]
            if annotation is not None:
                waiting.append(annotation)
        for rest in (args.vararg, args.kwarg):
            if rest is not None:
                # The annotation of `*args` is that of one element, so the name itself has none.
                bindings[rest.arg] = [Binding(_PARAMETER, rest, inner)]
                if rest.annotation is not None:
                    waiting.append(rest.annotation)

    def _bind_target(
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
            bind(target.id, Binding(kind, node, context, value))
        elif isinstance(target, (ast.Tuple, ast.List)):
            unpacked = kind if kind is _DELETE else _UNPACKED
            for element in target.elts:
                self._bind_target(element, unpacked, node, context, None, waiting)
        elif isinstance(target, ast.Starred):
            self._bind_target(target.value, _UNPACKED, node, context, None, waiting)
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
        class_calls, every_call, chains, written_chains, expressions = told_of
        calls, of_calls = self.listeners.calls, self.listeners.of_calls
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
                    for number in told:
                        of_calls[number](node, name, context)
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
                base = node.value
                if base.__class__ is ast.Name:  # most chains are no longer than that, and most concern nobody
                    root = base.id
                    if node.ctx.__class__ is not ast.Load:
                        for written in written_chains:
                            written(node, root, [node.attr], context)
                        continue
                    for chain, short, _ in chains:
                        if root in short:
                            chain(node, root, [node.attr], context)
                    continue
                attributes = [node.attr]
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
                for chain, _, long in chains:
                    if root in long:
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
        scope = self._enter("lambda", node, qualname_in(context.scope, "<lambda>"), context.scope)
        inner = context.in_scope(scope)
        self._bind_parameters(node.args, inner, waiting)
        self.scan(node.body, inner)

    def _comprehension(self, node: Any, context: Context, waiting: list[Any]) -> None:
        scope = self._enter("comprehension", node, context.scope.qualname, context.scope)
        inner = context.in_comprehension(scope)
        inside: list[Any] = []
        # Only the first iterable is read in the scope around the comprehension.
        around = waiting
        for generator in node.generators:
            around.append(generator.iter)
            around = inside
            self._bind_target(generator.target, _LOOP, node, inner, None, inside)
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


def bind(name: str, binding: Binding) -> None:
    """A name is bound in the scope of the binding's context, behind what has bound it so far."""
    bindings = binding.context.scope.bindings
    found = bindings.get(name)
    if found is None:
        bindings[name] = [binding]
    else:
        found.append(binding)


def qualname_in(scope: Scope, name: str) -> str:
    """The qualified name of what stands in `scope` under a name."""
    return f"{scope.qualname}.{name}" if scope.qualname else name


_SPECIAL: Final[dict[type, Special]] = {
    ast.Lambda: ExpressionWalker._lambda,
    ast.NamedExpr: ExpressionWalker._walrus,
    ast.Yield: ExpressionWalker._yield,
    ast.YieldFrom: ExpressionWalker._yield,
    **dict.fromkeys(_COMPREHENSIONS, ExpressionWalker._comprehension),
}
_EXPRESSIONS: Final[dict[type, Plan]] = {kind: ((), special) for kind, special in _SPECIAL.items()}
