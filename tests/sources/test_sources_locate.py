"""From the paths of a command line to a tree."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from sources_support import Repository, kinds

from guard.model import CannotCheck, EnvironmentFailed, GuardError
from guard.sources.locate import PathFilter, open_tree


@pytest.fixture
def in_repo(repo: Repository, monkeypatch: pytest.MonkeyPatch) -> Repository:
    monkeypatch.chdir(repo.path)
    return repo


def test_the_filter() -> None:
    some = PathFilter(("pkg", "x.py"))

    assert [path for path in ("pkg", "pkg/a.py", "pkg2/a.py", "x.py", "x.pyi") if some.matches(path)] == [
        "pkg",
        "pkg/a.py",
        "x.py",
    ]
    assert PathFilter().matches("anything")


@pytest.mark.parametrize("folder", [".", "pkg"])
def test_without_paths_it_is_the_whole_repository(
    in_repo: Repository, folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)

    for options in ({}, {"staged": True}, {"rev": "HEAD"}):
        tree, wanted = open_tree([], **options)
        assert list(tree.files) == ["a.py", "pkg/b.py"]
        assert wanted == PathFilter()


@pytest.mark.parametrize(
    ("paths", "prefixes"),
    [
        (["."], ("pkg",)),
        (["b.py", "../a.py"], ("a.py", "pkg/b.py")),
        ([".."], ()),
        (["..", "b.py"], ()),
        (["../pkg/"], ("pkg",)),
    ],
)
def test_paths_count_from_the_current_folder(
    in_repo: Repository, paths: list[str], prefixes: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("pkg")

    for options in ({}, {"staged": True}, {"rev": "HEAD"}):
        tree, wanted = open_tree(paths, **options)
        assert wanted == PathFilter(prefixes)
        assert list(tree.files) == ["a.py", "pkg/b.py"]


def test_from_outside_the_repository_of_the_paths_counts(in_repo: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("..")

    tree, wanted = open_tree(["repo/pkg"])

    assert (tree.kind, tree.label, wanted) == ("worktree", "repo", PathFilter(("pkg",)))
    assert open_tree(["repo/pkg"], rev="HEAD")[1] == PathFilter(("pkg",))


def test_paths_through_links(in_repo: Repository, tmp_path: Path) -> None:
    (in_repo.path / "folder").symlink_to("pkg")
    (in_repo.path / "link.py").symlink_to("a.py")
    (tmp_path / "way").symlink_to(in_repo.path)

    assert open_tree(["folder", "link.py"])[1] == PathFilter(("link.py", "pkg"))
    assert open_tree([str(tmp_path / "way" / "pkg")])[1] == PathFilter(("pkg",))


@pytest.mark.parametrize("staged", [False, True])
def test_a_path_that_is_not_there(in_repo: Repository, staged: bool) -> None:
    with pytest.raises(GuardError, match=r"no such path: gone/x\.py") as raised:
        open_tree(["a.py", "gone/x.py"], staged=staged)

    assert raised.value.exit_code == 2


def test_what_is_staged_need_not_be_on_disk(in_repo: Repository) -> None:
    shutil.rmtree("pkg")

    assert open_tree(["pkg/b.py"], staged=True)[1] == PathFilter(("pkg/b.py",))
    assert open_tree(["pkg"], staged=True)[1] == PathFilter(("pkg",))


def test_what_a_revision_has_need_not_be_on_disk(in_repo: Repository) -> None:
    in_repo.write("old/x.py", b"")
    in_repo.commit("more")
    shutil.rmtree("old")

    assert open_tree(["old/x.py"], rev="HEAD")[1] == PathFilter(("old/x.py",))
    assert open_tree(["old"], rev="HEAD")[1] == PathFilter(("old",))


def test_what_a_revision_does_not_have_is_no_path_of_it(in_repo: Repository) -> None:
    in_repo.write("later.py", b"")

    for path in ("later.py", "nowhere", "a.py/b"):
        with pytest.raises(GuardError, match=f"no such path in HEAD: {path}") as raised:
            open_tree([path], rev="HEAD")
        assert raised.value.exit_code == 2


def test_paths_outside_and_in_several_repositories(in_repo: Repository, tmp_path: Path) -> None:
    Repository.make(tmp_path / "other").write("o.py", b"")
    Repository.make(in_repo.path / "nested").write("n.py", b"")

    for paths in (["a.py", "../other/o.py"], [".", "nested/n.py"], ["a.py", str(tmp_path)]):
        with pytest.raises(GuardError, match="different repositories") as raised:
            open_tree(paths)
        assert raised.value.exit_code == 2
    with pytest.raises(GuardError, match="different repositories"):
        open_tree(["../other/o.py", "a.py"], rev="HEAD")
    assert open_tree(["nested"])[0].label == "nested"


def test_an_ignored_folder_is_a_tree_of_its_own(in_repo: Repository) -> None:
    in_repo.write(".gitignore", b"/venv\n/kept\n/[[]x]\n")
    in_repo.write("x/tracked.py", b"")
    in_repo.write("[x]/y.py", b"")
    in_repo.commit("more")
    in_repo.write("venv/lib/site-packages/x.py", b"")
    in_repo.write("kept/k.py", b"")
    in_repo.git("add", "--force", "kept/k.py")

    tree, wanted = open_tree(["venv/lib/site-packages"])
    assert (tree.kind, list(tree.files), wanted) == ("directory", ["x.py"], PathFilter())
    assert open_tree(["[x]"])[0].kind == "directory"
    assert open_tree(["kept"])[0].kind == "worktree"
    with pytest.raises(GuardError, match=r"git ignores .*/venv"):
        open_tree(["a.py", "venv"])


def test_an_ignored_file_is_not_silently_left_out(in_repo: Repository) -> None:
    in_repo.write(".gitignore", b"*.gen.py\n")
    in_repo.write("x.gen.py", b"")

    with pytest.raises(CannotCheck, match=r"x\.gen\.py is not in the worktree: git ignores it"):
        open_tree(["a.py", "x.gen.py"])
    with pytest.raises(CannotCheck, match="nothing of it is staged"):
        open_tree([".gitignore"], staged=True)


def test_a_git_directory_needs_a_revision(in_repo: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bare = tmp_path / "bare.git"
    in_repo.git("clone", "--quiet", "--bare", ".", str(bare))
    for place in (bare, bare / "refs", in_repo.path / ".git"):
        monkeypatch.chdir(place)
        with pytest.raises(CannotCheck, match=r"no files here.*use --rev") as raised:
            open_tree([])
        assert raised.value.exit_code == 3
        tree, wanted = open_tree(["pkg/", "./a.py"], rev="main")
        assert list(tree.files) == ["a.py", "pkg/b.py"]
        assert wanted == PathFilter(("a.py", "pkg"))
        assert open_tree(["."], rev="main")[1] == PathFilter()
        for outside in ("../x", "/etc"):
            with pytest.raises(GuardError, match="outside of the tree"):
                open_tree([outside], rev="main")
    monkeypatch.chdir(tmp_path)
    assert open_tree(["bare.git"], rev="main")[1] == PathFilter()


def test_without_a_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = tmp_path / "app"
    for name in ("a.py", "src/b.py", "lib/c.py"):
        (app / name).parent.mkdir(parents=True, exist_ok=True)
        (app / name).touch()
    monkeypatch.chdir(app)
    everything = ["a.py", "lib/c.py", "src/b.py"]

    def opened(*paths: str) -> tuple[list[str], PathFilter]:
        tree, wanted = open_tree(paths)
        assert tree.kind == "directory"
        return list(tree.files), wanted

    assert opened() == opened(".") == opened(str(app)) == (everything, PathFilter())
    assert opened("src") == (["b.py"], PathFilter())
    assert opened("src", "lib") == (everything, PathFilter(("lib", "src")))
    assert opened("src/b.py") == (everything, PathFilter(("src/b.py",)))
    monkeypatch.chdir("src")
    assert opened("../lib", "../a.py") == (everything, PathFilter(("a.py", "lib")))
    assert opened("../a.py", "..") == (everything, PathFilter())
    (app / "node_modules").mkdir()
    (app / "node_modules" / "n.py").touch()
    assert opened("../node_modules") == (["n.py"], PathFilter())
    for path in ("../node_modules", "../node_modules/n.py"):
        with pytest.raises(CannotCheck, match="a folder that guard skips"):
            opened("../a.py", path)
    for options in ({"staged": True}, {"rev": "HEAD"}):
        with pytest.raises(GuardError, match="needs a git repository"):
            open_tree([], **options)
    with pytest.raises(GuardError, match="exclude each other"):
        open_tree([], staged=True, rev="HEAD")


def test_a_plain_folder_needs_no_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.py").touch()
    monkeypatch.setenv("PATH", "")
    monkeypatch.chdir(tmp_path)

    assert "a.py" in open_tree([])[0].files


def test_a_broken_git_folder_is_the_environment_s_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".git").mkdir()
    monkeypatch.chdir(tmp_path)

    with pytest.raises(EnvironmentFailed):
        open_tree([])


def test_paths_with_odd_bytes_in_them(in_repo: Repository) -> None:
    in_repo.write(b"caf\xe9/[x]*.py", b"")

    tree, wanted = open_tree([os.fsdecode(b"caf\xe9")])

    assert [path for path in tree.files if wanted.matches(path)] == ["caf\udce9/[x]*.py"]


def test_a_path_that_is_a_problem_is_part_of_the_tree(in_repo: Repository) -> None:
    (in_repo.path / "a.py").unlink()
    os.mkfifo(in_repo.path / "a.py")

    tree, wanted = open_tree(["a.py"])

    assert wanted == PathFilter(("a.py",))
    assert kinds(tree) == {"a.py": "special-file"}


def test_the_hook_s_own_variables_do_not_mislead(in_repo: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_DIR", ".git")

    tree, wanted = open_tree(["pkg"], staged=True)

    assert (list(tree.files), wanted) == (["a.py", "pkg/b.py"], PathFilter(("pkg",)))
    with pytest.raises(GuardError, match="outside of the repository"):
        open_tree([".."])
