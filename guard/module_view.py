"""Everything there is to know of how one module is imported: what `guard show imports` shows.

Pure: a linked program in, values out.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final

import msgspec

from guard.checks.breakage import NOT_SURE_TO_RUN, Break, spread
from guard.checks.import_uses import AT_START, Use, Uses
from guard.checks.module_facts import CLASS, FUNCTION
from guard.checks.module_table import Modules
from guard.checks.modules import FAMILY as MODULES
from guard.checks.test_files import TestFiles
from guard.entrypoints import EntryPoint
from guard.impact import Reach, reach_of
from guard.model import Impact
from guard.program import Program


class Step(msgspec.Struct, frozen=True):
    """One file of a chain of imports."""

    path: str
    line: int
    """The line that imports the next file of the chain; 0 in the last one, and for the package around a module."""


class Chain(msgspec.Struct, frozen=True, kw_only=True):
    """How a deployed process gets to the module."""

    path: str
    """The file that names the entry point; empty for one that the configuration names."""
    line: int
    starts: str
    """The module or script that it starts."""
    lazy: bool
    """Whether some import of the chain stands in a function, so that it happens only when that is called."""
    steps: tuple[Step, ...]
    """The shortest way, the first file that is executed first, the module last."""


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """One name of the module, and who takes it."""

    name: str
    kind: str
    """`class`, `function`, `name`; `missing` where the module does not bind it."""
    line: int
    users: tuple[str, ...]
    """The files that import it from the module itself."""
    through: Mapping[str, tuple[str, ...]]
    """The files that import it from another module, which has it from here, by that module's file."""


class HandedOn(msgspec.Struct, frozen=True, kw_only=True):
    """A module that imports names from this one, and that others take them from."""

    path: str
    line: int
    names: tuple[str, ...]
    users: int
    """Files that import one of these names from there."""


class BrokenBy(msgspec.Struct, frozen=True):
    """A broken import on account of which the module cannot be imported."""

    path: str
    line: int
    missing: str


class ModuleView(msgspec.Struct, frozen=True, kw_only=True):
    """All of it."""

    path: str
    name: str
    """Its dotted name, by the name that most imports use, or that its own roots give it."""
    names: Mapping[str, int]
    """Every absolute name that it is imported by, with the number of imports. Two names are two copies at run time."""
    roots: tuple[str, ...]
    """The folders that its own absolute imports are looked for in, as far as they are certain."""
    parsed: bool
    """Whether it could be read; if not, nothing is known of what it imports and binds."""
    impact: Impact
    chains: tuple[Chain, ...]
    """From each entry point that gets to it, those that do when they start first."""
    entry_points: int
    """How many entry points there are."""
    breaks_modules: int
    """Modules that could not be imported if this one could not, itself among them, without test files."""
    breaks_test_files: int
    broken_by: tuple[BrokenBy, ...]
    """Why it cannot be imported now; empty where nothing is known to be in the way."""
    imported_by: tuple[Use, ...]
    """Those first that import it when they are imported."""
    imports: tuple[Use, ...]
    others: Mapping[str, int]
    """What it imports that is not of this tree, with the first line."""
    taken: tuple[Taken, ...]
    """The names that are imported, the most used first."""
    not_taken: tuple[str, ...]
    """Classes and functions that nobody imports by name."""
    handed_on: tuple[HandedOn, ...]
    circle: tuple[Step, ...]
    """The shortest way from the module back to itself by imports that run when their file is imported."""
    circle_size: int
    """How many files can be reached from the module that also reach it, itself among them; 0 where there are none."""


