"""Which findings are new since a revision: the exact difference of two reports.

A finding is the same one where its rule and its fingerprint are, in the same file or in one that was moved. So it
survives edits above it and renames; a copy of a file with a finding is a second finding.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from guard.model import CannotCheck, Finding, Report, Since
from guard.sources.git import GitFailed
from guard.sources.paths import decode_path

if TYPE_CHECKING:
    from guard.sources.commit import CommitTree
    from guard.sources.git import Git
    from guard.sources.tree import Tree


class Difference(msgspec.Struct, frozen=True):
    """What became of the findings between two trees."""

    new: tuple[Finding, ...]
    """Those of the later tree that the earlier one does not have, in their order."""
    old: int
    """How many both have."""
    fixed: tuple[Finding, ...]
    """Those that only the earlier one has, as it has them, in their order."""


def difference(before: Sequence[Finding], now: Sequence[Finding], moved: Mapping[str, str]) -> Difference:
    """Compare the findings of two trees. `moved` gives the earlier path of a file of the later tree that was moved."""
    had = {(finding.code, finding.path, finding.fingerprint): finding for finding in before}
    new: list[Finding] = []
    for finding in now:
        key = (finding.code, moved.get(finding.path, finding.path), finding.fingerprint)
        if had.pop(key, None) is None:
            new.append(finding)
    return Difference(tuple(new), len(now) - len(new), tuple(had.values()))


def narrowed(
    report: Report,
    before: Report,
    base: CommitTree,
    tree: Tree,
    rev: str,
    within: Callable[[str], bool],
    moved: Mapping[str, str],
) -> Report:
    """`report` on `tree` with only the findings that are new since `base`, whose report on everything is `before`.
    `within` says which part of the tree the report is about; `moved` is as for `difference`.

    Raises CannotCheck where a part of the base that differs could not be read: nobody could tell what is new then. What
    neither tree can read is a problem on the report already, and makes no difference.
    """
    found = compared(report, before, base, tree, rev, within, moved)
    could = {*before.broken.modules, *before.broken.test_files}
    broken = report.broken.only(lambda path: moved.get(path, path) not in could)
    return msgspec.structs.replace(report, findings=found.new, broken=broken, since=since_of(found, base, rev))


def compared(
    report: Report,
    before: Report,
    base: CommitTree,
    tree: Tree,
    rev: str,
    within: Callable[[str], bool],
    moved: Mapping[str, str],
) -> Difference:
    """What became of the findings of `base` in `tree`; arguments and errors as for `narrowed`, `moved` as for
    `difference`."""
    same = {path for path, file in base.files.items() if path in tree.files and tree.files[path].oid == file.oid}
    # Where the later tree cannot read a file either, nothing in it can be taken for new. (Because of Python that is not
    # read, something may not be found in other files either.)
    same |= {problem.path for problem in report.problems if problem.kind in _UNREAD and _is_data(problem.path)}
    unread = [problem for problem in before.problems if problem.kind in _UNREAD and problem.path not in same]
    if unread:
        raise CannotCheck(f"cannot compare with {rev}: {unread[0].path}: {unread[0].message}")
    later = {earlier: path for path, earlier in moved.items()}
    known = [finding for finding in before.findings if within(later.get(finding.path, finding.path))]
    return difference(known, report.findings, moved)


def _is_data(path: str) -> bool:
    """Whether a file, by its name, is no Python, which may also have no suffix."""
    return "." in path.rpartition("/")[2].lstrip(".") and not path.endswith((".py", ".pyi"))


def since_of(found: Difference, base: CommitTree, rev: str) -> Since:
    """What a report says of the revision that it was compared with."""
    return Since(rev=rev, commit=base.revision, unchanged=found.old, fixed=len(found.fixed))


_UNREAD = frozenset({"unreadable", "missing-object", "crash"})


def base_of(git: Git, rev: str, tree: Tree) -> CommitTree:
    """The tree to compare with: the commit where `tree` left `rev`, which is `rev` itself where it builds on that.

    So what happened on the other branch meanwhile is no difference. Raises GuardError for a revision that is not
    there, CannotCheck where the two have no commit in common, or a shallow clone does not hold it.
    """
    from guard.sources.commit import CommitTree, resolve

    base = resolve(git, rev)
    head = tree.revision if isinstance(tree, CommitTree) else _head(git)
    if head is None:
        return CommitTree(git, rev)
    status, printed = git.start("merge-base", base, head).wait()
    common = printed.decode("ascii", "replace").split()
    if status == 0 and common:
        return CommitTree(git, rev if common[0] == base else common[0])
    shallow = git.run("rev-parse", "--is-shallow-repository").strip() == b"true"
    why = "this clone is shallow; run: git fetch --unshallow" if shallow else "they have no commit in common"
    raise CannotCheck(f"cannot tell what is new since {rev}: {why}")


def parents_of_commit(git: Git, environ: Mapping[str, str], tree: Tree) -> dict[str, CommitTree]:
    """What the commit that is being made of `tree` will have for parents: HEAD, and what is being merged; by the names
    that a report calls them. Nothing in a repository without any commit.

    git writes MERGE_HEAD only where a person ends the merge. Where it does so itself, it tells its hooks of what it
    merges by variables named `GITHEAD_` and the commit's id (`merge.c` of git, and its documentation of strategies).
    """
    from guard.sources.commit import CommitTree
    from guard.sources.index import IndexTree

    head = _head(git)
    if head is None:
        return {}
    parents = {"HEAD": CommitTree(git, head, tree if isinstance(tree, IndexTree) else None)}
    merged = Path(os.fsdecode(git.run("rev-parse", "--path-format=absolute", "--git-path", "MERGE_HEAD").strip()))
    try:
        oids = merged.read_text(encoding="ascii").split()
    except (OSError, UnicodeDecodeError):
        oids = sorted(found[1] for name in environ if (found := _MERGED.fullmatch(name)))
    parents.update({"MERGE_HEAD" if len(oids) == 1 else oid[:12]: CommitTree(git, oid) for oid in oids})
    return parents


_MERGED: Final = re.compile(r"GITHEAD_([0-9a-f]{40}|[0-9a-f]{64})")


def _head(git: Git) -> str | None:
    """The commit that is checked out; None in a repository without any commit."""
    status, printed = git.start("rev-parse", "--verify", "--quiet", "HEAD^{commit}").wait()
    return printed.decode("ascii").strip() if status == 0 else None


def moved_files(base: CommitTree, tree: Tree) -> dict[str, str]:
    """The files of `tree` that were moved since `base`, with their earlier paths: those with the same content, and
    those that git takes for edited and moved ones (`git diff --find-renames`)."""
    gone = {path: file for path, file in base.files.items() if path not in tree.files}
    added = {path: file for path, file in tree.files.items() if path not in base.files}
    if not gone or not added:
        return {}
    by_content: dict[str, list[str]] = {}
    for path, file in sorted(gone.items()):
        by_content.setdefault(file.oid, []).append(path)
    moved: dict[str, str] = {}
    for path, file in sorted(added.items()):
        earlier = by_content.get(file.oid)
        if earlier:
            # Of several files with one content, the one of the same name is the one that was moved.
            same = [one for one in earlier if one.rpartition("/")[2] == path.rpartition("/")[2]]
            moved[path] = (same or earlier)[0]
            earlier.remove(moved[path])
    taken = set(moved.values())
    for earlier_path, path in _edited_and_moved(base, tree):
        if path in added and earlier_path in gone and path not in moved and earlier_path not in taken:
            moved[path] = earlier_path
            taken.add(earlier_path)
    return moved


def _edited_and_moved(base: CommitTree, tree: Tree) -> list[tuple[str, str]]:
    """Earlier and later path of what git takes for renames; empty where git cannot tell."""
    commands: dict[str, tuple[str, ...]] = {
        "commit": ("diff-tree", "-r"),
        "index": ("diff-index", "--cached"),
        "worktree": ("diff-index",),
    }
    git = base.git
    if git is None or tree.kind not in commands:
        return []
    command, *options = commands[tree.kind]
    later = [str(getattr(tree, "revision", ""))] if tree.kind == "commit" else []
    try:
        printed = git.run(command, *options, "-z", "-M", "--diff-filter=R", "--name-status", base.revision, *later)
    except GitFailed:
        return []
    words = decode_path(printed).split("\0")
    return [(words[at + 1], words[at + 2]) for at in range(0, len(words) - 2, 3) if words[at].startswith("R")]
