"""Any commit as a tree, with or without a checkout."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar, Final

from guard.model import CannotCheck, GuardError
from guard.sources.blobs import BlobTree
from guard.sources.git import Git, GitFailed
from guard.sources.paths import decode_path

if TYPE_CHECKING:
    from guard.sources.index import IndexTree

_ROW: Final = re.compile(r"(\d+) \w+ ([0-9a-f]+)\t([^\0]+)\0")
_DIFFERENCE: Final = re.compile(r":(\d+) \d+ ([0-9a-f]+) [0-9a-f]+ [A-Z]\0([^\0]+)\0")
_ALL_OF_IT: Final = ("--no-renames", "--no-relative", "--ignore-submodules=none")
"""Whatever the user's configuration says."""
_SHOWN: Final = 12


class CommitTree(BlobTree):
    """The files of one commit."""

    kind: ClassVar[str] = "commit"
    revision: str
    """The full id of the commit."""

    def __init__(self, git: Git, rev: str, staged: IndexTree | None = None) -> None:
        """List `rev` (whatever git takes for one commit); quicker where `staged`, of the same repository, has most of
        the same files.

        Raises GuardError for a revision that is not there, CannotCheck when its list of files is not.
        """
        self.git = self._git = git
        self.revision = self._treeish = resolve(git, rev)
        short = self.revision[:_SHOWN]
        self.label = short if self.revision.startswith(rev) else f"{rev} ({short})"
        if staged is not None and self._is_filled_from(staged, git):
            return
        try:
            printed = git.run("ls-tree", "-r", "-z", "--full-tree", self.revision)
        except GitFailed as error:
            raise CannotCheck(
                f"cannot list the files of {rev}: {error}"
                + ("; run: git fetch --refetch --no-filter" if git.is_partial else "")
            ) from error
        self._fill(_ROW.findall(decode_path(printed)))

    def _is_filled_from(self, staged: IndexTree, git: Git) -> bool:
        """Take over what is staged, but for what the commit has otherwise; tells whether that can be done."""
        if not staged.is_whole:
            return False
        try:
            printed = git.run("diff-index", "--cached", *_ALL_OF_IT, "-z", self.revision)
        except GitFailed:
            return False
        rows = _DIFFERENCE.findall(decode_path(printed))
        if 2 * len(rows) != printed.count(b"\0"):
            return False
        return self._fill_from(staged, [(mode if int(mode) else "", oid, path) for mode, oid, path in rows])


def resolve(git: Git, rev: str) -> str:
    """The full id of the commit that `rev` names. Raises GuardError (usage), with a hint in a shallow clone."""
    if "\0" not in rev:
        # A revision never becomes an option, and a range or anything else that is not one commit is an error.
        status, printed = git.start("rev-parse", "--verify", "--end-of-options", f"{rev}^{{commit}}").wait()
        # `^main` is one revision too, but one that is left out.
        if status == 0 and not printed.startswith(b"^"):
            return printed.decode("ascii").strip()
    hint = ""
    if git.run("rev-parse", "--is-shallow-repository").strip() == b"true":
        hint = "; this clone is shallow, so older commits are not in it: git fetch --unshallow"
    raise GuardError(f"no such commit: {rev}{hint}")
