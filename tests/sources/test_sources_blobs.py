"""Trees of blobs: the index and commits, and the reader that talks with git."""

from __future__ import annotations

import multiprocessing
import os
import random
import shutil
import subprocess
import sys
import time
import warnings
from pathlib import Path

import pytest
from sources_support import Repository, contents, kinds

from guard.model import CannotCheck, EnvironmentFailed, GuardError, Problem
from guard.sources import fifos
from guard.sources.blobs import BlobReader
from guard.sources.commit import CommitTree
from guard.sources.entries import parse_entries
from guard.sources.git import Git, discover
from guard.sources.index import IndexTree
from guard.sources.tree import EXECUTABLE, SourceFile, Unreadable
from guard.sources.worktree import WorkTree


def test_the_index_is_what_is_staged(repo: Repository) -> None:
    repo.write("a.py", b"staged = 1\n")
    repo.git("add", "a.py")
    repo.write("a.py", b"on_disk = 1\n")
    repo.write("untracked.py", b"")
    repo.write("announced.py", b"")
    repo.git("add", "--intent-to-add", "announced.py")
    (repo.path / "pkg" / "b.py").unlink()

    tree = IndexTree(repo.found)

    assert contents(tree) == {"a.py": b"staged = 1\n", "pkg/b.py": b"b = 2\n"}
    assert (tree.kind, tree.label, tree.problems) == ("index", "repo", ())


def test_an_index_that_git_is_writing_is_read(repo: Repository) -> None:
    (repo.path / ".git" / "index.lock").touch()

    assert list(IndexTree(repo.found).files) == ["a.py", "pkg/b.py"]


def test_an_unmerged_path_is_a_problem_of_the_index(repo: Repository) -> None:
    blob = repo.git("hash-object", "-w", "--stdin", given=b"x")
    lines = "".join(f"100644 {blob} {stage}\tboth.py\n" for stage in (1, 2, 3))
    repo.git("update-index", "--index-info", given=lines.encode())

    tree = IndexTree(repo.found)

    assert kinds(tree) == {"both.py": "unmerged"}
    assert list(tree.files) == ["a.py", "pkg/b.py"]


