"""`command`: any commands for deploying, rolling back, the revision and the logs.

Each is a program and its arguments, run in the plan's folder. `{revision}` in the one that rolls back is the revision
to go back to, `{since}` in the one for logs is a time as RFC 3339 has it; whole arguments and parts of them alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from guard.model import ConfigError
from guard.runner.deployers.base import DeployFailed, Deployment, Progress
from guard.runner.deployers.tool import Ran, Redact, Tool, child_environment, required
from guard.runner.plan import Deploy, Target

_ASKING_S: Final = 60.0
"""Seconds for a command that only asks."""
_LONGEST: Final = 200
"""Characters of a revision."""


class CommandDeployer:
    """A `Deployer` over the plan's own commands."""

    def __init__(self, deploy: Deploy, target: Target, root: Path, environ: Mapping[str, str], redact: Redact) -> None:
        required("command", deploy=deploy.deploy)
        if deploy.revision is None and not target.revision:
            raise ConfigError(['loop.deploy.revision is missing: kind = "command" needs it, or loop.target.revision'])
        self._deploy = deploy
        self._target = target
        self._tool = Tool(
            (),
            root=root,
            environ=child_environment(deploy.env, environ),
            redact=redact,
            timeout_s=deploy.timeout_s,
            mend="see loop.deploy in the configuration",
        )

    def deploy(self, progress: Progress) -> Deployment:
        """Run the command that deploys, then ask for the revision."""
        assert self._deploy.deploy is not None
        ran = self._tool.run(*self._deploy.deploy, progress=progress)
        if not ran.ok:
            raise self._tool.failed("the deploy command failed", ran, "build")
        return self._serving(ran)

    def current(self) -> Deployment | None:
        """What the revision command prints; None where it fails or prints nothing."""
        revision, _ = self._revision()
        return self._deployment(revision) if revision else None

    def rollback(self, revision: str, progress: Progress) -> Deployment:
        """Run the command that rolls back, then see that the revision serves."""
        if self._deploy.rollback is None:
            raise DeployFailed("there is no loop.deploy.rollback to roll back with", "start")
        ran = self._tool.run(
            *(part.replace("{revision}", revision) for part in self._deploy.rollback), progress=progress
        )
        if not ran.ok:
            raise self._tool.failed("the rollback command failed", ran, "start")
        if self._deploy.revision is None:
            return self._deployment(revision)
        found = self._serving(ran)
        if found.revision != revision:
            raise DeployFailed(
                f"rolled back to {revision}, but {found.revision} serves", "start", (self._tool.evidence(ran),)
            )
        return found

    @property
    def can_roll_back(self) -> bool:
        """Whether the plan has a command for it."""
        return self._deploy.rollback is not None

    def logs(self, deployment: Deployment, since: float) -> str:
        """What the log command prints."""
        if self._deploy.logs is None:
            return ""
        moment = datetime.fromtimestamp(since, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        return self._tool.text_of(part.replace("{since}", moment) for part in self._deploy.logs)

    def alive(self, deployment: Deployment) -> bool:
        """Whether the revision still is the one that serves; True where the plan has no command that tells."""
        return self._deploy.revision is None or self._revision()[0] == deployment.revision

    def ending(self, deployment: Deployment) -> str:
        """Nobody tells."""
        return ""

    def adopt(self) -> None:
        """Nothing is stopped at the end."""

    def close(self) -> None:
        """What the plan's commands started is theirs."""

    def _serving(self, deployed: Ran) -> Deployment:
        revision, asked = self._revision()
        if not revision:
            why = "deployed, but the revision command tells no revision"
            last = _last_line(asked) if asked is not None and asked.ok else ""
            if last:
                why += f": its last line has {len(last)} characters, and a revision at most {_LONGEST}"
            raise self._tool.failed(why, asked or deployed, "start")
        return self._deployment(revision)

    def _revision(self) -> tuple[str, Ran | None]:
        if self._deploy.revision is None:
            return self._target.revision, None
        ran = self._tool.run(*self._deploy.revision, timeout_s=_ASKING_S)
        revision = _last_line(ran) if ran.ok else ""
        return (revision if len(revision) <= _LONGEST else ""), ran

    def _deployment(self, revision: str) -> Deployment:
        return Deployment(
            revision=revision,
            base_url=self._target.base_url.rstrip("/"),
            websocket_url=self._target.websocket_url,
        )


def _last_line(ran: Ran) -> str:
    lines = [line.strip() for line in ran.stdout.splitlines() if line.strip()]
    return lines[-1] if lines else ""
