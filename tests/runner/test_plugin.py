"""The plugin: what it sees of a test, and that it costs nothing where nobody asks for it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from guard.runner.record import Outcome, TestOutcome
from tests.runner.phase_support import ASK, run, service, write


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with service() as where:
        yield where


SWALLOWS = """
import asyncio, contextlib, socket, sys, threading
import pytest
DEAD = ("127.0.0.1", 9)
def dead():
    socket.create_connection(DEAD, 1)
def quiet():
    try:
        dead()
    except OSError:
        return False
def finally_quiet():
    try:
        dead()
    finally:
        pass
def test_expects():
    ask()
    with pytest.raises(ConnectionRefusedError):
        dead()
def test_expects_below():
    ask()
    with pytest.raises(ConnectionRefusedError):
        finally_quiet()
def test_catches():
    ask()
    try:
        dead()
    except ConnectionRefusedError:
        pass
def test_calls_what_catches():
    ask(); quiet()
def test_suppresses():
    ask()
    with contextlib.suppress(OSError):
        dead()
def test_catches_another():
    ask()
    try:
        raise RuntimeError from ConnectionResetError()
    except RuntimeError:
        pass
def test_catches_in_a_thread():
    ask(); thread = threading.Thread(target=quiet); thread.start(); thread.join()
def test_catches_what_is_expected_around_it():
    ask()
    with pytest.raises(ValueError):
        try:
            dead()
        except OSError:
            raise ValueError
    quiet()
def test_catches_in_a_generator():
    ask()
    def numbers():
        try:
            dead()
        except OSError:
            yield 1
        yield 2
    assert list(numbers()) == [1, 2]
def test_catches_in_a_coroutine():
    ask()
    async def asks():
        try:
            await asyncio.open_connection(*DEAD)
        except OSError:
            await asyncio.sleep(0)
    asyncio.run(asks())
def test_catches_once_of_two_times():
    ask()
    with pytest.raises(ConnectionRefusedError):
        finally_quiet()
    quiet()
def test_is_seen_by_the_right_means():
    assert (sys.gettrace() is None) == SEEN_WITHOUT_TRACE
    ask(); quiet()
def test_catches_something_else():
    ask()
    try:
        {}["x"]
    except KeyError:
        pass
"""


TAKEN = "import sys\nfor one in range(6):\n    sys.monitoring.get_tool(one) or sys.monitoring.use_tool_id(one, 'x')\n"


@pytest.mark.parametrize("monitoring", [True, False], ids=["as it is", "no monitoring"])
def test_connection_errors_that_are_swallowed(tmp_path: Path, url: str, monitoring: bool) -> None:
    """The same is seen by both means; the second case is the first one on Python 3.11, which has but one."""
    can_monitor = sys.version_info >= (3, 12)
    constant = f"SEEN_WITHOUT_TRACE = {can_monitor and monitoring}\n"
    conftest = TAKEN if can_monitor and not monitoring else ""
    write(tmp_path, {"test_it.py": ASK + constant + SWALLOWS, "conftest.py": conftest})
    _, tests = run(tmp_path, url)
    fine = {"test_expects", "test_expects_below", "test_catches_something_else"}
    assert {name for name, test in tests.items() if test.outcome is TestOutcome.PASSED} == fine
    assert {test.outcome for name, test in tests.items() if name not in fine} == {TestOutcome.UNPROVEN}
    assert tests["test_catches"].swallowed[0].startswith("ConnectionRefusedError: ")
    assert "test_it.py:" in tests["test_catches"].swallowed[0]
    assert "that it caught" in tests["test_catches"].message


PROVES = """
import http.client, socket
import pytest
HOST, PORT = URL.removeprefix("http://").split(":")
@pytest.fixture(scope="module")
def kept():
    connection = http.client.HTTPConnection(HOST, int(PORT)); connection.connect()
    yield connection
    connection.close()
@pytest.fixture
def asked():
    return ask()
def test_by_name():
    connection = http.client.HTTPConnection("localhost", int(PORT)); connection.request("GET", "/")
    assert connection.getresponse().read() == b"ok"; connection.close()
def test_in_its_fixture(asked):
    assert asked == b"ok"
def test_opens_it(kept):
    kept.request("GET", "/"); kept.getresponse().read()
def test_over_one_that_was_open(kept):
    kept.request("GET", "/"); kept.getresponse().read()
def test_has_one_open(kept):
    assert kept.sock is not None
def test_elsewhere():
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()):
        pass
def test_skips_for_want_of_it():
    try:
        socket.create_connection(("127.0.0.1", 9), 1)
    except OSError:
        pytest.skip("staging is down")
