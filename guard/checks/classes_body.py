"""What a class statement says by itself: its header, the names and fields of its body, its constructor."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from guard.checks.classes_facts import (
    UNKNOWN,
    Applied,
    Field,
    Marker,
    Options,
    Parameter,
    ParameterKind,
    Signature,
    Value,
)
from guard.checks.classes_types import extras_of, is_nullable, marker_of, plain_name
from guard.nodes import mangled
from guard.scopes import constant_truth, dotted

CONSTRUCTORS: Final = frozenset({"__init__", "__new__", "__post_init__"})

_TRANSPARENT: Final = frozenset({"override", "final", "abstractmethod", "no_type_check"})
"""Decorators that leave the signature of a constructor as it is written."""

TUPLES: Final = frozenset({"namedtuple", "NamedTuple"})
"""Functions that make a class."""

Index = Callable[[ast.expr], int]
"""Gives the index of the reference that an expression is; UNKNOWN where it is none."""


class ClassBody:
    """One class statement's body, read once. Blocks inside it count, functions and classes inside it do not."""

    __slots__ = ("annotated", "made", "marks", "methods", "names", "owner", "signatures", "telling")

    def __init__(self, node: ast.ClassDef) -> None:
        self.owner: Final = node.name
        self.names: set[str] = set()
        """Bound to a value."""
        self.annotated: dict[str, tuple[ast.AnnAssign, bool, bool]] = {}
        """Annotated names in the order of `__annotations__`: where each is annotated last, whether that is in a
        branch, and whether it is there only for type checkers."""
        self.made: dict[str, ast.Assign] = {}
        """Names that are given the result of a call, or a dict, without an annotation."""
        self.marks: list[str] = []
        self.telling: list[ast.expr] = []
        """Decorators that tell which version of pydantic it is."""
        self.signatures: dict[str, Signature | None] = {}
        self.methods: dict[str, ast.FunctionDef] = {}
        """Functions, by name, as they are bound last."""
        self._read(node.body, False, False)
        if _is_dots(node.body[0]) and len(node.body) == 1 and not (node.bases or node.decorator_list or node.keywords):
            self.signatures["__init__"] = None  # `class C: ...` stands for a class that is written elsewhere
        if any(name[:2] == "__" and name[-2:] != "__" for name in self.names | self.annotated.keys()):
            self.names = {self.private(name) for name in self.names}
            self.annotated = {self.private(name): said for name, said in self.annotated.items()}
            self.made = {self.private(name): said for name, said in self.made.items()}

    def private(self, name: str) -> str:
        """What Python makes of a name that is written in the body."""
        return mangled(name, self.owner)

    def _read(self, body: Sequence[ast.stmt], conditional: bool, typing: bool) -> None:
        names = self.names
        for node in body:
            kind = node.__class__
            if kind is ast.FunctionDef or kind is ast.AsyncFunctionDef or kind is ast.ClassDef:
                name = node.name  # type: ignore[attr-defined]
                names.add(name)
                if kind is ast.FunctionDef:
                    self.methods[name] = node  # type: ignore[assignment]
                if node.decorator_list:  # type: ignore[attr-defined]
                    self.marks += filter(None, map(_mark, node.decorator_list))  # type: ignore[attr-defined]
                    self.telling += filter(None, map(_telling, node.decorator_list))  # type: ignore[attr-defined]
                if name in CONSTRUCTORS and not typing:
                    written = isinstance(node, ast.FunctionDef) and not conditional
                    self.signatures[name] = signature(node, self.owner) if written else None  # type: ignore[arg-type]
            elif kind is ast.AnnAssign:
                self._annotate(node, conditional, typing)  # type: ignore[arg-type]
            elif kind is ast.Assign:
                self._assign(node, conditional)  # type: ignore[arg-type]
            elif kind is not ast.Expr and kind is not ast.Pass:
                for name in _bound_names(node):
                    names.add(name)
                    if name in CONSTRUCTORS:
                        self.signatures[name] = None
                for block, in_branch, for_checkers in _blocks(node):
                    self._read(block, conditional or in_branch, typing or for_checkers)

    def _assign(self, node: ast.Assign, conditional: bool) -> None:
        made = not conditional and node.value.__class__ in _MADE
        for target in node.targets:
            for name in (target.id,) if isinstance(target, ast.Name) else _target_names(target):
                self.names.add(name)
                if name in CONSTRUCTORS:
                    self.signatures[name] = None
            if made and isinstance(target, ast.Name):
                self.made[target.id] = node

    def _annotate(self, node: ast.AnnAssign, conditional: bool, typing: bool) -> None:
        if node.simple and isinstance(node.target, ast.Name):
            name = node.target.id
            self.annotated[name] = (node, conditional, typing)
            if node.value is not None or typing or conditional:
                self.names.add(name)

    def fields(self, index: Index, type_index: Index, imported: Callable[[str], str]) -> tuple[Field, ...]:
        """The annotated names and the made ones. What is there only for type checkers is no field, whatever it is at
        run time."""
        found = []
        read: dict[str, _Annotation] = {}
        for name, (node, conditional, typing) in self.annotated.items():
            annotation, value = node.annotation, node.value
            if annotation.__class__ is ast.Name:
                # Most annotations are a plain name, and most classes have few of these.
                text: str = annotation.id
                said = read.get(text) or read.setdefault(text, _read_annotation(annotation, type_index, imported))
            else:
                said = _read_annotation(annotation, type_index, imported)
            marker, type_, extras, plain = said
            found.append(
                Field(
                    name,
                    node.lineno,
                    type_,
                    Marker.CLASS_VAR if typing else marker,
                    value_of(value),
                    applied(value, index) if isinstance(value, ast.Call) else None,
                    conditional and not typing,
                    value is None and is_nullable(annotation),
                    tuple([applied(extra, index) for extra in extras]),
                    plain,
                )
            )
        for name, made in self.made.items():
            if name not in self.annotated and (isinstance(made.value, ast.Call) or name == _CONFIG):
                maker = applied(made.value, index)
                found.append(Field(name, made.lineno, UNKNOWN, Marker.BARE, Value.PLAIN, maker))
        found.sort(key=lambda field: field.line if self.made else 0)
        return tuple(found)


