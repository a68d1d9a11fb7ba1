"""The last time that a module bound a name, or was there at all, and the commit that ended it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from guard.history.commits import Change, History, Step
from guard.history.contents import Contents
from guard.history.outline import Bound
from guard.sources.tree import Tree


class Removal(msgspec.Struct, frozen=True):
    """The change after which something was gone for good."""

    commit: str
    """Empty for a change that is not committed yet."""
    parent: str
    """The commit before it."""
    path: str
    before: str
    """The blob that had it last."""
    after: str
    """The blob that took that one's place; empty where the file was deleted."""
    bound: Bound | None
    """The name's binding; None where the question was for the module."""


class Past(msgspec.Struct, frozen=True):
    """What the history of some paths has to say of one name."""

    removal: Removal | None = None
    versions: int = 0
    """Versions of the file that were looked at."""
    stars: tuple[tuple[str, int, str], ...] = ()
    """The star imports of any version: path, dots, module. The name may have come by one of them."""
    open: bool = False
    """Some version may have bound names that its text does not show."""


def uncommitted(history: History, tree: Tree) -> Step:
    """How the tree that is looked at differs from the commit that its history is told from, in Python files."""
    committed = history.files(history.head)
    changes = []
    for path in sorted({*committed, *tree.files}):
        if path.endswith(".py"):
            file = tree.files.get(path)
            old, new = committed.get(path, ""), file.oid if file is not None and not file.is_link else ""
            if old != new:
                changes.append(Change(path, (old,), new))
    return Step("", tuple(changes))


def past_of(history: History, contents: Contents, own: Step, paths: Sequence[str], name: str) -> Past:
    """Look for the youngest change by which one of `paths` lost `name`; `own` is what is not committed yet.

    Without a name: by which it lost the file. Raises Unseen.
    """
    versions = 0
    stars: dict[tuple[str, int, str], None] = {}
    is_open = False
    mine = Step("", tuple(change for change in own.changes if change.path in set(paths)))
    for step in [mine, *history.steps(paths)]:
        for change in step.changes:
            versions += 1
            for oid in change.old if name else ():
                content = contents.get(oid)
                # Most versions need not be parsed: without these words they are neither open nor have a star.
                if content is not None and (
                    b"import *" in content or b"__getattr__" in content or b"globals()" in content
                ):
                    seen = contents.outline(oid)
                    stars.update(dict.fromkeys((change.path, level, module) for level, module in seen.stars))
                    is_open = is_open or seen.open
            removal = _lost(history, contents, step.commit, change, name)
            if removal is not None:
                return Past(removal, versions, tuple(stars), is_open)
    return Past(None, versions, tuple(stars), is_open)


def _lost(history: History, contents: Contents, commit: str, change: Change, name: str) -> Removal | None:
    """The removal that one change is; None where it is none. A merge takes away only what all its parents had."""
    if not name:
        if change.new or not all(change.old):
            return None
    elif contents.binds(change.new, name) or not all(contents.binds(old, name) for old in change.old):
        return None
    parent = history.commit(commit).parents[0] if commit else history.head
    before = change.old[0]
    bound = contents.outline(before).names[name] if name else None
    return Removal(commit, parent, change.path, before, change.new, bound)


def paths_below(roots: Iterable[str], module: str) -> list[str]:
    """The files that could be the module `module` below each root."""
    tail = module.replace(".", "/")
    found = dict.fromkeys(f"{root}/{tail}" if root else tail for root in roots)
    return [path + suffix for path in found for suffix in (".py", "/__init__.py", ".pyi")]
