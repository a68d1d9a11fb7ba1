"""`guard check --watch`: the same check again whenever a file changes.

Each check is a process of its own: what it gives is what the command would give by itself, a wrong configuration is
told and can be mended, and no memory is kept. What has not changed comes from the cache.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final, NoReturn

import click

from guard.cache import default_path
from guard.cli.output import Output
from guard.files import is_unfinished
from guard.model import EnvironmentFailed, GuardError
from guard.report.escape import visible
from guard.report.tally import counted
from guard.sources.fifos import wait_past_fifos
from guard.sources.git import Git
from guard.sources.locate import open_tree

try:
    from watchfiles import Change, DefaultFilter, watch
except ImportError:
    raise EnvironmentFailed("--watch needs more packages; run: pip install 'deploy-guard[watch]'") from None

_STEP_MS: Final = 100
"""A change is waited for this long after the last one: an editor or a checkout writes several files."""
_IDLE_MS: Final = 200
"""How often the watcher says that nothing has changed; the first time, that it watches."""
_SHOW_CURSOR: Final = "\x1b[?25h"
_IN_GIT: Final = ("index", "HEAD", "MERGE_HEAD")
_MANY: Final = 500
"""Changed files that git is not asked about any more."""


def check_on_changes(paths: Sequence[str], outputs: Sequence[Output], *, staged: bool) -> NoReturn:
    """Run the command of this process without `--watch`, again and again; ends only by KeyboardInterrupt.

    Raises click.UsageError where nobody sees it, and what `open_tree` raises.
    """
    if not sys.stdout.isatty():
        raise click.UsageError("--watch shows its reports on a terminal, and there is none")
    tree, _ = open_tree(paths, staged=staged)
    git = tree.git
    root = tree.root or (git.work_tree if git is not None else None)
    if root is None:
        raise GuardError("--watch needs files on disk, and there are none here")
    places = [root]
    if git is not None and not Path(git.git_dir).is_relative_to(root):
        places.append(git.git_dir)
    matters = relevant(git, [Path(output.file).absolute() for output in outputs if output.file])
    command = [sys.executable, "-P", "-m", "guard", *without_watch(sys.argv[1:])]
    is_first = True
    try:
        for changes in watch(
            *places,
            watch_filter=matters,
            step=_STEP_MS,
            rust_timeout=_IDLE_MS,
            yield_on_timeout=True,
            ignore_permission_denied=True,  # the check itself tells of folders that cannot be read
        ):
            changed = sorted({path for _, path in changes})
            if not is_first and (not changed or (git is not None and all_ignored(git, changed))):
                continue
            click.clear()
            if changed:
                click.echo(f"guard: {time.strftime('%H:%M:%S')} {_named(changed, root)} changed", err=True)
            is_first = False
            _run(command)
            click.echo("guard: watching; Ctrl-C ends", err=True)
    except OSError as error:
        raise EnvironmentFailed(f"the files cannot be watched: {error.strerror or error}") from error
    raise KeyboardInterrupt


def _run(command: Sequence[str]) -> None:
    """Run one check to its end. Raises KeyboardInterrupt at Ctrl-C, with all of its processes ended.

    Ctrl-C does not reach them by itself: a Python that is only starting would show a traceback.
    """
    with subprocess.Popen(command, start_new_session=True) as process:
        try:
            process.wait()
        except KeyboardInterrupt:
            if sys.platform == "win32":
                process.terminate()
            else:
                with contextlib.suppress(ProcessLookupError):  # it may have come to its end meanwhile
                    os.killpg(process.pid, signal.SIGTERM)
            process.wait()
            click.echo(_SHOW_CURSOR, nl=False, err=True)  # which a progress bar has hidden
            raise


def without_watch(arguments: Sequence[str]) -> list[str]:
    """The arguments of a single check."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    return [one for number, one in enumerate(arguments) if one != "--watch" or number > end]


def relevant(git: Git | None, written: Iterable[Path]) -> Callable[[Change, str], bool]:
    """What says whether a changed path can change a report: not what is written for it, nor what tools keep."""
    usual = DefaultFilter()
    own = {os.fspath(path) for path in written}
    git_dir = Path(git.git_dir) if git is not None else None
    try:
        cache = default_path().absolute()
    except RuntimeError:
        cache = None

    def matters(change: Change, path: str) -> bool:
        place = Path(path)
        if git_dir is not None and place.is_relative_to(git_dir):
            return place.parent == git_dir and place.name in _IN_GIT
        if path in own or is_unfinished(place.name) or (cache is not None and place.parent == cache.parent):
            return False
        return usual(change, path)

    return matters


def all_ignored(git: Git, changed: Sequence[str]) -> bool:
    """Whether git ignores all of the changed files: logs and builds are no part of the tree."""
    if len(changed) > _MANY or git.work_tree is None:
        return False
    inside = [path for path in changed if Path(path).is_relative_to(git.work_tree)]
    if len(inside) < len(changed) or any(Path(path).is_relative_to(git.git_dir) for path in inside):
        return False
    asking = git.start("check-ignore", "-z", "--stdin", given=b"".join(os.fsencode(path) + b"\0" for path in inside))
    wait_past_fifos(asking, os.fsencode(git.work_tree))
    status, printed = asking.wait()
    return status == 0 and printed.count(b"\0") == len(inside)


def _named(changed: Sequence[str], root: str) -> str:
    """The changed files, in a few words."""
    if len(changed) > 1:
        return counted(len(changed), "file")
    return visible(os.path.relpath(changed[0], root))
