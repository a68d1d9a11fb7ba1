"""Running a program: time, size, secrets, interrupts, and what is said where it is missing."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest
from fake_tools import redact

from guard.model import ConfigError, EnvironmentFailed
from guard.runner.deployers.tool import Tool, child_environment, tail


def python(tmp_path: Path, code: str, timeout_s: float = 30.0) -> Tool:
    """A tool that runs `code`."""
    return Tool(
        (sys.executable, "-ISc", code),
        root=tmp_path,
        environ={"PATH": os.defpath, "TOKEN": "hunter2"},
        redact=redact,
        timeout_s=timeout_s,
    )


def test_what_is_kept_holds_no_secret(tmp_path: Path) -> None:
    told: list[str] = []
    tool = python(tmp_path, "import sys; sys.stderr.write('token hunter2\\nlast'); print('hunter2'); sys.exit(3)")
    ran = tool.run("--password=hunter2", progress=told.append)
    evidence = tool.evidence(ran)
    assert (ran.status, ran.ok, ran.complaint()) == (3, False, "last")
    assert told == ["token ***"]
    assert "hunter2" not in ran.command + ran.stderr + evidence.text + evidence.place
    assert "--password=***" in evidence.place


def test_the_line_that_tells_of_an_error_is_the_complaint(tmp_path: Path) -> None:
    ran = python(tmp_path, "import sys; sys.stderr.write('ERROR: no such region\\nTry again.\\n'); sys.exit(1)").run()
    assert ran.complaint() == "ERROR: no such region"


def test_a_missing_program_is_one_line_with_the_way_out(tmp_path: Path) -> None:
    tool = Tool(("kubectl",), root=tmp_path, environ={"PATH": ""}, redact=redact, timeout_s=1, mend="install kubectl")
    with pytest.raises(EnvironmentFailed, match=r"^kubectl: no such program; install kubectl$") as caught:
        tool.run("get")
    assert caught.value.exit_code == 4


def test_time_that_is_over_stops_the_whole_group(tmp_path: Path) -> None:
    pids = tmp_path / "pid"
    code = (
        "import os, subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-ISc', 'import time; time.sleep(60)'])\n"
        f"open({str(pids)!r}, 'w').write(str(child.pid))\n"
        "time.sleep(60)"
    )
    tool = python(tmp_path, code)
    started = time.monotonic()
    ran = tool.run(timeout_s=1.0)
    assert ran.timed_out
    assert not ran.ok
    assert time.monotonic() - started < 20
    assert "not done in time" in ran.complaint()
    assert gone(int(pids.read_text(encoding="utf-8")))


def test_an_interrupt_stops_the_child(tmp_path: Path) -> None:
    pids = tmp_path / "pid"
    pids.touch()
    code = (
        f"import os, sys, time; open({str(pids)!r}, 'w').write(str(os.getpid()))\n"
        "print(1, file=sys.stderr, flush=True); time.sleep(60)"
    )

    def interrupt(_line: str) -> None:
        signal.raise_signal(signal.SIGINT)

    assert threading.current_thread() is threading.main_thread()
    # A shell's background jobs, and their children, ignore it.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            python(tmp_path, code).run(progress=interrupt)
    finally:
        signal.signal(signal.SIGINT, before)
    assert gone(int(pids.read_text(encoding="utf-8")))


def gone(pid: int) -> bool:
    """Whether a process ends within some seconds; a zombie has ended."""
    for _ in range(100):
        try:
            if Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] == "Z":
                return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.05)
    return False


def test_a_child_that_keeps_the_stream_open_is_not_waited_for(tmp_path: Path) -> None:
    code = (
        "import subprocess, sys; print('done')\n"
        "subprocess.Popen([sys.executable, '-ISc', 'import time; time.sleep(8)'])"
    )
    started = time.monotonic()
    ran = python(tmp_path, code).run()
    assert ran.ok
    assert ran.stdout == "done\n"
    assert time.monotonic() - started < 6


def test_json_in_both_shapes(tmp_path: Path) -> None:
    assert python(tmp_path, "print('[{\"a\": 1}]')").json() == [{"a": 1}]
    assert python(tmp_path, 'print(\'{"a": 1}\\n{"a": 2}\')').json() == [{"a": 1}, {"a": 2}]
    assert python(tmp_path, "").json() is None
    with pytest.raises(EnvironmentFailed, match="its output is no JSON"):
        python(tmp_path, "print('WARNING: no')").json()
    with pytest.raises(EnvironmentFailed, match="its output is no JSON"):
        python(tmp_path, "print('[' * 200_000)").json()


def test_output_without_an_end_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("guard.runner.deployers.tool._WHOLE", 1 << 20)
    with pytest.raises(EnvironmentFailed, match="wrote more than 1 MB"):
        python(tmp_path, "while True: print('x' * 10_000)").run()


def test_a_variable_that_is_not_set_is_told_at_once() -> None:
    environ = {"A": "1"}
    assert child_environment({"X": "a${A}b", "Y": "$A"}, environ) == {"A": "1", "X": "a1b", "Y": "$A"}
    with pytest.raises(ConfigError) as caught:
        child_environment({"X": "${B}", "Y": "${C}${B}"}, environ)
    assert caught.value.errors == [f"deploy.env: {name} is not set in the environment" for name in "BC"]


def test_the_tail_of_a_text_begins_with_a_line() -> None:
    text = "".join(f"line {number}\n" for number in range(1000))
    kept = tail(text, 100)
    assert kept.startswith("… ")
    assert kept.splitlines()[1].startswith("line ")
    assert kept.endswith("line 999\n")
