"""MID: middleware that is missing, or that may be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from guard.checks.middleware import FAMILY, Stacks
from guard.checks.middleware_endpoints import Served, Unprovided
from guard.checks.middleware_faults import Lacking, Vanishing, lacking, vanishing
from guard.checks.middleware_framework import Framework
from guard.checks.middleware_frameworks import FRAMEWORKS, framework_of, has_parts
from guard.checks.middleware_order import matches
from guard.checks.middleware_stack import Layer, Place, Stack
from guard.impact import Reach, reach_of
from guard.model import Impact, Related, Severity, Span, Violation
from guard.program import Program
from guard.registry import rule
from guard.rules import mid_django
from guard.rules.mid_words import application, called, conditions, effect, spoken


@rule("MID002", "missing-middleware", Severity.ERROR)
def missing(program: Program) -> Iterator[Violation]:
    """A layer of middleware that the application needs is not there.

    ## What it does
    Reports an application of production that lacks a layer which the configuration requires, on some way through the
    conditionals; and a read of `request.session`, `.user` or `.auth` in an endpoint, a dependency, a helper of one,
    or a layer, where nothing in the application provides it. In Django, where `MIDDLEWARE` lacks what one of its own
    layers needs (`AuthenticationMiddleware` and `MessageMiddleware` need `SessionMiddleware`), or what the admin does.

    ## What breaks in production
    Without its layer, `request.session` (`.user`, `.auth`) raises AssertionError: every request that comes there is a
    500.

    ## Bad
    `app/main.py`:

    ```python
    from fastapi import FastAPI, Request

    app = FastAPI()


    @app.get("/visits")
    async def visits(request: Request):
        return request.session.get("visits", 0)  # <- MID002
    ```

    ## Good
    `app/main.py`:

    ```python
    from fastapi import FastAPI, Request
    from starlette.middleware.sessions import SessionMiddleware

    app = FastAPI()
    app.add_middleware(SessionMiddleware, secret_key="…")


    @app.get("/visits")
    async def visits(request: Request):
        return request.session.get("visits", 0)
    ```

    ## Configuration
    `[tool.guard.middleware] required = ["CORSMiddleware", "app.auth.*"]`: names, dotted names or patterns. Each must
    be in the stack of every application that is served: those of production, or those of the entry points where some
    are known. An application that is mounted in another one need not have them. A layer that applications of one
    framework have anywhere is not asked of those of another. Django's settings need them where
    there is no application of another framework, for which they are meant otherwise.

    ## What it cannot see
    Endpoints whose request has no annotation. Where unknown code is handed the application, its list of layers is
    edited by hand, or any code puts a session into a scope, nothing is said. A read under a handler that swallows the
    AssertionError is taken for an optional one.
    """
    stacks = program.linked(FAMILY)
    reach = reach_of(program)
    for found in _required(stacks, program.config.middleware.required, reach):
        yield _lacks(found)
    served = Served(stacks, lambda path: reach.kind(path) is Impact.RUNTIME)
    reported: set[tuple[Place, str]] = set()
    for unprovided in served.unprovided():
        key = (unprovided.read.place, unprovided.read.part)
        if key not in reported:
            reported.add(key)
            yield _unprovided(unprovided)
    yield from mid_django.lacks(program)


def _required(stacks: Stacks, required: tuple[str, ...], reach: Reach) -> Iterator[Lacking]:
    if not required:
        return
    variants: dict[Place, list[Stack]] = {}
    for stack in stacks.all:
        if not stack.handed:
            variants.setdefault(stack.place, []).append(stack)
    frameworks = {pattern: _asked(stacks, pattern) for pattern in required}
    for place, same in variants.items():
        if any(stack.outer for stack in same) or reach.kind(place.path) is not Impact.RUNTIME:
            continue
        starts = {stack.created[0].path for stack in same}
        if not reach.startup or not reach.startup.isdisjoint(starts):
            framework = framework_of(same[0].kind)
            yield from lacking(same, [pattern for pattern in required if framework in frameworks[pattern]])


def _asked(stacks: Stacks, pattern: str) -> frozenset[Framework | None]:
    """The frameworks whose applications need a layer: those that have it anywhere in the tree, else the first one."""
    served = [stack for stack in stacks.all if not stack.handed]
    having = {framework_of(one.kind) for one in served if any(matches(layer, pattern) for layer in one.layers())}
    there = {framework_of(stack.kind) for stack in served}
    return frozenset(having) or frozenset([one for one in FRAMEWORKS if one in there][:1])


def _lacks(found: Lacking) -> Violation:
    place = found.stack.place
    return Violation(
        path=place.path,
        span=Span(*place.span),
        message=f"this application has no {found.pattern}, which the configuration requires"
        + conditions(found.conditions),
        anchor=f"no {found.pattern}",
        symbol=place.symbol,
        cause="Requests are served without the layer that the configuration asks for.",
        help=f"Add {found.pattern} on every way through the set-up code.",
        related=tuple(Related(c.place.path, c.place.line, f"decided here: {c.when}") for c in found.conditions),
        data={"required": found.pattern},
    )


_PROVIDERS: Mapping[str, str] = {
    "session": "SessionMiddleware",
    "user": "AuthenticationMiddleware",
    "auth": "AuthenticationMiddleware",
}


def _unprovided(found: Unprovided) -> Violation:
    read = found.read
    part, provider = spoken(read.part), _PROVIDERS[read.part]
    reader = called(found.layer) if found.layer is not None else read.place.symbol.partition("@")[0]
    return Violation(
        path=read.place.path,
        span=Span(*read.place.span),
        message=f"{part} is read in {reader}, and no layer of the application provides it",
        anchor=f"{read.how} {read.part} in {reader}",
        symbol=read.place.symbol,
        cause=effect(read.part, read.how, caught=False),
        help=f"Add {provider} to the application, outside of what reads {part}.",
        related=application(found.stack),
        lazy=True,
        data={"part": read.part, "reader": reader},
    )


@rule("MID006", "install-may-vanish", Severity.WARNING)
def may_vanish(program: Program) -> Iterator[Violation]:
    """A layer that must be there is added in a `try` whose handler goes on without it.

    ## What it does
    Reports a layer that is added in a `try`, where a handler neither raises nor adds something in its place, for
    layers that must be there: those that the configuration requires, those that refuse requests with 401 or 403, and
    those that provide what another layer reads. Reports also the other way round: a fallback that a handler adds
    before it raises all the same, so that nothing ever runs with it.

    ## What breaks in production
    A missing package or setting at the start leaves the service without its authentication. It starts, its health
    checks pass, and it answers everybody.

    ## Bad
    `app/main.py`:

    ```python
    from fastapi import FastAPI
    from fastapi.responses import JSONResponse
    from starlette.middleware.base import BaseHTTPMiddleware


    class Auth(BaseHTTPMiddleware):
        async def dispatch(self, request, call_next):
            if "authorization" not in request.headers:
                return JSONResponse({}, status_code=401)
            return await call_next(request)


    app = FastAPI()
    try:
        app.add_middleware(Auth)  # <- MID006
    except Exception as error:
        print("going on without", error)
    ```

    ## Good
    `app/main.py`:

    ```python
    from fastapi import FastAPI
    from fastapi.responses import JSONResponse
    from starlette.middleware.base import BaseHTTPMiddleware


    class Auth(BaseHTTPMiddleware):
        async def dispatch(self, request, call_next):
            if "authorization" not in request.headers:
                return JSONResponse({}, status_code=401)
            return await call_next(request)


    app = FastAPI()
    try:
        app.add_middleware(Auth)
    except Exception as error:
        raise RuntimeError("there is no service without authentication") from error
    ```

    ## Configuration
    `[tool.guard.middleware] required = ["app.audit.*"]` makes more layers such that must be there.

    ## What it cannot see
    A handler that ends the process by a function of your own. A layer that an `if` leaves out is a decision, and no
    finding here; MID002 tells of required ones.
    """
    stacks = program.linked(FAMILY)
    required = program.config.middleware.required
    reported: set[Place] = set()
    for stack in stacks.all:
        for found in vanishing(stack):
            why = _why_needed(found.layer, stack, stacks, required)
            if why and found.layer.place not in reported:
                reported.add(found.layer.place)
                yield _vanishes(found, why)
        for layer in stack.futile:
            if layer.place not in reported:
                reported.add(layer.place)
                yield _futile(layer, stack)


def _why_needed(layer: Layer, stack: Stack, stacks: Stacks, required: tuple[str, ...]) -> str:
    """Why a stack must not be without a layer, in words; empty where it may be."""
    if any(matches(layer, pattern) for pattern in required):
        return "the configuration requires it"
    profile = stacks.profile(layer)
    if profile.refuses or profile.raises:
        return "it refuses requests that may not come in"
    for part in sorted(profile.sets) if has_parts(stack) else ():
        for other in stack.layers():
            read = stacks.profile(other).reads.get(part)
            if other.origin != layer.origin and read is not None and not read.caught and read.how == "read":
                return f"{called(other)} reads {spoken(part)}, which it provides"
    return ""


def _vanishes(found: Vanishing, why: str) -> Violation:
    name = called(found.layer)
    place = found.layer.place
    return Violation(
        path=place.path,
        span=Span(*place.span),
        message=f"{name} is added in a try that goes on without it, and {why}",
        anchor=f"{name} may vanish",
        symbol=place.symbol,
        cause=f"Where {found.when}, the service starts without {name}, and nothing fails.",
        help="Let the handler raise: a service that cannot be set up must not start.",
        related=(Related(found.place.path, found.place.line, "the try"), *application(found.stack)),
        lazy=True,
        data={"layer": name, "when": found.when},
    )


def _futile(layer: Layer, stack: Stack) -> Violation:
    name, place = called(layer), layer.place
    adds = layer.chain[:-1]
    return Violation(
        path=place.path,
        span=Span(*place.span),
        message=f"{name} is added as a fallback by a handler that raises all the same",
        anchor=f"{name} for nothing",
        symbol=place.symbol,
        cause="The application never comes to run with this layer: the exception ends its set-up.",
        help="Raise without adding it, or go on with it and do not raise.",
        related=(*(Related(at.path, at.line, "called here") for at in adds[-1:]), *application(stack)),
        lazy=True,
        data={"layer": name},
    )
