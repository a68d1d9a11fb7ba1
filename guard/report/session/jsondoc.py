"""`json`: one document, in the shape that `guard/schemas/session.schema.json` describes.

`python -m guard.report.session.jsondoc > guard/schemas/session.schema.json` brings the schema up to date: it is made
from the types here and in `guard.runner.record`. Every key is always there.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from guard import __version__
from guard.report.escape import encodable
from guard.runner.known import KnownIssue, known_issues
from guard.runner.record import (
    SCHEMA_VERSION,
    Audit,
    Cause,
    Criterion,
    Evidence,
    Goal,
    Outcome,
    Selected,
    Session,
    Stability,
    Step,
    Test,
    TestOutcome,
    Verdict,
)

Time = Annotated[str, Meta(description="In UTC, as RFC 3339 has it.", extra_json_schema={"format": "date-time"})]


class StepJson(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that the loop did."""

    name: str
    cycle: int
    outcome: Outcome
    started: Time
    ended: Time
    summary: str
    evidence: tuple[Evidence, ...]
    data: Mapping[str, object]


class TestJson(msgspec.Struct, frozen=True, kw_only=True):
    """One test, run once."""

    __test__ = False

    id: str
    phase: str
    cycle: int
    outcome: TestOutcome
    started: Time | None
    duration_s: float
    peers: tuple[str, ...]
    bytes_sent: int
    bytes_received: int
    revisions: tuple[str, ...]
    mocked: tuple[str, ...]
    swallowed: tuple[str, ...]
    measurements: Mapping[str, tuple[object, ...]]
    warnings: tuple[str, ...]
    exception: str
    facts: Mapping[str, str]
    message: str
    output: str
    stacks: str
    cause: str


class SessionJson(msgspec.Struct, frozen=True, kw_only=True):
    """The whole document."""

    schema_version: int
    guard: str
    id: str
    verdict: Verdict
    exit_code: int
    target: str
    revision: str
    tree: str
    mission: str
    focus: str
    shard: str
    started: Time | None
    ended: Time | None
    cycles: int
    goal: Goal | None
    selection: tuple[Selected, ...]
    steps: tuple[StepJson, ...]
    tests: tuple[TestJson, ...]
    causes: tuple[Cause, ...]
    criteria: tuple[Criterion, ...]
    stability: Stability | None
    audit: Audit | None
    known_issues: tuple[KnownIssue, ...]


def render(session: Session, earlier: Sequence[Session]) -> str:
    """The session as one JSON document, indented by two."""
    return plain_json(document(session, earlier))


def plain_json(value: msgspec.Struct) -> str:
    """A struct as indented JSON, with every key and with texts that UTF-8 can hold."""
    return msgspec.json.format(msgspec.json.encode(_plain(value)), indent=2).decode() + "\n"


def document(session: Session, earlier: Sequence[Session]) -> SessionJson:
    """The session in the shape of the document."""
    return SessionJson(
        schema_version=SCHEMA_VERSION,
        guard=__version__,
        id=session.id,
        verdict=session.verdict,
        exit_code=session.exit_code,
        target=session.target,
        revision=session.revision,
        tree=session.tree,
        mission=session.plan.mission,
        focus=session.focus,
        shard=session.shard,
        started=_time(session.started),
        ended=_time(session.ended),
        cycles=session.cycles,
        goal=session.goal,
        selection=session.selection,
        steps=tuple(map(_step, session.steps)),
        tests=tuple(map(_test, session.tests)),
        causes=session.causes,
        criteria=session.criteria,
        stability=session.stability,
        audit=session.audit,
        known_issues=known_issues(session, earlier),
    )


def _step(step: Step) -> StepJson:
    values = msgspec.structs.asdict(step) | {"started": _moment(step.started), "ended": _moment(step.ended)}
    return StepJson(**values)


def _test(test: Test) -> TestJson:
    return TestJson(**(msgspec.structs.asdict(test) | {"started": _time(test.started)}))


def _time(seconds: float) -> str | None:
    """A time as text; None for 0, which stands for one that has not come."""
    return _moment(seconds) if seconds else None


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _plain(value: object) -> object:
    """`value` with every field of every struct, those at their defaults too, and every string encodable."""
    if isinstance(value, str):
        return encodable(value)
    if isinstance(value, msgspec.Struct):
        return {name: _plain(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, Mapping):
        return {encodable(str(key)): _plain(item) for key, item in value.items()}
    if isinstance(value, Sequence | set | frozenset) and not isinstance(value, bytes | bytearray):
        return [_plain(item) for item in value]
    return round(value, 6) if isinstance(value, float) else value


def session_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of the document."""
    made = msgspec.json.schema(SessionJson, schema_hook=_anything)
    schema: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(made))
    definitions = schema["$defs"]
    for definition in definitions.values():
        if "properties" in definition:
            definition["required"] = list(definition["properties"])
            definition["additionalProperties"] = False
            for value in definition["properties"].values():
                value.pop("default", None)
    session = definitions.pop("SessionJson")
    session["properties"]["schema_version"] = {"const": SCHEMA_VERSION}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **session,
        "title": "guard loop session",
        "$defs": definitions,
    }


def _anything(kind: type) -> dict[str, Any]:
    if kind is object:
        return {"description": "Any JSON value."}
    raise NotImplementedError(kind)


def session_schema_text() -> str:
    """The schema as it is published."""
    return msgspec.json.format(msgspec.json.encode(session_schema()), indent=2).decode() + "\n"


if __name__ == "__main__":
    sys.stdout.write(session_schema_text())
