"""The packages of an environment: a folder of installed modules, listed and read as far as somebody asks.

Nothing in it is followed, run or imported. Every look is remembered with what was seen, so that a later run can ask
whether it would see the same.
"""

# ruff: noqa: PTH112, PTH208 - places are joined as bytes, since pathlib cannot hold a name as bytes

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Mapping
from typing import Final

import msgspec

from guard.sources.disk import read_regular
from guard.sources.paths import decode_path, encode_path
from guard.sources.tree import Unreadable

FILE: Final = "file"
FOLDER: Final = "folder"
OTHER: Final = "other"
"""A link, a socket: not looked into."""

_LIMIT: Final = 8 * 1024 * 1024
"""Bytes of one file."""
_PYTHON: Final = re.compile(r"^python(\d)\.(\d{1,2})t?$")
_METADATA: Final = re.compile(r"^(?P<name>[A-Za-z0-9][\w.]*?)-(?P<version>\d[^-]*)(?:-py\d[\d.]*)?\.(?:dist|egg)-info$")


class Distribution(msgspec.Struct, frozen=True, order=True):
    """One installed distribution."""

    name: str
    """Normalised."""
    version: str
    folder: str
    """Where its metadata stands, below the folder of installed modules."""


class SitePackages:
    """One folder of installed modules."""

    def __init__(self, folder: str, label: str) -> None:
        self.folder: Final = folder
        """On disk."""
        self.label: Final = label
        """What a person calls the environment; never a path of the machine."""
        self.looks: dict[str, str] = {}
        """What was looked at, with a digest of what was seen: `l:` and a folder, `r:` and a file."""
        self._listed: dict[str, Mapping[str, str]] = {}
        self._distributions: tuple[Distribution, ...] | None = None
        self._files: dict[str, frozenset[str]] = {}

    def entries(self, path: str = "") -> Mapping[str, str]:
        """What stands in a folder, by name: `FILE`, `FOLDER` or `OTHER`; nothing where there is no such folder."""
        found = self._listed.get(path)
        if found is None:
            found = self._listed[path] = self._list(path)
            text = "\0".join(f"{name}\0{kind}" for name, kind in found.items())
            self.looks[f"l:{path}"] = _digest(text.encode("utf-8", "surrogateescape"))
        return found

    def read(self, path: str) -> bytes | None:
        """The bytes of a file; None where it cannot be read."""
        content: bytes | None
        try:
            content = read_regular(os.path.join(os.fsencode(self.folder), encode_path(path)), path, _LIMIT)
        except Unreadable:
            content = None
        self.looks[f"r:{path}"] = _digest(content) if content is not None else ""
        return content

    def sees_the_same(self, looks: Mapping[str, str]) -> bool:
        """Whether looking again shows what it showed before."""
        for key in looks:
            if key.startswith("l:"):
                self.entries(key[2:])
            else:
                self.read(key[2:])
        return all(self.looks.get(key) == digest for key, digest in looks.items())

    def _list(self, path: str) -> Mapping[str, str]:
        place = os.path.join(os.fsencode(self.folder), encode_path(path)) if path else os.fsencode(self.folder)
        found: dict[str, str] = {}
        try:
            if path and not stat.S_ISDIR(os.lstat(place).st_mode):
                return {}
            with os.scandir(place) as scan:
                for entry in scan:
                    kind = OTHER
                    if entry.is_dir(follow_symlinks=False):
                        kind = FOLDER
                    elif entry.is_file(follow_symlinks=False):
                        kind = FILE
                    if entry.name != b"__pycache__":
                        found[decode_path(entry.name)] = kind
        except OSError:
            return {}
        return dict(sorted(found.items()))

    # Distributions

    @property
    def distributions(self) -> tuple[Distribution, ...]:
        """What is installed, by the names of the metadata folders."""
        if self._distributions is None:
            found = []
            for name in self.entries():
                match = _METADATA.match(name)
                if match:
                    normalised = re.sub(r"[-_.]+", "-", match["name"]).lower()
                    found.append(Distribution(normalised, match["version"], name))
            self._distributions = tuple(sorted(found))
        return self._distributions

    def files_of(self, distribution: Distribution) -> frozenset[str]:
        """The paths that a distribution's metadata lists; nothing where it lists none."""
        known = self._files.get(distribution.folder)
        if known is None:
            known = self._files[distribution.folder] = frozenset(self._recorded(distribution))
        return known

    def _recorded(self, distribution: Distribution) -> set[str]:
        for name in ("RECORD", "installed-files.txt"):
            content = self.read(f"{distribution.folder}/{name}")
            if content is None:
                continue
            found: set[str] = set()
            for line in content.decode("utf-8", "replace").splitlines():
                path = line.rpartition(",")[0].rpartition(",")[0] if name == "RECORD" else line.removeprefix("../")
                path = path.strip('"').replace("\\", "/")
                if path and not path.startswith(("..", "/")):
                    found.add(path)
            return found
        return set()

    def text_of(self, distribution: Distribution, name: str) -> str:
        """A file of a distribution's metadata, as text; empty where there is none."""
        content = self.read(f"{distribution.folder}/{name}")
        return content.decode("utf-8", "replace") if content is not None else ""


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:24]


def site_packages_in(environment: str, version: tuple[int, int]) -> str | None:
    """The folder of installed modules of the environment in a folder on disk; of several, the one for `version`."""
    windows = os.path.join(environment, "Lib", "site-packages")
    if os.path.isdir(windows):
        return windows
    found: list[tuple[tuple[int, int], str]] = []
    try:
        names = sorted(os.listdir(os.path.join(environment, "lib")))
    except OSError:
        names = []
    for name in names:
        match = _PYTHON.match(name)
        place = os.path.join(environment, "lib", name, "site-packages")
        if match and os.path.isdir(place):
            found.append(((int(match[1]), int(match[2])), place))
    if not found:
        return None
    return next((place for python, place in found if python == version), found[-1][1])
