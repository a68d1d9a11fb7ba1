"""What `--fix` and `--diff` do: mend in memory, then write, or show."""

from __future__ import annotations

import gc
from collections.abc import Callable

import click

from guard import fixing
from guard.cache import Cache
from guard.cli.output import write_diff
from guard.config import Config, resolve_selection
from guard.engine import Options, check, look
from guard.model import Finding, Report
from guard.registry import all_rules
from guard.report.escape import visible
from guard.report.tally import counted
from guard.sources.tree import Tree
from guard.surer import CODES, surer


def mend(
    tree: Tree,
    config: Config,
    codes: frozenset[str],
    options: Options,
    within: Callable[[str], bool],
    *,
    unsafe: bool,
    history: bool,
) -> fixing.Fixed:
    """Mend what the rules `codes` find in the files `within`, in memory. Tells on standard error what is not mended.

    With `history` git is asked where names went. A fix must bring in nothing anywhere, whatever rules and paths the
    report is narrowed to: so the whole tree is checked with it, by every rule that is on.
    """
    every = codes | resolve_selection(config, [], [], None, all_rules())

    told: Callable[[Report], Report] | None = None

    def whole(on: Tree) -> Report:
        report = check(on, config, every, options)
        gc.collect()  # there are as many checks as rounds, and each leaves a whole program behind
        return told(report) if told is not None else report

    def chosen(finding: Finding) -> bool:
        return finding.code in codes and within(finding.path)

    first = whole(tree)
    asked = [finding for finding in first.findings if finding.code in CODES and chosen(finding)]
    if history and asked:
        told = surer(look(tree, config, CODES, options), options.cache or Cache(None), asked)
        first = told(first)
    fixed = fixing.fix(tree, first, whole, unsafe=unsafe, chosen=chosen)
    for refusal in fixed.refused:
        place = visible(f"{refusal.path}:{refusal.line}")
        click.echo(f"guard: {place}: {refusal.code} is not mended: {visible(refusal.reason)}", err=True)
    return fixed


def write(tree: Tree, fixed: fixing.Fixed) -> None:
    """Write the files that were mended, and tell how many. Raises EnvironmentFailed."""
    fixing.write(tree, fixed.changes)
    if fixed.changes:
        mended, files = counted(len(fixed.mended), "finding"), counted(len(fixed.changes), "file")
        click.echo(f"guard: mended {mended} in {files}", err=True)


def show(tree: Tree, fixed: fixing.Fixed) -> None:
    """Print the changes as a diff."""
    write_diff(fixing.diff(tree, fixed.changes))
