"""Set-up code, executed symbolically: every branch is taken, every call that is known is followed.

Nothing is guessed: a value that cannot be told is `Nothing`, and a call of unknown code that is handed an
application leaves a mark on it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import takewhile
from typing import Final

import msgspec

from guard.checks.middleware_calls import Calls
from guard.checks.middleware_facts import (
    Attr,
    Branch,
    Call,
    Def,
    Do,
    Each,
    Either,
    Expr,
    Free,
    Function,
    Global,
    Items,
    Joined,
    Let,
    Loop,
    Named,
    Op,
    Place4,
    Return,
    Stop,
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
    Instance,
    Item,
    Listed,
    Mapped,
    Method,
    Nothing,
    Opaque,
    Parent,
    Recorder,
    Several,
    Value,
    choice,
    merged,
    one_of,
)
from guard.checks.modules import Definition, External
from guard.checks.references import Ref

DEEPEST_CALL: Final = 24
MOST_STEPS: Final = 20_000
"""Statements in one run. Set-up code is a few hundred; more is a tangle that nobody can be told about."""


class Outcome(msgspec.Struct):
    """How a block ends: whether the statements behind it run, and what it returned on the ways that did."""

    falls: bool = True
    returned: list[Value] = msgspec.field(default_factory=list)


class Run:
    """One execution: of a module, of a function nobody is known to call, or of a class's method.

    `applications` are all that were created, in order.
    """

    def __init__(self, sources: Sources) -> None:
        self.sources = sources
        self.recorder = Recorder()
        self.applications: list[Application] = []
        self.entered: set[tuple[str, str]] = set()
        """Path and name of every function that was executed."""
        self.exhausted = False
        """The code is more of a tangle than is followed: nothing that came of it is certain."""
        self.chain: tuple[Place, ...] = ()
        self._modules: dict[str, Env] = {}
        self._class_bodies: dict[ClassAt, Env | None] = {}
        self._active: list[tuple[str, str]] = []
        self._steps = 0
        self._calls = Calls(self)

    # Where a run begins

    def module(self, path: str) -> Env:
        """The variables of a module once it is imported; it runs once."""
        env = self._modules.get(path)
        if env is None:
            env = self._modules[path] = Env(path, "")
            body = self.sources.function(path, "")
            if body is not None:
                chain, self.chain = self.chain, ()
                with self.recorder.apart():
                    self._block(body.body, env)
                self.chain = chain
        return env

    def function(self, path: str, function: Function, first: Value | None = None) -> Value:
        """Call a function of the tree with unknown arguments, or those annotated as applications with new ones."""
        self.module(path)
        given: dict[str, Value] = {}
        for name in function.handed:
            place = Place(path, (function.line, 1, function.line, 1), function.name)
            app = self.new_application(External("starlette.applications", "Starlette"), (place,))
            app.handed = True
            given[name] = app
        return self.invoke(Callee(path, function, None, first), [], given)

    def variables(self) -> Iterator[tuple[str, str, Value]]:
        """Path, name and value of every variable of the modules that ran."""
        for path, env in self._modules.items():
            for name, value in env.values.items():
                yield path, name, value

    # Applications

    def new_application(self, kind: External, created: tuple[Place, ...], cls: ClassAt | None = None) -> Application:
        """An application that comes into being."""
        app = Application(kind, created, cls)
        self.recorder.born(app)
        self.applications.append(app)
        return app

    def place(self, env: Env, span: Place4) -> Place:
        """A piece of the code that runs."""
        return Place(env.path, span, env.symbol)

    # Functions

    def invoke(self, callee: Callee, args: Sequence[Value], keywords: Mapping[str, Value]) -> Value:
        """Execute a function; gives what it returns."""
        function = callee.function
        key = (callee.path, function.name)
        if key in self._active:
            return NOTHING
        if len(self._active) >= DEEPEST_CALL:
            self.exhausted = True
            return NOTHING
        env = Env(callee.path, function.name, callee.around)
        positional = list(args)
        home = callee.around or Env(callee.path, "")
        if callee.bound is not None and function.binding != "static":
            positional.insert(0, callee.bound)
            env.self_value = callee.bound
            env.owner = ClassAt(callee.path, function.name.rpartition(".")[0])
        self._parameters(function, env, positional, keywords)
        for name, default in function.defaults:
            if env.values.get(name) == NOTHING:
                env.values[name] = self.value(default, home)
        self.entered.add(key)
        self._active.append(key)
        outcome = self._block(function.body, env)
        self._active.pop()
        return one_of(outcome.returned)

    def _parameters(
        self, function: Function, env: Env, positional: Sequence[Value], keywords: Mapping[str, Value]
    ) -> None:
        """Give the parameters their values."""
        plain = [name for name in function.params if not name.startswith("*")]
        taking = sum(1 for name in takewhile(lambda name: not name.startswith("*"), function.params))
        for name in plain:
            env.values[name] = keywords.get(name, NOTHING)
        env.values.update(zip(plain[:taking], positional, strict=False))
        for name in function.params[taking:]:
            if name.startswith("**"):
                rest = {key: value for key, value in keywords.items() if key not in plain and key != "**"}
                place = Place(env.path, (function.line, 1, function.line, 1), env.symbol)
                items = {key: Item(self._plain(value), place) for key, value in rest.items()}
                env.values[name[2:]] = Mapped(items, "**" in keywords)
            elif name.startswith("*"):
                env.values[name[1:]] = self.listed(self._calls.as_items(positional[taking:], function, env))

    def class_body(self, at: ClassAt) -> Env | None:
        """The variables of a class, once its body has run, which it does once; None where it holds no set-up code."""
        if at not in self._class_bodies:
            body = self.sources.function(at.path, f"{at.name}.")
            self._class_bodies[at] = env = None if body is None else Env(at.path, f"{at.name}.")
            if body is not None and env is not None:
                self.module(at.path)
                with self.recorder.apart():
                    self._block(body.body, env)
        return self._class_bodies[at]

    # Statements

    def _block(self, body: Sequence[Op], env: Env) -> Outcome:
        outcome = Outcome()
        for index, op in enumerate(body):
            self._steps += 1
            if self._steps > MOST_STEPS:
                self.exhausted = True
                break
            if isinstance(op, Let):
                self._let(op, env)
            elif isinstance(op, Do):
                self.value(op.value, env)
            elif isinstance(op, Return):
                outcome.returned.append(self.value(op.value, env))
                outcome.falls = False
                break
            elif isinstance(op, Stop):
                outcome.falls = False
                break
            elif isinstance(op, Loop):
                self._loop(op, env)
            else:
                # Where an arm returns, what follows is part of the arms that do not.
                rest = body[index + 1 :] if any(_returns(arm.body) for arm in op.arms) else ()
                ended = self._branch(op, rest, env)
                outcome.returned.extend(ended.returned)
                if rest or not ended.falls:
                    outcome.falls = ended.falls
                    break
        return outcome

    def _branch(self, op: Branch, rest: Sequence[Op], env: Env) -> Outcome:
        place = self.place(env, (op.line, 1, op.line, 1))
        key = (self.chain, env.path, env.symbol, op.key or op.line)
        before = env.values
        arms = []
        variables: list[tuple[str, dict[str, Value]]] = []
        outcome = Outcome(falls=False)
        for arm in op.arms:
            env.values = dict(before)
            self.recorder.push()
            ended = self._block((*arm.body, *rest), env)
            recorded = self.recorder.pop()
            if not ended.falls and not ended.returned:
                continue  # it raises: no application comes of this way
            arms.append((arm.when, recorded))
            outcome.returned.extend(ended.returned)
            if ended.falls:
                outcome.falls = True
                variables.append((arm.when, env.values))
        env.values = merged(key, place, variables, before)
        if arms:
            self.recorder.choose(key, place, arms)
        return outcome

    def _loop(self, op: Loop, env: Env) -> None:
        source = self.value(op.source, env)
        entries = self.entries(source)
        if entries is not None:
            self._each(entries, op, env)
            return
        place = self.place(env, (op.line, 1, op.line, 1))
        for name in op.targets:
            env.values[name] = NOTHING
        self.recorder.push()
        self._block(op.body, env)
        recorded = self.recorder.pop()
        key = (self.chain, env.path, env.symbol, op.line)
        self.recorder.choose(key, place, [(f"the loop in line {op.line} runs", recorded), ("it does not", {})])

    def _each(self, entries: Iterable[Entry], op: Loop, env: Env) -> None:
        for entry in entries:
            if isinstance(entry, Choice):
                arms = []
                for when, inner in entry.arms:
                    self.recorder.push()
                    self._each(inner, op, env)
                    arms.append((when, self.recorder.pop()))
                self.recorder.choose(entry.key, entry.place, arms)
                continue
            self._unpack(op.targets, entry, env)
            self._block(op.body, env)

    def _unpack(self, targets: Sequence[str], entry: Item | Layer, env: Env) -> None:
        """Give the targets of a loop one item. A layer in a list unpacks to its class and arguments."""
        if len(targets) == 1:
            env.values[targets[0]] = entry
            return
        parts = (entry,) if isinstance(entry, Layer) else self.entries(entry) or ()
        for name, part in zip(targets, (*parts, *([NOTHING] * len(targets))), strict=False):
            env.values[name] = part if not isinstance(part, Choice) else NOTHING

    def _let(self, op: Let, env: Env) -> None:
        value = self.value(op.value, env)
        self._bind(op.target, value, env, outer=op.outer)

    def _bind(self, target: Expr, value: Value, env: Env, *, outer: bool = False) -> None:
        if isinstance(target, Var):
            around = env.around if outer else None
            while around is not None and target.name not in around.values:
                around = around.around
            (around or env).values[target.name] = value
        elif isinstance(target, Global):
            self.module(env.path).values[target.name] = value
        elif isinstance(target, Attr):
            owner = self.value(target.base, env)
            if isinstance(owner, Instance):
                owner.attributes[target.name] = value
            elif isinstance(owner, Application) and target.name == "user_middleware":
                owner.opaque = True

    # Expressions

    def value(self, expr: Expr, env: Env) -> Value:
        """What an expression gives."""
        if isinstance(expr, Var):
            return self._plain(env.lookup(expr.name))
        if isinstance(expr, Global):
            return self._plain(self.module(env.path).lookup(expr.name))
        if isinstance(expr, Free):
            return self.reference(env.path, expr.ref)
        if isinstance(expr, Def):
            if expr.name.endswith("."):
                self.class_body(ClassAt(env.path, expr.name[:-1]))
                return NOTHING
            return self.defined(env.path, expr.name, env)
        if isinstance(expr, Call):
            return self._calls.call(expr, env)
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
            self._bind(expr.target, value, env)
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
    def _plain(value: Value) -> Value:
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
            self._unpack(expr.targets, entry, inner)
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
            held = self._plain(self.module(found.path).lookup(first))
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
            return Method(owner, name)
        if isinstance(owner, Listed | Mapped):
            return Method(owner, name)
        if isinstance(owner, Layer):
            return owner if name == "cls" else NOTHING  # `entry.cls` of a `Middleware(…)`
        if isinstance(owner, Method) and owner.name == "user_middleware" and isinstance(owner.owner, Application):
            return Method(owner.owner, f"user_middleware.{name}")
        if isinstance(owner, Instance):
            held = owner.attributes.get(name)
            if held is not None:
                return held
            return self._called(self.method(owner.cls, name, owner)) or self._class_variable(owner.cls, name)
        if isinstance(owner, ClassAt):
            return self.method(owner, name, owner) or self._class_variable(owner, name)
        if isinstance(owner, Parent):
            return self._calls.parent_method(owner, name)
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


def _returns(body: Sequence[Op]) -> bool:
    for op in body:
        if isinstance(op, Return):
            return True
        if isinstance(op, Branch) and any(_returns(arm.body) for arm in op.arms):
            return True
    return False
