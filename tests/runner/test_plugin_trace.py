"""What counts as a failure of a connection."""

from __future__ import annotations

import errno
import socket
import ssl

import httpx
import pytest

from guard.runner.plugin_trace import is_connection_error


def from_a_cause(cause: BaseException) -> RuntimeError:
    error = RuntimeError()
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    "error",
    [
        ConnectionRefusedError(),
        ssl.SSLCertVerificationError(),
        socket.gaierror(),
        TimeoutError(),
        OSError(errno.EHOSTUNREACH, ""),
        httpx.ConnectError(""),
        from_a_cause(ssl.SSLError()),
    ],
    ids=repr,
)
def test_it_is_one(error: BaseException) -> None:
    assert is_connection_error(error)


@pytest.mark.parametrize("error", [OSError(errno.ENOENT, ""), ValueError(), httpx.InvalidURL(""), KeyError("ssl")])
def test_it_is_none(error: BaseException) -> None:
    assert not is_connection_error(error)
