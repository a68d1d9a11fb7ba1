"""The Python of a Dockerfile: which base image its last stage is built on, and which Python that one holds.

The form of Dockerfiles is that of Docker's reference (docs.docker.com/reference/dockerfile): parser
directives, continuation lines, heredocs, ARG before the first FROM, stages by name.
"""

from __future__ import annotations

import bisect
import re
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

Version = tuple[int, int]

_ESCAPE: Final = re.compile(r"^#\s*escape\s*=\s*(\S)\s*$", re.IGNORECASE)
_DIRECTIVE: Final = re.compile(r"^#\s*\w+\s*=")
_HEREDOC: Final = re.compile(r"(?<!<)<<-?([\"']?)([A-Za-z_]\w*)\1")
_FROM: Final = re.compile(r"^FROM\s+(?:--\S+\s+)*(\S+)(?:\s+AS\s+(\S+))?\s*$", re.IGNORECASE)
_ARG: Final = re.compile(r"(\w+)(?:=(\"[^\"]*\"|'[^']*'|\S*))?")
_VARIABLE: Final = re.compile(r"\$(?:(\w+)|\{(\w+)(?:(:?[-+])([^{}]*))?\})")
_IN_TAG: Final = re.compile(r"(?:^|[-_.])(?:python|py)-?(\d)\.(\d{1,2})(?![0-9])")
_TAG: Final = re.compile(r"^v?(\d)\.(\d{1,2})(?![0-9])")

_BRINGS: Final = re.compile(r"--mount\b|\bclone\b")
"""Ways for the tree's code to come into an image that no `COPY` brings."""
_COMPUTED: Final = frozenset("$*?[<:")


class BaseImage(NamedTuple):
    """The image that a Dockerfile's last stage is built on."""

    line: int
    """Of the FROM that names it."""
    statement: str
    """That FROM as a person reads it: `FROM python:3.11-slim`, with its arguments put in."""
    python: Version | None
    """None where the image does not say which Python it holds."""


class _Stage(NamedTuple):
    line: int
    image: str


def base_image(content: bytes) -> BaseImage | None:
    """The base image of the last stage; None where there is no stage, or its name is not known."""
    arguments: dict[str, str] = {}
    stages: dict[str, _Stage] = {}
    last: _Stage | None = None
    for line, instruction in instructions(content.decode("utf-8", "replace")):
        keyword = instruction[:5].upper()
        if keyword.startswith("ARG") and last is None:
            for name, value in _ARG.findall(instruction[4:]):
                arguments[name] = substitute(value.strip("\"'"), arguments)
        elif keyword.startswith("FROM"):
            found = _FROM.match(instruction)
            if found is None:
                last = _Stage(line, "")
                continue
            image = substitute(found[1].strip("\"'"), arguments)
            # A stage's name is looked up among those above it: `FROM python AS python` is the image.
            last = stages.get(image.lower()) or _Stage(line, image)
            if found[2]:
                stages[found[2].lower()] = last
    if last is None or not last.image:
        return None
    return BaseImage(last.line, f"FROM {last.image}", python_of(last.image))


def copied_from_context(content: bytes) -> tuple[str, ...] | None:
    """What a Dockerfile's `COPY` and `ADD` take out of its context, as they are written; None where that cannot be
    told, or where code may come otherwise."""
    sources: list[str] = []
    for _, instruction in instructions(content.decode("utf-8", "replace")):
        keyword, _, rest = instruction.partition(" ")
        if keyword.upper() in ("COPY", "ADD"):
            taken = _sources(rest)
            if taken is None:
                return None
            sources += taken
        elif keyword.upper() == "RUN" and _BRINGS.search(rest):
            return None
    return tuple(sources)


def _sources(text: str) -> list[str] | None:
    """The sources of one `COPY`; None where some are computed."""
    words = text.split()
    while words and words[0].startswith("--"):
        if words.pop(0).startswith("--from"):
            return []
    joined = " ".join(words)
    if joined.startswith("["):
        words = [word.strip(" \"'") for word in joined.strip("[]").split(",")]
    return None if any(set(word) & _COMPUTED for word in words) else words[:-1]


def instructions(text: str) -> Iterator[tuple[int, str]]:
    """Each instruction of a Dockerfile with its first line, in one line, without comments and heredocs."""
    lines = text.replace("\r\n", "\n").split("\n")
    escape = "\\"
    for directive in lines:
        if not _DIRECTIVE.match(directive):
            break
        found = _ESCAPE.match(directive)
        escape = found[1] if found else escape
    endings = _places(lines)
    number = 0
    while number < len(lines):
        first = 0
        parts: list[str] = []
        while number < len(lines):
            line = lines[number].strip()
            number += 1
            if not line or line.startswith("#"):
                continue
            first = first or number
            parts.append(line.removesuffix(escape).strip())
            if not line.endswith(escape):
                break
        instruction = " ".join(parts).strip()
        if instruction[:4].upper() in ("RUN ", "COPY", "ADD "):
            for word in _HEREDOC.findall(instruction):
                places = endings.get(word[1], [])
                after = bisect.bisect_left(places, number)
                number = places[after] + 1 if after < len(places) else number
        if instruction:
            yield first, instruction


def _places(lines: list[str]) -> dict[str, list[int]]:
    """Where each line that could end a heredoc stands, from 0."""
    places: dict[str, list[int]] = {}
    for number, line in enumerate(lines):
        if line.strip("\t").isidentifier():
            places.setdefault(line.strip("\t"), []).append(number)
    return places


def substitute(text: str, arguments: Mapping[str, str]) -> str:
    """`text` with `$NAME`, `${NAME}`, `${NAME:-default}` and `${NAME:+other}` put in.

    A name that has no value becomes empty, as Docker has it; the image is then not known.
    """

    def value(match: re.Match[str]) -> str:
        found = arguments.get(match[1] or match[2], "")
        if match[3] in (":-", "-"):
            return found or match[4]
        if match[3] in (":+", "+"):
            return match[4] if found else ""
        return found

    return _VARIABLE.sub(value, text)


def python_of(image: str) -> Version | None:
    """The Python that an image's name promises: `python:3.11-slim`, `tiangolo/uvicorn:python3.11`.

    Any registry and any folder before `python:` counts, since that is how mirrors name the official image.
    None where no minor version is promised: `python`, `python:3`, a digest alone, another image; and for
    numbers that no Python has, which are those of somebody's own image.
    """
    name = image.partition("@")[0]
    repository, _, tag = name.rpartition(":") if ":" in name.rpartition("/")[2] else (name, "", "")
    found = _IN_TAG.search(tag)
    if found is None and repository.rpartition("/")[2].lower() in ("python", "pypy"):
        found = _TAG.match(tag)
    version = (int(found[1]), int(found[2])) if found else (0, 0)
    return version if version == (2, 7) or (3, 3) <= version < (4, 0) else None
