"""From a tree to an `Appraisal`: what `guard report` says.

The findings are those of a check with the rules that are on in CI, and those on what a build is sent. The score is that
of a second run, in which the configuration leaves nothing out, neither files nor findings, and as if empty files were
not there. It is one run where the configuration leaves nothing out and no file is empty.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from typing import TYPE_CHECKING, Final

import msgspec

from guard.census import Census
from guard.checks.application_views import only_within
from guard.config import Config, matcher, resolve_selection, resolve_severities
from guard.engine import Options, check, survey
from guard.history.commits import History, Unseen
from guard.model import CannotCheck, Gate, GuardError, Report, Severity
from guard.registry import Rule
from guard.scoring.model import FAMILIES, Appraisal, Comparison, LeftOut, Point, Standing
from guard.scoring.weigh import standing_of
from guard.since import base_of, compared, moved_files, since_of
from guard.sources.commit import CommitTree
from guard.sources.tree import Tree, blob_id

if TYPE_CHECKING:
    from guard.sources.git import Git

Within = Callable[[str], bool]
"""Whether a path belongs to the part of the tree that a report is about."""
_COLLECTED: Final = 2.0
"""Seconds. After a look at a commit that took longer, what it has left in memory is looked through for cycles."""


def everywhere(_path: str) -> bool:
    """All of the tree."""
    return True


class Appraiser:
    """Appraises trees of one repository alike: with one configuration, one set of rules and one part of the tree."""

    def __init__(
        self, config: Config, rules: Mapping[str, Rule], options: Options, within: Within = everywhere
    ) -> None:
        """Raises ConfigError where no rule is on in a report."""
        self._config = msgspec.structs.replace(config, gate=Gate.CI)
        self._rules = _as_in_a_report(rules)
        self._options = options
        self._within = within
        self.codes = resolve_selection(config, (), (), Gate.CI, self._rules)
        """The rules that are on."""
        severities = resolve_severities(config, rules)
        self._scored = frozenset(
            code for code in self.codes if severities.get(code, rules[code].severity) is not Severity.INFO
        )
        """Those of them whose findings take something of a score. A rule that is for information never yields more."""

    def appraise(self, tree: Tree) -> Appraisal:
        """Where `tree` stands. Raises as `engine.check` does."""
        full, standing, census = self._stand(tree)
        report = self._narrowed(self._listed(tree, full, census))
        left_out = msgspec.structs.replace(
            standing.left_out, findings=max(0, _taking(self._narrowed(full)) - _taking(report))
        )
        report = msgspec.structs.replace(
            report, files_found=standing.files, files_analysed=standing.files - len(standing.unread), total_s=0.0
        )
        # What is in the list too is told in its words: it may count files, of which the other run has seen fewer.
        listed = {(one.path, one.fingerprint): one for one in report.findings}
        lifts = tuple(
            msgspec.structs.replace(
                lift, findings=tuple(listed.get((one.path, one.fingerprint), one) for one in lift.findings)
            )
            for lift in standing.lifts
        )
        standing = msgspec.structs.replace(
            standing, left_out=left_out, lifts=lifts, suppressed=max(standing.suppressed, report.suppressed)
        )
        return Appraisal(report=report, standing=standing)

    def compare(self, appraisal: Appraisal, tree: Tree, rev: str) -> Comparison:
        """What is different in `tree`, whose appraisal is given, since it left `rev`. Raises GuardError where there is
        no git or no such commit, and CannotCheck where nobody can tell."""
        if tree.git is None:
            raise GuardError("--since needs a git repository, and there is none here")
        base = base_of(tree.git, rev, tree)
        full, standing, census = self._stand(base)
        # Each tree has its own baseline, or none yet.
        before = self._listed(base, full, census, without_baseline=self._config.baseline not in base.files)
        found = compared(appraisal.report, before, base, tree, rev, self._within, moved_files(base, tree))
        return Comparison(
            since=since_of(found, base, rev),
            new=found.new,
            fixed=found.fixed,
            before=standing.score,
            categories={one.category: one.share for one in standing.categories},
        )

    def history(self, git: Git, head: str, commits: int, *, daily: bool, at: Callable[[str], None]) -> Course:
        """The standing of a commit and of those before it, by first parents: of at most so many, or of the last one of
        each of so many days. `at` is told of each commit before it is looked at.

        Raises CannotCheck where the history cannot be read.
        """
        history = History(git, head)
        try:
            line = history.first_parents_by_day(head, commits) if daily else history.first_parents(head, commits)
            points = tuple(self._points(history, git, line, at))
        except Unseen as unseen:
            raise CannotCheck(f"cannot read the history: {unseen}") from unseen
        notes: tuple[str, ...] = ()
        if len(line) < commits and history.is_shallow:
            notes = ("this clone is shallow, so older commits are not in it; run: git fetch --unshallow",)
        return Course(points, notes)

    def _points(self, history: History, git: Git, line: list[str], at: Callable[[str], None]) -> Iterator[Point]:
        for oid in reversed(line):
            at(oid)
            started = time.perf_counter()
            commit = history.commit(oid)
            report, standing, _ = self._stand(CommitTree(git, oid))
            severities = [one.severity for one in self._narrowed(report).findings]
            yield Point(
                commit=oid,
                date=commit.commit_date,
                subject=commit.subject,
                score=standing.score,
                errors=severities.count(Severity.ERROR),
                warnings=severities.count(Severity.WARNING),
                read=standing.score == standing.best,
            )
            del report, standing
            if time.perf_counter() - started > _COLLECTED:
                gc.collect()

    def _stand(self, tree: Tree) -> tuple[Report, Standing, Census]:
        """The report on everything, what the configuration leaves out too, as if empty files were not there; the
        standing that follows from it, and the census of the whole tree."""
        # Where another run makes the list of findings, this one can leave out what takes nothing.
        codes = self.codes if _leaves_nothing_out(self._config) and not _has_empty(tree) else self._scored
        full, census = survey(tree, _whole(self._config), codes, self._options)
        left_out = self._left_out(census)
        counted = census
        if self._within is not everywhere:
            counted = msgspec.structs.replace(
                census,
                files=tuple(one for one in census.files if self._within(one.path)),
                unread=tuple(one for one in census.unread if self._within(one.path)),
            )
        return full, standing_of(self._narrowed(full), counted, self._config.report, self.codes, left_out), census

    def _listed(self, tree: Tree, full: Report, census: Census, *, without_baseline: bool = False) -> Report:
        """The report as the configuration has it, on the whole tree."""
        config = msgspec.structs.replace(self._config, baseline="") if without_baseline else self._config
        all_rules_ran = _leaves_nothing_out(self._config) and not _has_empty(tree)
        if all_rules_ran and config == self._config and not census.has_empty:
            return full
        return check(tree, config, self.codes, self._options)

    def _narrowed(self, report: Report) -> Report:
        if self._within is everywhere:
            return report
        told = set(self._options.problems)
        return msgspec.structs.replace(
            report,
            findings=tuple(one for one in report.findings if self._within(one.path)),
            problems=tuple(one for one in report.problems if one in told or not one.path or self._within(one.path)),
            broken=report.broken.only(self._within),
            kept=only_within(report.kept, self._within),
        )

    def _left_out(self, census: Census) -> LeftOut:
        """What the configuration leaves out of a check. How many findings it is, only the two reports tell."""
        excluded = matcher(self._config.exclude)
        files = [one for one in census.files if excluded(one.path) and self._within(one.path)]
        off = tuple(code for code, rule in self._rules.items() if Gate.CI in rule.gates and code not in self.codes)
        return LeftOut(files=len(files), lines=sum(one.lines for one in files), rules=off)


class Course(msgspec.Struct, frozen=True):
    """The score over commits, the oldest first, and what a reader has to know of it."""

    points: tuple[Point, ...]
    notes: tuple[str, ...] = ()


def failures_of(appraisal: Appraisal, least: float, *, nothing_new: bool) -> tuple[str, ...]:
    """What does not hold of what is asked for: a score of at least so many points, and no new errors or warnings."""
    failures = []
    score = appraisal.standing.score
    if score * 100 < Fraction(str(least)):
        failures.append(f"the score is under {least:g}")
    if nothing_new and appraisal.comparison is not None:
        new = sum(one.severity is not Severity.INFO for one in appraisal.comparison.new)
        if new:
            failures.append(f"{new:,} new finding{'s' * (new != 1)} since {appraisal.comparison.since.rev}")
    return tuple(failures)


def _as_in_a_report(rules: Mapping[str, Rule]) -> Mapping[str, Rule]:
    """The rules, those of a category that are for a build as if they were for CI too: the gate in CI may leave them to
    the one before the build, but where a repository stands is not known without them."""

    def is_missing(rule: Rule) -> bool:
        return rule.family in FAMILIES and Gate.PRE_BUILD in rule.gates and Gate.CI not in rule.gates

    return {
        code: msgspec.structs.replace(rule, gates=(*rule.gates, Gate.CI)) if is_missing(rule) else rule
        for code, rule in rules.items()
    }


def _leaves_nothing_out(config: Config) -> bool:
    return config == _whole(config)


def _taking(report: Report) -> int:
    """How many findings of a report are more than information."""
    return sum(one.severity is not Severity.INFO for one in report.findings)


def _has_empty(tree: Tree) -> bool:
    """Whether a file of a tree certainly has no byte, by its id alone."""
    return not _EMPTY.isdisjoint(file.oid for file in tree.files.values())


_EMPTY: Final = frozenset(blob_id(b"", algorithm) for algorithm in ("sha1", "sha256"))


def _whole(config: Config) -> Config:
    """The configuration, leaving nothing out."""
    return msgspec.structs.replace(config, exclude=(), per_file_ignores={}, baseline="")
