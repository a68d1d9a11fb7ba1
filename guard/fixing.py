"""Fixing a tree: in memory until nothing changes any more, then on disk, each file at once or not at all."""

from __future__ import annotations

import difflib
import os
import posixpath
import re
import stat
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from guard.files import replace_file
from guard.fixes import Refused, fixers
from guard.model import EnvironmentFailed, Finding, GuardError, Report
from guard.sources.paths import encode_path
from guard.sources.tree import REGULAR, Reader, SourceFile, Tree, Unreadable, blob_id, too_large

if TYPE_CHECKING:
    from guard.sources.ignored import Ignored

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
        self.untracked = base.untracked
        self.ignored = base.ignored
        self.problems = base.problems
        files = dict(base.files)
        for path, content in changes.items():
            old = base.files.get(path)
            files[path] = SourceFile(path, old.mode if old else REGULAR, blob_id(content))
        self.files = dict(sorted(files.items()))

    def is_beside(self, path: str) -> bool:
        """As the tree below says."""
        return self._base.is_beside(path)

    def ignoring(self, paths: Iterable[str]) -> Mapping[str, Ignored]:
        """As the tree below says."""
        return self._base.ignoring(paths)

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


class Refusal(msgspec.Struct, frozen=True, order=True):
    """A fix that is not made, and why."""

    path: str
    line: int
    code: str
    reason: str


class Fixed(msgspec.Struct, frozen=True):
    """The outcome of fixing in memory."""

    changes: Mapping[str, bytes]
    """New contents by path, of the files that change."""
    mended: tuple[Finding, ...]
    """The findings of the first report that are gone."""
    refused: tuple[Refusal, ...]
    """The fixes that were offered and not made: they cannot be, would bring in something new, or mend nothing."""
    tree: Tree
    """The tree with the changes."""
    report: Report
    """The report on it."""


def fix(
    tree: Tree,
    first: Report,
    check: Callable[[Tree], Report],
    *,
    unsafe: bool,
    chosen: Callable[[Finding], bool] = lambda _: True,
) -> Fixed:
    """Apply the fixes of `first` to `tree` in memory until nothing changes. `check` gives the report on a tree.

    A fix that brings in a finding or a problem which was not there, in whatever file, or that mends nothing, is taken
    back. Only `chosen` findings are mended.
    """
    fixing = _Fixing(tree, first, check, lambda finding: _offered(finding, unsafe) and chosen(finding))
    for _ in range(_ROUNDS):
        attempts = fixing.attempts()
        if not attempts:
            break
        fixing.settle(attempts)
    left = set(map(_identity, fixing.report.findings))
    mended = tuple(finding for finding in first.findings if chosen(finding) and _identity(finding) not in left)
    refused = sorted(refusal for identity, refusal in fixing.refused.items() if identity in left)
    return Fixed(fixing.changes, mended, tuple(refused), OverlayTree(tree, fixing.changes), fixing.report)


_Identity = tuple[str, str, str]


def _identity(finding: Finding) -> _Identity:
    return finding.path, finding.code, finding.fingerprint


def _changed_by(finding: Finding) -> str:
    """The file that the fix of a finding changes."""
    return (finding.fix.path if finding.fix is not None else "") or finding.path


def _offered(finding: Finding, unsafe: bool) -> bool:
    wanted = finding.fix is not None and (unsafe or finding.fix.applicability == "safe")
    return wanted and finding.code in fixers()


class _Attempt(msgspec.Struct, frozen=True):
    """Findings of one file that one fixer is to mend at once."""

    path: str
    findings: frozenset[_Identity]

    def halves(self) -> tuple[_Attempt, _Attempt]:
        """The same in two steps."""
        ordered = sorted(self.findings)
        middle = len(ordered) // 2
        return _Attempt(self.path, frozenset(ordered[:middle])), _Attempt(self.path, frozenset(ordered[middle:]))


class _Proposal(msgspec.Struct, frozen=True, eq=False):
    """What a fixer makes of an attempt."""

    attempt: _Attempt
    findings: tuple[Finding, ...]
    content: bytes


