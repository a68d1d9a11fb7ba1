"""Entry points that lead nowhere: what Dockerfiles, manifests, Procfiles, shell scripts and projects name.

The folders of an image are not those of the tree. So a module is missing only where no file of the tree could be it,
and an attribute only where every file that could be the module lacks it.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING

import msgspec

from guard.checks import modules, strings
from guard.checks.layout import Target
from guard.checks.strings_facts import OBJECT
from guard.checks.strings_resolve import Lost
from guard.entrypoints import EntryPoint

if TYPE_CHECKING:
    from guard.program import Program


class BrokenEntryPoint(msgspec.Struct, frozen=True):
    """An entry point that leads nowhere. Columns in UTF-8 bytes, from 1."""

    entry: EntryPoint
    shown: str
    line: int
    column: int
    end_column: int
    lost: Lost


def broken_entry_points(program: Program, entries: Iterable[EntryPoint]) -> Iterator[BrokenEntryPoint]:
    """The entry points that lead nowhere, in the order given."""
    finder = _Finder(program)
    for entry in entries:
        if entry.module and entry.path:
            lost = finder.lost(entry)
            if lost is not None:
                shown = f"{entry.module}:{entry.attribute}" if entry.attribute else entry.module
                yield BrokenEntryPoint(entry, shown, *_place(program, entry, shown), lost)


class _Finder:
    def __init__(self, program: Program) -> None:
        self._modules = program.linked(modules.FAMILY)
        self._resolver = program.linked(strings.FAMILY).resolver

    def lost(self, entry: EntryPoint) -> Lost | None:
        path, module = entry.path, entry.module
        resolver = self._resolver
        if not entry.attribute and not entry.executed:
            # Celery, gunicorn and flask take an attribute behind a dot for what it is.
            lost = resolver.lost(path, module.split("."), OBJECT)
            return lost if lost is not None and not self._may_be_elsewhere(module) else None
        missing = resolver.missing_module(path, 0, module)
        if missing is not None:
            return missing if not self._may_be_elsewhere(module) else None
        if entry.executed:
            if resolver.runs_as_main(path, module):
                return None
            return Lost(module, "__main__", module.count(".") + 1, as_module=True)
        lost = resolver.lost(path, [*module.split("."), *entry.attribute.split(".")], OBJECT)
        first = module.count(".") + 1
        if lost is None or lost.index < first:
            return None
        alike = self._alike(module)
        if lost.index > first:
            return lost if len(alike) < 2 else None
        return None if any(self._modules.binds(target, lost.name) for target in alike) else lost

    def _alike(self, module: str) -> list[Target]:
        """The files of the tree that an image may hold as the module."""
        tail = module.replace(".", "/")
        return [
            self._modules.target_of(path)
            for path in self._by_name.get(module.rpartition(".")[2], ())
            if f"/{path}".endswith((f"/{tail}.py", f"/{tail}/__init__.py"))
        ]

    @cached_property
    def _by_name(self) -> Mapping[str, list[str]]:
        """The modules of the tree by the last part of their names."""
        found: dict[str, list[str]] = {}
        for path in self._modules.facts:
            found.setdefault(posixpath.basename(path.removesuffix(".py").removesuffix("/__init__")), []).append(path)
        return found

    def _may_be_elsewhere(self, module: str) -> bool:
        """Whether some file could be the module in an image that names the folders above it otherwise."""
        if self._alike(module):
            return True
        _, _, rest = module.partition(".")
        if not rest:
            return False
        depth = 2 if "." not in rest else 100
        return any(target.path.count("/") <= depth for target in self._alike(rest))


def _place(program: Program, entry: EntryPoint, shown: str) -> tuple[int, int, int]:
    """Where the text of the entry point stands, at its line or a little below."""
    for _, content in program.tree.read_many([entry.path], 1 << 20):
        rows = content.split(b"\n")
        for text in (shown, entry.module):
            wanted = text.encode("utf-8", "surrogateescape")
            for number in range(entry.line, min(entry.line + 60, len(rows) + 1)):
                column = rows[number - 1].find(wanted)
                if column >= 0:
                    return number, column + 1, column + 1 + len(wanted)
    return max(entry.line, 1), 1, 1
