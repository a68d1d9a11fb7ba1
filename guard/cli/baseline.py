"""`guard baseline`."""

from __future__ import annotations

import gc
from contextlib import closing
from pathlib import Path

import click
import msgspec

from guard import baseline
from guard.cache import open_default
from guard.config import Config, load, resolve_selection
from guard.engine import Options, check, known_entries
from guard.files import replace_file
from guard.model import CannotCheck, EnvironmentFailed, Report
from guard.registry import all_rules
from guard.report.escape import visible
from guard.report.tally import counted
from guard.sources.locate import PathFilter, name_in, open_tree
from guard.sources.paths import encode_path
from guard.sources.tree import Tree


@click.group("baseline")
def command() -> None:
    """Keep a file of the findings that are known, so that only new ones are told.

    `guard check` leaves out what the file holds when the configuration names it, `baseline = "guard-baseline.jsonl"`,
    or with --baseline FILE.
    """


_CONFIG = click.option(
    "--config", "overrides", metavar="FILE|KEY=VALUE", multiple=True, help="Another configuration, or one setting."
)
_FILE = click.option("--file", "name", metavar="FILE", help="The baseline; the configuration's unless given.")


@command.command("write")
@click.argument("paths", nargs=-1, type=click.Path())
@click.option("--select", metavar="CODES", multiple=True, help="Rules whose findings are written, by commas.")
@_FILE
@_CONFIG
def write(paths: tuple[str, ...], select: tuple[str, ...], name: str | None, overrides: tuple[str, ...]) -> int:
    """Write every finding of today into the baseline.

    With PATHS or --select, the entries of other files and rules stay as they are.
    """
    names = [one.strip() for value in select for one in value.split(",") if one.strip()]
    run = _Run(paths, names, name, overrides)
    old = run.entries() if run.file in run.tree.files else ()
    report = run.report("", run.codes)
    for problem in report.problems:
        if problem.fatal:
            why = f"{visible(problem.path)}: {problem.message}"
            raise CannotCheck(f"not everything could be checked, so nothing is written: {why}")
    if not report.files_analysed:
        raise CannotCheck("nothing could be checked, so nothing is written")
    findings = [finding for finding in report.findings if baseline.can_know(finding)]
    run.replace(baseline.render(baseline.rewritten(old, findings, run.codes, run.within.matches)))
    click.echo(f"guard: {counted(len(findings), 'finding')} written to {visible(run.file)}", err=True)
    if run.config.baseline != run.file:
        click.echo(f'guard: to use it, set baseline = "{visible(run.file)}" in the configuration', err=True)
    return 0


@command.command("prune")
@_FILE
@_CONFIG
def prune(name: str | None, overrides: tuple[str, ...]) -> int:
    """Remove the entries that no finding has any more. Nothing is added."""
    run = _Run((), [], name, overrides)
    # To prune is to ask for the rule, whether it is on or not.
    report = run.report(run.file, run.codes | {baseline.STALE})
    stale = {one.span.line for one in report.findings if one.code == baseline.STALE}
    kept = [placed.entry for placed in run.entries() if placed.line not in stale]
    if stale:
        run.replace(baseline.render(kept))
    click.echo(
        f"guard: {counted(len(stale), 'stale entry', 'stale entries')} removed from {visible(run.file)}", err=True
    )
    return 0


class _Run:
    """The tree, the configuration and the rules of one run of a command."""

    def __init__(self, paths: tuple[str, ...], select: list[str], name: str | None, overrides: tuple[str, ...]) -> None:
        gc.disable()  # as in `guard check`
        rules = all_rules()
        self.tree: Tree
        self.within: PathFilter
        self.tree, self.within = open_tree(paths)
        self.config: Config = load(self.tree, "", overrides, rules=rules)
        self.codes = resolve_selection(self.config, select, [], None, rules)
        self.file = name_in(self.tree, name) if name else self.config.baseline or baseline.DEFAULT

    def report(self, known: str, codes: frozenset[str]) -> Report:
        """What rules `codes` find beside what the baseline `known` holds; empty for no baseline."""
        with closing(open_default()) as cache:
            config = msgspec.structs.replace(self.config, baseline=known)
            return check(self.tree, config, codes, Options(cache=cache), self.within.matches)

    def entries(self) -> tuple[baseline.Placed, ...]:
        """What the baseline holds. Raises GuardError where it is not there or holds something else."""
        return known_entries(self.tree, msgspec.structs.replace(self.config, baseline=self.file))

    def replace(self, content: bytes) -> None:
        """Put the new baseline in the place of the old one."""
        target = Path(self.tree.root or ".") / Path(encode_path(self.file).decode("utf-8", "surrogateescape"))
        try:
            replace_file(target, content)
        except OSError as error:
            raise EnvironmentFailed(f"{self.file}: cannot be written: {error.strerror or error}") from error
