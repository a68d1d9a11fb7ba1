"""Bytes to a syntax tree, once per file."""

from __future__ import annotations

import ast
import contextlib
import io
import re
import sys
import tokenize
from typing import Final

import msgspec

from guard.model import Span
from guard.syntax_oracle import Diagnostic

_CODING: Final = re.compile(rb"^[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)")
_PYTHON_SHEBANG: Final = re.compile(rb"^#![^\n]*\bpython[0-9.]*\b")


class SyntaxFault(msgspec.Struct, frozen=True, array_like=True):
    """Why the running Python does not read a file."""

    message: str
    span: Span
    kind: str
    """The exception's class: SyntaxError, IndentationError, TabError, ValueError, RecursionError…"""


class Parsed:
    """One Python file, read. `tree` is None where nothing could parse it; then `fault` says why.

    `rewritten` is True where the file is in newer syntax than the running Python's, and the tree is that of
    an equivalent in older syntax: lines are right, columns may be off on the lines that were rewritten.
    """

    __slots__ = ("_text", "content", "diagnostics", "fault", "kind", "rewritten", "target", "tree")

    def __init__(
        self,
        content: bytes,
        kind: str,
        tree: ast.Module | None,
        fault: SyntaxFault | None,
        diagnostics: tuple[Diagnostic, ...],
        target: tuple[int, int],
        rewritten: bool = False,
    ) -> None:
        self.content: Final = content
        self.kind: Final = kind
        """`python` or `stub`."""
        self._text: str | None = ""
        self.tree: Final = tree
        self.fault: Final = fault
        self.diagnostics: Final = diagnostics
        """What the syntax oracle says of this content on `target`."""
        self.target: Final = target
        self.rewritten: Final = rewritten

    @property
    def text(self) -> str | None:
        """The text, decoded when somebody asks; None where the bytes cannot be decoded."""
        if self._text == "" and self.content:
            # What cannot be decoded the parser decides: it accepts, for one, bytes that are no UTF-8 inside a comment.
            self._text = None
            with contextlib.suppress(SyntaxError, ValueError, LookupError):
                self._text = decode(self.content)
        return self._text

    @property
    def too_deep(self) -> bool:
        """Whether the parser gave up, without a verdict on the syntax: nested too deeply for its stack."""
        return self.tree is None and self.fault is not None and self.fault.kind in ("RecursionError", "MemoryError")

    @property
    def readable_by_newer(self) -> bool:
        """Whether some newer Python than the running one would parse the file."""
        return self.text is not None and not any(d.added_in is None and d.is_grammar for d in self.diagnostics)


def kind_of(path: str, head: bytes) -> str:
    """`python`, `stub` or `text`. `head` is the file's beginning; a script without a suffix is known by its shebang."""
    if path.endswith(".py"):
        return "python"
    if path.endswith(".pyi"):
        return "stub"
    name = path.rpartition("/")[2]
    if "." not in name.lstrip(".") and head.startswith(b"#!") and _PYTHON_SHEBANG.match(head):
        return "python"
    return "text"


def declared_encoding(content: bytes) -> str:
    """The encoding of a Python file by PEP 263: BOM, coding comment in the first two lines, else utf-8.

    Raises SyntaxError for one that is unknown or contradicts the BOM.
    """
    return tokenize.detect_encoding(io.BytesIO(content).readline)[0]


def decode(content: bytes) -> str:
    """The text of a Python file. Raises SyntaxError or UnicodeDecodeError (which is a ValueError)."""
    if b"coding" not in content[:400] and not content.startswith(b"\xef\xbb\xbf"):
        return content.decode("utf-8")
    encoding = declared_encoding(content)
    try:
        return content.decode(encoding)
    except UnicodeDecodeError:
        raise
    except UnicodeError as error:  # what some codecs raise, "undefined" for one: it names no byte
        raise SyntaxError(f"encoding problem: {encoding}") from error


def parse(
    content: bytes,
    kind: str,
    diagnostics: tuple[Diagnostic, ...] = (),
    target: tuple[int, int] = sys.version_info[:2],
) -> Parsed:
    """Parse one Python file with the running interpreter's own parser. Never raises for what the file holds, but may
    warn of it: that is for the caller to silence, once for many files."""
    try:
        tree = ast.parse(content)
    except SyntaxError as error:
        line = max(error.lineno or 1, 1)
        column = max(error.offset or 1, 1)
        span = Span(line, column, max(error.end_lineno or line, line), max(error.end_offset or column, 1))
        fault = SyntaxFault(error.msg, span, type(error).__name__)
        return Parsed(content, kind, None, fault, diagnostics, target)
    except (ValueError, LookupError, RecursionError, MemoryError) as error:
        fault = SyntaxFault(str(error) or "nested too deeply for the parser", Span(1, 1, 1, 1), type(error).__name__)
        return Parsed(content, kind, None, fault, diagnostics, target)
    return Parsed(content, kind, tree, None, diagnostics, target)


def parse_newer(parsed: Parsed) -> Parsed:
    """Parse a file whose syntax is newer than the running Python's, by way of an equivalent in older syntax.

    Gives `parsed` back as it is where that fails too.
    """
    from guard.downlevel import (
        to_older_syntax,
    )  # libcst takes a tenth of a second to import, and few files need it

    older = to_older_syntax(parsed.text or "")
    if older is None:
        return parsed
    try:
        tree = ast.parse(older)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return parsed
    return Parsed(
        parsed.content,
        parsed.kind,
        tree,
        parsed.fault,
        parsed.diagnostics,
        parsed.target,
        rewritten=True,
    )
