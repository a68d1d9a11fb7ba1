"""Set-up code, executed symbolically: every branch is taken, every call that is known is followed.

Nothing is guessed: a value that cannot be told is `Nothing`, and a call of unknown code that is handed an
application leaves a mark on it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import takewhile
from typing import Final

import msgspec

from guard.checks.middleware_calls import Calls
from guard.checks.middleware_expressions import Expressions
from guard.checks.middleware_facts import (
    Arm,
    Attr,
    Branch,
    Call,
    Do,
    Expr,
    Function,
    Global,
    Let,
    Loop,
    Op,
    Return,
    Stop,
    Var,
)
from guard.checks.middleware_framework import Framework
from guard.checks.middleware_frameworks import STARLETTE, framework_of_class
from guard.checks.middleware_ops import REQUESTS, asks_for_application, raises, returns
from guard.checks.middleware_sources import Sources
from guard.checks.middleware_stack import Choice, ClassAt, Layer, Place
from guard.checks.middleware_values import (
    NOTHING,
    Application,
    Callee,
    Entry,
    Env,
    Instance,
    Item,
    Mapped,
    Method,
    Parent,
    Requested,
    Value,
    merged,
    one_of,
)
from guard.checks.modules import External

_THERE: Final = re.compile(r"([a-zA-Z_]\w*)( is None| is not None)?$")
DEEPEST_CALL: Final = 24
MOST_STEPS: Final = 20_000
"""Statements in one run. Set-up code is a few hundred; more is a tangle that nobody can be told about."""


class Outcome(msgspec.Struct):
    """How a block ends: whether the statements behind it run, and what it returned on the ways that did."""

    falls: bool = True
    returned: list[Value] = msgspec.field(default_factory=list)


class Run(Expressions):
    """One execution: of a module, of a function nobody is known to call, or of a class's method.

    `applications` are all that were created, in order.
    """

    def __init__(self, sources: Sources) -> None:
        super().__init__(sources)
        self.applications: list[Application] = []
        self.entered: set[tuple[str, str]] = set()
        """Path and name of every function that was executed."""
        self.exhausted = False
        """The code is more of a tangle than is followed: nothing that came of it is certain."""
        self.stage = ""
        """What runs once an application does, while it is executed: `lifespan`, `request handler`."""
        self._modules: dict[str, Env] = {}
        self._class_bodies: dict[ClassAt, Env | None] = {}
        self._active: list[tuple[str, str]] = []
        self._steps = 0
        self._swallowed = 0
        """How many handlers around the statement would go on if it raised."""
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
        place = Place(path, (function.line, 1, function.line, 1), function.name)
        for name, cls in function.handed:
            framework = framework_of_class(cls)
            app = self.new_application(framework, framework.made_by(cls), (place,))
            app.handed = True
            given[name] = app
        if not REQUESTS.isdisjoint(function.params) and any(asks_for_application(op) for op in function.body):
            served = self.new_application(STARLETTE, STARLETTE.made_by(""), (place,))
            served.handed = served.started = True
            self.stage = "request handler"
            given.update({name: Requested(served) for name in REQUESTS.intersection(function.params)})
        value = self.invoke(Callee(path, function, None, first), [], given)
        self.stage = ""
        return value

    def serve(self) -> None:
        """Execute what runs once the applications do: a layer that is added there is too late."""
        for app in list(self.applications):
            for stage, callee in app.handlers:
                started = [app, *app.mounted_in]
                before = [other.started for other in started]
                for other in started:
                    other.started = True
                self.stage = stage
                requested = {name: Requested(app) for name in REQUESTS.intersection(callee.function.params)}
                self.invoke(callee, [app] if stage == "lifespan" else [], requested)
                for other, was in zip(started, before, strict=True):
                    other.started = was
        self.stage = ""

    def variables(self) -> Iterator[tuple[str, str, Value]]:
        """Path, name and value of every variable of the modules that ran."""
        for path, env in self._modules.items():
            for name, value in env.values.items():
                yield path, name, value

    # Applications

    def new_application(
        self, framework: Framework, kind: External, created: tuple[Place, ...], cls: ClassAt | None = None
    ) -> Application:
        """An application that comes into being."""
        app = Application(framework, kind, created, cls)
        self.recorder.born(app)
        self.applications.append(app)
        return app

    # Functions

    def call(self, expr: Call, env: Env) -> Value:
        """What a call does and gives."""
        return self._calls.call(expr, env)

    def parent_method(self, parent: Parent, name: str) -> Value:
        """`super().name`."""
        return self._calls.parent_method(parent, name)

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
                items = {key: Item(self.plain(value), place) for key, value in rest.items()}
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
                rest = body[index + 1 :] if any(returns(arm.body) for arm in op.arms) else ()
                ended = self._branch(op, rest, env)
                outcome.returned.extend(ended.returned)
                if rest or not ended.falls:
                    outcome.falls = ended.falls
                    break
        return outcome

    def _branch(self, op: Branch, rest: Sequence[Op], env: Env) -> Outcome:
        taken = self._taken(op, env)
        if taken is not None:
            return self._block((*taken.body, *rest), env)
        tries = op.key.startswith("try@")
        goes_on = tries and any(not raises(arm.body) for arm in op.arms[1:])
        place = self.place(env, (op.line, 1, op.line, 1))
        key = (self.chain, env.path, env.symbol, op.key or op.line)
        before = env.values
        arms = []
        variables: list[tuple[str, dict[str, Value]]] = []
        outcome = Outcome(falls=False)
        for arm in op.arms:
            env.values = dict(before)
            self.recorder.push()
            self._swallowed += goes_on and arm is op.arms[0]
            ended = self._block((*arm.body, *rest), env)
            self._swallowed -= goes_on and arm is op.arms[0]
            recorded = self.recorder.pop()
            if not ended.falls and not ended.returned:
                if tries and arm is not op.arms[0] and raises(arm.body) and not self._swallowed:
                    _note_futile(recorded)
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

    def _taken(self, op: Branch, env: Env) -> Arm | None:
        """The arm that certainly runs: of a test whether there is an application at all."""
        tested = _THERE.match(op.key)
        if tested is None or len(op.arms) != 2 or not isinstance(self.plain(env.lookup(tested[1])), Application):
            return None
        return op.arms[1 if tested[2] == " is None" else 0]

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
        self.recorder.choose(
            key,
            place,
            [(f"the loop in line {op.line} runs", recorded), (f"the loop in line {op.line} does not run", {})],
        )

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
            self.unpack(op.targets, entry, env)
            self._block(op.body, env)

    def unpack(self, targets: Sequence[str], entry: Item | Layer, env: Env) -> None:
        """Give the targets of a loop one item. A layer in a list unpacks to its class and arguments."""
        if len(targets) == 1:
            env.values[targets[0]] = entry
            return
        parts = (entry,) if isinstance(entry, Layer) else self.entries(entry) or ()
        for name, part in zip(targets, (*parts, *([NOTHING] * len(targets))), strict=False):
            env.values[name] = part if not isinstance(part, Choice) else NOTHING

    def _let(self, op: Let, env: Env) -> None:
        value = self.value(op.value, env)
        self.bind(op.target, value, env, outer=op.outer)

    def bind(self, target: Expr, value: Value, env: Env, *, outer: bool = False) -> None:
        """Give a name or an attribute its value."""
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
            elif isinstance(owner, Method) and target.name == "lifespan_context":  # `app.router.lifespan_context = …`
                if isinstance(owner.owner, Application):
                    self._calls.register(owner.owner, "lifespan", value)
            elif isinstance(owner, Application):
                owner.framework.assign(self._calls, owner, target.name, value)


def _note_futile(recorded: Mapping[tuple[object, str], Sequence[Entry]]) -> None:
    for (owner, _), entries in recorded.items():
        if isinstance(owner, Application):
            for entry in entries:
                if isinstance(entry, Layer):
                    owner.futile[entry] = None
