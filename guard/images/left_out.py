"""What `.dockerignore` leaves out of a build that its image cannot do without."""

from __future__ import annotations

import posixpath
import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec

from guard.checks.breakage import NOT_SURE_TO_RUN
from guard.checks.broken_imports import handler_of
from guard.checks.elsewhere import Asked, asked_modules, certain_target, is_made
from guard.checks.module_facts import CONDITIONAL, Import
from guard.checks.modules import FAMILY as MODULES
from guard.checks.modules import Modules
from guard.dockerignore import Pattern
from guard.entrypoints import EntryPoint
from guard.images.builds import Build, find_builds
from guard.images.dockerfile import Copy
from guard.impact import reach_of
from guard.program import Program
from guard.sources.context import Context, find_context

_RUN_BY_NAME: Final = ("__main__.py", "celery.py")
"""Modules of a package that only some of its uses execute."""


class Sent(msgspec.Struct, frozen=True):
    """A build, with what of its folder is sent."""

    build: Build
    context: Context


class LostCopy(msgspec.Struct, frozen=True):
    """A `COPY` or `ADD` of a path that is not sent: the build fails there."""

    sent: Sent
    copy: Copy
    source: str
    """The path of the context."""
    pattern: Pattern


class LostStart(msgspec.Struct, frozen=True):
    """What the image starts, and is not sent."""

    sent: Sent
    line: int
    named: str
    """As the command has it."""
    file: str
    pattern: Pattern
    copy: Copy
    """What would have brought it into the image."""


class LostImport(msgspec.Struct, frozen=True):
    """An import that runs when the image starts, of a module that is not in it."""

    sent: Sent
    line: int
    """The CMD or ENTRYPOINT."""
    path: str
    statement: Import
    asked: Asked
    file: str
    pattern: Pattern | None
    """What leaves it out; None where no `COPY` takes it either."""


class LeftOut(msgspec.Struct, frozen=True):
    """All of it, in the order of the builds."""

    copies: tuple[LostCopy, ...] = ()
    starts: tuple[LostStart, ...] = ()
    imports: tuple[LostImport, ...] = ()


def left_out_of(program: Program) -> LeftOut:
    """What the builds of the tree lack, found once."""
    found = program.remembered.get("left out of images")
    if not isinstance(found, LeftOut):
        found = program.remembered["left out of images"] = _find(program)
    return found


def _find(program: Program) -> LeftOut:
    builds = []
    for build in find_builds(program.tree):
        context = find_context(program.tree, build.context, build.path)
        if context is not None and build.dockerfile.chain(build.target):
            builds.append(Sent(build, context))
    copies = [lost for sent in builds for lost in _lost_copies(sent)]
    steps: dict[frozenset[str], _Steps] = {}
    starts: list[LostStart] = []
    imports: list[LostImport] = []
    for sent in builds:
        image = _Image(program, sent)
        if image.is_known:
            starts += image.lost_starts()
            roots = image.roots()
            if roots not in steps:
                steps[roots] = _Steps(program.linked(MODULES), roots)
            imports += image.lost_imports(steps[roots])
    return LeftOut(tuple(copies), tuple(starts), tuple(imports))


def _lost_copies(sent: Sent) -> Iterator[LostCopy]:
    build = sent.build
    for stage in build.dockerfile.needed(build.target):
        for copy in stage.copies:
            for source in copy.sources:
                place = build.place(source)
                pattern = sent.context.leaves_out_all_of(place) if source else None
                if pattern is not None and place not in (build.path, sent.context.source):
                    yield LostCopy(sent, copy, source, pattern)


class _Step(msgspec.Struct, frozen=True):
    """One import that certainly runs when its file is imported, and whose failure nobody catches."""

    statement: Import
    needed: tuple[tuple[Asked, str, str], ...]
    """What it asks for, with the place that has to be there, a file or a folder, and the file that it leads to."""
    executed: tuple[str, ...]
    """The files that it executes."""


