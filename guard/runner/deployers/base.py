"""What every deployer can do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

import msgspec

from guard.runner.record import Evidence

Progress = Callable[[str], None]
"""Told one line of what is happening."""


class Deployment(msgspec.Struct, frozen=True, kw_only=True):
    """A service that was deployed. Kept with the deploy step, so that a resumed session finds it again."""

    revision: str
    """What the platform calls it; never empty."""
    base_url: str
    """Where it answers, without a slash at the end; empty where the plan has to say it."""
    websocket_url: str = ""
    note: str = ""
    """What a reader of the record should know of it."""
    data: Mapping[str, object] = {}
    """What the deployer needs to find it again: a process id, a container. Plain JSON values."""


class DeployFailed(Exception):
    """The deploy did not come about. `phase` is `build` (nothing was started) or `start` (it started and ended, or
    never became ready); `evidence` holds the tool's own words and the service's log. `revision` is the one that was to
    be deployed, where it has a name by then."""

    def __init__(self, message: str, phase: str, evidence: tuple[Evidence, ...] = (), revision: str = "") -> None:
        super().__init__(message)
        self.phase = phase
        self.evidence = evidence
        self.revision = revision


class Deployer(Protocol):
    """Made from a `Deploy` and a `Target`. Every method may raise GuardError with exit code 4 where its tool is missing
    or the platform does not answer."""

    def deploy(self, progress: Progress) -> Deployment:
        """Deploy the tree and wait until the platform calls it ready. Raises DeployFailed."""

    def current(self) -> Deployment | None:
        """What serves now; None for nothing. What a resumed session asks about a half-done deploy."""

    def rollback(self, revision: str, progress: Progress) -> Deployment:
        """Let a former revision serve again. Raises DeployFailed."""

    @property
    def can_roll_back(self) -> bool:
        """Whether `rollback` can work at all."""

    def logs(self, deployment: Deployment, since: float) -> str:
        """What the service logged since a time (seconds since the epoch); the end of it where it is much. Never raises:
        empty where there is none."""

    def alive(self, deployment: Deployment) -> bool:
        """Whether it still runs, as far as the platform tells."""

    def ending(self, deployment: Deployment) -> str:
        """How one that does not run any more ended, as far as the platform tells: `its process ended with status 3`.
        Empty where nobody knows."""

    def adopt(self) -> None:
        """What serves is the session's own: a process of it that has ended began to deploy it. So `close` treats it as
        if it had been deployed here."""

    def close(self) -> None:
        """Stop what must not outlive the session."""
