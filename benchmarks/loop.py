"""Measures what guard's pytest plugin costs: 1,000 tests with two workers, plain and watched.

    python -m benchmarks.loop [--tests N] [--rounds N]

Three sorts of tests: such that ask a small service over HTTP, as staging tests do; the same with a handler of
exceptions in them, so that what they raise is looked at; and empty ones, which show the cost of the watching itself.
The bar is 10 % for those that ask, with a handler too where Python has `sys.monitoring`: 3.11 has only a trace.

What is compared is the time that processors spent for all processes of a run. The watching waits for nothing, so that
a run by the clock, where tests wait for answers, grows by less; and it hardly depends on what else the machine does. A
run by the clock is told too. Each round is a pair of runs, one right after the other, in turn the plain or the watched
one first; what is told is the median of the rounds' own ratios.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

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
_HANDLES: Final = """
import os, urllib.request
import pytest
def asked():
    try:
        return urllib.request.urlopen(os.environ["GUARD_TARGET_URL"]).read()
    except KeyError:
        return b""
@pytest.mark.parametrize("n", range({tests}))
def test_handles(n, record_property):
    record_property("n", n)
    assert asked() == b"ok"
"""
_EMPTY: Final = """
import pytest
@pytest.mark.parametrize("n", range({tests}))
def test_is_empty(n):
    pass
"""
_BAR: Final = 0.10
_SORTS: Final = (("asking", _ASKS, True), ("handling", _HANDLES, sys.version_info >= (3, 12)), ("empty", _EMPTY, False))


class _Took(NamedTuple):
    """Seconds of a run."""

    wall: float
    cpu: float


def main() -> int:
    """Measure and print. Gives 1 where the bar does not hold."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--tests", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    held = True
    with tempfile.TemporaryDirectory(prefix="guard-bench-") as scratch, _service() as url:
        for name, text, has_bar in _SORTS:
            folder = Path(scratch, name)
            folder.mkdir()
            (folder / "pytest.ini").write_text("[pytest]\naddopts = -p no:cacheprovider -p no:hypothesispytest\n")
            (folder / "test_it.py").write_text(text.format(tests=options.tests))
            events = folder / "events"
            plain, watched = _rounds(folder, url, events, options.rounds)
            wall, cpu = (
                statistics.median(after[at] / before[at] for before, after in zip(plain, watched, strict=True)) - 1
                for at in (0, 1)
            )
            verdict = "" if not has_bar else ", pass" if cpu < _BAR else ", FAIL"
            held = held and (not has_bar or cpu < _BAR)
            seconds = [statistics.median(one.cpu for one in runs) for runs in (plain, watched)]
            print(
                f"{options.tests} {name} tests: processors {seconds[0]:.2f} s plain, {seconds[1]:.2f} s watched, "
                f"overhead {cpu:+.1%}{verdict}; by the clock {wall:+.1%}; events {events.stat().st_size / 1e6:.2f} MB",
                flush=True,
            )
    return 0 if held else 1


def _rounds(folder: Path, url: str, events: Path, rounds: int) -> tuple[list[_Took], list[_Took]]:
    """The plain and the watched runs, of each round one; before them one of each that does not count."""
    took: dict[bool, list[_Took]] = {False: [], True: []}
    for number in range(rounds + 1):
        for watched in (False, True) if number % 2 else (True, False):
            if watched:
                events.unlink(missing_ok=True)
            one = _run(folder, url, events if watched else None)
            if number:
                took[watched].append(one)
    return took[False], took[True]


@contextmanager
def _service() -> Iterator[str]:
    with subprocess.Popen([sys.executable, "-c", _SERVICE], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.kill()


def _run(folder: Path, url: str, events: Path | None) -> _Took:
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "GUARD_LOOP"))}
    env |= {"GUARD_TARGET_URL": url}
    if events is not None:
        env |= {"GUARD_LOOP_EVENTS": str(events), "GUARD_LOOP_REAL": "1", "GUARD_LOOP_TIMEOUT": "60"}
    begun, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n", "2"], cwd=folder, env=env, check=True, stdout=subprocess.DEVNULL
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return _Took(time.perf_counter() - begun, cpu)


if __name__ == "__main__":
    sys.exit(main())
