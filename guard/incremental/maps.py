"""What is looked up of a tree that was judged whole: who imports whom, which names are looked for, and by whom.

It is large, and a small change asks for little of it. So it is cached by itself, once for a tree that was judged whole;
trees that differ in few files remember beside its key only what has come since.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import Final

import msgspec


class Maps(msgspec.Struct, frozen=True, array_like=True):
    """Of one tree that was judged whole. Each of its parts is compressed by itself, and unpacked when
    somebody asks for it."""

    importers: bytes
    """By file, the files whose imports, or strings, lead to it."""
    strings: bytes
    """By part of a dotted name, the files with a string that has it, or that look for one in what is called so."""
    children: bytes
    """By name of a class, the names of the classes that name it as a base, whatever class they mean."""
    received: bytes
    """By name of a class, the files that look into something annotated with a class of that name, and by the name with
    an equals sign, those in which a field or a function gives one."""
    silencing: bytes
    """By name of an attribute, the files that give it to something; by name of a class and an equals sign, those that
    give it attributes of any name or inherit from one that is called so; by an equals sign alone, those that give
    attributes of any name to what an attribute holds."""
    witnesses: bytes
    """By root and top-level name, with a tab between, some files whose imports make them part of `Whole.used`."""
    outside: bytes
    """By module that is no part of the tree or the standard library, some of the files that import it."""
    words: bytes
    """Every part of a dotted name that an import, a string or an entry point looks for, each between newlines."""
    provided: bytes
    """Folder, `ALWAYS` or `FOR_DEVELOPERS`, and module, by tabs, of each import that leads out of the tree to what is
    asked for there: for every import of it in that folder, or for those of tests and tools. Between newlines."""


Files = Mapping[str, Mapping[str, tuple[str, ...]]]
"""By the name of a part of `Maps`, what is to be added to it."""


class Added(msgspec.Struct, frozen=True, array_like=True):
    """What has come since `Maps` were made. What is no longer so stays: it makes a run look at more than it need."""

    files: Files = {}
    words: frozenset[str] = frozenset()
    changed: frozenset[str] = frozenset()
    """The files that have changed, and may be witnesses of nothing any more."""

    @property
    def size(self) -> int:
        """How many entries there are."""
        return len(self.words) + sum(len(paths) for part in self.files.values() for paths in part.values())


class Lookups:
    """`Maps`, with what has come since."""

    def __init__(self, load: Callable[[], Maps], added: Added) -> None:
        """`load` is called when something is first looked up."""
        self._load = load
        self._added = added
        self._files: dict[str, dict[str, tuple[str, ...]]] = {}

    @cached_property
    def _maps(self) -> Maps:
        return self._load()

    @cached_property
    def _words(self) -> bytes:
        return _unpacked(self._maps.words)

    @cached_property
    def _provided(self) -> bytes:
        return _unpacked(self._maps.provided)

    def files(self, part: str) -> Mapping[str, tuple[str, ...]]:
        """One part of `Maps` that gives files, or names, by name."""
        found = self._files.get(part)
        if found is None:
            found = self._files[part] = _FILES.decode(_unpacked(getattr(self._maps, part)))
            for key, more in self._added.files.get(part, {}).items():
                found[key] = tuple(sorted({*found.get(key, ()), *more}))
            if part in _WITNESSES and self._added.changed:
                for key, paths in found.items():
                    found[key] = tuple(path for path in paths if path not in self._added.changed)
        return found

    def looks_for(self, word: str) -> bool:
        """Whether an import, a string or an entry point looks for something of that name."""
        return word in self._added.words or _is_among(word, self._words)

    def is_provided(self, folder: str, for_whom: str, module: str) -> bool:
        """Whether a module out of the tree is asked for where a file of a folder imports it."""
        return _is_among(f"{folder}\t{for_whom}\t{module}", self._provided)

    def with_more(
        self, more: Mapping[str, Mapping[str, Iterable[str]]], words: frozenset[str], changed: frozenset[str]
    ) -> Added:
        """What has come since `Maps` were made, with more of it."""
        files = {part: dict(known) for part, known in self._added.files.items()}
        for part, entries in more.items():
            known = files.setdefault(part, {})
            for key, paths in entries.items():
                known[key] = tuple(sorted({*known.get(key, ()), *paths}))
        return Added(files, self._added.words | words, self._added.changed | changed)

    def folded(self) -> Maps:
        """`Maps` that need nothing beside them."""
        parts = {
            field: packed(self.files(field)) for field in Maps.__struct_fields__ if field not in ("words", "provided")
        }
        words = zlib.compress(_listed(self._added.words) + self._words, _QUICK)
        return Maps(**parts, words=words, provided=self._maps.provided)


_WITNESSES: Final = frozenset({"witnesses", "outside"})
_QUICK: Final = 1
"""Of zlib's levels: four fifths of the bytes go, in a fraction of the time that the others take."""
_ENCODER: Final = msgspec.msgpack.Encoder()
_MAPS: Final = msgspec.msgpack.Decoder(Maps)
_FILES: Final = msgspec.msgpack.Decoder(dict[str, tuple[str, ...]])


def encode(maps: Maps) -> bytes:
    """The form in which they are cached."""
    return _ENCODER.encode(maps)


def decode(value: bytes) -> Maps:
    """What `encode` gave. Raises msgspec.DecodeError for anything else."""
    return _MAPS.decode(value)


def _unpacked(part: bytes) -> bytes:
    try:
        return zlib.decompress(part)
    except zlib.error as error:
        raise msgspec.DecodeError(str(error)) from error


def packed(files: Mapping[str, Iterable[str]]) -> bytes:
    """One part of `Maps`. Raises UnicodeEncodeError where a path is no UTF-8."""
    return zlib.compress(_ENCODER.encode({key: tuple(sorted(paths)) for key, paths in files.items()}), _QUICK)


def between_newlines(words: Iterable[str]) -> bytes:
    """Words, as a part of `Maps`, that can be looked for one by one, without decoding all of them."""
    return zlib.compress(_listed(words), _QUICK)


def _listed(words: Iterable[str]) -> bytes:
    return ("\n" + "\n".join(sorted(words)) + "\n").encode("utf-8", "surrogateescape")


def _is_among(word: str, words: bytes) -> bool:
    return f"\n{word}\n".encode("utf-8", "surrogateescape") in words
