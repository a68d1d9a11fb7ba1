"""What was noted of the classes of one file, and what it is an index into."""

from __future__ import annotations

import ast
import builtins
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from guard.checks.classes_body import ClassBody
from guard.checks.classes_excuses import Excuses
from guard.checks.classes_facts import UNKNOWN, Noted, Update
from guard.checks.classes_types import Known, OwnClass, OwnInstance, Receiver, Types
from guard.checks.references import Ref
from guard.scopes import BindingKind, Context, Scope, dotted

if TYPE_CHECKING:
    from guard.checks.classes_collect import ClassCollector

ASKS: Final = frozenset(
    {"isinstance", "hasattr", "getattr", "setattr", "delattr", "type", "vars", "callable", "issubclass", "cast"}
)
"""Calls that say that the class, or the attributes, of what they are given are not taken for certain."""
SETS_BY_NAME: Final = frozenset({"setattr", "__setattr__", "patch", "object"})
"""Calls that may give something an attribute: `monkeypatch.setattr`, `object.__setattr__` and `patch.object` too."""
ASSERTS_FAILURE: Final = frozenset(
    {
        *("raises", "assertRaises", "assertRaisesRegex", "assertRaisesRegexp", "assertRaisesMessage"),
        *("failUnlessRaises", "assert_raises", "assert_raises_message", "expect_raises", "expect_raises_message"),
    }
)
"""Calls that assert a failure, of the standard library and of what projects call their own ones."""
COPYING_METHODS: Final = frozenset({"_replace", "model_copy", "copy"})
COPIES: Final = COPYING_METHODS | {"replace", "evolve"}
"""Calls that may copy an instance with other values."""
MAKERS: Final = frozenset({"create_model", "make_dataclass", "new_class", "type"})
"""Calls that may make a class with bases that they are given."""
READS_OF_DICT: Final = frozenset({"copy", "items", "keys", "values", "get"})
STANDARD_LIBRARY: Final = sys.stdlib_module_names - {"test", "this", "site", "code", "platform", "statistics"}
"""Top-level names that no first-party class is imported from: what is used of them is not remembered. A few that
projects use for their own are left out."""
_BUILTINS: Final = frozenset(dir(builtins))
NONE: Final = Known(Ref(0, "builtins", "None"), True)


