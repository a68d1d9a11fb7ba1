"""The Python of a conda environment: what its `environment.yml`, or a command of a Dockerfile, asks for.

The form of a package is that of conda's match specifications: `python=3.12` is any 3.12, `python==3.12.1` that one,
`python=3.12.1=h5499902_0` a build of it, `conda-forge::python >=3.10,<3.13` a range.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from guard.target.base_image import Version, instructions
from guard.target.specifiers import lowest_minor

NAMES: Final = ("environment.yml", "environment.yaml")

_LISTED: Final = re.compile(r"""[ \t]*-[ \t]+(["']?)(?:[\w./-]+::)?python(?![\w-])([^"'#]*)\1[ \t]*(?:\#.*)?$""")
_DEPENDENCIES: Final = re.compile(r"dependencies[ \t]*:")
_ASKED: Final = re.compile(r"""(?<![\w:./-])(?:[\w-]+::)?python(={1,2}[\w.*=]+)""")
_COMMAND: Final = re.compile(r"\b(?:conda|mamba|micromamba)\b[^;&|]{0,200}?\b(?:create|install)\b([^;&|]*)")
_EXACT: Final = re.compile(r"^={0,2}\s*(3(?:\.\d+){0,2})(?:\.?\*)?(?:=\S*)?$")
_BETWEEN: Final = re.compile(r"""[\s"',=\[\]]+""")
_LONGEST: Final = 200
"""Characters of a line that may ask for a package."""


class Asked(NamedTuple):
    """A Python that an environment asks for."""

    version: Version
    """The lowest that it may get."""
    pinned: bool
    """It can get no other minor version."""
    line: int
    said: str


def in_environment(content: bytes) -> Asked | None:
    """What an environment file asks for; None where that is no Python, or any."""
    inside = False
    for number, line in enumerate(content.decode("utf-8", "replace").splitlines(), 1):
        if line[:1] not in (" ", "\t", "-", "#", ""):
            inside = _DEPENDENCIES.match(line) is not None
        found = _LISTED.match(line) if inside and len(line) <= _LONGEST else None
        if found:
            return _asked(found[2].strip(), number, f"python{found[2].rstrip()}")
    return None


def in_dockerfile(content: bytes) -> Asked | None:
    """What the last command of a Dockerfile that makes, or changes, an environment asks for."""
    last: Asked | None = None
    for line, instruction in instructions(content.decode("utf-8", "replace")):
        if instruction[:4].upper() != "RUN ":
            continue
        for command in _COMMAND.finditer(instruction):
            for found in _ASKED.finditer(command[1]):
                last = _asked(found[1], line, f"RUN … python{found[1]}") or last
    return last


def named_in(content: bytes) -> Iterator[str]:
    """The YAML files that a Dockerfile names, as it writes them."""
    words = _BETWEEN.split(content.decode("utf-8", "replace"))
    yield from dict.fromkeys(word for word in words if word.endswith((".yml", ".yaml")))


def _asked(specifier: str, line: int, said: str) -> Asked | None:
    exact = _EXACT.match(specifier)
    version = lowest_minor(f"=={exact[1]}.*" if exact else specifier)
    return Asked(version, exact is not None and "." in exact[1], line, said) if version else None
