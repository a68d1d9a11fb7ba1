"""`guard check --since`: exactly what is new, in real repositories."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.engine.support import git, inside, repository, write

PINNED = {".gitattributes": b"*.py text eol=lf\n", "app/__init__.py": b"", "app/known.py": b"from app import lost\n"}


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """One old finding, committed."""
    return repository(tmp_path / "repo", PINNED)


def commit(folder: Path, message: str = "a change") -> None:
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", message)


def new(folder: Path, *arguments: str, code: int = 1) -> list[tuple[str, int]]:
    """Path and line of each finding that the run reports."""
    run = inside("check", "--select", "IMP", "--output", "json", *arguments, cwd=folder)
    assert run.code == code, run.err
    return [(finding["path"], finding["line"]) for finding in json.loads(run.out)["findings"]]


def test_old_findings_are_left_out_wherever_they_went(repo: Path) -> None:
    assert new(repo) == [("app/known.py", 1)]
    assert new(repo, "--since", "HEAD", code=0) == []
    (repo / "app/known.py").write_bytes(b"import os\n\n\nfrom app import lost\n")
    (repo / "app/fresh.py").write_bytes(b"from app import gone\n")
    assert new(repo, "--since", "HEAD") == [("app/fresh.py", 1)]
    # Staged is only what was added.
    assert new(repo, "--staged", "--since", "HEAD", code=0) == []
    git(repo, "add", "app/fresh.py")
    assert new(repo, "--staged", "--since", "HEAD") == [("app/fresh.py", 1)]
    commit(repo)
    assert new(repo, "--rev", "HEAD", "--since", "HEAD^") == [("app/fresh.py", 1)]
    assert new(repo, "--since", "HEAD", code=0) == []


@pytest.mark.parametrize("where", ["worktree", "index", "commit"])
def test_moved_files_keep_their_findings_and_copies_have_their_own(repo: Path, where: str) -> None:
    body = b"".join(b"value_%d = %d\n" % (number, number) for number in range(30))
    (repo / "app/edited.py").write_bytes(b"from app import lost\n" + body)
    commit(repo)
    git(repo, "mv", "app/known.py", "app/moved.py")
    git(repo, "mv", "app/edited.py", "app/edited_and_moved.py")
    (repo / "app/edited_and_moved.py").write_bytes(b"import os\nfrom app import lost\n" + body)
    (repo / "app/copy.py").write_bytes(b"from app import lost\n")
    arguments: tuple[str, ...] = ("--since", "HEAD")
    if where != "worktree":
        git(repo, "add", "--all")
        arguments = ("--staged", *arguments)
    if where == "commit":
        commit(repo)
        arguments = ("--rev", "HEAD", "--since", "HEAD^")
    found = new(repo, *arguments)
    # `moved.py` and `copy.py` are the same content: one of them was there before, whichever git calls the copy.
    assert len(found) == 1
    assert found[0][0] in ("app/copy.py", "app/moved.py")


def test_the_other_branch_is_no_difference(repo: Path) -> None:
    git(repo, "switch", "--quiet", "--create", "topic")
    (repo / "app/fresh.py").write_bytes(b"from app import gone\n")
    commit(repo)
    git(repo, "switch", "--quiet", "main")
    git(repo, "rm", "--quiet", "app/known.py")
    commit(repo, "mended")
    git(repo, "switch", "--quiet", "topic")
    assert new(repo, "--since", "main") == [("app/fresh.py", 1)]


def test_the_report_says_what_it_was_compared_with(repo: Path) -> None:
    (repo / "app/known.py").unlink()
    (repo / "app/fresh.py").write_bytes(b"from app import gone\n")
    (repo / "other.py").write_bytes(b"from app import gone\n")
    run = inside("check", "--select", "IMP", "--since", "main", "--output", "json", "app", cwd=repo)
    report = json.loads(run.out)
    assert report["since"] == {"rev": "main", "commit": git(repo, "rev-parse", "HEAD"), "unchanged": 0, "fixed": 1}
    assert [finding["path"] for finding in report["findings"]] == ["app/fresh.py"]
    text = inside("check", "--select", "IMP", "--since", "main", cwd=repo).out
    assert "0 known since main, 1 fixed" in text
    assert json.loads(inside("check", "--output", "json", cwd=repo).out)["since"] is None


def test_a_repository_without_commits_has_everything_new(tmp_path: Path) -> None:
    folder = write(tmp_path / "repo", PINNED)
    git(folder, "init", "--quiet")
    run = inside("check", "--since", "HEAD", cwd=folder)
    assert (run.code, run.err) == (2, "guard: no such commit: HEAD\n")


def test_what_a_clone_does_not_hold_is_said_with_its_mending(repo: Path, tmp_path: Path) -> None:
    git(repo, "switch", "--quiet", "--create", "topic")
    (repo / "app/fresh.py").write_bytes(b"from app import gone\n")
    commit(repo)
    git(repo, "switch", "--quiet", "main")
    (repo / "app/known.py").write_bytes(b"from app import lost, gone\n")
    commit(repo)
    shallow = tmp_path / "shallow"
    git(tmp_path, "clone", "--quiet", "--depth=1", "--no-single-branch", f"file://{repo}", str(shallow))
    run = inside("check", "--since", "origin/topic", cwd=shallow)
    assert run.code == 3
    assert "cannot tell what is new since origin/topic: this clone is shallow; run: git fetch --unshallow" in run.err
    assert "this clone is shallow" in inside("check", "--since", "HEAD~1", cwd=shallow).err
    git(repo, "config", "uploadpack.allowFilter", "true")
    partial = tmp_path / "partial"
    git(tmp_path, "clone", "--quiet", "--filter=blob:none", "--no-checkout", f"file://{repo}", str(partial))
    # What another run has remembered of the same contents is all that it takes.
    compared = ("check", "--rev", "origin/main", "--since", "origin/main^")
    assert inside("check", "--rev", "main", "--since", "main^", cwd=repo).code == 1
    assert inside(*compared, cwd=partial).code == 1
    run = inside(*compared, "--no-cache", cwd=partial)
    assert run.code == 3
    assert run.err.count("git fetch --refetch --no-filter") == 1


def test_what_neither_revision_holds_makes_no_difference(repo: Path) -> None:
    (repo / "app/lost.py").write_bytes(b"value = 1\n")
    commit(repo)
    oid = git(repo, "rev-parse", "HEAD:app/lost.py")
    (repo / "app/fresh.py").write_bytes(b"from app import gone\n")
    commit(repo)
    (repo / ".git/objects" / oid[:2] / oid[2:]).unlink()
    # It is a problem all the same: a part of the tree is not checked.
    assert new(repo, "--rev", "HEAD", "--since", "HEAD^", code=3) == [("app/fresh.py", 1)]
    # Of one that is gone since, nobody knows what it had.
    git(repo, "rm", "--quiet", "--cached", "app/lost.py")
    git(repo, "commit", "--quiet", "--message", "gone")
    run = inside("check", "--rev", "HEAD", "--since", "HEAD^", "--no-cache", cwd=repo)
    assert run.code == 3
    assert run.err.startswith("guard: cannot compare with HEAD^: app/lost.py: ")


@pytest.mark.parametrize(("name", "compared"), [("lost.json", True), ("lost.py", False)])
def test_data_that_neither_revision_can_read_makes_no_difference(repo: Path, name: str, compared: bool) -> None:
    oids = []
    for number in range(2):
        write(repo, {f"app/{name}": b"value = %d\n" % number, f"app/fresh_{number}.py": b"from app import gone\n"})
        commit(repo)
        oids.append(git(repo, "rev-parse", f"HEAD:app/{name}"))
    for oid in oids:
        (repo / ".git/objects" / oid[:2] / oid[2:]).unlink()
    arguments = ("--rev", "HEAD", "--since", "HEAD^", "--no-cache")
    if compared:
        assert new(repo, *arguments, code=3) == [("app/fresh_1.py", 1)]
    else:
        assert inside("check", *arguments, cwd=repo).err.startswith(f"guard: cannot compare with HEAD^: app/{name}: ")


def test_unrelated_histories_cannot_be_compared(repo: Path) -> None:
    git(repo, "switch", "--quiet", "--orphan", "other")
    # Nothing is committed here yet, so everything is compared with the revision itself.
    (repo / "fresh.py").write_bytes(b"from app import gone\n")
    assert new(repo, "--since", "main", code=0) == []
    git(repo, "commit", "--quiet", "--allow-empty", "--message", "another root")
    run = inside("check", "--rev", "main", "--since", "other", cwd=repo)
    assert (run.code, run.err) == (3, "guard: cannot tell what is new since other: they have no commit in common\n")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--since", "nope"], 2, "guard: no such commit: nope"),
        (["--since", "--output=x"], 2, "guard: no such commit: --output=x"),
        (["--since", "HEAD", "--fix"], 2, "do not go with --since"),
    ],
)
def test_mistakes(repo: Path, arguments: list[str], code: int, said: str) -> None:
    run = inside("check", *arguments, cwd=repo)
    assert run.code == code
    assert said in run.err


def test_a_folder_without_git_has_nothing_to_compare_with(tmp_path: Path) -> None:
    run = inside("check", "--since", "HEAD", cwd=write(tmp_path / "plain", PINNED))
    assert (run.code, run.err) == (2, "guard: --since needs a git repository, and there is none here\n")


LAYERS = {
    "main.py": b"from fastapi import FastAPI\nfrom layers import Trace\n\napp = FastAPI()\napp.add_middleware(Trace)\n",
    "layers.py": b"class Trace:\n    async def __call__(self, scope, receive, send): ...\n",
    "other.py": b"x = 1\n",
}
LOST = b"from fastapi import FastAPI\n\napp = FastAPI()\n"


def lost(folder: Path, *arguments: str) -> list[tuple[str, str, int]]:
    """Code, path and line of each finding of the family that a run reports."""
    run = inside("check", "--select", "MID", "--output", "json", *arguments, cwd=folder)
    found = json.loads(run.out)["findings"]
    assert run.code == int(bool(found)), run.err
    return [(finding["code"], finding["path"], finding["line"]) for finding in found]


def test_what_only_two_trees_together_tell(tmp_path: Path) -> None:
    repo = repository(tmp_path / "repo", LAYERS)
    assert lost(repo, "--since", "HEAD") == []
    (repo / "main.py").write_bytes(LOST)
    told = [("MID009", "main.py", 3)]
    assert lost(repo) == []  # one tree says nothing of a change
    assert lost(repo, "--since", "HEAD") == told
    assert lost(repo, "--since", "HEAD") == told  # from the cache
    assert lost(repo, "--since", "HEAD", "other.py") == []
    assert lost(repo, "--since", "HEAD", "--ignore", "MID009") == []
    assert lost(repo, "--since", "HEAD", "--config", "per-file-ignores={'main.py' = ['MID009']}") == []
    git(repo, "add", "--all")
    assert lost(repo, "--gate", "pre-commit") == told
    commit(repo)
    assert lost(repo, "--rev", "HEAD", "--since", "HEAD^") == told
    assert lost(repo, "--since", "HEAD") == []
    assert "has lost the layer Trace" in inside("check", "--select", "MID", "--since", "HEAD^", cwd=repo).out


SET_UP = b"""from layers import Trace


