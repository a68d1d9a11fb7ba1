"""Attributes that modules of the tree are read for and that nothing sets on them."""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Final

import msgspec

from guard.checks.broken_imports import is_provided
from guard.checks.layout import Target
from guard.checks.module_facts import SOLID, TYPING_ONLY, UNBOUND
from guard.checks.module_table import Modules
from guard.checks.module_uses import Use, UsedModule, UseFacts
from guard.checks.packing import unpack
from guard.program import at_hand

if TYPE_CHECKING:
    from guard.program import Program

_FARTHEST: Final = 20
"""Re-exports followed for one name. A longer chain is a circle."""
OF_EVERY_MODULE: Final = frozenset(
    {*dir(types.ModuleType), *dir(types.ModuleType("m")), "__file__", "__path__", "__cached__", "__builtins__"}
)

_OF_MODULES: Final = frozenset({"__version__", "__all__"})
"""Names with underscores that nobody but the module itself sets; loaders put others into what they load."""


def is_special(name: str) -> bool:
    """Whether Python itself, or whoever loads a module, may set a name in it."""
    return name in OF_EVERY_MODULE or (name.startswith("__") and name.endswith("__") and name not in _OF_MODULES)


class MissingAttribute(msgspec.Struct, frozen=True):
    """One attribute of a module that cannot be there."""

    path: str
    use: Use
    written: str
    """The module as the file's import names it, with the attributes that lead to the one at fault."""
    target: Target
    """The module."""
    attribute: str
    submodule: str = ""
    """The file of the submodule of that name, which nothing imports; empty where there is none."""
    for_checkers: bool = False
    """It is there under TYPE_CHECKING."""


