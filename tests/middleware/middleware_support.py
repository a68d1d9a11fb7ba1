"""A program made of a folder, and its stacks in the form in which the real ones are printed."""

from __future__ import annotations

from pathlib import Path

from guard.cache import Cache
from guard.checks.middleware import FAMILY, Stacks
from guard.checks.middleware_stack import Stack
from guard.config import load
from guard.engine import Options, collect
from guard.facts import Gathering
from guard.program import Program
from guard.registry import all_rules
from guard.sources.directory import DirectoryTree
from guard.target import target_python


def program_of(folder: Path) -> Program:
    """The linked program of a folder without git."""
    tree = DirectoryTree(str(folder))
    config = load(tree, rules=all_rules())
    target = target_python(tree, config)
    gathering = Gathering(target.version, config.python_limit)
    facts, problems = collect(tree, list(tree.files.values()), gathering, Options(jobs=1), Cache(None))
    assert not problems
    return Program(tree, config, target, facts)


def stacks_of(folder: Path) -> Stacks:
    """The middleware of a folder without git."""
    return program_of(folder).linked(FAMILY)


def names(stack: Stack) -> list[tuple[str, ...]]:
    """Every way through a stack: the user's own layers by name, outermost first."""
    ways = stack.ways(lambda layer: True)
    assert ways is not None
    return sorted({tuple(layer.name for layer in reversed(way.layers)) for way in ways})


def names_with_outer(stack: Stack) -> list[tuple[str, ...]]:
    """The same with the layers of the applications around it, and a `|` between them."""
    around = [(*way, "|") for outer in stack.outer for way in names_with_outer(outer)] or [()]
    return sorted({(*outer, *way) for outer in around for way in names(stack)})
