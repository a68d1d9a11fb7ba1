"""Since when a file defines a name, and where the definition came from: what tells a copy from the original.

A definition is known by the line that it begins with, so that no version of a file has to be parsed. It is as old as
the first commit from which on every version of its file has it; where that commit took it out of another file, or
deleted the file that it was in, it moved, and is as old as it was there.
"""

from __future__ import annotations

import contextlib
import hashlib
import posixpath
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from guard.cache import Cache
from guard.history.commits import Change, Commit, History, Unseen, head_of
from guard.history.contents import Contents
from guard.model import Finding
from guard.sources.commit import CommitTree
from guard.sources.tree import Tree

_MOST_MOVES: Final = 5
_MOST_CHANGED: Final = 400
"""Files of one commit that are looked through for where a definition came from."""
CODE: Final = "SSOT001"
VERSION: Final = 1
"""Raised whenever the same history would give other answers."""

Definition = tuple[str, str]
"""A file and a name that it defines at its top level."""


class Birth(msgspec.Struct, frozen=True):
    """When a definition came about."""

    commit: Commit
    path: str
    """The file that it stood in first."""


_KEPT: Final[msgspec.msgpack.Decoder[list[tuple[Definition, Birth]]]] = msgspec.msgpack.Decoder(
    list[tuple[Definition, Birth]]
)


class Births:
    """Looks up when definitions came about, in the history of one commit."""

    def __init__(self, history: History, contents: Contents) -> None:
        self._history = history
        self._contents = contents
        self._changes: dict[str, list[tuple[str, Change]]] = {}
        self._changed: dict[str, tuple[Change, ...]] = {}
        self._has: dict[tuple[str, str], bool] = {}

    def of(self, definitions: Iterable[Definition]) -> Mapping[Definition, Birth]:
        """When each of them came about; those are left out of which the history does not tell. Raises Unseen."""
        found: dict[Definition, tuple[str, str]] = {}
        # All are followed at once, move by move, since each look at the history of some files walks all commits.
        places = {definition: definition[0] for definition in sorted(set(definitions))}
        for _ in range(_MOST_MOVES):
            self._learn(places.values())
            origins: dict[Definition, str] = {}
            for definition, path in places.items():
                begun = self._begun(path, definition[1], found.get(definition))
                if begun is None:
                    continue
                found[definition] = (begun, path)
                origin = self._moved_from(begun, path, definition[1])
                if origin:
                    origins[definition] = origin
            places = origins
        return {definition: Birth(self._history.commit(commit), path) for definition, (commit, path) in found.items()}

    def _learn(self, paths: Iterable[str]) -> None:
        """The changes of files, the youngest first."""
        wanted = sorted(set(paths) - self._changes.keys())
        if not wanted:
            return
        changes: defaultdict[str, list[tuple[str, Change]]] = defaultdict(list)
        for step in self._history.steps(wanted):
            for change in step.changes:
                changes[change.path].append((step.commit, change))
        self._changes.update({path: changes[path] for path in wanted})

    def _begun(self, path: str, name: str, before: tuple[str, str] | None) -> str | None:
        """The first commit from which on a file has a definition without a break, up to today or to a move."""
        changes = self._changes[path]
        if before is not None:
            commits = [commit for commit, _ in changes]
            changes = changes[commits.index(before[0]) + 1 :] if before[0] in commits else changes
        begun = None
        for commit, change in changes:
            if not self._defines(change.new, name):
                break
            begun = commit
        return begun

    def _moved_from(self, commit: str, path: str, name: str) -> str:
        """The one file that a commit took a definition out of; empty where there is none, or more than one."""
        changes = self._changed.get(commit)
        if changes is None:
            changes = self._changed[commit] = self._history.changed_by(commit)
        own = next((change.new for change in changes if change.path == path), "")
        moved = [change.path for change in changes if not change.new and own and own in change.old]
        if len(moved) == 1:
            return moved[0]
        if len(changes) > _MOST_CHANGED:
            # A bulk move, which edited its files too: only those of the same file name are looked at.
            called = posixpath.basename(path)
            changes = tuple(one for one in changes if not one.new and posixpath.basename(one.path) == called)
        sources = [
            change.path
            for change in changes
            if change.path != path
            and not self._defines(change.new, name)
            and any(self._defines(old, name) for old in change.old)
        ]
        if len(sources) > 1:
            sources = [source for source in sources if _tail(source) == _tail(path)]
        return sources[0] if len(sources) == 1 else ""

    def _defines(self, oid: str, name: str) -> bool:
        if not oid:
            return False
        known = self._has.get((oid, name))
        if known is None:
            content = self._contents.get(oid) or b""
            word = name.encode()
            known = self._has[oid, name] = word in content and bool(_line(word).search(content))
        return known


