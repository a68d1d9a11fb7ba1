"""The working tree: ids are those of the bytes on disk, whatever git thinks of the file."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

import pytest
from sources_support import Repository, as_nobody, contents, kinds

from guard.model import CannotCheck, Problem
from guard.sources import fifos, worktree
from guard.sources.disk import identify_regular
from guard.sources.git import Git
from guard.sources.locate import open_tree
from guard.sources.tree import EXECUTABLE, REGULAR, SYMLINK, Unreadable, blob_id
from guard.sources.worktree import WorkTree


def test_tracked_and_untracked_but_not_ignored_files_are_listed_in_order(repo: Repository) -> None:
    repo.write(".gitignore", b"*.log\nbuild/\n")
    repo.write("z.py", b"z = 3\n")
    repo.write("noise.log", b"x")
    repo.write("build/out.py", b"x")

    tree = WorkTree(repo.found)

    assert list(tree.files) == [".gitignore", "a.py", "pkg/b.py", "z.py"]
    assert tree.label == "repo"
    assert tree.problems == ()
    assert contents(tree)["z.py"] == b"z = 3\n"


def hashed_paths(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Collects the paths that are hashed from disk, from now on."""
    paths: list[str] = []

    def spy(name: bytes, path: str, algorithm: str) -> object:
        paths.append(path)
        return identify_regular(name, path, algorithm)

    monkeypatch.setattr(worktree, "identify_regular", spy)
    return paths


