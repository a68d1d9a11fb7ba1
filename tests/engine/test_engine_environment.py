"""What surrounds a run: locks, full disks, missing tools, signals, dying processes."""

from __future__ import annotations

import contextlib
import json
import os
import re
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import sysconfig
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from unittest import mock

import msgspec
import pytest

import guard.facts
from guard import syntax_oracle
from guard.facts import Gathering, Wanted
from guard.sources.tree import Reader
from tests.engine.support import Run, git, inside, monorepo, outside, repository, started, without_privilege, write

FINDING = {"a.py": b"def f(:\n", ".gitattributes": b"*.py text eol=lf\n"}


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return repository(tmp_path / "repo", FINDING)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return repository(tmp_path_factory.mktemp("large") / "repo", monorepo())


@pytest.fixture(scope="module")
def expected(large: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """What is told of it when nothing is in the way."""
    return told(cached(large, tmp_path_factory.mktemp("fresh")))


def told(run: Run) -> str:
    """A run's findings without its timings."""
    assert "Traceback" not in run.err
    return json.dumps([*json.loads(run.out)["findings"]])


def test_a_locked_index(repo: Path) -> None:
    (repo / ".git" / "index.lock").write_bytes(b"")
    for arguments in ([], ["--staged"]):
        run = inside("check", *arguments, cwd=repo)
        assert (run.code, run.err) == (1, "")
    assert (repo / ".git" / "index.lock").exists()


# Git, ruff, temporary files


def test_without_git(repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = write(tmp_path / "plain", FINDING)
    monkeypatch.setenv("PATH", str(tmp_path))
    run = inside("check", cwd=repo)
    assert (run.code, run.out) == (4, "")
    assert run.err == "guard: git is needed here and is not on PATH; install git, or check a folder without .git\n"
    assert inside("check", cwd=plain).code == 1


def test_without_ruff(repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sysconfig, "get_path", lambda _name: str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    (tmp_path / "git").symlink_to(str(shutil.which("git")))
    monkeypatch.setenv("PATH", str(tmp_path))
    syntax_oracle.executable.cache_clear()
    run = inside("check", cwd=repo)
    assert (run.code, run.out) == (4, "")
    assert run.err.startswith("guard: ruff, which settles syntax, is not installed beside guard")
    assert run.err.count("\n") == 1


def test_without_a_folder_for_temporary_files(repo: Path, tmp_path: Path) -> None:
    def no_space() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))

    run = outside("check", "--no-cache", cwd=repo, preexec_fn=no_space)
    assert (run.code, run.out) == (4, "")
    assert re.fullmatch(r"guard: cannot write to the folder for temporary files: .*; set TMPDIR\n", run.err)
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)
    # Python takes another folder when TMPDIR is of no use.
    run = outside("check", cwd=repo, environment={"TMPDIR": str(closed)}, preexec_fn=without_privilege)
    assert (run.code, run.err) == (1, "")


# The cache


@contextlib.contextmanager
def locked(cache: Path) -> Iterator[None]:
    connection = sqlite3.connect(cache / "facts.db")
    try:
        connection.execute("BEGIN EXCLUSIVE")
        yield
    finally:
        connection.close()


def cached(repo: Path, cache: Path, **options: object) -> Run:
    """What a run with that cache gives: in a process of its own if anything is asked of the process."""
    arguments, environment = ("check", "--output", "json"), {"GUARD_CACHE_DIR": str(cache)}
    if options:
        return outside(*arguments, cwd=repo, environment=environment, **options)
    with mock.patch.dict(os.environ, environment):
        return inside(*arguments, cwd=repo)


def complaints(run: Run) -> list[str]:
    assert (run.code, run.err) == (1, "")
    document = json.loads(run.out)
    assert [finding["code"] for finding in document["findings"]] == ["SYN001"]
    assert {problem["kind"] for problem in document["problems"]} <= {"cache"}
    return [problem["message"] for problem in document["problems"]]


def test_a_cache_that_another_process_has_locked(repo: Path, tmp_path: Path) -> None:
    assert complaints(cached(repo, tmp_path)) == []
    with locked(tmp_path):
        start = time.monotonic()
        (complaint,) = complaints(cached(repo, tmp_path))
        assert time.monotonic() - start < 15
    assert complaint == "the cache cannot be used (database is locked); this run goes on without it"
    assert complaints(cached(repo, tmp_path)) == []


@pytest.mark.parametrize("folder", ["/dev/full/x", "/dev/null", "{file}", "{closed}"])
def test_a_cache_that_cannot_be(repo: Path, tmp_path: Path, folder: str) -> None:
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "closed").mkdir(mode=0o500)
    place = Path(folder.format(file=tmp_path / "file", closed=tmp_path / "closed"))
    (complaint,) = complaints(cached(repo, place, preexec_fn=without_privilege))
    assert complaint.startswith("the cache cannot be used (")


