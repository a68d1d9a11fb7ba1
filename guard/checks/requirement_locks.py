"""Lock files: every distribution that will be installed, and what depends on what.

They are written by programs, in one shape, and are the largest files of a project: reading TOML of a megabyte takes
half a second, reading its lines a hundredth of that.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Final

from guard.checks.requirements import Kind, Locked, normal

_PACKAGE: Final = re.compile(r"^\[\[packages?\]\]\s*$")
_SECTION: Final = re.compile(r"^\[+(.+?)\]+\s*$")
_STRING: Final = re.compile(r'^(name|version|category)\s*=\s*"([^"]*)"')
_KEY: Final = re.compile(r'^"?([A-Za-z0-9][A-Za-z0-9._-]*)"?\s*=')
_NEED: Final = re.compile(r'^\s*(?:\{\s*name\s*=\s*"([^"]+)"|"([A-Za-z0-9][A-Za-z0-9._-]*))')
_INLINE: Final = re.compile(r'\{\s*name\s*=\s*"([^"]+)"|(?<=[\[,])\s*"([A-Za-z0-9][A-Za-z0-9._-]*)')


def locked_in(name: str, text: str) -> tuple[Locked, ...]:
    """The distributions of the lock file called `name`; as many as can be read."""
    return tuple(_in_pipfile_lock(text) if name == "Pipfile.lock" else _in_packages(text))


def _in_packages(text: str) -> Iterator[Locked]:
    """poetry.lock, uv.lock, pdm.lock and pylock.toml: `[[package]]` by `[[package]]`."""
    for block in re.split(r"(?m)^(?=\[\[packages?\]\]\s*$)", text):
        lines = block.splitlines()
        if not lines or not _PACKAGE.match(lines[0]):
            continue
        values: dict[str, str] = {}
        needs: list[str] = []
        section = ""
        listing = False
        for line in lines[1:]:
            if listing:
                if line.startswith("]"):
                    listing = False
                elif match := _NEED.match(line):
                    needs.append(match[1] or match[2])
                continue
            if found := _SECTION.match(line):
                section = found[1]
            elif section:
                # Poetry has a table of dependencies; uv one of groups, which say what developers need.
                if section == "package.dependencies" and (match := _KEY.match(line)):
                    needs.append(match[1])
            elif match := _STRING.match(line):
                values[match[1]] = match[2]
            elif line.startswith("dependencies = ["):
                listing = not line.rstrip().endswith("]")
                needs += [match[1] or match[2] for match in _INLINE.finditer(line)]
        if values.get("name"):
            kind = Kind.DEV if values.get("category") == "dev" else None
            yield Locked(normal(values["name"]), values.get("version", ""), tuple(map(normal, needs)), kind)


def _in_pipfile_lock(text: str) -> Iterator[Locked]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return
    for section in document if isinstance(document, dict) else ():
        packages = document[section]
        if section.startswith("_") or not isinstance(packages, dict):
            continue
        kind = {"default": Kind.RUNTIME, "develop": Kind.DEV}.get(section, Kind.EXTRA)
        for name, entry in packages.items():
            version = entry.get("version", "") if isinstance(entry, dict) else ""
            yield Locked(normal(name), str(version).removeprefix("=="), (), kind)
