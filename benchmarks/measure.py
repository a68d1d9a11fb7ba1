"""Runs a command as a whole process and measures it: wall time, CPU time, memory of all its processes."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Final

_SAMPLING: Final = 0.05
"""Seconds between two looks at the memory. Each look costs the process a little, so times are taken without."""
_SAMPLING_AT_FIRST: Final = 0.01
"""The same for the first second: some commands take no longer than that."""


@dataclasses.dataclass(frozen=True, slots=True)
class Run:
    """One run of a command."""

    wall_s: float
    cpu_s: float
    """User and system time, of the process and of every process that it waited for."""
    peak_mb: float | None
    """Most memory (10^6 bytes) held by all its processes at one moment: the sum of their proportional set sizes, in
    which pages that n processes share count 1/n to each. None where it was not sampled, or there is no /proc."""
    status: int
    """Exit code; negative for the signal that ended it."""
    timed_out: bool
    output: str
    """The end of what it wrote."""


def measure(
    command: Sequence[str],
    folder: Path,
    environment: Mapping[str, str],
    timeout_s: float,
    *,
    memory: bool = False,
    log: IO[bytes],
) -> Run:
    """Run `command` in `folder`, its output going to `log`, and kill it with all its children after `timeout_s`."""
    log.seek(0)
    log.truncate()
    started = time.perf_counter()
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    late = threading.Event()

    def stop() -> None:
        late.set()
        os.killpg(process.pid, signal.SIGKILL)

    timer = threading.Timer(timeout_s, stop)
    timer.start()
    sampler = _Sampler(process.pid) if memory and sys.platform == "linux" else None
    if sampler:
        sampler.start()
    try:
        _, status, usage = os.wait4(process.pid, 0)
    except BaseException:
        os.killpg(process.pid, signal.SIGKILL)
        raise
    finally:
        wall = time.perf_counter() - started
        timer.cancel()
        if sampler:
            sampler.stop()
    process.returncode = os.waitstatus_to_exitcode(status)
    log.seek(max(0, log.tell() - 4000))
    return Run(
        wall_s=wall,
        cpu_s=usage.ru_utime + usage.ru_stime,
        peak_mb=sampler.peak / 1e6 if sampler else None,
        status=process.returncode,
        timed_out=late.is_set(),
        output=log.read().decode("utf-8", "replace"),
    )


class _Sampler(threading.Thread):
    """Looks at the memory of a session's processes until it is stopped."""

    def __init__(self, session: int) -> None:
        super().__init__(daemon=True)
        self.peak = 0
        self._session = session
        self._done = threading.Event()

    def run(self) -> None:
        """Keep the largest sum."""
        started = time.perf_counter()
        while not self._done.wait(_SAMPLING if time.perf_counter() - started > 1 else _SAMPLING_AT_FIRST):
            self.peak = max(self.peak, sum(map(_held, _processes(self._session))))

    def stop(self) -> None:
        """End the thread."""
        self._done.set()
        self.join()


def _processes(session: int) -> Iterator[int]:
    for name in os.listdir("/proc"):  # noqa: PTH208 - twenty times a second
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as file:
                    # The name of the program stands in parentheses and may hold any; proc(5): session is field 6.
                    fields = file.read().rpartition(b")")[2].split()
            except OSError:
                continue  # it has ended
            if int(fields[3]) == session:
                yield int(name)


def _held(process: int) -> int:
    """Bytes of a process, proportionally (`Pss` of proc(5)'s smaps_rollup); 0 for one that has ended."""
    try:
        with open(f"/proc/{process}/smaps_rollup", "rb") as file:
            for line in file:
                if line.startswith(b"Pss:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0