def _is_dots(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and node.value.value is ...


_Annotation = tuple[Marker, int, tuple[ast.Call, ...], str]
"""The marker, the class, the calls in `Annotated[…]`, and the name of a plain type."""


def _read_annotation(annotation: ast.expr, type_index: Index, imported: Callable[[str], str]) -> _Annotation:
    marker = marker_of(annotation, imported)
    type_ = UNKNOWN if marker is Marker.KW_ONLY else type_index(annotation)
    return marker, type_, extras_of(annotation), plain_name(annotation)


_CONFIG: Final = "model_config"
_MADE: Final = frozenset({ast.Call, ast.Dict})
_MARKS: Final = frozenset({"model_validator", "root_validator"})


_OF_THE_SECOND: Final = frozenset(
    {"field_validator", "model_validator", "computed_field", "field_serializer", "model_serializer"}
)


def _telling(decorator: ast.expr) -> ast.expr | None:
    """A decorator that only the second version of pydantic has, by its name, without its arguments."""
    func = decorator.func if isinstance(decorator, ast.Call) else decorator
    name = func.id if isinstance(func, ast.Name) else func.attr if isinstance(func, ast.Attribute) else ""
    return func if name in _OF_THE_SECOND else None


def _mark(decorator: ast.expr) -> str:
    """What a decorator in a class body says of its fields; empty for nothing."""
    if isinstance(decorator, ast.Attribute):
        return dotted(decorator) if decorator.attr == "default" else ""
    if isinstance(decorator, ast.Call):
        name = dotted(decorator.func).rpartition(".")[2]
        if name in _MARKS:
            given = dict(_options(decorator))
            mode = given.get("mode") if name == "model_validator" else "before" if given.get("pre", False) else "after"
            return f"{name}:{mode or 'before'}"
    elif isinstance(decorator, ast.Name) and decorator.id in _MARKS:
        return f"{decorator.id}:after"
    return ""


def value_of(node: ast.expr | None) -> Value:
    """What kind of value an expression is."""
    if node is None:
        return Value.NONE
    if isinstance(node, (ast.List, ast.Set)):
        return Value.FILLED if node.elts else Value.EMPTY
    if isinstance(node, ast.Dict):
        return Value.FILLED if node.keys else Value.EMPTY
    if isinstance(node, (ast.ListComp, ast.SetComp, ast.DictComp)):
        return Value.FILLED
    if isinstance(node, ast.Constant) and node.value is ...:
        return Value.ELLIPSIS
    return Value.PLAIN


def valued_of(node: ast.ClassDef) -> tuple[str, ...]:
    """The names that the body of a class gives a plain value, in no branch. Sorted."""
    found = {
        target.id
        for statement in node.body
        if isinstance(statement, ast.Assign) and not isinstance(statement.value, (ast.Call, ast.Lambda))
        for target in statement.targets
        if isinstance(target, ast.Name) and not target.id.startswith("_")
    }
    return tuple(sorted(found))


def settings_of(node: ast.ClassDef) -> Options:
    """What the body of a class assigns, as far as it is literal."""
    return tuple(
        (target.id, _literal(statement.value))
        for statement in node.body
        if isinstance(statement, ast.Assign)
        for target in statement.targets
        if isinstance(target, ast.Name)
    )


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
    """The names that one statement other than `def`, `class`, `x = …` and `x: T` binds, blocks inside it left out."""
    if isinstance(node, (ast.For, ast.AsyncFor)):
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
    """A decorator, or a call (or a dict in its place) that makes a default."""
    if isinstance(node, ast.Dict):
        keys = [key.value if isinstance(key, ast.Constant) else None for key in node.keys]
        written = tuple(
            (key, _literal(value)) for key, value in zip(keys, node.values, strict=True) if isinstance(key, str)
        )
        return Applied(UNKNOWN, True, 0, written, len(written) != len(keys))
    if not isinstance(node, ast.Call):
        return Applied(index(node))
    options = _options(node)
    opaque = any(isinstance(argument, ast.Starred) for argument in node.args) or any(
        keyword.arg is None for keyword in node.keywords
    )
    return Applied(index(node.func), True, len(node.args), options, opaque)


def keywords_of(node: ast.ClassDef) -> Options:
    """The keyword arguments of a class statement, `metaclass` left out."""
    return tuple((k.arg or "**", _literal(k.value)) for k in node.keywords if k.arg != "metaclass")


def _options(node: ast.Call) -> Options:
    places = [(str(number), _literal(argument)) for number, argument in enumerate(node.args[:1])]
    return (*places, *((keyword.arg, _literal(keyword.value)) for keyword in node.keywords if keyword.arg is not None))


def _literal(node: ast.expr) -> bool | str | None:
    """The value of an argument, where it is one that decides something; see `classes_facts.Options`."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, (bool, str)) else "..." if node.value is ... else None
    if value_of(node) in (Value.EMPTY, Value.FILLED):
        return "[]"
    if isinstance(node, ast.Attribute) and dotted(node.value).rpartition(".")[2] == "Extra":
        return node.attr
    return None


def signature(node: ast.FunctionDef, owner: str) -> Signature | None:
    """What a method of the class `owner` takes behind `self`; None where a decorator may change it. (An overload is
    bound again by the plain `def` behind it.)"""
    if any(dotted(decorator).rpartition(".")[2] not in _TRANSPARENT for decorator in node.decorator_list):
        return None
    arguments = node.args
    positional = [(mangled(arg.arg, owner), ParameterKind.POSITIONAL_ONLY) for arg in arguments.posonlyargs]
    positional += [(mangled(arg.arg, owner), ParameterKind.POSITIONAL) for arg in arguments.args]
    required = len(positional) - len(arguments.defaults)
    parameters = [Parameter(name, kind, number < required) for number, (name, kind) in enumerate(positional)]
    if not parameters and arguments.vararg is None:
        return None  # a method without `self` fails for another reason
    parameters = parameters[1:]
    if arguments.vararg is not None:
        parameters.append(Parameter(arguments.vararg.arg, ParameterKind.VAR_POSITIONAL, False))
    for arg, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        parameters.append(Parameter(mangled(arg.arg, owner), ParameterKind.KEYWORD_ONLY, default is None))
    if arguments.kwarg is not None:
        parameters.append(Parameter(arguments.kwarg.arg, ParameterKind.VAR_KEYWORD, False))
    return tuple(parameters)


def tuple_fields(node: ast.Call) -> tuple[Field, ...] | None:
    """The fields of `namedtuple("P", "a b")` or `NamedTuple("P", [("a", int)])`; None where they are not written."""
    if len(node.args) != 2 or any(keyword.arg != "defaults" for keyword in node.keywords):
        return None
    defaults = next((keyword.value for keyword in node.keywords), None)
    filled = 0
    if isinstance(defaults, (ast.Tuple, ast.List)):
        filled = len(defaults.elts)
    if defaults is not None and (not filled or any(isinstance(one, ast.Starred) for one in defaults.elts)):  # type: ignore[attr-defined]
        return None
    names = _field_names(node.args[1])
    if names is None or filled > len(names):
        return None
    first = len(names) - filled
    return tuple(
        Field(name, node.lineno, value=Value.PLAIN if number >= first else Value.NONE)
        for number, name in enumerate(names)
    )


def _field_names(node: ast.expr) -> list[str] | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value.replace(",", " ").split()
    if not isinstance(node, (ast.List, ast.Tuple)):
        return None
    names = []
    for element in node.elts:
        name = element.elts[0] if isinstance(element, ast.Tuple) and element.elts else element
        if not isinstance(name, ast.Constant) or not isinstance(name.value, str):
            return None
        names.append(name.value)
    return names
