"""What an image holds of the tree, and what it starts."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Final

from guard.checks.elsewhere import Asked
from guard.checks.modules import FAMILY as MODULES
from guard.checks.roots import PROJECT_FILES
from guard.dockerignore import Pattern
from guard.entrypoints import EntryPoint
from guard.images.builds import Build
from guard.images.dockerfile import Copy
from guard.impact import reach_of
from guard.program import Program
from guard.sources.context import Context

_RUN_BY_NAME: Final = ("__main__.py", "celery.py")
"""Modules of a package that only some of its uses execute."""


class Image:
    """What one image holds and runs, by the paths that its files have in the tree."""

    def __init__(self, program: Program, build: Build, context: Context) -> None:
        self._program = program
        self.build, self.context = build, context
        self._stages = build.dockerfile.needed(build.target)
        self._chain = build.dockerfile.chain(build.target)
        self._copies = [copy for stage in self._stages for copy in stage.copies if not copy.origin]
        self._commands = "\n".join(stage.commands for stage in self._stages)
        self._held: dict[str, bool] = {}

    @cached_property
    def is_known(self) -> bool:
        """Whether files can come into it only by what its Dockerfile copies."""
        return not any(stage.fetches for stage in self._stages) and not any(copy.prefixes for copy in self._copies)

    @cached_property
    def roots(self) -> frozenset[str]:
        """The folders that Python certainly looks for modules in: where it finds what the image starts."""
        found = set()
        for entry in self.entries:
            for file in self.files_of(entry):
                if not file.endswith(".py"):
                    continue
                tail = f"{entry.module.replace('.', '/')}.py" if entry.module else posixpath.basename(file)
                module = file.removesuffix("/__init__.py") + ".py" if file.endswith("/__init__.py") else file
                if f"/{module}".endswith(f"/{tail}"):
                    found.add(module[: -len(tail)].rstrip("/"))
        return frozenset(found)

    @cached_property
    def entries(self) -> tuple[EntryPoint, ...]:
        """What its CMD and ENTRYPOINT start."""
        lines = self.build.dockerfile.starting_lines(self.build.target)
        reach = reach_of(self._program)
        return tuple(entry for entry in reach.entry_points if entry.path == self.build.path and entry.line in lines)

    @cached_property
    def packages(self) -> tuple[str, ...]:
        """The folders of the topmost packages that what it starts is in, with `/` behind them."""
        layout = self._program.linked(MODULES).layout
        found: dict[str, None] = {}
        for entry in self.entries:
            for file in self.files_of(entry):
                folder = top = posixpath.dirname(file)
                while folder and folder in layout.packages:
                    top, folder = folder, posixpath.dirname(folder)
                if top in layout.packages:
                    found[f"{top}/"] = None
        return tuple(found)

    def files_of(self, entry: EntryPoint) -> Sequence[str]:
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
            place = self.build.place(source)
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
        if not self.context.holds(path):
            return None
        inside = self.context.inside(path)
        for copy in reversed(self._copies):
            if _takes(copy, inside):
                return copy
        return None

    def holds(self, path: str) -> bool:
        """Whether a file of the tree is sent, and copied."""
        found = self._held.get(path)
        if found is None:
            found = self._copying(path) is not None and self.context.leaves_out(path) is None
            self._held[path] = found
        return found

    def may_hold(self, path: str) -> bool:
        """Whether a file of the tree may be in it, as far as its own `COPY` say."""
        if self.holds(path):
            return True
        if not self.context.holds(path) or self.context.leaves_out(path) is not None:
            return False
        inside = self.context.inside(path)
        return any(inside.startswith(prefix) for copy in self._copies for prefix in copy.prefixes)

    def lost(self, path: str) -> tuple[Pattern, Copy] | None:
        """Why a path of the tree is not in the image that would be, were it sent; None where it is, or may be."""
        copy = self._copying(path)
        pattern = self.context.leaves_out_all_of(path) if copy is not None else None
        if copy is None or pattern is None or self.build.is_mounted(path) or self._comes_otherwise(path):
            return None
        return pattern, copy

    def is_not_copied(self, path: str, asked: Asked) -> bool:
        """Whether nothing brings a path of the context into the image, nor anything that is in it."""
        if self._copying(path) is not None or not self.context.holds(path) or self.build.is_mounted(path):
            return False
        inside = self.context.inside(path)
        if any(stage.binds for stage in self._stages) or any(
            source.startswith(f"{inside}/") for copy in self._copies for source in copy.sources
        ):
            return False
        if self._is_distribution(path):
            return False
        top = asked.module.partition(".")[0]
        if asked.statement.level <= 0 and self._program.linked(MODULES).layout.asked_for.sounds_like(top):
            return False
        return not self._comes_otherwise(path)

    def _is_distribution(self, path: str) -> bool:
        """Whether a path lies in a project of its own below the context, which may be installed from elsewhere."""
        folder = posixpath.dirname(path)
        while folder and folder != self.build.context:
            if any(posixpath.join(folder, name) in self._program.tree.files for name in PROJECT_FILES):
                return True
            folder = posixpath.dirname(folder)
        return False

    def _comes_otherwise(self, path: str) -> bool:
        """Whether a command may make the file, or another one is copied to its place."""
        inside = self.context.inside(path)
        parts = inside.split("/")
        left = [part for number, part in enumerate(parts) if self.context.leaves_out(_upto(path, parts, number))]
        if any(_mentions(self._commands, part.partition(".")[0]) for part in left or (parts[0], parts[-1])):
            return True
        tails = ["/".join(parts[number:]) for number in range(len(parts))]
        for copy in self._copies:
            if not _takes(copy, inside) and _is_for(copy, parts):
                return True
            for source in copy.sources:
                if any(self._is_elsewhere(posixpath.join(source, tail), inside) for tail in tails):
                    return True
        return False

    def _is_elsewhere(self, other: str, inside: str) -> bool:
        """Whether another path of the context than `inside` is a file or a package, and is sent."""
        place = self.build.place(other)
        files = self._program.tree.files
        if other == inside or not (place in files or f"{place}/__init__.py" in files):
            return False
        return self.context.leaves_out(place) is None


def _takes(copy: Copy, inside: str) -> bool:
    """Whether a `COPY` takes a path of the context, or a folder that it is in."""
    return any(not source or f"{inside}/".startswith(f"{source}/") for source in copy.sources)


def _is_for(copy: Copy, parts: Sequence[str]) -> bool:
    """Whether a `COPY` of something else puts it where a path belongs, given as its parts, or its topmost folder."""
    name = posixpath.basename(copy.destination)
    if name == parts[0] and len(parts) > 1:
        return not any(f"{source}/".startswith(f"{name}/") for source in copy.sources)
    return name in (parts[-1], parts[-1].partition(".")[0])


def _upto(path: str, parts: Sequence[str], number: int) -> str:
    """A path of the tree without what stands behind one of the last parts of it."""
    behind = "/".join(parts[number + 1 :])
    return path[: len(path) - len(behind)].rstrip("/") if behind else path


def _mentions(text: str, word: str) -> bool:
    return bool(word) and re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text) is not None
