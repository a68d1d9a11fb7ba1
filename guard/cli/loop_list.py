"""`guard loop list`."""

from __future__ import annotations

import click

from guard.cli.loop_records import root_here, store_of
from guard.cli.output import write_stdout
from guard.report.session.listing import FORMATS, render


@click.command("list")
@click.option("--limit", type=click.IntRange(1), default=20, metavar="N", help="So many at the most; 20 unless given.")
@click.option("--output", "form", type=click.Choice(list(FORMATS)), default="text", help="How to write it.")
def command(limit: int, form: str) -> int:
    """List the sessions of this repository, the last one first."""
    with store_of(root_here()) as store:
        found = store.summaries(limit)
    write_stdout(render(form, found).encode("utf-8", "backslashreplace"))
    return 0
