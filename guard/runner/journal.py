"""A session while it runs: a value that grows, and the store that it grows in. Nothing gets in without redaction."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Protocol

import msgspec

from guard.runner.record import FAILING, Cause, Evidence, Outcome, Session, Step, Test, Verdict
from guard.runner.redact import Redactor
from guard.runner.store import Begun, Store


class Watcher(Protocol):
    """Told of what happens, for a live table or lines of a log. Texts are redacted."""

    def begun(self, session: Session, name: str, cycle: int) -> None:
        """A step begins."""

    def line(self, text: str) -> None:
        """Something to know while a step runs."""

    def test(self, test: Test) -> None:
        """A test has ended."""

    def ended(self, session: Session, step: Step) -> None:
        """A step has ended."""


class Did(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a step."""

    outcome: Outcome
    summary: str = ""
    evidence: tuple[Evidence, ...] = ()
    data: Mapping[str, object] = {}
    changes: Mapping[str, object] = {}
    """Fields of the session that the step sets."""


class Journal:
    """The one writer of a session."""

    def __init__(self, store: Store, session: Session, redact: Redactor, watcher: Watcher) -> None:
        """Go on with `session`, which is kept in `store` already, or begin it."""
        self._store = store
        self._watcher = watcher
        self.redact = redact
        self._session = session
        self._changed = False
        self._tests = {(test.id, test.phase, test.cycle): test for test in session.tests}
        self._left = {(one.name, one.cycle): one for one in store.begun(session.id)}
        store.save(session)

    @property
    def session(self) -> Session:
        """What it has become by now."""
        if self._changed:
            self._session = msgspec.structs.replace(self._session, tests=tuple(self._tests.values()))
            self._changed = False
        return self._session

    def find(self, name: str, cycle: int) -> Step | None:
        """A step that has ended."""
        return next((one for one in self.session.steps if (one.name, one.cycle) == (name, cycle)), None)

    def has_begun(self, *names: str) -> bool:
        """Whether a step of one of these names has been begun, in any cycle. It need not have ended."""
        begun = [*self._left, *((step.name, step.cycle) for step in self.session.steps)]
        return any(name in names for name, _ in begun)

    def step(
        self,
        name: str,
        cycle: int,
        work: Callable[[Begun | None], Did],
        before: Callable[[], Mapping[str, object]] | None = None,
    ) -> Step:
        """Do a step, unless it has been done: then that is what it gives. `work` is told of an earlier beginning that
        came to no end. `before` gives what to keep with the beginning."""
        known = self.find(name, cycle)
        if known is not None:
            return known
        left = self._left.pop((name, cycle), None)
        begun = left or Begun(name, cycle, time.time(), before() if before is not None else {})
        if left is None:
            self._store.begin(self.session.id, begun)
        self._watcher.begun(self.session, name, cycle)
        did = work(left)
        step = Step(
            name=name,
            cycle=cycle,
            outcome=did.outcome,
            started=begun.started,
            ended=time.time(),
            summary=self.redact.text(did.summary),
            evidence=tuple(map(self._evidence, did.evidence)),
            data=self._mapping(did.data),
        )
        changes = {**did.changes}
        if "causes" in changes:
            # They quote what nobody redacted: findings, commits, the words of an exception.
            plain = self.redact.value(msgspec.to_builtins(changes["causes"]))
            changes["causes"] = msgspec.convert(plain, tuple[Cause, ...])
        self._keep(msgspec.structs.replace(self.session, **changes), step)
        return step

    def add_test(self, test: Test) -> None:
        """Keep a test that has ended; a later outcome of it in the same phase and cycle takes the place of this one."""
        self._store.add_test(self.session.id, test)
        key = (test.id, test.phase, test.cycle)
        self._tests.pop(key, None)
        self._tests[key] = test
        self._changed = True
        self._watcher.test(test)

    def set_causes(self, cycle: int, causes: Mapping[str, str]) -> None:
        """Keep what the tests of a cycle failed of: by a test's id, a cause's. Those that did not fail have none."""
        for key, test in self._tests.items():
            cause = causes.get(test.id, "") if test.outcome in FAILING else ""
            if test.cycle == cycle and test.cause != cause:
                self._tests[key] = msgspec.structs.replace(test, cause=cause)
                self._store.add_test(self._session.id, self._tests[key])
                self._changed = True

    def line(self, text: str) -> None:
        """Tell the watcher."""
        self._watcher.line(self.redact.text(text))

    def change(self, **fields: object) -> None:
        """Set fields of the session, and keep it."""
        self._session = msgspec.structs.replace(self.session, **fields)
        self._store.save(self._session)

    def finish(self, verdict: Verdict) -> None:
        """Keep the verdict."""
        self.change(verdict=verdict, ended=time.time())

    def _keep(self, session: Session, step: Step) -> None:
        self._store.save(session, step)
        self._session = msgspec.structs.replace(session, steps=(*session.steps, step))
        self._watcher.ended(self.session, step)

    def _evidence(self, one: Evidence) -> Evidence:
        return Evidence(source=one.source, text=self.redact.text(one.text), place=self.redact.text(one.place))

    def _mapping(self, data: Mapping[str, object]) -> Mapping[str, object]:
        value = self.redact.value(msgspec.to_builtins(data))
        return value if isinstance(value, dict) else {}
