"""One question to a service, asked once: over HTTP, or by opening a WebSocket. What came of it is a value."""

from __future__ import annotations

import json
import re
import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import urlsplit

import httpx
import msgspec
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, WebSocketException
from websockets.sync.client import ClientConnection, connect

from guard.runner.plan import Probe
from guard.runner.record import CauseKind

_SETTLE_S: Final = 0.25
"""How long a WebSocket that opened well is watched for a server that ends it at once."""
_BODY: Final = 500
"""Characters of an answer that are kept as evidence."""
_LOOPBACK: Final = re.compile(r"localhost|127\.[\d.]+|::1")
_CLEAN: Final = (1000, 1001)
OK: Final = "ok"


class Probed(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a probe."""

    kind: str
    """`http` or `websocket`."""
    url: str
    outcome: str
    """`ok`, the value of a CauseKind (`http-status`, `websocket-close`, `websocket-refused`, `revision-mismatch`,
    `connection-refused`, `connection-reset`, `dns`, `tls`, `timeout-client`), `answer` for one that the plan does not
    want, `slow`, or `unknown`."""
    status: int | None = None
    """Of the HTTP answer, or of the answer to an upgrade that was refused."""
    close_code: int | None = None
    """That the server closed the WebSocket with; 1006 where it did not say."""
    ms: float | None = None
    """Until the answer, or until the WebSocket was open."""
    revision: str = ""
    """That the answer says."""
    error: str = ""
    """One line on what is wrong."""
    body: str = ""
    """The beginning of an answer that is not well."""
    attempts: int = 1
    waited_s: float = 0.0
    """From the first attempt to this one's end."""


class Expected(msgspec.Struct, frozen=True):
    """What a probe's answer is held against."""

    revision: str
    """The one that was deployed; empty where that is not known."""
    headers: Mapping[str, str]
    """To send, with their variables filled in."""


def asked(probe: Probe, url: str, expected: Expected) -> Probed:
    """Ask once. Raises nothing: whatever goes wrong is the answer."""
    begun = time.perf_counter()
    try:
        return _http(probe, url, expected) if probe.kind == "http" else _websocket(probe, url, expected)
    except (OSError, httpx.HTTPError, httpx.InvalidURL, WebSocketException, ValueError, EOFError) as error:
        kind, said = _trouble(error)
        return Probed(kind=probe.kind, url=url, outcome=kind, ms=_ms(begun), error=said)


def _http(probe: Probe, url: str, expected: Expected) -> Probed:
    begun = time.perf_counter()
    answer = got(url, expected.headers, probe.timeout_s)
    ms = _ms(begun)
    found = Probed(kind="http", url=url, outcome=OK, status=answer.status_code, ms=ms)
    if answer.status_code != probe.status:
        return _bad(found, CauseKind.HTTP, f"answered {answer.status_code}, not {probe.status}", answer.text)
    value = _parsed(answer.text) if probe.json or probe.revision.startswith("json:") else None
    revision = _revision(probe, value, answer.headers)
    found = msgspec.structs.replace(found, revision=revision)
    for field, wanted in probe.json.items():
        there, is_there = _field(value, field)
        if not is_there or there != wanted:
            said = json.dumps(there) if is_there else "not there"
            return _bad(found, "answer", f"{field} is {said}, not {json.dumps(wanted)}", answer.text)
    return _latency(_of_revision(found, probe, expected, answer.text), probe)


def got(url: str, headers: Mapping[str, str], timeout_s: float) -> httpx.Response:
    """The answer to a GET; redirections are answers too. Raises httpx.HTTPError and httpx.InvalidURL."""
    # Without TLS there is no need of the certificates, which take longer to load than the answer to come.
    verify = not url.startswith("http://")
    return httpx.get(url, headers=dict(headers), timeout=timeout_s, trust_env=not _is_here(url), verify=verify)


def _websocket(probe: Probe, url: str, expected: Expected) -> Probed:
    begun = time.perf_counter()
    opened = 0.0
    try:
        with connect(
            url,
            additional_headers=dict(expected.headers),
            subprotocols=list(probe.subprotocols) or None,  # type: ignore[arg-type]  # a NewType of str
            open_timeout=probe.timeout_s,
            close_timeout=2,
            proxy=None if _is_here(url) else True,
        ) as connection:
            opened = _ms(begun)
            found = Probed(kind="websocket", url=url, outcome=OK, status=101, ms=opened)
            if probe.subprotocols and connection.subprotocol not in probe.subprotocols:
                return _bad(found, "answer", f"the server chose subprotocol {connection.subprotocol}", "")
            return _talk(connection, probe, expected, found)
    except InvalidStatus as error:
        status = error.response.status_code
        body = (error.response.body or b"").decode("utf-8", "replace")
        refused = Probed(kind="websocket", url=url, outcome=OK, status=status, ms=_ms(begun))
        return _bad(refused, CauseKind.WEBSOCKET_REFUSED, f"the upgrade was answered with {status}", body)
    except ConnectionClosed as error:
        code = error.rcvd.code if error.rcvd is not None else 1006
        reason = f" ({error.rcvd.reason})" if error.rcvd is not None and error.rcvd.reason else ""
        if code in _CLEAN and not (probe.expect or probe.revision):
            return Probed(kind="websocket", url=url, outcome=OK, status=101, close_code=code, ms=opened)
        closed = Probed(kind="websocket", url=url, outcome=OK, status=101, close_code=code, ms=opened)
        return _bad(closed, CauseKind.WEBSOCKET_CLOSE, f"the server closed with {code}{reason}", "")


def _talk(connection: ClientConnection, probe: Probe, expected: Expected, found: Probed) -> Probed:
    """What comes of an open connection. Raises ConnectionClosed."""
    if probe.send:
        connection.send(probe.send)
    answer = ""
    if probe.expect:
        deadline = time.monotonic() + probe.timeout_s
        while probe.expect not in answer:
            try:
                message = connection.recv(max(0.0, deadline - time.monotonic()))
            except TimeoutError:
                return _bad(found, "answer", f"no answer held {probe.expect!r} within {probe.timeout_s:g} s", answer)
            answer = message if isinstance(message, str) else message.decode("utf-8", "replace")
    else:
        if not connection.ping(ack_on_close=True).wait(probe.timeout_s):
            return _bad(found, CauseKind.TIMEOUT_CLIENT, f"no pong within {probe.timeout_s:g} s", "")
        try:
            message = connection.recv(_SETTLE_S)
            answer = message if isinstance(message, str) else message.decode("utf-8", "replace")
        except TimeoutError:
            pass  # it stays open, and says nothing by itself
    headers = connection.response.headers if connection.response is not None else {}
    revision = _revision(probe, _parsed(answer), headers)
    found = msgspec.structs.replace(found, revision=revision)
    return _latency(_of_revision(found, probe, expected, answer), probe)


def _of_revision(found: Probed, probe: Probe, expected: Expected, body: str) -> Probed:
    if not probe.revision or not expected.revision:
        return found
    if not found.revision:
        return _bad(found, CauseKind.REVISION, f"the answer says no revision ({probe.revision} is not there)", body)
    if not is_same_revision(found.revision, expected.revision):
        said = f"revision {found.revision} answered, and {expected.revision} was deployed"
        return _bad(found, CauseKind.REVISION, said, "")
    return found


def is_same_revision(one: str, other: str) -> bool:
    """Whether two names are of one revision: equal, or one the beginning of the other, as short commit ids are."""
    short, long = sorted((one, other), key=len)
    return one == other or (len(short) >= 7 and re.fullmatch(r"[0-9a-f]+", long) is not None and long.startswith(short))


def _latency(found: Probed, probe: Probe) -> Probed:
    if found.outcome != OK or not probe.max_ms or found.ms is None or found.ms <= probe.max_ms:
        return found
    return _bad(found, "slow", f"took {found.ms:.0f} ms, more than {probe.max_ms:g} ms", "")


def _bad(found: Probed, outcome: str, error: str, body: str) -> Probed:
    return msgspec.structs.replace(found, outcome=str(outcome), error=error, body=body[:_BODY])


def _revision(probe: Probe, value: object, headers: Mapping[str, str]) -> str:
    where, _, name = probe.revision.partition(":")
    if where == "header":
        return headers.get(name, "")
    found, is_there = _field(value, name) if where == "json" else ("", False)
    return str(found) if is_there and found is not None else ""


def _parsed(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _field(value: object, path: str) -> tuple[object, bool]:
    """The field at a path with dots, and whether it is there; numbers lead into lists."""
    for part in path.split("."):
        if isinstance(value, dict) and part in value:
            value = value[part]
        elif isinstance(value, list) and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
        else:
            return None, False
    return value, True


def _trouble(error: BaseException) -> tuple[str, str]:
    """The kind of what went wrong below HTTP and WebSocket, and one line on it."""
    said = " ".join(str(error).split()) or type(error).__name__
    for cause in _chain(error):
        match cause:
            case ssl.SSLError():
                return CauseKind.TLS, f"TLS: {said}"
            case socket.gaierror():
                return CauseKind.DNS, f"the host's name was not found: {said}"
            case ConnectionRefusedError():
                return CauseKind.REFUSED, "the connection was refused"
            case ConnectionError() | httpx.ReadError() | httpx.RemoteProtocolError() | EOFError():
                return CauseKind.RESET, f"the connection was dropped: {said}"
            case TimeoutError() | httpx.TimeoutException():
                return CauseKind.TIMEOUT_CLIENT, f"no answer in time: {said}"
    if isinstance(error, InvalidHandshake):
        return CauseKind.WEBSOCKET_REFUSED, f"the answer to the upgrade is none: {said}"
    return CauseKind.UNKNOWN, said


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The innermost first: it says most."""
    found = []
    while error is not None and error not in found:
        found.append(error)
        error = error.__cause__ or error.__context__
    return reversed(found)


def _is_here(url: str) -> bool:
    """Whether a URL leads to this machine, where no proxy of the environment has a say."""
    return _LOOPBACK.fullmatch(urlsplit(url).hostname or "") is not None


def _ms(begun: float) -> float:
    return round((time.perf_counter() - begun) * 1000, 1)
