"""What a change of a module's imports may bring about in other files, and what of it is not certain."""

from __future__ import annotations

from collections.abc import Iterator, Set
from typing import Any, NamedTuple, TypeVar

import msgspec

from guard.checks.classes import FAMILY as CLASSES
from guard.checks.classes_facts import ClassesFacts
from guard.checks.distributions import known
from guard.checks.django_setup import part_in_setup
from guard.checks.module_facts import DEAD, LAZY, TYPING, ModuleFacts
from guard.checks.modules import FAMILY as MODULES
from guard.checks.modules import Modules
from guard.checks.projects import Projects, projects_of
from guard.checks.references import Ref
from guard.checks.requirements import Kind
from guard.checks.roots import parent_of
from guard.checks.standard_library import change_of, is_standard
from guard.checks.strings import FAMILY as STRINGS
from guard.checks.strings_facts import StringsFacts
from guard.dependencies.imports import first_folder, modules_of
from guard.dependencies.test_places import TestPlaces, are_tests, counts_for, is_test, speaks_of_tests, uses_framework
from guard.families import Family
from guard.impact import Reach
from guard.incremental import kept as keeping
from guard.incremental.changes import Change, NotCertain, Search
from guard.incremental.kept import ALWAYS, FOR_DEVELOPERS, Kept
from guard.incremental.on_demand import FactsOnDemand
from guard.incremental.shape import without_positions
from guard.model import Impact
from guard.program import Program
from guard.sources.tree import SourceFile

F = TypeVar("F")
_TURNED = ([False, True], [True, False])


