"""Where names are defined in a tree, and which of these places are near."""

from __future__ import annotations

import posixpath
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Final

from guard.checks.modules import Modules
from guard.checks.roots import parent_of
from guard.program import at_hand

_MOST: Final = 3
"""Places named in one help text."""


def definitions_of(modules: Modules, wanted: frozenset[str]) -> Mapping[str, list[str]]:
    """The files that define each class or function of those names."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for path, facts in at_hand(modules.facts).items():
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


def _listed(paths: list[str]) -> str:
    shown = ", ".join(paths[:_MOST])
    more = len(paths) - _MOST
    return f"{shown} and {more} more" if more > 0 else shown
