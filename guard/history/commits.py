"""The commits of one repository as the questions of `guard.history` need them: by plumbing, and bounded.

Only commands that compare trees are used (`rev-list`, `diff-tree`, `ls-tree`) and `grep`; contents are read by
`guard.sources.blobs`. `git log` is not: its configuration can name programs (`log.showSignature`, `gpg.program`), and
its search for renames and for strings ends at the first content that a partial clone has not got.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec

from guard.model import GuardError
from guard.sources.git import Git, first_complaint
from guard.sources.paths import decode_path, encode_path

_PATIENCE: Final = 30.0
"""Seconds. What one git command may take; the whole history of a large monorepo takes less than one."""
ALL_PYTHON: Final = b":(top,glob)**/*.py"
_ZERO: Final = re.compile(r"0+")
_CHUNK: Final = 500
"""Paths given to one command."""


class Unseen(Exception):
    """The history cannot be read so far; the message says why, for the reader of an answer."""


class Commit(msgspec.Struct, frozen=True, array_like=True):
    """One commit, as it is told to a reader. Dates are ISO 8601 with the offset that git recorded."""

    oid: str
    parents: tuple[str, ...]
    author: str
    author_date: str
    commit_date: str
    subject: str


class Change(msgspec.Struct, frozen=True):
    """One path that a commit changed. Ids are those of blobs; empty where the file is not there."""

    path: str
    old: tuple[str, ...]
    """Before it, one for each parent of the commit."""
    new: str


class Step(msgspec.Struct, frozen=True):
    """What one commit changed of the paths asked for. An empty id is what is not committed yet."""

    commit: str
    changes: tuple[Change, ...]


def head_of(git: Git) -> str:
    """The full id of the commit that is checked out; empty in a repository without any commit."""
    status, printed = git.start("rev-parse", "--verify", "--quiet", "HEAD^{commit}").wait()
    return printed.decode("ascii", "replace").strip() if status == 0 else ""


class History:
    """The commits that one commit descends from, itself included."""

    def __init__(self, git: Git, head: str) -> None:
        """`head` is the full id of a commit."""
        self.git = git
        self.head = head
        self.is_shallow = git.run("rev-parse", "--is-shallow-repository").strip() == b"true"
        self._commits: dict[str, Commit] = {}
        self._listed: dict[str, dict[str, str]] = {}
        self._steps: dict[tuple[bytes, ...], list[Step]] = {}

    def steps(self, paths: Iterable[str], *, anywhere: bool = False) -> list[Step]:
        """The commits that changed any of `paths`, the youngest first. A commit comes before its parents, and a merge
        counts only for what it has from none of them. With `anywhere`, a path may begin below any folder.

        Raises Unseen.
        """
        magic = b":(top,glob)**/" if anywhere else b":(top,literal)"
        specs = [magic + encode_path(path) for path in paths]
        key = tuple(specs)
        if not specs:
            return []  # to git, no paths are all paths
        if key not in self._steps:
            listed = self._run("rev-list", "--topo-order", self.head, "--", *specs)
            self._steps[key] = list(self._differences(listed, specs)) if listed else []
        return self._steps[key]

    def changed_by(self, commit: str) -> tuple[Change, ...]:
        """The Python files that one commit changed, as against its parents. Raises Unseen."""
        found = list(self._differences(commit.encode() + b"\n", [ALL_PYTHON]))
        return found[0].changes if found else ()

    def touched(self, oid: str) -> tuple[str, ...]:
        """The files of any kind that a commit changed, as against its first parent. Raises Unseen."""
        parents = self.commit(oid).parents
        if not parents:
            return tuple(self.files(oid))
        printed = self._run("diff-tree", "-r", "-z", "--name-only", "--no-renames", parents[0], oid)
        return tuple(decode_path(printed).split("\0")[:-1])

    def between(self, older: str, newer: str) -> tuple[Change, ...]:
        """The Python files in which two commits differ. Raises Unseen."""
        printed = self._run(
            "diff-tree", "-r", "--raw", "-z", "--no-renames", "--no-abbrev", older, newer, "--", ALL_PYTHON
        )
        return _changes(decode_path(printed))

    def files(self, commit: str) -> dict[str, str]:
        """The blob ids of a commit's files, by path. Raises Unseen."""
        found = self._listed.get(commit)
        if found is None:
            printed = decode_path(self._run("ls-tree", "-r", "-z", "--full-tree", commit))
            found = self._listed[commit] = {path: oid for oid, path in _LISTED.findall(printed)}
        return found

    def holding(self, commit: str, words: Sequence[str]) -> list[str]:
        """The Python files of a commit that hold each of `words`, as whole words. Raises Unseen."""
        patterns = [part for word in words for part in ("-e", word)]
        options = ("-l", "-z", "-a", "-w", "-F", "--all-match", "--no-recurse-submodules", "--full-name", "--no-color")
        printed = self._run("grep", *options, *patterns, commit, "--", ALL_PYTHON, good=(0, 1))
        return [path.partition(":")[2] for path in decode_path(printed).split("\0") if path]

    def commit(self, oid: str) -> Commit:
        """What there is to tell of a commit. Raises Unseen."""
        known = self._commits.get(oid)
        if known is None:
            printed = self._run("rev-list", "--no-walk", "--encoding=UTF-8", f"--format={_FORMAT}", oid)
            _, _, told = printed.decode("utf-8", "replace").partition("\n")
            fields = told.rstrip("\n").split("\0")
            if len(fields) != 6:
                raise Unseen(f"git tells nothing of commit {oid[:12]}")
            known = self._commits[oid] = Commit(fields[0], tuple(fields[1].split()), *fields[2:])
        return known

    def first_parents(self, head: str, limit: int, *, without: str = "") -> list[str]:
        """A commit and what it was made from, by first parents, the youngest first; without what another commit
        descends from. Raises Unseen."""
        left_out = (f"^{without}",) if without else ()
        printed = self._run("rev-list", "--first-parent", f"--max-count={limit}", head, *left_out)
        return printed.decode("ascii", "replace").split()

    def first_parents_by_day(self, head: str, limit: int) -> list[str]:
        """Of a commit and what it was made from, by first parents, the youngest of each day on which one was committed
        (where its committer was), the youngest first, for at most so many days. Raises Unseen."""
        printed = self._run("rev-list", "--first-parent", "--format=%H %cs", head)
        by_day: dict[str, str] = {}
        for line in printed.decode("ascii", "replace").splitlines():
            oid, _, day = line.partition(" ")
            if oid == "commit":
                continue
            if day not in by_day and len(by_day) == limit:
                break
            by_day.setdefault(day, oid)
        return list(by_day.values())

    def _differences(self, commits: bytes, specs: Sequence[bytes]) -> Iterator[Step]:
        options = ("--stdin", "-r", "--raw", "-z", "-c", "--root", "--no-renames", "--no-abbrev")
        printed = self._run("diff-tree", *options, "--", *specs, given=commits)
        number, fields = 0, decode_path(printed).split("\0")
        commit, changes = "", list[Change]()
        while number < len(fields):
            field = fields[number]
            if field.startswith(":"):
                changes.append(_change(field, fields[number + 1]))
                number += 1
            elif field:
                if commit:
                    yield Step(commit, tuple(changes))
                commit, changes = field, []
            number += 1
        if commit:
            yield Step(commit, tuple(changes))

    def _run(
        self, command: str, *arguments: str | bytes, given: bytes | None = None, good: Sequence[int] = (0,)
    ) -> bytes:
        stdin = subprocess.DEVNULL if given is None else subprocess.PIPE
        with self.git.popen(command, *arguments, stdin=stdin) as process:
            try:
                printed, errors = process.communicate(given, timeout=_PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                raise Unseen(
                    f"git {command} took longer than {_PATIENCE:.0f} seconds; the history is too long"
                ) from None
        if process.returncode not in good:
            raise Unseen(self._why(command, errors))
        return printed

    def _why(self, command: str, errors: bytes) -> str:
        if self.git.is_partial:
            return "this is a partial clone, and what is asked for is not in it; run: git fetch --refetch --no-filter"
        return f"git {command} failed: {first_complaint(errors) or 'no reason given'}"


_FORMAT: Final = "%H%x00%P%x00%an%x00%aI%x00%cI%x00%s"
_LISTED: Final = re.compile(r"\d+ blob ([0-9a-f]+)\t([^\0]+)\0")


def _changes(printed: str) -> tuple[Change, ...]:
    fields = printed.split("\0")
    return tuple(_change(fields[number], fields[number + 1]) for number in range(0, len(fields) - 1, 2))


def _change(described: str, path: str) -> Change:
    """One entry of git's raw format: for n parents n colons, n + 1 modes, n + 1 ids, and letters."""
    parents = len(described) - len(described.lstrip(":"))
    fields = described[parents:].split(" ")
    if len(fields) < 2 * parents + 2:
        raise GuardError(f"git diff-tree printed what guard cannot read: {described!r}", 4)
    modes, oids = fields[: parents + 1], fields[parents + 1 : 2 * parents + 2]
    blobs = ["" if _ZERO.fullmatch(oid) or mode[:2] != "10" else oid for mode, oid in zip(modes, oids, strict=True)]
    return Change(path, tuple(blobs[:-1]), blobs[-1])
