"""The one walk over one syntax tree.

A file is parsed once and walked once; every family listens. The walk knows Python's blocks and scopes:
which names a scope binds, whether a statement is dead, under `TYPE_CHECKING`, in a branch, inside a `try`
that catches. Families learn that from the `Context` that comes with each node.

Speed decides the shape of this module: a monorepo of three million lines has about thirty million
nodes. So the walk visits a node only when it can hold something (names, constants and operators are
passed over unless a collector asks for them), reads children straight from the node's `__dict__`, and
makes a `Context` only where a block begins.
"""

from __future__ import annotations

import ast
import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, Protocol

from guard.scopes import (
    Binding,
    BindingKind,
    Context,
    Guard,
    Scope,
    branches,
    caught_names,
    constant_truth,
    dotted,
    guard_of_with,
)

Handler = Callable[[Any, "Context"], None]
_Special = Callable[["Walker", Any, "Context"], None]


class Collector(Protocol):
    """What a family brings to the walk.

    `handlers` names, by node type, the method that is called with `(node, context)` when the walk meets such a
    node, statements and expressions alike. `chain`, where defined, is called for every maximal attribute
    chain on a name, `a.b.c`, with the outermost node, the root name, and the attributes in reading order.
    Functions and classes: their handler is called when the walk is about to enter, with the *outer* context.
    """

    @property
    def handlers(self) -> Mapping[type[ast.AST], str]: ...


ChainHandler = Callable[[ast.Attribute, ast.Name, list[str], Context], None]

_PASSED_OVER: Final[frozenset[type]] = frozenset(
    {
        *(str, int, float, bytes, bool, complex, type(None), type(...)),
        *(ast.Load, ast.Store, ast.Del, ast.Name, ast.Constant, ast.alias),
        *(ast.And, ast.Or, ast.MatchSingleton),
        *ast.operator.__subclasses__(),
        *ast.unaryop.__subclasses__(),
        *ast.cmpop.__subclasses__(),
    }
)

_COMPREHENSIONS: Final = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_NEVER_RETURNS: Final = frozenset({"sys.exit", "os._exit", "exit", "quit", "pytest.skip", "pytest.fail", "pytest.exit"})
_TYPE_ALIAS: Final[type[ast.stmt] | None] = getattr(ast, "TypeAlias", None)
_TRY_STAR: Final[type[ast.stmt] | None] = getattr(ast, "TryStar", None)