def _tail(path: str) -> list[str]:
    return path.split("/")[-2:]


def _line(word: bytes) -> re.Pattern[bytes]:
    return re.compile(rb"^(?:async[ \t]+def|def|class)[ \t]+" + re.escape(word) + rb"\b", re.MULTILINE)


def with_births(
    findings: Sequence[Finding], tree: Tree, cache: Cache, limit: int, most: int | None = None
) -> tuple[Finding, ...]:
    """The findings, those on duplicates told with since when each of the definitions is there.

    `limit` is the size in bytes of the largest version of a file that is read; `most` how many findings are told so,
    the first ones. Where the history does not tell, they stay as they are, and say why. Raises EnvironmentFailed where
    git is missing.
    """
    chosen = [finding for finding in findings if finding.code == CODE][:most]
    if not chosen or tree.git is None:
        return tuple(findings)
    head = tree.revision if isinstance(tree, CommitTree) else head_of(tree.git)
    if not head:
        return tuple(findings)
    wanted = sorted({(path, finding.symbol) for finding in chosen for path in (finding.path, _canonical(finding))})
    history, contents = History(tree.git, head), Contents(tree.git, tree, cache, limit)
    unseen = "the history here is shallow" if history.is_shallow else ""
    try:
        born = _known(cache, head, wanted, limit)
        if born is None:
            born = Births(history, contents).of(wanted)
            if not unseen and not contents.missing:
                _keep(cache, head, wanted, limit, born)
    except Unseen as why:
        born, unseen = {}, str(why)
    finally:
        contents.close()
    told = set(map(id, chosen))
    return tuple(_told(finding, born, unseen) if id(finding) in told else finding for finding in findings)


def _key(head: str, wanted: Sequence[Definition], limit: int) -> str:
    """Everything that the answer depends on; how much of the history is here is not in it, so that an answer which
    suffers from that is not kept."""
    parts = [str(VERSION), head, str(limit), *(f"{path}\0{name}" for path, name in wanted)]
    return f"births:{hashlib.sha256(repr(parts).encode('utf-8', 'surrogateescape')).hexdigest()}"


def _known(cache: Cache, head: str, wanted: Sequence[Definition], limit: int) -> Mapping[Definition, Birth] | None:
    value = cache.get(_key(head, wanted, limit))
    if value is None:
        return None
    try:
        return dict(_KEPT.decode(value))
    except msgspec.DecodeError:  # a damaged value is made anew
        return None


def _keep(cache: Cache, head: str, wanted: Sequence[Definition], limit: int, born: Mapping[Definition, Birth]) -> None:
    with contextlib.suppress(UnicodeEncodeError):  # a path that is not UTF-8 cannot be stored
        cache.put_many([(_key(head, wanted, limit), msgspec.msgpack.encode(list(born.items())))])


def _canonical(finding: Finding) -> str:
    return str(finding.data.get("canonical", finding.path))


def _told(finding: Finding, born: Mapping[Definition, Birth], unseen: str) -> Finding:
    own = born.get((finding.path, finding.symbol))
    first = born.get((_canonical(finding), finding.symbol))
    words = []
    if own is not None:
        words.append(f"It is there since {_when(own)}.")
    if first is not None and _canonical(finding) != finding.path:
        older = own is not None and own.commit.commit_date < first.commit.commit_date
        than = "This one is the older of the two: the other is" if older else "The other is"
        words.append(f"{than} there since {_when(first)}.")
    if unseen:
        words.append(f"Since when it is there cannot be told for sure: {unseen}.")
    if not words:
        return finding
    since = {key: _data(birth) for key, birth in (("since", own), ("canonical_since", first)) if birth is not None}
    return msgspec.structs.replace(finding, cause=" ".join([finding.cause, *words]), data={**finding.data, **since})


def _when(birth: Birth) -> str:
    commit = birth.commit
    return f'{commit.commit_date[:10]} ({commit.oid[:12]} "{commit.subject}")'


def _data(birth: Birth) -> dict[str, str]:
    commit = birth.commit
    return {"commit": commit.oid, "date": commit.commit_date, "subject": commit.subject, "path": birth.path}
