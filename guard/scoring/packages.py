"""Which part of a repository a file belongs to: the project that it is in, else the folder at the top."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from guard.census import Area, Census

TOP: Final = "."
_DEEPEST: Final = 3
"""How often a part is split that holds more than half of everything."""


def packages_of(census: Census) -> Callable[[str], str]:
    """A function that names the part of a path.

    A part with more than half of all Python (or, where there is no Python, of all text) is split by the folders in
    it: a repository that is one project has its packages as parts.
    """
    projects = _projects(census)
    weights = {one.path: one.lines for one in census.files if one.python} or {
        one.path: one.lines for one in census.files
    }
    whole = sum(weights.values())
    depth: dict[str, int] = {}
    for _ in range(_DEEPEST):
        sizes: dict[str, int] = {}
        for path, lines in weights.items():
            part = _part(path, projects, depth)
            sizes[part] = sizes.get(part, 0) + lines
        large = next((part for part, lines in sizes.items() if lines * 2 > whole and part != TOP), None)
        if large is None or large in depth:
            break
        depth[large] = 1
    return lambda path: _part(path, projects, depth)


def _projects(census: Census) -> frozenset[str]:
    """The folders of projects with production code; samples and fixtures of tests are no parts of their own."""
    holding: set[str] = set()
    for one in census.files:
        if one.python and one.area is Area.PRODUCTION:
            folder = one.path.rpartition("/")[0]
            while folder and folder not in holding:
                holding.add(folder)
                folder = folder.rpartition("/")[0]
    return frozenset(holding.intersection(census.projects))


def _part(path: str, projects: frozenset[str], depth: Mapping[str, int]) -> str:
    folder = path.rpartition("/")[0]
    if not folder:
        return TOP
    part = folder
    while part and part not in projects:
        part = part.rpartition("/")[0]
    part = part or folder.partition("/")[0]
    while part in depth:
        below = folder[len(part) + 1 :].partition("/")[0]
        if not below:
            break
        part = f"{part}/{below}"
    return part
