"""Running the tests of a phase, in a process of their own, and telling of each as it ends."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from guard.runner.phase_process import Pytest, Request, kept_events, missing_of
from guard.runner.phase_proof import aim_at, test_of
from guard.runner.plan import Phase
from guard.runner.plugin_watch import Broken, Collected, Ended, Hung, Started, ids_of
from guard.runner.record import FAILED, Evidence, Outcome, Test, TestOutcome
from guard.runner.redact import Names, Redactor, asked_as

_ENDED_WELL: Final = frozenset({0, 1, 5})
"""pytest's exit statuses: all passed, some failed, none were there."""
_INTERRUPTED: Final = 2
_ENOUGH: Final = 10
"""Tests that fail again one after another, before it is taken that the others would as well."""
_AGAIN: Final = frozenset({"failed", "error"})
_COLLECT_S: Final = 300.0


class PhaseResult(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a phase as a whole."""

    outcome: Outcome
    """Of its tests alone; its criteria are judged by `guard.runner.criteria`."""
    collected: tuple[str, ...] = ()
    """Node ids, in the order in which pytest has them; those that were deselected are left out."""
    problems: tuple[Evidence, ...] = ()
    """What could not be collected, and processes that ended on the way."""
    timed_out: bool = False
    """Whether the phase's own time was over before its tests were."""


def run_phase(
    phase: Phase,
    *,
    root: Path,
    tests: Sequence[str],
    deselect: Collection[str],
    target_env: Mapping[str, str],
    revision: str,
    base_url: str,
    websocket_url: str,
    cycle: int,
    redact: Redactor,
    on_test: Callable[[Test], None],
    stop: Callable[[], bool],
    keep: Path | None = None,
    former_urls: Sequence[str] = (),
) -> PhaseResult:
    """Run the tests of a phase, and block until they have ended.

    `tests` are node ids or paths below `root`, none for those of the phase; `deselect` are node ids that are not run.
    All node ids are as they are kept, without secrets. A test that had one in its id is asked for by its function's
    name, so that another run of a part of the phase may run it again; it is never left out.
    `target_env` is added to this process's environment. `on_test` is told of each test as it ends; one that fails is
    run once more when the others are through, and is told of then: as `flaky` where it passes. `stop` is asked many
    times a second, and ends the phase. `keep` is a folder for what the tests tell, as they wrote it: where this
    process is killed and the phase is run again, tests that had ended and that nobody was told of are not run again.
    `former_urls` are where the service was when they ran: it may have been started again since, somewhere else.
    """
    env = {**os.environ, **target_env, "GUARD_TARGET_URL": base_url, "GUARD_TARGET_WS_URL": websocket_url}
    env["GUARD_TARGET_REVISION"] = revision
    names = Names(redact)
    run = _Run(phase, root, env, stop, keep, names)
    aim = aim_at((base_url, websocket_url, *former_urls), env)
    outcomes: set[TestOutcome] = set()
    try:
        for event in run.all(tuple(dict.fromkeys(map(asked_as, tests))), deselect):
            test = msgspec.structs.replace(test_of(event, phase, cycle, aim, redact), id=names.shown(event.id))
            if event.id in run.stacks:
                test = msgspec.structs.replace(test, stacks=redact.text(run.stacks[event.id]))
            outcomes.add(test.outcome)
            on_test(test)
    except _NoTests as error:
        problem = Evidence(source="test", text=redact.text(str(error)), place=phase.name)
        return PhaseResult(outcome=Outcome.FAILED, problems=(problem,))
    problems = tuple(
        Evidence(source=one.source, text=redact.text(one.text), place=redact.text(one.place)) for one in run.problems
    )
    return PhaseResult(
        outcome=_outcome(outcomes, bool(problems) or run.timed_out),
        collected=tuple(map(names.shown, run.collected)),
        problems=problems,
        timed_out=run.timed_out,
    )


class Tests(msgspec.Struct, frozen=True, kw_only=True):
    """The tests of a phase, as they are collected before there is a target."""

    ids: tuple[str, ...] = ()
    """Node ids, as pytest has them."""
    problems: tuple[Evidence, ...] = ()
    """What could not be collected, with the reason; its tests are not among the ids."""
    skipped: tuple[Evidence, ...] = ()
    """What left itself out as a whole, with the reason: of these phases and of others that were collected with it."""


def collect_phases(phases: Sequence[Phase], root: Path, env: Mapping[str, str]) -> dict[str, Tests]:
    """The tests of several phases, by the phase's name, as pytest finds them with `env` added to this process's
    environment; with as few pytest processes as may be."""
    found = {phase.name: Tests(problems=lost) for phase in phases if (lost := _lost(phase, root))}
    there = [phase for phase in phases if phase.name not in found]
    for markers in dict.fromkeys(phase.markers for phase in there):
        together = [phase for phase in there if phase.markers == markers]
        all_of_them = _collected(together, root, env)
        if all_of_them.problems:  # files of one name in two folders cannot be collected together, but may be one by one
            for phase in together:
                found[phase.name] = _collected([phase], root, env) if len(together) > 1 else all_of_them
        else:
            for phase in together:
                asked = frozenset(_asked(phase, root))
                ids = tuple(one for one in all_of_them.ids if not asked.isdisjoint(_holders(one)))
                found[phase.name] = Tests(ids=ids, skipped=all_of_them.skipped)
    return found


def _collected(phases: Sequence[Phase], root: Path, env: Mapping[str, str]) -> Tests:
    """What is below the paths of phases with the same markers."""
    asked = tuple(dict.fromkeys(one for phase in phases for one in _asked(phase, root)))
    paths = tuple(dict.fromkeys(one.partition("::")[0] for one in asked))
    request = Request(
        root=root,
        paths=paths,
        markers=phases[0].markers,
        env={**os.environ, **env},
        only=_only(asked),
        collect_only=True,
    )
    with Pytest(request) as pytest:
        events = list(pytest.events(time.monotonic() + _COLLECT_S, lambda: False))
        told = [event for event in events if isinstance(event, Broken)]
        broken = [Evidence("test", event.text, event.place) for event in told if not event.skipped]
        skipped = [Evidence("test", event.text, event.place) for event in told if event.skipped]
        if not broken and pytest.status not in _ENDED_WELL:
            broken = [Evidence("test", f"pytest ended with status {pytest.status}:\n{pytest.output()}", phases[0].name)]
    ids = dict.fromkeys(one for event in events if isinstance(event, Collected) for one in event.ids)
    return Tests(ids=tuple(ids), problems=tuple(dict.fromkeys(broken)), skipped=tuple(dict.fromkeys(skipped)))


def _lost(phase: Phase, root: Path) -> tuple[Evidence, ...]:
    """What of a phase's paths and patterns leads nowhere."""
    try:
        _paths(phase, root, ())
    except _NoTests as error:
        return (Evidence("test", str(error), phase.name),)
    return ()


def _asked(phase: Phase, root: Path) -> tuple[str, ...]:
    """The node ids and paths of a phase, its patterns resolved."""
    paths = _paths(phase, root, ())
    return tuple(dict.fromkeys([*(one for one in phase.tests if "::" in one), *_whole(phase, paths)]))


def _whole(phase: Phase, paths: Sequence[str]) -> list[str]:
    """Those paths that a phase names as a whole, not for some of their tests."""
    by_id = {one.partition("::")[0] for one in phase.tests if "::" in one}
    return [path.rstrip("/") for path in paths if path not in by_id or path in phase.tests]


def _holders(nodeid: str) -> Iterator[str]:
    """What a test is asked for by: its ids, its file, and the folders above."""
    yield from ids_of(nodeid)
    path = nodeid.partition("::")[0]
    while path := path.rpartition("/")[0]:
        yield path
    yield "."


def _outcome(outcomes: set[TestOutcome], troubled: bool) -> Outcome:
    if troubled or outcomes & FAILED:
        return Outcome.FAILED
    if TestOutcome.UNPROVEN in outcomes:
        return Outcome.UNPROVEN
    return Outcome.OK if TestOutcome.PASSED in outcomes else Outcome.SKIPPED


class _NoTests(Exception):
    """What the phase names is not there."""


class _Run:
    """The processes of one phase: the first, one more after each that ended on the way, and one for what failed."""

    def __init__(
        self,
        phase: Phase,
        root: Path,
        env: Mapping[str, str],
        stop: Callable[[], bool],
        keep: Path | None,
        names: Names,
    ) -> None:
        self._keep = keep
        self._names = names
        self._phase = phase
        self._root = root
        self._env = env
        self._stop = stop
        self._deadline = time.monotonic() + phase.timeout_s
        self._done: set[str] = set()
        self._failed: dict[str, Ended] = {}
        self.collected: list[str] = []
        self.problems: list[Evidence] = []
        self.stacks: dict[str, str] = {}
        self.timed_out = False

    def all(self, tests: Sequence[str], deselect: Collection[str]) -> Iterator[Ended]:
        """Run everything; gives each test once, as it has ended for good. Raises _NoTests."""
        paths = _paths(self._phase, self._root, tests)
        yield from self._left(deselect)
        request = Request(
            root=self._root,
            paths=paths,
            markers=self._phase.markers,
            only=_only(tests or self._phase.tests),
            skip=(*deselect, *self._done),
            keep=self._keep,
            env=self._env,
            real=self._phase.real,
            workers=self._phase.workers,
            fail_fast=self._phase.fail_fast,
            test_timeout_s=self._phase.test_timeout_s,
        )
        more = not (self._phase.fail_fast and self._failed)
        while more:
            more = yield from self._once(request)
            left = missing_of(self.collected, self._done)
            more = more and bool(left)
            request = msgspec.structs.replace(request, only=left)
        if not self.collected and not self.problems and not deselect:
            self.problems.append(Evidence("test", f"no test was found in {', '.join(request.paths)}"))
        yield from self._again(request)

    def _left(self, told: Collection[str]) -> Iterator[Ended]:
        """The tests that ended when a process like this one was killed, but for those that were `told` of."""
        for event in kept_events(self._keep) if self._keep is not None else ():
            if isinstance(event, Collected):
                self._collect(event)
            if not isinstance(event, Ended) or self._names.shown(event.id) in told:
                continue
            first = self._failed.pop(event.id, None)
            if first is not None:
                yield _twice(first, event)
            elif event.outcome in _AGAIN:
                self._failed[event.id] = event
            elif event.id not in self._done:
                yield event
            self._done.add(event.id)

    def _collect(self, event: Collected) -> None:
        new = missing_of(event.ids, self.collected)
        self.collected += new
        for one in new:  # numbered in the order of collecting, whatever the order in which they end
            self._names.shown(one)

    def _once(self, request: Request) -> Generator[Ended, None, bool]:
        """One process; what failed in it is held back, to be run again. Returns whether it ended on the way, with tests
        left that another one can run."""
        with Pytest(request) as pytest:
            for event in pytest.events(self._deadline, self._stop):
                if isinstance(event, Collected):
                    self._collect(event)
                elif isinstance(event, Broken):
                    self._trouble(event.text, event.place)
                elif isinstance(event, Hung):
                    self.stacks[event.id] = event.stacks
                elif isinstance(event, Ended):
                    self._done.add(event.id)
                    if event.outcome in _AGAIN:
                        self._failed[event.id] = event
                    else:
                        yield event
            if self._stop():
                return False
            over = time.monotonic() > self._deadline
            self.timed_out = self.timed_out or (over and bool(missing_of(self.collected, self._done)))
            cut = [self._cut(pytest, test, over) for test in pytest.running.values()]
            self._done.update(test.id for test in cut)
            yield from cut
            ended_well = over or pytest.status in _ENDED_WELL or (pytest.status == _INTERRUPTED and self.problems)
            if not ended_well and not cut:
                self._trouble(f"pytest ended with status {pytest.status}:\n{pytest.output()}", self._phase.name)
            return not over and bool(cut) and not self._phase.fail_fast

    def _cut(self, pytest: Pytest, test: Started, over: bool) -> Ended:
        """The end of a test that did not tell of it."""
        last_words = pytest.last_words(test)
        if test.id in pytest.hung or last_words or test.id in pytest.stuck:
            self.stacks.setdefault(test.id, last_words)
            message = f"hung, and could not be stopped at its timeout of {self._phase.test_timeout_s:g} s"
            outcome = "timeout"
        elif over:
            message, outcome = f"was running when the phase's {self._phase.timeout_s:g} s were over", "timeout"
        else:
            message, outcome = f"its process ended while it ran: {_status(pytest.status)}", "error"
        return Ended(
            id=test.id,
            outcome=outcome,
            started=test.at,
            duration_s=max(time.time() - test.at, 0),
            message=message,
            output=pytest.output(),
        )

    def _again(self, request: Request) -> Iterator[Ended]:
        """What failed, run once more without the tests that did not: a flake is told by passing now."""
        request = msgspec.structs.replace(request, only=tuple(self._failed), skip=(), workers=1, fail_fast=False)
        in_vain = 0
        if self._failed and not self._stop() and time.monotonic() < self._deadline:
            with Pytest(request) as pytest:
                for event in pytest.events(self._deadline, self._stop):
                    first = self._failed.pop(event.id, None) if isinstance(event, Ended) else None
                    if first is None or not isinstance(event, Ended):
                        continue
                    first = _twice(first, event)
                    if first.outcome == "flaky":
                        in_vain = -len(request.only or ())  # flakes are about: every one is tried
                    in_vain += 1
                    yield first
                    if in_vain >= _ENOUGH:
                        break
        yield from self._failed.values()

    def _trouble(self, text: str, place: str) -> None:
        problem = Evidence("test", text, place)
        if problem not in self.problems:  # each worker of xdist tells of it
            self.problems.append(problem)


def _twice(first: Ended, again: Ended) -> Ended:
    """What a test that failed comes to, by how it ended when it was run again. A pass that asked nobody, of a test that
    needs what others leave behind for one, takes nothing back."""
    if again.outcome == "passed" and first.peers and not again.peers:
        first.message = f"{first.message} (run again by itself it passes, but connects to nothing)"
    elif again.outcome == "passed":
        first.outcome = "flaky"
        first.message = f"failed, and passed when it was run again: {first.message}"
    return first


def _paths(phase: Phase, root: Path, tests: Sequence[str]) -> tuple[str, ...]:
    """The files and folders that hold the tests. Raises _NoTests for a path or a pattern that nothing is at."""
    paths: list[str] = []
    for one in tests or phase.tests:
        path = one.partition("::")[0]
        if (root / path).exists():
            paths.append(path)
            continue
        found = sorted(match.relative_to(root).as_posix() for match in root.glob(path)) if _is_glob(path) else []
        if not found:
            raise _NoTests(f"{path}: no such tests below {root.name}; mend `tests` of the phase {phase.name}")
        paths += found
    return tuple(dict.fromkeys(paths))


def _is_glob(path: str) -> bool:
    return any(one in path for one in "*?[") and not path.startswith("/")


def _only(tests: Sequence[str]) -> tuple[str, ...] | None:
    """The node ids, where there are no whole files among the tests."""
    return tuple(tests) if all("::" in one for one in tests) else None


def _status(status: int | None) -> str:
    if status is None or status >= 0:
        return f"status {status}"
    return signal.Signals(-status).name if -status in {one.value for one in signal.Signals} else f"signal {-status}"
