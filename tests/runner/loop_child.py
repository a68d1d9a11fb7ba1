"""`guard` with requests in the place of pytest, in a process that kills itself at a chosen moment.

`LOOP_KILL` names it: `begin:STEP` and `save:STEP` are before a step's beginning or end is kept, `begun:STEP` and
`saved:STEP` are after; `test:N` and `tested:N` are before and after the N-th test is kept; `serving` is when the service
has been started and nobody has been told.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[2])]

from loop_support import with_requests

from guard.cli.main import main
from guard.runner.deployers.base import Deployment
from guard.runner.deployers.local import LocalDeployer
from guard.runner.record import Session, Step, Test
from guard.runner.store import Begun, Store

MOMENT = os.environ.get("LOOP_KILL", "")


def at(moment: str) -> None:
    """Die here, if this is the moment."""
    if moment == MOMENT:
        os.kill(os.getpid(), signal.SIGKILL)


class Mortal(Store):
    """A store that its process does not always outlive."""

    kept = 0

    def begin(self, session: str, step: Begun) -> None:
        at(f"begin:{step.name}")
        super().begin(session, step)
        at(f"begun:{step.name}")

    def save(self, session: Session, step: Step | None = None) -> None:
        if step is not None:
            at(f"save:{step.name}")
        super().save(session, step)
        if step is not None:
            at(f"saved:{step.name}")

    def add_test(self, session: str, test: Test) -> None:
        self.kept += 1
        at(f"test:{self.kept}")
        super().add_test(session, test)
        at(f"tested:{self.kept}")


class MortalDeployer(LocalDeployer):
    """As the store."""

    def _deployment(self, service: object) -> Deployment:
        at("serving")
        return super()._deployment(service)  # type: ignore[arg-type]


if __name__ == "__main__":
    with pytest.MonkeyPatch.context() as patch:
        with_requests(patch)
        patch.setattr("guard.cli.loop_session.Store", Mortal)
        patch.setattr("guard.runner.deployers.local.LocalDeployer", MortalDeployer)
        main()
