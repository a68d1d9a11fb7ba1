"""Every application of a program as a reader wants it: those of Starlette and FastAPI, and Django projects."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

import msgspec

from guard.checks import django, middleware
from guard.checks.django import Project, Projects
from guard.checks.middleware_stack import module_name
from guard.checks.middleware_view import AppView, Spot, order, views
from guard.model import Impact

if TYPE_CHECKING:
    from guard.program import Program


APPLICATIONS = "applications"
"""The name under which a report keeps them."""
_KEPT: msgspec.msgpack.Decoder[tuple[AppView, ...]] = msgspec.msgpack.Decoder(tuple[AppView, ...])


def packed(apps: Sequence[AppView]) -> bytes:
    """Applications as bytes, for `unpacked`. What no UTF-8 can hold of a name is an escape in it from then on."""
    try:
        return msgspec.msgpack.encode(apps)
    except UnicodeEncodeError:
        return msgspec.msgpack.encode(_escaped(msgspec.to_builtins(apps)))


def _escaped(value: object) -> object:
    if isinstance(value, str):
        return _SURROGATE.sub(lambda match: f"\\x{ord(match.group()) & 0xFF:02x}", value)
    if isinstance(value, dict):
        return {name: _escaped(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_escaped(item) for item in value]
    return value


_SURROGATE: Final = re.compile("[\ud800-\udfff]")


def unpacked(kept: Mapping[str, bytes]) -> tuple[AppView, ...]:
    """The applications that a report keeps; none where it keeps none."""
    content = kept.get(APPLICATIONS)
    return _KEPT.decode(content) if content is not None else ()


def only_within(kept: Mapping[str, bytes], within: Callable[[str], bool]) -> dict[str, bytes]:
    """What a report keeps, with only those applications that are created in some part of the tree."""
    apps = [app for app in unpacked(kept) if within(app.spot.path)]
    return {**kept, APPLICATIONS: packed(apps)} if APPLICATIONS in kept else dict(kept)


def applications(program: Program, rank: Callable[[str], Impact]) -> tuple[AppView, ...]:
    """All applications, production first. `rank` says what a file is for."""
    stacks = program.linked(middleware.FAMILY)
    projects = program.linked(django.FAMILY)
    found = views(stacks.bound, stacks.profile, rank)
    found += [_project(project, projects, rank) for project in projects.all if any(project.stack.layers())]
    return tuple(sorted(found, key=order))


def _project(project: Project, projects: Projects, rank: Callable[[str], Impact]) -> AppView:
    (view,) = views({project.stack: ()}, projects.profile, rank)
    named = tuple(Spot(place.path, place.line) for place in project.named)
    names = tuple(dict.fromkeys((project.name, module_name(project.settings.path))))
    paths = (project.settings.path, *(spot.path for spot in named))
    impact = min((rank(path) for path in paths), key=lambda one: one.rank)
    return msgspec.structs.replace(
        view, name=project.name, names=names, named=named, unnamed=not project.certain, impact=impact
    )
