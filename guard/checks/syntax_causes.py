"""What broke a file: from the place where a parser gives up to the place where somebody went wrong.

A parser reports where it can go on no longer. An import that a bulk edit dropped at column 0 into a method is good
Python; the error stands lines below, at the first line that is still indented. This module reads the tokens around a
fault and names the likely cause. It never decides *whether* a file is broken.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property
from typing import Final

import msgspec

from guard.lexer import Kind, Token, TooDeep, tokens

_PAIRS: Final = {")": "(", "]": "[", "}": "{"}
_NEVER_IN_BRACKETS: Final = frozenset(
    {"import", "def", "class", "return", "raise", "while", "with", "try", "except", "finally", "del"}
)
_NEAR: Final = 5
"""Statements. What cut a block off stands close to the line that is left hanging."""
_MARKER: Final = re.compile(r"^(?:<{7}|={7}|>{7}|\|{7})(?: |$)")
_BREAK: Final = re.compile(r"\r\n|\r|\n")


class Hint(msgspec.Struct, frozen=True, array_like=True):
    """A line that likely has to do with a fault, and why."""

    line: int
    message: str


class Line(msgspec.Struct, frozen=True):
    """One logical line: a statement with all the lines that it spans, or the head of a block."""

    first: int
    """Its first line; its last is `last`."""
    last: int
    indent: int
    head: str
    """Its first token, but for `async def`, which counts as `def`."""
    name: str
    """The token behind it: what a `def` or `class` is called."""
    opens_block: bool
    comment: str
    """The comment at its end."""


class Source:
    """The text of a file that somebody's parser refused, as far as its tokens tell."""

    def __init__(self, text: str) -> None:
        self.text: Final = text
        self._starts = [0, *(match.end() for match in _BREAK.finditer(text))]
        try:
            self._tokens: Sequence[Token] = list(tokens(text))
        except TooDeep:
            self._tokens = []

    def line(self, offset: int) -> int:
        """The line, from 1, in which an offset stands."""
        low, high = 0, len(self._starts)
        while high - low > 1:
            middle = (low + high) // 2
            if self._starts[middle] <= offset:
                low = middle
            else:
                high = middle
        return low + 1

    def code(self, line: int) -> str:
        """The text of one line, without its blanks at both ends."""
        if not 0 < line <= len(self._starts):
            return ""
        end = self._starts[line] if line < len(self._starts) else len(self.text)
        return self.text[self._starts[line - 1] : end].strip()

    def word(self, token: Token) -> str:
        """The text of a token."""
        return self.text[token.start : token.end]

    @cached_property
    def lines(self) -> tuple[Line, ...]:
        """The logical lines. A keyword that begins a statement ends a bracket that was left open above it."""
        found: list[Line] = []
        current: list[Token] = []
        depth, comment, fresh = 0, "", True
        for token in self._tokens:
            word = self.word(token) if token.kind in (Kind.OPERATOR, Kind.NAME) else ""
            if depth and fresh and word in _NEVER_IN_BRACKETS:
                depth = 0
                found += self._closed(current, comment)
                current, comment = [], ""
            if token.kind is Kind.NEWLINE:
                fresh = True
                if depth == 0:
                    found += self._closed(current, comment)
                    current, comment = [], ""
                continue
            if token.kind is Kind.COMMENT:
                comment = self.word(token)
                continue
            fresh = False
            depth = max(depth + (word in ("(", "[", "{")) - (word in (")", "]", "}")), 0)
            current.append(token)
        return (*found, *self._closed(current, comment))

    def _closed(self, current: Sequence[Token], comment: str) -> list[Line]:
        if not current:
            return []
        first, last = self.line(current[0].start), self.line(max(current[-1].end - 1, current[-1].start))
        before = self.text[self._starts[first - 1] : current[0].start].expandtabs(8)
        head, opens = self.word(current[0]), self.word(current[-1]) == ":"
        words = [self.word(token) for token in current[:3]]
        if words[:2] == ["async", "def"]:
            head, words = "def", words[1:]
        return [Line(first, last, len(before), head, "".join(words[1:2]), opens, comment)]

    @cached_property
    def open_brackets(self) -> tuple[tuple[int, str], ...]:
        """The brackets that are never closed, as (line, bracket), outermost first."""
        stack: list[tuple[int, str]] = []
        for token in self._tokens:
            if token.kind is Kind.OPERATOR:
                word = self.word(token)
                if word in _PAIRS.values():
                    stack.append((token.start, word))
                elif word in _PAIRS and stack and stack[-1][1] == _PAIRS[word]:
                    stack.pop()
        return tuple((self.line(start), word) for start, word in stack)

    def string_over(self, line: int) -> tuple[Token, bool] | None:
        """The string of several lines that ends in `line` with code behind it, or that holds it and never ends.

        The flag says whether the string is closed.
        """
        for index, token in enumerate(self._tokens):
            if len(token.quote) != 3:
                continue
            if not token.closed:
                return token, False
            if self.line(token.start) < line == self.line(token.end - 1):
                following = self._tokens[index + 1 : index + 2]
                if following and following[0].kind is Kind.NAME:
                    return token, True
        return None

    def symbol(self, line: int) -> str:
        """The qualified name of the class or function around a line, by indentation; empty at module level."""
        names: list[str] = []
        at = next((found for found in self.lines if found.first <= line <= found.last), None)
        indent = at.indent if at is not None else 10**6
        for found in reversed(self.lines):
            if found.last < line and found.indent < indent:
                indent = found.indent
                if found.opens_block and found.head in ("def", "class"):
                    names.append(found.name)
        return ".".join(reversed(names))

    def after(self, line: int) -> Line | None:
        """The first logical line that begins below `line`."""
        return next((found for found in self.lines if found.first > line), None)

    def above(self, line: int) -> list[Line]:
        """The logical lines that end above `line`, the nearest first."""
        return [found for found in reversed(self.lines) if found.last < line]


