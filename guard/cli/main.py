"""The `guard` command, and the boundary at which every error becomes one line and an exit code."""

from __future__ import annotations

import errno
import gc
import os
import sys
from typing import Final, NoReturn

import click

from guard import __version__
from guard.cli.lazy import LazyGroup

_COMMANDS: Final = {
    "baseline": "Keep a file of the findings that are known, so that only new ones are told.",
    "check": "Check a tree: the work tree, the index, a revision, or a plain folder.",
    "config": "Show the configuration, and what was detected and why.",
    "init": "Set guard up in a repository: settings, hooks, a workflow, a baseline.",
    "loop": "Deploy to staging, and prove with tests that it works.",
    "report": "Show where a repository stands: its score, and what would raise it.",
    "rule": "Explain a rule, or list all of them.",
    "shim": "Bring a name back at its old place, as a re-export that says where it is now.",
    "bisect": "Find the commit that brought a finding in.",
    "trace": "Tell where a name or a module went: what took it away, and what took its place.",
    "show": "Show what guard knows of one part of a tree.",
}


@click.group(
    cls=LazyGroup,
    commands_of=_COMMANDS,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, "--version", "-V", prog_name="guard", message="%(prog)s %(version)s")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Find, before a deploy, the failures that take a Python service down."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())
        ctx.exit(2)


def main() -> NoReturn:
    """Run the command line, and exit with the documented code."""
    _open_closed_streams()
    try:
        # click's own `main` would take a broken pipe for exit code 1, which says that there are findings.
        with cli.make_context("guard", sys.argv[1:]) as context:
            result = cli.invoke(context)
        code = result if isinstance(result, int) else 0
        sys.stdout.flush()
    except click.exceptions.Exit as stop:
        code = stop.exit_code
    except click.ClickException as error:
        error.show()
        code = 2
    except (KeyboardInterrupt, click.Abort):
        click.echo("guard: interrupted", err=True)
        code = 130
    except BrokenPipeError:
        _drop_output()  # whoever reads it has had enough, as `head` does
        code = 141
    except Exception as error:
        code = _tell(error)
    # A run leaves millions of objects: at the end of the process Python would look through all of them for cycles.
    gc.freeze()
    sys.exit(code)


def _tell(error: Exception) -> int:
    """Say on standard error what went wrong; gives the exit code. One line, unless it is a bug."""
    from guard.model import GuardError  # it imports msgspec, which `guard --version` can do without

    if isinstance(error, GuardError):
        for line in str(error).splitlines():
            click.echo(f"guard: {_printable(line)}", err=True)
        return error.exit_code
    if isinstance(error, OSError) and error.errno in _DISK_FULL:
        _drop_output()
        click.echo(f"guard: cannot write: {error.strerror}", err=True)
        return 4
    click.echo(_bug_report(), err=True)
    return 70


_DISK_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})


def _open_closed_streams() -> None:
    """Open what was closed before the start: else the next file to be opened takes its place, and what is printed."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(descriptor)
    # Python has None for a stream that was closed.
    sys.stdout = sys.stdout or os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", encoding="utf-8", closefd=False)


def _drop_output() -> None:
    """Python would try again at exit to write what could not be written, and complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() or c == "\t" else c.encode("unicode_escape").decode() for c in text)


def _bug_report() -> str:
    """What to paste into an issue. Holds no environment variable: one of them may be a secret."""
    import platform
    import traceback

    lines = [
        "guard: this is a bug in guard, not in your code. Please report it with what follows:",
        "",
        f"guard {__version__}, Python {platform.python_version()} on {platform.platform()}",
        f"arguments: {' '.join(sys.argv[1:])}",
        "",
        traceback.format_exc().rstrip(),
    ]
    return "\n".join(_printable(line) for line in lines for line in line.split("\n"))
