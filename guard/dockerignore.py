"""`.dockerignore`: which files of a folder `docker build` does not send.

The rules are those of Docker's own matcher (moby/patternmatcher), which are not git's: every pattern is anchored at the
top of the context, the last one that matches decides, a folder that matches takes all that is in it along, and `!`
brings single files of it back. Where Docker refuses a file, or means what nobody does (`\\d` is any digit, since a
pattern becomes an expression of Go's), there is no answer.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from typing import Final

import msgspec

from guard.wildmatch import FOLDERS, GLOBSTAR, STAR, join_pieces

_LONGEST: Final = 4096
"""Bytes of a pattern; no path is longer."""
_MOST: Final = 2000
"""Patterns of one file."""
_BOM: Final = b"\xef\xbb\xbf"
_WIDE: Final = rb"\x80-\xff]|[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}|[\x80-\xff])"
_RUNE: Final = rb"(?>[^/" + _WIDE
"""Any character but a slash, in bytes of UTF-8."""
_CLASS: Final = re.compile(rb"\[(\^?)((?:[\w. !@%+=,~$](?:-[\w.])?)+)\]", re.ASCII)
"""Sets whose meaning is plain in Go's glob and in Go's expressions, which read the same text one after the other."""
_WILDCARD: Final = re.compile(r"[*?\[\\]")
_SPACE: Final = " \t\n\v\f\r\x85\xa0"


class Pattern(msgspec.Struct, frozen=True):
    """One line that says something."""

    line: int
    text: str
    """As it is written, without blanks around it."""
    negated: bool
    """Begins with `!`: what it matches is sent after all."""
    expression: re.Pattern[bytes]
    path: str
    """As it is compared with paths: without `!`, and cleaned."""

    @property
    def beginning(self) -> str:
        """The folders, or the whole path, that all that it matches begins with; empty where that is a wildcard."""
        wildcard = _WILDCARD.search(self.path)
        return self.path if wildcard is None else self.path[: wildcard.start()].rpartition("/")[0]


class _Match(msgspec.Struct, frozen=True):
    pattern: Pattern | None
    matching: frozenset[int]
    """The numbers of the patterns that match the path, or a folder above it."""


_NONE: Final = _Match(None, frozenset())


class Ignore:
    """The patterns of one file, applied to paths of the context."""

    def __init__(self, patterns: tuple[Pattern, ...]) -> None:
        self.patterns = patterns
        self._negates = any(pattern.negated for pattern in patterns)
        self._folders: dict[str, _Match] = {"": _NONE}
        leaving_out = b"|".join(b"(?:%b)" % pattern.expression.pattern for pattern in patterns if not pattern.negated)
        self._leaving_out: Final = re.compile(leaving_out, re.DOTALL) if leaving_out else None
        """Matches what one of the patterns that leave something out matches: most paths need no more than one look."""

    def leaves_out(self, path: str) -> Pattern | None:
        """The pattern for which Docker does not send `path`, a file or a folder; None for one that it sends."""
        return self._match(path).pattern

    def leaves_out_all_of(self, path: str) -> Pattern | None:
        """As `leaves_out`, of a file or a folder with all that may be in it."""
        found = self.leaves_out(path)
        if found is None or not self._negates:
            return found
        last = self.patterns.index(found)
        later = [pattern for pattern in self.patterns[last + 1 :] if pattern.negated]
        # Of a folder above that is named behind the file in it, Docker's matcher and those made after it do not say the
        # same.
        if all(pattern.beginning and not _overlap(pattern.beginning, path) for pattern in later):
            return found
        return None

    def _match(self, path: str) -> _Match:
        folder, _, _ = path.rpartition("/")
        above = self._folders.get(folder)
        if above is None:
            # Not recursion: folders may be nested deeper than Python's own.
            for place in _folders(folder):
                above = self._folders.get(place)
                if above is None:
                    parent = self._folders[place.rpartition("/")[0]]
                    above = self._folders[place] = self._below(parent, place)
        assert above is not None
        return self._below(above, path)

    def _below(self, above: _Match, path: str) -> _Match:
        """What becomes of a path, given what became of the folder that it is in."""
        if not self._negates and above.pattern is not None:
            return above
        raw = path.encode("utf-8", "surrogateescape")
        if not above.matching and (self._leaving_out is None or self._leaving_out.fullmatch(raw) is None):
            return _NONE
        decides: Pattern | None = None
        matching = set()
        for number, pattern in enumerate(self.patterns):
            matches = number in above.matching
            if not matches:
                if pattern.negated != (decides is not None):
                    continue
                matches = pattern.expression.fullmatch(raw) is not None
            if matches:
                matching.add(number)
                decides = None if pattern.negated else pattern
        return _Match(decides, frozenset(matching))


def _overlap(one: str, other: str) -> bool:
    """Whether one of two paths is the other, or below it."""
    return f"{one}/".startswith(f"{other}/") or f"{other}/".startswith(f"{one}/")


def _folders(folder: str) -> Iterator[str]:
    end = folder.find("/")
    while end != -1:
        yield folder[:end]
        end = folder.find("/", end + 1)
    yield folder


def parse(content: bytes) -> Ignore | None:
    """The patterns of a `.dockerignore`; None where Docker refuses it, or nobody can tell what it does with it."""
    lines = content.removeprefix(_BOM).split(b"\n")
    if len(lines) > _MOST * 10:
        return None
    patterns: list[Pattern] = []
    for number, raw in enumerate(lines, 1):
        if raw.startswith(b"#"):
            continue
        text = raw.decode("utf-8", "surrogateescape").strip(_SPACE)
        if not text:
            continue
        cleaned = _cleaned(text)
        negated = cleaned.startswith("!")
        cleaned = cleaned.removeprefix("!")
        if negated and not cleaned:
            return None  # "illegal exclusion pattern"
        expression = _compiled(cleaned)
        if expression is None or len(patterns) == _MOST:
            return None
        patterns.append(Pattern(number, text, negated, expression, cleaned))
    return Ignore(tuple(patterns))


def _cleaned(text: str) -> str:
    """A pattern without a slash in front, by Go's `filepath.Clean`, which Docker takes twice: so `/!a` is `!a`."""
    negation = text[:1] if text.startswith("!") else ""
    inner = text.removeprefix("!").strip(_SPACE)
    inner = _normal(inner) if inner else ""
    if len(inner) > 1:
        inner = inner.removeprefix("/")
    return _normal((negation + inner).strip(_SPACE))


