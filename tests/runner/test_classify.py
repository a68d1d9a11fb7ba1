"""Causes: what the evidence tells apart, and what it tells to be one."""

from __future__ import annotations

import time
from typing import Any

import pytest

from guard.runner.classify import causes
from guard.runner.classify_log import crashes, stands_at
from guard.runner.deployers.base import DeployFailed
from guard.runner.plan import Plan
from guard.runner.record import (
    Cause,
    CauseKind,
    Criterion,
    Evidence,
    Outcome,
    Session,
    Step,
    Test,
    TestOutcome,
    Verdict,
)

LOG = """\
INFO:     Started server process [7]
ERROR:    Exception in ASGI application
Traceback (most recent call last):
  File "/usr/lib/python3.11/site-packages/uvicorn/run.py", line 4, in run
    await app()
  File "/srv/app/store.py", line 12, in load
    return TABLE[7]
KeyError: 7
INFO:     127.0.0.1:5 - "GET / HTTP/1.1" 500
"""


HANGS = '  File "/r/t/test_a.py", line 3, in test_a\n'


def test(name: str = "a", outcome: str = "failed", **rest: Any) -> Test:
    return Test(id=f"t.py::{name}", phase="p", cycle=1, outcome=TestOutcome(outcome), **rest)


test.__test__ = False  # type: ignore[attr-defined]


def session(*tests: Test, **rest: Any) -> Session:
    return Session(id="s", plan=Plan(), target="t", verdict=Verdict.RUNNING, tests=tests, revision="rev-2", **rest)


def found(*tests: Test, log: str = "", failure: DeployFailed | None = None, **rest: Any) -> tuple[Cause, ...]:
    return causes(session(*tests, **rest), 1, log, failure)


def step(name: str, outcome: Outcome, **rest: Any) -> Step:
    return Step(name=name, cycle=1, outcome=outcome, started=0, ended=1, **rest)


@pytest.mark.parametrize(
    ("carried", "kind", "said"),
    [
        ({"facts": {"status": "503", "url": "http://h/x"}}, CauseKind.HTTP, "answered with 503 by /x"),
        ({"facts": {"status": "504", "url": "http://h/x"}}, CauseKind.TIMEOUT_PROXY, "504"),
        ({"facts": {"status": "408"}}, CauseKind.TIMEOUT_SERVER, "408"),
        ({"facts": {"status": "403", "upgrade": "refused"}}, CauseKind.WEBSOCKET_REFUSED, "not let in"),
        ({"facts": {"close_code": "1011", "closed_by": "server"}}, CauseKind.WEBSOCKET_CLOSE, "with 1011"),
        ({"facts": {"close_code": "1000", "closed_by": "server"}}, CauseKind.WEBSOCKET_CLOSE, "cleanly"),
        ({"facts": {"close_code": "1006", "closed_by": "nobody"}}, CauseKind.WEBSOCKET_CLOSE, "dropped"),
        (
            {"exception": "AssertionError", "message": "assert 502 == 200 + where 502 = <Response [502 Bad Gateway]>"},
            CauseKind.HTTP,
            "502",
        ),
        ({"facts": {"chain": "httpx.ConnectError < ConnectionRefusedError"}}, CauseKind.REFUSED, "refused"),
        ({"facts": {"chain": "httpx.ConnectError < socket.gaierror"}}, CauseKind.DNS, "name"),
        ({"facts": {"chain": "httpx.ConnectError < ssl.SSLCertVerificationError"}}, CauseKind.TLS, "TLS"),
        ({"facts": {"chain": "httpx.ReadTimeout", "url": "http://h/slow"}}, CauseKind.TIMEOUT_CLIENT, "/slow"),
        ({"facts": {"chain": "x.Odd < OSError", "errno": "ECONNRESET"}}, CauseKind.RESET, "dropped"),
        ({"exception": "http.client.RemoteDisconnected"}, CauseKind.RESET, "dropped"),
        ({"exception": "AssertionError", "message": "assert 1 == 2"}, CauseKind.ASSERTION, "assert 1 == 2"),
        ({"exception": "NameError", "message": "name 'x' is not defined"}, CauseKind.TEST_BUG, "fault of the test"),
        ({"exception": "app.Odd", "message": "what?"}, CauseKind.UNKNOWN, "app.Odd: what?"),
        ({"outcome": "flaky", "message": "failed, and passed"}, CauseKind.FLAKE, "at times"),
        ({"outcome": "timeout", "stacks": HANGS}, CauseKind.TIMEOUT_TEST, "t/test_a.py:3"),
        ({"outcome": "unproven", "message": "passed without reaching"}, CauseKind.UNPROVEN, "without reaching"),
    ],
)  # fmt: skip
def test_kinds(carried: dict[str, Any], kind: CauseKind, said: str) -> None:
    (cause,) = found(test(**carried))
    assert cause.kind is kind
    assert said in cause.summary
    assert cause.tests == ("t.py::a",)
    assert cause.evidence
    assert cause.id == "1-1"


