"""What a command needs that shows what guard knows of a tree: the tree, seen."""

from __future__ import annotations

import gc
from collections.abc import Mapping
from contextlib import closing

import click

from guard.cache import open_default
from guard.config import load
from guard.engine import Options, look
from guard.model import GuardError
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


def open_base(
    program: Program, rev: str, *, overrides: tuple[str, ...], codes: frozenset[str]
) -> tuple[Program, Mapping[str, str]]:
    """The program of the commit where the tree of `program` left `rev`, and the files of the tree that were moved
    since, with their earlier paths.

    Raises GuardError where there is no git or no such commit, and CannotCheck where the two have none in common.
    """
    from guard.since import base_of, moved_files

    tree = program.tree
    if tree.git is None:
        raise GuardError("--since needs a git repository, and there is none here")
    base = base_of(tree.git, rev, tree)
    config = load(base, "", overrides, rules=all_rules())
    with closing(open_default()) as cache:
        return look(base, config, codes, Options(cache=cache)), moved_files(base, tree)