class Walker:
    """Walks one module for a list of collectors. Use `walk`."""

    def __init__(self, module: ast.Module, collectors: Sequence[Collector]) -> None:
        self.module_scope = Scope("module", module, "", None)
        self.scopes = [self.module_scope]
        self._handlers: dict[type, list[Handler]] = {}
        self._chains: list[ChainHandler] = []
        for collector in collectors:
            for kind, method in collector.handlers.items():
                self._handlers.setdefault(kind, []).append(getattr(collector, method))
            chain = getattr(collector, "chain", None)
            if chain is not None:
                self._chains.append(chain)
        self._passed_over = _PASSED_OVER - self._handlers.keys()
        self._actions: dict[type, tuple[tuple[Handler, ...], _Special | None]] = {
            kind: (tuple(self._handlers.get(kind, ())), _EXPRESSIONS.get(kind))
            for kind in self._handlers.keys() | _EXPRESSIONS.keys()
        }

    def _scope(self, kind: str, node: ast.AST, qualname: str, parent: Scope) -> Scope:
        scope = Scope(kind, node, qualname, parent)
        self.scopes.append(scope)
        return scope

    # Blocks

    def block(self, statements: Sequence[ast.stmt], context: Context) -> None:
        """Walk the statements of one block in order."""
        handlers = self._handlers
        for index, node in enumerate(statements):
            kind = node.__class__
            listeners = handlers.get(kind)
            if listeners is not None:
                for listener in listeners:
                    listener(node, context)
            special = _STATEMENTS.get(kind)
            if special is not None:
                special(self, node, context)
            else:
                self._statement(node, context)
            if kind in _ENDS_BLOCK or (kind is ast.Expr and _never_returns(node)):
                rest = statements[index + 1 :]
                if rest:
                    self.block(rest, context.inside(node, dead=True))
                return

    def _assign(self, node: ast.Assign, context: Context) -> None:
        for target in node.targets:
            self._target(target, BindingKind.ASSIGN, node, context, node.value)
        self.scan(node.value, context)

    def _annotated(self, node: ast.AnnAssign, context: Context) -> None:
        if isinstance(node.target, ast.Name):
            kind = BindingKind.DECLARED if node.value is None else BindingKind.ANNOTATED
            self._bind(node.target.id, Binding(kind, node, context, node.value, node.annotation))
        else:
            self.scan(node.target, context)
        self.scan(node.annotation, context)
        if node.value is not None:
            self.scan(node.value, context)

    def _augmented(self, node: ast.AugAssign, context: Context) -> None:
        if isinstance(node.target, ast.Name):
            self._bind(node.target.id, Binding(BindingKind.AUGMENTED, node, context))
        else:
            self.scan(node.target, context)
        self.scan(node.value, context)

    def _delete(self, node: ast.Delete, context: Context) -> None:
        for target in node.targets:
            self._target(target, BindingKind.DELETE, node, context, None)

    def _import(self, node: ast.Import | ast.ImportFrom, context: Context) -> None:
        for alias in node.names:
            name = alias.asname or (alias.name.partition(".")[0] if isinstance(node, ast.Import) else alias.name)
            if name != "*":
                self._bind(name, Binding(BindingKind.IMPORT, node, context))

    def _global(self, node: ast.Global, context: Context) -> None:
        context.scope.global_names.update(node.names)

    def _nonlocal(self, node: ast.Nonlocal, context: Context) -> None:
        context.scope.nonlocal_names.update(node.names)

    def _type_alias(self, node: Any, context: Context) -> None:
        self._bind(node.name.id, Binding(BindingKind.TYPE_ALIAS, node, context))
        self.scan(node.value, context)

    def _for(self, node: ast.For | ast.AsyncFor, context: Context) -> None:
        self.scan(node.iter, context)
        inner = context.inside(node)
        self._target(node.target, BindingKind.LOOP, node, inner, None)
        self.block(node.body, inner)
        self.block(node.orelse, inner)

    def _while(self, node: ast.While, context: Context) -> None:
        self.scan(node.test, context)
        inner = context.inside(node, dead=constant_truth(node.test) is False)
        self.block(node.body, inner)
        self.block(node.orelse, context.inside(node))

    def _if(self, node: ast.If, context: Context) -> None:
        # An `elif` is an `If` alone in `orelse`: followed in a loop, so that a thousand of them are no recursion.
        while True:
            self.scan(node.test, context)
            then, otherwise = branches(node, context)
            self.block(node.body, then)
            if len(node.orelse) == 1 and node.orelse[0].__class__ is ast.If:
                node, context = node.orelse[0], otherwise
                continue
            self.block(node.orelse, otherwise)
            return

    def _with(self, node: ast.With | ast.AsyncWith, context: Context) -> None:
        guard: Guard | None = None
        for item in node.items:
            self.scan(item.context_expr, context)
            if item.optional_vars is not None:
                value = item.context_expr if isinstance(item.optional_vars, ast.Name) else None
                self._target(item.optional_vars, BindingKind.WITH, node, context, value)
            guard = guard_of_with(item.context_expr, node) or guard
        # The body of a `with` runs, so it is no branch; a guard around it changes what a failure means.
        inner = context if guard is None else context.inside(node, guard)
        self.block(node.body, inner)

    def _try(self, node: ast.Try, context: Context) -> None:
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
        inner = context.inside(node, guard) if guard else context
        self.block(node.body, inner)
        for handler in node.handlers:
            in_handler = context.inside(handler)
            if handler.type is not None:
                self.scan(handler.type, context)
            if handler.name:
                self._bind(handler.name, Binding(BindingKind.EXCEPT, handler, in_handler))
            self.block(handler.body, in_handler)
        self.block(node.orelse, context.inside(node) if guard else context)
        self.block(node.finalbody, context)

    def _match(self, node: ast.Match, context: Context) -> None:
        self.scan(node.subject, context)
        for case in node.cases:
            inner = context.inside(case)
            self._pattern(case.pattern, inner)
            if case.guard is not None:
                self.scan(case.guard, inner)
            self.block(case.body, inner)

    def _pattern(self, pattern: ast.pattern, context: Context) -> None:
        for node in ast.walk(pattern):
            name = getattr(node, "rest", None) if isinstance(node, ast.MatchMapping) else getattr(node, "name", None)
            if name and isinstance(node, (ast.MatchAs, ast.MatchStar, ast.MatchMapping)):
                self._bind(name, Binding(BindingKind.MATCH, node, context))
            elif isinstance(node, (ast.MatchValue, ast.MatchClass)):
                self.scan(node.value if isinstance(node, ast.MatchValue) else node.cls, context)

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef, context: Context) -> None:
        self._bind(node.name, Binding(BindingKind.FUNCTION, node, context))
        for decorator in node.decorator_list:
            self.scan(decorator, context)
        if node.returns is not None:
            self.scan(node.returns, context)
        scope = self._scope("function", node, _qualname(context.scope, node.name), context.scope)
        inner = context.in_scope(scope)
        self._parameters(node.args, context, inner)
        self.block(node.body, inner)

    def _parameters(self, args: ast.arguments, outer: Context, inner: Context) -> None:
        for default in (*args.defaults, *args.kw_defaults):
            if default is not None:
                self.scan(default, outer)
        bindings = inner.scope.bindings
        for arg in (*args.posonlyargs, *args.args, *args.kwonlyargs):
            bindings[arg.arg] = [Binding(BindingKind.PARAMETER, arg, inner, None, arg.annotation)]
            if arg.annotation is not None:
                self.scan(arg.annotation, outer)
        for rest in (args.vararg, args.kwarg):
            if rest is not None:
                # The annotation of `*args` is that of one element, so the name itself has none.
                bindings[rest.arg] = [Binding(BindingKind.PARAMETER, rest, inner)]
                if rest.annotation is not None:
                    self.scan(rest.annotation, outer)

    def _class(self, node: ast.ClassDef, context: Context) -> None:
        self._bind(node.name, Binding(BindingKind.CLASS, node, context))
        for expression in (*node.decorator_list, *node.bases, *(keyword.value for keyword in node.keywords)):
            self.scan(expression, context)
        scope = self._scope("class", node, _qualname(context.scope, node.name), context.scope)
        self.block(node.body, context.in_scope(scope))

    # Expressions

    def scan(self, root: ast.AST, context: Context) -> None:
        """Walk one expression, and bind the names that it binds."""
        if root.__class__ not in self._passed_over:
            self._drain([root], context)

    def _statement(self, node: ast.stmt, context: Context) -> None:
        """Walk the expressions of a statement that has no blocks and binds nothing by itself."""
        passed_over = self._passed_over
        stack: list[Any] = []
        for value in node.__dict__.values():
            if value.__class__ not in passed_over:
                stack.extend(value if value.__class__ is list else (value,))
        if stack:
            self._drain(stack, context)

    def _drain(self, stack: list[Any], context: Context) -> None:
        """Walk the expressions on the stack. The innermost loop of guard: four million turns for a large monorepo."""
        actions = self._actions
        passed_over = self._passed_over
        pop = stack.pop
        push = stack.append
        while stack:
            node = pop()
            kind = node.__class__
            if kind is ast.Attribute:
                base = node.value
                attributes = [node.attr]
                if base.__class__ is not ast.Name:
                    while base.__class__ is ast.Attribute:
                        attributes.append(base.attr)
                        base = base.value
                    if base.__class__ is not ast.Name:
                        if base.__class__ not in passed_over:
                            push(base)
                        continue
                    attributes.reverse()
                for chain in self._chains:
                    chain(node, base, attributes, context)
                continue
            action = actions.get(kind)
            if action is not None:
                listeners, special = action
                for listener in listeners:
                    listener(node, context)
                if special is not None:
                    special(self, node, context)
                    continue
            for value in node.__dict__.values():
                value_kind = value.__class__
                if value_kind is list:
                    for item in value:
                        if item.__class__ not in passed_over:
                            push(item)
                elif value_kind not in passed_over:
                    push(value)

    def _lambda(self, node: ast.Lambda, context: Context) -> None:
        scope = self._scope("lambda", node, _qualname(context.scope, "<lambda>"), context.scope)
        inner = Context(
            scope,
            type_checking=context.type_checking,
            dead=context.dead,
            platform=context.platform,
            main=context.main,
        )
        self._parameters(node.args, context, inner)
        self.scan(node.body, inner)

    def _comprehension(self, node: Any, context: Context) -> None:
        scope = self._scope("comprehension", node, context.scope.qualname, context.scope)
        inner = Context(
            scope,
            context.guards,
            context.branch,
            type_checking=context.type_checking,
            dead=context.dead,
            platform=context.platform,
            main=context.main,
        )
        outer = context
        for generator in node.generators:
            self.scan(generator.iter, outer)
            self._target(generator.target, BindingKind.LOOP, node, inner, None)
            for condition in generator.ifs:
                self.scan(condition, inner)
            outer = inner
        if isinstance(node, ast.DictComp):
            self.scan(node.key, inner)
            self.scan(node.value, inner)
        else:
            self.scan(node.elt, inner)

    def _walrus(self, node: ast.NamedExpr, context: Context) -> None:
        scope = context.scope
        while scope.kind == "comprehension" and scope.parent is not None:
            scope = scope.parent
        # An expression may be skipped (`a and (b := …)`), so a walrus binds as in a branch.
        binding = Binding(BindingKind.WALRUS, node, context.inside(node), node.value)
        scope.bindings.setdefault(node.target.id, []).append(binding)
        self.scan(node.value, context)

    def _yield(self, node: ast.Yield | ast.YieldFrom, context: Context) -> None:
        function = context.scope.function
        if function is not None:
            function.has_yield = True
        if node.value is not None:
            self.scan(node.value, context)

    # Binding

    def _bind(self, name: str, binding: Binding) -> None:
        scope = binding.context.scope
        found = scope.bindings.get(name)
        if found is None:
            scope.bindings[name] = [binding]
        else:
            found.append(binding)

    def _target(
        self, target: ast.expr, kind: BindingKind, node: ast.AST, context: Context, value: ast.expr | None
    ) -> None:
        if target.__class__ is ast.Name:
            self._bind(target.id, Binding(kind, node, context, value))
        elif isinstance(target, (ast.Tuple, ast.List)):
            unpacked = kind if kind is BindingKind.DELETE else BindingKind.UNPACKED
            for element in target.elts:
                self._target(element, unpacked, node, context, None)
        elif isinstance(target, ast.Starred):
            self._target(target.value, BindingKind.UNPACKED, node, context, None)
        else:
            self.scan(target, context)


