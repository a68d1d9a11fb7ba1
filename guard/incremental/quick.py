"""What is new in a tree, told from what was kept of the tree that it is compared with.

The answer is the one that judging both trees whole gives, or there is none: wherever it is not certain that the files
near the change are all that may be hit, and wherever something new was found whose text depends on the whole tree.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Final

import msgspec

from guard import __version__
from guard.cache import Cache
from guard.checks.classes import FAMILY as CLASSES
from guard.checks.classes_pydantic import SECOND
from guard.checks.module_table import LAYOUT
from guard.checks.modules import FAMILY as MODULES
from guard.checks.requirement_commands import has_own_requirements
from guard.checks.roots import put_on_sys_path
from guard.checks.standard_library import is_standard
from guard.checks.suppressions import FAMILY as SUPPRESSIONS
from guard.checks.syntax import FAMILY as SYNTAX
from guard.checks.syntax import given_by
from guard.checks.text import FAMILY as TEXT
from guard.checks.text import TextFacts
from guard.checks.whole import Whole
from guard.config import Config, matcher
from guard.engine import (
    MISSING_OBJECT,
    Options,
    collect,
    kept_key,
    needed_families,
    result_key,
)
from guard.environment import Environments
from guard.facts import FileFacts, Gathering
from guard.impact import Reach
from guard.incremental import kept as keeping
from guard.incremental import maps as in_maps
from guard.incremental.baselines import Baseline, Difference, Keys
from guard.incremental.changes import Change, Near, NotCertain, Search, changes_between
from guard.incremental.edges import Edges, facts_of, outside
from guard.incremental.judging import Judge, Trees, new_among
from guard.incremental.kept import Kept, Known
from guard.incremental.maps import Added, Lookups, Maps
from guard.incremental.on_demand import FactsOnDemand, NotKnown, facts_of_tree
from guard.incremental.stacks import refuse_other_stacks
from guard.model import Broken, Finding, Problem, Report, Since
from guard.program import Focus, Program
from guard.registry import Depends, Unshared, all_rules
from guard.since import moved_files
from guard.sources.commit import CommitTree
from guard.sources.tree import Tree
from guard.target import target_python

HANDLED: Final = frozenset({"IMP003", "IMP005", "IMP009", "IMP013", "IMP014", "SUP001", "SUP004"})
"""Rules that depend on the whole tree and are not run: a change that may concern one of them is left to a run over the
whole tree. So it is with all of the family MID."""

_MOST_ADDED: Final = 20_000
"""Entries that are remembered beside `Maps` before these are made anew."""


class Outcome(msgspec.Struct, frozen=True):
    """What came of it."""

    report: Report | None
    """None where the trees must be judged whole."""
    why: str = ""
    """Why they must."""


def new_since(
    tree: Tree, base: CommitTree, rev: str, config: Config, base_config: Config, codes: frozenset[str], options: Options
) -> Outcome:
    """The report on `tree` with only what is new since `base`, which `rev` names. `config` and `base_config` are the
    configurations of the two, which differ only in a baseline that one of them has not.

    Raises EnvironmentFailed where ruff or git cannot be run.
    """
    started = time.perf_counter()
    try:
        report = _Comparison(tree, base, config, base_config, codes, options).report(rev)
    except NotCertain as why:
        return Outcome(None, str(why))
    except (NotKnown, msgspec.DecodeError):
        return Outcome(None, "the cache has lost something")
    return Outcome(msgspec.structs.replace(report, total_s=round(time.perf_counter() - started, 3)))


class _Comparison(Trees):
    def __init__(
        self,
        tree: Tree,
        base: CommitTree,
        config: Config,
        base_config: Config,
        codes: frozenset[str],
        options: Options,
    ) -> None:
        if options.cache is None or options.problems:
            raise NotCertain("nothing is kept")
        if config.baseline and (tree.files.get(config.baseline) != base.files.get(config.baseline)):
            raise NotCertain("the baseline has changed")
        self.depends = {code: rule.depends for code, rule in all_rules().items() if code in codes}
        if any(depends is Depends.TREE and not _is_handled(code) for code, depends in self.depends.items()):
            raise NotCertain("a rule may depend on anything")
        self._tree, self._base = tree, base
        self.config = config
        self._codes = codes
        self._options = options
        self._cache: Cache = options.cache
        self._target = target_python(tree, config)
        self._gathering = Gathering(self._target.version, config.python_limit, needed_families(codes))
        self._environments = Environments(tree, config, self._target.version, self._cache, self._gathering.salt)
        self.changes = changes_between(base, tree)
        self._baseline = Baseline(tree, config, codes) if config.baseline else None
        self.kept = self._read_kept(base_config)
        self._maps = self.kept.maps or self._key(base, base_config) + keeping.BESIDE
        self._lookups = Lookups(self._read_maps, self.kept.added)
        self._excluded = matcher(config.exclude)
        self._earlier: Program | None = None
        if any(map(self.excluded, (change.path for change in self.changes))):
            raise NotCertain("an excluded file differs")

    def _key(self, tree: Tree, config: Config) -> str:
        depends = (self._codes, self._gathering, self._target, self._environments)
        return kept_key(result_key(tree, config, *depends, with_kind=False))

    def _read_kept(self, base_config: Config) -> Kept:
        value = self._cache.get(self._key(self._base, base_config))
        if value is None:
            raise NotCertain("nothing is kept of the other revision")
        kept = keeping.decode(value)
        if not self._environments.see_the_same(kept.known.looks):
            raise NotCertain("an environment has changed")
        unread = {problem.path for problem in kept.known.problems}
        if any(change.path in unread for change in self.changes):
            raise NotCertain("a file differs that could not be read")
        if self._tree.has_any([problem.path for problem in kept.known.problems if problem.kind == MISSING_OBJECT]):
            raise NotCertain("a file can be read by now")
        return kept

    def _read_maps(self) -> Maps:
        value = self._cache.get(self._maps)
        if value is None:
            raise NotCertain("the cache has lost something")
        return in_maps.decode(value)

    # The two programs

    def _gather(self) -> tuple[FactsOnDemand, FactsOnDemand]:
        """The facts of both trees; those of the files that differ are at hand."""
        before, now = (
            facts_of_tree(tree, self.config, self._gathering, self._cache) for tree in (self._base, self._tree)
        )
        # No run remembers anything of what could not be read.
        lost = {
            one.path: FileFacts("text", False, {}, (one.kind, one.message))
            for one in self.kept.known.problems
            if one.kind == MISSING_OBJECT
        }
        for facts in (before, now):
            facts.give({path: found for path, found in lost.items() if path in facts})
        for facts, tree, there in (
            (before, self._base, [change.before for change in self.changes if change.before is not None]),
            (now, self._tree, [change.now for change in self.changes if change.now is not None]),
        ):
            found, problems = collect(tree, there, self._gathering, self._options, self._cache)
            if set(problems) - set(tree.problems) or any(facts.problem is not None for facts in found.values()):
                raise NotCertain("a file cannot be read")
            facts.give(found)
        return before, now

    def report(self, rev: str) -> Report:
        """The report on what is new."""
        before, now = self._gather()
        search = Search(self.kept, self._lookups, self._tree, before, now)
        near = search.near(self.changes)
        self._refuse_comments(near, before, now)
        for change in self.changes:
            if change.before is not None and change.now is not None:
                _refuse_other_texts(change, before, now)
        self._refuse_other_requirements(before, now)
        self._focus_whole = self._whole(now)
        focus = Focus(near.paths, self._focus_whole)
        program = self.program(now, focus)
        if program.linked(MODULES).layout.roots.anybody != self.kept.anybody:
            raise NotCertain("the roots of the tree have changed")
        refuse_other_stacks(program, near, search.ancestors(near.visibly))
        edges = Edges(self.kept, program, search)
        for change in self.changes:
            if change.is_python:
                edges.refuse_effects(change, before, now)
        self._refuse_names_of_empty(program, now)
        others = [
            Unshared(change.path, (facts_of(facts, change.path, TEXT) or TextFacts()).interpreter)
            for change in self.changes
            for facts in ([before] if change.now is None else [now] if change.before is None else [])
        ]
        judge = Judge(self, search, near, program, now, others)
        found, broken = judge.settled()
        by_paths = frozenset(rule.code for rule in judge.rules if rule.depends is Depends.PATHS)
        return self._told(rev, near, found, broken, edges, by_paths, program, (before, now))

    def program(self, facts: Mapping[str, FileFacts], focus: Focus) -> Program:
        program = Program(
            *(self._tree, self.config, self._target, facts, self._environments, self._gathering.only), focus=focus
        )
        if self._earlier is not None:
            # What depends on the tree and the environments alone serves for every program.
            known = self._earlier.remembered
            program.remembered.update({name: known[name] for name in ("projects", "installed") if name in known})
            program.remembered[LAYOUT] = self._earlier.linked(MODULES).layout
        self._earlier = program
        program.remembered["reach"] = Reach(program, self.kept.started)
        program.linked(CLASSES).table.remembered[SECOND] = self.kept.second_pydantic
        return program

    def _refuse_names_of_empty(self, program: Program, now: FactsOnDemand) -> None:
        """That a module is empty is told there, not where something is taken from it."""
        for broken in program.linked(MODULES).broken:
            target = broken.target.path
            if broken.name and target in now and (facts_of(now, target, TEXT) or TextFacts()).blank:
                known = self.kept.known.findings.get(target, ())
                if not any(code == "TXT008" for code, _ in known):
                    raise NotCertain(f"{broken.path}: takes a name from a module that is empty")

    def _refuse_comments(self, near: Near, before: FactsOnDemand, now: FactsOnDemand) -> None:
        """A comment that leaves a finding out is judged with all findings of its file."""
        for change in self.changes:
            if change.before is not None and SUPPRESSIONS.name in before[change.path].parts:
                raise NotCertain(f"{change.path}: a comment leaves findings out")
        if any(SUPPRESSIONS.name in now[path].parts for path in near.paths):
            raise NotCertain("a comment leaves findings out")

    def _refuse_other_requirements(self, before: FactsOnDemand, now: FactsOnDemand) -> None:
        """A script that lists what it needs is judged by that."""
        importing = [
            change.path
            for change in self.changes
            if change.is_python and change.before is not None and change.now is not None
            if any(
                not is_standard(one.module.partition(".")[0])
                for facts in (before, now)
                for one in outside(change.path, facts_of(facts, change.path, MODULES))
            )
        ]
        lists = [
            {path: has_own_requirements(content) for path, content in tree.read_many(importing)}
            for tree in (self._base, self._tree)
        ]
        if lists[0] != lists[1]:
            raise NotCertain("a script lists other requirements than before")

    def _whole(self, now: FactsOnDemand) -> Whole:
        """What all files say together, where some of them put other folders on `sys.path`."""
        put = dict(self.kept.whole.on_sys_path)
        for change in self.changes:
            if not change.is_python:
                continue
            put.pop(change.path, None)
            facts = facts_of(now, change.path, MODULES) if change.now is not None else None
            if facts is not None and (roots := put_on_sys_path(change.path, facts)):
                put[change.path] = roots
        builtins, given = set(self.kept.whole.builtins), set(self.kept.whole.given)
        texts = set(self.kept.whole.texts)
        for change in self.changes:
            texts.discard(change.path)
            if change.now is not None and TEXT.name in now[change.path].parts:
                texts.add(change.path)
            syntax = facts_of(now, change.path, SYNTAX) if change.now is not None else None
            if syntax is not None:
                builtins.update(syntax.into_builtins)
                given.update(given_by(change.path, syntax))
        return msgspec.structs.replace(
            self.kept.whole,
            on_sys_path=dict(sorted(put.items())),
            builtins=frozenset(builtins),
            given=frozenset(given),
            texts=frozenset(texts),
        )

    # What is told

    def excluded(self, path: str) -> bool:
        return self._excluded(path)

    @cached_property
    def moved(self) -> Mapping[str, str]:
        return moved_files(self._base, self._tree)

    def _told(
        self,
        rev: str,
        near: Near,
        found: Sequence[Finding],
        broken: Broken,
        edges: Edges,
        by_paths: frozenset[str],
        program: Program,
        facts: tuple[FactsOnDemand, FactsOnDemand],
    ) -> Report:
        """`by_paths` are the rules that were run and whose findings may stand anywhere; `facts` are those of both
        trees."""
        known = self.kept.known
        moved = self.moved
        later = {before: path for path, before in moved.items()}
        new = new_among(found, self)
        healed = self._healed(found, new, near.paths, edges)
        changed = {change.path for change in self.changes}
        keys: dict[str, set[tuple[str, str]]] = {}
        for finding in found:
            keys.setdefault(finding.path, set()).add((finding.code, finding.fingerprint))
        findings, reasons = dict(known.findings), dict(known.reasons)
        said = keeping.reasons_of(found)
        fixed = 0
        judged = {*near.paths, *(change.path for change in self.changes if change.now is None)}
        for path in sorted(judged | keys.keys() | (known.findings.keys() if by_paths else set())):
            before = moved.get(path, path)
            if path in later:
                continue  # it is there, at another path
            old = set(known.findings.get(before, ()))
            now = keys.get(path, set())
            if path not in judged:
                now = now | {key for key in old if key[0] not in by_paths}
            else:
                anywhere = {key for key in old if self.depends.get(key[0]) is Depends.PATHS}
                now = now | {key for key in anywhere if key[0] not in by_paths}
            if path in judged:
                reasons.pop(before, None)
                reasons.update({path: said[path]} if path in said else {})
                handled = {key for key in old if _is_handled(key[0])}
                if handled and path in changed and path not in edges.alike:
                    raise NotCertain(f"{path}: has a finding of a rule that was not run")
                now = now | handled
            if old == now and before == path:
                continue
            if any(code == "IMP015" for code, _ in old ^ now):
                raise NotCertain(f"{path}: one finding may speak of several files")
            fixed += len(old - now)
            findings.pop(before, None)
            if now:
                findings[path] = tuple(sorted(now))
        told = Difference(new, known.shown - fixed + len(new), fixed, known.baselined)
        if self._is_baseline_concerned(new, fixed):
            told = self._left_by_baseline(findings, new, program, facts)
        elsewhere = [*new, *(finding for finding in found if finding.path in moved)]
        come = sum(change.before is None for change in self.changes)
        gone = sum(change.now is None for change in self.changes)
        known = msgspec.structs.replace(
            known,
            findings=findings,
            reasons=reasons,
            shown=told.shown,
            baselined=told.known,
            found=known.found + come - gone,
            analysed=known.analysed + come - gone,
            broken=frozenset(later.get(path, path) for path in known.broken).union(broken.modules, broken.test_files)
            - healed,
            fields=keeping.joined(known.fields, keeping.fields_of(elsewhere)),
            classes=keeping.joined(known.classes, keeping.classes_of(elsewhere)),
        )
        self._keep(known, edges)
        problems = known.problems
        if self._cache.complaint:
            problems = (*problems, Problem("", "cache", self._cache.complaint))
        return Report(
            guard=__version__,
            tree_kind=self._tree.kind,
            tree_label=self._tree.label,
            files_found=known.found,
            files_analysed=known.analysed,
            findings=tuple(told.new),
            problems=problems,
            suppressed=known.suppressed,
            baselined=known.baselined,
            broken=broken,
            since=Since(rev=rev, commit=self._base.revision, unchanged=told.shown - len(told.new), fixed=told.fixed),
        )

    def _is_baseline_concerned(self, new: Sequence[Finding], fixed: int) -> bool:
        """Whether the baseline may leave out something else than before."""
        if self._baseline is None:
            return False
        unshared = (change.path for change in self.changes if change.before is None or change.now is None)
        return bool(new or fixed or self.moved) or any(map(self._baseline.speaks_of, unshared))

    def _left_by_baseline(
        self, findings: Keys, new: Sequence[Finding], program: Program, facts: tuple[FactsOnDemand, FactsOnDemand]
    ) -> Difference:
        """What the baseline leaves of what is `new`; `findings` is all that was found in the later tree."""
        assert self._baseline is not None
        known = self.kept.known
        before = self._baseline.left(known.findings, self._base, facts[0], known.problems)
        now = self._baseline.left(findings, self._tree, facts[1], known.problems)
        return self._baseline.difference(before, now, new, program, self.moved)

    def _healed(
        self, found: Sequence[Finding], new: Sequence[Finding], judged: Iterable[str], edges: Edges
    ) -> set[str]:
        """The files that can be imported by now. Raises NotCertain where others depend on them, or where what was found
        before stops an import by now."""
        raising = {finding.path for finding in found if finding.raises}
        had = self.kept.known.broken
        if any(finding.raises and self.moved.get(finding.path, finding.path) not in had for finding in found
               if finding not in new):  # fmt: skip
            raise NotCertain("what was found before stops an import by now")
        healed: set[str] = set()
        for path in judged:
            if self.moved.get(path, path) not in had or path in raising:
                continue
            if path in self.moved or edges.is_needed(path):
                raise NotCertain(f"{path}: may be imported again")
            if had.isdisjoint(edges.executed_for(path)):
                healed.add(path)
        for change in self.changes:
            if change.now is None and change.path in had:
                if edges.is_needed(change.path):
                    raise NotCertain(f"{change.path}: could not be imported, and is gone")
                healed.add(change.path)
        return healed

    def _keep(self, known: Known, edges: Edges) -> None:
        """Keep of this tree what was kept of the other one, with what has changed."""
        kept = edges.kept(msgspec.structs.replace(self.kept, known=known, whole=self._focus_whole, maps=self._maps))
        key = self._key(self._tree, self.config)
        with contextlib.suppress(UnicodeEncodeError):
            if kept.added.size > _MOST_ADDED:
                maps = Lookups(self._read_maps, kept.added).folded()
                kept = msgspec.structs.replace(kept, maps="", added=Added())
                self._cache.put_many([(key + keeping.BESIDE, in_maps.encode(maps))])
            self._cache.put_many([(key, keeping.encode(kept))])


def _is_handled(code: str) -> bool:
    return code in HANDLED or code.startswith("MID")


def _refuse_other_texts(change: Change, before: FactsOnDemand, now: FactsOnDemand) -> None:
    """Raises NotCertain where a file has become another kind of text, which rules on paths and on importers see."""
    old = facts_of(before, change.path, TEXT) or TextFacts()
    new = facts_of(now, change.path, TEXT) or TextFacts()
    if old.interpreter != new.interpreter or (new.blank and not old.blank) or old.binary != new.binary:
        raise NotCertain(f"{change.path}: has become another kind of file")
