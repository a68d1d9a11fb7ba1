"""The history for very many questions at once: read in one pass, instead of one git command for each question."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Final

from guard.history.commits import ALL_PYTHON, Change, History, Step


class BulkHistory(History):
    """A history that keeps in mind which commit changed which Python file. That takes a second or two, and some ten
    thousand commits take some ten megabytes.

    Commits of side branches that a merge has undone are told of too, where `History` leaves them out.
    """

    def steps(self, paths: Iterable[str], *, anywhere: bool = False) -> list[Step]:
        """As `History.steps`, in the same order; of a folder, what changed of its Python files. Raises Unseen."""
        wanted = list(dict.fromkeys(paths))
        if any("*" in path for path in wanted):
            return super().steps(wanted, anywhere=anywhere)
        found: dict[int, list[Change]] = {}
        for path in dict.fromkeys(one for asked in wanted for one in self._meant(asked, anywhere)):
            for number, change in self._by_path.get(path, ()):
                found.setdefault(number, []).append(change)
        return [Step(self._all[number].commit, tuple(found[number])) for number in sorted(found)]

    def changed_by(self, commit: str) -> tuple[Change, ...]:
        """As `History.changed_by`. Raises Unseen."""
        changes = self._by_commit.get(commit, ())
        return tuple(change for change in changes if change.path.endswith(".py"))

    def _meant(self, path: str, anywhere: bool) -> Iterable[str]:
        """The files that a path stands for."""
        if not path.endswith(_SUFFIXES):
            return [one for one in self._by_path if one.startswith(f"{path}/")]
        if anywhere:
            return [one for one in self._by_path if one == path or one.endswith(f"/{path}")]
        return [path]

    @cached_property
    def _all(self) -> list[Step]:
        listed = self._run("rev-list", "--topo-order", self.head)
        return list(self._differences(listed, [ALL_PYTHON, _STUBS]))

    @cached_property
    def _by_path(self) -> Mapping[str, list[tuple[int, Change]]]:
        found: dict[str, list[tuple[int, Change]]] = {}
        for number, step in enumerate(self._all):
            for change in step.changes:
                found.setdefault(change.path, []).append((number, change))
        return found

    @cached_property
    def _by_commit(self) -> Mapping[str, tuple[Change, ...]]:
        return {step.commit: step.changes for step in self._all}


_SUFFIXES: Final = (".py", ".pyi")
_STUBS: Final = b":(top,glob)**/*.pyi"
