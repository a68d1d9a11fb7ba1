"""Which files pytest collects tests from, and the plugins that it is told to load for them."""

from __future__ import annotations

import configparser
import posixpath
import re
import shlex
import tomllib
from collections.abc import Iterator, Mapping
from fnmatch import translate
from functools import cached_property
from typing import TYPE_CHECKING, Final

import msgspec

from guard.checks.collecting import FAMILY as COLLECTING
from guard.checks.roots import parent_of

if TYPE_CHECKING:
    from guard.program import Program

_DEFAULT: Final = ("test_*.py", "*_test.py")
_SECTIONS: Final = {"pytest.ini": "pytest", ".pytest.ini": "pytest", "tox.ini": "pytest", "setup.cfg": "tool:pytest"}
_NOT_ENTERED: Final = re.compile(r"(^|/)(\.[^/]*|build|dist|CVS|_darcs|node_modules|venv|\{arch\}|[^/]*\.egg)/")
"""Folders that pytest does not go into unless it is told to (its `norecursedirs`)."""


class _Configured(msgspec.Struct, frozen=True):
    """What one configuration of pytest says."""

    pattern: re.Pattern[str]
    """The names of test files."""
    path: str = ""
    """The file that says it; empty for what pytest does without any."""
    plugins: tuple[str, ...] = ()
    """The modules that `-p` names in `addopts`."""


class TestFiles:
    """The test files of one tree: by pytest's own patterns, or those of the closest configuration above a file."""

    __test__ = False  # for pytest this is no test

    def __init__(self, program: Program) -> None:
        self._tree = program.tree
        self._collecting = program.linked(COLLECTING)
        self._by_folder: dict[str, _Configured] = {}

    def __contains__(self, path: str) -> bool:
        pattern = self._configured_for(parent_of(path)).pattern
        if pattern.match(path.rpartition("/")[2]) is None or _NOT_ENTERED.search(path) is not None:
            return False
        return not self._collecting.ignores(path)

    def plugins_for(self, path: str) -> tuple[str, tuple[str, ...]]:
        """The modules that pytest is told to load before it looks for tests in the file `path`, with the file of
        configuration that names them."""
        found = self._configured_for(parent_of(path))
        return found.path, found.plugins

    @property
    def plugins(self) -> frozenset[str]:
        """Every module that some configuration of the tree tells pytest to load."""
        return frozenset(plugin for found in self._configured.values() for plugin in found.plugins)

    def _configured_for(self, folder: str) -> _Configured:
        found = self._by_folder.get(folder)
        if found is None:
            found = self._by_folder[folder] = self._closest_to(folder)
        return found

    def _closest_to(self, folder: str) -> _Configured:
        while True:
            if folder in self._configured:
                return self._configured[folder]
            if not folder:
                return _Configured(_joined(_DEFAULT))
            folder = parent_of(folder)

    @cached_property
    def _configured(self) -> Mapping[str, _Configured]:
        """What each folder says that holds a configuration of pytest."""
        found: dict[str, _Configured] = {}
        names = {*_SECTIONS, "pyproject.toml"}
        # In pytest's order: the first of a folder's files that configures it is the only one.
        order = ("pytest.ini", ".pytest.ini", "pyproject.toml", "tox.ini", "setup.cfg")
        wanted = self._tree.named(names)
        contents = dict(self._tree.read_many(wanted, 1 << 20))
        for path in sorted(contents, key=lambda path: order.index(posixpath.basename(path))):
            folder, name = posixpath.split(path)
            if folder not in found:
                said = _in_toml(contents[path]) if name == "pyproject.toml" else _in_ini(name, contents[path])
                if said is not None:
                    patterns, options = said
                    found[folder] = _Configured(_joined(patterns), path, tuple(_plugins_in(options)))
        return found


def _joined(patterns: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(translate(pattern.rpartition("/")[2]) for pattern in patterns))


def _plugins_in(options: str | tuple[str, ...]) -> Iterator[str]:
    """The modules that `-p module` names, given what is added to pytest's command line."""
    try:
        words = shlex.split(options) if isinstance(options, str) else list(options)
    except ValueError:
        return
    for number, word in enumerate(words):
        named = word[2:] or (words[number + 1] if number + 1 < len(words) else "") if word.startswith("-p") else ""
        if named and not named.startswith("no:"):
            yield named.strip()


_Said = tuple[tuple[str, ...], str | tuple[str, ...]]
"""The patterns of a configuration, pytest's own where it has none, and its `addopts`."""


def _in_ini(name: str, content: bytes) -> _Said | None:
    """What an ini file says; None where it does not configure pytest."""
    parser = configparser.RawConfigParser(strict=False, allow_no_value=True)
    try:
        parser.read_string(content.decode("utf-8", "replace"))
    except configparser.Error:
        return None
    section = _SECTIONS[name]
    if not parser.has_section(section):
        return None
    patterns = tuple((parser.get(section, "python_files", fallback="") or "").split()) or _DEFAULT
    return patterns, parser.get(section, "addopts", fallback="") or ""


def _in_toml(content: bytes) -> _Said | None:
    try:
        table: object = tomllib.loads(content.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None
    for key in ("tool", "pytest", "ini_options"):
        table = table.get(key) if isinstance(table, dict) else None
    if not isinstance(table, dict):
        return None
    value = table.get("python_files")
    patterns = tuple(value.split()) if isinstance(value, str) else _texts(value)
    options = table.get("addopts")
    return patterns or _DEFAULT, options if isinstance(options, str) else _texts(options)


def _texts(value: object) -> tuple[str, ...]:
    return tuple(word for word in value if isinstance(word, str)) if isinstance(value, list) else ()
