"""How far a module that cannot be imported reaches: what cannot be imported any more because it cannot.

A failure goes from a module to those that import it when they are imported themselves, where nothing catches it, and
from a package to all that is in it. From a `conftest.py` it goes to every test file below its folder: pytest cannot
collect them. Where it is not certain which file an import leads to, or whether the import runs, nothing is passed on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from typing import Final

import msgspec

from guard.checks.layout import EXTERNAL, Resolution, Target
from guard.checks.module_facts import (
    ASSERTED,
    BRANCHED,
    DEAD,
    LAZY,
    MAIN,
    PLATFORM,
    SOLID,
    TYPING,
    UNBOUND,
    GuardFact,
    Import,
)
from guard.checks.module_table import Modules
from guard.checks.roots import parent_of
from guard.checks.test_files import TestFiles
from guard.exceptions import catches
from guard.model import Broken, Extent

NOT_SURE_TO_RUN: Final = LAZY | TYPING | DEAD | PLATFORM | MAIN | ASSERTED | BRANCHED
"""An import with one of these flags may not run when its module is imported, or is not meant to succeed."""


class Break(msgspec.Struct, frozen=True):
    """A place at which importing a file certainly fails."""

    path: str
    error: str
    """The name of the exception, one of Python's own."""


class Breakage(msgspec.Struct, frozen=True):
    """What all of them do together."""

    extents: tuple[Extent, ...]
    """Of each place, in the order in which they were given."""
    broken: Broken
    blockers: Mapping[str, int]
    """By file that cannot be imported: the places that are in the way, each as the bit of its number."""


def spread(modules: Modules, tests: TestFiles, breaks: Sequence[Break]) -> Breakage:
    """Follow every one of `breaks` to all that it reaches, in a time that grows with the tree and hardly with them.

    Sets of breaks are the bits of an integer, so that joining two of them costs next to nothing.
    """
    own: dict[str, dict[str, int]] = {}
    for number, one in enumerate(breaks):
        by_path = own.setdefault(one.error, {})
        by_path[one.path] = by_path.get(one.path, 0) | 1 << number
    users = _users(modules)
    blockers: dict[str, int] = {}
    errors: dict[str, tuple[str, ...]] = {}
    for error, by_path in own.items():
        for path, bits in _through(by_path, users, error).items():
            blockers[path] = blockers.get(path, 0) | bits
            errors[path] = (*errors.get(path, ()), error)
    together = _together(errors, {one.path for one in breaks}, users)
    collecting = _collecting(blockers, modules, tests)
    blocked = _collecting({path: blockers[path] for path in together}, modules, tests)
    others = {path: bits for path, bits in blockers.items() if path not in tests}
    frees = [0] * len(breaks)
    for path, bits in collecting.items():
        if bits.bit_count() == 1 and path in blocked:
            frees[bits.bit_length() - 1] += 1
    counts = zip(_per_bit(others.values(), len(breaks)), _per_bit(collecting.values(), len(breaks)), frees, strict=True)
    extents = tuple(Extent(*numbers) for numbers in counts)
    broken = Broken(tuple(sorted(others.keys() & together)), tuple(sorted(blocked)))
    return Breakage(extents, broken, {path: bits for path, bits in blockers.items() if path in together})


# Edges

_User = tuple[str, tuple[GuardFact, ...]]
"""A file that imports another one whenever it is imported itself, and the handlers around that, innermost last."""


def _users(modules: Modules) -> Mapping[str, list[_User]]:
    """By file, who certainly executes it when it is imported."""
    found: dict[str, list[_User]] = {}
    ways = _Ways(modules)
    for path in modules.layout.files:
        package = ways.package_above(path)
        if package is not None:
            found.setdefault(package, []).append((path, ()))
    elsewhere: set[str] = set()
    left_at = modules.left_at
    for path, facts in modules.facts.items():
        if path.endswith(".pyi"):
            continue
        end = left_at.get(path)
        for statement in facts.imports:
            if statement.flags & NOT_SURE_TO_RUN or (end is not None and statement.line > end):
                continue
            if statement.level <= 0:
                # Most imports are of few modules that are not in the tree.
                name = statement.aliases[0].name if statement.level < 0 else statement.module
                if name in elsewhere and (not statement.level or len(statement.aliases) == 1):
                    continue
                if modules.layout.is_nowhere(name):
                    elsewhere.add(name)
            guards = tuple([facts.guards[number] for number in statement.guards]) if statement.guards else ()
            for used in ways.of(path, statement):
                if used != path:
                    found.setdefault(used, []).append((path, guards))
    return found


