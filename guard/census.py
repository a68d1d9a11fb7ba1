"""How much there is of a tree, file by file: what a score is a share of. Findings are not its business.

A *line* is one that is not blank (`guard.checks.line_counts`). What guard could not read counts for the most lines
that it can have, so that it never counts for less than it would if it were read.
"""

from __future__ import annotations

import enum
import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Final

import msgspec

from guard.checks.classes import FAMILY as CLASSES
from guard.checks.line_counts import FAMILY as LINES
from guard.checks.line_counts import MOST_LINES, LineCount, most_lines
from guard.checks.middleware import FAMILY as MIDDLEWARE
from guard.checks.modules import FAMILY as MODULES
from guard.checks.packing import pack
from guard.checks.requirements import is_lock_file, is_requirements_file
from guard.checks.roots import DECLARING, PROJECT_FILES
from guard.checks.strings import FAMILY as STRINGS
from guard.entrypoints import may_start
from guard.entrypoints.files import is_dockerfile
from guard.images.found import images_of, may_say_what_is_built, unparsed_in_images
from guard.impact import reach_of
from guard.model import Impact, Problem
from guard.sources.tree import ContentTree

if TYPE_CHECKING:
    from guard.checks.middleware_facts import Facts
    from guard.checks.modules import Modules
    from guard.facts import FileFacts
    from guard.program import Program
    from guard.sources.tree import Tree


class Area(enum.StrEnum):
    """What a file is for. Its lines weigh accordingly."""

    PRODUCTION = "production"
    TESTS = "tests"
    TOOLING = "tooling"


class Counted(msgspec.Struct, frozen=True, array_like=True):
    """One file that was read."""

    path: str
    area: Area
    lines: int
    python: bool = False
    """Python source or a stub."""
    parsed: bool = True
    middleware: bool = False
    """It sets up applications or middleware, or handles requests."""
    classes: bool = False
    """It defines classes, or uses some whose definition may be known."""
    doubtful: bool = False
    """It leans on Python that could not be read, by imports or by name, through any number of files: that nothing was
    found in it says nothing."""
    empty: bool = False
    """It holds nothing but white space: the score is as if it were not there."""
    dockerfile: bool = False
    """It is a Dockerfile. Then it is `doubtful` where it is not certain that all was seen of its image."""
    starts: bool = False
    """It may name modules that are started, and is no Python."""
    unparsed: tuple[str, ...] = ()
    """The production code in its image that does not parse."""


class Unread(msgspec.Struct, frozen=True, array_like=True):
    """One place that could not be read."""

    path: str
    area: Area
    lines: int
    """The most that it can have; -1 where it may have any number, as a folder that cannot be listed."""
    python: bool
    """Whether it may be Python."""
    kind: str
    """Of the problem, as in `PROBLEM_KINDS`."""
    dockerfile: bool = False
    """Whether it may be a Dockerfile."""
    starts: bool = False
    """Whether it may name modules that are started, and is no Python."""


class Census(msgspec.Struct, frozen=True, array_like=True):
    """All files of a tree that hold text, and what could not be read of it. Both sorted by path."""

    files: tuple[Counted, ...]
    unread: tuple[Unread, ...]
    projects: tuple[str, ...]
    """The folders that hold a project: they have a pyproject.toml, setup.py or setup.cfg."""
    is_partial: bool = False
    """Whether anything could not be read, in whatever part of the tree."""
    is_blind: bool = False
    """Whether that may be Python, or say what imports lead to."""
    hides_starts: bool = False
    """Whether that may say what is started, or what is in images."""
    has_empty: bool = False
    """Whether a file of the tree holds nothing but white space."""


NOTHING_COUNTED: Final = Census((), (), ())

_AREAS: Final[Mapping[Impact, Area]] = {Impact.TESTS: Area.TESTS, Impact.TOOLING: Area.TOOLING}
NEVER_READ: Final = frozenset({"outside-tree", "submodule", "special-file", "lfs-pointer"})
"""Problems of what is no source of the tree; but a Git LFS pointer that should be Python is."""
_NO_PLACE: Final = frozenset({"cache", "not-checked"})
"""Problems of no place in the tree."""
_UNKNOWN_SIZE: Final = frozenset({"missing-object", "lfs-pointer"})


