"""Names across modules: what a module really binds, where a reference leads, which imports are broken."""

from __future__ import annotations

import posixpath
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Final

import msgspec

from guard.checks.layout import Layout, Missing, Resolution, Target
from guard.checks.module_facts import (
    BRANCHED,
    CONDITIONAL,
    DEAD,
    LAZY,
    MAIN,
    REBOUND,
    SOLID,
    TYPING,
    TYPING_ONLY,
    UNBOUND,
    Import,
    ModuleFacts,
    Name,
    Origin,
)
from guard.checks.references import Ref
from guard.checks.roots import parent_of
from guard.checks.whole import Whole

if TYPE_CHECKING:
    from guard.checks.broken_imports import BrokenImport
    from guard.program import Program

IMPLICIT: Final = frozenset(
    {
        *("__name__", "__doc__", "__file__", "__path__", "__spec__", "__loader__", "__package__", "__builtins__"),
        *("__dict__", "__cached__", "__annotations__", "__class__"),
    }
)
"""What every module has without binding it. (A namespace package has no `__file__`; nobody imports that.)"""


_MANY_MODULES: Final = 100
"""A name is looked up through so many modules: far more than anybody writes, fewer than the stack allows."""
_FARTHEST: Final = 20
"""Imports followed for one reference. A longer chain is a circle."""


class Definition(msgspec.Struct, frozen=True):
    """Where something is defined: a file of the tree, and the dotted name inside it."""

    path: str
    name: str


class External(msgspec.Struct, frozen=True):
    """Something that is not first-party, as the import names it: `External("dataclasses", "dataclass")`."""

    module: str
    name: str


class _Presence:
    """What is known of a name in a module."""

    YES: Final = 2
    TYPING: Final = 1
    NO: Final = 0


LAYOUT: Final = "layout"
"""What `Program.remembered` calls the layout of another program on the same tree, which serves for this one too."""