@pytest.mark.parametrize("linked", [False, True], ids=["repository", "worktree"])
def test_a_fifo_in_place_of_a_blob(repo: Repository, monkeypatch: pytest.MonkeyPatch, linked: bool) -> None:
    monkeypatch.setattr(fifos, "PATIENCE", 0.2)
    tree = IndexTree(repo.found)
    for path in tree.files:
        _fifo_for(repo, tree.files[path].oid)
    if linked:
        repo.git("worktree", "add", "--no-checkout", "-q", "../other", "HEAD")
        repo.git("-C", "../other", "read-tree", "HEAD")
        found = discover(str(repo.path.parent / "other"))
        assert found is not None
        tree = IndexTree(found)
    started = time.monotonic()

    with tree.reader() as reader:
        for path in tree.files:
            with pytest.raises(Unreadable, match="not a regular file; git would wait for it for ever"):
                reader.read(tree.files[path])
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("what", ["HEAD^{tree}", "HEAD"])
def test_a_fifo_in_place_of_a_tree_or_a_commit(repo: Repository, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    monkeypatch.setattr(fifos, "PATIENCE", 0.2)
    _fifo_for(repo, repo.git("rev-parse", what))

    with pytest.raises(EnvironmentFailed, match="not a regular file; git would wait for it for ever"):
        CommitTree(repo.found, "HEAD")


def test_a_git_that_is_only_slow_is_waited_for(repo: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fifos, "PATIENCE", 0.0)

    assert contents(CommitTree(repo.found, "HEAD")) == {"a.py": b"a = 1\n", "pkg/b.py": b"b = 2\n"}


def _fifo_for(repo: Repository, oid: str) -> None:
    place = repo.path / ".git" / "objects" / oid[:2] / oid[2:]
    place.unlink()
    os.mkfifo(place)


def test_another_index_by_environment(repo: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(repo.path / ".git" / "index", repo.path / ".git" / "other")
    repo.git("rm", "--quiet", "--cached", "a.py")
    monkeypatch.setenv("GIT_INDEX_FILE", ".git/other")
    monkeypatch.chdir(repo.path / "pkg")

    assert list(IndexTree(repo.found).files) == ["a.py", "pkg/b.py"]
    assert repo.found.index_file == str(repo.path / ".git" / "other")


def test_what_git_never_prints_is_refused() -> None:
    with pytest.raises(EnvironmentFailed, match="cannot read"):
        parse_entries(b"? something new\ta.py\0")


@pytest.mark.parametrize("linked", [False, True], ids=["main", "linked"])
def test_a_real_hook_sees_what_the_commit_will_hold(repo: Repository, tmp_path: Path, linked: bool) -> None:
    """`git commit PATH` gives its hooks an index of their own, in `GIT_INDEX_FILE`."""
    seen = tmp_path / "seen"
    hook = repo.path / ".git" / "hooks" / "pre-commit"
    hook.write_text(
        f"#!{sys.executable}\n"
        "from pathlib import Path\n"
        "from guard.sources.locate import open_tree\n"
        "tree, _ = open_tree(['pkg'], staged=True)\n"
        f"Path({str(seen)!r}).write_bytes(b''.join(tree.read(path) for path in tree.files))\n"
    )
    hook.chmod(0o755)
    place = repo
    if linked:
        repo.git("worktree", "add", "--quiet", str(tmp_path / "linked"))
        place = Repository(tmp_path / "linked")
    place.write("a.py", b"only = 'this'\n")
    place.write("pkg/b.py", b"not_this = 1\n")
    place.git("add", "pkg/b.py")

    place.git("commit", "--quiet", "--message", "part", "a.py")

    assert seen.read_bytes() == b"only = 'this'\nb = 2\n"


def test_a_commit_is_what_it_holds(repo: Repository) -> None:
    repo.write("run", b"#!/bin/sh\n")
    (repo.path / "run").chmod(0o755)
    (repo.path / "link").symlink_to("a.py")
    (repo.path / "out").symlink_to("/etc")
    second = repo.commit("second")
    repo.git("rm", "--quiet", "-r", ".")
    repo.commit("empty")

    tree = CommitTree(repo.found, "HEAD~1")

    assert contents(tree) == {
        "a.py": b"a = 1\n",
        "link": b"a.py",
        "out": b"/etc",
        "pkg/b.py": b"b = 2\n",
        "run": b"#!/bin/sh\n",
    }
    assert tree.files["run"].mode == EXECUTABLE
    assert tree.files["link"].is_link
    assert tree.label == f"HEAD~1 ({second[:12]})"
    assert CommitTree(repo.found, second).label == second[:12]
    assert kinds(tree) == {"out": "outside-tree"}


def test_a_submodule_of_a_commit_is_named(repo: Repository) -> None:
    repo.git("update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},vendor/sub")
    repo.git("commit", "--quiet", "--message", "submodule")

    for tree in (CommitTree(repo.found, "HEAD"), IndexTree(repo.found)):
        assert tree.submodules == ("vendor/sub",)
        assert kinds(tree) == {"vendor/sub": "submodule"}


def test_a_bare_repository_and_a_git_directory_without_configuration(repo: Repository, tmp_path: Path) -> None:
    bare = tmp_path / "bare.git"
    repo.git("clone", "--quiet", "--bare", str(repo.path), str(bare))
    mirror = tmp_path / "mirror"
    shutil.copytree(bare, mirror)
    (mirror / "config").unlink()

    for folder in (bare, mirror):
        git = Repository(folder).found
        assert git.work_tree is None
        assert contents(CommitTree(git, "main")) == {"a.py": b"a = 1\n", "pkg/b.py": b"b = 2\n"}
        with pytest.raises(CannotCheck, match="use --rev"):
            IndexTree(git)


@pytest.mark.parametrize("rev", ["gone", "", "-x", "--all", "main..main", "HEAD:a.py", "a\0b", "1" * 40, "^main"])
def test_what_is_not_one_commit_is_a_usage_error(repo: Repository, rev: str) -> None:
    with pytest.raises(GuardError, match="no such commit") as raised:
        CommitTree(repo.found, rev)

    assert raised.value.exit_code == 2
    assert "shallow" not in str(raised.value)


def test_a_shallow_clone_says_so(repo: Repository, tmp_path: Path) -> None:
    first = repo.git("rev-parse", "HEAD")
    repo.write("a.py", b"")
    repo.commit("second")
    repo.git("clone", "--quiet", "--depth=1", f"file://{repo.path}", str(tmp_path / "shallow"))

    with pytest.raises(GuardError, match="git fetch --unshallow"):
        CommitTree(Repository(tmp_path / "shallow").found, first)


def test_odd_names_in_a_commit_and_in_the_index(repo: Repository) -> None:
    names = [b"new\nline.py", b"tab\t.py", b"latin-\xe9.py"]
    for name in names:
        repo.write(name, name)
    repo.commit("odd names")

    for tree in (CommitTree(repo.found, "HEAD"), IndexTree(repo.found)):
        read = contents(tree)
        for name in names:
            assert read[name.decode("utf-8", "surrogateescape")] == name


def test_names_that_lead_out_are_problems(repo: Repository) -> None:
    blob = repo.git("hash-object", "-w", "--stdin", given=b"x")
    raw = b"100644 ok\0" + bytes.fromhex(blob)
    inner = repo.git("hash-object", "-w", "-t", "tree", "--literally", "--stdin", given=raw)
    entries = b"40000 ..\0" + bytes.fromhex(inner) + b"40000 .git\0" + bytes.fromhex(inner)
    outer = repo.git("hash-object", "-w", "-t", "tree", "--literally", "--stdin", given=entries + raw)
    commit = repo.git("commit-tree", outer, "-m", "hostile")

    tree = CommitTree(repo.found, commit)

    assert kinds(tree) == {"../ok": "bad-name", ".git/ok": "bad-name"}
    assert list(tree.files) == ["ok"]


def test_replaced_objects_are_seen_as_they_are(repo: Repository) -> None:
    old = repo.git("rev-parse", "HEAD:a.py")
    new = repo.git("hash-object", "-w", "--stdin", given=b"replaced = 1\n")
    repo.git("replace", old, new)

    assert contents(CommitTree(repo.found, "HEAD"))["a.py"] == b"a = 1\n"


def test_a_blob_over_the_limit_is_passed_over(repo: Repository) -> None:
    sizes = {"small": 10, "large": 3_000_000, "huge": 9_000_000}
    for name, size in sizes.items():
        repo.write(name, name[:1].encode() * size)
    repo.commit("sizes")
    tree = CommitTree(repo.found, "HEAD")

    with tree.reader() as reader:
        for name in ("large", "huge"):
            with pytest.raises(Unreadable) as raised:
                reader.read(tree.files[name], 1000)
            message = f"{sizes[name]:,} bytes, more than the limit of 1,000"
            assert raised.value.problem == Problem(name, "too-large", message)
            assert reader.read(tree.files["small"], 1000) == b"s" * 10


def loose(repo: Repository, oid: str) -> Path:
    return repo.path / ".git" / "objects" / oid[:2] / oid[2:]


def test_damaged_objects_cost_only_themselves(repo: Repository) -> None:
    for name in ("lost", "corrupt", "wrong"):
        repo.write(name, name.encode())
    repo.write("cut", random.Random(0).randbytes(100_000))
    repo.commit("more")
    tree = CommitTree(repo.found, "HEAD")
    cut = loose(repo, tree.files["cut"].oid)
    cut.chmod(0o644)
    cut.write_bytes(cut.read_bytes()[:2000])
    loose(repo, tree.files["lost"].oid).unlink()
    for name, content in {
        "corrupt": b"no zlib at all",
        "wrong": loose(repo, tree.files["a.py"].oid).read_bytes(),
    }.items():
        loose(repo, tree.files[name].oid).chmod(0o644)
        loose(repo, tree.files[name].oid).write_bytes(content)
    expected = {"lost": "missing-object", "corrupt": "missing-object", "wrong": "unreadable", "cut": "unreadable"}

    with tree.reader() as reader:
        for name, kind in expected.items():
            with pytest.raises(Unreadable) as raised:
                reader.read(tree.files[name])
            assert raised.value.problem.kind == kind
            assert reader.read(tree.files["a.py"]) == b"a = 1\n"


def test_what_of_the_missing_is_there_again(repo: Repository) -> None:
    for name in ("lost", "lost too"):
        repo.write(name, name.encode())
    repo.commit("more")
    tree = CommitTree(repo.found, "HEAD")
    for name in ("lost", "lost too"):
        loose(repo, tree.files[name].oid).unlink()
    assert not tree.has_any(["lost", "lost too", "never there"])
    assert not tree.has_any([])
    assert tree.has_any(["lost", "a.py"])
    repo.git("hash-object", "-w", "--stdin", given=b"lost too")
    assert tree.has_any(["lost", "lost too"])


def test_an_object_of_another_type_is_unreadable(repo: Repository) -> None:
    tree = repo.git("rev-parse", "HEAD^{tree}")

    with BlobReader(repo.found) as reader:
        with pytest.raises(Unreadable, match="holds a tree in its place"):
            reader.read(SourceFile("x", 0o100644, tree))
        assert reader.read(SourceFile("a.py", 0o100644, repo.git("rev-parse", "HEAD:a.py"))) == b"a = 1\n"


def test_the_reader_survives_the_end_of_its_git(repo: Repository) -> None:
    tree = CommitTree(repo.found, "HEAD")
    with tree.reader() as reader:
        assert isinstance(reader, BlobReader)
        reader.read(tree.files["a.py"])
        assert reader._process is not None
        reader._process.kill()
        reader._process.wait()

        assert reader.read(tree.files["pkg/b.py"]) == b"b = 2\n"


@pytest.fixture
def partial(repo: Repository, tmp_path: Path) -> Repository:
    """A clone without blobs, whose origin is gone. Only `a.py` was ever fetched."""
    repo.git("config", "uploadpack.allowFilter", "true")
    (repo.path / "link").symlink_to("a.py")
    repo.commit("link")
    origin = tmp_path / "origin"
    repo.path.rename(origin)
    command = ["git", "clone", "--quiet", "--no-checkout", "--filter=blob:none", f"file://{origin}"]
    subprocess.run([*command, str(repo.path)], check=True)
    repo.git("cat-file", "-e", "HEAD:a.py")
    origin.rename(tmp_path / "gone")
    return repo


def test_a_partial_clone_names_what_it_lacks(partial: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = CommitTree(partial.found, "HEAD")
    started: list[str] = []
    popen = Git.popen

    def spy(git: Git, command: str, *arguments: str, stdin: int, stderr: int = subprocess.PIPE) -> object:
        started.append(command)
        return popen(git, command, *arguments, stdin=stdin, stderr=stderr)

    assert kinds(tree) == {"link": "missing-object"}
    monkeypatch.setattr(Git, "popen", spy)
    with tree.reader() as reader:
        for path in ("pkg/b.py", "link", "pkg/b.py"):
            with pytest.raises(Unreadable) as raised:
                reader.read(tree.files[path])
            assert raised.value.problem.kind == "missing-object"
            assert "git fetch --refetch --no-filter" in raised.value.problem.message
            assert reader.read(tree.files["a.py"]) == b"a = 1\n"
    # What is missing is asked for once, not found out by one end of git after another.
    assert started.count("rev-list") == 1
    assert started.count("cat-file") == 3


def test_a_partial_clone_with_its_origin_fetches_nothing(partial: Repository, tmp_path: Path) -> None:
    (tmp_path / "gone").rename(tmp_path / "origin")
    tree = CommitTree(partial.found, "HEAD")

    with tree.reader() as reader, pytest.raises(Unreadable):
        reader.read(tree.files["pkg/b.py"])

    partial.git("fetch", "--quiet", "--refetch", "--no-filter")
    assert contents(tree)["pkg/b.py"] == b"b = 2\n"


def test_a_clone_without_trees_cannot_be_listed(repo: Repository, tmp_path: Path) -> None:
    repo.git("config", "uploadpack.allowFilter", "true")
    clone = tmp_path / "treeless"
    repo.git("clone", "--quiet", "--no-checkout", "--filter=tree:0", f"file://{repo.path}", str(clone))

    with pytest.raises(CannotCheck, match="git fetch --refetch --no-filter"):
        CommitTree(Repository(clone).found, "HEAD")


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_trees_work_in_other_processes(repo: Repository, method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.path.dirname(__file__))
    trees = [WorkTree(repo.found), IndexTree(repo.found), CommitTree(repo.found, "HEAD")]
    with warnings.catch_warnings():
        # pytest-xdist has threads, which Python 3.12 warns of at a fork.
        warnings.simplefilter("ignore", DeprecationWarning)
        pool = multiprocessing.get_context(method).Pool(1)
    with pool:
        for read in pool.map(contents, trees):
            assert read == {"a.py": b"a = 1\n", "pkg/b.py": b"b = 2\n"}


def test_reading_leaves_no_process_and_no_trace(repo: Repository) -> None:
    before = {path: path.stat().st_mtime_ns for path in repo.path.rglob("*")}
    reader = CommitTree(repo.found, "HEAD").reader()
    reader.read(CommitTree(repo.found, "HEAD").files["a.py"])
    process = reader._process
    reader.close()
    reader.close()

    assert process is not None
    assert process.poll() is not None
    assert {path: path.stat().st_mtime_ns for path in repo.path.rglob("*")} == before


def test_a_partial_clone_is_asked_for_one_after_the_other(partial: Repository) -> None:
    tree = CommitTree(partial.found, "HEAD")
    assert not tree.has_any(["pkg/b.py", "link"])
    assert tree.has_any(["pkg/b.py", "a.py"])
