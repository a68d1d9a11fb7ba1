"""Stability against the last good session, and the audit."""

from __future__ import annotations

from typing import Any

import pytest

from guard.model import Finding, Impact, Report, Severity, Span
from guard.runner.audit import audited
from guard.runner.audit import step_data as audit_data
from guard.runner.plan import Phase, Plan
from guard.runner.record import Outcome, Session, Step, Test, TestOutcome, Verdict
from guard.runner.shapes import error_shapes, shape
from guard.runner.stability import Observed, assess, observed, percentile, step_data


def ran(name: str, outcome: TestOutcome = TestOutcome.PASSED, took: float = 0.1, **more: Any) -> Test:
    """A test of the phase `chat`."""
    return Test(id=name, phase="chat", cycle=1, outcome=outcome, duration_s=took, **more)


def session(name: str, *tests: Test, seen: Observed | None = None, fail_fast: bool = False, **more: Any) -> Session:
    """A session with one phase that ran to its end."""
    steps = [Step(name="phase:chat", cycle=1, outcome=more.pop("phase", Outcome.OK), started=0, ended=1)]
    if seen is not None:
        steps.append(Step(name="stability", cycle=1, outcome=Outcome.OK, started=1, ended=2, data=step_data(seen)))
    plan = Plan(phases=(Phase(name="chat", tests=("t",), fail_fast=fail_fast),))
    given = {
        "id": name,
        "plan": plan,
        "target": "x",
        "verdict": Verdict.GOAL_MET,
        "tests": tests,
        "steps": tuple(steps),
    }
    return Session(**(given | more))


def changes(before: Session, now: Session, seen: Observed | None = None) -> list[tuple[str, str]]:
    """What has changed, as kind and subject."""
    return [(change.kind, change.subject) for change in assess(now, before, seen or Observed()).changes]


def test_without_a_good_session_it_says_so() -> None:
    found = assess(session("b", ran("t")), None, Observed())
    assert (found.compared_with, found.changes) == ("", ())
    assert "nothing to compare with" in found.formula


@pytest.mark.parametrize("outcome", [one for one in TestOutcome if one is not TestOutcome.PASSED])
def test_a_test_that_passed_and_no_longer_does(outcome: TestOutcome) -> None:
    before = session("a", ran("t"), ran("was bad", TestOutcome.FAILED))
    now = session("b", ran("t", outcome), ran("was bad", TestOutcome.FAILED))
    assert changes(before, now) == [("now-failing", "t")]


def test_the_last_cycle_counts() -> None:
    now = session("b", ran("t", TestOutcome.FAILED), ran("t"))
    assert changes(session("a", ran("t")), now) == []


def test_a_test_is_gone_only_where_its_phase_ran_whole() -> None:
    before = session("a", ran("t"), ran("u"))
    assert changes(before, session("b", ran("t"))) == [("gone", "u")]
    assert changes(before, session("b", ran("t"), focus="--focus t")) == []
    assert changes(before, session("b", ran("t"), shard="1/2")) == []
    assert changes(before, session("b", ran("t"), fail_fast=True, phase=Outcome.FAILED)) == []
    assert changes(before, session("b", ran("t"), fail_fast=False, phase=Outcome.FAILED)) == [("gone", "u")]
    assert changes(before, session("b", steps=())) == []


def test_twice_as_slow_counts_from_half_a_second_on() -> None:
    before = session("a", ran("quick", took=0.01), ran("slow", took=1.0), ran("same", took=1.0))
    now = session("b", ran("quick", took=0.4), ran("slow", took=2.1), ran("same", took=1.9))
    assert changes(before, now) == [("slower", "slow")]


def test_new_errors_are_told_by_their_shape() -> None:
    old = "2026-09-21 14:13:20,123 ERROR chat: session 4711 of 10.0.0.7:51234 lost\n"
    again = "2026-09-22 09:00:00,001 ERROR chat: session 815 of 10.0.0.9:40000 lost\n"
    other = "2026-09-22 09:00:01,001 ERROR chat: no agent 0x7f3a for 3 jobs\nINFO fine\n"
    before = session("a", ran("t"), seen=observed(old))
    assert changes(before, session("b", ran("t")), observed(again)) == []
    assert changes(before, session("b", ran("t")), observed(again + other)) == [
        ("new-error", "<time> ERROR chat: no agent <id> for <n> jobs")
    ]


def test_errors_are_not_new_where_the_last_good_session_did_not_look() -> None:
    assert changes(session("a", ran("t")), session("b", ran("t")), observed("ERROR x")) == []


