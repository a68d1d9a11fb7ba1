"""`text` and `markdown` of `guard report`: what they say, and that no name in a repository can say more."""

from __future__ import annotations

from fractions import Fraction

import msgspec
import pytest
from hypothesis import given
from scoring_support import QUICK, TREES, Contents, SampleTree, appraised
from test_standing_json import compared

from guard.model import Problem, Since
from guard.report import RenderContext
from guard.report.standing import FORMATS, render, words
from guard.report.standing.markdown import MARKER
from guard.scoring.model import Point

HOSTILE = "<img src=x onerror=alert(1)>|`@owner #1 \x1b[31m\u202e.py"
MANY = SampleTree(
    {
        f"part_{number}/{'long_' * 30}{file}.py": b"import absolutely_absent\nprint(undefined_name_%d)\n" % file
        for number in range(40)
        for file in range(20)
    }
)


def point(score: Fraction, day: int = 1) -> Point:
    return Point(
        commit="1f" * 20,
        date=f"2026-01-{day:02}T00:00:00+00:00",
        subject=HOSTILE,
        score=score,
        errors=1,
        warnings=0,
        read=True,
    )


def test_what_it_is_made_of_and_what_would_raise_it() -> None:
    broken = b"from app.gone import x\n" + b"name = 'a line of code'\n" * 9
    tree = SampleTree({f"app/{name}.py": broken for name in "abc"} | {"app/__init__.py": b"", "app/d.py": b"y = (\n"})
    text = render("text", appraised(tree), RenderContext())
    assert "IMP001 module app.gone does not exist" in text
    assert "3 findings in 3 files: app/a.py:1" in text
    assert "SYN001" in text
    assert "The score is the mean of the categories by weight (compiles 25, imports 25" in text
    assert "A from 98, B from 95, C from 90, D from 75, else E" in text.replace("\n", " ")


@QUICK
@given(contents=TREES)
def test_no_name_says_more_than_its_letters(contents: Contents) -> None:
    hostile = {f"app/{HOSTILE}": b"from app.gone import x\n", **contents}
    appraisal = compared(appraised(SampleTree(hostile, [min(contents)])))
    assert appraisal.comparison is not None
    since = Since(rev=HOSTILE, commit="1f" * 20, unchanged=0, fixed=0)
    appraisal = msgspec.structs.replace(
        appraisal,
        comparison=msgspec.structs.replace(appraisal.comparison, since=since),
        history=(point(Fraction(1, 2)), point(Fraction(1))),
        report=msgspec.structs.replace(appraisal.report, problems=(Problem(HOSTILE, "unreadable", HOSTILE),)),
    )
    for form in ("text", "markdown"):
        text = render(form, appraisal, RenderContext(width=100))
        assert text.endswith("\n")
        assert not {char for char in text if char != "\n" and (ord(char) < 32 or char == "\u202e")}, form
    assert "<img" not in text
    assert "@owner" not in text
    assert "#1 " not in text
    tables = [line for line in text.splitlines() if line.startswith("| ")]
    assert {line.count("|") for line in tables} <= {4, 5, 6, 8, 10}


def test_the_comment_is_found_again_and_is_never_too_long() -> None:
    appraisal = compared(appraised(MANY))
    appraisal = msgspec.structs.replace(appraisal, history=tuple(point(Fraction(1, n + 1)) for n in range(900)))
    for limit in (60_000, 20_000):
        text = render("markdown", appraisal, RenderContext(markdown_chars=limit))
        assert text.splitlines()[0] == MARKER
        assert len(text) <= limit
        assert text.count("<details>") == text.count("</details>")
        assert "more" in text


def test_a_plot_keeps_to_its_scale() -> None:
    history = [point(Fraction(score, 100)) for score in (91, 93, 90, 90)]
    assert words.scale(history) == (89, 94)
    bars = words.bars(history, 10)
    assert [len(bar) for bar in bars] == [4, 8, 2, 2]
    assert len(set(bars)) == 3
    assert words.bars([point(Fraction(1))], 10) == ["█" * 10]
    assert words.bars([point(Fraction(0))], 10) == ["▏"]


@pytest.mark.parametrize(
    ("gain", "shown"),
    [
        ("1/100", "+1.00"),
        ("1/1000", "+0.10"),
        ("1/10000", "+0.010"),
        ("1/100000", "+0.0010"),
        ("1/10000000000", "+0.0001"),
    ],
)
def test_a_gain_shows_something(gain: str, shown: str) -> None:
    assert words.gain(Fraction(gain)) == shown


def test_every_format_has_a_healthy_tree() -> None:
    appraisal = appraised(SampleTree({"app.py": b"value = 1\n", ".gitattributes": b"* text eol=lf\n"}))
    assert (appraisal.standing.score, appraisal.standing.grade, appraisal.exit_code) == (1, "A", 0)
    for form in FORMATS:
        assert render(form, appraisal, RenderContext())