def test_ten_tests_of_one_cause_are_one_cause() -> None:
    many = [test(f"a{at}", facts={"status": "503", "url": f"http://h/{at}"}) for at in range(10)]
    other = test("b", exception="AssertionError", message="assert 'x' in 'y'")
    one, two = found(*many, other, test("c", "passed"), test("d", "skipped"))
    assert (one.kind, len(one.tests)) == (CauseKind.HTTP, 10)
    assert (two.kind, two.tests) == (CauseKind.ASSERTION, ("t.py::b",))
    assert len(one.evidence) <= 10


RAISED = [
    "Traceback (most recent call last):",
    '  File "/srv/app/a.py", line 12, in load',
    "    return TABLE[7]",
    "KeyError: 7",
]
TIMES = ("21.123456Z", "21.5Z", "22Z", "22.000001Z")


@pytest.mark.parametrize(
    "lines",
    [
        [f"web-1  | {line}" for line in RAISED],
        [f"[pod/web-bbb-x1/app] 2026-09-21T14:13:{at} {line}" for at, line in zip(TIMES, RAISED, strict=True)],
        [f"2026-09-21T14:13:{at} ERROR {line}" for at, line in zip(TIMES, RAISED, strict=True)],
        [f"2026-09-21T14:13:21Z ERROR {RAISED[0]}", *RAISED[1:]],
        [f"14:13:21 ERROR chat: {RAISED[0]}", *RAISED[1:], "14:13:21 INFO chat: next"],
    ],
    ids=["compose", "kubernetes", "cloud-run", "cloud-run-one-entry", "logging"],
)
def test_an_exception_is_found_whatever_stands_before_its_lines(lines: list[str]) -> None:
    (crash,) = crashes("\n".join(lines))
    assert (crash.said, crash.place) == ("KeyError: 7", "/srv/app/a.py:12")
    assert crash.text == "\n".join(RAISED)


def test_no_connection_is_only_called_refused_where_it_was() -> None:
    (cause,) = found(test(facts={"chain": "httpx.ConnectError < OSError", "errno": "EHOSTUNREACH"}, message="No route"))
    assert cause.summary == "no connection can be made: No route"


def test_who_closed_a_websocket_is_only_said_where_it_is_known() -> None:
    (cause,) = found(test(facts={"close_code": "1011"}))
    assert cause.summary == "the WebSocket was closed with 1011"


def test_bytes_that_could_not_be_counted_are_not_told_of() -> None:
    for counts, told in (({}, ""), ({"bytes_sent": 7, "bytes_received": 9}, "; 7 bytes sent, 9 received")):
        (cause,) = found(test(exception="AssertionError", peers=("h:80",), **counts))
        texts = [one.text for one in cause.evidence if one.source == "network"]
        assert texts == [f"connected to h:80{told}"]


def test_assertions_of_other_places_are_other_causes() -> None:
    tests = [
        test(name, exception="AssertionError", message="assert 0", facts={"frame": f"t.py:{name}"}) for name in "abb"
    ]
    assert len(found(*tests)) == 2


def test_an_exception_of_the_service_explains_its_answers() -> None:
    primary, secondary, third = found(
        test("a", facts={"status": "500"}), test("b", exception="AssertionError", message="assert 0"), log=LOG + LOG
    )
    assert {(one.kind, one.rank) for one in (primary, secondary)} == {
        (CauseKind.SERVICE_ERROR, "primary"),
        (CauseKind.ASSERTION, "primary"),
    }
    assert (third.kind, third.rank) == (CauseKind.HTTP, "secondary")
    raised = next(one for one in (primary, secondary) if one.kind is CauseKind.SERVICE_ERROR)
    assert raised.summary == "the service raised KeyError: 7 (2 times)"
    assert raised.tests == ("t.py::a",)
    assert raised.evidence[0].place == "/srv/app/store.py:12"


def test_an_exception_that_explains_nothing_is_tertiary() -> None:
    first, last = found(test(facts={"status": "404"}), log=LOG)
    assert (first.kind, first.rank) == (CauseKind.HTTP, "primary")
    assert (last.kind, last.rank) == (CauseKind.SERVICE_ERROR, "tertiary")


