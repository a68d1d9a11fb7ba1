"""MID: middleware that stands in the wrong place."""

from __future__ import annotations

from collections.abc import Iterator

from guard.checks.middleware import FAMILY, Stacks
from guard.checks.middleware_frameworks import has_parts
from guard.checks.middleware_order import Misplaced, against_order, reads_before_provider, refuses_outside_cors
from guard.checks.middleware_stack import Place
from guard.impact import reach_of
from guard.model import Related, Severity, Span, Violation
from guard.program import Program
from guard.registry import rule
from guard.rules import mid_django
from guard.rules.mid_words import application, called, conditions, effect, severity_of, spoken


@rule("MID001", "wrong-order", Severity.ERROR)
def wrong_order(program: Program) -> Iterator[Violation]:
    """Two layers of middleware stand the wrong way round.

    ## What it does
    Computes the stack of every Starlette and FastAPI application, through helper functions, factories, branches and
    loops, and reports a layer that stands outside of one that it needs outside of itself: a layer that reads the
    session, the user or a part of `request.state`, outside of the layer that provides it; and a layer that refuses
    requests with 401 or 403 by itself, outside of `CORSMiddleware`. The order that the configuration asks for is held
    too.

    In Starlette, the layer that is added last is the outermost: it sees a request first. The entries of
    `middleware=[…]` are the other way round: the first is the outermost.

    In Flask and aiohttp, what is added first is the outermost. Of their applications only the order is held that the
    configuration asks for; in Flask among functions that are registered in the same way, since all functions of
    `after_request` run behind those of `before_request` whatever the code does.

    In Django's `MIDDLEWARE`, through all settings modules that build on one another, it holds the pairs of the
    documented order (docs.djangoproject.com, "Middleware ordering") that break something: `AuthenticationMiddleware`,
    `MessageMiddleware` and, with `CSRF_USE_SESSIONS`, `CsrfViewMiddleware` inside of `SessionMiddleware`;
    `RemoteUserMiddleware` inside of `AuthenticationMiddleware`; `UpdateCacheMiddleware` outside of
    `SessionMiddleware`; and, as warnings, `FetchFromCacheMiddleware` inside of `LocaleMiddleware` and
    `ConditionalGetMiddleware` inside of `GZipMiddleware`. The first entry is the outermost.

    The finding stands where the outer one is added, in the function that adds both, with the other places beside it.

    ## What breaks in production
    A reader outside of `SessionMiddleware` fails with an AssertionError on every request, or always finds nothing.
    A refusal that is made outside of `CORSMiddleware` has no CORS headers, so a browser shows a network error
    instead of "please log in"; where it refuses preflights too, no cross-origin request gets through. (This one is
    a warning.)

    ## Bad
    `app/main.py`:

    ```python
    from fastapi import FastAPI
    from starlette.middleware.base import BaseHTTPMiddleware
    from starlette.middleware.sessions import SessionMiddleware


    class Tenant(BaseHTTPMiddleware):
        async def dispatch(self, request, call_next):
            request.state.tenant = request.session.get("tenant")  # <- MID005
            return await call_next(request)


    app = FastAPI()
    app.add_middleware(SessionMiddleware, secret_key="…")
    app.add_middleware(Tenant)  # <- MID001
    ```

    ## Good
    `app/main.py`:

    ```python
    from fastapi import FastAPI
    from starlette.middleware.base import BaseHTTPMiddleware
    from starlette.middleware.sessions import SessionMiddleware


    class Tenant(BaseHTTPMiddleware):
        async def dispatch(self, request, call_next):
            request.state.tenant = request.session.get("tenant")
            return await call_next(request)


    app = FastAPI()
    app.add_middleware(Tenant)
    app.add_middleware(SessionMiddleware, secret_key="…")
    ```

    ## Configuration
    `[tool.guard.middleware] order = ["CORSMiddleware", "SessionMiddleware", "app.auth.*"]`: names, dotted names or
    patterns, outermost first. Layers that are not named may stand anywhere.

    ## What it cannot see
    Layers that a third-party function adds, or that are chosen at run time by a name in a string. Where the list of
    layers is edited by hand (`app.user_middleware.insert(…)`), nothing is said about that application.
    """
    stacks = program.linked(FAMILY)
    reported: set[tuple[Place, Place]] = set()
    for stack in stacks.all:
        if has_parts(stack):
            for misplaced in reads_before_provider(stack, stacks.profile):
                if _is_new(misplaced, reported):
                    yield _out_of_order(misplaced, *_words_for_read(misplaced))
            for misplaced in refuses_outside_cors(stack, stacks.profile):
                if _is_new(misplaced, reported):
                    yield _refusal(misplaced, stacks)
        for misplaced in against_order(stack, program.config.middleware.order):
            if _is_new(misplaced, reported):
                outer, inner = called(misplaced.outer), called(misplaced.inner)
                yield _out_of_order(
                    misplaced,
                    f"{outer} stands outside {inner}, and the configured order has {inner} outside",
                    "A request passes the layers in another order than the one that the configuration asks for.",
                )
    yield from mid_django.wrong_order(program)


