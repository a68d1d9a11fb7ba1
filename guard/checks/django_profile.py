"""What a layer of Django's does with requests: what it reads before the layers inside it, and what it provides."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from guard.checks import django_known as known
from guard.checks.middleware_profile import Gathering, Profile
from guard.checks.middleware_sources import Sources
from guard.checks.middleware_stack import ClassAt, FunctionAt, Layer
from guard.checks.modules import External

_MAY_PROVIDE: Final[Mapping[str, re.Pattern[str]]] = {
    "session": re.compile("session", re.IGNORECASE),
    "user": re.compile("auth|user|login|jwt|token|oidc|account|identity|session|impersonat|hijack|sso", re.IGNORECASE),
    "auth": re.compile("auth|user|login", re.IGNORECASE),
}
"""By part of the request: the names of unknown layers that may well set it."""
_PARTS: Final = frozenset({"session", "user"})


class DjangoProfiles:
    """The profiles of all layers, made when they are asked for."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._made: dict[tuple[object, ...], Profile] = {}

    def of(self, layer: Layer) -> Profile:
        """What a layer does."""
        key = (layer.origin, layer.written)
        if key not in self._made:
            self._made[key] = self._profile(layer)
        return self._made[key]

    def is_a(self, layer: Layer, name: str) -> bool | None:
        """Whether a layer is of one of Django's classes, or extends it; None where that is not known."""
        if layer.written == name:
            return True
        if isinstance(layer.origin, External) and layer.origin.module.startswith("django."):
            return False
        if not isinstance(layer.origin, ClassAt):
            # A function extends no class; what a third party's class extends is not known.
            return False if isinstance(layer.origin, FunctionAt) else None
        certain = True
        for ancestor in self._sources.ancestors(layer.origin):
            if isinstance(ancestor, External):
                if f"{ancestor.module}.{ancestor.name}" == name or ancestor.name == name.rpartition(".")[2]:
                    return True
                certain = certain and _is_plain(ancestor)
            elif ancestor is None:
                certain = False
        return False if certain else None

    def _profile(self, layer: Layer) -> Profile:
        origin = layer.origin
        if origin is None:
            return _DjangoProfile({}, open=True, name=layer.written)
        if isinstance(origin, External):
            if layer.written.startswith("django."):
                return _DjangoProfile({}, known.PROVIDES.get(layer.written, frozenset()), name=layer.name)
            return _DjangoProfile({}, open=True, name=layer.written)
        gathering = Gathering(self._sources)
        provided: frozenset[str] = frozenset()
        is_open = False
        if isinstance(origin, FunctionAt):
            inner = self._inner(origin)
            if inner is None:
                return _DjangoProfile({}, open=True, name=layer.written)
            gathering.enter(inner, 0, None)
        else:
            for ancestor in self._sources.ancestors(origin):
                if ancestor is None:
                    is_open = True
                elif isinstance(ancestor, External):
                    provided |= known.PROVIDES.get(f"{ancestor.module}.{ancestor.name}", frozenset())
                    is_open = is_open or not _is_plain(ancestor)
            for entry in ("__call__", "process_request"):
                at = self._sources.method(origin, entry)
                if at is not None:
                    gathering.enter(at, 1, origin)
        reads = {part: read for part, read in gathering.reads.items() if part in _PARTS}
        sets = provided | (gathering.sets & (_PARTS | {"auth"}))
        return _DjangoProfile(reads, sets, open=is_open, name=layer.written)

    def _inner(self, at: FunctionAt) -> FunctionAt | None:
        """The function that a middleware factory gives: the one in it that is handed the request."""
        inside = list(self._handed_requests(at))
        return inside[0] if len(inside) == 1 else None

    def _handed_requests(self, at: FunctionAt) -> Iterator[FunctionAt]:
        facts = self._sources.facts.get(at.path)
        for flow in facts.flows if facts is not None else ():
            head, _, name = flow.name.rpartition(".")
            if head == at.name and name and flow.params[:1]:
                yield FunctionAt(at.path, flow.name)


class _DjangoProfile(Profile, frozen=True):
    """A profile that knows which names may provide what under Django."""

    def may_provide(self, part: str) -> bool:
        """Whether the part may be there inside this layer, because of it."""
        if part in self.sets:
            return True
        pattern = _MAY_PROVIDE.get(part)
        return self.open and (not self.name or pattern is None or bool(pattern.search(self.name)))


def _is_plain(base: External) -> bool:
    """Whether all that a base class does is known: one of Django's, or none that matters."""
    return base.module.split(".")[0] in ("django", "abc", "typing", "builtins", "") or base.name == "object"
