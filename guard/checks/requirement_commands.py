"""What command lines install: in Dockerfiles, in CI, in the files of tools that run tests."""

from __future__ import annotations

import posixpath
import re
from typing import Final

import msgspec

from guard.checks.requirements import Kind, is_for_developers, named_by_address, normal, requirement_of
from guard.target.base_image import base_image, instructions


class Installs(msgspec.Struct, frozen=True):
    """What commands install."""

    names: frozenset[str] = frozenset()
    """Normalised."""
    files: frozenset[str] = frozenset()
    """Requirements files, by their last part or two."""
    development: bool = False
    """What the project keeps for its developers is installed too."""
    unknown: bool = False
    """More may be installed: a variable stands for it, or the image that all is based on brings it along."""


_INSTALL: Final = re.compile(
    r"\b(?:pip(?:3(?:\.\d+)?)?|uv|conda|mamba|micromamba|poetry|pdm|rye|pixi|easy_install)\b"
    r"(?:[ \t]+(?:pip|global))?(?:[ \t]+-[^\s;&|]+)*[ \t]+(?:install|add|download|wheel)\b([^\n;&|]*)"
)
_SYSTEM: Final = re.compile(r"(?<![\w.-])(?:python3?|py3)-([a-z0-9][a-z0-9.+-]*)")
_TAKES_VALUE: Final = frozenset(
    {
        *("-c", "--constraint", "-i", "--index-url", "--extra-index-url", "-f", "--find-links", "-t", "--target"),
        *("--prefix", "--root", "--platform", "--python-version", "--trusted-host", "-n", "--name", "--proxy", "-p"),
        *("--python", "--cache-dir", "--timeout", "--retries", "--log", "--channel", "--only-binary", "--no-binary"),
        *("--implementation", "--abi", "--src", "--cert", "--progress-bar", "-d", "--dest", "-w", "--wheel-dir"),
    }
)
_WITH_DEVELOPMENT: Final = (
    re.compile(r"\bpoetry[ \t]+install\b(?![^\n;&|]*--(?:no-dev|only|without|main))"),
    re.compile(r"\buv[ \t]+sync\b(?![^\n;&|]*--(?:no-dev|no-default-groups|only-group|no-group))"),
    re.compile(r"\bpipenv[ \t]+(?:install|sync)\b[^\n;&|]*(?:--dev\b|[ \t]-d\b)"),
    re.compile(r"\bpdm[ \t]+(?:install|sync)\b(?![^\n;&|]*--(?:prod|no-dev))"),
)
_PLAIN_IMAGE: Final = re.compile(
    r"^(?:(?:.*/)?(?:python|pypy|debian|ubuntu|alpine|buildpack-deps|fedora|centos|rockylinux|almalinux|amazonlinux|"
    r"busybox|node|nginx|cuda|ruby|golang|openjdk|eclipse-temurin|caddy|postgres|redis|scratch|wolfi-base|"
    r"bitnami/python|bitnami/minideb|ubi\d*(?:-minimal)?|ubi\d*/.*|mariner/base/.*|oraclelinux|archlinux|"
    r"python-\d+|python3?(?:-debian\d+)?|cc-debian\d+|base-debian\d+|uv|lambda/python))(?:[:@].*)?$"
)
_WORDS: Final = re.compile(r"\"[^\"]*\"|'[^']*'|\S+")


def installed_by(text: str) -> Installs:
    """What the commands in a text install, whatever else stands in it."""
    names: set[str] = set()
    files: set[str] = set()
    development = unknown = False
    for match in _INSTALL.finditer(text):
        words = [word.strip("\"'") for word in _WORDS.findall(match[1])]
        number = 0
        while number < len(words):
            word = words[number]
            number += 1
            if word in ("-r", "--requirement", "--requirements") and number < len(words):
                files.add(_tail(words[number]))
                number += 1
            elif word.startswith(("-r", "--requirement=")) and not word.startswith("--re-"):
                files.add(_tail(word.removeprefix("--requirement=").removeprefix("-r")))
            elif word in _TAKES_VALUE:
                number += 1
            elif "$" in word or "{{" in word:
                unknown = unknown or not word.startswith("-")
            elif word.startswith("."):
                extras = re.search(r"\[([^\]]*)\]", word)
                development = development or (extras is not None and is_for_developers(extras[1], extra=True))
            elif not word.startswith("-"):
                found = requirement_of(word, Kind.RUNTIME)
                name = named_by_address(word) or (found.name if found else "")
                if name:
                    names.add(name)
    return Installs(frozenset(names), frozenset(files), development, unknown)


