"""Modules that only pass names on: those that nobody imports, and those that stand in a row."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Final

import msgspec

from guard.checks.module_facts import REBOUND, SOLID, TYPING_ONLY, UNBOUND
from guard.checks.modules import FAMILY as MODULES
from guard.checks.ssot import FAMILY
from guard.duplicates.groups import Duplicates
from guard.program import Program
from guard.where import where

HOPS: Final = 3
"""Modules in a row that only pass a name on, from which it is told."""
_LONGEST: Final = 20
_FOUND_BY_NAME: Final = frozenset(
    {
        *("__init__", "__main__", "conftest", "wsgi", "asgi", "manage", "setup", "models", "admin", "apps", "urls"),
        *("signals", "tasks", "celery", "settings", "plugin", "plugins", "views", "forms", "translation"),
        *("main", "app", "application", "server", "run", "cli", "worker", "handler", "index", "lambda_function"),
    }
)
"""Modules that a framework, a platform or a person starts by their name, so that no import shows."""
_READ: Final = 1 << 20


class Shim(msgspec.Struct, frozen=True):
    """A module that only re-exports, and that nothing names."""

    path: str
    module: str


class Chain(msgspec.Struct, frozen=True):
    """A name that a module has by way of others."""

    path: str
    line: int
    name: str
    way: tuple[tuple[str, int], ...]
    """The modules behind the first one that pass it on, then the one that defines it: files and lines."""
    users: int
    """Files that import it from the first one."""


class Passing:
    """The modules of one tree that pass names on."""

    def __init__(self, program: Program, duplicates: Duplicates) -> None:
        self._program = program
        self._modules = program.linked(MODULES)
        self._duplicates = duplicates

    # Shims

    def dead_shims(self) -> Iterator[Shim]:
        """Modules of re-exports that no import, no entry point and no other text of the tree names, by path."""
        candidates = {}
        for path, facts in sorted(self._program.linked(FAMILY).items()):
            stem = posixpath.splitext(posixpath.basename(path))[0]
            bound = self._modules.facts.get(path)
            if not facts.passes_on or bound is None or bound.stars or path not in self._duplicates.production:
                continue
            if stem in _FOUND_BY_NAME or path in self._imported or not self._is_first_party(path):
                continue
            module = where(self._program).module_of(path)
            if module and "." in module:
                candidates[path] = Shim(path, module)
        named = self._named(candidates) if candidates else frozenset()
        for path, shim in candidates.items():
            if path not in named:
                yield shim

    @cached_property
    def _imported(self) -> frozenset[str]:
        """Every file that some import of another file runs."""
        return frozenset(
            executed
            for path, facts in self._modules.facts.items()
            for statement in facts.imports
            for module in statement.modules
            for executed in self._modules.executed_by(path, statement, module)
            if executed != path
        )

    def _is_first_party(self, path: str) -> bool:
        """Whether all that a module imports is of the tree: then it is there for nothing but to pass it on."""
        statements = [one for one in self._modules.facts[path].imports if one.module != "__future__"]
        return bool(statements) and all(
            one.level >= 0 and bool(self._modules.resolve(path, one.level, one.module).targets) for one in statements
        )

    def _named(self, candidates: Mapping[str, Shim]) -> frozenset[str]:
        """Those that other text names by the last two parts of their name: a string, a manifest, a document."""
        tails = {
            path: b".".join(part.encode() for part in shim.module.split(".")[-2:]) for path, shim in candidates.items()
        }
        slashed = {path: path.rpartition("/")[2].encode() for path in candidates}
        # Each word has one dot, which is found many times as fast as the beginnings of all words are.
        before: dict[bytes, dict[bytes, bytes]] = {}
        for word in {*tails.values(), *slashed.values()}:
            stem, _, end = word.partition(b".")
            before.setdefault(end, {})[stem] = word
        ends = re.compile(rb"\.(?=(%s))" % b"|".join(sorted(map(re.escape, before), reverse=True)))
        seen: dict[bytes, set[str]] = {}
        for path, content in self._program.tree.read_many(list(self._program.tree.files), _READ):
            for dot in ends.finditer(content):
                for end, stems in before.items():
                    if not dot[1].startswith(end):
                        continue
                    for stem, word in stems.items():
                        if content.endswith(stem, 0, dot.start()):
                            seen.setdefault(word, set()).add(path)
        return frozenset(
            path for path in candidates if (seen.get(tails[path], set()) | seen.get(slashed[path], set())) - {path}
        )

    # Chains

    def chains(self) -> Iterator[Chain]:
        """Names that come through `HOPS` modules or more, at the first of these, by path and line."""
        for path in sorted(self._duplicates.production):
            facts = self._modules.facts[path]
            for name, bound in sorted(facts.names.items(), key=lambda item: (item[1].line, item[0])):
                if not bound.origins or bound.flags & (SOLID | UNBOUND | REBOUND | TYPING_ONLY):
                    continue
                if not where(self._program).is_taken(path, name):
                    continue
                way = self._way(path, name)
                if len(way) >= HOPS:
                    users = where(self._program).importers_of(path, name) - {path}
                    if any(not self._passes_on(user, name) for user in users):
                        yield Chain(path, bound.line, name, way, len(users))

    def _passes_on(self, path: str, name: str) -> bool:
        """Whether a file that imports a name is one more module of the chain: others take it from there."""
        return any(
            where(self._program).is_taken(path, own)
            for own, bound in self._modules.facts[path].names.items()
            if any(origin.name == name for origin in bound.origins)
        )

    def _way(self, path: str, name: str) -> tuple[tuple[str, int], ...]:
        """The modules behind `path` that a name comes through, the defining one last; nothing where that is not
        certain."""
        way: list[tuple[str, int]] = []
        while len(way) < _LONGEST:
            bound = self._modules.facts[path].names.get(name)
            if bound is None or bound.flags & (UNBOUND | REBOUND):
                return ()
            if bound.flags & SOLID:
                return tuple(way) if not bound.origins else ()
            if len(bound.origins) != 1 or not bound.origins[0].name:
                return ()
            origin = bound.origins[0]
            resolution = self._modules.resolve(path, origin.level, origin.module)
            if resolution.doubtful or len(resolution.targets) != 1:
                return ()
            path, name = resolution.targets[0].path, origin.name
            there = self._modules.facts.get(path)
            if there is None or name not in there.names:
                return ()
            way.append((path, there.names[name].line))
        return ()
