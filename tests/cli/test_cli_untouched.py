"""guard only reads a repository: nothing in its git directory or its work tree changes, also where guard is killed."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.engine.support import git, inside, monorepo, outside, repository, started

READING = [
    ("check", "--gate", "pre-commit"),
    ("check", "--since", "HEAD~1"),
    ("check", "--staged"),
    ("init", "--baseline", "--diff"),
    ("init", "--baseline", "--git-hook", "--diff"),
    ("check", "--gate", "ci", "--history"),
    ("check", "--rev", "HEAD~1", "--since", "HEAD~2"),
    ("check", "--diff", "--unsafe-fixes"),
    ("report", "--since", "HEAD~1", "--history", "2"),
    ("trace", "app.storage:Gone"),
]
KILLED = READING[:4]
MOMENTS = (0.2, 0.5, 0.7, 0.9)
"""Of the time of a whole run."""


@pytest.fixture(scope="module")
def repo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with all that git could be tempted to tidy: three commits, staged, unstaged and untracked changes, a
    stash, a branch, a tag, packed refs and an index whose times are stale."""
    folder = repository(tmp_path_factory.mktemp("untouched"), monorepo(2))
    for number in range(2):
        (folder / "services/s0/app/plain_0.py").write_text(f"from app.storage import Store\n\nx = {number}\n")
        git(folder, "commit", "--quiet", "--all", "--message", f"change {number}")
    git(folder, "tag", "one")
    git(folder, "branch", "other")
    git(folder, "pack-refs", "--all")
    (folder / "services/s1/app/plain_1.py").write_text("set_aside = 1\n")
    git(folder, "stash", "--quiet")
    (folder / "services/s0/app/staged.py").write_text("from app.storage import Lost\n")
    git(folder, "rm", "--quiet", "services/s1/app/storage.py")
    git(folder, "add", "--all")
    (folder / "services/s0/app/staged.py").write_text("unstaged = 1\n")
    (folder / "untracked.py").write_text("import services\n")
    for path in folder.glob("services/*/app/*.py"):
        os.utime(path, (1, 1))
    return folder


def state(folder: Path) -> dict[str, str]:
    """Everything below a folder, the git directory too: kind, mode and content of each name."""
    found = {}
    for path in folder.rglob("*"):
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode):
            content = os.fsencode(path.readlink())
        else:
            content = path.read_bytes() if stat.S_ISREG(mode) else b""
        found[os.fspath(path.relative_to(folder))] = f"{mode:o} {hashlib.sha256(content).hexdigest()}"
    return found


def killed(folder: Path, arguments: tuple[str, ...], after: float, scratch: Path) -> bool:
    """Kill guard `after` seconds, and wait for the processes that it had started. Gives whether it still ran.

    In `scratch` it leaves what it had for its helpers.
    """
    process = started(*arguments, cwd=folder, environment={"TMPDIR": str(scratch)}, start_new_session=True)
    time.sleep(after)
    ran = process.poll() is None
    process.kill()
    process.communicate(timeout=30)
    until = time.monotonic() + 30
    while True:
        try:
            os.killpg(process.pid, 0)
        except ProcessLookupError:
            return ran
        assert time.monotonic() < until, "something that guard started does not end"
        time.sleep(0.01)


def test_what_git_tidies_would_show(repo: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(repo, copy, symlinks=True)
    before = state(copy)
    git(copy, "status")
    assert {name for name, now in state(copy).items() if before[name] != now} == {".git/index"}


@pytest.mark.parametrize("arguments", READING, ids=" ".join)
def test_a_run_changes_nothing(repo: Path, arguments: tuple[str, ...]) -> None:
    before = state(repo)
    run = inside(*arguments, cwd=repo)
    assert run.code in (0, 1, 3), run.err
    assert state(repo) == before


@pytest.mark.parametrize("arguments", KILLED, ids=" ".join)
def test_a_killed_run_changes_nothing(repo: Path, arguments: tuple[str, ...], tmp_path: Path) -> None:
    before = state(repo)
    began = time.monotonic()
    whole = outside(*arguments, cwd=repo, environment={"GUARD_CACHE_DIR": str(tmp_path)})
    lasts = time.monotonic() - began
    were_running = [killed(repo, arguments, lasts * moment, tmp_path) for moment in MOMENTS]
    assert any(were_running)
    assert state(repo) == before
    # Nor does the cache of the killed ones hold half of something.
    again = outside(*arguments, cwd=repo)
    assert untimed(again.out) == untimed(whole.out)
    assert again.code == whole.code


def untimed(text: str) -> list[str]:
    """The lines of a report but for the one with its time."""
    return [line for line in text.splitlines() if "analysed of" not in line]


def test_a_killed_write_leaves_the_old_baseline_or_the_new_one(repo: Path, tmp_path: Path) -> None:
    write = ("baseline", "write", "--file", "known.jsonl")
    old = b'{"path":"gone.py","code":"IMP001","fingerprint":"0"}\n'
    file = repo / "known.jsonl"
    try:
        file.write_bytes(old)
        before = state(repo)
        began = time.monotonic()
        assert outside(*write, cwd=repo, environment={"GUARD_CACHE_DIR": str(tmp_path)}).code == 0
        lasts = time.monotonic() - began
        new = file.read_bytes()
        assert new != old
        after = state(repo)
        assert {name for name in after if before.get(name) != after[name]} == {"known.jsonl"}
        seen = set()
        for moment in (*MOMENTS, 1.0, 1.2):
            file.write_bytes(old)
            killed(repo, write, lasts * moment, tmp_path)
            seen.add(file.read_bytes())
            assert state(repo) in (before, after)
        assert old in seen
        assert seen <= {old, new}
    finally:
        file.unlink()


def test_killed_at_the_worst_moment_of_a_write(repo: Path) -> None:
    """Once all is written, before it is in its place: what is left beside it is no half of anything, and no finding."""
    worst = (
        "import os, pathlib, signal, sys;"
        "pathlib.Path.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL);"
        "from guard.cli.main import main;"
        "sys.argv = ['guard', 'baseline', 'write', '--file', 'known.jsonl'];"
        "main()"
    )
    before = state(repo)
    clean = inside("check", "--output", "concise", cwd=repo).out
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run([sys.executable, "-c", worst], cwd=repo, env=environment, check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL
    left = [repo / name for name in state(repo).keys() - before.keys()]
    try:
        assert [path.name.startswith(".guard-") for path in left] == [True]
        assert inside("check", "--output", "concise", cwd=repo).out == clean
        # To a check it is not there, and the next write clears it away; but not what another process is just writing.
        (busy := repo / ".guard-abcdefgh").write_bytes(b"half of it, without a line's end")
        (repo / ".guard-toml").write_bytes(b"somebody's own\n")
        assert inside("check", "--output", "concise", cwd=repo).out == clean
        with busy.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            inside("baseline", "write", "--file", "known.jsonl", cwd=repo)
            assert {path.name for path in repo.glob(".guard-*")} == {busy.name, ".guard-toml"}
        inside("baseline", "write", "--file", "known.jsonl", cwd=repo)
        assert not busy.exists()
    finally:
        for path in (*left, busy, repo / ".guard-toml", repo / "known.jsonl"):
            path.unlink(missing_ok=True)
    assert state(repo) == before
