"""The files that start processes by their nature, and what each of them names."""

from __future__ import annotations

import ast
import configparser
import json
import posixpath
import re
import tomllib
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import msgspec

from guard.entrypoints.commands import Start, Variables, assignments, split, starts_in, starts_of


class Named(msgspec.Struct, frozen=True):
    """What one place of a file starts."""

    line: int
    starts: tuple[Start, ...]
    variables: Variables = {}
    """The environment that it is started with, as far as the file says."""


Reader = Callable[[str], Iterator[Named]]
"""Given a file's text: what it starts. Never raises for what the text holds."""

_VARIABLES: Final = 200
"""So many of a script's variables are remembered at the most."""

_DOCKERFILE: Final = re.compile(r"(^|/)([^/]*[._-])?Dockerfile([._-][^/]*)?$|\.dockerfile$", re.IGNORECASE)
_NO_DOCKERFILE: Final = (".md", ".py", ".txt", ".dockerignore")
_SERVES: Final = re.compile(
    r"^[^#\n]*\b(?:uvicorn\.(?:run|Config)|granian\.Granian|Granian)\(\s*(?:app=|target=)?[\"']([A-Za-z_][\w.]*):\w",
    re.MULTILINE,
)
_UNIT: Final = re.compile(r"(^|/)(supervisord?[^/]*\.(conf|ini)|[^/]+\.supervisor(\.conf)?|[^/]+\.service)$")
_UNIT_LINE: Final = re.compile(r"^(?:command|ExecStart)\s*=\s*[-@:+!]*(.*)")
_INSTRUCTION: Final = re.compile(r"\s*(FROM|CMD|ENTRYPOINT|ENV|ARG)\s+(.*)", re.IGNORECASE | re.DOTALL)
_CONSOLE_SCRIPT: Final = re.compile(r"^\s*[\w.-]+\s*=\s*([A-Za-z_][\w.]*)\s*(?::|$)")


def reader_of(path: str) -> Reader | None:
    """How the file at `path` is read; None for one that starts nothing, or only when another one starts it."""
    name = posixpath.basename(path)
    if _DOCKERFILE.search(path) is not None and not path.endswith(_NO_DOCKERFILE):
        return in_dockerfile
    if name == "Procfile" or name.startswith("Procfile."):
        return in_procfile
    if _UNIT.search(path):
        return in_unit
    return _PROJECT_FILES.get(name)


def in_dockerfile(text: str) -> Iterator[Named]:
    """`ENTRYPOINT` and `CMD` of every stage, each by itself, and the command that both make together."""
    variables: dict[str, str] = {}
    entry: list[str] | None = None
    for line, logical in logical_lines(text):
        match = _INSTRUCTION.match(logical)
        if match is None:
            continue
        keyword, value = match[1].upper(), match[2].strip()
        if keyword == "FROM":
            variables, entry = {}, None
        elif keyword in ("ENV", "ARG"):
            variables.update(_environment(value))
        else:
            words = _exec_form(value)
            starts = list(starts_of(words, variables) if words is not None else starts_in(value, variables))
            if keyword == "ENTRYPOINT":
                entry = words
            elif entry is not None and words is not None:
                starts += starts_of([*entry, *words], variables)
            yield Named(line, tuple(dict.fromkeys(starts)), dict(variables))


def _exec_form(value: str) -> list[str] | None:
    """The words of Docker's JSON form; None for the shell form. Single quotes are what people meant as double ones."""
    if not value.startswith("["):
        return None
    for text in (value, value.replace("'", '"')):
        try:
            listed = json.loads(text)
        except (ValueError, RecursionError):
            continue
        if isinstance(listed, list):
            return [word for word in listed if isinstance(word, str)]
    return None


def _environment(value: str) -> dict[str, str]:
    """`ENV A=b C=d`, and the old `ENV A b`."""
    commands = split(value)
    words = commands[0] if len(commands) == 1 else []
    if len(words) > 1 and "=" not in words[0]:
        return {words[0]: " ".join(words[1:])}
    return assignments(words)


