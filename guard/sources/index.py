"""The index as a tree: what the next commit would hold."""

from __future__ import annotations

import os
from typing import ClassVar

from guard.model import CannotCheck, Problem
from guard.sources.blobs import BlobTree
from guard.sources.entries import LIST_INDEX, is_announced, staged_rows
from guard.sources.git import Git


class IndexTree(BlobTree):
    """What is staged (of the index that `GIT_INDEX_FILE` names, if it does).

    Paths with a merge conflict are problems: a commit would refuse them. Paths that `git add --intent-to-add`
    announced are not in the tree.
    """

    kind: ClassVar[str] = "index"
    is_whole: bool
    """Whether every entry is in the tree."""

    def __init__(self, git: Git) -> None:
        """List the index of `git`. Raises CannotCheck where the repository has no work tree, so no index."""
        if git.work_tree is None:
            raise CannotCheck("a repository without a work tree has nothing staged; use --rev")
        self.git = self._git = git
        self.label = os.path.basename(git.work_tree) or "/"
        rows = staged_rows(git.run(*LIST_INDEX))
        unmerged = sorted({path for _, _, stage, path, _ in rows if stage != "0"})
        whole = [
            (mode, oid, path) for mode, oid, stage, path, flags in rows if stage == "0" and not is_announced(flags)
        ]
        self.is_whole = len(whole) == len(rows)
        problems = [Problem(path, "unmerged", "it has a merge conflict: nothing is staged yet") for path in unmerged]
        self._fill(whole, problems)
