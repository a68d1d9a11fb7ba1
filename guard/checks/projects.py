"""What each project of a tree asks to have installed, and so what a file's third-party imports can come from.

Requirements have locality, as roots have: a file may count on those of the nearest project folder above it and of the
folders above that one. What lies below the project's folder counts too: `docs/requirements.txt`, or a service's list
for code that several services share.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Final

import msgspec

from guard.checks.distributions import could_provide, explains_itself, is_shared, known
from guard.checks.requirement_commands import Installs, for_tools, in_dockerfile, is_for_tools
from guard.checks.requirements import (
    Kind,
    Locked,
    Requirement,
    Stated,
    is_lock_file,
    is_requirements_file,
    kind_of_file,
    normal,
    stated_in,
)
from guard.checks.roots import parent_of
from guard.target import deployed_dockerfiles

if TYPE_CHECKING:
    from guard.program import Program
    from guard.sources.tree import Tree

_LIMIT: Final = 1 << 20
_LOCK_LIMIT: Final = 16 << 20
_LISTS: Final = frozenset({"requirements", "requirement", "reqs", "require", "requires", "deps", "dependencies"})
"""Folders that hold lists of requirements for the folder above."""
_INCLUDED: Final = 8
"""Files included by files included by …, followed so far."""


class Asked(msgspec.Struct, frozen=True):
    """One distribution that is asked for, with the file that asks."""

    name: str
    path: str
    kind: Kind
    versions: str | None
    conditional: bool = False
    """A marker says where it is wanted."""
    extras: tuple[str, ...] = ()


class View:
    """What the files of one project folder may count on."""

    def __init__(
        self,
        folder: str,
        asked: Iterable[Asked],
        locked: Iterable[Locked],
        *,
        is_open: bool,
        is_open_for_developers: bool,
        unnamed: bool,
        told: bool,
    ) -> None:
        self.folder = folder
        self.is_open = is_open
        """More may be installed than can be read."""
        self.is_open_for_developers = is_open or is_open_for_developers
        """Developers may have more installed than can be read."""
        self.unnamed = unnamed
        """Something is asked for whose name is not known."""
        self.told = told
        """Some file says what the project needs at run time."""
        self.asked: dict[str, tuple[Asked, ...]] = {}
        for one in sorted(asked, key=lambda one: (one.kind, one.path)):
            self.asked[one.name] = (*self.asked.get(one.name, ()), one)
        self.locked: dict[str, tuple[Locked, ...]] = {}
        for lock in locked:
            self.locked[lock.name] = (*self.locked.get(lock.name, ()), lock)
        self._answers: dict[str, Kind | None] = {}

    def _names(self, *kinds: Kind) -> frozenset[str]:
        return frozenset(name for name, asked in self.asked.items() if any(one.kind in kinds for one in asked))

    @cached_property
    def deployed(self) -> frozenset[str]:
        """Distributions that may be there where the project is deployed: asked for at run time or by an extra, with all
        that comes along."""
        return self._closed(self._names(Kind.RUNTIME, Kind.EXTRA))

    @cached_property
    def for_developers(self) -> frozenset[str]:
        """Those that are there for the project's developers only."""
        return self._closed(self._names(Kind.DEV)) - self.deployed

    @cached_property
    def for_the_build(self) -> frozenset[str]:
        """Those that are there only while the project is built."""
        return self._closed(self._names(Kind.BUILD)) - self.deployed - self.for_developers

    @cached_property
    def any_developers(self) -> bool:
        """Whether some file says what developers need."""
        return bool(self._names(Kind.DEV))

    def _closed(self, names: frozenset[str]) -> frozenset[str]:
        found = set(known().with_brought(names))
        waiting = list(found)
        while waiting:
            for lock in self.locked.get(waiting.pop(), ()):
                for need in lock.needs:
                    if need not in found:
                        found.add(need)
                        waiting.append(need)
        return frozenset(found)

    def kind_of(self, module: str) -> Kind | None:
        """What a dotted module's distribution is asked for as, the best of several; None where nothing that is asked
        for can have it."""
        if module not in self._answers:
            self._answers[module] = self._find(module)
        return self._answers[module]

    def _find(self, module: str) -> Kind | None:
        exact = {*known().providers_of(module), *_named_like(module)}
        groups = (
            (Kind.RUNTIME, self.deployed),
            (Kind.DEV, self.for_developers),
            (Kind.BUILD, self.for_the_build),
        )
        for kind, names in groups:
            if not exact.isdisjoint(names):
                return kind
        if any(name in self.locked for name in exact):
            return self._kind_of_lock(exact)
        by_extra = self._by_extra(exact)
        if by_extra is not None:
            return by_extra
        for kind, names in groups:
            if any(could_provide(name, module) or _shares(name, module) for name in names):
                return kind
        return None

    def _by_extra(self, names: Iterable[str]) -> Kind | None:
        """What a distribution is asked for as by an extra of another one that is called like it: `celery[redis]`,
        `pyjwt[crypto]` for cryptography."""
        kinds = [
            asked.kind
            for several in self.asked.values()
            for asked in several
            for extra in asked.extras
            if len(extra) > 2 and any(name.startswith(extra) or extra in name.split("-") for name in names)
        ]
        return min(kinds, default=None)

    def _kind_of_lock(self, names: Iterable[str]) -> Kind:
        kinds = {lock.kind for name in names for lock in self.locked.get(name, ())}
        # A lock file that tells nothing of kinds is read as one of what is deployed.
        return Kind.DEV if kinds <= {Kind.DEV} else Kind.RUNTIME

    def asking_for(self, module: str, kind: Kind) -> Asked | None:
        """The requirement through which a module is there as `kind` says; None where it only comes along."""
        exact = {*known().providers_of(module), *_named_like(module)}
        candidates = [one for asked in self.asked.values() for one in asked if one.kind is kind]
        for one in candidates:
            if one.name in exact:
                return one
        return next((one for one in candidates if could_provide(one.name, module)), None)


