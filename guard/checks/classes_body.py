"""What a class statement says by itself: its header, the names and fields of its body, its constructor."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from guard.checks.classes_facts import UNKNOWN, Applied, Field, Marker, Parameter, ParameterKind, Signature
from guard.checks.classes_types import marker_of
from guard.scopes import constant_truth, dotted

CONSTRUCTORS: Final = frozenset({"__init__", "__new__", "__post_init__"})

_TRANSPARENT: Final = frozenset({"override", "final", "abstractmethod", "no_type_check"})
"""Decorators that leave the signature of a constructor as it is written."""

Index = Callable[[ast.expr], int]
"""Gives the index of the reference that an expression is; UNKNOWN where it is none."""


class ClassBody:
    """One class statement's body, read once. Blocks inside it count, functions and classes inside it do not."""

    __slots__ = ("annotated", "names", "signatures")

    def __init__(self, node: ast.ClassDef) -> None:
        self.names: set[str] = set()
        """Bound to a value."""
        self.annotated: dict[str, tuple[ast.AnnAssign, bool, bool]] = {}
        """Annotated names in the order of `__annotations__`: where each is annotated last, whether that is in a
        branch, and whether it is there only for type checkers."""
        self.signatures: dict[str, Signature | None] = {}
        self._read(node.body, False, False)

    def _read(self, body: Sequence[ast.stmt], conditional: bool, typing: bool) -> None:
        names = self.names
        for node in body:
            kind = node.__class__
            if kind is ast.FunctionDef or kind is ast.AsyncFunctionDef or kind is ast.ClassDef:
                name = node.name  # type: ignore[attr-defined]
                names.add(name)
                if name in CONSTRUCTORS and not typing:
                    written = isinstance(node, ast.FunctionDef) and not conditional
                    self.signatures[name] = signature(node) if written else None  # type: ignore[arg-type]
            elif kind is ast.AnnAssign:
                self._annotate(node, conditional, typing)  # type: ignore[arg-type]
            elif kind is not ast.Expr and kind is not ast.Pass:
                for name in _bound_names(node):
                    names.add(name)
                    if name in CONSTRUCTORS:
                        self.signatures[name] = None
                for block, in_branch, for_checkers in _blocks(node):
                    self._read(block, conditional or in_branch, typing or for_checkers)

    def _annotate(self, node: ast.AnnAssign, conditional: bool, typing: bool) -> None:
        if node.simple and isinstance(node.target, ast.Name):
            name = node.target.id
            self.annotated[name] = (node, conditional, typing)
            if node.value is not None or typing or conditional:
                self.names.add(name)

    def fields(self, index: Index, type_index: Index, imported: Callable[[str], str]) -> tuple[Field, ...]:
        """The annotated names. What is there only for type checkers is no field, whatever it is at run time."""
        found = []
        for name, (node, conditional, typing) in self.annotated.items():
            marker = Marker.CLASS_VAR if typing else marker_of(node.annotation, imported)
            found.append(
                Field(
                    name,
                    node.lineno,
                    UNKNOWN if marker is Marker.KW_ONLY else type_index(node.annotation),
                    marker,
                    node.value is not None,
                    applied(node.value, index) if isinstance(node.value, ast.Call) else None,
                    conditional and not typing,
                )
            )
        return tuple(found)


def _blocks(node: ast.stmt) -> Iterator[tuple[Sequence[ast.stmt], bool, bool]]:
    """The blocks of a compound statement that may run: with whether each is a branch, and only for type checkers."""
    if isinstance(node, ast.If):
        truth = constant_truth(node.test)
        if truth is not False:
            yield node.body, True, dotted(node.test).rpartition(".")[2] == "TYPE_CHECKING"
        if truth is not True:
            yield node.orelse, True, False
    elif isinstance(node, (ast.With, ast.AsyncWith)):
        yield node.body, False, False
    elif isinstance(node, (ast.For, ast.AsyncFor, ast.While)):
        yield node.body, True, False
        yield node.orelse, True, False
    elif isinstance(node, (ast.Try, ast.TryStar)):
        yield node.body, True, False
        for handler in node.handlers:
            yield handler.body, True, False
        yield node.orelse, True, False
        yield node.finalbody, False, False
    elif isinstance(node, ast.Match):
        for case in node.cases:
            yield case.body, True, False


def _bound_names(node: ast.stmt) -> Iterator[str]:
    """The names that one statement other than `def`, `class` and `x: T` binds, blocks inside it left out."""
    if isinstance(node, ast.Assign):
        for target in node.targets:
            yield from _target_names(target)
    elif isinstance(node, (ast.For, ast.AsyncFor)):
        yield from _target_names(node.target)
    elif isinstance(node, (ast.With, ast.AsyncWith)):
        for item in node.items:
            if item.optional_vars is not None:
                yield from _target_names(item.optional_vars)
    elif isinstance(node, (ast.Import, ast.ImportFrom)):
        for alias in node.names:
            yield alias.asname or alias.name.partition(".")[0]


def _target_names(target: ast.expr) -> Iterator[str]:
    if isinstance(target, ast.Name):
        yield target.id
    elif isinstance(target, (ast.Tuple, ast.List)):
        for element in target.elts:
            yield from _target_names(element)
    elif isinstance(target, ast.Starred):
        yield from _target_names(target.value)


def applied(node: ast.expr, index: Index) -> Applied:
    """A decorator, or a call that makes a default."""
    if not isinstance(node, ast.Call):
        return Applied(index(node))
    options: list[tuple[str, bool | str | None]] = []
    opaque = any(isinstance(argument, ast.Starred) for argument in node.args)
    for keyword in node.keywords:
        if keyword.arg is None:
            opaque = True
            continue
        value = keyword.value.value if isinstance(keyword.value, ast.Constant) else None
        options.append((keyword.arg, value if isinstance(value, (bool, str)) else None))
    return Applied(index(node.func), True, len(node.args), tuple(options), opaque)


def signature(node: ast.FunctionDef) -> Signature | None:
    """What a method takes behind `self`; None where a decorator may change it. (An overload is bound again by the
    plain `def` behind it.)"""
    if any(dotted(decorator).rpartition(".")[2] not in _TRANSPARENT for decorator in node.decorator_list):
        return None
    arguments = node.args
    positional = [(arg.arg, ParameterKind.POSITIONAL_ONLY) for arg in arguments.posonlyargs]
    positional += [(arg.arg, ParameterKind.POSITIONAL) for arg in arguments.args]
    required = len(positional) - len(arguments.defaults)
    parameters = [Parameter(name, kind, number < required) for number, (name, kind) in enumerate(positional)]
    if not parameters and arguments.vararg is None:
        return None  # a method without `self` fails for another reason
    parameters = parameters[1:]
    if arguments.vararg is not None:
        parameters.append(Parameter(arguments.vararg.arg, ParameterKind.VAR_POSITIONAL, False))
    for arg, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        parameters.append(Parameter(arg.arg, ParameterKind.KEYWORD_ONLY, default is None))
    if arguments.kwarg is not None:
        parameters.append(Parameter(arguments.kwarg.arg, ParameterKind.VAR_KEYWORD, False))
    return tuple(parameters)
