"""Code frames: a line of code, what stands around it, and carets under the place that is meant."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from guard.model import Span
from guard.report.escape import cells, visible_char

AROUND: Final = 2
"""Lines shown before and after the one that is meant."""
_TAB: Final = 4
_LEAST: Final = 20
_LINE_END: Final = re.compile(r"\r\n|\r|\n")
"""What Python's parser takes for the end of a line; a form feed or U+2028 is none."""


class FrameLine(NamedTuple):
    """One line of a frame: what stands left of the bar, and right of it. Carets have an empty `number`."""

    number: str
    text: str
    is_caret: bool = False


class _Cut(NamedTuple):
    """A line as it is shown: the column where the caret begins, and how many columns it covers."""

    text: str
    caret: int
    length: int


def split_lines(source: str) -> list[str]:
    """The lines of a file, without their ends, counted as Python counts them."""
    return _LINE_END.split(source)


def frame(lines: list[str], span: Span, width: int) -> list[FrameLine]:
    """The frame of `span` in a file's `lines`, at most `width` columns wide; empty where the file has no such line.

    Tabs are expanded, characters that cannot be seen are escaped, and a line that is too long is cut around the
    caret. A span over several lines is underlined on its first.
    """
    span = span.closed()
    if not 1 <= span.line <= len(lines):
        return []
    first, last = max(1, span.line - AROUND), min(len(lines), span.line + AROUND)
    while last > span.line and not lines[last - 1].strip():
        last -= 1
    while first < span.line and not lines[first - 1].strip():
        first += 1
    gutter = len(str(last))
    room = max(_LEAST, width - gutter - len(" | "))
    framed: list[FrameLine] = []
    for number in range(first, last + 1):
        text = lines[number - 1]
        meant = number == span.line
        start = min(span.column - 1, len(text)) if meant else 0
        end = len(text.rstrip()) if span.end_line > span.line else min(span.end_column - 1, len(text))
        cut = _cut(text, start, max(end, start) if meant else 0, room)
        framed.append(FrameLine(str(number).rjust(gutter), cut.text))
        if meant:
            framed.append(FrameLine(" " * gutter, " " * cut.caret + "^" * max(1, cut.length), is_caret=True))
    return framed


def _cut(text: str, start: int, end: int, room: int) -> _Cut:
    """`text` in at most `room` columns, so that the characters from `start` on are in it."""
    if len(text) <= room and text.isascii() and text.isprintable():
        return _Cut(text.rstrip(), start, min(end, len(text)) - start)  # as most lines are: shown as it is
    # Every character takes a column or, if it combines, hardly anything: so much text always fills the room, and
    # a file of megabytes on one line costs no more than a short one.
    low = max(0, start - 2 * room)
    high = min(len(text), start + 4 * room)
    shown = _expand(text[low:high], low)
    sizes = [cells(piece) for piece in shown]
    begin, stop = 0, len(shown)
    if low > 0 or high < len(text) or sum(sizes) > room:
        begin, stop = _window(sizes, start - low, room - 2)
    left = "…" if low + begin > 0 else ""
    right = "…" if low + stop < len(text) else ""
    caret = len(left) + sum(sizes[begin : start - low])
    length = sum(sizes[start - low : max(start - low, min(end - low, stop))])
    return _Cut((left + "".join(shown[begin:stop]) + right).rstrip(), caret, length)


def _window(sizes: list[int], start: int, room: int) -> tuple[int, int]:
    """Which pieces to show, `room` columns of them: the line's beginning if `start` is near it, else around `start`."""
    begin, used = start, 0
    before = room if sum(sizes[:start]) <= room // 2 else room // 3
    while begin > 0 and used + sizes[begin - 1] <= before:
        begin -= 1
        used += sizes[begin]
    stop = start
    while stop < len(sizes) and used + sizes[stop] <= room:
        used += sizes[stop]
        stop += 1
    return begin, stop


def _expand(text: str, offset: int) -> list[str]:
    """Each character of `text` as it is shown. `offset` is the column that `text` begins at, for tab stops."""
    shown: list[str] = []
    column = offset
    for char in text:
        piece = " " * (_TAB - column % _TAB) if char == "\t" else visible_char(char)
        shown.append(piece)
        column += cells(piece)
    return shown
