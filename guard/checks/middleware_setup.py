"""Set-up code: which statements of a file make applications, hand them on, and add layers to them.

What a variable holds is not known yet, so a statement is kept when its names say that it may matter: names that are
annotated, assigned, used or called as an application is. The rest of a function is left out.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from guard.checks.middleware_facts import (
    Arm,
    Attr,
    Branch,
    Call,
    Def,
    Do,
    Expr,
    Free,
    Function,
    Global,
    Items,
    Joined,
    Let,
    Loop,
    Op,
    Return,
    Stop,
    Unknown,
    Var,
)
from guard.checks.middleware_frameworks import APP_CLASSES, DECORATORS, INERT
from guard.checks.middleware_known import ROUTES
from guard.checks.middleware_names import MAKES, Names, last_name, place_of, text_of
from guard.checks.middleware_wanted import application_class
from guard.checks.references import Ref
from guard.scopes import Scope, caught_names, dotted

AnyFunction = ast.FunctionDef | ast.AsyncFunctionDef

_INERT_CALLS: Final = frozenset(
    {
        *("print", "isinstance", "issubclass", "hasattr", "getattr", "setattr", "delattr", "id", "type", "len", "str"),
        *("repr", "callable", "vars", "dir", "list", "dict", "set", "tuple", "bool", "Depends", "run", "AsyncMock"),
        *("TestClient", "AsyncClient", "ASGITransport", "ASGIWebSocketTransport", "LifespanManager", "Config", "Mock"),
        *("MagicMock", "patch", "object", "cast", "super", "assert_called_once_with", "assert_called_with"),
    }
)
"""Calls that are handed applications and add nothing to them, by last name."""

_DEEPEST_BLOCK: Final = 60

_LOGGERS: Final = frozenset({"logger", "logging", "log", "_logger"})


class SetupReader:
    """Reads the set-up code of one file's functions."""

    def __init__(
        self,
        names: Names,
        wanted: frozenset[str],
        unique: Mapping[int, str],
        classes: Mapping[int, Scope],
        served: frozenset[int],
    ) -> None:
        self._names = names
        self._wanted = wanted
        self._unique = unique
        self._classes = classes
        """The scopes of class bodies, by the id of the node."""
        self._served = served
        """The functions that matter when they are registered as an endpoint, by the id of the node."""
        self._depth = 0
        self.bodies: list[Function] = []
        """The class bodies that were met and hold set-up code."""

    def module(self, tree: ast.Module, scope: Scope) -> Function:
        """The set-up code of the module itself."""
        return Function("", (), self._whole(tree.body, scope))

    def function(self, node: AnyFunction, name: str, scope: Scope, *, in_class: bool) -> Function:
        """The set-up code of a function; its body is empty where it has none."""
        arguments = (*node.args.posonlyargs, *node.args.args)
        decorators = {last_name(decorator) for decorator in node.decorator_list}
        binding = "static" if "staticmethod" in decorators or not in_class else "instance"
        if "classmethod" in decorators:
            binding = "class"
        elif in_class and not decorators.isdisjoint(("property", "cached_property")):
            binding = "property"
        handed = tuple(
            (arg.arg, cls)
            for arg in (*arguments, *node.args.kwonlyargs)
            if arg.annotation is not None
            for cls in (application_class(arg.annotation),)
            if cls
        )
        body = self._whole(node.body, scope)
        parameters = [arg.arg for arg in arguments]
        if node.args.vararg is not None:
            parameters.append(f"*{node.args.vararg.arg}")
        parameters += [arg.arg for arg in node.args.kwonlyargs]
        if node.args.kwarg is not None:
            parameters.append(f"**{node.args.kwarg.arg}")
        return Function(
            name,
            tuple(parameters),
            body,
            node.lineno,
            () if scope.has_yield else handed,
            binding,
            tuple(self._defaults(node, scope)) if body else (),
        )

    def _defaults(self, node: AnyFunction, scope: Scope) -> Iterator[tuple[str, Expr]]:
        arguments = (*node.args.posonlyargs, *node.args.args)
        count = len(node.args.defaults)
        pairs = [*zip(arguments[len(arguments) - count :], node.args.defaults, strict=True)]
        pairs += [(arg, value) for arg, value in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True) if value]
        for arg, value in pairs:
            if arg.arg in self._wanted and scope.parent is not None:
                found = self._names.expr(value, scope.parent)
                if not isinstance(found, Unknown):
                    yield arg.arg, found

    def _whole(self, statements: Sequence[ast.stmt], scope: Scope) -> tuple[Op, ...]:
        """A body; nothing of one that is nested beyond what any set-up code is."""
        self._depth = 0
        try:
            return self._block(statements, scope)
        except RecursionError:
            return ()

    def _block(self, statements: Sequence[ast.stmt], scope: Scope) -> tuple[Op, ...]:
        if self._depth > _DEEPEST_BLOCK:
            raise RecursionError
        self._depth += 1
        kept = self._kept(statements, scope)
        self._depth -= 1
        return kept

    def _kept(self, statements: Sequence[ast.stmt], scope: Scope) -> tuple[Op, ...]:
        kept: list[Op] = []
        for statement in statements:
            kept.extend(self._statement(statement, scope))
            if kept and isinstance(kept[-1], (Return, Stop)):
                break
        return tuple(kept)

    def _statement(self, node: ast.stmt, scope: Scope) -> Iterator[Op]:
        if isinstance(node, ast.Expr):
            value = node.value.value if isinstance(node.value, ast.Await) else node.value
            if isinstance(value, ast.Call):
                if self._matters(value, scope):
                    yield Do(self._names.expr(value, scope))
            elif isinstance(value, (ast.BoolOp, ast.IfExp)):
                yield from self._short(value, scope)
            elif isinstance(value, (ast.ListComp, ast.SetComp)):
                yield from self._looped(value, scope)
        elif isinstance(node, ast.Assign):
            yield from self._assignment(node, scope)
        elif isinstance(node, ast.AnnAssign):
            if node.value is not None:
                yield from self._assign(node.target, node.value, scope)
        elif isinstance(node, ast.AugAssign):
            if isinstance(node.op, ast.Add) and last_name(node.target) in self._wanted:
                place = self._names.expr(node.target, scope)
                yield Let(place, Joined(place, self._names.expr(node.value, scope)))
        elif isinstance(node, ast.Return):
            yield Return(self._returned(node.value, scope))
        elif isinstance(node, ast.Raise):
            yield Stop()
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield from self._definition(node, scope)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            yield from self._import(node, scope)
        else:
            yield from self._compound(node, scope)

    def _short(self, node: ast.BoolOp | ast.IfExp, scope: Scope) -> Iterator[Op]:
        """`test and call()`, `test or call()`, `call() if test else call()`."""
        if isinstance(node, ast.IfExp):
            yield from self._if(ast.If(node.test, [_statement(node.body)], [_statement(node.orelse)]), scope, node)
            return
        *tests, last = node.values
        test = tests[0] if len(tests) == 1 else ast.BoolOp(node.op, tests)
        then: list[ast.stmt] = [_statement(last)]
        arms = (then, []) if isinstance(node.op, ast.And) else ([], then)
        yield from self._if(ast.If(test, *arms), scope, node)

    def _looped(self, node: ast.ListComp | ast.SetComp, scope: Scope) -> Iterator[Op]:
        """`[call(x) for x in source]`, for what the calls do."""
        generator = node.generators[0]
        inner = next((inner for inner in scope.inner if inner.node is node), None)
        if len(node.generators) == 1 and not generator.ifs and inner is not None:
            body = self._block([_statement(node.elt)], inner)
            if body:
                targets = generator.target.elts if isinstance(generator.target, ast.Tuple) else [generator.target]
                names = tuple(last_name(target) for target in targets)
                yield Loop(names, self._names.expr(generator.iter, scope), node.lineno, body)

    def _assignment(self, node: ast.Assign, scope: Scope) -> Iterator[Op]:
        """`one = other = value`: the value comes into being once."""
        first: Expr | None = None
        for target in node.targets:
            for op in self._assign(target, node.value, scope):
                if first is None:
                    yield op
                    first = op.target if isinstance(op, Let) else None
                elif isinstance(op, Let):
                    yield Let(op.target, first, op.outer)

    def _assign(self, target: ast.expr, value: ast.expr, scope: Scope) -> Iterator[Op]:
        if isinstance(target, (ast.Tuple, ast.List)):
            for element in target.elts:
                yield from self._assign(element, ast.Constant(None), scope)
        elif last_name(target) in self._wanted:
            place = self._names.expr(target, scope)
            if isinstance(place, (Var, Global, Attr)):
                outer = isinstance(target, ast.Name) and target.id in scope.nonlocal_names
                yield Let(place, self._names.expr(value, scope), outer)
        elif isinstance(value, ast.Call) and self._is_handed_an_application(value):
            yield Do(self._names.expr(value, scope))

    def _definition(self, node: AnyFunction | ast.ClassDef, scope: Scope) -> Iterator[Op]:
        whole = Def(self._unique[id(node)])
        if isinstance(node, ast.ClassDef):
            yield from self._class_body(node, whole.name)
        if node.name in self._wanted and (scope.kind != "class" or isinstance(node, ast.ClassDef)):
            place = self._names.named(node.name, scope)
            if isinstance(place, (Var, Global)):
                yield Let(place, whole)
        for decorator in node.decorator_list:
            if isinstance(decorator, ast.Attribute):
                adds = decorator.attr in DECORATORS
            else:
                adds = (
                    isinstance(decorator, ast.Call)
                    and isinstance(decorator.func, ast.Attribute)
                    and (
                        decorator.func.attr in ("middleware", "on_event")
                        or (decorator.func.attr in ROUTES and id(node) in self._served)
                    )
                )
            if adds:
                yield Do(Call(self._names.expr(decorator, scope), (whole,), (), place_of(decorator)))

    def _class_body(self, node: ast.ClassDef, name: str) -> Iterator[Op]:
        scope = self._classes.get(id(node))
        if scope is None or self._wanted.isdisjoint(scope.bindings):
            return
        body = self._block(node.body, scope)
        if any(not isinstance(op, Let) or not isinstance(op.value, Unknown) for op in body):
            self.bodies.append(Function(f"{name}.", (), body, node.lineno))
            yield Do(Def(f"{name}."))

    def _import(self, node: ast.Import | ast.ImportFrom, scope: Scope) -> Iterator[Op]:
        for alias in node.names:
            name = alias.asname or alias.name
            if name in self._wanted:
                place = self._names.named(name, scope)
                if isinstance(place, (Var, Global)):
                    if isinstance(node, ast.ImportFrom):
                        yield Let(place, Free(Ref(node.level, node.module or "", alias.name)))
                    else:
                        yield Let(place, Free(Ref(0, alias.name, "")))

    def _compound(self, node: ast.stmt, scope: Scope) -> Iterator[Op]:
        if isinstance(node, ast.If):
            yield from self._if(node, scope)
        elif isinstance(node, ast.Try) or node.__class__.__name__ == "TryStar":
            yield from self._try(node, scope)  # type: ignore[arg-type]
        elif isinstance(node, (ast.With, ast.AsyncWith)):
            yield from self._with(node, scope)
        elif isinstance(node, (ast.For, ast.AsyncFor)):
            body = self._block(node.body, scope)
            if body:
                targets = node.target.elts if isinstance(node.target, ast.Tuple) else [node.target]
                names = tuple(last_name(target) for target in targets)
                yield Loop(names, self._names.expr(node.iter, scope), node.lineno, body)
            yield from self._block(node.orelse, scope)
        elif isinstance(node, ast.While):
            body = self._block(node.body, scope)
            if body:
                yield Loop((), Unknown(), node.lineno, body)
        elif isinstance(node, ast.Match):
            arms = [
                Arm(f"{text_of(node.subject)} is {text_of(c.pattern)}", self._block(c.body, scope)) for c in node.cases
            ]
            if not any(isinstance(c.pattern, ast.MatchAs) and c.pattern.pattern is None for c in node.cases):
                arms.append(Arm(f"{text_of(node.subject)} is none of these", ()))
            if any(arm.body for arm in arms):
                yield Branch(text_of(node.subject), node.lineno, tuple(arms))

    def _if(self, node: ast.If, scope: Scope, at: ast.expr | None = None) -> Iterator[Op]:
        then, otherwise = self._block(node.body, scope), self._block(node.orelse, scope)
        test = node.test
        if isinstance(test, ast.Constant):
            yield from then if test.value else otherwise
        elif dotted(test).rpartition(".")[2] == "TYPE_CHECKING":
            yield from otherwise
        elif then or otherwise:
            if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
                then, otherwise, test = otherwise, then, test.operand
            text = text_of(test)
            yield Branch(text, (at or node).lineno, (Arm(text, then), Arm(f"not ({text})", otherwise)))

    def _with(self, node: ast.With | ast.AsyncWith, scope: Scope) -> Iterator[Op]:
        """`with suppress(E): …` goes on like a handler that does nothing."""
        body = self._block(node.body, scope)
        calls = [item.context_expr for item in node.items if isinstance(item.context_expr, ast.Call)]
        suppressed = [call for call in calls if last_name(call.func) == "suppress"]
        if not suppressed or not body:
            yield from body
            return
        what = ", ".join(filter(None, (dotted(arg) for call in suppressed for arg in call.args))) or "anything"
        arms = (Arm("", body), Arm(f"{what} is raised behind line {node.lineno}", ()))
        yield Branch(f"try@{node.lineno}", node.lineno, arms)

    def _try(self, node: ast.Try, scope: Scope) -> Iterator[Op]:
        arms = [Arm("", self._block([*node.body, *node.orelse], scope))]
        for handler in node.handlers:
            what = ", ".join(caught_names(handler)) or "anything"
            body = self._block(handler.body, scope)
            arms.append(Arm(f"{what} is raised behind line {node.lineno}", body))
        if len(arms) == 1:
            yield from arms[0].body
        elif any(arm.body for arm in arms):
            yield Branch(f"try@{node.lineno}", node.lineno, tuple(arms))
        yield from self._block(node.finalbody, scope)

    def _returned(self, value: ast.expr | None, scope: Scope) -> Expr:
        if isinstance(value, ast.Await):
            value = value.value
        if isinstance(value, ast.Call):
            known = last_name(value.func) in APP_CLASSES or bool(MAKES.search(last_name(value.func)))
            if known or self._is_handed_an_application(value):
                return self._names.expr(value, scope)
        elif isinstance(value, ast.Name):
            found = self._names.named(value.id, scope)
            if value.id in self._wanted or value.id == "self" or isinstance(found, Def):
                return found
            if isinstance(found, Free) and "iddleware" in scope.qualname:
                return found
        elif isinstance(value, ast.Attribute):
            if value.attr in self._wanted:
                return self._names.expr(value, scope)
        elif isinstance(value, (ast.List, ast.Tuple, ast.BinOp)):
            found = self._names.expr(value, scope)
            if _mentions_layers(found):
                return found
        return Unknown()

    def _matters(self, call: ast.Call, scope: Scope) -> bool:
        func = call.func
        if isinstance(func, ast.Call):
            return self._matters(func, scope)
        last = last_name(func)
        if last == "add_middleware" or last in APP_CLASSES:
            return True
        if isinstance(func, ast.Attribute):
            base = last_name(func.value)
            if isinstance(func.value, ast.Call) and self._matters(func.value, scope):
                return True
            if base in ("self", "cls") or (isinstance(func.value, ast.Call) and last_name(func.value.func) == "super"):
                return True
            if base in self._wanted and last not in INERT:
                return True
        elif isinstance(func, ast.Name):
            named = self._names.named(func.id, scope)
            if isinstance(named, Def) or (isinstance(named, Free) and named.ref.is_local):
                return True
            if isinstance(named, Free) and MAKES.search(last):
                return True
        return self._is_handed_an_application(call)

    def _is_handed_an_application(self, call: ast.Call) -> bool:
        if last_name(call.func) in _INERT_CALLS:
            return False
        if isinstance(call.func, ast.Attribute):
            base = last_name(call.func.value)
            if base in _LOGGERS or (base in self._wanted and call.func.attr in INERT):
                return False
        handed = (*call.args, *(keyword.value for keyword in call.keywords))
        return any(last_name(arg) in self._wanted for arg in handed)


def _statement(value: ast.expr) -> ast.Expr:
    return ast.copy_location(ast.Expr(value), value)


def _mentions_layers(value: Expr) -> bool:
    if isinstance(value, Joined):
        return _mentions_layers(value.left) or _mentions_layers(value.right)
    if isinstance(value, Items):
        return any(isinstance(item, (Free, Def, Call)) for item in value.items)
    return False