def _is_new(misplaced: Misplaced, reported: set[tuple[Place, Place]]) -> bool:
    size = len(reported)
    reported.add(misplaced.places)
    return len(reported) > size


def _words_for_read(misplaced: Misplaced) -> tuple[str, str]:
    outer, inner = called(misplaced.outer), called(misplaced.inner)
    part = spoken(misplaced.read.part) if misplaced.read else ""
    message = f"{outer} reads {part} and stands outside {inner}, which provides it"
    return message, f"{outer} runs before {inner} on every request, so {part} is not there yet."


def _refusal(misplaced: Misplaced, stacks: Stacks) -> Violation:
    outer, inner = called(misplaced.outer), called(misplaced.inner)
    profile = stacks.profile(misplaced.outer)
    where = profile.refuses or profile.raises
    preflight = "" if profile.spares_options else " A preflight request reaches it before CORS is asked."
    related = (Related(where.path, where.line, "it refuses here"),) if where else ()
    return _out_of_order(
        misplaced,
        f"{outer} refuses requests by itself and stands outside {inner}, so its answers carry no CORS headers",
        f"A browser hides an answer without CORS headers from the page: a 401 looks like a network error.{preflight}",
        related,
        # The service works; what is lost is that a page can tell a refusal from a broken network.
        Severity.INFO if misplaced.stack.handed else Severity.WARNING,
    )


def _out_of_order(
    misplaced: Misplaced,
    message: str,
    cause: str,
    more: tuple[Related, ...] = (),
    severity: Severity | None = None,
) -> Violation:
    outer, inner = called(misplaced.outer), called(misplaced.inner)
    place, other = misplaced.places
    if misplaced.outer.means in ("constructor", "append"):
        way_out = f"Put {inner} before {outer} in the list: the first entry is the outermost."
    elif misplaced.outer.means.endswith("_request"):
        way_out = f"Register {inner} before {outer}: what is registered first is the outermost."
    elif misplaced.outer.means == "wrap":
        way_out = f"Wrap the application in {inner} after {outer}: the last wrapper is the outermost."
    else:
        way_out = f"Add {inner} after {outer}: the layer that is added last is the outermost."
    related = [Related(other.path, other.line, f"{inner} is added here")]
    for layer, at in ((misplaced.outer, place), (misplaced.inner, other)):
        if layer.place != at:
            related.append(Related(layer.place.path, layer.place.line, f"the statement that adds {called(layer)}"))
    return Violation(
        path=place.path,
        span=Span(*place.span),
        message=message + conditions(misplaced.conditions),
        anchor=f"{outer} outside {inner}",
        symbol=place.symbol,
        cause=cause,
        help=way_out,
        related=(*related, *more, *application(misplaced.stack)),
        severity=severity or severity_of(misplaced.stack),
        lazy=True,
        data={"outer": outer, "inner": inner},
    )


