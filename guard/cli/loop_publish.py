"""`guard loop publish`."""

from __future__ import annotations

import os

import click

from guard.cli.loop_publishing import tell
from guard.cli.loop_records import session_of, store_of
from guard.cli.loop_session import opened, redactor_of
from guard.runner.plan_load import checked


@click.command("publish")
@click.argument("session", metavar="[ID]", default="")
@click.option("--dry-run", is_flag=True, help="Write what would be sent as files, and send nothing.")
@click.option(
    "--config", "overrides", metavar="FILE|KEY=VALUE", multiple=True, help="Another configuration, or one setting."
)
def command(session: str, dry_run: bool, overrides: tuple[str, ...]) -> int:
    """Tell of a session on GitHub: the last one, unless ID names another.

    Makes one issue for the session, a comment for each cycle, and a branch with the session log and a pull request for
    it; published again, it brings them up to date. `loop.publish` says where, and which environment variable holds the
    token. Without a token the same texts are written as files.

    Exit codes: 0 published, or written as files; 2 usage or configuration; 4 GitHub refused or did not answer.
    """
    place = opened(overrides)
    plan = checked(place.plan)
    with store_of(place.root) as store:
        redact = redactor_of(plan, os.environ)
        did = tell(plan, store, session_of(store, session), redact, os.environ, dry_run=dry_run)
    click.echo(did.summary)
    return 0
