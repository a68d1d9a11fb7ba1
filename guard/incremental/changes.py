"""What a difference of two trees may bring about elsewhere, and whether it is of a kind whose effects are known."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

import msgspec

from guard.checks.packing import unpack
from guard.checks.requirement_commands import is_for_tools
from guard.checks.requirements import is_lock_file, is_requirements_file
from guard.checks.roots import PROJECT_FILES, parent_of
from guard.checks.strings import FAMILY as STRINGS
from guard.checks.strings_classes import ClassNames
from guard.incremental import kept as keeping
from guard.incremental.kept import Kept
from guard.incremental.maps import Lookups
from guard.incremental.on_demand import FactsOnDemand
from guard.incremental.shape import (
    EMPTY,
    GIVEN_TO,
    Lessened,
    Shape,
    bases_of_changed,
    changed_names,
    concerns_anybody,
    lessened_classes,
    mentions,
    newly_given,
    shape_of,
)
from guard.model import Finding
from guard.sources.tree import SourceFile, Tree

MOST_CHANGED: Final = 100
"""Files. A larger difference is judged whole."""
_MOST_NEAR: Final = 400
"""Files that may be hit."""
_MOST_BESIDE: Final = 200
"""Files that may keep a finding from being reported."""
_MOST_IMPORTERS: Final = 10_000
"""Files whose facts are looked into for the names that have changed."""
_PROSE: Final = frozenset(
    {
        *("md", "markdown", "rst", "adoc", "html", "htm", "css", "scss", "less", "svg", "csv", "tsv", "json", "jsonl"),
        *("xml", "xsl", "js", "jsx", "mjs", "cjs", "ts", "tsx", "vue", "png", "jpg", "jpeg", "gif", "ico", "webp"),
        *("sql", "txt"),
        *("pdf", "woff", "woff2", "ttf", "otf", "mp3", "mp4", "zip", "gz", "snap", "log", "ipynb"),
    }
)
"""Suffixes of files of which no rule sees more than the text of each."""
_READ_BY_NAME: Final = PROJECT_FILES | frozenset(
    {"conftest.py", "manage.py", "wsgi.py", "asgi.py", "noxfile.py", "tasks.py", "hatch_build.py", "build.py"}
)
"""Python files that are read for other things than what they define."""


_LISTS: Final = frozenset({"runtime.txt", "CMakeLists.txt"})
"""Texts with a name that has a meaning; what lists requirements is told by `is_requirements_file`."""
_ENVIRONMENTS: Final = frozenset({".venv", "venv", "site-packages", "dist-packages"})


class NotCertain(Exception):
    """What a difference brings about cannot be told without judging the whole tree. The message says why."""


class Change(msgspec.Struct, frozen=True):
    """One file that differs."""

    path: str
    before: SourceFile | None
    now: SourceFile | None

    @property
    def is_python(self) -> bool:
        """Whether it is a module; every other file is only text."""
        return self.path.endswith(".py")


def changes_between(base: Tree, tree: Tree) -> tuple[Change, ...]:
    """The files in which two trees differ, by path. Raises NotCertain where their difference is of no known kind."""
    if base.submodules != tree.submodules or base.problems != tree.problems:
        raise NotCertain("what cannot be read differs")
    before, now = base.files, tree.files
    paths = [path for path, file in now.items() if before.get(path) != file]
    if len(now) != len(before) or any(path not in before for path in paths):
        paths += [path for path in before if path not in now]
    if len(paths) > MOST_CHANGED:
        raise NotCertain(f"{len(paths)} files differ")
    found = tuple(Change(path, before.get(path), now.get(path)) for path in sorted(paths))
    for change in found:
        _refuse_what_is_read(change)
    return found


def _refuse_what_is_read(change: Change) -> None:
    path = change.path
    name = path.rpartition("/")[2]
    if any(file is not None and file.is_link for file in (change.before, change.now)):
        raise NotCertain(f"{path}: a link")
    if "{" in path or is_for_tools(path) or is_requirements_file(path) or is_lock_file(path):
        raise NotCertain(f"{path}: is read for what it says")
    if change.is_python:
        comes_or_goes = change.before is None or change.now is None
        if not _ENVIRONMENTS.isdisjoint(path.split("/")):
            raise NotCertain(f"{path}: is in an environment")
        if name in _READ_BY_NAME or (comes_or_goes and (name.startswith("__") or name.count(".") > 1)):
            raise NotCertain(f"{path}: is read by its name")
    elif name.startswith(".") or name in _LISTS or name.rpartition(".")[2].lower() not in _PROSE or "." not in name:
        raise NotCertain(f"{path}: may be read by its name")


class Near(msgspec.Struct, frozen=True):
    """What a difference may hit."""

    paths: tuple[str, ...]
    """The files of the later tree in which something may be found that was not there before, or be gone. Sorted."""
    visibly: tuple[str, ...]
    """The files that others can see a change of."""
    names: frozenset[str]
    """The names by which they see it."""
    given: Mapping[str, frozenset[str]]
    """By family, names that something gives by now to what may have lacked them."""
    parents: frozenset[str]
    """Names of classes of which less may be lacking by now, since others inherit from them."""

    def may_silence(self, finding: Finding) -> bool:
        """Whether what has changed may keep from being reported what was found before."""
        return any(
            finding.code.startswith(GIVEN_TO[family]) and not names.isdisjoint(keeping.names_in(finding, keeping.FIELD))
            for family, names in self.given.items()
        ) or not self.parents.isdisjoint(keeping.names_in(finding, keeping.CLASS))


class Search:
    """Finds what a difference may hit, by what was kept of the earlier tree."""

    def __init__(self, kept: Kept, lookups: Lookups, tree: Tree, before: FactsOnDemand, now: FactsOnDemand) -> None:
        """`before` and `now` are the facts of the two trees."""
        self._kept = kept
        self.lookups = lookups
        self._tree = tree
        self._before = before
        self._now = now

    def near(self, changes: Iterable[Change]) -> Near:
        """What the changes may hit. Raises NotCertain where that is too much, or may be anything."""
        changes = tuple(changes)
        for change in changes:
            if not change.is_python and change.path.rpartition("/")[2] in self._kept.listed:
                raise NotCertain(f"{change.path}: is named by a list of requirements")
            if change.before is None or change.now is None:
                self._refuse_other_folders(change.path)
        python = [change for change in changes if change.is_python]
        names: set[str] = set()
        visibly: list[str] = []
        found = {change.path for change in changes if change.now is not None}
        fields: dict[str, frozenset[str]] = {}
        classes: set[str] = set()
        for change in python:
            if change.path in self._kept.starts:
                raise NotCertain(f"{change.path}: a deployed process starts there")
            before = self._shape(change.path, self._before) if change.before is not None else EMPTY
            now = self._shape(change.path, self._now) if change.now is not None else EMPTY
            gained = newly_given(before, now)
            if gained is None:
                raise NotCertain(f"{change.path}: may give anything to anything")
            for family, given_names in gained.items():
                fields[family] = fields.get(family, frozenset()) | given_names
            classes |= self._with_parents(bases_of_changed(before, now))
            found.update(self._looking_into(tuple(lessened_classes(before, now))))
            if change.before is None or change.now is None:
                self._refuse_what_others_look_for(change, before, now)
                continue
            if told := concerns_anybody(before, now):
                raise NotCertain(f"{change.path}: what it does to others has changed, by {told}")
            changed = changed_names(before, now)
            if changed:
                self._refuse_hidden_submodules(change.path, changed)
                names |= changed
                visibly.append(change.path)
            found.update(self._reading_classes(change.path))
        if names:
            names = self._with_children(names)
            found |= self._naming(visibly, names)
            if not self._kept.starts.isdisjoint(found) or any(_stem(path) in self._kept.named for path in found):
                raise NotCertain("what an entry point is may have changed")
        known = self._kept.known
        silenced = {path for given in fields.values() for name in given for path in known.fields.get(name, ())}
        silenced.update(path for name in classes for path in known.classes.get(name, ()))
        found.update(path for path in silenced if path in self._now)
        if len(found) > _MOST_NEAR:
            raise NotCertain(f"{len(found)} files may be hit")
        return Near(tuple(sorted(found)), tuple(visibly), frozenset(names), fields, frozenset(classes))

    def _shape(self, path: str, facts: FactsOnDemand) -> Shape:
        found = facts[path]
        if not found.parsed or found.kind != "python" or found.problem is not None:
            raise NotCertain(f"{path}: cannot be parsed")
        return shape_of(found)

    def _refuse_what_others_look_for(self, change: Change, before: Shape, now: Shape) -> None:
        """A module that is new, or gone, is seen by those alone that look for its name."""
        path = change.path
        if told := concerns_anybody(_without_offers(before), _without_offers(now)):
            raise NotCertain(f"{path}: does something to others, by {told}")
        word = path.rpartition("/")[2].removesuffix(".py")
        if self.lookups.looks_for(word):
            raise NotCertain(f"{path}: something looks for {word}")
        if change.now is None and self.importers.get(path):
            raise NotCertain(f"{path}: is imported")
        beside = path.removesuffix(".py") + "/"
        if any(other.startswith(beside) for other in self._tree.files):
            raise NotCertain(f"{path}: stands beside a folder of its name")

    def _refuse_hidden_submodules(self, path: str, names: frozenset[str]) -> None:
        """An import of what a package binds leads to the package, and one of a submodule of that name does not."""
        folder, _, name = path.rpartition("/")
        if name != "__init__.py":
            return
        inside = f"{folder}/" if folder else ""
        beside = {
            other[len(inside) :].partition("/")[0].removesuffix(".py")
            for other in self._tree.files
            if other.startswith(inside)
        }
        if not names.isdisjoint(beside):
            raise NotCertain(f"{path}: a submodule may be hidden by now, or none any more")

    def _refuse_other_folders(self, path: str) -> None:
        """A folder that is new, or gone, can be imported as well; one in which there is Python is taken for ours."""
        folder = parent_of(path)
        suffix = ".py" if path.endswith(".py") else ""
        while folder and not self._is_known_folder(folder, suffix):
            word = folder.rpartition("/")[2]
            if self.lookups.looks_for(word) or word in ("src", "lib"):
                raise NotCertain(f"{path}: something looks for {word}")
            folder = parent_of(folder)

    def _is_known_folder(self, folder: str, suffix: str) -> bool:
        """Whether both trees have a folder, with files of a suffix in it, however deep."""
        inside = folder + "/"
        return all(
            any(path.startswith(inside) and path.endswith(suffix) for path in facts)
            for facts in (self._before, self._now)
        )

    @property
    def importers(self) -> Mapping[str, tuple[str, ...]]:
        """The files whose imports lead to each file, in the earlier tree."""
        return self.lookups.files("importers")

    def ancestors(self, paths: Iterable[str]) -> set[str]:
        """The files that import some of them, at any number of removes, without themselves unless they do so too.

        Raises NotCertain where these are too many.
        """
        found: set[str] = set()
        waiting = list(paths)
        while waiting:
            for importer in self.importers.get(waiting.pop(), ()):
                if importer not in found and importer in self._tree.files:
                    found.add(importer)
                    waiting.append(importer)
            if len(found) > _MOST_IMPORTERS:
                raise NotCertain("too many files import what has changed")
        return found

    def _with_children(self, names: set[str]) -> set[str]:
        """The names, with those of the classes that inherit from one called so, at any number of removes."""
        children = self.lookups.files("children")
        found = set(names)
        waiting = list(names)
        while waiting:
            for child in children.get(waiting.pop(), ()):
                if child not in found:
                    found.add(child)
                    waiting.append(child)
        return found

    def _with_parents(self, names: frozenset[str]) -> set[str]:
        """The names, with those of the classes that one called so inherits from, at any number of removes."""
        found = set(names)
        if not found:
            return found
        parents: dict[str, list[str]] = {}
        for parent, children in self.lookups.files("children").items():
            for child in children:
                parents.setdefault(child, []).append(parent)
        waiting = list(names)
        while waiting:
            for parent in parents.get(waiting.pop(), ()):
                if parent not in found:
                    found.add(parent)
                    waiting.append(parent)
        return found

    def _looking_into(self, lessened: Sequence[Lessened]) -> Iterator[str]:
        """The files in which more may be lacking of what stands for a base of classes that have less than before."""
        received = self.lookups.files("received") if lessened else {}
        for one in lessened:
            bases = self._with_parents(one.bases)
            yield from (path for base in bases for path in received.get(base, ()) if path in self._now)
            giving = [path for base in bases for path in received.get(f"{base}=", ())]
            if giving:
                # Who gets one from there need not name its class.
                if one.dynamic:
                    raise NotCertain("a class of which anything was known to be there has less than before")
                getting = [path for path in self.ancestors(giving) if path in self._now]
                self._now.fetch(getting)
                words = [word.encode("utf-8", "surrogateescape") for word in one.words if word]
                yield from (path for path in getting if mentions(self._now[path], words))

    def silencing(self, findings: Iterable[Finding]) -> tuple[str, ...] | None:
        """The files that may keep some findings from being reported, sorted; None where it may be any, or too many."""
        keys: set[str] = set()
        for finding in findings:
            if not finding.code.startswith("DCF"):
                return None
            keys.update(keeping.names_in(finding, keeping.FIELD))
            keys.update(_MAKING)
            keys.update(f"{name}=" for name in self._with_children(set(keeping.names_in(finding, keeping.CLASS))))
        by_key = self.lookups.files("silencing") if keys else {}
        keys.add("=")
        found = {path for key in keys for path in by_key.get(key, ()) if path in self._tree.files}
        return tuple(sorted(found)) if len(found) <= _MOST_BESIDE else None

    def _naming(self, visibly: list[str], names: set[str]) -> set[str]:
        """The files that name something that has changed, and may mean it."""
        importing = self.ancestors(visibly)
        strings = self.lookups.files("strings")
        candidates = set(importing)
        for path in (*importing, *visibly):
            for word in (_stem(path), *(word for word in names if word in strings)):
                candidates.update(strings.get(word, ()))
        candidates = {path for path in candidates if path in self._tree.files}
        if len(candidates) > _MOST_IMPORTERS:
            raise NotCertain("too many files may name what has changed")
        self._now.fetch(candidates)
        wanted = [name.encode("utf-8", "surrogateescape") for name in names if name]
        return {path for path in candidates if mentions(self._now[path], wanted)}

    def _reading_classes(self, path: str) -> Iterator[str]:
        """The files with strings that name a class of this one: its text is looked into for what sets attributes."""
        classes: set[str] = set()
        for facts in (self._before[path], self._now[path]):
            raw = facts.parts.get(STRINGS.name)
            if raw is not None:
                known = unpack(msgspec.msgpack.decode(raw, type=STRINGS.facts).classes, dict[str, ClassNames])
                classes.update(name.rpartition(".")[2] for name in known)
        if classes:
            strings = self.lookups.files("strings")
            for name in self._with_children(classes):
                yield from (path for path in strings.get(name, ()) if path in self._tree.files)


_MAKING: Final = ("__init__", "__new__", "__init_subclass__")
"""Methods of a class without which nothing is known of how it is made."""
_OFFERS: Final = frozenset({"defined", "stars", "exports_open", "open", "handed_to", "extends_path"})
"""What concerns only those that import a module."""


def _without_offers(shape: Shape) -> Shape:
    return Shape({}, {key: value for key, value in shape.rest.items() if key[1] not in _OFFERS})


def _stem(path: str) -> str:
    """The name by which a file is imported, without the packages above it."""
    folder, _, name = path.rpartition("/")
    return folder.rpartition("/")[2] if name == "__init__.py" else name.removesuffix(".py")
