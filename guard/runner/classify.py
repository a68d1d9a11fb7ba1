"""What failures come from, told by evidence."""

from __future__ import annotations

from guard.runner.deployers.base import DeployFailed
from guard.runner.record import Cause, Session


def causes(session: Session, cycle: int, log: str, failure: DeployFailed | None) -> tuple[Cause, ...]:
    """The causes of what failed in a cycle, the primary ones first."""
    raise NotImplementedError
