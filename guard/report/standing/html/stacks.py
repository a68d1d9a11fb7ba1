"""The middleware of applications as pictures: boxes in boxes, the outermost sees a request first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec

from guard.checks.middleware_view import AppView, LayerView, NodeView, Spot, each

MOST: Final = 12
DEEPEST: Final = 40
"""Boxes in boxes, at the most."""


class Ring(msgspec.Struct, frozen=True, kw_only=True):
    """One layer."""

    name: str
    place: str
    """Where it is added, and when it runs where Flask calls it; empty for one that the framework puts there itself."""
    when: str
    """The conditions under which it is there; empty where it always is."""
    sets: str
    reads: str
    unseen: str
    """What it cannot see, and the layers that set it."""
    early: str
    """Of that, what it reads all the same."""


class Picture(msgspec.Struct, frozen=True, kw_only=True):
    """One application."""

    name: str
    framework: str
    place: str
    named: tuple[str, ...]
    """Where a Django settings module is named."""
    within: str
    """The application that it is mounted in."""
    rings: tuple[Ring, ...]
    """Outermost first."""
    sees: str
    notes: tuple[str, ...]


def pictures(apps: Iterable[AppView]) -> list[Picture]:
    """The applications that have middleware of their own, in their order; those that are mounted in one behind it."""
    found: list[Picture] = []
    above: dict[tuple[str, Spot], str] = {}
    for app in each(app for app in apps if not (app.handed or app.unnamed)):
        above.update(dict.fromkeys(((one.name, one.spot) for one in app.mounted), app.name))
        if any(True for _ in app.layers()):
            found.append(
                Picture(
                    name=app.name,
                    framework=app.framework,
                    place=_place(app.spot),
                    named=tuple(map(_place, app.named)),
                    within=above.get((app.name, app.spot), ""),
                    rings=tuple(_rings(app.nodes, ())),
                    sees=_parts(app.sees),
                    notes=app.notes,
                )
            )
    return found


def _rings(nodes: Sequence[NodeView], under: tuple[str, ...]) -> Iterator[Ring]:
    for node in nodes:
        if isinstance(node, LayerView):
            yield _ring(node, under)
        else:
            for arm in node.arms:
                yield from _rings(arm.nodes, (*under, arm.when) if arm.when else under)


def _ring(layer: LayerView, under: tuple[str, ...]) -> Ring:
    providers: dict[str, list[str]] = {}
    for one in layer.unseen:
        providers.setdefault(one.provider, []).append(one.part)
    blind = {one.part for one in layer.unseen}
    return Ring(
        name=layer.name,
        place=", ".join(filter(None, (_place(layer.spot) if layer.spot is not None else "", layer.hook))),
        when=" and ".join(under),
        sets=_parts(layer.sets),
        reads=_parts(part for part in layer.reads if part not in blind),
        unseen="; ".join(f"{_parts(parts)} ({provider})" for provider, parts in providers.items()),
        early=_parts(part for part in layer.reads if part in blind),
    )


def _place(spot: Spot) -> str:
    return f"{spot.path}:{spot.line}"


def _parts(parts: Iterable[str]) -> str:
    return ", ".join(f"request.{part}" for part in parts)
