"""What became of the applications between two trees: layers gone, added, moved, or there under other conditions."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from guard.checks.middleware_view import AppView, LayerView, Spot, each

Held = tuple[LayerView, tuple[str, ...]]
"""A layer, and the conditions under which it is there."""


class LayerChange(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one layer."""

    name: str
    change: str
    """`gone`, `added`, `moved`, `conditional` where other conditions hold for it, or `same`."""
    before: Spot | None = None
    now: Spot | None = None
    way_before: tuple[Spot, ...] = ()
    """Of one that is gone: the calls that led to where it was added, the first one first."""
    when_before: tuple[str, ...] = ()
    when_now: tuple[str, ...] = ()
    origin: str = ""
    code: str = ""
    """The file of this tree that it is defined in."""


class AppChange(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one application."""

    name: str
    change: str
    """`gone`, `added`, `changed` or `same`."""
    before: AppView | None = None
    now: AppView | None = None
    layers: tuple[LayerChange, ...] = ()
    """Outermost first as they are now, each one that is gone behind the layer that it stood inside of."""


def compare(before: Sequence[AppView], now: Sequence[AppView], moved: Mapping[str, str]) -> tuple[AppChange, ...]:
    """Each application of the two trees, in the order of the later one, those that are gone at the end. `moved` gives
    the earlier path of a file that was moved. Functions that are handed an application are left out."""
    left = [app for app in each(before) if not app.handed]
    later = [app for app in each(now) if not app.handed]
    pairs: dict[int, AppView] = {}
    for alike in (_same_name, _same_code, _same_file):
        for number, app in enumerate(later):
            if number in pairs:
                continue
            found = [one for one in left if one.framework == app.framework and alike(one, app, moved)]
            if len(found) == 1 or (found and alike is not _same_file):
                pairs[number] = found[0]
                left.remove(found[0])
    changes = [_change(pairs.get(number), app, moved) for number, app in enumerate(later)]
    changes += [AppChange(name=app.name, change="gone", before=app, layers=tuple(_all_gone(app))) for app in left]
    return tuple(changes)


def _same_name(one: AppView, other: AppView, moved: Mapping[str, str]) -> bool:
    return not set(one.names).isdisjoint(other.names)


def _same_code(one: AppView, other: AppView, moved: Mapping[str, str]) -> bool:
    path = moved.get(other.spot.path, other.spot.path)
    names = {name.partition(":")[2] for name in one.names}, {name.partition(":")[2] for name in other.names}
    return (one.spot.path, one.spot.symbol) == (path, other.spot.symbol) and (
        bool(names[0] & names[1]) or (not names[0] or not names[1])
    )


def _same_file(one: AppView, other: AppView, moved: Mapping[str, str]) -> bool:
    return one.spot.path == moved.get(other.spot.path, other.spot.path)


def _all_gone(app: AppView) -> Iterator[LayerChange]:
    for layer, when in app.layers():
        yield LayerChange(
            name=layer.name,
            change="gone",
            before=layer.spot,
            way_before=layer.via,
            when_before=when,
            origin=layer.origin,
            code=layer.code,
        )


def _change(before: AppView | None, now: AppView, moved: Mapping[str, str]) -> AppChange:
    if before is None:
        layers = [
            LayerChange(name=layer.name, change="added", now=layer.spot, when_now=when, origin=layer.origin)
            for layer, when in now.layers()
        ]
        return AppChange(name=now.name, change="added", now=now, layers=tuple(layers))
    layers = _layer_changes(list(before.layers()), list(now.layers()), moved)
    changed = any(layer.change != "same" for layer in layers)
    return AppChange(
        name=now.name, change="changed" if changed else "same", before=before, now=now, layers=tuple(layers)
    )


def _layer_changes(before: Sequence[Held], now: Sequence[Held], moved: Mapping[str, str]) -> list[LayerChange]:
    earlier, later = _identities(before, {}), _identities(now, moved)
    places = {identity: number for number, identity in enumerate(earlier)}
    common = [identity for identity in later if identity in places]
    kept = {common[number] for number in _longest_rising([places[identity] for identity in common])}
    changes: list[LayerChange] = []
    told = 0
    for identity, (layer, when) in zip(later, now, strict=True):
        at = places.get(identity)
        if at is None:
            changes.append(
                LayerChange(name=layer.name, change="added", now=layer.spot, when_now=when, origin=layer.origin)
            )
            continue
        if identity in kept:  # what stood outside of it and is gone comes before it
            changes += _gone(before[told:at], earlier[told:at], set(later))
            told = at + 1
        was, when_before = before[at]
        change = "moved" if identity not in kept else "conditional" if when != when_before else "same"
        changes.append(
            LayerChange(
                name=layer.name,
                change=change,
                before=was.spot,
                now=layer.spot,
                when_before=when_before,
                when_now=when,
                origin=layer.origin,
                code=layer.code,
            )
        )
    return changes + _gone(before[told:], earlier[told:], set(later))


def _gone(held: Sequence[Held], identities: Sequence[object], later: set[object]) -> list[LayerChange]:
    return [
        LayerChange(
            name=layer.name,
            change="gone",
            before=layer.spot,
            way_before=layer.via,
            when_before=when,
            origin=layer.origin,
            code=layer.code,
        )
        for (layer, when), identity in zip(held, identities, strict=True)
        if identity not in later
    ]


def _identities(held: Sequence[Held], moved: Mapping[str, str]) -> list[object]:
    """What each layer is, wherever it is added; the n-th of several alike is another one."""
    counts: dict[object, int] = {}
    found: list[object] = []
    for layer, _ in held:
        what = (moved.get(layer.code, layer.code), layer.name) if layer.code else (layer.origin or layer.name)
        counts[what] = counts.get(what, -1) + 1
        found.append((what, counts[what]))
    return found


def _longest_rising(numbers: Sequence[int]) -> list[int]:
    """The positions of a longest rising subsequence."""
    ends: list[int] = []
    at: list[int] = []
    back: list[int] = []
    for position, number in enumerate(numbers):
        where = bisect_left(ends, number)
        back.append(at[where - 1] if where else -1)
        if where == len(ends):
            ends.append(number)
            at.append(position)
        else:
            ends[where], at[where] = number, position
    chosen = []
    position = at[-1] if at else -1
    while position >= 0:
        chosen.append(position)
        position = back[position]
    return chosen[::-1]
