"""What a Dockerfile takes out of its context, and what its image runs, as far as the file says so for certain."""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from guard.target.base_image import instructions, python_of, substitute

_BEGINS: Final = re.compile(r"(?:FROM|ARG)\s", re.IGNORECASE)
_FROM: Final = re.compile(r"FROM\s+(?:--\S+\s+)*(\S+)(?:\s+AS\s+(\S+))?\s*", re.IGNORECASE)
_ARG: Final = re.compile(r"ARG\s+(\w+)(?:=(\"[^\"]*\"|'[^']*'|\S*))?\s*", re.IGNORECASE)
_INSTRUCTION: Final = re.compile(r"([A-Za-z]+)\s+(.*)", re.DOTALL)
_FLAG: Final = re.compile(r"--([a-z]+)(?:=(\S*))?\s+")
_MOUNTED: Final = re.compile(r"--mount=\S{0,500}?\bfrom=([^\s,]+)")
_BINDS: Final = re.compile(r"--mount=(?!\S{0,500}\b(?:from=|type=(?:cache|tmpfs|secret|ssh)\b))")
_ARCHIVE: Final = re.compile(r"\.(?:tar|tgz|tbz2?|txz|tar\.\w+)$", re.IGNORECASE)
_FETCHES: Final = re.compile(
    r"\bgit\s+(?:-\S{1,99}\s+){0,9}clone\b|\bsvn\s|\bgsutil\s|\baws\s+s3\b|\bunzip\b|\btar\s|\brsync\b"
)
"""Commands that may bring any file into an image."""
_PLAIN: Final = frozenset(
    {
        *(
            "scratch",
            "alpine",
            "debian",
            "ubuntu",
            "busybox",
            "fedora",
            "rockylinux",
            "almalinux",
            "centos",
            "archlinux",
        ),
        *("amazonlinux", "node", "golang", "rust", "nginx", "httpd", "ruby", "openjdk", "buildpack-deps", "pypy"),
        *("python", "gcc", "postgres", "redis", "continuumio/miniconda3", "mambaorg/micromamba", "nvidia/cuda"),
    }
)
_PLAIN_HOSTS: Final = (
    *("gcr.io/distroless/", "ghcr.io/astral-sh/", "mcr.microsoft.com/", "cgr.dev/chainguard/", "docker/", "astral/"),
    *("registry.access.redhat.com/", "public.ecr.aws/lambda/"),
)
_OFFICIAL: Final = ("docker.io/library/", "docker.io/", "library/", "public.ecr.aws/docker/library/")
_NO_CODE: Final = re.compile(r"[^$<:\"']*\.(?:txt|toml|lock|json|cfg|ini|in|md|ya?ml|sh|sql|pem|crt|conf|csv)\*?")
"""Patterns of paths that are no modules: `requirements*.txt`, `poetry.lock*`."""
_MOST: Final = 1000
"""Instructions of a Dockerfile."""
_SYSTEM: Final = ("/bin", "/sbin", "/usr", "/lib", "/etc", "/opt/uv", "/uv")


class Copy(msgspec.Struct, frozen=True):
    """One `COPY` or `ADD`."""

    line: int
    origin: str
    """The stage or image that it takes from; empty for the context."""
    sources: tuple[str, ...]
    """The paths of the context that it names in so many words, without slashes around them; empty for all of it."""
    prefixes: tuple[str, ...]
    """What its other sources begin with, those with a wildcard or a variable, URLs, and texts in the file itself: the
    paths that they may name. Empty where it has none that may be a module."""
    destination: str
    """Absolute; empty where nobody can tell."""
    into_folder: bool
    """Whether the destination is certainly a folder, by how it is written."""


class Stage(msgspec.Struct, frozen=True):
    """One `FROM` with what stands below it."""

    name: str
    image: str
    """What it is built on, with the defaults of arguments put in."""
    parent: int
    """The stage that it is built on; -1 for an image."""
    needs: frozenset[int]
    """The stages that it takes files from."""
    copies: tuple[Copy, ...]
    commands: str
    """The text of its other instructions, and of what is written into the file for `COPY`."""
    fetches: bool
    """Whether it may hold files that come from elsewhere: from an image that is not well known, an archive, a clone."""
    binds: bool
    """Whether a command sees files of the context that nothing copies."""
    cmd: int
    """The line of its last CMD; 0 for none."""
    entrypoint: int
    folder: str
    """Where its command runs; empty where nobody can tell."""


