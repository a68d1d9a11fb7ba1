"""`guard init`: what it writes, in real repositories, and that it changes nothing that is there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.engine.support import git, inside, repository

FILES = {
    "Dockerfile": b"FROM python:3.11\nCOPY . .\n",
    "app/__init__.py": b"",
    "app/main.py": b"from app import gone\n",
    ".github/CODEOWNERS": b"* @us\n",
}


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and ".git/" not in f"{path.relative_to(folder)}"
    }


def test_from_nothing_to_a_clean_check_in_one_command(tmp_path: Path) -> None:
    folder = repository(tmp_path / "repo", FILES)
    run = inside("init", "--baseline", "--yes", cwd=folder)
    assert run.code == 0, run.err
    assert "2 findings of today in the baseline" in run.err
    new = contents(folder).keys() - FILES.keys()
    assert new == {
        ".gitattributes",
        ".github/workflows/guard.yml",
        ".pre-commit-config.yaml",
        "guard-baseline.jsonl",
        "guard.toml",
    }
    assert inside("check", cwd=folder).code == 0
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "guard")
    assert inside("check", "--rev", "HEAD", cwd=folder).code == 0
    (folder / "app/late.py").write_bytes(b"from app import lost\n")
    assert "app/late.py" in inside("check", "--output", "concise", cwd=folder).out


def test_the_diff_comes_first_and_is_one_that_git_takes(tmp_path: Path) -> None:
    folder = repository(tmp_path / "repo", FILES)
    shown = inside("init", "--baseline", "--diff", cwd=folder)
    assert (shown.code, contents(folder)) == (0, FILES)
    asked = inside("init", "--baseline", cwd=folder)
    assert asked.out == shown.out
    assert "nothing is written; to write it: guard init --yes" in asked.err
    assert contents(folder) == FILES
    subprocess.run(["git", "apply"], cwd=folder, input=shown.out.encode(), check=True)
    applied = contents(folder)
    git(folder, "clean", "-qfd")
    git(folder, "checkout", "-q", ".")
    assert inside("init", "--baseline", "--yes", cwd=folder).code == 0
    assert contents(folder) == applied


def test_a_long_baseline_is_told_by_its_number(tmp_path: Path) -> None:
    broken = b"".join(b"from app import lost_%d\n" % number for number in range(60))
    folder = repository(tmp_path / "repo", {**FILES, "app/broken.py": broken})
    run = inside("init", "--baseline", "--yes", cwd=folder)
    assert "guard.toml" in run.out
    assert "IMP002" not in run.out
    assert "guard: new guard-baseline.jsonl: 62 findings of today; to see it: guard init --baseline --diff" in run.err
    assert (folder / "guard-baseline.jsonl").read_bytes().count(b"\n") == 62


def test_twice_is_no_more_than_once(tmp_path: Path) -> None:
    folder = repository(tmp_path / "repo", FILES)
    assert inside("init", "--baseline", "--yes", cwd=folder).code == 0
    once = contents(folder)
    again = inside("init", "--baseline", "--yes", cwd=folder)
    assert (again.code, again.out) == (0, "")
    assert "nothing to do" in again.err
    assert contents(folder) == once


def test_what_is_there_stays_and_what_is_left_is_told(tmp_path: Path) -> None:
    there = {
        ".gitattributes": b"*.png binary\n",
        ".gitlab-ci.yml": b"test:\n  script: pytest\n",
        ".pre-commit-config.yaml": b"repos: []\n",
        ".github/workflows/test.yml": b"on: push\njobs: {}\n",
        "pyproject.toml": b'[tool.guard]\nselect = ["ALL"]\n',
    }
    folder = repository(tmp_path / "repo", {**FILES, **there})
    run = inside("init", "--baseline", "--yes", cwd=folder)
    after = contents(folder)
    assert {path: after[path] for path in there if path != ".gitattributes"} == {
        path: content for path, content in there.items() if path != ".gitattributes"
    }
    assert after[".gitattributes"].startswith(there[".gitattributes"])
    assert "guard.toml" not in after
    for said in (
        'pyproject.toml: to use the baseline, add\n    baseline = "guard-baseline.jsonl"',
        ".pre-commit-config.yaml: to check each commit, add to its repos\n  - repo: local\n",
        ".gitlab-ci.yml: to check each push, add a job with the script\n    guard check",
        "Dockerfile: to stop the build of a broken tree, add a step for which guard is installed",
        "    RUN guard check --gate image .",
    ):
        assert said in run.err


def test_where_guard_is_named_already_nothing_is_said(tmp_path: Path) -> None:
    named = {
        "Dockerfile": b"FROM python:3.11\nRUN guard check --gate image .\n",
        ".gitlab-ci.yml": b"guard:\n  script: guard check\n",
        ".pre-commit-config.yaml": b"repos:\n  - repo: guard\n",
        ".github/workflows/all.yml": b"jobs: {a: {steps: [{run: guard report}]}}\n",
    }
    folder = repository(tmp_path / "repo", {**FILES, **named})
    run = inside("init", "--yes", cwd=folder)
    assert contents(folder).keys() - FILES.keys() - named.keys() == {".gitattributes", "guard.toml"}
    assert "add" not in run.err


def test_hooks_of_git_itself(tmp_path: Path) -> None:
    folder = repository(tmp_path / "repo", FILES)
    run = inside("init", "--git-hook", "--yes", cwd=folder)
    assert run.code == 0, run.err
    assert not (folder / ".pre-commit-config.yaml").exists()
    # A commit of what was there before passes, and one that brings in something does not.
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    git(folder, "add", "--all")
    commit = ["git", "commit", "--quiet", "--message", "a change"]
    subprocess.run(commit, cwd=folder, check=True, env=environment)
    (folder / "app/late.py").write_bytes(b"from app import lost\n")
    git(folder, "add", "--all")
    done = subprocess.run(commit, cwd=folder, check=False, env=environment, capture_output=True, text=True)
    assert done.returncode == 1
    assert "app/late.py" in done.stdout + done.stderr
    assert "nothing to do" in inside("init", "--git-hook", "--yes", cwd=folder).err
    hook = folder / ".git/hooks/pre-commit"
    hook.write_text("#!/bin/sh\nexec make test\n")
    refused = inside("init", "--git-hook", "--yes", cwd=folder)
    assert refused.code == 2
    assert "there is a hook already" in refused.err
    assert hook.read_text() == "#!/bin/sh\nexec make test\n"


def test_hooks_that_are_not_this_clones_are_left_alone(tmp_path: Path) -> None:
    folder = repository(tmp_path / "repo", FILES)
    git(folder, "config", "core.hooksPath", str(tmp_path / "everybodys"))
    run = inside("init", "--git-hook", "--yes", cwd=folder)
    assert run.code == 2
    assert "core.hooksPath" in run.err
    assert not (tmp_path / "everybodys").exists()
    assert contents(folder) == FILES


def test_a_folder_without_git(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("import os\n")
    assert inside("init", "--git-hook", "--yes", cwd=tmp_path).code == 2
    assert inside("init", "--yes", cwd=tmp_path).code == 0
    assert set(contents(tmp_path)) == {"a.py", "guard.toml"}


def test_no_baseline_of_what_could_not_be_read(tmp_path: Path) -> None:
    folder = repository(tmp_path / "repo", {**FILES, "app/large.py": b"a = 1\n" * 1_000_000})
    run = inside("init", "--baseline", "--yes", cwd=folder)
    assert run.code == 3
    assert "so there is no baseline: app/large.py" in run.err
    assert not (folder / "guard.toml").exists()
    assert inside("init", "--yes", cwd=folder).code == 0


def test_the_new_baseline_merges(tmp_path: Path) -> None:
    folder = repository(tmp_path / "repo", FILES)
    assert inside("init", "--baseline", "--yes", cwd=folder).code == 0
    asked = git(folder, "check-attr", "merge", "eol", "--", "guard-baseline.jsonl").splitlines()
    assert [line.rpartition(": ")[2] for line in asked] == ["union", "lf"]
    # No finding of its own, neither now nor in what is there with other endings and without a last one.
    assert inside("check", cwd=folder).code == 0
    crlf = repository(tmp_path / "crlf", {**FILES, ".gitattributes": b"*.png binary\r\n*.md text"})
    assert inside("init", "--baseline", "--yes", cwd=crlf).code == 0
    assert (
        (crlf / ".gitattributes")
        .read_bytes()
        .startswith(b"*.png binary\r\n*.md text\r\n/guard-baseline.jsonl text eol=lf merge=union\r\n")
    )
