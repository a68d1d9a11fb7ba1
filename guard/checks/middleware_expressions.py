"""What the expressions of set-up code give."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence

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
    Super,
    Table,
    Unknown,
    Var,
)
from guard.checks.middleware_sources import Sources
from guard.checks.middleware_stack import Choice, ClassAt, FunctionAt, Layer, Place
from guard.checks.middleware_values import (
    NOTHING,
    Application,
    Callee,
    Entry,
    Env,
    Extension,
    Instance,
    Item,
    Listed,
    Mapped,
    Method,
    Nothing,
    Opaque,
    Parent,
    Recorder,
    Requested,
    Several,
    Value,
    choice,
)
from guard.checks.modules import Definition, External
from guard.checks.references import Ref


class Expressions(ABC):
    """Evaluates expressions for a `Run`, which executes statements and calls."""

    def __init__(self, sources: Sources) -> None:
        self.sources = sources
        self.recorder = Recorder()
        self.chain: tuple[Place, ...] = ()
        """The calls that lead to what runs now."""

    @abstractmethod
    def module(self, path: str) -> Env:
        """The variables of a module once it is imported; it runs once."""

    @abstractmethod
    def class_body(self, at: ClassAt) -> Env | None:
        """The variables of a class, once its body has run; None where it holds no set-up code."""

    @abstractmethod
    def call(self, expr: Call, env: Env) -> Value:
        """What a call does and gives."""

    @abstractmethod
    def invoke(self, callee: Callee, args: Sequence[Value], keywords: Mapping[str, Value]) -> Value:
        """Execute a function; gives what it returns."""

    @abstractmethod
    def parent_method(self, parent: Parent, name: str) -> Value:
        """`super().name`."""

    @abstractmethod
    def bind(self, target: Expr, value: Value, env: Env, *, outer: bool = False) -> None:
        """Give a name or an attribute its value."""

    @abstractmethod
    def unpack(self, targets: Sequence[str], entry: Item | Layer, env: Env) -> None:
        """Give the targets of a loop one item."""

    def place(self, env: Env, span: Place4) -> Place:
        """A piece of the code that runs."""
        return Place(env.path, span, env.symbol)

    def value(self, expr: Expr, env: Env) -> Value:
        """What an expression gives."""
        if isinstance(expr, Var):
            return self.plain(env.lookup(expr.name))
        if isinstance(expr, Global):
            return self.plain(self.module(env.path).lookup(expr.name))
        if isinstance(expr, Free):
            return self.reference(env.path, expr.ref)
        if isinstance(expr, Def):
            if expr.name.endswith("."):
                self.class_body(ClassAt(env.path, expr.name[:-1]))
                return NOTHING
            return self.defined(env.path, expr.name, env)
        if isinstance(expr, Call):
            return self.call(expr, env)
        if isinstance(expr, Attr):
            return self.attribute(self.value(expr.base, env), expr.name)
        if isinstance(expr, Items):
            pairs = zip(expr.items, expr.places, strict=True)
            return self.listed([self._item(item, span, env) for item, span in pairs])
        if isinstance(expr, Each):
            return self._comprehension(expr, env)
        if isinstance(expr, Table):
            rows = zip(expr.keys, expr.values, expr.places, strict=True)
            return Mapped({key: Item(self.value(value, env), self.place(env, span)) for key, value, span in rows})
        if isinstance(expr, Named):
            value = self.value(expr.value, env)
            self.bind(expr.target, value, env)
            return value
        if isinstance(expr, Joined):
            return self._joined(self.value(expr.left, env), self.value(expr.right, env))
        if isinstance(expr, Either):
            place = self.place(env, (expr.line, 1, expr.line, 1))
            options = (
                (expr.test, self.value(expr.then, env)),
                (f"not ({expr.test})", self.value(expr.otherwise, env)),
            )
            return Several((self.chain, env.path, env.symbol, expr.test), place, options)
        if isinstance(expr, Super):
            if env.owner is not None and env.self_value is not None:
                return Parent(env.owner, env.self_value)
            return NOTHING
        return Nothing(expr.text) if isinstance(expr, Unknown) else NOTHING

    @staticmethod
    def plain(value: Value) -> Value:
        """A value without the place that it has as an item of a list."""
        return value.value if isinstance(value, Item) else value

    def listed(self, entries: Iterable[Entry]) -> Listed:
        """A new list."""
        listed = Listed()
        self.recorder.born(listed)
        self.recorder.add(listed, "items", entries)
        return listed

    def _comprehension(self, expr: Each, env: Env) -> Value:
        entries = self.entries(self.value(expr.source, env))
        if entries is None:
            return NOTHING
        inner = Env(env.path, env.symbol, env)
        inner.owner, inner.self_value = env.owner, env.self_value
        made: list[Entry] = []
        for entry in entries:
            if isinstance(entry, Choice):
                return NOTHING
            self.unpack(expr.targets, entry, inner)
            place = entry.place if isinstance(entry, Item) else self.place(env, expr.place)
            value = self.value(expr.element, inner)
            made.append(value if isinstance(value, Layer) else Item(value, place))
        return self.listed(made)

    def _item(self, expr: Expr, span: Place4, env: Env) -> Entry:
        value = self.value(expr, env)
        return value if isinstance(value, Layer) else Item(value, self.place(env, span))

    def _joined(self, left: Value, right: Value) -> Value:
        sides = [self.entries(side) for side in (left, right)]
        unknown = (Item(NOTHING, Place("", (0, 0, 0, 0), "")),)
        return self.listed(entry for side in sides for entry in (unknown if side is None else side))

    def entries(self, value: Value) -> tuple[Entry, ...] | None:
        """The items of a list; None where it is not known."""
        if isinstance(value, Listed):
            front = self.recorder.contents(value, "front")
            return (*reversed(front), *self.recorder.contents(value, "items"))
        if isinstance(value, Item):
            return self.entries(value.value)
        if isinstance(value, Several):
            arms = []
            for when, option in value.options:
                inner = self.entries(option)
                if inner is None:
                    return None
                arms.append((when, inner))
            return (choice(value.key, value.place, tuple(arms)),)
        return None

    def reference(self, path: str, ref: Ref) -> Value:
        """What an import or a definition stands for."""
        found = self.sources.follow(path, ref)
        if isinstance(found, External):
            return found
        if isinstance(found, Definition):
            return self._defined_at(found)
        head, _, last = ref.name.rpartition(".")
        if head:  # an attribute of an imported object
            owner = self.reference(path, Ref(ref.level, ref.module, head))
            return self.attribute(owner, last)
        return Nothing(ref.name)

    def _defined_at(self, found: Definition) -> Value:
        at = ClassAt(found.path, found.name)
        if self.sources.cls(at) is not None:
            return at
        value = self.defined(found.path, found.name, None)
        if not isinstance(value, Opaque):
            return value
        first, _, rest = found.name.partition(".")
        if rest and self.sources.cls(ClassAt(found.path, first)) is not None:
            held: Value = ClassAt(found.path, first)
            for name in rest.split("."):
                held = self.attribute(held, name)
            return value if isinstance(held, Nothing) else held
        if self.sources.function(found.path, "") is not None:
            held = self.plain(self.module(found.path).lookup(first))
            for name in rest.split(".") if rest else ():
                held = self.attribute(held, name)
            if not isinstance(held, Nothing):
                return held
        return value

    def defined(self, path: str, name: str, around: Env | None) -> Value:
        """A function or class of a file, by qualified name."""
        at = ClassAt(path, name)
        if self.sources.cls(at) is not None:
            return at
        function = self.sources.function(path, name)
        if function is not None:
            bound = ClassAt(path, name.rpartition(".")[0]) if function.binding == "class" else None
            return Callee(path, function, around, bound)
        return Opaque(FunctionAt(path, name))

    def attribute(self, owner: Value, name: str) -> Value:
        """`owner.name`."""
        if isinstance(owner, Application):
            if owner.cls is not None:
                method = self.method(owner.cls, name, owner)
                if method is not None:
                    return method
            return owner.framework.attribute(owner, name) or Method(owner, name)
        if isinstance(owner, Listed | Mapped):
            return Method(owner, name)
        if isinstance(owner, Extension):
            return External(owner.cls.module, f"{owner.cls.name}.{name}")
        if isinstance(owner, Requested):
            return owner.app if name == "app" else NOTHING
        if isinstance(owner, Layer):
            return owner if name == "cls" else NOTHING  # `entry.cls` of a `Middleware(…)`
        if isinstance(owner, Method) and isinstance(owner.owner, Application):
            if owner.name in owner.owner.framework.attributes:
                return Method(owner.owner, f"{owner.name}.{name}")
            return NOTHING
        if isinstance(owner, Instance):
            held = owner.attributes.get(name)
            if held is not None:
                return held
            return self._called(self.method(owner.cls, name, owner)) or self._class_variable(owner.cls, name)
        if isinstance(owner, ClassAt):
            return self.method(owner, name, owner) or self._class_variable(owner, name)
        if isinstance(owner, Parent):
            return self.parent_method(owner, name)
        if isinstance(owner, Several):
            options = tuple((when, self.attribute(option, name)) for when, option in owner.options)
            return Several(owner.key, owner.place, options)
        return NOTHING

    def _called(self, method: Value | None) -> Value | None:
        """What a property gives; anything else is itself."""
        if isinstance(method, Callee) and method.function.binding == "property":
            return self.invoke(method, [], {})
        return method

    def _class_variable(self, cls: ClassAt, name: str) -> Value:
        for ancestor in self.sources.ancestors(cls):
            body = self.class_body(ancestor) if isinstance(ancestor, ClassAt) else None
            if body is not None and name in body.values:
                return body.values[name]
        return NOTHING

    def method(self, cls: ClassAt, name: str, bound: Value, *, behind: ClassAt | None = None) -> Value | None:
        """A method of a class, bound to an object; None where no class of the tree defines it."""
        at = self.sources.method(cls, name, behind=behind)
        if at is None:
            return None
        function = self.sources.function(at.path, at.name)
        if function is None:
            return Opaque(at)
        if function.binding == "instance" and isinstance(bound, ClassAt):
            return Callee(at.path, function)
        return Callee(at.path, function, None, bound)
