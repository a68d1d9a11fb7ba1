"""The `end_of_line` that .editorconfig files ask of editors (editorconfig.org's specification, 0.17)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

import msgspec

FILE_NAME: Final = ".editorconfig"

_SECTION: Final = re.compile(r"\[(.+)\]\s*(?:[#;].*)?$")
_PROPERTY: Final = re.compile(r"([^=:#;\[][^=:]*?)\s*[=:]\s*(.*?)\s*(?:\s[#;].*)?$")
_RANGE: Final = re.compile(r"([+-]?\d+)\.\.([+-]?\d+)")
_NOT_IN_CLASS: Final = re.compile(r"[\\\[\]^&~|]|(?<!\w)-|-(?!\w)")
"""What means something else to Python between brackets than to an editor. Python even warns of `--`."""
_TOKEN: Final = re.compile(r"\\.|\[[^\]/]*\]|\*+|.", re.DOTALL)
_MOST_SEARCHES: Final = 3
"""Wildcards of one glob that are tried at every place. Globs come from the checked repository: more would be slow."""
_MOST_ALTERNATIVES: Final = 256
_MOST_CHARACTERS: Final = 1024
_MOST_NUMBERS: Final = 1000


class EndOfLine(msgspec.Struct, frozen=True):
    """One `end_of_line` and where it stands."""

    path: str
    line: int
    glob: str
    value: str
    """`lf`, `crlf` or `cr`."""


class _Section(msgspec.Struct, frozen=True):
    setting: EndOfLine
    expression: re.Pattern[str]


class EditorConfig:
    """Every .editorconfig of a tree."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        """`files`: the content of each `.editorconfig` by its path."""
        self._sections: dict[str, list[_Section]] = {}
        self._roots: set[str] = set()
        for path, content in files.items():
            folder = path.rpartition("/")[0]
            sections, is_root = _parse(path, content.decode("utf-8", "replace"))
            self._sections[folder] = sections
            if is_root:
                self._roots.add(folder)

    def of(self, path: str) -> EndOfLine | None:
        """What holds for the file at `path`: the nearest file's last matching section."""
        folder = path.rpartition("/")[0]
        while True:
            below = path[len(folder) + 1 :] if folder else path
            for section in reversed(self._sections.get(folder, ())):
                if section.expression.fullmatch(below):
                    return section.setting
            if not folder or folder in self._roots:
                return None
            folder = folder.rpartition("/")[0]


def _parse(path: str, text: str) -> tuple[list[_Section], bool]:
    sections: list[_Section] = []
    is_root = False
    glob: str | None = None
    for number, line in enumerate(text.removeprefix("\ufeff").splitlines(), 1):
        line = line.strip()
        if not line or line[0] in "#;":
            continue
        if header := _SECTION.match(line):
            glob = header[1]
        elif (pair := _PROPERTY.match(line)) is not None:
            name, value = pair[1].lower(), pair[2].lower()
            if glob is None:
                is_root = is_root or (name == "root" and value == "true")
            elif name == "end_of_line" and (expression := _compile(glob)) is not None:
                # `unset` and other values take away what an earlier section said, so they are kept.
                sections.append(_Section(EndOfLine(path, number, glob, value), expression))
    return sections, is_root


def _compile(glob: str) -> re.Pattern[str] | None:
    """The expression for paths below the file's folder; None for a glob that guard does not take on."""
    if len(glob) > _MOST_CHARACTERS:
        return None
    anywhere = "" if "/" in glob else "(?:.*/)?"
    try:
        alternatives = [_linear(one) for one in _without_braces(glob.removeprefix("/"))]
        if not all(alternatives):
            return None
        return re.compile(f"{anywhere}(?:{'|'.join(filter(None, alternatives))})", re.DOTALL)
    except (re.error, RecursionError, _TooMuch):
        return None


class _TooMuch(Exception):
    """A glob with more alternatives than anybody writes."""