def test_an_unchanged_file_is_not_read(repo: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    repo.settle()
    hashed = hashed_paths(monkeypatch)

    tree = WorkTree(repo.found)

    assert hashed == []
    assert tree.files["a.py"].oid == repo.hash(b"a = 1\n")


def test_a_file_as_new_as_the_index_is_hashed(repo: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    written = (repo.path / "a.py").stat().st_mtime
    os.utime(repo.path / ".git" / "index", (written, written))
    hashed = hashed_paths(monkeypatch)

    WorkTree(repo.found)

    assert "a.py" in hashed


def test_a_changed_file_of_the_same_size_and_time_is_seen(repo: Repository) -> None:
    path = repo.path / "a.py"
    before = path.stat()
    path.write_bytes(b"a = 9\n")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    repo.settle()

    tree = WorkTree(repo.found)

    assert tree.files["a.py"].oid == blob_id(b"a = 9\n")
    assert contents(tree)["a.py"] == b"a = 9\n"


def test_assume_unchanged_does_not_hide_a_change(repo: Repository) -> None:
    repo.git("update-index", "--assume-unchanged", "a.py")
    repo.write("a.py", b"changed = True\n")
    repo.settle()

    assert WorkTree(repo.found).files["a.py"].oid == blob_id(b"changed = True\n")


def test_without_stat_data_from_git_every_file_is_hashed(repo: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    repo.settle()
    expected = WorkTree(repo.found).files
    monkeypatch.setattr(worktree, "LIST_INDEX", ("ls-files", "-s", "-z"))
    hashed = hashed_paths(monkeypatch)

    assert WorkTree(repo.found).files == expected
    assert hashed == ["a.py", "pkg/b.py"]


@pytest.mark.parametrize(
    ("attributes", "configuration", "on_disk"),
    [
        ("*.txt text eol=crlf", [], b"one\r\ntwo\r\n"),
        ("*.txt text", ["core.autocrlf=true"], b"one\r\ntwo\r\n"),
        ("*.txt working-tree-encoding=UTF-16", [], "one\ntwo\n".encode("utf-16")),
        # One byte for one byte, so the size says nothing.
        ("*.txt working-tree-encoding=IBM037", [], "one\ntwo\n".encode("cp037").replace(b"\x25", b"\x15")),
        ("*.txt filter=swap", ["filter.swap.clean=tr a-z b-za", "filter.swap.smudge=tr b-za a-z"], b"nmd\nsvn\n"),
    ],
    ids=["eol", "autocrlf", "utf-16", "ebcdic", "filter"],
)
def test_a_converted_file_has_the_id_of_its_bytes_on_disk(
    repo: Repository, attributes: str, configuration: list[str], on_disk: bytes
) -> None:
    repo.write("x.txt", b"one\ntwo\n")
    repo.commit("text")
    for setting in configuration:
        repo.git("config", *setting.split("=", 1))
    repo.write(".gitattributes", attributes.encode() + b"\n")
    repo.git("add", ".gitattributes")
    (repo.path / "x.txt").unlink()
    repo.git("checkout", "--quiet", "--", "x.txt")
    repo.settle()
    assert repo.git("status", "--porcelain", "x.txt") == ""
    repo.settle()

    tree = WorkTree(repo.found)

    found = (repo.path / "x.txt").read_bytes()
    assert found != b"one\ntwo\n"
    assert len(found) in (len(on_disk), len(b"one\ntwo\n"))
    assert tree.files["x.txt"].oid == blob_id(found)
    assert contents(tree)["x.txt"] == found


def test_an_expanded_ident_has_the_id_of_its_bytes_on_disk(repo: Repository) -> None:
    repo.write(".gitattributes", b"*.c ident\n")
    repo.write("x.c", b"/* $Id$ */\n")
    repo.commit("ident")
    (repo.path / "x.c").unlink()
    repo.git("checkout", "--quiet", "--", "x.c")
    repo.settle()

    on_disk = (repo.path / "x.c").read_bytes()

    assert b"$Id: " in on_disk
    assert WorkTree(repo.found).files["x.c"].oid == blob_id(on_disk)


def test_no_program_of_the_repository_is_run(repo: Repository, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    program = tmp_path / "program"
    program.write_text(f'#!/bin/sh\necho "$0 $@" >> {ran}\ncat\n')
    program.chmod(0o755)
    repo.write(".gitattributes", b"* filter=evil diff=evil\n")
    repo.commit("attributes")
    hooks = repo.path / ".git" / "hooks"
    for hook in ("post-index-change", "reference-transaction", "fsmonitor-watchman"):
        (hooks / hook).write_bytes(program.read_bytes())
        (hooks / hook).chmod(0o755)
    for key in (
        "core.fsmonitor",
        "core.pager",
        "core.sshCommand",
        "core.askPass",
        "core.editor",
        "core.alternateRefsCommand",
        "pager.ls-files",
        "pager.config",
        "filter.evil.clean",
        "filter.evil.smudge",
        "filter.evil.process",
        "diff.evil.textconv",
        "diff.external",
        "credential.helper",
        "uploadpack.packObjectsHook",
    ):
        repo.git("config", key, str(program))
    # A file as new as the index, of the same size: the case in which git itself would compare contents.
    written = (repo.path / "a.py").stat().st_mtime_ns
    repo.write("a.py", b"a = 9\n")
    for path in (repo.path / "a.py", repo.path / ".git" / "index"):
        os.utime(path, ns=(written, written))
    ran.unlink(missing_ok=True)

    tree = WorkTree(repo.found)
    contents(tree)

    assert tree.files["a.py"].oid == blob_id(b"a = 9\n")
    assert not ran.exists()
    repo.git("-c", "core.fsmonitor=false", "-c", "core.trustctime=false", "diff-files", "--name-only")
    assert ran.exists(), "the test's own repository is harmless: it proves nothing"


def test_deleted_files_are_not_in_the_tree(repo: Repository) -> None:
    (repo.path / "a.py").unlink()
    (repo.path / "pkg" / "b.py").unlink()
    (repo.path / "pkg").rmdir()
    repo.write("pkg", b"a file now\n")

    tree = WorkTree(repo.found)

    assert list(tree.files) == ["pkg"]
    assert tree.problems == ()


def test_a_sparse_checkout_takes_absent_files_from_the_index(repo: Repository) -> None:
    repo.git("sparse-checkout", "set", "--no-cone", "/a.py")
    assert not (repo.path / "pkg").exists()

    tree = WorkTree(repo.found)

    assert contents(tree) == {"a.py": b"a = 1\n", "pkg/b.py": b"b = 2\n"}


def test_a_sparse_index_is_expanded(repo: Repository) -> None:
    repo.git("sparse-checkout", "set", "--cone", "--sparse-index", "other")

    assert contents(WorkTree(repo.found)) == {"a.py": b"a = 1\n", "pkg/b.py": b"b = 2\n"}


def test_skip_worktree_with_a_file_on_disk_is_the_file_on_disk(repo: Repository) -> None:
    repo.git("update-index", "--skip-worktree", "a.py")
    repo.write("a.py", b"local = 1\n")

    assert contents(WorkTree(repo.found))["a.py"] == b"local = 1\n"


def test_intent_to_add_is_a_file(repo: Repository) -> None:
    repo.write("new.py", b"new = 1\n")
    repo.git("add", "--intent-to-add", "new.py")

    assert contents(WorkTree(repo.found))["new.py"] == b"new = 1\n"


def conflict(repo: Repository) -> None:
    repo.git("switch", "--quiet", "--create", "other")
    repo.write("a.py", b"a = 'theirs'\n")
    repo.commit("theirs")
    repo.git("switch", "--quiet", "main")
    repo.write("a.py", b"a = 'ours'\n")
    repo.commit("ours")
    with pytest.raises(AssertionError):
        repo.git("merge", "other")


def test_an_unmerged_file_is_in_the_tree_with_its_markers(repo: Repository) -> None:
    conflict(repo)

    tree = WorkTree(repo.found)

    assert b"<<<<<<<" in contents(tree)["a.py"]
    assert tree.problems == ()
    (repo.path / "a.py").unlink()
    assert "a.py" not in WorkTree(repo.found).files


def test_submodules_and_repositories_inside_are_named(repo: Repository, tmp_path: Path) -> None:
    other = Repository.make(tmp_path / "other")
    other.write("inside.py", b"")
    other.commit("other")
    repo.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(other.path), "sub")
    nested = Repository.make(repo.path / "nested")
    nested.write("n.py", b"")
    nested.commit("nested")
    Repository.make(repo.path / "unborn").write("u.py", b"")
    (repo.path / "a.py").unlink()
    Repository.make(repo.path / "a.py")
    repo.git("update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},absent")

    tree = WorkTree(repo.found)

    assert tree.submodules == ("a.py", "absent", "nested", "sub", "unborn")
    assert kinds(tree) == dict.fromkeys(tree.submodules, "submodule")
    assert list(tree.files) == [".gitmodules", "pkg/b.py"]


def test_symbolic_links_are_links(repo: Repository, tmp_path: Path) -> None:
    for name, target in {
        "inside": "pkg/b.py",
        "pkg/up": "../a.py",
        "loop": "loop",
        "broken": "gone",
        "folder": "pkg",
        "absolute": "/etc/passwd",
        "pkg/out": "../../secret",
    }.items():
        (repo.path / name).symlink_to(target)
    repo.git("add", "inside", "absolute")
    (tmp_path / "secret").write_bytes(b"secret")

    tree = WorkTree(repo.found)

    assert tree.files["inside"].mode == SYMLINK
    assert tree.files["inside"].oid == repo.git("rev-parse", ":inside")
    assert "folder/b.py" not in tree.files
    assert contents(tree)["loop"] == b"loop"
    assert contents(tree)["pkg/out"] == b"../../secret"
    assert kinds(tree) == {"absolute": "outside-tree", "pkg/out": "outside-tree"}


def test_a_folder_that_became_a_link_is_not_read_through(repo: Repository, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "b.py").write_bytes(b"secret = 1\n")
    (repo.path / "pkg" / "b.py").unlink()
    (repo.path / "pkg").rmdir()
    (repo.path / "pkg").symlink_to(outside)
    repo.write(".gitignore", b"pkg\n")

    tree = WorkTree(repo.found)

    assert "pkg/b.py" not in tree.files
    assert kinds(tree) == {"pkg": "outside-tree"}


def test_a_link_checked_out_as_a_file_stays_a_link(repo: Repository) -> None:
    (repo.path / "link.py").symlink_to("pkg/b.py")
    repo.commit("link")
    (repo.path / "link.py").unlink()
    repo.git("config", "core.symlinks", "false")
    repo.git("checkout", "--quiet", "--", "link.py")
    assert not (repo.path / "link.py").is_symlink()

    tree = WorkTree(repo.found)

    assert tree.files["link.py"].is_link
    assert contents(tree)["link.py"] == b"pkg/b.py"


def test_what_took_the_place_of_a_file(repo: Repository) -> None:
    for name in ("fifo.py", "folder.py", "link.py"):
        repo.write(name, b"x = 1\n")
    repo.commit("more")
    for name in ("fifo.py", "folder.py", "link.py"):
        (repo.path / name).unlink()
    os.mkfifo(repo.path / "fifo.py")
    os.mkfifo(repo.path / "untracked-fifo.py")
    repo.write("folder.py/inner.py", b"y = 2\n")
    (repo.path / "link.py").symlink_to("a.py")

    tree = WorkTree(repo.found)

    assert kinds(tree) == {"fifo.py": "special-file"}
    assert list(tree.files) == ["a.py", "folder.py/inner.py", "link.py", "pkg/b.py"]
    assert tree.files["link.py"].is_link


def test_a_file_that_becomes_a_fifo_or_changes_or_vanishes_is_unreadable(repo: Repository) -> None:
    for name in ("changed.py", "gone.py", "fifo.py", "link.py"):
        repo.write(name, b"x = 1\n")
    tree = WorkTree(repo.found)
    repo.write("changed.py", b"x = 2\n")
    for name in ("gone.py", "fifo.py", "link.py"):
        (repo.path / name).unlink()
    os.mkfifo(repo.path / "fifo.py")
    (repo.path / "link.py").symlink_to("/etc/passwd")
    (repo.path / "pkg" / "b.py").unlink()
    (repo.path / "pkg").rmdir()
    (repo.path / "pkg").symlink_to("/etc")

    with tree.reader() as reader:
        for path in ("changed.py", "gone.py", "fifo.py", "link.py", "pkg/b.py"):
            with pytest.raises(Unreadable) as raised:
                reader.read(tree.files[path])
            assert raised.value.problem.path == path
            assert raised.value.problem.kind == "unreadable"
        assert reader.read(tree.files["a.py"]) == b"a = 1\n"


def test_a_file_over_the_limit_is_too_large(repo: Repository) -> None:
    repo.write("big.py", b"x" * 5000)
    tree = WorkTree(repo.found)

    with tree.reader() as reader, pytest.raises(Unreadable) as raised:
        reader.read(tree.files["big.py"], 4999)

    assert raised.value.problem == Problem("big.py", "too-large", "5,000 bytes, more than the limit of 4,999")
    with tree.reader() as reader:
        assert len(reader.read(tree.files["big.py"], 5000)) == 5000


def test_odd_names_go_through(repo: Repository) -> None:
    names = [b"new\nline.py", b"tab\t.py", b"latin-\xe9.py", b"esc\x1b[31m.py", b"-dash.py", b"'quo\"te\\.py", b" .py "]
    for name in names:
        repo.write(name, name)
    repo.commit("odd names")
    for name in names:
        repo.write(b"untracked/" + name, name)

    tree = WorkTree(repo.found)

    read = contents(tree)
    for name in names:
        path = name.decode("utf-8", "surrogateescape")
        assert read[path] == read[f"untracked/{path}"] == name
    assert tree.problems == ()


def test_names_that_git_never_checks_out_are_not_opened(repo: Repository, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"secret\n")
    oid = repo.git("hash-object", "-w", "--stdin", given=b"secret\n")
    repo.git("update-index", "--add", "--cacheinfo", f"100644,{oid},xx/secret")
    index = repo.path / ".git" / "index"
    forged = index.read_bytes()[:-20].replace(b"xx/secret", b"../secret")
    index.write_bytes(forged + hashlib.sha1(forged).digest())

    tree = WorkTree(repo.found)

    assert kinds(tree) == {"../secret": "bad-name"}
    assert list(tree.files) == ["a.py", "pkg/b.py"]


def test_executable_bits_are_those_on_disk(repo: Repository) -> None:
    repo.write("tool", b"#!/bin/sh\n")
    (repo.path / "tool").chmod(0o755)
    repo.commit("tool")
    (repo.path / "a.py").chmod(0o755)

    files = WorkTree(repo.found).files

    assert (files["tool"].mode, files["a.py"].mode, files["pkg/b.py"].mode) == (EXECUTABLE, EXECUTABLE, REGULAR)


def test_a_sha256_repository(tmp_path: Path) -> None:
    repo = Repository.make(tmp_path / "sha256", "--object-format=sha256")
    repo.write("a.py", b"a = 1\n")
    repo.commit("first")
    repo.write("b.py", b"b = 2\n")

    tree = WorkTree(repo.found)

    assert {path: file.oid for path, file in tree.files.items()} == {
        "a.py": repo.hash(b"a = 1\n"),
        "b.py": repo.hash(b"b = 2\n"),
    }
    assert contents(tree)["b.py"] == b"b = 2\n"


def test_linked_worktrees_and_split_indexes(repo: Repository, tmp_path: Path) -> None:
    repo.git("worktree", "add", "--quiet", str(tmp_path / "linked"), "-b", "linked")
    linked = Repository(tmp_path / "linked")
    linked.git("update-index", "--split-index")
    linked.write("a.py", b"linked = 1\n")

    assert contents(WorkTree(linked.found)) == {"a.py": b"linked = 1\n", "pkg/b.py": b"b = 2\n"}
    assert contents(WorkTree(repo.found))["a.py"] == b"a = 1\n"


def test_an_encoding_set_in_the_shared_attributes_of_a_linked_worktree(repo: Repository, tmp_path: Path) -> None:
    repo.write("x.txt", b"abc\n")
    repo.commit("text")
    (repo.path / ".git" / "info" / "attributes").write_text("*.txt working-tree-encoding=IBM037\n")
    repo.git("worktree", "add", "--quiet", str(tmp_path / "linked"))
    linked = Repository(tmp_path / "linked")
    index = repo.path / ".git" / "worktrees" / "linked" / "index"
    os.utime(index, (index.stat().st_mtime + 60,) * 2)

    on_disk = (linked.path / "x.txt").read_bytes()

    assert len(on_disk) == 4
    assert on_disk != b"abc\n"
    assert WorkTree(linked.found).files["x.txt"].oid == blob_id(on_disk)


def snapshot(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Every file below `folder`, with its time of change and its bytes."""
    return {
        str(path): (path.stat().st_mtime_ns, path.read_bytes()) for path in sorted(folder.rglob("*")) if path.is_file()
    }


def test_nothing_is_written_and_a_locked_index_is_no_hindrance(repo: Repository) -> None:
    repo.write("a.py", b"a = 5\n")
    os.utime(repo.path / "pkg" / "b.py", (1, 1))
    (repo.path / ".git" / "index.lock").touch()
    before = snapshot(repo.path)

    contents(WorkTree(repo.found))

    assert snapshot(repo.path) == before


def test_no_work_tree(repo: Repository) -> None:
    with pytest.raises(CannotCheck, match="use --rev"):
        WorkTree(Git(str(repo.path / ".git")))


def test_what_may_not_be_read_is_a_problem(repo: Repository) -> None:
    repo.write("closed/c.py", b"c = 3\n")
    repo.write("closed/deep/d.py", b"d = 4\n")
    repo.write("listed/e.py", b"e = 5\n")
    repo.commit("more")
    repo.write("untracked/f.py", b"f = 6\n")
    repo.write("secret.py", b"s = 7\n")
    repo.settle()

    def check() -> None:
        before = WorkTree(repo.found)
        closed = [repo.path / name for name in ("a.py", "secret.py", "closed", "untracked")]
        for path in closed:
            path.chmod(0)
        (repo.path / "listed").chmod(stat.S_IRUSR)
        try:
            tree = WorkTree(repo.found)
            assert list(tree.files) == ["pkg/b.py"]
            expected = ("a.py", "closed", "listed", "secret.py", "untracked")
            assert kinds(tree) == dict.fromkeys(expected, "unreadable")
            messages = {problem.message for problem in tree.problems if problem.path == "closed"}
            assert "this folder cannot be entered; tracked files in it: 2" in messages
            with before.reader() as reader:
                for name in ("a.py", "closed/deep/d.py"):
                    with pytest.raises(Unreadable, match="Permission denied"):
                        reader.read(before.files[name])
        finally:
            for path in [*closed, repo.path / "listed"]:
                path.chmod(0o700)

    as_nobody(repo.path, check)


def test_git_does_not_wait_for_a_fifo(repo: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fifos, "PATIENCE", 0.2)
    repo.write("new/c.py", b"")
    for name in (".gitignore", "pkg/.gitignore", "new/.gitignore"):
        os.mkfifo(repo.path / name)

    tree = WorkTree(repo.found)

    assert list(tree.files) == ["a.py", "new/c.py", "pkg/b.py"]
    assert {(problem.path, problem.kind) for problem in tree.problems} == {
        (".gitignore", "special-file"),
        ("new/.gitignore", "special-file"),
        ("pkg/.gitignore", "special-file"),
    }
    monkeypatch.chdir(repo.path)
    assert open_tree(["pkg"])[0].kind == "worktree"
