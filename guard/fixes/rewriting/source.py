"""A Python file as text that is edited in places: everything that no edit names stays as it is, byte for byte."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from guard.parse import declared_encoding, decode

_BREAK: Final = re.compile(r"(?<=\n)|(?<=\r)(?!\n)")


class CannotEdit(Exception):
    """Why a file cannot be edited, in a few words."""


class Edit(msgspec.Struct, frozen=True, order=True):
    """Put `text` in the place of the characters from `start` up to `end`."""

    start: int
    end: int
    text: str


class Placed(msgspec.Struct, frozen=True):
    """A statement, and where it stands: in `suite`, the statements of one block, at `index`."""

    node: ast.stmt
    suite: list[ast.stmt]
    index: int


class Source:
    """A file that the running Python parses, or that is newer and can be rewritten for it."""

    def __init__(self, content: bytes) -> None:
        """Raises CannotEdit for a file that cannot be decoded, encoded as it was, or parsed."""
        try:
            self._encoding = declared_encoding(content)
            self.text = decode(content)
            if self.text.encode(self._encoding) != content:
                raise CannotEdit("its encoding does not give the same bytes again")
            self.tree = _parsed(self.text)
        except (SyntaxError, ValueError, LookupError, RecursionError, MemoryError) as error:
            raise CannotEdit("it cannot be parsed") from error
        self.newline = next((end for end in ("\r\n", "\n", "\r") if end in self.text), "\n")
        self._lines = _BREAK.split(self.text)
        self._starts = [0]
        for line in self._lines:
            self._starts.append(self._starts[-1] + len(line))

    def offset(self, line: int, column: int) -> int:
        """The character at a place of the syntax tree: lines from 1, columns from 0 in UTF-8 bytes."""
        text = self._lines[line - 1]
        if not text.isascii():
            column = len(text.encode()[:column].decode("utf-8", "replace"))
        return self._starts[line - 1] + column

    def at(self, line: int, column: int) -> int:
        """The character at a place: lines from 1, columns from 0 in characters."""
        return self._starts[line - 1] + column

    def span(self, node: ast.stmt | ast.expr | ast.alias) -> tuple[int, int]:
        """Where a node begins and ends in the text."""
        start = self.offset(node.lineno, node.col_offset)
        return start, self.offset(node.end_lineno or node.lineno, node.end_col_offset or 0)

    def before(self, offset: int) -> str:
        """The part of its line that stands before a character."""
        return self.text[max(self.text.rfind("\n", 0, offset), self.text.rfind("\r", 0, offset)) + 1 : offset]

    def behind(self, offset: int) -> str:
        """The rest of its line, from a character on, without the line's end."""
        found = re.compile(r"[^\r\n]*").match(self.text, offset)
        return found[0] if found is not None else ""

    def statements(self) -> Iterator[Placed]:
        """Every statement, blocks before what follows them."""
        waiting = [self.tree.body]
        while waiting:
            suite = waiting.pop()
            for index, node in enumerate(suite):
                yield Placed(node, suite, index)
                waiting.extend(_blocks(node))

    def edited(self, edits: Iterable[Edit]) -> bytes:
        """The file with the edits made.

        Raises CannotEdit for edits that overlap, and for a result that cannot be encoded or parsed.
        """
        text = edited(self.text, edits)
        try:
            _parsed(text)
            return text.encode(self._encoding)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            raise CannotEdit("it would not compile") from error


def edited(text: str, edits: Iterable[Edit]) -> str:
    """The text with the edits made. Raises CannotEdit for edits that overlap."""
    parts: list[str] = []
    at = 0
    for edit in sorted(set(edits)):
        if edit.start < at:
            raise CannotEdit("two changes of it overlap")
        parts += [text[at : edit.start], edit.text]
        at = edit.end
    return "".join([*parts, text[at:]])


def _blocks(node: ast.AST) -> Iterator[list[ast.stmt]]:
    for name in ("body", "orelse", "finalbody"):
        block = getattr(node, name, None)
        if isinstance(block, list) and block:
            yield block
    for part in (*getattr(node, "handlers", ()), *getattr(node, "cases", ())):
        yield part.body


def _parsed(text: str) -> ast.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return ast.parse(text)
        except SyntaxError:
            from guard.downlevel import to_older_syntax  # few files need it

            older = to_older_syntax(text)
            if older is None:
                raise
            return ast.parse(older)
