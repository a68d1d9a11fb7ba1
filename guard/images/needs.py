"""Which modules of the tree a file asks for, wherever it certainly does and nothing catches that one is not there."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from typing import Final

import msgspec

from guard.checks.breakage import NOT_SURE_TO_RUN
from guard.checks.broken_imports import handler_of
from guard.checks.elsewhere import Asked, asked_modules, certain_target, is_made
from guard.checks.module_facts import LAZY, Import
from guard.checks.module_table import Modules

_OF_ONE_PLACE: Final = frozenset({"local", "override", "overrides", "private", "secret", "secrets"})
"""Words in the names of modules that every place has its own of, and that are mounted where they are needed."""
_PASSED_OVER: Final = NOT_SURE_TO_RUN & ~LAZY


class Need(msgspec.Struct, frozen=True):
    """One module that an import asks for."""

    asked: Asked
    place: str
    """What has to be there: a file, or the folder of a package."""
    file: str
    """The file that it leads to."""


class Step(msgspec.Struct, frozen=True):
    """One import that always succeeds or raises."""

    statement: Import
    is_lazy: bool
    """Whether it stands in a function, and runs when that is called; else it runs when its file is imported."""
    needs: tuple[Need, ...]
    executed: tuple[str, ...]
    """The files that it executes when its file is imported."""


class Steps:
    """The imports of files, looked at once for all images that have the same `roots`: the folders that what they start
    is certainly found in."""

    def __init__(self, modules: Modules, roots: frozenset[str]) -> None:
        self._modules = modules
        self._roots = roots
        self._known: dict[str, tuple[Step, ...]] = {}

    def of(self, path: str) -> tuple[Step, ...]:
        """Those of one file, in their order."""
        found = self._known.get(path)
        if found is None:
            found = self._known[path] = tuple(self._find(path))
        return found

    def _find(self, path: str) -> Iterator[Step]:
        modules = self._modules
        facts = modules.facts.get(path)
        if facts is None:
            return
        end = modules.left_at.get(path)
        for statement in facts.imports:
            if statement.flags & _PASSED_OVER or (end is not None and statement.line > end):
                continue
            if handler_of(facts, statement, missing_module=True) != (0, False):
                continue
            is_lazy = bool(statement.flags & LAZY)
            executed: dict[str, None] = {}
            for module in () if is_lazy else statement.modules:
                executed.update(dict.fromkeys(modules.executed_by(path, statement, module)))
            needs = tuple(self._needs(path, statement))
            if executed or needs:
                yield Step(statement, is_lazy, needs, tuple(executed))

    def _needs(self, path: str, statement: Import) -> Iterator[Need]:
        modules = self._modules
        for asked in asked_modules(statement):
            target = certain_target(path, asked, modules, self._roots)
            if target is None or not target.path or target.kind == "unknown" or is_made(asked, modules):
                continue
            if not _OF_ONE_PLACE.isdisjoint(posixpath.basename(target.path).removesuffix(".py").split("_")):
                continue
            # Without its __init__.py a package is one without: only where all of it is gone, it cannot be imported.
            is_folder = target.kind in ("package", "namespace")
            place = modules.layout.folder_of(target) if is_folder else target.path
            if place:
                yield Need(asked, place, target.path)
