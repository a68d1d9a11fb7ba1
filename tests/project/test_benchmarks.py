"""The benchmark's parts: the tree that it makes is the same every time and clean, and what it measures is measured."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from benchmarks.measure import measure
from benchmarks.run import Bar
from benchmarks.subjects import python_files
from benchmarks.synthetic import write_tree


def tree_id(folder: Path) -> str:
    return subprocess.run(
        ["git", "rev-parse", "HEAD^{tree}"], cwd=folder, check=True, capture_output=True, text=True
    ).stdout


def test_the_synthetic_tree_is_the_same_every_time_and_healthy(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        write_tree(tmp_path / name, 40)
    assert tree_id(tmp_path / "one") == tree_id(tmp_path / "two")
    assert 35 <= len(python_files(tmp_path / "one")) <= 45
    done = subprocess.run(
        [sys.executable, "-m", "guard", "check", "--no-cache", str(tmp_path / "one")], check=False, capture_output=True
    )
    assert done.returncode == 0, done.stdout.decode()


def test_a_larger_tree_holds_the_smaller_one(tmp_path: Path) -> None:
    for name, files in (("small", 40), ("large", 80)):
        (tmp_path / name).mkdir()
        write_tree(tmp_path / name, files)
    small, large = python_files(tmp_path / "small"), python_files(tmp_path / "large")
    assert len(large) == 2 * len(small)
    assert set(small) < set(large)


def test_time_and_memory_of_children_count(tmp_path: Path) -> None:
    child = (
        "import time\nx = bytearray(60_000_000)\nend = time.process_time() + 0.3\nwhile time.process_time() < end: pass"
    )
    parent = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {child!r}], check=True)\nprint('done')"
    with (tmp_path / "log").open("w+b") as log:
        run = measure([sys.executable, "-c", parent], tmp_path, os.environ, 60, memory=True, log=log)
    assert (run.status, run.timed_out, run.output.strip()) == (0, False, "done")
    assert run.cpu_s >= 0.3
    assert run.peak_mb is None or run.peak_mb > 60


def test_a_command_that_does_not_end_is_ended(tmp_path: Path) -> None:
    with (tmp_path / "log").open("w+b") as log:
        run = measure([sys.executable, "-c", "import time; time.sleep(60)"], tmp_path, os.environ, 0.5, log=log)
    assert run.timed_out
    assert run.wall_s < 30


def test_bars() -> None:
    assert Bar("x", 1.0, 1.0, "s").verdict == "pass"
    assert Bar("x", 1.1, 1.0, "s").verdict == "FAIL"
    assert Bar("x", None, 1.0, "s").verdict == "-"
