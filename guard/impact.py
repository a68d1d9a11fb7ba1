"""What a finding in a file would hit: start-up, run time, tests or tooling."""

from __future__ import annotations

import posixpath
import re
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from guard.checks.module_facts import BRANCHED, LAZY, MAIN, TYPING, Import
from guard.checks.modules import FAMILY as MODULES
from guard.checks.modules import Modules
from guard.config import matcher
from guard.entrypoints import EntryPoint, ending_with, find_entry_points, served_by
from guard.model import Impact
from guard.program import Program

_TEST_FOLDERS: Final = frozenset(
    {"tests", "test", "testing", "e2e", "testdata", "test_data", "fixtures", "integration_tests"}
)
_END_TO_END: Final = re.compile(r"^e2e[_-]|[_-]e2e$")
"""Folders such as `e2e_playwright`."""
_TEST_FILE: Final = re.compile(r"^(test_.*|.*_tests?|tests|conftest)\.pyi?$")
_TOOLING_FOLDERS: Final = frozenset(
    {
        *("scripts", "script", "tools", "tool", "dev", "docs", "doc", "examples", "example", "benchmarks", "benchmark"),
        *("bench", "ci", ".github", ".gitlab", ".circleci", "utils_dev", "notebooks", "samples", "contrib", "hack"),
    }
)
_TOOLING_FILES: Final = frozenset(
    {"setup.py", "noxfile.py", "tasks.py", "fabfile.py", "dodo.py", "conf.py", "hatch_build.py"}
)

_NOT_SERVING: Final = frozenset({"pyproject.toml", "setup.py", "setup.cfg", "wsgi.py", "asgi.py"})


class Started(msgspec.Struct, frozen=True, array_like=True):
    """What is executed when deployed processes start, as an earlier run has found it."""

    startup: frozenset[str]
    scripts: Mapping[str, EntryPoint]
    mains: frozenset[str]


class Reach:
    """The files that are executed when a deployed service starts, and what every other file is for."""

    def __init__(self, program: Program, started: Started | None = None) -> None:
        """With what is `started`, nothing is looked for, and no more than that is known of entry points."""
        self._program = program
        modules = program.linked(MODULES)
        self._kinds: dict[str, Impact] = {}
        self._packages = modules.layout.packages
        self._tests = matcher(program.config.tests)
        self._tooling = matcher(program.config.tooling)
        self.entry_points: tuple[EntryPoint, ...] = ()
        self.starts: dict[EntryPoint, tuple[str, ...]] = {}
        """By entry point, also those that the code of others starts: the files that it executes first."""
        self.served: frozenset[str] = frozenset()
        """The files that deployed processes execute first, as far as something that deploys them says so: not those
        that only a console script executes, or that are called `wsgi.py`."""
        self.scripts: Mapping[str, EntryPoint] = {}
        """The files that are run by their path, with what runs them."""
        self.mains: frozenset[str] = frozenset()
        """The files that a deployed process executes as `__main__`, by their path or by `python -m`."""
        if started is not None:
            self.startup, self.scripts, self.mains = started.startup, started.scripts, started.mains
        else:
            self._look(program, modules)

    def _look(self, program: Program, modules: Modules) -> None:
        self.entry_points = find_entry_points(program.tree, tuple(program.config.entry_points))
        self.starts = {entry: tuple(_files_of(entry, program, modules)) for entry in self.entry_points}
        self.served = frozenset(
            path
            for entry, paths in self.starts.items()
            if posixpath.basename(entry.path) not in _NOT_SERVING
            for path in paths
        )
        named = {path for paths in self.starts.values() for path in paths}
        for entry in served_by(program.tree, sorted(named)):
            self.starts[entry] = tuple(_files_of(entry, program, modules))
        self.startup = reached({path for paths in self.starts.values() for path in paths}, modules)
        self.scripts = {
            path: entry
            for entry in self.entry_points
            if entry.script and entry.script != entry.path
            for path in self.starts[entry]
        }
        self.mains = frozenset(
            path for entry, paths in self.starts.items() if entry.script or entry.executed for path in paths
        )

    def runs_at_start(self, path: str, statement: Import) -> bool:
        """Whether an import runs whenever a process starts that executes the file: it stands in no function, in no
        branch, and not where it is read by type checkers alone."""
        if statement.flags & (LAZY | TYPING):
            return False
        if statement.flags & MAIN:
            return path in self.mains
        return not statement.flags & BRANCHED

    def of(self, path: str, *, lazy: bool = False) -> Impact:
        """The impact of a finding in `path`; `lazy` for code that runs only when it is called."""
        if path in self.startup:
            return Impact.RUNTIME if lazy else Impact.STARTUP
        return self.kind(path)

    def kind(self, path: str) -> Impact:
        """What a file is for, by where it lies: tests, tooling, or production (`runtime`)."""
        kind = self._kinds.get(path)
        if kind is None:
            kind = self._kinds[path] = self._find_kind(path)
        return kind

    def _find_kind(self, path: str) -> Impact:
        *folders, name = path.split("/")
        if self._tests(path) or _TEST_FILE.match(name) or not _TEST_FOLDERS.isdisjoint(folders):
            return Impact.TESTS
        if any(map(_END_TO_END.search, folders)):
            return Impact.TESTS
        is_tool = (
            name in _TOOLING_FILES and "/".join(folders) not in self._packages
        )  # there it is Celery's, or Django's
        if self._tooling(path) or is_tool or self._in_tooling(folders):
            return Impact.TOOLING
        return Impact.RUNTIME

    def _in_tooling(self, folders: list[str]) -> bool:
        """Whether a folder above is one for tools: near the top, or in a project of the tree, but not in a package."""
        return any(
            name in _TOOLING_FOLDERS and (depth < 2 or "/".join(folders[:depth]) not in self._packages)
            for depth, name in enumerate(folders)
        )