@rule("MID005", "reads-before-provider", Severity.ERROR)
def reads_too_early(program: Program) -> Iterator[Violation]:
    """A middleware reads a part of the request before the layer that sets it has run.

    ## What it does
    Follows the request through a middleware's own methods and helpers, and reports a read of `request.session`,
    `.user`, `.auth`, `request.state.x` or `scope["x"]` in a layer that stands outside of the one that provides it. A
    read behind `await call_next(request)` is fine: the inner layers have run by then. In Django it looks at
    `__call__`, `process_request` and function middleware, at `request.session` and `request.user`, and at what stands
    before `self.get_response(request)`.

    ## What breaks in production
    `request.session`, `.user` and `.auth` raise AssertionError, which `hasattr` and `getattr` with a default let
    through: they only catch AttributeError. Inside a broad `except`, the code behind the read never runs, and
    nothing fails: the feature silently does not exist. Django raises AttributeError, which `hasattr` sees, so there a
    guarded read is a warning: what depends on it never happens.

    ## Bad
    `app/main.py`:

    ```python
    from fastapi import FastAPI, Request
    from starlette.middleware.sessions import SessionMiddleware

    app = FastAPI()
    app.add_middleware(SessionMiddleware, secret_key="…")


    @app.middleware("http")  # <- MID001
    async def greet(request: Request, call_next):
        if hasattr(request, "session"):  # <- MID005
            request.state.visits = request.session.get("visits", 0)
        return await call_next(request)
    ```

    ## Good
    `app/main.py`:

    ```python
    from fastapi import FastAPI, Request
    from starlette.middleware.sessions import SessionMiddleware

    app = FastAPI()


    @app.middleware("http")
    async def greet(request: Request, call_next):
        request.state.visits = request.session.get("visits", 0)
        return await call_next(request)


    app.add_middleware(SessionMiddleware, secret_key="…")
    ```

    ## Configuration
    None.

    ## What it cannot see
    Reads in code that the middleware calls through objects whose class is not known. A part that no layer of the stack
    provides: that is MID002. `"session" in request.scope` is a test that works, so what stands under it is no finding.
    """
    stacks = program.linked(FAMILY)
    found: dict[tuple[Place, str], Misplaced] = {}
    for stack in stacks.with_parts:
        for misplaced in reads_before_provider(stack, stacks.profile):
            if misplaced.read is not None:
                key = (misplaced.read.place, misplaced.read.part)
                best = found.get(key)
                if best is None or _weight(misplaced, program) < _weight(best, program):
                    found[key] = misplaced
    kind = reach_of(program).kind
    for (place, _), misplaced in found.items():
        # Where only a test puts a production layer into the wrong place, the test is what is wrong, and MID001 says so.
        if kind(misplaced.stack.place.path).rank <= kind(place.path).rank:
            yield _too_early(misplaced)
    yield from mid_django.reads_too_early(program)


def _weight(misplaced: Misplaced, program: Program) -> tuple[bool, int, int]:
    """Of several stacks with one read, the smallest is told: a production application's, with few conditions."""
    stack = misplaced.stack
    return stack.handed, reach_of(program).kind(stack.place.path).rank, len(misplaced.conditions)


def _too_early(misplaced: Misplaced) -> Violation:
    read = misplaced.read
    assert read is not None
    outer, inner = called(misplaced.outer), called(misplaced.inner)
    part = spoken(read.part)
    place, other = misplaced.places
    adds = [Related(place.path, place.line, f"{outer} is added here")]
    adds.append(Related(other.path, other.line, f"{inner} is added here, so it runs inside"))
    for layer, at in ((misplaced.outer, place), (misplaced.inner, other)):
        if layer.place != at:
            adds.append(Related(layer.place.path, layer.place.line, f"the statement that adds {called(layer)}"))
    return Violation(
        path=read.place.path,
        span=Span(*read.place.span),
        message=f"{part} is read in {outer}, outside {inner}, which provides it{conditions(misplaced.conditions)}",
        anchor=f"{read.how} {read.part} in {outer}",
        symbol=read.place.symbol,
        cause=effect(read.part, read.how, caught=read.spared if read.part.startswith("state.") else read.caught),
        help=f"Let {inner} stand outside {outer}, or read {part} behind `await call_next(request)`.",
        related=(*adds, *application(misplaced.stack)),
        severity=severity_of(misplaced.stack),
        lazy=True,
        data={"part": read.part, "reader": outer, "provider": inner},
    )
