"""What a finding takes of its file, and for what cause."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from guard.model import WHOLE_FILE, Finding, Severity
from guard.scoring.model import FAMILIES, FINDING_LINES, IMAGE_LINES, Category

Cause = tuple[str, ...]


class Takes(NamedTuple):
    """What one finding takes of its file."""

    cause: Cause
    whole: bool
    lines: int
    """Where it does not take all of them."""


def takes_of(finding: Finding) -> Takes:
    """What one finding takes."""
    lines = IMAGE_LINES if category_of(finding) is Category.IMAGE else FINDING_LINES
    return Takes(cause_of(finding), _takes_all(finding), lines)


def lines_taken(lines: int, takes: Sequence[Takes]) -> int:
    """The lines that findings take of so many."""
    if any(one.whole for one in takes):
        return lines
    return min(lines, sum(one.lines for one in takes))


def cause_of(finding: Finding) -> Cause:
    """What one mends to be rid of a finding, so that findings with one cause count as one: the module or name that
    imports miss, the class and what of it is misused, the pattern or the missing COPY that keeps a file out of images,
    the rule where one command mends all."""
    family = family_of(finding)
    data = finding.data
    match family:
        case "IMP" if data.get("module"):
            return family, str(data["module"]), str(data.get("name", ""))
        case "DCF" if data.get("class"):
            what = data.get("field") or data.get("arguments") or data.get("surplus") or ""
            return finding.code, str(data.get("class_path", "")), str(data["class"]), str(what)
        case "EOL" | "TXT":
            return (finding.code,)
        case "IMG" if data.get("pattern"):
            return family, str(data.get("ignore_file", "")), str(data["pattern"])
        case "IMG" if data.get("file"):
            return finding.code, str(data["file"])
        case "SSOT" if data.get("name"):
            return finding.code, str(data["name"]), str(data.get("canonical", ""))
        case _:
            return finding.code, finding.path


def category_of(finding: Finding) -> Category | None:
    """The category that a finding is of; None for one on a comment that suppresses."""
    return FAMILIES.get(family_of(finding))


def family_of(finding: Finding) -> str:
    """The letters of its code."""
    return finding.code.rstrip("0123456789")


def _takes_all(finding: Finding) -> bool:
    """Whether nothing of a file is worth anything for a finding in it: it does not compile or cannot be imported, the
    image that it makes is not built or does not start, or it is the file as such that is at fault."""
    whole = bool(finding.raises) or finding.span.closed() == WHOLE_FILE
    fails = family_of(finding) == "IMG" and finding.severity is Severity.ERROR
    return whole or fails or finding.code.startswith(("EOL", "TXT"))