def test_lines_that_tell_of_an_error() -> None:
    log = "INFO 0 errors\nTraceback (most recent call last):\n   x\nmy.pkg.WrongError: 3\nlevel=error msg=x\nerrors: 0"
    assert error_shapes(log) == ("Traceback (most recent call last):", "my.pkg.WrongError: <n>", "level=error msg=x")
    assert len(shape("word " * 10_000)) == 300
    assert shape("utf8 v2 sha 0123abc id 123e4567-e89b-12d3-a456-426614174000") == "utf8 v2 sha <id> id <id>"


def api(**schemas: Any) -> dict[str, Any]:
    """An OpenAPI document with two routes over one schema."""
    answer = {
        "responses": {"200": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Chat"}}}}}
    }
    chat = {
        "type": "object",
        "properties": {"title": {"type": "string"}, "next": {"$ref": "#/components/schemas/Chat"}},
    }
    return {
        "paths": {"/chat": {"get": answer | {"summary": "Get it"}, "post": {"responses": {}}}},
        "components": {"schemas": {"Chat": chat} | schemas},
    }


def test_routes_that_are_gone_or_changed() -> None:
    before = session("a", ran("t"), seen=observed("", api()))
    prose = api()
    prose["paths"]["/chat"]["get"]["summary"] = "Fetch it"
    assert changes(before, session("b", ran("t")), observed("", prose)) == []
    other = api(Chat={"type": "object", "properties": {"name": {"type": "string"}}})
    del other["paths"]["/chat"]["post"]
    assert changes(before, session("b", ran("t")), observed("", other)) == [
        ("route-changed", "GET /chat"),
        ("route-gone", "POST /chat"),
    ]
    assert changes(before, session("b", ran("t")), observed("", None)) == []
    assert observed("", {"paths": ["odd"]}).routes == {}


def test_latencies_by_percentile() -> None:
    def measured(*values: object) -> Test:
        return ran("t", measurements={"response_ms": values, "count": (1, 2, 3, 4, 5)})

    before = session("a", measured(*range(100, 200)))
    now = session("b", measured(*range(300, 400), "odd", float("nan")))
    found = assess(now, before, Observed())
    (latency,) = found.latencies
    assert (latency.before, latency.after, latency.values) == ((149, 194, 198), (349, 394, 398), 100)
    assert [(one.subject, one.before, one.after) for one in found.changes] == [("p95(response_ms)", "194 ms", "394 ms")]
    few = session("b", measured(900, 900, 900))
    assert assess(few, before, Observed()).latencies == ()


def test_percentiles_are_values_that_were_seen() -> None:
    assert [percentile([3, 1, 2, 4], of) for of in (50, 95, 100, 1)] == [2, 4, 4, 1]
    assert percentile([7], 99) == 7


def test_the_score_is_what_its_formula_says() -> None:
    before = session("a", *(ran(f"t{number}") for number in range(8)), seen=observed("", api()))
    now = session("b", ran("t0", TestOutcome.FAILED), *(ran(f"t{number}") for number in range(1, 8)))
    found = assess(now, before, Observed(errors=("ERROR x",), routes=observed("", api()).routes))
    assert (
        found.formula == "1 − (3 × 1 now-failing + 2 × 1 new-error) / (3 × 10 tests and routes compared), not below 0"
    )
    assert found.score == round(1 - 5 / 30, 4)
    none = assess(before, before, Observed())
    assert (none.score, none.formula) == (1.0, "1 − (0) / (3 × 8 tests and routes compared), not below 0")


def report(*fingerprints: str) -> Report:
    """A report with these findings."""
    findings = tuple(
        Finding(
            code="IMP002",
            slug="missing-name",
            severity=Severity.ERROR,
            impact=Impact.STARTUP,
            path="a.py",
            span=Span(1),
            message="m",
            symbol="",
            fingerprint=one,
        )
        for one in fingerprints
    )
    return Report(
        guard="0",
        tree_kind="directory",
        tree_label=".",
        files_found=2,
        files_analysed=2,
        findings=findings,
        problems=(),
    )


def test_the_audit_tells_new_findings_from_known_ones() -> None:
    step = Step(name="audit", cycle=1, outcome=Outcome.OK, started=0, ended=1, data=audit_data(report("f1", "f2")))
    before = session("a", steps=(step,))
    found = audited(report("f2", "f3"), before)
    assert (found.findings, found.new, found.fixed, found.compared_with) == ({"IMP002": 2}, ("f3",), 1, "a")
    assert audited(report("f2"), session("a")).compared_with == ""
    assert audited(report("f2"), None).new == ()
