"""How far findings reach: what cannot be imported, and which tests cannot be collected, because of them."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from guard.checks.breakage import Break, spread
from guard.checks.modules import FAMILY
from guard.checks.test_files import TestFiles
from guard.model import Broken, Extent, Finding
from guard.program import Program


def with_extents(program: Program, findings: Sequence[Finding]) -> tuple[list[Finding], Broken]:
    """The findings, those that stop an import with how far they reach in message and data; and all that they break."""
    stopping = [number for number, finding in enumerate(findings) if finding.raises and finding.path.endswith(".py")]
    told = list(findings)
    if not stopping:
        return told, Broken()
    breaks = [Break(findings[number].path, findings[number].raises) for number in stopping]
    breakage = spread(program.linked(FAMILY), TestFiles(program), breaks)
    for number, extent in zip(stopping, breakage.extents, strict=True):
        told[number] = _told(findings[number], extent)
    return told, breakage.broken


def _told(finding: Finding, extent: Extent) -> Finding:
    data = {
        **finding.data,
        "breaks_modules": extent.modules,
        "breaks_test_files": extent.test_files,
        "frees_test_files": extent.frees,
    }
    message = finding.message
    if extent.modules + extent.test_files > 1:
        message += f"; breaks {in_words(extent.modules, extent.test_files)}"
    return msgspec.structs.replace(finding, message=message, extent=extent, data=data)


def in_words(modules: int, test_files: int) -> str:
    """`3 modules and 12 test files`, leaving out what there is none of."""
    counts = ((modules, "module"), (test_files, "test file"))
    return " and ".join(f"{number:,} {noun}{'s' * (number != 1)}" for number, noun in counts if number)
