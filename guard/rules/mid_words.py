"""What the MID rules say of layers and applications."""

from __future__ import annotations

from collections.abc import Iterable

from guard.checks.middleware_stack import Condition, Layer, Stack
from guard.model import Related, Severity


def called(layer: Layer) -> str:
    """A layer by name."""
    return layer.name or "an unnamed layer"


def spoken(part: str) -> str:
    """A part of the request as code names it."""
    return f"request.scope[{part[6:]!r}]" if part.startswith("scope.") else f"request.{part}"


def conditions(decided: Iterable[Condition]) -> str:
    """What something depends on, as the end of a message; empty where it depends on nothing."""
    said = [condition.when for condition in decided]
    return f", when {' and '.join(dict.fromkeys(said))}" if said else ""


def application(stack: Stack) -> tuple[Related, ...]:
    """Where the application is."""
    place = stack.place
    words = f"any application that {place.symbol}() is handed" if stack.handed else "the application"
    return (Related(place.path, place.line, words),)


def severity_of(stack: Stack) -> Severity | None:
    """A function that nobody is known to call may be dead: its order is wrong, but perhaps nowhere in use."""
    return Severity.WARNING if stack.handed else None


def effect(part: str, how: str, *, caught: bool) -> str:
    """What comes of a read of a part of the request that is not there."""
    if part.startswith("state."):
        if how == "read" and not caught:
            return "The attribute is never there at this point: AttributeError on every request that comes here."
        return "The attribute is never there at this point, so what depends on it silently never happens."
    if part.startswith("scope."):
        if how == "read" and not caught:
            return "The key is never there at this point: KeyError on every request that comes here."
        return "The key is never there at this point, so what depends on it silently never happens."
    if caught:
        return "It raises AssertionError, which the handler around it swallows: the rest of the `try` never runs."
    if how in ("hasattr", "getattr"):
        return f"It raises AssertionError on every request: `{how}` only catches AttributeError."
    return "It raises AssertionError on every request that comes here, which the client sees as a 500."
