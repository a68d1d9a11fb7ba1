"""Django's settings modules, executed symbolically: what `MIDDLEWARE` holds in each of them, on every way through.

A settings module may import everything from another one and append to it, insert into it, take from it. Where
something is done that cannot be followed, the value is not known, and nothing is said of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import msgspec

from guard.checks.django_facts import (
    Branch,
    Cut,
    Either,
    Expr,
    Forget,
    From,
    Insert,
    Let,
    Listing,
    Name,
    Op,
    Remove,
    SettingsFacts,
    Spread,
    Sum,
    Taken,
    Text,
    Truth,
    Without,
)
from guard.checks.middleware_facts import Place4
from guard.checks.middleware_sources import Sources
from guard.checks.middleware_stack import Choice, ClassAt, FunctionAt, Layer, Node, Origin, Place
from guard.checks.modules import Definition, External, Modules
from guard.checks.references import Ref

_MOST_STEPS: Final = 5_000
_MOST_ITEMS: Final = 1_000
"""Layers of one list, on all ways through it together."""


_OF_ONE_MACHINE: Final = re.compile("local|private|secret|override|custom|personal")


class Many(msgspec.Struct, frozen=True):
    """A list: its items in order, with alternatives."""

    nodes: tuple[Node, ...]
    size: int
    """At least as many layers as it has on all ways together: two branches of it may hold the same list each."""


class Known(msgspec.Struct, frozen=True):
    """A string, a truth value."""

    value: str | bool
    place: Place | None = None


Value = Many | Known | None
"""None is what is not known."""

Variables = dict[str, Value]


class Settings(msgspec.Struct, frozen=True):
    """What one settings module holds in the end."""

    path: str
    line: int
    """Where it binds `MIDDLEWARE` last; 1 where another module does."""
    middleware: tuple[Node, ...]
    """Outermost first."""
    apps: Value
    """`INSTALLED_APPS`."""
    variables: Mapping[str, Value]
    bases: tuple[str, ...]
    """The modules whose variables it takes."""


class Evaluation:
    """Runs settings modules, each once."""

    def __init__(self, facts: Mapping[str, SettingsFacts], modules: Modules, sources: Sources) -> None:
        self._facts = facts
        self._modules = modules
        self._sources = sources
        self._done: dict[str, tuple[Variables, tuple[str, ...], int]] = {}
        self._active: set[str] = set()
        self._steps = 0

    def settings(self, path: str) -> Settings | None:
        """What a module holds; None where its middleware is not known."""
        self._steps = 0
        variables, bases, line = self.module(path)
        middleware = variables.get("MIDDLEWARE")
        if not isinstance(middleware, Many):
            return None
        return Settings(
            path, line, middleware.nodes, variables.get("INSTALLED_APPS"), dict(variables), tuple(dict.fromkeys(bases))
        )

    def module(self, path: str) -> tuple[Variables, tuple[str, ...], int]:
        """The variables of a module, those that it is made of, and where it binds `MIDDLEWARE`."""
        if path in self._active:
            return {}, (), 1  # a circle of imports: what is bound by then is not known
        if path not in self._done:
            self._active.add(path)
            run = _Run(self, path)
            variables: Variables = {}
            facts = self._facts.get(path)
            if facts is not None and facts.ops:
                run.block(facts.ops, variables)
            else:
                for star in self._stars(path):
                    run.take_all(star, variables)
            self._active.discard(path)
            self._done[path] = (variables, tuple(run.bases), run.line)
        return self._done[path]

    def _stars(self, path: str) -> Iterator[str]:
        facts = self._modules.facts.get(path)
        for origin in facts.stars if facts is not None else ():
            target = self.module_at(path, origin.level, origin.module)
            if target is not None:
                yield target

    def module_at(self, path: str, level: int, module: str) -> str | None:
        """The file that an import leads to, where that is certain."""
        found = self._modules.resolve(path, level, module)
        if len(found.targets) != 1 or found.unknown:
            return None
        target = found.targets[0].path
        return target if target in self._modules.facts or target in self._facts else None

    def is_missing(self, path: str, level: int, module: str) -> bool:
        """Whether an import is of the tree and leads nowhere: settings of one machine, that are in no repository."""
        if level > 0 or self._modules.resolve(path, level, module).missing is not None:
            return True
        return "." not in module and _OF_ONE_MACHINE.search(module) is not None

    def variable(self, path: str, ref: Ref) -> tuple[Value, str | None]:
        """A variable of another module, and the file of that."""
        inner, _, name = ref.name.rpartition(".")
        target = self.module_at(path, ref.level, ".".join(part for part in (ref.module, inner) if part))
        if target is None or target == path:
            return None, None
        return self.module(target)[0].get(name), target

    def count(self) -> bool:
        """Count a step; False where the code is more of a tangle than is followed."""
        self._steps += 1
        return self._steps <= _MOST_STEPS

    def layer(self, text: str, place: Place) -> Layer:
        """The layer that a dotted name in `MIDDLEWARE` stands for."""
        module, _, name = text.rpartition(".")
        origin: Origin = None
        if module:
            found = self._sources.follow(place.path, Ref(0, module, name))
            if isinstance(found, Definition):
                at = ClassAt(found.path, found.name)
                origin = at if self._sources.cls(at) is not None else FunctionAt(found.path, found.name)
            elif isinstance(found, External):
                origin = External(module, name) if _is_django(module) else found
        return Layer(name, origin, (place,), "settings", written=text)


def _is_django(module: str) -> bool:
    return module == "django" or module.startswith("django.")


class _Run:
    """The execution of one module."""

    def __init__(self, evaluation: Evaluation, path: str) -> None:
        self._evaluation = evaluation
        self._path = path
        self.bases: list[str] = []
        self.line = 1

    def block(self, ops: Sequence[Op], variables: Variables) -> None:
        """Execute statements; `variables` are changed."""
        for op in ops:
            if not self._evaluation.count():
                variables.clear()
                variables.update(dict.fromkeys(_FORGOTTEN))
                return
            if isinstance(op, Let):
                variables[op.name] = self._value(op.value, variables)
            elif isinstance(op, Insert):
                variables[op.name] = self._inserted(op, variables)
            elif isinstance(op, Remove):
                variables[op.name] = _removed(variables.get(op.name), op.text)
            elif isinstance(op, Forget):
                for name in (op.name,) if op.name else (*variables, *_FORGOTTEN):
                    variables[name] = None
            elif isinstance(op, From):
                self._star(op, variables)
            else:
                self._branch(op, variables)
            if isinstance(op, Let | Insert) and op.name == "MIDDLEWARE":
                self.line = op.line

    def _star(self, op: From, variables: Variables) -> None:
        target = self._evaluation.module_at(self._path, op.level, op.module)
        if target is not None:
            self.take_all(target, variables)
        elif not self._evaluation.is_missing(self._path, op.level, op.module):
            # It may bind anything, also what is bound here already.
            variables.update(dict.fromkeys((*variables, *_FORGOTTEN)))

    def take_all(self, target: str, variables: Variables) -> None:
        """`from target import *`."""
        taken, bases, _ = self._evaluation.module(target)
        variables.update({name: value for name, value in taken.items() if not name.startswith("_")})
        self.bases += (target, *bases)

    def _branch(self, op: Branch, variables: Variables) -> None:
        ends: list[tuple[str, Variables]] = []
        for arm in op.arms:
            inner = dict(variables)
            self.block(arm.body, inner)
            ends.append((arm.when, inner))
        place = Place(self._path, (op.line, 1, op.line, 1), "")
        for name in dict.fromkeys(name for _, inner in ends for name in inner):
            options = [(when, inner.get(name)) for when, inner in ends]
            variables[name] = _merged((self._path, op.key), place, options)

    def _place(self, span: Place4) -> Place:
        return Place(self._path, span, "")

    def _value(self, expr: Expr, variables: Variables) -> Value:
        if isinstance(expr, Text):
            return Known(expr.value, self._place(expr.place))
        if isinstance(expr, Truth):
            return Known(expr.value)
        if isinstance(expr, Name):
            return variables.get(expr.name)
        if isinstance(expr, Taken):
            value, target = self._evaluation.variable(self._path, expr.ref)
            if target is not None:
                self.bases.append(target)
            return value
        if isinstance(expr, Listing):
            parts = [self._items(item, variables) for item in expr.items]
            return _bounded(tuple(node for part in parts for node in part.nodes), sum(part.size for part in parts))
        if isinstance(expr, Sum):
            left, right = self._value(expr.left, variables), self._value(expr.right, variables)
            if isinstance(left, Many) or isinstance(right, Many):
                one, other = self._parts(left), self._parts(right)
                return _bounded((*one.nodes, *other.nodes), one.size + other.size)
            return None
        if isinstance(expr, Either):
            options = [
                (expr.test, self._value(expr.then, variables)),
                (f"not ({expr.test})", self._value(expr.otherwise, variables)),
            ]
            return _merged((self._path, expr.test), self._place((expr.line, 1, expr.line, 1)), options)
        if isinstance(expr, Cut):
            return _cut(self._value(expr.value, variables), expr.start, expr.stop)
        if isinstance(expr, Without):
            value = self._value(expr.value, variables)
            return Many(_without(value.nodes, expr.names), value.size) if isinstance(value, Many) else None
        return None

    def _items(self, item: Expr, variables: Variables) -> Many:
        """What an item of a display stands for."""
        if isinstance(item, Spread):
            return self._parts(self._value(item.value, variables))
        if isinstance(item, Either):
            then, otherwise = self._items(item.then, variables), self._items(item.otherwise, variables)
            arms = ((item.test, then.nodes), (f"not ({item.test})", otherwise.nodes))
            choice = Choice((self._path, item.test), self._place((item.line, 1, item.line, 1)), arms)
            return Many((choice,), then.size + otherwise.size)
        value = self._value(item, variables)
        if isinstance(value, Known) and value.value is False:
            return Many((), 0)  # it is filtered out, or Django would not start
        if isinstance(value, Known) and isinstance(value.value, str):
            return Many((self._evaluation.layer(value.value, value.place or self._place((1, 1, 1, 1))),), 1)
        return Many((self._unknown(),), 1)

    def _parts(self, value: Value) -> Many:
        """The items of a list; of one that is not known, something unknown."""
        return value if isinstance(value, Many) else Many((self._unknown(),), 1)

    def _unknown(self) -> Layer:
        return Layer("", None, (self._place((1, 1, 1, 1)),), "settings")

    def _inserted(self, op: Insert, variables: Variables) -> Value:
        listed = variables.get(op.name)
        if not isinstance(listed, Many):
            return None
        at = op.at
        if op.before:
            found = [n for n, node in enumerate(listed.nodes) if isinstance(node, Layer) and node.written == op.before]
            if not found or any(isinstance(node, Choice) and _holds(node, op.before) for node in listed.nodes):
                return None
            at = found[0] + op.at
            crossed = listed.nodes[min(at, found[0]) : max(at, found[0])]
        else:
            crossed = listed.nodes[:at] if at >= 0 else listed.nodes[at:]
        if at < 0 and op.before:
            return None
        # An alternative, or something unknown, may be any number of items.
        if any(isinstance(node, Choice) or not node.written for node in crossed):
            return None
        items = self._items(op.value, variables)
        position = at if at >= 0 else max(0, len(listed.nodes) + at)
        nodes = (*listed.nodes[:position], *items.nodes, *listed.nodes[position:])
        return _bounded(nodes, listed.size + items.size)


_FORGOTTEN: Final = ("MIDDLEWARE", "INSTALLED_APPS", "MESSAGE_STORAGE", "CSRF_USE_SESSIONS")


def _bounded(nodes: tuple[Node, ...], size: int) -> Value:
    return Many(nodes, size) if size <= _MOST_ITEMS else None


def _holds(choice: Choice, text: str) -> bool:
    return any(
        node.written == text if isinstance(node, Layer) else _holds(node, text)
        for _, arm in choice.arms
        for node in arm
    )


def _without(nodes: Sequence[Node], names: Sequence[str]) -> tuple[Node, ...]:
    kept: list[Node] = []
    for node in nodes:
        if isinstance(node, Choice):
            kept.append(Choice(node.key, node.place, tuple((when, _without(arm, names)) for when, arm in node.arms)))
        elif node.written not in names or not node.written:
            kept.append(node)
    return tuple(kept)


def _removed(value: Value, text: str) -> Value:
    """`list.remove` takes the first one away, and fails where there is none."""
    if not isinstance(value, Many):
        return None
    for number, node in enumerate(value.nodes):
        if isinstance(node, Layer) and node.written == text:
            return Many((*value.nodes[:number], *value.nodes[number + 1 :]), value.size)
        if isinstance(node, Choice) and _holds(node, text):
            return None
    return None


def _cut(value: Value, start: int | None, stop: int | None) -> Value:
    if not isinstance(value, Many):
        return None
    nodes = value.nodes
    for end in (start, stop):
        counted = () if end is None else nodes[:end] if end >= 0 else nodes[end:]
        if any(isinstance(node, Choice) or not node.written for node in counted):
            return None
    return Many(nodes[start:stop], value.size)


def _merged(key: tuple[object, ...], place: Place, options: Sequence[tuple[str, Value]]) -> Value:
    """A value that is one of several: what all lists have in common at their ends is no alternative."""
    values = [value for _, value in options]
    if all(value == values[0] for value in values):
        return values[0]
    if not all(isinstance(value, Many) for value in values):
        return None
    lists = [(when, value.nodes) for when, value in options if isinstance(value, Many)]
    shortest = min(len(nodes) for _, nodes in lists)
    first = lists[0][1]
    front = 0
    while front < shortest and all(nodes[front] == first[front] for _, nodes in lists):
        front += 1
    back = 0
    while back < shortest - front and all(nodes[-1 - back] == first[-1 - back] for _, nodes in lists):
        back += 1
    arms = tuple((when, nodes[front : len(nodes) - back]) for when, nodes in lists)
    size = sum(value.size for value in values if isinstance(value, Many)) - (len(values) - 1) * (front + back)
    return _bounded((*first[:front], Choice(key, place, arms), *first[len(first) - back :]), size)
