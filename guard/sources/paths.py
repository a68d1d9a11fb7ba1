"""Names of files, as git and disks give them: bytes. Inside guard they are `str`, the same on every machine."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

_NEVER_A_NAME: Final = re.compile(r"(?:^|/)(?:\.{0,2}|\.[gG][iI][tT])(?:/|$)")


def decode_path(raw: bytes) -> str:
    """A path as guard holds it: UTF-8, with any other byte as a surrogate, whatever the locale is."""
    return raw.decode("utf-8", "surrogateescape")


def encode_path(path: str) -> bytes:
    """The bytes of a path from `decode_path`, for calls of the operating system."""
    return path.encode("utf-8", "surrogateescape")


def is_inside(path: str) -> bool:
    """Whether a path that a repository names can be a file of its tree.

    False for what git refuses to check out (`verify_path` in its read-cache.c): an absolute path, an empty
    part, `.`, `..` and `.git`. Such names come only from a repository that was made to do harm.
    """
    # Nearly every path is settled without the expression.
    if "/." in path or "//" in path or path[:1] in ("", ".", "/") or path[-1] == "/":
        return _NEVER_A_NAME.search(path) is None
    return True


def leaves_tree(path: str, target: str) -> bool:
    """Whether the symbolic link `path`, read as text, points out of the tree that it stands in."""
    if target.startswith("/"):
        return True
    depth = path.count("/")
    for part in target.split("/"):
        if part == "..":
            depth -= 1
        elif part not in ("", "."):
            depth += 1
        if depth < 0:
            return True
    return False


def folders_above(path: str) -> Iterator[str]:
    """The folders that a path stands in, outermost first: `a`, `a/b` for `a/b/c`."""
    end = path.find("/")
    while end != -1:
        yield path[:end]
        end = path.find("/", end + 1)
