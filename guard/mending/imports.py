"""How broken imports, and entries of `__all__` that name nothing, can be mended."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Mapping

import msgspec

from guard.checks.broken_imports import BrokenImport
from guard.checks.modules import FAMILY, Modules
from guard.checks.roots import parent_of
from guard.model import Fix
from guard.program import Program
from guard.where import Certainty, Replacement, where

Lookup = Callable[[str, str, str], tuple[Replacement, ...]]
"""Where a name of a module went, the best first: module as the import has it, name, importing file."""


class Mending(msgspec.Struct, frozen=True):
    """What `guard.fixes.imp` needs to know of one finding, and how safe it is to do it."""

    moved_to: Mapping[str, str]
    """By name as the import has it: `MODULE:NAME` as the import would write it; for `import a.b`, the module; for an
    entry of `__all__` another name, or nothing where it is taken out."""
    safe: bool
    description: str
    private: bool = False
    """No other file takes from this one what the import binds, so its uses may be renamed."""

    @property
    def fix(self) -> Fix:
        """The fix as a finding offers it."""
        return Fix("safe" if self.safe else "unsafe", self.description)

    @property
    def data(self) -> dict[str, object]:
        """What the finding's data hold of it."""
        return {"moved_to": dict(self.moved_to), **({"private": True} if self.private else {})}


def mending_of(program: Program, broken: BrokenImport, look_up: Lookup | None = None) -> Mending | None:
    """How an import can be mended; None where the new place of one of its names is not even likely.

    It is safe where the place is certain, no name changes, and nothing swallows the failure: code that never ran
    before would run then.
    """
    modules = program.linked(FAMILY)
    look_up = look_up or where(program).replacements
    statement, path = broken.statement, broken.path
    written = "." * max(statement.level, 0) + broken.module
    names = [broken.name] if broken.name or statement.level < 0 else [alias.name for alias in statement.aliases]
    if "*" in names:
        return None
    whole = best_of(look_up, path, written, "") if not broken.name else None
    found: dict[str, Replacement] = {}
    moved_to: dict[str, str] = {}
    for name in names:
        best = whole
        if name and (best is None or not _has(modules, best, name)):
            best = best_of(look_up, path, written, name)
        if best is None:
            return None
        taken = best.name or name
        module = _written(modules, path, best) if statement.level > 0 else best.module
        if not holds(modules, path, module, taken, best) or (module, taken) == (written, name):
            return None
        found[name] = best
        moved_to[name or broken.module] = f"{module}:{taken}" if name else module
    certain = all(best.certainty is Certainty.CERTAIN for best in found.values())
    renamed = any(best.name and best.name != name for name, best in found.items())
    return Mending(
        moved_to,
        certain and not renamed and not broken.swallowed_line,
        _described(moved_to),
        renamed and broken.name != "" and not where(program).is_taken(path, broken.name),
    )


def export_mending(program: Program, path: str, name: str, look_up: Lookup | None = None) -> Mending:
    """How an entry of `__all__` that names nothing can be mended: import what it names, or take the entry out."""
    modules = program.linked(FAMILY)
    look_up = look_up or where(program).replacements
    own = where(program).module_of(path)
    best = best_of(look_up, path, own, name) if own else None
    if best is not None and best.path == path and _is_respelt(name, best.name):
        return Mending({name: best.name}, False, f"name {best.name} in its stead")
    # What only has the same name, and lies somewhere else, was hardly ever meant to be exported from here.
    if best is not None and (best.certainty is Certainty.CERTAIN or f"{best.path}/".startswith(f"{parent_of(path)}/")):
        module = _written(modules, path, best) if _is_relative(modules, path) else best.module
        taken = best.name or name
        if holds(modules, path, module, taken, best):
            safe = best.certainty is Certainty.CERTAIN and taken == name
            return Mending({name: f"{module}:{taken}"}, safe, f"import {taken} from {module}")
    return Mending({name: ""}, False, f"take {name or repr('')} out of __all__")


def _is_respelt(name: str, other: str) -> bool:
    """Whether two names differ, and only in case and underscores."""
    return name != other and name.replace("_", "").casefold() == other.replace("_", "").casefold()


def _described(moved_to: Mapping[str, str]) -> str:
    parts = [target.rpartition(":") for target in moved_to.values()]
    places = sorted({module for module, _, _ in parts if module})
    names = ", ".join(name for _, _, name in parts)
    return f"import {names} from {' and '.join(places)}" if places else f"import {names}"


def best_of(look_up: Lookup, path: str, module: str, name: str) -> Replacement | None:
    """Where a module, or a name of it, went: the one answer that is certain, or the one that is likely."""
    found = look_up(module, name, path)
    for certainty in (Certainty.CERTAIN, Certainty.LIKELY):
        of_it = [one for one in found if one.certainty is certainty]
        if of_it:
            return of_it[0] if len({(one.path, one.name) for one in of_it}) == 1 else None
    return None


def _has(modules: Modules, whole: Replacement, name: str) -> bool:
    return bool(whole.path) and modules.binds(modules.target_of(whole.path), name)


def holds(modules: Modules, path: str, module: str, name: str, best: Replacement) -> bool:
    """Whether an import as it would be written leads there, and finds the name."""
    if not best.path or best.path == path:
        return False
    bare = module.lstrip(".")
    resolution = modules.resolve(path, len(module) - len(bare), bare)
    if resolution.missing is not None or resolution.doubtful or len(resolution.targets) != 1:
        return False
    target = resolution.targets[0]
    if target.kind == "unknown" or (name and not modules.binds(target, name)):
        return False
    if best.kind == "module" and best.name:
        return modules.layout.folder_of(target) is not None
    return target.path == best.path


def _written(modules: Modules, path: str, best: Replacement) -> str:
    """The module as a relative import would write it; absolute where it is not in the same package."""
    if not best.path:
        return best.module
    folder, stem = posixpath.split(best.path.rpartition(".")[0])
    target = folder.split("/") if stem == "__init__" else [*folder.split("/"), stem]
    if best.kind == "module" and best.name:
        target = target[:-1]
    origin = parent_of(path).split("/")
    shared = 0
    while shared < min(len(origin), len(target)) and origin[shared] == target[shared]:
        shared += 1
    base = "/".join(origin[:shared])
    if not shared or base not in modules.layout.packages:
        return best.module
    return "." * (len(origin) - shared + 1) + ".".join(target[shared:])


def _is_relative(modules: Modules, path: str) -> bool:
    """Whether a file takes names from its own package by relative imports."""
    return any(statement.level > 0 for statement in modules.facts[path].imports)
