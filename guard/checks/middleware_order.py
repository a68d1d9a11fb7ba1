"""Pairs of layers that stand the wrong way round."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from typing import Final

import msgspec

from guard.checks.middleware_frameworks import framework_of
from guard.checks.middleware_profile import Profile, Read
from guard.checks.middleware_stack import Condition, Layer, Place, Stack, Way, all_outer, layers
from guard.checks.modules import External

Profiler = Callable[[Layer], Profile]


class Misplaced(msgspec.Struct, frozen=True):
    """Two layers of one stack: the one that stands outside should stand inside of the other."""

    stack: Stack
    outer: Layer
    inner: Layer
    conditions: tuple[Condition, ...]
    read: Read | None = None
    """What the outer one uses of the request, where the inner one provides it."""

    @property
    def places(self) -> tuple[Place, Place]:
        """The statements whose order decides, of the outer and of the inner layer: where the two calls that lead to
        them part, in the function that makes both."""
        return _parted(self.outer, self.inner)


def _parted(one: Layer, other: Layer) -> tuple[Place, Place]:
    for mine, its in zip(one.chain, other.chain, strict=False):
        if mine != its:
            return mine, its
    return one.place, other.place


def reads_before_provider(stack: Stack, profile: Profiler) -> Iterator[Misplaced]:
    """Layers that read a part of the request outside of the layer that provides it, on some way through the stack.

    Silent where any layer outside, or an application that this one is mounted in, provides it or may do so.
    """
    if stack.opaque:
        return
    profiles = {layer: profile(layer) for layer in stack.layers()}
    parts = sorted({part for known in profiles.values() for part in known.reads if part not in known.sets})
    for part in parts:
        if (part.startswith("state.") and stack.given_state) or _provided_outside(stack, part, profile):
            continue
        if not any(part in known.sets for known in profiles.values()):
            continue
        concerned = {layer for layer, known in profiles.items() if part in known.reads or known.may_provide(part)}
        ways = stack.ways(concerned.__contains__)
        yield from _simplest(_read_too_early(stack, part, way, profiles) for way in ways or ())


def _read_too_early(stack: Stack, part: str, way: Way, profiles: dict[Layer, Profile]) -> Iterator[Misplaced]:
    for index, reader in enumerate(way.layers):
        known = profiles[reader]
        read = known.reads.get(part)
        if read is None or known.may_provide(part):
            continue
        if any(profiles[layer].may_provide(part) for layer in way.layers[index + 1 :]):
            continue
        inside = [layer for layer in way.layers[:index] if part in profiles[layer].sets]
        if inside and inside[-1].origin != reader.origin:
            yield Misplaced(stack, reader, inside[-1], way.conditions, read)


def _provided_outside(stack: Stack, part: str, profile: Profiler) -> bool:
    return any(profile(layer).may_provide(part) for outer in all_outer(stack) for layer in outer.layers()) or any(
        part.startswith("state.") and outer.given_state for outer in all_outer(stack)
    )


def refuses_outside_cors(stack: Stack, profile: Profiler) -> Iterator[Misplaced]:
    """Layers outside of CORSMiddleware that refuse requests by themselves: their answers carry no CORS headers.

    A layer that only raises is one of them where it does so for preflights too. Silent where something outside may
    write the headers, or the layer writes them itself.
    """
    if stack.opaque or any(_writes_cors(layer, profile) for outer in all_outer(stack) for layer in outer.layers()):
        return

    def refuses(layer: Layer) -> bool:
        known = profile(layer)
        if known.writes_cors or known.cors:
            return False
        return known.refuses is not None or (known.raises is not None and not known.spares_options)

    ways = stack.ways(lambda layer: refuses(layer) or _writes_cors(layer, profile))
    yield from _simplest(_outside_cors(stack, way, refuses, profile) for way in ways or ())


def _outside_cors(stack: Stack, way: Way, refuses: Callable[[Layer], bool], profile: Profiler) -> Iterator[Misplaced]:
    for index, layer in enumerate(way.layers):
        if refuses(layer) and not any(_writes_cors(other, profile) for other in way.layers[index + 1 :]):
            inside = [other for other in way.layers[:index] if profile(other).cors]
            if inside:
                yield Misplaced(stack, layer, inside[-1], way.conditions)


def _writes_cors(layer: Layer, profile: Profiler) -> bool:
    known = profile(layer)
    return known.cors or known.writes_cors or (known.open and (not layer.name or "cors" in layer.name.lower()))


def errors_bypass_cors(stack: Stack, profile: Profiler) -> Iterator[Layer]:
    """The CORS layers of an application whose unhandled errors are answered outside of them.

    Silent where a layer inside answers every error, where something around the application writes headers, and where
    it may."""
    around = [*stack.wraps, *(node for outer in all_outer(stack) for node in outer.inside_out())]
    if stack.opaque or stack.partial or any(_writes_cors(layer, profile) for layer in layers(around)):
        return
    for layer in layers(stack.nodes):
        known = profile(layer)
        if known.open or known.catches:
            return
        if known.cors:
            yield layer


def against_order(stack: Stack, order: Sequence[str]) -> Iterator[Misplaced]:
    """Neighbours among the layers that `order` names, outermost first, that stand the other way round."""
    if stack.opaque or not order:
        return
    framework = framework_of(stack.kind)
    kinds = framework.kinds if framework is not None else ()
    for kind in kinds or ("",):

        def is_asked(layer: Layer, kind: str = kind) -> bool:
            return (not kind or layer.means == kind) and _rank(layer, order) is not None

        yield from _simplest(_inverted(stack, way, order) for way in stack.ways(is_asked) or ())


def _inverted(stack: Stack, way: Way, order: Sequence[str]) -> Iterator[Misplaced]:
    for inner, outer in zip(way.layers, way.layers[1:], strict=False):
        inner_rank, outer_rank = _rank(inner, order), _rank(outer, order)
        if inner_rank is not None and outer_rank is not None and inner_rank < outer_rank:
            yield Misplaced(stack, outer, inner, way.conditions)


def _rank(layer: Layer, order: Sequence[str]) -> int | None:
    return next((index for index, pattern in enumerate(order) if matches(layer, pattern)), None)


def matches(layer: Layer, pattern: str) -> bool:
    """Whether a pattern of the configuration is about a layer."""
    return any(fnmatchcase(name, pattern) for name in layer_names(layer))


_SUFFIXES: Final = (".py", ".pyi")


def layer_names(layer: Layer) -> tuple[str, ...]:
    """What a configuration may call a layer: its bare name, and the dotted one."""
    origin = layer.origin
    if layer.written:
        return layer.name, layer.written
    if origin is None:
        return (layer.name,) if layer.name else ()
    if isinstance(origin, External):
        return layer.name, f"{origin.module}.{origin.name}"
    module = origin.path
    for suffix in _SUFFIXES:
        module = module.removesuffix(suffix)
    return layer.name, f"{module.removesuffix('/__init__').replace('/', '.')}.{origin.name}"


def _simplest(found: Iterable[Iterator[Misplaced]]) -> Iterator[Misplaced]:
    """Each pair once, with the conditions that every way to it depends on."""
    best: dict[tuple[object, ...], Misplaced] = {}
    for on_one_way in found:
        for misplaced in on_one_way:
            key = (*misplaced.places, misplaced.outer.name, misplaced.inner.name)
            known = best.get(key)
            if known is not None:
                common = tuple(condition for condition in known.conditions if condition in misplaced.conditions)
                misplaced = msgspec.structs.replace(known, conditions=common)
            best[key] = misplaced
    yield from best.values()