class Dockerfile(msgspec.Struct, frozen=True):
    """All stages, in their order."""

    stages: tuple[Stage, ...]
    is_too_long: bool = False
    """It has so many instructions that nothing is read of it."""

    def chain(self, target: str) -> tuple[Stage, ...]:
        """The stage that an image is made of, and those that this one is built on; `target` names it, and is empty for
        the last. Empty where there is no such stage."""
        number = self._number(target)
        found = []
        while number >= 0:
            found.append(self.stages[number])
            number = self.stages[number].parent
        return tuple(found)

    def needed(self, target: str) -> tuple[Stage, ...]:
        """The stages that a build of an image makes, in their order."""
        waiting = [self._number(target)]
        seen: set[int] = set()
        while waiting:
            number = waiting.pop()
            if number >= 0 and number not in seen:
                seen.add(number)
                waiting += [self.stages[number].parent, *self.stages[number].needs]
        return tuple(self.stages[number] for number in sorted(seen))

    def starting_lines(self, target: str) -> frozenset[int]:
        """The lines of the ENTRYPOINT and the CMD that hold in an image."""
        cmd = 0
        for stage in self.chain(target):
            cmd = cmd or stage.cmd
            if stage.entrypoint:
                # It takes away the CMD of what its stage is built on.
                return frozenset({cmd, stage.entrypoint} - {0})
        return frozenset({cmd} - {0})

    def _number(self, target: str) -> int:
        if not target:
            return len(self.stages) - 1
        named = [number for number, stage in enumerate(self.stages) if stage.name == target.lower()]
        return named[-1] if named else -1


def read_dockerfile(text: str) -> Dockerfile:
    """The stages of a Dockerfile; what is malformed in it is passed over. None of one that no person has written, and
    of what does not begin as Docker wants it: a program that is called `dockerfile_parser.go`, say."""
    found = list(instructions(text))
    if len(found) > _MOST:
        return Dockerfile((), is_too_long=True)
    if not found or _BEGINS.match(found[0][1]) is None:
        return Dockerfile(())
    lines = text.replace("\r\n", "\n").split("\n")
    ends = [*(line for line, _ in found[1:]), len(lines) + 1][: len(found)]
    arguments: dict[str, str] = {}
    stages: list[_Reading] = []
    for (line, instruction), end in zip(found, ends, strict=True):
        started = _FROM.fullmatch(instruction)
        if started is not None:
            stages.append(_Reading(substitute(started[1].strip("\"'"), arguments), started[2] or "", stages))
        elif stages:
            stages[-1].read(line, instruction, "\n".join(lines[line - 1 : end - 1]))
        elif given := _ARG.fullmatch(instruction):
            arguments[given[1]] = substitute((given[2] or "").strip("\"'"), arguments)
    return Dockerfile(tuple(stage.done() for stage in stages))


