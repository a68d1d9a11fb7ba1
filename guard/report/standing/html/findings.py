"""The findings of a report as data for the page's script: compact, bounded, and harmless as part of a page.

Thousands of findings share most of their words and many of their lines of code. Each text is there once, in `texts`,
and each line of code once, in `code`; everything else is indexes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, NamedTuple

import msgspec

from guard.model import WHOLE_FILE, Finding, Impact, Severity
from guard.report.escape import shortened, visible
from guard.report.frame import AROUND, frame, split_lines

WIDTH: Final = 110
"""Columns of a code frame."""
_ROWS: Final = 2 / 3
"""Of the room, what findings may take without their code."""
_RELATED: Final = 6
"""Related places of one finding that are kept."""
_LONGEST: Final = 2_000
"""Columns of one text."""
_SHORT: Final = 200
"""Columns of the name of a selection, or of a package."""


class _Code(NamedTuple):
    """A code frame: lines by number, of which the first one in `caret` is meant."""

    lines: Mapping[int, str]
    line: int
    caret: tuple[int, int]
    """Where the caret begins, and how many columns it covers."""


class Data(msgspec.Struct, frozen=True):
    """What the script of the page reads. Indexes count from 0."""

    texts: Sequence[str]
    rules: Sequence[tuple[str, str]]
    """Code and slug, by code."""
    severities: Sequence[str]
    impacts: Sequence[tuple[str, str]]
    """Name and title."""
    packages: Sequence[str]
    """Those that findings stand in, in the order of these."""
    findings: Sequence[Sequence[object]]
    """For each: indexes of rule, severity, impact, package and path, line (0: the whole file), indexes of message,
    symbol, cause and help, related places (index of path, line, index of message), index of what a fix does, 2 for an
    unsafe fix and 1 for a safe one, 1 for a finding that is new, and its code: empty, or lines before, lines after,
    where the caret begins and its length, and last the lines themselves where they are cut otherwise than in `code`."""
    code: Mapping[str, Sequence[tuple[int, str]]]
    """By index of the path: pieces of its file, each the number of its first line, and its lines."""
    sets: Sequence[tuple[str, Sequence[int]]]
    """Selections that a button of the page asks for: what they are called, and the indexes of findings."""
    left_out: int
    """Findings that there is no room for: the last of the report's order."""
    without_code: int
    """Findings whose code could not be shown for want of room."""


def findings_data(
    findings: Sequence[Finding],
    new: Iterable[Finding],
    packages: Sequence[str],
    titles: Mapping[Impact, str],
    sources: Mapping[str, str],
    sets: Mapping[str, Sequence[Finding]],
    room: int,
) -> Data:
    """The findings, as many of them as there is room for, and the code around them. `new` are those of
    them that are new, `packages` the parts of the repository, `sources` the texts of files, `sets` what buttons
    select; `room` is in bytes."""
    texts = _Texts()
    rules = sorted({(one.code, one.slug) for one in findings})
    part = part_of(packages)
    parts: dict[str, int] = {}
    fresh = frozenset(map(_key, new))
    rows: list[list[object]] = []
    taken = 0
    for finding in findings:
        known = len(parts)
        row: list[object] = [
            rules.index((finding.code, finding.slug)),
            list(Severity).index(finding.severity),
            list(Impact).index(finding.impact),
            parts.setdefault(part(finding.path), len(parts)),
            texts.index(finding.path),
            0 if finding.span.closed() == WHOLE_FILE else finding.span.line,
            texts.index(finding.message),
            texts.index(finding.symbol),
            texts.index(finding.cause),
            texts.index(finding.help),
            [[texts.index(one.path), one.line, texts.index(one.message)] for one in finding.related[:_RELATED]],
            texts.index(finding.fix.description) if finding.fix is not None else 0,
            (1 if finding.fix.applicability == "safe" else 2) if finding.fix is not None else 0,
            int(_key(finding) in fresh),
        ]
        taken += len(msgspec.json.encode(row)) + len(",[],")
        if len(parts) > known:
            taken += _bytes(shortened(visible(part(finding.path)), _SHORT))
        if taken + texts.size > room * _ROWS:
            break
        rows.append(row)
    shown = findings[: len(rows)]
    frames, code, lacking = _code(shown, sources, texts, room - taken - texts.size)
    for row, framed in zip(rows, frames, strict=True):
        row.append(framed)
    places = {id(one): number for number, one in enumerate(shown)}
    keys = {_key(one): number for number, one in enumerate(shown)}
    return Data(
        texts=texts.all,
        rules=rules,
        severities=list(Severity),
        impacts=[(str(impact), titles[impact]) for impact in Impact],
        packages=[shortened(visible(name), _SHORT) for name in parts],
        findings=rows,
        code=code,
        sets=[
            (
                shortened(visible(name), _SHORT),
                sorted({places.get(id(one), keys.get(_key(one), -1)) for one in members} - {-1}),
            )
            for name, members in sets.items()
        ],
        left_out=len(findings) - len(rows),
        without_code=lacking,
    )


