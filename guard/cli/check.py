"""`guard check`."""

from __future__ import annotations

import gc
import os
import posixpath
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Final

import click
import msgspec

from guard.baseline import STALE
from guard.cache import Cache, open_default
from guard.cli.output import Output, parse_outputs, write_outputs
from guard.cli.precommit import asked_by
from guard.config import Config, load, reserved_in, resolve_selection
from guard.engine import Options, check
from guard.model import Finding, Gate, GuardError, Problem, Report
from guard.registry import all_rules
from guard.sources.locate import name_in, open_tree
from guard.sources.tree import Tree
from guard.verdicts import findings_of_change

if TYPE_CHECKING:
    from guard.sources.commit import CommitTree
    from guard.sources.locate import PathFilter


@click.command("check")
@click.argument("paths", nargs=-1, type=click.Path())
@click.option(
    "--gate",
    type=click.Choice([gate.value for gate in Gate]),
    help="Where guard runs, which says what rules are on and how severe they are. pre-commit looks at what is staged, "
    "and reports only what is new in it, or at what pre-commit names; pre-build looks at the files on disk, and at "
    "what a Docker build is sent of them; image looks at the files on disk; ci has the rules of the report too.",
)
@click.option("--staged", is_flag=True, help="Check what is staged (the git index), not the work tree.")
@click.option("--rev", metavar="REV", help="Check a revision; works in a bare repository too.")
@click.option(
    "--context",
    metavar="FOLDER",
    help="Check what `docker build FOLDER` would be sent, after .dockerignore, as if there were no more.",
)
@click.option(
    "--dockerfile", metavar="FILE", help="With --context: the Dockerfile, which may have a .dockerignore of its own."
)
@click.option("--since", metavar="REV", help="Report only what is new since a revision, and not what was there before.")
@click.option("--baseline", metavar="FILE", help="Leave out the findings that this file of the repository knows.")
@click.option("--select", metavar="CODES", multiple=True, help="Rules to run: codes, families or slugs, by commas.")
@click.option("--ignore", metavar="CODES", multiple=True, help="Rules to leave out.")
@click.option("--fix", is_flag=True, help="Mend what can be mended safely, and report the rest.")
@click.option("--unsafe-fixes", is_flag=True, help="With --fix or --diff: also what may change behaviour.")
@click.option("--diff", "show_diff", is_flag=True, help="Show what --fix would change; change nothing.")
@click.option(
    "--history/--no-history",
    "history",
    default=None,
    help="Say which commit took away what an import misses, and what took its place; and of what is defined "
    "twice, since when each of them is there. By default only on a terminal, for imports, "
    "and only for up to three missing names. --fix and --diff ask the history unless it is --no-history.",
)
@click.option(
    "--output",
    metavar="FORMAT[:FILE]",
    multiple=True,
    help="text, concise, json, jsonl, sarif, github, gitlab, junit, markdown. May be given several times.",
)
@click.option("--statistics", is_flag=True, help="Count findings per rule.")
@click.option(
    "--config", "overrides", metavar="FILE|KEY=VALUE", multiple=True, help="Another configuration, or one setting."
)
@click.option("--no-cache", is_flag=True, help="Neither read nor write the cache.")
@click.option("--jobs", type=click.IntRange(1), metavar="N", help="Processes; one per core unless given.")
@click.option("--watch", is_flag=True, help="Check again whenever a file changes, until Ctrl-C; on a terminal only.")
@click.option("--exit-zero", is_flag=True, help="Exit with 0 even when there are findings or problems.")
def command(
    paths: tuple[str, ...],
    gate: str | None,
    staged: bool,
    rev: str | None,
    context: str | None,
    dockerfile: str | None,
    since: str | None,
    baseline: str | None,
    select: tuple[str, ...],
    ignore: tuple[str, ...],
    fix: bool,
    unsafe_fixes: bool,
    show_diff: bool,
    history: bool | None,
    output: tuple[str, ...],
    statistics: bool,
    overrides: tuple[str, ...],
    no_cache: bool,
    jobs: int | None,
    watch: bool,
    exit_zero: bool,
) -> int:
    """Check a tree for what would fail after a deploy.

    Without PATHS the whole repository is checked, whatever the current folder. PATHS narrow the report; the
    analysis always sees the whole tree.

    Exit codes: 0 clean, 1 findings, 2 usage or configuration, 3 something could not be checked,
    4 the environment failed.
    """
    outputs = parse_outputs(output)
    at = Gate(gate) if gate is not None else None
    commits = at is Gate.PRE_COMMIT
    if commits and (rev or fix or show_diff):
        raise click.UsageError("--gate pre-commit looks at what is staged: it does not go with --rev, --fix and --diff")
    if commits:
        asked = asked_by(os.environ)
        staged, rev, since = asked.rev is None, asked.rev, since or asked.since
        commits = not asked.is_whole
    if staged and rev:
        raise click.UsageError("--staged and --rev exclude one another")
    if unsafe_fixes and not (fix or show_diff):
        raise click.UsageError("--unsafe-fixes goes with --fix or --diff")
    if (fix or show_diff) and since:
        raise click.UsageError("--fix and --diff mend old findings too, so they do not go with --since")
    if (fix or show_diff) and (staged or rev):
        raise click.UsageError("--fix and --diff work on files on disk, not with --staged or --rev")
    if dockerfile is not None and context is None:
        raise click.UsageError("--dockerfile goes with --context")
    if context is not None and (commits or since or fix or show_diff or watch):
        raise click.UsageError("--context does not go with --gate pre-commit, --since, --fix, --diff and --watch")
    if context is not None and paths:
        raise click.UsageError("--context names the folder that is checked: it does not go with paths")
    if watch:
        if rev or fix or show_diff:
            raise click.UsageError("--watch does not go with --rev, --fix and --diff")
        from guard.cli.watch import check_on_changes

        check_on_changes(paths, outputs, staged=staged)
    # A run makes millions of objects that live to its end; the cyclic collector would walk them for nothing.
    gc.disable()
    rules = all_rules()
    tree, within = open_tree(paths if context is None else (context,), staged=staged, rev=rev)
    config = load(tree, configuration_folder(tree, within.prefixes), overrides, rules=rules)
    if baseline is not None:
        config = msgspec.structs.replace(config, baseline=name_in(tree, baseline))
    config = msgspec.structs.replace(config, gate=at)
    codes = resolve_selection(config, _split(select), _split(ignore), at, rules)
    if context is not None:
        from guard.sources.locate import in_context

        # Of what is not sent, no entry of the baseline is stale.
        folder = within.prefixes[0] if within.prefixes else ""
        tree, codes = in_context(tree, folder, dockerfile, keep=config.baseline), codes - {STALE}
    # A cache would stay in the image, or could not be written by the user that it is built with.
    no_cache = no_cache or (at is Gate.IMAGE and not os.environ.get("GUARD_CACHE_DIR"))
    with closing(Cache(None) if no_cache else open_default()) as cache, progress_bar() as progress:
        lacking = tuple(
            Problem("", "not-checked", f"this version of guard has no {family} rules, which are selected")
            for family in reserved_in(config, _split(select))
        )
        options = Options(jobs=jobs or 0, cache=cache, progress=progress, problems=lacking)
        if since is not None or commits:
            from guard.incremental.kept import keep

            options = msgspec.structs.replace(options, keep=keep)

        def run(on: Tree) -> Report:
            return check(on, config, codes, options, within.matches)

        def settings_of(base: Tree) -> Config:
            # Each tree has its own baseline, or none yet.
            known = config.baseline if config.baseline in base.files else ""
            return msgspec.structs.replace(config, baseline=known)

        def before(base: CommitTree) -> Report:
            from guard.incremental.earlier import known_of

            return known_of(base, settings_of(base), codes, options) or check(base, settings_of(base), codes, options)

        if since is None and not commits:
            report = run(tree)
        else:
            bases = _bases_since(since, tree) if since is not None else _bases_of_commit(tree)
            quick = None
            if len(bases) == 1 and not within.prefixes and tree.kind in ("index", "commit"):
                from guard.incremental.quick import new_since

                ((name, base),) = bases.items()
                quick = new_since(tree, base, name, config, settings_of(base), codes, options).report
            if quick is None:
                whole = run(tree)

                def of_change(earlier: Report, moved: Mapping[str, str]) -> tuple[Finding, ...]:
                    found = findings_of_change(earlier, whole, tree, config, codes, moved)
                    return tuple(finding for finding in found if within.matches(finding.path))

                quick = _new_in(bases, whole, tree, within, before, of_change)
            report = quick
        if fix or show_diff:
            from guard.cli.mending import mend, show, write

            asks = history is not False
            fixed = mend(tree, config, codes, options, within.matches, unsafe=unsafe_fixes, history=asks)
            if fix:
                write(tree, fixed)
                tree, report = fixed.tree, run(fixed.tree)
            else:
                show(tree, fixed)
        if history is None:
            history = is_short_on_terminal(outputs, report)
        if history:
            report = _with_history(report, tree, config, codes, options)
    enabled = {code: rule for code, rule in rules.items() if code in codes}
    if not show_diff:
        write_outputs(outputs, report, tree, enabled, statistics=statistics)
    return 0 if exit_zero else report.exit_code