def reach_of(program: Program) -> Reach:
    """The reach of a program, computed once."""
    found = program.remembered.get("reach")
    if not isinstance(found, Reach):
        found = program.remembered["reach"] = Reach(program)
    return found


def reached(starts: Iterable[str], modules: Modules, *, certain: bool = False) -> frozenset[str]:
    """The files that are executed when some files are; with `certain`, those only that certainly are."""
    seen = set(starts)
    queue = deque(seen)
    while queue:
        for path in modules.imported_at_start(queue.popleft(), certain=certain):
            if path not in seen:
                seen.add(path)
                queue.append(path)
    return frozenset(seen)


def _files_of(entry: EntryPoint, program: Program, modules: Modules) -> list[str]:
    """The files that an entry point executes first: those that its words certainly mean."""
    if entry.module:
        return _module_files(entry, program, modules)
    script = posixpath.normpath(entry.script).lstrip("/")
    beside = posixpath.normpath(posixpath.join(posixpath.dirname(entry.path), script))
    if beside in program.files:
        return [beside]
    found = ending_with(program.files, script)
    return [found] if found is not None else []


def _module_files(entry: EntryPoint, program: Program, modules: Modules) -> list[str]:
    """The module, the packages above it, and what `python -m` or celery look for in it where it is a package."""
    resolution = modules.resolve(entry.path or "guard.toml", 0, entry.module)
    found = [target.path for target in resolution.targets if target.kind in ("module", "package")]
    if not found:
        place = _by_name(entry, program)
        found = [place] if place is not None else []
    executed: dict[str, None] = {}
    for path in found:
        folder = posixpath.dirname(path)
        while folder and folder in modules.layout.packages:
            executed[f"{folder}/__init__.py"] = None
            folder = posixpath.dirname(folder)
        executed[path] = None
        if path.endswith("/__init__.py"):
            executed.update(
                dict.fromkeys(path.replace("/__init__.py", name) for name in ("/__main__.py", "/celery.py"))
            )
    return [path for path in executed if path in program.files]


def _by_name(entry: EntryPoint, program: Program) -> str | None:
    """The file of a module that no root of the tree leads to: an image may hold it below another folder."""
    tail = entry.module.replace(".", "/") + ".py"
    whole = [path for path in program.files if path == tail or path.endswith("/" + tail)]
    if whole:
        return whole[0] if len(whole) == 1 else None
    # `COPY . /srv/app` makes the package `app` of the folder that the Dockerfile stands in, or of the whole tree.
    for folder in (posixpath.dirname(entry.path), ""):
        place = posixpath.join(folder, tail.partition("/")[2])
        if place in program.files:
            return place
    return None
