"""What every step of a session works with."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from guard.model import Finding, Report
from guard.runner.deployers.base import Deployer
from guard.runner.journal import Did, Journal
from guard.runner.lately import Lately
from guard.runner.options import Fixed
from guard.runner.plan import Plan
from guard.runner.record import Session
from guard.runner.selection import Narrowing
from guard.runner.store import Store
from guard.runner.whys import Gone


@dataclass(frozen=True, kw_only=True)
class Tools:
    """What the loop needs of the rest of guard, which it knows only as functions."""

    guards: Callable[[], Report]
    """Check the tree as it is now."""
    trace: Callable[[str, str], Gone | None]
    """(module, name) -> what became of it."""
    brought: Callable[[Finding], Gone | None]
    """The commit that brought a finding in."""
    left_out: Callable[[Collection[str]], Sequence[tuple[Finding, str]]]
    """(rule codes) -> what these find that no report has, each with what leaves it out."""
    lately: Callable[[str, str], Lately | None]
    """(a session, its tree as the record has it) -> what changed since; None where that cannot be told."""
    is_ours: Callable[[str], bool]
    """Whether a module of the tree may go by a name without dots."""
    defines: Callable[[str], bool]
    """Whether a class of the tree may go by a name."""
    fix: Callable[[Collection[str], bool], Fixed | None]
    """(rule codes, unsafe too) -> a dry run of the fixes."""
    back: Callable[[str, str], Fixed | None]
    """(revision, revision) -> what the guards find in the copies of both; the first may be empty, for the tree as it is
    now."""
    gates: Callable[[], Mapping[str, str]]
    """The gates that could have stopped it, and for each why it did not."""
    record: Callable[[Session], tuple[str, ...]]
    """Write the session's pages; gives the files."""
    publish: Callable[[Session], Did] | None = None
    """Tell of the session elsewhere; None where that is not asked for."""


@dataclass(kw_only=True)
class Frame:
    """One session at work."""

    plan: Plan
    """As it was read, secrets and all; the record has it without."""
    root: Path
    """The folder of the configuration: commands, paths and tests count from it."""
    environ: Mapping[str, str]
    test_env: Mapping[str, str]
    """What the plan adds for the tests."""
    store: Store
    journal: Journal
    deployer: Deployer
    tools: Tools
    narrowing: Narrowing = field(default_factory=Narrowing)
    override: str = ""
    """Why the session goes on though the guards block it; empty where it does not."""
    stopping: Callable[[], bool] = field(default=lambda: False)
    _report: Report | None = None

    @property
    def report(self) -> Report:
        """What the guards say of the tree; asked once for each cycle."""
        if self._report is None:
            self._report = self.tools.guards()
        return self._report

    def forget_report(self) -> None:
        """The tree may have changed."""
        self._report = None
