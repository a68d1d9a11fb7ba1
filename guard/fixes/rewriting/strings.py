"""Strings that name modules and attributes: only the dotted path inside them is changed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from guard.fixes.rewriting.imports import moved_to
from guard.fixes.rewriting.source import CannotEdit, Edit
from guard.model import Finding

_BREAK = re.compile(r"(?<=\n)|(?<=\r)(?!\n)")


def mend_strings(text: str, findings: Sequence[Finding]) -> Iterator[Edit]:
    """The edits that put the new dotted path of each finding in the place of the old one, in a text of any kind.

    Raises CannotEdit where the old path does not stand at the finding's place, once and in one piece.
    """
    lines = _BREAK.split(text)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    for finding in findings:
        span = finding.span
        if span.end_line > len(lines):
            raise CannotEdit("its string is not where it was found")
        start = starts[span.line - 1] + _characters(lines[span.line - 1], span.column - 1)
        end = starts[span.end_line - 1] + _characters(lines[span.end_line - 1], span.end_column - 1)
        for old, new in moved_to(finding).items():
            found = list(re.finditer(rf"(?<![\w.]){re.escape(old)}(?![\w])", text[start:end]))
            if len(found) != 1:
                raise CannotEdit("its string is written in pieces")
            yield Edit(start + found[0].start(), start + found[0].end(), new)


def _characters(line: str, column: int) -> int:
    """A column in UTF-8 bytes as one in characters."""
    return column if line.isascii() else len(line.encode()[:column].decode("utf-8", "replace"))
