"""Contents by id, from git or from the tree that is looked at, and their outlines, remembered in guard's cache."""

from __future__ import annotations

import contextlib
import sys
from typing import Final

import msgspec

from guard.cache import Cache
from guard.history.outline import VERSION, Outline, outline
from guard.sources.blobs import BlobReader
from guard.sources.git import Git
from guard.sources.tree import REGULAR, Reader, SourceFile, Tree, Unreadable

_MOST_MISSING: Final = 24
"""Contents that are asked for in vain. For each git has to be started anew, and there may be thousands."""
_EMPTY: Final = Outline({})


class Contents:
    """Reads files of any commit, and of a tree that may hold what git has not got yet."""

    def __init__(self, git: Git | None, tree: Tree, cache: Cache, limit: int) -> None:
        """`limit` is the size in bytes of the largest file that is read."""
        self._tree = tree
        self._cache = cache
        self._limit = limit
        self._blobs = BlobReader(git) if git is not None else None
        self._own: Reader | None = None
        self._own_files = {file.oid: file for file in tree.files.values() if not file.is_link}
        self._read: dict[str, bytes | None] = {}
        self._outlines: dict[str, Outline] = {}
        self._new: dict[str, bytes] = {}
        self.missing = 0
        """How many contents could not be read."""

    def get(self, oid: str) -> bytes | None:
        """The bytes of a blob; None where there is none, or it cannot be read."""
        if not oid:
            return None
        if oid not in self._read:
            self._read[oid] = self._ask(oid)
        return self._read[oid]

    def today(self, path: str) -> str:
        """The blob id of a file of the tree that is looked at; empty where it has none."""
        file = self._tree.files.get(path)
        return "" if file is None or file.is_link else file.oid

    def outline(self, oid: str) -> Outline:
        """What a blob binds; nothing where it cannot be read."""
        found = self._outlines.get(oid)
        if found is None:
            found = self._outlines[oid] = self._outline(oid)
        return found

    def binds(self, oid: str, name: str) -> bool:
        """Whether a blob binds `name` at module level. It is parsed only where it holds the word."""
        content = self.get(oid)
        return content is not None and name.encode() in content and name in self.outline(oid).names

    def close(self) -> None:
        """Remember what was outlined, and let go of git."""
        self._cache.put_many(list(self._new.items()))
        self._new.clear()
        for reader in (self._blobs, self._own):
            if reader is not None:
                reader.close()

    def _ask(self, oid: str) -> bytes | None:
        file = self._own_files.get(oid)
        if file is not None:
            self._own = self._own or self._tree.reader()
            reader: Reader = self._own
        elif self._blobs is None or self.missing >= _MOST_MISSING:
            self.missing += 1
            return None
        else:
            file, reader = SourceFile("", REGULAR, oid), self._blobs
        try:
            return reader.read(file, self._limit)
        except Unreadable:
            self.missing += 1
            return None

    def _outline(self, oid: str) -> Outline:
        if not oid:
            return _EMPTY
        key = f"outline:{VERSION}:{sys.version_info[:3]}:{oid}"
        known = self._cache.get(key)
        if known is not None:
            with contextlib.suppress(msgspec.DecodeError):  # a damaged value is made anew
                return _OUTLINES.decode(known)
        content = self.get(oid)
        if content is None:
            return _EMPTY
        made = outline(content)
        with contextlib.suppress(UnicodeEncodeError):  # a name with half a character in it cannot be stored
            self._new[key] = msgspec.msgpack.encode(made)
        return made


_OUTLINES: Final[msgspec.msgpack.Decoder[Outline]] = msgspec.msgpack.Decoder(Outline)
