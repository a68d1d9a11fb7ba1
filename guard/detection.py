"""What guard found out about a tree by itself, each thing with the reason why: what `guard config` shows.

Pure: a linked program in, values out. Nothing here changes a verdict; it reads what the verdicts are made from.
"""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from guard.checks.modules import FAMILY as MODULES
from guard.checks.modules import Modules
from guard.checks.projects import projects_of
from guard.dependencies.environments import installed
from guard.entrypoints import EntryPoint
from guard.impact import Reach, reach_of
from guard.model import Impact
from guard.program import Program
from guard.target import deployed_dockerfiles

FRAMEWORKS: Final = ("aiohttp", "celery", "django", "fastapi", "flask", "starlette")
"""Top-level modules whose use guard tells."""

_PROJECT_FILES: Final = ("pyproject.toml", "setup.py", "setup.cfg")


class SourceRoot(msgspec.Struct, frozen=True, kw_only=True):
    """A folder that modules are imported from. `path` is empty for the top of the tree."""

    path: str
    why: str
    imports: int
    """How many imports lead through it to something below a package of it."""


class FoundEntryPoint(msgspec.Struct, frozen=True, kw_only=True):
    """Where a deployed process starts. Exactly one of `module` and `script` is set."""

    path: str
    """The file that names it; empty for one that the configuration names."""
    line: int
    module: str
    script: str
    leads_to: tuple[str, ...]
    """The files of the tree that it executes first, as far as they are known."""


class Framework(msgspec.Struct, frozen=True, kw_only=True):
    """A framework, and how many files import it."""

    name: str
    files: int


class FoundProject(msgspec.Struct, frozen=True, kw_only=True):
    """A folder whose files say what is to be installed. `path` is empty for the top of the tree."""

    path: str
    files: tuple[str, ...]
    """The files of this folder that say so."""
    distributions: int
    """How many distributions code of the project may count on, those of the folders above and below too."""
    whole: bool
    """Whether that is all: False where some list is computed, or an image may bring more."""
    environment: str
    """The environment that its code is taken to run in; empty for none."""


class Area(msgspec.Struct, frozen=True, kw_only=True):
    """The Python files of one kind: how many, and the folders (or single files) with nothing else, largest first."""

    files: int
    places: tuple[str, ...]


class Detected(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that was found."""

    roots: tuple[SourceRoot, ...]
    """The most used first."""
    entry_points: tuple[FoundEntryPoint, ...]
    startup: int
    """Python files that are executed when a deployed process starts."""
    dockerfiles: tuple[str, ...]
    """Those that build what is deployed: not those of tests, examples and development."""
    projects: tuple[FoundProject, ...]
    frameworks: tuple[Framework, ...]
    tests: Area
    tooling: Area
    production: int
    """Python files that are neither tests nor tooling."""


def detect(program: Program) -> Detected:
    """What there is to know about the program's tree."""
    modules = program.linked(MODULES)
    reach = reach_of(program)
    kinds = {path: reach.kind(path) for path, file in program.files.items() if file.kind == "python"}
    return Detected(
        roots=tuple(_roots(program, modules, list(kinds))),
        entry_points=tuple(_entry_points(modules, reach)),
        startup=len(reach.startup & kinds.keys()),
        dockerfiles=tuple(deployed_dockerfiles(program.tree, program.config)),
        projects=tuple(_projects(program)),
        frameworks=tuple(_frameworks(modules)),
        tests=_area(kinds, Impact.TESTS),
        tooling=_area(kinds, Impact.TOOLING),
        production=sum(kind is Impact.RUNTIME for kind in kinds.values()),
    )


def _roots(program: Program, modules: Modules, paths: list[str]) -> Iterator[SourceRoot]:
    used: Counter[str] = Counter()
    for path, facts in modules.facts.items():
        for name in (name for statement in facts.imports if statement.level <= 0 for name in statement.modules):
            if "." in name:
                used.update(modules.resolve(path, 0, name).roots)
    holds_for: dict[str, str] = {}
    for path in paths:
        for root in modules.layout.roots.of(path)[0]:
            holds_for.setdefault(root, path)
    # A folder that is put on `sys.path` need not be one of this tree.
    roots = {root for root in holds_for.keys() | used.keys() if not root or root in modules.layout.folders}
    for root in sorted(roots, key=lambda root: (-used[root], root)):
        yield SourceRoot(path=root, why=_why_root(root, program, modules, holds_for), imports=used[root])


def _why_root(root: str, program: Program, modules: Modules, holds_for: Mapping[str, str]) -> str:
    if root in program.config.roots:
        return "configured in roots"
    if not root:
        return "the top of the tree"
    for name in _PROJECT_FILES:
        if f"{root}/{name}" in program.tree.files:
            return f"holds {name}"
    if root in modules.layout.roots.strong:
        return "the source folder of a project"
    if root in holds_for:
        return f"on sys.path, or in a project's configuration, for {holds_for[root]}"
    return "above files whose imports are found in it"


def _entry_points(modules: Modules, reach: Reach) -> Iterator[FoundEntryPoint]:
    by_script: dict[EntryPoint, list[str]] = {}
    for path, entry in reach.scripts.items():
        by_script.setdefault(entry, []).append(path)
    for entry in reach.entry_points:
        found = by_script.get(entry, [])
        if entry.script == entry.path:
            found = [entry.path]
        if entry.module:
            targets = modules.resolve(entry.path, 0, entry.module).targets
            found = [target.path for target in targets if target.kind in ("module", "package")]
        yield FoundEntryPoint(
            path=entry.path,
            line=entry.line,
            module=entry.module,
            script=entry.script,
            leads_to=tuple(sorted(found)),
        )


def _projects(program: Program) -> Iterator[FoundProject]:
    projects = projects_of(program)
    for folder in sorted(projects.folders):
        inside = f"{folder}/pyproject.toml" if folder else "pyproject.toml"
        view = projects.view_of(inside)
        environment = installed(program).environment_of(inside)
        yield FoundProject(
            path=folder,
            files=projects.files_of(folder),
            distributions=len(view.asked.keys() | view.locked.keys()),
            whole=not view.is_open,
            environment=environment.packages.label if environment is not None else "",
        )


def _frameworks(modules: Modules) -> Iterator[Framework]:
    files: Counter[str] = Counter()
    for facts in modules.facts.values():
        imported: set[str] = set()
        for statement in facts.imports:
            if statement.level < 0:
                imported.update(alias.name.partition(".")[0] for alias in statement.aliases)
            elif not statement.level:
                imported.add(statement.module.partition(".")[0])
        files.update(imported.intersection(FRAMEWORKS))
    yield from (Framework(name=name, files=files[name]) for name in FRAMEWORKS if files[name])


def _area(kinds: Mapping[str, Impact], wanted: Impact) -> Area:
    """The files of a kind, told by the highest folders that hold Python files of no other kind."""
    total: Counter[str] = Counter()
    inside: Counter[str] = Counter()
    for path, kind in kinds.items():
        for folder in _folders_above(path):
            total[folder] += 1
            inside[folder] += kind is wanted
    places: Counter[str] = Counter()
    for path, kind in kinds.items():
        if kind is wanted:
            pure = [folder for folder in _folders_above(path) if total[folder] == inside[folder]]
            places[f"{pure[-1]}/" if pure else path] += 1
    return Area(files=places.total(), places=tuple(sorted(places, key=lambda place: (-places[place], place))))


def _folders_above(path: str) -> Iterator[str]:
    """The folders that a path is in, the nearest first, without the top of the tree."""
    folder = posixpath.dirname(path)
    while folder:
        yield folder
        folder = posixpath.dirname(folder)