def _tail(path: str) -> str:
    """The last two parts of a path: an image has a file in other folders than the tree."""
    return "/".join(posixpath.normpath(path).split("/")[-2:])


def in_dockerfile(content: bytes) -> Installs:
    """What a Dockerfile installs into the image, the system's packages of Python modules too."""
    text = content.decode("utf-8", "replace")
    runs = "\n".join(line for _, line in instructions(text) if line[:4].upper() == "RUN ")
    found = installed_by(runs)
    system = {normal(name) for name in _SYSTEM.findall(runs)}
    image = base_image(content)
    plain = image is not None and _PLAIN_IMAGE.match(image.statement.removeprefix("FROM ").lower()) is not None
    return Installs(
        found.names | system,
        found.files,
        found.development or any(pattern.search(runs) for pattern in _WITH_DEVELOPMENT),
        found.unknown or not plain,
    )


_CALLED: Final = re.compile(r"\.(?:install|conda_install|run_install)\(([^)]*)\)")
_QUOTED: Final = re.compile(r"[\"']([^\"'\s]+)[\"']")
_ITEM: Final = re.compile(r"^\s*-?\s*[\"']?(?:[\w,.!-]+:\s+)?([A-Za-z0-9][A-Za-z0-9._-]*)[\"']?\s*(?:\[|[<>=!~;].*)?$")
_LISTS: Final = re.compile(r"additional_dependencies:\s*\[([^\]]*)\]")


def is_for_tools(path: str) -> bool:
    """Whether a path is a file of CI or of a tool, in which commands may install what tests and tools need."""
    name = posixpath.basename(path)
    return (
        name in ("tox.ini", "noxfile.py", "Makefile", "justfile", "Justfile", ".pre-commit-config.yaml", "tasks.py")
        or name.endswith((".mk", ".sh", ".bash", ".ps1", ".bat", ".cmd"))
        or (name.endswith((".yml", ".yaml")) and (path.startswith(".") or "ci" in name or "pipeline" in name))
        or "dockerfile" in name.lower()
    )


def for_tools(path: str, content: bytes) -> frozenset[str]:
    """The names that a file of CI or of a tool may install: more than it does, where it cannot be told apart."""
    text = re.sub(r"\\\r?\n", " ", content.decode("utf-8", "replace"))
    names = set(installed_by(text).names)
    name = posixpath.basename(path)
    if name == "noxfile.py":
        for call in _CALLED.finditer(text):
            names.update(_names(_QUOTED.findall(call[1])))
    elif name in ("tox.ini", ".pre-commit-config.yaml"):
        names.update(normal(match[1]) for line in text.splitlines() if (match := _ITEM.match(line)))
        for listed in _LISTS.finditer(text):
            names.update(_names(re.split(r"[\s,\"']+", listed[1])))
    names.update(normal(name) for name in _SYSTEM.findall(text))
    return frozenset(names)


def _names(words: list[str]) -> set[str]:
    return {found.name for word in words if (found := requirement_of(word, Kind.DEV)) is not None}


_SCRIPT: Final = re.compile(r"(?m)^# /// script[ \t]*\r?$((?:\r?\n#[^\r\n]*)*?)\r?\n# ///[ \t]*\r?$")


def has_own_requirements(content: bytes) -> bool:
    """Whether a script lists what it needs itself (PEP 723), or installs it."""
    text = content.decode("utf-8", "replace")
    return (
        _SCRIPT.search(text) is not None
        or re.search(r"\bpip\b[\"',\s]+(?:[\"'-][\w-]+[\"',\s]+)*install\b", text) is not None
    )
