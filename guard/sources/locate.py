"""From the paths of a command line to a tree, and to the part of it that a report is about."""

# ruff: noqa: PTH100, PTH109, PTH112, PTH117 - pathlib cannot hold a name as bytes, and costs more than the call

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence

import msgspec

from guard.model import CannotCheck, GuardError
from guard.sources.commit import CommitTree
from guard.sources.directory import DirectoryTree
from guard.sources.fifos import wait_past_fifos
from guard.sources.git import Git, discover, marker
from guard.sources.index import IndexTree
from guard.sources.paths import decode_path, encode_path
from guard.sources.tree import Tree
from guard.sources.worktree import WorkTree


class PathFilter(msgspec.Struct, frozen=True):
    """The part of a tree that a report is restricted to."""

    prefixes: tuple[str, ...] = ()
    """Files and folders, relative to the tree's root, sorted. Empty for everything."""

    def matches(self, path: str) -> bool:
        """Whether the tree's `path` is one of the prefixes, or below one."""
        return not self.prefixes or any(path == prefix or path.startswith(f"{prefix}/") for prefix in self.prefixes)


def open_tree(paths: Sequence[str], *, staged: bool = False, rev: str | None = None) -> tuple[Tree, PathFilter]:
    """The tree that holds `paths` (relative to the current folder), and what of it to report on.

    Without paths it is the whole repository of the current folder, or the folder itself where there is none. A
    folder that git ignores is a tree of its own, without git. With `rev`, paths are names in that revision.

    Raises GuardError for what the command line got wrong, CannotCheck where there are no files, EnvironmentFailed
    where git is missing or refuses the repository.
    """
    if staged and rev is not None:
        raise GuardError("--staged and --rev exclude each other")
    if rev is not None:
        found, prefixes = _in_revision(paths)
        commit = CommitTree(found, rev)
        known = _known(commit)
        for path, prefix in zip(paths, prefixes, strict=True):
            if prefix and prefix not in known and not _holds(known, prefix):
                raise GuardError(f"no such path in {rev}: {path}")
        return commit, _filter(prefixes)
    for path in paths:
        if not (staged or os.path.lexists(path)):
            raise GuardError(f"no such path: {path}")
    places = [_place(path) for path in paths]
    git = _repository(places or [_place(os.curdir)])
    if staged:
        if git is None:
            raise GuardError("--staged needs a git repository, and there is none here")
        return _with_paths(IndexTree(git), git, paths, places)
    if git is None:
        return _directory(places)
    if git.work_tree is None:
        raise CannotCheck("no files here: this is a git directory; use --rev")
    ignored = _ignored(git, places)
    if ignored is not None:
        return DirectoryTree(ignored), PathFilter()
    return _with_paths(WorkTree(git), git, paths, places)


def name_in(tree: Tree, path: str) -> str:
    """The name in `tree` of a file that a command line names, there or not. Raises GuardError for one outside.

    In a tree without a place on disk, paths count from its root.
    """
    if tree.root is None:
        return _from_root(path)
    place, root = _place(path), os.path.realpath(tree.root)
    if os.path.commonpath((root, place)) != root or place == root:
        raise GuardError(f"{path} is outside of {root}")
    return _below(root, place)


def in_context(tree: Tree, folder: str, dockerfile: str | None = None, keep: str = "") -> Tree:
    """What a build is sent of a folder of `tree`, with the Dockerfile that a command line names. The file `keep` of the
    tree is always in it.

    Raises GuardError for a Dockerfile that is not in the tree, CannotCheck for an ignore file that Docker would not
    take, or of which guard cannot tell what it leaves out.
    """
    from guard.sources.context import IGNORE_FILE, ContextTree, find_context

    file = name_in(tree, dockerfile) if dockerfile is not None else ""
    if file and file not in tree.files:
        raise GuardError(f"no such file in the {tree.kind}: {dockerfile}")
    context = find_context(tree, folder, file)
    if context is None:
        raise CannotCheck(f"{folder or '.'}: nobody can tell what its {IGNORE_FILE} leaves out")
    return ContextTree(tree, context, file, keep)


def _with_paths(tree: Tree, git: Git, paths: Sequence[str], places: Sequence[str]) -> tuple[Tree, PathFilter]:
    """The tree with its filter. Raises for a path that is no part of the tree: it would go unchecked, unsaid."""
    prefixes = [_relative(git, place) for place in places]
    known = _known(tree)
    for path, place, prefix in zip(paths, places, prefixes, strict=True):
        if os.path.isdir(place) or prefix in known:
            continue
        if not os.path.lexists(place) and not _holds(known, prefix):
            raise GuardError(f"no such path: {path}")
        if os.path.lexists(place):
            reason = "git ignores it" if tree.kind == WorkTree.kind else "nothing of it is staged"
            raise CannotCheck(f"{path} is not in the {tree.kind}: {reason}")
    return tree, _filter(prefixes)


