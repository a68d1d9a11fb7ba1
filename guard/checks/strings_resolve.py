"""Where a dotted path leads when the program runs: through modules as far as they go, then through attributes."""

from __future__ import annotations

import builtins
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Final

import msgspec

from guard.checks.broken_imports import has_made_up_submodules, is_provided, namespace_is_ours
from guard.checks.layout import Resolution, Target
from guard.checks.module_facts import LAZY, REBOUND, SOLID, TYPING, UNBOUND, ModuleFacts
from guard.checks.modules import Definition, Modules
from guard.checks.references import Ref
from guard.checks.roots import parent_of
from guard.checks.strings_classes import Class, ClassLookup
from guard.checks.strings_facts import PATCH, StringsFacts
from guard.program import at_hand

if TYPE_CHECKING:
    from guard.program import Program

_BUILTINS: Final = frozenset(name for name in dir(builtins) if not name.startswith("_"))
"""What `mock.patch` may replace in any module, although the module does not bind it."""
_FARTHEST: Final = 20
"""Names followed to where they are defined. A longer chain is a circle."""


class Lost(msgspec.Struct, frozen=True):
    """Where a dotted path breaks off."""

    holder: str
    """The last part that is there, dotted: a module, or a class behind its module."""
    name: str
    """The first part that is not."""
    index: int
    """How many parts are before it."""
    targets: tuple[Target, ...] = ()
    """The modules that do not have it."""
    cls: Class | None = None
    """The class that does not have it."""
    as_module: bool = False
    """Whether a module of that name is what is missing."""
    on_instances: bool = False
    """Whether instances of the class have it."""


class _Modules(msgspec.Struct, frozen=True):
    """What a name stands for: a module, with every file that it may be."""

    targets: tuple[Target, ...]


_Thing = _Modules | Class | None
"""None for what is there and cannot be looked into."""