class _Reading:
    """A stage while it is read."""

    def __init__(self, image: str, name: str, before: list[_Reading]) -> None:
        self._name, self._image = name.lower(), image
        self._names: Mapping[str, int] = {stage._name: number for number, stage in enumerate(before) if stage._name}
        self._numbers = len(before)
        self._parent = self._names.get(image.lower(), -1)
        self.folder: str = before[self._parent].folder if self._parent >= 0 else ""
        self._needs: set[int] = set()
        self._copies: list[Copy] = []
        self._commands: list[str] = []
        self._fetches = self._parent < 0 and not is_plain(image)
        self._binds = False
        self._cmd = self._entrypoint = 0

    def read(self, line: int, instruction: str, text: str) -> None:
        """Read one instruction; `text` is it as it is written, with what it is given in the file."""
        match = _INSTRUCTION.fullmatch(instruction)
        if match is None:
            return
        keyword, value = match[1].upper(), match[2]
        if keyword == "WORKDIR":
            self.folder = "" if "$" in value else _joined(self.folder, value.strip().strip("\"'"))
        elif keyword in ("COPY", "ADD"):
            self._copy(line, keyword, value, text)
        elif keyword == "CMD":
            self._cmd = line
        elif keyword == "ENTRYPOINT":
            self._entrypoint = line
        else:
            self._commands.append(text)
            self._fetches |= keyword == "RUN" and _FETCHES.search(text) is not None
            self._binds |= keyword == "RUN" and _BINDS.search(text) is not None
            self._needs.update(self._stages_of(_MOUNTED.findall(text)))

    def done(self) -> Stage:
        """The stage, read."""
        return Stage(
            self._name,
            self._image,
            self._parent,
            frozenset(self._needs),
            tuple(self._copies),
            "\n".join(self._commands),
            self._fetches,
            self._binds,
            self._cmd,
            self._entrypoint,
            self.folder,
        )

    def _copy(self, line: int, keyword: str, value: str, text: str) -> None:
        flags: dict[str, str] = {}
        while (flag := _FLAG.match(value)) is not None:
            flags[flag[1]] = flag[2] or ""
            value = value[flag.end() :]
        words = _words(value)
        if len(words) < 2:
            self._fetches = True
            return
        *named, destination = words
        origin = flags.get("from", "")
        into = destination.endswith(("/", ".")) or len(named) > 1
        place = "" if "$" in destination else _joined(self.folder, destination)
        if origin:
            self._commands.append(text)
            known = list(self._stages_of([origin]))
            self._needs.update(known)
            if not known and not is_plain(origin) and not place.startswith(_SYSTEM):
                self._fetches = True
            self._copies.append(Copy(line, origin, (), ("",), place, into))
            return
        plain = [source for word in named if (source := _plain_source(word)) is not None]
        if len(plain) < len(named) or "exclude" in flags or "parents" in flags:
            self._commands.append(text)
        if keyword == "ADD" and any(_ARCHIVE.search(word) or "$" in word or "://" in word for word in named):
            self._fetches = True
        vague = [] if "parents" not in flags else [""]
        vague += [_begin(word) for word in named if _plain_source(word) is None and not _NO_CODE.fullmatch(word)]
        self._copies.append(Copy(line, "", tuple(plain), tuple(vague), place, into))

    def _stages_of(self, names: list[str]) -> Iterator[int]:
        for name in names:
            number = self._names.get(name.lower(), -1)
            if number < 0 and name.isdecimal() and int(name[:6]) < self._numbers:
                number = int(name)
            if number >= 0:
                yield number


def is_plain(image: str) -> bool:
    """Whether an image is one of those that everybody builds on, and so holds nobody's own code."""
    if python_of(image) is not None or image.startswith(_PLAIN_HOSTS):
        return True
    name = image.partition("@")[0]
    for host in _OFFICIAL:
        name = name.removeprefix(host)
    repository = name.rpartition(":")[0] if ":" in name.rpartition("/")[2] else name
    return repository.lower() in _PLAIN


def _words(value: str) -> list[str]:
    """The words of a COPY, of its JSON form too."""
    value = value.strip()
    if value.startswith("["):
        try:
            listed = json.loads(value)
        except (ValueError, RecursionError):
            return value.split()
        if isinstance(listed, list):
            return [word for word in listed if isinstance(word, str)]
    return value.split()


def _plain_source(word: str) -> str | None:
    """A source as a path of the context; None for one that is more or less than a path."""
    if "://" in word or word.startswith(("<<", "git@")) or re.search(r"[$*?\[\]\\\"']", word):
        return None
    path = posixpath.normpath(word.lstrip("/") or ".")
    if path == ".." or path.startswith("../"):
        return None
    return "" if path == "." else path


def _begin(word: str) -> str:
    """What every path begins with that a source may name which is no plain path."""
    if "://" in word or word.startswith(("<<", "git@", "..")):
        return ""
    found = re.match(r"(?:\./|/)*([\w./-]*)", word)
    return found[1] if found is not None and "./" not in found[1] else ""


def _joined(folder: str, path: str) -> str:
    """An absolute path; empty where the folder is not known that a relative one counts from."""
    if not path.startswith("/") and not folder:
        return ""
    return posixpath.normpath(posixpath.join(folder, path))
