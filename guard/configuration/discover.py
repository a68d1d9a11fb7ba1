"""Finds the configuration of a tree: which file, what it extends, what the command line adds.

Nothing is judged here but TOML itself; each layer goes on to `guard.configuration.convert`.
"""

from __future__ import annotations

import json
import posixpath
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from guard.configuration.convert import describe, printable
from guard.configuration.patterns import inside
from guard.sources.tree import Tree, Unreadable

FILE: Final = "guard.toml"
PYPROJECT: Final = "pyproject.toml"
COMMAND_LINE: Final = "--config"
SIZE_LIMIT: Final = 1024 * 1024
"""Bytes. Nobody writes a larger configuration, and reading TOML is slow."""

_LINKS: Final = 8
_PLACE: Final = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")

Read = Callable[[str], bytes | None]


class Layer(NamedTuple):
    """One table of settings, as it is written."""

    label: str
    """The file, or `--config`."""
    prefix: str
    """What leads to the table: `tool.guard.` in pyproject.toml."""
    folder: str
    """What patterns and paths are relative to, itself relative to the tree's root."""
    table: Mapping[str, Any]


class Broken(Exception):
    """A configuration file that cannot be used; the message is one line, its place included."""


def find_layers(tree: Tree, start: str, errors: list[str]) -> list[Layer]:
    """The closest configuration of the folder `start`, and what it extends; the layer that wins stands first."""
    read = tree_read(tree)
    folder = start.strip("/")
    while True:
        for name in (FILE, PYPROJECT):
            path = posixpath.join(folder, name)
            if path in tree.files:
                layers = _chain(read, path, inside, errors)
                # One that sets nothing is passed over: an empty file must not undo what stands above it.
                if layers is not None and not (layers and layers[0].label == printable(path) and not layers[0].table):
                    return layers
        if not folder:
            return []
        folder = posixpath.dirname(folder)


def override_layers(overrides: Sequence[str], start: str, errors: list[str]) -> tuple[list[Layer], bool]:
    """The layers of `--config` options, the winning one first; and whether one of them is a file.

    A file stands in place of the tree's own configuration, and its patterns are relative to the tree's root.
    Those of a `KEY=VALUE` are relative to `start`.
    """
    files: list[Layer] = []
    settings: list[Layer] = []
    for option in overrides:
        if "=" in option:
            layer = _setting(option, start.strip("/"), errors)
            settings += [layer] if layer else []
        else:
            path = option.replace("\\", "/") if "\\" in option and not Path(option).exists() else option
            found = _chain(_disk_read, posixpath.normpath(path), _beside, errors)
            if found is None:
                errors.append(f"{printable(option)}: has no [tool.guard] table")
            files = [layer._replace(folder="") for layer in found or []] + files
    return settings[::-1] + files, any("=" not in option for option in overrides)


def _chain(read: Read, path: str, resolve: Callable[[str, str], str | None], errors: list[str]) -> list[Layer] | None:
    """The layer of a file, then those that it extends. None where the file is a pyproject.toml that says nothing."""
    layers: list[Layer] = []
    seen: list[str] = []
    try:
        layer = _layer(read, path)
        if layer is None:
            return None
        while True:
            layers.append(layer)
            seen.append(path)
            extend = layer.table.get("extend")
            if not isinstance(extend, str) or not extend:
                return layers
            where = f"{layer.label}: {layer.prefix}extend"
            base = resolve(extend, posixpath.dirname(path))
            if base is None:
                raise Broken(f'{where}: "{printable(extend)}" leads out of the repository')
            if base in seen:
                circle = " extends ".join([*seen[seen.index(base) :], base])
                raise Broken(f"{where}: {printable(circle)}, a circle")
            path = base
            extended = _layer(read, path, f'{where}: "{printable(extend)}" ')
            if extended is None:
                raise Broken(f'{where}: "{printable(extend)}" has no [tool.guard] table')
            layer = extended
    except Broken as broken:
        errors.append(str(broken))
        return layers


