"""The oldest Python that a project tells its linters and type checkers of: what they hold its code to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from guard.target.base_image import Version

RUFF: Final = ("ruff.toml", ".ruff.toml")

_NAMED: Final = re.compile(r"py(\d)(\d{1,2})")
_NUMBER: Final = re.compile(r"(\d)\.(\d{1,2})(?!\d)")


def in_pyproject(project: object) -> Iterator[tuple[Version, str, str]]:
    """Each version that the tools of a pyproject.toml are told of, with the key, and what stands there."""
    tools = _table(project, "tool")
    for tool, key in (("ruff", "target-version"), ("black", "target-version")):
        yield from _versions(_table(tools, tool).get(key), _NAMED, key)
    for tool, key in (("mypy", "python_version"), ("pyright", "pythonVersion"), ("basedpyright", "pythonVersion")):
        yield from _versions(_table(tools, tool).get(key), _NUMBER, key)


def in_ruff(settings: object) -> Iterator[tuple[Version, str, str]]:
    """The version that a ruff.toml names."""
    if isinstance(settings, dict):
        yield from _versions(settings.get("target-version"), _NAMED, "target-version")


def _table(parent: object, key: str) -> dict[str, object]:
    found = parent.get(key) if isinstance(parent, dict) else None
    return found if isinstance(found, dict) else {}


def _versions(value: object, pattern: re.Pattern[str], key: str) -> Iterator[tuple[Version, str, str]]:
    for item in value if isinstance(value, list) else [value]:
        found = pattern.fullmatch(item) if isinstance(item, str) else None
        if found and (version := (int(found[1]), int(found[2]))) >= (3, 3):
            yield version, key, f"{key} = {item}"
