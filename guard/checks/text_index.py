"""What only git itself can say about line endings: its settings, and what it holds for a file on disk."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from guard.model import EnvironmentFailed
from guard.sources.git import Git
from guard.sources.paths import encode_path

_BATCH: Final = 2_000
"""Paths per git command; far below any limit on a command line."""
_ROW: Final = re.compile(r"i/(\S*) +w/\S* +attr/[^\t]*\t([^\0]+)\0")
_INFO_LIMIT: Final = 1024 * 1024


class Settings(msgspec.Struct, frozen=True):
    """This clone's settings that bear on line endings. The defaults are git's on anything but Windows."""

    autocrlf: str = "false"
    """`core.autocrlf`: `true`, `false` or `input`."""
    eol: str = ""
    """`core.eol`: `lf`, `crlf`; empty for the platform's own."""
    native_crlf: bool = False
    """The platform ends lines with CRLF."""
    info: bytes = b""
    """`$GIT_DIR/info/attributes`."""
    merge_drivers: tuple[str, ...] = ()
    """The names that `merge.<name>.driver` defines."""

    @property
    def text_is_crlf(self) -> bool:
        """Whether text whose `eol` nothing says is checked out with CRLF (`text_eol_is_crlf` in convert.c)."""
        if self.autocrlf in ("true", "input"):
            return self.autocrlf == "true"
        return self.eol == "crlf" or (self.eol != "lf" and self.native_crlf)


def read_settings(git: Git) -> Settings:
    """The settings of the clone. One short git command."""
    status, printed = git.start("config", "-z", "--get-regexp", r"^(core\.(autocrlf|eol)|merge\..*\.driver)$").wait()
    values: dict[str, str] = {}
    if status == 0:
        for entry in printed.decode("utf-8", "surrogateescape").split("\0"):
            name, _, value = entry.partition("\n")
            values[name] = value if "\n" in entry else "true"
    return Settings(
        autocrlf=_autocrlf(values.get("core.autocrlf", "false")),
        eol=values.get("core.eol", "").lower(),
        native_crlf=os.name == "nt",
        info=_info_attributes(git),
        merge_drivers=tuple(
            sorted({name[len("merge.") : -len(".driver")] for name in values if name.startswith("merge.")})
        ),
    )


def _autocrlf(value: str) -> str:
    value = value.lower()
    if value == "input":
        return value
    return "true" if value in ("true", "yes", "on", "1") else "false"


def _info_attributes(git: Git) -> bytes:
    try:
        with open(os.path.join(git.common_dir, "info", "attributes"), "rb") as file:
            return file.read(_INFO_LIMIT)
    except OSError:
        return b""


def staged_endings(git: Git, paths: Sequence[str]) -> Mapping[str, str]:
    """The endings of the blobs that the index holds for `paths`, as `git ls-files --eol` prints them.

    `lf`, `crlf`, `mixed`, `none` or `-text`; a path that is not in the index is left out. Raises EnvironmentFailed.
    """
    found: dict[str, str] = {}
    for start in range(0, len(paths), _BATCH):
        batch = paths[start : start + _BATCH]
        printed = git.run("ls-files", "--eol", "-z", "--", *map(encode_path, batch)).decode("utf-8", "surrogateescape")
        rows = _ROW.findall(printed)
        if len(rows) != printed.count("\0"):
            raise EnvironmentFailed("git ls-files --eol printed what guard cannot read")
        found.update((path, endings) for endings, path in rows)
    return found
