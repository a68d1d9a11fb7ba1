"""What every source of files looks like to the rest of guard."""

from __future__ import annotations

import abc
import hashlib
import os
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

import msgspec

from guard.model import Problem
from guard.sources.paths import encode_path

if TYPE_CHECKING:
    from guard.sources.git import Git
    from guard.sources.ignored import Ignored

REGULAR = 0o100644
EXECUTABLE = 0o100755
SYMLINK = 0o120000
SUBMODULE = 0o160000


class SourceFile(msgspec.Struct, frozen=True, array_like=True):
    """One path of a tree.

    `path` is relative to the tree's root, with `/`; bytes that are not UTF-8 are held as surrogates
    (`decode_path`'s way). `oid` is the id that git gives, or would give, a blob of these bytes.
    """

    path: str
    mode: int
    oid: str

    @property
    def is_link(self) -> bool:
        """A symbolic link; its content is its target."""
        return self.mode == SYMLINK


class Reader(abc.ABC):
    """Reads contents of one tree. Each process makes its own with `Tree.reader`; closing is the maker's duty."""

    @abc.abstractmethod
    def read(self, file: SourceFile, limit: int | None = None) -> bytes:
        """The bytes of `file`; for a link, its target. Raises `Unreadable` when they cannot be had, or are more
        than `limit`.

        What is given always has the id `file.oid`, so facts may be remembered by that id: content that changed
        after it was listed, or that a repository holds under a wrong id, is `Unreadable`.
        """

    def close(self) -> None:  # noqa: B027 - most readers hold nothing
        """Let go of what the reader holds."""

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Unreadable(Exception):
    """A file's bytes cannot be had; carries the problem to report."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


class Tree(abc.ABC):
    """A snapshot of files. Small, picklable and without open handles, so that worker processes can be given it."""

    kind: ClassVar[str]
    """`worktree`, `index`, `commit`, `directory` or `context`."""
    label: str
    """What a person calls it: a revision, a folder's name; never an absolute path of the machine."""
    files: Mapping[str, SourceFile]
    """Regular files and symbolic links, by path, sorted by path."""
    submodules: tuple[str, ...]
    """Folders that belong to another repository: what is in them is unknown."""
    problems: tuple[Problem, ...]
    """What could not be listed."""
    git: Git | None = None
    """The repository that the tree comes from; None for a bare folder."""
    root: str | None = None
    """The folder on disk that the paths are relative to; None where there is none to write to."""
    context: str = ""
    """What beside the files a verdict may depend on: a digest of where the index differs from the work tree."""

    untracked: frozenset[str] = frozenset()
    """Those of `files` that git neither tracks nor ignores: nobody else has them."""
    ignored: tuple[str, ...] = ()
    """What is on disk beside `files` and may hold modules, by its topmost paths: git ignores it. Folders end in `/`."""

    def named(self, names: Iterable[str]) -> list[str]:
        """The paths of the files that have one of some names, in the order of `files`."""
        return [path for _, path in sorted(one for name in set(names) for one in self._by_name.get(name, ()))]

    @cached_property
    def _by_name(self) -> Mapping[str, list[tuple[int, str]]]:
        """The paths of the files, by their last part, each with its place among them."""
        found: dict[str, list[tuple[int, str]]] = {}
        for place, path in enumerate(self.files):
            found.setdefault(path.rpartition("/")[2], []).append((place, path))
        return found

    @abc.abstractmethod
    def reader(self) -> Reader:
        """A reader for this process."""

    def size(self, path: str) -> int | None:
        """The bytes of a regular file, listed or not, without reading it; None where nobody knows."""
        if self.root is None:
            return None
        try:
            found = os.lstat(os.path.join(os.fsencode(self.root), encode_path(path)))
        except (OSError, ValueError):
            return None
        return found.st_size if stat.S_ISREG(found.st_mode) else None

    def has_any(self, paths: Sequence[str]) -> bool:
        """Whether the size of one of some files is known."""
        return any(self.size(path) is not None for path in paths)

    def is_beside(self, path: str) -> bool:
        """Whether a regular file that is none of `files` is on disk at `path`, which is in `ignored` or below."""
        return False

    def ignoring(self, paths: Iterable[str]) -> Mapping[str, Ignored]:
        """By path, why git ignores a file; paths that it does not ignore are left out."""
        return {}

    def read(self, path: str) -> bytes | None:
        """The bytes of one path; None where the tree has no such file. For the few files that configure a run.

        Raises `Unreadable`.
        """
        file = self.files.get(path)
        if file is None or file.is_link:
            return None
        with self.reader() as reader:
            return reader.read(file)

    def read_many(self, paths: Iterable[str], limit: int | None = None) -> Iterator[tuple[str, bytes]]:
        """The bytes of several paths, leaving out what the tree does not have or cannot read."""
        with self.reader() as reader:
            for path in paths:
                file = self.files.get(path)
                if file is None or file.is_link:
                    continue
                try:
                    yield path, reader.read(file, limit)
                except Unreadable:
                    continue


class PartOfTree(Tree):
    """Some files of another tree, as if there were no more."""

    def __init__(self, base: Tree, files: Mapping[str, SourceFile]) -> None:
        self._base = base
        self.kind = base.kind  # type: ignore[misc]  # it stands for the other tree
        self.label = base.label
        self.files = files
        self.submodules = base.submodules
        self.problems = base.problems
        self.git = base.git
        self.root = base.root

    def reader(self) -> Reader:
        """The other tree's reader."""
        return self._base.reader()


class ContentTree(PartOfTree):
    """Another tree without its empty files, those that git ignores included."""

    def __init__(self, base: Tree, files: Mapping[str, SourceFile]) -> None:
        super().__init__(base, files)
        self.context = base.context
        self.untracked = base.untracked & files.keys()
        self.ignored = base.ignored

    def size(self, path: str) -> int | None:
        """As the other tree says."""
        return self._base.size(path)

    def is_beside(self, path: str) -> bool:
        """As the other tree says, of files that are not empty."""
        return self._base.is_beside(path) and self._base.size(path) != 0

    def ignoring(self, paths: Iterable[str]) -> Mapping[str, Ignored]:
        """As the other tree says."""
        return self._base.ignoring(paths)


def blob_id(content: bytes, algorithm: str = "sha1") -> str:
    """The id that git gives a blob of these bytes (`git hash-object`); `algorithm` is `sha1` or `sha256`."""
    return hashlib.new(algorithm, b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def algorithm_of(oid: str) -> str:
    """The hash that made `oid`, as git names it (`git rev-parse --show-object-format`)."""
    return "sha256" if len(oid) == 64 else "sha1"


def verified(file: SourceFile, content: bytes, why: str) -> bytes:
    """`content`, when it is what `file.oid` stands for. Raises `Unreadable` with the message `why` otherwise."""
    if blob_id(content, algorithm_of(file.oid)) != file.oid:
        raise Unreadable(Problem(file.path, "unreadable", why))
    return content


def too_large(path: str, size: int, limit: int) -> Unreadable:
    """The error for a file of `size` bytes where `limit` bytes are the most that is read."""
    return Unreadable(Problem(path, "too-large", f"{size:,} bytes, more than the limit of {limit:,}"))
