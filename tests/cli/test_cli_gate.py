"""`guard check --gate`: as a hook that git itself runs, in real repositories, and what the other gates choose."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.engine.support import git, inside, repository

FILES = {
    ".gitattributes": b"*.py text eol=lf\n*.toml text eol=lf\n",
    "app/__init__.py": b"",
    "app/known.py": b"from app import lost\n",
    "app/models.py": b"class User: ...\n\n\nclass Group: ...\n",
    "app/main.py": b"from app.models import Group, User\n\nprint(Group, User)\n",
}
HOOK = f"#!/bin/sh\nexec {sys.executable} -m guard check --gate pre-commit --select EOL,IMP,SYN --output concise\n"


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """One old finding, committed; from then on the hook is asked."""
    folder = repository(tmp_path / "repo", FILES)
    hook(folder, "pre-commit")
    hook(folder, "pre-merge-commit")
    return folder


def hook(folder: Path, name: str) -> None:
    path = folder / ".git/hooks" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(HOOK)
    path.chmod(0o755)


def commit(folder: Path, *arguments: str, passes: bool) -> str:
    """Let git commit; gives what the hook printed."""
    return tried(folder, "commit", "--quiet", "--message", "a change", *arguments, passes=passes)


def tried(folder: Path, *arguments: str, passes: bool) -> str:
    done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=False)
    assert (done.returncode == 0) is passes, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_only_what_the_commit_breaks_stops_it(repo: Path) -> None:
    (repo / "app/known.py").write_bytes(b"# moved down\n\nfrom app import lost\n")
    commit(repo, "--all", passes=True)
    (repo / "app/late.py").write_bytes(b"from app.models import Gone\n")
    git(repo, "add", "app/late.py")
    said = commit(repo, passes=False)
    assert "app/late.py:1:24: IMP002" in said
    assert "known.py" not in said
    # What is staged counts, not what the file holds by now, and the other way round.
    (repo / "app/late.py").write_bytes(b"from app.models import User\n")
    commit(repo, passes=False)
    git(repo, "add", "app/late.py")
    (repo / "app/late.py").write_bytes(b"from app.models import Gone\n")
    commit(repo, passes=True)


def test_what_breaks_in_other_files_stops_it(repo: Path) -> None:
    (repo / "app/models.py").write_bytes(b"class User: ...\n")
    assert "app/main.py:1:24: IMP002" in commit(repo, "--all", passes=False)
    git(repo, "rm", "--quiet", "--cached", "app/models.py")
    assert "app/main.py:1:1: IMP001" in commit(repo, passes=False)


def test_a_part_of_what_is_changed(repo: Path) -> None:
    """`git commit PATH` has an index of its own."""
    (repo / "app/bad.py").write_bytes(b"from app import gone\n")
    (repo / "app/good.py").write_bytes(b"from app import models\n")
    git(repo, "add", "--all")
    commit(repo, "app/good.py", passes=True)
    assert "app/bad.py" in commit(repo, "app/bad.py", passes=False)


def test_the_first_commit_and_an_amended_one(tmp_path: Path) -> None:
    folder = repository(tmp_path / "repo", {})
    subprocess.run(["git", "update-ref", "-d", "HEAD"], cwd=folder, check=True)
    hook(folder, "pre-commit")
    for path, content in FILES.items():
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_bytes(content)
    git(folder, "add", "--all")
    assert "app/known.py:1:17: IMP002" in commit(folder, passes=False)
    commit(folder, "--no-verify", passes=True)
    (folder / "app/known.py").write_bytes(b"from app import models\n")
    commit(folder, "--all", "--amend", passes=True)


@pytest.mark.parametrize("breaks", [False, True])
def test_a_merge_is_compared_with_both_parents(repo: Path, breaks: bool) -> None:
    git(repo, "checkout", "--quiet", "-b", "other")
    (repo / "app/theirs.py").write_bytes(b"from app import theirs_is_lost\n")
    if breaks:
        (repo / "app/uses.py").write_bytes(b"from app.models import Group\n")
    git(repo, "add", "--all")
    commit(repo, "--no-verify", passes=True)
    git(repo, "checkout", "--quiet", "-")
    (repo / "app/ours.py").write_bytes(b"from app import ours_is_lost\n")
    if breaks:
        (repo / "app/models.py").write_bytes(b"class User: ...\n")
        (repo / "app/main.py").write_bytes(b"from app.models import User\n\nprint(User)\n")
    git(repo, "add", "--all")
    commit(repo, "--no-verify", passes=True)
    said = tried(repo, "merge", "--no-edit", "other", passes=not breaks)
    assert "_is_lost" not in said
    assert ("app/uses.py:1:24: IMP002" in said) is breaks


def test_in_a_linked_worktree(repo: Path, tmp_path: Path) -> None:
    git(repo, "worktree", "add", "--quiet", str(tmp_path / "linked"), "-b", "linked")
    linked = tmp_path / "linked"
    (linked / "app/late.py").write_bytes(b"from app.models import Gone\n")
    git(linked, "add", "--all")
    assert "app/late.py:1:24: IMP002" in commit(linked, passes=False)
    assert "app/late.py" not in git(repo, "ls-files")


def test_nothing_in_the_repository_is_touched(repo: Path) -> None:
    (repo / "app/late.py").write_bytes(b"from app.models import Gone\n")
    git(repo, "add", "--all")
    (repo / "app/late.py").write_bytes(b"other = 1\n")

    def state() -> dict[str, str]:
        return {
            os.fspath(path): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in repo.rglob("*")
            if path.is_file() and not path.is_symlink()
        }

    before = state()
    assert inside("check", "--gate", "pre-commit", cwd=repo).code == 1
    assert state() == before


def test_each_gate_has_its_rules_and_severities(tmp_path: Path) -> None:
    copies = {f"app/{name}.py": b"COOKIE = 'a-long-cookie-name'\n" for name in "ab"}
    requires = {"pyproject.toml": b'[project]\nname = "app"\nversion = "1"\ndependencies = ["httpx"]\n'}
    uses = {"app/uses.py": b"import flask\n"}
    folder = repository(tmp_path / "repo", {**FILES, **copies, **requires, **uses})

    def severities(*arguments: str) -> dict[str, str]:
        document = json.loads(inside("check", "--output", "json", *arguments, cwd=folder).out)
        return {finding["code"]: finding["severity"] for finding in document["findings"]}

    plain = severities()
    assert plain["IMP003"] == "warning"
    assert "SSOT005" not in plain
    assert severities("--gate", "ci")["SSOT005"] == "info"
    assert severities("--gate", "pre-build")["IMP003"] == "error"
    assert "SSOT005" not in severities("--gate", "image")
    # What is remembered of one gate is not told at another.
    assert severities("--gate", "ci")["IMP003"] == "warning"
    assert severities() == plain


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--gate", "pre-commit", "--rev", "HEAD"), "--gate pre-commit looks at what is staged"),
        (("--gate", "pre-commit", "--fix"), "--gate pre-commit looks at what is staged"),
        (("--gate", "deploy"), "'deploy' is not one of"),
    ],
)
def test_what_does_not_go_together(repo: Path, arguments: tuple[str, ...], says: str) -> None:
    run = inside("check", *arguments, cwd=repo)
    assert run.code == 2
    assert says in run.err


def test_a_folder_without_git_has_no_commit(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("import os\n")
    run = inside("check", "--gate", "pre-commit", ".", cwd=tmp_path)
    assert run.code in (2, 4)
    assert "git" in run.err


def test_a_commit_that_moves_300_files_brings_in_nothing(repo: Path) -> None:
    (repo / "app/old").mkdir()
    (repo / "app/old/__init__.py").write_bytes(b"A = 1\n")
    for number in range(300):
        (repo / f"app/old/m{number}.py").write_bytes(b"from . import lost\n\nNUMBER = %d\n" % number)
    git(repo, "add", "--all")
    commit(repo, "--no-verify", passes=True)
    git(repo, "mv", "app/old", "app/new")
    (repo / "app/new/m7.py").write_bytes(b"import os\n\nfrom . import lost\n\nNUMBER = 7\n")
    git(repo, "add", "--all")
    commit(repo, passes=True)
    (repo / "app/new/m8.py").write_bytes(b"from . import lost, gone\n\nNUMBER = 8\n")
    assert "app/new/m8.py:1:21: IMP002" in commit(repo, "--all", passes=False)


def test_the_gate_of_an_image_leaves_no_cache_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home, folder = tmp_path / "home", tmp_path / "srv"
    for made in (home, folder):
        made.mkdir()
    (folder / "a.py").write_bytes(b"import os\n\nprint(os)\n")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("GUARD_CACHE_DIR")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert inside("check", "--gate", "image", ".", cwd=folder).code == 0
    assert not list(home.iterdir())
    monkeypatch.setenv("GUARD_CACHE_DIR", str(tmp_path / "mounted"))
    assert inside("check", "--gate", "image", ".", cwd=folder).code == 0
    assert list((tmp_path / "mounted").iterdir())
