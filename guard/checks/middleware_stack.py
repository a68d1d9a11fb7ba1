"""What a stack of middleware is: layers, alternatives between them, and the ways through."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

import msgspec

from guard.checks.middleware_facts import Place4
from guard.checks.modules import External


class Place(msgspec.Struct, frozen=True):
    """A piece of one file. `symbol` is the function that it stands in."""

    path: str
    span: Place4
    symbol: str

    @property
    def line(self) -> int:
        """Where it begins."""
        return self.span[0]


def module_name(path: str) -> str:
    """The dotted name of a file, from the top of the tree."""
    return path.removesuffix("i").removesuffix(".py").removesuffix("/__init__").replace("/", ".")


class ClassAt(msgspec.Struct, frozen=True):
    """A class of the tree."""

    path: str
    name: str


class FunctionAt(msgspec.Struct, frozen=True):
    """A function of the tree, used as a layer: `@app.middleware("http")`."""

    path: str
    name: str


Origin = ClassAt | FunctionAt | External | None
"""What a layer runs; None where that is unknown."""


class Layer(msgspec.Struct, frozen=True):
    """One layer of a stack."""

    name: str
    """As a person calls it: the name of its class or function; as written where it is unknown."""
    origin: Origin
    chain: tuple[Place, ...]
    """Where it is added: the calls that lead there, outermost first, and the statement itself at the end."""
    means: str
    """`add_middleware`, `constructor`, `append`, `decorator`, `wrap` or `settings`; in Flask `before_request`,
    `after_request` or `teardown_request`."""
    helpers: tuple[ClassAt, ...] = ()
    """Objects that it is given and runs for every request: an authentication backend."""
    given: str = ""
    """Its arguments as written; with a `?` in front where they may be other ones on another call."""
    written: str = ""
    """The dotted name in a string that it is added by, in Django's settings."""

    @property
    def place(self) -> Place:
        """The statement that adds it."""
        return self.chain[-1]


class Late(msgspec.Struct, frozen=True):
    """A layer that is added once the application runs, which Starlette refuses."""

    layer: Layer
    when: str
    """What runs there: `lifespan`, `startup handler`, `request handler`."""


class Choice(msgspec.Struct, frozen=True):
    """Alternatives. Two with one key are decided alike. Each arm has the words for when it is taken."""

    key: tuple[object, ...]
    place: Place
    arms: tuple[tuple[str, tuple[Node, ...]], ...]


Node = Layer | Choice


class Condition(msgspec.Struct, frozen=True):
    """One decision on a way through a stack."""

    when: str
    place: Place


class Way(msgspec.Struct, frozen=True):
    """One way through the alternatives: the layers, innermost first, and what decided."""

    layers: tuple[Layer, ...]
    conditions: tuple[Condition, ...]


class Stack(msgspec.Struct, frozen=True):
    """The layers around one application.

    `nodes` holds the user's own, innermost first, as they wrap one another: the constructor's list reversed, then
    what was added, in that order; `wraps` is what stands outside all of the application's own layers.
    """

    kind: External
    created: tuple[Place, ...]
    """The calls that lead to where the application is created, and the call of its class at the end."""
    nodes: tuple[Node, ...]
    wraps: tuple[Node, ...]
    partial: tuple[Place, ...] = ()
    """Unknown code that was handed the application and may have added layers."""
    opaque: bool = False
    """Its list of layers is edited by hand, so their order is unknown."""
    handed: bool = False
    """It stands for any application that this function may be handed: nobody is known to call it."""
    given_state: bool = False
    """Its lifespan gives every request a state."""
    outer: tuple[Stack, ...] = ()
    """The stacks of the applications that it is mounted in."""
    late: tuple[Late, ...] = ()
    futile: tuple[Layer, ...] = ()
    """Layers that a handler adds before it raises all the same: nothing ever runs with them."""
    endpoints: tuple[FunctionAt, ...] = ()
    """Functions of the tree that are known to be served by it."""
    depends: bool = False
    """It has dependencies of its own, which run before every endpoint."""

    @property
    def place(self) -> Place:
        """Where the application is created."""
        return self.created[-1]

    def inside_out(self) -> tuple[Node, ...]:
        """Every layer of the user's, innermost first."""
        return self.nodes + self.wraps

    def ways(self, keep: Callable[[Layer], bool]) -> Sequence[Way] | None:
        """Every way through the alternatives, seen through the layers that `keep` is true for.

        Ways that differ only in other layers are one. None where there are too many to tell apart.
        """
        return ways(self.inside_out(), keep)

    def layers(self) -> Iterator[Layer]:
        """Every layer of every alternative, innermost first."""
        return layers(self.inside_out())


def all_outer(stack: Stack) -> Iterator[Stack]:
    """The stacks of the applications that one is mounted in, and of those that they are mounted in."""
    for outer in stack.outer:
        yield outer
        yield from all_outer(outer)


_MOST_WAYS: Final = 512


def layers(nodes: Sequence[Node]) -> Iterator[Layer]:
    """Every layer in `nodes`, of every alternative."""
    for node in nodes:
        if isinstance(node, Layer):
            yield node
        else:
            for _, arm in node.arms:
                yield from layers(arm)


def project(nodes: Sequence[Node], keep: Callable[[Layer], bool]) -> tuple[Node, ...]:
    """`nodes` with only the layers that are kept, and only the alternatives that still make a difference."""
    kept: list[Node] = []
    for node in nodes:
        if isinstance(node, Layer):
            if keep(node):
                kept.append(node)
            continue
        arms = tuple((when, project(arm, keep)) for when, arm in node.arms)
        if len({arm for _, arm in arms}) == 1:
            kept.extend(arms[0][1])
        else:
            kept.append(Choice(node.key, node.place, arms))
    return tuple(kept)


def reverse(nodes: Sequence[Node]) -> tuple[Node, ...]:
    """The same layers the other way round, alternatives included."""
    turned: list[Node] = []
    for node in reversed(nodes):
        if isinstance(node, Choice):
            node = Choice(node.key, node.place, tuple((when, reverse(arm)) for when, arm in node.arms))
        turned.append(node)
    return tuple(turned)


class _Partial(msgspec.Struct, frozen=True):
    layers: tuple[Layer, ...] = ()
    conditions: tuple[Condition, ...] = ()
    decided: tuple[tuple[tuple[object, ...], str], ...] = ()


def ways(nodes: Sequence[Node], keep: Callable[[Layer], bool]) -> Sequence[Way] | None:
    """Every way through `nodes`; None where there are more than 512."""
    found = _extend([_Partial()], project(nodes, keep))
    if found is None:
        return None
    return [Way(partial.layers, partial.conditions) for partial in found]


def _extend(starts: list[_Partial], nodes: Sequence[Node]) -> list[_Partial] | None:
    for node in nodes:
        if isinstance(node, Layer):
            starts = [msgspec.structs.replace(start, layers=(*start.layers, node)) for start in starts]
            continue
        after: list[_Partial] = []
        for start in starts:
            decided = dict(start.decided)
            arms = [arm for arm in node.arms if decided.get(node.key, arm[0]) == arm[0]] or list(node.arms)
            for when, body in arms:
                begun = start
                if node.key not in decided:
                    conditions = start.conditions
                    if when:
                        conditions = (*conditions, Condition(when, node.place))
                    begun = _Partial(start.layers, conditions, (*start.decided, (node.key, when)))
                inner = _extend([begun], body)
                if inner is None:
                    return None
                after.extend(inner)
                if len(after) > _MOST_WAYS:
                    return None
        starts = after
    return starts
