"""The analysis as the loop sees it: functions that check the tree as it is when they are called."""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final

from guard.cache import open_default
from guard.cli.mending import mend
from guard.config import Config, load, resolve_selection
from guard.engine import Options, check, look
from guard.history.answer import Answer, Verdict
from guard.history.bisect import Origin, Search
from guard.history.commits import History, Unseen, head_of
from guard.history.explain import names_of
from guard.history.question import Question, is_askable, trace
from guard.left_out import left_out
from guard.model import Finding, GuardError, Report
from guard.registry import all_rules
from guard.runner.lately import Lately
from guard.runner.options import Fixed
from guard.runner.snapshot import taken, uncommitted
from guard.runner.store import folder_of
from guard.runner.whys import Gone
from guard.sources.commit import CommitTree
from guard.sources.directory import DirectoryTree
from guard.sources.locate import PathFilter, open_tree
from guard.sources.tree import Tree

_IMPORTS: Final = frozenset({"IMP001", "IMP002"})
_CI_FILES: Final = (".gitlab-ci.yml", "Jenkinsfile", "azure-pipelines.yml", ".circleci/config.yml")
_CALLS_GUARD: Final = re.compile(r"\bguard\s+(check|loop)\b|id:\s*guard\b|deploy-guard")
_COMMIT: Final = re.compile(r"[0-9a-f]{12,64}")
_LATELY: Final = 20
"""Commits that are looked at."""
_FILE_BYTES: Final = 1_000_000


