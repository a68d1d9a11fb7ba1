"""The imports that lead out of the tree, each with what is known of when it runs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Final

import msgspec

from guard.checks.broken_imports import swallowed_by
from guard.checks.distributions import is_shared, known
from guard.checks.layout import Resolution, Target
from guard.checks.module_facts import (
    ASSERTED,
    CONDITIONAL,
    DEAD,
    LAZY,
    PLATFORM,
    TYPING,
    Alias,
    Import,
    ModuleFacts,
)
from guard.checks.modules import FAMILY, Modules
from guard.checks.projects import Projects, projects_of
from guard.checks.roots import parent_of
from guard.checks.standard_library import is_standard
from guard.dependencies.test_places import TestPlaces
from guard.impact import Reach, reach_of, reached
from guard.model import Impact
from guard.program import Program

_NOT_MEANT: Final = TYPING | DEAD | PLATFORM | ASSERTED
_VENDORED: Final = frozenset(
    {"vendor", "vendored", "_vendor", "vendors", "third_party", "thirdparty", "extern", "_extern"}
)


_OF_DEVELOPERS: Final = frozenset(
    {*("dev.py", "develop.py", "development.py"), *("testing.py", "settings_dev.py", "settings_test.py")}
)
"""Settings, and the like, of those who work on the code. What a deployed process executes is none of them."""
_HELPING: Final = re.compile(r"(?:factor(?:y|ies)|mocks?|fakes?|fixtures?|stubs?)\.py")
"""Modules that are named after what tests need."""


class ThirdParty(msgspec.Struct, frozen=True):
    """One import, or one name of one, that leads out of the tree."""

    path: str
    statement: Import
    alias: Alias | None
    """The name at fault; None where the module of a `from` import is meant."""
    module: str
    """Dotted; below a namespace that distributions share, with the name that is taken from it."""

    @property
    def top(self) -> str:
        """The first part of the module."""
        return self.module.partition(".")[0]

    @property
    def lazy(self) -> bool:
        """Whether it runs only when a function is called."""
        return bool(self.statement.flags & LAZY)


class ImportsOut:
    """The imports of one program that are not first-party."""

    def __init__(self, program: Program) -> None:
        self.program: Final = program
        self.modules: Final[Modules] = program.linked(FAMILY)
        self.reach: Final[Reach] = reach_of(program)
        self.projects: Final[Projects] = projects_of(program)
        self.tests: Final = TestPlaces(self.modules)
        self.asked_who_calls: Final[set[str]] = set()
        """The modules of which it was asked who imports them, in functions or not."""

    def __iter__(self) -> Iterator[ThirdParty]:
        """Every import of neither the tree nor the standard library that must succeed where it runs."""
        for path, facts in self.modules.facts.items():
            if path.endswith(".pyi") or not _VENDORED.isdisjoint(path.split("/")):
                continue
            for statement in facts.imports:
                if statement.level > 0 or statement.flags & _NOT_MEANT or _is_standard(statement):
                    continue
                for found in modules_of(path, statement):
                    if not is_standard(found.top) and self._leads_out(found) and not is_guarded(facts, found):
                        yield found

    @cached_property
    def all(self) -> tuple[ThirdParty, ...]:
        """All of them, in order of path and line."""
        return tuple(self)

    @cached_property
    def names(self) -> frozenset[str]:
        """Every module of another project that some file names, in whatever way."""
        return frozenset(
            found.module
            for path, facts in self.modules.facts.items()
            for statement in facts.imports
            if statement.level <= 0 and not _is_standard(statement)
            for found in modules_of(path, statement)
            if not is_standard(found.top)
        )

    def _leads_out(self, found: ThirdParty) -> bool:
        name = found.statement.module if found.statement.level == 0 else found.module
        resolution = self.modules.resolve(found.path, 0, name)
        if resolution.missing is not None:
            return False
        if resolution.targets:
            return not self._is_ours(found, resolution)
        top = found.top
        if top in self.modules.provided or self.modules.layout.builds.may_make(top):
            return False
        holders = self.modules.layout.holders_of(top)
        if not holders:
            return True
        # A module of that name is somewhere in the tree: below a root that nobody declares, perhaps.
        if not _is_known(found.module) or is_shared(top):
            return False
        steps = [(folder, self.modules.layout.step(folder, top)) for folder in holders]
        layout = self.modules.layout
        return all(
            layout.is_within_package(folder) or (step is not None and not layout.is_regular(step))
            for folder, step in steps
        )

    def _is_ours(self, found: ThirdParty, resolution: Resolution) -> bool:
        """Whether what is found in the tree is what the import means."""
        inside = resolution.roots and all(map(self.modules.layout.is_within_package, resolution.roots))
        if inside and _is_known(found.module) and found.path not in self.reach.scripts:
            return False  # a module beside this one in a package is not what an absolute import finds
        return any(self._is_module(found, target) for target in resolution.targets)

    def _is_module(self, found: ThirdParty, target: Target) -> bool:
        """Whether a target has code that the import can mean; a folder without `__init__.py` may only look like it."""
        layout = self.modules.layout
        if layout.is_regular(target) or "." in found.module:
            return True
        if target.kind == "namespace" and not layout.holds_python(target.path):
            return False
        if found.statement.level == 0 and any(
            layout.step(target.path, alias.name) is not None for alias in found.statement.aliases
        ):
            return True
        return not _is_known(found.module)

    # What runs

    @cached_property
    def executed(self) -> frozenset[str]:
        """The files that certainly run when a package of the tree is imported, or a deployed process starts."""
        packages = self.modules.layout.packages
        starts = {
            path
            for path in self.modules.facts
            if path.endswith("/__init__.py")
            and self.reach.kind(path) is Impact.RUNTIME
            and path.rpartition("/")[0].rpartition("/")[0] not in packages
        }
        return reached(sorted(starts | self.reach.served), self.modules, certain=True)

    @cached_property
    def _applications(self) -> frozenset[str | None]:
        """The folders of projects from which something is deployed."""
        return frozenset(
            self.projects.folder_of(path) for path in self.reach.served if self.reach.kind(path) is Impact.RUNTIME
        )

    def purpose(self, path: str) -> Impact:
        """What a file is for. Where something is deployed from the tree, what lies in a folder from which no deployed
        process executes anything is a tool, wherever that is: linters' plugins, benchmarks, helpers of a build."""
        found = self.reach.of(path)
        if found is not Impact.RUNTIME:
            return found
        if self.tests.place_of(path) or self.tests.is_among_tests(path):
            return Impact.TESTS
        if _has_no_name(path) or path.rpartition("/")[2] in _OF_DEVELOPERS:
            return Impact.TOOLING
        if not self._applications or self._first_folder(path) in self._deployed_folders:
            return found
        if parent_of(path) not in self.modules.layout.packages:
            return Impact.TOOLING
        if not self._is_deployed_around(path) or self._first_folder(path) in self._used_folders:
            return found
        return Impact.TOOLING

    def _is_deployed_around(self, path: str) -> bool:
        """Whether something is deployed from a file's project, or from a project below it. Of any other project it is
        not known how it is deployed, if it is."""
        folder = self.projects.folder_of(path)
        inside = f"{folder}/" if folder else ""
        return (
            any(one == folder or (one is not None and one.startswith(inside)) for one in self._applications)
            and folder is not None
        )

    @cached_property
    def _deployed_folders(self) -> frozenset[str]:
        return frozenset(map(self._first_folder, self.reach.startup)) - {""}

    @cached_property
    def _used_folders(self) -> frozenset[str]:
        """The folders of which deployed processes execute something, or may once functions are called."""
        seen = set(self.reach.startup)
        waiting = list(seen)
        while waiting:
            path = waiting.pop()
            facts = self.modules.facts.get(path)
            for statement in facts.imports if facts is not None else ():
                if statement.flags & (TYPING | DEAD):
                    continue
                for module in statement.modules:
                    gained = [file for file in self.modules.executed_by(path, statement, module) if file not in seen]
                    seen.update(gained)
                    waiting += gained
        return frozenset(map(self._first_folder, seen))

    def _first_folder(self, path: str) -> str:
        return first_folder(self.projects, path)

    @property
    def deployed_folders(self) -> frozenset[str] | None:
        """The folders from which deployed processes execute something; None where nothing is known to be deployed."""
        return self._deployed_folders if self._applications else None

    def is_library(self, path: str) -> bool:
        """Whether a file is of a project that others install, and of which nothing is deployed from this tree.

        What such a project's modules need beside its core is often left to who uses them.
        """
        folder = self.projects.folder_of(path)
        return folder is not None and folder not in self._applications and self.projects.is_published(folder)

    def waits_for_a_call(self, path: str) -> bool:
        """Whether a module is imported by functions of production code alone, as far as imports tell: whatever needs
        it first is a call. A module that nothing imports may be loaded by its name."""
        if path in self.reach.startup:
            return False
        seen = {path}
        waiting = [path]
        while waiting:
            importers = self._production_importers(waiting.pop())
            if not importers:
                return False
            for importer, lazy in importers.items():
                if lazy or importer in seen:
                    continue
                if importer in self.reach.startup:
                    return False
                seen.add(importer)
                waiting.append(importer)
        return True

    def serves_tests(self, path: str) -> bool:
        """Whether a module of production code is there for tests or those who run commands by hand: tests import it,
        and no production code does but what is such a module itself; or it is a command of Django's."""
        if path in self.reach.startup:
            return False
        seen = {path}
        waiting = [path]
        while waiting:
            file = waiting.pop()
            if _is_command(file):
                continue
            importers = self._production_importers(file)
            if not importers and not self._is_for_tests_alone(file):
                return False  # it may be loaded by its name
            if not self.reach.startup.isdisjoint(importers):
                return False
            waiting += importers.keys() - seen
            seen.update(importers)
        return True

    def _is_for_tests_alone(self, path: str) -> bool:
        """Whether a module that no production code imports is there for tests. They import what is deployed, too: it
        must be known what that is, or its name must say that it helps tests."""
        is_imported = any(self.reach.kind(importer) is Impact.TESTS for importer in self._importers.get(path, ()))
        return is_imported and (bool(self._applications) or _HELPING.match(path.rpartition("/")[2]) is not None)

    def _production_importers(self, path: str) -> Mapping[str, bool]:
        """The files of production code that import another one, but for what is in it where it is a package."""
        self.asked_who_calls.add(path)
        inside = path.removesuffix("__init__.py") if path.endswith("/__init__.py") else "\0"
        found = self._importers.get(path, {})
        return {
            importer: lazy
            for importer, lazy in found.items()
            if self.reach.kind(importer) is Impact.RUNTIME and not importer.startswith(inside)
        }

    @cached_property
    def _importers(self) -> Mapping[str, Mapping[str, bool]]:
        """By file of production code, the files that execute it, and whether only functions of them do."""
        found: dict[str, dict[str, bool]] = {}
        for path, facts in self.modules.facts.items():
            for statement in facts.imports:
                if statement.flags & (TYPING | DEAD):
                    continue
                lazy = bool(statement.flags & LAZY)
                for module in statement.modules:
                    if self.modules.layout.is_nowhere(module) and statement.level <= 0:
                        continue
                    for file in self.modules.executed_by(path, statement, module):
                        if file != path:
                            known = found.setdefault(file, {})
                            known[path] = lazy and known.get(path, True)
        return found

    def certainly_runs(self, found: ThirdParty) -> bool:
        """Whether an import is one that must succeed wherever the project is used."""
        if found.statement.flags & CONDITIONAL:
            return False
        if not self.is_library(found.path):
            return True
        return not found.lazy and found.path in self.executed


