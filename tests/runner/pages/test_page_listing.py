"""A list of sessions, in every format."""

from __future__ import annotations

import json
from xml.etree import ElementTree

import page_sessions
import pytest
from test_pages import Page

from guard.report.session.listing import FORMATS, render
from guard.runner.record import Verdict
from guard.runner.store import Summary


def summary(
    name: str, verdict: Verdict, *, ended: float = page_sessions.START + 200, target: str = "staging"
) -> Summary:
    """One session."""
    tests = {"failed": 1, "passed": 2}
    return Summary(
        id=name,
        target=target,
        verdict=verdict,
        revision="rev-1",
        started=page_sessions.START,
        ended=ended,
        cycles=1,
        tests=tests if verdict is not Verdict.GOAL_MET else {"passed": 3},
    )


SESSIONS = (
    summary("s3", Verdict.RUNNING, ended=0),
    summary("s2", Verdict.TESTS_FAILED, target=page_sessions.HOSTILE),
    summary("s1", Verdict.GOAL_MET),
)


@pytest.mark.parametrize("form", list(FORMATS))
def test_every_format_names_every_session_and_lets_nothing_through(form: str) -> None:
    text = render(form, SESSIONS)
    assert text.endswith("\n")
    assert text.encode("utf-8")
    assert [text.index(f"s{number}") for number in (3, 2, 1)]
    assert "\x1b" not in text
    if form in ("markdown", "html"):
        assert "<script>" not in text


@pytest.mark.parametrize("form", list(FORMATS))
def test_every_format_can_say_that_there_is_none(form: str) -> None:
    assert render(form, ()).endswith("\n")


def test_the_formats_can_be_read() -> None:
    document = json.loads(render("json", SESSIONS))
    assert [(one["id"], one["exit_code"], one["ended"]) for one in document["sessions"]] == [
        ("s3", 130, None),
        ("s2", 13, "2026-09-21T14:16:40Z"),
        ("s1", 0, "2026-09-21T14:16:40Z"),
    ]
    root = ElementTree.fromstring(render("junit", SESSIONS))
    assert (root.get("tests"), root.get("failures")) == ("3", "2")
    page = Page(render("html", SESSIONS))
    assert "goal met" in page.text
    assert "3 min 20 s" in page.text
