"""A group of commands, each of which is imported only when it is called."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import click


class LazyGroup(click.Group):
    """`guard --version` needs none of the commands, and each of them only itself."""

    def __init__(self, *args: Any, commands_of: Mapping[str, str], prefix: str = "guard.cli.", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._known = commands_of
        """What each command does, by its name; its module is that name behind the prefix, and has a `command`."""
        self._prefix = prefix

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(self._known)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self._known:
            return None
        command: click.Command = importlib.import_module(f"{self._prefix}{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(sorted(self._known.items()))
