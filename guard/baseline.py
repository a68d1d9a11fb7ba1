"""The baseline: findings that were there when guard was adopted, so that only new ones are told.

A file of one JSON object per line, sorted: a finding more or less is one line of a diff, and two branches that mend
different findings merge without a conflict. An entry is the same finding where file, rule and fingerprint are; a file
that was moved takes its entries along. What an entry no longer stands for is SUP004.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Final, Generic, NamedTuple, Protocol, TypeVar

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


class Found(Protocol):
    """What an entry may know: a finding, or another entry."""

    @property
    def path(self) -> str:
        """The file that it is in."""

    @property
    def code(self) -> str:
        """The rule."""

    @property
    def fingerprint(self) -> str:
        """What it is told apart from others by."""


F = TypeVar("F", bound=Found)


class Applied(NamedTuple, Generic[F]):
    """What a baseline leaves of the findings."""

    kept: tuple[F, ...]
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
                f"{path}:{number}: not an entry of a baseline ({error}); mend the line, or delete the file and "
                "run: guard baseline write"
            ) from None
    return tuple(entries)


def render(entries: Iterable[Entry]) -> bytes:
    """The file that holds `entries`, each once."""
    return b"".join(msgspec.json.encode(entry) + b"\n" for entry in sorted(set(entries)))


def entry_of(finding: Found) -> Entry:
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
    findings: Sequence[F],
    entries: Sequence[Placed],
    codes: Collection[str],
    is_there: Callable[[str], bool],
    was_read: Callable[[str], bool],
) -> Applied[F]:
    """Leave out the findings that `entries` know.

    `codes` are the rules that ran; `is_there` says whether the tree has a file, `was_read` whether it could be checked.
    The entries of a file that was moved know its findings at the new place.
    """
    here = {placed.entry: placed for placed in entries}
    used = {entry for entry in map(entry_of, findings) if entry in here}
    moved = _moved(here, findings, codes, is_there)
    kept: list[F] = []
    for finding in findings:
        entry = entry_of(finding)
        earlier = moved.get(finding.path)
        if earlier is not None:
            entry = Entry(earlier, finding.code, finding.fingerprint)
        if entry in here:
            used.add(entry)
        else:
            kept.append(finding)
    # Twice the same entry, as a merge may leave it, is one too many.
    stale = tuple(
        placed
        for placed in entries
        if placed.entry.code in codes
        and (placed.entry not in used or here[placed.entry] is not placed)
        and (was_read(placed.entry.path) or not is_there(placed.entry.path))
    )
    return Applied(tuple(kept), len(findings) - len(kept), stale)


def _moved(
    known: Iterable[Entry], findings: Iterable[Found], codes: Collection[str], is_there: Callable[[str], bool]
) -> dict[str, str]:
    """The files that were moved, as far as findings tell, with their earlier paths.

    A file that is gone was moved to one that the baseline knows nothing of and that has all its findings. Less would
    let the entry of a deleted file hide a new finding of another one.
    """
    gone: dict[str, set[tuple[str, str]]] = {}
    with_entries = set()
    for entry in known:
        with_entries.add(entry.path)
        if entry.code in codes and not is_there(entry.path):
            gone.setdefault(entry.path, set()).add((entry.code, entry.fingerprint))
    fresh: dict[str, set[tuple[str, str]]] = {}
    for finding in findings:
        if gone and finding.path not in with_entries:
            fresh.setdefault(finding.path, set()).add((finding.code, finding.fingerprint))
    moved: dict[str, str] = {}
    for earlier, wanted in sorted(gone.items()):
        name = earlier.rpartition("/")[2]
        candidates = [path for path, has in fresh.items() if path not in moved and wanted <= has]
        if candidates:
            # Of several, one of the same name is the likelier one.
            moved[min(candidates, key=lambda path: (path.rpartition("/")[2] != name, path))] = earlier
    return moved


def rewritten(
    entries: Sequence[Placed], findings: Iterable[Finding], codes: Collection[str], within: Callable[[str], bool]
) -> list[Entry]:
    """The entries of a new baseline: one for each of `findings`, which it can know, and the old ones that the run could
    not judge."""
    others = [placed.entry for placed in entries if placed.entry.code not in codes or not within(placed.entry.path)]
    return [*others, *map(entry_of, findings)]
