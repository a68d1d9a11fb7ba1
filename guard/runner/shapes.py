"""The shape of a line of text: what stays the same when the same thing happens again.

Times, numbers, ids, addresses and quoted values differ from one occurrence to the next; the words around them do not.
"""

from __future__ import annotations

import re
from typing import Final

_VARYING: Final = re.compile(
    r"""
      (?P<time>\d{4}-\d\d-\d\d(?:[T\ ]\d\d:\d\d(?::\d\d)?(?:[.,]\d+)?)?(?:Z|[+-]\d\d:?\d\d)?
              |\b\d\d:\d\d:\d\d(?:[.,]\d+)?)
    | (?P<uuid>\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b)
    | (?P<address>\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b)
    | (?P<hex>\b0x[0-9a-fA-F]+\b|\b(?=[0-9a-f]*\d)[0-9a-f]{7,64}\b)
    | (?P<number>(?<![A-Za-z_])\d+(?:\.\d+)?)
    """,
    re.VERBOSE,
)
_SHAPES: Final = {"time": "<time>", "uuid": "<id>", "address": "<address>", "hex": "<id>", "number": "<n>"}
_ERROR: Final = re.compile(
    r"\b(?:ERROR|CRITICAL|FATAL|error|critical|fatal|panic)\b|\bTraceback \("
    r"|^\s*(?:[A-Za-z_]\w*\.)*\w+(?:Error|Exception)\b"
)
_LONGEST: Final = 300


def shape(line: str) -> str:
    """`line` with everything that varies replaced by what kind of thing it is, at most 300 characters."""
    bounded = " ".join(line[: 4 * _LONGEST].split())
    return _VARYING.sub(lambda match: _SHAPES[match.lastgroup or "number"], bounded)[:_LONGEST]


def error_shapes(log: str) -> tuple[str, ...]:
    """The shapes of the lines of a log that tell of an error, each once, in the order of their first line."""
    return tuple(dict.fromkeys(shape(line) for line in log.splitlines() if _ERROR.search(line)))
