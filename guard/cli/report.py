"""`guard report`."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from typing import Final

import click
import msgspec

from guard.appraisal import Appraiser, Within, everywhere, failures_of
from guard.cache import Cache, open_default
from guard.cli.check import configuration_folder, progress_bar
from guard.cli.output import (
    Output,
    frame_sources,
    output_width,
    parse_outputs,
    wants_color,
    write_file,
    write_stdout,
)
from guard.config import load
from guard.engine import Options
from guard.history.births import with_births
from guard.history.commits import head_of
from guard.model import CannotCheck, GuardError
from guard.registry import Rule, all_rules
from guard.report import RenderContext
from guard.report.standing import FORMATS, render
from guard.scoring.model import Appraisal
from guard.sources.commit import CommitTree
from guard.sources.locate import PathFilter, name_in, open_tree
from guard.sources.tree import Tree


@click.command("report")
@click.argument("paths", nargs=-1, type=click.Path())
@click.option("--staged", is_flag=True, help="Report on what is staged (the git index), not on the work tree.")
@click.option("--rev", metavar="REV", help="Report on a revision; works in a bare repository too.")
@click.option(
    "--since", metavar="REV", help="Compare with a revision: what is new, what is fixed, how the score changed."
)
@click.option(
    "--history",
    type=click.IntRange(1, 1000),
    metavar="N",
    help="Show the score over the last N commits, by first parents.",
)
@click.option(
    "--daily", is_flag=True, help="With --history: over the last commit of each of N days on which there is one."
)
@click.option(
    "--fail-under",
    type=click.FloatRange(0, 100),
    metavar="SCORE",
    help="Exit with 1 when the score is less; wins over the configuration's `report.fail-under`.",
)
@click.option("--fail-on-new", is_flag=True, help="With --since: exit with 1 when an error or warning is new.")
@click.option(
    "--output",
    metavar="FORMAT[:FILE]",
    multiple=True,
    help="text, markdown, html, json, sarif, junit. May be given several times.",
)
@click.option(
    "--config", "overrides", metavar="FILE|KEY=VALUE", multiple=True, help="Another configuration, or one setting."
)
@click.option("--no-cache", is_flag=True, help="Neither read nor write the cache.")
@click.option("--jobs", type=click.IntRange(1), metavar="N", help="Processes; one per core unless given.")
def command(
    paths: tuple[str, ...],
    staged: bool,
    rev: str | None,
    since: str | None,
    history: int | None,
    daily: bool,
    fail_under: float | None,
    fail_on_new: bool,
    output: tuple[str, ...],
    overrides: tuple[str, ...],
    no_cache: bool,
    jobs: int | None,
) -> int:
    """Show where a repository stands: a score, what it is made of, and what would raise it the most.

    The rules are those that are on in CI, and those on what images lack. What the configuration leaves out of a check
    (`exclude`, `per-file-ignores`, the baseline) is in the score all the same, and what could not be read counts as not
    clean. PATHS narrow the report and the score; the analysis always sees the whole tree.

    Exit codes: 0 the report was made, whatever the score; 1 --fail-under or --fail-on-new does not hold; 2 usage or
    configuration; 3 something could not be checked; 4 the environment failed.
    """
    outputs = parse_outputs(output, FORMATS)
    if staged and rev:
        raise click.UsageError("--staged and --rev exclude one another")
    if daily and history is None:
        raise click.UsageError("--daily goes with --history")
    if fail_on_new and since is None:
        raise click.UsageError("--fail-on-new goes with --since")
    gc.disable()  # as in `guard check`: the collector would walk millions of objects that live to the end
    rules = all_rules()
    tree, within = open_tree(paths, staged=staged, rev=rev)
    config = load(tree, configuration_folder(tree, within.prefixes), overrides, rules=rules)
    with closing(Cache(None) if no_cache else open_default()) as cache, progress_bar() as progress:
        options = Options(jobs=jobs or 0, cache=cache, progress=progress)
        appraiser = Appraiser(config, rules, options, _part(tree, within, outputs))
        appraisal = appraiser.appraise(tree)
        if since is not None:
            appraisal = msgspec.structs.replace(appraisal, comparison=appraiser.compare(appraisal, tree, since))
        if history is not None:
            appraisal = _with_history(appraisal, appraiser, tree, history, daily=daily)
        if any(one.format in _SHOWING_DUPLICATES for one in outputs):
            findings = with_births(appraisal.report.findings, tree, cache, config.python_limit, _MOST_BIRTHS)
            report = msgspec.structs.replace(appraisal.report, findings=findings)
            appraisal = msgspec.structs.replace(appraisal, report=report)
    least = config.report.fail_under if fail_under is None else fail_under
    failures = failures_of(appraisal, least, nothing_new=fail_on_new)
    appraisal = msgspec.structs.replace(appraisal, failures=failures)
    _write(outputs, appraisal, tree, {code: rules[code] for code in sorted(appraiser.codes)})
    return appraisal.exit_code


_SHOWING_DUPLICATES: Final = frozenset({"html", "json"})
_MOST_BIRTHS: Final = 200
"""Duplicates of which the report tells since when they are there: to ask for a thousand takes half a minute."""


def _part(tree: Tree, within: PathFilter, outputs: Sequence[Output]) -> Within:
    """The part of the tree that the report is about, without the files that this run writes: what an earlier run has
    left in them is no part of the repository, and the next run shall say the same."""
    own = set()
    for output in outputs:
        if output.file and tree.root is not None:
            with suppress(GuardError):
                own.add(name_in(tree, output.file))
    if own.isdisjoint(tree.files):
        return within.matches if within.prefixes else everywhere
    return lambda path: path not in own and within.matches(path)


def _with_history(appraisal: Appraisal, appraiser: Appraiser, tree: Tree, commits: int, *, daily: bool) -> Appraisal:
    """The appraisal with the standing of earlier commits. Raises GuardError where there is no git, CannotCheck where
    there is no commit."""
    if tree.git is None:
        raise GuardError("--history needs a git repository, and there is none here")
    head = tree.revision if isinstance(tree, CommitTree) else head_of(tree.git)
    if not head:
        raise CannotCheck("there is no commit yet, so there is no history")
    course = appraiser.history(tree.git, head, commits, daily=daily, at=_teller())
    return msgspec.structs.replace(appraisal, history=course.points, notes=(*appraisal.notes, *course.notes))


def _teller() -> Callable[[str], None]:
    """Tells on a terminal which commit is looked at."""
    if not sys.stderr.isatty():
        return lambda _oid: None
    return lambda oid: click.echo(f"guard: looking at {oid[:12]}", err=True)


def _write(outputs: Sequence[Output], appraisal: Appraisal, tree: Tree, rules: Mapping[str, Rule]) -> None:
    """Render and write every output. Raises EnvironmentFailed where a file cannot be written."""
    framed = any(output.format == "html" for output in outputs)
    sources = frame_sources(appraisal.report, tree, everything=True) if framed else {}
    for output in outputs:
        context = RenderContext(
            rules=rules,
            sources=sources,
            color=not output.file and wants_color(),
            width=output_width(output.file),
        )
        text = render(output.format, appraisal, context)
        if output.file:
            write_file(output.file, text)
        else:
            write_stdout(text.encode("utf-8", "backslashreplace"))
