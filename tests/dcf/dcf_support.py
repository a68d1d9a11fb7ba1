"""The DCF findings of a folder, with nothing else of guard around the family."""

from __future__ import annotations

from pathlib import Path

from guard.cache import Cache
from guard.checks.classes import FAMILY, Classes
from guard.config import load
from guard.engine import Options, collect
from guard.facts import Gathering
from guard.model import Violation
from guard.program import Program
from guard.registry import all_rules
from guard.sources.directory import DirectoryTree
from guard.target import target_python

CODES = tuple(f"DCF00{number}" for number in range(1, 8) if number not in (4, 7))
"""The rules whose findings are failures."""


def program_of(folder: Path) -> Program:
    """The linked program of a folder without git."""
    tree = DirectoryTree(str(folder))
    config = load(tree, rules=all_rules())
    target = target_python(tree, config)
    gathering = Gathering(target.version, config.python_limit)
    facts, problems = collect(tree, list(tree.files.values()), gathering, Options(jobs=1), Cache(None))
    assert not problems
    return Program(tree, config, target, facts)


def classes_of(folder: Path) -> Classes:
    """The linked family of a folder without git."""
    return program_of(folder).linked(FAMILY)


def found(folder: Path) -> list[tuple[str, Violation]]:
    """Every violation of the family's rules, with its code."""
    program = program_of(folder)
    rules = all_rules()
    return [(code, violation) for code in CODES for violation in rules[code].check(program)]
