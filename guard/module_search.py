"""From what a person calls a module to its file."""

from __future__ import annotations

from collections.abc import Iterator

from guard.checks.layout import Layout
from guard.checks.roots import dotted_name, parent_of
from guard.configuration.names import SIMILAR
from guard.model import GuardError

_LISTED = 4
"""Files named where several are meant."""


def find_module(layout: Layout, named: str, as_path: str = "") -> str:
    """The file of a module that is named by its path (from the top of the tree, or otherwise, as which it is `as_path`)
    or by its dotted name, below whichever root.

    Raises GuardError where there is none, with what may have been meant, and where there are several.
    """
    found = list(dict.fromkeys(_by_path(layout, named, as_path))) or _by_name(layout, named)
    if len(found) == 1:
        return found[0]
    if not found:
        raise GuardError(f"no module {named!r} in this tree{_guess(layout, named)}")
    more = f" and {len(found) - _LISTED} more" if len(found) > _LISTED else ""
    raise GuardError(f"{named!r} could be {', '.join(found[:_LISTED])}{more}: name one of them by its path")


def _by_path(layout: Layout, *paths: str) -> Iterator[str]:
    for path in paths:
        for candidate in (path, f"{path.rstrip('/')}/__init__.py"):
            if candidate in layout.files:
                yield candidate


def _by_name(layout: Layout, named: str) -> list[str]:
    """The files of a dotted name: those below a root that something declares, else those below any folder."""
    tail = named.replace(".", "/")
    ends = (f"{tail}.py", f"{tail}/__init__.py")
    places: dict[str, list[str]] = {}
    for path in sorted(layout.files):
        for end in ends:
            if path == end or path.endswith(f"/{end}"):
                places.setdefault(path[: -len(end)].rstrip("/"), []).append(path)
    # Of a module beside a package of its name, the package is imported.
    found = {root: paths[-1] if paths[-1].endswith("/__init__.py") else paths[0] for root, paths in places.items()}
    declared = {*layout.roots.strong, *layout.roots.anybody} - layout.packages
    for likely in (declared, found.keys() - layout.packages, found.keys()):
        chosen = [path for root, path in found.items() if root in likely]
        if chosen:
            return chosen
    return []


def _guess(layout: Layout, named: str) -> str:
    from rapidfuzz import fuzz, process

    if "/" in named or named.endswith(".py"):
        known = set(layout.files)
    else:
        roots = {*layout.roots.strong, *layout.roots.anybody}
        known = {
            dotted_name(path, root)
            for path in layout.files
            for root in _above(path)
            if root in roots and root not in layout.packages
        }
    match = process.extractOne(named, sorted(known - {named}), scorer=fuzz.ratio, score_cutoff=SIMILAR)
    return f"; did you mean {match[0]!r}?" if match is not None else ""


def _above(path: str) -> Iterator[str]:
    while path:
        path = parent_of(path)
        yield path
