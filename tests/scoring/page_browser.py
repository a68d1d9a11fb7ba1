"""A page in headless Chromium, driven by its own protocol: what it asks of the network, complains of and shows."""

from __future__ import annotations

import base64
import itertools
import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--remote-debugging-port=0",
    "about:blank",
)


class Page:
    """One tab. `requests` holds the addresses that it asked for, `errors` what it complained of on its console."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self._events: list[dict[str, Any]] = []
        self.requests: list[str] = []
        self.errors: list[str] = []
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **params: object) -> Any:
        """The result of a command of the protocol. AssertionError for one that fails."""
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            message = json.loads(self._socket.recv(timeout=60))
            if message.get("id") == number:
                assert "error" not in message, message["error"]
                return message["result"]
            self._take(message)

    def _take(self, event: dict[str, Any]) -> None:
        self._events.append(event)
        params = event.get("params", {})
        match event.get("method"):
            case "Network.requestWillBeSent":
                self.requests.append(params["request"]["url"])
            case "Runtime.exceptionThrown":
                self.errors.append(str(params["exceptionDetails"]))
            case "Log.entryAdded" if params["entry"]["level"] in ("warning", "error"):
                self.errors.append(params["entry"]["text"])
            case "Runtime.consoleAPICalled" if params["type"] in ("warning", "error", "assert"):
                self.errors.append(str(params["args"]))

    def open(self, file: Path, width: int = 1280, height: int = 900, *, dark: bool = False, medium: str = "") -> None:
        """Load a file, and wait until it is there."""
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 500
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", media=medium, features=[scheme])
        self._events.clear()
        self.call("Page.navigate", url=file.as_uri())
        end = time.monotonic() + 60
        while not any(event.get("method") == "Page.loadEventFired" for event in self._events):
            assert time.monotonic() < end
            self._take(json.loads(self._socket.recv(timeout=60)))

    def run(self, script: str) -> Any:
        """The value of an expression in the page, once it is settled."""
        told = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in told, told["exceptionDetails"]
        return told["result"].get("value")

    def key(self, key: str) -> None:
        """Press and release a key, by the name that the page gets."""
        text = {"text": key} if len(key) == 1 else {"text": "\r"} if key == "Enter" else {}
        code = {"Enter": 13, "ArrowDown": 40, "ArrowUp": 38, "Tab": 9}.get(key, 0)
        self.call("Input.dispatchKeyEvent", type="keyDown", key=key, windowsVirtualKeyCode=code, **text)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key, windowsVirtualKeyCode=code)

    def picture(self, *, whole: bool = False) -> bytes:
        """What it shows, as PNG; with `whole`, what is below too."""
        return base64.b64decode(self.call("Page.captureScreenshot", captureBeyondViewport=whole)["data"])


@contextmanager
def browser(profile: Path) -> Iterator[Page]:
    """A tab of a Chromium that ends with the block and keeps what it writes in the folder `profile`."""
    assert CHROMIUM is not None
    command = [CHROMIUM, f"--user-data-dir={profile}", *OPTIONS]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            port = _port(profile / "DevToolsActivePort")
            with connect(f"ws://127.0.0.1:{port[0]}{port[1]}", max_size=None, proxy=None) as root:
                root.send(json.dumps({"id": 1, "method": "Target.createTarget", "params": {"url": "about:blank"}}))
                while "id" not in (told := json.loads(root.recv(timeout=60))):
                    pass
                address = f"ws://127.0.0.1:{port[0]}/devtools/page/{told['result']['targetId']}"
                with connect(address, max_size=None, proxy=None) as socket:
                    yield Page(socket)
        finally:
            process.terminate()


def _port(file: Path) -> list[str]:
    """What Chromium writes once it listens: a port, and the path of its own socket."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if file.exists() and len(lines := file.read_text().split()) == 2:
            return lines
        time.sleep(0.02)
    raise AssertionError("Chromium does not listen")
