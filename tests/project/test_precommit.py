"""The hooks under the real pre-commit, as git runs it and by hand.

The hook repository is made of this checkout's manifest, with `language: system` in the place of `python`: that language
would install guard from a package index.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.engine.support import git, repository, write

ROOT = Path(__file__).parents[2]
FILES = {
    ".gitattributes": b"* text eol=lf\n",
    "app/__init__.py": b"",
    "app/known.py": b"from app import lost\n",
    "app/main.py": b"from app.orders import Order\n\nprint(Order)\n",
    "app/orders.py": b"class Order: ...\n",
}
BREAKS = {"app/late.py": b"from app.orders import Gone\n"}
MENDED = {"app/late.py": b"from app.orders import Order\n"}
CONFIG = """\
default_install_hook_types: [pre-commit, pre-merge-commit, pre-push]
repos:
  - repo: {hooks}
    rev: {rev}
    hooks:
      - id: guard
        args: [--output, concise]
      - id: guard-files
      - id: guard-fix
"""


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment with `guard` and pre-commit on PATH, and a folder for pre-commit's clones."""
    folder = tmp_path_factory.mktemp("bin")
    command = folder / "guard"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -P -m guard "$@"\n')
    command.chmod(0o755)
    return {
        **os.environ,
        "PATH": f"{folder}:{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "PRE_COMMIT_HOME": str(tmp_path_factory.mktemp("pre-commit")),
        "PRE_COMMIT_COLOR": "never",
    }