def configuration_folder(tree: Tree, prefixes: tuple[str, ...]) -> str:
    """The folder whose configuration holds: the closest one above all the paths."""
    folders = [posixpath.dirname(prefix) if prefix in tree.files else prefix for prefix in prefixes]
    return posixpath.commonpath(folders) if folders else ""


_OfChange = Callable[[Report, Mapping[str, str]], tuple[Finding, ...]]
"""Given the report on an earlier tree and the files that were moved since: what is wrong with the change itself."""


def _bases_since(rev: str, tree: Tree) -> Mapping[str, CommitTree]:
    """What `--since` compares with. Raises GuardError where there is no git, or no such commit."""
    from guard.since import base_of

    if tree.git is None:
        raise GuardError("--since needs a git repository, and there is none here")
    return {rev: base_of(tree.git, rev, tree)}


def _bases_of_commit(tree: Tree) -> Mapping[str, CommitTree]:
    """The parents of the commit that is being made."""
    from guard.since import parents_of_commit

    if tree.git is None:
        raise GuardError("--gate pre-commit needs a git repository, and there is none here")
    return parents_of_commit(tree.git, os.environ, tree)


def _new_in(
    bases: Mapping[str, CommitTree],
    report: Report,
    tree: Tree,
    within: PathFilter,
    run: Callable[[CommitTree], Report],
    of_change: _OfChange,
) -> Report:
    """The report with only what none of the bases has, and what is wrong with the change of each."""
    from guard.since import moved_files, narrowed

    of_all: tuple[Finding, ...] | None = None
    for name, base in bases.items():
        before, moved = run(base), moved_files(base, tree)
        report = narrowed(report, before, base, tree, name, within.matches, moved)
        found = of_change(before, moved)
        # What is merged may change what the other parent has: that is no fault of the merge.
        known = {finding.fingerprint for finding in found}
        of_all = found if of_all is None else tuple(one for one in of_all if one.fingerprint in known)
    return _with(report, of_all or ())


