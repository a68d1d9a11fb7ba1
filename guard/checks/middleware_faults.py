"""Layers that are there twice, that may be missing, or that stand elsewhere than the rest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Final

import msgspec

from guard.checks import middleware_known as known
from guard.checks.middleware_frameworks import FRAMEWORKS, framework_of
from guard.checks.middleware_order import matches
from guard.checks.middleware_stack import Choice, ClassAt, Condition, FunctionAt, Layer, Node, Place, Stack, layers
from guard.checks.modules import External


class Located(msgspec.Struct, frozen=True):
    """A layer, and what has to be decided for it to be there."""

    layer: Layer
    decided: frozenset[tuple[object, str]]
    conditions: tuple[Condition, ...]


def located(nodes: Sequence[Node]) -> Iterator[Located]:
    """Every layer with what it depends on, innermost first."""
    yield from _located(nodes, frozenset(), ())


def _located(
    nodes: Sequence[Node], decided: frozenset[tuple[object, str]], conditions: tuple[Condition, ...]
) -> Iterator[Located]:
    for node in nodes:
        if isinstance(node, Layer):
            yield Located(node, decided, conditions)
            continue
        for when, arm in node.arms:
            more = (*conditions, Condition(when, node.place)) if when else conditions
            yield from _located(arm, decided | {(node.key, when)}, more)


# Twice


class Twice(msgspec.Struct, frozen=True):
    """One layer that is there two times on one way through the conditionals."""

    stack: Stack
    first: Layer
    second: Layer
    conditions: tuple[Condition, ...]


def installed_twice(stack: Stack) -> Iterator[Twice]:
    """Layers that are certainly there twice: one of the two is there whenever the other is.

    Two layers of one class may be two things: only those of the framework itself, and those that are given the same
    arguments, are the same one.
    """
    if stack.opaque:
        return
    for one, other in combinations(located(stack.inside_out()), 2):
        if one.layer.origin is None or one.layer.origin != other.layer.origin:
            continue
        nested = one.decided <= other.decided or other.decided <= one.decided
        if nested and _is_same(one.layer, other.layer):
            most = max(one, other, key=lambda located: len(located.decided))
            framework = framework_of(stack.kind)
            added = (other, one) if framework is not None and framework.first_is_outermost else (one, other)
            yield Twice(stack, added[0].layer, added[1].layer, most.conditions)


_HOOKS: Final = frozenset(kind for framework in FRAMEWORKS for kind in framework.kinds)
"""Ways of adding a function that make it another layer each."""


def _is_same(one: Layer, other: Layer) -> bool:
    origin = one.origin
    if isinstance(origin, External) and known.is_own(origin):
        return not known.is_base_http(origin)
    if isinstance(origin, ClassAt | FunctionAt) and "." in origin.name:
        return False  # made by a function or bound to an object: two of them may have different values in them
    if "wrap" in (one.means, other.means) or one.given != other.given:
        return False
    hooks = {one.means, other.means} & _HOOKS
    if hooks and (one.means != other.means or isinstance(origin, External)):
        return False  # an extension may be there for two parts of an application
    if one.given.startswith("?"):  # the same only where the same call of one function adds both
        return one.chain[:-1] == other.chain[:-1] and one.place != other.place
    return True


# Missing on some way


class Vanishing(msgspec.Struct, frozen=True):
    """A layer that is added in a `try` whose handler goes on without it."""

    stack: Stack
    layer: Layer
    when: str
    """What has to happen, in words."""
    place: Place
    """The `try`."""


def vanishing(stack: Stack) -> Iterator[Vanishing]:
    """The layers that a failure while they are added leaves the application without."""
    if stack.opaque:
        return
    whole = stack.inside_out()
    always = {name for found in located(whole) if not found.decided for name in _is_called(found.layer)}
    yield from _vanishing(stack, whole, always)


def _vanishing(stack: Stack, nodes: Sequence[Node], always: set[object]) -> Iterator[Vanishing]:
    for node in nodes:
        if isinstance(node, Layer):
            continue
        tried = _is_try(node)
        first = node.arms[0]
        if tried:
            for layer in layers(first[1]):
                names = _is_called(layer)
                if not names.isdisjoint(always):
                    continue
                for when, arm in node.arms[1:]:
                    if all(names.isdisjoint(_is_called(other)) for other in layers(arm)):
                        yield Vanishing(stack, layer, when, node.place)
                        break
        for _, arm in node.arms[1:] if tried else node.arms:
            yield from _vanishing(stack, arm, always)


def _is_try(choice: Choice) -> bool:
    return isinstance(choice.key[-1], str) and choice.key[-1].startswith("try@")


def _is_called(layer: Layer) -> set[object]:
    """What stands for a layer in another arm: the same class, or one that is called the same."""
    return {name for name in (layer.origin, layer.name) if name}


class Lacking(msgspec.Struct, frozen=True):
    """An application that a required layer is missing from, on some way through the conditionals."""

    stack: Stack
    pattern: str
    conditions: tuple[Condition, ...]


def lacking(variants: Sequence[Stack], required: Sequence[str]) -> Iterator[Lacking]:
    """The required layers that an application lacks. `variants` are all the stacks that the code makes of it: a module
    that imports it may add what another has left out. Silent where a layer is unknown, or code that is may add some."""
    if any(_is_uncertain(stack) for stack in variants):
        return
    for pattern in required:
        missing = [_without(stack, pattern) for stack in variants]
        told = [found for found in missing if found is not None]
        if told and len(told) == len(missing):
            yield min(told, key=lambda found: len(found.conditions))


def _is_uncertain(stack: Stack) -> bool:
    return bool(stack.opaque or stack.partial or any(layer.origin is None for layer in stack.layers()))


def _without(stack: Stack, pattern: str) -> Lacking | None:
    ways = stack.ways(lambda layer: matches(layer, pattern))
    lacking = [way for way in ways or () if not way.layers]
    # Where only a failure leaves it out, that is another finding.
    if not lacking or (
        any(matches(layer, pattern) for layer in stack.layers())
        and all(any(" is raised behind line " in c.when for c in way.conditions) for way in lacking)
    ):
        return None
    best = min(lacking, key=lambda way: len(way.conditions))
    return Lacking(stack, pattern, best.conditions)


# Elsewhere


class Elsewhere(msgspec.Struct, frozen=True):
    """A layer that is added outside of what sets up the rest."""

    stack: Stack
    layer: Layer
    rest: Layer


def added_elsewhere(stack: Stack) -> Iterator[Elsewhere]:
    """Layers that another module adds than the one that creates the application and adds others, or a function that
    none of them calls."""
    if stack.opaque or stack.handed:
        return
    created = stack.created[0]
    home = (created.path, created.symbol)
    rest = [layer for layer in stack.layers() if (layer.chain[0].path, layer.chain[0].symbol) == home]
    for layer in stack.layers():
        if (layer.chain[0].path, layer.chain[0].symbol) != home:
            beside = [other for other in rest if other.means == layer.means or not {other.means, layer.means} & _HOOKS]
            if beside:
                yield Elsewhere(stack, layer, beside[-1])
