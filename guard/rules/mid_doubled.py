"""MID: middleware that is there twice, or added apart from the rest."""

from __future__ import annotations

from collections.abc import Iterator

from guard.checks.middleware import FAMILY
from guard.checks.middleware_faults import Elsewhere, Twice, added_elsewhere, installed_twice
from guard.checks.middleware_stack import Layer, Place
from guard.impact import reach_of
from guard.model import Impact, Related, Severity, Span, Violation
from guard.program import Program
from guard.registry import rule
from guard.rules import mid_django
from guard.rules.mid_words import application, called, conditions, severity_of


@rule("MID003", "installed-twice", Severity.ERROR)
def twice(program: Program) -> Iterator[Violation]:
    """One layer of middleware is in a stack two times.

    ## What it does
    Reports a layer that is added twice on one way through the set-up code: of the framework's own classes, or of a
    class or function of the tree with the same arguments. Two branches that exclude one another are two ways. In
    Django, a layer that `MIDDLEWARE` names twice, whichever settings modules do.

    ## What breaks in production
    Every request passes it twice. Two `CORSMiddleware` are two different policies; of two `SessionMiddleware`, the
    outer one's session is lost; what counts, limits or logs does it twice.

    ## Bad
    `app/main.py`:

    ```python
    from fastapi import FastAPI
    from starlette.middleware.gzip import GZipMiddleware


    def set_up(app):
        app.add_middleware(GZipMiddleware)


    app = FastAPI()
    set_up(app)
    app.add_middleware(GZipMiddleware, minimum_size=500)  # <- MID003
    ```

    ## Good
    `app/main.py`:

    ```python
    from fastapi import FastAPI
    from starlette.middleware.gzip import GZipMiddleware


    def set_up(app):
        app.add_middleware(GZipMiddleware, minimum_size=500)


    app = FastAPI()
    set_up(app)
    ```

    ## Configuration
    None.

    ## What it cannot see
    Two tests that are written differently and hold at the same time. A class that is given other arguments the second
    time may be meant, so nothing is said of it.
    """
    reported: set[tuple[Place, Place]] = set()
    for stack in program.linked(FAMILY).all:
        for found in installed_twice(stack):
            places = _parted(found.first, found.second)
            if places not in reported:
                reported.add(places)
                yield _twice(found, *places)
    yield from mid_django.doubled(program)


def _parted(one: Layer, other: Layer) -> tuple[Place, Place]:
    """The statements that lead to the one and to the other, in the function that does both."""
    for mine, its in zip(one.chain, other.chain, strict=False):
        if mine != its:
            return mine, its
    return one.place, other.place


def _twice(found: Twice, first: Place, second: Place) -> Violation:
    name = called(found.second)
    related = [Related(first.path, first.line, "the first time")]
    for layer, place in ((found.first, first), (found.second, second)):
        if layer.place not in (first, second) and layer.place != place:
            related.append(Related(layer.place.path, layer.place.line, f"the statement that adds {name}"))
    return Violation(
        path=second.path,
        span=Span(*second.span),
        message=f"{name} is added to this application for the second time{conditions(found.conditions)}",
        anchor=f"{name} twice",
        symbol=second.symbol,
        cause=f"Every request passes {name} twice.",
        help="Add it in one place.",
        related=(*dict.fromkeys(related), *application(found.stack)),
        severity=severity_of(found.stack),
        lazy=True,
        data={"layer": name},
    )


@rule("MID010", "added-elsewhere", Severity.INFO)
def elsewhere(program: Program) -> Iterator[Violation]:
    """A layer is added apart from the others, so its place depends on who is called first.

    ## What it does
    Reports a layer that another module adds than the one that creates the application and adds layers to it, or that is
    added by a function which the rest of the set-up code does not call. In tests this is usual, and not reported.

    ## What breaks in production
    Whether the layer is there, and what it stands outside of, is decided by the order of imports and calls in another
    place. A change there moves it without a word.

    ## Bad
    `app/main.py`:

    ```python
    from fastapi import FastAPI
    from starlette.middleware.gzip import GZipMiddleware

    app = FastAPI()
    app.add_middleware(GZipMiddleware)
    ```

    `app/hosts.py`:

    ```python
    from starlette.middleware.trustedhost import TrustedHostMiddleware

    from app.main import app

    app.add_middleware(TrustedHostMiddleware, allowed_hosts=["example.org"])  # <- MID010
    ```

    ## Good
    `app/main.py`:

    ```python
    from fastapi import FastAPI
    from starlette.middleware.gzip import GZipMiddleware
    from starlette.middleware.trustedhost import TrustedHostMiddleware

    app = FastAPI()
    app.add_middleware(GZipMiddleware)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=["example.org"])
    ```

    ## Configuration
    None.

    ## What it cannot see
    A function that is called by a name in a string, or by a framework.
    """
    reach = reach_of(program)
    reported: set[Place] = set()
    for stack in program.linked(FAMILY).all:
        for found in added_elsewhere(stack):
            place = found.layer.chain[0]
            if place not in reported and reach.kind(place.path) is Impact.RUNTIME:
                reported.add(place)
                yield _elsewhere(found, place)


def _elsewhere(found: Elsewhere, place: Place) -> Violation:
    name, rest = called(found.layer), found.rest.chain[0]
    where = f"in {place.symbol}()" if place.symbol else "when this module is imported"
    return Violation(
        path=place.path,
        span=Span(*place.span),
        message=f"{name} is added {where}, apart from the application's other layers",
        anchor=f"{name} elsewhere",
        symbol=place.symbol,
        cause="Whether it is there, and outside of which layers, depends on the order of imports and calls.",
        help="Add it where the others are added.",
        related=(Related(rest.path, rest.line, f"{called(found.rest)} is added here"), *application(found.stack)),
        lazy=True,
        data={"layer": name},
    )