class _Fixing:
    """A tree that is being fixed: the changes that stood the check so far, and the report on the tree with them."""

    def __init__(
        self, tree: Tree, first: Report, check: Callable[[Tree], Report], wanted: Callable[[Finding], bool]
    ) -> None:
        self._tree = tree
        self._check = check
        self._wanted = wanted
        self.report = first
        self.changes: dict[str, bytes] = {}
        self.refused: dict[_Identity, Refusal] = {}

    def attempts(self) -> list[_Attempt]:
        """What is left to do, one fixer a file: the places that the others know are those of the content before it."""
        by_path: defaultdict[str, list[Finding]] = defaultdict(list)
        for finding in self.report.findings:
            if self._wanted(finding) and _identity(finding) not in self.refused:
                by_path[_changed_by(finding)].append(finding)
        found = []
        for path, findings in by_path.items():
            # The marks and endings of the whole file come first: they are what columns and lines are counted by.
            first = min(
                (finding.code for finding in findings),
                key=lambda code: (not code.startswith("TXT"), not code.startswith("EOL"), code),
            )
            fixer = fixers()[first]
            same = frozenset(_identity(finding) for finding in findings if fixers()[finding.code] is fixer)
            found.append(_Attempt(path, same))
        return found

    def settle(self, attempts: Sequence[_Attempt]) -> None:
        """Make the changes that stand the check, all at once where all do; refuse the others."""
        proposals = self._proposals(attempts)
        if not proposals:
            return
        changes = {**self.changes, **{proposal.attempt.path: proposal.content for proposal in proposals}}
        after = self._check(OverlayTree(self._tree, changes))
        blamed = _blamed(self.report, after, proposals)
        if not blamed:
            self.changes = changes
            self.report = after
            return
        good = [proposal.attempt for proposal in proposals if proposal not in blamed]
        bad = list(blamed)
        if good:
            self.settle(good)
            self.settle([proposal.attempt for proposal in bad])
            return
        if not all(reason.certain for reason in blamed.values()) and len(bad) > 1:
            middle = len(bad) // 2
            for half in (bad[:middle], bad[middle:]):
                self.settle([proposal.attempt for proposal in half])
            return
        several = [proposal.attempt.halves() for proposal in bad if len(proposal.findings) > 1]
        for proposal in bad:
            if len(proposal.findings) == 1:
                self._refuse(proposal.findings[0], blamed[proposal].text)
        for step in (0, 1):
            self.settle([halves[step] for halves in several])

    def _proposals(self, attempts: Sequence[_Attempt]) -> list[_Proposal]:
        """What the fixers make of the attempts, as the tree is now."""
        current: defaultdict[str, list[Finding]] = defaultdict(list)
        for finding in self.report.findings:
            current[_changed_by(finding)].append(finding)
        tree = OverlayTree(self._tree, self.changes)
        proposals = []
        with tree.reader() as reader:
            for attempt in attempts:
                findings = [finding for finding in current[attempt.path] if _identity(finding) in attempt.findings]
                file = tree.files.get(attempt.path)
                try:
                    content = reader.read(file) if file is not None and not file.is_link else b""
                except Unreadable:
                    continue
                proposal = self._proposal(attempt, findings, content)
                if proposal is not None:
                    proposals.append(proposal)
        return proposals

    def _proposal(self, attempt: _Attempt, findings: list[Finding], content: bytes) -> _Proposal | None:
        if not findings:
            return None
        fixer = fixers()[findings[0].code]
        new = fixer(content, findings)
        if isinstance(new, Refused) and len(findings) > 1:
            alone = [(finding, fixer(content, [finding])) for finding in findings]
            for finding, made in alone:
                if isinstance(made, Refused):
                    self._refuse(finding, made.reason)
            findings = [finding for finding, made in alone if not isinstance(made, Refused)]
            new = fixer(content, findings) if findings else new
        if isinstance(new, Refused):
            for finding in findings:
                self._refuse(finding, new.reason)
            return None
        if new == content:
            for finding in findings:
                self._refuse(finding, _STAYS)
            return None
        return _Proposal(_Attempt(attempt.path, frozenset(map(_identity, findings))), tuple(findings), new)

    def _refuse(self, finding: Finding, reason: str) -> None:
        self.refused[_identity(finding)] = Refusal(finding.path, finding.span.line, finding.code, reason)