class _Ways:
    """Which files an import statement executes for certain."""

    def __init__(self, modules: Modules) -> None:
        self._modules = modules
        self._strong = modules.layout.roots.strong
        self._known: dict[int, tuple[str, ...]] = {}
        """By the identity of a resolution: the layout keeps one for every module that is asked for, to its end."""

    def package_above(self, path: str) -> str | None:
        """The `__init__.py` of the package that a file is directly in; None where it is in none."""
        folder, _, name = path.rpartition("/")
        if name == "__init__.py":
            if folder in self._strong:
                return None
            folder = parent_of(folder)
        # A root is a package to nobody: the names of its modules begin below it.
        if folder in self._strong or folder not in self._modules.layout.packages:
            return None
        return f"{folder}/__init__.py"

    def of(self, path: str, statement: Import) -> Sequence[str]:
        """The files that the statement in `path` executes, as far as it is certain which they are."""
        resolve = self._modules.resolve
        if statement.level < 0:
            names = [alias.name for alias in statement.aliases]
            return [file for name in names for file in self._executed(resolve(path, -1, name), name)]
        resolution = resolve(path, statement.level, statement.module)
        if not resolution.targets:
            return self._executed(resolution, statement.module)
        executed = self._executed(resolution, statement.module)
        if resolution.targets[0].kind == "module" or not _is_certain(resolution):
            return executed
        return [*executed, *self._submodules(path, resolution.targets[0], statement)]

    def _executed(self, resolution: Resolution, module: str) -> tuple[str, ...]:
        """The files of a module and of those packages above it that are not known to be above it anyway."""
        if resolution is EXTERNAL:
            return ()
        found = self._known.get(id(resolution))
        if found is None:
            files: Iterable[str] = ()
            if _is_certain(resolution):
                files = self._files(resolution.targets[0], module.count("."))
            elif resolution.missing is not None and resolution.missing.index:
                # What is above a missing module is executed before that is looked for.
                files = self._files(resolution.missing.parent, resolution.missing.index - 1)
            found = self._known[id(resolution)] = tuple(files)
        return found

    def _files(self, target: Target, above: int) -> Iterator[str]:
        """The file of a target, and of the packages among the `above` folders above it."""
        if target.path.endswith(".py"):
            yield target.path
        folder = parent_of(target.path)
        if target.kind == "package":
            folder = parent_of(folder)
        linked = target.kind != "namespace"
        for _ in range(above):
            is_package = folder in self._modules.layout.packages
            linked = linked and is_package and folder not in self._strong
            if is_package and not linked:
                yield f"{folder}/__init__.py"
            folder = parent_of(folder)

    def _submodules(self, path: str, target: Target, statement: Import) -> Iterator[str]:
        """The modules of a package that `from package import name` loads, since the package binds no such name."""
        folder = self._modules.layout.folder_of(target)
        facts = self._modules.facts.get(target.path) if target.kind == "package" else None
        if folder is None or (target.kind == "package" and (facts is None or facts.open)):
            return
        names = [alias.name for alias in statement.aliases]
        if names == ["*"]:
            names = [export.name for export in facts.exports or ()] if facts is not None else []
        for name in names:
            below = self._modules.layout.step(folder, name)
            if below is None or below.kind not in ("module", "package") or not below.path.endswith(".py"):
                continue
            bound = facts.names.get(name) if facts is not None else None
            # In the package itself it may be this statement that binds it.
            if bound is None or bound.flags & UNBOUND or (path == target.path and not bound.flags & SOLID):
                yield below.path


def _is_certain(resolution: Resolution) -> bool:
    """Whether it is known which file an import leads to."""
    return len(resolution.targets) == 1 and not resolution.doubtful and not resolution.unknown


