"""The files that start processes by their nature, and what each of them names."""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Final

import msgspec

from guard.entrypoints.commands import (
    PROGRAMS,
    Start,
    Variables,
    assignments,
    is_shell,
    split,
    starts_in,
    starts_of,
)
from guard.entrypoints.declared import DECLARES, SCRIPTS, Declared


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

_DOCKERFILE: Final = re.compile(r"(.*[._-])?dockerfile([._-].*)?$|.*\.dockerfile$", re.DOTALL)
_NO_DOCKERFILE: Final = (".md", ".py", ".txt", ".dockerignore")
_SERVES: Final = re.compile(
    r"^[^#\n]*\b(?:uvicorn\.(?:run|Config)|granian\.Granian|Granian)\(\s*(?:app=|target=)?[\"']([A-Za-z_][\w.]*):\w",
    re.MULTILINE,
)
_UNIT: Final = re.compile(r"(supervisord?.*\.(conf|ini)|.+\.supervisor(\.conf)?|.+\.service)$", re.DOTALL)
_UNIT_LINE: Final = re.compile(r"^(?:command|ExecStart)\s*=\s*[-@:+!]*(.*)")
_INSTRUCTION: Final = re.compile(r"\s*(FROM|CMD|ENTRYPOINT|ENV|ARG)\s+(.*)", re.IGNORECASE | re.DOTALL)
_MODULE_STARTER: Final = re.compile(rf"\b({'|'.join(sorted(PROGRAMS))})\b|\s-[A-Za-z]*m\s")
_SETS_VARIABLE: Final = re.compile(r"\s*(export\s+|declare\s+|local\s+)?[A-Za-z_]\w*=")
_BUILD_STEP: Final = re.compile(
    r"\s*(RUN|HEALTHCHECK(?:\s+--\S+)*\s+CMD)\s+(?:--\S+\s+)*(.*)", re.IGNORECASE | re.DOTALL
)


def reader_of(path: str) -> Reader | None:
    """How the file at `path` is read; None for one that starts nothing, or only when another one starts it."""
    name = posixpath.basename(path)
    if is_dockerfile(name):
        return in_dockerfile
    if name == "Procfile" or name.startswith("Procfile."):
        return in_procfile
    if _UNIT.match(name):
        return in_unit
    declares = DECLARES.get(name)
    return None if declares is None else partial(in_project, declares)


def is_dockerfile(name: str) -> bool:
    """Whether a file is a Dockerfile, by its name without folders."""
    lower = name.lower()  # most names are told by this at once, and there are many
    return "dockerfile" in lower and _DOCKERFILE.match(lower) is not None and not name.endswith(_NO_DOCKERFILE)


def other_reader_of(path: str) -> Reader | None:
    """How the file at `path` is read for what starts no deployed process; None where there is no such thing in it."""
    if is_shell(path):
        return in_unstarted_script
    name = posixpath.basename(path)
    if is_dockerfile(name):
        return in_build
    declares = DECLARES.get(name)
    return None if declares is None else partial(plugins_in, declares)


def in_unstarted_script(text: str) -> Iterator[Named]:
    """The modules that a shell script starts which nobody is known to start. There are many, and few start any."""
    if _MODULE_STARTER.search(text) is None:
        return
    known: dict[str, str] = {}
    for number, line in logical_lines(text):
        if _MODULE_STARTER.search(line):
            yield Named(number, tuple(starts_in(line, known)))
        elif _SETS_VARIABLE.match(line) and len(known) < _VARIABLES:
            for words in split(line):
                known.update(assignments(words))


def in_build(text: str) -> Iterator[Named]:
    """The commands that a Dockerfile runs while it builds, and its health check."""
    for line, logical in logical_lines(text):
        match = _BUILD_STEP.match(logical)
        if match and not match[2].startswith("<<"):
            words = _exec_form(match[2])
            yield Named(line, tuple(starts_of(words) if words is not None else starts_in(match[2])))


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


def in_project(declares: Callable[[str], Iterator[Declared]], text: str) -> Iterator[Named]:
    """The programs that a project's file declares."""
    yield from (Named(one.line, (one.start,)) for one in declares(text) if one.group in SCRIPTS)


def plugins_in(declares: Callable[[str], Iterator[Declared]], text: str) -> Iterator[Named]:
    """The entry points of a project's file that are no programs."""
    yield from (Named(one.line, (one.start,)) for one in declares(text) if one.group not in SCRIPTS)


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
