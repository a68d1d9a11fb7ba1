"""Applications and their stacks as a reader wants them: outermost first, with what each layer cannot see.

Values only, which can be kept and compared: what `guard show middleware` draws, and the report too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import msgspec

from guard.checks.middleware_frameworks import framework_of, has_parts
from guard.checks.middleware_order import Profiler, layer_names
from guard.checks.middleware_profile import Profile
from guard.checks.middleware_stack import ClassAt, FunctionAt, Layer, Node, Place, Stack, module_name
from guard.checks.middleware_stacks import Bound
from guard.checks.modules import External
from guard.model import Impact


class Spot(msgspec.Struct, frozen=True):
    """A place."""

    path: str
    line: int
    symbol: str = ""
    """The function that it stands in."""


class Unseen(msgspec.Struct, frozen=True):
    """A part of the request that is not there yet where a layer runs, since a layer further inside sets it."""

    part: str
    provider: str
    spot: Spot


class LayerView(msgspec.Struct, frozen=True, kw_only=True, tag="layer"):
    """One layer."""

    name: str
    origin: str = ""
    """The dotted name of what it runs; for what is defined inside a function, by the function's name. Empty where that
    is unknown."""
    spot: Spot | None = None
    """The statement that adds it; None for a layer that the framework puts there by itself."""
    means: str = ""
    """How it is added: `add_middleware`, `constructor`, `append`, `decorator`, `wrap` or `settings`; in Flask
    `before_request`, `after_request` or `teardown_request`; `framework`."""
    via: tuple[Spot, ...] = ()
    """The calls that lead to that statement, the first one first."""
    code: str = ""
    """The file that it is defined in, of this tree."""
    reads: tuple[str, ...] = ()
    """The parts of the request that it reads before the layers inside it have run."""
    sets: tuple[str, ...] = ()
    unseen: tuple[Unseen, ...] = ()

    @property
    def hook(self) -> str:
        """When it runs, of a function that Flask calls; empty for what goes round everything inside of it."""
        return self.means if self.means.endswith("_request") else ""


class ArmView(msgspec.Struct, frozen=True):
    """One of several alternatives: the layers that are there when it is taken, outermost first."""

    when: str
    nodes: tuple[NodeView, ...]


class ChoiceView(msgspec.Struct, frozen=True, tag="choice"):
    """Alternatives, and where it is decided between them."""

    spot: Spot
    arms: tuple[ArmView, ...]


NodeView = LayerView | ChoiceView


class AppView(msgspec.Struct, frozen=True, kw_only=True):
    """One application."""

    name: str
    """`module:variable` where a module holds it, else the function that makes it; for Django, the settings module."""
    framework: str
    """`fastapi`, `starlette`, `django`, `flask` (or `blueprint`, for a part of such an application), `aiohttp`; `asgi`
    where it may be any that speaks ASGI."""
    spot: Spot
    """Where it is created; for Django, where the settings give `MIDDLEWARE` its value."""
    impact: Impact
    """What it is for, by the place that begins to set it up."""
    via: tuple[Spot, ...] = ()
    """The calls that lead to where it is created."""
    names: tuple[str, ...] = ()
    """All variables of modules that hold it."""
    named: tuple[Spot, ...] = ()
    """For Django: where the settings module is named."""
    unnamed: bool = False
    """For Django: nothing names the settings module, though others are named."""
    nodes: tuple[NodeView, ...] = ()
    """Outermost first."""
    sees: tuple[str, ...] = ()
    """The parts of the request that some layer has set when the application itself runs."""
    handed: bool = False
    """It stands for any application that this function is handed."""
    notes: tuple[str, ...] = ()
    """What is not known of it, and layers that are never there."""
    uncertain: bool = False
    """It may have layers that are not known, or in another order."""
    others: int = 0
    """How many more places make an application with just these layers from the same code."""
    mounted: tuple[AppView, ...] = ()
    """The applications that are mounted in it."""

    part: bool = False
    """It is a part of the application that it is mounted in, and none by itself: a blueprint of Flask."""

    def layers(self) -> Iterator[tuple[LayerView, tuple[str, ...]]]:
        """Every layer that is not the framework's own, outermost first, with the conditions under which it is there."""
        return _flat(self.nodes, ())


def _flat(nodes: Sequence[NodeView], under: tuple[str, ...]) -> Iterator[tuple[LayerView, tuple[str, ...]]]:
    for node in nodes:
        if isinstance(node, LayerView):
            if node.spot is not None:
                yield node, under
        else:
            for arm in node.arms:
                yield from _flat(arm.nodes, (*under, arm.when) if arm.when else under)


