"""What the log of a service tells of its failures: the exceptions in it, each kind once."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import msgspec

from guard.runner.shapes import shape

_HEAD: Final = "Traceback (most recent call last):"
_SAYS_ERROR: Final = re.compile(r"\b(?:ERROR|CRITICAL|FATAL)\b[\]:|\s-]*(?P<said>\S.*)")
_ASKED: Final = " (most recent call first):"
"""Ends the line before a stack that faulthandler writes; that of the main thread is the last."""
_FRAME: Final = re.compile(r'^\s*File "(?P<path>[^"]+)", line (?P<line>\d+)')
_ERROR: Final = re.compile(r"^(?P<type>[A-Za-z_][\w.]*)(?:: (?P<message>.*))?$")
_COPY: Final = re.compile(r"""[^\s"'()]*/\.guard/revisions/[^/\s]+/""")
"""What the local deployer serves from: a copy of the tree."""
_INSTALLED: Final = re.compile(r"/(?:site|dist)-packages/|/lib/python3|^<|/guard/runner/deployers/launch\.py$")
_LINKS: Final = ("The above exception was the direct cause", "During handling of the above exception")
_LONGEST: Final = 200
"""Lines of one traceback."""
_SHOWN: Final = 30
_WIDEST: Final = 400


class Crash(msgspec.Struct, frozen=True, kw_only=True):
    """An exception in a log."""

    kind: str
    """Its type as the log has it, with its module."""
    message: str
    text: str
    """The traceback itself: its first line, and at most its last 30; of frames in installed packages only the last."""
    place: str
    """`path:line` of its innermost frame outside of installed packages."""
    count: int = 1
    """How often it is there, other numbers and ids aside."""

    @property
    def said(self) -> str:
        """Type and message, in one line."""
        return f"{self.kind}: {self.message}" if self.message else self.kind


def crashes(log: str) -> tuple[Crash, ...]:
    """The exceptions of a log, the same ones as one, in the order of their first. Of exceptions that came from one
    another it is the first, which the others came from."""
    found: dict[tuple[str, str, str], Crash] = {}
    linked = False
    for crash in _all(log.splitlines()):
        if isinstance(crash, str):
            linked = True
            continue
        if linked:
            linked = False
            continue
        key = (crash.kind, shape(crash.message), crash.place)
        seen = found.get(key)
        found[key] = msgspec.structs.replace(seen, count=seen.count + 1) if seen is not None else crash
    return tuple(found.values())


def is_all(log: str, crash: Crash) -> bool:
    """Whether a log holds nothing but one traceback."""
    lines = log.strip().splitlines()
    return (
        log.count(_HEAD) == 1
        and lines[0].startswith(_HEAD)
        and _COPY.sub("", lines[-1]).strip() == crash.said
        and all(line.startswith(" ") for line in lines[1:-1])
    )


def last_error(log: str) -> str:
    """The last line by which a log says that it tells of an error, from there on; empty where there is none."""
    for line in reversed(log.splitlines()):
        found = _SAYS_ERROR.search(line)
        if found is not None:
            return found["said"].strip()[:_WIDEST]
    return ""


def stands_at(log: str) -> str | None:
    """Where a process is that was asked for it, as `path:line, name`: its innermost frame in code of its own.

    Empty where there is none; None for a log in which nobody was asked.
    """
    _, asked, stack = log.rpartition(_ASKED)
    if not asked:
        return None
    for frame in map(_FRAME.match, stack.splitlines()):
        if frame is not None and not _INSTALLED.search(frame["path"]):
            name = frame.string.rpartition(" in ")[2]
            return f"{_COPY.sub('', frame['path'])}:{frame['line']}, {name}"
    return ""


def _all(lines: list[str]) -> Iterator[Crash | str]:
    """Every traceback; between two of one chain, the sentence that links them."""
    at = 0
    while at < len(lines):
        line = lines[at]
        begin = line.find(_HEAD)
        if begin < 0:
            if any(link in line for link in _LINKS):
                yield line
            at += 1
            continue
        before = _like(line[:begin])
        end = at + 1
        while end < len(lines) and end - at < _LONGEST and not _is_end(before.sub("", lines[end], 1)):
            end += 1
        if end < len(lines):
            crash = _crash([before.sub("", line, 1) for line in lines[at : end + 1]])
            if crash is not None:
                yield crash
        at = end + 1


def _like(prefix: str) -> re.Pattern[str]:
    """What a platform writes before each line as it did before the first one: a time that goes on, a pod's name. An
    entry of several lines has it before its first only."""
    fixed = re.sub(r"\d+", r"\\d+", re.escape(prefix))
    return re.compile("^" + re.sub(r"(?:\\\.\\d\+)?Z", r"(?:\\.\\d+)?Z", fixed))


def _is_end(line: str) -> bool:
    return bool(line) and not line[0].isspace()


def _crash(lines: list[str]) -> Crash | None:
    lines = [_COPY.sub("", line) for line in lines]
    match = _ERROR.match(lines[-1].rstrip())
    if match is None:
        return None
    frames = [found for found in map(_FRAME.match, lines) if found is not None]
    own = [found for found in frames if not _INSTALLED.search(found["path"])]
    place = f"{own[-1]['path']}:{own[-1]['line']}" if own else ""
    if match["type"].rpartition(".")[2] in ("SyntaxError", "IndentationError", "TabError") and frames:
        place = f"{frames[-1]['path']}:{frames[-1]['line']}"
    shown = list(_shown(lines[1:]))
    more = [f"  … {len(shown) - _SHOWN} lines left out …"] if len(shown) > _SHOWN else []
    text = "\n".join([lines[0], *more, *(line[:_WIDEST] for line in shown[-_SHOWN:])])
    return Crash(kind=match["type"], message=match["message"] or "", text=text, place=place)


def _shown(lines: list[str]) -> Iterator[str]:
    """A traceback's frames and its end; a line stands for frames in installed packages that lead to others."""
    starts = [at for at, line in enumerate(lines) if _FRAME.match(line) is not None]
    skipped = 0
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        found = _FRAME.match(lines[start])
        if found is not None and _INSTALLED.search(found["path"]) and start != starts[-1]:
            skipped += 1
            continue
        if skipped:
            yield f"  … {skipped} {'frame' if skipped == 1 else 'frames'} of installed packages …"
            skipped = 0
        yield from lines[start:end]
    if not starts:
        yield from lines
