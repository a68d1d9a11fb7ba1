"""`guard shim`."""

from __future__ import annotations

import gc
from contextlib import closing

import click

from guard.cache import Cache, open_default
from guard.cli.output import write_diff
from guard.config import load, resolve_selection
from guard.engine import Options, check, look
from guard.model import GuardError, Report
from guard.registry import all_rules
from guard.report.escape import visible
from guard.report.tally import counted
from guard.sources.locate import open_tree


@click.command("shim")
@click.argument("old", metavar="MODULE[:NAME]")
@click.option("--to", metavar="MODULE[:NAME]", default="", help="The new place; else it has to be certain.")
@click.option("--unsafe-fixes", is_flag=True, help="Take a new place that is only likely, too.")
@click.option("--diff", "show_diff", is_flag=True, help="Show what would be written; write nothing.")
@click.option(
    "--config", "overrides", metavar="FILE|KEY=VALUE", multiple=True, help="Another configuration, or one setting."
)
@click.option("--no-cache", is_flag=True, help="Neither read nor write the cache.")
@click.option("--jobs", type=click.IntRange(1), metavar="N", help="Processes; one per core unless given.")
def command(
    old: str, to: str, unsafe_fixes: bool, show_diff: bool, overrides: tuple[str, ...], no_cache: bool, jobs: int | None
) -> int:
    """Bring a name back at its old place, as a re-export that says where it is now.

    MODULE:NAME is what others import: `guard shim app.old:Manager` makes `from app.old import Manager` work
    again. Without a name: every name that is still taken from MODULE. The tree is checked with the re-export before it
    is written; a re-export that would bring in a finding, or an import cycle, is refused.

    Exit codes: 0 written, or nothing to do; 1 refused; 2 usage, or the new place is not certain; 3 the module cannot
    be read; 4 the environment failed.
    """
    from guard import fixing
    from guard.history.question import tracer_of
    from guard.shimming import shim_for
    from guard.surer import CODES, looking_up

    gc.disable()
    rules = all_rules()
    tree, _ = open_tree(())
    config = load(tree, "", overrides, rules=rules)
    codes = resolve_selection(config, [], [], None, rules)
    with closing(Cache(None) if no_cache else open_default()) as cache:
        options = Options(jobs=jobs or 0, cache=cache)
        program = look(tree, config, CODES, options)
        with closing(tracer_of(program, cache)) as tracer:
            shim = shim_for(program, old, to, looking_up(program, tracer), unsafe=unsafe_fixes)
        if not shim.changes:
            click.echo(f"guard: {visible(old)} is there: nothing to do", err=True)
            return 0
        before = check(tree, config, codes, options)
        with_it = fixing.OverlayTree(tree, shim.changes)
        after = check(with_it, config, codes, options)
    _refuse_worse(before, after)
    if show_diff:
        write_diff(fixing.diff(tree, shim.changes))
        return 0
    fixing.write(tree, shim.changes)
    mended = len(before.findings) - len(after.findings)
    for name, place in sorted(shim.moved.items()):
        click.echo(f"guard: {visible(shim.path)}: {name} is imported from {place} again", err=True)
    click.echo(f"guard: mended {counted(mended, 'finding')}", err=True)
    return 0


def _refuse_worse(before: Report, after: Report) -> None:
    """Raise GuardError where the check finds something that it did not find before."""
    known = {(finding.path, finding.code, finding.fingerprint) for finding in before.findings}
    new = [finding for finding in after.findings if (finding.path, finding.code, finding.fingerprint) not in known]
    problems = [problem for problem in sorted(set(after.problems) - set(before.problems)) if problem.fatal]
    if new:
        first = new[0]
        raise GuardError(
            f"refused: it would bring in {first.code} at {first.path}:{first.span.line}: {first.message}", 1
        )
    if problems:
        raise GuardError(f"refused: it would bring in a problem with {problems[0].path}: {problems[0].message}", 1)