def view_of(program: Program, path: str) -> ModuleView:
    """All there is to say of the module at `path`."""
    modules = program.linked(MODULES)
    uses = Uses(modules)
    reach = reach_of(program)
    facts = modules.facts.get(path)
    imported_by = uses.of_file.get(path, ())
    names = Counter(use.module for use in imported_by if not use.module.startswith("."))
    breakage = spread(modules, TestFiles(program), [Break(path, "ImportError")])
    taken = _taken(modules, uses, path)
    wanted = {one.name for one in taken}
    circle, size = _circle(uses, path)
    return ModuleView(
        path=path,
        name=min(names, key=lambda name: (-names[name], name)) if names else modules.layout.roots.name_of(path),
        names=dict(sorted(names.items(), key=lambda item: (-item[1], item[0]))),
        roots=modules.layout.roots.of(path)[0],
        parsed=facts is not None,
        impact=reach.of(path),
        chains=tuple(_chains(uses, reach, path)),
        entry_points=len(reach.starts),
        breaks_modules=breakage.extents[0].modules,
        breaks_test_files=breakage.extents[0].test_files,
        broken_by=tuple(_broken_by(modules, program, path)),
        imported_by=tuple(sorted(imported_by, key=lambda use: (_HOW[use.how], reach.of(use.path).rank))),
        imports=uses.by_file.get(path, ()),
        others=dict(_others(modules, path)),
        taken=taken,
        not_taken=tuple(name for name in (facts.definitions if facts else ()) if name not in wanted),
        handed_on=_handed_on(uses, taken, path),
        circle=circle,
        circle_size=size,
    )


_HOW: Final = {
    how: rank for rank, how in enumerate(("module", "guarded", "conditional", "lazy", "main", "type-checking"))
}


# What it imports, and who takes what


def _others(modules: Modules, path: str) -> Iterator[tuple[str, int]]:
    facts = modules.facts.get(path)
    seen: set[str] = set()
    for statement in facts.imports if facts is not None else ():
        for module in statement.modules if statement.level <= 0 else ():
            if module not in seen and not modules.resolve(path, 0, module).targets:
                seen.add(module)
                yield module, statement.line


def _taken(modules: Modules, uses: Uses, path: str) -> tuple[Taken, ...]:
    """Each name that is imported from the module, with its users, also those that have it through others."""
    facts = modules.facts.get(path)
    known = facts.names if facts is not None else {}
    direct: dict[str, dict[str, None]] = {}
    for use in uses.of_file.get(path, ()):
        for name, _ in use.names:
            direct.setdefault(name, {})[use.path] = None
    whole = direct.pop("*", {})
    everything = [name for name in known if modules.exports(modules.target_of(path), name)] if whole else []
    found = []
    for name in dict.fromkeys((*direct, *everything)):
        through = _through(modules, uses, path, name)
        users = tuple(direct.get(name, ()))
        if not users and not through:
            continue
        bound = known.get(name)
        kind = "missing" if not modules.binds(modules.target_of(path), name, typing=True) else "name"
        if bound is not None and bound.flags & (CLASS | FUNCTION):
            kind = "class" if bound.flags & CLASS else "function"
        line = bound.line if bound is not None else 0
        found.append(Taken(name=name, kind=kind, line=line, users=users, through=through))
    return tuple(sorted(found, key=lambda one: (-_users(one), one.name)))


def _users(taken: Taken) -> int:
    return len(taken.users) + sum(len(paths) for paths in taken.through.values())


def _through(modules: Modules, uses: Uses, path: str, name: str) -> dict[str, tuple[str, ...]]:
    """Who takes `name` from a module that has it from the one at `path`, at any number of removes."""
    found: dict[str, tuple[str, ...]] = {}
    seen = {(path, name)}
    waiting = deque(seen)
    while waiting:
        where, called = waiting.popleft()
        for use in uses.of_file.get(where, ()):
            if use.how == "lazy":
                continue  # it binds a local name
            for taken, bound in use.names:
                if taken == called or (taken == "*" and modules.exports(modules.target_of(where), called)):
                    here = (use.path, called if taken == "*" else bound)
                    if here not in seen:
                        seen.add(here)
                        waiting.append(here)
        if where != path:
            users = {use.path for use in uses.of_file.get(where, ()) if any(one == called for one, _ in use.names)}
            if users:
                found[where] = tuple(sorted({*found.get(where, ()), *users}))
    return found