def _named_like(module: str) -> Iterator[str]:
    """The distributions that are named as a dotted module is."""
    parts = module.split(".")
    for end in range(1, len(parts) + 1):
        if end == 1 and is_shared(parts[0]):
            continue
        yield normal("-".join(parts[:end]))
        if not is_shared(".".join(parts[:end])):
            return


def _shares(name: str, module: str) -> bool:
    """Whether an unknown distribution is named after the namespace that a module stands in."""
    top = module.partition(".")[0]
    return is_shared(top) and not explains_itself(name) and name.startswith(normal(top) + "-")


class Projects:
    """The projects of one tree, by folder."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._tree: Tree = program.tree
        self._stated: dict[str, Stated] = {}
        self._views: dict[str, View] = {}
        wanted = [path for path in self._tree.files if is_requirements_file(path)]
        for path, content in self._tree.read_many(wanted, _LIMIT):
            self._stated[path] = stated_in(path, content)
        locks = [path for path in self._tree.files if is_lock_file(path)]
        self._locked = {
            _folder_of(path): stated_in(path, content).locked
            for path, content in self._tree.read_many(locks, _LOCK_LIMIT)
        }

    # Reading

    @cached_property
    def own(self) -> Mapping[str, str]:
        """The names of the tree's own distributions, with their folders."""
        return {name: _folder_of(path) for path, stated in self._stated.items() for name in sorted(stated.own)}

    @cached_property
    def _dockerfiles(self) -> Mapping[str, Installs]:
        wanted = deployed_dockerfiles(self._tree, self._program.config)
        return {path: in_dockerfile(content) for path, content in self._tree.read_many(list(wanted), _LIMIT)}

    @cached_property
    def installs_development(self) -> bool:
        """Whether some image holds what the project keeps for its developers, too."""
        return any(installs.development for installs in self._dockerfiles.values())

    @cached_property
    def _installed_files(self) -> frozenset[str]:
        """The ends of the paths of requirements files that images install."""
        return frozenset(end for installs in self._dockerfiles.values() for end in installs.files)

    @cached_property
    def mentioned(self) -> frozenset[str]:
        """The names that CI, tools and scripts of the tree install, wherever."""
        found: set[str] = set()
        wanted = [path for path in self._tree.files if is_for_tools(path)]
        for path, content in self._tree.read_many(wanted, _LIMIT):
            found |= for_tools(path, content)
        return frozenset(found)

    # Projects

    @cached_property
    def _by_folder(self) -> Mapping[str, tuple[str, ...]]:
        """The files that state something, by the folder of their project."""
        found: dict[str, list[str]] = {}
        for path, stated in self._stated.items():
            if stated != Stated():
                found.setdefault(_folder_of(path), []).append(path)
        for folder in self._locked:
            found.setdefault(folder, [])
        return {folder: tuple(paths) for folder, paths in sorted(found.items())}

    @cached_property
    def folders(self) -> frozenset[str]:
        """The folders of projects."""
        return frozenset(self._by_folder)

    def files_of(self, folder: str) -> tuple[str, ...]:
        """The files that say what a project needs, without lock files."""
        return self._by_folder.get(folder, ())

    def is_published(self, folder: str) -> bool:
        """Whether a project is made into a distribution that others install."""
        return any(self._stated[path].published for path in self._by_folder.get(folder, ()))

    def folder_of(self, path: str) -> str | None:
        """The nearest project folder above a file; None where there is none."""
        folder = parent_of(path)
        while True:
            if folder in self._by_folder:
                return folder
            if not folder:
                return None
            folder = parent_of(folder)

    def view_of(self, path: str) -> View:
        """What a file may count on."""
        folder = self.folder_of(path)
        key = "?" if folder is None else folder
        view = self._views.get(key)
        if view is None:
            view = self._views[key] = self._view(folder)
        return view

    def _view(self, folder: str | None) -> View:
        above = [] if folder is None else [one for one in self._by_folder if _is_above(one, folder)]
        below = [one for one in self._by_folder if folder is None or (one != folder and _is_above(folder, one))]
        asked: dict[Asked, None] = {}
        for one in (*above, *below):
            asked.update(dict.fromkeys(self._asked_in(one)))
        asked.update(dict.fromkeys(self._of_workspace(asked)))
        opens = [one for one in (above or below) if self._is_open(one)]
        for path, installs in self._dockerfiles.items():
            own = parent_of(path)
            place = own if own in self._by_folder else ""
            if folder is None or _is_above(place, folder):
                asked.update({Asked(name, path, Kind.RUNTIME, None): None for name in sorted(installs.names)})
                if installs.unknown:
                    opens.append(place)
        stated = [self._stated[path] for one in above for path in self._by_folder[one]]
        return View(
            folder or "",
            asked,
            [lock for one in (*above, *below) for lock in self._locked.get(one, ())],
            is_open=bool(opens),
            is_open_for_developers=any(self._lacks_a_file(one, Kind.DEV) for one in (*above, *below)),
            unnamed=any(self._stated[path].unnamed for one in (*above, *below) for path in self._by_folder[one]),
            told=any(one.complete for one in stated) or any(one.kind in (Kind.RUNTIME, Kind.EXTRA) for one in asked),
        )

    def _is_open(self, folder: str) -> bool:
        """Whether a project asks for more than can be read."""
        stated = [(path, self._stated[path]) for path in self._by_folder[folder]]
        if any(one.complete for _, one in stated):
            # Then setuptools takes the lists from there, whatever setup.py computes.
            stated = [(path, one) for path, one in stated if not path.endswith("setup.py")]
        if any(one.computed for _, one in stated) or self._lacks_a_file(folder, Kind.RUNTIME):
            return True
        if any(one.left_to_setup for _, one in stated):
            return not any(
                posixpath.basename(path) in ("setup.py", "setup.cfg") and (one.requirements or one.includes)
                for path, one in stated
            )
        return False

    def _lacks_a_file(self, folder: str, kind: Kind) -> bool:
        """Whether a list of requirements includes another that the tree does not have. What setup.py reads is named
        there by any string, so one file that is there will do."""
        for path in self._by_folder[folder]:
            stated = self._stated[path]
            if kind_of_file(path) is kind and stated.includes:
                found = sum(1 for include in stated.includes if self._places(parent_of(path), include.path))
                if found == 0 or (found < len(stated.includes) and not path.endswith("setup.py")):
                    return True
        return False

    def _places(self, folder: str, path: str) -> list[str]:
        """The files, or the project's folder, that an include may mean."""
        candidates = (_join(folder, path), *_folders_of_lists(folder, path))
        return [one for one in candidates if one is not None and (one in self._tree.files or one in self._by_folder)]

    def _asked_in(self, folder: str) -> Iterator[Asked]:
        paths = self._by_folder[folder]
        for path in paths:
            for requirement, place in self._with_included(path, frozenset(), 0):
                kind = requirement.kind
                if kind is Kind.DEV and self._is_installed(place):
                    kind = Kind.RUNTIME
                yield Asked(
                    requirement.name, place, kind, requirement.versions, requirement.conditional, requirement.extras
                )

    def _is_installed(self, path: str) -> bool:
        """Whether an image installs this very file of requirements."""
        parts = path.split("/")
        if "/".join(parts[-2:]) in self._installed_files:
            return True
        named = kind_of_file(parts[-1]) is Kind.DEV
        return named and any(posixpath.basename(end) == parts[-1] for end in self._installed_files)

    def _with_included(self, path: str, seen: frozenset[str], depth: int) -> Iterator[tuple[Requirement, str]]:
        stated = self._stated[path]
        yield from ((one, path) for one in stated.requirements)
        yield from ((Requirement(name, Kind.EXTRA, None), path) for name in sorted(stated.mentioned))
        if depth >= _INCLUDED:
            return
        for included, kind in self._included(path, stated):
            if included in seen or included == path:
                continue
            for requirement, place in self._with_included(included, seen | {path}, depth + 1):
                yield (requirement if kind is None else msgspec.structs.replace(requirement, kind=kind)), place

    def _included(self, path: str, stated: Stated) -> Iterator[tuple[str, Kind | None]]:
        """The files of the tree that a file includes, with the kind that it includes them as."""
        for include in stated.includes:
            for place in self._places(parent_of(path), include.path)[:1]:
                if place not in self._tree.files:
                    yield from ((one, None) for one in self._by_folder[place] if kind_of_file(one) is Kind.RUNTIME)
                else:
                    self._read(place)
                    yield place, include.kind

    @property
    def included(self) -> frozenset[str]:
        """The names of the files, without their folders, that files which were read include."""
        return frozenset(
            posixpath.basename(include.path) for stated in self._stated.values() for include in stated.includes
        )

    def _read(self, path: str) -> None:
        if path not in self._stated:
            self._stated[path] = next(
                (_as_list(path, content) for _, content in self._tree.read_many([path], _LIMIT)), Stated()
            )

    def _of_workspace(self, asked: Iterable[Asked]) -> Iterator[Asked]:
        """What the tree's own distributions ask for that a project asks for by name."""
        waiting = [one.name for one in asked]
        seen = set(waiting)
        while waiting:
            folder = self.own.get(waiting.pop())
            for one in self._asked_in(folder) if folder is not None and folder in self._by_folder else ():
                if one.kind in (Kind.RUNTIME, Kind.EXTRA):
                    yield one
                    if one.name not in seen:
                        seen.add(one.name)
                        waiting.append(one.name)