def without_empty_files(
    tree: Tree, files: Mapping[str, FileFacts]
) -> tuple[Tree, Mapping[str, FileFacts], frozenset[str]]:
    """A tree and its facts without files that hold nothing but white space, so that adding one mends nothing: no import
    of a module that is missing, no lack of another file.

    An empty `__init__.py` in a folder that holds other Python stays, and is named in the third of what is given: it
    makes certain that what is not in the folder is nowhere, and nothing else (`Program.hollow`).
    """
    empty = {path for path, facts in files.items() if bytes(facts.parts.get(LINES.name, b"")) == _EMPTY}
    if not empty:
        return tree, files, frozenset()
    filled = {path: file for path, file in tree.files.items() if path not in empty}
    with_python: set[str] = set()
    for path in filled:
        folder = posixpath.dirname(path) if path.endswith((".py", ".pyi")) else ""
        while folder and folder not in with_python:
            with_python.add(folder)
            folder = posixpath.dirname(folder)
    hollow = frozenset(
        path for path in empty if path.endswith("/__init__.py") and posixpath.dirname(path) in with_python
    )
    kept = {path: facts for path, facts in files.items() if path not in empty or path in hollow}
    return ContentTree(tree, filled), kept, hollow


_EMPTY: Final = bytes(pack(LineCount(0)))


def take_census(program: Program, problems: Iterable[Problem], files: Mapping[str, FileFacts]) -> Census:
    """Count the files of a program. `problems` are all that the run has met; `files` may have empty files that the
    program does not have."""
    kind = reach_of(program).kind
    area = {path: _AREAS.get(kind(path), Area.PRODUCTION) for path in program.files}
    unread = tuple(sorted(_unread(program, problems), key=lambda one: one.path))
    missing = {one.path for one in unread}
    dockerfiles = images_of(program).dockerfiles
    doubtful = _leaning(program, {one.path for one in unread if one.python}) - dockerfiles
    is_lost = any(_says_what_is_imported(one.path) for one in unread)
    if is_lost:
        doubtful |= program.files.keys() - dockerfiles
    hides_images = any(one.dockerfile or may_say_what_is_built(one.path) for one in unread)
    if hides_images:
        doubtful |= dockerfiles
    doubtful |= images_of(program).passed_over
    unparsed = unparsed_in_images(program)
    lines = program.linked(LINES)
    with_middleware, with_classes = program.facts(MIDDLEWARE), program.facts(CLASSES)
    counted = []
    for path, facts in files.items():
        if path in missing or facts.problem is not None:
            continue
        if path not in program.files:
            area_of = _AREAS.get(kind(path), Area.PRODUCTION)
            counted.append(Counted(path=path, area=area_of, lines=0, python=facts.kind != "text", empty=True))
            continue
        classes = with_classes.get(path)
        counted.append(
            Counted(
                path=path,
                area=area[path],
                lines=lines.get(path, 0),
                python=facts.kind != "text",
                parsed=facts.parsed,
                middleware=path in with_middleware and _serves(with_middleware[path], facts.parts[MIDDLEWARE.name]),
                classes=classes is not None
                and bool(classes.classes or classes.calls or classes.uses or classes.chains or classes.updates),
                doubtful=path in doubtful,
                dockerfile=path in dockerfiles,
                starts=facts.kind == "text" and may_start(path),
                unparsed=unparsed.get(path, ()),
            )
        )
    projects = {posixpath.dirname(path) for path in program.tree.files if posixpath.basename(path) in PROJECT_FILES}
    blind = is_lost or any(one.python for one in unread)
    return Census(
        tuple(counted),
        unread,
        tuple(sorted(projects)),
        is_partial=bool(unread),
        is_blind=blind,
        hides_starts=blind or (hides_images and bool(dockerfiles)) or any(one.starts for one in unread),
        has_empty=bool(program.hollow) or len(files) > len(program.files),
    )


_SERVING: Final = re.compile(rb"middleware|starlette|fastapi", re.IGNORECASE)


def _serves(facts: Facts, raw: msgspec.Raw) -> bool:
    """Whether a file sets up applications or layers, or uses parts of requests. Much else is remembered of functions
    that may turn out to matter once the whole program is known; this must not depend on any other file."""
    return any(flow.touches for flow in facts.flows) or _SERVING.search(bytes(raw)) is not None


