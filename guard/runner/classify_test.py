"""The kind of cause that one test failed of, by what it carries: its exception's own facts first, its words last."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

import msgspec

from guard.runner.record import CauseKind, Test, TestOutcome
from guard.runner.shapes import shape

_BY_TYPE: Final[tuple[tuple[CauseKind, tuple[str, ...]], ...]] = (
    (CauseKind.TLS, ("ssl.", "SSLError", "CertificateError")),
    (CauseKind.DNS, ("socket.gaierror", "NameResolutionError", "ClientConnectorDNSError")),
    (CauseKind.REFUSED, ("ConnectionRefusedError",)),
    (
        CauseKind.TIMEOUT_CLIENT,
        ("TimeoutError", "ReadTimeout", "ConnectTimeout", "WriteTimeout", "PoolTimeout", "ServerTimeoutError"),
    ),
    (
        CauseKind.RESET,
        (
            "ConnectionResetError", "BrokenPipeError", "ConnectionAbortedError", "RemoteProtocolError",
            "RemoteDisconnected", "ReadError", "IncompleteRead", "ServerDisconnectedError", "InvalidMessage",
        ),
    ),
    (CauseKind.REFUSED, ("ConnectError", "NewConnectionError", "ClientConnectorError", "URLError")),
)  # fmt: skip
_BY_ERRNO: Final[Mapping[str, CauseKind]] = {
    "ECONNREFUSED": CauseKind.REFUSED,
    "ECONNRESET": CauseKind.RESET,
    "EPIPE": CauseKind.RESET,
    "ETIMEDOUT": CauseKind.TIMEOUT_CLIENT,
}
_BUGS: Final = frozenset(
    {
        "NameError",
        "UnboundLocalError",
        "ImportError",
        "ModuleNotFoundError",
        "SyntaxError",
        "AttributeError",
        "TypeError",
    }
)
_ANSWER: Final = re.compile(r"<(?:Client)?Response \[(\d{3})")
_ASSERTED_CODE: Final = re.compile(r"\b(1\d{3})\b(?=.{0,80}(?:close_code|CloseCode|rcvd|\.code\b))", re.DOTALL)
_GATEWAY_TIMEOUT: Final = 504
_REQUEST_TIMEOUT: Final = 408
_CLEAN: Final = ("1000", "1001")


class Sign(msgspec.Struct, frozen=True):
    """What tests of one cause have in common."""

    kind: CauseKind
    detail: str
    """A status, a close code, a path: what tells one cause of this kind from another."""
    summary: str


def sign_of(test: Test) -> Sign:
    """The sign of a test that did not pass."""
    if test.outcome is TestOutcome.UNPROVEN:
        return Sign(CauseKind.UNPROVEN, test.message.partition(":")[0], f"passes prove nothing: {test.message}")
    if test.outcome is TestOutcome.FLAKY:
        return Sign(CauseKind.FLAKE, test.id, f"{_name(test)} fails at times: {test.message}")
    if test.outcome is TestOutcome.TIMEOUT:
        where = _hanging(test.stacks)
        return Sign(CauseKind.TIMEOUT_TEST, where, f"the test hung{f' in {where}' if where else ''}, and was stopped")
    return _of_connection(test) or _of_code(test)


def _of_connection(test: Test) -> Sign | None:
    facts = test.facts
    code = facts.get("close_code", "")
    if not code and test.exception == "AssertionError":
        match = _ASSERTED_CODE.search(test.output) if "close_code" in test.output else None
        code = match[1] if match is not None else ""
    if code:
        return _closed(code, facts)
    status = facts.get("status", "")
    if not status and test.exception == "AssertionError":
        match = _ANSWER.search(test.message) or _ANSWER.search(test.output)
        status = match[1] if match is not None and int(match[1]) >= 400 else ""
    if status and facts.get("upgrade") == "refused":
        reason = ": not let in" if status in ("401", "403") else ""
        return Sign(CauseKind.WEBSOCKET_REFUSED, status, f"the WebSocket's upgrade is answered with {status}{reason}")
    if status:
        return _answered(int(status), _path(facts))
    chain = facts.get("chain", test.exception).split(" < ")
    kind = _BY_ERRNO.get(facts.get("errno", ""))
    for candidate, names in _BY_TYPE:
        if kind is None and any(_is_type(one, name) for one in chain for name in names):
            kind = candidate
    if kind is None:
        return None
    path = _path(facts) if kind is CauseKind.TIMEOUT_CLIENT else ""
    at = f" at {path}" if path else ""
    is_refused = "ConnectionRefusedError" in " ".join(chain) or "ECONNREFUSED" in facts.get("errno", "")
    if kind is CauseKind.REFUSED and not is_refused and "refused" not in test.message.lower():
        return Sign(kind, "other", f"no connection can be made: {test.message or test.exception}")
    return Sign(kind, path, f"{_SAID[kind]}{at}: {test.message or test.exception}")


_SAID: Final[Mapping[CauseKind, str]] = {
    CauseKind.TLS: "TLS fails",
    CauseKind.DNS: "the host's name is not found",
    CauseKind.REFUSED: "the connection is refused",
    CauseKind.RESET: "the connection is dropped",
    CauseKind.TIMEOUT_CLIENT: "the client gave up waiting for the server",
}


def _is_type(one: str, name: str) -> bool:
    return one.startswith(name) if name.endswith(".") else one == name or one.rpartition(".")[2] == name


def _closed(code: str, facts: Mapping[str, str]) -> Sign:
    reason = f" ({facts['close_reason']})" if facts.get("close_reason") else ""
    by = facts.get("closed_by")
    closed = f"the {by} closed the WebSocket" if by in ("server", "client") else "the WebSocket was closed"
    if code in _CLEAN:
        said = f"{closed} cleanly, with {code}{reason}, before the test was through"
    elif code == "1006":
        said = "the WebSocket's connection was dropped without a close (1006)"
    else:
        said = f"{closed} with {code}{reason}"
    return Sign(CauseKind.WEBSOCKET_CLOSE, code, said)


def _answered(status: int, path: str) -> Sign:
    at = f" by {path}" if path else ""
    if status == _GATEWAY_TIMEOUT:
        return Sign(CauseKind.TIMEOUT_PROXY, path, f"a proxy gave up waiting for the service: 504{at}")
    if status == _REQUEST_TIMEOUT:
        return Sign(CauseKind.TIMEOUT_SERVER, path, f"the server gave up waiting for the client: 408{at}")
    # A service that is broken is so at every path; what is not found or not allowed is so at its own.
    detail = str(status) if status >= 500 or status in (401, 403) else f"{status} {path}"
    return Sign(CauseKind.HTTP, detail, f"answered with {status}{at}")


def _of_code(test: Test) -> Sign:
    kind = test.exception.rpartition(".")[2]
    frame = test.facts.get("frame", "")
    line = test.message.partition(" assert ")[0] if kind == "AssertionError" else test.message
    if kind == "AssertionError" or test.exception.endswith("outcomes.Failed"):
        return Sign(CauseKind.ASSERTION, f"{shape(line)} {frame}", f"{line or 'an assertion fails'}")
    if kind in _BUGS or kind == "FixtureLookupError":
        return Sign(CauseKind.TEST_BUG, f"{shape(test.message)} {frame}", f"a fault of the test: {kind}: {line}")
    return Sign(CauseKind.UNKNOWN, f"{test.exception} {shape(test.message)}", f"{test.exception or 'ended'}: {line}")


def _path(facts: Mapping[str, str]) -> str:
    return urlsplit(facts.get("url", "")).path


def _name(test: Test) -> str:
    return test.id.rpartition("::")[2]


def _hanging(stacks: str) -> str:
    """The innermost function of the project in the stacks of a test: where it hangs, as `path:line in name`."""
    found = re.findall(r'File "([^"]+)", line (\d+),? in (\S+)', stacks)
    own = [one for one in found if not re.search(r"/(?:site|dist)-packages/|/lib/python3|/guard/runner/", one[0])]
    if not own:
        return ""
    path, line, name = own[-1]
    return f"{'/'.join(path.split('/')[-2:])}:{line}, {name}"
