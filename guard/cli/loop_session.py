"""What the commands of `guard loop` share: the plan and where it holds, the file of sessions, and how to end."""

from __future__ import annotations

import contextlib
import os
import posixpath
import signal
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Final

import click
import msgspec

from guard.cli.loop_publishing import tell
from guard.cli.loop_records import write_pages
from guard.cli.loop_tools import Analysis
from guard.cli.loop_watch import watcher
from guard.config import Config, load
from guard.history.commits import head_of
from guard.model import CannotCheck, ConfigError, GuardError
from guard.registry import all_rules
from guard.report.escape import shortened, visible
from guard.report.tally import counted
from guard.runner.deployers import make
from guard.runner.deployers.base import Deployer
from guard.runner.environment import filled
from guard.runner.frame import Frame, Tools
from guard.runner.journal import Journal
from guard.runner.known import last_causes
from guard.runner.lock import TargetLock, place_of
from guard.runner.loop import run
from guard.runner.plan import Plan
from guard.runner.plan_load import checked
from guard.runner.record import Session
from guard.runner.redact import Redactor
from guard.runner.selection import Narrowing
from guard.runner.store import Store, folder_of
from guard.sources.commit import CommitTree
from guard.sources.locate import open_tree

_CAUSES: Final = 3
_WIDEST: Final = 300


class Opened(msgspec.Struct, frozen=True, kw_only=True):
    """A configuration, and the folder that it is for."""

    root: Path
    below: str
    """The folder in its tree; empty for the tree's root."""
    config: Config

    @property
    def plan(self) -> Plan:
        """The plan in it."""
        return self.config.loop

    def tree_text(self) -> str:
        """The commit that is checked out, and whether there are changes to it; for readers of the record."""
        tree, _ = open_tree((str(self.root),))
        head = head_of(tree.git) if tree.git is not None else ""
        if tree.git is None or not head:
            return "no commit"
        then = CommitTree(tree.git, head).files
        changed = sum(then.get(path) != file for path, file in tree.files.items()) + len(
            then.keys() - tree.files.keys()
        )
        return head[:12] + (f", with {counted(changed, 'file')} changed" if changed else "")


def opened(overrides: Sequence[str]) -> Opened:
    """The closest configuration to the current folder. Raises ConfigError, and GuardError where there are no files."""
    tree, within = open_tree((os.curdir,))
    if tree.root is None:
        raise CannotCheck("the loop needs files on disk, and there are none here")
    start = within.prefixes[0] if within.prefixes else ""
    config = load(tree, start, overrides, rules=all_rules())
    source = next((name for name in config.sources if name in tree.files), None)
    below = posixpath.dirname(source) if source is not None else ""
    return Opened(root=Path(tree.root, below), below=below, config=config)


@contextlib.contextmanager
def locked(place: Opened, session: str) -> Iterator[TargetLock]:
    """The target, held for a session. Raises GuardError with exit code 4 where another one holds it."""
    with TargetLock(place_of(place.plan, folder_of(place.root)), place.root) as lock:
        dead = lock.before
        if dead is not None and dead.root != str(place.root):  # of this repository's own sessions the record tells
            click.echo(f"guard: session {dead.session} in {dead.root} held this target, and was killed", err=True)
        lock.hold(session)
        yield lock


class Prepared(msgspec.Struct, frozen=True, kw_only=True):
    """A plan with which nothing is wrong, and what is made of it before anything is begun."""

    plan: Plan
    shown: Plan
    """Without secrets, as the record has it."""
    redact: Redactor
    test_env: Mapping[str, str]
    deployer: Deployer


def prepared(place: Opened, environ: Mapping[str, str]) -> Prepared:
    """The plan of a configuration, made ready. Raises ConfigError with what is wrong with it."""
    plan = checked(place.plan)
    if not plan.phases:
        raise GuardError(
            "there is no plan here: add [[tool.guard.loop.phases]] to pyproject.toml; docs/loop.md shows one"
        )
    redact = redactor_of(plan, environ)
    for probe in plan.health:
        filled(probe.headers, environ, "loop.health.headers")
    return Prepared(
        plan=plan,
        shown=redacted_plan(plan, redact),
        redact=redact,
        test_env=filled(plan.target.env, environ, "loop.target.env"),
        deployer=make(plan.deploy, plan.target, place.root, environ),
    )


