"""What is wrong with the middleware of Django projects: order, what is missing, what is there twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from guard.checks import django_known as known
from guard.checks.django import Project, Projects
from guard.checks.django_known import Need
from guard.checks.django_settings import Known, Many
from guard.checks.middleware_stack import Choice, Condition, Layer, Way

_LIKE: Final = {
    known.UPDATE_CACHE: "cache",
    known.LOCALE: "local",
    known.GZIP: "compress",
    known.MESSAGES: "messag",
}
"""What the name of an unknown layer has in it that may stand in for one of Django's."""


class Wrong(msgspec.Struct, frozen=True):
    """A layer that stands outside of one that it has to stand inside of."""

    need: Need
    project: Project
    outside: Layer
    inside: Layer
    conditions: tuple[Condition, ...]


class Missing(msgspec.Struct, frozen=True):
    """A layer that something needs is not there."""

    wanted: str
    """Dotted name of the layer that is missing."""
    project: Project
    by: Layer | None
    """What needs it; None for the admin."""
    effect: str
    conditions: tuple[Condition, ...]


class Double(msgspec.Struct, frozen=True):
    """A layer that is there twice."""

    project: Project
    outer: Layer
    inner: Layer
    conditions: tuple[Condition, ...]


def wrong_orders(project: Project, projects: Projects) -> Iterator[Wrong]:
    """Pairs of Django's own layers that break something as they stand, and no other layer makes up for it."""
    for need in known.NEEDS:
        if not _holds(need, project, projects):
            continue
        for way in _ways(project, _concerned(need, projects)):
            for number, layer in enumerate(way.layers):
                around = way.layers[number + 1 :]
                if layer.written != need.inner or any(_may_serve(other, need, projects) for other in around):
                    continue
                inside = [other for other in way.layers[:number] if projects.is_a(other, need.outer)]
                if inside:
                    yield Wrong(need, project, layer, inside[-1], way.conditions)


def missing(project: Project, projects: Projects) -> Iterator[Missing]:
    """Layers that others need, or the admin, and that are on some way not there at all."""
    told: set[str] = set()
    for need in known.REQUIRED_TOGETHER:
        if not _holds(need, project, projects):
            continue
        for way in _ways(project, _concerned(need, projects)):
            alone = all(layer.written == need.inner for layer in way.layers)
            if way.layers and alone and need.outer not in told:
                told.add(need.outer)
                yield Missing(need.outer, project, way.layers[0], need.effect, way.conditions)
    if not _has_admin(project):
        return
    for wanted in known.ADMIN_NEEDS:
        for way in _ways(project, _concerned(Need("", wanted, "", _PARTS.get(wanted, "")), projects)):
            if not way.layers and wanted not in told:
                told.add(wanted)
                effect = f"`manage.py` stops with admin.{known.ADMIN_CHECKS[wanted]}, and the admin fails."
                yield Missing(wanted, project, None, effect, way.conditions)


def _concerned(need: Need, projects: Projects) -> Callable[[Layer], bool]:
    """The layers that a need is about."""
    return lambda layer: layer.written == need.inner or _may_serve(layer, need, projects)


_PARTS: Final = {known.SESSION: "session", known.AUTHENTICATION: "user"}


def twice(project: Project) -> Iterator[Double]:
    """Layers that one way through the settings has two times."""
    counts: dict[str, int] = {}
    for layer in project.stack.layers():
        if layer.written:
            counts[layer.written] = counts.get(layer.written, 0) + 1
    for name in (name for name, count in counts.items() if count > 1):
        for way in _ways(project, _is_named(name)):
            if len(way.layers) > 1:
                yield Double(project, way.layers[-1], way.layers[-2], way.conditions)
                break


def _is_named(name: str) -> Callable[[Layer], bool]:
    return lambda layer: layer.written == name


def _ways(project: Project, keep: Callable[[Layer], bool]) -> tuple[Way, ...]:
    return tuple(project.stack.ways(keep) or ())


def _holds(need: Need, project: Project, projects: Projects) -> bool:
    """Whether the settings are such that the need is one."""
    if not need.setting:
        return True
    if need.value is None:
        return not projects.binds(project, need.setting)
    return project.settings.variables.get(need.setting) == Known(need.value is True)


def _may_serve(layer: Layer, need: Need, projects: Projects) -> bool:
    """Whether a layer may be what is needed, or do the same."""
    if not layer.written:
        return True
    if layer.written == need.inner:
        return False
    if need.part and projects.profile(layer).may_provide(need.part):
        return True
    is_a = projects.is_a(layer, need.outer)
    if is_a is None:
        return not need.part and _LIKE.get(need.outer, "") in layer.written.lower()
    return is_a


def _has_admin(project: Project) -> bool:
    """Whether the admin is certainly installed."""
    apps = project.settings.apps
    if not isinstance(apps, Many):
        return False
    return any(not isinstance(app, Choice) and app.written in known.ADMIN_APPS for app in apps.nodes)
