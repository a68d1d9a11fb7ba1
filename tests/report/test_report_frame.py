"""Code frames: the right lines, and the caret under the right columns."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_samples import ANY_TEXT, QUICK, SPANS

from guard.model import Span
from guard.report.escape import cells
from guard.report.frame import frame, split_lines


def drawn(source: str, span: Span, width: int = 80) -> list[str]:
    return [f"{line.number} | {line.text}".rstrip() for line in frame(split_lines(source), span, width)]


def test_two_lines_around() -> None:
    source = "".join(f"line {number}\n" for number in range(1, 13))
    assert drawn(source, Span(10, 6, 10, 8)) == [
        " 8 | line 8",
        " 9 | line 9",
        "10 | line 10",
        "   |      ^^",
        "11 | line 11",
        "12 | line 12",
    ]


def test_blank_lines_at_the_edges_are_left_out() -> None:
    assert drawn("\n\nx = 1\n\n\n", Span(3, 1, 3, 2)) == ["3 | x = 1", "  | ^"]


def test_tabs_wide_characters_and_marks() -> None:
    assert drawn("\tx = '漢字' + e\u0301 + y\n", Span(1, 18, 1, 19)) == [
        "1 |     x = '漢字' + e\u0301 + y",
        "  |                      ^",
    ]
    assert drawn("ab\tc\n", Span(1, 3, 1, 5)) == ["1 | ab  c", "  |   ^^^"]


def test_controls_are_escaped_and_counted() -> None:
    assert drawn("a = '\x1b[31m\u202e' + b\n", Span(1, 16, 1, 17)) == [
        "1 | a = '\\x1b[31m\\u202e' + b",
        "  |                        ^",
    ]


def test_a_long_line_is_cut_around_the_caret() -> None:
    source = "x" * 300 + "HERE" + "y" * 300
    assert drawn(source, Span(1, 301, 1, 305), 44) == [
        "1 | …xxxxxxxxxxxxHEREyyyyyyyyyyyyyyyyyyyyyy…",
        "  |              ^^^^",
    ]
    assert drawn(source, Span(1, 1, 1, 5), 44) == ["1 | " + "x" * 38 + "…", "  | ^^^^"]
    assert drawn(source, Span(1, 604, 1, 605), 44) == ["1 | …" + "y" * 13, "  |              ^"]


def test_a_span_over_lines_is_underlined_on_its_first() -> None:
    assert drawn("call(\n    1,\n)\n", Span(1, 1, 3, 2)) == ["1 | call(", "  | ^^^^^", "2 |     1,", "3 | )"]


def test_an_empty_span_gets_one_caret() -> None:
    assert drawn("x\n", Span(1, 2, 1, 2)) == ["1 | x", "  |  ^"]
    assert drawn("x = \n", Span(1, 9)) == ["1 | x =", "  |     ^"]


@pytest.mark.parametrize("span", [Span(9, 1), Span(0, 1)])
def test_a_line_that_is_not_there_has_no_frame(span: Span) -> None:
    assert frame(["x"], span, 80) == []


def test_lines_are_counted_as_python_counts_them() -> None:
    source = "a\x0cb\u2028c\r\nd\re\n"
    assert split_lines(source) == ["a\x0cb\u2028c", "d", "e", ""]
    # The real thing: the line number that Python itself gives a name after the same characters.
    code = compile("'\x0c \u2028'\r\n1\r" + "name\n", "<case>", "exec")
    assert max(line for _, _, line in code.co_lines() if line) == 3


@QUICK
@given(ANY_TEXT.map(lambda text: text * 8), SPANS, st.integers(30, 120))
def test_a_frame_never_outgrows_its_width(source: str, span: Span, width: int) -> None:
    for line in frame(split_lines(source), span, width):
        assert cells(line.text) <= max(20, width - len(line.number) - 3)
        line.text.encode()