def test_a_clean_close_is_not_blamed_on_the_service() -> None:
    first, last = found(test(facts={"close_code": "1000", "closed_by": "server"}), log=LOG)
    assert (first.kind, first.rank) == (CauseKind.WEBSOCKET_CLOSE, "primary")
    assert last.rank == "tertiary"


def test_another_revision_that_answered_is_a_cause_however_well_the_tests_are() -> None:
    (cause,) = found(test(outcome="passed", revisions=("rev-1",)), test("b", "passed", revisions=("rev-2",)))
    assert cause.kind is CauseKind.REVISION
    assert cause.summary == "revision rev-1 answered, and rev-2 was deployed"
    assert cause.tests == ("t.py::a",)


def test_only_the_last_of_a_test_counts_and_only_of_this_cycle() -> None:
    earlier = Test(id="t.py::old", phase="p", cycle=0, outcome=TestOutcome.FAILED)
    assert found(earlier, test(outcome="failed"), test(outcome="passed")) == ()


def test_a_start_that_crashed() -> None:
    log = LOG.replace("KeyError: 7", "ImportError: cannot import name 'A' from 'b' (/srv/b.py)")
    failure = DeployFailed("ended with status 1", "start", (Evidence("log", log, "local.log"),))
    (cause,) = found(failure=failure)
    assert cause.kind is CauseKind.START
    assert cause.summary == "ended with status 1: ImportError: cannot import name 'A' from 'b' (/srv/b.py)"
    assert cause.evidence[0].text.startswith("Traceback")
    (built,) = found(failure=DeployFailed("no such image", "build"))
    assert built.kind is CauseKind.BUILD


def test_probes_of_one_sort_are_one_cause() -> None:
    probes = [
        {"kind": "http", "url": "http://h/a", "outcome": "http-status", "status": 503, "error": "answered 503"},
        {"kind": "http", "url": "http://h/b", "outcome": "http-status", "status": 503, "error": "answered 503"},
        {"kind": "http", "url": "http://h/c", "outcome": "ok", "status": 200},
        {"kind": "websocket", "url": "ws://h", "outcome": "websocket-close", "close_code": 1011, "error": "closed"},
        {"kind": "http", "url": "http://h/d", "outcome": "slow", "status": 200, "error": "took 9 s"},
    ]
    kinds = [one.kind for one in found(steps=(step("health", Outcome.FAILED, data={"probes": probes}),))]
    assert kinds == [CauseKind.HTTP, CauseKind.WEBSOCKET_CLOSE, CauseKind.HEALTH]
    assert found(steps=(step("health", Outcome.OK, data={"probes": probes}),)) == ()


def test_a_phase_whose_tests_could_not_be_run() -> None:
    evidence = (Evidence("test", "E   ModuleNotFoundError: No module named 'x'\n", "t.py"),)
    first, second = found(steps=(step("phase:p", Outcome.FAILED, evidence=evidence, data={"timed_out": True}),))
    assert {first.kind, second.kind} == {CauseKind.TEST_BUG, CauseKind.TIMEOUT_TEST}
    assert any("No module named 'x'" in one.summary for one in (first, second))


def test_criteria() -> None:
    missed = Criterion(phase="p", cycle=1, expression="p95(ms) < 2", value="3", outcome="missed")
    nothing = Criterion(phase="p", cycle=1, expression="max(x) < 2", value="", outcome="unproven", message="none")
    met = Criterion(phase="p", cycle=1, expression="duration < 2", value="1", outcome="met")
    first, second = found(test(outcome="passed"), criteria=(missed, nothing, met))
    assert (first.kind, first.rank, second.kind) == (CauseKind.CRITERION, "primary", CauseKind.UNPROVEN)
    assert found(test(exception="AssertionError"), criteria=(missed,))[1].rank == "secondary"


# Logs


def test_exceptions_of_a_log_are_found_behind_what_a_platform_writes_before_each_line() -> None:
    prefixed = "".join(f"2026-11-29T12:00:0{at} pod-1 {line}\n" for at, line in enumerate(LOG.splitlines()))
    (crash,) = crashes(prefixed)
    assert crash.said == "KeyError: 7"
    assert crash.place == "/srv/app/store.py:12"


def test_of_a_chain_it_is_the_first_that_counts() -> None:
    second = LOG.split("\n", 2)[2].replace("KeyError: 7", "app.StoreError: no row")
    link = "\nThe above exception was the direct cause of the following exception:\n\n"
    (crash,) = crashes(LOG.rpartition("INFO")[0] + link + second)
    assert crash.said == "KeyError: 7"


