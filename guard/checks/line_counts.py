"""How many lines a file counts for where a report weighs it: what only a run asks for that takes a census."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from guard.families import Family

if TYPE_CHECKING:
    from collections.abc import Mapping

    from guard.program import Program

_SHORTEST: Final = 20
"""Bytes. Lines are counted as if none were shorter on average; code has twice as many in a line."""
MOST_LINES: Final = 10_000
"""No file counts for more lines: one that has them is generated, or data, and must not outweigh all the rest."""
_BLANKS: Final = b" \t\f\v\0"
_WIDE: Final = (b"\xff\xfe", b"\xfe\xff", b"\0\0\xfe\xff")
"""The marks of encodings in which text holds zero bytes."""


class LineCount(msgspec.Struct, frozen=True, array_like=True):
    """What is remembered of one content."""

    lines: int
    """0 for nothing but white space."""


def counted_lines(content: bytes) -> int:
    """The lines of a content that are not blank, and no more than `most_lines` of its size."""
    return min(len(content.translate(None, _BLANKS).split()), most_lines(len(content)))


def most_lines(size: int) -> int:
    """The most lines that a file of `size` bytes counts for: so the size alone tells what an unread file is worth at
    the most, and nothing is worth more for being cut into short lines."""
    return min(-(-size // _SHORTEST), MOST_LINES)


def see_bytes(content: bytes, kind: str) -> LineCount | None:
    """The lines of a content; None for one that has neither lines nor nothing but white space, as a binary one."""
    binary = b"\0" in content
    if kind == "text" and binary and not content.startswith(_WIDE):
        return None
    lines = counted_lines(content)
    return LineCount(lines) if lines or not binary else None


def link(program: Program) -> Mapping[str, int]:
    """The lines of each file that has any, and 0 for each that is empty."""
    return {path: facts.lines for path, facts in program.facts(FAMILY).items()}


FAMILY: Final[Family[LineCount, Mapping[str, int]]] = Family(
    name="line_counts", version=1, facts=LineCount, link=link, see_bytes=see_bytes, only_counted=True
)