class Resolver:
    """Follows dotted paths."""

    def __init__(self, program: Program, modules: Modules, facts: Mapping[str, StringsFacts]) -> None:
        self._modules = modules
        self.classes = ClassLookup(program, modules, facts)

    @cached_property
    def _replaced(self) -> frozenset[str]:
        """The files of modules that put something else in their own place, or are so replaced by a package above."""
        return frozenset(
            target.path
            for path, facts in at_hand(self._modules.facts).items()
            for name in facts.provides
            for target in self._modules.resolve(path, 0, name).targets
            if target.path == path or target.path.startswith(f"{parent_of(path)}/")
        )

    # From a string

    def lost(self, path: str, parts: Sequence[str], way: int) -> Lost | None:
        """Where the dotted path that a file names breaks off; None where it does not, and where that is not known."""
        found: Resolution | None = None
        index = 0
        thing: _Thing = None
        for end in range(1, len(parts) + 1):
            resolution = self._modules.layout.find(path, ".".join(parts[:end]))
            if resolution is None or not resolution.targets:
                break
            if found is not None and not self._is_that_module(found, parts[end - 1], resolution):
                return None  # by another Python's, or another library's, way of resolving it is another thing
            found, index = resolution, end
        if found is None or index == len(parts) or not self._is_certain(path, ".".join(parts[:index]), found):
            return None
        thing = _Modules(found.targets)
        return self._walk(path, thing, parts, index, way)

    def _is_that_module(self, parent: Resolution, name: str, resolution: Resolution) -> bool:
        """Whether a submodule is not hidden by something else of its name in the package."""
        for target in parent.targets:
            facts = self._modules.facts.get(target.path)
            if facts is None or name not in facts.names:
                continue
            member = self._member_of_module(target, name, 0)
            if not isinstance(member, _Modules) or not set(member.targets) & set(resolution.targets):
                return False
        return True

    def _is_certain(self, path: str, module: str, resolution: Resolution) -> bool:
        return not (
            resolution.doubtful
            or resolution.unknown
            or self._modules.layout.means_namesake(path, module, resolution)
            or not namespace_is_ours(self._modules, path, 0, module, resolution)
        )

    def missing_module(self, path: str, level: int, text: str) -> Lost | None:
        """The first part of the name of a module that is not there, where all parts must be modules."""
        resolution = self._modules.resolve(path, level, text)
        if resolution.missing is None or has_made_up_submodules(self._modules, resolution.missing.parent):
            return None
        facts = self._modules.facts.get(path)
        if facts is not None and is_provided(self._modules, text, facts):
            return None
        parts = text.split(".")
        index = resolution.missing.index
        holder = ".".join(parts[:index])
        return Lost(holder, parts[index], index, (resolution.missing.parent,), as_module=True)

    def runs_as_main(self, path: str, text: str) -> bool:
        """Whether `python -m` finds something to execute; True where that is not known."""
        resolution = self._modules.resolve(path, 0, text)
        if not resolution.targets or not self._is_certain(path, text, resolution):
            return True
        return any(
            target.kind not in ("package", "namespace") or self._modules.binds(target, "__main__")
            for target in resolution.targets
        )

    # From what an expression stands for

    def lost_below(self, path: str, ref: Ref, parts: Sequence[str], way: int) -> Lost | None:
        """The same for parts below what a reference of the file leads to."""
        thing: _Thing
        if ref.is_local:
            thing = _Modules((self._modules.target_of(path),))
            leading = ref.name.split(".") if ref.name else []
            shown = "this module" if not leading else ref.name
        else:
            resolution = self._modules.resolve(path, ref.level, ref.module)
            name = ref.module
            if not resolution.targets or not (ref.level or self._is_certain(path, name, resolution)):
                return None
            if resolution.unknown:
                return None
            thing = _Modules(resolution.targets)
            leading = ref.name.split(".") if ref.name else []
            shown = "." * ref.level + ".".join(part for part in (ref.module, ref.name) if part)
        for part in leading:
            thing = self._member(thing, part)
        if thing is None:
            return None
        found = self._walk(path, thing, parts, 0, way)
        if found is None:
            return None
        holder = ".".join([shown, *parts[: found.index]])
        return msgspec.structs.replace(found, holder=holder)

    # One part after the other

    def _walk(self, path: str, thing: _Thing, parts: Sequence[str], start: int, way: int) -> Lost | None:
        for index in range(start, len(parts)):
            name, is_last = parts[index], index == len(parts) - 1
            if isinstance(thing, _Modules):
                if not self._replaced.isdisjoint([target.path for target in thing.targets]):
                    return None
                if not any(self._modules.binds(target, name) for target in thing.targets):
                    if is_last and way == PATCH and name in _BUILTINS:
                        return None
                    dotted = ".".join(parts[: index + 1])
                    facts = self._modules.facts.get(path)
                    if facts is not None and is_provided(self._modules, dotted, facts):
                        return None
                    if any(has_made_up_submodules(self._modules, target) for target in thing.targets):
                        return None
                    return Lost(".".join(parts[:index]), name, index, thing.targets)
            elif thing is not None and self.classes.lacks(thing, name):
                on_instances = self.classes.is_on_instances(thing, name)
                return Lost(".".join(parts[:index]), name, index, (), thing, on_instances=on_instances)
            thing = self._member(thing, name)
            if thing is None:
                return None
        return None

    def _member(self, thing: _Thing, name: str) -> _Thing:
        """What a name of a module or a class stands for."""
        if isinstance(thing, _Modules):
            members = [self._member_of_module(target, name, 0) for target in thing.targets]
            if len(members) == 1:
                return members[0]
            targets = [target for member in members if isinstance(member, _Modules) for target in member.targets]
            return _Modules(tuple(dict.fromkeys(targets))) if all(isinstance(m, _Modules) for m in members) else None
        if thing is None:
            return None
        return self.classes.named(thing.path, f"{thing.qualname}.{name}")

    def _member_of_module(self, target: Target, name: str, depth: int) -> _Thing:
        if depth > _FARTHEST:
            return None
        facts = self._modules.facts.get(target.path) if target.kind != "namespace" else None
        bound = None if facts is None else facts.names.get(name)
        if bound is not None and not bound.flags & UNBOUND:
            origins = {(origin.level, origin.module, origin.name) for origin in bound.origins}
            if not bound.flags & SOLID and len(origins) == 1:
                return self._imported(target.path, *origins.pop(), depth)
            if not origins and not bound.flags & REBOUND:
                return self._class_at(target.path, name)
            return None
        folder = self._modules.layout.folder_of(target)
        below = None if folder is None else self._modules.layout.step(folder, name)
        if below is not None:
            return None if below.kind == "unknown" else _Modules((below,))
        return None if facts is None else self._class_at(target.path, name)

    def _imported(self, path: str, level: int, module: str, name: str, depth: int) -> _Thing:
        resolution = self._modules.resolve(path, level, module)
        if not resolution.targets or resolution.doubtful or resolution.unknown:
            return None
        if level <= 0 and not self._is_certain(path, module, resolution):
            return None
        if not name:
            return _Modules(resolution.targets)
        if len(resolution.targets) != 1:
            return None
        return self._member_of_module(resolution.targets[0], name, depth + 1)

    def _class_at(self, path: str, name: str) -> Class | None:
        """The class that a name of a file certainly is."""
        found = self._modules.follow(path, Ref(0, "", name))
        return self.classes.named(found.path, found.name) if isinstance(found, Definition) else None

    # What to tell of a name

    def local_to(self, targets: Sequence[Target], name: str) -> Iterator[tuple[str, int, str]]:
        """Where a function of a module imports the name for itself: path, line, function."""
        for target in targets:
            facts: ModuleFacts | None = self._modules.facts.get(target.path)
            for statement in facts.imports if facts is not None else ():
                if statement.flags & LAZY and not statement.flags & TYPING:
                    for alias in statement.aliases:
                        if alias.bound == name:
                            yield target.path, alias.line, statement.symbol
