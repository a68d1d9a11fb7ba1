"""Two sessions side by side, in every format."""

from __future__ import annotations

import json
from xml.etree import ElementTree

import msgspec
import page_sessions
import pytest
from test_pages import Page

from guard.report.session.comparison import FORMATS, render
from guard.runner.compare import compared
from guard.runner.record import Cause, CauseKind, Outcome


def test_a_session_that_got_worse() -> None:
    found = compared(page_sessions.good(), page_sessions.failed())
    assert [(one.kind, one.after) for one in found.worse] == [
        ("now-failing", "failed"),
        ("now-failing", "unproven"),
        ("new-cause", ""),
        ("new-cause", ""),
        ("criterion", "missed 0.5"),
        ("criterion", "unproven"),
    ]
    assert found.better == ()
    assert [(one.kind, one.subject, one.before, one.after) for one in found.other] == [("findings", "IMP002", "0", "1")]


def test_the_other_way_round_it_got_better() -> None:
    found = compared(page_sessions.failed(), page_sessions.good())
    assert found.worse == ()
    assert [(one.kind, one.before, one.after) for one in found.better] == [
        ("now-passing", "failed", "passed"),
        ("now-passing", "unproven", "passed"),
        ("cause-gone", "", ""),
        ("cause-gone", "", ""),
        ("criterion", "missed 0.5", "met 1.0"),
        ("criterion", "unproven", "met 420"),
    ]


def test_what_was_asked_for_differently_is_told() -> None:
    one = page_sessions.good()
    other = msgspec.structs.replace(
        one, focus="", plan=msgspec.structs.replace(one.plan, cycles=3), tests=one.tests[:2]
    )
    found = compared(other, one)
    assert [(change.kind, change.subject) for change in found.other] == [
        ("now-run", one.tests[2].id),
        ("plan", "cycles"),
        ("run", "focus"),
    ]
    found = compared(msgspec.structs.replace(other, selection=other.selection[:2]), one)
    assert [(change.kind, change.subject) for change in found.other][:1] == [("new-test", one.tests[2].id)]


def test_what_was_not_reached_is_told_and_what_is_gone_is_told_once() -> None:
    one = page_sessions.good()
    stopped = [
        page_sessions.step("phase:agents", 58, 0, Outcome.SKIPPED) if step.name == "phase:agents" else step
        for step in one.steps
    ]
    short = msgspec.structs.replace(one, focus="", tests=one.tests[:2])
    other = msgspec.structs.replace(one, focus="")
    found = compared(other, msgspec.structs.replace(short, steps=tuple(stopped)))
    assert [(change.kind, change.subject, change.before) for change in found.other] == [
        ("not-run", one.tests[2].id, "passed")
    ]
    found = compared(other, short)
    assert [change.kind for change in found.worse] == ["gone"]
    assert found.other == ()


def test_a_criterion_is_told_once() -> None:
    one = page_sessions.good()
    missed = [msgspec.structs.replace(criterion, outcome="missed") for criterion in one.criteria]
    said = [f"{criterion.expression} is missed in {criterion.phase}" for criterion in missed]
    causes = [Cause(id=f"1-{text}", kind=CauseKind.CRITERION, summary=text) for text in said]
    causes.append(Cause(id="1-0", kind=CauseKind.UNPROVEN, summary="nothing was asked"))
    found = compared(one, msgspec.structs.replace(one, criteria=tuple(missed), causes=tuple(causes)))
    assert [change.kind for change in found.worse] == ["new-cause", "criterion", "criterion"]


@pytest.mark.parametrize("form", list(FORMATS))
def test_every_format_says_it_and_lets_nothing_through(form: str) -> None:
    text = render(form, compared(page_sessions.good(), page_sessions.hostile()))
    assert text.endswith("\n")
    assert text.encode("utf-8")
    assert "s4" in text
    assert "now-failing" in text
    assert "\x1b" not in text
    if form in ("markdown", "html"):
        assert "<script>" not in text


def test_the_formats_can_be_read() -> None:
    comparison = compared(page_sessions.good(), page_sessions.failed())
    document = json.loads(render("json", comparison))
    assert (document["schema_version"], document["comparison"]["after"]["id"]) == (1, "s3")
    root = ElementTree.fromstring(render("junit", comparison))
    assert (root.get("tests"), root.get("failures")) == ("6", "6")
    page = Page(render("html", comparison))
    assert "6 things are worse" in page.text
    assert "script" not in page.tags


def test_two_that_are_alike() -> None:
    comparison = compared(page_sessions.good(), page_sessions.good())
    assert (comparison.worse, comparison.better, comparison.other, comparison.score) == ((), (), (), 1.0)
    assert "nothing is worse" in render("html", comparison)
    assert 'name="nothing is worse"' in render("junit", comparison)
