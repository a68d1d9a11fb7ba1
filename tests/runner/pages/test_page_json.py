"""`json` of a session against the published schema, which must say what is written: no key more, none less."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

import page_sessions
import pytest
from jsonschema import Draft202012Validator

from guard.report.session import render
from guard.report.session.jsondoc import session_schema_text
from guard.runner.record import Session

PUBLISHED = files("guard").joinpath("schemas/session.schema.json").read_text(encoding="utf-8")
SCHEMA = json.loads(PUBLISHED)


def document(session: Session, *earlier: Session) -> dict[str, Any]:
    """The page, read back."""
    found: dict[str, Any] = json.loads(render("json", session, earlier))
    return found


def test_the_published_schema_is_the_one_that_the_types_give() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert session_schema_text() == PUBLISHED


@pytest.mark.parametrize("name", ["good", "failed", "hostile", "large"])
def test_every_session_fits_the_schema(name: str) -> None:
    session: Session = getattr(page_sessions, name)()
    Draft202012Validator(SCHEMA).validate(document(session, page_sessions.failed("s0")))


def test_a_session_that_runs_has_no_end() -> None:
    page = document(page_sessions.msgspec.structs.replace(page_sessions.good(), ended=0.0))
    Draft202012Validator(SCHEMA).validate(page)
    assert page["ended"] is None
    assert page["started"] == "2026-09-21T14:13:20.000Z"


@pytest.mark.parametrize("key", ["id", "verdict", "steps", "tests"])
def test_the_schema_refuses_a_session_without(key: str) -> None:
    page = document(page_sessions.good())
    del page[key]
    assert not Draft202012Validator(SCHEMA).is_valid(page)


def test_it_says_what_the_loop_promises() -> None:
    page = document(page_sessions.failed())
    assert (page["schema_version"], page["verdict"], page["exit_code"]) == (1, "tests-failed", 13)
    assert page["causes"][0]["rule"] == "IMP002"
    assert page["causes"][0]["whys"][3] == {"question": "Why did no gate catch it?", "answer": "", "evidence": []}
    assert page["tests"][0]["peers"] == ["chat.example:443"]
    assert page["goal"] == {"wanted": "all", "reached": "1 of 3 tests", "met": False}


def test_what_was_known_and_is_well_again_is_resolved() -> None:
    page = document(page_sessions.good("s9"), page_sessions.failed())
    assert [(issue["first"], issue["state"]) for issue in page["known_issues"]] == [("s3", "resolved")] * 2
