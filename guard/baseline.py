"""The baseline: findings that were there when guard was adopted, so that only new ones are told.

A file of one JSON object per line, sorted: a finding more or less is one line of a diff, and two branches that mend
different findings merge without a conflict. An entry is the same finding where file, rule and fingerprint are; a file
that was moved takes its entries along. What an entry no longer stands for is SUP004.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Final

import msgspec

from guard.model import Finding, GuardError

DEFAULT: Final = "guard-baseline.jsonl"
"""The file that `guard baseline write` makes where the configuration names none."""
STALE: Final = "SUP004"


class Entry(msgspec.Struct, frozen=True, order=True, forbid_unknown_fields=True):
    """One finding that is known. Like findings of one file have fingerprints of their own, so entries count them."""

    path: str
    code: str
    fingerprint: str


class Placed(msgspec.Struct, frozen=True):
    """An entry, and the line of the file that it stands in."""

    entry: Entry
    line: int


class Applied(msgspec.Struct, frozen=True):
    """What a baseline leaves of the findings."""

    kept: tuple[Finding, ...]
    """Those that it does not know, in their order."""
    known: int
    stale: tuple[Placed, ...]
    """Entries of rules that ran, in files that were looked at or are gone, that no finding has."""


_DECODER: Final = msgspec.json.Decoder(Entry)


def parse(content: bytes, path: str) -> tuple[Placed, ...]:
    """The entries of a baseline file. Raises GuardError for the first line that is none, such as a merge conflict."""
    entries: list[Placed] = []
    for number, line in enumerate(content.splitlines(), 1):
        if not line.strip():
            continue
        try:
            entries.append(Placed(_DECODER.decode(line), number))
        except (msgspec.DecodeError, RecursionError) as error:
            raise GuardError(
                f"{path}:{number}: not an entry of a baseline ({error}); run: guard baseline write"
            ) from None
    return tuple(entries)


def render(entries: Iterable[Entry]) -> bytes:
    """The file that holds `entries`, each once."""
    return b"".join(msgspec.json.encode(entry) + b"\n" for entry in sorted(set(entries)))


def entry_of(finding: Finding) -> Entry:
    """The entry that knows a finding."""
    return Entry(finding.path, finding.code, finding.fingerprint)


def can_know(finding: Finding) -> bool:
    """Whether a finding may be in a baseline: not what is wrong with the baseline, nor a path that JSON cannot hold."""
    try:
        finding.path.encode()
    except UnicodeEncodeError:
        return False
    return finding.code != STALE


def apply(
    findings: Sequence[Finding],
    entries: Sequence[Placed],
    codes: Collection[str],
    is_there: Callable[[str], bool],
    was_read: Callable[[str], bool],
) -> Applied:
    """Leave out the findings that `entries` know.

    `codes` are the rules that ran; `is_there` says whether the tree has a file, `was_read` whether it could be checked.
    An entry of a file that is gone knows one like finding of another file, to which it may have been moved.
    """
    here = {placed.entry: placed for placed in entries}
    moved: dict[tuple[str, str], list[Placed]] = {}
    for placed in here.values():
        if not is_there(placed.entry.path):
            moved.setdefault((placed.entry.code, placed.entry.fingerprint), []).append(placed)
    kept: list[Finding] = []
    used: set[Entry] = set()
    for finding in findings:
        entry = entry_of(finding)
        if entry in here:
            used.add(entry)
        else:
            kept.append(finding)
    unknown: list[Finding] = []
    for finding in kept:
        candidates = moved.get((finding.code, finding.fingerprint))
        if candidates:
            used.add(candidates.pop(0).entry)
        else:
            unknown.append(finding)
    # Twice the same entry, as a merge may leave it, is one too many.
    stale = tuple(
        placed
        for placed in entries
        if placed.entry.code in codes
        and (placed.entry not in used or here[placed.entry] is not placed)
        and (was_read(placed.entry.path) or not is_there(placed.entry.path))
    )
    return Applied(tuple(unknown), len(findings) - len(unknown), stale)


def rewritten(
    entries: Sequence[Placed], findings: Iterable[Finding], codes: Collection[str], within: Callable[[str], bool]
) -> list[Entry]:
    """The entries of a new baseline: one for each finding, and the old ones that the run could not judge."""
    others = [placed.entry for placed in entries if placed.entry.code not in codes or not within(placed.entry.path)]
    return [*others, *(entry_of(finding) for finding in findings if can_know(finding))]
