"""gitattributes, evaluated as git does, over any set of paths: a commit, a bare directory, a work tree.

Settled against `git check-attr` in the tests. The order, as in git's attr.c: the last matching line wins, per
attribute; a nested file wins over those above it, `$GIT_DIR/info/attributes` over all, and the built-in macro
`binary` is the weakest. A macro is expanded where its name is *set*.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Final

import msgspec

from guard.wildmatch import compile_wildcard, literal_length

SET: Final = "set"
UNSET: Final = "unset"
UNSPECIFIED: Final = "unspecified"
"""How `git check-attr` prints the three states; any other value is the text behind the `=`."""

FILE_NAME: Final = ".gitattributes"
INFO: Final = "$GIT_DIR/info/attributes"
"""Where a line of the repository's own, uncommitted attributes says that it stands."""

_MAX_LINE: Final = 2048
_MAX_FILE: Final = 100 * 1024 * 1024
"""Bytes. git ignores what is longer (ATTR_MAX_LINE_LENGTH, ATTR_MAX_FILE_SIZE in attr.h)."""
_BLANK: Final = b" \t\r\n"
_NAME: Final = re.compile(rb"(?!-)[-._0-9A-Za-z]+")
_MACRO: Final = b"[attr]"
_C_ESCAPES: Final = {b"a": b"\a", b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}


class Line(msgspec.Struct, frozen=True):
    """One line that git obeys: a pattern, or the name of a macro, and what it does to attributes, in order."""

    path: str
    """The file it stands in, or `INFO`."""
    number: int
    pattern: str
    """As git takes it, without quotes; bytes that are not UTF-8 as surrogates."""
    states: tuple[tuple[str, str], ...]
    macro: bool = False

    @property
    def folder(self) -> str:
        """The folder below which the line holds."""
        return "" if self.path == INFO else self.path.rpartition("/")[0]

    def get(self, name: str) -> str | None:
        """What the line itself says of an attribute (macros not expanded); None for nothing."""
        return next((value for found, value in reversed(self.states) if found == name), None)


class IgnoredLine(msgspec.Struct, frozen=True):
    """A line that git drops, and why."""

    path: str
    number: int
    text: str
    reason: str


class Decision(msgspec.Struct, frozen=True):
    """What an attribute is for one path, and the line that says so; no line where nothing does."""

    value: str
    line: Line | None = None


NOTHING: Final = Decision(UNSPECIFIED)
_BINARY: Final = Line("", 0, "binary", (("diff", UNSET), ("merge", UNSET), ("text", UNSET)), macro=True)


def _raw(text: str) -> bytes:
    """The bytes of a path or a pattern, whatever the locale is."""
    return text.encode("utf-8", "surrogateescape")


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