_STATEMENTS: Final[dict[type, Callable[[Walker, Any, Context], None]]] = {
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

_EXPRESSIONS: Final[dict[type, Callable[[Walker, Any, Context], None]]] = {
    ast.Lambda: Walker._lambda,
    ast.NamedExpr: Walker._walrus,
    ast.Yield: Walker._yield,
    ast.YieldFrom: Walker._yield,
    **dict.fromkeys(_COMPREHENSIONS, Walker._comprehension),
}

_ENDS_BLOCK: Final = frozenset({ast.Return, ast.Raise, ast.Continue, ast.Break})


def _qualname(scope: Scope, name: str) -> str:
    return f"{scope.qualname}.{name}" if scope.qualname else name


def _never_returns(node: ast.stmt) -> bool:
    call = node.value  # type: ignore[attr-defined]
    if call.__class__ is not ast.Call:
        return False
    return dotted(call.func) in _NEVER_RETURNS


@contextlib.contextmanager
def walking(module: ast.Module, collectors: Sequence[Collector]) -> Iterator[Scope]:
    """Walk `module` once for all `collectors`; gives the module's scope, complete with every binding.

    Scopes and their bindings refer to one another. When the block ends they are taken apart, so that the syntax tree
    goes at once: kept for the cyclic collector, the trees of a batch would fill the memory. Raises RecursionError when
    statements are nested deeper than the interpreter's stack.
    """
    walker = Walker(module, collectors)
    try:
        walker.block(module.body, Context(walker.module_scope))
        yield walker.module_scope
    finally:
        for scope in walker.scopes:
            scope.bindings.clear()


def walk(module: ast.Module, collectors: Sequence[Collector]) -> Scope:
    """`walking` for the few who keep what they walked."""
    walker = Walker(module, collectors)
    walker.block(module.body, Context(walker.module_scope))
    return walker.module_scope