def views(stacks: Mapping[Stack, tuple[Bound, ...]], profile: Profiler, rank: Callable[[str], Impact]) -> list[AppView]:
    """Every application: production first, then by place. Those of one piece of code that have the same layers are
    one. `rank` says what a file is for."""
    alike: dict[object, list[Stack]] = {}
    for stack in stacks:
        alike.setdefault(_shape(stack), []).append(stack)
    keys = {stack: key for key, members in alike.items() for stack in members}
    within: dict[object, list[object]] = {}
    for stack, key in keys.items():
        for outer in stack.outer:
            if outer in keys and keys[outer] != key and key not in within.setdefault(keys[outer], []):
                within[keys[outer]].append(key)
    inner = {key for keys_inside in within.values() for key in keys_inside}

    def view(key: object, above: frozenset[object]) -> AppView:
        members = sorted(alike[key], key=lambda one: rank(one.created[0].path).rank)
        bound = dict.fromkeys(name for one in members for name in stacks[one] if rank(name[0]) is _best(members, rank))
        inside = [one for one in within.get(key, ()) if one not in above]
        mounted = [view(one, above | {key}) for one in inside]
        return _view(members, tuple(bound), profile, rank, sorted(mounted, key=order))

    return sorted((view(key, frozenset((key,))) for key in alike if key not in inner), key=order)


def without_idle_parts(apps: Iterable[AppView]) -> Iterator[AppView]:
    """Applications as they are shown: without those of their parts that have no layer, nor hold anything that has."""
    for app in apps:
        inside = tuple(without_idle_parts(app.mounted))
        if inside or not app.part or any(True for _ in app.layers()):
            yield msgspec.structs.replace(app, mounted=inside)


def order(app: AppView) -> tuple[bool, int, str, int, str]:
    """Where an application stands in a list: production first, what is only handed on last."""
    return app.handed, app.impact.rank, app.spot.path, app.spot.line, app.name


def _best(members: Sequence[Stack], rank: Callable[[str], Impact]) -> Impact:
    return rank(members[0].created[0].path)


def _shape(stack: Stack) -> object:
    """What two stacks have in common that look alike: all but the calls that lead there."""

    def of(nodes: Iterable[Node]) -> tuple[object, ...]:
        return tuple(
            (node.name, node.origin, node.place)
            if isinstance(node, Layer)
            else (node.place, tuple((when, of(arm)) for when, arm in node.arms))
            for node in nodes
        )

    outer = tuple(_shape(one) for one in stack.outer)
    return stack.place, stack.kind, stack.handed, stack.opaque, of(stack.nodes), of(stack.wraps), outer


def _view(
    members: Sequence[Stack],
    bound: Sequence[Bound],
    profile: Profiler,
    rank: Callable[[str], Impact],
    mounted: Sequence[AppView],
) -> AppView:
    stack = members[0]
    names = tuple(f"{module_name(path)}:{name}" for path, name in bound)
    symbol = stack.created[-1].symbol
    made_by = f"{module_name(stack.place.path)}:{symbol}()" if symbol else _spoken(stack.place)
    outside = _outer_parts(stack, profile)
    framework = framework_of(stack.kind)
    drawing = _Drawing(profile if has_parts(stack) else _no_parts, outside)
    return AppView(
        name=min(names, key=lambda name: (name.count("."), len(name))) if names else made_by,
        framework=_framework(stack),
        spot=_spot(stack.place),
        impact=_best(members, rank),
        via=tuple(map(_spot, stack.created[:-1])),
        names=names,
        nodes=drawing.stack(stack),
        sees=tuple(sorted(outside | drawing.provided.keys())),
        handed=stack.handed,
        notes=tuple(_notes(stack)),
        uncertain=stack.opaque or bool(stack.partial),
        others=len({one.created for one in members}) - 1,
        mounted=tuple(mounted),
        part=framework is not None and framework.is_part(stack.kind),
    )


def _no_parts(layer: Layer) -> Profile:
    return Profile({})


def _framework(stack: Stack) -> str:
    framework = framework_of(stack.kind)
    if framework is None:
        return stack.kind.module.partition(".")[0]
    return framework.handed if stack.handed else framework.spoken(stack.kind)


def _spoken(place: Place) -> str:
    return f"{place.path}:{place.line}"


def _spot(place: Place) -> Spot:
    return Spot(place.path, place.line, place.symbol)


def _notes(stack: Stack) -> Iterator[str]:
    if stack.opaque:
        yield "its list of layers is changed by hand, so their order is not certain"
    for place in stack.partial:
        yield f"{_spoken(place)} hands it to code that is not known, which may add layers"
    for late in stack.late:
        name = late.layer.name or "a layer"
        yield f"{name} is added in a {late.when}, {_spoken(late.layer.place)}: too late, Starlette refuses it"


def _outer_parts(stack: Stack, profile: Profiler) -> frozenset[str]:
    """What the applications that it is mounted in provide."""
    parts: set[str] = set()
    for outer in stack.outer if has_parts(stack) else ():
        parts |= _outer_parts(outer, profile)
        for layer in outer.layers():
            parts |= profile(layer).sets
    return frozenset(parts)


