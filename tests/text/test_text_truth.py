"""Verdicts on line endings in real repositories."""

from __future__ import annotations

import subprocess
from pathlib import Path

import msgspec
import pytest

from guard.attributes import Attributes
from guard.checks.text import FAMILY, see_bytes
from guard.checks.text_endings import action_of, checks_out_crlf
from guard.checks.text_index import read_settings
from guard.config import load
from guard.facts import FileFacts
from guard.model import Violation
from guard.parse import kind_of
from guard.program import Program
from guard.registry import all_rules
from guard.sources.commit import CommitTree
from guard.sources.directory import DirectoryTree
from guard.sources.git import discover
from guard.sources.index import IndexTree
from guard.sources.tree import Tree
from guard.sources.worktree import WorkTree
from guard.target import target_python


def git(root: Path, *arguments: str) -> str:
    run = subprocess.run(
        ["git", "-c", "core.safecrlf=false", *arguments], cwd=root, check=True, capture_output=True, text=True
    )
    return run.stdout


def judged(tree: Tree, *codes: str) -> list[tuple[str, str, str]]:
    """Code, path and severity of what the rules find."""
    rules = all_rules()
    encode = msgspec.msgpack.Encoder().encode
    files = {}
    with tree.reader() as reader:
        for path, file in tree.files.items():
            content = reader.read(file)
            kind = kind_of(path, content[:256])
            facts = see_bytes(content, kind)
            files[path] = FileFacts(kind, True, {} if facts is None else {FAMILY.name: msgspec.Raw(encode(facts))})
    config = load(tree, rules=rules)
    program = Program(tree, config, target_python(tree, config), files)
    found: list[tuple[str, Violation]] = [(code, v) for code in codes for v in rules[code].check(program)]
    return sorted((code, v.path, str(v.severity or rules[code].severity)) for code, v in found)


def worktree(root: Path) -> WorkTree:
    found = discover(str(root))
    assert found is not None
    return WorkTree(found)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    git(tmp_path, "init", "-q")
    return tmp_path


ENDINGS = ("EOL001", "EOL003", "EOL004")


def test_committed_and_drifted_are_told_apart(root: Path) -> None:
    (root / "committed.py").write_bytes(b"a = 1\r\n")
    git(root, "add", ".")
    (root / ".gitattributes").write_bytes(b"* text=auto eol=lf\n")
    (root / "drifted.py").write_bytes(b"a = 1\r\n")
    git(root, "add", ".gitattributes", "drifted.py")
    git(root, "commit", "-q", "-m", "both")
    assert judged(worktree(root), *ENDINGS) == [
        ("EOL001", "committed.py", "error"),
        ("EOL003", "drifted.py", "error"),
    ]
    repository_ = discover(str(root))
    assert repository_ is not None
    for tree in (CommitTree(repository_, "HEAD"), IndexTree(repository_)):
        assert judged(tree, *ENDINGS) == [("EOL001", "committed.py", "error")]


def test_a_checkout_with_autocrlf_is_healthy(root: Path) -> None:
    (root / "app.py").write_bytes(b"a = 1\n")
    git(root, "add", ".")
    git(root, "commit", "-q", "-m", "lf")
    git(root, "config", "core.autocrlf", "true")
    (root / "app.py").unlink()
    git(root, "checkout", "-q", "--", "app.py")
    assert (root / "app.py").read_bytes() == b"a = 1\r\n"
    assert judged(worktree(root), *ENDINGS) == []
    assert judged(worktree(root), "EOL005") == [("EOL005", ".gitattributes", "warning")]


def test_an_untracked_file(root: Path) -> None:
    (root / "new.py").write_bytes(b"a = 1\r\n")
    assert judged(worktree(root), *ENDINGS) == [("EOL001", "new.py", "error")]
    (root / ".gitattributes").write_bytes(b"* text=auto eol=lf\n")
    assert judged(worktree(root), *ENDINGS) == [("EOL003", "new.py", "error")]


def test_attributes_of_the_clone_hold_for_its_working_tree(root: Path) -> None:
    (root / "a.txt").write_bytes(b"a\r\n")
    assert judged(worktree(root), *ENDINGS) == [("EOL001", "a.txt", "warning")]
    (root / ".git/info").mkdir(exist_ok=True)
    (root / ".git/info/attributes").write_bytes(b"*.txt -text\n")
    assert judged(worktree(root), *ENDINGS) == []


