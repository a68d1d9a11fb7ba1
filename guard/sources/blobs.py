"""Contents that git holds: the reader that talks with `git cat-file --batch`, and the trees made of blobs alone."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from guard.model import EnvironmentFailed, Problem
from guard.sources.fifos import answers_within, refuse_if_stuck
from guard.sources.git import Git, first_complaint
from guard.sources.paths import decode_path, is_inside, leaves_tree
from guard.sources.tree import (
    EXECUTABLE,
    REGULAR,
    SUBMODULE,
    SYMLINK,
    Reader,
    SourceFile,
    Tree,
    Unreadable,
    too_large,
    verified,
)

_SKIPPED: Final = 8 * 1024 * 1024
"""Bytes. A body that is not wanted is read and dropped up to this size; for a larger one git is started anew."""
_CHUNK: Final = 1024 * 1024

_NOT_CLONED: Final = (
    "its content is not in this partial clone, and guard fetches nothing; run: git fetch --refetch --no-filter"
)
_LOST: Final = "the repository has lost its content, or cannot read it; see: git fsck"
_WRONG: Final = "its content does not match its id in the repository, which is damaged; see: git fsck"


class BlobReader(Reader):
    """Reads blobs through one `git cat-file --batch`, started when it is first needed.

    In a partial clone git gives up at the first object that is missing, so it is started again after each; with
    `treeish`, all that are missing from that tree are asked for once, at the first.
    """

    def __init__(self, git: Git, treeish: str | None = None) -> None:
        self._git = git
        self._treeish = treeish
        self._process: subprocess.Popen[bytes] | None = None
        self._missing: frozenset[str] = frozenset()
        self._is_partial: bool | None = None
        self._refused = ""
        """Why nothing more is asked of git: it would wait for ever."""

    def read(self, file: SourceFile, limit: int | None = None) -> bytes:
        """The bytes of the blob `file.oid`. Raises `Unreadable`."""
        if self._refused:
            raise Unreadable(Problem(file.path, "unreadable", self._refused))
        if file.oid in self._missing:
            raise self._missing_object(file)
        content = self._ask(file, limit)
        if content is None:
            # Either the object is at fault, and git says how, or something else ended the process.
            self._explain(file)
            content = self._ask(file, limit)
            if content is None:
                raise Unreadable(Problem(file.path, "unreadable", "git cat-file ended while it was read"))
        return verified(file, content, _WRONG)

    def close(self) -> None:
        """End git."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.communicate()

    def _ask(self, file: SourceFile, limit: int | None) -> bytes | None:
        """What git answers for one blob; None when it ended instead."""
        if self._process is None:
            self._process = self._git.popen("cat-file", "--batch", stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None and stdout is not None
        try:
            stdin.write(file.oid.encode() + b"\n")
            stdin.flush()
        except BrokenPipeError:
            self.close()
            return None
        if not answers_within(stdout):
            self._refuse_if_stuck(file)
        header = stdout.readline().split()
        if len(header) == 2 and header[1] == b"missing":
            raise self._missing_object(file)
        if len(header) != 3:
            self.close()
            return None
        size = int(header[2])
        if header[1] != b"blob":
            self._skip(size)
            kind = header[1].decode("ascii", "replace")
            raise Unreadable(Problem(file.path, "unreadable", f"the repository holds a {kind} in its place"))
        if limit is not None and size > limit:
            self._skip(size)
            raise too_large(file.path, size, limit)
        content = stdout.read(size)
        if stdout.read(1) == b"\n":
            return content
        self.close()
        return None

    def _refuse_if_stuck(self, file: SourceFile) -> None:
        try:
            refuse_if_stuck(self._git.git_dir, self._git.common_dir)
        except EnvironmentFailed as refused:
            self.close()
            self._refused = str(refused)
            raise Unreadable(Problem(file.path, "unreadable", self._refused)) from refused

    def _skip(self, size: int) -> None:
        """Get past a body of `size` bytes and its line end."""
        if size > _SKIPPED or self._process is None or self._process.stdout is None:
            self.close()
            return
        left = size + 1
        while left:
            dropped = len(self._process.stdout.read(min(left, _CHUNK)))
            if not dropped:
                self.close()
                return
            left -= dropped

    def _missing_object(self, file: SourceFile) -> Unreadable:
        if self._is_partial is None:
            self._is_partial = self._git.is_partial
        return Unreadable(Problem(file.path, "missing-object", _NOT_CLONED if self._is_partial else _LOST))

    def _explain(self, file: SourceFile) -> None:
        """Raise `Unreadable` when it is this object that git cannot read."""
        job = self._git.popen("cat-file", "blob", file.oid, stdin=subprocess.DEVNULL)
        assert job.stdout is not None
        with job:
            while job.stdout.read(_CHUNK):
                pass
            stderr = job.stderr.read() if job.stderr is not None else b""
        if job.returncode == 0:
            return
        if b"promisor" in stderr:
            if self._treeish is not None and not self._missing:
                self._missing = frozenset(missing_objects(self._git, self._treeish))
            raise self._missing_object(file)
        raise Unreadable(Problem(file.path, "unreadable", f"git cannot read its content: {first_complaint(stderr)}"))


def missing_objects(git: Git, treeish: str) -> Iterator[str]:
    """The ids of what a partial clone has not got of one tree; nothing where git cannot tell."""
    status, output = git.start(
        "rev-list", "--objects", "--no-object-names", "--missing=print", f"{treeish}^{{tree}}"
    ).wait()
    if status == 0:
        for line in output.decode("ascii", "replace").splitlines():
            if line.startswith("?"):
                yield line[1:]


class BlobTree(Tree):
    """A tree of which git holds every content: the index, or a commit."""

    _git: Git
    _treeish: str | None = None

    def reader(self) -> BlobReader:
        """A reader with a git of its own."""
        return BlobReader(self._git, self._treeish)

    def size(self, path: str) -> int | None:
        """The bytes of a blob that the repository has."""
        file = self.files.get(path)
        if file is None:
            return None
        status, printed = self._git.start("cat-file", "-s", file.oid).wait()
        return int(printed) if status == 0 and printed.strip().isdigit() else None

    def has_any(self, paths: Sequence[str]) -> bool:
        """Whether the repository has one of some blobs."""
        oids = [self.files[path].oid for path in paths if path in self.files]
        if not oids:
            return False
        # In a partial clone git gives up at the first that is missing: then they are asked for one by one.
        status, printed = self._git.start("cat-file", "--batch-check", given="\n".join([*oids, ""]).encode()).wait()
        rows = printed.split(b"\n")
        if status == 0 and len(rows) == len(oids) + 1:
            return any(row and not row.endswith(b" missing") for row in rows)
        return super().has_any(paths)

    def _fill(self, rows: Iterable[tuple[str, str, str]], problems: Iterable[Problem] = ()) -> None:
        """Make the tree from rows of mode (octal), id and path, as git prints them."""
        files: dict[str, SourceFile] = {}
        submodules: list[str] = []
        found = list(problems)
        for mode, oid, path in sorted(rows, key=_by_path):
            if not is_inside(path):
                found.append(bad_name(path))
            elif mode == "160000":
                submodules.append(path)
            else:
                files[path] = SourceFile(path, mode_of(mode), oid)
        found += map(submodule_problem, submodules)
        self.files = files
        self.submodules = tuple(submodules)
        self.problems = tuple(sorted([*found, *self._links_out()]))

    def _fill_from(self, other: BlobTree, rows: Iterable[tuple[str, str, str]]) -> bool:
        """Make the tree from another one and rows as `_fill` is given, with an empty mode for what is not in it. Tells
        whether that can be done: not where submodules or impossible names come into it."""
        if other.submodules or any(problem.kind == "bad-name" for problem in other.problems):
            return False
        files = dict(other.files)
        for mode, oid, path in rows:
            if mode == "160000" or not is_inside(path):
                return False
            if mode:
                files[path] = SourceFile(path, mode_of(mode), oid)
            elif files.pop(path, None) is None:
                return False
        if files.keys() - other.files.keys():
            files = dict(sorted(files.items()))
        self.files = files
        self.submodules = ()
        self.problems = tuple(sorted(self._links_out()))
        return True

    def _links_out(self) -> Iterator[Problem]:
        links = [file for file in self.files.values() if file.is_link]
        if not links:
            return
        with self.reader() as reader:
            for link in links:
                try:
                    target = decode_path(reader.read(link, limit=4096))
                except Unreadable as unreadable:
                    yield unreadable.problem
                else:
                    if leaves_tree(link.path, target):
                        yield outside_problem(link.path, target)


def _by_path(row: tuple[str, str, str]) -> str:
    return row[2]


def mode_of(octal: str) -> int:
    """A mode of the index or of a tree object, in the forms that git writes today (100664 was one once)."""
    mode = int(octal, 8)
    if mode in (SYMLINK, SUBMODULE):
        return mode
    return EXECUTABLE if mode & 0o100 else REGULAR


def submodule_problem(path: str) -> Problem:
    """What is said of a folder that belongs to another repository."""
    return Problem(path, "submodule", "another repository: nothing in it was checked")


def outside_problem(path: str, target: str) -> Problem:
    """What is said of a link that leaves the tree."""
    return Problem(path, "outside-tree", f"a symbolic link out of the tree, not followed: {target}")


def bad_name(path: str) -> Problem:
    """What is said of a name that no file of the tree can have."""
    return Problem(path, "bad-name", "git would never check out this name; nothing was read from it")
