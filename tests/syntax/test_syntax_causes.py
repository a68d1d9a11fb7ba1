"""The likely cause beside a syntax error, and the names and lines that a finding carries."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from syntax_support import facts_of

from guard.checks.syntax_causes import Source, likely_causes

CUT = "class A:\n    def f(self):\n        x = 1\n\nfrom a import (\n    b,\n)\n\n        y = 2\n"


@pytest.mark.parametrize(
    ("text", "line", "cause", "says"),
    [
        (CUT, 9, 5, "at column 0"),
        ("def f():\n    x = get()  # was call(\n        a=1,\n    )\n", 3, 2, "inside this line's comment"),
        ("if a  # b:\n    c\n", 1, 1, "colon stands inside the comment"),
        ('"""one\ntwo\n"""three four\n', 3, 1, "ends the string that begins here"),
        ("try:\n    a\nb\nexcept E:\n    c\n", 3, 1, "no `except` or `finally`"),
        ("try:\n  try:\n    a\n  except E:\n    b\nc\n", 6, 1, "no `except` or `finally`"),
        ("f(\n  a,\n  b\n\nx = 1\ny = 2\n", 5, 1, "is not closed"),
        ("a = 1\n<<<<<<< ours\nb = 2\n", 2, 2, "merge conflict"),
        ("if a:\n    # nothing\n\nb = 1\n", 4, 1, "is empty"),
        ("class A:\n    def f(self):\n        await g()\n", 3, 2, "`f` is a plain function"),
        ("async def f():\n    return 1\n    yield\n", 2, 3, "async generator"),
    ],
)
def test_the_likely_cause_is_named(text: str, line: int, cause: int, says: str) -> None:
    (facts,) = facts_of([text.encode()])
    assert facts.broken is not None
    assert facts.broken.span.line == line
    (hint,) = facts.broken.hints
    assert hint.line == cause
    assert says in hint.message


@pytest.mark.parametrize(
    "text", ["x = = 1\n", "def f(:\n    pass\n", "x = 1\n    y = 2\n", "async def f():\n    lambda: await x\n"]
)
def test_no_cause_is_made_up(text: str) -> None:
    (facts,) = facts_of([text.encode()])
    assert facts.broken is not None
    assert [hint for hint in facts.broken.hints if "at column 0" not in hint.message] == []


def test_the_symbol_is_found_without_a_parser() -> None:
    text = "class A:\n    async def f(self):\n        if x:\n            y = = 1\n    def g(self): pass\nz = = 1\n"
    source = Source(text)
    assert [source.symbol(line) for line in (1, 2, 4, 5, 6)] == ["", "A", "A.f", "A", ""]


def test_further_lines_are_counted_once() -> None:
    (facts,) = facts_of([b"def f():\n    await a; await b\n    await c\n    await d\n"])
    assert facts.broken is not None
    assert (facts.broken.span.line, facts.broken.more) == (2, (3, 4))


def test_control_characters_stay_out_of_messages() -> None:
    (facts,) = facts_of(["x = 1 \u202e\x1b[31m\n".encode()])
    assert facts.broken is not None
    assert "U+202E" in facts.broken.message
    assert facts.broken.message.isascii()


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.sampled_from(["def f(", "class A:", "    ", "\n", "try:", "except", ")", "'''", "(", "x", "#(", "\r", "\t"]),
        max_size=30,
    )
)
def test_looking_for_a_cause_never_raises(pieces: list[str]) -> None:
    source = Source("".join(pieces))
    for line in range(1, 8):
        for message in (
            "Unexpected indentation",
            "Expected `:`",
            "string EOF",
            "Expected `except` or `finally` after",
            "x",
        ):
            likely_causes(source, line, message)
        source.symbol(line)
