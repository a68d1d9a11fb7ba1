"""Helpers for tests on real repositories."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from guard.sources.git import Git, discover
from guard.sources.tree import Tree

NOBODY = 65534


@dataclass(frozen=True)
class Repository:
    path: Path

    @staticmethod
    def make(path: Path, *options: str) -> Repository:
        path.mkdir(parents=True)
        made = Repository(path)
        made.git("init", "--quiet", "--initial-branch=main", *options)
        return made

    def git(self, *arguments: str, given: bytes = b"") -> str:
        done = subprocess.run(["git", *arguments], cwd=self.path, input=given, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()
        return os.fsdecode(done.stdout).strip()

    def write(self, name: str | bytes, content: bytes) -> None:
        path = Path(os.fsdecode(os.path.join(os.fsencode(self.path), os.fsencode(name))))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    def commit(self, message: str) -> str:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)
        return self.git("rev-parse", "HEAD")

    def settle(self) -> None:
        """Make the index newer than every file, so that its stat data are trusted."""
        index = self.path / ".git" / "index"
        later = index.stat().st_mtime + 60
        os.utime(index, (later, later))

    def hash(self, content: bytes) -> str:
        """What git itself says is the id of a blob of these bytes."""
        return self.git("hash-object", "--stdin", "--no-filters", given=content)

    @property
    def found(self) -> Git:
        git = discover(str(self.path))
        assert git is not None
        return git


def contents(tree: Tree) -> dict[str, bytes]:
    """Everything that a tree has, read by a copy of it that went through pickle."""
    copy: Tree = pickle.loads(pickle.dumps(tree))
    with copy.reader() as reader:
        return {path: reader.read(file) for path, file in tree.files.items()}


def kinds(tree: Tree) -> dict[str, str]:
    """Path and kind of every problem."""
    return {problem.path: problem.kind for problem in tree.problems}


def as_nobody(path: Path, check: Callable[[], None]) -> None:
    """Run `check` in a child process whose user may not read everything; `path` is made that user's own."""
    if os.geteuid() == 0:
        for folder in [path, *path.parents]:
            if folder == Path("/") or folder.stat().st_mode & 0o001:
                continue
            folder.chmod(folder.stat().st_mode | 0o011)
        for name in [path, *path.rglob("*")]:
            os.chown(name, NOBODY, NOBODY, follow_symlinks=False)
    with warnings.catch_warnings():
        # Other threads (of pytest-xdist) are no hindrance: the child takes no lock of theirs.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        status = 1
        try:
            if os.geteuid() == 0:
                os.setgroups([])
                os.setgid(NOBODY)
                os.setuid(NOBODY)
            check()
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(status)
    _, ended = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(ended) == 0