class _Steps:
    """The imports of files, looked at once for all images that have the same `roots`: the folders that what they start
    is certainly found in."""

    def __init__(self, modules: Modules, roots: frozenset[str]) -> None:
        self._modules = modules
        self._roots = roots
        self._known: dict[str, tuple[_Step, ...]] = {}

    def of(self, path: str) -> tuple[_Step, ...]:
        """Those of one file, in their order."""
        found = self._known.get(path)
        if found is None:
            found = self._known[path] = tuple(self._find(path))
        return found

    def _find(self, path: str) -> Iterator[_Step]:
        modules = self._modules
        facts = modules.facts.get(path)
        if facts is None:
            return
        end = modules.left_at.get(path)
        for statement in facts.imports:
            if statement.flags & (NOT_SURE_TO_RUN | CONDITIONAL) or (end is not None and statement.line > end):
                continue
            if handler_of(facts, statement, missing_module=True) == (0, False):
                executed = [
                    file for module in statement.modules for file in modules.executed_by(path, statement, module)
                ]
                needed = tuple(self._needed(path, statement))
                if executed or needed:
                    yield _Step(statement, needed, tuple(dict.fromkeys(executed)))

    def _needed(self, path: str, statement: Import) -> Iterator[tuple[Asked, str, str]]:
        modules = self._modules
        for asked in asked_modules(statement):
            target = certain_target(path, asked, modules, self._roots)
            if target is None or not target.path or target.kind == "unknown" or is_made(asked, modules):
                continue
            # Without its __init__.py a package is one without: only where all of it is gone, it cannot be imported.
            is_folder = target.kind in ("package", "namespace")
            place = modules.layout.folder_of(target) if is_folder else target.path
            if place:
                yield asked, place, target.path


