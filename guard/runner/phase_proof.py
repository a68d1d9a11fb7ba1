"""What a test is taken for: whether its pass proves anything about the target."""

from __future__ import annotations

import socket
import urllib.request
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

import msgspec

from guard.runner.plan import Phase
from guard.runner.plugin_watch import Ended
from guard.runner.record import Test, TestOutcome
from guard.runner.redact import Redactor

_PORTS: Final = {"http": 80, "https": 443, "ws": 80, "wss": 443}
_NO_TIME_S: Final = 0.0001
"""Seconds. No connection is made, and nothing is asked over one, in less."""


class Aim(msgspec.Struct, frozen=True):
    """The target's addresses, with the names that they are shown by."""

    names: Mapping[tuple[str, int], str]
    proxies: frozenset[tuple[str, int]] = frozenset()
    """Of the environment: what goes there may have gone to the target."""

    @property
    def shown(self) -> str:
        """The target as host:port."""
        return ", ".join(sorted(set(self.names.values()))) or "a target without an address"


def aim_at(urls: tuple[str, ...], env: Mapping[str, str]) -> Aim:
    """Resolve the target's URLs, as the tests will. A host that cannot be resolved is nobody's address."""
    names: dict[tuple[str, int], str] = {}
    proxies: set[tuple[str, int]] = set()
    for url in filter(None, urls):
        parts = urlsplit(url)
        scheme, host = parts.scheme, parts.hostname or ""
        port = parts.port or _PORTS.get(scheme, 0)
        for address in _addresses(host, port):
            names[address] = _shown(host, port)
        proxy = _proxy(scheme, host, env)
        if proxy:
            parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
            proxies.update(_addresses(parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 0)))
    return Aim(names, frozenset(proxies))


def test_of(event: Ended, phase: Phase, cycle: int, aim: Aim, redact: Redactor) -> Test:
    """The record of a test that has ended."""
    peers = tuple(sorted({aim.names.get((host, port), _shown(host, port)) for host, port in event.peers}))
    outcome, message = _judged(event, phase, aim)
    measurements = {
        redact.text(name): tuple(redact.text(value) if isinstance(value, str) else value for value in values)
        for name, values in event.measurements.items()
    }
    return Test(
        id=redact.text(event.id),
        phase=phase.name,
        cycle=cycle,
        outcome=outcome,
        started=event.started,
        duration_s=event.duration_s,
        peers=peers,
        bytes_sent=event.sent,
        bytes_received=event.received,
        revisions=tuple(str(value) for value in measurements.get("revision", ())),
        mocked=tuple(map(redact.text, event.mocked)),
        swallowed=tuple(map(redact.text, event.swallowed)),
        measurements=measurements,
        warnings=tuple(map(redact.text, event.warnings)),
        exception=event.exception,
        facts={name: redact.text(value) for name, value in event.facts.items() if value},
        message=redact.text(message),
        output=redact.text(event.output),
    )


def _judged(event: Ended, phase: Phase, aim: Aim) -> tuple[TestOutcome, str]:
    outcome = TestOutcome(event.outcome)
    if not phase.real:
        return outcome, event.message
    if outcome is TestOutcome.SKIPPED and event.of_connection:
        return TestOutcome.UNPROVEN, f"skipped itself as the service did not answer: {event.message}"
    if outcome is not TestOutcome.PASSED:
        return outcome, event.message
    peers = {(host, port) for host, port in event.peers}
    mocked = f"; mocked: {', '.join(event.mocked)}" if event.mocked else ""
    if not peers & (aim.names.keys() | aim.proxies):
        tried = {(host, port) for host, port in event.failed_peers} & aim.names.keys()
        how = "tried to connect in vain" if tried else "no connection"
        return TestOutcome.UNPROVEN, f"passed without reaching the target ({aim.shown}): {how}{mocked}"
    if event.whole_s < _NO_TIME_S:
        return TestOutcome.UNPROVEN, "passed in no time at all, less than any answer takes"
    if event.swallowed:
        return TestOutcome.UNPROVEN, f"passed after a connection error that it caught: {event.swallowed[0]}"
    return outcome, event.message


def _addresses(host: str, port: int) -> set[tuple[str, int]]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return {(host, port)}
    return {(str(address[0]), port) for *_, address in found}


def _shown(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _proxy(scheme: str, host: str, env: Mapping[str, str]) -> str:
    """The proxy that the environment names for a URL; empty for none."""
    plain = {"ws": "http", "wss": "https"}.get(scheme, scheme)
    settings = {name.lower(): value for name, value in env.items() if value}
    found = settings.get(f"{plain}_proxy") or settings.get("all_proxy") or ""
    bypass = urllib.request.proxy_bypass_environment(host, {"no": settings.get("no_proxy", "")})  # type: ignore[attr-defined]
    return "" if bypass else found
