"""Sessions on disk: `.guard/loop.db`, SQLite with a write-ahead log, one transaction for each step and each test.

A process may be killed between any two instructions: what is in the file then is a session as it stood after its last
step or test. A step that was begun and not ended is kept apart, in `begun`.
"""

from __future__ import annotations

import secrets
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import msgspec

from guard.model import GuardError
from guard.runner.plain import encodable, text_of
from guard.runner.record import Session, Step, Test, TestOutcome, Verdict

FOLDER: Final = ".guard"
FILE: Final = "loop.db"
_VERSION: Final = 1
_RECENT: Final = 20
"""Sessions that a selection looks back on."""
_LETTERS: Final = "23456789abcdefghjkmnpqrstvwxyz"
_SCHEMA: Final = """
CREATE TABLE sessions (
    id TEXT PRIMARY KEY, target TEXT NOT NULL, verdict TEXT NOT NULL, started REAL NOT NULL, data TEXT NOT NULL,
    options TEXT NOT NULL DEFAULT '{}'
) WITHOUT ROWID;
CREATE INDEX sessions_by_target ON sessions (target, started);
CREATE TABLE steps (
    number INTEGER PRIMARY KEY, session TEXT NOT NULL REFERENCES sessions, cycle INTEGER NOT NULL, name TEXT NOT NULL,
    outcome TEXT NOT NULL, ended REAL NOT NULL, data TEXT NOT NULL, UNIQUE (session, cycle, name)
);
CREATE TABLE begun (
    session TEXT NOT NULL REFERENCES sessions, cycle INTEGER NOT NULL, name TEXT NOT NULL, started REAL NOT NULL,
    data TEXT NOT NULL, PRIMARY KEY (session, cycle, name)
) WITHOUT ROWID;
CREATE TABLE tests (
    number INTEGER PRIMARY KEY, session TEXT NOT NULL REFERENCES sessions, cycle INTEGER NOT NULL, phase TEXT NOT NULL,
    id TEXT NOT NULL, outcome TEXT NOT NULL, started REAL NOT NULL, duration_s REAL NOT NULL, data TEXT NOT NULL,
    UNIQUE (session, cycle, phase, id)
);
"""


class Begun(msgspec.Struct, frozen=True):
    """A step that was begun and has not ended."""

    name: str
    cycle: int
    started: float
    data: Mapping[str, object]
    """What was known when it began."""


class Ran(msgspec.Struct, frozen=True):
    """What recent sessions on a target say of one test."""

    runs: int
    last: float
    """When it ran the last time, in seconds since the epoch."""
    outcome: TestOutcome
    """Of that time."""
    duration_s: float
    """Of that time."""


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """One session in a list of them."""

    id: str
    target: str
    verdict: Verdict
    revision: str
    started: float
    ended: float
    cycles: int
    tests: Mapping[str, int]
    """How many tests ended how; the last time of each."""


class _Head(msgspec.Struct, frozen=True):
    """The part of a session's data that a list needs."""

    revision: str = ""
    ended: float = 0.0
    cycles: int = 0


def new_id(now: float) -> str:
    """An id for a session that begins at `now`: short, and sorted by time."""
    return time.strftime("%y%m%d-%H%M%S-", time.gmtime(now)) + "".join(secrets.choice(_LETTERS) for _ in range(3))


def folder_of(root: Path) -> Path:
    """The folder for what the loop keeps of the repository in `root`; it is made, and no part of the repository.

    Raises GuardError with exit code 4 where it cannot be made.
    """
    folder = root / FOLDER
    try:
        folder.mkdir(exist_ok=True)
        ignore = folder / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n", encoding="utf-8")
    except OSError as error:
        raise GuardError(f"{folder}: cannot be made: {error.strerror or error}", 4) from error
    return folder