_STAYS = "the finding would stay"


class _Blame(msgspec.Struct, frozen=True):
    """Why a proposal is not good."""

    text: str
    certain: bool
    """It is this one's, not perhaps another one's."""


def _blamed(before: Report, after: Report, proposals: Sequence[_Proposal]) -> dict[_Proposal, _Blame]:
    """The proposals that brought in a finding or a problem, or that left what they were made for."""
    by_path = {proposal.attempt.path: proposal for proposal in proposals}
    found = {proposal: _Blame(_STAYS, True) for proposal in proposals if _left(before, after, proposal)}
    known = set(map(_identity, before.findings))
    appeared = [
        ((f.path, *(related.path for related in f.related)), f"{f.code} at {f.path}:{f.span.line}")
        for f in after.findings
        if _identity(f) not in known and f.code not in _COUNTED
    ]
    appeared += [
        ((problem.path,), f"a problem with {problem.path}: {problem.message}")
        for problem in sorted(set(after.problems) - set(before.problems))
        if problem.fatal
    ]
    for paths, what in appeared:
        suspects = [by_path[path] for path in dict.fromkeys(paths) if path in by_path]
        certain = bool(suspects) and suspects[0].attempt.path == paths[0]
        for proposal in suspects[:1] if certain else suspects or proposals:
            if proposal not in found:
                found[proposal] = _Blame(f"it would bring in {what}", certain or len(proposals) == 1)
    return found


def _left(before: Report, after: Report, proposal: _Proposal) -> bool:
    """Whether a finding that the proposal is to mend is still there."""
    code = proposal.findings[0].code
    paths = {finding.path for finding in proposal.findings}
    there, now = ([f for f in report.findings if f.path in paths] for report in (before, after))
    if code in _COUNTED:
        return _fingerprints(there, code) == _fingerprints(now, code)
    # Like findings have numbers, which shift when one of them goes: so they are counted.
    wanted, known, left = (
        Counter((f.path, f.code, f.symbol, f.message) for f in findings) for findings in (proposal.findings, there, now)
    )
    return any(left[key] > known[key] - number for key, number in wanted.items())


def _fingerprints(findings: Sequence[Finding], code: str) -> list[str]:
    return [finding.fingerprint for finding in findings if finding.code == code]


_COUNTED = frozenset({"EOL002"})
"""Findings that name a set of places: with one place mended, what is left of it is another finding, not a new one."""


def diff(tree: Tree, changes: Mapping[str, bytes]) -> str:
    """The changes as a unified diff that `git apply` takes. Bytes that are not UTF-8 are surrogates (PEP 383)."""
    return "".join(part for path in sorted(changes) for part in _file_diff(tree, path, changes[path]))


def _file_diff(tree: Tree, path: str, content: bytes) -> Iterator[str]:
    there = path in tree.files
    old = _lines(tree.read(path) or b"") if there else []
    yield f"diff --git {_quoted(f'a/{path}')} {_quoted(f'b/{path}')}\n"
    if not there:
        yield "new file mode 100644\n"
    if not there and not content:
        yield f"index {'0' * 7}..{blob_id(content)[:7]}\n"  # it has no lines to tell of
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
            if mode is None:
                _make_folder(root, posixpath.dirname(path))
            replace_file(Path(root, _on_disk(path)), changes[path], mode)
        except OSError as error:
            raise EnvironmentFailed(f"{path}: cannot be written: {error.strerror or error}") from error


def _make_folder(root: str, folder: str) -> None:
    """Make a folder below `root` for a new file. Raises OSError, also where a link would lead out of the tree."""
    target = Path(root, _on_disk(folder))
    if not Path(os.path.realpath(target)).is_relative_to(os.path.realpath(root)):
        raise OSError("a link leads out of the tree")
    target.mkdir(parents=True, exist_ok=True)


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
