"""`guard show`: what guard knows of one part of a tree, one command for each kind."""

from __future__ import annotations

from typing import Final

import click

from guard.cli.lazy import LazyGroup

_KINDS: Final = {
    "imports": "Show who imports a module, what it imports, and how far it reaches.",
    "middleware": "Show the middleware of each application, layer by layer.",
}


@click.group("show", cls=LazyGroup, commands_of=_KINDS, prefix="guard.cli.show_", short_help="Show one part of a tree.")
def command() -> None:
    """Show what guard knows of one part of a tree."""
