"""Comments that suppress nothing are removed, or shortened to what they still suppress; stale baseline entries go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from guard.fixes import Fixer, Refused
from guard.model import Finding


def remove_unused(content: bytes, findings: Sequence[Finding]) -> bytes | Refused:
    """SUP001: put each comment's replacement in its place; a line that held nothing else goes."""
    lines = content.decode("utf-8", "surrogateescape").splitlines(keepends=True)
    for finding in sorted(findings, key=lambda finding: (finding.span.line, finding.span.column), reverse=True):
        index = finding.span.line - 1
        replacement = finding.data.get("replacement")
        if finding.fix is None or not isinstance(replacement, str) or index >= len(lines):
            continue
        line = lines[index]
        body = line.rstrip("\r\n")
        before, after = body[: finding.span.column - 1], body[finding.span.end_column - 1 :]
        left = before + replacement + after if replacement else (before.rstrip() + after.rstrip())
        lines[index] = left + line[len(body) :] if left.strip() else ""
    return "".join(lines).encode("utf-8", "surrogateescape")


def remove_stale(content: bytes, findings: Sequence[Finding]) -> bytes:
    """SUP004: leave out the lines of the entries."""
    gone = {finding.span.line for finding in findings}
    return b"".join(line for number, line in enumerate(content.splitlines(keepends=True), 1) if number not in gone)


FIXES: Final[Mapping[str, Fixer]] = {"SUP001": remove_unused, "SUP004": remove_stale}
