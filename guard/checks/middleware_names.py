"""Expressions of one file as the little language of `middleware_facts` writes them."""

from __future__ import annotations

import ast
import builtins
import functools
import re
from collections.abc import Mapping
from typing import Final

from guard.checks.middleware_facts import (
    Attr,
    Call,
    Def,
    Each,
    Either,
    Expr,
    Free,
    Global,
    Items,
    Joined,
    Named,
    Place4,
    Starred,
    Super,
    Table,
    Unknown,
    Var,
)
from guard.checks.middleware_frameworks import METHODS
from guard.checks.references import Ref, only_binding, reference, reference_of_name
from guard.scopes import BindingKind, Scope, dotted

_METHODS: Final = frozenset(
    {
        *METHODS,
        *("append", "extend", "insert", "user_middleware", "items", "values"),
    }
)
"""Attributes of a value, even where the value is imported: `from main import app; app.add_middleware(…)`."""

MAKES: Final = re.compile(
    r"(?:^|_)(?:app|application|api|asgi|fastapi|starlette|flask|middlewares?)(?:_|$)", re.IGNORECASE
)
"""Functions whose result is worth knowing, by name."""

_REQUEST: Final = re.compile(r"^_?(?:\w+_)?(?:request|req|conn|connection|scope|websocket)$")
_ANNOTATION: Final = re.compile(r"(?:Request|HTTPConnection|WebSocket|Scope)$")

_DEEPEST: Final = 24
"""Nested expressions below this depth are not followed: a chain of a dozen calls."""

_BUILTINS: Final = frozenset(dir(builtins))

_TEXT: Final = 80


def place_of(node: ast.AST) -> Place4:
    """Where a node stands; columns from 1."""
    return (node.lineno, node.col_offset + 1, node.end_lineno, node.end_col_offset + 1)  # type: ignore[attr-defined]


def text_of(node: ast.AST) -> str:
    """The code of a node on one line, shortened where it is long."""
    text = " ".join(ast.unparse(node).split())
    return text if len(text) <= _TEXT else text[: _TEXT - 1] + "…"


def last_name(node: ast.AST | None) -> str:
    """The last part of a name or attribute: `c` of `a.b.c`, also of `(c := …)`; empty for anything else."""
    # Asked of every callee and argument of a file: comparing classes is cheaper than `isinstance`.
    kind = node.__class__
    if kind is ast.Name:
        return node.id  # type: ignore[union-attr, no-any-return]
    if kind is ast.Attribute:
        return node.attr  # type: ignore[union-attr, no-any-return]
    return node.target.id if isinstance(node, ast.NamedExpr) else ""


def looks_like_request(name: str, annotation: ast.expr | None) -> bool:
    """Whether a parameter is a request, a connection or an ASGI scope, by its name or annotation."""
    if annotation is not None:
        text = annotation.value if isinstance(annotation, ast.Constant) else last_name(annotation)
        if isinstance(text, str) and _ANNOTATION.search(text):
            return True
    return _is_called_request(name)


@functools.lru_cache(maxsize=10_000)
def _is_called_request(name: str) -> bool:
    return _REQUEST.match(name) is not None