def _with(report: Report, more: Sequence[Finding]) -> Report:
    """The report with more findings."""
    findings = sorted((*report.findings, *more), key=lambda finding: finding.sort_key)
    return msgspec.structs.replace(report, findings=tuple(findings)) if more else report


def is_short_on_terminal(outputs: Sequence[Output], report: Report) -> bool:
    """Whether somebody waits for a report that misses only a few names: then the history is worth a second."""
    on_terminal = sys.stdout.isatty() and [(output.format, output.file) for output in outputs] == [("text", "")]
    if not on_terminal:
        return False
    from guard.history.explain import missing_in

    return 0 < len(missing_in(report.findings)) <= _FEW_NAMES


def _with_history(report: Report, tree: Tree, config: Config, codes: frozenset[str], options: Options) -> Report:
    """The report with what git knows of what imports miss, and of what is defined twice."""
    from guard.engine import look
    from guard.history.births import with_births
    from guard.history.explain import explained, missing_in

    cache = options.cache or Cache(None)
    findings = with_births(report.findings, tree, cache, config.python_limit)
    if missing_in(findings):
        findings = explained(findings, look(tree, config, codes, options), cache, _MOST_NAMES)
    return msgspec.structs.replace(report, findings=findings)


_FEW_NAMES: Final = 3
_MOST_NAMES: Final = 60
"""Names of one report that the history is asked for; the first in its order."""


def _split(values: tuple[str, ...]) -> list[str]:
    return [name.strip() for value in values for name in value.split(",") if name.strip()]


@contextmanager
def progress_bar() -> Iterator[Callable[[int, int], None] | None]:
    """A progress bar on a terminal, once a run takes longer than a second; nothing in a pipe."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("guard"), BarColumn(), MofNCompleteColumn(), TextColumn("files"), TimeElapsedColumn())
    bar = Progress(*columns, console=Console(stderr=True), transient=True)
    task = bar.add_task("files", total=None)
    started = time.monotonic()
    shown = False

    def show(done: int, total: int) -> None:
        nonlocal shown
        if not shown and time.monotonic() - started > 1:
            bar.start()
            shown = True
        bar.update(task, completed=done, total=total)

    try:
        yield show
    finally:
        if shown:
            bar.stop()
