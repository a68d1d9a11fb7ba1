"""Which class a name or an expression of one file certainly holds an instance of.

Only what every binding of a name agrees on counts. What is certain of a name is said of the whole function, so a
name that is tested with `isinstance` or `hasattr` somewhere in it is not judged at all (the collector sees to it).
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

import msgspec

from guard.checks.classes_elements import Taken, container_of, element_of, iterated_by
from guard.checks.classes_facts import AWAITED, RETURNED, Marker
from guard.checks.references import Ref, reference_in
from guard.nodes import names_in
from guard.scopes import Binding, BindingKind, Scope, dotted

_ASSIGN: Final = BindingKind.ASSIGN
_PARAMETER: Final = BindingKind.PARAMETER
_DECLARED: Final = BindingKind.DECLARED
_ANNOTATED: Final = BindingKind.ANNOTATED
_LOOP: Final = BindingKind.LOOP
_UNPACKED: Final = BindingKind.UNPACKED
_WRAPPERS: Final = frozenset({"Optional", "Final", "ClassVar", "InitVar", "Annotated", "Required", "NotRequired"})
_MARKERS: Final = {"ClassVar": Marker.CLASS_VAR, "InitVar": Marker.INIT_VAR, "KW_ONLY": Marker.KW_ONLY}
_ROWS: Final = frozenset({"iloc", "loc", "iat", "at"})
"""What gives rows and cells of a data frame by their place or their label."""
_CLASS_METHODS: Final = frozenset({"__new__", "__init_subclass__", "__class_getitem__"})
_DEPTH: Final = 8
"""How far a name is followed through other names."""


class Known(msgspec.Struct, frozen=True):
    """An instance of the class `ref`; of exactly that class where `exact`."""

    ref: Ref
    exact: bool


class OwnInstance(msgspec.Struct, frozen=True):
    """`self` of a method: an instance of the class that the method stands in, or of a subclass."""

    scope: Scope
    """The class's."""


class OwnClass(msgspec.Struct, frozen=True):
    """`cls` of a class method."""

    scope: Scope


Receiver = Known | OwnInstance | OwnClass | None

_UNASKED: Final = Ref(0, "", "")
_UNKNOWN: Final = Known(_UNASKED, False)
"""These stand for answers that nobody has asked for yet."""
_NEUTRAL: Final = Known(Ref(0, "builtins", "None"), True)
"""None, or the name itself: says nothing about the class of a name."""


def looks_like_class(name: str) -> bool:
    """Whether the last part of a dotted name is written as class names are."""
    last = name.rpartition(".")[2]
    return last[:1].isupper() or (last[:1] == "_" and last.lstrip("_")[:1].isupper())


def method_kind(function: ast.AST) -> str:
    """`instance`, `class` or `static`, for a function in a class body."""
    if not isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return "static"
    if not function.decorator_list:
        return "class" if function.name in _CLASS_METHODS else "instance"
    decorators = {dotted(node).rpartition(".")[2] for node in function.decorator_list}
    if "staticmethod" in decorators:
        return "static"
    if decorators & {"classmethod", "abstractclassmethod"} or function.name in _CLASS_METHODS:
        return "class"
    return "instance"


def marker_of(annotation: ast.expr, imported: Callable[[str], str]) -> Marker:
    """The marker that an annotation is wrapped in, or is. `imported` says what a name was before an `import … as`."""
    annotation = _unquoted(annotation)
    head = annotation.value if isinstance(annotation, ast.Subscript) else annotation
    return _MARKERS.get(imported(dotted(head)).rpartition(".")[2], Marker.NONE)


def extras_of(annotation: ast.expr) -> tuple[ast.Call, ...]:
    """The calls behind the type in `Annotated[type, …]`."""
    annotation = _unquoted(annotation)
    if not isinstance(annotation, ast.Subscript) or dotted(annotation.value).rpartition(".")[2] != "Annotated":
        return ()
    inner = annotation.slice
    return tuple(part for part in inner.elts[1:] if isinstance(part, ast.Call)) if isinstance(inner, ast.Tuple) else ()


