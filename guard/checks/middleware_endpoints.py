"""What endpoints, their dependencies and the layers around them read, and whether anything provides it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

import msgspec

from guard.checks import middleware_known as known
from guard.checks.middleware import Stacks
from guard.checks.middleware_facts import Flow
from guard.checks.middleware_profile import Read
from guard.checks.middleware_stack import FunctionAt, Layer, Place, Stack, all_outer
from guard.checks.modules import External

_PARTS: Final = ("session", "user", "auth")


class Unprovided(msgspec.Struct, frozen=True):
    """A read of a part of the request that nothing in the application provides."""

    read: Read
    stack: Stack
    layer: Layer | None = None
    """The layer that reads; None for an endpoint or a dependency."""


class Unseen(msgspec.Struct, frozen=True):
    """A layer that a WebSocket endpoint needs, and that WebSockets pass unseen."""

    stack: Stack
    layer: Layer
    place: Place
    """The read, or the endpoint."""
    part: str = ""
    """What the endpoint reads; empty where it is a check that it relies on."""


class Served:
    """The served code of a program beside the applications that serve it. Only files that `is_production` is true
    for count."""

    def __init__(self, stacks: Stacks, is_production: Callable[[str], bool]) -> None:
        self._stacks = stacks
        self._is_production = is_production
        self._production = [
            stack
            for stack in stacks.with_parts
            if not stack.handed and is_production(stack.place.path) and is_production(stack.created[0].path)
        ]
        self._flows: Sequence[tuple[FunctionAt, Flow]] = [
            (at, flow) for at, flow in stacks.flows() if is_production(at.path)
        ]
        self._setters = self._who_sets()

    def _who_sets(self) -> Mapping[str, frozenset[FunctionAt]]:
        found: dict[str, set[FunctionAt]] = {}
        for at, flow in self._flows:
            for touch in flow.touches:
                if touch.how == "set":
                    found.setdefault(touch.part, set()).add(at)
        return {part: frozenset(functions) for part, functions in found.items()}

    # Provided by nothing

    def unprovided(self) -> Iterator[Unprovided]:
        """Reads of the session, the user or the credentials in served code, where no layer can have set them."""
        for at, flow in self._flows:
            own = [stack for stack in self._production if at in stack.endpoints]
            # Starlette's endpoints get the request whatever the parameter is called, and mostly have no annotation.
            request = flow.request or (flow.bare if own and not flow.served else "")
            if not request or not self._production:
                continue
            stacks = own or self._production
            for part, read in self._stacks.reads_of(at, request).items():
                if part not in _PARTS or read.caught or self._may_be_there(part, stacks):
                    continue
                if own or flow.served or self._stacks.is_dependency(at, self._is_production):
                    yield Unprovided(read, stacks[0])
        for stack in self._production:
            for layer in stack.layers():
                for part, read in self._stacks.profile(layer).reads.items():
                    if part in _PARTS and not read.caught:
                        same = [other for other in self._production if other.place == stack.place]
                        if not self._may_be_there(part, same):
                            yield Unprovided(read, stack, layer)

    def _may_be_there(self, part: str, stacks: Sequence[Stack]) -> bool:
        if part in self._setters:
            return True
        around = [*stacks, *(outer for stack in stacks for outer in all_outer(stack))]
        handed = [stack for stack in self._stacks.with_parts if stack.handed]
        return any(stack.opaque or stack.partial for stack in around) or any(
            self._stacks.profile(layer).may_provide(part) for stack in (*around, *handed) for layer in stack.layers()
        )

    # Never seen by WebSockets

    def unseen(self) -> Iterator[Unseen]:
        """What WebSocket endpoints need, and only layers give that no WebSocket comes through."""
        for at, flow in self._flows:
            if flow.served != "websocket" or not flow.request:
                continue
            stacks = [stack for stack in self._production if at in stack.endpoints]
            if not stacks and len({stack.place for stack in self._production}) == 1:
                stacks = list(self._production)
            for stack in stacks:
                yield from self._unseen_parts(at, flow.request, stack)
                if flow.trusts and at in stack.endpoints:
                    yield from self._unseen_checks(at, stack)

    def _unseen_parts(self, at: FunctionAt, request: str, stack: Stack) -> Iterator[Unseen]:
        around = [*stack.layers(), *(layer for outer in all_outer(stack) for layer in outer.layers())]
        for part, read in self._stacks.reads_of(at, request).items():
            if read.caught or read.how != "read" or stack.opaque or stack.partial:
                continue
            if part.startswith("state.") and any(s.given_state for s in (stack, *all_outer(stack))):
                continue
            setting = [layer for layer in around if self._stacks.profile(layer).may_provide(part)]
            own = {function for layer in setting for function in self._functions_of(layer)}
            if not setting or not self._setters.get(part, frozenset()) <= own:
                continue
            if all(self._is_http_only(layer) for layer in setting):
                yield Unseen(stack, setting[-1], read.place, part)

    def _functions_of(self, layer: Layer) -> Iterator[FunctionAt]:
        """The functions that are a layer's own: its methods, or itself."""
        origin = layer.origin
        for at, _ in self._flows:
            if isinstance(origin, FunctionAt):
                if at == origin:
                    yield at
            elif origin is not None and at.name.rpartition(".")[0] == origin.name and at.path == _path(origin):
                yield at

    def _is_http_only(self, layer: Layer) -> bool:
        return self._stacks.profile(layer).http_only

    def _unseen_checks(self, at: FunctionAt, stack: Stack) -> Iterator[Unseen]:
        if stack.opaque or stack.partial or stack.depends:
            return
        around = [*stack.nodes, *stack.wraps]
        refusing = []
        for layer in (*stack.layers(), *(layer for outer in all_outer(stack) for layer in outer.layers())):
            profile = self._stacks.profile(layer)
            if not (profile.http_only or _minds_http_only(layer)):
                return  # it may look at WebSockets
            if layer in around and profile.http_only and (profile.refuses or profile.raises):
                refusing.append(layer)
        flow = self._stacks.flow(at)
        if refusing and flow is not None:
            yield Unseen(stack, refusing[-1], Place(at.path, flow.place, at.name))


def _minds_http_only(layer: Layer) -> bool:
    """Whether it is a layer of the framework's own that checks no WebSocket's credentials."""
    origin = layer.origin
    return isinstance(origin, External) and known.is_own(origin) and origin.name != "AuthenticationMiddleware"


def _path(origin: object) -> str:
    return str(getattr(origin, "path", ""))
