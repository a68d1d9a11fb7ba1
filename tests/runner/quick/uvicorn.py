"""As much of uvicorn as the small service of `loop_support` needs, which starts in a tenth of the time.

It stands before the real one on the path of services that `with_requests` lets the loop deploy. What the deployer makes
of the real one is tried in `test_local.py`, and by whole sessions over the example.
"""

from __future__ import annotations

import base64
import hashlib
import importlib
import socket
import threading
from collections.abc import Coroutine
from typing import Any

_CLOSE = b"\x88\x02\x03\xe8"
"""A WebSocket's frame: closed with 1000."""


class Config:
    """What to serve."""

    def __init__(self, app: str, **_: object) -> None:
        self.app = app


class Server:
    """Serves each connection in a thread of its own, and on each one request, until a signal ends the process."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self.started = False

    def run(self, sockets: list[socket.socket]) -> None:
        """Import the app and serve it."""
        module, _, name = self._config.app.partition(":")
        app = getattr(importlib.import_module(module), name)
        (listening,) = sockets
        listening.listen()
        self.started = True
        while True:
            connection, _ = listening.accept()
            threading.Thread(target=_serve, args=(app, connection), daemon=True).start()


def _serve(app: Any, connection: socket.socket) -> None:
    with connection:
        head = b""
        while b"\r\n\r\n" not in head:
            got = connection.recv(4096)
            if not got:
                return
            head += got
        first, *lines = head.decode("latin-1").split("\r\n\r\n")[0].split("\r\n")
        path = first.split(" ")[1].partition("?")[0]
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        kind = "websocket" if "sec-websocket-key" in headers else "http"
        one = _Connection(connection, kind, headers.get("sec-websocket-key", ""))
        _finish(app({"type": kind, "path": path}, one.receive, one.send))


def _finish(work: Coroutine[Any, Any, None]) -> None:
    """Run what never waits for an event loop, since `receive` and `send` block."""
    try:
        work.send(None)
    except StopIteration:
        return
    raise RuntimeError("the app waits for something else than its connection")


class _Connection:
    def __init__(self, connection: socket.socket, kind: str, key: str) -> None:
        self._socket = connection
        self._kind = kind
        self._key = key
        self._asked = False

    async def receive(self) -> dict[str, object]:
        """The request, and then the end of the connection, whenever that is."""
        if not self._asked:
            self._asked = True
            return {"type": "websocket.connect" if self._kind == "websocket" else "http.request", "body": b""}
        if self._socket.recv(4096) and self._kind == "websocket":
            self._socket.sendall(_CLOSE)
        return {"type": f"{self._kind}.disconnect"}

    async def send(self, message: dict[str, Any]) -> None:
        """Any part of an answer."""
        if message["type"] == "websocket.accept":
            accepted = hashlib.sha1(f"{self._key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode()).digest()
            self._head("101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade",
                       f"Sec-WebSocket-Accept: {base64.b64encode(accepted).decode()}")  # fmt: skip
        elif message["type"] == "http.response.start":
            said = (f"{name.decode()}: {value.decode()}" for name, value in message["headers"])
            self._head(f"{message['status']} -", "Connection: close", *said)
        elif message["type"] == "http.response.body":
            self._socket.sendall(message["body"])

    def _head(self, status: str, *lines: str) -> None:
        self._socket.sendall("\r\n".join((f"HTTP/1.1 {status}", *lines, "", "")).encode())
