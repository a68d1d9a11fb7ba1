"""What is found near a change, with no more of the tree at hand than it takes to say it as a whole run does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Protocol

import msgspec

from guard.config import Config, ignored_in
from guard.extent import with_extents
from guard.facts import FileFacts
from guard.incremental import kept as keeping
from guard.incremental.changes import Change, Near, NotCertain, Search
from guard.incremental.edges import run_before
from guard.incremental.kept import Kept
from guard.incremental.on_demand import FactsOnDemand
from guard.model import Broken, Finding
from guard.program import Focus, NotComplete, Program
from guard.registry import Depends, Rule, Unshared, all_rules
from guard.verdicts import findings_of

_SAID_ALONE: Final = frozenset({"DCF002", "DCF003", "DCF005", "DCF006"})
"""Rules that say nothing of a finding but what the files know that it is about."""


class Trees(Protocol):
    """The two trees that are compared."""

    config: Config
    changes: tuple[Change, ...]
    kept: Kept
    depends: Mapping[str, Depends]
    """On what the findings of each rule of the run depend, by code."""

    @property
    def moved(self) -> Mapping[str, str]:
        """The files that have moved, each with the path that it had."""

    def excluded(self, path: str) -> bool:
        """Whether the configuration leaves a file out."""

    def program(self, facts: Mapping[str, FileFacts], focus: Focus) -> Program:
        """The later tree."""


class Judge:
    """Judges the files near one change."""

    def __init__(
        self, trees: Trees, search: Search, near: Near, program: Program, now: FactsOnDemand, others: Sequence[Unshared]
    ) -> None:
        """`program` and `now` are the later tree and its facts."""
        self._trees = trees
        self._search = search
        self._near = near
        self._now = now
        self._program = program
        self.rules = [
            rule for code, rule in all_rules().items() if code in trees.depends and _is_run(rule, program, others)
        ]

    def settled(self) -> tuple[list[Finding], Broken]:
        """What is found in the files near the change, as a run over the whole tree says it, and what that breaks.

        What was found before was said with all files at hand, and stays if the same is said of it now, but for what has
        changed. What is new of names is looked for again, with the facts of those files that may keep it from being
        reported; and if it is still there, and what is said of it depends on more, with those of all files.
        """
        program, focus = self._program, self._program.focus
        assert focus is not None
        try:
            found = self._found(program, self.rules)
        except NotComplete:
            return self._complete(focus, [], self.rules)
        doubtful = [finding for finding in found if self._is_doubtful(finding)]
        of_classes = [finding for finding in doubtful if finding.code.startswith("DCF")]
        beside = self._search.silencing(of_classes)
        settled: frozenset[str] = frozenset()
        if of_classes and beside is not None:
            found = self._with_beside(focus, found, of_classes, beside)
            settled = _SAID_ALONE
        doubtful = [
            finding
            for finding in found
            if (self._is_new(finding) and (finding.raises or finding.code not in settled))
            or (self._is_doubtful(finding) and not (finding.code.startswith("DCF") and beside is not None))
        ]
        if not doubtful:
            return found, Broken()
        again = {finding.code for finding in doubtful}
        known = [finding for finding in found if finding.code not in again]
        return self._complete(focus, known, [rule for rule in self.rules if rule.code in again])

    def _complete(self, focus: Focus, known: Sequence[Finding], rules: Sequence[Rule]) -> tuple[list[Finding], Broken]:
        """`known`, and what some rules find in the files near the change with the facts of all files at hand: with all
        that keeps something from being reported, and all that is said of the way out. And what all this breaks."""
        self._now.fetch(self._now)
        program = self._trees.program(self._now, msgspec.structs.replace(focus, complete=True))
        found = [*known, *self._found(program, rules)]
        changed = {change.path for change in self._trees.changes}
        moved, had = self._trees.moved, self._trees.kept.known.broken
        for finding in new_among(found, self._trees):
            path = finding.path
            if finding.raises and (
                path not in changed
                or path.endswith("/__init__.py")
                or self._search.importers.get(path)
                or not had.isdisjoint((moved.get(path, path), *run_before(path)))
            ):
                raise NotCertain(f"{path}: what is new may stop other files from being imported")
        told, broken = with_extents(program, found)
        return told, broken.only(lambda path: moved.get(path, path) not in had)

    def _is_whole(self, finding: Finding) -> bool:
        """Whether nothing is said of a finding that the files at hand do not know."""
        return not finding.raises and self._trees.depends.get(finding.code) in (Depends.FILE, Depends.PATHS)

    def _is_new(self, finding: Finding) -> bool:
        """Whether something is new, and may be gone, or said otherwise, once all files are at hand."""
        return not self._is_whole(finding) and bool(new_among([finding], self._trees))

    def _is_doubtful(self, finding: Finding) -> bool:
        """Whether something is new, or said of something else than before, or what has changed may keep it from being
        reported."""
        if self._is_whole(finding):
            return False
        before = self._trees.moved.get(finding.path, finding.path)
        known = self._trees.kept.known.reasons.get(before, ())
        return keeping.reason_of(finding) not in known or self._near.may_silence(finding)

    def _with_beside(
        self, focus: Focus, found: Sequence[Finding], doubtful: Sequence[Finding], beside: Sequence[str]
    ) -> list[Finding]:
        """What is found if what is doubtful is looked for again, with the facts of other files at hand."""
        paths = {finding.path for finding in doubtful}
        codes = {finding.code for finding in doubtful}
        program = self._trees.program(
            self._now, Focus(sorted(paths), focus.whole, beside=sorted({*focus.paths, *beside}))
        )
        again = self._found(program, [rule for rule in self.rules if rule.code in codes])
        kept = [finding for finding in found if finding.path not in paths or finding.code not in codes]
        return kept + [finding for finding in again if finding.path in paths]

    def _found(self, program: Program, rules: Sequence[Rule]) -> list[Finding]:
        violations = [(rule, violation) for rule in rules for violation in rule.check(program)]
        ignored = ignored_in(self._trees.config, all_rules())
        return [
            finding
            for finding in findings_of(program, violations)
            if finding.code not in ignored(finding.path) and not self._trees.excluded(finding.path)
        ]


def _is_run(rule: Rule, program: Program, others: Sequence[Unshared]) -> bool:
    """Whether a rule may find something else than before near a change with which some files come or go."""
    if rule.depends is Depends.PATHS:
        return bool(others) and (rule.concerned is None or rule.concerned(program, others))
    return rule.depends is not Depends.TREE


def new_among(found: Sequence[Finding], trees: Trees) -> list[Finding]:
    """Those that the earlier tree has not, in order."""
    known = trees.kept.known.findings
    new = [
        finding
        for finding in found
        if (finding.code, finding.fingerprint) not in known.get(trees.moved.get(finding.path, finding.path), ())
    ]
    return sorted(new, key=lambda finding: finding.sort_key)