def set_up(app):
    trace(app)


def trace(app):
    app.add_middleware(Trace)
"""


def test_a_lost_layer_is_told_of_where_the_way_to_it_ends(tmp_path: Path) -> None:
    main = b"from fastapi import FastAPI\nfrom setup import set_up\n\napp = FastAPI()\nset_up(app)\n"
    repo = repository(tmp_path / "repo", {**LAYERS, "main.py": main, "setup.py": SET_UP})
    (repo / "setup.py").write_bytes(SET_UP.replace(b"    trace(app)", b"    print(app)"))
    run = inside("check", "--select", "MID", "--since", "HEAD", "--output", "json", cwd=repo)
    (finding,) = json.loads(run.out)["findings"]
    assert (finding["path"], finding["line"], finding["symbol"]) == ("setup.py", 4, "set_up")
    assert finding["message"] == "main:app has lost the layer Trace, whose code is still there"
    text = " ".join(inside("check", "--select", "MID", "--since", "HEAD", cwd=repo).out.split())
    assert "set_up() does not call trace() any more, which led to it. It was added in setup.py:" in text
    assert [(one["path"], one["line"]) for one in finding["related"]] == [("main.py", 4), ("layers.py", 1)]


def test_a_merge_loses_what_neither_side_has_given_up(tmp_path: Path) -> None:
    repo = repository(tmp_path / "repo", LAYERS)
    git(repo, "checkout", "--quiet", "-b", "side")
    (repo / "main.py").write_bytes(LOST)
    commit(repo, "without it, on purpose")
    git(repo, "checkout", "--quiet", "main")
    (repo / "other.py").write_bytes(b"x = 2\n")
    commit(repo, "something else")
    git(repo, "merge", "--quiet", "--no-ff", "--no-commit", "side")
    assert lost(repo, "--gate", "pre-commit") == []
    git(repo, "merge", "--abort")
    git(repo, "checkout", "--quiet", "-b", "another")
    (repo / "layers.py").write_bytes(LAYERS["layers.py"] + b"\n")
    commit(repo, "something else again")
    git(repo, "checkout", "--quiet", "main")
    git(repo, "merge", "--quiet", "--no-ff", "--no-commit", "another")
    (repo / "main.py").write_bytes(LOST)
    git(repo, "add", "--all")
    assert lost(repo, "--gate", "pre-commit") == [("MID009", "main.py", 3)]
