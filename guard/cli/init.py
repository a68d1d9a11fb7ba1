"""`guard init`."""

from __future__ import annotations

import gc
import os
import sys
from contextlib import closing
from pathlib import Path
from typing import Final

import click

from guard import fixing
from guard.adoption import HOOK_SCRIPT, Adoption, Wanted, adopt
from guard.cache import open_default
from guard.cli.output import write_diff
from guard.config import Config, load, resolve_selection
from guard.engine import Options, check
from guard.files import replace_file
from guard.model import EnvironmentFailed, GuardError, Report
from guard.registry import all_rules
from guard.report.escape import visible
from guard.report.tally import counted
from guard.sources.git import Git
from guard.sources.locate import open_tree
from guard.sources.tree import Tree

_SHOWN_KNOWN: Final = 50
_HOOKS: Final = ("pre-commit", "pre-merge-commit")


@click.command("init")
@click.option(
    "--baseline", is_flag=True, help="Write the findings of today into a baseline, so that only new ones are told."
)
@click.option("--git-hook", is_flag=True, help="Set up git's own hooks in this clone, in place of pre-commit's.")
@click.option("--yes", is_flag=True, help="Write without asking.")
@click.option("--diff", "only_show", is_flag=True, help="Show what would be written; write nothing.")
def command(baseline: bool, git_hook: bool, yes: bool, only_show: bool) -> int:
    """Set guard up in the repository of the current folder.

    Shows the diff first: a configuration, pins of line endings, a pre-commit hook, a workflow where there are some.
    Nothing that is there is changed; what would have to be is told, with the lines to add. To run it again does
    nothing more.
    """
    gc.disable()  # as in `guard check`
    rules = all_rules()
    tree, _ = open_tree(())
    config = load(tree, "", (), rules=rules)
    with closing(open_default()) as cache:
        options = Options(cache=cache)

        def checked(on: Tree, settings: Config, codes: frozenset[str] | None) -> Report:
            return check(on, settings, codes or resolve_selection(settings, [], [], None, rules), options)

        adoption = adopt(tree, config, Wanted(baseline=baseline, pre_commit=not git_hook), checked)
    hooks = _hooks_to_write(tree.git) if git_hook else ()
    # A baseline of a legacy repository has thousands of lines, and the few that want to be read would be lost in them.
    untold = adoption.baseline if adoption.known > _SHOWN_KNOWN and not only_show else ""
    write_diff(fixing.diff(tree, {path: new for path, new in adoption.changes.items() if path != untold}))
    if untold:
        known = counted(adoption.known, "finding")
        click.echo(f"guard: new {visible(untold)}: {known} of today; to see it: guard init --baseline --diff", err=True)
    for path in hooks:
        click.echo(f"guard: new hook {visible(os.fspath(path))}", err=True)
    for one in adoption.advice:
        click.echo(f"guard: {one}", err=True)
    if not adoption.changes and not hooks:
        click.echo("guard: nothing to do", err=True)
        return 0
    if only_show:
        return 0
    if not yes and not _agreed():
        click.echo("guard: nothing is written; to write it: guard init --yes", err=True)
        return 0
    _write(tree, adoption, hooks)
    return 0


def _agreed() -> bool:
    return sys.stdin.isatty() and click.confirm("Write this?", err=True)


def _hooks_to_write(git: Git | None) -> tuple[Path, ...]:
    """The hooks of this clone that are not there. Raises GuardError without git, and for one that is there already and
    does not call guard."""
    if git is None:
        raise GuardError("--git-hook needs a git repository, and there is none here")
    folder = _hook_folder(git)
    own = [os.path.realpath(one) for one in (git.git_dir, git.common_dir, git.work_tree) if one]
    if not any(Path(os.path.realpath(folder)).is_relative_to(one) for one in own):
        raise GuardError(
            f"git takes hooks from {folder} (core.hooksPath); add one there: guard check --gate pre-commit"
        )
    paths = [folder / name for name in _HOOKS]
    for path in paths:
        if os.path.lexists(path) and b"guard" not in path.read_bytes():
            raise GuardError(f"{path}: there is a hook already; add to it: guard check --gate pre-commit")
    return tuple(path for path in paths if not os.path.lexists(path))


def _hook_folder(git: Git) -> Path:
    """Where git looks for hooks. guard runs git without any, so `rev-parse --git-path hooks` would not tell."""
    status, printed = git.start("config", "--show-scope", "--null", "--get-all", "core.hooksPath").wait()
    fields = os.fsdecode(printed).split("\0")[:-1] if status == 0 else []
    named = [path for scope, path in zip(fields[::2], fields[1::2], strict=True) if scope != "command"]
    if named:
        return Path(git.work_tree or git.git_dir, Path(named[-1]).expanduser())
    return Path(git.common_dir, "hooks")


def _write(tree: Tree, adoption: Adoption, hooks: tuple[Path, ...]) -> None:
    fixing.write(tree, adoption.changes)
    for path in hooks:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            replace_file(path, HOOK_SCRIPT.encode(), 0o755)
        except OSError as error:
            raise EnvironmentFailed(f"{path}: cannot be written: {error.strerror or error}") from error
    files = len(adoption.changes) + len(hooks)
    click.echo(f"guard: {counted(files, 'file')} written", err=True)
    if adoption.known:
        click.echo(f"guard: {counted(adoption.known, 'finding')} of today in the baseline", err=True)
    if adoption.changes:
        click.echo("guard: look at them, and commit them", err=True)
