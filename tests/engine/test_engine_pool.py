"""The pool of processes that gathers facts, when a run is ended in the middle."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from guard.facts import Gathering, Wanted, key_of
from guard.pool import gather
from guard.sources.directory import DirectoryTree


def test_an_interrupted_pool_leaves_no_thread_behind(tmp_path: Path) -> None:
    """One that closes its pipe while the interpreter ends makes that print a traceback."""
    for number in range(400):
        (tmp_path / f"m{number}.py").write_text(f"import os\n\nVALUE = {number}\n" * 40)
    tree = DirectoryTree(str(tmp_path))
    wanted = [Wanted(key_of(file), file) for file in tree.files.values()]
    before = set(threading.enumerate())

    def interrupted(_batch: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        gather(wanted, tree, Gathering((3, 11), 1_000_000), 2, interrupted)
    assert set(threading.enumerate()) <= before
