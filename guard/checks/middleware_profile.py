"""What a layer does with the requests that pass it: what it reads, what it provides, whether it answers by itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from guard.checks import middleware_known as known
from guard.checks.middleware_facts import Attr, Def, Expr, Flow, Free, Super
from guard.checks.middleware_sources import Sources
from guard.checks.middleware_stack import ClassAt, FunctionAt, Layer, Place
from guard.checks.modules import Definition, External

_DEEPEST: Final = 12


class Read(msgspec.Struct, frozen=True):
    """A layer's use of a part of the request, before the layers inside it have run."""

    part: str
    how: str
    """`read`, `hasattr` or `getattr`."""
    place: Place
    caught: bool
    """A handler around it swallows the failure."""
    spared: bool = False
    """A handler around it swallows an AttributeError."""


class Profile(msgspec.Struct, frozen=True):
    """What is known of one layer."""

    reads: Mapping[str, Read]
    """By part: the first place that reads it."""
    sets: frozenset[str] = frozenset()
    refuses: Place | None = None
    """Where it answers 401 or 403 by itself."""
    raises: Place | None = None
    spares_options: bool = False
    writes_cors: bool = False
    open: bool = False
    """Part of what it runs is unknown: a base class, or all of it."""
    name: str = ""
    cors: bool = False
    http_only: bool = False
    """WebSockets pass it unseen: it is a `BaseHTTPMiddleware`, or a function that is made one."""
    catches: bool = False
    """It answers by itself where the inner layers fail, whatever the exception."""

    def may_provide(self, part: str) -> bool:
        """Whether the part may be there inside this layer, because of it."""
        return part in self.sets or (self.open and known.may_provide(self.name, part))