class Store:
    """One file of sessions. A context manager; every method raises GuardError with exit code 4 for a file that is
    damaged, locked for long, or of a later version."""

    def __init__(self, path: Path) -> None:
        """Open the file, and make it where it is not there."""
        self.path = path
        with self._told():
            self._connection = sqlite3.connect(path, timeout=10, isolation_level=None)
        try:
            with self._told():
                self._prepare()
        except BaseException:
            self._connection.close()
            raise

    def __enter__(self) -> Store:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    # Writing

    def save(self, session: Session, step: Step | None = None) -> None:
        """Keep what a session has become by now, with the step that has just ended; its other steps and its tests are
        kept already."""
        session = encodable(msgspec.structs.replace(session, steps=(), tests=()))
        data = text_of(session)
        with self._transaction() as run:
            run.execute(
                "INSERT INTO sessions (id, target, verdict, started, data) VALUES (?, ?, ?, ?, ?)"
                " ON CONFLICT (id) DO UPDATE SET verdict = excluded.verdict, data = excluded.data",
                (session.id, session.target, session.verdict, session.started, data),
            )
            if step is not None:
                step = encodable(step)
                values = (
                    session.id,
                    step.cycle,
                    step.name,
                    step.outcome,
                    step.ended,
                    text_of(step),
                )
                run.execute(
                    "INSERT INTO steps (session, cycle, name, outcome, ended, data) VALUES (?, ?, ?, ?, ?, ?)", values
                )
                run.execute("DELETE FROM begun WHERE (session, cycle, name) = (?, ?, ?)", values[:3])

    def add(self, session: Session) -> None:
        """Keep a whole session at once, which ended elsewhere."""
        self.save(session)
        for test in session.tests:
            self.add_test(session.id, test)
        for step in session.steps:
            self.save(session, step)

    def has(self, session: str) -> bool:
        """Whether there is a session of that id."""
        return bool(self._rows("SELECT 1 FROM sessions WHERE id = ?", session))

    def set_options(self, session: str, options: Mapping[str, object]) -> None:
        """Keep what the command line asked for, for who resumes the session."""
        with self._transaction() as run:
            run.execute("UPDATE sessions SET options = ? WHERE id = ?", (text_of(options), session))

    def end_interrupted(self, session: str) -> None:
        """Give a session that was killed the verdict `interrupted`; it ended with its last step or test."""
        found = self.load(session)
        times = [found.started, *(step.ended for step in found.steps), *(t.started + t.duration_s for t in found.tests)]
        self.save(msgspec.structs.replace(found, verdict=Verdict.INTERRUPTED, ended=max(times)))

    def begin(self, session: str, step: Begun) -> None:
        """Keep that a step begins, or begins again."""
        with self._transaction() as run:
            run.execute(
                "INSERT OR REPLACE INTO begun VALUES (?, ?, ?, ?, ?)",
                (session, step.cycle, step.name, step.started, text_of(step.data)),
            )

    def add_test(self, session: str, test: Test) -> None:
        """Keep a test that has ended. A later event of the same test takes the place of the earlier one."""
        test = encodable(test)
        with self._transaction() as run:
            run.execute(
                "INSERT INTO tests (session, cycle, phase, id, outcome, started, duration_s, data)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (session, cycle, phase, id) DO UPDATE SET"
                " outcome = excluded.outcome, started = excluded.started, duration_s = excluded.duration_s,"
                " data = excluded.data",
                (
                    *(session, test.cycle, test.phase, test.id, test.outcome, test.started, test.duration_s),
                    text_of(test),
                ),
            )

    # Reading

    def options(self, session: str) -> Mapping[str, object]:
        """What `set_options` kept."""
        rows = self._rows("SELECT options FROM sessions WHERE id = ?", session)
        with self._told():
            return msgspec.json.decode(rows[0][0], type=dict[str, object]) if rows else {}

    def load(self, session: str) -> Session:
        """A session as it is kept. Raises GuardError with exit code 2 where there is none of that id."""
        rows = self._rows("SELECT data FROM sessions WHERE id = ?", session)
        if not rows:
            raise GuardError(f"{session}: no such session; `guard loop list` has all of them")
        steps = self._rows("SELECT data FROM steps WHERE session = ? ORDER BY number", session)
        tests = self._rows("SELECT data FROM tests WHERE session = ? ORDER BY number", session)
        with self._told():
            return msgspec.structs.replace(
                _SESSION.decode(rows[0][0]),
                steps=tuple(_STEP.decode(row[0]) for row in steps),
                tests=tuple(_TEST.decode(row[0]) for row in tests),
            )

    def begun(self, session: str) -> tuple[Begun, ...]:
        """The steps of a session that were begun and have not ended."""
        rows = self._rows("SELECT name, cycle, started, data FROM begun WHERE session = ? ORDER BY started", session)
        return tuple(Begun(name, cycle, started, msgspec.json.decode(data)) for name, cycle, started, data in rows)

    def find(self, text: str = "", target: str | None = None) -> str:
        """The id of the one session whose id begins with `text`; of the last one for an empty text.

        Raises GuardError with exit code 2 where there is none, or more than one.
        """
        rows = self._rows(
            "SELECT id FROM sessions WHERE substr(id, 1, ?) = ? AND (? IS NULL OR target = ?)"
            " ORDER BY started DESC, id",
            *(len(text), text, target, target),
        )
        if not rows:
            raise GuardError(f"{text}: no such session; see `guard loop list`" if text else "there is no session yet")
        if text and len(rows) > 1 and rows[0][0] != text:
            raise GuardError(f"{text}: {len(rows)} sessions begin with it: {', '.join(row[0] for row in rows[:5])}")
        return str(rows[0][0])

    def summaries(self, limit: int) -> tuple[Summary, ...]:
        """The last sessions, the youngest first."""
        found = []
        for name, target, verdict, started, data in self._rows(
            "SELECT id, target, verdict, started, data FROM sessions ORDER BY started DESC, id DESC LIMIT ?", limit
        ):
            counts = self._rows(
                "SELECT outcome, count(*) FROM (SELECT outcome, max(number) FROM tests WHERE session = ? GROUP BY id)"
                " GROUP BY outcome ORDER BY outcome",
                name,
            )
            with self._told():
                head = _HEAD.decode(data)
            found.append(
                Summary(
                    id=name,
                    target=target,
                    verdict=Verdict(verdict),
                    revision=head.revision,
                    started=started,
                    ended=head.ended,
                    cycles=head.cycles,
                    tests=dict(counts),
                )
            )
        return tuple(found)

    def earlier(self, session: Session, verdict: Verdict | None = None, limit: int = _RECENT) -> tuple[Session, ...]:
        """Sessions on the same target that began before `session`, oldest first, whole; those that ended with `verdict`
        where it is given."""
        rows = self._rows(
            "SELECT id FROM sessions WHERE target = ? AND id != ? AND (started, id) < (?, ?)"
            " AND (? IS NULL OR verdict = ?)"
            " ORDER BY started DESC, id DESC LIMIT ?",
            *(session.target, session.id, session.started, session.id, verdict, verdict, limit),
        )
        return tuple(self.load(row[0]) for row in reversed(rows))

    def unfinished(self, target: str) -> tuple[str, ...]:
        """The ids of the sessions on a target that have no verdict yet, oldest first."""
        rows = self._rows(
            "SELECT id FROM sessions WHERE target = ? AND verdict = ? ORDER BY started", target, Verdict.RUNNING
        )
        return tuple(row[0] for row in rows)

    def resumable(self) -> tuple[str, ...]:
        """The ids of the sessions that run, or that were interrupted, on any target; the youngest first."""
        verdicts = (Verdict.RUNNING, Verdict.INTERRUPTED)
        return tuple(
            row[0]
            for row in self._rows("SELECT id FROM sessions WHERE verdict IN (?, ?) ORDER BY started DESC", *verdicts)
        )

    def healthy_revisions(self, target: str) -> tuple[str, ...]:
        """The revisions that were found healthy on a target, the last one first."""
        rows = self._rows(
            "SELECT json_extract(steps.data, '$.data.revision') FROM steps JOIN sessions ON session = sessions.id"
            " WHERE target = ? AND outcome = 'ok' AND name IN ('health', 'health-after-rollback')"
            " ORDER BY steps.ended DESC, number DESC",
            target,
        )
        return tuple(dict.fromkeys(row[0] for row in rows if row[0]))

    def recent_runs(self, target: str, without: str = "") -> dict[str, Ran]:
        """What the last sessions on a target say of each test that ran in them, by its id."""
        rows = self._rows(
            "SELECT tests.id, count(*) OVER (PARTITION BY tests.id), tests.started, outcome, duration_s FROM tests"
            " WHERE session IN (SELECT id FROM sessions WHERE target = ? AND id != ? ORDER BY started DESC LIMIT ?)"
            " ORDER BY number",
            *(target, without, _RECENT),
        )
        return {name: Ran(runs, last, TestOutcome(outcome), took) for name, runs, last, outcome, took in rows}

    def integrity(self) -> str:
        """What SQLite finds wrong with the file; `ok` for nothing."""
        return "\n".join(str(row[0]) for row in self._rows("PRAGMA integrity_check"))

    # The file itself

    def _prepare(self) -> None:
        run = self._connection
        run.execute("PRAGMA journal_mode = WAL")
        run.execute("PRAGMA synchronous = NORMAL")  # what a killed process has committed is there
        if self._version() == 0:
            with self._transaction():
                if self._version() == 0:  # nobody else has made it meanwhile
                    for statement in _statements():
                        run.execute(statement)
                    run.execute(f"PRAGMA user_version = {_VERSION}")
        if self._version() > _VERSION:
            raise GuardError(
                f"{self.path}: written by a later version of guard; update guard, or move the file away", 4
            )

    def _version(self) -> int:
        return int(self._connection.execute("PRAGMA user_version").fetchone()[0])

    def _rows(self, query: str, *values: object) -> list[Any]:
        with self._told():
            return self._connection.execute(query, values).fetchall()

    def _transaction(self) -> _Transaction:
        return _Transaction(self._connection, self._told)

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, msgspec.DecodeError) as error:
            raise GuardError(
                f"{self.path}: {error}; if it stays so, move the file away, and its sessions with it", 4
            ) from error


