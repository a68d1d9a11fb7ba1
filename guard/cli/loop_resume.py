"""`guard loop resume`."""

from __future__ import annotations

import os

import click
import msgspec

from guard.cli.loop_records import store_of
from guard.cli.loop_session import ended, locked, opened, prepared, run_session
from guard.model import GuardError
from guard.runner.record import Verdict
from guard.runner.selection import Narrowing


@click.command("resume")
@click.argument("session", metavar="[ID]", default="")
@click.option(
    "--config", "overrides", metavar="FILE|KEY=VALUE", multiple=True, help="Another configuration, or one setting."
)
def command(session: str, overrides: tuple[str, ...]) -> int:
    """Go on with a session that was interrupted or killed: the last one, unless ID names another.

    What has ended is not done again, and no test that has ended is run again. A deploy that was begun is looked at
    first. The plan and the tree must be those that the session began with. Exit codes are those of `guard loop run`.
    """
    place = opened(overrides)
    with store_of(place.root) as store:
        found = store.load(store.find(session))
        with locked(place, found.id):
            found = store.load(found.id)  # whoever held the target may have ended it meanwhile
            if found.verdict not in (Verdict.RUNNING, Verdict.INTERRUPTED):
                raise GuardError(
                    f"session {found.id} has ended ({found.verdict}); begin a new one with: guard loop run"
                )
            ready = prepared(place, os.environ)
            if ready.shown != found.plan:
                now, then = msgspec.to_builtins(ready.shown), msgspec.to_builtins(found.plan)
                other = ", ".join(f"loop.{key}" for key in sorted(now) if now[key] != then.get(key))
                raise GuardError(
                    f"the plan is not the one that session {found.id} began with ({other}); "
                    "restore it, or begin a new session with: guard loop run"
                )
            options = store.options(found.id)
            again = msgspec.structs.replace(found, verdict=Verdict.RUNNING, ended=0.0)
            narrowing = msgspec.convert(options.get("narrowing", {}), Narrowing)
            override = str(options.get("override", ""))
            publishing = options.get("publish") is True
            return ended(run_session(place, ready, store, again, narrowing, override, publishing=publishing))
