"""What is noted of classes and their uses while a file is walked. All deciding is left to `classes_finish`."""

from __future__ import annotations

import ast
from typing import Final

from guard.checks.classes_body import TUPLES
from guard.checks.classes_elements import CONTAINERS, MAPPINGS, iterated_by
from guard.checks.classes_facts import Access, ClassesFacts
from guard.checks.classes_finish import finish
from guard.checks.classes_seen import (
    ASKS,
    ASSERTS_FAILURE,
    COPIES,
    MAKERS,
    SETS_BY_NAME,
    STANDARD_LIBRARY,
)
from guard.checks.classes_types import awaited_in
from guard.listeners import Listeners
from guard.parse import Parsed
from guard.scopes import Context, Scope, dotted

_LOAD: Final = Access.LOAD
_AUGMENT: Final = Access.AUGMENT
_DELETE: Final = Access.DELETE
_NOTED: Final = ASKS | SETS_BY_NAME | ASSERTS_FAILURE | COPIES | MAKERS | {"locals", "exec"}

_OWN: Final = frozenset({"cls"})
_NOT_FIRST_PARTY: Final = frozenset(
    {
        *("Any", "None", "Dict", "List", "Set", "FrozenSet", "Tuple", "Type", "Callable", "Awaitable", "Coroutine"),
        *(
            "Iterable",
            "Iterator",
            "Sequence",
            "Mapping",
            "MutableMapping",
            "Generator",
            "AsyncGenerator",
            "AsyncIterator",
        ),
        *("Mock", "MagicMock", "AsyncMock", "Path"),
    }
)
"""Names that are so common, and so surely not those of a checked class, that a look is spared."""


_GIVING: Final = frozenset({ast.Call, ast.Await, ast.Subscript, ast.Name, ast.IfExp, ast.BoolOp, ast.NamedExpr})
"""Kinds of expressions that may give an instance of a known class."""
_TELLING_BASES: Final = frozenset({"BaseModel", "BaseSettings", "NamedTuple", "Struct", "namedtuple"})
"""Bases that make a class one whose attributes are fields."""
ENUM_NAMES: Final = frozenset({"Enum", "IntEnum", "StrEnum", "Flag", "IntFlag"})


def is_class_name(name: str) -> bool:
    """Whether a name is written as class names are."""
    return name[:1].isupper() or (name[:1] == "_" and name.lstrip("_")[:1].isupper())


def _may_be_class(name: str) -> bool:
    """Whether a name, whose first character is an ASCII capital or an underscore, may be that of a checked class."""
    return name not in _NOT_FIRST_PARTY and (name[0] != "_" or is_class_name(name))


def _may_name_class(annotation: ast.expr) -> bool:
    """A quick look at an annotation: whether it may name a first-party class."""
    kind = annotation.__class__
    if kind is ast.Name:
        name: str = annotation.id  # type: ignore[attr-defined]
        return not name[:1].islower() and name not in _NOT_FIRST_PARTY
    if isinstance(annotation, ast.Subscript):
        head = annotation.value
        if head.__class__ is ast.Name and head.id == "Optional":
            return _may_name_class(annotation.slice)
        return _may_name_class(head)
    if isinstance(annotation, ast.BinOp):
        return _may_name_class(annotation.left) or _may_name_class(annotation.right)
    if isinstance(annotation, ast.Constant):
        return isinstance(annotation.value, str)
    return True


def _may_contain(annotation: ast.expr) -> bool:
    """A quick look at an annotation: whether it may be that of a container of instances of a first-party class."""
    if isinstance(annotation, ast.BinOp):
        return _may_contain(annotation.left) or _may_contain(annotation.right)
    if not isinstance(annotation, ast.Subscript):
        return False
    head = annotation.value
    name = head.id if isinstance(head, ast.Name) else head.attr if isinstance(head, ast.Attribute) else ""
    inner = annotation.slice
    if name == "Optional":
        return _may_contain(inner)
    if name not in CONTAINERS:
        return False
    last = inner.elts[-1] if isinstance(inner, ast.Tuple) and inner.elts and name in MAPPINGS else inner
    first = last.elts[0] if isinstance(last, ast.Tuple) and last.elts else last
    return _may_name_class(first)