def parse(content: bytes, path: str) -> tuple[list[Line], list[IgnoredLine]]:
    """The lines of one attribute file, in order, and those that git drops.

    `path` is the file's own; only the top one (and `INFO`) may define macros.
    """
    lines: list[Line] = []
    ignored: list[IgnoredLine] = []
    if len(content) >= _MAX_FILE:
        return [], [IgnoredLine(path, 1, "", "the file is larger than git reads (100 MB)")]
    for number, raw in enumerate(content.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        text = raw.strip(_BLANK)
        if not text or text.startswith(b"#"):
            continue
        parsed = _parse_line(raw.lstrip(_BLANK), len(raw.removesuffix(b"\r")), path, number)
        if isinstance(parsed, Line):
            lines.append(parsed)
        else:
            ignored.append(IgnoredLine(path, number, _text(text), parsed))
    return lines, ignored


def _parse_line(text: bytes, length: int, path: str, number: int) -> Line | str:
    """The line, or why git drops it (`parse_attr_line` in attr.c)."""
    if length >= _MAX_LINE:
        return f"git reads lines of less than {_MAX_LINE} bytes"
    unquoted = _unquote(text) if text.startswith(b'"') else None
    name, rest = unquoted or _word(text)
    macro = name.startswith(_MACRO) and len(name) > len(_MACRO)
    if macro:
        if path not in (FILE_NAME, INFO):
            return "a macro may only be defined in the top .gitattributes"
        name = _word(name[len(_MACRO) :].lstrip(_BLANK))[0]
        if not _NAME.fullmatch(name):
            return f"{_text(name)!r} is not a valid attribute name"
    states = []
    for word in re.findall(rb"[^ \t\r\n]+", rest):
        attribute, equals, value = word.partition(b"=")
        sign = attribute[:1]
        attribute = attribute[1:] if sign in (b"-", b"!") else attribute
        if not _NAME.fullmatch(attribute):
            return f"{_text(attribute)!r} is not a valid attribute name"
        if sign in (b"-", b"!"):
            state = UNSET if sign == b"-" else UNSPECIFIED
        else:
            state = _text(value) if equals else SET
        states.append((attribute.decode("ascii"), state))
    if not macro and name.startswith(b"!"):
        return "git ignores negative patterns in attribute files"
    return Line(path, number, _text(name), tuple(states), macro)


def _word(text: bytes) -> tuple[bytes, bytes]:
    end = next((index for index, byte in enumerate(text) if byte in _BLANK), len(text))
    return text[:end], text[end:]


def _unquote(text: bytes) -> tuple[bytes, bytes] | None:
    """A pattern in C-style quotes and what stands behind it (`unquote_c_style`); None where the quotes are broken."""
    match = re.match(rb'"((?:[^"\\]|\\(?:[abfnrtv\\"]|[0-3][0-7][0-7]))*)"', text, re.DOTALL)
    if match is None:
        return None
    return re.sub(rb"\\([0-3][0-7][0-7]|.)", _unescape, match[1]), text[match.end() :]


def _unescape(match: re.Match[bytes]) -> bytes:
    escape = match[1]
    return bytes([int(escape, 8)]) if len(escape) == 3 else _C_ESCAPES.get(escape, escape)


# Matching

_Test = Callable[[bytes, bytes], object]
"""Told a path's name and its path below the line's folder, both as bytes; true where the pattern matches."""


@lru_cache(maxsize=4096)
def matcher(pattern: str) -> _Test | None:
    """The test for one pattern (`path_matches` in attr.c); None where it can match no file."""
    raw = _raw(pattern)
    if raw.endswith(b"/"):
        return None  # such a pattern means folders, and attributes are only ever asked of files
    prefix = literal_length(raw)
    if b"/" not in raw:
        if prefix == len(raw):
            return lambda name, _: name == raw
        if raw.startswith(b"*") and literal_length(raw[1:]) == len(raw) - 1:
            suffix = raw[1:]
            return lambda name, _: name.endswith(suffix)
        expression = compile_wildcard(raw, pathname=False)
        if expression is None:
            return None
        match_name = expression.fullmatch
        return lambda name, _: match_name(name)
    if raw.startswith(b"/"):
        raw = raw[1:]
        prefix -= 1
    if prefix == len(raw):
        return lambda _, path: path == raw
    # git compares what stands before the first wildcard by itself, so a `**` right behind it begins a pattern.
    head = raw[: max(prefix, 0)]
    expression = compile_wildcard(raw[len(head) :], pathname=True)
    if expression is None:
        return None
    match_rest = expression.fullmatch
    length = len(head)
    return lambda _, path: path.startswith(head) and match_rest(path, length)


class Matched(msgspec.Struct, frozen=True, eq=False):
    """What is said of a file; one value for all files that the same lines match."""

    lines: tuple[Line, ...]
    """The lines whose pattern matches, the strongest first."""
    decided: Mapping[str, Decision]
    """Every attribute that one of them decides, by name."""


_SUFFIX_ONLY: Final = re.compile(rb"\*(\.[^./*?\[\\]+)")


def are_apart(pattern: str, other: str) -> bool:
    """Whether it is plain that no file matches two patterns: each asks for a suffix, and not for the same one."""
    one, another = _SUFFIX_ONLY.fullmatch(_raw(pattern)), _SUFFIX_ONLY.fullmatch(_raw(other))
    return one is not None and another is not None and one[1] != another[1]


class _Lines:
    """The lines that hold in a folder, strongest first, sorted by what their patterns look at."""

    def __init__(self, lines: Iterable[Line]) -> None:
        self.answers: dict[tuple[int, ...], Matched] = {}
        """By the places of the lines that match."""
        self._lines = [line for line in lines if line.states and not line.macro]
        self._by_suffix: dict[bytes, list[int]] = {}
        self._others: list[tuple[int, _Test, int]] = []
        for place, line in enumerate(self._lines):
            suffix = _SUFFIX_ONLY.fullmatch(_raw(line.pattern))
            test = matcher(line.pattern)
            if suffix is not None:
                self._by_suffix.setdefault(suffix[1], []).append(place)
            elif test is not None:
                self._others.append((place, test, len(_raw(line.folder)) + 1 if line.folder else 0))

    def matching(self, raw: bytes) -> tuple[int, ...]:
        """The places of the lines that match a path."""
        name = raw.rpartition(b"/")[2]
        places = [place for place, test, skipped in self._others if test(name, raw[skipped:] if skipped else raw)]
        of_suffix = self._by_suffix.get(name[name.rfind(b".") :]) if b"." in name else None
        return tuple(sorted([*places, *of_suffix]) if of_suffix else places)

    def at(self, places: Iterable[int]) -> tuple[Line, ...]:
        """The lines at some places."""
        return tuple(self._lines[place] for place in places)


class Attributes:
    """The attributes of every path, for one set of attribute files."""

    def __init__(self, files: Mapping[str, bytes], info: bytes = b"") -> None:
        """`files`: the content of each `.gitattributes` by its path. `info`: that of `INFO`, where it counts."""
        self.lines: dict[str, list[Line]] = {}
        """By file, in order; macros included."""
        self.ignored: list[IgnoredLine] = []
        for path in sorted(files):
            self.lines[path], dropped = parse(files[path], path)
            self.ignored += dropped
        info_lines, _ = parse(info, INFO)
        self._macros = {"binary": _BINARY}
        for line in (*self.lines.get(FILE_NAME, ()), *info_lines):
            if line.macro:
                self._macros[line.pattern] = line
        self._info = [line for line in info_lines if not line.macro]
        self._lines_in: dict[str, _Lines] = {}

    def of(self, path: str) -> Mapping[str, Decision]:
        """Every attribute that some line decides for the file at `path`, by name."""
        return self.matched(path).decided

    def matched(self, path: str) -> Matched:
        """What is said of the file at `path`."""
        lines = self._holding_in(path.rpartition("/")[0])
        places = lines.matching(_raw(path))
        found = lines.answers.get(places)
        if found is None:
            matching = lines.at(places)
            found = lines.answers[places] = Matched(matching, self._decide(matching))
        return found

    def expanded(self, line: Line) -> Mapping[str, str]:
        """What one line does to attributes, macros expanded."""
        return {name: decision.value for name, decision in self._decide((line,)).items()}

    def _holding_in(self, folder: str) -> _Lines:
        found = self._lines_in.get(folder)
        if found is None:
            nearest = folder
            while nearest and f"{nearest}/{FILE_NAME}" not in self.lines:
                nearest = nearest.rpartition("/")[0]
            found = self._lines_in.get(nearest) or self._gathered(nearest)
            self._lines_in[nearest] = self._lines_in[folder] = found
        return found

    def _gathered(self, folder: str) -> _Lines:
        lines = [*reversed(self._info)]
        here = folder
        while True:
            lines += reversed(self.lines.get(f"{here}/{FILE_NAME}" if here else FILE_NAME, ()))
            if not here:
                return _Lines(lines)
            here = here.rpartition("/")[0]

    def _decide(self, matched: Iterable[Line]) -> Mapping[str, Decision]:
        decided: dict[str, Decision] = {}
        for line in matched:
            self._fill(decided, line.states, line)
        return decided

    def _fill(self, decided: dict[str, Decision], states: tuple[tuple[str, str], ...], line: Line) -> None:
        """`fill_one` in attr.c: within a line the last word on an attribute counts, and earlier lines are weaker."""
        for name, value in reversed(states):
            if name not in decided:
                decided[name] = Decision(value, line)
                macro = self._macros.get(name)
                if macro is not None and value == SET:
                    self._fill(decided, macro.states, line)