def run_session(
    place: Opened,
    ready: Prepared,
    store: Store,
    session: Session,
    narrowing: Narrowing,
    override: str,
    *,
    publishing: bool,
) -> Session:
    """Run a session to its end, and show it while it runs; gives it as it ended. Its target is held already."""
    analysis = Analysis(place.root, place.below, place.config, override)
    with watcher(session) as watching, _stopping() as calm, contextlib.closing(analysis):
        frame = Frame(
            plan=ready.plan,
            root=place.root,
            environ=os.environ,
            test_env=ready.test_env,
            store=store,
            journal=Journal(store, session, ready.redact, watching),
            deployer=ready.deployer,
            tools=Tools(
                guards=analysis.guards,
                trace=analysis.trace,
                brought=analysis.brought,
                left_out=analysis.left_out,
                is_ours=analysis.is_ours,
                defines=analysis.defines,
                lately=analysis.lately,
                fix=analysis.fix,
                back=analysis.back,
                gates=analysis.gates,
                record=lambda ended: write_pages(store, ended),
                publish=(lambda ended: tell(ready.plan, store, ended, ready.redact, os.environ))
                if publishing
                else None,
            ),
            narrowing=narrowing,
            override=override,
        )
        return run(frame, calm)


def redactor_of(plan: Plan, environ: Mapping[str, str]) -> Redactor:
    """Takes out what is secret in the environment, and what stands in the plan under the name of a secret."""
    tables = (plan.target.env, plan.deploy.env, *(probe.headers for probe in plan.health))
    own = {f"plan-{number}-{key}": value for number, table in enumerate(tables) for key, value in table.items()}
    return Redactor({**environ, **{key: value for key, value in own.items() if "${" not in value}})


def redacted_plan(plan: Plan, redact: Redactor) -> Plan:
    """The plan as the record has it, without secrets. Raises ConfigError for one that is none without them."""
    try:
        return msgspec.convert(redact.value(msgspec.to_builtins(plan)), Plan)
    except msgspec.ValidationError as error:
        raise ConfigError([f"loop: a secret stands where none can: {error}; take it from the environment"]) from error


@contextlib.contextmanager
def _stopping() -> Iterator[contextlib.AbstractContextManager[None]]:
    """Makes SIGTERM an interrupt, as SIGINT is. What it gives keeps both away, for the time of stopping a service."""

    def interrupt(_number: int, _at: FrameType | None) -> None:
        raise KeyboardInterrupt

    numbers = (signal.SIGINT, signal.SIGTERM)
    former = {number: signal.signal(number, interrupt) for number in numbers}
    try:
        yield _calm(numbers)
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _calm(numbers: Sequence[signal.Signals]) -> Iterator[None]:
    former = {number: signal.signal(number, _told_to_wait) for number in numbers}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


def _told_to_wait(_number: int, _at: FrameType | None) -> None:
    click.echo("guard: stopping the service; a moment", err=True)


def ended(session: Session) -> int:
    """Say what a session came to and of what, and where its pages are; gives the exit code."""
    goal = f": {session.goal.reached}" if session.goal is not None else ""
    click.echo(f"{session.id} {session.verdict}{goal}")
    causes = [cause for cause in last_causes(session) if cause.rank == "primary"]
    for cause in causes[:_CAUSES]:
        click.echo(f"  {cause.id} {cause.kind}: {shortened(visible(cause.summary), _WIDEST)}")
    if len(causes) > _CAUSES:
        click.echo(f"  and {len(causes) - _CAUSES} more causes")
    if session.verdict == "blocked":
        click.echo("mend what guard check tells of, some of it with guard check --fix;", nl=False)
        click.echo(" or go on all the same with --override-guards REASON")
    if session.verdict == "interrupted":
        click.echo(f"go on with: guard loop resume {session.id}")
    else:
        click.echo(f"more: guard loop show {session.id}")
    return session.exit_code