class Names:
    """Turns the expressions of one file into `Expr`, by Python's own scoping. Right once the walk is over."""

    def __init__(self, unique: Mapping[int, str], star: tuple[int, str] | None = None) -> None:
        self._unique = unique
        """By id of a function's or class's node, the name under which the facts hold it."""
        self._star = star
        """Level and module of the one `from … import *`, which the names come from that nothing else binds."""

    def named(self, name: str, scope: Scope) -> Expr:
        """What `name` is when it is read in `scope`."""
        found = scope.lookup(name)
        if found is None:
            if self._star is not None and name not in _BUILTINS:
                return Free(Ref(*self._star, name))
            return Unknown(name)
        where, _ = found
        if where.kind == "class":
            return Var(name) if where is scope else Unknown(name)
        only = only_binding(scope, name)
        kind = only[1].kind if only else None
        if kind is BindingKind.IMPORT:
            ref = reference_of_name(name, scope)
            return Free(ref) if ref else Unknown(name)
        if only is not None and kind in (BindingKind.FUNCTION, BindingKind.CLASS):
            if where.kind == "module":
                return Free(Ref(0, "", name))
            return Def(self._unique.get(id(only[1].node), name))
        return Global(name) if where.kind == "module" else Var(name)

    def expr(self, node: ast.expr | None, scope: Scope, depth: int = 0) -> Expr:
        """The expression, with what cannot matter left out."""
        if node is None or depth > _DEEPEST:
            return Unknown()
        if isinstance(node, ast.Name):
            return self.named(node.id, scope)
        if isinstance(node, ast.Attribute):
            return self._attribute(node, scope, depth)
        if isinstance(node, ast.Call):
            return self.call(node, scope, depth)
        if isinstance(node, (ast.List, ast.Tuple)):
            return self._display(node, scope, depth)
        if isinstance(node, ast.Await):
            return self.expr(node.value, scope, depth + 1)
        if isinstance(node, ast.NamedExpr):
            return Named(self.named(node.target.id, scope), self.expr(node.value, scope, depth + 1))
        if isinstance(node, (ast.ListComp, ast.GeneratorExp)):
            return self._comprehension(node, scope, depth)
        if isinstance(node, ast.Dict):
            return self._table(node, scope, depth)
        if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Slice):
            return self._slice(node, node.slice, scope, depth)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            return Joined(self.expr(node.left, scope, depth + 1), self.expr(node.right, scope, depth + 1))
        if isinstance(node, ast.IfExp):
            then, otherwise = self.expr(node.body, scope, depth + 1), self.expr(node.orelse, scope, depth + 1)
            return Either(text_of(node.test), node.lineno, then, otherwise)
        return Unknown()

    def _attribute(self, node: ast.Attribute, scope: Scope, depth: int) -> Expr:
        if node.attr not in _METHODS:
            whole = dotted(node)
            root = self.named(whole.partition(".")[0], scope) if whole else None
            if isinstance(root, Free):
                ref = reference(node, scope)
                return Free(ref) if ref else Unknown(whole)
        return Attr(self.expr(node.value, scope, depth + 1), node.attr)

    def call(self, node: ast.Call, scope: Scope, depth: int = 0) -> Expr:
        """A call with the arguments that mean something."""
        if isinstance(node.func, ast.Name) and node.func.id == "super":
            return Super()
        args = tuple(
            Starred(self.expr(arg.value, scope, depth + 1))
            if isinstance(arg, ast.Starred)
            else self.expr(arg, scope, depth + 1)
            for arg in node.args
        )
        if last_name(node.func) == "insert" and node.args and isinstance(node.args[0], ast.Constant):
            args = (Unknown(str(node.args[0].value)[:_TEXT]), *args[1:])  # where, in a list
        keywords = []
        for keyword in node.keywords:
            value = self.expr(keyword.value, scope, depth + 1)
            if keyword.arg is None:
                keywords.append(("**", value))
            elif not isinstance(value, Unknown):
                keywords.append((keyword.arg, value))
        given = self._given(node, scope) if last_name(node.func) in ("add_middleware", "Middleware") else ""
        return Call(self.expr(node.func, scope, depth + 1), args, tuple(keywords), place_of(node), given)

    def _given(self, node: ast.Call, scope: Scope) -> str:
        """The arguments for a layer, behind its class; with a `?` in front where they depend on a local variable."""
        values = [*node.args[1:], *(keyword.value for keyword in node.keywords)]
        names = [inner.id for value in values for inner in ast.walk(value) if isinstance(inner, ast.Name)]
        text = ", ".join(ast.unparse(part) for part in (*node.args[1:], *node.keywords))
        varies = any(self._varies(name, scope) for name in names if name not in _BUILTINS)
        return f"?{text[:_TEXT]}" if varies or len(text) > 2 * _TEXT else text

    def _varies(self, name: str, scope: Scope) -> bool:
        """Whether a name may stand for another value the next time: a local variable, or a global bound twice."""
        if isinstance(self.named(name, scope), (Var, Unknown)):
            return True
        only = only_binding(scope, name)
        return only is None or only[1].kind is BindingKind.LOOP

    def _comprehension(self, node: ast.ListComp | ast.GeneratorExp, scope: Scope, depth: int) -> Expr:
        generator = node.generators[0]
        inner = next((inner for inner in scope.inner if inner.node is node), None)
        if len(node.generators) > 1 or generator.ifs or inner is None:
            return Unknown()
        targets = generator.target.elts if isinstance(generator.target, ast.Tuple) else [generator.target]
        return Each(
            tuple(last_name(target) for target in targets),
            self.expr(generator.iter, scope, depth + 1),
            self.expr(node.elt, inner, depth + 1),
            place_of(node.elt),
        )

    def _table(self, node: ast.Dict, scope: Scope, depth: int) -> Expr:
        if any(key is None for key in node.keys):
            return Unknown()
        keys = [key.value if isinstance(key, ast.Constant) else "" for key in node.keys]
        return Table(
            tuple(key if isinstance(key, str) else "" for key in keys),
            tuple(self.expr(value, scope, depth + 1) for value in node.values),
            tuple(map(place_of, node.values)),
        )

    def _slice(self, node: ast.Subscript, part: ast.Slice, scope: Scope, depth: int) -> Expr:
        """A copy, or the same the other way round: `x[:]`, `x[::-1]`."""
        if part.lower is not None or part.upper is not None:
            return Unknown()
        if part.step is None:
            return self.expr(node.value, scope, depth + 1)
        if ast.unparse(part.step) == "-1":
            return Call(Unknown("reversed"), (self.expr(node.value, scope, depth + 1),), (), place_of(node))
        return Unknown()

    def _display(self, node: ast.List | ast.Tuple, scope: Scope, depth: int) -> Expr:
        whole: Expr | None = None
        run: list[ast.expr] = []

        def flush(whole: Expr | None) -> Expr | None:
            if not run:
                return whole
            items = Items(tuple(self.expr(item, scope, depth + 1) for item in run), tuple(map(place_of, run)))
            run.clear()
            return Joined(whole, items) if whole is not None else items

        for element in node.elts:
            if isinstance(element, ast.Starred):
                whole = flush(whole)
                inner = self.expr(element.value, scope, depth + 1)
                whole = Joined(whole, inner) if whole is not None else inner
            else:
                run.append(element)
        return flush(whole) or Items((), ())