def test_a_full_disk_under_the_cache(large: Path, expected: str, tmp_path: Path) -> None:

    def little_space() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))

    run = cached(large, tmp_path / "full", preexec_fn=little_space)
    assert told(run) == expected
    assert [problem["kind"] for problem in json.loads(run.out)["problems"]] == ["cache"]
    assert told(cached(large, tmp_path / "full")) == expected


def _random(path: Path) -> None:
    path.write_bytes(bytes(range(256)) * 100)


def _truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:5_000])


def _flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2 :] = bytes(255 - byte for byte in content[len(content) // 2 :])
    path.write_bytes(content)


def _sql(statement: str) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        connection = sqlite3.connect(path)
        connection.executescript(statement)
        connection.close()

    return change


def _value(content: bytes) -> Callable[[Path], None]:
    """Every value another one, with the right sum."""
    return _sql(f"UPDATE entries SET value = x'{content.hex()}', sum = {zlib.crc32(content)}")


DAMAGES: dict[str, Callable[[Path], None]] = {
    "random bytes": _random,
    "truncated": _truncated,
    "flipped": _flipped,
    "empty": lambda path: path.write_bytes(b""),
    "wrong sums": _sql("UPDATE entries SET value = x'c0'"),
    "not msgpack": _value(b"\xc1"),
    "of another shape": _value(b"\xc0"),
    "of another type": _sql("UPDATE entries SET value = 'text', sum = 'text'"),
    "another version": _sql("DROP TABLE entries; CREATE TABLE entries (other); PRAGMA user_version = 99"),
    "malformed names": lambda path: path.write_bytes(
        path.read_bytes().replace(b"CREATE TABLE entries", b"CREATE \xca\xff\xfe entries")
    ),
    "another table": _sql("DROP TABLE entries; CREATE TABLE entries (other)"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_cache(repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: str) -> None:
    monkeypatch.setenv("GUARD_CACHE_DIR", str(tmp_path))
    first = inside("check", "--output", "json", cwd=repo)
    assert complaints(first) == []
    for beside in tmp_path.glob("facts.db-*"):
        beside.unlink()
    DAMAGES[damage](tmp_path / "facts.db")
    assert len(complaints(inside("check", "--output", "json", cwd=repo))) <= 1
    again = inside("check", "--output", "json", cwd=repo)
    assert complaints(again) == []
    assert told(again) == told(first)
    assert not list(tmp_path.glob("*.old"))


def test_facts_that_are_not_what_their_key_says(repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GUARD_CACHE_DIR", str(tmp_path))
    inside("check", cwd=repo)
    connection = sqlite3.connect(tmp_path / "facts.db")
    good = connection.execute("SELECT key, value FROM entries WHERE key NOT LIKE 'result%'").fetchall()
    for key, value in good:
        facts = msgspec.msgpack.decode(value)
        facts[2] = dict.fromkeys(facts[2], 7)
        forged = msgspec.msgpack.encode(facts)
        connection.execute("UPDATE entries SET value = ?, sum = ? WHERE key = ?", (forged, zlib.crc32(forged), key))
    connection.execute("DELETE FROM entries WHERE key LIKE 'result%'")
    connection.commit()
    connection.close()
    (complaint,) = complaints(inside("check", "--output", "json", cwd=repo))
    assert complaint == "the cache was damaged (an entry is not what its key says) and is begun anew"
    assert complaints(inside("check", "--output", "json", cwd=repo)) == []


def test_a_user_without_a_home(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GUARD_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", "beside")
    monkeypatch.setenv("HOME", "home")
    for _ in range(2):
        (complaint,) = complaints(inside("check", "--output", "json", cwd=repo))
        assert complaint == "no home folder for the cache (set GUARD_CACHE_DIR); this run goes on without it"
        # As it is for a user that the machine does not know, without HOME.
        monkeypatch.setattr(Path, "home", mock.Mock(side_effect=RuntimeError("no home")))
    assert inside("config", cwd=repo).code == 0
    assert {entry.name for entry in repo.iterdir()} == {".git", ".gitattributes", "a.py"}


def test_a_cache_inside_the_checkout_is_no_part_of_it(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GUARD_CACHE_DIR", ".guard")
    runs = [inside("check", "--output", "json", cwd=repo) for _ in range(2)]
    assert (repo / ".guard" / "facts.db").exists()
    assert [json.loads(run.out)["files"]["found"] for run in runs] == [2, 2]


def test_two_runs_at_once(large: Path, expected: str, tmp_path: Path) -> None:
    environment = {"GUARD_CACHE_DIR": str(tmp_path / "shared")}
    arguments = ("check", "--output", "json", "--jobs", "1")
    with (
        started(*arguments, cwd=large, environment=environment) as first,
        started(*arguments, cwd=large, environment=environment) as second,
    ):
        for process in (first, second):
            out, err = process.communicate(timeout=60)
            assert told(Run(process.returncode, out.decode(), err.decode())) == expected


# Signals


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _in_the_middle(process: subprocess.Popen[bytes]) -> None:
    """Wait until the worker processes run their first batches."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError):
            if any(_children(child) for child in _children(process.pid)):
                return
        time.sleep(0.005)
    raise AssertionError("the run ended before its workers began")


def _gone(group: int) -> bool:
    for _ in range(1_000):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.01)
    return False


needs_proc = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds processes by way of /proc")


@needs_proc
@pytest.mark.parametrize(("end", "code"), [(signal.SIGKILL, -9), (signal.SIGINT, 130), (signal.SIGTERM, -15)])
def test_a_run_that_is_ended(large: Path, expected: str, tmp_path: Path, end: signal.Signals, code: int) -> None:
    cache, temporary = tmp_path / "cache", tmp_path / "temporary"
    temporary.mkdir()
    environment = {"GUARD_CACHE_DIR": str(cache), "TMPDIR": str(temporary)}

    def listening() -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # a shell's background jobs, and their children, ignore it

    with started(
        "check", "--jobs", "2", cwd=large, environment=environment, start_new_session=True, preexec_fn=listening
    ) as process:
        _in_the_middle(process)
        process.send_signal(end)
        out, err = process.communicate(timeout=20)
    assert process.returncode == code
    assert (out, err) == (b"", b"guard: interrupted\n" if end is signal.SIGINT else b"")
    assert _gone(process.pid), "workers outlived the run"
    assert list(temporary.iterdir()) == []
    assert told(cached(large, cache)) == expected


def test_output_that_nobody_reads(large: Path) -> None:
    with started("check", "--output", "jsonl", cwd=large) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141


def test_output_that_does_not_fit(repo: Path) -> None:
    for arguments in (["check", "--output", "json"], ["--version"], ["rule"], ["config"]):
        with open("/dev/full", "wb") as full:
            done = subprocess.run(
                [sys.executable, "-m", "guard", *arguments], cwd=repo, stdout=full, stderr=subprocess.PIPE, check=False
            )
        assert done.stderr.decode() == "guard: cannot write: No space left on device\n"
        assert done.returncode == 4


@pytest.mark.parametrize("closed", [0, 1, 2])
def test_closed_streams(repo: Path, closed: int) -> None:
    run = outside("check", "--output", "concise", cwd=repo, preexec_fn=lambda: os.close(closed))
    assert run.code == 1
    assert run.err == ""
    assert run.out.startswith("a.py:1:7: SYN001" if closed != 1 else "")


# Processes that die, and bugs


def _dying(
    batch: Sequence[Wanted], reader: Reader, gathering: Gathering, between: Callable[[], None]
) -> list[tuple[str, bytes]]:
    if any(wanted.file.path in ("killer.py", "killer_too.py") for wanted in batch):
        os.kill(os.getpid(), signal.SIGKILL)
    return _gather_batch(batch, reader, gathering, between)


_gather_batch = guard.facts.gather_batch


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the workers are no copies of this process")
def test_a_file_that_kills_its_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {f"m{number}.py": b"x = %d\n" % number for number in range(100)}
    write(tmp_path, {**files, "killer.py": b"y = 1\n", "killer_too.py": b"y = 2\n", "broken.py": b"def f(:\n"})
    monkeypatch.setattr(guard.facts, "gather_batch", _dying)
    run = inside("check", "--jobs", "2", "--output", "json", cwd=tmp_path)
    assert (run.code, run.err) == (3, "")
    document = json.loads(run.out)
    assert document["files"] == {"found": 103, "analysed": 101}
    assert document["problems"] == [
        {"path": path, "kind": "crash", "message": "reading this file makes the parser crash"}
        for path in ("killer.py", "killer_too.py")
    ]
    assert {finding["path"] for finding in document["findings"]} == {"broken.py"}
    monkeypatch.undo()
    assert inside("check", "--jobs", "2", "--output", "json", cwd=tmp_path).code == 1


def test_a_bug_makes_a_report_to_paste(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def buggy(*_: object) -> None:
        raise ZeroDivisionError("a bug\x1b[31m")

    monkeypatch.setenv("SECRET_TOKEN", "hunter2")
    monkeypatch.setattr(guard.facts, "parse", buggy)
    write(repo, {"b.py": b"x = 1\n"})
    run = inside("check", "--no-cache", "--jobs", "1", cwd=repo)
    assert (run.code, run.out) == (70, "")
    assert run.err.startswith("guard: this is a bug in guard, not in your code. Please report it with what follows:\n")
    assert "arguments: check --no-cache --jobs 1" in run.err
    assert "ZeroDivisionError: a bug\\x1b[31m" in run.err
    assert re.search(r"guard was looking at [ab]\.py", run.err)
    assert "hunter2" not in run.err


def test_a_repository_with_nothing_committed(tmp_path: Path) -> None:
    folder = write(tmp_path / "new", FINDING)
    git(folder, "init", "--quiet")
    assert inside("check", cwd=folder).code == 1
    run = inside("check", "--rev", "HEAD", cwd=folder)
    assert (run.code, run.err) == (2, "guard: no such commit: HEAD\n")
