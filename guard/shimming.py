"""A re-export at an old place: what keeps `from old import name` working, and tells those who use it where to go.

Where the module is still there, it gets an import of the name from its new place, with a comment. Where it is gone, it
becomes a file again that imports the name and warns whoever imports it.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from guard.checks.layout import Missing, Target
from guard.checks.modules import FAMILY, Modules
from guard.fixes.rewriting.exports import WIDTH, exporting, importing
from guard.fixes.rewriting.source import CannotEdit, Source
from guard.fixes.rewriting.statement import Taken, new_statement
from guard.mending.imports import Lookup
from guard.model import GuardError
from guard.program import Program
from guard.where import Certainty, Replacement

_DOTTED: Final = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")


class Shim(msgspec.Struct, frozen=True):
    """What is to be written."""

    path: str
    """The file at the old place."""
    changes: Mapping[str, bytes]
    """New contents by path; empty where nothing is missing."""
    moved: Mapping[str, str]
    """By name, its new place as `MODULE:NAME`."""


def parsed(text: str, option: str = "") -> tuple[str, str]:
    """`MODULE:NAME` or `MODULE` in two. Raises GuardError for anything else."""
    module, colon, name = text.partition(":")
    if not _DOTTED.fullmatch(module) or (colon and not (name.isidentifier() and _DOTTED.fullmatch(name))):
        what = f"{option} " if option else ""
        raise GuardError(f'{what}"{text}" is neither MODULE:NAME nor MODULE, as in app.old:Manager')
    return module, name


def shim_for(program: Program, old: str, to: str, look_up: Lookup, *, unsafe: bool) -> Shim:
    """The shim for what `old` names (`MODULE:NAME`; of a module alone, every name that others still take from it).

    `to` is the new place, `MODULE[:NAME]`; where it is empty it has to be certain, or with `unsafe` likely. Raises
    GuardError, with the reason, where there can be no shim.
    """
    module, name = parsed(old)
    modules = program.linked(FAMILY)
    target = _target(modules, module)
    users = _users(modules, module, target)
    if name:
        names = [name]
    else:
        names = sorted({taken for _, taken in users if taken})
        if not names and not isinstance(target, Target):
            raise GuardError(f"nothing in this tree takes a missing name from {module}: say which, as in {module}:Name")
    if isinstance(target, Target):
        if target.kind != "namespace" and target.path not in modules.facts:
            raise GuardError(f"{target.path} cannot be parsed, so it is not known what it binds", 3)
        names = [one for one in names if not modules.binds(target, one)]
    origin = next((path for path, taken in users if taken in names), "")
    path, changes = _file(modules, module, target)
    moved = {one: _place(program, module, one, to, origin or path, look_up, unsafe=unsafe) for one in names}
    if not moved:
        return Shim(path, {}, {})
    _refuse_cycle(modules, path, module, moved.values())
    old_content = program.tree.read(path) if path in program.tree.files else None
    if old_content is None or not old_content.strip():
        changes[path] = _new_module(module, moved)
    else:
        changes[path] = _extended(path, old_content, moved)
    return Shim(path, changes, {one: f"{place.module}:{place.name}" for one, place in moved.items()})


# The old place


def _target(modules: Modules, module: str) -> Target | Missing:
    """What the old module's name leads to today, from wherever somebody imports it. Raises GuardError."""
    layout, parts = modules.layout, module.split(".")
    roots = {root for path in modules.facts for root in layout.roots.of(path)[0]}
    having = [root for root in sorted({*roots, *layout.roots.anybody}) if layout.step(root, parts[0]) is not None]
    there: dict[str, Target] = {}
    missing: dict[str, Missing] = {}
    for root in having:
        led = layout.descend(root, parts)
        if isinstance(led, Target):
            there[led.path] = led
        else:
            missing[led.parent.path or "."] = led
    if any(target.kind == "unknown" for target in there.values()):
        raise GuardError(f"{module} cannot be read, so a shim may not be needed")
    deepest = max((one.index for one in missing.values()), default=0)
    missing = {path: one for path, one in missing.items() if one.index == deepest}
    if not there and not missing:
        raise GuardError(f"nothing in this tree is called {parts[0]}, so it is not known where {module} was")
    if len(there or missing) > 1:
        raise GuardError(f"{module} may mean more than one place: {', '.join(sorted(there or missing))}")
    return next(iter(there.values())) if there else next(iter(missing.values()))


def _users(modules: Modules, module: str, target: Target | Missing) -> list[tuple[str, str]]:
    """The broken imports of the module or of names of it: importing file, and name."""
    found = []
    for broken in modules.broken:
        if broken.name:
            if isinstance(target, Target) and broken.target == target:
                found.append((broken.path, broken.name))
        elif isinstance(target, Missing) and broken.target == target.parent and broken.statement.level >= 0:
            written = broken.module if not broken.statement.level else ""
            if written == module or (broken.statement.level and module.endswith(f".{broken.module}")):
                found += [(broken.path, alias.name) for alias in broken.statement.aliases if alias.name != "*"]
    return found


