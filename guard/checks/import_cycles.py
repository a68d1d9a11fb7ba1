"""Circles of imports: which of them break, for whom, and where."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence, Set
from typing import TYPE_CHECKING, Final

import msgspec

from guard.checks.attributes import FAMILY as ATTRIBUTES
from guard.checks.import_graph import Edge, ImportGraph, graph_of
from guard.checks.import_run import Circle, Failure, Hop

if TYPE_CHECKING:
    from guard.program import Program

_MANY: Final = 128
"""Members up to which each one is tried as the first. Of larger circles only those are that something imports first."""


class Start(msgspec.Struct, frozen=True, order=True):
    """One way in which a process comes to import modules of the tree."""

    rank: int
    """What is told first: 0 for what is deployed."""
    path: str
    """The file that starts, or that names what is started."""
    line: int
    files: tuple[str, ...]
    """What is executed, in order."""
    script: str = ""
    """The last of the files, where it is run as a script, and so is not in `sys.modules` under its own name."""
    before: tuple[str, ...] = ()
    """What may be executed before any of the files, in whatever order."""


class Breaks(msgspec.Struct, frozen=True):
    """One place at which a circle breaks."""

    failure: Failure
    first: tuple[str, ...]
    """The members of which each breaks it here when it is the first one to be imported; sorted."""
    start: Start | None
    """A way to import one of them first that the tree has; None where nothing in it does."""
    starts: int
    """How many such ways there are."""
    first_of_start: str
    """The member that this way comes to first."""


class Cycle(msgspec.Struct, frozen=True):
    """One circle of imports."""

    members: tuple[str, ...]
    hops: tuple[Hop, ...]
    """A shortest way around it."""
    breaks: tuple[Breaks, ...]
    always: bool
    """It breaks whichever member is imported first."""
    entrances: frozenset[str] = frozenset()
    """The files, members or not, that may break it when they are the first ones to be imported, and come to it."""


def find_cycles(program: Program, starts: Sequence[Start]) -> Iterator[Cycle]:
    """Every circle of module-level imports, in order of their first members."""
    graph = graph_of(program)
    attributes = program.linked(ATTRIBUTES)
    for members in graph.circles:
        circle = Circle(members, graph, attributes)
        inside = {path: [edge for edge in graph.edges[path] if edge.path in circle.members] for path in members}
        hops = _shortest(members, inside)
        if circle.is_ambiguous:
            yield Cycle(members, hops, (), False)
            continue
        yield Cycle(members, hops, *_find_breaks(circle, members, graph, starts))


def _find_breaks(
    circle: Circle, members: tuple[str, ...], graph: ImportGraph, starts: Sequence[Start]
) -> tuple[tuple[Breaks, ...], bool, frozenset[str]]:
    entries: tuple[Mapping[str, str], Mapping[str, str]] | None = None
    if len(members) <= _MANY:
        wanted = set(members)
    else:
        entries = _entries(circle, graph)
        wanted = {entry for start in starts for path in start.files for entry in _first(path, circle, entries)}
    failures = {path: failure for path in sorted(wanted) if (failure := circle.sure_failure(path)) is not None}
    scripts = {start.script: None for start in starts if start.script in circle.members}
    as_scripts = {path: circle.sure_failure(path, as_script=True) for path in scripts}
    untried = circle.members - wanted
    if not failures and not untried and not any(as_scripts.values()):
        return (), False, frozenset()
    entries = entries or _entries(circle, graph)
    entrances = _entrances(circle, entries, untried.union(failures))
    if not failures and not any(as_scripts.values()):
        return (), False, entrances
    failures = {
        path: failure
        for path in sorted(wanted)
        if (failure := failures.get(_entered_by(path, circle, entries))) is not None
    }
    found: dict[tuple[str, int, int, str, str], list[tuple[Start, str, Failure]]] = {}
    before: dict[tuple[str, ...], frozenset[str]] = {}
    for start in starts:
        if start.before not in before:
            before[start.before] = frozenset(first for path in start.before for first in _first(path, circle, entries))
        first, failure = _outcome(start, before[start.before], circle, entries, failures, as_scripts)
        if failure is not None:
            found.setdefault(failure.place, []).append((start, first, failure))
    by_place: dict[tuple[str, int, int, str, str], list[str]] = {}
    for path, failure in failures.items():
        by_place.setdefault(failure.place, []).append(path)
    breaks = []
    for place in sorted({*found, *by_place}):
        ways = sorted(found.get(place, ()), key=lambda way: way[0])
        first_ones = tuple(by_place.get(place, ()))
        if ways:
            breaks.append(Breaks(ways[0][2], first_ones, ways[0][0], len(ways), ways[0][1]))
        else:
            breaks.append(Breaks(failures[first_ones[0]], first_ones, None, 0, first_ones[0]))
    return tuple(breaks), len(failures) == len(members), entrances


def _entrances(
    circle: Circle, entries: tuple[Mapping[str, str], Mapping[str, str]], failing: Set[str]
) -> frozenset[str]:
    """The members that may fail when they are imported first, by themselves or by way of the packages around them, and
    the files that come to one of these before they come to another member."""
    found = {path for path in circle.members if _entered_by(path, circle, entries) in {"", *failing}}
    return frozenset(found.union(path for first in entries for path, member in first.items() if member in found))


def _entered_by(path: str, circle: Circle, entries: tuple[Mapping[str, str], Mapping[str, str]]) -> str:
    """The member that is executed first when `path` is imported: a package above it may come to another one."""
    parts = path.split("/")
    for end in range(1, len(parts)):
        package = "/".join([*parts[:end], "__init__.py"])
        if package != path and package not in circle.members:
            firsts = {found[package] for found in entries if package in found}
            if firsts:
                return firsts.pop() if len(firsts) == 1 else ""
    return path


def _entries(circle: Circle, graph: ImportGraph) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """The members that other modules come to first: by imports that are certain, and by all."""
    return graph.first_entries(circle.members, certain=True), graph.first_entries(circle.members, certain=False)


def _first(path: str, circle: Circle, entries: tuple[Mapping[str, str], Mapping[str, str]]) -> tuple[str, ...]:
    if path in circle.members:
        return (path,)
    return tuple(found[path] for found in entries if path in found)


def _outcome(
    start: Start,
    perhaps: Set[str],
    circle: Circle,
    entries: tuple[Mapping[str, str], Mapping[str, str]],
    failures: Mapping[str, Failure],
    as_scripts: Mapping[str, Failure | None],
) -> tuple[str, Failure | None]:
    """The member that a start comes to first, and the failure that follows from it for certain, also where one of the
    members that are `perhaps` imported before has been."""
    for path in start.files:
        if path == start.script and path in as_scripts:
            first, certain, found = path, True, [as_scripts[path]]
        else:
            firsts = _first(path, circle, entries)
            if not firsts:
                continue
            # Where a branch may lead elsewhere, both ways have to fail at the same place.
            certain = path in circle.members or path in entries[0]
            first, found = firsts[0], [failures.get(first) for first in firsts]
        places = {failure.place if failure is not None else None for failure in found}
        places |= {failure.place if (failure := failures.get(other)) is not None else None for other in perhaps}
        return first, found[0] if certain and len(places) == 1 else None
    return "", None


def _shortest(members: tuple[str, ...], inside: Mapping[str, Sequence[Edge]]) -> tuple[Hop, ...]:
    """A shortest circle among the members; of several the one that begins with the first of them."""
    best: tuple[Hop, ...] = ()
    for start in members:
        limit = len(best) or len(members) + 1
        found = _around(start, inside, limit)
        if found and len(found) < limit:
            best = found
        if len(best) == 2:
            break
    return best


def _around(start: str, inside: Mapping[str, Sequence[Edge]], limit: int) -> tuple[Hop, ...]:
    """The shortest way from a module back to it, when it is shorter than `limit`."""
    came: dict[str, Hop] = {}
    depth = {start: 0}
    queue = deque([start])
    while queue:
        path = queue.popleft()
        if depth[path] + 1 >= limit:
            break
        for edge in inside[path]:
            if edge.path == start:
                hops = [Hop(path, edge.line)]
                while path != start:
                    hops.append(came[path])
                    path = came[path].path
                return tuple(reversed(hops))
            if edge.path not in depth:
                depth[edge.path] = depth[path] + 1
                came[edge.path] = Hop(path, edge.line)
                queue.append(edge.path)
    return ()
