"""A folder as it is, without git: what stands in an image, or an unpacked package."""

from __future__ import annotations

import os
from typing import ClassVar, Final

from guard.files import is_unfinished
from guard.model import Problem
from guard.sources.blobs import outside_problem
from guard.sources.disk import DiskReader, identify_regular, read_link, special_problem, unreadable
from guard.sources.paths import decode_path, leaves_tree
from guard.sources.tree import SYMLINK, Reader, SourceFile, Tree, Unreadable, blob_id

SKIPPED_FOLDERS: Final = frozenset(
    {
        ".git",
        ".guard",
        ".mypy_cache",
        ".nox",
        ".pytest_cache",
        ".ruff_cache",
        ".tox",
        "__pycache__",
        "node_modules",
    }
)
"""What tools put beside the code. A virtual environment is known by its `pyvenv.cfg` (PEP 405), not by name."""


class DirectoryTree(Tree):
    """Every file below a folder. Symbolic links are listed as links, never followed.

    A name that cannot be listed or read is a problem. `skipped` holds the folders that were left out on purpose.
    """

    kind: ClassVar[str] = "directory"
    skipped: tuple[str, ...]
    """Folders that were not entered, by `SKIPPED_FOLDERS` or as virtual environments, sorted."""

    def __init__(self, root: str) -> None:
        """List and hash what is below `root`. The root itself is never skipped, whatever its name."""
        self.root = self._root = os.path.realpath(root)
        self.label = os.path.basename(self._root) or "/"
        walk = _Walk(self._root)
        self.files = {path: walk.files[path] for path in sorted(walk.files)}
        self.submodules = ()
        self.problems = tuple(sorted(walk.problems))
        self.skipped = tuple(sorted(walk.skipped))

    def reader(self) -> Reader:
        """A reader of the folder."""
        return DiskReader(self._root)


class _Walk:
    def __init__(self, root: str) -> None:
        self.files: dict[str, SourceFile] = {}
        self.problems: list[Problem] = []
        self.skipped: list[str] = []
        top = os.fsencode(root)
        # A stack, not recursion: folders may be nested deeper than Python's own.
        waiting = [(top, "")]
        while waiting:
            name, prefix = waiting.pop()
            waiting += self._folder(name, prefix)

    def _folder(self, name: bytes, prefix: str) -> list[tuple[bytes, str]]:
        """Add what stands in one folder; gives its subfolders with the prefixes of their paths."""
        below = []
        try:
            with os.scandir(name) as scan:
                entries = list(scan)
        except OSError as error:
            message = f"this folder cannot be listed: {error.strerror or error}"
            self.problems.append(Problem(prefix.rstrip("/") or ".", "unreadable", message))
            return []
        if prefix and any(entry.name == b"pyvenv.cfg" for entry in entries):
            self.skipped.append(prefix.rstrip("/"))
            return []
        for entry in entries:
            path = prefix + decode_path(entry.name)
            try:
                if entry.name == b".git":
                    # In a submodule or a linked worktree it is a file.
                    self.skipped.append(path)
                elif not entry.is_dir(follow_symlinks=False):
                    if not is_unfinished(path):
                        self._add(entry, path)
                elif decode_path(entry.name) in SKIPPED_FOLDERS:
                    self.skipped.append(path)
                else:
                    below.append((entry.path, path + "/"))
            except OSError as error:
                self.problems.append(unreadable(path, error).problem)
            except Unreadable as error:
                self.problems.append(error.problem)
        return below

    def _add(self, entry: os.DirEntry[bytes], path: str) -> None:
        if entry.is_symlink():
            target = read_link(entry.path, path)
            self.files[path] = SourceFile(path, SYMLINK, blob_id(target))
            if leaves_tree(path, decode_path(target)):
                self.problems.append(outside_problem(path, decode_path(target)))
        elif entry.is_file(follow_symlinks=False):
            self.files[path] = identify_regular(entry.path, path, "sha1")
        else:
            self.problems.append(special_problem(path, entry.stat(follow_symlinks=False).st_mode))
