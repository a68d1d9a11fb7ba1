"""The nodes of a syntax tree for those who walk millions: what can be passed over, and what is inside the rest."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Mapping
from operator import attrgetter
from typing import Any, Final

PASSED_OVER: Final[frozenset[type]] = frozenset(
    {
        *(str, int, float, bytes, bool, complex, type(None), type(...)),
        *(ast.Load, ast.Store, ast.Del, ast.Name, ast.Constant, ast.alias),
        *(ast.And, ast.Or, ast.MatchSingleton),
        *ast.operator.__subclasses__(),
        *ast.unaryop.__subclasses__(),
        *ast.cmpop.__subclasses__(),
    }
)
"""Types of what an expression may hold and that holds no expression itself."""

STATEMENTS: Final[frozenset[type]] = frozenset(ast.stmt.__subclasses__())
"""Types of statements."""

CHILDREN: Final[Mapping[type, Callable[[Any], Iterable[Any]]]] = {
    ast.Await: attrgetter("value", "lineno"),
    ast.BinOp: attrgetter("left", "right"),
    ast.BoolOp: attrgetter("values"),
    ast.Call: attrgetter("func", "args", "keywords"),
    ast.Compare: attrgetter("left", "comparators"),
    ast.Dict: attrgetter("keys", "values"),
    ast.FormattedValue: attrgetter("value", "format_spec"),
    ast.IfExp: attrgetter("test", "body", "orelse"),
    ast.JoinedStr: attrgetter("values"),
    ast.List: attrgetter("elts"),
    ast.Set: attrgetter("elts"),
    ast.Slice: attrgetter("lower", "upper", "step"),
    ast.Starred: attrgetter("value", "lineno"),
    ast.Subscript: attrgetter("value", "slice"),
    ast.Tuple: attrgetter("elts"),
    ast.UnaryOp: attrgetter("operand", "lineno"),
    ast.keyword: attrgetter("value", "lineno"),
}
"""The expressions, lists of expressions and Nones inside an expression that has no scope and binds nothing. One getter
reads them all at once; where there is one expression, a number beside it makes the answer a tuple all the same."""

PARTS: Final[Mapping[type, Callable[[Any], Iterable[Any]]]] = {
    ast.Assert: attrgetter("test", "msg"),
    ast.Raise: attrgetter("exc", "cause"),
    ast.Return: attrgetter("value", "lineno"),
}
"""The expressions of the statements that bind nothing and hold no block. They are asked for by name: a node has no
`__dict__` of its own until somebody asks for it."""


def names_in(expression: ast.expr) -> list[str]:
    """Every name that is written in an expression, in no particular order: what `ast.walk` finds, several times as fast
    for what annotations are made of."""
    found: list[str] = []
    stack: list[Any] = [expression]
    while stack:
        node = stack.pop()
        kind = node.__class__
        if kind is ast.Name:
            found.append(node.id)
        elif kind is ast.Attribute:
            stack.append(node.value)
        elif kind is list:
            stack += node
        elif kind not in PASSED_OVER:
            children = CHILDREN.get(kind)
            stack += ast.iter_child_nodes(node) if children is None else children(node)
    return found


def mangled(name: str, owner: str) -> str:
    """What Python makes of a name that is written inside the class `owner`: `__x` is `_Owner__x` there, whether it is a
    variable, an attribute or a parameter (but not the keyword of a call)."""
    if name[:2] != "__" or name[-2:] == "__":
        return name
    owner = owner.lstrip("_")
    return f"_{owner}{name}" if owner else name
