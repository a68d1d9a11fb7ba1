"""Annotations that Python does not evaluate by itself, and the names in them that may well be meant otherwise than as
types of this module.

A string in an annotation is a forward reference to type checkers, and to whatever resolves annotations. To other code
it is what that code wants it to be: a D-Bus signature (`-> "s"`), a dimension (`Float[Array, "batch"]`), a word of
help. Nothing says which, so a name in a string counts only where it looks like a type: it begins with a capital, or is
that of a well-known class; and not inside brackets whose owner may read its strings in its own way. The head of a
dotted name (`"app.models.User"`) does not count: the string says itself where the type is, and no import was lost.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from typing import Final

from guard.scopes import dotted

_SMALL_TYPES: Final = frozenset(
    {
        *("date", "datetime", "time", "timedelta", "timezone", "tzinfo", "deque", "defaultdict", "partial", "array"),
        *("ndarray", "dtype"),
    }
)
"""Well-known classes that are written without a capital."""
_BRACKETS: Final = frozenset(
    {
        *("dict", "frozenset", "list", "set", "tuple", "type", "deque", "defaultdict", "partial", "array", "ndarray"),
        *("AbstractSet", "Annotated", "AsyncContextManager", "AsyncGenerator", "AsyncIterable", "AsyncIterator"),
        *("Awaitable", "Callable", "ChainMap", "ClassVar", "Collection", "Concatenate", "Container", "ContextManager"),
        *("Coroutine", "Counter", "DefaultDict", "Deque", "Dict", "Final", "FrozenSet", "Generator", "Generic"),
        *("InitVar", "ItemsView", "Iterable", "Iterator", "KeysView", "List", "Mapping", "MappingView"),
        *("MutableMapping", "MutableSequence", "MutableSet", "NotRequired", "Optional", "OrderedDict", "Protocol"),
        *("ReadOnly", "Required", "Reversible", "Sequence", "Set", "Tuple", "Type", "TypeGuard", "TypeIs", "Union"),
        *("Unpack", "ValuesView", "AbstractAsyncContextManager", "AbstractContextManager"),
    }
)
"""What takes types in brackets. SQLAlchemy's `Mapped["User"]`, say, looks the name up by itself."""
_LEAVE_ANNOTATIONS: Final = frozenset(
    {
        *(
            "property",
            "setter",
            "getter",
            "deleter",
            "staticmethod",
            "classmethod",
            "abstractmethod",
            "override",
            "final",
        ),
        *("overload", "wraps", "cache", "cached_property", "lru_cache", "contextmanager", "asynccontextmanager"),
        *("fixture", "patch", "deprecated"),
    }
)
"""Decorators that look at no annotation, by their last name."""
_LOOKS_UP_BY_NAME: Final = frozenset({"Relationship", "relationship"})
"""What SQLAlchemy and SQLModel are told a relation by: the class is found among all that are mapped."""
_DEEPEST: Final = 3
"""Strings in strings."""
_LONGEST: Final = 1000
"""Characters of a string that are looked at."""


class Annotations:
    """What was seen of the annotations of one file. Each is looked at once, however many names are undefined in it."""

    def __init__(self) -> None:
        self._meant: dict[ast.expr, frozenset[str]] = {}
        self._late: dict[ast.AST, frozenset[str]] = {}

    def means_type(self, expression: ast.expr, name: str) -> bool:
        """Whether a name in an annotation, or in a string elsewhere, is likely to be meant as a type."""
        meant = self._meant.get(expression)
        if meant is None:
            meant = self._meant[expression] = frozenset(_type_names(expression))
        return name in meant

    def is_imported_late(self, function: ast.FunctionDef | ast.AsyncFunctionDef, name: str) -> bool:
        """Whether a function imports the name of its own annotation in its body, against a circle of imports, and
        every decorator of it is known to look at no annotation."""
        late = self._late.get(function)
        if late is None:
            late = frozenset(_imported_in(function)) if _leave_annotations(function.decorator_list) else frozenset()
            self._late[function] = late
        return name in late


def _type_names(node: ast.AST, depth: int = 0, own: bool = False) -> Iterator[str]:
    """The names in an expression that are likely to be meant as types. `depth` counts the strings around it; strings in
    it are `own` where they stand in brackets that may be read in another way."""
    if isinstance(node, ast.Name):
        if not depth or _looks_like_type(node.id):
            yield node.id
    elif isinstance(node, ast.Attribute):
        head = dotted(node).partition(".")[0]
        if not head:
            yield from _type_names(node.value, depth, own)
        elif not depth:
            yield head
    elif isinstance(node, ast.Constant):
        if isinstance(node.value, str) and not own and depth < _DEEPEST:
            yield from _in_text(node.value, depth)
    elif isinstance(node, ast.Subscript):
        yield from _type_names(node.value, depth, own)
        yield from _type_names(node.slice, depth, own or not _takes_types(node))
    else:
        for child in ast.iter_child_nodes(node):
            yield from _type_names(child, depth, own)


def _in_text(text: str, depth: int) -> Iterator[str]:
    if len(text) > _LONGEST:
        return
    try:
        expression = ast.parse(f"({text}\n)", mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    yield from _type_names(expression.body, depth + 1)


def _looks_like_type(name: str) -> bool:
    return name in _SMALL_TYPES or name.lstrip("_")[:1].isupper()


def _takes_types(node: ast.Subscript) -> bool:
    taker = dotted(node.value).rpartition(".")[2]
    if taker == "Annotated" and isinstance(node.slice, ast.Tuple):
        # `Annotated["User", lazy(".users")]` says itself where the name is from.
        told = (part for part in node.slice.elts[1:] if isinstance(part, ast.Call))
        return not any(isinstance(argument, ast.Constant) for call in told for argument in call.args)
    return taker in _BRACKETS


def _leave_annotations(decorators: Sequence[ast.expr]) -> bool:
    written = [dotted(one.func if isinstance(one, ast.Call) else one) for one in decorators]
    return all(name.rpartition(".")[2] in _LEAVE_ANNOTATIONS or ".mark." in name for name in written)


def _imported_in(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[str]:
    for statement in function.body:
        for node in ast.walk(statement):
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                yield from (alias.asname or alias.name.partition(".")[0] for alias in node.names)


def is_looked_up(node: ast.AnnAssign) -> bool:
    """Whether something looks up the names in an annotation by itself, among what it knows."""
    return isinstance(node.value, ast.Call) and dotted(node.value.func).rpartition(".")[2] in _LOOKS_UP_BY_NAME