def escapes(guards: Iterable[GuardFact], error: str) -> bool:
    """Whether an exception certainly gets past the handlers around the place where it is raised."""
    for guard in guards:
        caught = catches(guard.catches, error)
        if caught is None or (caught and not guard.reraises):
            return False
    return True


# Following them


def _through(own: Mapping[str, int], users: Mapping[str, list[_User]], error: str) -> Mapping[str, int]:
    """By file that `error` reaches from the files of `own`: the bits of all that reach it."""
    uses: dict[str, list[str]] = {path: [] for path in own}
    waiting = list(own)
    while waiting:
        used = waiting.pop()
        for path, guards in users.get(used, ()):
            if guards and not escapes(guards, error):
                continue
            known = uses.get(path)
            if known is None:
                uses[path] = [used]
                waiting.append(path)
            else:
                known.append(used)
    blockers: dict[str, int] = {}
    for group in circles(uses):
        bits = 0
        for path in group:
            bits |= own.get(path, 0)
            for used in uses[path]:
                bits |= blockers.get(used, 0)
        for path in group:
            blockers[path] = bits
    return blockers


def _together(errors: Mapping[str, tuple[str, ...]], own: Set[str], users: Mapping[str, list[_User]]) -> Set[str]:
    """The files that fail with all breaks at once.

    A file that several exceptions reach raises one of them, and which one is a matter of order: it is in the way of
    those that import it where no handler stops any of them.
    """
    if all(len(kinds) == 1 for kinds in errors.values()):
        return errors.keys()
    found = set(own)
    waiting = list(own)
    while waiting:
        used = waiting.pop()
        for path, guards in users.get(used, ()):
            if path not in found and all(escapes(guards, error) for error in errors[used]):
                found.add(path)
                waiting.append(path)
    return found


def circles(uses: Mapping[str, Sequence[str]]) -> Iterator[list[str]]:
    """The strongly connected parts of a graph, each after all that it uses (Tarjan's algorithm, without recursion)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    done: set[str] = set()
    for start in uses:
        if start in index:
            continue
        index[start] = low[start] = len(index)
        stack.append(start)
        path = [(start, iter(uses[start]))]
        while path:
            node, rest = path[-1]
            for used in rest:
                if used not in index:
                    index[used] = low[used] = len(index)
                    stack.append(used)
                    path.append((used, iter(uses[used])))
                    break
                if used not in done:
                    low[node] = min(low[node], index[used])
            else:
                path.pop()
                if path:
                    low[path[-1][0]] = min(low[path[-1][0]], low[node])
                if low[node] == index[node]:
                    group = stack[stack.index(node) :] if stack[-1] != node else [node]
                    del stack[-len(group) :]
                    done.update(group)
                    yield group


def _collecting(blockers: Mapping[str, int], modules: Modules, tests: TestFiles) -> Mapping[str, int]:
    """By test file that pytest cannot collect: what it fails at, itself or in a `conftest.py` above it."""
    conftests = {parent_of(path): bits for path, bits in blockers.items() if path.rpartition("/")[2] == "conftest.py"}
    found = {path: bits for path, bits in blockers.items() if path in tests}
    if not conftests:
        return found
    below: dict[str, int] = {}

    def above(folder: str) -> int:
        """What the `conftest.py` of a folder and of those above it fail at."""
        bits = below.get(folder)
        if bits is None:
            bits = conftests.get(folder, 0) | (above(parent_of(folder)) if folder else 0)
            below[folder] = bits
        return bits

    for path in modules.layout.files:
        if path in tests:
            bits = above(parent_of(path))
            if bits:
                found[path] = found.get(path, 0) | bits
    return found


def _per_bit(sets: Iterable[int], bits: int) -> list[int]:
    """In how many of the sets each bit is.

    Adds all of them at once, a binary digit of every sum in one integer: far faster than to look at each bit of each.
    """
    digits: list[int] = []
    for carry in sets:
        place = 0
        while carry:
            if place == len(digits):
                digits.append(0)
            digits[place], carry = digits[place] ^ carry, digits[place] & carry
            place += 1
    sums = [0] * bits
    for place, digit in enumerate(digits):
        for number, mark in enumerate(reversed(f"{digit:b}")):
            if mark == "1":
                sums[number] += 1 << place
    return sums