def test_a_lone_cr_keeps_git_from_normalising(root: Path) -> None:
    """The fact that EOL004 rests on, and the attribute that makes the difference."""
    content = b"one\r\ntwo\rthree\r\n"
    (root / "a.md").write_bytes(content)
    (root / ".gitattributes").write_bytes(b"* text=auto eol=lf\n")
    git(root, "add", ".")
    assert subprocess.run(["git", "show", ":a.md"], cwd=root, capture_output=True, check=True).stdout == content
    assert judged(worktree(root), *ENDINGS) == [("EOL004", "a.md", "error")]
    (root / ".gitattributes").write_bytes(b"*.md text eol=lf\n")
    git(root, "add", "--renormalize", ".")
    staged = subprocess.run(["git", "show", ":a.md"], cwd=root, capture_output=True, check=True).stdout
    assert staged == b"one\ntwo\rthree\n"


def test_a_merge_driver_that_the_clone_has(root: Path) -> None:
    (root / ".gitattributes").write_bytes(b"* text=auto eol=lf\nissue.md merge=ours\n")
    git(root, "add", ".")
    git(root, "commit", "-q", "-m", "driver")
    assert judged(worktree(root), "EOL005") == [("EOL005", ".gitattributes", "warning")]
    git(root, "config", "merge.ours.driver", "true")
    assert judged(worktree(root), "EOL005") == []


def test_ours_is_no_merge_driver_of_git(root: Path) -> None:
    (root / ".gitattributes").write_bytes(b"f merge=ours\n")
    (root / "f").write_text("base\n")
    git(root, "add", ".")
    git(root, "commit", "-q", "-m", "base")
    git(root, "checkout", "-q", "-b", "other")
    (root / "f").write_text("other\n")
    git(root, "commit", "-q", "-a", "-m", "other")
    git(root, "checkout", "-q", "-")
    (root / "f").write_text("mine\n")
    git(root, "commit", "-q", "-a", "-m", "mine")
    merge = subprocess.run(["git", "merge", "-q", "other"], cwd=root, check=False, capture_output=True)
    assert merge.returncode == 1
    assert "<<<<<<<" in (root / "f").read_text()


def test_modes_decide_about_python_scripts(tmp_path: Path) -> None:
    for name, mode in (("module.py", 0o644), ("script.py", 0o755), ("entrypoint", 0o644)):
        (tmp_path / name).write_bytes(b"#!/usr/bin/env python3\r\n")
        (tmp_path / name).chmod(mode)
    assert judged(DirectoryTree(str(tmp_path)), "EOL006") == [
        ("EOL006", "entrypoint", "error"),
        ("EOL006", "module.py", "info"),
        ("EOL006", "script.py", "error"),
    ]


@pytest.mark.parametrize("config", [{}, {"core.autocrlf": "true"}, {"core.autocrlf": "input"}, {"core.eol": "crlf"}])
def test_a_checkout_is_what_git_makes(root: Path, config: dict[str, str]) -> None:
    """`convert.c`, settled by checking files out under every combination of attributes."""
    texts = ("", "text", "-text", "text=auto", "crlf=input", "-crlf", "binary")
    states = [f"{text} {eol}" for text in texts for eol in ("", "eol=lf", "eol=crlf", "eol=LF")]
    names = {f"f{number}": state for number, state in enumerate(states)}
    for name in names:
        (root / name).write_bytes(b"a\nb\n")
    git(root, "add", ".")
    lines = "".join(f"{name} {state}\n" for name, state in names.items())
    (root / ".gitattributes").write_text(lines)
    for option, value in config.items():
        git(root, "config", option, value)
    for name in names:
        (root / name).unlink()
    git(root, "checkout-index", "--all")
    found = worktree(root).git
    assert found is not None
    clone = read_settings(found)
    attributes = Attributes({".gitattributes": lines.encode()})
    expected = {state: (root / name).read_bytes() == b"a\r\nb\r\n" for name, state in names.items()}
    actions = {state: action_of(attributes.of(name)) for name, state in names.items()}
    assert {state: checks_out_crlf(action, clone) for state, action in actions.items()} == expected


def test_the_state_beside_the_files_changes_with_settings_and_index(root: Path) -> None:
    def state() -> tuple[str, object]:
        tree = worktree(root)
        assert tree.git is not None
        return tree.context, read_settings(tree.git)

    states = [state()]
    git(root, "config", "core.autocrlf", "input")
    states.append(state())
    (root / "f").write_bytes(b"a\n")
    git(root, "add", "f")
    assert state() == states[-1], "the index has what the disk has"
    (root / "f").write_bytes(b"a\r\n")
    states.append(state())
    git(root, "config", "merge.ours.driver", "true")
    states.append(state())
    assert len(set(states)) == len(states)
    git(root, "status")
    assert state() == states[-1]
