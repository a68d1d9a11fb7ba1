"""The facts of a tree's files, read from the cache one by one where somebody asks for them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from guard.cache import Cache
from guard.config import Config
from guard.engine import chosen, wider_gatherings
from guard.facts import FileFacts, Gathering, key_of
from guard.sources.tree import SourceFile, Tree


class NotKnown(Exception):
    """The facts of a file are not in the cache, although they were when the tree was judged. `path` is its path."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


class FactsOnDemand(Mapping[str, FileFacts]):
    """The facts of every file by path, in the order of the files."""

    def __init__(self, files: Mapping[str, SourceFile], cache: Cache, salts: Sequence[str]) -> None:
        """`salts` are those of the runs whose facts serve, the preferred one first."""
        self._files = files
        self._cache = cache
        self._salts = salts
        self._known: dict[str, FileFacts] = {}

    def give(self, facts: Mapping[str, FileFacts]) -> None:
        """Have the facts of some files at hand, by path."""
        self._known.update((key_of(self._files[path]), found) for path, found in facts.items())

    def fetch(self, paths: Iterable[str]) -> None:
        """Read the facts of some files at once. Raises NotKnown where the cache has not all of them."""
        wanted = {key_of(self._files[path]): path for path in paths}
        for salt in self._salts:
            missing = [key for key in wanted if key not in self._known]
            for salted, value in self._cache.get_many([f"{salt}:{key}" for key in missing]):
                self._known[salted.partition(":")[2]] = _decoded(value)
        for key, path in wanted.items():
            if key not in self._known:
                raise NotKnown(path)

    def __getitem__(self, path: str) -> FileFacts:
        key = key_of(self._files[path])
        if key not in self._known:
            self.fetch([path])
        return self._known[key]

    def __contains__(self, path: object) -> bool:
        return path in self._files

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)


_FACTS: msgspec.msgpack.Decoder[FileFacts] = msgspec.msgpack.Decoder(FileFacts)


def _decoded(value: bytes) -> FileFacts:
    return _FACTS.decode(value)


def facts_of_tree(tree: Tree, config: Config, gathering: Gathering, cache: Cache) -> FactsOnDemand:
    """The facts of the files of a tree that are looked at, as runs have left them that gather no less."""
    salts = [*(wider.salt for wider in wider_gatherings(gathering)), gathering.salt]
    return FactsOnDemand({file.path: file for file in chosen(tree, config)}, cache, salts)