def _layer(read: Read, path: str, wanted_by: str = "") -> Layer | None:
    label = printable(path)
    content = read(path)
    if content is None:
        raise Broken(f"{wanted_by}is not there" if wanted_by else f"{label}: no such file")
    in_project = posixpath.basename(path) == PYPROJECT
    if in_project and b"guard" not in content:
        return None
    table = parse_toml(content, label)
    prefix = ""
    if in_project:
        for key in ("tool", "guard"):
            prefix += f"{key}."
            if key not in table:
                return None
            found = table[key]
            if not isinstance(found, dict):
                raise Broken(f"{label}: {prefix[:-1]}: expected a table, found {describe(found)}")
            table = found
    elif isinstance(table.get("tool"), dict) and "guard" in table["tool"]:
        raise Broken(f"{label}: tool.guard: settings stand at the top level here, without [tool.guard]")
    return Layer(label, prefix, posixpath.dirname(path), table)


def parse_toml(content: bytes, label: str) -> dict[str, Any]:
    """The table of a TOML file. Raises Broken, with line and column."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise Broken(f"{label}:{line}: not UTF-8, as TOML has to be") from error
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        message = str(error)
        place = _PLACE.search(message)
        if place is None or place[1] is None:
            lines = text.rstrip().split("\n")
            line, column = len(lines), len(lines[-1]) + 1
        else:
            line, column = int(place[1]), int(place[2])
        said = message[: place.start()] if place else message
        raise Broken(f"{label}:{line}:{column}: not valid TOML: {printable(said)}") from error
    except RecursionError as error:
        raise Broken(f"{label}: nested too deeply") from error
    except ValueError as error:  # an integer of thousands of digits
        raise Broken(f"{label}: not valid TOML: {error}") from error


def tree_read(tree: Tree) -> Read:
    """Reads configuration from a tree; follows symbolic links to files of the same tree, and no others."""

    def read(path: str) -> bytes | None:
        try:
            with tree.reader() as reader:
                for _ in range(_LINKS):
                    file = tree.files.get(path)
                    if file is None:
                        return None
                    content = reader.read(file, SIZE_LIMIT)
                    if not file.is_link:
                        return content
                    target = inside(content.decode("utf-8", "surrogateescape"), posixpath.dirname(path))
                    if target is None:
                        raise Broken(f"{printable(path)}: is a symbolic link that leads out of the repository")
                    path = target
        except Unreadable as unreadable:
            raise Broken(f"{printable(path)}: {unreadable.problem.message}") from unreadable
        raise Broken(f"{printable(path)}: is a symbolic link that leads to itself")

    return read


def _disk_read(path: str) -> bytes | None:
    try:
        with Path(path).open("rb") as file:
            content = file.read(SIZE_LIMIT + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Broken(f"{printable(path)}: {error.strerror or error}") from error
    if len(content) > SIZE_LIMIT:
        raise Broken(f"{printable(path)}: larger than {SIZE_LIMIT} bytes")
    return content


def _beside(path: str, folder: str) -> str:
    return posixpath.normpath(posixpath.join(folder, path))


def _setting(option: str, start: str, errors: list[str]) -> Layer | None:
    """The layer of one `KEY=VALUE`: VALUE as TOML, or as a string where it is not TOML.

    The Python version is always a string: as a number, 3.10 would be 3.1.
    """
    key, _, value = option.partition("=")
    key, value = key.strip(), value.strip()
    for text in (value, json.dumps(value)):
        try:
            table = tomllib.loads(f"{key} = {text}")
        except (ValueError, RecursionError):
            continue
        if set(table) == {"target-python"} and not isinstance(table["target-python"], str):
            table = {"target-python": value}
        return Layer(COMMAND_LINE, "", start, table)
    errors.append(f'{COMMAND_LINE}: "{printable(option)}" is not KEY=VALUE')
    return None
