"""Imports that take something from another place than its source of truth, or that should not be used any more."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Final

import msgspec

from guard.checks.module_facts import DEAD, TYPING, Alias, Import
from guard.checks.modules import FAMILY as MODULES
from guard.checks.modules import Definition
from guard.checks.references import Ref
from guard.checks.roots import parent_of
from guard.checks.ssot import FAMILY
from guard.duplicates.groups import Duplicates, Group
from guard.duplicates.likeness import Kinship
from guard.impact import reach_of
from guard.model import Impact
from guard.program import Program
from guard.where import where

_USERS: Final = 2
"""Production files that must import the canonical definition, before another import is held against it."""


class Use(msgspec.Struct, frozen=True):
    """One name of one import statement."""

    path: str
    statement: Import
    alias: Alias


class Misplaced(msgspec.Struct, frozen=True):
    """A name that is taken from elsewhere than its source of truth."""

    use: Use
    module: str
    """The module to import it from."""
    configured: bool
    line: int = 0
    """Of the canonical definition, 0 where only the configuration names it."""
    path: str = ""


class Deprecated(msgspec.Struct, frozen=True):
    """A use of what says of itself, or of which the configuration says, that it is deprecated."""

    use: Use
    shown: str
    """The module, or `MODULE:NAME`."""
    said: str
    """What to use in its stead, or why; may be empty."""
    path: str = ""
    line: int = 0
    """Where it says so; empty for the configuration."""


class Uses:
    """The imports of one tree, held against its sources of truth."""

    def __init__(self, program: Program, duplicates: Duplicates) -> None:
        self._program = program
        self._modules = program.linked(MODULES)
        self._reach = reach_of(program)
        self._duplicates = duplicates
        self._facts = program.linked(FAMILY)

    def _every(self) -> Iterator[Use]:
        for path, facts in self._modules.facts.items():
            for statement in facts.imports:
                if not statement.flags & (DEAD | TYPING):
                    for alias in statement.aliases:
                        yield Use(path, statement, alias)

    # Places

    def misplaced(self) -> Iterator[Misplaced]:
        """Imports of a copy that is the same as the canonical one, and those that the configuration forbids."""
        canonical = self._program.config.ssot.canonical
        copies = self._same_copies
        names = {name for _, name in copies} | canonical.keys()
        for use in self._every():
            name = use.alias.name
            if use.statement.level < 0 or name not in names:
                continue
            if name in canonical:
                found = self._against(use, canonical[name])
            else:
                found = self._of_copy(use, copies)
            if found is not None:
                yield found

    @cached_property
    def _same_copies(self) -> Mapping[tuple[str, str], Group]:
        return {
            (copy.place.path, group.name): group
            for group in self._duplicates.groups
            for copy in group.copies
            if copy.kinship is Kinship.SAME
        }

    def _of_copy(self, use: Use, copies: Mapping[tuple[str, str], Group]) -> Misplaced | None:
        led = self._modules.follow(use.path, Ref(use.statement.level, use.statement.module, use.alias.name))
        group = copies.get((led.path, led.name)) if isinstance(led, Definition) else None
        if group is None or not isinstance(led, Definition) or use.path == group.canonical.path:
            return None
        first = group.canonical
        if parent_of(led.path) == parent_of(use.path) != parent_of(first.path):
            return None  # a package's own, which it may well prefer
        own = next(copy.place for copy in group.copies if copy.place.path == led.path)
        if first.production_users < max(_USERS, 2 * own.production_users):
            return None  # which of them is meant to be the one, nobody can tell
        module = where(self._program).module_of(first.path, use.path)
        return Misplaced(use, module, False, first.defined.line, first.path) if module else None

    def _against(self, use: Use, module: str) -> Misplaced | None:
        """What the configuration says of an import; an import from outside of the tree means something else."""
        resolution = self._modules.resolve(use.path, use.statement.level, use.statement.module)
        wanted = {target.path for target in self._modules.resolve(use.path, 0, module).targets}
        here = {target.path for target in resolution.targets}
        if not here or resolution.unknown or not wanted or wanted & here or use.path in wanted:
            return None
        return Misplaced(use, module, True, path=min(wanted))

    # Deprecations

    def deprecated(self) -> Iterator[Deprecated]:
        """Imports of deprecated modules and names. Tests may test them, and what is deprecated itself may use them."""
        configured = self._program.config.ssot.deprecated
        for use in self._every():
            if self._reach.kind(use.path) is Impact.TESTS or self._is_deprecated(use.path):
                continue
            found = self._configured(use, configured) or self._said(use)
            if found is not None:
                yield found

    def _is_deprecated(self, path: str) -> bool:
        facts = self._facts.get(path)
        return facts is not None and bool(facts.deprecated)

    def _configured(self, use: Use, configured: Mapping[str, str]) -> Deprecated | None:
        if not configured:
            return None
        statement, name = use.statement, use.alias.name
        if statement.level < 0:
            return Deprecated(use, name, configured[name]) if name in configured else None
        module = where(self._program).absolute("." * statement.level + statement.module, use.path)
        for shown in (f"{module}:{name}", f"{module}.{name}", module):
            if shown in configured:
                return Deprecated(use, shown, configured[shown])
        return None

    def _said(self, use: Use) -> Deprecated | None:
        statement, name = use.statement, use.alias.name
        module = name if statement.level < 0 else statement.module
        resolution = self._modules.resolve(use.path, max(statement.level, 0), module)
        if resolution.doubtful or len(resolution.targets) != 1:
            return None
        target = resolution.targets[0]
        facts = self._facts.get(target.path)
        if facts is not None and facts.deprecated:
            return Deprecated(use, module or name, facts.deprecated.strip(), target.path, 1)
        led = self._modules.follow(use.path, Ref(statement.level, module, name)) if statement.level >= 0 else None
        if not isinstance(led, Definition) or led.path == use.path:
            return None
        said = self._deprecated_names.get((led.path, led.name))
        if said is None:
            return None
        text, line = said
        return Deprecated(use, name, text.strip(), led.path, line)

    @cached_property
    def _deprecated_names(self) -> Mapping[tuple[str, str], tuple[str, int]]:
        return {
            (path, one.name): (one.deprecated, one.line)
            for path, facts in self._facts.items()
            for one in facts.defined
            if one.deprecated
        }