def part_of(packages: Sequence[str]) -> Callable[[str], str]:
    """A function that names the part of the repository that a path belongs to: the deepest of `packages` above it, else
    the last of them, which is for what is in no other."""
    known = frozenset(packages)

    def part(path: str) -> str:
        folder = path.rpartition("/")[0]
        while folder and folder not in known:
            folder = folder.rpartition("/")[0]
        return folder or packages[-1]

    return part


def script_json(data: object) -> str:
    """`data` as JSON that can stand in a `<script>`: no end tag, no comment, no character reference in it."""
    text = msgspec.json.encode(data).decode("utf-8")
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def size(text: str) -> int:
    """The bytes of `text` in UTF-8."""
    return len(text) if text.isascii() else len(text.encode("utf-8"))


class _Texts:
    """Texts, each once, as they may be shown. The first is empty."""

    def __init__(self) -> None:
        self.all = [""]
        self.size = 0
        """Bytes that they take as JSON."""
        self._indexes = {"": 0}

    def index(self, text: str) -> int:
        """The index of `text`."""
        found = self._indexes.get(text)
        if found is None:
            found = self._indexes[text] = len(self.all)
            self.all.append(shortened(visible(text), _LONGEST))
            self.size += _bytes(self.all[-1])
        return found


def _key(finding: Finding) -> tuple[object, ...]:
    """What a finding has of its own. Its fingerprint alone is not: the same mistake in two files has one."""
    return finding.code, finding.path, finding.span, finding.fingerprint


def _bytes(text: str) -> int:
    """What `text` takes in a page, as JSON."""
    return size(script_json(text)) + 1


def _code(
    findings: Sequence[Finding], sources: Mapping[str, str], texts: _Texts, room: int
) -> tuple[list[list[object]], dict[str, list[tuple[int, str]]], int]:
    """For each finding its code, the lines by file, and for how many there was no room. Where all lines around the
    findings do not fit into `room` bytes, fewer of them are shown, of all findings alike."""
    framed = _framed(findings, sources)
    for around in range(AROUND, -1, -1):
        lines: dict[str, dict[int, str]] = {}
        found: list[list[object]] = [[] for _ in findings]
        left, lacking = room, 0
        for number, code in enumerate(framed):
            if code is None:
                continue
            wanted = {at: text for at, text in code.lines.items() if abs(at - code.line) <= around}
            known = lines.setdefault(findings[number].path, {})
            before, after = code.line - min(wanted), max(wanted) - code.line
            entry: list[object] = [before, after, *code.caret]
            if any(known.get(at, text) != text for at, text in wanted.items()):
                entry.append("\n".join(wanted.values()))
                cost = _bytes(str(entry[-1]))
                wanted = {}
            else:
                wanted = {at: text for at, text in wanted.items() if at not in known}
                cost = sum(size(script_json(text)) for text in wanted.values())
                cost += 0 if known else len('"12345":[],')
                cost += 0 if known.keys() & {code.line - before - 1, code.line + after + 1} else len('[12345,""],')
            cost += len("2,2,40,40")
            if cost > left:
                lacking += 1
                continue
            left -= cost
            known.update(wanted)
            found[number] = entry
        if not lacking:
            break
    return found, {str(texts.index(path)): _pieces(known) for path, known in lines.items() if known}, lacking


def _framed(findings: Sequence[Finding], sources: Mapping[str, str]) -> list[_Code | None]:
    """The code of each finding that has any, one file after the other: only one is split into lines at a time."""
    by_path: dict[str, list[int]] = {}
    for number, finding in enumerate(findings):
        if finding.path in sources and finding.span.closed() != WHOLE_FILE:
            by_path.setdefault(finding.path, []).append(number)
    framed: list[_Code | None] = [None] * len(findings)
    for path, numbers in by_path.items():
        lines = split_lines(sources[path])
        for number in numbers:
            framed[number] = _frame(lines, findings[number])
    return framed


def _frame(lines: list[str], finding: Finding) -> _Code | None:
    code: dict[int, str] = {}
    caret = (0, 0)
    for one in frame(lines, finding.span, WIDTH):
        if one.is_caret:
            caret = len(one.text) - len(one.text.lstrip(" ")), one.text.count("^")
        else:
            code[int(one.number)] = one.text
    return _Code(code, finding.span.line, caret) if code else None


def _pieces(lines: Mapping[int, str]) -> list[tuple[int, str]]:
    """Lines by number, as pieces without gaps."""
    pieces: list[tuple[int, list[str]]] = []
    last = -1
    for number in sorted(lines):
        if number != last + 1:
            pieces.append((number, []))
        pieces[-1][1].append(lines[number])
        last = number
    return [(first, "\n".join(texts)) for first, texts in pieces]
