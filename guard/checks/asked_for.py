"""The distributions that a tree's projects ask for: what an import that nothing in the tree answers may mean."""

from __future__ import annotations

from collections.abc import Mapping, Set
from functools import cached_property
from typing import TYPE_CHECKING

from guard.checks.built_modules import SHARED
from guard.checks.requirements import is_requirements_file, normal, stated_in

if TYPE_CHECKING:
    from guard.sources.tree import Tree


class AskedFor:
    """What the requirements files and the projects of one tree state. They are read when it is first asked."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree

    @cached_property
    def _distributions(self) -> tuple[frozenset[str], frozenset[str]]:
        """Normalised names of the distributions that are asked for, and of the tree's own projects."""
        asked, own = self._stated
        return frozenset(asked.keys() - own), own

    @cached_property
    def _stated(self) -> tuple[Mapping[str, Set[str]], frozenset[str]]:
        """The distributions that are asked for, by normalised name, with the versions that will do; and the names of
        the tree's own projects."""
        asked: dict[str, set[str]] = {}
        own: set[str] = set()
        wanted = [path for path in self._tree.files if is_requirements_file(path)]
        for path, content in self._tree.read_many(wanted, 1 << 20):
            stated = stated_in(path, content)
            for one in stated.requirements:
                asked.setdefault(one.name, set()).add(one.versions or "")
            for name in stated.mentioned:
                asked.setdefault(name, set())
            own |= stated.own
        return asked, frozenset(own)

    def versions(self, name: str) -> Set[str]:
        """The versions of a distribution that will do, as PEP 440 writes them, by everybody who asks for it."""
        return self._stated[0].get(normal(name), frozenset())

    def __bool__(self) -> bool:
        """Whether any distribution is asked for."""
        return bool(self._distributions[0])

    @cached_property
    def _families(self) -> frozenset[str]:
        """What the names of the tree's distributions, and of those that it asks for, begin with: `a` and `a-b` for
        `a-b-c`."""
        asked, own = self._distributions
        return frozenset(name[:end] for name in asked | own for end, letter in enumerate(name) if letter == "-")

    @cached_property
    def _words(self) -> frozenset[str]:
        return frozenset(word for name in self._distributions[0] for word in name.split("-"))

    def names(self, top: str) -> bool:
        """Whether a distribution of this name is asked for."""
        return normal(top) in self._distributions[0]

    def sounds_like(self, top: str) -> bool:
        """Whether this name is a word of the name of a distribution that is asked for."""
        return normal(top) in self._words

    def shares(self, name: str) -> bool:
        """Whether other distributions put modules below this top-level folder, as `google` and `azure` have it."""
        return name in SHARED or self.names(name) or normal(name) in self._families
