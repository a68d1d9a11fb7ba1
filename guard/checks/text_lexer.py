"""Where the strings and comments of a Python file are, also in one that does not parse.

A file with conflict markers or a stray invisible character does not parse, and that is when its strings have to be
told from its code.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from guard.lexer import Kind, Token, TooDeep, tokens

_OPENING: Final = frozenset("([{")
_CLOSING: Final = frozenset(")]}")


class Piece(NamedTuple):
    """One string or comment: `text[start:end]` of the file."""

    start: int
    end: int
    comment: bool
    bare: bool
    """A string that is a statement of its own: a docstring, or text that nobody reads."""


def pieces(text: str) -> Iterator[Piece]:
    """The strings and comments of a Python file, in order. An f-string is one piece, with the code in its fields."""
    depth = 0
    at_start = True  # of a statement that begins on a line of its own
    held: Piece | None = None  # a string that is bare if its line ends behind it
    try:
        for token in tokens(text):
            if held is not None:
                yield held._replace(bare=_ends_statement(token, text))
                held = None
            if token.kind is Kind.COMMENT:
                yield Piece(token.start, token.end, True, False)
            elif token.kind in (Kind.STRING, Kind.FSTRING):
                piece = Piece(token.start, token.end, False, at_start and depth == 0)
                if piece.bare:
                    held = piece
                else:
                    yield piece
            elif token.kind is Kind.OPERATOR:
                written = text[token.start]
                depth = max(depth + (written in _OPENING) - (written in _CLOSING), 0)
            at_start = token.kind is Kind.NEWLINE
    except TooDeep:
        return
    if held is not None:
        yield held


def _ends_statement(token: Token, text: str) -> bool:
    return token.kind in (Kind.NEWLINE, Kind.COMMENT) or text[token.start] == ";"