class Edges:
    """What a change of a module's imports may bring about elsewhere."""

    def __init__(self, kept: Kept, program: Program, search: Search) -> None:
        self._kept = kept
        self._modules: Modules = program.linked(MODULES)
        self._reach = Reach(program, kept.started)
        self._search = search
        self._target = program.target.version
        self._program = program
        self._at_start = kept.started.startup | kept.executed
        self._seen: set[str] = set()
        self._tests_in = dict(kept.tests_in)
        self.alike: set[str] = set()
        """The files that have changed, and import what they imported before in the same way."""
        self._now: dict[str, tuple[_Parts, _Parts]] = {}

    def refuse_effects(self, change: Change, before: FactsOnDemand, now: FactsOnDemand) -> None:
        """Raises NotCertain where the imports of a file have changed in a way that others may feel."""
        path = change.path
        self._seen.add(path)
        old = facts_of(before, path, MODULES) if change.before is not None else None
        new = facts_of(now, path, MODULES) if change.now is not None else None
        if _imports_of(old) == _imports_of(new):
            self.alike.add(path)
        asked, asks = _asking_pydantic(before, path, change.before), _asking_pydantic(now, path, change.now)
        if asked - asks if self._kept.second_pydantic else asks - asked:
            raise NotCertain(f"{path}: asks for other things of pydantic")
        if change.now is not None:
            nothing = _Parts(None, None, None)
            self._now[path] = (
                _parts_of(before, path, old) if change.before is not None else nothing,
                _parts_of(now, path, new),
            )
        beside = f"{path.removesuffix('.py')}/__init__.py"
        if beside in self._program.tree.files and [facts is not None and facts.main for facts in (old, new)] in _TURNED:
            raise NotCertain(f"{path}: is a program beside a package, or no more")
        if path in self._kept.in_circles:
            raise NotCertain(f"{path}: is in a circle of imports")
        if self._kept.into_circles:
            self._refuse_other_setup(change, before, now, old, new)
        self._refuse_shadows(path, old, new)
        self._refuse_other_roots(path, old, new)
        started, starts = self._targets(path, old, at_start=True), self._targets(path, new, at_start=True)
        gained, lost = starts - started, started - starts
        if path in self._at_start and (lost or not gained <= self._at_start):
            raise NotCertain(f"{path}: something else is executed at start")
        around = _packages_around(path) if old is None or new is None else ()
        if not (gained | lost).union(around).isdisjoint(self._kept.into_circles):
            raise NotCertain(f"{path}: enters a circle of imports")
        had_targets, targets = (self._targets(path, facts, at_start=False) for facts in (old, new))
        reached = targets - had_targets
        self._refuse_other_purposes(path, gained | lost | (targets ^ had_targets))
        emptied = {target for target, keys in self._kept.known.findings.items() if any(c == "TXT008" for c, _ in keys)}
        if not emptied.isdisjoint(self._targets(path, old, at_start=False)):
            raise NotCertain(f"{path}: imports a module that is empty")
        if not gained.isdisjoint(self._kept.known.broken):
            raise NotCertain(f"{path}: imports what cannot be imported")
        # A module that is new is imported by none.
        above = self._search.ancestors([path]) if gained and change.before is not None else set()
        if not gained.isdisjoint({path, *above}):
            raise NotCertain(f"{path}: may close a circle of imports")
        self._refuse_other_tests(path, old, new)
        places = TestPlaces(self._modules, self._tests_in)
        is_for_tests = self._reach.kind(path) is Impact.TESTS or places.place_of(path)
        if not is_for_tests and any(map(places.place_of, reached)):
            raise NotCertain(f"{path}: may import test code")
        excused = [(facts.skips, facts.provides_later) for facts in (old, new) if facts is not None]
        if excused[0] != excused[-1]:
            raise NotCertain(f"{path}: does with less, or with other modules than before")
        had, has = outside(path, old), outside(path, new)
        self._refuse_other_names({one.module for one in had}, {one.module for one in has}, path)
        for one in has - had:
            self._refuse_unknown(path, one.module)

    def _refuse_other_purposes(self, path: str, changed: Set[str]) -> None:
        """Raises NotCertain where other files than before may be production code, or wait for a call: `changed` are the
        files that this one imports no longer, by now, or at another time."""
        if not changed.isdisjoint(self._kept.waiting):
            raise NotCertain(f"{path}: what only developers have may be needed at another time")
        if not changed or self._kept.deployed is None or self._reach.kind(path) is not Impact.RUNTIME:
            return
        folders = {first_folder(self._projects, file) for file in changed} - {first_folder(self._projects, path), ""}
        if not folders <= self._kept.deployed:
            raise NotCertain(f"{path}: another folder than before may be one for tools")

    def _refuse_other_setup(
        self,
        change: Change,
        before: FactsOnDemand,
        now: FactsOnDemand,
        old: ModuleFacts | None,
        new: ModuleFacts | None,
    ) -> None:
        """Raises NotCertain where Django may import other files than before when it is set up."""
        path = change.path
        had = facts_of(before, path, STRINGS) if change.before is not None else None
        has = facts_of(now, path, STRINGS) if change.now is not None else None
        if part_in_setup(path, old, had) != part_in_setup(path, new, has):
            raise NotCertain(f"{path}: Django may import other files before a test")

    def _refuse_other_tests(self, path: str, old: ModuleFacts | None, new: ModuleFacts | None) -> None:
        """Raises NotCertain where other files than before may be there for tests only."""
        speaking = [facts is not None and speaks_of_tests(path, facts) for facts in (old, new)]
        if "/test/" in f"/{path}" and speaking[0] != speaking[1]:
            raise NotCertain(f"{path}: its folder may be one for tests by now, or none any more")
        for place in TestPlaces(self._modules).possible(path):
            if place == path:
                if old is not None and new is not None and is_test(old) != is_test(new):
                    raise NotCertain(f"{path}: may be a test by now, or none any more")
            elif counts_for(place, path):
                using, every = self._tests_in.get(place, (0, 0))
                for facts, sign in ((old, -1), (new, 1)):
                    if facts is not None:
                        using, every = using + sign * uses_framework(facts), every + sign
                self._tests_in[place] = using, every
                if are_tests(using, every) != are_tests(*self._kept.tests_in.get(place, (0, 0))):
                    raise NotCertain(f"{path}: {place} may be a folder for tests by now, or none any more")

    def is_needed(self, path: str) -> bool:
        """Whether others may not be imported where a file of the tree cannot be."""
        return path.endswith(("__init__.py", "conftest.py")) or bool(self._search.importers.get(path))

    def executed_for(self, path: str) -> set[str]:
        """The files that are executed for an import of a file of the tree, itself left out."""
        facts = self._modules.facts.get(path)
        return self._targets(path, facts, at_start=True).union(run_before(path)) - {path}

    def _refuse_shadows(self, path: str, old: ModuleFacts | None, new: ModuleFacts | None) -> None:
        """Raises NotCertain where a process may begin, or go on, that takes a module of the tree for another one."""
        main = any(facts is not None and facts.main for facts in (old, new))
        related = [facts is not None and any(one.level == 1 for one in facts.imports) for facts in (old, new)]
        starts = (main or related[0] != related[1]) and parent_of(path) in self._kept.shadowed.folders
        if path in self._kept.shadowed.paths or starts:
            raise NotCertain(f"{path}: is executed where a module of the tree hides another one")

    def _refuse_other_roots(self, path: str, old: ModuleFacts | None, new: ModuleFacts | None) -> None:
        """Raises NotCertain where other roots may be used than before."""
        had, has = (
            set(keeping.used_by(path, facts, self._modules)) if facts is not None else set() for facts in (old, new)
        )
        if any(tuple(key.split("\t")) not in self._kept.whole.used for key in has):
            raise NotCertain(f"{path}: leads through another root")
        if had - has:
            witnesses = self._search.lookups.files("witnesses")
            if any(set(witnesses.get(key, ())) <= {path} for key in had - has):
                raise NotCertain(f"{path}: leads through a root no more")

    def _targets(self, path: str, facts: ModuleFacts | None, *, at_start: bool) -> set[str]:
        """The files that a file's imports lead to, all of them or those that are executed when it is."""
        found: set[str] = set()
        for statement in facts.imports if facts is not None else ():
            if at_start and statement.flags & (LAZY | TYPING | DEAD):
                continue
            for module in statement.modules:
                found.update(self._modules.executed_by(path, statement, module))
        return found

    def _refuse_other_names(self, had: Set[str], has: Set[str], path: str) -> None:
        """Raises NotCertain where the tree names other modules of others than before: by those it is told what some
        requirement may be there for."""
        outside = self._search.lookups.files("outside") if had != has else {}
        gained = {module for module in has - had if module not in outside and not is_standard(module.partition(".")[0])}
        lost = {module for module in had - has if set(outside.get(module, ())) == {path}}
        if any(not self._modules.resolve(path, 0, module).targets for module in gained | lost):
            raise NotCertain(f"{path}: names another module of others")

    def _refuse_unknown(self, path: str, module: str) -> None:
        """Raises NotCertain for an import out of the tree that may fail, or find a file of the tree by mistake."""
        top = module.partition(".")[0]
        found = self._modules.resolve(path, 0, module)
        another = is_standard(top) or bool(known().providers_of(top))
        if (found.targets or found.missing is not None) and not another:
            return
        if is_standard(top):
            # From which process a file of the tree hides it is looked at in `_refuse_shadows`.
            if change_of(top, self._target) is not None:
                raise NotCertain(f"{path}: imports {top}, which not every Python has")
            return
        if self._modules.layout.holders_of(top):
            raise NotCertain(f"{path}: {top} is also a name in the tree")
        for_whom = [ALWAYS]
        if self._reach.of(path) in (Impact.TESTS, Impact.TOOLING):
            for_whom.append(FOR_DEVELOPERS)
        if not any(self._search.lookups.is_provided(parent_of(path), who, module) for who in for_whom):
            kind = self._projects.view_of(path).kind_of(module)
            if not (kind in (Kind.RUNTIME, Kind.EXTRA) or (kind is not None and FOR_DEVELOPERS in for_whom)):
                raise NotCertain(f"{path}: nothing is known to bring {module}")

    @property
    def _projects(self) -> Projects:
        return projects_of(self._program)

    def kept(self, kept: Kept) -> Kept:
        """What was kept, with what the changed files import, name and define by now and did not before."""
        more: dict[str, dict[str, set[str]]] = {}
        words: set[str] = set()
        for path, (old, new) in self._now.items():
            had, has = _said_by(old), _said_by(new)
            for part, keys in has.items():
                for key in keys - had.get(part, set()):
                    more.setdefault(part, {}).setdefault(key, set()).add(path)
            for base, child in keeping.kinships(new.classes) if new.classes is not None else ():
                more.setdefault("children", {}).setdefault(base, set()).add(child)
            if new.module is not None:
                words.update(keeping.words_of(new.module))
                for target in keeping.imported_by(path, new.module, self._modules):
                    more.setdefault("importers", {}).setdefault(target, set()).add(path)
            words.difference_update(keeping.words_of(old.module) if old.module is not None else ())
            words.update(has["strings"])
        added = self._search.lookups.with_more(more, frozenset(words), frozenset(self._seen))
        return msgspec.structs.replace(kept, tests_in=self._tests_in, added=added)