class Modules:
    """The linked module table."""

    def __init__(self, program: Program) -> None:
        from guard.checks.modules import FAMILY

        self._program = program
        self._whole = program.focus.whole if program.focus is not None else None
        self.facts: Mapping[str, ModuleFacts] = program.facts(FAMILY)
        """Without the files of templates (`{{name}}/cli.py`): what they import is there once they are filled in."""
        if self._whole is None:
            self.facts = {path: facts for path, facts in self.facts.items() if not is_template(path)}
        layout = program.remembered.get(LAYOUT)
        if not isinstance(layout, Layout):
            layout = Layout(program.tree, self.facts, tuple(program.config.roots), self._whole, program.hollow)
        self.layout = layout
        self.resolve: Callable[[str, int, str], Resolution] = self.layout.resolve
        """Where a module named in a file leads: path, dots, module."""
        self._presence: dict[tuple[str, str], int] = {}
        self._circles = 0
        """How often a look-up came back to where it began."""
        self._injected: dict[str, bool] = {}
        self._defined: dict[tuple[str, str, bool], Definition | External | None] = {}

    # Names

    def target_of(self, path: str) -> Target:
        """A file of the tree as the target of an import."""
        return Target("package" if posixpath.basename(path).startswith("__init__.") else "module", path)

    def binds(self, target: Target, name: str, *, typing: bool = False) -> bool:
        """Whether `from target import name` can succeed: the module binds the name in some way that may run, or has
        a submodule of that name, or cannot be known. With `typing`, names under TYPE_CHECKING count."""
        return self._lookup(target, name, frozenset()) >= (_Presence.TYPING if typing else _Presence.YES)

    def _lookup(self, target: Target, name: str, visiting: frozenset[tuple[str, str]]) -> int:
        if target.kind == "unknown":
            return _Presence.YES
        if target.kind != "module":
            folder = self.layout.folder_of(target)
            if folder is not None and self.layout.step(folder, name) is not None:
                return _Presence.YES
            if target.kind == "namespace":
                below = self.layout.descend(target.path, [name])
                return _Presence.NO if isinstance(below, Missing) else _Presence.YES
        key = (target.path, name)
        known = self._presence.get(key)
        if known is not None:
            return known
        if key in visiting:
            self._circles += 1
            return _Presence.NO  # a circle of imports binds nothing by itself
        if len(visiting) > _MANY_MODULES:
            return _Presence.YES  # what is not known is not missing
        circles = self._circles
        presence = self._lookup_in(target, name, visiting | {key})
        # Inside of a circle the answer "no" may be due to where the circle was entered.
        if not visiting or presence == _Presence.YES or self._circles == circles:
            self._presence[key] = presence
        return presence

    def _lookup_in(self, target: Target, name: str, visiting: frozenset[tuple[str, str]]) -> int:
        path = target.path
        presence = _Presence.NO
        for file in self._files_of(path):
            facts = self.facts.get(file)
            if facts is None or facts.open or facts.extends_path:
                return _Presence.YES  # with a path that is extended, a submodule may come from elsewhere
            if self.is_set_from_outside(file, name):
                return _Presence.YES
            presence = max(presence, self._bound_by(file, facts, name, visiting))
        if presence < _Presence.YES and name in IMPLICIT:
            return _Presence.YES
        if presence < _Presence.YES and target.kind == "package":
            below = self.layout.descend(parent_of(path), [name])
            if not isinstance(below, Missing):
                return _Presence.YES
        return presence

    def is_set_from_outside(self, path: str, name: str) -> bool:
        """Whether another module may set a name in the module at `path` while it is imported."""
        return (path, name) in self.planted or self._is_injected(path, self.facts[path])

    def _files_of(self, path: str) -> Iterator[str]:
        """A module's file, and the stub beside it: what either binds may be there."""
        yield path
        other = path[:-1] if path.endswith(".pyi") else path + "i"
        if other in self.layout.files:
            yield other

    @cached_property
    def provided(self) -> frozenset[str]:
        """Dotted modules that some module puts into `sys.modules` when it is imported."""
        if self._whole is not None:
            return self._whole.provided
        return frozenset(name for facts in self.facts.values() for name in facts.provides)

    @cached_property
    def injectors(self) -> frozenset[str]:
        """The files that bind names in modules that they do not name."""
        if self._whole is not None:
            return self._whole.injectors
        return frozenset(path for path, facts in self.facts.items() if facts.injects)

    @cached_property
    def planted(self) -> frozenset[tuple[str, str]]:
        """Names that some module sets on another one while it is imported, by file."""
        if self._whole is not None:
            return self._whole.planted
        found: set[tuple[str, str]] = set()
        for path, facts in self.facts.items():
            for ref, name in facts.plants:
                module = ".".join(part for part in (ref.module, ref.name) if part)
                found.update((target.path, name) for target in self.resolve(path, ref.level, module).targets)
        return frozenset(found)

    def _is_injected(self, path: str, facts: ModuleFacts) -> bool:
        """Whether the module uses another one that binds names in its users' namespaces."""
        found = self._injected.get(path)
        if found is None:
            found = self._injected[path] = self._uses_injector(path, facts)
        return found

    def _uses_injector(self, path: str, facts: ModuleFacts) -> bool:
        if any(self._replaces_modules(path, ref) for ref in facts.handed_to):
            return True
        if not self.injectors:
            return False
        return any(
            target.path in self.injectors
            for statement in facts.imports
            for module in statement.modules
            for target in self.resolve(path, statement.level, module).targets
        )

    def _replaces_modules(self, path: str, ref: Ref) -> bool:
        """Whether a function that was handed a module's name stands in a file that puts things into `sys.modules`."""
        owner = ref.name.rpartition(".")[0]
        for module in {ref.module, ".".join(part for part in (ref.module, owner) if part)}:
            for target in self.resolve(path, ref.level, module).targets if module or ref.level else ():
                facts = self.facts.get(target.path)
                if facts is not None and (facts.injects or facts.open.startswith("sys.modules")):
                    return True
        return False

    def _bound_by(self, path: str, facts: ModuleFacts, name: str, visiting: frozenset[tuple[str, str]]) -> int:
        found = facts.names.get(name)
        if found is not None and not found.flags & UNBOUND:
            if found.flags & TYPING_ONLY:
                return max(_Presence.TYPING, self._through_stars(path, facts, name, visiting))
            if found.flags & SOLID:
                return _Presence.YES
            # A broken import that nothing guards is reported where it stands, not at everybody who uses it.
            if any(
                (not origin.guarded and not self._is_itself(path, origin, name))
                or self._origin_works(path, origin, visiting)
                for origin in found.origins
            ):
                return _Presence.YES
        return self._through_stars(path, facts, name, visiting)

    def _is_itself(self, path: str, origin: Origin, name: str) -> bool:
        """Whether a module takes a name from itself, so that the import binds nothing that is not there yet."""
        if origin.name != name:
            return False
        return self.resolve(path, origin.level, origin.module).targets == (self.target_of(path),)

    def _origin_works(self, path: str, origin: Origin, visiting: frozenset[tuple[str, str]]) -> bool:
        resolution = self.resolve(path, origin.level, origin.module) if origin.module or origin.level else None
        if resolution is None:
            return True
        if resolution.missing is not None:
            return False
        if not resolution.targets or not origin.name or resolution.doubtful:
            return True
        return any(self._lookup(target, origin.name, visiting) == _Presence.YES for target in resolution.targets)

    def _through_stars(self, path: str, facts: ModuleFacts, name: str, visiting: frozenset[tuple[str, str]]) -> int:
        best = _Presence.NO
        for star in facts.stars:
            resolution = self.resolve(path, star.level, star.module)
            if resolution.missing is not None:
                continue
            if not resolution.targets or resolution.unknown or resolution.doubtful:
                return _Presence.YES  # the names of a third-party module are unknown
            for target in resolution.targets:
                if self.exports(target, name):
                    best = max(best, self._lookup(target, name, visiting))
        return best

    def exports(self, target: Target, name: str) -> bool:
        """Whether `from target import *` takes `name`, if the module binds it."""
        facts = self.facts.get(target.path)
        if facts is None or facts.open:
            return True
        if facts.exports is not None:
            return facts.exports_open or any(export.name == name for export in facts.exports)
        return not name.startswith("_")

    def knows_all_names(self, target: Target) -> bool:
        """Whether every name of the module can be told: it is not open, and has no star import from outside."""
        facts = self.facts.get(target.path)
        if facts is None or facts.open or self._is_injected(target.path, facts):
            return False
        led = [self.resolve(target.path, star.level, star.module) for star in facts.stars]
        return all(resolution.targets and not resolution.doubtful for resolution in led)

    # References

    def follow(self, path: str, ref: Ref, *, last: bool = False) -> Definition | External | None:
        """Follow what a file's text names to where it is defined, through imports and re-exports.

        None where that is not certain: bound twice or in a branch, open, missing, or a circle. With `last`, what is
        defined is given for a name that is bound twice too, for who knows which of its definitions counts.
        """
        return self._follow(path, ref, 0, last)

    def _follow(self, path: str, ref: Ref, depth: int, last: bool) -> Definition | External | None:
        if depth > _FARTHEST:
            return None
        if ref.is_local:
            return self._local(path, ref.name, depth, last)
        resolution = self.resolve(path, ref.level, ref.module)
        if resolution.missing is not None or resolution.unknown:
            return None
        external = External(ref.module, ref.name) if not ref.level else None
        if not resolution.targets:
            return external
        if resolution.roots and (
            all(map(self.layout.is_within_package, resolution.roots))
            or self.layout.means_namesake(path, ref.module, resolution)
        ):
            # A module beside this one in a package is seldom what an absolute import means.
            return external if ref.module.partition(".")[0] in sys.stdlib_module_names else None
        if len(resolution.targets) != 1:
            return None
        target = resolution.targets[0]
        if depth:
            return self._below(target, ref.name, depth, last)
        key = (target.path, ref.name, last)
        if key not in self._defined:
            self._defined[key] = self._below(target, ref.name, depth, last)
        return self._defined[key]

    def _below(self, target: Target, name: str, depth: int, last: bool) -> Definition | External | None:
        """What a dotted `name` is in a module or package: a submodule's, or the module's own."""
        first, _, rest = name.partition(".")
        if not first or depth > _FARTHEST:
            return None
        facts = self.facts.get(target.path) if target.kind != "namespace" else None
        if facts is not None and first in facts.names:
            return self._local(target.path, name, depth + 1, last)
        folder = self.layout.folder_of(target)
        if folder is not None:
            below = self.layout.step(folder, first)
            if below is not None:
                return self._below(below, rest, depth + 1, last) if rest and below.kind != "unknown" else None
        if facts is None or facts.open:
            return None
        return self._through_one_star(target.path, facts, name, depth, last)

    def _local(self, path: str, name: str, depth: int, last: bool) -> Definition | External | None:
        facts = self.facts.get(path)
        if facts is None:
            return None
        first, _, rest = name.partition(".")
        found = facts.names.get(first)
        if found is None:
            return None if facts.open else self._through_one_star(path, facts, name, depth, last)
        if facts.stars and self._is_covered(path, facts, first, found):
            return None
        if found.flags & (UNBOUND | REBOUND) and not (last and found.flags & SOLID and not found.flags & UNBOUND):
            origins = set(found.origins)
            if found.flags & (SOLID | UNBOUND) or len(origins) != 1:
                return None
        if found.flags & SOLID:
            return None if found.origins else Definition(path, name)
        if len({(o.level, o.module, o.name) for o in found.origins}) != 1:
            return None
        origin = found.origins[0]
        taken = ".".join(part for part in (origin.name, rest) if part)
        return self._follow(path, Ref(origin.level, origin.module, taken), depth + 1, last)

    def _is_covered(self, path: str, facts: ModuleFacts, name: str, bound: Name) -> bool:
        """Whether a star import behind the place that binds the name binds it to something else."""
        own = self._ways_to(path, name, bound)
        for statement in facts.imports:
            if statement.aliases[0].name != "*" or statement.line <= bound.line or statement.flags & (TYPING | DEAD):
                continue
            for target in self.resolve(path, statement.level, statement.module).targets:
                if self.exports(target, name) and self.binds(target, name):
                    other = self.facts[target.path].names.get(name) if target.path in self.facts else None
                    if own.isdisjoint(self._ways_to(target.path, name, other)):
                        return True
        return False

    def _ways_to(self, path: str, name: str, bound: Name | None) -> set[tuple[str, str]]:
        """The name of a module, and what its imports take for it, as far as can be seen at once."""
        return {(path, name)}.union(
            (target.path, origin.name)
            for origin in (bound.origins if bound is not None else ())
            if origin.name and (origin.module or origin.level)
            for target in self.resolve(path, origin.level, origin.module).targets
        )

    def _through_one_star(
        self, path: str, facts: ModuleFacts, name: str, depth: int, last: bool
    ) -> Definition | External | None:
        first = name.partition(".")[0]
        binding: list[Target] = []
        for star in facts.stars:
            resolution = self.resolve(path, star.level, star.module)
            if len(resolution.targets) != 1 or resolution.unknown:
                return None
            target = resolution.targets[0]
            if self.exports(target, first) and self.binds(target, first):
                binding.append(target)
        return self._below(binding[0], name, depth + 1, last) if len(binding) == 1 else None

    @cached_property
    def broken(self) -> tuple[BrokenImport, ...]:
        """Every first-party import that can never succeed, in order of path and line."""
        from guard.checks.broken_imports import find_broken  # it stands on this module

        return find_broken(self)

    @cached_property
    def left_at(self) -> Mapping[str, int]:
        """By file that never gets to its end: the line of the import that always fails there, under a handler that
        skips the whole module or ends the process."""
        found: dict[str, int] = {}
        for broken in self.broken:
            if broken.swallowed_line and not broken.statement.flags & (LAZY | TYPING | MAIN | BRANCHED):
                guards = [self.facts[broken.path].guards[number] for number in broken.statement.guards]
                if any(guard.leaves and guard.handler_line == broken.swallowed_line for guard in guards):
                    found.setdefault(broken.path, broken.statement.line)
        return found

    # Uses

    def importers_of_names(self, path: str) -> tuple[tuple[str, int], ...]:
        """The `from x import name` statements that take names from `path` that it does not bind."""
        return self._name_importers.get(path, ())

    @cached_property
    def _name_importers(self) -> Mapping[str, tuple[tuple[str, int], ...]]:
        found: dict[str, dict[tuple[str, int], None]] = {}
        for broken in self.broken:
            if broken.name:
                found.setdefault(broken.target.path, {})[broken.path, broken.statement.line] = None
        return {target: tuple(importers) for target, importers in found.items()}

    def imported_at_start(self, path: str, *, certain: bool = False) -> Iterator[str]:
        """The files that are executed when a file is imported: its module-level imports, one step. With `certain`, only
        by imports that stand in no branch."""
        facts = self.facts.get(path)
        passed_over = LAZY | TYPING | DEAD | (CONDITIONAL if certain else 0)
        for statement in facts.imports if facts is not None else ():
            if statement.flags & passed_over:
                continue
            for module in statement.modules:
                yield from self.executed_by(path, statement, module)

    def executed_by(self, path: str, statement: Import, module: str) -> Iterator[str]:
        """The files that are executed when a statement of the file `path` imports `module`."""
        for target in self.resolve(path, statement.level, module).targets:
            yield from self.executed(target)
            folder = self.layout.folder_of(target)
            if statement.level >= 0 and folder is not None:
                for alias in statement.aliases:
                    below = self.layout.step(folder, alias.name)
                    if below is not None and below.kind in ("module", "package"):
                        yield below.path

    def executed(self, target: Target) -> Iterator[str]:
        """The module itself, and the `__init__.py` of every package above it."""
        if target.kind == "unknown":
            return
        if target.kind != "namespace":
            yield target.path
        folder = parent_of(target.path)
        while folder:
            if folder in self.layout.packages:
                init = f"{folder}/__init__.py"
                if init in self.facts:
                    yield init
            folder = parent_of(folder)


def whole_of(modules: Modules) -> Whole:
    """What a later run needs to know of all files together, to judge only some."""
    return Whole(
        modules.provided,
        modules.injectors,
        modules.planted,
        modules.layout.roots.on_sys_path,
        modules.layout.used,
    )


def is_template(path: str) -> bool:
    """Whether a path has a part that is filled in when the template of a project is used."""
    return "{{" in path or "{%" in path


def link(program: Program) -> Modules:
    """The family's link."""
    return Modules(program)