def _normal(text: str) -> str:
    # POSIX lets two slashes in front stand for something else than one.
    return posixpath.normpath("/" + text.lstrip("/") if text.startswith("/") else text)


def _compiled(pattern: str) -> re.Pattern[bytes] | None:
    raw = pattern.encode("utf-8", "surrogateescape")
    if len(raw) > _LONGEST:
        return None
    pieces = _split(raw)
    try:
        return None if pieces is None else re.compile(join_pieces(pieces, rb"[^/]"), re.DOTALL)
    except re.error:
        return None  # `[z-a]`


def _split(pattern: bytes) -> list[tuple[bytes, bytes]] | None:
    """The pattern as pairs of a wildcard and the fixed piece behind it; None where its meaning is not plain."""
    pieces: list[tuple[bytes, bytes]] = []
    wildcard, fixed = b"", b""
    position, end = 0, len(pattern)
    while position < end:
        char = pattern[position : position + 1]
        if char == b"*":
            pieces.append((wildcard, fixed))
            if pattern[position + 1 : position + 2] != b"*":
                wildcard, fixed = STAR, b""
                position += 1
                continue
            at_edge = position == 0 or pattern[position - 1 : position] == b"/"
            starts = position == 0
            position += 2
            is_whole = pattern[position : position + 1] == b"/"
            position += is_whole
            if position == end:
                wildcard = GLOBSTAR
            elif starts and not is_whole and not _has_wildcard(pattern[position:]):
                wildcard = GLOBSTAR  # `**name` is any path that ends so
            elif at_edge or not any(piece[0] for piece in pieces):
                wildcard = FOLDERS
            else:
                return None  # `a*b**c`: to be found in more than one way
            fixed = b""
            continue
        if char == b"?":
            fixed += _RUNE
        elif char == b"\\":
            position += 1
            escaped = pattern[position : position + 1]
            if not escaped or escaped.isalnum() or escaped >= b"\x80":
                return None
            fixed += re.escape(escaped)
        elif char == b"[":
            found = _CLASS.match(pattern, position)
            if found is None:
                return None
            fixed += rb"(?>[^" + _members(found[2]) + _WIDE if found[1] else b"[" + _members(found[2]) + b"]"
            position = found.end()
            continue
        else:
            fixed += re.escape(char)
        position += 1
    return [*pieces, (wildcard, fixed)]


def _has_wildcard(pattern: bytes) -> bool:
    return re.search(rb"[*?\[\]\\]", pattern) is not None


def _members(text: bytes) -> bytes:
    """The members of a set for an expression of Python's: only a `-` between two of them is more than itself."""
    return re.sub(rb"[^\w-]", lambda match: re.escape(match[0]), text)