def _unread(program: Program, problems: Iterable[Problem]) -> Iterator[Unread]:
    """What could not be read, or not be understood, each place once."""
    kind = reach_of(program).kind
    told: set[str] = set()
    for problem in problems:
        path = problem.path
        facts = program.files.get(path)
        stands_for_python = problem.kind == "lfs-pointer" and path.endswith((".py", ".pyi"))
        if path in told or problem.kind in _NO_PLACE or (problem.kind in NEVER_READ and not stands_for_python):
            continue
        if facts is not None and facts.problem is None:
            continue  # it was read; what is wrong with it is something else
        told.add(path)
        area = _AREAS.get(kind(path), Area.PRODUCTION)
        lines = _most_lines(program, path, problem)
        name = posixpath.basename(path)
        # What may have any number of lines is a folder, and holds anything.
        python = lines < 0 or path.endswith((".py", ".pyi")) or "." not in name
        dockerfile = lines < 0 or is_dockerfile(name)
        yield Unread(path, area, lines, python, problem.kind, dockerfile, starts=not python and may_start(path))


def _says_what_is_imported(path: str) -> bool:
    """Whether a file may say where modules are found, or which distributions there are, by its name."""
    return posixpath.basename(path) in DECLARING or is_requirements_file(path) or is_lock_file(path)


def _most_lines(program: Program, path: str, problem: Problem) -> int:
    """The most lines that a place can have which could not be read; -1 for any number."""
    lines = program.linked(LINES).get(path)
    if lines:
        return lines  # read, and not understood
    if problem.kind in _UNKNOWN_SIZE:
        return MOST_LINES
    size = program.tree.size(path)
    if size is not None:
        return max(1, most_lines(size))
    return MOST_LINES if path in program.tree.files else -1


def _leaning(program: Program, unread: set[str]) -> frozenset[str]:
    """The files whose verdict may hang on Python that could not be read: those that name such a module anywhere in
    their imports or strings, those that speak of folders without `__init__.py`, which are packages only as far as some
    file is seen to import through them, and those that import any of these in turn."""
    if not unread:
        return frozenset()
    modules = program.linked(MODULES)
    program.facts(STRINGS)  # or else they may not have been gathered
    stems = [_stem(path).encode("utf-8", "surrogateescape") for path in sorted(unread)]
    loose = _loose_folders(modules)
    named = [f"{posixpath.basename(folder)}.".encode("utf-8", "surrogateescape") for folder in sorted(loose)]
    found = set()
    for path, facts in program.files.items():
        imports, strings = (bytes(facts.parts.get(name, b"")) for name in (MODULES.name, STRINGS.name))
        if any(stem in imports or stem in strings for stem in stems) or any(name in strings for name in named):
            found.add(path)
    importers: dict[str, list[str]] = {}
    for path, imported in _imports(modules):
        if imported in loose or not imported:
            found.add(path)
        importers.setdefault(imported, []).append(path)
    waiting = [*found, *unread]
    while waiting:
        for path in importers.get(waiting.pop(), ()):
            if path not in found:
                found.add(path)
                waiting.append(path)
    return frozenset(found)


def _loose_folders(modules: Modules) -> frozenset[str]:
    """The folders that hold Python and are no regular packages, nor seen to be packages in what was read."""
    layout = modules.layout
    holding = {posixpath.dirname(path) for path in layout.files} - layout.packages - {""}
    return frozenset(folder for folder in holding if not layout.is_imported_from_above(folder))


def _stem(path: str) -> str:
    """The last part of a module's dotted name."""
    folder, name = posixpath.split(path)
    stem = name.partition(".")[0]
    return posixpath.basename(folder) if stem == "__init__" else stem


def _imports(modules: Modules) -> Iterator[tuple[str, str]]:
    """Every file with every file that its imports may lead to; with nothing, for an import of which it is not certain
    where it leads although something in the tree has its first name."""
    layout = modules.layout
    for path, facts in modules.facts.items():
        for statement in facts.imports:
            named = [statement.module] if statement.level >= 0 else [alias.name for alias in statement.aliases]
            for module in named:
                resolution = modules.resolve(path, max(statement.level, 0), module)
                settled = resolution.targets or resolution.missing is not None
                if resolution.doubtful or not (settled or not layout.holders_of(module.partition(".")[0])):
                    yield path, ""
                for target in resolution.targets:
                    yield path, target.path
                    folder = layout.folder_of(target)
                    if folder is not None and folder not in layout.packages:
                        yield path, folder
                    for alias in statement.aliases if statement.level >= 0 and folder is not None else ():
                        below = layout.step(folder or "", alias.name)
                        if below is not None:
                            yield path, below.path
