"""Foreign text is made harmless, and stays legible."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_samples import ANY_TEXT, QUICK

from guard.report.escape import cells, encodable, shortened, visible, wrapped


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain naïve 漢字 👍", "plain naïve 漢字 👍"),
        ("a\nb\tc\r", r"a\nb\tc\r"),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("\x9b31m", r"\u009b31m"),
        (b"caf\xe9.py".decode("utf-8", "surrogateescape"), r"caf\xe9.py"),
        ("lone \ud800", r"lone \ud800"),
        ("user\u202etxt.exe", r"user\u202etxt.exe"),
        ("\ufeffbom", r"\ufeffbom"),
        ("tag\U000e0041", r"tag\U000e0041"),
        ("two\u2028lines", r"two\u2028lines"),
        ("none\uffff", r"none\uffff"),
    ],
)
def test_visible(text: str, shown: str) -> None:
    assert visible(text) == shown


@QUICK
@given(ANY_TEXT)
def test_visible_text_is_one_encodable_line_without_controls(text: str) -> None:
    shown = visible(text)
    shown.encode()
    assert len(shown.splitlines()) <= 1
    assert not {unicodedata.category(char) for char in shown} & {"Cc", "Cf", "Cs", "Zl", "Zp"}
    assert visible(shown) == shown


@QUICK
@given(ANY_TEXT)
def test_encodable_changes_only_surrogates(text: str) -> None:
    kept = "".join(char for char in text if unicodedata.category(char) != "Cs")
    assert encodable(kept) == kept
    assert (encodable(text) == text) is (kept == text)
    encodable(text).encode()


def test_cells() -> None:
    assert cells("abc") == 3
    assert cells("漢字") == 4
    assert cells("e\u0301") == 1


def test_wrapped_breaks_at_blanks_and_keeps_names_whole() -> None:
    assert wrapped("one two three /a/very/long/path/indeed four", 14, "help: ", "  ") == [
        "help: one two",
        "  three",
        "  /a/very/long/path/indeed",
        "  four",
    ]


@QUICK
@given(st.text(st.sampled_from("ab 漢"), max_size=60), st.integers(2, 20))
def test_wrapped_loses_no_word(text: str, width: int) -> None:
    lines = wrapped(text, width)
    assert " ".join(lines).split() == text.split()
    assert all(cells(line) <= width or " " not in line for line in lines)


@pytest.mark.parametrize(("text", "cut"), [("abcdef", "abcdef"), ("abcdefg", "abcde…"), ("漢字漢字", "漢字…")])
def test_shortened(text: str, cut: str) -> None:
    assert shortened(text, 6) == cut
