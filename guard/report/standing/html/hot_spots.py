"""Which missing modules and names are named by the most files."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from guard.model import Finding, Impact

MOST: Final = 20
_MISSING: Final = frozenset({"IMP001", "IMP002", "IMP006", "IMP007", "IMP011"})
"""The rules on what a first-party import, attribute or string misses."""


class HotSpot(msgspec.Struct, frozen=True, kw_only=True):
    """A module that is missing, or a name that a module does not have."""

    module: str
    name: str
    """Empty where it is the module itself."""
    files: int
    production: int
    """Files that are no tests and no tooling."""
    findings: tuple[Finding, ...]
    """In the order of the report."""
    help: str
    """The way out of the first that has one."""

    @property
    def label(self) -> str:
        """As the page names it."""
        return f"{self.module}:{self.name}" if self.name else self.module


def hot_spots(findings: Iterable[Finding]) -> list[HotSpot]:
    """What the most files miss, the most first; only what more than one file misses."""
    groups: dict[tuple[str, str], list[Finding]] = {}
    for finding in findings:
        if finding.code in _MISSING and finding.data.get("module"):
            groups.setdefault((str(finding.data["module"]), str(finding.data.get("name", ""))), []).append(finding)
    found = [_spot(module, name, members) for (module, name), members in groups.items()]
    found.sort(key=lambda one: (-one.files, -len(one.findings), one.module, one.name))
    return [one for one in found if one.files > 1][:MOST]


def _spot(module: str, name: str, members: list[Finding]) -> HotSpot:
    return HotSpot(
        module=module,
        name=name,
        files=len({one.path for one in members}),
        production=len({one.path for one in members if one.impact in (Impact.STARTUP, Impact.RUNTIME)}),
        findings=tuple(members),
        help=next((one.help for one in members if one.help), ""),
    )
