"""Whether a deployed service is well: every probe of the plan, each asked again with growing pauses while it may still
be starting, and one verdict that tells what is up from what is down."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final
from urllib.parse import urljoin

import msgspec
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_exponential
from tenacity.wait import wait_base

from guard.runner.deployers.base import Deployment
from guard.runner.environment import filled
from guard.runner.plan import Plan, Probe
from guard.runner.probe import OK, Expected, Probed, asked
from guard.runner.record import CauseKind, Evidence, Outcome
from guard.runner.redact import Redactor

_PAUSES: Final[wait_base] = wait_exponential(multiplier=0.05, min=0.05, max=5)
_AUTH: Final = (401, 403)


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """The verdict on a service."""

    outcome: Outcome
    """`ok`, `failed`, or `skipped` where the plan has no probes."""
    summary: str
    probed: tuple[Probed, ...]
    evidence: tuple[Evidence, ...]

    def data(self, revision: str) -> dict[str, object]:
        """What the step keeps."""
        return {"revision": revision, "probes": [msgspec.to_builtins(one) for one in self.probed]}


def examined(
    plan: Plan,
    deployment: Deployment,
    urls: tuple[str, str],
    environ: Mapping[str, str],
    redact: Redactor,
    alive: Callable[[], bool],
) -> Health:
    """Ask every probe of the plan. `urls` are the base URL and that of the WebSocket; `alive` says whether it is worth
    waiting for the service at all. Raises ConfigError for a header's variable that is not set."""
    found = tuple(_probe(probe, plan, deployment, urls, environ, redact, alive) for probe in plan.health)
    if not found:
        return Health(outcome=Outcome.SKIPPED, summary="the plan has no health probes", probed=(), evidence=())
    bad = [one for one in found if one.outcome != OK]
    return Health(
        outcome=Outcome.FAILED if bad else Outcome.OK,
        summary=_summary(found),
        probed=found,
        evidence=tuple(_evidence(one) for one in bad),
    )


def _probe(
    probe: Probe,
    plan: Plan,
    deployment: Deployment,
    urls: tuple[str, str],
    environ: Mapping[str, str],
    redact: Redactor,
    alive: Callable[[], bool],
) -> Probed:
    url = _url(probe, urls)
    headers = filled(probe.headers, environ, "loop.health.headers")
    expected = Expected(plan.target.revision or deployment.revision, headers)
    begun = time.monotonic()
    attempts = 0

    def once() -> Probed:
        nonlocal attempts
        attempts += 1
        return asked(probe, url, expected)

    retrying = Retrying(
        retry=retry_if_result(_may_pass),
        stop=lambda state: stop_after_delay(probe.cold_start_s)(state) or not alive(),
        wait=_PAUSES,
        retry_error_callback=lambda state: state.outcome.result() if state.outcome is not None else None,
    )
    found: Probed = retrying(once)
    return msgspec.structs.replace(
        found,
        url=redact.text(url),
        error=redact.text(found.error),
        body=redact.text(found.body),
        revision=redact.text(found.revision),
        attempts=attempts,
        waited_s=round(time.monotonic() - begun, 3),
    )


def _may_pass(found: Probed) -> bool:
    """Whether asking again may give another answer: who is not let in now will not be let in a second later."""
    return found.outcome != OK and not (
        (found.outcome == CauseKind.WEBSOCKET_REFUSED and found.status in _AUTH) or found.outcome == CauseKind.TLS
    )


def _url(probe: Probe, urls: tuple[str, str]) -> str:
    base, websocket = urls
    if probe.kind == "http":
        return base + ("/" + probe.path.lstrip("/") if probe.path else "")
    return urljoin(websocket, probe.path) if probe.path else websocket


def _summary(found: Sequence[Probed]) -> str:
    up = {kind: all(one.outcome == OK for one in found if one.kind == kind) for kind in {one.kind for one in found}}
    if all(up.values()):
        slowest = max(one.ms or 0 for one in found)
        waited = max(one.waited_s for one in found)
        probes = "1 probe" if len(found) == 1 else f"{len(found)} probes"
        return f"{probes} well, the slowest in {slowest:.0f} ms; up within {waited:.1f} s"
    parts = [f"{_NAMES[kind]} {'up' if up[kind] else 'down'}" for kind in sorted(up)]
    first = next(one for one in found if one.outcome != OK)
    return f"{', '.join(parts)}: {first.url}: {first.error}"


_NAMES: Final = {"http": "HTTP", "websocket": "WebSocket"}


def _evidence(one: Probed) -> Evidence:
    facts = [one.error, f"after {one.attempts} attempts in {one.waited_s:g} s"]
    text = "; ".join(facts) + (f"\n{one.body}" if one.body else "")
    return Evidence(source="probe", text=text, place=one.url)