def likely_causes(source: Source, line: int, message: str) -> tuple[Hint, ...]:
    """The lines that are likely to have caused the fault that a parser reports at `line` with `message`."""
    for look in (_marker, _string_closed_early, _unexpected_indent, _lost_colon, _try_cut_short, _bracket_left_open):
        hint = look(source, line, message)
        if hint is not None and (hint.line != line or look is _marker or look is _lost_colon):
            return (hint,)
    return ()


def _marker(source: Source, line: int, _message: str) -> Hint | None:
    for near in range(max(line - 2, 1), line + 1):
        if _MARKER.match(source.code(near)):
            return Hint(near, "a merge conflict was left here")
    return None


def _string_closed_early(source: Source, line: int, message: str) -> Hint | None:
    found = source.string_over(line)
    if found is None:
        return None
    token, closed = found
    start = source.line(token.start)
    if closed:
        return Hint(start, f"the {token.quote} of line {line} ends the string that begins here")
    if "string" in message or "EOF" in message:
        return Hint(start, f"the {token.quote} that opens here is never closed")
    return None


def _unexpected_indent(source: Source, line: int, message: str) -> Hint | None:
    if "indent" not in message.lower() or message.startswith("Expected an indented"):
        return None
    here = next((found for found in source.lines if found.first <= line <= found.last), None)
    above = source.above(line)
    if here is None or not above:
        return None
    if above[0].comment and _opens_more(above[0].comment):
        return Hint(above[0].first, "the bracket that the lines below belong to is opened inside this line's comment")
    for index, found in enumerate(above[: _NEAR + 1]):
        if found.indent >= here.indent:
            if index == 0:
                return None
            cut = above[index - 1]
            code = _shown(source.code(cut.first))
            return Hint(cut.first, f"`{code}` stands {_column(cut)} and ends the block above it")
    return None


def _opens_more(comment: str) -> bool:
    return any(comment.count(opening) > comment.count(closing) for closing, opening in _PAIRS.items())


def _column(line: Line) -> str:
    return "at column 0" if line.indent == 0 else f"only {line.indent} columns in"


def _shown(code: str) -> str:
    return code if len(code) <= 60 else code[:57] + "…"


def _lost_colon(source: Source, line: int, message: str) -> Hint | None:
    if not message.startswith("Expected `:`"):
        return None
    here = next((found for found in source.lines if found.first <= line <= found.last), None)
    if here is not None and here.comment.rstrip().endswith(":"):
        return Hint(line, "the colon stands inside the comment")
    return None


def _try_cut_short(source: Source, line: int, message: str) -> Hint | None:
    if "`except` or `finally`" not in message:
        return None
    mended: list[int] = []
    for found in source.above(line):
        if found.head in ("except", "finally"):
            mended.append(found.indent)
        elif found.head == "try" and found.indent in mended:
            mended = [indent for indent in mended if indent != found.indent]
        elif found.head == "try":
            return Hint(found.first, "the `try` that begins here has no `except` or `finally` at its own indentation")
    return None


def _bracket_left_open(source: Source, line: int, _message: str) -> Hint | None:
    opened = [(at, bracket) for at, bracket in source.open_brackets if at <= line]
    if not opened:
        return None
    at, bracket = opened[-1]
    return Hint(at, f"the `{bracket}` that opens here is not closed")