def _is_of_a_kind(scope: Scope) -> bool:
    """Whether the class that a method stands in may have fields; True where the scope is no method."""
    cls = scope.parent.node if scope.kind == "function" and scope.parent is not None else None
    return not isinstance(cls, ast.ClassDef) or bool(cls.decorator_list or cls.bases)


class ClassCollector:
    """Sees one file. Only appends while the walk runs."""

    def __init__(self, parsed: Parsed) -> None:
        self._is_stub = parsed.kind == "stub"
        self._listeners: Listeners
        self._has_decorated = False
        self.classes: list[tuple[ast.ClassDef, Context]] = []
        self.class_names: set[str] = set()
        self.calls: list[tuple[str, ast.Call, Context]] = []
        """Calls of what may be a class, with the callee as it is written."""
        self.tuples: list[tuple[ast.Call, Context]] = []
        """Calls that make a class: `namedtuple("P", "a b")`."""
        self.special_calls: list[tuple[ast.Call, str, Context]] = []
        self.telling: list[tuple[str, str, ast.Assign | ast.AnnAssign, Context]] = []
        """Plain assignments to an attribute that may say its class: name, attribute, statement."""
        self.not_telling: list[tuple[str, str, Context]] = []
        """Plain assignments to an attribute of anything else than None."""
        self.assigned: dict[ast.AST, set[str]] = {}
        """By class statement: attributes that its methods assign on `self`."""
        self.opened: list[tuple[ast.expr, Context]] = []
        """What is given an attribute by way of its `__dict__`."""
        self.plain: set[ast.expr] = set()
        """The targets of both."""
        self.roots: set[str] = set()
        """Names of which it matters what single attributes are read: those that some binding in the file may give an
        instance of a known class. What a method of an undecorated class reads from `self` cannot tell anything."""
        self.roots_of_longer: set[str] = {"self"}
        """The same for chains of several attributes."""
        if b"__dict__" in parsed.content:
            self.roots.add("self")
        self.class_roots: set[str] = set()
        """Names that may be those of enumerations."""
        self.members: list[tuple[ast.Attribute, str, list[str], Context]] = []
        """Chains on one of them whose first attribute is written as members are."""
        self.enumerations: set[ast.AST] = set()
        """Class statements that make one, by the look of their bases."""
        self._enumeration_names: set[str] = set()
        self.watched: set[ast.AST] = set()
        """Class statements of which what their methods assign on `self` may fail."""
        self.own_stores: list[tuple[ast.Attribute, str, Context]] = []
        """What methods of the watched ones assign on `self`."""
        self.augmented: dict[ast.expr, ast.expr] = {}
        """What is augmented, with the value that it is augmented by."""
        self.returning: list[tuple[ast.FunctionDef | ast.AsyncFunctionDef, Context]] = []
        """Functions whose annotation may say what class they return."""
        self.givers: set[str] = set()
        """Names of functions that may return an instance of a known class."""
        self.containers: set[str] = set()
        """Names, and names of attributes, of containers whose elements may be of a known class."""
        self.narrowing: list[tuple[ast.If, str, ast.expr, Context]] = []
        """Tests of `isinstance`, with the name that is tested and the class."""
        self.keys: list[tuple[ast.Subscript, str, str, Context]] = []
        """Literal keys that are read of names: subscript, name, key."""
        self.loose_keys: set[str] = set()
        """Literal keys that are set, or asked for, on anything."""
        self.rebound: set[str] = set()
        self.subjects: list[tuple[ast.Match, Context]] = []
        self.own_chains: dict[str, list[tuple[ast.Attribute, list[str], Context]]] = {}
        """Chains of several attributes that are read from `self`, by the first."""
        self.chains: list[tuple[ast.Attribute, str, list[str], Context, Access | None]] = []
        """Attribute chains with the name that they begin with, and what is done to the last; None is a plain store."""
        if isinstance(parsed.tree, ast.Module):
            self._foresee(parsed.tree.body)

    def listen(self, to: Listeners) -> None:
        """Say what it wants to be told of."""
        self._listeners = to
        to.on(ast.ClassDef, self.see_class)
        to.on(ast.FunctionDef, self.see_function)
        to.on(ast.AsyncFunctionDef, self.see_function)
        to.on(ast.ImportFrom, self.see_import)
        to.on(ast.Assign, self.see_assign)
        to.on(ast.AnnAssign, self.see_annotated)
        to.on(ast.AugAssign, self.see_augmented)
        to.on(ast.Global, self.see_rebinding)
        to.on(ast.Nonlocal, self.see_rebinding)
        to.on(ast.Match, self.see_match)
        to.on(ast.If, self.see_if)
        to.on(ast.Subscript, self.see_subscript)
        to.on(ast.For, self.see_for)
        for comprehension in (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp):
            to.on(comprehension, self.see_comprehension)
        to.on_calls(_NOTED, self.see_special_call)
        to.on_calls(TUPLES, self.see_tuple)
        to.on_calls(_OWN, self.see_own_call)
        to.on_class_calls(self.see_class_call)
        to.on_chains(self.chain, self.roots, self.roots_of_longer)

    def see_class(self, node: ast.ClassDef, context: Context) -> None:
        """A class statement."""
        self._foresee(node.body)
        name = node.name
        self.classes.append((node, context))
        if name not in self.class_names:
            self.class_names.add(name)
            if name not in _NOTED and not is_class_name(name):
                self._listeners.on_calls(frozenset({name}), self.see_class_call)
        if node.decorator_list:
            self._watch(node)
        for base in node.bases:
            last = base.attr if isinstance(base, ast.Attribute) else base.id if isinstance(base, ast.Name) else ""
            if last in _TELLING_BASES:
                self._watch(node)
            elif last in ENUM_NAMES or last in self._enumeration_names:
                self._may_have_members(name)
                self.enumerations.add(node)
                self._enumeration_names.add(name)

    def _watch(self, node: ast.ClassDef) -> None:
        self._has_decorated = True
        self.watched.add(node)
        self.roots.add("self")

    def _may_have_members(self, name: str) -> None:
        self.class_roots.add(name)
        self.roots.add(name)
        self.roots_of_longer.add(name)

    def see_import(self, node: ast.ImportFrom, context: Context) -> None:
        """An import of names, some of which may be those of enumerations."""
        if node.level or (node.module or "").partition(".")[0] not in STANDARD_LIBRARY:
            for alias in node.names:
                name = alias.asname or alias.name
                if not is_class_name(name):
                    self.givers.add(name)
                elif not name.isupper():
                    self._may_have_members(name)

    def see_function(self, node: ast.FunctionDef | ast.AsyncFunctionDef, context: Context) -> None:
        """A function, for the annotations of its parameters."""
        arguments = node.args
        for arg in arguments.args:
            if arg.annotation is not None:
                self._may_hold(arg.arg, arg.annotation)
        if arguments.kwonlyargs or arguments.posonlyargs:
            for arg in (*arguments.posonlyargs, *arguments.kwonlyargs):
                if arg.annotation is not None:
                    self._may_hold(arg.arg, arg.annotation)
        if node.returns is not None and context.scope.kind in ("module", "class") and _may_name_class(node.returns):
            self.returning.append((node, context))
            self.givers.add(node.name)

    def _foresee(self, body: list[ast.stmt]) -> None:
        """Functions of a body may be called above the place where they are defined."""
        for node in body:
            if node.__class__ is ast.FunctionDef or node.__class__ is ast.AsyncFunctionDef:
                returns = node.returns
                if returns is not None and _may_name_class(returns):
                    self.givers.add(node.name)

    def _may_hold(self, name: str, annotation: ast.expr) -> None:
        if name not in self.roots and _may_name_class(annotation):
            self.roots.add(name)
            self.roots_of_longer.add(name)
        if annotation.__class__ is not ast.Name and name not in self.containers and _may_contain(annotation):
            self.containers.add(name)

    def see_if(self, node: ast.If, context: Context) -> None:
        """A test that may say what class something is of, those of its `elif`s too."""
        while True:
            test = node.test
            for one in test.values if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And) else (test,):
                if one.__class__ is ast.Compare and one.left.__class__ is ast.Constant:
                    self.loose_keys.add(str(one.left.value))
                if one.__class__ is ast.Call:
                    self._narrows(node, one, context)
            if len(node.orelse) != 1 or not isinstance(node.orelse[0], ast.If):
                return
            node = node.orelse[0]

    def see_subscript(self, node: ast.Subscript, context: Context) -> None:
        """A key that is read or set."""
        key = node.slice
        if key.__class__ is ast.Constant and key.value.__class__ is str:
            if node.ctx.__class__ is not ast.Load:
                self.loose_keys.add(key.value)
            elif node.value.__class__ is ast.Name and node.value.id in self.roots:
                self.keys.append((node, node.value.id, key.value, context))

    def _narrows(self, node: ast.If, call: ast.Call, context: Context) -> None:
        if call.func.__class__ is ast.Name and call.func.id == "isinstance" and len(call.args) == 2:
            subject, cls = call.args
            if isinstance(subject, ast.Name) and _may_name_class(cls) and not isinstance(cls, (ast.Tuple, ast.BinOp)):
                self.narrowing.append((node, subject.id, cls, context))
                self._add_root(subject.id)

    def _add_root(self, name: str) -> None:
        self.roots.add(name)
        self.roots_of_longer.add(name)

    def see_for(self, node: ast.For, context: Context) -> None:
        """A loop over a container whose elements may be of a known class."""
        self._loop(node, node.target)

    def see_comprehension(
        self, node: ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp, context: Context
    ) -> None:
        """The same in a comprehension."""
        for generator in node.generators:
            self._loop(node, generator.target)

    def _loop(self, node: ast.AST, target: ast.expr) -> None:
        if not self.containers:
            return
        name = target.elts[-1] if isinstance(target, ast.Tuple) and target.elts else target
        if name.__class__ is ast.Name and name.id not in self.roots:
            found = iterated_by(node, name.id)
            if found is not None and self._is_container(found[0]):
                self._add_root(name.id)

    def _is_container(self, node: ast.expr) -> bool:
        name = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
        return name in self.containers

    def see_special_call(self, node: ast.Call, name: str, context: Context) -> None:
        """A call of one of the functions that deal in attributes."""
        self.special_calls.append((node, name, context))

    def see_tuple(self, node: ast.Call, _name: str, context: Context) -> None:
        """A call that may make a class."""
        self.tuples.append((node, context))

    def see_own_call(self, node: ast.Call, name: str, context: Context) -> None:
        """`cls(…)`."""
        if node.func.__class__ is ast.Name:
            self.calls.append((name, node, context))

    def see_class_call(self, node: ast.Call, name: str, context: Context) -> None:
        """A call of a class, by the look of its name."""
        if name in self.class_names or _may_be_class(name):
            callee = node.func
            text = name if callee.__class__ is ast.Name else dotted(callee)
            if text:
                self.calls.append((text, node, context))

    def see_assign(self, node: ast.Assign, context: Context) -> None:
        """An assignment whose value may say what class a name or an attribute has."""
        targets, value = node.targets, node.value
        target = targets[0]
        kind = target.__class__
        if kind is ast.Name:
            if target.id in self.roots and len(targets) == 1:  # type: ignore[attr-defined]
                return  # most names are given their values in the same way everywhere in a file
            if value.__class__ in _GIVING and self._may_give(value):
                names = [name.id for name in targets if isinstance(name, ast.Name)]
                self.roots.update(names)
                self.roots_of_longer.update(names)
        elif kind is ast.Attribute:
            may_give = value.__class__ in _GIVING and self._may_give(value)
            self._attribute(target, node, may_give, context)  # type: ignore[arg-type]
        elif isinstance(target, ast.Subscript):
            holder = target.value
            if isinstance(holder, ast.Attribute) and holder.attr == "__dict__":
                self.opened.append((holder.value, context))
            elif isinstance(holder, ast.Call) and dotted(holder.func) == "vars" and holder.args:
                self.opened.append((holder.args[0], context))

    def _may_give(self, value: ast.expr) -> bool:
        """Whether an expression may give an instance of a known class, at a quick look."""
        kind = value.__class__
        if kind is ast.Call:
            callee = value.func  # type: ignore[attr-defined]
            callee_kind = callee.__class__
            if callee_kind is ast.Name:
                name = callee.id
            elif callee_kind is ast.Attribute:
                name = callee.attr
                owner = callee.value
                if owner.__class__ is ast.Name:
                    root = owner.id
                    if root in self.class_roots or root in self.class_names:
                        return True
                    if root in self.containers and (name == "get" or name == "pop"):
                        return True
                elif (name == "get" or name == "pop") and self._is_container(owner):
                    return True
            else:
                return False
            if name in self.givers or name in self.class_names:
                return True
            return name[0] < "a" and _may_be_class(name)
        if kind is ast.Await:
            return self._may_give(awaited_in(value))  # type: ignore[arg-type]
        if kind is ast.Subscript:
            return self._is_container(value.value)  # type: ignore[attr-defined]
        if kind is ast.Name:
            return value.id in self.roots  # type: ignore[attr-defined]
        return kind in _GIVING

    def _attribute(
        self, target: ast.Attribute, node: ast.Assign | ast.AnnAssign, may_tell: bool, context: Context
    ) -> None:
        self.plain.add(target)
        if target.value.__class__ is not ast.Name:
            return
        root: str = target.value.id
        name = context.scope.private(target.attr)
        if may_tell:
            self.telling.append((root, name, node, context))
        elif not isinstance(node.value, ast.Constant) or node.value.value is not None:
            self.not_telling.append((root, name, context))

    def see_annotated(self, node: ast.AnnAssign, context: Context) -> None:
        """An annotated variable, field or attribute."""
        target = node.target
        if isinstance(target, ast.Name):
            self._may_hold(target.id, node.annotation)
        elif isinstance(target, ast.Attribute):
            self._attribute(target, node, True, context)
            if _may_contain(node.annotation):
                self.containers.add(target.attr)

    def see_augmented(self, node: ast.AugAssign, context: Context) -> None:
        """`x.a += …`: a read of the attribute before it is a write."""
        self.augmented[node.target] = node.value

    def see_rebinding(self, node: ast.Global | ast.Nonlocal, context: Context) -> None:
        """A scope that rebinds names of another."""
        self.rebound.update(node.names)

    def see_match(self, node: ast.Match, context: Context) -> None:
        """A `match` narrows its subject."""
        self.subjects.append((node, context))

    def chain(self, node: ast.Attribute, root: str, attributes: list[str], context: Context) -> None:
        """An attribute chain that is assigned to or deleted, or one that is read from a name worth looking at."""
        kind = node.ctx.__class__
        for attribute in attributes:
            if attribute[:2] == "__":
                attributes = [context.scope.private(one) for one in attributes]
                break
        if root in self.class_roots:
            if attributes[0].isupper():
                self.members.append((node, root, attributes, context))
            if kind is ast.Load:
                return
        if kind is ast.Load:
            if root == "self" and len(attributes) > 1:
                self.own_chains.setdefault(attributes[0], []).append((node, attributes, context))
            elif (
                root != "self" or (self._has_decorated and _is_of_a_kind(context.scope)) or attributes[0] == "__dict__"
            ):
                self.chains.append((node, root, attributes, context, _LOAD))
        elif root == "self" and len(attributes) == 1 and kind is ast.Store and node not in self.augmented:
            scope: Scope | None = context.scope
            while scope is not None and scope.kind != "class":
                scope = scope.parent
            if scope is not None:
                self.assigned.setdefault(scope.node, set()).add(attributes[0])
                if scope.node in self.watched:
                    self.own_stores.append((node, attributes[0], context))
                if node not in self.plain:  # unpacked, or bound by a loop or a `with`: of no known class
                    self.not_telling.append((root, attributes[0], context))
        elif kind is ast.Del:
            self.chains.append((node, root, attributes, context, _DELETE))
        else:
            self.chains.append((node, root, attributes, context, _AUGMENT if node in self.augmented else None))

    def finish(self, module: Scope) -> ClassesFacts | None:
        """The facts. A stub says nothing of its own: it is no code that runs."""
        return None if self._is_stub else finish(self)
