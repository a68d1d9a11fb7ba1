"""The lexer against the standard library's tokenizer, on text that both read."""

from __future__ import annotations

import io
import tokenize
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import guard
from guard.lexer import Kind, TooDeep, tokens

SOURCES = sorted(Path(guard.__file__).parent.rglob("*.py"))


def _spelled(text: str, *kinds: Kind) -> list[str]:
    return [text[token.start : token.end] for token in tokens(text) if token.kind in kinds]


@pytest.mark.parametrize("path", SOURCES[::4], ids=lambda path: path.name)
def test_names_numbers_and_comments_are_those_of_tokenize(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    depth, expected = 0, []
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        kind = tokenize.tok_name[token.type]
        depth += (kind == "FSTRING_START") - (kind == "FSTRING_END")
        if depth == 0 and kind in ("NAME", "NUMBER", "COMMENT"):
            expected.append(token.string)
    assert _spelled(text, Kind.NAME, Kind.NUMBER, Kind.COMMENT) == expected


@pytest.mark.parametrize(
    ("text", "strings"),
    [
        ('\'a\' "b" \'\'\'c\n\'\'\' """d"e"""', ["'a'", '"b"', "'''c\n'''", '"""d"e"""']),
        (r"'a\'b' r'\' c'", [r"'a\'b'", r"r'\' c'"]),
        ("rb'a' Rb'b' u'c' x'd'", ["rb'a'", "Rb'b'", "u'c'", "'d'"]),
        ("'open\nx = 'closed'", ["'open", "'closed'"]),
        ("'on\\\nward'", ["'on\\\nward'"]),
    ],
)
def test_strings(text: str, strings: list[str]) -> None:
    assert _spelled(text, Kind.STRING) == strings


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("f'{a}{b!r}{c:>{d}}{e=}'", ["a", "b", "c", "e"]),
        ("f'{a['b']}'", ["a['b']"]),
        ("f'{{}} {a} {{{b}}}'", ["a", "b"]),
        ("f'{a != b}{c:=^1}{(d := 1)}'", ["a != b", "c", "(d := 1)"]),
        ("rf'\\{a}' ", ["a"]),
        ("f'\\N{BULLET}{a}'", ["a"]),
        ("f'{a # why\n}'", ["a # why\n"]),
    ],
)
def test_fields_of_an_f_string(text: str, fields: list[str]) -> None:
    (token,) = (token for token in tokens(text) if token.kind is Kind.FSTRING)
    assert token.closed
    assert [text[field.start : field.end] for field in token.fields] == fields


@pytest.mark.parametrize("text", ["f'{" * 1000, "f'{" + "(" * 1000])
def test_depth_is_limited(text: str) -> None:
    with pytest.raises(TooDeep):
        list(tokens(text))


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="fr'\"{}[]()!:=\\#\n\r ax0é\x00", max_size=60))
def test_tokens_are_in_order_and_apart(text: str) -> None:
    end = 0
    for token in tokens(text):
        assert end <= token.start < token.end <= len(text)
        end = token.end
