"""A tree of tests of its own, a small service for them, and a phase that runs them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from textwrap import dedent
from typing import Any

from guard.runner.phase import PhaseResult, run_phase
from guard.runner.plan import Phase
from guard.runner.record import Test
from guard.runner.redact import Redactor

ASK = """\
import os, urllib.request as web
URL = os.environ['GUARD_TARGET_URL']
def ask():
    return web.urlopen(URL).read()
"""
"""The head of a file of tests that ask the target."""
QUICK = "[pytest]\naddopts = -p no:hypothesispytest -p no:anyio -p no:pytest_mock\n"
"""A configuration without plugins that take longer to load than the tests take to run."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_: object) -> None:
        return


@contextmanager
def service() -> Iterator[str]:
    """A service that answers everything with 200; gives its URL."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def write(root: Path, files: Mapping[str, str]) -> None:
    """Put the tests there, with a configuration of pytest that is not that of this repository, and quick to start."""
    (root / "pytest.ini").write_text(QUICK)
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text))


def run(
    root: Path,
    url: str = "",
    *,
    tests: Sequence[str] = (),
    deselect: Collection[str] = (),
    env: Mapping[str, str] | None = None,
    stop: Callable[[], bool] = lambda: False,
    on_test: Callable[[Test], None] = lambda _: None,
    **phase: Any,
) -> tuple[PhaseResult, dict[str, Test]]:
    """Run a phase over `root`; gives its result, and its tests by the name after `::`."""
    ended: dict[str, Test] = {}

    def keep(test: Test) -> None:
        name = test.id.partition("::")[2]
        assert name not in ended, f"{name} ended twice"
        ended[name] = test
        on_test(test)

    phase = {"tests": ("test_it.py",), **phase}
    result = run_phase(
        Phase(name="p", **phase),
        root=root,
        tests=tests,
        deselect=deselect,
        target_env=env or {},
        revision="rev-1",
        base_url=url,
        websocket_url="",
        cycle=1,
        redact=Redactor(env or {}),
        on_test=keep,
        stop=stop,
    )
    return result, ended
