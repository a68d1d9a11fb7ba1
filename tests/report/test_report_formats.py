"""What holds for every format."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_samples import ANY_TEXT, BILLING, NOTE, PROBLEMS, QUICK, REPORTS, RULES, RUNTIME, STARTUP, finding, report

from guard.model import Problem, Report
from guard.report import FORMATS, RenderContext, render

FULL = report(STARTUP, RUNTIME, NOTE, problems=PROBLEMS)
READ_BY_PEOPLE = ("text", "concise", "github", "junit", "markdown")


def test_concise() -> None:
    assert render("concise", FULL, RenderContext()) == (
        "services/billing/app.py:3:26: IMP002 billing.mail binds no name 'InvoiceMailer' [startup]\n"
        "services/billing/app.py:7:7: MID001 SessionMiddleware is added inside the middleware that reads"
        " request.session [runtime]\n"
        "data/con.txt:1:1: TXT006 Windows reserves the name 'con' [tooling]\n"
        "big.py: problem too-large: 12 MB, and the limit is 10 MB\n"
        "vendor/lib: problem submodule: another repository, not looked at\n"
    )
    assert render("concise", report(), RenderContext()) == ""
    hostile = finding(path="a\nb.py", message="x\x1b[2Jy")
    assert render("concise", report(hostile), RenderContext()) == "a\\nb.py:3:26: IMP002 x\\x1b[2Jy [startup]\n"


def test_an_unknown_format_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        render("yaml", FULL, RenderContext())


def everything() -> dict[str, str]:
    context = RenderContext(rules=RULES, sources={STARTUP.path: BILLING}, statistics=True)
    return {name: render(name, FULL, context) for name in FORMATS}


def test_the_same_report_gives_the_same_text_in_another_process() -> None:
    script = (
        "import json, sys; sys.path.insert(0, sys.argv[1]);"
        "import test_report_formats; print(json.dumps(test_report_formats.everything()))"
    )
    # Another hash seed, so that the order of a set would show.
    other = subprocess.run(
        [sys.executable, "-c", script, str(Path(__file__).parent)],
        capture_output=True,
        check=True,
        env={**os.environ, "PYTHONHASHSEED": "7"},
    )
    assert json.loads(other.stdout) == everything()


@QUICK
@given(given_report=REPORTS, source=ANY_TEXT, color=st.booleans(), width=st.integers(1, 200), limit=st.integers(0, 3))
def test_any_report_can_be_written(given_report: Report, source: str, color: bool, width: int, limit: int) -> None:
    sources = {one.path: source for one in given_report.findings}
    context = RenderContext(
        rules=RULES, sources=sources, color=color, width=width, limit=limit, statistics=True, sarif_results=limit
    )
    for name in FORMATS:
        text = render(name, given_report, context)
        text.encode()
        assert text.endswith("\n") or not text, name


@QUICK
@given(given_report=REPORTS, source=ANY_TEXT)
def test_what_people_read_holds_no_control_character(given_report: Report, source: str) -> None:
    context = RenderContext(sources={one.path: source for one in given_report.findings})
    for name in READ_BY_PEOPLE:
        text = render(name, given_report, context)
        hidden = {unicodedata.category(char) for char in text.replace("\n", "")} & {"Cc", "Cf", "Cs", "Zl", "Zp"}
        assert not hidden, name


def test_a_format_is_imported_only_when_it_is_used() -> None:
    script = (
        "import sys, guard.report; early = {'guard.report.sarif', 'rich', 'xml.etree.ElementTree'} & set(sys.modules);"
        "guard.report.render; assert not early, early"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("concise", "problem nothing-analysed: none of 0 files was analysed\n"),
        ("github", "::error title=guard could not check this::none of 0 files was analysed\n"),
        ("gitlab", '"description": "none of 0 files was analysed"'),
    ],
)
def test_a_report_on_nothing_is_not_empty(name: str, expected: str) -> None:
    assert expected in render(name, report(files_found=0, files_analysed=0), RenderContext(rules=RULES))


def test_a_problem_of_no_file_has_no_empty_place() -> None:
    text = render("concise", report(problems=(Problem("", "cache", "the disk is full"),)), RenderContext(rules=RULES))
    assert text == "problem cache: the disk is full\n"
