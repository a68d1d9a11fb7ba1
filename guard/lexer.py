"""The tokens of Python source, the same on every running Python, and for text that no parser accepts.

The standard library's `tokenize` follows the running version: what 3.11 gives for a nested f-string, and which
errors it raises for broken text, is not what 3.13 does. guard needs tokens just where versions differ: to put newer
syntax into older words (`guard.downlevel`), and to find what broke a file (`guard.checks.syntax_causes`). This lexer
reads f-strings as Python 3.12 and later do (PEP 701), never raises for what the text holds except `TooDeep`, and
passes over a character that it does not know.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterator
from typing import Final, NamedTuple

DEEPEST: Final = 200
"""Open brackets and f-strings in one another. CPython's own tokenizer stops at 200 brackets."""


class TooDeep(Exception):
    """Brackets or f-strings are nested deeper than `DEEPEST`."""


class Kind(enum.Enum):
    """What a token is."""

    NAME = enum.auto()
    NUMBER = enum.auto()
    STRING = enum.auto()
    FSTRING = enum.auto()
    """An f-string or a t-string."""
    OPERATOR = enum.auto()
    COMMENT = enum.auto()
    NEWLINE = enum.auto()
    """A line break outside strings, whether or not it ends a statement."""


class Field(NamedTuple):
    """One replacement field of an f-string: `{start:end!r:spec}`. `nested` holds the fields inside its format spec."""

    start: int
    end: int
    tokens: tuple[Token, ...]
    nested: tuple[Field, ...]


class Token(NamedTuple):
    """One token; `start` and `end` are offsets into the text."""

    kind: Kind
    start: int
    end: int
    quote: str = ""
    """Of a string: the quotes that it stands in."""
    closed: bool = True
    """False for a string that the text, or the line, ends in."""
    fields: tuple[Field, ...] = ()
    """Of an f-string."""


_TOKEN: Final = re.compile(
    r"""
    (?P<SPACE>[ \t\f\ufeff]++|\\(?:\r\n|\r|\n))
    |(?P<NEWLINE>\r\n|\r|\n)
    |(?P<COMMENT>\#[^\r\n]*+)
    |(?P<PREFIX>(?:[rR][bBfFtT]?|[bBfFtT][rR]?|[uU])?)(?P<QUOTE>\"{3}|'{3}|"|')
    |(?P<NAME>[^\W\d]\w*+)
    |(?P<NUMBER>(?:\d|\.\d)(?:[eE][+-]|[\w.])*+)
    |(?P<OPERATOR>->|:=|\*\*=?|//=?|<<=?|>>=?|[-+*/%&|^@=!<>]=|.)
    """,
    re.VERBOSE | re.DOTALL,
)
_BODY: Final = {
    '"': re.compile(r'(?:[^"\\\r\n]++|\\(?:\r\n|.))*+', re.DOTALL),
    "'": re.compile(r"(?:[^'\\\r\n]++|\\(?:\r\n|.))*+", re.DOTALL),
    '"""': re.compile(r'(?:[^"\\]++|\\.|"(?!""))*+', re.DOTALL),
    "'''": re.compile(r"(?:[^'\\]++|\\.|'(?!''))*+", re.DOTALL),
}
_LITERAL: Final = {
    '"': re.compile(r'(?:[^"\\{}\r\n]++|\{\{|\}\})*+'),
    "'": re.compile(r"(?:[^'\\{}\r\n]++|\{\{|\}\})*+"),
    '"""': re.compile(r'(?:[^"\\{}]++|"(?!"")|\{\{|\}\})*+'),
    "'''": re.compile(r"(?:[^'\\{}]++|'(?!'')|\{\{|\}\})*+"),
}
_SPEC: Final = {
    '"': re.compile(r'[^"\\{}\r\n]*+'),
    "'": re.compile(r"[^'\\{}\r\n]*+"),
    '"""': re.compile(r'(?:[^"\\{}]++|"(?!""))*+'),
    "'''": re.compile(r"(?:[^'\\{}]++|'(?!''))*+"),
}
_ESCAPE: Final = re.compile(r"\\(?:N\{[^}\r\n\"']*+\}|\r\n|[^{}])", re.DOTALL)
_RAW_ESCAPE: Final = re.compile(r"\\(?:\r\n|[^{}])", re.DOTALL)
_CONVERSION: Final = re.compile(r"!\s*\w+(?:\s|#[^\r\n]*+)*+")
_OPENING: Final = frozenset("([{")
_CLOSING: Final = frozenset(")]}")


