"""What is said where not all of the history can be seen."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from history_support import History, guard, service, traced


@pytest.fixture
def history(tmp_path: Path) -> History:
    made = History.make(tmp_path / "repo")
    made.git("config", "uploadpack.allowFilter", "true")
    made.commit({"app/__init__.py": "", "app/net.py": service(), "app/main.py": "from app.net import Client\n"})
    made.commit({"app/net.py": None, "app/wire.py": f"import os\n\n{service()}"}, "move")
    made.commit({"readme": "three\n"})
    return made


def cloned(history: History, *options: str) -> Path:
    folder = history.path.parent / "clone"
    history.git("clone", "--quiet", *options, f"file://{history.path}", str(folder))
    return folder


def test_a_shallow_clone_says_that_it_is_one(history: History) -> None:
    clone = cloned(history, "--depth=1")
    found = traced(clone, "app.net:Client")
    assert (found.code, found.verdict) == (3, "unknown")
    assert found.answer["unseen"] == [
        "this clone is shallow, so older commits are not in it; run: git fetch --unshallow"
    ]
    assert found.best == ("likely", "app.wire:Client")
    assert "shallow" in guard(clone, "trace", "app.net:Client").stdout


def test_a_shallow_clone_tells_what_it_sees(history: History) -> None:
    found = traced(cloned(history, "--depth=3"), "app.net:Client")
    assert (found.code, found.verdict, found.best) == (0, "moved", ("certain", "app.wire:Client"))


def test_the_first_commit_of_a_shallow_clone_is_no_beginning(history: History) -> None:
    """It looks as if it had added every file."""
    found = traced(cloned(history, "--depth=2"), "app.net:Client")
    assert found.verdict == "unknown"


def test_an_answer_of_a_shallow_clone_is_not_remembered(history: History) -> None:
    clone = cloned(history, "--depth=1")
    assert traced(clone, "app.net:Client").verdict == "unknown"
    subprocess.run(["git", "fetch", "--quiet", "--unshallow"], cwd=clone, check=True)
    assert traced(clone, "app.net:Client").verdict == "moved"


def test_a_partial_clone_says_that_old_contents_are_not_in_it(history: History) -> None:
    """Without blobs, but for those that were checked out."""
    clone = cloned(history, "--filter=blob:none")
    history.path.rename(history.path.with_name("away"))
    found = traced(clone, "app.net:Client")
    assert "git fetch --refetch --no-filter" in found.answer["unseen"][0]
    assert found.verdict in ("unknown", "moved")
    # The commit that deleted the file is known without its content.
    assert traced(clone, "app.net").commit == history.commits[1]


def test_a_clone_without_trees(history: History) -> None:
    clone = cloned(history, "--filter=tree:0")
    history.path.rename(history.path.with_name("away"))
    found = traced(clone, "app.net:Client")
    assert found.code == 3
    assert "partial clone" in found.answer["unseen"][0]


def test_a_folder_without_git(tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app/__init__.py").write_text("")
    (tmp_path / "app/wire.py").write_text(service())
    found = traced(tmp_path, "app.net:Client")
    assert (found.code, found.verdict, found.best) == (3, "unknown", ("likely", "app.wire:Client"))
    assert found.answer["unseen"] == ["there is no git repository here, so no history"]


def test_a_repository_without_a_commit(tmp_path: Path) -> None:
    made = History.make(tmp_path / "repo")
    made.write({"app/__init__.py": "", "app/wire.py": service()})
    assert made.trace("app.net:Client").answer["unseen"] == ["there is no commit yet, so no history"]