class ModuleAttributes:
    """What is read from the modules of one tree."""

    def __init__(self, program: Program) -> None:
        from guard.checks.attributes import FAMILY
        from guard.checks.modules import FAMILY as MODULES

        self._tree = program.tree
        self.modules: Final[Modules] = program.linked(MODULES)
        python = self.modules.facts
        self.facts: Mapping[str, UseFacts] = program.facts(FAMILY)
        if program.focus is None:
            self.facts = {path: facts for path, facts in self.facts.items() if path in python}
        self._named: dict[tuple[str, int, str, str], Target | None] = {}

    # Which module a name stands for

    def module_named(self, path: str, level: int, module: str, name: str) -> Target | None:
        """The one module of the tree that an imported name of the file `path` stands for; None where it is something
        else, or not certain."""
        key = (path, level, module, name)
        if key not in self._named:
            self._named[key] = self._module_named(path, level, module, name, 0)
        return self._named[key]

    def _module_named(self, path: str, level: int, module: str, name: str, depth: int) -> Target | None:
        resolution = self.modules.resolve(path, level, module)
        if len(resolution.targets) != 1 or resolution.doubtful or resolution.unknown:
            return None
        if level <= 0 and self.modules.layout.means_namesake(path, module, resolution):
            return None
        target: Target | None = resolution.targets[0]
        if level <= 0 and "." not in module and target == Target("module", path):
            return None  # nobody imports a module in itself to read its attributes: an installed one is meant
        for part in name.split(".") if name else ():
            if target is None:
                return None
            target = self.below(target, part, depth + 1)
        return target

    def below(self, target: Target, name: str, depth: int = 0) -> Target | None:
        """The module that an attribute of a module is; None where it is something else, or not certain."""
        if depth > _FARTHEST:
            return None
        facts = self.modules.facts.get(target.path) if target.kind != "namespace" else None
        bound = facts.names.get(name) if facts is not None else None
        if facts is not None and bound is not None and not bound.flags & (UNBOUND | TYPING_ONLY):
            origins = {(origin.level, origin.module, origin.name) for origin in bound.origins}
            if bound.flags & SOLID or len(origins) != 1:
                return None
            origin = origins.pop()
            itself = self.modules.resolve(target.path, origin[0], origin[1]).targets == (target,)
            if not itself or origin[2] != name:
                return self._module_named(target.path, *origin, depth + 1)
        elif facts is not None and (facts.open or facts.stars):
            return None
        folder = self.modules.layout.folder_of(target)
        found = self.modules.layout.step(folder, name) if folder is not None else None
        return found if found is not None and found.kind != "unknown" else None

    # What is not there

    @cached_property
    def missing(self) -> tuple[MissingAttribute, ...]:
        """Every attribute that cannot be there, in order of path; one for each name in each scope."""
        found = list(self._find())
        texts = dict(self._tree.read_many(dict.fromkeys(one.path for one in found)))
        return tuple(one for one in found if not _is_quoted(one.attribute, texts.get(one.path, b"")))

    def _find(self) -> Iterator[MissingAttribute]:
        for path, facts in self.facts.items():
            told: set[tuple[str, str, str]] = set()
            for used in facts.used:
                target = self.module_named(path, used.level, used.module, used.name)
                if target is None or self._is_replaced(path, used):
                    continue
                for use in unpack(used.uses, tuple[Use, ...]):
                    found = self._judge(path, used, use, target)
                    if found is not None and (key := (use.symbol, found.target.path, found.attribute)) not in told:
                        told.add(key)
                        yield found

    def _is_replaced(self, path: str, used: UsedModule) -> bool:
        """Whether something else stands in `sys.modules` under that name."""
        name = ".".join(part for part in (used.module, used.name) if part)
        return is_provided(self.modules, name, self.modules.facts[path])

    def _judge(self, path: str, used: UsedModule, use: Use, target: Target) -> MissingAttribute | None:
        written = ".".join(part for part in (used.module, used.name) if part)
        written = "." * max(used.level, 0) + written
        here: Target | None = target
        for attribute in use.attributes.split("."):
            if here is None or here.kind == "unknown":
                return None
            if not self._has(here, attribute):
                if self._is_imported_here(path, f"{written}.{attribute}"):
                    return None  # that import is what fails
                submodule = self._submodule(here, attribute)
                for_checkers = self.modules.binds(here, attribute, typing=True) and not submodule
                return MissingAttribute(path, use, written, here, attribute, submodule, for_checkers)
            here = self.below(here, attribute)
            written = f"{written}.{attribute}"
        return None

    def _is_imported_here(self, path: str, module: str) -> bool:
        """Whether a statement of the file imports a dotted module, or one below it."""
        return any(
            f"{alias.name}.".startswith(f"{module}.")
            for statement in self.modules.facts[path].imports
            if statement.level < 0
            for alias in statement.aliases
        )

    def _has(self, target: Target, attribute: str) -> bool:
        """Whether the attribute may be there."""
        if target.kind == "namespace" or not target.path.endswith(".py") or is_special(attribute):
            return True
        if self.is_written(target.path, attribute):
            return True
        if not self.modules.binds(target, attribute):
            return False
        facts = self.modules.facts.get(target.path)
        if facts is None or facts.open or facts.extends_path or facts.stars:
            return True
        bound = facts.names.get(attribute)
        if bound is not None and not bound.flags & (UNBOUND | TYPING_ONLY):
            return True
        # A package has a submodule as its attribute once something imports that.
        submodule = self._submodule(target, attribute)
        return not submodule or not self._nobody_imports(submodule)

    def is_written(self, path: str, name: str) -> bool:
        """Whether some file of the tree may set an attribute on the module at `path`."""
        return (path, name) in self._written or (path, "") in self._written or name in self._set_by_name

    def _submodule(self, target: Target, name: str) -> str:
        folder = self.modules.layout.folder_of(target)
        found = self.modules.layout.step(folder, name) if folder is not None else None
        return found.path if found is not None and found.kind in ("module", "package") else ""

    @cached_property
    def _written(self) -> frozenset[tuple[str, str]]:
        """The attributes that some file sets on a module, by the module's file; an empty name for any attribute."""
        found: set[tuple[str, str]] = set()
        for path, facts in at_hand(self.facts).items():
            for level, module, name, attribute in facts.written:
                target = self.module_named(path, level, module, name)
                if target is not None:
                    found.add((target.path, attribute))
        return frozenset(found)

    @cached_property
    def _set_by_name(self) -> frozenset[str]:
        return frozenset(name for facts in at_hand(self.facts).values() for name in facts.set_by_name)

    def _nobody_imports(self, path: str) -> bool:
        """Whether nothing in the tree can have imported a submodule."""
        return not self._imports_any and path not in self._imported

    @cached_property
    def _imports_any(self) -> bool:
        """Whether some file imports modules whose names it computes, as autodiscovery does."""
        return any(facts.imports_any for facts in at_hand(self.facts).values())

    @cached_property
    def _imported(self) -> frozenset[str]:
        """The files that some import of the tree leads to, wherever it stands, also one that is written as a string."""
        modules = self.modules
        found: set[str] = set()
        for path, facts in at_hand(modules.facts).items():
            for statement in facts.imports:
                for module in statement.modules:
                    found.update(modules.executed_by(path, statement, module))
        for path, uses in at_hand(self.facts).items():
            for text in uses.imported_by_name:
                parts = text.lstrip(".").split(".")
                for end in range(1, len(parts) + 1):
                    found.update(target.path for target in modules.resolve(path, 0, ".".join(parts[:end])).targets)
        return frozenset(found)


def _is_quoted(name: str, content: bytes) -> bool:
    """Whether a file has the name as a string: it may tell somebody to set it (`{module: {"name": value}}`)."""
    return f'"{name}"'.encode() in content or f"'{name}'".encode() in content


def link(program: Program) -> ModuleAttributes:
    """The family's link."""
    return ModuleAttributes(program)