def is_nullable(annotation: ast.expr) -> bool:
    """Whether an annotation may allow None itself, at a look: it is Any, object or Optional, or a union with such a
    member. What it allows inside a container does not count."""
    waiting = [annotation]
    while waiting:
        node = _unquoted(waiting.pop())
        if isinstance(node, ast.Constant) and (node.value is None or isinstance(node.value, str)):
            return True
        if isinstance(node, ast.BinOp):
            waiting += (node.left, node.right)
        elif isinstance(node, ast.Subscript):
            head = dotted(node.value).rpartition(".")[2]
            inner = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
            if head == "Optional":
                return True
            if head == "Union":
                waiting += inner
            elif head in _WRAPPERS:
                waiting += inner[:1]
        elif dotted(node).rpartition(".")[2] in ("Optional", "Any", "object"):
            return True
    return False


_PLAIN: Final = frozenset(
    {
        *("str", "int", "float", "bool", "datetime", "date", "Optional", "Union", "list", "List", "dict", "Dict"),
        *("set", "Set", "tuple", "Tuple", "Decimal", "UUID", "Any", "uuid", "decimal", "typing", "t"),
    }
)


def plain_name(annotation: ast.expr) -> str:
    """The name of a type of plain values (strings, numbers, times), `*` for lists, dicts and choices of such; empty for
    anything else."""
    if isinstance(annotation, ast.Name):
        return annotation.id if annotation.id in _PLAIN else ""
    if not isinstance(annotation, (ast.Subscript, ast.BinOp, ast.Constant)):
        return ""
    annotation = _unquoted(annotation)
    return "*" if _PLAIN.issuperset(names_in(annotation)) else ""


