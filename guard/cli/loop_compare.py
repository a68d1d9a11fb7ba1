"""`guard loop compare`."""

from __future__ import annotations

import click

from guard.cli.loop_records import root_here, session_of, store_of
from guard.cli.output import write_stdout
from guard.report.session.comparison import FORMATS, render
from guard.runner.compare import compared


@click.command("compare")
@click.argument("before", metavar="A")
@click.argument("after", metavar="B")
@click.option("--output", "form", type=click.Choice(list(FORMATS)), default="text", help="How to write it.")
def command(before: str, after: str, form: str) -> int:
    """Put session B beside session A: what is worse in it, what is better, what else differs.

    The beginning of an id is enough.

    Exit codes: 0 nothing is worse; 1 something is; 2 usage or configuration; 4 the environment failed.
    """
    with store_of(root_here()) as store:
        found = compared(session_of(store, before), session_of(store, after))
    write_stdout(render(form, found).encode("utf-8", "backslashreplace"))
    return 1 if found.worse else 0