class Profiles:
    """The profiles of all layers, made when they are asked for."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._made: dict[tuple[object, ...], Profile] = {}

    def of(self, layer: Layer) -> Profile:
        """What a layer does."""
        key = (layer.origin, layer.helpers, layer.name)
        if key not in self._made:
            self._made[key] = self._profile(layer)
        return self._made[key]

    def reads_of(self, at: FunctionAt, param: str) -> Mapping[str, Read]:
        """What a function that is no layer reads of the request that it gets as `param`."""
        gathering = Gathering(self._sources)
        gathering.enter_by(at, param)
        return {part: read for part, read in gathering.reads.items() if part not in gathering.sets}

    def _profile(self, layer: Layer) -> Profile:
        origin = layer.origin
        gathering = Gathering(self._sources)
        provided: frozenset[str] = frozenset()
        is_open = cors = http_only = False
        if origin is None:
            return Profile({}, open=True, name=layer.name)
        if isinstance(origin, External):
            provided, is_open, cors = _external(origin)
        elif isinstance(origin, FunctionAt):
            http_only = layer.means != "wrap"
            owner = origin.name.rpartition(".")[0] if origin.name.endswith(".__call__") else ""
            gathering.enter(origin, 1 if owner else 0, ClassAt(origin.path, owner) if owner else None)
        else:
            for ancestor in self._sources.ancestors(origin):
                if ancestor is None:
                    is_open = True
                elif isinstance(ancestor, External) and not known.is_base_http(ancestor):
                    more, opened, is_cors = _external(ancestor)
                    provided, is_open, cors = provided | more, is_open or opened, cors or is_cors
            http_only = self._is_http_only(origin)
            for entry in ("dispatch", "__call__"):
                at = self._sources.method(origin, entry)
                if at is not None:
                    gathering.enter(at, 1, origin)
        for helper in layer.helpers:
            at = self._sources.method(helper, "authenticate")
            if at is not None:
                gathering.enter(at, 1, helper)
        return Profile(
            reads=gathering.reads,
            sets=provided | gathering.sets,
            refuses=gathering.refuses,
            raises=gathering.raises,
            spares_options=gathering.spares_options,
            writes_cors=gathering.writes_cors,
            open=is_open,
            name=layer.name,
            cors=cors,
            http_only=http_only,
            catches=gathering.catches,
        )

    def _is_http_only(self, cls: ClassAt) -> bool:
        """Whether the `__call__` that it answers to is that of `BaseHTTPMiddleware`."""
        for ancestor in self._sources.ancestors(cls):
            if isinstance(ancestor, External):
                return known.is_base_http(ancestor)
            remembered = self._sources.cls(ancestor) if ancestor is not None else None
            if remembered is None or "__call__" in remembered.methods:
                return False
        return False


def _external(thing: External) -> tuple[frozenset[str], bool, bool]:
    """What a class that is not of the tree provides, whether that is uncertain, and whether it is CORS."""
    if known.is_own(thing):
        return known.PROVIDES.get(thing.name, frozenset()), False, known.is_cors(thing)
    if thing.module in ("abc", "typing", "typing_extensions") or not thing.module:
        return frozenset(), False, False
    return frozenset(), True, False


class _How(msgspec.Struct, frozen=True):
    """How a helper is reached: behind the inner layers, under a handler, for some requests only."""

    after: bool = False
    caught: bool = False
    spared: bool = False
    narrowed: bool = False


class Gathering:
    """Follows the request through a layer's functions."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._seen: set[tuple[FunctionAt, str, bool]] = set()
        self.reads: dict[str, Read] = {}
        self.sets: set[str] | frozenset[str] = frozenset()
        self.refuses: Place | None = None
        self.raises: Place | None = None
        self.spares_options = False
        self.writes_cors = False
        self.catches = False

    def enter(self, at: FunctionAt, position: int, cls: ClassAt | None) -> None:
        """Begin with a function whose parameter at `position` is the request or the scope."""
        flow = self._sources.flow(at.path, at.name)
        if flow is not None and position < len(flow.params):
            self._follow(at, flow, flow.params[position], cls, _How(), 0)

    def enter_by(self, at: FunctionAt, param: str) -> None:
        """Begin with a plain function whose parameter `param` is the request."""
        flow = self._sources.flow(at.path, at.name)
        if flow is not None:
            self._follow(at, flow, param, None, _How(), 0)

    def _follow(self, at: FunctionAt, flow: Flow, param: str, cls: ClassAt | None, how: _How, depth: int) -> None:
        key = (at, param, how.after)
        if key in self._seen or depth > _DEEPEST:
            return
        self._seen.add(key)
        for touch in flow.touches:
            if touch.param != param:
                continue
            if touch.how == "set":
                self.sets = self.sets | {touch.part}
            elif not (how.after or touch.after) and touch.part not in self.reads:
                place = Place(at.path, touch.place, at.name)
                caught, spared = how.caught or touch.caught, how.spared or touch.spared
                self.reads[touch.part] = Read(touch.part, touch.how, place, caught, spared)
        self._note(at, flow, how)
        for handoff in flow.handoffs:
            target = self._target(at, handoff.func, cls)
            inner = self._sources.flow(target.path, target.name) if target else None
            if target is None or inner is None:
                continue
            inward = _How(
                after=how.after or handoff.after,
                caught=how.caught or handoff.caught,
                spared=how.spared or handoff.spared,
                narrowed=how.narrowed or handoff.narrowed,
            )
            for name in _given(handoff.args, param, inner, bound=isinstance(handoff.func, Attr)):
                self._follow(target, inner, name, cls, inward, depth + 1)

    def _note(self, at: FunctionAt, flow: Flow, how: _How) -> None:
        if flow.refuses and self.refuses is None and not how.narrowed:
            self.refuses = Place(at.path, flow.refuses[0], at.name)
        if flow.raises and self.raises is None and not (how.caught or how.narrowed):
            self.raises = Place(at.path, flow.raises[0], at.name)
        self.spares_options = self.spares_options or flow.spares_options
        self.writes_cors = self.writes_cors or flow.writes_cors
        self.catches = self.catches or flow.catches

    def _target(self, at: FunctionAt, func: Expr, cls: ClassAt | None) -> FunctionAt | None:
        if isinstance(func, Def):
            return FunctionAt(at.path, func.name)
        if isinstance(func, Free):
            found = self._sources.follow(at.path, func.ref)
            return FunctionAt(found.path, found.name) if isinstance(found, Definition) else None
        if isinstance(func, Attr) and cls is not None:
            behind = ClassAt(at.path, at.name.rpartition(".")[0]) if isinstance(func.base, Super) else None
            return self._sources.method(cls, func.name, behind=behind)
        return None


def _given(args: tuple[tuple[int | str, str], ...], param: str, inner: Flow, *, bound: bool) -> Iterator[str]:
    """The parameters of a helper that get the request; the empty name where it is called without."""
    shift = 1 if bound and inner.params[:1] and inner.params[0] in ("self", "cls") else 0
    passed = False
    for position, own in args:
        if own != param:
            continue
        passed = True
        if isinstance(position, str):
            yield position
        elif position + shift < len(inner.params):
            yield inner.params[position + shift]
    if not passed:
        yield ""
