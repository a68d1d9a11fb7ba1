"""The working tree: what is on disk, as git sees it.

The id of a file is that of the bytes *on disk*: they are what a build copies. git has it already for a file that it
knows to be unchanged, unless it converts the file between disk and blob. So:

1. A file is unchanged when the stat data in the index say so. guard compares them itself, because every git
   command that does would run the repository's filters (see `guard.sources.git`).
2. Line endings, `ident` and encodings change the size: each only ever adds bytes in one direction. So where the
   blob has the file's size, it has its bytes, but for 3.
3. A filter driver, or an encoding that maps bytes one to one, may keep the size. Where either is configured, git is
   asked for the attributes, and those files are hashed.

Whatever is not settled this way is hashed from disk.
"""

# ruff: noqa: PTH115 - pathlib cannot hold a name as bytes, and costs more than the call

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar, Final

from guard.files import is_unfinished
from guard.model import CannotCheck, Problem
from guard.sources.blobs import BlobReader, bad_name, mode_of, outside_problem, submodule_problem
from guard.sources.disk import (
    DiskReader,
    identify_regular,
    read_link,
    read_regular,
    special_problem,
    unreadable,
)
from guard.sources.entries import LIST_INDEX, IndexEntry, index_second, parse_entries
from guard.sources.fifos import wait_past_fifos
from guard.sources.git import Git, Job
from guard.sources.ignored import LIST_IGNORED, Ignored, find_patterns, importable, is_regular
from guard.sources.paths import decode_path, encode_path, is_inside, leaves_tree
from guard.sources.tree import SUBMODULE, SYMLINK, Reader, SourceFile, Tree, Unreadable, blob_id

_NO_FOLDER: Final = re.compile(rb"^warning: could not open directory '(.*?)/?': (.*)$", re.MULTILINE)
_ATTRIBUTES: Final = ".gitattributes"
_ATTRIBUTES_LIMIT: Final = 100 * 1024 * 1024
"""Bytes. git ignores attribute files that are larger (`ATTR_MAX_FILE_SIZE`)."""
_CONVERTING: Final = ("filter", "working-tree-encoding")
_NOT_SET: Final = frozenset({"unspecified", "unset"})


class WorkTree(Tree):
    """Tracked files, and files that are neither tracked nor ignored, as they are on disk.

    Where a merge is under way, the files are those on disk, with their conflict markers. What a sparse checkout
    leaves out is in the tree, with the content that is staged.
    """

    kind: ClassVar[str] = "worktree"

    def __init__(self, git: Git) -> None:
        """List the work tree of `git`. Raises CannotCheck where it has none."""
        if git.work_tree is None:
            raise CannotCheck("no files here: this repository is not checked out; use --rev")
        self.git = self._git = git
        self.root = self._root = git.work_tree
        self.label = os.path.basename(git.work_tree) or "/"
        listing = _Listing(git, git.work_tree)
        self._staged_only = frozenset(listing.staged_only)
        self.files = {path: listing.files[path] for path in sorted(listing.files)}
        self.untracked = listing.untracked()
        self.ignored = listing.ignored
        self.context = listing.context()
        self.submodules = tuple(sorted(listing.submodules))
        self.problems = tuple(sorted({*listing.problems, *map(submodule_problem, listing.submodules)}))

    def is_beside(self, path: str) -> bool:
        """Whether git ignores a regular file that is on disk at `path`."""
        return path not in self.files and is_regular(self._root, path)

    def ignoring(self, paths: Iterable[str]) -> Mapping[str, Ignored]:
        """The pattern by which git ignores each of the files."""
        inside = tuple(folder + "/" for folder in self.submodules)
        return find_patterns(self._git, [path for path in paths if not path.startswith(inside)])

    def reader(self) -> Reader:
        """A reader of the folder; of the index too, in a sparse checkout."""
        if self._staged_only:
            return _SparseReader(self._root, self._git, self._staged_only)
        return DiskReader(self._root)


class _SparseReader(Reader):
    def __init__(self, root: str, git: Git, staged_only: frozenset[str]) -> None:
        self._disk = DiskReader(root)
        self._blobs = BlobReader(git)
        self._staged_only = staged_only

    def read(self, file: SourceFile, limit: int | None = None) -> bytes:
        reader: Reader = self._blobs if file.path in self._staged_only else self._disk
        return reader.read(file, limit)

    def close(self) -> None:
        self._blobs.close()