def in_procfile(text: str) -> Iterator[Named]:
    """`web: command`, a line each."""
    for number, line in enumerate(text.splitlines(), 1):
        yield Named(number, tuple(starts_in(line.partition(":")[2])))


def in_unit(text: str) -> Iterator[Named]:
    """supervisor's `command=` and systemd's `ExecStart=`."""
    for number, line in logical_lines(text):
        match = _UNIT_LINE.match(line)
        if match:
            yield Named(number, tuple(starts_in(match[1])))


def in_shell_script(text: str, variables: Variables) -> Iterator[Named]:
    """What a shell script starts, line by line, given the environment that it runs in."""
    known = dict(variables)
    for number, line in logical_lines(text):
        for words in split(line):
            if len(known) < _VARIABLES:
                known.update(assignments(words))
        starts = tuple(starts_in(line, known))
        if starts:
            yield Named(number, starts, dict(known))


def in_pyproject(text: str) -> Iterator[Named]:
    """`[project.scripts]`, `[project.gui-scripts]` and `[tool.poetry.scripts]`."""
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError):
        return
    for keys in (("project", "scripts"), ("project", "gui-scripts"), ("tool", "poetry", "scripts")):
        for value in _table(document, keys).values():
            reference = value.get("reference", value.get("callable")) if isinstance(value, dict) else value
            if isinstance(reference, str):
                yield _console_script(text, reference)


def _table(document: Mapping[str, Any], keys: tuple[str, ...]) -> Mapping[str, Any]:
    for key in keys:
        found = document.get(key)
        if not isinstance(found, dict):
            return {}
        document = found
    return document


def _console_script(text: str, reference: str) -> Named:
    line = next((number for number, row in enumerate(text.splitlines(), 1) if reference in row), 1)
    return Named(line, (Start(reference.partition(":")[0].strip()),))


def in_setup_cfg(text: str) -> Iterator[Named]:
    """`console_scripts` and `gui_scripts` of `[options.entry_points]`."""
    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read_string(text)
    except configparser.Error:
        return
    for kind in ("console_scripts", "gui_scripts"):
        for row in parser.get("options.entry_points", kind, fallback="").splitlines():
            match = _CONSOLE_SCRIPT.match(row)
            if match:
                yield _console_script(text, match[1])


def in_setup_py(text: str) -> Iterator[Named]:
    """`console_scripts` that stand in setup.py as literal strings."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                if isinstance(key, ast.Constant) and key.value in ("console_scripts", "gui_scripts"):
                    yield from _literal_scripts(value)


def _literal_scripts(node: ast.expr) -> Iterator[Named]:
    elements = node.elts if isinstance(node, ast.List | ast.Tuple) else [node]
    for element in elements:
        if isinstance(element, ast.Constant) and isinstance(element.value, str):
            for row in element.value.splitlines():
                match = _CONSOLE_SCRIPT.match(row)
                if match:
                    yield Named(element.lineno, (Start(match[1]),))


def served_in(text: str) -> Iterator[str]:
    """The modules that Python code hands to a server by name, as `uvicorn.run("app.main:app")` does."""
    yield from dict.fromkeys(match[1] for match in _SERVES.finditer(text))


def logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines with their continuations joined and comment lines left out, each with its first line's number."""
    start = 0
    parts: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("#"):
            continue
        if not parts:
            start = number
        continued = line.rstrip().endswith("\\")
        parts.append(line.rstrip().removesuffix("\\"))
        if not continued:
            yield start, " ".join(parts)
            parts = []
    if parts:
        yield start, " ".join(parts)


_PROJECT_FILES: Final[Mapping[str, Reader]] = {
    "pyproject.toml": in_pyproject,
    "setup.cfg": in_setup_cfg,
    "setup.py": in_setup_py,
}
