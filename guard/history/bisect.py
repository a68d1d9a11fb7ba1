"""The commit that brought a finding in: a search over trees, by first parents, then into the branch that was merged."""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from guard.history.commits import Commit, History
from guard.model import Finding, Report
from guard.where import dotted_below

_LONGEST: Final = 200_000
"""Commits of the first-parent line."""
_SAMPLES: Final = 6
"""Commits since the one that was found, in which the finding is looked for to see whether it stayed."""
_AGAIN: Final = 4
"""How often the search begins anew, because the finding had come and gone."""
_DEEPEST: Final = 8
"""Merges within merges that are followed."""
_PASSED: Final = 16
"""Commits in a row that cannot be judged."""


class State(enum.StrEnum):
    """Whether a commit has the finding."""

    PRESENT = "present"
    ABSENT = "absent"
    UNKNOWN = "unknown"
    """The file that it is in could not be read or parsed there."""


class Origin(enum.StrEnum):
    """What is known of where a finding came in."""

    COMMIT = "commit"
    MERGE = "merge"
    """The merge itself: none of its parents has the finding."""
    ROOT = "root"
    """It is in the first commit already."""
    CUT = "cut"
    """It is in the oldest commit of a shallow clone, so it came in there or earlier."""
    UNCOMMITTED = "uncommitted"


class Touched(msgspec.Struct, frozen=True):
    """A file that the commit changed and that has to do with the finding."""

    path: str
    line: int
    """Where the finding stands in it; 0 for another file."""
    how: str
    """`added`, `changed` or `deleted`."""


class Bisected(msgspec.Struct, frozen=True, kw_only=True):
    """The commit that brought a finding in."""

    origin: Origin
    commit: Commit | None
    """None for what is not committed yet."""
    finding: Finding
    """As it is in that commit, or in the tree that was asked of."""
    touched: tuple[Touched, ...] = ()
    skipped: tuple[str, ...] = ()
    """Commits that could not be judged, and may be the one."""
    notes: tuple[str, ...] = ()
    looked_at: int = 0
    """Commits that were checked."""