class _Parts(NamedTuple):
    """The facts of one file that are looked up by others."""

    module: ModuleFacts | None
    strings: StringsFacts | None
    classes: ClassesFacts | None


def _parts_of(facts: FactsOnDemand, path: str, module: ModuleFacts | None) -> _Parts:
    return _Parts(module, facts_of(facts, path, STRINGS), facts_of(facts, path, CLASSES))


def _said_by(parts: _Parts) -> dict[str, set[str]]:
    """By part of `Maps`, the keys under which a file stands."""
    classes = parts.classes
    return {
        "strings": set(keeping.parts_of_strings(parts.strings)) if parts.strings is not None else set(),
        "silencing": set(keeping.silenced_by(classes)) if classes is not None else set(),
        "received": set(keeping.received_in(classes)) if classes is not None else set(),
    }


class _Import(NamedTuple):
    module: str
    flags: int
    """Of the statement that imports it."""
    guards: tuple[object, ...]
    """What is around that."""


def outside(path: str, facts: ModuleFacts | None) -> frozenset[_Import]:
    """The modules that a file imports by absolute names, wherever that leads."""
    return frozenset(
        _Import(one.module, statement.flags, tuple(without_positions(facts.guards[at]) for at in statement.guards))
        for statement in (facts.imports if facts is not None else ())
        if facts is not None and statement.level <= 0
        for one in modules_of(path, statement)
    )


