"""`guard loop plan`."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping

import click
import msgspec

from guard import __version__
from guard.cli.jsontext import json_text
from guard.cli.loop_session import opened, redacted_plan, redactor_of
from guard.report.escape import visible
from guard.runner.plan import Plan
from guard.runner.plan_load import checked


class PlanJson(msgspec.Struct, frozen=True, kw_only=True):
    """What `--output json` gives."""

    schema_version: int = 1
    guard: str
    configuration: tuple[str, ...]
    plan: Plan


@click.command("plan")
@click.option(
    "--config", "overrides", metavar="FILE|KEY=VALUE", multiple=True, help="Another configuration, or one setting."
)
@click.option("--output", "form", type=click.Choice(["text", "json"]), default="text", help="How to write it.")
def command(overrides: tuple[str, ...], form: str) -> int:
    """Show what a session would do, with every default filled in, and everything that is wrong with it.

    What is empty is left out. The text is TOML, so it can be put into a configuration; secrets are left out. Nothing
    is deployed and nothing run.
    """
    place = opened(overrides)
    plan = checked(place.plan)
    shown = redacted_plan(plan, redactor_of(plan, os.environ))
    if form == "json":
        click.echo(json_text(PlanJson(guard=__version__, configuration=place.config.sources, plan=shown)), nl=False)
        return 0
    click.echo(f"# from {', '.join(map(visible, place.config.sources)) or 'nothing; these are the defaults'}")
    click.echo("\n".join(_table("loop", msgspec.to_builtins(shown), "[{}]")))
    return 0


def _table(name: str, values: Mapping[str, object], heading: str) -> Iterator[str]:
    """A table as TOML: its plain values, then the tables in it."""
    yield heading.format(name)
    below: list[str] = []
    for key, value in values.items():
        if value is None or value in ("", [], {}, ()):
            continue  # a deployer's own settings that this plan has no use for, say
        if isinstance(value, list | tuple) and value and all(isinstance(item, dict) for item in value):
            for item in value:
                below += ["", *_table(f"{name}.{key}", item, "[[{}]]")]
        elif isinstance(value, dict) and name == "loop":
            below += ["", *_table(f"{name}.{key}", value, "[{}]")]
        else:
            yield f"{key} = {_value(value)}"
    yield from below


def _value(value: object) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_value(str(key))} = {_value(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_value, value))}]"
    return msgspec.json.encode(value).decode()
