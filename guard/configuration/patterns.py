"""Gitignore-style patterns: checked, made relative to the tree's root, matched."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Final

from guard.configuration.names import RuleNames
from guard.configuration.settings import Config

if TYPE_CHECKING:
    from guard.registry import Rule

_MOST_WILDCARDS: Final = 3
"""The configuration comes from the checked repository, and each wildcard more makes a search slower by a power."""

Matcher = Callable[[str], bool]


def fault_of(pattern: str) -> str | None:
    """Why `pattern` cannot be used; None where it is good."""
    from pathspec import GitIgnoreSpec  # takes longer to import than the rest of the configuration

    runs = [re.findall(r"\*+", part) for part in pattern.split("/")]
    if max(map(len, runs)) > _MOST_WILDCARDS or sum("**" in run for run in runs) > _MOST_WILDCARDS:
        return f"has more than {_MOST_WILDCARDS} wildcards in one part, or more than {_MOST_WILDCARDS} `**`"
    if pattern.startswith("#"):
        return "is a comment; write \\# for a name that begins with #"
    try:
        compiled = list(GitIgnoreSpec.from_lines([pattern]).patterns)
    except (ValueError, re.error):
        return "is not a gitignore-style pattern"
    if not compiled or compiled[0].include is None:
        return "matches nothing"
    return None


def anchored(pattern: str, folder: str) -> str:
    """The pattern of the tree's root that means what `pattern` means in `folder`, as .gitignore files mean it."""
    if not folder:
        return pattern
    sign, body = ("!", pattern[1:]) if pattern.startswith("!") else ("", pattern)
    here = re.sub(r"([\\*?\[!#])", r"\\\1", folder)
    if "/" in body.rstrip("/"):
        return f"{sign}/{here}/{body.lstrip('/')}"
    return f"{sign}/{here}/**/{body}"


def inside(path: str, folder: str) -> str | None:
    """`path`, given relative to `folder`, relative to the tree's root; None where it leads out of the tree."""
    if posixpath.isabs(path):
        return None
    joined = posixpath.normpath(posixpath.join(folder, path))
    if joined == ".." or joined.startswith("../"):
        return None
    return "" if joined == "." else joined


@cache
def matcher(patterns: tuple[str, ...]) -> Matcher:
    """Whether a path of the tree matches.

    Other than in .gitignore, `!gen/keep.py` takes a file back even from a folder that `gen/` leaves out.
    """
    if not patterns:
        return _never
    from pathspec import GitIgnoreSpec

    return GitIgnoreSpec.from_lines(patterns).match_file


def _never(_path: str) -> bool:
    return False


def ignored_in(config: Config, rules: Mapping[str, Rule]) -> Callable[[str], frozenset[str]]:
    """Which codes `per-file-ignores` leaves out for a path."""
    names = RuleNames(rules)
    entries: list[tuple[Matcher, frozenset[str]]] = []
    for pattern, listed in config.per_file_ignores.items():
        found = (names.find(name) for name in listed)
        entries.append((matcher((pattern,)), frozenset().union(*(named.codes for named in found if named))))

    @cache
    def ignored(path: str) -> frozenset[str]:
        return frozenset().union(*(codes for matches, codes in entries if matches(path)))

    return ignored
