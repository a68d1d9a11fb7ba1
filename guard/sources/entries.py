"""What the index says: one parser of `git ls-files -s --debug -z`, for the trees that start from it."""

# ruff: noqa: PTH116 - pathlib cannot hold a name as bytes, and costs more than the call

from __future__ import annotations

import os
import re
from typing import Final, NamedTuple

from guard.model import EnvironmentFailed
from guard.sources.paths import decode_path

LIST_INDEX: Final = ("ls-files", "-s", "--debug", "-z")
"""`--debug` adds the stat data that git recorded, and the flags. git promises no format for it, so where it
should ever change, entries come without it, and guard hashes the files itself."""

_SKIP_WORKTREE: Final = 1 << 30
_INTENT_TO_ADD: Final = 1 << 29
"""CE_SKIP_WORKTREE and CE_INTENT_TO_ADD in git's read-cache-ll.h."""
_WORD: Final = 0xFFFFFFFF
"""git keeps 32 bits of each number. Only inodes are often larger; a time or size that is, is distrusted."""
_NO_FLAGS: Final = ("", "0")
_BILLION: Final = 1_000_000_000

_ENTRY: Final = re.compile(
    r"(\d+) ([0-9a-f]+) ([0-3])\t([^\0]+)\0"
    r"(?:  ctime: (\d+):(\d+)\n  mtime: (\d+):(\d+)\n  dev: \d+\tino: (\d+)\n  uid: \d+\tgid: \d+\n"
    r"  size: (\d+)\tflags: ([0-9a-f]+)\n)?"
)


_ROW: Final = re.compile(r"(\d+) ([0-9a-f]+) ([0-3])\t([^\0]+)\0(?:  ctime: [^f\0]+flags: ([0-9a-f]+)\n)?")
_UNREADABLE: Final = "git ls-files printed what guard cannot read"


class IndexEntry(NamedTuple):
    """One entry, as text: most of them are only ever compared. What `--debug` gave is empty where it gave nothing."""

    mode: str
    oid: str
    stage: str
    """`0`, or `1` to `3` for the three sides of an unmerged path."""
    path: str
    ctime: str
    ctime_ns: str
    mtime: str
    mtime_ns: str
    inode: str
    size: str
    """Bytes on disk when git last looked, not bytes of the blob."""
    flags: str

    @property
    def skip_worktree(self) -> bool:
        """Left out of a sparse checkout."""
        return self.flags not in _NO_FLAGS and bool(int(self.flags, 16) & _SKIP_WORKTREE)

    def describes(self, status: os.stat_result, index_second: int) -> bool:
        """Whether the file on disk is certainly the one that git recorded.

        As in git's `match_stat_data`, with nanoseconds always compared and, as git does, a file distrusted that
        is as new as the index (`index_second`, in seconds): it may have changed after git had looked.
        """
        return (
            self.size != ""
            and int(self.size) == status.st_size
            and int(self.mtime) * _BILLION + int(self.mtime_ns) == status.st_mtime_ns
            and int(self.ctime) * _BILLION + int(self.ctime_ns) == status.st_ctime_ns
            and int(self.inode) == status.st_ino & _WORD
            and int(self.mtime) < index_second
        )


def is_announced(flags: str) -> bool:
    """Whether an entry with these flags was made by `git add --intent-to-add`: no content is staged, and a commit would
    not hold the path."""
    return flags not in _NO_FLAGS and bool(int(flags, 16) & _INTENT_TO_ADD)


def staged_rows(printed: bytes) -> list[tuple[str, str, str, str, str]]:
    """Mode, id, stage, path and flags of the entries that `LIST_INDEX` printed: what `parse_entries` gives, for those
    who do not look at the disk. Raises EnvironmentFailed for what it cannot be."""
    rows = _ROW.findall(decode_path(printed))
    if len(rows) != printed.count(b"\0"):
        raise EnvironmentFailed(_UNREADABLE)
    return rows


def parse_entries(printed: bytes) -> list[IndexEntry]:
    """The entries that `LIST_INDEX` printed, in git's order. Raises EnvironmentFailed for what it cannot be."""
    entries = [IndexEntry(*fields) for fields in _ENTRY.findall(decode_path(printed))]
    if len(entries) != printed.count(b"\0"):
        raise EnvironmentFailed(_UNREADABLE)
    return entries


def index_second(index_file: str) -> int:
    """When the index was last written, in whole seconds; 0, so that no entry is trusted, where there is none."""
    try:
        return os.stat(index_file).st_mtime_ns // _BILLION
    except OSError:
        return 0