class Seen:
    """One file, once the walk over it is over."""

    def __init__(self, seen: ClassCollector) -> None:
        self.seen = seen
        self.bodies = {node: ClassBody(node) for node, _ in seen.classes}
        self.again = _bound_again(seen)
        self.types = Types(
            frozenset(seen.rebound),
            frozenset(seen.class_names),
            frozenset(seen.givers),
            self._annotations(),
            frozenset(self.again),
        )
        self.refs: dict[Ref, int] = {}
        self.scopes: dict[str, int] = {}
        self.scope_indices: dict[Scope, int] = {}
        self.excuses = Excuses()
        self.local = {qualified(node, context.scope): node for node, context in seen.classes}
        self.typed_dicts: set[str] = set()
        """Names of classes of the file that inherit from `TypedDict`, in order of the file."""
        for node, _ in seen.classes:
            for base in node.bases:
                last = dotted(base).rpartition(".")[2]
                if last == "TypedDict" or last in self.typed_dicts:
                    self.typed_dicts.add(node.name)
        self.assigned = seen.assigned
        """By class statement: what methods assign on `self`, or on the class."""
        self.typed: dict[ast.AST, dict[str, list[Known | None]]] = {}
        self.dynamic: set[ast.AST] = set()
        self.loose: set[str] = set()
        self.set_by_name: set[str] = set()
        self.uses: Noted = {}
        self.paths: Noted = {}
        self.stores: Noted = {}
        self.writes: set[tuple[int, str, bool, bool]] = set()
        self.updates: list[Update] = []
        self.below: list[tuple[ast.Call, tuple[int, ...]]] = []
        """Calls that make a class, with its bases."""
        self.made: set[str] = set()
        """Names of the file's classes that a call makes."""
        self.base_calls: dict[ast.expr, str] = {}
        """Calls in the place of a base class, with the names that what they make goes by."""

    def _annotations(self) -> dict[ast.AST, dict[str, ast.expr]]:
        """By class statement: the annotations of attributes, those that methods write on `self` too."""
        found: dict[ast.AST, dict[str, ast.expr]] = {
            node: {name: statement.annotation for name, (statement, _, _) in body.annotated.items()}
            for node, body in self.bodies.items()
            if body.annotated
        }
        for root, name, statement, context in self.seen.telling:
            function = context.scope
            if root == "self" and isinstance(statement, ast.AnnAssign) and function.parent is not None:
                found.setdefault(function.parent.node, {}).setdefault(name, statement.annotation)
        return found

    def _index(self, ref: Ref) -> int:
        return self.refs.setdefault(ref, len(self.refs))

    def _where(self, context: Context) -> int:
        """Twice the index of the enclosing scope's name, one more where what stands there runs only when something
        calls it."""
        scope = context.scope
        known = self.scope_indices.get(scope)
        if known is None:
            index = self.scopes.setdefault(scope.qualname, len(self.scopes))
            known = self.scope_indices[scope] = index * 2 + (scope.function is not None)
        return known | 1 if context.main else known

    def _named(self, expression: ast.expr, scope: Scope) -> int:
        """A base class, decorator or callee: parameters of a generic are taken off, builtins are known."""
        if isinstance(expression, ast.Call):
            made = self.base_calls.get(expression)
            if made is not None:
                return self._index(Ref(0, "", made))
            expression = expression.func
        if isinstance(expression, ast.Subscript):
            expression = expression.value
        text = dotted(expression)
        if not text:
            return UNKNOWN
        if text in _BUILTINS and scope.lookup(text) is None:
            return self._index(Ref(0, "builtins", text))
        ref = self.types.reference(text, scope)
        return UNKNOWN if ref is None else self._index(ref)

    def _as_known(self, receiver: Known | OwnInstance | OwnClass) -> Known:
        if isinstance(receiver, Known):
            return receiver
        return Known(Ref(0, "", receiver.scope.qualname), False)

    def _write(self, ref: Ref, attributes: Sequence[str], *, opens: bool = False, forced: bool = False) -> None:
        self.writes.add((self._index(ref), ".".join(attributes), opens, forced))

    def _open(self, receiver: Receiver, attributes: list[str], *, forced: bool = True) -> None:
        """The attributes of what the chain leads to are set by names that are not known."""
        if isinstance(receiver, (OwnInstance, OwnClass)) and not attributes:
            self.dynamic.add(receiver.scope.node)
        elif receiver is not None:
            self._write(self._as_known(receiver).ref, [*attributes, "*"], opens=True, forced=forced)


def _bound_again(seen: ClassCollector) -> tuple[str, ...]:
    """The names that several class statements of the module bind, and nothing else, in no branch."""
    if len(seen.classes) == len(seen.class_names):
        return ()
    found = set()
    for node, context in seen.classes:
        bindings = context.scope.bindings.get(node.name, [])
        if context.scope.kind == "module" and len(bindings) > 1 and node.name not in seen.rebound:
            kinds = {(one.kind, bool(one.context.branch or one.context.dead)) for one in bindings}
            if kinds == {(BindingKind.CLASS, False)}:
                found.add(node.name)
    return tuple(sorted(found))


def qualified(node: ast.ClassDef, scope: Scope) -> str:
    """The qualified name of a class statement that stands in `scope`."""
    return f"{scope.qualname}.{node.name}" if scope.qualname else node.name


def arguments_of(node: ast.Call) -> tuple[int, tuple[str, ...], bool, bool]:
    """How many positional arguments a call has, its keywords, and whether it has `*` and `**` arguments."""
    starred = sum([argument.__class__ is ast.Starred for argument in node.args])
    keywords = tuple([keyword.arg for keyword in node.keywords if keyword.arg])
    return len(node.args) - starred, keywords, starred > 0, len(keywords) < len(node.keywords)


def place(node: ast.expr) -> tuple[int, int, int]:
    """Line, column and end column; of an expression over several lines, where it begins."""
    column = node.col_offset + 1
    ends_here = node.end_lineno == node.lineno and node.end_col_offset is not None
    return node.lineno, column, node.end_col_offset + 1 if ends_here else column  # type: ignore[operator]


def literal(node: ast.expr) -> tuple[str, ...]:
    return (node.value,) if isinstance(node, ast.Constant) and isinstance(node.value, str) else ()
