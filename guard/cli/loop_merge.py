"""`guard loop merge`."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from guard.cli.loop_records import root_here, store_of, write_pages
from guard.cli.loop_session import ended
from guard.model import EnvironmentFailed, GuardError
from guard.runner import criteria
from guard.runner.merge import merged
from guard.runner.record import Session, Verdict
from guard.runner.stability import assess, observed_in
from guard.runner.store import FILE, Store

_LOOKED_AT = 200
"""Sessions of a file that are looked at for a shard."""


@click.command("merge")
@click.argument("files", metavar="SHARD.db…", nargs=-1, required=True)
def command(files: tuple[str, ...]) -> int:
    """Join the records of shards, run with --shard K/N elsewhere, into one session of this repository.

    Of each file (or folder that holds a loop.db) the last session that is a shard is taken. They have to be all the
    shards of one session: of one plan, tree, target and revision, with no test in two of them. Criteria and the goal
    are judged anew over all tests.

    Exit codes are those of `guard loop run`, and 2 where they are not the shards of one session.
    """
    shards = [_shard(Path(file)) for file in files]
    with store_of(root_here()) as store:
        whole = merged(shards, criteria.judge)
        if store.has(whole.id):
            raise GuardError(f"these shards are merged already: guard loop show {whole.id}")
        seen = observed_in(whole)
        if seen is not None and whole.verdict is Verdict.GOAL_MET:
            good = store.earlier(whole, Verdict.GOAL_MET, 1)
            whole = msgspec.structs.replace(whole, stability=assess(whole, good[-1] if good else None, seen))
        store.add(whole)
        try:
            write_pages(store, whole)
        except OSError as error:
            raise EnvironmentFailed(f"the session's pages cannot be written: {error.strerror or error}") from error
    return ended(whole)


def _shard(path: Path) -> Session:
    """The last shard of a file of sessions."""
    file = path / FILE if path.is_dir() else path
    if not file.is_file():
        raise GuardError(f"{path}: no {FILE} in it; name a .guard folder" if path.is_dir() else f"{path}: no such file")
    with Store(file) as store:
        for summary in store.summaries(_LOOKED_AT):
            session = store.load(summary.id)
            if session.shard:
                return session
    raise GuardError(f"{path}: no session in it is a shard; run it with --shard K/N")
