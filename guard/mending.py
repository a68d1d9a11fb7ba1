"""How broken imports can be mended: what `guard.where` says of each name, as an import in that file would write it."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping

import msgspec

from guard.checks.broken_imports import BrokenImport
from guard.checks.modules import FAMILY, Modules
from guard.checks.roots import parent_of
from guard.model import Fix
from guard.program import Program
from guard.where import Certainty, Replacement, replacements


class Mending(msgspec.Struct, frozen=True):
    """What `guard.fixes.imp` needs to know of one finding."""

    moved_to: Mapping[str, str]
    """By name as the import has it: `MODULE:NAME` as the import would write it; for `import a.b`, the module."""
    certain: bool
    renamed: bool
    private: bool
    """No other file takes from this one what the import binds, so its uses may be renamed."""

    def fix(self, *, swallowed: bool = False) -> Fix:
        """The fix as a finding offers it. It is safe where the place is certain and every name stays; one that makes
        code run which never ran before (`swallowed`) is not."""
        safe = self.certain and not self.renamed and not swallowed
        places = sorted({target.partition(":")[0] if ":" in target else "" for target in self.moved_to.values()})
        new = ", ".join(target.partition(":")[2] or target for target in self.moved_to.values())
        where = f" from {' and '.join(places)}" if any(places) else ""
        return Fix("safe" if safe else "unsafe", f"import {new}{where}")

    def data(self) -> dict[str, object]:
        """What the finding's data hold of it."""
        return {"moved_to": dict(self.moved_to), **({"private": True} if self.private and self.renamed else {})}


def mending_of(program: Program, broken: BrokenImport) -> Mending | None:
    """How an import can be mended; None where the new place of one of its names is not even likely."""
    modules = program.linked(FAMILY)
    statement = broken.statement
    written = "." * max(statement.level, 0) + broken.module
    if statement.level < 0:
        best = _best(program, broken.path, written, "")
        if best is None or (broken.alias is not None and broken.alias.name == best.module):
            return None
        return _mending({broken.module: best}, {broken.module: best.module}, broken, modules)
    names = [broken.name] if broken.name else [alias.name for alias in statement.aliases]
    if "*" in names:
        return None
    whole = _best(program, broken.path, written, "") if not broken.name else None
    found: dict[str, Replacement] = {}
    for name in names:
        best = whole if whole is not None and _has(modules, whole, name) else _best(program, broken.path, written, name)
        if best is None:
            return None
        found[name] = best
    moved_to: dict[str, str] = {}
    for name, best in found.items():
        taken = best.name or name
        module = _written(modules, broken, best)
        if not _holds(modules, broken, module, taken, best) or (module, taken) == (written, name):
            return None
        moved_to[name] = f"{module}:{taken}"
    return _mending(found, moved_to, broken, modules)


def _mending(
    found: Mapping[str, Replacement], moved_to: Mapping[str, str], broken: BrokenImport, modules: Modules
) -> Mending:
    renamed = any(best.name and best.name != name for name, best in found.items())
    certain = all(best.certainty is Certainty.CERTAIN for best in found.values())
    private = renamed and broken.name != "" and not _is_taken(modules, broken.path, broken.name)
    return Mending(moved_to, certain, renamed, private)


def _best(program: Program, path: str, module: str, name: str) -> Replacement | None:
    """The one answer that is certain, or the one that is likely."""
    found = replacements(program, module, name, path)
    for certainty in (Certainty.CERTAIN, Certainty.LIKELY):
        of_it = [one for one in found if one.certainty is certainty]
        if of_it:
            return of_it[0] if len({(one.module, one.name) for one in of_it}) == 1 else None
    return None


def _has(modules: Modules, whole: Replacement, name: str) -> bool:
    return bool(whole.path) and modules.binds(modules.target_of(whole.path), name)


def _holds(modules: Modules, broken: BrokenImport, module: str, name: str, best: Replacement) -> bool:
    """Whether the import as it would be written leads there, and finds the name."""
    if not best.path or best.path == broken.path:
        return False
    bare = module.lstrip(".")
    resolution = modules.resolve(broken.path, len(module) - len(bare), bare)
    if resolution.missing is not None or resolution.doubtful or len(resolution.targets) != 1:
        return False
    target = resolution.targets[0]
    if target.kind == "unknown" or not modules.binds(target, name):
        return False
    if best.kind == "module" and best.name:
        return modules.layout.folder_of(target) is not None
    return target.path == best.path


def _written(modules: Modules, broken: BrokenImport, best: Replacement) -> str:
    """The module as the import would write it: with dots where it has dots now and leads into the same package."""
    if broken.statement.level <= 0 or not best.path:
        return best.module
    folder, stem = posixpath.split(best.path.rpartition(".")[0])
    target = folder.split("/") if stem == "__init__" else [*folder.split("/"), stem]
    if best.kind == "module" and best.name:
        target = target[:-1]
    origin = parent_of(broken.path).split("/")
    shared = 0
    while shared < min(len(origin), len(target)) and origin[shared] == target[shared]:
        shared += 1
    base = "/".join(origin[:shared])
    if not shared or base not in modules.layout.packages:
        return best.module
    return "." * (len(origin) - shared + 1) + ".".join(target[shared:])


def _is_taken(modules: Modules, path: str, name: str) -> bool:
    """Whether another file imports `name`, or everything, from `path`."""
    for origin, facts in modules.facts.items():
        for statement in facts.imports:
            if statement.level >= 0 and any(alias.name in (name, "*") for alias in statement.aliases):
                resolution = modules.resolve(origin, statement.level, statement.module)
                if any(target.path == path for target in resolution.targets):
                    return True
    return False
