"""What a command needs that shows what guard knows of a tree: the tree, seen."""

from __future__ import annotations

import gc
from contextlib import closing

import click

from guard.cache import open_default
from guard.config import load
from guard.engine import Options, look
from guard.program import Program
from guard.registry import all_rules
from guard.sources.locate import open_tree


def open_program(
    path: str | None, *, staged: bool = False, rev: str | None = None, overrides: tuple[str, ...], codes: frozenset[str]
) -> Program:
    """The program of the tree that `path` is in, or the current folder: its files, gathered, and the configuration
    that holds for it. What the rules `codes` need of it is gathered.

    Raises GuardError and click.UsageError for what the command line got wrong.
    """
    if staged and rev:
        raise click.UsageError("--staged and --rev exclude one another")
    gc.disable()  # as in `guard check`: the collector would walk millions of objects that live to the end
    tree, within = open_tree((path,) if path else (), staged=staged, rev=rev)
    start = within.prefixes[0] if within.prefixes else ""
    config = load(tree, start.rpartition("/")[0] if start in tree.files else start, overrides, rules=all_rules())
    with closing(open_default()) as cache:
        return look(tree, config, codes, Options(cache=cache))
