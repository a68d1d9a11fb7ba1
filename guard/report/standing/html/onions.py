"""Layers of middleware that stand the wrong way round, drawn as an onion: what is outside sees a request first."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from guard.model import Finding

MOST: Final = 30


class Onion(msgspec.Struct, frozen=True, kw_only=True):
    """Two layers of one application."""

    outer: str
    """What stands outside, and should not."""
    inner: str
    findings: tuple[Finding, ...]
    """In the order of the report."""


def onions(findings: Iterable[Finding]) -> list[Onion]:
    """The pairs of layers that findings say are the wrong way round, the first ones in the order of the report."""
    pairs: dict[tuple[str, str], list[Finding]] = {}
    for finding in findings:
        data = finding.data
        if finding.code == "MID001" and "outer" in data and "inner" in data:
            pairs.setdefault((str(data["outer"]), str(data["inner"])), []).append(finding)
        elif finding.code == "MID005" and "reader" in data and "provider" in data:
            pairs.setdefault((str(data["reader"]), str(data["provider"])), []).append(finding)
    made = [Onion(outer=outer, inner=inner, findings=tuple(found)) for (outer, inner), found in pairs.items()]
    return made[:MOST]