def _as_list(path: str, content: bytes) -> Stated:
    """An included file is a list of requirements, whatever it is called."""
    return stated_in(path if is_requirements_file(path) else "requirements.txt", content)


def _folder_of(path: str) -> str:
    """The folder of the project that a file of requirements speaks of."""
    folder = parent_of(path)
    last = folder.rpartition("/")[2]
    if last.lower() in _LISTS or last.endswith((".egg-info", ".dist-info")):
        return parent_of(folder)
    return folder


def _folders_of_lists(folder: str, path: str) -> Iterator[str | None]:
    """Where a file may be that setup.py names by its last part only."""
    for lists in sorted(_LISTS):
        yield _join(folder, f"{lists}/{path}")


def _join(folder: str, rest: str) -> str | None:
    joined = posixpath.normpath(posixpath.join(folder, rest))
    if joined.startswith(("..", "/")):
        return None
    return "" if joined == "." else joined


def _is_above(folder: str, other: str) -> bool:
    """Whether a folder is the other one or above it."""
    return not folder or folder == other or other.startswith(folder + "/")


def projects_of(program: Program) -> Projects:
    """The projects of a program, read once."""
    found = program.remembered.get("projects")
    if not isinstance(found, Projects):
        found = program.remembered["projects"] = Projects(program)
    return found
