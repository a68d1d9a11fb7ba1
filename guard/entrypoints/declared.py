"""The entry points that projects declare: console scripts, and what other distributions find by a group's name."""

from __future__ import annotations

import ast
import configparser
import re
import tomllib
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import msgspec

from guard.entrypoints.commands import Start

SCRIPTS: Final = frozenset({"console_scripts", "gui_scripts"})
"""The groups whose entry points are programs."""
_REFERENCE: Final = re.compile(r"([A-Za-z_][\w.]*)\s*(?::\s*([A-Za-z_][\w.]*))?\s*(?:\[[^\]]*\])?")
_LIMIT: Final = 500
"""Characters of a reference. Nobody writes more."""


class Declared(msgspec.Struct, frozen=True):
    """One entry point of a project."""

    line: int
    group: str
    start: Start


def in_pyproject(text: str) -> Iterator[Declared]:
    """`[project.scripts]`, `[project.gui-scripts]`, `[project.entry-points.*]`, and poetry's scripts and plugins."""
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError):
        return
    tables: list[tuple[str, Mapping[str, Any]]] = [
        ("console_scripts", _table(document, "project", "scripts")),
        ("gui_scripts", _table(document, "project", "gui-scripts")),
        ("console_scripts", _table(document, "tool", "poetry", "scripts")),
    ]
    for groups in (_table(document, "project", "entry-points"), _table(document, "tool", "poetry", "plugins")):
        tables += [(group, table) for group, table in groups.items() if isinstance(table, dict)]
    for group, table in tables:
        for value in table.values():
            reference: Any = value.get("reference", value.get("callable")) if isinstance(value, dict) else value
            start = _start(reference) if isinstance(reference, str) else None
            if start is not None:
                yield Declared(_line_of(text, reference), group, start)


def _table(document: Mapping[str, Any], *keys: str) -> Mapping[str, Any]:
    for key in keys:
        found = document.get(key)
        if not isinstance(found, dict):
            return {}
        document = found
    return document


def _start(reference: str) -> Start | None:
    """`module:attribute [extra]`, the latter two or not."""
    match = _REFERENCE.fullmatch(reference.strip()) if len(reference) < _LIMIT else None
    return Start(match[1], attribute=match[2] or "") if match else None


def _start_in_row(row: str) -> Start | None:
    """`name = module:attribute`."""
    name, equals, reference = row.partition("=")
    return _start(reference) if equals and name.strip() and name.strip()[0] not in "#;" else None


def _line_of(text: str, written: str) -> int:
    return next((number for number, row in enumerate(text.splitlines(), 1) if written in row), 1)


def in_setup_cfg(text: str) -> Iterator[Declared]:
    """`[options.entry_points]`."""
    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read_string(text)
        groups = parser.items("options.entry_points") if parser.has_section("options.entry_points") else ()
    except configparser.Error:
        return
    for group, rows in groups:
        for row in (rows or "").splitlines():
            start = _start_in_row(row)
            if start is not None:
                yield Declared(_line_of(text, row), group, start)


def in_setup_py(text: str) -> Iterator[Declared]:
    """What stands in setup.py as literal strings: `entry_points={…}`, and console scripts wherever they are."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    whole = {node.value for node in ast.walk(tree) if isinstance(node, ast.keyword) and node.arg == "entry_points"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                group = key.value if isinstance(key, ast.Constant) else None
                if isinstance(group, str) and (node in whole or group in SCRIPTS):
                    yield from _literal_rows(group, value)


def _literal_rows(group: str, node: ast.expr) -> Iterator[Declared]:
    elements = node.elts if isinstance(node, ast.List | ast.Tuple) else [node]
    for element in elements:
        if isinstance(element, ast.Constant) and isinstance(element.value, str):
            for row in element.value.splitlines():
                start = _start_in_row(row)
                if start is not None:
                    yield Declared(element.lineno, group, start)


DECLARES: Final[Mapping[str, Callable[[str], Iterator[Declared]]]] = {
    "pyproject.toml": in_pyproject,
    "setup.cfg": in_setup_cfg,
    "setup.py": in_setup_py,
}
"""How the files are read that declare entry points, by their names."""
