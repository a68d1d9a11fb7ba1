"""`guard show imports`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click
import msgspec

from guard import __version__
from guard.checks.modules import FAMILY as MODULES
from guard.cli.jsontext import encodable_tree, json_text
from guard.cli.output import output_width, wants_color, write_stdout
from guard.cli.program import open_program
from guard.model import GuardError
from guard.module_search import find_module
from guard.module_view import view_of
from guard.sources.locate import name_in

if TYPE_CHECKING:
    from guard.sources.tree import Tree


_CODES: Final = frozenset({"IMP001", "IMP002"})
"""The rules whose facts say what there is to say of imports."""


@click.command("imports")
@click.argument("module")
@click.option("--staged", is_flag=True, help="Look at what is staged (the git index), not the work tree.")
@click.option("--rev", metavar="REV", help="Look at a revision.")
@click.option("--all", "everything", is_flag=True, help="List everything, however long the list.")
@click.option(
    "--config", "overrides", metavar="FILE|KEY=VALUE", multiple=True, help="Another configuration, or one setting."
)
@click.option("--output", "form", type=click.Choice(["text", "json"]), default="text", help="How to write it.")
def command(module: str, staged: bool, rev: str | None, everything: bool, overrides: tuple[str, ...], form: str) -> int:
    """Show who imports a module, what it imports, and how far it reaches.

    MODULE is a dotted name or a path. Shown are the entry points that get to it, what could not be imported any more
    without it, who imports it and by which statement, which of its names are taken by whom and through which other
    modules, what it imports itself, and the shortest circle of imports that it is in.
    """
    program = open_program(None, staged=staged, rev=rev, overrides=overrides, codes=_CODES)
    path = find_module(program.linked(MODULES).layout, module, _as_path(program.tree, module))
    view = view_of(program, path)
    if form == "json":
        shown = {"schema_version": 1, "guard": __version__, "module": encodable_tree(msgspec.to_builtins(view))}
        click.echo(json_text(shown), nl=False)
        return 0
    from guard.cli.show_imports_text import render

    page = render(view, color=wants_color(), width=output_width(), limit=0 if everything else 8)
    write_stdout(page.encode("utf-8", "backslashreplace"))
    return 0


def _as_path(tree: Tree, module: str) -> str:
    """What `module` is as a path from the current folder, in the tree; empty where it is none."""
    try:
        return name_in(tree, module) if module else ""
    except GuardError:
        return ""
