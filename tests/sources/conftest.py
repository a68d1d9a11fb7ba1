"""Real repositories, apart from the machine's own git configuration."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from sources_support import Repository


@pytest.fixture(autouse=True)
def isolated_git(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    # So that a test's folder is never taken for a part of a repository that it happens to lie in.
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "Someone")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "someone@example.com")
        monkeypatch.setenv(f"GIT_{role}_DATE", "2024-01-01T00:00:00Z")


@pytest.fixture
def repo(tmp_path: Path) -> Repository:
    """A repository with one commit: `a.py` and `pkg/b.py`."""
    made = Repository.make(tmp_path / "repo")
    made.write("a.py", b"a = 1\n")
    made.write("pkg/b.py", b"b = 2\n")
    made.commit("first")
    return made
