"""Which environment counts as a project's, and what a run remembers of it."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from guard.cache import Cache
from guard.config import ConfigError, load
from guard.engine import Options, check
from guard.registry import all_rules
from guard.sources.commit import CommitTree
from guard.sources.directory import DirectoryTree
from guard.sources.git import discover
from guard.sources.tree import Tree

CODES = frozenset({"IMP003", "IMP004", "IMP009"})
PACKAGES = "lib/python3.11/site-packages"


def write(folder: Path, files: dict[str, str]) -> Path:
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    return folder


def environment(folder: Path, **versions: str) -> Path:
    """An environment in which distributions are installed, each with one module that binds `x`."""
    write(folder, {"pyvenv.cfg": "version = 3.11\n"})
    for name, version in versions.items():
        write(
            folder / PACKAGES,
            {f"{name}.py": "x = 1\n", f"{name}-{version}.dist-info/RECORD": f"{name}.py,,\n"},
        )
    return folder


def found(tree: Tree, *overrides: str, cache: Cache | None = None) -> list[tuple[str, int, str]]:
    config = load(tree, overrides=("target-python=3.11", *overrides), rules=all_rules())
    report = check(tree, config, CODES, Options(jobs=1, cache=cache))
    return [(finding.path, finding.span.line, finding.code) for finding in report.findings]


def in_folder(folder: Path, *overrides: str, cache: Cache | None = None) -> list[tuple[str, int, str]]:
    return found(DirectoryTree(str(folder)), *overrides, cache=cache)


SHOP = {"requirements.txt": "shoplib>=2\n", "app.py": "from shoplib import x, gone\nimport other\n"}
MISSING = ("app.py", 1, "IMP004")
UNDECLARED = ("app.py", 2, "IMP003")


def test_a_project_folder_is_where_its_environment_is(tmp_path: Path) -> None:
    write(tmp_path, {**SHOP, "app.py": SHOP["app.py"] + "import shoplib\n"})
    environment(tmp_path / ".venv", shoplib="2.1", other="1")
    assert in_folder(tmp_path) == [MISSING]


def test_what_is_installed_later_is_seen_by_a_run_that_remembers(tmp_path: Path) -> None:
    write(tmp_path / "tree", {"requirements.txt": "shoplib\nredis\n", "app.py": "import redis\nimport yaml\n"})
    (tmp_path / "cache").mkdir()
    cache = Cache(tmp_path / "cache" / "facts.db")
    app = [("app.py", 2, "IMP003")]
    assert in_folder(tmp_path / "tree", cache=cache) == app
    packages = environment(tmp_path / "tree" / ".venv", shoplib="2.1") / PACKAGES
    assert in_folder(tmp_path / "tree", cache=cache) == app
    (packages / "yaml.py").write_text("")
    assert in_folder(tmp_path / "tree", cache=cache) == []
    (packages / "yaml.py").unlink()
    assert in_folder(tmp_path / "tree", cache=cache) == app
    cache.close()


def test_an_edited_package_is_seen_by_a_run_that_remembers(tmp_path: Path) -> None:
    write(tmp_path / "tree", {"requirements.txt": "shoplib\n", "app.py": "from shoplib import y\n"})
    packages = environment(tmp_path / "tree" / ".venv", shoplib="2.1") / PACKAGES
    cache = Cache(tmp_path / "facts.db")
    for text, expected in (("x = 1\n", [MISSING]), ("y = 1\n", []), ("x = 2\n", [MISSING])):
        (packages / "shoplib.py").write_text(text)
        assert in_folder(tmp_path / "tree", cache=cache) == expected
        assert in_folder(tmp_path / "tree", cache=cache) == expected
    cache.close()


def test_a_folder_that_is_named_is_the_environment(tmp_path: Path) -> None:
    tree = write(tmp_path / "tree", {**SHOP, "guard.toml": 'environment = "env"\n'})
    environment(tree / "env", shoplib="2.1", other="1")
    assert in_folder(tree) == [MISSING]
    assert in_folder(tree, "environment=none") == [UNDECLARED]
    elsewhere = environment(tmp_path / "elsewhere", shoplib="2.1", other="1")
    assert in_folder(tree, f"environment={elsewhere}") == [MISSING]


@pytest.mark.parametrize("place", ["../elsewhere", "/usr"])
def test_a_tree_cannot_send_guard_elsewhere(place: str, tmp_path: Path) -> None:
    write(tmp_path, {**SHOP, "guard.toml": f'environment = "{place}"\n'})
    with pytest.raises(ConfigError, match="leads out of the repository"):
        in_folder(tmp_path)


def test_the_active_environment_counts_where_it_has_all_that_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = write(tmp_path / "tree", SHOP)
    active = environment(tmp_path / "active", shoplib="2.1", other="1")
    assert in_folder(tree) == [UNDECLARED]
    monkeypatch.setenv("VIRTUAL_ENV", str(active))
    assert in_folder(tree) == [MISSING]
    (tree / "requirements.txt").write_text("shoplib>=2\nredis\n")
    assert in_folder(tree) == [UNDECLARED]
    (tree / "requirements.txt").write_text("shoplib>=3\n")
    assert in_folder(tree) == [UNDECLARED]


def test_the_environment_of_guard_is_not_the_projects_for_what_guard_needs_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = write(tmp_path / "tree", SHOP)
    own = environment(tmp_path / "own", shoplib="2.1", other="1") / PACKAGES
    monkeypatch.setattr("guard.environment.running_packages", lambda _version: str(own))
    assert in_folder(tree) == [MISSING]
    write(own, {"deploy_guard-0.1.dist-info/METADATA": "Name: deploy-guard\nRequires-Dist: shoplib>=1\n\nText\n"})
    assert in_folder(tree) == [UNDECLARED]


def test_a_revision_runs_with_what_the_work_tree_runs_with(tmp_path: Path) -> None:
    write(tmp_path, {**SHOP, ".gitignore": ".venv\n"})
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "a"]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    environment(tmp_path / ".venv", shoplib="2.1", other="1")
    git = discover(str(tmp_path))
    assert git is not None
    assert found(CommitTree(git, "HEAD")) == [MISSING]


def test_links_and_odd_files_in_an_environment_are_not_followed(tmp_path: Path) -> None:
    tree = write(tmp_path / "tree", SHOP)
    packages = environment(tree / ".venv", shoplib="2.1") / PACKAGES
    secret = write(tmp_path / "secret", {"shoplib.py": "x = 1\n"})
    (packages / "shoplib.py").unlink()
    (packages / "shoplib.py").symlink_to(secret / "shoplib.py")
    os.mkfifo(packages / "other.py")
    (packages / "loop").symlink_to(packages, target_is_directory=True)
    assert in_folder(tree) == []  # a link may be any module, and a FIFO is there


def test_a_link_is_no_environment(tmp_path: Path) -> None:
    tree = write(tmp_path / "tree", {**SHOP, "requirements.txt": "shoplib\nredis\n"})
    outside = environment(tmp_path / "outside", shoplib="2.1")
    (tree / ".venv").symlink_to(outside, target_is_directory=True)
    assert in_folder(tree) == [UNDECLARED]


def test_nonsense_in_an_environment_says_nothing(tmp_path: Path) -> None:
    tree = write(tmp_path / "tree", SHOP)
    packages = environment(tree / ".venv", shoplib="2.1") / PACKAGES
    (packages / "shoplib.py").write_bytes(b"\xff\xfe\0" * 100)
    (packages / "shoplib-2.1.dist-info" / "RECORD").write_bytes(b'"unclosed\n\xff,,\nshoplib.py,,\n,,,,\n')
    assert in_folder(tree) == [UNDECLARED]
    (packages / "shoplib.py").write_text("(" * 5000)
    assert in_folder(tree) == [UNDECLARED]
    (packages / "shoplib.py").write_text("x = 1\n" + "#" * (9 * 1024 * 1024))
    assert in_folder(tree) == [UNDECLARED]
    shutil.rmtree(packages)
    packages.write_text("a file where a folder should be")
    assert in_folder(tree) == [UNDECLARED]