class _Transaction:
    """All of what is written within it, or nothing.

    An interrupt may come between any two instructions, also between the one that begins a transaction and those that
    would end it; what it left open ends where the next one begins. No generator: one that waits in a held traceback
    would end whatever is open at the time when it is dropped.
    """

    def __init__(self, connection: sqlite3.Connection, told: Callable[[], AbstractContextManager[None]]) -> None:
        """`told` says errors of SQLite as guard says errors."""
        self._connection, self._told = connection, told

    def __enter__(self) -> sqlite3.Connection:
        with self._told():
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            self._connection.execute("BEGIN IMMEDIATE")
        return self._connection

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with self._told():
            try:
                if error is None:
                    self._connection.execute("COMMIT")
                elif isinstance(error, sqlite3.Error):
                    raise error
            finally:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")


def _statements() -> Iterable[str]:
    return (statement for statement in _SCHEMA.split(";") if statement.strip())


_SESSION: msgspec.json.Decoder[Session] = msgspec.json.Decoder(Session)
_STEP: msgspec.json.Decoder[Step] = msgspec.json.Decoder(Step)
_TEST: msgspec.json.Decoder[Test] = msgspec.json.Decoder(Test)
_HEAD: msgspec.json.Decoder[_Head] = msgspec.json.Decoder(_Head)
