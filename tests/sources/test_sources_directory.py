"""A folder without git."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from sources_support import Repository, as_nobody, contents, kinds

from guard.sources import disk
from guard.sources.directory import DirectoryTree
from guard.sources.tree import EXECUTABLE, REGULAR, Unreadable, blob_id
from guard.sources.worktree import WorkTree


def write(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())


def test_every_file_is_listed_in_order_with_the_id_that_git_gives(tmp_path: Path) -> None:
    root = tmp_path / "app"
    write(root, "b.py", "a/z.py", "a.py", "a/.hidden/x.py", "empty/../c.py")
    (root / "b.py").chmod(0o755)

    tree = DirectoryTree(str(root))

    assert list(tree.files) == ["a.py", "a/.hidden/x.py", "a/z.py", "b.py", "c.py"]
    assert tree.files["a/z.py"].oid == blob_id(b"a/z.py")
    assert (tree.files["b.py"].mode, tree.files["a.py"].mode) == (EXECUTABLE, REGULAR)
    assert (tree.label, tree.kind, tree.problems, tree.submodules) == ("app", "directory", (), ())
    assert contents(tree)["b.py"] == b"b.py"


def test_ids_are_those_of_the_working_tree(repo: Repository) -> None:
    (repo.path / "link").symlink_to("a.py")
    repo.settle()

    assert DirectoryTree(str(repo.path)).files == WorkTree(repo.found).files


def test_what_tools_leave_behind_is_skipped(tmp_path: Path) -> None:
    skipped = (".git", "pkg/__pycache__", "web/node_modules", ".mypy_cache", ".ruff_cache", ".tox", "env", "sub/.git")
    for folder in skipped[:-1]:
        write(tmp_path, f"{folder}/x.py")
    write(tmp_path, "env/pyvenv.cfg", "sub/.git", "build/x.py", "node_modules.py")

    tree = DirectoryTree(str(tmp_path))

    assert list(tree.files) == ["build/x.py", "node_modules.py"]
    assert tree.skipped == tuple(sorted(skipped))


def test_the_root_itself_is_never_skipped(tmp_path: Path) -> None:
    write(tmp_path, "node_modules/x.py", "env/pyvenv.cfg")

    assert list(DirectoryTree(str(tmp_path / "node_modules")).files) == ["x.py"]
    assert list(DirectoryTree(str(tmp_path / "env")).files) == ["pyvenv.cfg"]


def test_links_are_never_followed(tmp_path: Path) -> None:
    write(tmp_path, "outside/secret.py", "root/pkg/a.py")
    root = tmp_path / "root"
    (root / "loop").symlink_to(".")
    (root / "pkg" / "up").symlink_to("..")
    (root / "file").symlink_to("pkg/a.py")
    (root / "folder").symlink_to("../outside")

    tree = DirectoryTree(str(root))

    assert list(tree.files) == ["file", "folder", "loop", "pkg/a.py", "pkg/up"]
    assert [path for path, file in tree.files.items() if not file.is_link] == ["pkg/a.py"]
    assert tree.files["file"].oid == blob_id(b"pkg/a.py")
    assert kinds(tree) == {"folder": "outside-tree"}


def test_special_files_are_problems(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "a.py")
    os.mkfifo(tmp_path / "fifo.py")
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket.py")
        tree = DirectoryTree(".")

    assert list(tree.files) == ["a.py"]
    assert kinds(tree) == {"fifo.py": "special-file", "socket.py": "special-file"}
    assert not any(problem.fatal for problem in tree.problems)


def test_what_may_not_be_read_is_a_problem(tmp_path: Path) -> None:
    root = tmp_path / "root"
    write(root, "open.py", "closed/a.py", "secret.py", "listed/b.py")

    def check() -> None:
        (root / "closed").chmod(0)
        (root / "secret.py").chmod(0)
        (root / "listed").chmod(0o400)
        try:
            tree = DirectoryTree(str(root))
            assert list(tree.files) == ["open.py"]
            assert kinds(tree) == dict.fromkeys(("closed", "listed/b.py", "secret.py"), "unreadable")
            assert all(problem.fatal for problem in tree.problems)
        finally:
            for name in ("closed", "secret.py", "listed"):
                (root / name).chmod(0o700)

    as_nobody(root, check)


def test_very_deep_folders_end_in_a_problem(tmp_path: Path) -> None:
    folder = os.open(tmp_path, os.O_RDONLY)
    for _ in range(40):
        os.mkdir("d" * 200, dir_fd=folder)
        inner = os.open("d" * 200, os.O_RDONLY, dir_fd=folder)
        os.close(folder)
        folder = inner
    os.close(folder)

    tree = DirectoryTree(str(tmp_path))

    assert [problem.kind for problem in tree.problems] == ["unreadable"]
    assert "File name too long" in tree.problems[0].message


def test_large_files_are_hashed_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "_CHUNK", 7)
    (tmp_path / "large").write_bytes(b"0123456789" * 100)

    tree = DirectoryTree(str(tmp_path))

    assert tree.files["large"].oid == blob_id(b"0123456789" * 100)
    assert contents(tree)["large"] == b"0123456789" * 100


def test_a_file_that_changes_at_every_look_is_unreadable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"start\n")
    read = os.read

    def grow(descriptor: int, size: int) -> bytes:
        with log.open("ab") as file:
            file.write(b"line\n")
        return read(descriptor, size)

    monkeypatch.setattr(os, "read", grow)
    tree = DirectoryTree(str(tmp_path))

    assert kinds(tree) == {"log": "unreadable"}
    assert "changed while guard was reading" in tree.problems[0].message


def test_odd_names_go_through(tmp_path: Path) -> None:
    names = [b"new\nline.py", b"latin-\xe9.py", b"esc\x1b.py"]
    for name in names:
        with open(os.path.join(os.fsencode(tmp_path), name), "wb") as file:
            file.write(name)

    read = contents(DirectoryTree(str(tmp_path)))

    assert read == {name.decode("utf-8", "surrogateescape"): name for name in names}


def test_the_tree_reads_single_paths(tmp_path: Path) -> None:
    write(tmp_path, "a.py")
    (tmp_path / "link").symlink_to("a.py")
    tree = DirectoryTree(str(tmp_path))

    assert tree.read("a.py") == b"a.py"
    assert tree.read("link") is None
    assert tree.read("gone.py") is None
    (tmp_path / "a.py").unlink()
    with pytest.raises(Unreadable):
        tree.read("a.py")
    assert list(tree.read_many(["a.py", "gone.py"])) == []


def test_a_file_above_the_limit_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "sparse.bin").open("wb") as file:
        file.truncate(3_000_000)
    tree = DirectoryTree(str(tmp_path))

    with tree.reader() as reader, pytest.raises(Unreadable, match="3,000,000 bytes, more than the limit of 9"):
        reader.read(tree.files["sparse.bin"], 9)
