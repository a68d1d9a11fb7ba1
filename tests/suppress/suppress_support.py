"""A program that knows suppression comments only, and findings made by hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import msgspec

from guard.checks.suppressions import FAMILY, Suppression, see_bytes
from guard.configuration.names import RuleNames
from guard.facts import FileFacts
from guard.model import ALL_GATES, Finding, Impact, Severity, Span
from guard.parse import kind_of
from guard.program import Program
from guard.registry import Rule


def make_rule(code: str, slug: str) -> Rule:
    return Rule(
        code=code,
        slug=slug,
        severity=Severity.ERROR,
        gates=ALL_GATES,
        since="0.1.0",
        fixable="",
        impact_aware=True,
        check=lambda program: iter(()),
        doc="",
    )


RULES = {
    code: make_rule(code, slug)
    for code, slug in {
        "EOL001": "crlf-committed",
        "IMP001": "missing-module",
        "IMP002": "missing-name",
        "SUP001": "unused-suppression",
        "SUP002": "no-reason",
        "SUP003": "unknown-code",
    }.items()
}
NAMES = RuleNames(RULES)


def program(files: Mapping[str, str | bytes]) -> Program:
    facts: dict[str, FileFacts] = {}
    for path, text in sorted(files.items()):
        content = text.encode() if isinstance(text, str) else text
        kind = kind_of(path, content[:256])
        seen = see_bytes(content, kind)
        parts = {} if seen is None else {FAMILY.name: msgspec.Raw(msgspec.msgpack.encode(seen))}
        facts[path] = FileFacts(kind, True, parts)
    nothing = cast("Any", None)
    return Program(nothing, nothing, nothing, facts)


def comments(content: str | bytes, path: str = "a.py") -> tuple[Suppression, ...]:
    return program({path: content}).linked(FAMILY).get(path, ())


def finding(code: str, line: int, end_line: int = 0, path: str = "a.py") -> Finding:
    return Finding(
        code=code,
        slug=RULES[code].slug,
        severity=Severity.ERROR,
        impact=Impact.RUNTIME,
        path=path,
        span=Span(line, 1, end_line or line, 2),
        message="m",
        symbol="",
        fingerprint=f"{code}-{line}",
    )
