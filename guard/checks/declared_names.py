"""Names that a repository declares to be there for code that does not bind them: to linters, and to pyright.

- A stub `__builtins__.pyi`: pyright takes what it declares for builtins. It looks for it as for any module: beside a
  file, and above it; and in `typings`, its folder for stubs.
- ruff's `builtins`, flake8's `builtins`, pylint's `additional-builtins`, each for the folder of the file that says so.

Read when a name is first asked for: in a healthy tree nobody asks.
"""

from __future__ import annotations

import ast
import configparser
import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Final

from guard.checks.roots import parent_of
from guard.configuration.discover import Broken, parse_toml
from guard.sources.tree import Tree

_STUB: Final = "__builtins__.pyi"
_STUBS: Final = "typings"
"""Where pyright looks for stubs, unless it is told otherwise."""
_TOML: Final = frozenset({"pyproject.toml", "ruff.toml", ".ruff.toml"})
_INI: Final = frozenset({"setup.cfg", "tox.ini", ".flake8", ".pylintrc", "pylintrc", "pylint.cfg", "pylint.ini"})
_KEYS: Final = frozenset({"builtins", "additional-builtins"})
_LIMIT: Final = 1 << 20


class DeclaredNames:
    """What one tree declares."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree

    def has(self, path: str, name: str) -> bool:
        """Whether a name is declared for a file."""
        declared = self._declared
        folder = parent_of(path)
        while True:
            if name in declared.get(folder, ()):
                return True
            if not folder:
                return False
            folder = parent_of(folder)

    @cached_property
    def _declared(self) -> Mapping[str, set[str]]:
        """The names by the folder for which they are declared."""
        found: dict[str, set[str]] = {}
        wanted = self._tree.named({_STUB, *_TOML, *_INI})
        for path, content in self._tree.read_many(wanted, _LIMIT):
            folder, _, name = path.rpartition("/")
            if name == _STUB:
                names = set(_in_stub(content))
                folder = parent_of(folder) if folder.rpartition("/")[2] == _STUBS else folder
            elif b"builtins" not in content:
                continue
            else:
                names = set(_in_toml(content, path) if name in _TOML else _in_ini(content))
            if names:
                found.setdefault(folder, set()).update(names)
        return found


def _in_stub(content: bytes) -> Iterator[str]:
    try:
        tree = ast.parse(content)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.alias) and node.asname:
            yield node.asname


def _in_toml(content: bytes, path: str) -> Iterator[str]:
    try:
        table: object = parse_toml(content, path)
    except Broken:
        return
    if path.endswith("pyproject.toml"):
        tools = table.get("tool") if isinstance(table, dict) else None
        tools = tools if isinstance(tools, dict) else {}
        tables = [tools.get("ruff"), tools.get("flake8"), tools.get("pylint")]
        tables += [part for part in _values(tools.get("pylint")) if isinstance(part, dict)]
    else:
        tables = [table]
    for one in tables:
        if isinstance(one, dict):
            yield from (name for key in _KEYS for name in _names(one.get(key)))


def _values(table: object) -> list[object]:
    return list(table.values()) if isinstance(table, dict) else []


def _in_ini(content: bytes) -> Iterator[str]:
    parser = configparser.ConfigParser(interpolation=None, strict=False, allow_no_value=True)
    try:
        parser.read_string(content.decode("utf-8", "replace"))
    except configparser.Error:
        return
    for section in parser.sections():
        for key in _KEYS:
            # Only flake8 says `builtins`, and pylint calls its sections what it likes.
            if key != "builtins" or section == "flake8":
                yield from _names(parser.get(section, key, fallback=None))


def _names(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield from (part for part in re.split(r"[\s,]+", value) if part.isidentifier())
    elif isinstance(value, list):
        yield from (part for part in value if isinstance(part, str) and part.isidentifier())
