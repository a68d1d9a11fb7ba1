"""What a baseline leaves of what was found in a tree, told from codes and fingerprints alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from functools import cached_property
from typing import NamedTuple

import msgspec

from guard import baseline
from guard.baseline import STALE, Entry, Placed
from guard.config import Config, ignored_in
from guard.facts import FileFacts
from guard.incremental.changes import NotCertain
from guard.model import Finding, Problem
from guard.program import Program
from guard.registry import all_rules
from guard.rules.sup_baseline import anchor_of, stale
from guard.sources.tree import Tree, Unreadable
from guard.verdicts import findings_of, fingerprint

Keys = Mapping[str, Sequence[tuple[str, str]]]
"""By path, the codes and fingerprints of what was found."""


class Key(NamedTuple):
    """One finding."""

    code: str
    path: str
    fingerprint: str


class Left(NamedTuple):
    """What there is to report of one tree."""

    shown: Set[Key]
    stale: Mapping[Key, Placed]
    """Those of `shown` that are about an entry of the baseline."""
    known: int
    """How many findings are left out."""


class Difference(NamedTuple):
    """What is new in a tree."""

    new: Sequence[Finding]
    shown: int
    """How many findings there are to report of the tree, new or not."""
    fixed: int
    """How many there were of the earlier one, and are no more."""
    known: int
    """How many the baseline leaves out."""


class Baseline:
    """The baseline of a tree."""

    def __init__(self, tree: Tree, config: Config, codes: frozenset[str]) -> None:
        """The baseline of `config` is in the tree; `codes` are the rules that are run."""
        self.path = config.baseline
        self._tree = tree
        self._codes = codes
        self._with_stale = STALE in codes and STALE not in ignored_in(config, all_rules())(config.baseline)

    @cached_property
    def _content(self) -> bytes:
        try:
            return self._tree.read(self.path) or b""
        except Unreadable:
            return b""

    @cached_property
    def _entries(self) -> tuple[Placed, ...]:
        entries = baseline.parse(self._content, self.path)
        if len({placed.entry for placed in entries}) != len(entries):
            raise NotCertain("an entry stands twice in the baseline")
        return entries

    def speaks_of(self, path: str) -> bool:
        """Whether an entry may be about a file."""
        return b"\\" in self._content or msgspec.json.encode(path) in self._content

    def left(self, found: Keys, tree: Tree, facts: Mapping[str, FileFacts], problems: Sequence[Problem]) -> Left:
        """What it leaves of what was `found` in `tree`, whose facts and problems these are.

        Raises NotCertain where it says something twice.
        """
        bad = {problem.path for problem in problems}
        every = [Entry(path, code, digest) for path, keys in found.items() for code, digest in keys]
        applied = baseline.apply(
            every,
            self._entries,
            self._codes,
            tree.files.__contains__,
            lambda path: path in facts and path not in bad and facts[path].parsed,
        )
        gone = {self._key_of_stale(placed): placed for placed in applied.stale} if self._with_stale else {}
        shown = {Key(entry.code, entry.path, entry.fingerprint) for entry in applied.kept}
        return Left(shown | gone.keys(), gone, applied.known)

    def difference(
        self, before: Left, now: Left, found: Sequence[Finding], program: Program, moved: Mapping[str, str]
    ) -> Difference:
        """What is left of a tree, `program`, and was not left of an earlier one; `found` are the findings that the
        earlier one has not, `moved` are the earlier paths of files. Raises NotCertain where more is new than these."""
        keys = {key for key in now.shown if key._replace(path=moved.get(key.path, key.path)) not in before.shown}
        new = [finding for finding in found if _key_of(finding) in keys]
        entries = [now.stale[key] for key in keys & now.stale.keys()]
        new += findings_of(program, [(all_rules()[STALE], violation) for violation in stale(program, entries)])
        if len(new) != len(keys):
            raise NotCertain("the baseline no longer knows what it knew")
        new.sort(key=lambda finding: finding.sort_key)
        return Difference(new, len(now.shown), len(before.shown) - len(now.shown) + len(new), now.known)

    def _key_of_stale(self, placed: Placed) -> Key:
        return Key(STALE, self.path, fingerprint(STALE, "", anchor_of(placed.entry), 0))


def _key_of(finding: Finding) -> Key:
    return Key(finding.code, finding.path, finding.fingerprint)
