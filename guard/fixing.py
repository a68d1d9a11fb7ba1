"""Fixing a tree: in memory until nothing changes any more, then on disk, each file at once or not at all."""

from __future__ import annotations

import difflib
import os
import re
import stat
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from guard.files import replace_file
from guard.fixes import fixers
from guard.model import EnvironmentFailed, Finding, GuardError, Report
from guard.sources.paths import encode_path
from guard.sources.tree import REGULAR, Reader, SourceFile, Tree, Unreadable, blob_id, too_large

_ROUNDS = 10
"""A fix may uncover what another one mends; more rounds than this are a circle."""


class OverlayTree(Tree):
    """Another tree with some contents replaced. Everything that checks a tree checks this one too."""

    def __init__(self, base: Tree, changes: Mapping[str, bytes]) -> None:
        self._base = base
        self._changes = dict(changes)
        self.kind = base.kind  # type: ignore[misc]  # it stands for the tree below it
        self.label = base.label
        self.context = base.context
        self.git = base.git
        self.root = base.root
        self.submodules = base.submodules
        self.problems = base.problems
        files = dict(base.files)
        for path, content in changes.items():
            old = base.files.get(path)
            files[path] = SourceFile(path, old.mode if old else REGULAR, blob_id(content))
        self.files = dict(sorted(files.items()))

    def reader(self) -> Reader:
        """A reader that knows the replaced contents."""
        return _OverlayReader(self._base.reader(), self._changes)


class _OverlayReader(Reader):
    def __init__(self, base: Reader, changes: Mapping[str, bytes]) -> None:
        self._base = base
        self._changes = changes

    def read(self, file: SourceFile, limit: int | None = None) -> bytes:
        content = self._changes.get(file.path)
        if content is None:
            return self._base.read(file, limit)
        if limit is not None and len(content) > limit:
            raise too_large(file.path, len(content), limit)
        return content

    def close(self) -> None:
        self._base.close()


class Fixed(msgspec.Struct, frozen=True):
    """The outcome of fixing in memory."""

    changes: Mapping[str, bytes]
    """New contents by path, of the files that change."""
    mended: tuple[Finding, ...]
    """The findings of the first report that are gone."""
    refused: tuple[str, ...]
    """Paths with a fix that was taken back: it would have brought in something new, or mended nothing."""
    report: Report
    """The report on the tree with the changes."""


class _Proposal(msgspec.Struct, frozen=True):
    """What one fixer makes of one file."""

    path: str
    code: str
    content: bytes


def fix(tree: Tree, first: Report, check: Callable[[Tree], Report], *, unsafe: bool) -> Fixed:
    """Apply the fixes of `first` to `tree` in memory until nothing changes. `check` gives the report on a tree.

    A fix that brings in a finding or a problem which was not there, or that mends nothing, is taken back.
    """
    changes: dict[str, bytes] = {}
    refused: set[tuple[str, str]] = set()
    report = first
    for _ in range(_ROUNDS):
        proposals = _propose(OverlayTree(tree, changes), report, refused, unsafe=unsafe)
        if not proposals:
            break
        proposed = {proposal.path: proposal.content for proposal in proposals}
        after = check(OverlayTree(tree, {**changes, **proposed}))
        bad = _made_worse(report, after, proposals) or _mended_nothing(report, after, proposals)
        if bad:
            refused.update((proposal.path, proposal.code) for proposal in bad)
            continue
        changes.update(proposed)
        report = after
    left = set(map(_identity, report.findings))
    mended = tuple(finding for finding in first.findings if _identity(finding) not in left)
    return Fixed(changes, mended, tuple(sorted({path for path, _ in refused})), report)


def _identity(finding: Finding) -> tuple[str, str, str]:
    return finding.path, finding.code, finding.fingerprint


def _fixable(finding: Finding, *, unsafe: bool) -> bool:
    return finding.fix is not None and (unsafe or finding.fix.applicability == "safe")


def _propose(tree: Tree, report: Report, refused: set[tuple[str, str]], *, unsafe: bool) -> list[_Proposal]:
    by_path: defaultdict[str, defaultdict[str, list[Finding]]] = defaultdict(lambda: defaultdict(list))
    for finding in report.findings:
        known = finding.code in fixers() and (finding.path, finding.code) not in refused
        if known and _fixable(finding, unsafe=unsafe):
            by_path[finding.path][finding.code].append(finding)
    proposals = []
    for path, by_code in by_path.items():
        try:
            content = tree.read(path) or b""
        except Unreadable:
            continue
        # One code a round: the places of the others are those of the content before it. The marks and endings of the
        # whole file come first, because they are what columns and lines are counted by.
        for code in sorted(by_code, key=lambda code: (not code.startswith("TXT"), not code.startswith("EOL"), code)):
            new = fixers()[code](content, by_code[code])
            if new is not None and new != content:
                proposals.append(_Proposal(path, code, new))
                break
    return proposals