def test_skips_for_itself():
    pytest.skip("only on Windows")
"""


def test_what_reaches_the_target(tmp_path: Path, url: str) -> None:
    write(tmp_path, {"test_it.py": ASK + PROVES})
    result, tests = run(tmp_path, url)
    assert {name: str(test.outcome) for name, test in tests.items()} == {
        "test_by_name": "passed",
        "test_in_its_fixture": "passed",
        "test_opens_it": "passed",
        "test_over_one_that_was_open": "passed",
        "test_has_one_open": "unproven",
        "test_elsewhere": "unproven",
        "test_skips_for_want_of_it": "unproven",
        "test_skips_for_itself": "skipped",
    }
    assert result.outcome is Outcome.UNPROVEN
    assert tests["test_elsewhere"].peers[0].startswith("127.0.0.1:")
    assert tests["test_over_one_that_was_open"].bytes_received > 0
    assert "staging is down" in tests["test_skips_for_want_of_it"].message


def test_a_target_that_cannot_be_reached_is_not_reached(tmp_path: Path) -> None:
    text = (
        "import socket\ndef test_tries():\n    with socket.socket() as one:\n"
        "        assert one.connect_ex(('127.0.0.1', 9))\n"
    )
    write(tmp_path, {"test_it.py": text})
    _, tests = run(tmp_path, "http://127.0.0.1:9")
    assert tests["test_tries"].outcome is TestOutcome.UNPROVEN
    assert "in vain" in tests["test_tries"].message


def test_a_proxy_of_the_environment_stands_for_the_target(tmp_path: Path, url: str) -> None:
    text = (
        "import os, urllib.request\ndef test_a():\n    urllib.request.urlopen(os.environ['GUARD_TARGET_URL']).read()\n"
    )
    write(tmp_path, {"test_it.py": text})
    env = {"http_proxy": url, "no_proxy": "", "NO_PROXY": ""}
    _, tests = run(tmp_path, "http://staging.invalid", env=env)
    assert tests["test_a"].outcome is TestOutcome.PASSED, tests


MOCKS = """
import os, unittest.mock as mock
def test_patches():
    with mock.patch("os.getcwd"):
        pass
@mock.patch.object(os, "getpid")
def test_is_patched(getpid):
    os.getpid()
def test_sets(monkeypatch):
    monkeypatch.setattr(os, "getppid", lambda: 1)
def test_makes():
    mock.MagicMock().answer.status
def test_is_plain():
    pass
"""


def test_mocks_are_named(tmp_path: Path) -> None:
    write(tmp_path, {"test_it.py": MOCKS})
    _, tests = run(tmp_path, "http://127.0.0.1:9")
    assert {name: test.mocked[:1] for name, test in tests.items()} == {
        "test_patches": ("os.getcwd",),
        "test_is_patched": ("os.getpid",),
        "test_sets": ("os.getppid",),
        "test_makes": ("MagicMock",),
        "test_is_plain": (),
    }
    assert "mocked: os.getcwd" in tests["test_patches"].message


def test_what_an_exception_says_of_a_connection(tmp_path: Path, url: str) -> None:
    text = ASK + (
        "import httpx\n"
        "from websockets.sync.client import connect\n"
        "def test_status():\n"
        "    request = httpx.Request('GET', URL, headers={'Authorization': '-'})\n"
        "    httpx.Response(503, request=request).raise_for_status()\n"
        "def test_refused():\n    httpx.get('http://127.0.0.1:9/')\n"
        "def test_no_websocket():\n    connect(URL.replace('http', 'ws'), proxy=None)\n"
    )
    write(tmp_path, {"test_it.py": text})
    _, tests = run(tmp_path, url)
    assert tests["test_status"].facts["status"] == "503"
    assert tests["test_status"].facts["sent_authorization"] == "yes"
    assert tests["test_refused"].facts["errno"] == "ECONNREFUSED"
    assert tests["test_refused"].facts["chain"].endswith("ConnectionRefusedError")
    assert tests["test_no_websocket"].facts["upgrade"] == "refused"


def test_it_is_silent_and_light_unless_it_is_asked_for(tmp_path: Path) -> None:
    """Nothing of the loop but the entry point is imported, and nothing is written."""
    text = "import sys\ndef test_a():\n    print(sorted(m for m in sys.modules if m.startswith('guard')))\n"
    write(tmp_path, {"test_it.py": text})
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "GUARD"))}
    command = [sys.executable, "-m", "pytest", "-q", "-s", "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=tmp_path, env=env, check=True, capture_output=True, text=True)
    assert "['guard', 'guard.runner', 'guard.runner.plugin']" in done.stdout
