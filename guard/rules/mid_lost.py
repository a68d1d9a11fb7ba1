"""MID: middleware that a change has lost."""

from __future__ import annotations

import re
from collections.abc import Iterator

from guard.checks.application_views import unpacked
from guard.checks.middleware_compare import AppChange, LayerChange, compare
from guard.checks.middleware_trail import Code, TrailEnd, trail_end
from guard.checks.middleware_view import AppView
from guard.model import Related, Severity, Span, Violation
from guard.program import Program
from guard.registry import Change, rule


def _lost(change: Change) -> Iterator[Violation]:
    """The layers that an earlier tree has around an application of production, and a later one has not."""
    code = Code(change.read)
    for found in compare(unpacked(change.before), unpacked(change.now), change.moved):
        if found.change != "changed" or found.now is None or _is_uncertain(found.now):
            continue
        still = {layer.name for layer in found.layers if layer.change != "gone"}
        for layer in found.layers:
            if layer.change == "gone" and layer.name not in still and _is_still_there(layer, change):
                yield _violation(layer, found, found.now, trail_end(layer, change.moved, code))


def _is_uncertain(app: AppView) -> bool:
    """Whether the application may have layers that are not known: the one that is missed may be among them."""
    return app.uncertain or any(not layer.origin for layer, _ in app.layers())


def _is_still_there(layer: LayerChange, change: Change) -> bool:
    """Whether the code of a layer of the tree is still there; of another one, whether the file that added it still
    speaks of it."""
    later = {earlier: path for path, earlier in change.moved.items()}
    name = re.escape(layer.name)
    if layer.code:
        text = change.read(later.get(layer.code, layer.code))
        return re.search(rf"^[ \t]*(?:class|(?:async[ \t]+)?def)[ \t]+{name}\b", text, re.MULTILINE) is not None
    if layer.before is None:
        return False
    text = change.read(later.get(layer.before.path, layer.before.path))
    code = "\n".join(line.partition("#")[0] for line in text.splitlines())
    return re.search(rf"\b{name}\b", code) is not None


def _violation(layer: LayerChange, found: AppChange, app: AppView, end: TrailEnd | None) -> Violation:
    was = f", when {' and '.join(layer.when_before)}" if layer.when_before else ""
    related = [Related(layer.code, 1, f"{layer.name} is still defined in this file")] if layer.code else []
    cause = "Requests are served without it now."
    if layer.before is not None:
        place = f"{layer.before.path}:{layer.before.line} of the earlier revision"
        cause = f"It was added in {place}{was}; requests are served without it now."
    if end is not None and (end.spot.path, end.spot.symbol) == (app.spot.path, app.spot.symbol):
        end = None  # the application itself is nearer to what is missing than the top of the function
    if end is not None:
        related.insert(0, Related(app.spot.path, app.spot.line, "the application"))
        lost = f"does not call {end.next}() any more, which led to it" if end.next else "does not add it any more"
        cause = f"{end.spot.symbol}() {lost}. {cause}"
    spot = end.spot if end is not None else app.spot
    return Violation(
        path=spot.path,
        span=Span(spot.line),
        message=f"{found.name} has lost the layer {layer.name}, whose code is still there",
        anchor=f"{found.name} without {layer.name}",
        symbol=spot.symbol,
        cause=cause,
        help=f"Add {layer.name} again, or remove its code with it where it is not wanted any more.",
        related=tuple(related),
        impact=app.impact,
        data={"layer": layer.name, "application": found.name},
    )


@rule("MID009", "layer-lost", Severity.WARNING, compare=_lost)
def layer_lost(program: Program) -> Iterator[Violation]:
    """A change has taken a layer of middleware away from an application, and left its code behind.

    ## What it does
    Compares two trees, with `--since` or at the gate `pre-commit`: an application of production whose stack had a layer
    that it has no more on any way, though the layer's class or function is still defined (of one from a package: though
    the file that added it still speaks of it). Where it stands now, or under which conditions, is no matter:
    `guard show middleware --since REV` tells that. The finding is at the function on the way to the layer that does not
    lead there any more; where that is no function, or cannot be told, at the application.

    ## What breaks in production
    A merge or a clean-up that drops the one line which adds a layer breaks no import and no test of the layer. The
    service starts, and serves requests without authentication, sessions or CORS.

    ## Bad
    before `app/main.py`:

    ```python
    from fastapi import FastAPI

    from app.tenants import Tenants

    app = FastAPI()
    app.add_middleware(Tenants)
    ```

    `app/main.py`:

    ```python
    from fastapi import FastAPI

    app = FastAPI()  # <- MID009
    ```

    `app/tenants.py`:

    ```python
    from starlette.middleware.base import BaseHTTPMiddleware


    class Tenants(BaseHTTPMiddleware):
        async def dispatch(self, request, call_next):
            return await call_next(request)
    ```

    ## Good
    before `app/main.py`:

    ```python
    from fastapi import FastAPI

    from app.tenants import Tenants

    app = FastAPI()
    app.add_middleware(Tenants)
    ```

    before `app/tenants.py`:

    ```python
    from starlette.middleware.base import BaseHTTPMiddleware


    class Tenants(BaseHTTPMiddleware):
        async def dispatch(self, request, call_next):
            return await call_next(request)
    ```

    `app/main.py`:

    ```python
    from fastapi import FastAPI

    app = FastAPI()
    ```

    ## Configuration
    None. It is a warning of one change: the next one does not have it any more, so nothing has to be suppressed.

    ## What it cannot see
    An application that has another name and another place than before. Where the later one has layers that are not
    known, or unknown code is handed it, nothing is said. Layers of a Django package, whose names stand in the settings
    only, are gone without a trace.
    """
    yield from ()  # one tree alone says nothing of a change