def _known(tree: Tree) -> set[str]:
    """The paths of a tree that a report could be about."""
    return set(tree.files).union(tree.submodules, (problem.path for problem in tree.problems))


def _holds(known: Iterable[str], folder: str) -> bool:
    return any(path.startswith(f"{folder}/") for path in known)


def _filter(prefixes: Iterable[str]) -> PathFilter:
    """The filter for `prefixes`, of which the empty one stands for the root."""
    unique = sorted(set(prefixes))
    return PathFilter(() if "" in unique else tuple(unique))


def _place(path: str) -> str:
    """The absolute name of a path, without links above it. A link to a folder is that folder, a link to a file
    is itself: it is the link that git knows."""
    absolute = os.path.abspath(path)
    if os.path.isdir(absolute):
        return os.path.realpath(absolute)
    return os.path.join(os.path.realpath(os.path.dirname(absolute)), os.path.basename(absolute))


def _standing(place: str) -> str:
    """The nearest folder that exists: `place` itself, or one above it."""
    while not os.path.isdir(place):
        place = os.path.dirname(place)
    return place


def _repository(places: Sequence[str]) -> Git | None:
    """The one repository that holds all places; None where none does. Raises GuardError for several."""
    folders = {marker(_standing(place)): _standing(place) for place in places}
    found = {discover(folder) for folder in folders.values()}
    if len(found) > 1:
        raise GuardError("the paths are in different repositories; check each of them by itself")
    return found.pop()


def _relative(git: Git, place: str) -> str:
    """A place as a path of the tree; empty for its root. Raises GuardError for one outside."""
    top = git.work_tree or git.git_dir
    if os.path.commonpath((top, place)) != top:
        raise GuardError(f"{place} is outside of the repository in {top}")
    return _below(top, place)


def _below(root: str, place: str) -> str:
    """A place as a path of the tree in `root`, which holds it; empty for the root itself."""
    return decode_path(os.fsencode(place[len(root) :].strip("/")))


def _ignored(git: Git, places: Sequence[str]) -> str | None:
    """The one place, when it is a folder that git ignores and that holds nothing tracked.

    Raises GuardError when such a folder is only one of several places.
    """
    for place in places:
        relative = _relative(git, place)
        if not relative or not os.path.isdir(place):
            continue
        looking = git.start("check-ignore", "--quiet", "--", place)
        wait_past_fifos(looking, os.fsencode(git.work_tree or place))
        if looking.wait()[0] == 0 and not git.run("ls-files", "-z", "--", b":(top,literal)" + encode_path(relative)):
            if len(places) > 1:
                raise GuardError(f"git ignores {place}, so it is no part of the repository; check it by itself")
            return place
    return None


def _directory(places: Sequence[str]) -> tuple[Tree, PathFilter]:
    """The tree without git: a folder that is named alone, else the current folder or the one that holds all."""
    if not places:
        return DirectoryTree(os.getcwd()), PathFilter()
    if len(places) == 1 and os.path.isdir(places[0]):
        return DirectoryTree(places[0]), PathFilter()
    root = os.getcwd()
    if any(os.path.commonpath((root, place)) != root for place in places):
        root = os.path.commonpath([place if os.path.isdir(place) else os.path.dirname(place) for place in places])
    prefixes = [_below(root, place) for place in places]
    tree = DirectoryTree(root)
    for place, prefix in zip(places, prefixes, strict=True):
        if any(prefix == folder or prefix.startswith(f"{folder}/") for folder in tree.skipped):
            raise CannotCheck(f"{place} is in a folder that guard skips; name a folder in it, and nothing else")
    return tree, _filter(prefixes)


def _in_revision(paths: Sequence[str]) -> tuple[Git, list[str]]:
    """The repository to take a revision from, and the paths as names in it. They need not be on disk."""
    here = discover(os.curdir)
    if here is not None and here.work_tree is None:
        return here, [_from_root(path) for path in paths]
    places = [_place(path) for path in paths]
    git = _repository(places or [os.getcwd()])
    if git is None:
        raise GuardError("--rev needs a git repository, and there is none here")
    return git, [_relative(git, place) for place in places]


def _from_root(path: str) -> str:
    """A path in a repository without a work tree, where everything counts from the root."""
    normal = os.path.normpath(path)
    if os.path.isabs(normal) or normal.split("/", 1)[0] == os.pardir:
        raise GuardError(f"{path} is outside of the tree; in a git directory, paths count from its root")
    return "" if normal == os.curdir else decode_path(os.fsencode(normal))
