"""A commit that is listed by what the index has otherwise is the commit that is listed whole."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from sources_support import Repository

from guard.sources.commit import CommitTree
from guard.sources.index import IndexTree

_PATHS = ("a.py", "b/a.py", "b/c/d.py", "b.py", "b/é.txt", "B.py", "link", "b/out", "deep/e/f/g.py", "x")


def both(repo: Repository) -> tuple[CommitTree, CommitTree]:
    return CommitTree(repo.found, "HEAD"), CommitTree(repo.found, "HEAD", IndexTree(repo.found))


def same(repo: Repository) -> None:
    whole, beside = both(repo)
    assert list(beside.files.items()) == list(whole.files.items())
    for name in ("revision", "label", "submodules", "problems", "kind"):
        assert getattr(beside, name) == getattr(whole, name), name


def _stage(repo: Repository, chance: random.Random) -> None:
    """One random change of the index."""
    path = chance.choice(_PATHS)
    blob = repo.git("hash-object", "-w", "--stdin", given=b"%d\n" % chance.randrange(4))
    target = repo.git("hash-object", "-w", "--stdin", given=chance.choice([b"a.py", b"../../../etc/passwd"]))
    what = chance.randrange(9)
    if what == 0:
        repo.git("update-index", "--force-remove", path)
    elif what == 1:
        repo.git("update-index", "--add", "--replace", "--cacheinfo", f"100755,{blob},{path}")
    elif what == 2:
        repo.git("update-index", "--add", "--replace", "--cacheinfo", f"120000,{target},{path}")
    elif what == 3 and chance.random() < 0.2:
        head = repo.git("rev-parse", "HEAD")
        repo.git("update-index", "--add", "--replace", "--cacheinfo", f"160000,{head},{path}")
    elif what == 4 and chance.random() < 0.1:
        lines = "".join(f"100644 {blob} {stage}\tboth.py\n" for stage in (1, 2, 3))
        repo.git("update-index", "--index-info", given=lines.encode())
    elif what == 5 and chance.random() < 0.1:
        repo.write("announced.py", b"")
        repo.git("add", "--intent-to-add", "announced.py")
    else:
        repo.git("update-index", "--add", "--replace", "--cacheinfo", f"100644,{blob},{path}")


@pytest.mark.parametrize("seed", range(12))
def test_whatever_is_staged(repo: Repository, seed: int) -> None:
    for setting in ("relative=true", "noprefix=true", "renames=copies", "orderFile=order", "ignoreSubmodules=all"):
        repo.git("config", *f"diff.{setting}".split("="))
    repo.write("order", b"b.py\n")
    chance = random.Random(seed)
    for _ in range(10):
        for _ in range(chance.randrange(5)):
            _stage(repo, chance)
        same(repo)
        if chance.random() < 0.4 and not repo.git("ls-files", "--unmerged"):
            tree = repo.git("write-tree")
            repo.git("update-ref", "HEAD", repo.git("commit-tree", tree, "-m", "more", "-p", "HEAD"))


def test_what_is_staged_serves_in_a_usual_repository(repo: Repository) -> None:
    repo.write("a.py", b"staged = 1\n")
    repo.write("new.py", b"")
    repo.git("add", "a.py", "new.py")
    repo.git("rm", "--quiet", "--cached", "pkg/b.py")
    tree = CommitTree(repo.found, "HEAD")
    tree.files = {}
    assert tree._is_filled_from(IndexTree(repo.found), repo.found)
    assert list(tree.files) == ["a.py", "pkg/b.py"]


def test_a_sparse_index(repo: Repository) -> None:
    for name in ("one/a.py", "two/b.py", "two/c/d.py"):
        repo.write(name, b"x = 1\n")
    repo.commit("more")
    repo.git("sparse-checkout", "set", "--cone", "--sparse-index", "one")
    repo.write("one/a.py", b"x = 2\n")
    repo.git("add", "one/a.py")
    same(repo)
    whole, beside = both(repo)
    assert "two/c/d.py" in beside.files
    assert beside.files["one/a.py"] == whole.files["one/a.py"] != IndexTree(repo.found).files["one/a.py"]


def test_an_empty_index(repo: Repository, tmp_path: Path) -> None:
    repo.git("read-tree", "--empty")
    same(repo)