class Search:
    """The search for one finding."""

    def __init__(
        self,
        history: History,
        check: Callable[[str], Report],
        sought: Callable[[Finding], bool],
        at: Callable[[str], None] = lambda _commit: None,
    ) -> None:
        """`check` gives the report on a commit, `sought` knows the finding; `at` is told of each commit."""
        self._history = history
        self._check = check
        self._sought = sought
        self._at = at
        self._seen: dict[str, tuple[State, Finding | None]] = {}
        self._notes: dict[str, None] = {}
        self._skipped: list[str] = []

    def run(self, finding: Finding) -> Bisected:
        """Search from the head of the history; `finding` is as the tree that was asked of has it. Raises Unseen."""
        head = self._history.head
        if self._state(head) is not State.PRESENT:
            return Bisected(origin=Origin.UNCOMMITTED, commit=None, finding=finding, looked_at=len(self._seen))
        line = self._history.first_parents(head, _LONGEST)
        oid, origin = self._within(line, 0)
        found = self._seen[oid][1] or finding
        touched = self._touched(oid, found) if origin in (Origin.COMMIT, Origin.MERGE) else ()
        return Bisected(
            origin=origin,
            commit=self._history.commit(oid),
            finding=found,
            touched=touched,
            skipped=tuple(self._skipped),
            notes=tuple(self._notes),
            looked_at=len(self._seen),
        )

    def _within(self, line: Sequence[str], depth: int) -> tuple[str, Origin]:
        """Where the finding came in, on a line of first parents whose youngest commit has it."""
        last = self._first_present(line, 0)
        for _ in range(_AGAIN):
            gap = self._gap(line, last)
            if gap is None:
                break
            self._notes[f"it had come and gone before: {line[gap][:12]} does not have it"] = None
            last = self._first_present(line, 0, gap)
        oid = line[last]
        parents = self._history.commit(oid).parents
        if not parents:
            return oid, Origin.CUT if self._history.is_shallow else Origin.ROOT
        if len(parents) == 1 or depth >= _DEEPEST:
            return oid, Origin.COMMIT
        for other in parents[1:]:
            if self._state(other) is State.PRESENT:
                branch = self._history.first_parents(other, _LONGEST, without=parents[0])
                # An empty branch: that parent is one of the first parent's own past, so the merge has undone something.
                return self._within(branch, depth + 1) if branch else (oid, Origin.MERGE)
        return oid, Origin.MERGE

    def _first_present(self, line: Sequence[str], present: int, absent: int | None = None) -> int:
        """The oldest commit of the run that has the finding, as an index: by steps that double, then by halves."""
        if absent is None:
            step = 1
            while present < len(line) - 1:
                index, state = self._near(line, min(present + step, len(line) - 1), present)
                if state is State.ABSENT:
                    absent = index
                    break
                if index <= present:
                    break
                present, step = index, step * 2
            else:
                return present
            if absent is None:
                return present
        while absent - present > 1:
            index, state = self._near(line, (present + absent) // 2, present, absent)
            if state is State.UNKNOWN:
                self._skipped += line[present + 1 : absent]
                break
            if state is State.PRESENT:
                present = index
            else:
                absent = index
        return present

    def _near(self, line: Sequence[str], index: int, above: int, below: int | None = None) -> tuple[int, State]:
        """The state of a commit, or of the one nearest to it, between two others, that can be judged."""
        end = len(line) if below is None else below
        order = sorted(range(max(above + 1, index - _PASSED), min(end, index + _PASSED)), key=lambda i: abs(i - index))
        for number in order:
            state = self._state(line[number])
            if state is not State.UNKNOWN:
                return number, state
        return above, State.UNKNOWN

    def _gap(self, line: Sequence[str], last: int) -> int | None:
        """A commit since the one found that does not have the finding, the youngest one that was met; None for none.
        Looked at are those that changed the files that it speaks of."""
        found = self._seen[line[last]][1]
        if found is None or last < 2:
            return None
        changed = {step.commit for step in self._history.steps(_paths(found))}
        inner = [index for index in range(1, last) if line[index] in changed]
        for index in inner[:: max(len(inner) // _SAMPLES, 1)][:_SAMPLES]:
            if self._state(line[index]) is State.ABSENT:
                return index
        return None

    def _state(self, oid: str) -> State:
        known = self._seen.get(oid)
        if known is None:
            self._at(oid)
            known = self._seen[oid] = self._judge(self._check(oid))
        return known[0]

    def _judge(self, report: Report) -> tuple[State, Finding | None]:
        finding = next(filter(self._sought, report.findings), None)
        if finding is not None:
            return State.PRESENT, finding
        newest = next((seen for _, seen in self._seen.values() if seen is not None), None)
        if newest is not None and any(problem.fatal and problem.path == newest.path for problem in report.problems):
            return State.UNKNOWN, None
        return State.ABSENT, None

    def _touched(self, oid: str, finding: Finding) -> tuple[Touched, ...]:
        """The files of a commit that the finding is about: its own, those that it points to, and its module's."""
        parent = self._history.commit(oid).parents[0]
        named = {finding.path, *(place.path for place in finding.related)}
        module = f".{finding.data.get('module') or '?'}".rstrip(".")
        found = []
        for change in self._history.between(parent, oid):
            dotted = f".{dotted_below('', change.path)}"
            if change.path in named or dotted.endswith(module) or dotted.startswith(f"{module}."):
                how = "changed" if change.new and any(change.old) else "added" if change.new else "deleted"
                found.append(Touched(change.path, finding.span.line if change.path == finding.path else 0, how))
        return tuple(sorted(found, key=lambda one: (not one.line, one.path)))


def _paths(finding: Finding) -> list[str]:
    return sorted({finding.path, *(place.path for place in finding.related)})
