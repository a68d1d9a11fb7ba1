"""`guard loop list`."""

from __future__ import annotations

import time

import click
import msgspec

from guard import __version__
from guard.cli.jsontext import json_text
from guard.cli.loop_session import opened, store_of
from guard.report.escape import visible
from guard.runner.record import EXIT_CODES
from guard.runner.store import Summary


class ListJson(msgspec.Struct, frozen=True, kw_only=True):
    """What `--output json` gives."""

    schema_version: int = 1
    guard: str
    sessions: tuple[dict[str, object], ...]


@click.command("list")
@click.option("--limit", type=click.IntRange(1), default=20, metavar="N", help="So many at the most; 20 unless given.")
@click.option("--output", "form", type=click.Choice(["text", "json"]), default="text", help="How to write it.")
def command(limit: int, form: str) -> int:
    """List the sessions of this repository, the last one first."""
    with store_of(opened(()).root) as store:
        found = store.summaries(limit)
    if form == "json":
        click.echo(json_text(ListJson(guard=__version__, sessions=tuple(map(_entry, found)))), nl=False)
        return 0
    for one in found:
        click.echo(_line(one))
    if not found:
        click.echo("There is no session yet; guard loop run makes one.")
    return 0


def _entry(one: Summary) -> dict[str, object]:
    entry: dict[str, object] = msgspec.to_builtins(one)
    return {
        **entry,
        "exit_code": EXIT_CODES[one.verdict],
        "started": _moment(one.started),
        "ended": _moment(one.ended) if one.ended else None,
    }


def _moment(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def _line(one: Summary) -> str:
    counts = ", ".join(f"{number} {outcome}" for outcome, number in one.tests.items()) or "no tests"
    took = f"{one.ended - one.started:.0f} s" if one.ended else "not ended"
    return (
        f"{one.id}  {_moment(one.started)}  {one.verdict:<13}  {visible(one.target)}  "
        f"{visible(one.revision) or 'no revision'}  {counts}  ({took})"
    )
