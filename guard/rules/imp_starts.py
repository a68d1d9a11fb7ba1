"""The ways in which processes come to import modules of a tree: deployed entry points, test files, scripts."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from typing import Final

from guard.checks.collecting import FAMILY as COLLECTING
from guard.checks.collecting import Collecting
from guard.checks.django_setup import imported_by_setup
from guard.checks.import_cycles import Start
from guard.checks.module_facts import DEAD, LAZY, TYPING
from guard.checks.modules import FAMILY, Modules
from guard.checks.roots import parent_of
from guard.checks.test_files import TestFiles
from guard.entrypoints import declared_in
from guard.impact import Reach, reach_of
from guard.model import Impact
from guard.program import Program

DEPLOYED: Final = 0
TEST: Final = 1
SCRIPT: Final = 2
_BROKEN: Final = 3
"""Added to the rank of what fails before it comes to the circle."""


def kind_of(start: Start) -> int:
    """Which of the three a start is."""
    return start.rank % _BROKEN


def starts_of(program: Program) -> tuple[Start, ...]:
    """Every way into the tree's code that is known to be taken, found once."""
    found = program.remembered.get("starts")
    if not isinstance(found, tuple):
        found = program.remembered["starts"] = tuple(_find_starts(program))
    return found


def _find_starts(program: Program) -> list[Start]:
    modules, reach = program.linked(FAMILY), reach_of(program)
    broken = {
        found.path
        for found in modules.broken
        if not found.swallowed_line and not found.statement.flags & (LAZY | TYPING | DEAD)
    }
    django = imported_by_setup(program)
    found = []
    for entry, paths in reach.starts.items():
        files = sorted(paths, key=_by_depth)
        if entry.path in modules.facts and entry.path not in files:
            files.insert(0, entry.path)
        if not files:
            continue  # it names what the tree does not have
        script = files[-1] if entry.script else ""
        path = entry.path or files[-1]
        found.append(Start(DEPLOYED, path, max(entry.line, 1), tuple(files), script, django))
    tests = TestFiles(program)
    before = _BeforeTests(program, modules, tests, django)
    for path in modules.facts:
        if path in tests and reach.kind(path) is Impact.TESTS:
            found.append(before.start(path))
        elif _is_script(path, modules, reach):
            found.append(Start(SCRIPT, path, 1, (path,), path, django))
    return [
        Start(start.rank + _BROKEN, start.path, start.line, start.files, start.script, start.before)
        if not broken.isdisjoint(start.files)
        else start
        for start in found
    ]


def _by_depth(path: str) -> tuple[bool, int]:
    """Packages from the outermost, then the rest."""
    is_package = path.endswith("/__init__.py")
    return not is_package, path.count("/") if is_package else 0


def _is_script(path: str, modules: Modules, reach: Reach) -> bool:
    if path in reach.scripts:
        return False  # one of the entry points
    return modules.facts[path].main and posixpath.dirname(path) not in modules.layout.packages


class _BeforeTests:
    """What pytest executes before it imports a test file."""

    def __init__(self, program: Program, modules: Modules, tests: TestFiles, django: tuple[str, ...]) -> None:
        self._modules = modules
        self._tests = tests
        self._collecting: Collecting = program.linked(COLLECTING)
        installed = {
            path for entry in declared_in(program.tree, "pytest11") for path in self._chain(entry.path, entry.module)
        }
        self._always = tuple(sorted({*django, *installed}))
        """What may come first in every run: Django, and plugins that the tree's own distributions bring."""
        self._of_folders: dict[tuple[str, str], tuple[tuple[str, ...], tuple[str, ...]]] = {}

    def start(self, path: str) -> Start:
        """How a test file is imported when pytest is asked for nothing else."""
        folder = parent_of(path)
        configuration, plugins = self._tests.plugins_for(path)
        key = (folder, configuration)
        known = self._of_folders.get(key)
        if known is None:
            known = self._of_folders[key] = self._before(folder, configuration, plugins)
        files, perhaps = known
        return Start(TEST, path, 1, tuple(dict.fromkeys((*files, path))), "", perhaps)

    def _before(
        self, folder: str, configuration: str, plugins: tuple[str, ...]
    ) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """What is executed before a test file of a folder, in order; and what may be, at any time before that."""
        files: dict[str, None] = {}
        perhaps: set[str] = set()
        for plugin in plugins:
            self._load(self._chain(configuration, plugin), files, perhaps)
        for above in _folders(folder):
            conftest = f"{above}/conftest.py" if above else "conftest.py"
            if conftest in self._modules.facts:
                self._load([*self._packages(above), conftest], files, perhaps)
        files.update(dict.fromkeys(self._packages(folder)))
        return tuple(files), tuple(sorted(perhaps.union(self._always) - files.keys())) if perhaps else self._always

    def _load(self, chain: list[str], files: dict[str, None], perhaps: set[str]) -> None:
        """Add a plugin, given by all that its import executes, with what it has loaded in its turn."""
        waiting = [chain]
        while waiting:
            chain = waiting.pop()
            if not chain or chain[-1] in files:
                continue
            path = chain[-1]
            files.update(dict.fromkeys(chain))
            perhaps.update(self._in_hooks(path))
            named = self._collecting.plugins_of(path)
            waiting += [self._chain(path, plugin.module) for plugin in reversed(named) if not plugin.depends]
            perhaps.update(file for plugin in named if plugin.depends for file in self._chain(path, plugin.module))

    def _in_hooks(self, path: str) -> Iterator[str]:
        """What pytest's hooks in a plugin import: some of them run before any test file is imported."""
        for statement in self._modules.facts[path].imports:
            if statement.symbol.startswith("pytest_") and statement.flags & LAZY:
                for module in statement.modules:
                    yield from self._modules.executed_by(path, statement, module)

    def _chain(self, path: str, module: str) -> list[str]:
        """What importing a module executes, packages from the outermost; empty where the tree has no such module."""
        targets = self._modules.resolve(path, 0, module).targets
        if not targets:
            return []
        files = [file for file in self._modules.executed(targets[0]) if file in self._modules.facts]
        return sorted(files, key=_by_depth) if targets[0].path in files else []

    def _packages(self, folder: str) -> list[str]:
        """The packages that a folder is in, from the outermost."""
        found = []
        while f"{folder}/__init__.py" in self._modules.facts:
            found.append(f"{folder}/__init__.py")
            folder = parent_of(folder)
        return found[::-1]


def _folders(folder: str) -> list[str]:
    """A folder and those above it, from the outermost."""
    parts = folder.split("/") if folder else []
    return ["/".join(parts[:end]) for end in range(len(parts) + 1)]
