"""Watching tests from inside of pytest: one event for each, as it happens, as a line of JSON.

Every process that runs tests, xdist's workers too, appends to the one file; a line is one write. The parent of all,
`guard.runner.phase`, makes `Test`s of them: what is proof of what is judged there.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import msgspec
import pytest
from _pytest.unittest import TestCaseFunction

from guard.runner.plugin_failure import chain, facts_of, type_of
from guard.runner.plugin_network import Network, Traffic
from guard.runner.plugin_timeout import Watchdog
from guard.runner.plugin_trace import Watch, is_connection_error

_LONGEST: Final = 60_000
"""Characters of a test's output that are kept: its beginning and its end."""
_MOST_MEASURED: Final = 1_000


class Collected(msgspec.Struct, tag="collected", tag_field="event"):
    """The tests that were found."""

    ids: list[str]


class Started(msgspec.Struct, tag="started", tag_field="event"):
    """A test begins."""

    id: str
    pid: int
    at: float


class Hung(msgspec.Struct, tag="hung", tag_field="event"):
    """A test ran into its timeout, and is being stopped."""

    id: str
    stacks: str


class Ended(msgspec.Struct, tag="ended", tag_field="event", omit_defaults=True):
    """A test has ended."""

    id: str
    outcome: str
    started: float = 0.0
    duration_s: float = 0.0
    whole_s: float = 0.0
    """With its set-up."""
    peers: list[tuple[str, int]] = []
    failed_peers: list[tuple[str, int]] = []
    sent: int = 0
    received: int = 0
    mocked: list[str] = []
    swallowed: list[str] = []
    measurements: dict[str, list[Any]] = {}
    warnings: list[str] = []
    exception: str = ""
    facts: dict[str, str] = {}
    message: str = ""
    output: str = ""
    of_connection: bool = False
    """Whether what it failed with, or was skipped after, was a failure of a connection."""


class Broken(msgspec.Struct, tag="broken", tag_field="event"):
    """Something could not be collected."""

    place: str
    text: str
    skipped: bool = False
    """Whether it left itself out."""


Event = Collected | Started | Hung | Ended | Broken


class Only(msgspec.Struct, forbid_unknown_fields=True):
    """Which of the collected tests are run."""

    only: list[str] | None = None
    skip: list[str] = []


def start(config: pytest.Config) -> None:
    """Register what watches. The environment says how: `GUARD_LOOP_EVENTS` is the file for the events,
    `GUARD_LOOP_ONLY` a file with an `Only`, `GUARD_LOOP_TIMEOUT` and `GUARD_LOOP_GRACE` are seconds,
    `GUARD_LOOP_LIFELINE` is a file descriptor whose end is that of the parent."""
    in_worker = hasattr(config, "workerinput")
    lifeline = os.environ.get("GUARD_LOOP_LIFELINE", "")
    if lifeline and not in_worker:
        threading.Thread(target=_hold_on, args=(int(lifeline),), name="guard-loop-lifeline", daemon=True).start()
    runs_tests = in_worker or getattr(config.option, "dist", "no") == "no"
    config.pluginmanager.register(
        Watcher(os.environ, config.rootpath, runs_tests, config.option.collectonly), "guard-loop-watcher"
    )


def _hold_on(lifeline: int) -> None:
    """End this process and those that it started as soon as the loop is gone, even by `kill -9`."""
    with contextlib.suppress(OSError):
        while os.read(lifeline, 1):
            pass
    if os.getpgid(0) == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(1)


