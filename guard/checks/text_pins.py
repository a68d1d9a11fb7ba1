"""Which files of a deploy have no `eol=lf`, and which line of which attribute file has to be added where."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import msgspec

from guard.attributes import FILE_NAME, Decision, Line, matcher
from guard.checks.text_endings import Action, action_of, has_filter
from guard.checks.text_truth import TextTruth
from guard.checks.text_types import deploy_pattern, is_test_data, is_vendored, windows_pattern

AT_END: Final = -1
"""For `Pin.after`."""


class Pin(msgspec.Struct, frozen=True):
    """One line to add to an attribute file."""

    path: str
    """The attribute file."""
    pattern: str
    crlf: bool
    """A Windows batch file's pattern, which is pinned to CRLF."""
    after: int
    """The line to put it behind: 0 for the top of the file, `AT_END` for its end."""
    files: int
    """How many files of the tree it is for."""
    example: str
    safe: bool
    """Whether the new line, put there, takes nothing away from lines that are there for other files."""

    @property
    def text(self) -> str:
        """The line."""
        return f"{self.pattern} text eol={'crlf' if self.crlf else 'lf'}"


def missing_pins(truth: TextTruth) -> list[Pin]:
    """The lines that are missing, by attribute file and pattern."""
    wanted: dict[tuple[str, str], list[tuple[str, int]]] = {}
    for path, decided in truth.decided.items():
        pattern, crlf = _wanted(path, truth)
        if not pattern or has_filter(decided) or is_vendored(path) or is_test_data(path):
            continue
        action = action_of(decided)
        if action is Action.BINARY or action.asks_crlf or (action.pins_lf and not crlf):
            continue
        line = deciding_line(decided)
        where, after = (line.path, line.number) if line is not None else (FILE_NAME, 0)
        wanted.setdefault((where, pattern), []).append((path, after))
    deciders = _deciders(truth) if wanted else {}
    return [_pin(where, pattern, files, deciders.get(where, ())) for (where, pattern), files in sorted(wanted.items())]


def _wanted(path: str, truth: TextTruth) -> tuple[str | None, bool]:
    windows = windows_pattern(path)
    if windows is not None:
        return windows, True
    facts = truth.facts.get(path)
    return deploy_pattern(path, facts.interpreter if facts is not None else ""), False


class _Decider(NamedTuple):
    """A file of the tree, the number of the line that decides for its endings, and whether that line is to stand."""

    name: bytes
    path: bytes
    line: int
    stands: bool


_STANDS: Final = frozenset({Action.BINARY, Action.TEXT_CRLF, Action.AUTO_CRLF})


def _deciders(truth: TextTruth) -> dict[str, list[_Decider]]:
    """By attribute file: what its lines already decide."""
    found: dict[str, list[_Decider]] = {}
    for path, decided in truth.decided.items():
        line = deciding_line(decided)
        if line is not None:
            raw = os.fsencode(path)
            decider = _Decider(raw.rpartition(b"/")[2], raw, line.number, action_of(decided) in _STANDS)
            found.setdefault(line.path, []).append(decider)
    return found


def _pin(where: str, pattern: str, files: list[tuple[str, int]], deciders: Sequence[_Decider]) -> Pin:
    after = max(line for _, line in files)
    plain = pattern[1:-1].replace('\\"', '"').replace("\\\\", "\\") if pattern.startswith('"') else pattern
    matches = matcher(plain)
    rivals = [decider for decider in deciders if matches is not None and matches(decider.name, decider.path)]
    if after == 0 and not rivals:
        after = AT_END
    return Pin(
        path=where,
        pattern=pattern,
        crlf=windows_pattern(files[0][0]) is not None,
        after=after,
        files=len(files),
        example=files[0][0],
        safe=after == AT_END or not any(rival.stands and rival.line <= after for rival in rivals),
    )


def deciding_line(decided: Mapping[str, Decision]) -> Line | None:
    """The strongest line that speaks of a file's endings."""
    lines = [decided[name].line for name in ("text", "eol", "crlf") if name in decided]
    return max((line for line in lines if line is not None), key=_strength, default=None)


def _strength(line: Line) -> tuple[int, int]:
    return line.path.count("/"), line.number
