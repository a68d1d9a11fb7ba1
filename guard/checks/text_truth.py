"""Line endings from all sides: the bytes of the tree, the attributes, the clone's settings, and the index."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import msgspec

from guard.attributes import FILE_NAME, UNSET, Attributes, Line, Matched
from guard.checks.text_editorconfig import FILE_NAME as EDITOR_FILE
from guard.checks.text_editorconfig import EditorConfig
from guard.checks.text_endings import Action, action_of, checks_out_crlf, deciding_line, has_filter
from guard.checks.text_index import Settings, read_settings, staged_endings
from guard.checks.text_paths import PathFault, mangled
from guard.checks.text_types import deploy_pattern, wants_crlf

if TYPE_CHECKING:
    from guard.checks.text import TextFacts
    from guard.program import Program

_ATTRIBUTES_LIMIT = 4 * 1024 * 1024
_EDITORS_LIMIT = 1024 * 1024


class Judged(msgspec.Struct, frozen=True):
    """A text file of the tree with CRs in it that nothing asks for."""

    path: str
    facts: TextFacts
    action: Action
    drift: bool
    """Only the working file has them: the blob has not, or `git add` would take them out."""


class Verdict(msgspec.Struct, frozen=True, eq=False):
    """What the tree's attributes make of a file's endings; one value for all files that the same lines match."""

    action: Action
    filtered: bool
    """A driver or an encoding stands between disk and blob."""
    decider: Line | None
    """The strongest line that speaks of endings."""
    pin: Line | None
    """The strongest line that gives `eol=lf`, whether it has the last word or not."""


class TextTruth:
    """Computed when first asked for, once. Only an attribute or two is ever asked of git itself."""

    def __init__(self, program: Program, facts: Mapping[str, TextFacts]) -> None:
        self.tree = program.tree
        self.facts = facts
        self._focus = program.focus
        self.git = program.tree.git
        """None for a folder without git: then the bytes are all there is."""
        self._given: dict[Matched, Verdict] = {}

    @cached_property
    def attribute_files(self) -> Mapping[str, bytes]:
        """The content of every `.gitattributes` of the tree (never through a link: git does not follow one either)."""
        paths = [path for path in self.tree.files if path.endswith(FILE_NAME) and path.rpartition("/")[2] == FILE_NAME]
        return dict(self.tree.read_many(paths, _ATTRIBUTES_LIMIT))

    @cached_property
    def unknown_folders(self) -> tuple[str, ...]:
        """The folders, each with its `/` (empty for the root), whose attribute file is there and could not be read."""
        there = {path for path, file in self.tree.files.items() if not file.is_link}
        there.update(problem.path for problem in self.tree.problems if problem.fatal)
        lost = sorted(path for path in there - self.attribute_files.keys() if path.rpartition("/")[2] == FILE_NAME)
        return tuple(path.removesuffix(FILE_NAME) for path in lost)

    @cached_property
    def attributes(self) -> Attributes:
        """What the tree's own files say: the same for everyone who has this tree."""
        return Attributes(self.attribute_files)

    @cached_property
    def attributes_here(self) -> Attributes:
        """The same with what this clone adds, where the files on disk are looked at."""
        if self.tree.kind == "worktree" and self.settings.info:
            return Attributes(self.attribute_files, self.settings.info)
        return self.attributes

    @cached_property
    def settings(self) -> Settings:
        """The clone's settings; git's defaults where no clone is."""
        return read_settings(self.git) if self.git is not None else Settings()

    @cached_property
    def paths(self) -> tuple[str, ...]:
        """The regular files."""
        return tuple(path for path, file in self.tree.files.items() if not file.is_link)

    @cached_property
    def editors(self) -> EditorConfig | None:
        """What the tree asks of editors; None where it has no file for that."""
        paths = [path for path in self.paths if path.endswith(EDITOR_FILE) and path.rpartition("/")[2] == EDITOR_FILE]
        return EditorConfig(dict(self.tree.read_many(paths, _EDITORS_LIMIT))) if paths else None

    @cached_property
    def mangled(self) -> tuple[PathFault, ...]:
        """The names that are whole paths, links included."""
        return tuple(mangled(tuple(self.tree.files)))

    @cached_property
    def decided_paths(self) -> Sequence[str]:
        """The regular files of which it is known what the tree's own attributes say."""
        unknown = self.unknown_folders
        return [path for path in self.paths if not path.startswith(unknown)] if unknown else self.paths

    @cached_property
    def verdicts(self) -> Mapping[str, Verdict]:
        """What the tree's own attributes say of every file in `decided_paths`."""
        return {path: self.verdict_of(path) for path in self.decided_paths}

    def verdict_of(self, path: str) -> Verdict:
        """What the tree's own attributes say of a file, whether it is there or not, as far as they could be read."""
        matched = self.attributes.matched(path)
        verdict = self._given.get(matched)
        if verdict is None:
            verdict = self._given[matched] = self._verdict(matched)
        return verdict

    def _verdict(self, matched: Matched) -> Verdict:
        decided = matched.decided
        said = ((line, self.attributes.expanded(line)) for line in matched.lines)
        pin = next((line for line, on in said if on.get("eol") == "lf" and on.get("text") != UNSET), None)
        return Verdict(action_of(decided), has_filter(decided), deciding_line(decided), pin)

    @cached_property
    def deploy_patterns(self) -> Mapping[str, str]:
        """The files in `decided_paths` that run or configure a deploy, each with the attribute pattern that pins it."""
        patterns: dict[str, str] = {}
        for path in self.decided_paths:
            facts = self.facts_of(path)
            pattern = deploy_pattern(path, facts.interpreter if facts is not None else "")
            if pattern is not None:
                patterns[path] = pattern
        return patterns

    def facts_of(self, path: str) -> TextFacts | None:
        """The facts of a file, in focus or not."""
        if self._focus is not None and path not in self._focus.whole.texts:
            return None
        return self.facts.get(path)

    def action(self, path: str) -> Action:
        """What git is told to do with the endings of one file, by everything that holds here."""
        return action_of(self.attributes_here.of(path))

    @cached_property
    def unasked_crs(self) -> tuple[Judged, ...]:
        """The text files with CRs that neither their attributes nor their type ask for, by path."""
        suspects = []
        for path, facts in self.facts.items():
            if facts.endings is None or facts.binary or wants_crlf(path) or path.startswith(self.unknown_folders):
                continue
            decided = self.attributes_here.of(path)
            action = action_of(decided)
            if action is Action.BINARY or action.asks_crlf or has_filter(decided):
                continue
            suspects.append((path, facts, action))
        if self.git is None or self.tree.kind != "worktree" or not suspects:
            return tuple(Judged(path, facts, action, False) for path, facts, action in suspects)
        staged = staged_endings(self.git, [path for path, _, _ in suspects])
        return tuple(
            Judged(path, facts, action, drift)
            for path, facts, action in suspects
            if (drift := self._is_drift(facts, action, staged.get(path))) is not None
        )

    def _is_drift(self, facts: TextFacts, action: Action, staged: str | None) -> bool | None:
        """Whether a file's CRs are only on disk; None where a checkout in this clone would put them there."""
        if staged in ("crlf", "mixed") or facts.git_binary:
            return False
        if checks_out_crlf(action, self.settings):
            return None
        if staged is None:
            return action.normalises
        return True