class Watcher:
    """The hooks. In a process that only directs xdist's workers it tells of what is broken, and no more."""

    def __init__(self, environ: Mapping[str, str], root: Path, runs_tests: bool, collects_only: bool) -> None:
        events = environ["GUARD_LOOP_EVENTS"]
        self._file = os.open(events, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._root = root
        self._runs_tests = runs_tests
        self._collects_only = collects_only
        self._plugins: frozenset[ModuleType] = frozenset()
        self._code: dict[ModuleType, frozenset[ModuleType]] = {}
        self._only = Only()
        if environ.get("GUARD_LOOP_ONLY"):
            self._only = msgspec.json.decode(Path(environ["GUARD_LOOP_ONLY"]).read_bytes(), type=Only)
        self._encode = msgspec.json.Encoder().encode
        self._test: Ended | None = None
        self._hung = False
        self._watchdog: Watchdog | None = None
        self._traced = runs_tests and environ.get("GUARD_LOOP_REAL") == "1"
        if runs_tests:
            self._network = Network()
            self._watch = Watch(root)
            if environ.get("GUARD_LOOP_TIMEOUT"):
                last_words = open(f"{events}.{os.getpid()}", "w", encoding="utf-8")  # noqa: SIM115  # to the end
                limit, grace = float(environ["GUARD_LOOP_TIMEOUT"]), float(environ.get("GUARD_LOOP_GRACE") or 5)
                self._watchdog = Watchdog(limit, grace, last_words, self._tell_hung)

    def pytest_unconfigure(self) -> None:
        """Let go of the files."""
        os.close(self._file)
        if self._runs_tests:
            self._watch.close()
        if self._watchdog is not None:
            self._watchdog.close()

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Leave out what is not asked for."""
        skip = frozenset(self._only.skip)
        only = frozenset(self._only.only) if self._only.only is not None else None
        chosen = [
            item
            for item in items
            if item.nodeid not in skip and (only is None or not only.isdisjoint(ids_of(item.nodeid)))
        ]
        if len(chosen) != len(items):
            kept = set(map(id, chosen))
            config.hook.pytest_deselected(items=[item for item in items if id(item) not in kept])
            items[:] = chosen

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Tell what was found."""
        if self._runs_tests or session.config.option.collectonly:
            self._tell(Collected([item.nodeid for item in session.items]))

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Tell of what could not be collected."""
        if report.failed and self._runs_tests:
            self._tell(Broken(report.nodeid, _bounded(str(report.longrepr))))
        if report.skipped and self._collects_only:
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
            self._tell(Broken(report.nodeid, _bounded(str(reason)), skipped=True))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Everything of one test is between these two events."""
        began = time.time()
        self._test = Ended(id=item.nodeid, outcome="passed", started=began)
        self._hung = False
        self._tell(Started(item.nodeid, os.getpid(), began))
        if self._watchdog is not None:
            self._watchdog.arm()
        try:
            return (yield)
        finally:
            if self._watchdog is not None:
                self._watchdog.disarm()
            if self._hung:
                self._test.outcome = "timeout"
            for name, value in item.user_properties:
                values = self._test.measurements.setdefault(str(name), [])
                if len(values) < _MOST_MEASURED:
                    values.append(value if isinstance(value, bool | int | float | str) else str(value))
            self._tell(self._test)
            self._test = None

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None, object, object]:
        """What fixtures of the test connect to is the test's own."""
        self._network.begin()
        self._watch.begin(*self._code_of(item) if self._traced else (frozenset(), ()))
        return (yield from self._interruptible())

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self) -> Generator[None, object, object]:
        """Fixtures may mock and swallow, too."""
        if not self._traced or self._watch.is_quiet:
            return (yield)
        with self._watch.tracing():
            return (yield)

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_pyfunc_call(self) -> Generator[None, object, object]:
        """The test function."""
        if not self._traced or self._watch.is_quiet:
            return (yield)
        with self._watch.tracing():
            return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        """The test itself: its end is the end of what is watched."""
        is_function = isinstance(item, pytest.Function) and not isinstance(item, TestCaseFunction)
        try:
            with nullcontext() if is_function else self._tracing():  # others are not called as a function
                return (yield from self._interruptible())
        finally:
            self._look(self._network.end())

    @pytest.hookimpl(optionalhook=True, tryfirst=True)
    def pytest_timeout_set_timer(self, settings: Any) -> bool | None:
        """A timeout that the project sets with pytest-timeout: the test is stopped here all the same, with its stacks,
        and never with the whole process."""
        if self._watchdog is None:
            return None
        self._watchdog.shorten(settings.timeout)
        return True

    def pytest_plugin_registered(self, plugin: object) -> None:
        """Keep the conftests and plugins that fixtures come from; this is told also of those that were there before."""
        if isinstance(plugin, ModuleType):
            self._plugins |= {plugin}
            self._code.clear()

    def _code_of(self, item: pytest.Item) -> tuple[frozenset[ModuleType], Iterable[str]]:
        """A test's module with the conftests and plugins, where its fixtures come from, asked for by an argument or
        not; and the names of those that are known beforehand. Of items that are no functions the modules are not
        known."""
        if not isinstance(item, pytest.Function):
            return frozenset(), ()
        modules = self._code.get(item.module)
        if modules is None:
            modules = self._code[item.module] = self._plugins | {item.module}
        return modules, item._fixtureinfo.name2fixturedefs

    def _tracing(self) -> AbstractContextManager[None]:
        return self._watch.tracing() if self._traced else nullcontext()

    def _interruptible(self) -> Generator[None, object, object]:
        if self._watchdog is None:
            return (yield)
        self._watchdog.interruptible = True
        try:
            return (yield)
        finally:
            self._watchdog.interruptible = False

    def _look(self, traffic: Traffic) -> None:
        if self._test is None:
            return
        self._test.peers, self._test.failed_peers = list(traffic.peers), list(traffic.failed)
        self._test.sent, self._test.received = traffic.sent, traffic.received
        self._watch.end()
        self._test.swallowed, self._test.mocked = self._watch.swallowed, self._watch.mocked

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Remember what a part of the test came to."""
        report = yield
        test = self._test
        if test is None:
            return report
        if report.when == "setup":
            test.whole_s = call.duration
        if report.when == "call":
            test.started, test.duration_s = call.start, call.duration
            test.whole_s += call.duration
        if report.outcome == "passed" or test.outcome not in ("passed", "skipped"):
            return report
        test.outcome = "skipped" if report.skipped else "failed" if report.when == "call" else "error"
        error = call.excinfo.value if call.excinfo is not None else None
        if error is not None:
            test.exception = type_of(error)
            test.of_connection = any(map(is_connection_error, chain(error)))
            test.message = _line(str(error))
        if report.skipped:
            if hasattr(report, "wasxfail"):
                test.message = f"expected to fail: {report.wasxfail}"
            return report
        if error is not None:
            test.facts = facts_of(error, self._root)
        sections = [f"{'-' * 10} {title} {'-' * 10}\n{text}" for title, text in report.sections]
        test.output = _bounded("\n".join([report.longreprtext, *sections]))
        return report

    def pytest_warning_recorded(self, warning_message: Any, nodeid: str) -> None:
        """Remember a warning of the test that runs."""
        if self._test is not None and nodeid == self._test.id and len(self._test.warnings) < 20:
            text = f"{warning_message.category.__name__}: {_line(str(warning_message.message))}"
            self._test.warnings.append(text)

    def _tell_hung(self, stacks: str) -> None:
        test = self._test
        if test is not None:
            self._hung = True
            self._tell(Hung(test.id, _bounded(stacks)))

    def _tell(self, event: Event) -> None:
        try:
            line = self._encode(event)
        except UnicodeEncodeError:  # a lone surrogate, of a file name for one
            line = self._encode(msgspec.convert(_encodable(msgspec.to_builtins(event)), type(event)))
        os.write(self._file, line + b"\n")


def ids_of(nodeid: str) -> Iterator[str]:
    """A test's own id, and those that it is chosen with: without its parameters, its classes, its file."""
    yield nodeid
    parts = nodeid.partition("[")[0].split("::")
    for end in range(len(parts), 0, -1):
        yield "::".join(parts[:end])


def _encodable(value: object) -> object:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {_encodable(key): _encodable(item) for key, item in value.items()}
    return [_encodable(item) for item in value] if isinstance(value, list) else value


def _line(text: str) -> str:
    """The first lines of a message as one, at most 500 characters."""
    return " ".join(text[:2_000].split())[:500]


def _bounded(text: str) -> str:
    if len(text) <= _LONGEST:
        return text
    third = _LONGEST // 3
    return f"{text[:third]}\n… {len(text) - _LONGEST} characters left out …\n{text[-2 * third :]}"
