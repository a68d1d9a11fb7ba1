"""Classes and functions that are defined more than once, with their code side by side."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

import msgspec

from guard.duplicates import Kinship
from guard.model import Finding
from guard.report.escape import shortened, visible
from guard.report.frame import split_lines

_GROUPS: Final = 200
"""Groups that are listed."""
_COPIES: Final = 3
"""Copies of one group whose code is shown."""
_LINES: Final = 40
"""Lines of one definition that are shown."""
_WIDTH: Final = 90
"""Columns of them."""
_ROOM: Final = 260_000
"""Characters of code on the page."""


class Line(msgspec.Struct, frozen=True):
    """A line of code."""

    text: str
    alone: bool
    """Whether the source of truth has no such line; there, whether none of the diverged copies beside it has."""


class Definition(msgspec.Struct, frozen=True, kw_only=True):
    """One of the places."""

    path: str
    line: int
    kind: str
    """`canonical`, or how it is a copy."""
    code: tuple[Line, ...] = ()
    """Empty where it is not shown."""
    more: int = 0
    """Lines behind those."""


class Duplicate(msgspec.Struct, frozen=True, kw_only=True):
    """One name and its definitions, the source of truth first."""

    name: str
    definitions: tuple[Definition, ...]
    findings: tuple[Finding, ...]

    @property
    def copies(self) -> int:
        """Definitions beside the source of truth."""
        return len(self.definitions) - 1


def duplicates(findings: Iterable[Finding], sources: Mapping[str, str]) -> tuple[list[Duplicate], int]:
    """The definitions of each name that SSOT001 found several of, those with the most first, and how many more names
    there are than are listed. Those that come first have their code, as far as there is room."""
    groups: dict[tuple[str, str], list[Finding]] = {}
    for finding in findings:
        data = finding.data
        if finding.code == "SSOT001" and data.get("name") and data.get("canonical"):
            groups.setdefault((str(data["name"]), str(data["canonical"])), []).append(finding)
    ranked = sorted(
        ((name, _canonical_first(found)) for (name, _), found in groups.items()),
        key=lambda one: (-len(one[1]), one[0], one[1][0].path),
    )
    # A finding alone has nothing beside it: its fellows are in another part of the repository, or are left out.
    ranked = [(name, found) for name, found in ranked if len(found) > 1]
    texts = _Lines(sources)
    room = _ROOM
    listed = []
    for name, found in ranked[:_GROUPS]:
        definitions = tuple(_definitions(found, texts if room > 0 else _Lines({})))
        room -= sum(len(line.text) + 8 for one in definitions for line in one.code)
        listed.append(Duplicate(name=name, definitions=definitions, findings=tuple(found)))
    return listed, len(ranked) - len(listed)


def _canonical_first(found: Sequence[Finding]) -> list[Finding]:
    order = {"canonical": 0, Kinship.DIVERGED.value: 1}
    return sorted(found, key=lambda one: (order.get(str(one.data.get("kind")), 2), one.path, one.span.line))


class _Lines:
    """Files as lines; only those that are asked for are split."""

    def __init__(self, sources: Mapping[str, str]) -> None:
        self._sources = sources
        self._split: dict[str, list[str]] = {}

    def of(self, path: str) -> list[str]:
        """The lines of a file; none where its text is not there."""
        if path not in self._split and path in self._sources:
            self._split[path] = split_lines(self._sources[path])
        return self._split.get(path, [])


def _definitions(found: Sequence[Finding], texts: _Lines) -> Iterator[Definition]:
    bodies = [_body(texts.of(one.path), one.span.line) for one in found[: _COPIES + 1]]
    shown = [[shortened(visible(line.expandtabs(4)), _WIDTH) for line in body[:_LINES]] for body in bodies]
    first = _words(shown[:1])
    diverged = _words(
        [body for body, one in zip(shown, found, strict=False) if one.data.get("kind") == Kinship.DIVERGED]
    )
    for number, one in enumerate(found):
        code: tuple[Line, ...] = ()
        if number < len(shown):
            other = diverged if number == 0 else first
            marked = bool(diverged) if number == 0 else one.data.get("kind") == Kinship.DIVERGED
            code = tuple(
                Line(text, marked and bool(text.strip()) and text.strip() not in other) for text in shown[number]
            )
        yield Definition(
            path=one.path,
            line=one.span.line,
            kind=str(one.data.get("kind", "")),
            code=code,
            more=len(bodies[number]) - len(code) if number < len(bodies) else 0,
        )


def _words(bodies: Sequence[Sequence[str]]) -> frozenset[str]:
    """The lines of some definitions, however they are indented."""
    return frozenset(line.strip() for body in bodies for line in body)


def _body(lines: Sequence[str], line: int) -> list[str]:
    """A definition, from its first line to before the next that is indented no deeper: by its looks, as a file is
    not parsed again for a report."""
    if not 1 <= line <= len(lines):
        return []
    first = lines[line - 1]
    depth = _depth(first)
    body = [first]
    for text in lines[line:]:
        if text.strip() and _depth(text) <= depth and not text.lstrip().startswith((")", "]", "}")):
            break
        body.append(text)
    while not body[-1].strip():
        body.pop()
        if not body:
            break
    return body


def _depth(line: str) -> int:
    return len(line) - len(line.lstrip())
