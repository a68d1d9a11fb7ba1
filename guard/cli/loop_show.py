"""`guard loop show`."""

from __future__ import annotations

import click

from guard.cli.loop_records import page_of, root_here, session_of, store_of
from guard.cli.output import write_stdout
from guard.report.session import FORMATS


@click.command("show")
@click.argument("session", metavar="[ID]", default="")
@click.option("--output", "form", type=click.Choice(["text", *FORMATS]), default="text", help="How to write it.")
def command(session: str, form: str) -> int:
    """Show a session: the last one, unless ID names another; the beginning of an id is enough."""
    with store_of(root_here()) as store:
        found = session_of(store, session)
        text = page_of(store, found, form)
    write_stdout(text.encode("utf-8", "backslashreplace"))
    return 0
