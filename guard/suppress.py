"""Which findings a comment leaves out, and which comments leave out nothing.

Pure: findings and comments in, findings out. A comment's names are codes, families or slugs. SUP findings
are about the comments themselves: only SUP001 and SUP002 can be left out, and only by their codes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Final

import msgspec

from guard.checks.suppressions import FILE, LINE, MISPLACED, Suppression
from guard.configuration.convert import printable
from guard.configuration.names import RuleNames
from guard.model import Finding, Fix, Span, Violation

UNUSED: Final = "SUP001"
SUPPRESSIBLE_HYGIENE: Final = ("SUP001", "SUP002")

Suppressions = Mapping[str, tuple[Suppression, ...]]
"""By path, in the order of the file."""


class Applied(msgspec.Struct, frozen=True):
    """What is left of the findings, and what the comments were good for."""

    kept: tuple[Finding, ...]
    suppressed: int
    """How many findings comments left out."""
    unused: tuple[Violation, ...]
    """The violations of SUP001, those that a comment leaves out not among them."""


def apply(
    findings: Iterable[Finding],
    suppressions: Suppressions,
    names: RuleNames,
    enabled: Collection[str],
    judged: Collection[str],
) -> Applied:
    """Leave out the findings that comments speak of, and find the comments that speak of none.

    `findings` are those of every rule that ran, SUP001 apart, before per-file ignores, baseline and `--since`: a
    comment is used even where those would have left the finding out as well. `enabled` are the codes that ran.
    `judged` are the paths that were in scope and analysed without a problem: in no other file is a
    comment called unused, and neither is a name some rule of which did not run.
    """
    kept: list[Finding] = []
    used: set[_Use] = set()
    count = 0
    for finding in findings:
        matching = list(_matching(finding, suppressions.get(finding.path, ()), names))
        used.update(matching)
        if matching:
            count += 1
        else:
            kept.append(finding)
    unused: list[Violation] = []
    if UNUSED in enabled:
        for path, comments in suppressions.items():
            for comment in comments if path in judged else ():
                idle = tuple(name for name in comment.names if _is_idle(path, comment, name, used, names, enabled))
                if not idle:
                    continue
                if any(other.covers(comment.line, comment.line) and _lists(other, UNUSED) for other in comments):
                    count += 1
                else:
                    unused.append(_unused(path, comment, idle))
    return Applied(tuple(kept), count, tuple(unused))


def comment_on(finding: Finding, comments: Sequence[Suppression], names: RuleNames) -> Suppression | None:
    """The first of a file's comments that leaves a finding in it out; None where none does."""
    used = next(_matching(finding, comments, names), None)
    return next((one for one in comments if used is not None and (one.line, one.column) == used[1:3]), None)


_Use = tuple[str, int, int, str]
"""Path, line and column of a comment, and the name in it that left a finding out."""


def _matching(finding: Finding, comments: Sequence[Suppression], names: RuleNames) -> Iterator[_Use]:
    hygiene = finding.code.startswith("SUP")
    for comment in comments:
        if not comment.covers(finding.span.line, finding.span.end_line):
            continue
        for name in comment.names:
            if hygiene:
                matches = name.upper() == finding.code and finding.code in SUPPRESSIBLE_HYGIENE
            else:
                matches = finding.code in (names.in_comment(name) or ())
            if matches:
                yield finding.path, comment.line, comment.column, name


def _is_idle(
    path: str, comment: Suppression, name: str, used: Collection[_Use], names: RuleNames, enabled: Collection[str]
) -> bool:
    """Whether `name` left nothing out although every rule that it stands for ran."""
    codes = names.in_comment(name)
    if codes is None or name.upper() in SUPPRESSIBLE_HYGIENE:
        return False
    if (path, comment.line, comment.column, name) in used:
        return False
    return comment.reach == MISPLACED or all(code in enabled for code in codes)


def _lists(comment: Suppression, code: str) -> bool:
    return any(name.upper() == code for name in comment.names)


def _unused(path: str, comment: Suppression, idle: Sequence[str]) -> Violation:
    listed = printable(", ".join(idle))
    left = tuple(name for name in comment.names if name not in idle)
    misplaced = comment.reach == MISPLACED
    if misplaced:
        message = f"ignore-file[{listed}] has no effect here"
    else:
        reached = "this file" if comment.reach == FILE else "the code that it stands at"
        message = f"{comment.written}: no finding of {listed} in {reached}"
    return Violation(
        path=path,
        span=Span(comment.line, comment.column, comment.line, comment.end_column),
        message=message,
        anchor=f"{comment.reach} {listed}",
        cause="A stale ignore hides the next finding that comes up at this place." if not misplaced else "",
        help="Put it on a line of its own above the first statement." if misplaced else "Remove it.",
        fix=None if misplaced else Fix("safe", f"remove {listed} from the comment" if left else "remove the comment"),
        data={"names": list(idle)} if misplaced else {"names": list(idle), "replacement": rewritten(comment, left)},
    )


def rewritten(comment: Suppression, names: Sequence[str]) -> str:
    """The text from `column` to `end_column` when only `names` are left in the comment; empty for none."""
    if not names:
        return ""
    word = "ignore" if comment.reach == LINE else "ignore-file"
    text = f"{comment.mark} guard: {word}[{', '.join(names)}] {comment.reason}".rstrip()
    return f"{text} -->" if comment.mark == "<!--" else text