def _own(names: Iterable[str]) -> tuple[LayerView, ...]:
    """Layers that a framework puts there by itself."""
    return tuple(LayerView(name=name.rpartition(".")[2], origin=name, means="framework") for name in names)


class _Drawing:
    """Turns the nodes of one stack, innermost first, into what is drawn, and keeps account of what they provide."""

    def __init__(self, profile: Profiler, outside: frozenset[str]) -> None:
        self._profile = profile
        self._outside = outside
        self.provided: dict[str, Layer] = {}
        """By part: the outermost of the layers so far that sets it."""

    def stack(self, stack: Stack) -> tuple[NodeView, ...]:
        """All of a stack, outermost first."""
        framework = framework_of(stack.kind) if not stack.handed else None
        above = self._above(stack.inside_out(), {})
        drawn = self._nodes(stack.nodes, above)
        wraps = self._nodes(stack.wraps, above)
        if framework is None:
            return (*wraps, *drawn)
        return (*wraps, *_own(framework.outer), *drawn, *_own(framework.inner))

    def _above(self, nodes: Sequence[Node], above: dict[int, frozenset[str]]) -> dict[int, frozenset[str]]:
        """By the identity of a layer: what some layer further outside may have set."""
        parts = set(self._outside)

        def walk(some: Sequence[Node]) -> None:
            for node in reversed(some):
                if isinstance(node, Layer):
                    above[id(node)] = frozenset(parts)
                    parts.update(self._profile(node).sets)
                else:
                    for _, arm in node.arms:
                        walk(arm)

        walk(nodes)
        return above

    def _nodes(self, nodes: Sequence[Node], above: Mapping[int, frozenset[str]]) -> tuple[NodeView, ...]:
        drawn: list[NodeView] = []
        for node in nodes:
            if isinstance(node, Layer):
                drawn.append(self._layer(node, above[id(node)]))
                self.provided.update(dict.fromkeys(self._profile(node).sets, node))
                continue
            before = dict(self.provided)
            behind = dict(before)
            arms = []
            for when, arm in node.arms:
                self.provided = dict(before)
                arms.append(ArmView(when, self._nodes(arm, above)))
                behind.update(self.provided)
            self.provided = behind
            drawn.append(ChoiceView(_spot(node.place), tuple(arms)))
        return tuple(reversed(drawn))

    def _layer(self, layer: Layer, above: frozenset[str]) -> LayerView:
        known = self._profile(layer)
        unseen = tuple(
            Unseen(part, provider.name or "an unnamed layer", _spot(provider.place))
            for part, provider in sorted(self.provided.items())
            if part not in above and not known.may_provide(part) and provider.origin != layer.origin
        )
        return LayerView(
            name=layer.name or "an unnamed layer",
            origin=_origin(layer),
            spot=_spot(layer.place),
            means=layer.means,
            via=tuple(map(_spot, layer.chain[:-1])),
            code=layer.origin.path if isinstance(layer.origin, ClassAt | FunctionAt) else "",
            reads=tuple(sorted(known.reads)),
            sets=tuple(sorted(known.sets)),
            unseen=unseen,
        )


def _origin(layer: Layer) -> str:
    if layer.origin is None:
        return ""
    if isinstance(layer.origin, External) and not layer.origin.module:
        return layer.origin.name
    return layer_names(layer)[1]


def find(apps: Sequence[AppView], asked: str) -> list[AppView]:
    """The applications that somebody means by `asked`: a name as they have it, the module or the variable of it, a
    path with or without a line, or the function that makes it; where there is none, the end of a name. Mounted ones
    too."""
    every = list(each(apps))
    found = [app for app in every if asked in _called(app)]
    found = found or [app for app in every if any(name.endswith(f".{asked}") for name in _called(app))]
    # One that is mounted in another is shown in it.
    inside = {(one.name, one.spot) for app in found for one in each(app.mounted)}
    return [app for app in found if (app.name, app.spot) not in inside]


def each(apps: Iterable[AppView]) -> Iterator[AppView]:
    """Every application once, those that are mounted in one behind it."""
    seen: set[tuple[str, Spot]] = set()
    waiting = list(apps)[::-1]
    while waiting:
        app = waiting.pop()
        if (app.name, app.spot) not in seen:
            seen.add((app.name, app.spot))
            yield app
            waiting.extend(app.mounted[::-1])


def _called(app: AppView) -> frozenset[str]:
    """Everything that an application may be called."""
    called = {app.name, app.spot.path, f"{app.spot.path}:{app.spot.line}", app.spot.symbol, f"{app.spot.symbol}()"}
    for name in app.names:
        module, _, variable = name.partition(":")
        called |= {name, module, variable, f"{module}.{variable}"}
    for spot in app.via:
        called |= {spot.path, f"{spot.path}:{spot.line}"}
    return frozenset(called - {"", "()"})
