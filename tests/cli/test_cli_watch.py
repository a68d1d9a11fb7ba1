"""`guard check --watch` on a real terminal: again on every change, and an end with Ctrl-C."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from watchfiles import Change

from guard.cli.watch import all_ignored, relevant, without_watch
from guard.sources.git import discover
from tests.engine.support import git, inside, outside, repository

FILES = {
    ".gitattributes": b"* text eol=lf\n",
    ".gitignore": b"*.log\n",
    "app/__init__.py": b"",
    "app/main.py": b"from app.models import User\n\nprint(User)\n",
    "app/models.py": b"class User: ...\n",
}
WATCHING = "guard: watching; Ctrl-C ends"


class Terminal:
    """A terminal with `guard check --watch` in the foreground."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self._ours, theirs = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "guard", "check", "--watch", *arguments],
            cwd=folder,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={
                **os.environ,
                "TMPDIR": str(folder.parent),
                "TERM": "xterm",
                "COLUMNS": "100",
                "PYTHONPATH": str(Path(__file__).parents[2]),
            },
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(theirs)

    def until(self, text: str, seconds: float = 60) -> str:
        """What is shown up to `text`, which has to come."""
        shown = self.during(seconds, text)
        assert text in shown, shown
        return shown

    def during(self, seconds: float, text: str = "\0") -> str:
        """What is shown within some time, or until `text` or the end comes."""
        shown = b""
        deadline = time.monotonic() + seconds
        while text.encode() not in shown and time.monotonic() < deadline:
            if select.select([self._ours], [], [], 0.05)[0]:
                try:
                    shown += os.read(self._ours, 65536)
                except OSError:  # Linux says so when the last process has closed the terminal
                    break
        return shown.decode()

    def interrupt(self) -> tuple[int, str]:
        """Press Ctrl-C; gives the exit code and what is shown then."""
        os.write(self._ours, b"\x03")
        shown = self.during(30)
        return self.process.wait(30), shown

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._ours)


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return repository(tmp_path / "repo", FILES)


@pytest.fixture
def terminal(repo: Path) -> Iterator[Terminal]:
    made = Terminal(repo, "--output", "concise", "--output", f"json:{repo}/guard.json")
    yield made
    made.close()


def test_each_change_is_checked_once(repo: Path, terminal: Terminal) -> None:
    assert "IMP002" not in terminal.until(WATCHING)
    (repo / "app/models.py").write_bytes(b"class Group: ...\n")
    shown = terminal.until(WATCHING)
    assert "app/models.py changed" in shown
    assert "app/main.py:1:24: IMP002" in shown
    # Several files at once are one change, and what is left for tools or ignored by git is none; nor is its own report.
    (repo / "app/models.py").write_bytes(b"class User: ...\n")
    for number in range(20):
        (repo / f"app/m{number}.py").write_bytes(b"x = 1\n")
        (repo / f"server{number}.log").write_bytes(b"x\n")
    assert "IMP002" not in terminal.until(WATCHING)
    (repo / "server.log").write_bytes(b"x\n")
    assert terminal.during(1.5) == ""
    # A configuration that is wrong is told, and mended.
    (repo / "guard.toml").write_bytes(b"nothing = 1\n")
    assert "guard.toml: nothing" in terminal.until(WATCHING)
    (repo / "guard.toml").unlink()
    terminal.until(WATCHING)
    code, shown = terminal.interrupt()
    assert code == 130
    assert shown.splitlines()[-1].endswith("guard: interrupted")
    assert "Traceback" not in shown


def test_what_is_staged_is_checked_when_that_changes(repo: Path) -> None:
    terminal = Terminal(repo, "--gate", "pre-commit", "--output", "concise")
    try:
        terminal.until(WATCHING)
        (repo / "app/late.py").write_bytes(b"from app.models import Gone\n")
        terminal.until(WATCHING)
        git(repo, "add", "app/late.py")
        assert "app/late.py:1:24: IMP002" in terminal.until(WATCHING)
    finally:
        terminal.close()


@pytest.mark.parametrize("after", [0.1, 0.3, 0.4, 0.5, 0.7])
def test_interrupted_while_it_starts_or_checks(repo: Path, after: float) -> None:
    terminal = Terminal(repo)
    try:
        terminal.during(after)
        code, shown = terminal.interrupt()
        # A Python that has not begun with guard ends by the signal, or says that it could not start by itself.
        not_begun = code == -signal.SIGINT or "Fatal Python error: init_import_site" in shown
        assert not_begun or (code == 130 and "Traceback" not in shown), (code, shown)
    finally:
        terminal.close()


@pytest.mark.parametrize("option", ["--rev=HEAD", "--fix", "--diff"])
def test_what_does_not_go_together(repo: Path, option: str) -> None:
    run = inside("check", "--watch", option, cwd=repo)
    assert run.code == 2
    assert "--watch does not go with" in run.err


def test_only_on_a_terminal(repo: Path) -> None:
    run = outside("check", "--watch", cwd=repo)
    assert (run.code, run.out) == (2, "")
    assert "--watch shows its reports on a terminal, and there is none" in run.err


def test_without_the_extra(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "watchfiles", None)
    monkeypatch.delitem(sys.modules, "guard.cli.watch")
    run = inside("check", "--watch", cwd=repo)
    assert run.code == 4
    assert run.err == "guard: --watch needs more packages; run: pip install 'deploy-guard[watch]'\n"


def test_the_arguments_of_one_check() -> None:
    assert without_watch(["check", "--watch", "a", "--jobs", "2"]) == ["check", "a", "--jobs", "2"]
    assert without_watch(["check", "--watch", "--", "--watch"]) == ["check", "--", "--watch"]


def test_what_can_change_a_report(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GUARD_CACHE_DIR", str(repo / ".guard"))
    found = discover(str(repo))
    assert found is not None
    matters = relevant(found, [repo / "guard.json"])
    for path, wanted in {
        "app/main.py": True,
        "requirements.txt": True,
        ".git/index": True,
        ".git/HEAD": True,
        ".git/objects/ab/index": False,
        ".git/index.lock": False,
        "guard.json": False,
        ".guard-x1y2z3_4": False,
        ".guard/facts.db-wal": False,
        "app/__pycache__/main.pyc": False,
        "node_modules/x/index.js": False,
    }.items():
        assert matters(Change.modified, str(repo / path)) is wanted, path
    assert all_ignored(found, [str(repo / "a.log"), str(repo / "b.log")])
    assert not all_ignored(found, [str(repo / "a.log"), str(repo / "gone.py")])
    assert not all_ignored(found, [str(repo / ".git/index")])
