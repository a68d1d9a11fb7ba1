"""Where a missing module or name may have gone, as far as today's tree can tell."""

from __future__ import annotations

import posixpath
from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Final

from guard.checks.broken_imports import BrokenImport
from guard.checks.modules import FAMILY, Modules
from guard.checks.roots import parent_of
from guard.program import Program


def hints_of(program: Program) -> Hints:
    """The hints of a program, whose indices are made once."""
    found = program.remembered.get("hints")
    if not isinstance(found, Hints):
        found = program.remembered["hints"] = Hints(program)
    return found


_MOST: Final = 3
"""Places named in one help text."""


class Hints:
    """The way out of a broken import."""

    def __init__(self, program: Program) -> None:
        self._modules = program.linked(FAMILY)

    def help(self, broken: BrokenImport) -> str:
        """One or two sentences: where the same name or module is today, or what else can be done."""
        if broken.name:
            return self._for_name(broken)
        return self._for_module(broken)

    def _for_name(self, broken: BrokenImport) -> str:
        places = [path for path in self._defining.get(broken.name, ()) if path != broken.path]
        if not places:
            return f"Nothing in this tree defines {broken.name} any more: import what took its place, or bring it back."
        return f"{broken.name} is defined in {nearest(places, broken.path)}."

    def _for_module(self, broken: BrokenImport) -> str:
        last = broken.module.rpartition(".")[2]
        wanted = _taken(broken)
        same_name = [path for path in self._by_stem.get(last, ()) if path != broken.path]
        with_names = [path for path in same_name if wanted & self._modules.facts[path].names.keys()]
        if with_names:
            return f"Moved? {', '.join(sorted(wanted))} is in {nearest(with_names, broken.path)}."
        defining = [path for name in sorted(wanted) for path in self._defining.get(name, ()) if path != broken.path]
        if defining:
            return f"{', '.join(sorted(wanted))} is defined in {nearest(defining, broken.path)}."
        if same_name:
            return f"A module of that name is at {nearest(same_name, broken.path)}."
        return "Nothing of that name is in this tree: delete the import with what uses it, or bring the module back."

    @cached_property
    def _defining(self) -> Mapping[str, list[str]]:
        """The files that define each class or function that a broken import takes, by name."""
        wanted = frozenset(name for broken in self._modules.broken for name in _taken(broken))
        return definitions_of(self._modules, wanted)

    @cached_property
    def _by_stem(self) -> Mapping[str, list[str]]:
        """Files by the last part of their module name."""
        found: defaultdict[str, list[str]] = defaultdict(list)
        for path in self._modules.facts:
            folder, name = posixpath.split(path)
            stem = name.rpartition(".")[0]
            found[posixpath.basename(folder) if stem == "__init__" else stem].append(path)
        return found


def definitions_of(modules: Modules, wanted: frozenset[str]) -> Mapping[str, list[str]]:
    """The files that define each class or function of those names."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for path, facts in modules.facts.items():
        for name in wanted.intersection(facts.definitions):
            found[name].append(path)
    return found


def nearest(paths: Iterable[str], origin: str) -> str:
    """The candidates as text: those that share most folders with the importing file first, tests last."""

    def distance(path: str) -> tuple[bool, int, str]:
        shared = posixpath.commonpath([parent_of(path), parent_of(origin)])
        depth = shared.count("/") + 1 if shared else 0
        in_tests = any(part.startswith("test") for part in path.split("/"))
        return in_tests, -depth, path

    return _listed(sorted(dict.fromkeys(paths), key=distance))


def _taken(broken: BrokenImport) -> set[str]:
    """The names that a broken import takes from a module."""
    if broken.name:
        return {broken.name}
    return {alias.name for alias in broken.statement.aliases} if broken.statement.level >= 0 else set()


def _listed(paths: list[str]) -> str:
    shown = ", ".join(paths[:_MOST])
    more = len(paths) - _MOST
    return f"{shown} and {more} more" if more > 0 else shown
