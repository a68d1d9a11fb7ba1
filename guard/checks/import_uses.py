"""Which file imports which, by which statement: for commands that show imports rather than judge them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Final

import msgspec

from guard.checks.breakage import escapes
from guard.checks.layout import Target
from guard.checks.module_facts import (
    ASSERTED,
    BRANCHED,
    DEAD,
    LAZY,
    MAIN,
    PLATFORM,
    TYPING,
    UNBOUND,
    Import,
    ModuleFacts,
)
from guard.checks.module_table import Modules
from guard.checks.roots import parent_of

AT_START: Final = frozenset({"module", "guarded", "conditional"})
"""How an import stands that is executed, or may be, when its file is imported."""


class Use(msgspec.Struct, frozen=True):
    """One import of a file of the tree."""

    path: str
    """The file that imports."""
    line: int
    target: str
    """The file that is imported."""
    module: str
    """The module as the statement names it, with its dots; for a submodule that is taken by name, with that name."""
    names: tuple[tuple[str, str], ...]
    """What is taken of it, each with the name that it is bound to; empty where the module itself is."""
    how: str
    """`module`: whenever the file is imported. `guarded`: then too, and a failure is swallowed. `conditional`: in a
    branch. `lazy`: in a function. `main`: only when the file is run. `type-checking`: never at run time."""
    symbol: str = ""
    """The function that it stands in."""


class Uses:
    """Every import of one tree that leads to a file of it."""

    def __init__(self, modules: Modules) -> None:
        self._modules = modules
        self._started: dict[str, tuple[tuple[str, int], ...]] = {}

    @cached_property
    def by_file(self) -> Mapping[str, tuple[Use, ...]]:
        """What each file imports, in its order."""
        return {path: tuple(self._of(path, facts)) for path, facts in self._modules.facts.items()}

    @cached_property
    def of_file(self) -> Mapping[str, tuple[Use, ...]]:
        """Who imports each file, in the order of their paths."""
        found: dict[str, list[Use]] = {}
        for uses in self.by_file.values():
            for use in uses:
                found.setdefault(use.target, []).append(use)
        return {path: tuple(uses) for path, uses in found.items()}

    def started_by(self, path: str) -> Sequence[tuple[str, int]]:
        """The files that importing one executes, one step on, each with the line that does it; 0 for the packages
        around."""
        found = self._started.get(path)
        if found is None:
            packages = [(package, 0) for package in self._packages_above(path)]
            uses = [(use.target, use.line) for use in self.by_file.get(path, ()) if use.how in AT_START]
            found = self._started[path] = (*packages, *uses)
        return found

    def _packages_above(self, path: str) -> Iterator[str]:
        folder = parent_of(path)
        if path.endswith("/__init__.py"):
            folder = parent_of(folder)
        while folder in self._modules.layout.packages:
            yield f"{folder}/__init__.py" if folder else "__init__.py"
            if not folder:
                return
            folder = parent_of(folder)

    def _of(self, path: str, facts: ModuleFacts) -> Iterator[Use]:
        for statement in facts.imports:
            if statement.flags & DEAD:
                continue
            for module in statement.modules:
                for target in self._modules.resolve(path, statement.level, module).targets:
                    yield from self._use(path, facts, statement, module, target)

    def _use(self, path: str, facts: ModuleFacts, statement: Import, module: str, target: Target) -> Iterator[Use]:
        how = how_of(facts, statement)
        if statement.level < 0:
            if target.kind in ("module", "package"):
                yield Use(path, statement.line, target.path, module, (), how, statement.symbol)
            return
        written = "." * statement.level + module
        own: list[tuple[str, str]] = []
        for alias in statement.aliases:
            below = self._submodule(target, alias.name)
            if below is None:
                own.append((alias.name, alias.bound))
            else:
                name = f"{written}{'' if written.endswith('.') else '.'}{alias.name}"
                yield Use(path, alias.line, below, name, (), how, statement.symbol)
        if target.kind in ("module", "package") and own:
            yield Use(path, statement.line, target.path, written, tuple(own), how, statement.symbol)

    def _submodule(self, target: Target, name: str) -> str | None:
        """The file of the submodule that `from target import name` means; None where the package binds the name."""
        folder = self._modules.layout.folder_of(target)
        if folder is None or name == "*":
            return None
        below = self._modules.layout.step(folder, name)
        if below is None or below.kind not in ("module", "package"):
            return None
        facts = self._modules.facts.get(target.path)
        bound = facts.names.get(name) if facts is not None else None
        if bound is None or bound.flags & UNBOUND:
            return below.path
        # A package may bind the name to that very submodule, as `from . import sub` does.
        alone = len(bound.origins) == 1 and bound.origins[0].name in ("", name)
        leads = [
            found.path
            for origin in bound.origins
            for at in self._modules.resolve(target.path, origin.level, origin.module).targets
            if (inner := self._modules.layout.folder_of(at)) is not None
            and (found := self._modules.layout.step(inner, origin.name)) is not None
        ]
        return below.path if alone and below.path in leads else None


def how_of(facts: ModuleFacts, statement: Import) -> str:
    """How an import stands, in the words of `Use.how`."""
    flags = statement.flags
    for flag, how in ((TYPING, "type-checking"), (LAZY, "lazy"), (MAIN, "main")):
        if flags & flag:
            return how
    guards = [facts.guards[number] for number in statement.guards]
    if guards and not escapes(guards, "ImportError"):
        return "guarded"
    return "conditional" if flags & (BRANCHED | PLATFORM | ASSERTED) else "module"
