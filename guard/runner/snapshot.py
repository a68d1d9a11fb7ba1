"""The files of a folder as they are now: what they are called as a whole, and a copy of them."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Final

import msgspec

from guard.history.commits import head_of
from guard.model import EnvironmentFailed
from guard.sources.commit import CommitTree
from guard.sources.locate import open_tree
from guard.sources.tree import SourceFile

_KEPT: Final = 10
"""Copies; older ones are removed."""


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """The files of a folder that belong to its repository, or all of them where there is none."""

    folder: Path
    commit: str
    """The commit that is checked out; empty without git."""
    digest: str
    """40 hex digits of all names, modes and contents."""
    files: Mapping[str, SourceFile]
    """By path in the folder."""

    @property
    def revision(self) -> str:
        """What the folder is called: the commit and what its files are, which may be others than the commit's."""
        return f"{self.commit[:8]}-{self.digest[:8]}" if self.commit else f"tree-{self.digest[:12]}"


def taken(folder: Path) -> Snapshot:
    """The snapshot of a folder. Raises GuardError where it cannot be read."""
    tree, within = open_tree((str(folder),))
    below = f"{within.prefixes[0]}/" if within.prefixes else ""
    files = {path[len(below) :]: file for path, file in tree.files.items() if path.startswith(below)}
    digest = sha256()
    for path, file in files.items():
        digest.update(f"{path}\0{file.mode}\0{file.oid}\0".encode("utf-8", "surrogateescape"))
    return Snapshot(
        folder=folder,
        commit=head_of(tree.git) if tree.git is not None else "",
        digest=digest.hexdigest()[:40],
        files=files,
    )


def uncommitted(snapshot: Snapshot) -> dict[str, str]:
    """The files that are others than in the commit that is checked out, by path in the folder: the id of each, empty
    for one that is gone. Nothing without git. Raises GuardError."""
    tree, within = open_tree((str(snapshot.folder),))
    if tree.git is None or not snapshot.commit:
        return {}
    below = f"{within.prefixes[0]}/" if within.prefixes else ""
    committed = {
        path[len(below) :]: file
        for path, file in CommitTree(tree.git, snapshot.commit).files.items()
        if path.startswith(below)
    }
    changed = {path: file.oid for path, file in snapshot.files.items() if committed.get(path) != file}
    return {**changed, **dict.fromkeys(committed.keys() - snapshot.files.keys(), "")}


def kept(snapshot: Snapshot, copies: Path) -> Path:
    """The copy of a snapshot below `copies`, which is made where it is not there: whole, or not at all.

    Raises EnvironmentFailed where it cannot be written.
    """
    place = copies / snapshot.revision
    if place.is_dir():
        os.utime(place)
        return place
    try:
        copies.mkdir(parents=True, exist_ok=True)
        making = Path(tempfile.mkdtemp(prefix=".making-", dir=copies))
        try:
            for path in snapshot.files:
                target = making / path
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(snapshot.folder / path, target, follow_symlinks=False)
            making.replace(place)
        except BaseException:
            shutil.rmtree(making, ignore_errors=True)
            raise
    except OSError as error:
        raise EnvironmentFailed(f"{place}: cannot be written: {error}") from error
    for old in _superfluous(copies):
        shutil.rmtree(old, ignore_errors=True)
    return place


def _superfluous(copies: Path) -> Iterator[Path]:
    """The copies that were not used for longest, and what a process left half-done that was killed."""
    yield from copies.glob(".making-*")
    whole = [path for path in copies.iterdir() if not path.name.startswith(".")]
    yield from sorted(whole, key=lambda path: path.stat().st_mtime, reverse=True)[_KEPT:]
