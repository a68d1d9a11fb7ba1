"""What is worse than in the last good session: tests, errors in the log, routes, latencies, and a score."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import msgspec

from guard.runner.known import last_outcomes
from guard.runner.record import Change, Latency, Outcome, Session, Stability, Test, TestOutcome
from guard.runner.shapes import error_shapes

_SLOWER: Final = 2.0
"""How many times as slow is a change."""
_FLOOR_S: Final = 0.5
"""Seconds that a test must have become slower by: below, a busy machine makes twice as slow of nothing."""
_FLOOR_MS: Final = 50.0
_FEWEST: Final = 5
"""Values of a measurement below which its percentiles say nothing."""
_WEIGHTS: Final[Mapping[str, int]] = {
    "now-failing": 3,
    "gone": 3,
    "route-gone": 3,
    "new-error": 2,
    "slower": 1,
    "route-changed": 1,
    "latency": 1,
}
_METHODS: Final = ("get", "put", "post", "delete", "options", "head", "patch", "trace")


class Observed(msgspec.Struct, frozen=True, kw_only=True):
    """What a session saw of the service, kept in the data of its step `stability` for the session after it."""

    errors: tuple[str, ...] = ()
    """Shapes of the lines of its log that tell of an error."""
    routes: Mapping[str, str] = {}
    """Of its OpenAPI document: `GET /path`, and a digest of what goes in and out. Empty where it has none."""


def observed(log: str, openapi: object = None) -> Observed:
    """What a log and an OpenAPI document (parsed JSON, None for none) say."""
    return Observed(errors=error_shapes(log), routes=_routes(openapi))


def step_data(seen: Observed) -> dict[str, object]:
    """`seen` as the data of a step."""
    return {"errors": list(seen.errors), "routes": dict(seen.routes)}


def observed_in(session: Session | None) -> Observed | None:
    """What a session saw, from its own record; None where it did not look."""
    for step in reversed(session.steps if session is not None else ()):
        if step.name == "stability":
            try:
                return msgspec.convert(step.data, Observed)
            except msgspec.ValidationError:
                return None
    return None


def assess(session: Session, last_good: Session | None, seen: Observed) -> Stability:
    """`session`, which saw `seen`, against the last good session on the same target."""
    if last_good is None:
        return Stability(compared_with="", score=1.0, formula="nothing to compare with yet: no good session")
    before = observed_in(last_good)
    latencies = tuple(_latencies(last_good, session))
    changes = (
        *_tests(last_good, session),
        *(_errors(before, seen) if before is not None else ()),
        *(_route_changes(before, seen) if before is not None else ()),
        *(_slow(latency) for latency in latencies if _is_slower(latency)),
    )
    passed = sum(test.outcome is TestOutcome.PASSED for test in last_outcomes(last_good.tests).values())
    compared = passed + (len(before.routes) if before is not None and seen.routes else 0)
    score, formula = _score(changes, compared)
    return Stability(compared_with=last_good.id, score=score, formula=formula, changes=changes, latencies=latencies)


def percentile(values: Sequence[float], of: float) -> float:
    """The smallest value that at least `of` percent of `values` do not exceed (nearest rank). Needs one value."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * of / 100) - 1)]


def _score(changes: Sequence[Change], compared: int) -> tuple[float, str]:
    counts = {kind: sum(change.kind == kind for change in changes) for kind in _WEIGHTS}
    terms = [f"{weight} × {counts[kind]} {kind}" for kind, weight in _WEIGHTS.items() if counts[kind]]
    lost = sum(weight * counts[kind] for kind, weight in _WEIGHTS.items())
    score = max(0.0, 1 - lost / (3 * max(1, compared)))
    what = f"3 × {compared} tests and routes compared"
    return round(score, 4), f"1 − ({' + '.join(terms) or '0'}) / ({what}), not below 0"


def _tests(before: Session, now: Session) -> Iterator[Change]:
    outcomes = last_outcomes(now.tests)
    for name, test in last_outcomes(before.tests).items():
        if test.outcome is not TestOutcome.PASSED:
            continue
        today = outcomes.get(name)
        if today is None:
            if _ran_whole(test.phase, now):
                yield Change(kind="gone", subject=name, before="passed")
        elif today.outcome is not TestOutcome.PASSED:
            yield Change(kind="now-failing", subject=name, before="passed", after=today.outcome)
        elif _is_slow(test, today):
            yield Change(
                kind="slower", subject=name, before=f"{test.duration_s:.2f} s", after=f"{today.duration_s:.2f} s"
            )


