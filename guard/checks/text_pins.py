"""Which files of a deploy have no `eol=lf`, and which line of which attribute file has to be added where."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec

from guard.attributes import FILE_NAME, matcher
from guard.checks.text_endings import Action
from guard.checks.text_truth import TextTruth, Verdict
from guard.checks.text_types import deploy_pattern, is_test_data, is_vendored, windows_pattern
from guard.sources.paths import encode_path

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


def is_unpinned(truth: TextTruth, path: str, interpreter: str) -> bool:
    """Whether a file, there or not, is one that `missing_pins` is about: its endings have to be pinned, and no line of
    the tree's attributes does. `interpreter` is what its shebang names."""
    return _lacks_pin(path, deploy_pattern(path, interpreter), truth.verdict_of(path)) is not None


def missing_pins(truth: TextTruth) -> list[Pin]:
    """The lines that are missing, by attribute file and pattern."""
    wanted: dict[tuple[str, str], list[tuple[str, int]]] = {}
    for path, verdict in truth.verdicts.items():
        pattern = _lacks_pin(path, truth.deploy_patterns.get(path), verdict)
        if pattern is None:
            continue
        line = verdict.decider
        where, after = (line.path, line.number) if line is not None else (FILE_NAME, 0)
        wanted.setdefault((where, pattern), []).append((path, after))
    deciders = _deciders(truth) if wanted else {}
    return [_pin(where, pattern, files, deciders.get(where, ())) for (where, pattern), files in sorted(wanted.items())]


def _lacks_pin(path: str, deploy: str | None, verdict: Verdict) -> str | None:
    """The pattern to pin a file with that no attribute pins; `deploy` is what `deploy_pattern` says of it."""
    windows = windows_pattern(path)
    pattern = windows or deploy
    if not pattern or verdict.filtered or is_vendored(path) or is_test_data(path):
        return None
    action = verdict.action
    if action is Action.BINARY or action.asks_crlf or (action.pins_lf and windows is None):
        return None
    return pattern


class _Decider(NamedTuple):
    """A line that decides for the endings of some files of the tree, and whether it is to stand."""

    line: int
    stands: bool
    files: list[str]

    def rivals(self, pattern: str) -> bool:
        """Whether a new line with this pattern would speak of one of the files."""
        matches = matcher(pattern)
        return matches is not None and any(
            matches(raw.rpartition(b"/")[2], raw) for raw in map(encode_path, self.files)
        )


_STANDS: Final = frozenset({Action.BINARY, Action.TEXT_CRLF, Action.AUTO_CRLF})


def _deciders(truth: TextTruth) -> dict[str, list[_Decider]]:
    """By attribute file: what its lines already decide."""
    files: dict[Verdict, list[str]] = {}
    for path, verdict in truth.verdicts.items():
        files.setdefault(verdict, []).append(path)
    found: dict[str, list[_Decider]] = {}
    for verdict, paths in files.items():
        line = verdict.decider
        if line is not None:
            found.setdefault(line.path, []).append(_Decider(line.number, verdict.action in _STANDS, paths))
    return found


def _pin(where: str, pattern: str, files: list[tuple[str, int]], deciders: Sequence[_Decider]) -> Pin:
    after = max(line for _, line in files)
    plain = pattern[1:-1].replace('\\"', '"').replace("\\\\", "\\") if pattern.startswith('"') else pattern
    if after == 0 and not any(decider.rivals(plain) for decider in deciders):
        after = AT_END
    standing = (decider for decider in deciders if decider.stands and decider.line <= after)
    return Pin(
        path=where,
        pattern=pattern,
        crlf=windows_pattern(files[0][0]) is not None,
        after=after,
        files=len(files),
        example=files[0][0],
        safe=after == AT_END or not any(decider.rivals(plain) for decider in standing),
    )