class _Image:
    """What one image holds and runs, by the paths that its files have in the tree."""

    def __init__(self, program: Program, sent: Sent) -> None:
        self._program = program
        self._sent, self._build, self._context = sent, sent.build, sent.context
        build = sent.build
        self._stages = build.dockerfile.needed(build.target)
        self._chain = build.dockerfile.chain(build.target)
        self._copies = [copy for stage in self._stages for copy in stage.copies if not copy.origin]
        self._commands = "\n".join(stage.commands for stage in self._stages)

    @property
    def is_known(self) -> bool:
        """Whether files can come into it only by what its Dockerfile copies."""
        return not any(stage.fetches for stage in self._stages) and not any(copy.is_vague for copy in self._copies)

    def lost_starts(self) -> Iterator[LostStart]:
        """What its command starts and is not sent."""
        for entry in self._entries():
            for file in self._files(entry):
                # Without its __init__.py a package is one without.
                lost = self._lost(file.removesuffix("/__init__.py"))
                if lost is not None:
                    yield LostStart(self._sent, entry.line, entry.script or entry.module, file, *lost)
                    break

    def roots(self) -> frozenset[str]:
        """The folders that Python certainly looks for modules in: where it finds what the image starts."""
        found = set()
        for entry in self._entries():
            for file in self._files(entry):
                tail = f"{entry.module.replace('.', '/')}.py" if entry.module else posixpath.basename(file)
                module = file.removesuffix("/__init__.py") + ".py" if file.endswith("/__init__.py") else file
                if f"/{module}".endswith(f"/{tail}"):
                    found.add(module[: -len(tail)].rstrip("/"))
        return frozenset(found)

    def lost_imports(self, steps: _Steps) -> Iterator[LostImport]:
        """The imports that certainly run when it starts, of modules that are not in it."""
        waiting: deque[tuple[str, int]] = deque()
        for entry in self._entries():
            files = self._files(entry)
            if all(map(self._is_in, files)):
                waiting.extend((file, entry.line) for file in files)
        seen = {path for path, _ in waiting}
        while waiting:
            path, line = waiting.popleft()
            for step in steps.of(path):
                lost = self._lost_import(path, step, line)
                if lost is not None:
                    yield lost
                    continue
                for file in step.executed:
                    if file not in seen and self._is_in(file):
                        seen.add(file)
                        waiting.append((file, line))

    def _lost_import(self, path: str, step: _Step, line: int) -> LostImport | None:
        for asked, place, file in step.needed:
            lost = self._lost(place)
            if lost is not None:
                return LostImport(self._sent, line, path, step.statement, asked, file, lost[0])
            if self._is_not_copied(place, asked):
                return LostImport(self._sent, line, path, step.statement, asked, file, None)
        return None

    def _entries(self) -> list[EntryPoint]:
        lines = self._build.dockerfile.starting_lines(self._build.target)
        reach = reach_of(self._program)
        return [entry for entry in reach.entry_points if entry.path == self._build.path and entry.line in lines]

    def _files(self, entry: EntryPoint) -> Sequence[str]:
        """The files that an entry point certainly executes first."""
        return self._script(entry) if entry.script else self._modules_of(entry)

    def _modules_of(self, entry: EntryPoint) -> Sequence[str]:
        """The files that a module's name certainly executes."""
        files = reach_of(self._program).starts[entry]
        own = entry.module.rpartition(".")[2] + ".py"
        return [
            file
            for file in files
            if posixpath.basename(file) not in _RUN_BY_NAME or entry.executed or posixpath.basename(file) == own
        ]

    def _script(self, entry: EntryPoint) -> list[str]:
        """The file that is copied to where the command looks for a script; none where that is not certain."""
        script = entry.script
        if "$" in script:
            return []
        if not script.startswith("/"):
            folder = next((stage.folder for stage in self._chain), "")
            if not folder:
                return []
            script = posixpath.join(folder, script)
        script = posixpath.normpath(script)
        copies = [copy for stage in self._chain for copy in stage.copies]
        if any(not copy.destination for copy in copies):
            return []
        found = {place for copy in copies for place in self._places_of(copy, script)}
        there = found & self._program.tree.files.keys()
        return list(there) if len(there) == 1 else []

    def _places_of(self, copy: Copy, script: str) -> Iterator[str]:
        """The paths of the tree whose files a `COPY` puts at an absolute path of the image."""
        for source in copy.sources:
            place = self._build.place(source)
            if place in self._program.tree.files:
                lands = copy.destination
                inside = posixpath.join(lands, posixpath.basename(place))
                if script == inside or (script == lands and not copy.into_folder):
                    yield place
            elif script.startswith(copy.destination.rstrip("/") + "/"):
                below = script[len(copy.destination.rstrip("/")) + 1 :]
                yield posixpath.join(place, below)

    def _copying(self, path: str) -> Copy | None:
        """The last `COPY` that takes a path of the tree, if it is sent."""
        if not self._context.holds(path):
            return None
        inside = self._context.inside(path)
        for copy in reversed(self._copies):
            if _takes(copy, inside):
                return copy
        return None

    def _is_in(self, path: str) -> bool:
        """Whether a file of the tree is sent, and copied."""
        return self._copying(path) is not None and self._context.leaves_out(path) is None

    def _lost(self, path: str) -> tuple[Pattern, Copy] | None:
        """Why a path of the tree is not in the image that would be, were it sent; None where it is, or may be."""
        copy = self._copying(path)
        pattern = self._context.leaves_out_all_of(path) if copy is not None else None
        if copy is None or pattern is None or self._build.is_mounted(path) or self._comes_otherwise(path):
            return None
        return pattern, copy

    def _is_not_copied(self, path: str, asked: Asked) -> bool:
        """Whether nothing brings a path of the context into the image, nor anything that is in it."""
        if self._copying(path) is not None or not self._context.holds(path) or self._build.is_mounted(path):
            return False
        inside = self._context.inside(path)
        if any(stage.binds for stage in self._stages) or any(
            source.startswith(f"{inside}/") for copy in self._copies for source in copy.sources
        ):
            return False
        top = asked.module.partition(".")[0]
        if asked.statement.level <= 0 and self._program.linked(MODULES).layout.asked_for.sounds_like(top):
            return False
        return not self._comes_otherwise(path)

    def _comes_otherwise(self, path: str) -> bool:
        """Whether a command may make the file, or another one is copied to its place."""
        inside = self._context.inside(path)
        parts = inside.split("/")
        left = [part for number, part in enumerate(parts) if self._context.leaves_out(_upto(path, parts, number))]
        if any(_mentions(self._commands, part.partition(".")[0]) for part in left or (parts[0], parts[-1])):
            return True
        tails = ["/".join(parts[number:]) for number in range(len(parts))]
        for copy in self._copies:
            name = posixpath.basename(copy.destination)
            if name in (parts[-1], parts[-1].partition(".")[0]) and not _takes(copy, inside):
                return True
            for source in copy.sources:
                if any(self._is_elsewhere(posixpath.join(source, tail), inside) for tail in tails):
                    return True
        return False

    def _is_elsewhere(self, other: str, inside: str) -> bool:
        """Whether another path of the context than `inside` is a file or a package, and is sent."""
        place = self._build.place(other)
        files = self._program.tree.files
        if other == inside or not (place in files or f"{place}/__init__.py" in files):
            return False
        return self._context.leaves_out(place) is None


def _takes(copy: Copy, inside: str) -> bool:
    """Whether a `COPY` takes a path of the context, or a folder that it is in."""
    return any(not source or f"{inside}/".startswith(f"{source}/") for source in copy.sources)


def _upto(path: str, parts: Sequence[str], number: int) -> str:
    """A path of the tree without what stands behind one of the last parts of it."""
    behind = "/".join(parts[number + 1 :])
    return path[: len(path) - len(behind)].rstrip("/") if behind else path


def _mentions(text: str, word: str) -> bool:
    return bool(word) and re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text) is not None


def merged(losts: Iterable[LostImport]) -> Iterator[tuple[LostImport, ...]]:
    """What several images lack for one import, together."""
    found: dict[tuple[str, int, int, str, str], list[LostImport]] = {}
    for lost in losts:
        statement = lost.statement
        key = (lost.path, statement.line, statement.column, lost.asked.module, lost.asked.name)
        found.setdefault(key, []).append(lost)
    yield from (tuple(found[key]) for key in sorted(found))