def _ran_whole(phase: str, session: Session) -> bool:
    """Whether a test of the phase that is not there is gone, and not only left out or not reached."""
    if session.focus or session.shard:
        return False
    steps = [step for step in session.steps if step.name == f"phase:{phase}"]
    if not steps or steps[-1].outcome is Outcome.SKIPPED:
        return False
    fail_fast = any(one.fail_fast for one in session.plan.phases if one.name == phase)
    return not (fail_fast and steps[-1].outcome is Outcome.FAILED)


def _is_slow(before: Test, now: Test) -> bool:
    return now.duration_s > _SLOWER * before.duration_s and now.duration_s - before.duration_s > _FLOOR_S


def _errors(before: Observed, now: Observed) -> Iterator[Change]:
    known = set(before.errors)
    return (Change(kind="new-error", subject=one) for one in now.errors if one not in known)


def _route_changes(before: Observed, now: Observed) -> Iterator[Change]:
    if not now.routes:
        return  # it has no document today; that says nothing of its routes
    for route, digest in before.routes.items():
        if route not in now.routes:
            yield Change(kind="route-gone", subject=route)
        elif now.routes[route] != digest:
            yield Change(kind="route-changed", subject=route, before=digest, after=now.routes[route])


def _latencies(before: Session, now: Session) -> Iterator[Latency]:
    former, today = _measured(before), _measured(now)
    for name in sorted(former.keys() & today.keys()):
        if min(len(former[name]), len(today[name])) >= _FEWEST:
            yield Latency(
                name=name,
                before=_percentiles(former[name]),
                after=_percentiles(today[name]),
                values=len(today[name]),
            )


def _percentiles(values: Sequence[float]) -> tuple[float, float, float]:
    return percentile(values, 50), percentile(values, 95), percentile(values, 99)


def _measured(session: Session) -> dict[str, list[float]]:
    """The times in milliseconds that the tests reported, by name."""
    found: dict[str, list[float]] = {}
    for test in session.tests:
        for name, values in test.measurements.items():
            if name.endswith("_ms"):
                numbers = [value for value in values if isinstance(value, int | float)]
                found.setdefault(name, []).extend(number for number in numbers if math.isfinite(number))
    return found


def _is_slower(latency: Latency) -> bool:
    before, after = latency.before[1], latency.after[1]
    return after > _SLOWER * before and after - before > _FLOOR_MS


def _slow(latency: Latency) -> Change:
    return Change(
        kind="latency",
        subject=f"p95({latency.name})",
        before=f"{latency.before[1]:,.0f} ms",
        after=f"{latency.after[1]:,.0f} ms",
    )


def _routes(document: object) -> dict[str, str]:
    """The routes of an OpenAPI document, with a digest of what each takes and gives; prose left out."""
    paths = document.get("paths") if isinstance(document, Mapping) else None
    found = {}
    for path, item in paths.items() if isinstance(paths, Mapping) else ():
        for method in _METHODS:
            operation = item.get(method) if isinstance(item, Mapping) else None
            if isinstance(operation, Mapping):
                told = {key: operation[key] for key in ("parameters", "requestBody", "responses") if key in operation}
                shared = {"parameters of the path": item.get("parameters")}
                content = msgspec.json.encode(_resolved(told | shared, document, ()), order="deterministic")
                found[f"{method.upper()} {path}"] = hashlib.sha256(content).hexdigest()[:12]
    return found


def _resolved(value: object, document: object, seen: tuple[str, ...]) -> object:
    """`value` with what it refers to in its place, and without descriptions, titles and examples."""
    if isinstance(value, list):
        return [_resolved(item, document, seen) for item in value]
    if not isinstance(value, Mapping):
        return value
    reference = value.get("$ref")
    if isinstance(reference, str):
        if reference in seen or not reference.startswith("#/") or len(seen) > 20:
            return {"$ref": reference}
        target = document
        for part in reference[2:].split("/"):
            name = part.replace("~1", "/").replace("~0", "~")
            target = target.get(name) if isinstance(target, Mapping) else None
        return _resolved(target, document, (*seen, reference))
    prose = ("description", "summary", "title", "example", "examples")
    return {
        str(key): _resolved(item, document, seen)
        for key, item in value.items()
        if key not in prose or isinstance(item, Mapping)  # a property may be called `title`
    }
