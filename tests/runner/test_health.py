"""Probes against a service that misbehaves: each way is told from the others."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Iterator

import pytest
import uvicorn

from guard.model import ConfigError
from guard.runner import health, probe
from guard.runner.deployers.base import Deployment
from guard.runner.health import examined
from guard.runner.plan import Plan, Probe, Target
from guard.runner.probe import is_same_revision
from guard.runner.record import Outcome
from guard.runner.redact import Redactor

REVISION = "0123456789abcdef"
ONCE = 1e-6
"""Seconds of a cold start that is over before the first answer."""


async def app(scope: dict, receive, send) -> None:  # type: ignore[no-untyped-def, type-arg]
    """The path says how to misbehave."""
    if scope["type"] == "lifespan":
        return
    path, headers = scope["path"], dict(scope["headers"])
    if scope["type"] == "websocket":
        await receive()
        if path.startswith("/refuse/"):
            await send({"type": "websocket.http.response.start", "status": int(path[8:]), "headers": []})
            await send({"type": "websocket.http.response.body", "body": b"not you"})
            return
        if path == "/auth" and headers.get(b"authorization") != b"Bearer let-me-in":
            await send({"type": "websocket.close"})  # an answer of 403
            return
        offered = scope["subprotocols"]
        await send({"type": "websocket.accept", "subprotocol": offered[0] if offered else None})
        if path.startswith("/close/"):
            await send({"type": "websocket.close", "code": int(path[7:]), "reason": "so it is"})
            return
        if path == "/drop":
            raise RuntimeError("the agent is gone")
        while (message := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": json.dumps({"echo": message["text"], "rev": REVISION})})
        return
    if path == "/hang":
        await asyncio.sleep(5)
    status = int(path[1:]) if path[1:].isdigit() else 200
    body = json.dumps({"status": "healthy", "parts": {"db": [1, 2]}, "revision": REVISION}).encode()
    await send({"type": "http.response.start", "status": status, "headers": [(b"x-revision", REVISION.encode())]})
    await send({"type": "http.response.body", "body": body})


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    config = uvicorn.Config(app, log_level="critical", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        yield listening.getsockname()[1]
        server.should_exit = True
        thread.join(10)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "_SETTLE_S", 0.05)


def asked(base: str, **settings: object) -> tuple[Outcome, dict[str, object], health.Health]:
    one = Probe(**{"cold_start_s": ONCE, "timeout_s": 5, **settings})  # type: ignore[arg-type]
    plan = Plan(target=Target(base_url=base), health=(one,))
    deployment = Deployment(revision=REVISION, base_url=base)
    urls = (base, base.replace("http", "ws", 1))
    found = examined(plan, deployment, urls, {"TOKEN": "let-me-in"}, Redactor({"TOKEN": "let-me-in"}), lambda: True)
    (probed,) = found.data(REVISION)["probes"]  # type: ignore[misc]
    return found.outcome, probed, found


HTTP = [
    ({"path": "/"}, "ok", ""),
    ({"path": "/", "json": {"status": "healthy", "parts.db.1": 2}}, "ok", ""),
    ({"path": "/", "revision": "json:revision"}, "ok", ""),
    ({"path": "/", "revision": "header:X-Revision"}, "ok", ""),
    ({"path": "/204", "status": 204}, "ok", ""),
    ({"path": "/503"}, "http-status", "answered 503, not 200"),
    ({"path": "/", "json": {"status": "up"}}, "answer", 'status is "healthy", not "up"'),
    ({"path": "/", "json": {"gone": 1}}, "answer", "gone is not there, not 1"),
    ({"path": "/", "max_ms": 0.001}, "slow", "more than 0.001 ms"),
    ({"path": "/", "revision": "json:rev"}, "revision-mismatch", "the answer says no revision"),
    ({"path": "/hang", "timeout_s": 0.1}, "timeout-client", "no answer in time"),
]
WEBSOCKET = [
    ({"path": "/echo"}, "ok", ""),
    ({"path": "/echo", "send": "hello", "expect": "hello", "revision": "json:rev"}, "ok", ""),
    ({"path": "/echo", "subprotocols": ("chat",)}, "ok", ""),
    ({"path": "/auth", "headers": {"Authorization": "Bearer ${TOKEN}"}}, "ok", ""),
    ({"path": "/close/1000"}, "ok", ""),
    ({"path": "/auth"}, "websocket-refused", "the upgrade was answered with 403"),
    ({"path": "/refuse/502"}, "websocket-refused", "the upgrade was answered with 502"),
    ({"path": "/close/1011"}, "websocket-close", "the server closed with 1011 (so it is)"),
    ({"path": "/close/1000", "expect": "hello"}, "websocket-close", "the server closed with 1000 (so it is)"),
    ({"path": "/drop"}, "websocket-close", "the server closed with 10"),
    ({"path": "/echo", "expect": "hello", "timeout_s": 0.1}, "answer", "no answer held 'hello' within 0.1 s"),
]


@pytest.mark.parametrize(("settings", "outcome", "error"), HTTP)
def test_http(port: int, settings: dict[str, object], outcome: str, error: str) -> None:
    verdict, probed, found = asked(f"http://127.0.0.1:{port}", **settings)
    assert (probed["outcome"], verdict) == (outcome, Outcome.OK if outcome == "ok" else Outcome.FAILED)
    assert error in str(probed["error"])
    assert [one.place for one in found.evidence] == ([] if outcome == "ok" else [probed["url"]])


@pytest.mark.parametrize(("settings", "outcome", "error"), WEBSOCKET)
def test_websocket(port: int, settings: dict[str, object], outcome: str, error: str) -> None:
    verdict, probed, _ = asked(f"http://127.0.0.1:{port}", kind="websocket", **settings)
    assert (probed["outcome"], verdict) == (outcome, Outcome.OK if outcome == "ok" else Outcome.FAILED)
    assert error in str(probed["error"])


def test_close_codes_and_statuses_are_kept_as_numbers(port: int) -> None:
    base = f"http://127.0.0.1:{port}"
    assert asked(base, kind="websocket", path="/close/1011")[1]["close_code"] == 1011
    assert asked(base, kind="websocket", path="/refuse/403")[1]["status"] == 403
    assert asked(base, path="/503")[1]["status"] == 503
    assert asked(base, path="/", revision="json:revision")[1]["revision"] == REVISION


def test_a_connection_that_is_cut_without_a_word_is_1006() -> None:
    def cut(listening: socket.socket) -> None:
        connection, _ = listening.accept()
        with connection:
            request = b""
            while b"\r\n\r\n" not in request:
                request += connection.recv(4096)
            from websockets.utils import accept_key

            key = next(
                line.split(b": ")[1] for line in request.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key")
            )
            accept = accept_key(key.decode())
            connection.sendall(
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                + f"Sec-WebSocket-Accept: {accept}\r\n\r\n".encode()
            )

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=cut, args=(listening,))
        thread.start()
        _, probed, _ = asked(f"http://127.0.0.1:{listening.getsockname()[1]}", kind="websocket", timeout_s=10)
        thread.join(5)
    assert (probed["outcome"], probed["close_code"]) == ("websocket-close", 1006)


def test_what_does_not_come_as_far_as_http() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nobody = free.getsockname()[1]
    assert asked(f"http://127.0.0.1:{nobody}")[1]["outcome"] == "connection-refused"
    assert asked(f"http://127.0.0.1:{nobody}", kind="websocket")[1]["outcome"] == "connection-refused"
    assert asked("http://no-such-host.invalid")[1]["outcome"] == "dns"
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=lambda: listening.accept()[0].close())
        thread.start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        assert asked(url, timeout_s=10)[1]["outcome"] == "connection-reset"
        thread.join(5)


def test_tls_where_there_is_none(port: int) -> None:
    assert asked(f"https://127.0.0.1:{port}")[1]["outcome"] == "tls"


def test_both_down_is_told_from_one_down(port: int) -> None:
    base = f"http://127.0.0.1:{port}"

    def summary(*probes: Probe) -> str:
        plan = Plan(health=probes)
        urls = (base, base.replace("http", "ws", 1))
        return examined(plan, Deployment(revision="r", base_url=base), urls, {}, Redactor({}), lambda: True).summary

    up, down = Probe(path="/", cold_start_s=ONCE), Probe(path="/503", cold_start_s=ONCE)
    wide = Probe(kind="websocket", path="/echo", cold_start_s=ONCE)
    shut = Probe(kind="websocket", path="/close/1011", cold_start_s=ONCE)
    assert summary(up, shut).startswith("HTTP up, WebSocket down: ws://")
    assert summary(down, wide).startswith("HTTP down, WebSocket up: http://")
    assert summary(down, shut).startswith("HTTP down, WebSocket down: ")
    assert summary(up, wide).startswith("2 probes well, ")
    assert summary() == "the plan has no health probes"


def test_a_cold_start_is_waited_for_and_a_dead_service_is_not(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([503, 503, 200])
    real = probe.got

    def got(url: str, headers: dict[str, str], timeout_s: float):  # type: ignore[no-untyped-def]
        return real(f"http://127.0.0.1:{port}/{next(answers)}", headers, timeout_s)

    monkeypatch.setattr(probe, "got", got)
    assert asked("http://127.0.0.1:1", cold_start_s=10)[1]["attempts"] == 3
    monkeypatch.setattr(probe, "got", real)
    one = Probe(path="/503", cold_start_s=60)
    base = f"http://127.0.0.1:{port}"
    dead = examined(
        Plan(health=(one,)), Deployment(revision="r", base_url=base), (base, base), {}, Redactor({}), lambda: False
    )
    assert dead.probed[0].attempts == 1
    assert asked(base, kind="websocket", path="/auth", cold_start_s=60)[1]["attempts"] == 1, "403 stays 403"


def test_a_variable_that_is_not_set() -> None:
    with pytest.raises(ConfigError, match=r"loop\.health\.headers\.X: \$\{NOBODY\} is not set"):
        asked("http://127.0.0.1:1", headers={"X": "${NOBODY}"})


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("0123456", "0123456789abcdef", True),
        ("012345", "0123456789abcdef", False),
        ("chat-00042-abc", "chat-00042-abc", True),
        ("chat-00042", "chat-00042-abc", False),
        ("a", "b", False),
    ],
)
def test_revisions(one: str, other: str, same: bool) -> None:
    assert is_same_revision(one, other) is same