def _is_command(path: str) -> bool:
    """Whether a file is a command of Django's, which somebody runs by its name: not the service."""
    return "/management/commands/" in f"/{path}"


def first_folder(projects: Projects, path: str) -> str:
    """The highest folder that a file is in below its project's; empty where there is none."""
    project = projects.folder_of(path)
    start = len(project) + 1 if project else 0
    return path[: path.find("/", start)] if "/" in path[start:] else ""


def _has_no_name(path: str) -> bool:
    """Whether no import can name a module, for its name has dots: only what looks for such files by a pattern runs it,
    as PyInstaller looks for hooks."""
    return "." in path.rpartition("/")[2].removesuffix(".pyi").removesuffix(".py")


def _is_standard(statement: Import) -> bool:
    """Whether a `from` import is one from the standard library, as most are that lead out of the tree."""
    return statement.level == 0 and is_standard(statement.module.partition(".")[0])


def modules_of(path: str, statement: Import) -> Iterator[ThirdParty]:
    """What a statement imports, if that is out of the tree; below a namespace that distributions share, each name."""
    if statement.level < 0:
        for alias in statement.aliases:
            yield ThirdParty(path, statement, alias, alias.name)
    elif is_shared(statement.module):
        for alias in statement.aliases:
            if alias.name != "*":
                yield ThirdParty(path, statement, alias, f"{statement.module}.{alias.name}")
    else:
        yield ThirdParty(path, statement, None, statement.module)


def _is_known(module: str) -> bool:
    return bool(known().providers_of(module))


def is_guarded(facts: ModuleFacts, found: ThirdParty) -> bool:
    """Whether a failure of the import is provided for."""
    statement = found.statement
    if any(swallowed_by(facts.guards[number]) for number in statement.guards):
        return True
    asked = {*facts.skips, *facts.provides_later}
    return any(name == found.top or name.startswith(found.top + ".") for name in asked)


def imports_out(program: Program) -> ImportsOut:
    """The program's imports of other projects' modules."""
    found = program.remembered.get("imports out")
    if not isinstance(found, ImportsOut):
        found = program.remembered["imports out"] = ImportsOut(program)
    return found