def test_the_same_exception_with_other_numbers_is_the_same() -> None:
    (crash,) = crashes(LOG + LOG.replace("KeyError: 7", "KeyError: 8"))
    assert crash.count == 2


@pytest.mark.parametrize(
    "log", ["", "Traceback (most recent call last):", "Traceback (most recent call last):\n  File"]
)
def test_a_log_that_breaks_off(log: str) -> None:
    assert crashes(log) == ()


COPIED = """\
Traceback (most recent call last):
  File "/srv/guard/runner/deployers/launch.py", line 40, in <module>
    main()
  File "/usr/lib/python3.11/site-packages/uvicorn/server.py", line 90, in serve
    await self._serve(sockets)
  File "<frozen importlib._bootstrap>", line 241, in _call_with_frames_removed
  File "/home/me/shop/.guard/revisions/0a1b-2c3d/app/main.py", line 9, in <module>
    from shop import (
        Gone,
    )
ImportError: cannot import name 'Gone' from 'shop' (/home/me/shop/.guard/revisions/0a1b-2c3d/shop/__init__.py)
"""


def test_of_installed_packages_a_traceback_shows_only_where_it_was_raised() -> None:
    (one,) = crashes(COPIED)
    assert one.text.splitlines() == [
        "Traceback (most recent call last):",
        "  … 3 frames of installed packages …",
        '  File "app/main.py", line 9, in <module>',
        "    from shop import (",
        "        Gone,",
        "    )",
        "ImportError: cannot import name 'Gone' from 'shop' (shop/__init__.py)",
    ]
    assert one.place == "app/main.py:9"
    raised = COPIED.replace(
        "ImportError: cannot", '  File "/x/site-packages/a.py", line 1, in a\n    a()\nImportError: cannot'
    )
    (one,) = crashes(raised)
    assert '  File "/x/site-packages/a.py", line 1, in a' in one.text
    assert one.place == "app/main.py:9"


ASKED = """\
INFO: begun
Thread 0x00007f0a (most recent call first):
  File "/srv/app/other.py", line 3 in wait

Current thread 0x00007f0b (most recent call first):
  File "/usr/lib/python3.11/socket.py", line 80 in connect
  File "/home/me/shop/.guard/revisions/0a1b-2c3d/app/store.py", line 5 in <module>
  File "/srv/guard/runner/deployers/launch.py", line 40 in <module>
"""


@pytest.mark.parametrize(
    ("log", "said"),
    [
        (
            'INFO: begun\nERROR:    Error loading ASGI app. Could not import module "x".\n',
            'Could not import module "x".',
        ),
        ("2026-09-21 14:13:20 [CRITICAL] no database\nbye\n", ": no database"),
        ("INFO: begun\n", "app:app ended"),
    ],
)
def test_a_start_that_ended_without_an_exception_says_what_its_log_says(log: str, said: str) -> None:
    (one,) = found(failure=DeployFailed("app:app ended", "start", (Evidence("log", log),)))
    assert one.summary.endswith(said)


def test_a_start_that_hangs_says_where() -> None:
    (one,) = found(failure=DeployFailed("app:app did not listen", "start", (Evidence("log", ASKED),)))
    assert one.summary == "app:app did not listen: it was at app/store.py:5, <module>"
    assert stands_at("INFO: begun") is None
    assert stands_at(ASKED.replace("/home/me/shop/.guard/revisions/0a1b-2c3d/app/", "/x/site-packages/")) == ""


def test_which_of_several_exceptions_met_which_test_is_not_claimed() -> None:
    two = LOG + LOG.replace("KeyError: 7", "app.StoreError: no row")
    failing = [test(name, facts={"status": "500", "url": f"http://h/{name}"}) for name in "ab"]
    said = "the log has 2 exceptions, and does not tell which of them made which of the 2 tests fail"
    for tests, log, times in ((failing, two, 2), (failing, LOG, 0), (failing[:1], two, 0)):
        texts = [one.text for cause in found(*tests, log=log) for one in cause.evidence]
        assert texts.count(said) == times


def test_a_log_that_is_one_traceback_is_told_once() -> None:
    for log, times in ((COPIED, 1), (f"INFO: begun\n{COPIED}", 2), (COPIED + COPIED, 2)):
        failure = DeployFailed("app.main:app ended", "start", (Evidence("log", log, "local.log"),))
        (one,) = found(failure=failure)
        assert [evidence.source for evidence in one.evidence] == ["log"] * times


def test_a_long_log_is_read_quickly() -> None:
    begun = time.perf_counter()
    crashes(LOG * 5_000)
    assert time.perf_counter() - begun < 5
