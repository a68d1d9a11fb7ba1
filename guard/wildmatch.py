"""git's wildcard patterns (`wildmatch.c`), translated to regular expressions over bytes.

git matches bytes, so `?` is one byte and not one character; paths are given as UTF-8, whatever the locale is. The
expressions take time linear in the path for each wildcard at most: a pattern comes from the checked repository.
"""

from __future__ import annotations

import re
from typing import Final

_SPECIAL: Final = frozenset(b"*?[\\")
_CLASSES: Final = {
    b"alnum": rb"[0-9A-Za-z]",
    b"alpha": rb"[A-Za-z]",
    b"blank": rb"[ \t]",
    b"cntrl": rb"[\x00-\x1f\x7f]",
    b"digit": rb"[0-9]",
    b"graph": rb"[!-~]",
    b"lower": rb"[a-z]",
    b"print": rb"[ -~]",
    b"punct": rb"[!-/:-@\[-`{-~]",
    b"space": rb"[ \t-\r]",
    b"upper": rb"[A-Z]",
    b"xdigit": rb"[0-9A-Fa-f]",
}

STAR, GLOBSTAR, FOLDERS = b"*", b"**", b"**/"
"""What may stand between fixed pieces: `*`, a `**` that takes anything, and `**/` that may take nothing."""


def literal_length(pattern: bytes) -> int:
    """How many bytes of `pattern` stand before the first special one (`simple_length` in git's dir.c)."""
    return next((index for index, byte in enumerate(pattern) if byte in _SPECIAL), len(pattern))


def compile_wildcard(pattern: bytes, *, pathname: bool) -> re.Pattern[bytes] | None:
    """The expression that `fullmatch`es what git's `wildmatch` matches; None for a pattern that matches nothing.

    With `pathname` (WM_PATHNAME) only `**` between slashes crosses a `/`; without, every `*` does.
    """
    pieces = _split(pattern, pathname)
    if pieces is None:
        return None
    return re.compile(join_pieces(pieces, rb"[^/]" if pathname else rb"."), re.DOTALL)


def join_pieces(pieces: list[tuple[bytes, bytes]], byte: bytes) -> bytes:
    """One expression from (wildcard, fixed piece) pairs, the first of which has no wildcard.

    Whatever stands before a further wildcard of the same reach may be taken at its first place, since the next
    wildcard takes the rest: an atomic group, so that no pattern makes the search go back and forth.
    """
    chunks: list[tuple[bytes, list[tuple[bytes, bytes]]]] = []
    for wildcard, fixed in pieces:
        if wildcard == STAR and chunks:
            chunks[-1][1].append((wildcard, fixed))
        else:
            chunks.append((wildcard, [(b"", fixed)]))
    joined = []
    for index, (wildcard, parts) in enumerate(chunks):
        last = index == len(chunks) - 1
        body = b"".join(
            fixed
            if not star
            else (byte + b"*" + fixed if last and number == len(parts) - 1 else b"(?>" + byte + b"*?" + fixed + b")")
            for number, (star, fixed) in enumerate(parts)
        )
        lead = {b"": b"", GLOBSTAR: rb".*?", FOLDERS: rb"(?:.*?/)??"}[wildcard]
        joined.append(lead + body if last else b"(?>" + lead + body + b")")
    return b"".join(joined)


def _split(pattern: bytes, pathname: bool) -> list[tuple[bytes, bytes]] | None:
    any_byte = rb"[^/]" if pathname else rb"."
    pieces: list[tuple[bytes, bytes]] = []
    wildcard, fixed = b"", b""
    position, end = 0, len(pattern)
    while position < end:
        char = pattern[position : position + 1]
        if char == b"*":
            start = position
            while pattern[position : position + 1] == b"*":
                position += 1
            pieces.append((wildcard, fixed))
            wildcard, fixed = STAR, b""
            rest = pattern[position:]
            at_edge = start == 0 or pattern[start - 1 : start] == b"/"
            if pathname and position - start > 1 and at_edge and (not rest or rest.startswith((b"/", rb"\/"))):
                wildcard = GLOBSTAR
                if rest.startswith(b"/"):
                    wildcard = FOLDERS
                    position += 1
            continue
        if char == b"?":
            fixed += any_byte
        elif char == b"\\":
            position += 1
            if position == end:
                return None
            fixed += re.escape(pattern[position : position + 1])
        elif char == b"[":
            found = _bracket(pattern, position + 1, pathname)
            if found is None:
                return None
            expression, position = found
            fixed += expression
        else:
            fixed += re.escape(char)
        position += 1
    return [*pieces, (wildcard, fixed)]


def _bracket(pattern: bytes, position: int, pathname: bool) -> tuple[bytes, int] | None:
    """The set that begins behind the `[` at `position - 1`, and where its `]` stands; None when it is malformed."""
    end = len(pattern)
    negated = pattern[position : position + 1] in (b"!", b"^")
    position += negated
    members: set[int] = set()
    previous = 0
    first = True
    while first or pattern[position : position + 1] != b"]":
        first = False
        if position >= end:
            return None
        byte = pattern[position]
        if byte == ord("-") and previous and pattern[position + 1 : position + 2] not in (b"", b"]"):
            position += 1
            if pattern[position] == ord("\\"):
                position += 1
                if position >= end:
                    return None
            members.update(range(previous, pattern[position] + 1))
            previous = 0
        elif byte == ord("[") and pattern[position + 1 : position + 2] == b":":
            close = pattern.find(b"]", position + 2)
            if close < 0:
                return None
            name = pattern[position + 2 : close]
            if not name.endswith(b":"):
                members.add(byte)  # no class after all: an ordinary bracket
                previous = byte
            elif name[:-1] in _CLASSES:
                members.update(ord(match) for match in re.findall(_CLASSES[name[:-1]], bytes(range(256))))
                previous = 0
                position = close
            else:
                return None
        else:
            if byte == ord("\\"):
                position += 1
                if position >= end:
                    return None
                byte = pattern[position]
            members.add(byte)
            previous = byte
        position += 1
    if negated:
        members = set(range(256)) - members
    if pathname:
        members.discard(ord("/"))
    if not members:
        return rb"(?!)", position
    return b"[" + b"".join(b"\\x%02x" % member for member in sorted(members)) + b"]", position