def tokens(text: str) -> Iterator[Token]:
    """The tokens of `text`, in order; blanks and backslashed line breaks are left out. Raises `TooDeep`."""
    position, end = 0, len(text)
    while position < end:
        token, position = _next(text, position, 0)
        if token is not None:
            yield token


def _next(text: str, position: int, depth: int) -> tuple[Token | None, int]:
    match = _TOKEN.match(text, position)
    if match is None:  # the pattern ends in `.`, so there is always a match before the end
        return None, len(text)
    name = match.lastgroup
    if name == "SPACE":
        return None, match.end()
    if name == "QUOTE":
        token = _string(text, match, depth)
        return token, token.end
    return Token(_KINDS[name or ""], position, match.end()), match.end()


_KINDS: Final = {kind.name: kind for kind in Kind}


def _string(text: str, match: re.Match[str], depth: int) -> Token:
    prefix, quote = match["PREFIX"].lower(), match["QUOTE"]
    if "f" in prefix or "t" in prefix:
        return _fstring(text, match, "r" in prefix, depth)
    body = _BODY[quote].match(text, match.end())
    end = body.end() if body else match.end()
    closed = text.startswith(quote, end)
    return Token(Kind.STRING, match.start(), end + len(quote) * closed, quote, closed)


def _fstring(text: str, match: re.Match[str], raw: bool, depth: int) -> Token:
    if depth >= DEEPEST:
        raise TooDeep
    quote, position = match["QUOTE"], match.end()
    literal, escape = _LITERAL[quote], _RAW_ESCAPE if raw else _ESCAPE
    fields: list[Field] = []
    while True:
        position = _end(literal, text, position)
        if text.startswith(quote, position):
            end = position + len(quote)
            return Token(Kind.FSTRING, match.start(), end, quote, True, tuple(fields))
        following = text[position : position + 1]
        if following == "{":
            field, position = _field(text, position + 1, quote, depth + 1)
            fields.append(field)
        elif following == "\\":
            position = _end(escape, text, position) if escape.match(text, position) else position + 1
        elif following == "}":
            position += 1
        else:  # a line break, or the end of the text
            return Token(Kind.FSTRING, match.start(), position, quote, False, tuple(fields))


def _field(text: str, start: int, quote: str, depth: int) -> tuple[Field, int]:
    """The field whose expression starts at `start`, and the position behind its closing brace."""
    if depth >= DEEPEST:
        raise TooDeep
    position, inner, found = start, 0, list[Token]()
    while position < len(text):
        token, behind = _next(text, position, depth)
        if token is not None and token.kind is Kind.OPERATOR:
            written = text[position:behind]
            if not inner and written in ("}", "!", ":", ":="):
                break
            inner += (written in _OPENING) - (written in _CLOSING)
            if inner < 0:
                break
            if inner + depth > DEEPEST:
                raise TooDeep
        if token is not None:
            found.append(token)
        position = behind
    end = position
    said = [token for token in found if token.kind not in (Kind.COMMENT, Kind.NEWLINE)]
    if said and text[said[-1].start : said[-1].end] == "=":
        end = said[-1].start  # `{name=}` prints the name too
        found.remove(said[-1])
    position = _end(_CONVERSION, text, position)
    nested: list[Field] = []
    if text.startswith(":", position):
        position = _spec(text, position + 1, quote, nested, depth)
    return Field(start, end, tuple(found), tuple(nested)), position + text.startswith("}", position)


def _spec(text: str, position: int, quote: str, nested: list[Field], depth: int) -> int:
    """Read a format spec; gives the position of what ends it."""
    while True:
        position = _end(_SPEC[quote], text, position)
        following = text[position : position + 1]
        if following == "{":
            field, position = _field(text, position + 1, quote, depth + 1)
            nested.append(field)
        elif following == "\\" and position + 1 < len(text):
            position += 2
        else:
            return position


def _end(pattern: re.Pattern[str], text: str, position: int) -> int:
    match = pattern.match(text, position)
    return match.end() if match else position
