"""Imports of modules that nothing which is asked for can provide, or only something that developers have."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import msgspec

from guard.checks.distributions import could_provide, explains_itself, is_shared, known
from guard.checks.module_facts import CONDITIONAL, LAZY, MAIN
from guard.checks.projects import Asked, View
from guard.checks.requirement_commands import has_own_requirements
from guard.checks.requirements import Kind, normal
from guard.checks.standard_library import ADDED, BUNDLED_UNTIL, REMOVED, change_of, is_standard
from guard.dependencies.environments import installed
from guard.dependencies.imports import ImportsOut, ThirdParty, imports_out, is_guarded
from guard.model import Impact
from guard.program import Program

_BUNDLED: Final = frozenset({"setuptools", "pkg_resources", "_distutils_hack"})
_ALWAYS_THERE: Final = frozenset({"pip"})
_BUILD_FILES: Final = frozenset({"setup.py", "conf.py", "hatch_build.py", "noxfile.py", "fabfile.py", "dodo.py"})
_NOT_PROMISED: Final = frozenset(
    {
        *("docs", "doc", "examples", "example", "samples", "sample", "benchmarks", "benchmark", "bench", "notebooks"),
        *("contrib", "demo", "demos", "tutorial", "tutorials", "playground", "sandbox", "experiments", "hack"),
        *("asv_bench", "cookbook", "recipes", "archive", "archived"),
    }
)
"""Folders of code for which nobody promises that its imports are installed."""
_DATA: Final = frozenset(
    {"data", "testdata", "test_data", "fixtures", "cases", "resources", "snapshots", "samples", "inputs"}
)
"""Folders of tests that hold what the tested program reads."""


class Undeclared(msgspec.Struct, frozen=True):
    """One import of a module that is not known to be there."""

    found: ThirdParty
    distribution: str
    """The one that it most likely comes from."""
    kind: Kind | None = None
    """What asks for the module all the same, so that it is there sometimes; None where nothing does."""
    asked: Asked | None = None
    """That, where a file names it."""
    change: tuple[str, tuple[int, int]] | None = None
    """For a module of the standard library: `removed` or `added`, and with which Python."""


def undeclared(program: Program) -> tuple[Undeclared, ...]:
    """Every import of a module that no requirement brings to where it runs, in order of path and line."""
    found = program.remembered.get("undeclared")
    if not isinstance(found, tuple):
        found = program.remembered["undeclared"] = tuple(_Search(program).found())
    return found


class _Search:
    def __init__(self, program: Program) -> None:
        self._program = program
        self._imports: ImportsOut = imports_out(program)
        self._alone: dict[str, bool] = {}
        self._may_skip: dict[str, bool] = {}
        self._unexplained: dict[View, bool] = {}

    def found(self) -> Iterator[Undeclared]:
        for one in (*self._imports.all, *self._changed()):
            judged = self._judge(one)
            if judged is not None and not self._provides_for_itself(one):
                yield judged

    def _changed(self) -> Iterator[ThirdParty]:
        """Imports of standard modules that the deployed Python has not, where that Python is known."""
        program = self._program
        if not (program.config.target_version or program.target.path):
            return
        modules = self._imports.modules
        changed = {top for top in (*REMOVED, *ADDED) if change_of(top, program.target.version) is not None}
        if not changed:
            return
        for path, facts in modules.facts.items():
            if path.endswith(".pyi"):
                continue
            for statement in facts.imports:
                if statement.level > 0 or statement.flags & ~LAZY:
                    continue
                for name in statement.modules:
                    if name.partition(".")[0] not in changed:
                        continue
                    alias = next((alias for alias in statement.aliases if alias.name == name), None)
                    found = ThirdParty(path, statement, alias if statement.level < 0 else None, name)
                    if not modules.resolve(path, 0, name).targets and not is_guarded(facts, found):
                        yield found

    def _judge(self, one: ThirdParty) -> Undeclared | None:
        imports = self._imports
        view = imports.projects.view_of(one.path)
        change = change_of(one.top, self._program.target.version) if is_standard(one.top) else None
        kind = view.kind_of(one.module)
        if kind is Kind.RUNTIME or kind is Kind.EXTRA or one.top in _ALWAYS_THERE:
            return None
        if change is None and (view.is_open or not view.told):
            return None
        impact = imports.purpose(one.path)
        if impact in (Impact.TESTS, Impact.TOOLING):
            if kind is not None or not self._is_promised(one, view, impact):
                return None
        elif not self._fails(one, kind):
            return None
        if change is not None:
            return Undeclared(one, _likely(one.module), kind, change=change)
        if kind is None and not self._is_certain(one, view):
            return None
        if installed(self._program).has(one.path, one.module):
            return None
        if one.top in _BUNDLED and not self._lacks_setuptools():
            return None
        return Undeclared(one, _likely(one.module), kind, view.asking_for(one.module, kind) if kind else None)

    def _is_promised(self, one: ThirdParty, view: View, impact: Impact) -> bool:
        """Whether the imports of a test or a tool are to be found in what developers install."""
        if one.statement.flags & (CONDITIONAL | MAIN | LAZY) or not self._tells_developers(one, view):
            return False
        folder, _, name = one.path.rpartition("/")
        folders = folder.split("/")
        if name in _BUILD_FILES or not _NOT_PROMISED.isdisjoint(folders):
            return False
        if impact is Impact.TESTS and not _DATA.isdisjoint(folders):
            return False
        return not self._is_mentioned(one) and not (impact is Impact.TESTS and self._may_be_left_out(one.path))

    def _tells_developers(self, one: ThirdParty, view: View) -> bool:
        """Whether what tests and tools need can be read. What a library's developers install is often told only to the
        tool that runs its tests."""
        if not view.any_developers or view.is_open_for_developers or self._imports.is_library(one.path):
            return False
        return "pytest" not in self._imports.names or view.kind_of("pytest") is not None

    def _fails(self, one: ThirdParty, kind: Kind | None) -> bool:
        """Whether production code that runs this import fails in what is deployed."""
        imports = self._imports
        installed_too = imports.projects.installs_development or "test" in one.statement.symbol.lower()
        if not imports.certainly_runs(one):
            return False
        # What only developers have is imported in functions on purpose: in those of their own commands.
        if kind is not Kind.DEV:
            return True
        waits = installed_too or one.lazy or imports.waits_for_a_call(one.path)
        return not (waits or imports.serves_tests(one.path))

    def _is_certain(self, one: ThirdParty, view: View) -> bool:
        """Whether nothing that is asked for, known by name or not, can be what has the module."""
        if one.top in known().outside:
            return False
        if known().providers_of(one.module):
            return True
        if view.unnamed or one.top.startswith("_") or self._imports.modules.layout.builds.makes_extensions:
            return False
        if is_shared(one.top) and not is_shared(one.module):
            return not any(name.startswith(normal(one.top)) for name in view.deployed if not explains_itself(name))
        return not self._has_unexplained(view)

    def _has_unexplained(self, view: View) -> bool:
        """Whether something is asked for of which it is not known what modules it has: the unknown one, perhaps."""
        if view not in self._unexplained:
            own = self._imports.projects.own
            self._unexplained[view] = any(
                not explains_itself(name)
                and name not in own
                and not any(could_provide(name, module) for module in self._imports.names)
                for name in view.asked
            )
        return self._unexplained[view]

    def _is_mentioned(self, one: ThirdParty) -> bool:
        """Whether CI or a script of the tree installs what has the module."""
        mentioned = self._imports.projects.mentioned
        likely = {*known().providers_of(one.module), normal(one.top), _likely(one.module)}
        return not likely.isdisjoint(mentioned)

    def _lacks_setuptools(self) -> bool:
        program = self._program
        known_version = bool(program.config.target_version or program.target.path)
        return known_version and program.target.version >= BUNDLED_UNTIL

    def _provides_for_itself(self, one: ThirdParty) -> bool:
        """Whether the file lists or installs what it needs, as a script may."""
        if one.path not in self._alone:
            read = self._program.tree.read_many([one.path])
            self._alone[one.path] = any(has_own_requirements(content) for _, content in read)
        return self._alone[one.path]

    def _may_be_left_out(self, path: str) -> bool:
        """Whether what runs before a test may leave it out of a run in which something is not installed: a conftest.py
        or a package above it."""
        folder = path.rpartition("/")[0]
        if folder not in self._may_skip:
            above = [f"{folder}/{name}" if folder else name for name in ("conftest.py", "__init__.py")]
            read = self._program.tree.read_many(above)
            here = any(word in content for _, content in read for word in (b"collect_ignore", b"importorskip"))
            self._may_skip[folder] = here or (bool(folder) and self._may_be_left_out(folder))
        return self._may_skip[folder]


def _likely(module: str) -> str:
    """The distribution that a module most likely comes from."""
    providers = known().providers_of(module)
    if providers:
        return providers[0]
    parts = module.split(".")
    end = 1
    while end < len(parts) and is_shared(".".join(parts[:end])):
        end += 1
    return normal("-".join(parts[:end])) if re.match(r"\w", module) else module
