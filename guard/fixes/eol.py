"""Mending line endings, and the attribute files that pin them."""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping, Sequence
from typing import Final

from guard.fixes import Fixer, Refused
from guard.model import Finding

_COMMENT: Final = "# What runs or configures a deploy has the same line endings on every machine."


def to_lf(content: bytes, findings: Sequence[Finding]) -> bytes | Refused:
    """Every CRLF as LF. A CR on its own stays: what it was is not known."""
    return content.replace(b"\r\n", b"\n")


def all_to_lf(content: bytes, findings: Sequence[Finding]) -> bytes | Refused:
    """Every line ending as LF: CRLF, a CR on its own, and the CRs that stand before a CRLF."""
    return re.sub(rb"\r+\n|\r", b"\n", content)


def add_pins(content: bytes, findings: Sequence[Finding]) -> bytes | Refused:
    """The attribute file with the lines that the findings ask for, each behind the line that it belongs behind.

    Comments, order and line endings of the file stay as they are.
    """
    newline = b"\r\n" if b"\r\n" in content else b"\n"
    wanted: dict[int, list[str]] = {}
    for finding in findings:
        after, lines = finding.data.get("after"), finding.data.get("lines")
        if not isinstance(after, int) or not isinstance(lines, list | tuple):
            return Refused("what to add is not known")
        wanted.setdefault(after, []).extend(str(line) for line in lines)
    mark = codecs.BOM_UTF8 if content.startswith(codecs.BOM_UTF8) else b""
    there = re.findall(rb"[^\n]*\n|[^\n]+", content[len(mark) :])
    for after, lines in sorted(wanted.items(), reverse=True):
        at = len(there) if after < 0 or after > len(there) else after
        block = [_encoded(line) + newline for line in (_COMMENT, *sorted(set(lines)))]
        if at and not there[at - 1].endswith(b"\n"):
            there[at - 1] += newline
        if at == len(there) and at:
            block.insert(0, newline)
        there[at:at] = block
    return mark + b"".join(there)


def _encoded(line: str) -> bytes:
    return line.encode("utf-8", "surrogateescape")


FIXES: Final[Mapping[str, Fixer]] = {
    "EOL001": to_lf,
    "EOL002": add_pins,
    "EOL003": to_lf,
    "EOL004": all_to_lf,
    "EOL006": to_lf,
}
