"""What a plan must be beyond the types of its fields: all of what is wrong at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from urllib.parse import urlsplit

from guard.model import ConfigError
from guard.runner import criteria
from guard.runner.goal import fault_of
from guard.runner.plan import Plan


def checked(plan: Plan) -> Plan:
    """`plan`, where nothing is wrong with it. Raises ConfigError."""
    errors = list(_faults(plan))
    if errors:
        raise ConfigError(errors)
    return plan


def _faults(plan: Plan) -> Iterator[str]:
    fault = fault_of(plan.goal)
    if fault is not None:
        yield f"loop.goal: {fault}"
    names = Counter(phase.name for phase in plan.phases)
    for name, number in names.items():
        if number > 1:
            yield f'loop.phases: {number} phases are called "{name}"; each needs a name of its own'
    for number, phase in enumerate(plan.phases):
        for position, expression in enumerate(phase.criteria):
            fault = criteria.check(expression)
            if fault is not None:
                yield f"loop.phases[{number}].criteria[{position}]: {fault}"
    for field, schemes in (("base_url", ("http", "https")), ("websocket_url", ("ws", "wss"))):
        url = getattr(plan.target, field)
        if url and (urlsplit(url).scheme not in schemes or not urlsplit(url).netloc):
            said = " or ".join(f"{scheme}://" for scheme in schemes)
            yield f'loop.target.{field}: expected a URL that begins with {said}, found "{url}"'
    for number, probe in enumerate(plan.health):
        if probe.kind == "websocket" and (probe.json or probe.status != 200):
            yield f"loop.health[{number}]: `json` and `status` are for kind http; a websocket has `expect`"
        if probe.kind == "http" and (probe.send or probe.expect or probe.subprotocols):
            yield f"loop.health[{number}]: `send`, `expect` and `subprotocols` are for kind websocket"
