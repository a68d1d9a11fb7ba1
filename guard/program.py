"""Every file's facts, and what the families make of them together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from guard.families import AnyFamily, Family

if TYPE_CHECKING:
    from guard.checks.whole import Whole
    from guard.config import Config
    from guard.environment import Environments
    from guard.facts import FileFacts
    from guard.sources.tree import Tree
    from guard.target import TargetPython

F = TypeVar("F")
L = TypeVar("L")


class NotGathered(Exception):
    """Facts of a family were asked for that this run has not gathered. `family` is its name."""

    def __init__(self, family: str) -> None:
        super().__init__(family)
        self.family = family


class Focus(msgspec.Struct, frozen=True):
    """The part of a tree that a run judges."""

    paths: Sequence[str]
    """The files, sorted."""
    whole: Whole
    """What all files of the tree say together, which the run does not look for."""
    complete: bool = False
    """The facts of every file are at hand."""
    beside: Sequence[str] = ()
    """Further files whose facts are at hand, but which are not judged."""


class Program:
    """One tree, seen. Facts are decoded and families linked when a rule first asks, once."""

    def __init__(
        self,
        tree: Tree,
        config: Config,
        target: TargetPython,
        files: Mapping[str, FileFacts],
        environments: Environments | None = None,
        gathered: frozenset[str] | None = None,
        focus: Focus | None = None,
        hollow: frozenset[str] = frozenset(),
    ) -> None:
        """`gathered` names the families that `files` hold facts of; None for all. With a `focus`, only some of the
        files are judged; facts of the others are there for who asks for them by path."""
        self.hollow = hollow
        """Empty `__init__.py` that must not help: see `guard.census.without_empty_files`."""
        self._gathered = gathered
        self.tree = tree
        self.config = config
        self.target = target
        self.files = files
        """By path, sorted by path. Two paths of one content share one value."""
        self.focus = focus
        self.environments = environments
        """Where packages are installed that the tree may run with; None where nobody looked for any."""
        self._facts: dict[str, Mapping[str, Any]] = {}
        self._linked: dict[str, Any] = {}
        self.beside: dict[str, bool] = {}
        """What was asked of the disk beside the tree, with the answers: the verdict depends on them."""
        self.remembered: dict[str, object] = {}
        """What is derived from the whole program and belongs to no family, by name; for its owner's use only."""

    @property
    def is_partial(self) -> bool:
        """Whether only some files are judged, and the facts of the others are not all at hand: what depends on those is
        found, if at all, once they are, and is not to be said before."""
        return self.focus is not None and not self.focus.complete

    def is_beside(self, path: str) -> bool:
        """Whether git ignores a file that is on disk at `path`."""
        found = self.beside.get(path)
        if found is None:
            found = self.beside[path] = self.tree.is_beside(path)
        return found

    def facts(self, family: Family[F, Any]) -> Mapping[str, F]:
        """The family's facts by path; a path is left out where the family remembers nothing of it.

        Raises NotGathered where the run has left the family out; the engine then gathers it too, and judges anew.
        """
        found = self._facts.get(family.name)
        if found is None:
            if self._gathered is not None and family.name not in self._gathered:
                raise NotGathered(family.name)
            found = self._facts[family.name] = self._decode(family)
        return found

    def linked(self, family: Family[Any, L]) -> L:
        """What the family's `link` makes of the whole program."""
        if family.name not in self._linked:
            self._linked[family.name] = family.link(self)
        linked: L = self._linked[family.name]
        return linked

    def _decode(self, family: AnyFamily) -> Mapping[str, Any]:
        if self.focus is not None:
            return _Focused(self.files, self.focus, family)
        decode = msgspec.msgpack.Decoder(family.facts).decode
        name = family.name
        by_path: dict[str, Any] = {}
        seen: dict[int, Any] = {}
        for path, file in self.files.items():
            raw = file.parts.get(name)
            if raw is None:
                continue
            facts = seen.get(id(raw))
            if facts is None:
                facts = seen[id(raw)] = decode(raw)
            by_path[path] = facts
        return by_path


class NotComplete(Exception):
    """Something depends on all files of a tree, and only some are at hand."""


class _Focused(Mapping[str, Any]):
    """The facts of one family: of every file for who asks by path, of the files in focus for who goes through them."""

    def __init__(self, files: Mapping[str, FileFacts], focus: Focus, family: AnyFamily) -> None:
        self._files = files
        self._focus = focus
        self._name = family.name
        self._decode = msgspec.msgpack.Decoder(family.facts).decode
        self._known: dict[str, Any] = {}
        self._all: dict[str, Any] | None = None
        self._near: dict[str, Any] | None = None

    def __getitem__(self, path: str) -> Any:
        if path not in self._known:
            raw = self._files[path].parts.get(self._name) if path in self._files else None
            self._known[path] = None if raw is None else self._decode(raw)
        found = self._known[path]
        if found is None:
            raise KeyError(path)
        return found

    def __iter__(self) -> Iterator[str]:
        return (path for path in self._focus.paths if path in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def everything(self) -> Mapping[str, Any] | None:
        """The facts of every file; None where not all are at hand."""
        if self._all is None and self._focus.complete:
            self._all = {path: self[path] for path in self._files if path in self}
        return self._all

    def near(self) -> Mapping[str, Any]:
        """The facts of the files in focus, and of those beside it."""
        if not self._focus.beside:
            return self
        if self._near is None:
            self._near = {
                path: self[path] for path in sorted({*self._focus.paths, *self._focus.beside}) if path in self
            }
        return self._near


def everywhere(facts: Mapping[str, F]) -> Mapping[str, F]:
    """A family's facts of every file of the tree, in focus or not: for what a verdict on one file asks of all others.

    Raises NotComplete where not all are at hand: the run is then made anew, with all of them.
    """
    if isinstance(facts, _Focused):
        whole = facts.everything()
        if whole is None:
            raise NotComplete
        return whole
    return facts


def at_hand(facts: Mapping[str, F]) -> Mapping[str, F]:
    """As `everywhere`, and where not all are at hand, those that are: for what can only keep something from being
    reported, or is only said of what is. Whatever is new for the lack of it is looked at again with all of them."""
    if isinstance(facts, _Focused):
        whole = facts.everything()
        return facts.near() if whole is None else whole
    return facts
