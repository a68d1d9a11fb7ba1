"""What works in one work tree only: the cases are imported in it and in a clone of it, and git says what it ignores."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from guard.cache import Cache
from guard.config import load
from guard.engine import Options, check
from guard.model import Finding
from guard.registry import all_rules
from guard.sources.git import discover
from guard.sources.worktree import WorkTree
from tests.markdown_cases import Case, cases_in

_TEXT = (Path(__file__).parent / "cases" / "imp" / "IMP008.md").read_text(encoding="utf-8")
_CASES = [
    case
    for section in _TEXT.split("\n## ")[1:]
    if "In git." in section and "Not run" not in section
    for case in cases_in(f"\n## {section}")
]
_IMPORT = """
import importlib, json, os, sys
root, *paths = sys.argv[1:]
failed = []
for path in paths:
    sys.path[:0] = [root, os.path.dirname(f"{root}/{path}")] if path.count("/") == 1 and path[:3] != "pkg" else [root]
    try:
        importlib.import_module(path.removesuffix(".py").replace("/", "."))
    except ImportError:
        failed.append(path)
print(json.dumps(failed))
"""


def _failed(root: Path, paths: list[str]) -> set[str]:
    command = [sys.executable, "-I", "-S", "-W", "ignore", "-c", _IMPORT, str(root), *paths]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    return set(json.loads(run.stdout))


@pytest.mark.parametrize("case", _CASES, ids=lambda case: case.name.replace(" ", "-"))
def test_a_clone_agrees(case: Case, tmp_path: Path) -> None:
    here, clone = tmp_path / "here", tmp_path / "clone"
    here.mkdir()
    case.write(here)
    subprocess.run(["git", "clone", "-q", str(here), str(clone)], check=True)
    lazy = {path for path, content in case.files.items() if b"def use" in content or b"TYPE_CHECKING" in content}
    silent = {path for path, content in case.files.items() if b"_version" in content or b"pkg.local" in content}
    paths = [path for path in case.files if path.endswith(".py") and path != "setup.py" and "__init__" not in path]
    only_here = _failed(clone, paths) - _failed(here, paths) - silent
    assert only_here == {path for path, _, code in case.expected if code == "IMP008"} - lazy


def _findings(folder: Path, cache: Cache | None = None) -> list[Finding]:
    git = discover(str(folder))
    assert git is not None
    tree = WorkTree(git)
    codes = frozenset({"IMP001", "IMP002", "IMP008"})
    return list(check(tree, load(tree, rules=all_rules()), codes, Options(jobs=1, cache=cache)).findings)


def _git(folder: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    (folder / "pkg").mkdir(parents=True)
    (folder / "pkg/__init__.py").write_text("")
    (folder / "pkg/a.py").write_text("from pkg.models.user import User\n")
    (folder / ".gitignore").write_text("# made\n*.log\nmodels/\n")
    _git(folder, "init", "-q")
    _git(folder, "add", "-A")
    _git(folder, "commit", "-q", "-m", "a case")
    return folder


def test_the_pattern_is_the_one_that_git_names(repository: Path) -> None:
    (repository / "pkg/models").mkdir()
    (repository / "pkg/models/user.py").write_text("class User: ...\n")
    (finding,) = _findings(repository)
    said = _git(repository, "check-ignore", "--verbose", "pkg/models/user.py").split("\t")[0]
    assert said == ".gitignore:3:models/"
    assert finding.message == ("pkg.models.user is there on this disk, but ignored by git via .gitignore:3")
    assert [(related.path, related.line) for related in finding.related] == [(".gitignore", 3)]


def test_ignored_outside_of_the_tree(repository: Path, tmp_path: Path) -> None:
    (repository / "pkg/b.py").write_text("from pkg import one, two\n")
    _git(repository, "add", "-A")
    (repository / ".git/info/exclude").write_text("\none.py\n")
    (tmp_path / "mine").write_text("two.py\n")
    _git(repository, "config", "core.excludesFile", str(tmp_path / "mine"))
    (repository / "pkg/one.py").write_text("")
    (repository / "pkg/two.py").write_text("")
    own = "an ignore file of your own, outside of this repository"
    messages = [finding.message for finding in _findings(repository) if finding.path == "pkg/b.py"]
    assert messages == [
        "pkg.one is there on this disk, but ignored by git via .git/info/exclude:2",
        f"pkg.two is there on this disk, but ignored by git via {own}:1",
    ]


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[Cache]:
    with closing(Cache(tmp_path / "facts.db")) as opened:
        yield opened


def test_what_is_on_disk_counts_although_the_result_is_remembered(repository: Path, cache: Cache) -> None:
    assert [finding.code for finding in _findings(repository, cache)] == ["IMP001"]
    (repository / "pkg/models").mkdir()
    (repository / "pkg/models/other.py").write_text("")
    assert [finding.code for finding in _findings(repository, cache)] == ["IMP001"]
    (repository / "pkg/models/user.py").write_text("class User: ...\n")
    assert [finding.code for finding in _findings(repository, cache)] == ["IMP008"]
    (repository / "pkg/models/user.py").unlink()
    assert [finding.code for finding in _findings(repository, cache)] == ["IMP001"]


def test_to_add_the_file_is_enough(repository: Path, cache: Cache) -> None:
    (repository / "pkg/new.py").write_text("x = 1\n")
    (repository / "pkg/a.py").write_text("from pkg.new import x\n")
    (finding,) = _findings(repository, cache)
    assert finding.code == "IMP008"
    assert finding.message == "pkg.new is there in this work tree only: git does not track pkg/new.py"
    _git(repository, "add", "pkg/new.py")
    assert not _findings(repository, cache)


def test_a_link_is_no_module_of_this_disk(repository: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/user.py").write_text("class User: ...\n")
    (repository / "pkg/models").symlink_to(tmp_path / "elsewhere")
    assert "IMP008" not in {finding.code for finding in _findings(repository)}


def test_a_repository_that_git_ignores(repository: Path) -> None:
    nested = repository / "pkg/models"
    nested.mkdir()
    _git(nested, "init", "-q")
    (nested / "user.py").write_text("class User: ...\n")
    assert [finding.code for finding in _findings(repository)] == ["IMP008"]
