"""Finding a repository, and talking with git."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from sources_support import Repository

from guard.model import CannotCheck, EnvironmentFailed
from guard.sources.git import Git, GitFailed, discover, first_complaint
from guard.sources.worktree import WorkTree


def test_a_repository_is_found_from_any_folder_of_it(repo: Repository) -> None:
    expected = Git(str(repo.path / ".git"), str(repo.path), "sha1")

    assert discover(str(repo.path)) == expected
    assert discover(str(repo.path / "pkg")) == expected


def test_a_name_with_line_ends_in_it(tmp_path: Path) -> None:
    repo = Repository.make(tmp_path / "new\nline\n")
    repo.write("sub/a.py", b"")

    assert discover(str(repo.path / "sub")) == Git(str(repo.path / ".git"), str(repo.path))
    assert list(WorkTree(repo.found).files) == ["sub/a.py"]


def test_a_linked_worktree(repo: Repository, tmp_path: Path) -> None:
    repo.git("worktree", "add", "--quiet", str(tmp_path / "linked"))

    git = discover(str(tmp_path / "linked" / "pkg"))

    assert git == Git(str(repo.path / ".git" / "worktrees" / "linked"), str(tmp_path / "linked"))
    assert git is not None
    assert git.common_dir == str(repo.path / ".git")
    assert repo.found.common_dir == str(repo.path / ".git")


def test_a_submodule_is_a_repository_of_its_own(repo: Repository, tmp_path: Path) -> None:
    other = Repository.make(tmp_path / "other")
    other.write("inside.py", b"")
    other.commit("other")
    repo.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(other.path), "sub")

    git = discover(str(repo.path / "sub"))

    assert git == Git(str(repo.path / ".git" / "modules" / "sub"), str(repo.path / "sub"))
    assert git is not None
    assert list(WorkTree(git).files) == ["inside.py"]


def test_inside_the_git_directory_there_is_no_work_tree(repo: Repository) -> None:
    assert discover(str(repo.path / ".git" / "objects")) == Git(str(repo.path / ".git"), None)


def test_no_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")

    assert discover(str(tmp_path)) is None


def test_git_is_missing(repo: Repository, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    # A `git` in the checked folder is not git, whatever PATH says.
    decoy = repo.path / "git"
    decoy.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    decoy.chmod(0o755)
    monkeypatch.chdir(repo.path)
    monkeypatch.setenv("PATH", ".:")

    with pytest.raises(EnvironmentFailed, match="install git") as raised:
        discover(".")

    assert raised.value.exit_code == 4
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "ran").exists()


def test_a_repository_of_another_user(repo: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")

    with pytest.raises(EnvironmentFailed) as raised:
        discover(str(repo.path))

    assert f"git config --global --add safe.directory {repo.path}" in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("content", [None, b"no gitfile", b"gitdir: /nowhere\n"], ids=["empty", "text", "dangling"])
def test_a_broken_git_folder(tmp_path: Path, content: bytes | None) -> None:
    folder = tmp_path / "broken"
    folder.mkdir()
    if content is None:
        (folder / ".git").mkdir()
    else:
        (folder / ".git").write_bytes(content)

    with pytest.raises(EnvironmentFailed, match=r"there is a \.git, but git cannot use it") as raised:
        discover(str(folder))

    assert raised.value.exit_code == 4
    assert "\n" not in str(raised.value)


def test_a_broken_git_folder_inside_a_repository_is_passed_over_as_git_does(repo: Repository) -> None:
    repo.write("pkg/.git/x", b"")

    assert discover(str(repo.path / "pkg")) == repo.found


@pytest.mark.parametrize("target", ["/", "elsewhere"])
def test_core_worktree_does_not_lead_out(repo: Repository, tmp_path: Path, target: str) -> None:
    (tmp_path / "elsewhere").mkdir()
    repo.git("config", "core.worktree", os.path.join(tmp_path, target))

    with pytest.raises(CannotCheck, match=r"core\.worktree"):
        discover(str(repo.path))


def test_git_dir_and_work_tree_by_environment(
    repo: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "a.py").write_bytes(b"a = 'elsewhere'\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_DIR", "repo/.git")
    monkeypatch.setenv("GIT_WORK_TREE", "files")

    git = discover(".")

    assert git == Git(str(repo.path / ".git"), str(tmp_path / "files"))
    assert git is not None
    assert list(WorkTree(git).files) == ["a.py"]


def test_a_wrong_git_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "nowhere"))

    with pytest.raises(EnvironmentFailed, match="git finds no repository"):
        discover(str(tmp_path))


def test_pathspec_settings_of_the_user_do_no_harm(repo: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_LITERAL_PATHSPECS", "1")
    monkeypatch.setenv("GIT_ICASE_PATHSPECS", "1")

    assert repo.found.run("ls-files", "--", ":(top,literal)a.py") == b"a.py\n"
    assert repo.found.run("ls-files", "--", "A.PY") == b""


def test_a_failure_is_told_in_one_printable_line(repo: Repository) -> None:
    with pytest.raises(GitFailed, match=r"git cat-file failed: Not a valid object name x\?m") as raised:
        repo.found.run("cat-file", "-p", "x\x1bm")

    assert (raised.value.status, raised.value.exit_code) == (128, 4)
    assert first_complaint(b"hint: no\nerror: small\nfatal: \x1b[31mred\n") == "?[31mred"
    assert first_complaint(b"") == ""


def test_a_corrupt_index_is_told_in_one_line(repo: Repository) -> None:
    (repo.path / ".git" / "index").write_bytes(b"no index at all, but long enough to be taken for one")

    with pytest.raises(GitFailed, match="git ls-files failed"):
        WorkTree(repo.found)


def test_many_commands_at_once_with_much_to_say(repo: Repository) -> None:
    oid = repo.git("hash-object", "-w", "--stdin", given=b"x" * 300_000)
    names = (f"{oid}\n" * 2000).encode()
    jobs = [repo.found.start("cat-file", "--batch-check", given=names) for _ in range(3)]

    assert [len(job.finish().splitlines()) for job in jobs] == [2000] * 3


@pytest.mark.parametrize("name", ["HEAD", "config", "commondir", "index", "info/exclude", "info/attributes"])
@pytest.mark.parametrize("linked", [False, True], ids=["folder", "file"])
def test_a_fifo_in_the_git_directory(repo: Repository, name: str, linked: bool) -> None:
    place = repo.path / ".git" / name
    place.unlink(missing_ok=True)
    place.parent.mkdir(exist_ok=True)
    os.mkfifo(place)
    if linked:
        (repo.path / ".git").rename(repo.path / "elsewhere")
        (repo.path / ".git").write_text("gitdir: elsewhere\n")

    with pytest.raises(EnvironmentFailed, match=f"{name}: not a regular file; git would wait for it for ever"):
        discover(str(repo.path))