def _handed_on(uses: Uses, taken: Iterable[Taken], path: str) -> tuple[HandedOn, ...]:
    names: dict[str, list[str]] = {}
    users: dict[str, set[str]] = {}
    for one in taken:
        for where, who in one.through.items():
            names.setdefault(where, []).append(one.name)
            users.setdefault(where, set()).update(who)
    lines = {use.path: use.line for use in reversed(uses.of_file.get(path, ()))}
    found = (
        HandedOn(path=where, line=lines.get(where, 0), names=tuple(sorted(names[where])), users=len(users[where]))
        for where in names
    )
    return tuple(sorted(found, key=lambda one: (-one.users, one.path)))


def _broken_by(modules: Modules, program: Program, path: str) -> Iterator[BrokenBy]:
    """The broken imports that keep the module from being imported."""
    stopping = [one for one in modules.broken if not one.swallowed_line and not one.statement.flags & NOT_SURE_TO_RUN]
    errors = ["ImportError" if one.name else "ModuleNotFoundError" for one in stopping]
    breaks = [Break(one.path, error) for one, error in zip(stopping, errors, strict=True)]
    blockers = spread(modules, TestFiles(program), breaks).blockers.get(path, 0)
    for number, one in enumerate(stopping):
        if blockers >> number & 1:
            yield BrokenBy(one.path, one.statement.line, f"{one.module}.{one.name}" if one.name else one.module)


# Ways


def _circle(uses: Uses, path: str) -> tuple[tuple[Step, ...], int]:
    """The shortest way from a module back to itself, and the number of files on any such way."""

    def written(one: str) -> Sequence[tuple[str, int]]:
        # That a module needs the package around it is no circle: nearly every package would be in one.
        return [(use.target, use.line) for use in uses.by_file.get(one, ()) if use.how in AT_START]

    before = _breadth_first([path], written)
    ends = [one for one in before if any(target == path for target, _ in written(one))]
    if path in ends:
        ends.remove(path)  # a module that imports itself
    if not ends:
        return (), 0
    last = ends[0]
    line = next(line for target, line in written(last) if target == path)
    back: set[str] = set()
    waiting = deque([path])
    while waiting:
        for use in uses.of_file.get(waiting.popleft(), ()):
            if use.how in AT_START and use.path not in back and use.path in before:
                back.add(use.path)
                waiting.append(use.path)
    return (*_way(before, last, line), Step(path, 0)), len(back)


_Neighbours = Callable[[str], Sequence[tuple[str, int]]]
_Before = Mapping[str, tuple[str, int] | None]
"""By file that is reached: the file before it on the shortest way, and the line there; None for the first."""


def _breadth_first(starts: Iterable[str], neighbours: _Neighbours) -> _Before:
    before: dict[str, tuple[str, int] | None] = dict.fromkeys(starts)
    waiting = deque(before)
    while waiting:
        one = waiting.popleft()
        for target, line in neighbours(one):
            if target not in before:
                before[target] = (one, line)
                waiting.append(target)
    return before


def _way(before: _Before, last: str, line: int = 0) -> tuple[Step, ...]:
    """The steps to `last`, in which `line` imports what comes next."""
    steps = [Step(last, line)]
    while (previous := before[steps[-1].path]) is not None:
        steps.append(Step(*previous))
    return tuple(reversed(steps))


def _chains(uses: Uses, reach: Reach, path: str) -> Iterator[Chain]:
    """The shortest way from each entry point, those that need no call first."""

    def at_any_time(one: str) -> Sequence[tuple[str, int]]:
        lazy = [(use.target, use.line) for use in uses.by_file.get(one, ()) if use.how == "lazy"]
        return (*uses.started_by(one), *lazy)

    later: list[Chain] = []
    for entry, starts in reach.starts.items():
        at_start = _breadth_first(starts, uses.started_by)
        if path in at_start:
            yield _chain(entry, _way(at_start, path), lazy=False)
        elif path in (before := _breadth_first(starts, at_any_time)):
            later.append(_chain(entry, _way(before, path), lazy=True))
    yield from later


def _chain(entry: EntryPoint, steps: tuple[Step, ...], *, lazy: bool) -> Chain:
    return Chain(path=entry.path, line=entry.line, starts=entry.module or entry.script, lazy=lazy, steps=steps)