def _made_worse(before: Report, after: Report, proposals: Sequence[_Proposal]) -> list[_Proposal]:
    """The changes that brought in a finding or a problem, or all of them where it is in another file."""
    known = set(map(_identity, before.findings))
    new = {f.path for f in after.findings if _identity(f) not in known and f.code not in _COUNTED}
    new |= {problem.path for problem in set(after.problems) - set(before.problems) if problem.fatal}
    if not new:
        return []
    return [proposal for proposal in proposals if proposal.path in new] or list(proposals)


def _mended_nothing(before: Report, after: Report, proposals: Sequence[_Proposal]) -> list[_Proposal]:
    """The changes that left every finding that they were made for."""

    def found(report: Report, proposal: _Proposal) -> list[str]:
        place = (proposal.path, proposal.code)
        return [finding.fingerprint for finding in report.findings if (finding.path, finding.code) == place]

    return [proposal for proposal in proposals if found(before, proposal) == found(after, proposal)]


_COUNTED = frozenset({"EOL002"})
"""Findings that name a set of places: with one place mended, what is left of it is another finding, not a new one."""


def diff(tree: Tree, changes: Mapping[str, bytes]) -> str:
    """The changes as a unified diff that `git apply` takes. Bytes that are not UTF-8 are surrogates (PEP 383)."""
    return "".join(part for path in sorted(changes) for part in _file_diff(tree, path, changes[path]))


def _file_diff(tree: Tree, path: str, content: bytes) -> Iterator[str]:
    there = path in tree.files
    old = _lines(tree.read(path) or b"") if there else []
    before = _quoted(f"a/{path}") if there else "/dev/null"
    for line in difflib.unified_diff(old, _lines(content), before, _quoted(f"b/{path}")):
        yield line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"


def _lines(content: bytes) -> list[str]:
    """The lines with their line feeds; nothing else ends a line of a diff."""
    return re.findall(r"[^\n]*\n|[^\n]+", content.decode("utf-8", "surrogateescape"))


def _quoted(path: str) -> str:
    """A path as git writes it in a diff: in C's quotes where a character needs them."""
    if not re.search(r'[\x00-\x1f\x7f"\\]', path):
        return path
    return '"' + re.sub(r'[\x00-\x1f\x7f"\\]', lambda match: f"\\{ord(match[0]):03o}", path) + '"'


def write(tree: Tree, changes: Mapping[str, bytes]) -> None:
    """Write the changed files of `tree`: to a file beside each, then in its place. Modes stay as they were.

    Raises EnvironmentFailed when a file is not what the changes were made from (then nothing is written), and at the
    first file that cannot be written (the files before it are complete).
    """
    root = tree.root
    if root is None:
        raise GuardError("--fix needs files on disk")
    with tree.reader() as reader:
        modes = {path: _mode_to_keep(root, path, tree.files.get(path), reader) for path in sorted(changes)}
    for path, mode in modes.items():
        try:
            replace_file(Path(root, _on_disk(path)), changes[path], mode)
        except OSError as error:
            raise EnvironmentFailed(f"{path}: cannot be written: {error.strerror or error}") from error


def _on_disk(path: str) -> str:
    """A path of the tree as this machine's functions take names: they go by the locale, the tree by UTF-8."""
    return os.fsdecode(encode_path(path))


def _mode_to_keep(root: str, path: str, file: SourceFile | None, reader: Reader) -> int | None:
    """The mode of a file that is still the one that was checked; None for one that is to be made."""
    try:
        status = os.lstat(os.path.join(root, _on_disk(path)))
    except FileNotFoundError:
        if file is None:
            return None
        raise EnvironmentFailed(f"{path}: {_CHANGED}") from None
    except OSError as error:
        raise EnvironmentFailed(f"{path}: cannot be written: {error.strerror or error}") from error
    if file is None or not stat.S_ISREG(status.st_mode):
        raise EnvironmentFailed(f"{path}: {_CHANGED}")
    try:
        reader.read(file)  # it has the content that was checked, and no link leads to it: see `Reader.read`
    except Unreadable as unreadable:
        raise EnvironmentFailed(f"{path}: {_CHANGED}") from unreadable
    return stat.S_IMODE(status.st_mode)


_CHANGED = "it changed while guard was looking at it; nothing was written, run guard again"
