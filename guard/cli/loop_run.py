"""`guard loop run`."""

from __future__ import annotations

import os
import time

import click

from guard.cli.loop_records import store_of
from guard.cli.loop_session import ended, locked, opened, prepared, run_session
from guard.runner.record import Session, Verdict
from guard.runner.selection import Narrowing, shard_of
from guard.runner.store import Store, new_id
from guard.runner.testing import tidy


@click.command("run")
@click.option("--focus", metavar="TEXT", default="", help="Only tests with this text in their id, phase or risk.")
@click.option(
    "--priority", "priorities", type=click.Choice(["P0", "P1", "P2", "P3"]), multiple=True, help="Only these phases."
)
@click.option(
    "--least-covered", type=click.IntRange(1), metavar="N", help="Only the N tests that recent sessions ran least."
)
@click.option("--failed-first", is_flag=True, help="In each phase, first what did not pass the last time.")
@click.option("--shard", metavar="K/N", default="", help="Only share K of N; the shares take about the same time.")
@click.option("--override-guards", metavar="REASON", default="", help="Go on though the guards block it; recorded.")
@click.option("--publish", "publishing", is_flag=True, help="Tell of it on GitHub when it has ended.")
@click.option(
    "--config", "overrides", metavar="FILE|KEY=VALUE", multiple=True, help="Another configuration, or one setting."
)
def command(
    focus: str,
    priorities: tuple[str, ...],
    least_covered: int | None,
    failed_first: bool,
    shard: str,
    override_guards: str,
    publishing: bool,
    overrides: tuple[str, ...],
) -> int:
    """Run a session: guards, deploy, health, tests in phases, verdict.

    Exit codes: 0 the goal is met; 10 the guards blocked it; 11 the deploy failed; 12 the service is not healthy;
    13 tests failed, or a criterion was missed; 14 passed, but unproven; 2 usage or configuration; 3 something could not
    be checked; 4 the environment failed, or another session holds the target; 130 interrupted.
    """
    narrowing = Narrowing(
        focus=focus,
        priorities=priorities,
        least_covered=least_covered or 0,
        failed_first=failed_first,
        shard=shard,
    )
    if shard:
        shard_of(shard)
    place = opened(overrides)
    ready = prepared(place, os.environ)
    now = time.time()
    session = Session(
        id=new_id(now),
        plan=ready.shown,
        target=ready.plan.target.name,
        verdict=Verdict.RUNNING,
        tree=place.tree_text(),
        focus=narrowing.text,
        started=now,
        shard=shard,
    )
    with locked(place, session.id), store_of(place.root) as store:
        _end_dead_ones(store, session.target)
        store.save(session)
        tidy(store)
        store.set_options(session.id, {"narrowing": narrowing, "override": override_guards, "publish": publishing})
        return ended(run_session(place, ready, store, session, narrowing, override_guards, publishing=publishing))


def _end_dead_ones(store: Store, target: str) -> None:
    """Sessions without a verdict on a target that nobody held are those of processes that were killed."""
    for name in store.unfinished(target):
        store.end_interrupted(name)
        click.echo(f"guard: session {name} was killed; go on with it later: guard loop resume {name}", err=True)