def _unquoted(annotation: ast.expr) -> ast.expr:
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        try:
            return ast.parse(annotation.value.strip(), mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return annotation
    return annotation


def awaited_in(node: ast.Await) -> ast.expr:
    """What is awaited in the end: `asyncio.wait_for(f(), 2)` gives what `f()` gives."""
    called = node.value
    if isinstance(called, ast.Call) and called.args:
        func = called.func
        name = func.attr if isinstance(func, ast.Attribute) else func.id if isinstance(func, ast.Name) else ""
        if name in ("wait_for", "shield"):
            return called.args[0]
    return called


class Types:
    """Answers for one file. Only right once the walk is over."""

    def __init__(
        self,
        rebound: frozenset[str],
        classes: frozenset[str],
        givers: frozenset[str] = frozenset(),
        attributes: Mapping[ast.AST, Mapping[str, ast.expr]] = MappingProxyType({}),
        again: frozenset[str] = frozenset(),
    ) -> None:
        self._rebound = rebound
        """Names that some scope declares global or nonlocal: what they hold is not followed."""
        self._classes = classes
        """Names of the file's own classes, for those that are not written as class names are."""
        self._givers = givers
        """Names of functions that may return an instance of a known class."""
        self._attributes = attributes
        """By class statement: the annotations of attributes."""
        self._again = again
        """Names that several class statements of the module bind: code that runs later sees the last."""
        self._bindings: dict[tuple[Scope, str], Ref | None] = {}
        self._names: dict[tuple[Scope, str], Receiver] = {}
        self._receivers: dict[tuple[Scope, str], Receiver] = {}

    def reference(self, text: str, scope: Scope) -> Ref | None:
        """`references.reference_of_name`, remembered for each scope that binds the name."""
        root, _, rest = text.partition(".")
        where = scope.lookup(root)
        found = None if where is None else self._bound_to(where, text, root, rest)
        if found is None and self._again and text in self._again and scope.function is not None:
            return Ref(0, "", text) if where is not None and where[0].kind == "module" else None
        return found

    def _bound_to(self, found: tuple[Scope, list[Binding]], text: str, root: str, rest: str) -> Ref | None:
        """What a name stands for wherever its bindings are found: many functions use the names of one module."""
        where, bindings = found
        key = (where, text)
        known = self._bindings.get(key, _UNASKED)
        if known is _UNASKED:
            known = self._bindings[key] = reference_in(where, bindings, root, rest)
        return known

    def annotated(self, annotation: ast.expr | None, scope: Scope) -> Ref | None:
        """The one class that an annotation names, read in `scope`; None for anything less certain."""
        if annotation is None:
            return None
        if annotation.__class__ is ast.Name:  # as most are
            return self.reference(annotation.id, scope)
        annotation = _unquoted(annotation)
        if isinstance(annotation, ast.BinOp) and isinstance(annotation.op, ast.BitOr):
            return self._one_of([annotation.left, annotation.right], scope)
        if not isinstance(annotation, ast.Subscript):
            text = dotted(annotation)
            return self.reference(text, scope) if text else None
        head = dotted(annotation.value)
        last = head.rpartition(".")[2]
        inner = annotation.slice
        if last in _WRAPPERS:
            first = inner.elts[0] if isinstance(inner, ast.Tuple) and inner.elts else inner
            return self.annotated(first, scope)
        if last == "Union":
            return self._one_of(inner.elts if isinstance(inner, ast.Tuple) else [inner], scope)
        return self.reference(head, scope) if head else None

    def _one_of(self, members: list[ast.expr], scope: Scope) -> Ref | None:
        members = [_unquoted(member) for member in members]
        left = [m for m in members if not (isinstance(m, ast.Constant) and m.value is None)]
        return self.annotated(left[0], scope) if len(left) == 1 else None

    def receiver(self, name: str, scope: Scope) -> Receiver:
        """What `name`, read in `scope`, is an instance of."""
        key = (scope, name)
        found = self._receivers.get(key, _UNKNOWN)
        if found is _UNKNOWN:
            found = self._receivers[key] = self._receiver(name, scope, _DEPTH)
        return found

    def _receiver(self, name: str, scope: Scope, depth: int) -> Receiver:
        found = scope.lookup(name)
        if found is None or depth == 0:
            return None
        where, bindings = found
        key = (where, name)
        known = self._names.get(key, _UNKNOWN)
        if known is not _UNKNOWN:
            return known
        self._names[key] = None  # what is asked for again while it is looked for is not certain
        known = self._names[key] = self._bound(name, where, bindings, depth)
        return known

    def _bound(self, name: str, where: Scope, bindings: list[Binding], depth: int) -> Receiver:
        if name in self._rebound:
            return None
        if bindings[0].kind is _PARAMETER:
            own = _own_receiver(name, where, bindings)
            if own is not None:
                return own
        known: Known | None = None
        for binding in bindings:
            context, value = binding.context, binding.value
            if context.dead or context.type_checking:
                continue
            if value is not None and binding.kind is _ASSIGN:
                held = self._value(value, where, depth, name)
            else:
                held = self._held(name, where, binding)
            if held is None:
                return None
            if held is _NEUTRAL:
                continue
            if known is None:
                known = held
            elif known.ref != held.ref:
                return None
            else:
                known = Known(known.ref, known.exact and held.exact)
        return known

    def _held(self, name: str, where: Scope, binding: Binding) -> Known | None:
        """What a binding other than a plain assignment makes of a name."""
        kind = binding.kind
        if kind is _PARAMETER:
            if where.parent is None or _is_injected(where.node):
                return None
            return self._declared(binding.annotation, where.parent)
        if kind is _DECLARED:
            return self._declared(binding.annotation, where)
        if kind is _ANNOTATED:
            if where.kind == "class" and isinstance(binding.value, ast.Call):
                return None  # while the body runs, it is what `field()` gives
            return self.declared_with(binding.annotation, binding.value, where)
        if kind is _LOOP or kind is _UNPACKED:
            found = iterated_by(binding.node, name)
            return None if found is None else self._element(*found, where)
        return None

    def _element(self, container: ast.expr, taken: Taken, scope: Scope) -> Known | None:
        """What the elements of a container are, by the annotation of the name or of the attribute of `self`."""
        annotation, place = self._annotation_of(container, scope)
        if annotation is None or place is None:
            return None
        return self._declared(element_of(_unquoted(annotation), taken), place)

    def _annotation_of(self, node: ast.expr, scope: Scope) -> tuple[ast.expr | None, Scope | None]:
        """The one annotation of a name or of an attribute of `self`, and the scope that it is read in."""
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            owner = self.receiver(node.value.id, scope)
            if not isinstance(owner, OwnInstance):
                return None, None
            return self._attributes.get(owner.scope.node, {}).get(scope.private(node.attr)), owner.scope
        found = scope.lookup(node.id) if isinstance(node, ast.Name) else None
        if found is None or len(found[1]) != 1 or found[0].kind == "class":
            return None, None
        where, (binding,) = found
        if binding.kind is _PARAMETER:
            return (None, None) if _is_injected(where.node) else (binding.annotation, where.parent)
        return binding.annotation, where

    def _declared(self, annotation: ast.expr | None, scope: Scope) -> Known | None:
        ref = self.annotated(annotation, scope)
        return None if ref is None else Known(ref, False)

    def declared_with(self, annotation: ast.expr | None, value: ast.expr | None, scope: Scope) -> Known | None:
        """What `x: annotation = value` makes of x. A value that is made by calling another class says that the
        annotation is a wish (a test double, say); and so does a row of a table, which has whatever its columns are."""
        declared = self._declared(annotation, scope)
        if isinstance(value, ast.Subscript) and isinstance(value.value, ast.Attribute) and value.value.attr in _ROWS:
            return None
        if declared is None or not isinstance(value, ast.Call):
            return declared
        callee = dotted(value.func)
        if not callee or not looks_like_class(callee):
            return declared
        return declared if self.reference(callee, scope) == declared.ref else None

    def value(self, value: ast.expr, scope: Scope) -> Known | None:
        """What the expression gives, read in `scope`; None where that is not certain, or is the constant None."""
        known = self._value(value, scope, _DEPTH, "")
        return None if known is _NEUTRAL else known

    def is_none(self, value: ast.expr) -> bool:
        """Whether the expression is the constant None."""
        return isinstance(value, ast.Constant) and value.value is None

    def _value(self, value: ast.expr, scope: Scope, depth: int, target: str) -> Known | None:
        if depth == 0:
            return None
        if value.__class__ is ast.Call:
            func = value.func
            callee = func.id if func.__class__ is ast.Name else dotted(func)
            if not callee or not (looks_like_class(callee) or callee in self._classes):
                return self._returned(callee, scope, RETURNED) or self._taken(value, scope)
            ref = self.reference(callee, scope)
            return Known(ref, True) if ref is not None else None
        if isinstance(value, ast.Await):
            called = awaited_in(value)
            return self._returned(dotted(called.func), scope, AWAITED) if isinstance(called, ast.Call) else None
        if isinstance(value, ast.Subscript):
            return self._taken(value, scope)
        if self.is_none(value):
            return _NEUTRAL
        if isinstance(value, ast.Name):
            if value.id == target:
                return _NEUTRAL
            held = self._receiver(value.id, scope, depth - 1)
            return held if isinstance(held, Known) else None
        if isinstance(value, ast.NamedExpr):
            return self._value(value.value, scope, depth - 1, target)
        branches: list[ast.expr] = []
        if isinstance(value, ast.IfExp):
            branches = [value.body, value.orelse]
        elif isinstance(value, ast.BoolOp) and isinstance(value.op, ast.Or):
            branches = value.values
        known: Known | None = None
        for branch in branches:
            held = self._value(branch, scope, depth - 1, target)
            if held is None:
                return None
            if known is None or known is _NEUTRAL:
                known = held
            elif held is not _NEUTRAL:
                if held.ref != known.ref:
                    return None
                known = Known(known.ref, known.exact and held.exact)
        return known

    def _taken(self, value: ast.expr, scope: Scope) -> Known | None:
        """An element that is taken out of a container."""
        found = container_of(value)
        return None if found is None else self._element(*found, scope)

    def _returned(self, callee: str, scope: Scope, how: str) -> Known | None:
        """What a function returns, by its annotation; which it is, is found when the program is linked."""
        root, _, rest = callee.partition(".")
        if callee.rpartition(".")[2] not in self._givers and not (rest and looks_like_class(root)):
            return None
        owner = self.receiver(root, scope) if rest and "." not in rest else None
        if isinstance(owner, (OwnInstance, OwnClass)):
            return Known(Ref(0, "", f"{owner.scope.qualname}.{scope.private(rest)}{how}"), False)
        ref = self.reference(callee, scope)
        return None if ref is None else Known(Ref(ref.level, ref.module, ref.name + how), False)


def _own_receiver(name: str, where: Scope, bindings: list[Binding]) -> OwnInstance | OwnClass | None:
    """`self` or `cls`, where `name` is the first parameter of a method and nothing else."""
    if len(bindings) != 1 or where.kind != "function" or where.parent is None or where.parent.kind != "class":
        return None
    arguments = where.node.args  # type: ignore[attr-defined]
    first = arguments.posonlyargs or arguments.args
    if not first or first[0].arg != name:
        return None
    kind = method_kind(where.node)
    if kind == "instance":
        return OwnInstance(where.parent)
    return OwnClass(where.parent) if kind == "class" else None


def _is_injected(function: ast.AST) -> bool:
    """Whether a test runner fills the parameters: their annotations are a wish, what comes may be a double."""
    if not isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return False
    if function.name.startswith("test"):
        return True
    for node in function.decorator_list:
        callee = node.func if isinstance(node, ast.Call) else node
        if dotted(callee).rpartition(".")[2] in ("fixture", "patch", "object", "given"):
            return True
    return False
