"""Imports that take a name which its module binds on some ways only."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import msgspec

from guard.checks.attributes import FAMILY as ATTRIBUTES
from guard.checks.layout import Target
from guard.checks.module_attributes import ModuleAttributes
from guard.checks.module_facts import (
    ASSERTED,
    BRANCHED,
    DEAD,
    MAIN,
    MAYBE,
    PLATFORM,
    SOLID,
    TYPING,
    Alias,
    Import,
    Name,
)
from guard.checks.module_table import Modules
from guard.checks.modules import FAMILY as MODULES

if TYPE_CHECKING:
    from guard.program import Program

_ELSEWHERE: Final = TYPING | DEAD | PLATFORM | ASSERTED | BRANCHED | MAIN


class PossiblyMissing(msgspec.Struct, frozen=True):
    """One name of an import that may not be there."""

    path: str
    statement: Import
    alias: Alias
    target: str
    line: int
    """Of the first statement that may bind the name."""


def find_possibly_missing(program: Program) -> Iterator[PossiblyMissing]:
    """Every import that nothing guards and that takes such a name, in order of path and line."""
    modules, attributes = program.linked(MODULES), program.linked(ATTRIBUTES)
    judged: dict[tuple[str, str], int] = {}
    for path, facts in modules.facts.items():
        for statement in facts.imports:
            if statement.level < 0 or statement.guards or statement.flags & _ELSEWHERE:
                continue
            resolution = modules.resolve(path, statement.level, statement.module)
            if len(resolution.targets) != 1 or resolution.doubtful:
                continue
            target = resolution.targets[0]
            if target.kind not in ("module", "package") or target.path == path:
                continue
            for alias in statement.aliases:
                key = (target.path, alias.name)
                line = judged.get(key)
                if line is None:
                    line = judged[key] = _line(target, alias.name, modules, attributes)
                if line:
                    yield PossiblyMissing(path, statement, alias, target.path, line)


def _line(target: Target, name: str, modules: Modules, attributes: ModuleAttributes) -> int:
    """Where a module may bind a name, when it may also leave it unbound; else 0."""
    facts = modules.facts.get(target.path)
    found = facts.names.get(name) if facts is not None else None
    if facts is None or found is None or not found.flags & MAYBE:
        return 0
    if facts.open or facts.extends_path or facts.stars or target.path.endswith(".pyi"):
        return 0
    if modules.is_set_from_outside(target.path, name) or attributes.is_written(target.path, name):
        return 0
    folder = modules.layout.folder_of(target)
    if folder is not None and modules.layout.step(folder, name) is not None:
        return 0
    if not modules.binds(target, name):
        return 0  # then it is certainly missing
    return 0 if _comes_from_here(target, found, modules) else found.line


def _comes_from_here(target: Target, name: Name, modules: Modules) -> bool:
    """Whether it is imported from a module of the tree that has it: a handler around that will not run."""
    if name.flags & SOLID or not name.origins:
        return False
    for origin in name.origins:
        resolution = modules.resolve(target.path, origin.level, origin.module)
        if not origin.guarded or not resolution.targets or resolution.doubtful:
            return False
        if origin.name and not all(modules.binds(found, origin.name) for found in resolution.targets):
            return False
    return True