class _Listing:
    """One look at a work tree. Several git commands run while the disk is looked at."""

    def __init__(self, git: Git, root: str) -> None:
        self.files: dict[str, SourceFile] = {}
        self.submodules: set[str] = set()
        self.problems: set[Problem] = set()
        self.staged_only: set[str] = set()
        self.ignored: tuple[str, ...] = ()
        self._git = git
        self._root = os.path.join(os.fsencode(root), b"")
        self._folders: dict[str, bool] = {"": True}
        self._closed: dict[str, int] = {}
        self._to_hash: list[str] = []
        self._list()

    def _list(self) -> None:
        # Before git reads the index: were it replaced in between, more files would be distrusted, not fewer.
        second = index_second(self._git.index_file)
        index = self._git.start(*LIST_INDEX)
        others = self._git.start("ls-files", "--others", "--exclude-standard", "-z")
        filters = self._git.start("config", "-z", "--name-only", "--get-regexp", r"^filter\.")
        entries = {entry.path: entry for entry in parse_entries(index.finish())}
        plain = [entry for entry in entries.values() if _is_plain(entry)]
        sizes = self._git.start(
            "cat-file",
            "--batch-check=%(objectsize)",
            "--buffer",
            given="".join([f"{entry.oid}\n" for entry in plain]).encode(),
        )
        unchanged = self._look_at_tracked(entries.values(), second)
        self._look_at_others(others)
        ignored = self._git.start(*LIST_IGNORED)
        converted = self._converted(unchanged, filters)
        blob_sizes = _sizes([entry.path for entry in plain], sizes)
        for path, size in unchanged.items():
            if path in converted or blob_sizes.get(path) != size:
                self._to_hash.append(path)
            else:
                entry = entries[path]
                self.files[path] = SourceFile(path, mode_of(entry.mode), entry.oid)
        self._hash(entries)
        self._report_closed_folders()
        self._entries = entries
        wait_past_fifos(ignored, self._root)
        self.ignored = tuple(sorted(importable(ignored.wait()[1])))

    def untracked(self) -> frozenset[str]:
        """The files that the index does not know."""
        return frozenset(self.files.keys() - self._entries.keys())

    def context(self) -> str:
        """A digest of where the disk has more than the index, or other content; empty where they are the same. Not of
        the index file: git rewrites that whenever somebody asks for the status."""
        apart = sorted(
            f"{path}\0{entry.oid}\0"
            for path, entry in self._entries.items()
            if (file := self.files.get(path)) is None or file.oid != entry.oid
        )
        apart += sorted(f"{path}\0" for path in self.untracked())
        apart += (f"{path}\0ignored\0" for path in self.ignored)
        return hashlib.sha256("".join(apart).encode("utf-8", "surrogateescape")).hexdigest() if apart else ""

    def _look_at_tracked(self, entries: Iterable[IndexEntry], second: int) -> dict[str, int]:
        """Sort out what is on disk in place of the entries; gives the unchanged regular files with their sizes."""
        unchanged: dict[str, int] = {}
        for entry in entries:
            path = entry.path
            if not is_inside(path):
                self.problems.add(bad_name(path))
                continue
            status = self._status(path)
            if status is None:
                self._keep_absent(entry)
            elif stat.S_ISREG(status.st_mode):
                if _is_plain(entry) and entry.describes(status, second):
                    unchanged[path] = status.st_size
                else:
                    self._to_hash.append(path)
            elif stat.S_ISDIR(status.st_mode):
                # The files in it are untracked ones, but git does not name a repository that stands here.
                if int(entry.mode, 8) == SUBMODULE or os.path.lexists(self._name(path) + b"/.git"):
                    self.submodules.add(path)
            else:
                self._add_odd(path, status.st_mode)
        return unchanged

    def _keep_absent(self, entry: IndexEntry) -> None:
        """A tracked path that is not on disk: deleted, unless it was never meant to be there."""
        if int(entry.mode, 8) == SUBMODULE:
            self.submodules.add(entry.path)
        elif entry.skip_worktree and entry.stage == "0":
            self.staged_only.add(entry.path)
            self.files[entry.path] = SourceFile(entry.path, mode_of(entry.mode), entry.oid)

    def _look_at_others(self, others: Job) -> None:
        """Untracked files; git names a repository inside this one by its folder, with `/` behind it."""
        for name, mode in wait_past_fifos(others, self._root):
            self.problems.add(special_problem(decode_path(name[len(self._root) :]), mode))
        for path in decode_path(others.finish()).split("\0"):
            if path.endswith("/"):
                self.submodules.add(path[:-1])
            elif path and not is_unfinished(path) and (status := self._status(path)) is not None:
                if stat.S_ISREG(status.st_mode):
                    self._to_hash.append(path)
                elif not stat.S_ISDIR(status.st_mode):
                    self._add_odd(path, status.st_mode)
        for folder, why in _NO_FOLDER.findall(others.errors):
            message = f"this folder cannot be listed: {why.decode('utf-8', 'replace')}"
            self.problems.add(Problem(decode_path(folder), "unreadable", message))

    def _add_odd(self, path: str, mode: int) -> None:
        """Add a link, or say what else is there."""
        if not stat.S_ISLNK(mode):
            self.problems.add(special_problem(path, mode))
            return
        try:
            target = read_link(self._name(path), path)
        except Unreadable as error:
            self.problems.add(error.problem)
            return
        self.files[path] = SourceFile(path, SYMLINK, blob_id(target, self._git.algorithm))
        if leaves_tree(path, decode_path(target)):
            self.problems.add(outside_problem(path, decode_path(target)))

    def _hash(self, entries: dict[str, IndexEntry]) -> None:
        for path in self._to_hash:
            try:
                file = identify_regular(self._name(path), path, self._git.algorithm)
            except Unreadable as error:
                if os.path.lexists(self._name(path)):
                    self.problems.add(error.problem)
                continue
            entry = entries.get(path)
            if entry is not None and int(entry.mode, 8) == SYMLINK and entry.oid == file.oid:
                # Without `core.symlinks` git checks a link out as a file that holds the target.
                self.staged_only.add(path)
                file = SourceFile(path, SYMLINK, file.oid)
            self.files[path] = file

    def _report_closed_folders(self) -> None:
        """One problem for each folder that may not be entered, not one for each file below it."""
        counts: dict[str, int] = {}
        for folder, count in self._closed.items():
            while folder and not os.path.lexists(self._name(folder)):
                folder = folder.rpartition("/")[0]
            counts[folder] = counts.get(folder, 0) + count
        for folder, count in counts.items():
            message = f"this folder cannot be entered; tracked files in it: {count}"
            self.problems.add(Problem(folder or ".", "unreadable", message))

    def _converted(self, unchanged: dict[str, int], filters: Job) -> set[str]:
        """The unchanged files whose bytes on disk may differ from a blob of the same size."""
        drivers = set(filters.wait()[1].split(b"\0")) - {b""}
        if all(name.startswith(b"filter.lfs.") for name in drivers) and not self._encodes(unchanged):
            # Git LFS is configured on most machines; its pointers are small, and the sizes tell.
            return set()
        given = b"\0".join(map(encode_path, unchanged))
        printed = self._git.run("check-attr", "-z", "--stdin", *_CONVERTING, given=given)
        fields = decode_path(printed).split("\0")
        return {path for path, value in zip(fields[::3], fields[2::3], strict=False) if value not in _NOT_SET}

    def _encodes(self, unchanged: Iterable[str]) -> bool:
        """Whether an attribute file of the tree or of the repository speaks of `working-tree-encoding`."""
        info = os.path.join(os.fsencode(self._git.common_dir), b"info", b"attributes")
        names = [self._name(path) for path in unchanged if path.endswith(_ATTRIBUTES)]
        names += [self._name(path) for path in self._to_hash if path.endswith(_ATTRIBUTES)]
        return any(_mentions(name, b"working-tree-encoding") for name in [info, *names])

    def _name(self, path: str) -> bytes:
        return self._root + encode_path(path)

    def _status(self, path: str) -> os.stat_result | None:
        """What is on disk at `path`; None for nothing, and for what stands behind a link."""
        if not self._is_real(path.rpartition("/")[0]):
            return None
        try:
            return os.lstat(self._name(path))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except PermissionError:
            folder = path.rpartition("/")[0]
            self._closed[folder] = self._closed.get(folder, 0) + 1
        except OSError as error:
            self.problems.add(unreadable(path, error).problem)
        return None

    def _is_real(self, folder: str) -> bool:
        """Whether `folder` can be reached without a symbolic link. One that leaves the tree is a problem."""
        known = self._folders.get(folder)
        if known is None:
            known = self._is_real(folder.rpartition("/")[0]) and self._is_no_link(folder)
            self._folders[folder] = known
        return known

    def _is_no_link(self, folder: str) -> bool:
        try:
            target = decode_path(os.readlink(self._name(folder)))
        except OSError:
            return True
        if leaves_tree(folder, target):
            self.problems.add(outside_problem(folder, target))
        return False


def _is_plain(entry: IndexEntry) -> bool:
    """Whether the entry is that of a regular file which git expects on disk."""
    return entry.mode.startswith("100") and entry.stage == "0" and not entry.skip_worktree


def _sizes(paths: Sequence[str], job: Job) -> dict[str, int]:
    """The sizes of the blobs of `paths`, as far as the repository has them."""
    lines = job.wait()[1].split(b"\n")
    return {path: int(line) for path, line in zip(paths, lines, strict=False) if line.isdigit()}


def _mentions(name: bytes, word: bytes) -> bool:
    try:
        return word in read_regular(name, "", _ATTRIBUTES_LIMIT)
    except Unreadable:
        return False
