"""Facts and results by content, in one SQLite file that belongs to the user, not to the checked repository.

The cache may be lost, locked, damaged, full or written by another version at any time; then guard is slower and
says so once. What is read back is checked before it is believed. Nothing in it can run code: values are
msgpack, never pickle.
"""

from __future__ import annotations

import os
import sqlite3
import sys
import time
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

_SCHEMA: Final = 2
_PAGE: Final = 16 * 1024
"""Bytes. Most values fit into one such page, which makes reading and writing them cheaper than with SQLite's 4 KiB."""
_SIZE_LIMIT: Final = 2 * 1024**3
"""Bytes. A larger file is begun anew: cheaper than keeping books on what is old."""
_ERRORS: Final = (sqlite3.Error, UnicodeDecodeError)
"""What sqlite3 raises for a damaged file. It decodes SQLite's messages, which may quote bytes of that file."""
_AT_ONCE: Final = 500
"""Keys a query; SQLite's oldest limit on variables is 999."""


def default_path() -> Path:
    """Where the cache is: `GUARD_CACHE_DIR`, else the platform's folder for caches.

    Raises RuntimeError where the user has no home.
    """
    chosen = os.environ.get("GUARD_CACHE_DIR")
    if chosen:
        return Path(chosen) / "facts.db"
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or _home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = _home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME", ""))
        if not base.is_absolute():  # the XDG specification has such a path ignored
            base = _home() / ".cache"
    return base / "guard" / "facts.db"


def _home() -> Path:
    home = Path.home()
    if not home.is_absolute():
        raise RuntimeError("HOME is not absolute")  # the cache would lie in whatever folder is checked
    return home


def open_default() -> Cache:
    """The user's cache; one that remembers nothing, and says so, where there is no place for it."""
    try:
        return Cache(default_path())
    except RuntimeError:
        return Cache(None, "no home folder for the cache (set GUARD_CACHE_DIR); this run goes on without it")


class Cache:
    """A map from key to bytes. Every method may be called whatever the state of the file; none raises for it."""

    def __init__(self, path: Path | None, complaint: str = "") -> None:
        """Open, or create, the cache at `path`; None is a cache that remembers nothing."""
        self._path = path
        self._complaint = complaint
        self._connection: sqlite3.Connection | None = None
        if path is not None:
            try:
                self._connection = self._open(path)
            except (*_ERRORS, OSError) as error:
                self._give_up(error)

    @property
    def complaint(self) -> str:
        """What was wrong with the cache, in one line; empty while nothing was."""
        return self._complaint

    def get_many(self, keys: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        """The values that are there, with their keys, in no particular order."""
        for start in range(0, len(keys), _AT_ONCE):
            if self._connection is None:
                return
            some = keys[start : start + _AT_ONCE]
            marks = ",".join("?" * len(some))
            try:
                rows = self._connection.execute(
                    f"SELECT key, sum, value FROM entries WHERE key IN ({marks})", some
                ).fetchall()
            except _ERRORS as error:
                self._failed(error)
                return
            damaged = False
            for key, checksum, value in rows:
                if isinstance(value, bytes) and zlib.crc32(value) == checksum:
                    yield key, value
                else:
                    damaged = True
            if damaged:
                self._begin_anew(sqlite3.DatabaseError("an entry does not match its checksum"))

    def get(self, key: str) -> bytes | None:
        """One value; None where it is not there."""
        return next((value for _, value in self.get_many([key])), None)

    def put_many(self, entries: Iterable[tuple[str, bytes]]) -> None:
        """Remember values, in one transaction."""
        if self._connection is None:
            return
        rows = [(key, zlib.crc32(value), value) for key, value in entries]
        try:
            with self._connection:
                self._connection.executemany("INSERT OR REPLACE INTO entries (key, sum, value) VALUES (?, ?, ?)", rows)
        except _ERRORS as error:
            self._failed(error)

    def distrust(self) -> None:
        """Forget everything: what was read back is not what it was taken for."""
        self._begin_anew(sqlite3.DatabaseError("an entry is not what its key says"))

    def close(self) -> None:
        """Close the file. The cache forgets nothing."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _open(self, path: Path) -> sqlite3.Connection:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not any(path.parent.iterdir()):
            # A CI system that keeps only what is in the checkout has it there; it must not become a part of the tree.
            (path.parent / ".gitignore").write_text("*\n")
        if path.exists() and path.stat().st_size > _SIZE_LIMIT:
            _remove(path)
        try:
            return self._connect(path)
        except _ERRORS as error:
            if _is_no_damage(error):
                raise
            self._complain(f"the cache was damaged ({error}) and is begun anew")
            _remove(path)
            return self._connect(path)

    @staticmethod
    def _connect(path: Path) -> sqlite3.Connection:
        connection = sqlite3.connect(path, timeout=5.0)
        try:
            connection.execute(f"PRAGMA page_size={_PAGE}")
            connection.execute("PRAGMA journal_mode=WAL")
            # A run that is killed may lose its last entries, never the file.
            connection.execute("PRAGMA synchronous=NORMAL")
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version not in (0, _SCHEMA):
                connection.execute("DROP TABLE IF EXISTS entries")
            # With rows of its own, so that a search for a key does not pass through the values of others.
            connection.execute(
                "CREATE TABLE IF NOT EXISTS entries (key TEXT PRIMARY KEY, sum INTEGER NOT NULL, value BLOB NOT NULL)"
            )
            connection.execute(f"PRAGMA user_version={_SCHEMA}")
            connection.execute("SELECT key, sum, value FROM entries LIMIT 1").fetchone()
            connection.commit()
        except BaseException:
            connection.close()
            raise
        return connection

    def _failed(self, error: Exception) -> None:
        if _is_no_damage(error):
            self._give_up(error)
        else:
            self._begin_anew(error)

    def _begin_anew(self, error: Exception) -> None:
        self._complain(f"the cache was damaged ({error}) and is begun anew")
        self.close()
        if self._path is not None:
            try:
                _remove(self._path)
                self._connection = self._connect(self._path)
            except (*_ERRORS, OSError) as again:
                self._give_up(again)

    def _give_up(self, error: Exception) -> None:
        self._complain(f"the cache cannot be used ({error}); this run goes on without it")
        self.close()

    def _complain(self, message: str) -> None:
        self._complaint = self._complaint or message


_NO_DAMAGE: Final = frozenset(
    {
        *(
            sqlite3.SQLITE_BUSY,
            sqlite3.SQLITE_LOCKED,
            sqlite3.SQLITE_FULL,
            sqlite3.SQLITE_READONLY,
            sqlite3.SQLITE_PERM,
        ),
        *(sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_INTERRUPT),
    }
)
"""Locked by another run, a full disk, a closed folder: nothing is wrong with the file. https://sqlite.org/rescode.html"""


def _is_no_damage(error: Exception) -> bool:
    # The lower eight bits are the primary code; an error of the module itself has none.
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in _NO_DAMAGE


def _remove(path: Path) -> None:
    """Move the damaged file away first, so that another run which holds it open is not disturbed."""
    for name in (path.name, f"{path.name}-wal", f"{path.name}-shm"):
        file = path.with_name(name)
        if file.exists():
            away = file.with_name(f"{name}.{os.getpid()}.{time.monotonic_ns()}.old")
            file.replace(away)
            away.unlink(missing_ok=True)
