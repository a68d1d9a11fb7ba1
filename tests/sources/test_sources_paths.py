"""Names of files."""

from __future__ import annotations

import subprocess

import pytest
from sources_support import Repository

from guard.sources.paths import decode_path, encode_path, folders_above, is_inside, leaves_tree
from guard.sources.tree import blob_id


def test_every_byte_goes_through() -> None:
    every = bytes(range(1, 256))

    assert encode_path(decode_path(every)) == every
    assert decode_path("é".encode()) == "é"


@pytest.mark.parametrize(
    "path", ["a", "a/b", ".gitignore", "a/.github/b", "..a", "a/...", "a..", ".gi", "a b", "git/.gitt", "\udce9"]
)
def test_names_that_git_checks_out(repo: Repository, path: str) -> None:
    assert is_inside(path)
    assert accepted_by_git(repo, path)


@pytest.mark.parametrize(
    "path", ["..", "../a", "a/../b", "a/..", "/a", "a//b", ".", "./a", "a/.", ".git", ".git/x", "a/.GIT/b", "a/.git"]
)
def test_names_that_git_refuses(repo: Repository, path: str) -> None:
    assert not is_inside(path)
    assert not accepted_by_git(repo, path)


def accepted_by_git(repo: Repository, path: str) -> bool:
    entry = f"100644,{blob_id(b'')},".encode() + encode_path(path)
    command = [b"git", b"update-index", b"--add", b"--cacheinfo", entry]
    return subprocess.run(command, cwd=repo.path, capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize(
    ("path", "target", "leaves"),
    [
        ("link", "a.py", False),
        ("link", "../a.py", True),
        ("pkg/link", "../a.py", False),
        ("pkg/link", "../../a.py", True),
        ("pkg/link", "x/../../..", True),
        ("pkg/link", "./x//../..", False),
        ("link", "/etc/passwd", True),
        ("link", "..", True),
        ("link", "..a", False),
    ],
)
def test_links_out_of_the_tree(path: str, target: str, leaves: bool) -> None:
    assert leaves_tree(path, target) is leaves


def test_folders_above() -> None:
    assert list(folders_above("a/b/c.py")) == ["a", "a/b"]
    assert list(folders_above("c.py")) == []


@pytest.mark.parametrize("content", [b"", b"x\r\n", bytes(range(256)) * 1000])
def test_blob_ids_are_those_of_git(repo: Repository, content: bytes) -> None:
    assert blob_id(content) == repo.hash(content)
