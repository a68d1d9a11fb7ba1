"""What is on disk beside a work tree's files, because git was told to ignore it."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from guard.sources.directory import SKIPPED_FOLDERS
from guard.sources.git import Git
from guard.sources.paths import decode_path, encode_path, is_inside

LIST_IGNORED: Final = ("ls-files", "--others", "--ignored", "--exclude-standard", "--directory", "-z")
_YOUR_OWN: Final = "an ignore file of your own, outside of this repository"


class Ignored(msgspec.Struct, frozen=True):
    """A file that git ignores, and the pattern that says so."""

    path: str
    source: str
    """The file with the pattern, as a path of the tree; or in words, where it is not in the repository."""
    line: int
    pattern: str

    @property
    def in_tree(self) -> bool:
        """Whether `source` is a path of the tree."""
        return self.source.rpartition("/")[2] == ".gitignore"


def importable(printed: bytes) -> Iterator[str]:
    """Of what git ignores, by its topmost paths (`LIST_IGNORED`), that which may hold modules: Python files, and
    folders with names that can be imported, with `/` behind them."""
    for path in decode_path(printed).split("\0"):
        name = path.rstrip("/").rpartition("/")[2]
        if path.endswith("/"):
            if name.isidentifier() and name not in SKIPPED_FOLDERS:
                yield path
        elif path.endswith(".py"):
            yield path


def is_regular(root: str, path: str) -> bool:
    """Whether a regular file is at `path` below `root`, and no link leads there."""
    if not is_inside(path):
        return False
    name = os.fsencode(root)
    parts = encode_path(path).split(b"/")
    for index, part in enumerate(parts, 1):
        name = os.path.join(name, part)
        try:
            mode = os.lstat(name).st_mode
        except (OSError, ValueError):
            return False
        if not (stat.S_ISREG(mode) if index == len(parts) else stat.S_ISDIR(mode)):
            return False
    return True


def find_patterns(git: Git, paths: Iterable[str]) -> dict[str, Ignored]:
    """By path, the pattern for which git ignores it (`git check-ignore`), without paths that it does not ignore."""
    given = b"".join(encode_path(path) + b"\0" for path in paths)
    if not given:
        return {}
    _, printed = git.start("check-ignore", "--verbose", "-z", "--stdin", given=given).wait()
    fields = decode_path(printed).split("\0")[:-1]
    found = {}
    for source, line, pattern, path in zip(fields[::4], fields[1::4], fields[2::4], fields[3::4], strict=False):
        if source and not pattern.startswith("!"):
            found[path] = Ignored(path, _shown(source), int(line) if line.isdigit() else 1, pattern)
    return found


def _shown(source: str) -> str:
    if source.endswith("info/exclude"):
        return ".git/info/exclude"
    if source.rpartition("/")[2] == ".gitignore" and is_inside(source):
        return source
    return _YOUR_OWN
