"""Characters in source that a reader does not see and that change what the source means.

Three kinds are never healthy, and only these are remembered:

- `bidi`: a bidirectional control that is not closed where its string, comment or line ends, so that what follows
  is shown in another order than it is compiled (CVE-2021-42574, "Trojan Source"; the same test as GCC's
  `-Wbidi-chars=unpaired`).
- `code`: an invisible character among the code of a Python file, outside strings and comments. Some are a syntax
  error; others are letters to Python (U+3164, variation selectors) and make a second name that looks like the first.
- `tags`: tag characters (U+E0000 to U+E007F) that spell no flag: text for machines that no reader sees. The code of a
  region behind a black flag (UTS #51, ED-14a) is one, also where a joiner stands between any two of its characters, as
  some lists of emoji have it; longer text behind such a flag is none.

Joiners in emoji and in Arabic or Indic text, direction marks, and whatever stands in strings, are healthy. So is what
stands in a file that a bundler wrote: nobody reviews its lines, so nothing in them is hidden from a reviewer.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from guard.checks.text_lexer import pieces

BIDI: Final = "bidi"
CODE: Final = "code"
TAGS: Final = "tags"

_E2: Final = re.compile(rb"\xe2(?:\x80[\x8b-\x8d\xaa-\xae]|\x81[\xa0-\xaf])")
_EF: Final = re.compile(rb"\xef(?:(?<=[A-Za-z_]\xef)\xb8[\x80-\x8f]|\xbb\xbf(?<!^...)|\xbe\xa0)")
_E1: Final = re.compile(rb"\xe1(?:\x85[\x9f\xa0]|\xa0[\x8b-\x8f]|\x9e[\xb4\xb5])")
_F3: Final = re.compile(rb"\xf3\xa0[\x80\x81\x84-\x87]")
"""What these characters look like in UTF-8. Each begins with a literal byte, which makes the search fast."""

_OPENS_EMBEDDING: Final = frozenset("\u202a\u202b\u202d\u202e")
_OPENS_ISOLATE: Final = frozenset("\u2066\u2067\u2068")
_BIDI: Final = re.compile("[\u202a-\u202e\u2066-\u2069]")
_TAGS: Final = re.compile("[\U000e0000-\U000e007f]+")
_INVISIBLE: Final = re.compile(
    "[\u00ad\u115f\u1160\u180e\u200b-\u200d\u2060-\u2064\u206a-\u206f\u3164\ufeff\uffa0\U000e0000-\U000e007f]"
    # These belong to letters of some scripts (a variant of a kanji, say), and never to an ASCII letter.
    "|(?<=[0-9A-Za-z_])[\u034f\u17b4\u17b5\u180b-\u180d\u180f\ufe00-\ufe0f\U000e0100-\U000e01ef]"
)
_FLAG: Final = re.compile("\U0001f3f4(?:\u200d?[\U000e0030-\U000e0039\U000e0061-\U000e007a]){1,6}\u200d?\U000e007f")
"""A region of a country: its two letters, and up to four letters or digits more, written in tags and closed by one."""
_BUNDLED: Final = 500
"""Characters of an average line from which on a machine wrote the file."""
_SHORT: Final = 5000
"""Characters of a file that are too few to tell by."""
_FORMAT: Final = re.compile("[\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]")
_LISTED: Final = 5
"""Invisible characters, each behind the one before it in Unicode, that make a list of such."""
_REST: Final = 200
"""Characters of a line that may stand behind a list."""
_MOST: Final = 20
"""Places remembered of one file."""


class Hidden(msgspec.Struct, frozen=True, array_like=True):
    """One place. `column` counts characters from 1."""

    line: int
    column: int
    character: int
    kind: str
    """`bidi`, `code` or `tags`."""


def suspicious(content: bytes) -> bool:
    """Whether the bytes hold any character that `hidden` has to look at. Fast; may say yes for nothing."""
    return bool(
        _E2.search(content)
        or _EF.search(content)
        or b"\xe3\x85\xa4" in content
        or (b"\xf3" in content and _F3.search(content))
        or (b"\xe1" in content and _E1.search(content))
        or (b"\xc2" in content and b"\xc2\xad" in content)
        or (b"\xcd" in content and b"\xcd\x8f" in content)
    )


def hidden(text: str, kind: str) -> tuple[Hidden, ...]:
    """The places in a file of `kind` (`python`, `stub` or `text`), in order, the first few of them."""
    start = 1 if text.startswith("\ufeff") else 0
    if kind == "text":
        if len(text) > max(_SHORT, _BUNDLED * (text.count("\n") + 1)):
            return ()
        found = [*_unclosed(text, _lines(text, start, len(text))), *_tags(text, start)]
    else:
        parts = list(pieces(text))
        found = [
            *_unclosed(text, (line for piece in parts for line in _lines(text, piece.start, piece.end))),
            *_in_code(text, start, parts),
            *_tags(text, start),
        ]
    places = dict(sorted(found, reverse=True))  # one verdict for one place; `bidi` and `code` before `tags`
    return tuple(_at(text, position, places[position]) for position in sorted(places)[:_MOST])


def _at(text: str, position: int, kind: str) -> Hidden:
    line_start = text.rfind("\n", 0, position) + 1
    return Hidden(text.count("\n", 0, position) + 1, position - line_start + 1, ord(text[position]), kind)


def _lines(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    while start < end:
        stop = text.find("\n", start, end)
        stop = end if stop < 0 else stop
        yield start, stop
        start = stop + 1


def _unclosed(text: str, spans: Iterable[tuple[int, int]]) -> Iterator[tuple[int, str]]:
    """The bidirectional controls that are still open at the end of their span; paragraphs end with lines (UAX #9)."""
    for start, end in spans:
        open_at: list[int] = []
        for match in _BIDI.finditer(text, start, end):
            character = match.group()
            if character in _OPENS_EMBEDDING or character in _OPENS_ISOLATE:
                open_at.append(match.start())
            elif character == "\u202c":
                if open_at and text[open_at[-1]] in _OPENS_EMBEDDING:
                    open_at.pop()
            elif any(text[position] in _OPENS_ISOLATE for position in open_at):
                while text[open_at.pop()] not in _OPENS_ISOLATE:
                    pass
        yield from ((position, BIDI) for position in open_at if not _is_listed(text, position, end))


def _is_listed(text: str, position: int, end: int) -> bool:
    """Whether a control is one of a list of such characters, in order, behind which its line has no word."""
    first, last = position, position + 1
    while first and _FORMAT.match(text, first - 1) and text[first - 1] < text[first]:
        first -= 1
    while last < end and _FORMAT.match(text, last) and text[last - 1] < text[last]:
        last += 1
    if last - first < _LISTED:
        return False
    rest = text[last : last + _REST].partition("\n")[0]
    return len(rest) < _REST and not any(character.isalnum() for character in rest)


def _in_code(text: str, start: int, parts: Iterable[tuple[int, int, bool, bool]]) -> Iterator[tuple[int, str]]:
    position = start
    for begin, end, _, _ in (*parts, (len(text), len(text), False, False)):
        for pattern in (_INVISIBLE, _BIDI):
            yield from ((match.start(), CODE) for match in pattern.finditer(text, position, begin))
        position = end


def _tags(text: str, start: int) -> Iterator[tuple[int, str]]:
    flags = {position for flag in _FLAG.finditer(text, start) for position in range(*flag.span())}
    for match in _TAGS.finditer(text, start):
        if match.start() not in flags or match.end() - 1 not in flags:
            yield match.start(), TAGS
