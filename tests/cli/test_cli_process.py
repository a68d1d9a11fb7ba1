"""The command as a process: how it is started, what it imports, what it shows on a terminal."""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from guard import __version__
from tests.engine.support import inside, outside, repository

FILES = {".gitattributes": b"*.py text eol=lf\n", "a.py": b"def f(:\n"}


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return repository(tmp_path / "repo", FILES)


def test_python_m_and_the_console_script(repo: Path) -> None:
    script = shutil.which("guard", path=str(Path(sys.executable).parent))
    assert script is not None
    run = outside("check", "--output", "concise", cwd=repo)
    done = subprocess.run(
        [script, "check", "--output", "concise"], cwd=repo, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (run.code, run.out, run.err)
    assert run.code == 1


def test_python_m_beside_a_guard_py(tmp_path: Path) -> None:
    """As docs/ci.md has it. Without `-P`, Python runs the other one before guard can do anything."""
    (tmp_path / "guard.py").write_text("print('not guard')\n")
    command = [sys.executable, "-P", "-m", "guard", "--version"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    run = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert run.stdout == f"guard {__version__}\n"


@pytest.mark.parametrize("spawn", [False, True], ids=["as usual", "spawned workers"])
def test_nothing_is_imported_from_the_checked_folder(tmp_path: Path, spawn: bool) -> None:
    ran = tmp_path / "ran"
    evil = f"open({str(ran)!r}, 'w').close()\n".encode()
    modules = (
        "click",
        "msgspec",
        "multiprocessing",
        "json",
        "sqlite3",
        "subprocess",
        "typing",
        "rich",
        "sitecustomize",
    )
    files = {f"{module}.py": evil for module in modules} | {f"m{n}.py": b"x = %d\n" % n for n in range(60)}
    repo = repository(tmp_path / "repo", {**files, ".gitattributes": b"*.py text eol=lf\n"})
    starter = tmp_path / "starter.py"
    starter.write_text(
        "import multiprocessing\nimport guard.pool\n"
        "guard.pool._CONTEXT = multiprocessing.get_context('spawn')\n"
        "if __name__ == '__main__':\n    from guard.cli.main import main\n    main()\n"
    )
    command = [str(starter)] if spawn else ["-m", "guard"]
    done = subprocess.run(
        [sys.executable, *command, "check", "--jobs", "2"], cwd=repo, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert not ran.exists()


def test_version(tmp_path: Path) -> None:
    for option in ("--version", "-V"):
        run = inside(option, cwd=tmp_path)
        assert (run.code, run.out, run.err) == (0, f"guard {__version__}\n", "")


@pytest.mark.parametrize("option", ["--version", "--help"])
def test_what_is_not_needed_is_not_imported(tmp_path: Path, option: str) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "guard", option],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "guard.cli.main" in imported
    heavy = {
        "rich",
        "libcst",
        "ruff",
        "sqlite3",
        "ruamel",
        "multiprocessing",
        "concurrent.futures",
        "pathspec",
        "rapidfuzz",
    }
    assert not {name for name in imported if name.partition(".")[0] in heavy or name in heavy}


def test_a_check_does_not_import_what_only_fixes_or_terminals_need(repo: Path) -> None:
    code = (
        "import sys\nfrom guard.cli.main import main\nsys.argv = ['guard', 'check', '--jobs', '1']\n"
        "try: main()\nexcept SystemExit: print(*sorted(sys.modules))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=repo, capture_output=True, text=True, check=True)
    imported = set(done.stdout.splitlines()[-1].split())
    assert "guard.engine" in imported
    assert not {"libcst", "rich", "guard.fixing", "ruamel.yaml", "jinja2"} & imported


def test_help() -> None:
    here = Path.cwd()
    alone = inside(cwd=here)
    asked = inside("--help", cwd=here)
    assert alone.out == asked.out
    assert (alone.code, asked.code, alone.err) == (2, 0, "")
    for command in ("check", "config", "rule"):
        assert re.search(rf"^  {command} ", asked.out, re.MULTILINE)
        run = inside(command, "-h", cwd=here)
        assert (run.code, run.err) == (0, "")
        assert run.out.startswith(f"Usage: guard {command}")
    unknown = inside("chek", cwd=here)
    assert unknown.code == 2
    assert "No such command 'chek'" in unknown.err


def on_terminal(arguments: list[str], cwd: Path) -> tuple[int, str]:
    """Exit code, and everything that a terminal shows of a run whose three streams are one."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    with subprocess.Popen(
        [sys.executable, *arguments], cwd=cwd, stdin=theirs, stdout=theirs, stderr=theirs, env=environment
    ) as process:
        os.close(theirs)
        shown = b""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if select.select([ours], [], [], 0.1)[0]:
                try:
                    shown += os.read(ours, 65536)
                except OSError:  # Linux says so when the last process has closed the terminal
                    break
        code = process.wait()
    os.close(ours)
    return code, shown.decode()


SLOW = """
import sys, time
import guard.facts
real = guard.facts.gather_batch
def slow(batch, *rest):
    time.sleep(0.4)
    return real(batch, *rest)
guard.facts.gather_batch = slow
guard.facts.BATCH = 4
from guard.cli.main import main
sys.argv = ["guard", "check", "--jobs", "1", "--no-cache", "--output", "concise"]
main()
"""


def test_a_progress_bar_on_a_terminal_when_it_takes_long(tmp_path: Path) -> None:
    files = {f"m{number}.py": b"x = %d\n" % number for number in range(16)}
    folder = repository(tmp_path / "repo", {**files, **FILES})
    code, shown = on_terminal(["-c", SLOW], folder)
    assert code == 1
    assert re.search(r"guard .*\d+/18.* files", shown)
    assert shown.rstrip().endswith("[runtime]")
    done = subprocess.run([sys.executable, "-c", SLOW], cwd=folder, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.startswith("a.py:1:7: SYN001")


def test_colour_and_no_bar_on_a_terminal_when_it_is_quick(repo: Path) -> None:
    code, shown = on_terminal(["-m", "guard", "check"], repo)
    assert code == 1
    assert "\x1b[" in shown
    assert "/2" not in shown


def test_a_diff_for_eyes_shows_what_a_terminal_would_hide(tmp_path: Path) -> None:
    folder = repository(tmp_path / "repo", {**FILES, "a.py": b"x = '\x1b[31m'\r\n"})
    code, shown = on_terminal(["-m", "guard", "check", "--diff"], folder)
    assert code == 1
    assert "-x = '\\x1b[31m'\\r" in shown
    piped = outside("check", "--diff", cwd=folder)
    assert "-x = '\x1b[31m'\r\n+x = '\x1b[31m'\n" in piped.out