def _file(modules: Modules, module: str, target: Target | Missing) -> tuple[str, dict[str, bytes]]:
    """The file for the shim, and the files that make packages of the folders that it needs."""
    if isinstance(target, Target):
        if target.kind == "namespace":
            return (f"{target.path}/__init__.py" if target.path else "__init__.py"), {}
        return target.path, {}
    if target.parent.kind == "module":
        raise GuardError(f"{target.parent.path} is a module, so nothing can be below it: {module} cannot come back")
    folder = modules.layout.folder_of(target.parent) or ""
    regular = target.parent.kind == "package"
    changes: dict[str, bytes] = {}
    *above, last = module.split(".")[target.index :]
    for part in above:
        folder = f"{folder}/{part}" if folder else part
        if regular:
            changes[f"{folder}/__init__.py"] = b""
    return (f"{folder}/{last}.py" if folder else f"{last}.py"), changes


# The new place


def _place(
    program: Program, module: str, name: str, to: str, origin: str, look_up: Lookup, *, unsafe: bool
) -> Replacement:
    """Where a name is today. Raises GuardError where that is not certain enough."""
    if to:
        return _told(program, name, to, origin)
    found = look_up(module, name, origin)
    for certainty in (Certainty.CERTAIN, Certainty.LIKELY) if unsafe else (Certainty.CERTAIN,):
        of_it = [one for one in found if one.certainty is certainty and one.module]
        if len({(one.path, one.name) for one in of_it}) == 1 and (unsafe or of_it[0].name == name):
            return msgspec.structs.replace(of_it[0], name=of_it[0].name or name)
    places = ", ".join(f"{one.module}:{one.name or name} ({one.certainty})" for one in found[:3])
    guess = f"; it may be {places}" if places else ""
    raise GuardError(f"where {name} of {module} went is not certain{guess}. Say where it is: --to MODULE:NAME")


def _told(program: Program, name: str, to: str, origin: str) -> Replacement:
    modules = program.linked(FAMILY)
    new_module, new_name = parsed(to, "--to")
    new_name = new_name or name
    resolution = modules.resolve(origin, 0, new_module)
    if resolution.missing is not None or not any(modules.binds(target, new_name) for target in resolution.targets):
        raise GuardError(f"--to {to}: {new_module} does not bind {new_name}")
    path = resolution.targets[0].path
    return Replacement(
        certainty=Certainty.CERTAIN, module=new_module, name=new_name, kind="name", path=path, line=1, reasons=()
    )


def _refuse_cycle(modules: Modules, path: str, module: str, places: Iterable[Replacement]) -> None:
    """Raise GuardError where loading a new place loads the old one: each would need the other first."""
    for place in places:
        seen = {place.path}
        waiting = deque(seen)
        while waiting:
            for loaded in modules.imported_at_start(waiting.popleft()):
                if loaded not in seen:
                    seen.add(loaded)
                    waiting.append(loaded)
        if path in seen and path != place.path:
            raise GuardError(f"{place.module} loads {module}, so a shim there would be an import cycle", 1)
        if path == place.path:
            raise GuardError(f"{place.module} is {path} itself", 1)


# The text


def _new_module(module: str, moved: Mapping[str, Replacement]) -> bytes:
    """A module that imports the names, and warns whoever imports it."""
    by_module = _by_module(moved)
    places = " and ".join(by_module)
    names = sorted(moved)
    flat = f"__all__ = [{', '.join(map(_quoted, names))}]"
    wide = ["__all__ = [", *(f"    {_quoted(name)}," for name in names), "]"]
    lines = [f'"""Deprecated: what was here is in {places} now."""', "", "import warnings", ""]
    lines += [new_statement(new, taken, "", "\n", WIDTH) for new, taken in by_module.items()]
    lines += ["", *([flat] if len(flat) <= WIDTH else wide), "", "warnings.warn("]
    lines += [
        f'    "{module} is deprecated: import from {places}",',
        "    DeprecationWarning,",
        "    stacklevel=2,",
        ")",
    ]
    return "\n".join([*lines, ""]).encode()


def _extended(path: str, content: bytes, moved: Mapping[str, Replacement]) -> bytes:
    """The module with an import of each name behind its imports, and its `__all__` with the names."""
    try:
        source = Source(content)
        exports = exporting(source, sorted(moved))
        # What `__all__` names, no linter takes for an import that nobody needs.
        mark = "  # noqa: F401" if exports is None else ""
        by_module = _by_module(moved)
        comments = {module: f"{mark}  # deprecated: import from {module} instead" for module in by_module}
        return source.edited([*([exports] if exports else []), importing(source, by_module, comments)])
    except CannotEdit as error:
        raise GuardError(f"{path}: {error}", 1) from error


def _by_module(moved: Mapping[str, Replacement]) -> dict[str, list[Taken]]:
    found: dict[str, list[Taken]] = {}
    for name, place in sorted(moved.items(), key=lambda item: (item[1].module, item[0])):
        found.setdefault(place.module, []).append(Taken(place.name, name if place.name != name else ""))
    return found


def _quoted(name: str) -> str:
    return f'"{name}"'
