"""`guard`, patched as the command line names it, in processes that kill themselves at a chosen moment.

Each line of standard input is an order, run in a fork: to start Python with all that the loop needs would take longer
than the loop itself. What is said back is the fork's id, and when it has ended its status.

A moment is called as follows: `begin:STEP` and `save:STEP` are before a step's beginning or end is kept, `begun:STEP`
and `saved:STEP` are after; `test:N` and `tested:N` are before and after the N-th test is kept; `serving` is when the
service has been started and nobody has been told.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from typing import NoReturn

import loop_support
import pytest

import guard.cli.loop_resume
import guard.cli.loop_run
import guard.report.session.markdown  # noqa: F401 - loaded once for all forks
from guard.cli.main import main
from guard.registry import all_rules
from guard.runner.deployers.base import Deployment
from guard.runner.deployers.local import LocalDeployer
from guard.runner.record import Session, Step, Test
from guard.runner.store import Begun, Store

MOMENT = ""


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


def run(order: dict[str, str]) -> NoReturn:
    """The command, in a child of this process."""
    global MOMENT
    MOMENT = order["moment"]
    os.chdir(order["root"])
    for number, name in enumerate(("out", "err"), 1):
        os.dup2(os.open(f"{order['output']}.{name}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    sys.argv = ["guard", *order["arguments"].split()]
    try:
        main()
    except SystemExit as stop:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(int(stop.code or 0))
    os._exit(70)


if __name__ == "__main__":
    all_rules()
    with pytest.MonkeyPatch.context() as patch:
        getattr(loop_support, sys.argv[1])(patch)
        patch.setattr("guard.cli.loop_records.Store", Mortal)
        patch.setattr("guard.runner.deployers.local.LocalDeployer", MortalDeployer)
        for line in sys.stdin:
            child = os.fork()
            if not child:
                run(json.loads(line))
            print(child, flush=True)
            print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