class Analysis:
    """Checks one folder of a repository, as `guard check` does."""

    def __init__(self, root: Path, below: str, config: Config, override: str) -> None:
        """`root` is the folder, and `below` the same folder in its tree."""
        self._root = root
        self._within = PathFilter((below,) if below else ())
        self._config = config
        self._override = override
        self._cache = open_default()
        self._options = Options(cache=self._cache)
        self._codes = resolve_selection(config, [], [], None, all_rules())
        self._report: Report | None = None

    def close(self) -> None:
        """Close the cache."""
        self._cache.close()

    def guards(self) -> Report:
        """Check the tree."""
        self._report = check(self._tree(), self._config, self._codes, self._options, self._within.matches)
        return self._report

    def trace(self, module: str, name: str) -> Gone | None:
        """What became of a name of a module, or of a module; None where nothing can be told."""
        question = Question(module, name)
        if not is_askable(question):
            return None
        try:
            tree = self._tree()
            found = trace(look(tree, self._config, _IMPORTS, self._options), question, self._cache)
        except GuardError:
            return None
        answer = next((one for one in found.answers if one.verdict is not Verdict.THERE), None)
        return self._gone(answer) if answer is not None else None

    def _gone(self, answer: Answer) -> Gone | None:
        if answer.removed is None:
            return None
        commit = answer.removed.commit
        best = answer.replacements[0] if answer.replacements else None
        return Gone(
            commit=commit.oid if commit is not None else "",
            date=commit.commit_date if commit is not None else "",
            subject=commit.subject if commit is not None else "",
            path=answer.removed.path,
            line=answer.removed.line,
            how=answer.removed.how,
            importers=self._importers(answer),
            replacement=f"{best.module}:{best.name}" if best is not None else "",
        )

    def _importers(self, answer: Answer) -> int:
        """The files that still ask for what is gone."""
        report = self._report if self._report is not None else self.guards()
        return len(
            {
                finding.path
                for finding in (*report.findings, *(one for one, _ in self.left_out(_IMPORTS)))
                if finding.data.get("module") in (answer.module, answer.module.rpartition(".")[2])
                and (answer.name in names_of(finding) or not answer.name)
            }
        )

    def brought(self, finding: Finding) -> Gone | None:
        """The commit that brought a finding in; None where the history does not tell."""
        tree = self._tree()
        git = tree.git
        head = head_of(git) if git is not None else None
        if git is None or not head:
            return None

        def on(oid: str) -> Report:
            return check(CommitTree(git, oid), self._config, frozenset({finding.code}), self._options)

        def sought(other: Finding) -> bool:
            return (other.code, other.path, other.fingerprint) == (finding.code, finding.path, finding.fingerprint)

        try:
            found = Search(History(git, head), on, sought).run(finding)
        except (GuardError, Unseen):
            return None
        if found.origin is Origin.UNCOMMITTED:
            return Gone(
                commit="",
                date="",
                subject="",
                path=finding.path,
                line=finding.span.line,
                how="brought it in",
                importers=0,
            )
        if found.commit is None or found.origin not in (Origin.COMMIT, Origin.MERGE):
            return None
        # What it changed beside the file with the finding is the likelier cause: the class that lost a field, for one.
        place = next((one for one in found.touched if one.path == finding.data.get("class_path")), None)
        place = place or next(iter(found.touched), None)
        return Gone(
            commit=found.commit.oid,
            date=found.commit.commit_date,
            subject=found.commit.subject,
            path=place.path if place is not None else finding.path,
            line=place.line if place is not None else finding.span.line,
            how=f"{place.how} {place.path}" if place is not None else "brought it in",
            importers=0,
        )

    def left_out(self, codes: Collection[str]) -> tuple[tuple[Finding, str], ...]:
        """What the rules `codes` find that no report has, each with what leaves it out."""
        try:
            found = left_out(self._tree(), self._config, codes, self._codes, self._options)
        except GuardError:
            return ()
        return tuple((one.finding, one.by) for one in found if self._within.matches(one.finding.path))

    def lately(self, session: str, then: str) -> Lately | None:
        """What changed since a session whose tree was `then`, as in `Opened.tree_text`."""
        git = self._tree().git
        head = head_of(git) if git is not None else ""
        before = then.partition(",")[0]
        if git is None or not head or not _COMMIT.fullmatch(before):
            return None
        history = History(git, head)
        try:
            found = history.first_parents(head, _LATELY + 1, without=before)
            commits = tuple(filter(None, (self._commit_text(history, oid) for oid in found[:_LATELY])))
        except (GuardError, Unseen):
            return None
        if not found and not head.startswith(before):
            return None  # an older commit is checked out
        return Lately(
            session=session,
            commits=commits,
            more=len(found) > _LATELY,
            uncommitted=tuple(sorted(uncommitted(taken(self._root)))),
            uncommitted_then="," in then,
        )

    def _commit_text(self, history: History, oid: str) -> str:
        """A commit in one line; nothing where it touches no file of the project."""
        files = [path for path in history.touched(oid) if self._within.matches(path)]
        if not files:
            return ""
        one = history.commit(oid)
        more = f" and {len(files) - 3} more" if len(files) > 3 else ""
        return f'{oid[:12]} of {one.commit_date[:10]}, "{one.subject}" ({", ".join(files[:3])}{more})'

    def is_ours(self, name: str) -> bool:
        """Whether a file or a folder of the tree, wherever it stands, is called so."""
        return any(
            name in (*(parts := path.split("/"))[:-1], parts[-1].partition(".")[0]) for path in self._tree().files
        )

    def defines(self, name: str) -> bool:
        """Whether a class of the tree may go by a name: one is defined so, or something is assigned to it, or a call
        has it as its first argument, as those have that make classes."""
        text = re.escape(name.encode("utf-8", "replace"))
        sought = re.compile(rb"(?m)\bclass\s+%b\b|^\s*%b\s*=|\(\s*[\"']%b[\"']" % (text, text, text))
        tree = self._tree()
        paths = (path for path in tree.files if path.endswith(".py"))
        return any(sought.search(content) for _, content in tree.read_many(paths, _FILE_BYTES))

    def fix(self, codes: Collection[str], unsafe: bool) -> Fixed | None:
        """A dry run of `guard check --fix`, for the rules `codes`."""
        tree = self._tree()
        chosen = frozenset(codes) & self._codes
        if not chosen:
            return None
        try:
            before = check(tree, self._config, self._codes, self._options, self._within.matches)
            mended = mend(tree, self._config, chosen, self._options, self._within.matches, unsafe=unsafe, history=True)
            after = check(mended.tree, self._config, self._codes, self._options, self._within.matches)
        except GuardError:
            return None
        return Fixed(before=before.findings, after=after.findings, files=tuple(mended.changes))

    def back(self, now: str, then: str) -> Fixed | None:
        """What the guards find in the copies that the deployer `local` keeps of two revisions; None where it has not
        both. Without `now` it is that of the tree as it is."""
        plan = self._config.loop.deploy
        if plan.kind != "local" or posixpath.normpath(plan.folder) != ".":
            return None  # of another folder the configuration would not hold
        copies = folder_of(self._root) / "revisions"
        places = [copies / (revision or taken(self._root).revision) for revision in (now, then)]
        if not all(place.is_dir() for place in places):
            return None
        try:
            before, after = (self._findings_in(place) for place in places)
        except GuardError:
            return None
        return Fixed(before=before, after=after, files=())

    def _findings_in(self, copy: Path) -> tuple[Finding, ...]:
        tree = DirectoryTree(str(copy))
        # Below the root of a repository the configuration's paths begin with its folder; in a copy they do not.
        config = load(tree, rules=all_rules()) if self._within.prefixes else self._config
        return check(tree, config, self._codes, self._options).findings

    def gates(self) -> Mapping[str, str]:
        """The gates that could have stopped a bad tree, and for each why it did not."""
        return {
            "guard loop": f"overridden: {self._override}" if self._override else "installed",
            "pre-commit": self._hook(),
            "ci": "installed" if any(map(_calls_guard, self._ci_files())) else "not installed",
        }

    def _hook(self) -> str:
        tree = self._tree()
        top = Path(tree.root or self._root)
        hook = Path(tree.git.git_dir) / "hooks" / "pre-commit" if tree.git is not None else None
        configured = _calls_guard(top / ".pre-commit-config.yaml")
        if hook is not None and hook.is_file() and (configured or _calls_guard(hook)):
            return "installed"
        return "configured, but its hook is not installed" if configured else "not installed"

    def _ci_files(self) -> list[Path]:
        top = Path(self._tree().root or self._root)
        workflows = top / ".github" / "workflows"
        return [*(top / name for name in _CI_FILES), *(sorted(workflows.glob("*.y*ml")) if workflows.is_dir() else ())]

    def _tree(self) -> Tree:
        return open_tree((os.fspath(self._root),))[0]


def _calls_guard(file: Path) -> bool:
    try:
        with file.open("rb") as opened:
            return _CALLS_GUARD.search(opened.read(_FILE_BYTES).decode("utf-8", "replace")) is not None
    except OSError:
        return False
