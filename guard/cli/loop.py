"""`guard loop`: the staging loop, one command for each thing to do with it."""

from __future__ import annotations

from typing import Final

import click

from guard.cli.lazy import LazyGroup
from guard.model import EnvironmentFailed

_KINDS: Final = {
    "compare": "Put two sessions side by side.",
    "list": "List the sessions, the last one first.",
    "merge": "Join the records of shards into one session.",
    "plan": "Show what a session would do, with every default filled in.",
    "publish": "Tell of a session on GitHub: an issue, comments, a pull request.",
    "resume": "Go on with a session that was interrupted or killed.",
    "run": "Run a session: guards, deploy, health, tests, verdict.",
    "show": "Show a session.",
}


class _LoopGroup(LazyGroup):
    """The loop's libraries are an extra of their own; without it the commands say how to get it."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        try:
            return super().get_command(ctx, cmd_name)
        except ModuleNotFoundError as error:
            if error.name is None or error.name.partition(".")[0] == "guard":
                raise
            raise EnvironmentFailed(
                f"guard loop needs {error.name}, which is not installed; run: pip install 'deploy-guard[loop]'"
            ) from error


@click.group("loop", cls=_LoopGroup, commands_of=_KINDS, prefix="guard.cli.loop_", short_help="Run the staging loop.")
def command() -> None:
    """Deploy to staging, prove that it works with tests against the real service, and explain it where it does not.

    The plan stands in `[tool.guard.loop]`; docs/loop.md tells of it.
    """