@pytest.fixture(scope="module")
def hooks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with the manifest alone."""
    manifest = (ROOT / ".pre-commit-hooks.yaml").read_bytes().replace(b"language: python", b"language: system")
    return repository(tmp_path_factory.mktemp("hooks"), {".pre-commit-hooks.yaml": manifest})


@pytest.fixture
def repo(tmp_path: Path, hooks: Path, environment: Mapping[str, str]) -> Path:
    """A repository with one old finding, and the hooks of pre-commit."""
    config = CONFIG.format(hooks=hooks, rev=git(hooks, "rev-parse", "HEAD")).encode()
    folder = repository(tmp_path / "repo", {**FILES, ".pre-commit-config.yaml": config})
    ran(folder, environment, "pre-commit", "install", passes=True)
    return folder


def ran(folder: Path, environment: Mapping[str, str], *command: str, passes: bool) -> str:
    """What a command says, which passes or does not."""
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    said = done.stdout + done.stderr
    assert (done.returncode == 0) is passes, said
    return said


def committed(folder: Path, environment: Mapping[str, str], files: Mapping[str, bytes], *, passes: bool) -> str:
    """What a commit of `files` says."""
    write(folder, files)
    git(folder, "add", "--all")
    return ran(folder, environment, "git", "commit", "--message", "a change", passes=passes)


def test_a_commit_is_stopped_and_the_mended_one_passes(repo: Path, environment: Mapping[str, str]) -> None:
    said = committed(repo, environment, BREAKS, passes=False)
    assert "app/late.py:1:24: IMP002" in said
    assert "known.py" not in said
    committed(repo, environment, MENDED, passes=True)
    assert git(repo, "log", "-1", "--format=%s") == "a change"


def test_a_commit_that_only_deletes_is_stopped(repo: Path, environment: Mapping[str, str]) -> None:
    git(repo, "rm", "--quiet", "app/orders.py")
    assert "app/main.py:1:1: IMP001" in committed(repo, environment, {}, passes=False)


def test_what_is_not_staged_is_set_aside(repo: Path, environment: Mapping[str, str]) -> None:
    write(repo, MENDED)
    git(repo, "add", "--all")
    write(repo, BREAKS)
    ran(repo, environment, "git", "commit", "--message", "a change", passes=True)
    assert (repo / "app/late.py").read_bytes() == BREAKS["app/late.py"]


@pytest.mark.parametrize("arguments", [("--all-files",), (), ("--hook-stage", "manual", "--all-files")])
def test_by_hand_everything_counts(repo: Path, environment: Mapping[str, str], arguments: tuple[str, ...]) -> None:
    said = ran(repo, environment, "pre-commit", "run", *arguments, "guard", passes=False)
    assert "app/known.py:1:17: IMP002" in said
    # Also where something is staged, which has nothing to do with it.
    write(repo, MENDED)
    git(repo, "add", "--all")
    assert "known.py" in ran(repo, environment, "pre-commit", "run", *arguments, "guard", passes=False)


def test_try_repo(repo: Path, hooks: Path, environment: Mapping[str, str]) -> None:
    said = ran(repo, environment, "pre-commit", "try-repo", str(hooks), "guard", "--all-files", passes=False)
    assert "IMP002" in said


def test_only_the_changed_files(repo: Path, environment: Mapping[str, str]) -> None:
    git(repo, "config", "core.autocrlf", "false")
    git(repo, "config", "core.safecrlf", "false")
    (repo / ".gitattributes").write_bytes(b"")
    git(repo, "add", "--all")
    git(repo, "commit", "--quiet", "--no-verify", "--message", "not pinned")
    write(repo, {"app/windows.py": b"x = 1\r\n", "app/bad.py": b"def f(:\n"})
    git(repo, "add", "--all")
    said = ran(repo, environment, "pre-commit", "run", "guard-files", passes=False)
    assert "app/windows.py" in said
    assert "app/bad.py" in said
    assert "known.py" not in said


def test_mending_by_hand_and_staging_again(repo: Path, environment: Mapping[str, str]) -> None:
    late = {"app/future.py": b"import os\nfrom __future__ import annotations\n\nx = os.sep\n"}
    assert "SYN002" in committed(repo, environment, late, passes=False)
    said = ran(repo, environment, "pre-commit", "run", "--hook-stage", "manual", "guard-fix", passes=False)
    assert "files were modified by this hook" in said
    committed(repo, environment, {}, passes=True)
    assert git(repo, "show", "HEAD:app/future.py").startswith("from __future__")


@pytest.mark.parametrize("breaks", [False, True])
def test_a_merge(repo: Path, environment: Mapping[str, str], breaks: bool) -> None:
    git(repo, "checkout", "--quiet", "-b", "other")
    write(repo, {"app/theirs.py": b"from app import theirs_is_lost\n"})
    write(repo, {"app/uses.py": b"from app.orders import Order\n"})
    git(repo, "add", "--all")
    git(repo, "commit", "--quiet", "--no-verify", "--message", "theirs")
    git(repo, "checkout", "--quiet", "main")
    write(repo, {"app/main.py": b"print(1)\n"})
    if breaks:
        git(repo, "rm", "--quiet", "app/orders.py")
    git(repo, "add", "--all")
    git(repo, "commit", "--quiet", "--no-verify", "--message", "ours")
    said = ran(repo, environment, "git", "merge", "--no-edit", "other", passes=not breaks)
    assert ("app/uses.py:1:1: IMP001" in said) is breaks
    assert "is_lost" not in said


def test_a_push_is_judged_by_its_commits(repo: Path, environment: Mapping[str, str], tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet", "--bare", "remote")
    git(repo, "remote", "add", "origin", str(tmp_path / "remote"))
    # A remote that has nothing yet gets all of it.
    assert "app/known.py" in ran(repo, environment, "git", "push", "origin", "main", passes=False)
    ran(repo, environment, "git", "push", "--no-verify", "origin", "main", passes=True)
    write(repo, BREAKS)
    git(repo, "add", "--all")
    git(repo, "commit", "--quiet", "--no-verify", "--message", "breaks")
    said = ran(repo, environment, "git", "push", "origin", "main", passes=False)
    assert "app/late.py:1:24: IMP002" in said
    assert "known.py" not in said
    # What is pushed counts, and not what is checked out or staged.
    git(repo, "branch", "breaks")
    git(repo, "checkout", "--quiet", "-b", "mended")
    write(repo, MENDED)
    git(repo, "add", "--all")
    assert "app/late.py" in ran(repo, environment, "git", "push", "origin", "breaks", passes=False)
    git(repo, "commit", "--quiet", "--no-verify", "--message", "mended")
    ran(repo, environment, "git", "push", "origin", "mended", passes=True)


def test_a_range_by_hand(repo: Path, environment: Mapping[str, str]) -> None:
    write(repo, BREAKS)
    git(repo, "add", "--all")
    git(repo, "commit", "--quiet", "--no-verify", "--message", "breaks")
    run = ("pre-commit", "run", "guard", "--from-ref", "HEAD~1", "--to-ref", "HEAD")
    said = ran(repo, environment, *run, passes=False)
    assert "app/late.py" in said
    assert "known.py" not in said
