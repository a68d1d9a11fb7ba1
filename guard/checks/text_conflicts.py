"""Conflict markers that a merge left behind."""

from __future__ import annotations

import re
from typing import Final

import msgspec

from guard.checks.text_lexer import pieces

CODE: Final = "code"
DOCSTRING: Final = "docstring"
STRING: Final = "string"
PLAIN: Final = "plain"
FENCED: Final = "fenced"
LISTING: Final = "listing"

_MARKER: Final = re.compile(
    rb"^(?:(?P<open>[<]{7} [^\r\n]+)|(?P<base>[|]{7}(?: [^\r\n]*)?)|(?P<middle>[=]{7})|(?P<close>[>]{7} [^\r\n]+))\r?$",
    re.MULTILINE,
)
"""As git writes them (`xdl_merge`): seven characters at a line's beginning, and a label behind those that have one."""
_BLOCK_OPENS: Final = b"<" * 7 + b" SEARCH"
_BLOCK_CLOSES: Final = b">" * 7 + b" REPLACE"
"""Of the search/replace blocks in which language models are asked to write edits; prompts and their tests hold many."""
_FENCE: Final = re.compile(rb"^ {0,3}(```+|~~~+)", re.MULTILINE)
_DELIMITER: Final = re.compile(rb"^(-{4,}|\.{4,})\r?$", re.MULTILINE)


class Conflict(msgspec.Struct, frozen=True, array_like=True):
    """One conflict, or a marker that is left of one."""

    line: int
    """Where `<<<<<<<` stands, or the one marker that is left."""
    others: tuple[int, ...]
    """The lines of the `|||||||`, `=======` and `>>>>>>>` that belong to it."""
    complete: bool
    """Whether all of `<<<<<<<`, `=======` and `>>>>>>>` are there, in this order."""
    place: str
    """Python: `code`, `docstring` (any string that is a statement) or `string`. Else `plain`, `fenced` (Markdown's
    code fences) or `listing` (between AsciiDoc's delimiters)."""


class _Found:
    """Markers of one conflict while its end is being looked for."""

    def __init__(self, first: re.Match[bytes]) -> None:
        self.markers = [first]
        self.complete = False

    @property
    def start(self) -> int:
        return self.markers[0].start()


def conflicts(content: bytes, kind: str) -> tuple[Conflict, ...]:
    """The conflicts in a file of `kind` (`python`, `stub` or `text`)."""
    found = _find(content)
    if not found:
        return ()
    if kind == "text":
        places = [_place_in_prose(content, each.start) for each in found]
    else:
        places = _places_in_python(content, found)
    return tuple(
        Conflict(
            _line(content, each.start),
            tuple(_line(content, marker.start()) for marker in each.markers[1:]),
            each.complete,
            place,
        )
        for each, place in zip(found, places, strict=True)
    )


def _find(content: bytes) -> list[_Found]:
    found: list[_Found] = []
    current: _Found | None = None
    for marker in _MARKER.finditer(content):
        if marker["open"] == _BLOCK_OPENS or (current is None and marker["close"] == _BLOCK_CLOSES):
            current = None
        elif marker["open"]:
            current = _Found(marker)
            found.append(current)
        elif current is not None:
            current.markers.append(marker)
            if marker["close"]:
                current.complete = any(each["middle"] for each in current.markers)
                current = None
        elif marker["close"]:
            found.append(_Found(marker))
    return found


def _line(content: bytes, position: int) -> int:
    return content.count(b"\n", 0, position) + 1


def _place_in_prose(content: bytes, position: int) -> str:
    fence = b""
    for match in _FENCE.finditer(content, 0, position):
        mark = match[1]
        if not fence:
            fence = mark
        elif mark.startswith(fence):
            fence = b""
    if fence:
        return FENCED
    delimiter = b""
    for match in _DELIMITER.finditer(content, 0, position):
        if not delimiter:
            delimiter = match[1]
        elif match[1] == delimiter:
            delimiter = b""
    return LISTING if delimiter else PLAIN


def _places_in_python(content: bytes, found: list[_Found]) -> list[str]:
    """Where each conflict stands, judged in the text with every conflict resolved to its first side.

    Both sides of a conflict often open the same string, so that the file as it is has no sensible strings at all.
    """
    resolved: list[bytes] = []
    starts: list[int] = []
    length = position = 0
    for each in found:
        kept = content[position : each.start]
        length += len(kept)
        starts.append(length)
        resolved.append(kept)
        position = each.start
        if each.complete:
            theirs = next(marker for marker in each.markers[1:] if marker["base"] or marker["middle"])
            ours = content[each.markers[0].end() : theirs.start()]
            resolved.append(ours)
            length += len(ours)
            position = each.markers[-1].end()
    resolved.append(content[position:])
    # As Latin-1 every byte is one character, so positions stay what they are.
    strings = [piece for piece in pieces(b"".join(resolved).decode("latin-1")) if not piece.comment]
    places = []
    for start in starts:
        around = next((piece for piece in strings if piece.start < start < piece.end), None)
        places.append(CODE if around is None else DOCSTRING if around.bare else STRING)
    return places
