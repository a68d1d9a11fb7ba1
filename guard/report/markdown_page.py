"""A Markdown page that keeps within a length, and foreign text in it that is no markup."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from guard.report.escape import shortened, visible

_SPECIAL: Final = str.maketrans({char: f"&#{ord(char)};" for char in "&<>|`*_~[]\\\u200b"})
_MENTION: Final = re.compile(r"@|#(?=\d)")
_CELL: Final = 400
"""Columns of a message or a path in a table."""


class Page:
    """Lines, with rows only as long as there is room for them."""

    def __init__(self, room: int) -> None:
        """`room` is what tables may take, in characters."""
        self._lines: list[str] = []
        self._room = room

    def add(self, *lines: str) -> None:
        """Write `lines` whatever the room."""
        self._lines += lines
        self._room -= sum(len(line) + 1 for line in lines)

    def table(self, head: Sequence[str], rows: Iterator[str], total: int) -> None:
        """The rows that there is room for, and how many of `total` had none."""
        written = 0
        for row in rows:
            if len(row) + 1 > self._room:
                break
            if not written:
                self.add(*head)
            self.add(row)
            written += 1
        if written:
            self.add("")
        if written < total:
            # Where one row found no room no later one may: the cut stays at the end of the order.
            self._room = 0
            self.add(f"… and {total - written:,} more", "")

    def fold(self, summary: str, head: Sequence[str], rows: Iterator[str], total: int) -> None:
        """A table that is folded away under its summary."""
        self.add(f"<details><summary>{summary}</summary>", "")
        self.table(head, rows, total)
        self.add("</details>", "")

    def text(self) -> str:
        """What was written."""
        return "\n".join(self._lines).rstrip("\n") + "\n"


def as_text(text: str) -> str:
    """`text` as itself: no markup, no HTML, no table cell, no mention of a person or an issue."""
    # `visible` leaves no zero-width space, so each one here keeps a sign from what follows it.
    apart = _MENTION.sub("\\g<0>\u200b", shortened(visible(text), _CELL))
    return apart.translate(_SPECIAL)
