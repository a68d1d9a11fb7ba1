"""`guard show middleware`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click
import msgspec

from guard import __version__
from guard.checks.application_views import applications
from guard.checks.middleware_compare import AppChange, compare
from guard.checks.middleware_view import AppView, find, without_idle_parts
from guard.cli.jsontext import encodable_tree, json_text
from guard.cli.output import output_width, wants_color, write_stdout
from guard.cli.program import open_base, open_program
from guard.impact import reach_of
from guard.model import GuardError, Impact
from guard.report.escape import visible
from guard.report.tally import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from guard.program import Program


class MiddlewareDocument(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="stacks"):
    """What is written as JSON."""

    schema_version: int = 1
    guard: str
    applications: tuple[AppView, ...]


class MiddlewareChanges(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="changes"):
    """What is written as JSON with `--since`."""

    schema_version: int = 1
    guard: str
    since: str
    applications: tuple[AppChange, ...]


_CODES: Final = frozenset({"MID001"})
"""The rule whose facts say what there is to say of middleware."""
_SHOWN: Final = frozenset({Impact.STARTUP, Impact.RUNTIME})


@click.command("middleware")
@click.argument("app", required=False)
@click.option("--staged", is_flag=True, help="Look at what is staged (the git index), not the work tree.")
@click.option("--rev", metavar="REV", help="Look at a revision.")
@click.option("--since", metavar="REV", help="Show what changed since a revision: layers gone, added, moved.")
@click.option("--all", "everything", is_flag=True, help="Also the applications of tests and scripts.")
@click.option(
    "--config", "overrides", metavar="FILE|KEY=VALUE", multiple=True, help="Another configuration, or one setting."
)
@click.option(
    "--output", "form", type=click.Choice(["text", "json", "markdown"]), default="text", help="How to write it."
)
def command(
    app: str | None,
    staged: bool,
    rev: str | None,
    since: str | None,
    everything: bool,
    overrides: tuple[str, ...],
    form: str,
) -> int:
    """Show the middleware of each application as an onion: what is outside sees a request first.

    Each layer comes with the place that adds it, the conditions under which it is there, and what it cannot see,
    because a layer further inside sets it. APP is an application as `module:variable`, its module or variable alone,
    the file that makes it (with or without a line), the function that does, or a Django settings module; without it,
    all of production are shown.
    """
    program = open_program(None, staged=staged, rev=rev, overrides=overrides, codes=_CODES)
    apps = _views(program)
    if since is not None:
        base, moved = open_base(program, since, overrides=overrides, codes=_CODES)
        changes = [one for one in compare(_views(base), apps, moved) if one.change != "same"]
        _write_changes(_chosen_changes(changes, app, everything=everything), since, form)
        return 0
    chosen, left = _chosen(tuple(without_idle_parts(apps)), app, everything=everything)
    if form == "json":
        click.echo(_json(MiddlewareDocument(guard=__version__, applications=tuple(chosen))), nl=False)
        return 0
    if form == "markdown":
        from guard.cli.show_middleware_markdown import render as markdown

        write_stdout(markdown(chosen).encode("utf-8", "backslashreplace"))
        return 0
    from guard.cli.show_middleware_text import render

    page = render(chosen, left, color=wants_color(), width=output_width())
    write_stdout(page.encode("utf-8", "backslashreplace"))
    return 0


def _views(program: Program) -> tuple[AppView, ...]:
    return applications(program, reach_of(program).of)


def _chosen(apps: Sequence[AppView], asked: str | None, *, everything: bool) -> tuple[list[AppView], str]:
    """The applications that are shown, and a word on those that are not. Raises GuardError where none is meant."""
    if asked is not None:
        found = find(apps, asked)
        if not found:
            raise GuardError(f"no application {visible(asked)!r} in this tree{_there_are(apps)}")
        return found, ""
    aside = [] if everything else [app for app in apps if app.impact not in _SHOWN]
    unnamed = [] if everything else [app for app in apps if app.unnamed and app not in aside]
    left = [
        *([f"{counted(len(aside), 'application')} of tests and scripts"] if aside else []),
        *([f"{counted(len(unnamed), 'settings module')} that nothing names"] if unnamed else []),
    ]
    shown = [app for app in apps if app not in aside and app not in unnamed]
    return shown, f"{' and '.join(left)}: --all shows them" if left else ""


def _there_are(apps: Iterable[AppView]) -> str:
    names = [app.name for app in apps if app.impact in _SHOWN and not app.handed][:_NAMED]
    return f"; there are {', '.join(map(visible, names))}" if names else ""


_NAMED: Final = 5


def _chosen_changes(changes: Sequence[AppChange], asked: str | None, *, everything: bool) -> list[AppChange]:
    chosen = []
    for change in changes:
        sides = [one for one in (change.now, change.before) if one is not None]
        if asked is not None:
            if any(find([side], asked) for side in sides):
                chosen.append(change)
        elif everything or any(side.impact in _SHOWN for side in sides):
            chosen.append(change)
    return chosen


def _write_changes(changes: Sequence[AppChange], since: str, form: str) -> None:
    if form == "json":
        click.echo(_json(MiddlewareChanges(guard=__version__, since=since, applications=tuple(changes))), nl=False)
        return
    if form == "markdown":
        from guard.cli.show_middleware_markdown import render_changes as markdown

        page = markdown(changes, since)
    else:
        from guard.cli.show_middleware_text import render_changes

        page = render_changes(changes, since, color=wants_color(), width=output_width())
    write_stdout(page.encode("utf-8", "backslashreplace"))


def _json(document: MiddlewareDocument | MiddlewareChanges) -> str:
    written: dict[str, object] = encodable_tree(msgspec.to_builtins(document))
    return json_text(written)