def _asking_pydantic(facts: FactsOnDemand, path: str, file: SourceFile | None) -> frozenset[Ref]:
    """What a file names of pydantic."""
    found = facts_of(facts, path, CLASSES) if file is not None else None
    return frozenset(ref for ref in (found.refs if found is not None else ()) if ref.module.startswith("pydantic"))


def facts_of(facts: FactsOnDemand, path: str, family: Family[F, Any]) -> F | None:
    """The facts of one family on one file."""
    raw = facts[path].parts.get(family.name)
    return None if raw is None else msgspec.msgpack.decode(raw, type=family.facts)


def run_before(path: str) -> Iterator[str]:
    """What is executed before a module is, if it is there: the packages around it, and for a test what pytest runs."""
    folder = parent_of(path)
    while True:
        for name in ("__init__.py", "conftest.py"):
            yield f"{folder}/{name}" if folder else name
        if not folder:
            return
        folder = parent_of(folder)


def _imports_of(facts: ModuleFacts | None) -> object:
    """All that a file imports, with what is around each import."""
    if facts is None:
        return None
    return without_positions(
        (facts.imports, facts.guards, facts.alternatives, facts.skips, facts.provides_later)
    ), facts.main


def _packages_around(path: str) -> Iterator[str]:
    """What is executed before a module is, if it is there."""
    folder = parent_of(path)
    while folder:
        yield f"{folder}/__init__.py"
        folder = parent_of(folder)