def _without_braces(glob: str) -> list[str]:
    """The globs that the alternatives in braces stand for. A range of numbers, and braces without a comma, stay."""
    if not _braces_balance(glob):
        return [glob]
    position = 0
    for token in _TOKEN.findall(glob):
        if token == "{":
            close = _closing(glob, position + 1)
            inside = glob[position + 1 : close]
            if "," in inside:
                before, behind = glob[:position], _without_braces(glob[close + 1 :])
                options = [one for option in _split(inside) for one in _without_braces(option)]
                if len(options) * len(behind) > _MOST_ALTERNATIVES:
                    raise _TooMuch
                return [before + option + rest for option in options for rest in behind]
        position += len(token)
    return [glob]


def _split(inside: str) -> list[str]:
    """The alternatives between braces, split at the commas that stand in no braces of their own."""
    parts = [""]
    depth = 0
    for token in _TOKEN.findall(inside):
        depth += (token == "{") - (token == "}")
        if token == "," and not depth:
            parts.append("")
        else:
            parts[-1] += token
    return parts


def _linear(glob: str) -> str | None:
    """The expression for a glob without alternatives; None for one that could make a search go back and forth.

    What stands before a further wildcard of the same reach may be taken at its first place, since the next wildcard
    takes the rest: an atomic group.
    """
    pieces: list[list[str]] = [["", ""]]
    for token in _TOKEN.findall(glob):
        if token[0] == "*":
            pieces.append(["." if len(token) > 1 else "[^/]", ""])
        else:
            pieces[-1][1] += token
    balanced = _braces_balance(glob)
    result = _translate(pieces[0][1], balanced)
    searches = 0
    for index, (reach, fixed) in enumerate(pieces[1:], 1):
        if index + 1 < len(pieces) and pieces[index + 1][0] == reach:
            result += f"(?>{reach}*?{_translate(fixed, balanced)})"
        else:
            result += f"{reach}*{_translate(fixed, balanced)}"
            searches += 1
    return result if searches <= _MOST_SEARCHES else None


def _translate(glob: str, balanced: bool) -> str:
    """The expression for what has neither wildcards nor alternatives."""
    result = ""
    position = 0
    balanced = balanced and _braces_balance(glob)
    while position < len(glob):
        char = glob[position]
        position += 1
        if char == "\\" and position < len(glob):
            result += re.escape(glob[position])
            position += 1
        elif char == "?":
            result += "[^/]"
        elif char == "[":
            close = glob.find("]", position)
            if close < 0 or "/" in glob[position:close]:
                result += r"\["
            else:
                inside = glob[position:close]
                negated = inside.startswith("!")
                inside = re.sub(_NOT_IN_CLASS, r"\\\g<0>", inside[negated:])
                result += f"[{'^/' if negated else ''}{inside}]" if inside else r"\[\]"
                position = close + 1
        elif char == "{" and balanced:
            close = _closing(glob, position)
            inside = glob[position:close]
            if (numbers := _RANGE.fullmatch(inside)) is not None:
                result += _numbers(int(numbers[1]), int(numbers[2]))
                position = close + 1
            else:
                result += r"\{" + _translate(inside, balanced) + r"\}"
                position = close + 1
        else:
            result += re.escape(char)
    return result


def _numbers(first: int, last: int) -> str:
    first, last = sorted((first, last))
    if last - first >= _MOST_NUMBERS:
        return "(?!)"
    return "(?:" + "|".join(str(number) for number in range(first, last + 1)) + ")"


def _braces_balance(glob: str) -> bool:
    depth = 0
    for char in re.sub(r"\\.", "", glob):
        depth += (char == "{") - (char == "}")
        if depth < 0:
            return False
    return depth == 0


def _closing(glob: str, position: int) -> int:
    depth = 1
    while depth:
        if glob[position] == "\\":
            position += 1  # and what it escapes is no brace
        else:
            depth += (glob[position] == "{") - (glob[position] == "}")
        position += 1
    return position - 1
