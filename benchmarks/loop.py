"""Measures what guard's pytest plugin costs: 1,000 tests with two workers, plain and watched.

    python -m benchmarks.loop [--tests N] [--rounds N]

Two sorts of tests: such that ask a small service over HTTP, as staging tests do, for which the bar is 10 %; and empty
ones, which show the cost of the watching itself. Runs alternate, and a time is the median of the rounds.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_SERVICE: Final = """
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")
    def log_message(self, *_):
        pass
server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
"""
_ASKS: Final = """
import os, urllib.request
import pytest
@pytest.mark.parametrize("n", range({tests}))
def test_asks(n, record_property):
    record_property("n", n)
    assert urllib.request.urlopen(os.environ["GUARD_TARGET_URL"]).read() == b"ok"
"""
_EMPTY: Final = """
import pytest
@pytest.mark.parametrize("n", range({tests}))
def test_is_empty(n):
    pass
"""
_BAR: Final = 0.10


def main() -> int:
    """Measure and print. Gives 1 where the bar does not hold."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--tests", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    held = True
    with tempfile.TemporaryDirectory(prefix="guard-bench-") as scratch, _service() as url:
        for name, text, bar in (("asking", _ASKS, _BAR), ("empty", _EMPTY, None)):
            folder = Path(scratch, name)
            folder.mkdir()
            (folder / "pytest.ini").write_text("[pytest]\naddopts = -p no:cacheprovider -p no:hypothesispytest\n")
            (folder / "test_it.py").write_text(text.format(tests=options.tests))
            events = folder / "events"
            times: dict[bool, list[float]] = {False: [], True: []}
            for _ in range(options.rounds):
                for watched in times:
                    events.unlink(missing_ok=True)
                    times[watched].append(_seconds(folder, url, events if watched else None))
            plain, with_guard = statistics.median(times[False]), statistics.median(times[True])
            overhead = with_guard / plain - 1
            verdict = "" if bar is None else ", pass" if overhead < bar else ", FAIL"
            held = held and (bar is None or overhead < bar)
            size = events.stat().st_size / 1e6
            print(
                f"{options.tests} {name} tests: plain {plain:.2f} s, watched {with_guard:.2f} s, "
                f"overhead {overhead:+.1%}{verdict}; events {size:.2f} MB",
                flush=True,
            )
    return 0 if held else 1


@contextmanager
def _service() -> Iterator[str]:
    with subprocess.Popen([sys.executable, "-c", _SERVICE], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.kill()


def _seconds(folder: Path, url: str, events: Path | None) -> float:
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "GUARD_LOOP"))}
    env |= {"GUARD_TARGET_URL": url}
    if events is not None:
        env |= {"GUARD_LOOP_EVENTS": str(events), "GUARD_LOOP_REAL": "1", "GUARD_LOOP_TIMEOUT": "60"}
    begun = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n", "2"], cwd=folder, env=env, check=True, stdout=subprocess.DEVNULL
    )
    return time.perf_counter() - begun


if __name__ == "__main__":
    sys.exit(main())
