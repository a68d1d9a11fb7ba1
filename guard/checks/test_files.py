"""Which files pytest collects tests from."""

from __future__ import annotations

import configparser
import posixpath
import re
import tomllib
from collections.abc import Mapping
from fnmatch import translate
from functools import cached_property
from typing import TYPE_CHECKING, Final

from guard.checks.collecting import FAMILY as COLLECTING
from guard.checks.roots import parent_of

if TYPE_CHECKING:
    from guard.program import Program

_DEFAULT: Final = ("test_*.py", "*_test.py")
_SECTIONS: Final = {"pytest.ini": "pytest", ".pytest.ini": "pytest", "tox.ini": "pytest", "setup.cfg": "tool:pytest"}
_NOT_ENTERED: Final = re.compile(r"(^|/)(\.[^/]*|build|dist|CVS|_darcs|node_modules|venv|\{arch\}|[^/]*\.egg)/")
"""Folders that pytest does not go into unless it is told to (its `norecursedirs`)."""


class TestFiles:
    """The test files of one tree: by pytest's own patterns, or those of the closest configuration above a file."""

    __test__ = False  # for pytest this is no test

    def __init__(self, program: Program) -> None:
        self._tree = program.tree
        self._collecting = program.linked(COLLECTING)
        self._patterns: dict[str, re.Pattern[str]] = {}

    def __contains__(self, path: str) -> bool:
        folder = parent_of(path)
        pattern = self._patterns.get(folder)
        if pattern is None:
            pattern = self._patterns[folder] = self._pattern_for(folder)
        if pattern.match(path.rpartition("/")[2]) is None or _NOT_ENTERED.search(path) is not None:
            return False
        return not self._collecting.ignores(path)

    def _pattern_for(self, folder: str) -> re.Pattern[str]:
        while True:
            if folder in self._configured:
                return self._configured[folder]
            if not folder:
                return _joined(_DEFAULT)
            folder = parent_of(folder)

    @cached_property
    def _configured(self) -> Mapping[str, re.Pattern[str]]:
        """The patterns of each folder that holds a configuration of pytest."""
        found: dict[str, re.Pattern[str]] = {}
        names = {*_SECTIONS, "pyproject.toml"}
        # In pytest's order: the first of a folder's files that configures it is the only one.
        order = ("pytest.ini", ".pytest.ini", "pyproject.toml", "tox.ini", "setup.cfg")
        wanted = self._tree.named(names)
        contents = dict(self._tree.read_many(wanted, 1 << 20))
        for path in sorted(contents, key=lambda path: order.index(posixpath.basename(path))):
            folder, name = posixpath.split(path)
            if folder not in found:
                patterns = _in_toml(contents[path]) if name == "pyproject.toml" else _in_ini(name, contents[path])
                if patterns is not None:
                    found[folder] = _joined(patterns)
        return found


def _joined(patterns: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(translate(pattern.rpartition("/")[2]) for pattern in patterns))


def _in_ini(name: str, content: bytes) -> tuple[str, ...] | None:
    """The patterns that an ini file sets; pytest's own where it configures something else, None where nothing."""
    parser = configparser.RawConfigParser(strict=False, allow_no_value=True)
    try:
        parser.read_string(content.decode("utf-8", "replace"))
    except configparser.Error:
        return None
    section = _SECTIONS[name]
    if not parser.has_section(section):
        return None
    return tuple((parser.get(section, "python_files", fallback="") or "").split()) or _DEFAULT


def _in_toml(content: bytes) -> tuple[str, ...] | None:
    try:
        table: object = tomllib.loads(content.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None
    for key in ("tool", "pytest", "ini_options"):
        table = table.get(key) if isinstance(table, dict) else None
    if not isinstance(table, dict):
        return None
    value = table.get("python_files")
    words = value.split() if isinstance(value, str) else value if isinstance(value, list) else ()
    return tuple(word for word in words if isinstance(word, str)) or _DEFAULT
