"""What is remembered between runs, under which key, and what never is."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import pytest

import guard.checks.line_counts
import guard.engine
import guard.facts
from guard.cache import Cache
from guard.facts import FileFacts, Gathering, key_of
from guard.registry import all_rules
from guard.sources.tree import REGULAR, SourceFile
from guard.syntax_oracle import Diagnostic, diagnose
from tests.engine.support import git, inside, outside, repository, without_privilege, write

FILES = {
    ".gitattributes": b"*.py text eol=lf\n",
    "a.py": b"a = 1\n",
    "b.py": b"b = 1\n",
    "same.py": b"b = 1\n",
    "note.txt": b"b = 1\n",
}


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return repository(tmp_path / "repo", FILES)


class Spy:
    """Remembers the contents that were looked at, and how often a tree was judged."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seen: list[bytes] = []
        self.judged = 0
        see, judge = guard.facts.see, guard.engine._judge

        def seeing(content: bytes, kind: str, diagnostics: Sequence[Diagnostic], gathering: Gathering) -> FileFacts:
            self.seen.append(content)
            return see(content, kind, diagnostics, gathering)

        def judging(*arguments: object) -> object:
            self.judged += 1
            return judge(*arguments)  # type: ignore[arg-type]

        monkeypatch.setattr(guard.facts, "see", seeing)
        monkeypatch.setattr(guard.engine, "_judge", judging)

    def run(
        self, folder: Path, *arguments: str, code: int | None = 0, command: str = "check"
    ) -> tuple[list[bytes], int]:
        """The contents that one run looks at, sorted, and whether it judged."""
        self.seen, self.judged = [], 0
        run = inside(command, "--jobs", "1", *arguments, cwd=folder)
        assert run.code in ((0, 1, 3) if code is None else (code,)), run.out + run.err
        return sorted(self.seen), self.judged


@pytest.fixture
def spy(monkeypatch: pytest.MonkeyPatch) -> Spy:
    return Spy(monkeypatch)


def test_each_content_is_looked_at_once(repo: Path, spy: Spy) -> None:
    assert spy.run(repo) == ([FILES[".gitattributes"], b"a = 1\n", b"b = 1\n", b"b = 1\n"], 1)
    assert spy.run(repo) == ([], 0)
    assert spy.run(repo, "--no-cache")[1] == 1
    # Another selection of rules is judged anew, from the same facts.
    assert spy.run(repo, "--ignore", "IMP") == ([], 1)


def test_a_selection_gathers_what_its_rules_need(
    repo: Path, tmp_path: Path, spy: Spy, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bytes] = []

    def oracle(contents: Sequence[bytes], target: tuple[int, int]) -> list[list[Diagnostic]]:
        asked.extend(contents)
        return diagnose(contents, target)

    monkeypatch.setattr(guard.facts, "diagnose", oracle)
    write(
        repo,
        {"newer.py": b"type Pair = tuple[int, int]\n", "bad.py": b"def (\n", "user.py": b"from newer import Gone\n"},
    )
    assert len(spy.run(repo, "--select", "IMP", code=3)[0]) == 7
    # Only of what the running Python does not parse the oracle is asked, which reads newer syntax too.
    assert set(asked) <= {b"type Pair = tuple[int, int]\n", b"def (\n"}
    assert b"def (\n" in asked
    assert spy.run(repo, "--select", "IMP", code=3) == ([], 0)
    # A run of everything looks again; a selection after it finds all that it needs.
    assert len(spy.run(repo, code=1)[0]) == 7
    assert spy.run(repo, "--select", "SYN,TXT", code=1) == ([], 1)


def test_a_rule_that_asks_for_more_than_its_family_gets_it(
    repo: Path, spy: Spy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard.engine, "needed_families", lambda codes, **_: frozenset({"suppressions"}))
    (repo / "user.py").write_bytes(b"from a import gone\n")
    seen, judged = spy.run(repo, "--select", "IMP002", code=1)
    assert judged > 1
    assert seen.count(b"from a import gone\n") == judged


def test_lines_are_counted_for_a_report_alone(repo: Path, spy: Spy, monkeypatch: pytest.MonkeyPatch) -> None:
    counted: list[bytes] = []

    def count(content: bytes) -> int:
        counted.append(content)
        return 1

    monkeypatch.setattr(guard.checks.line_counts, "counted_lines", count)
    for arguments in ((), ("--select", "IMP"), ("--gate", "pre-build")):
        spy.run(repo, "--no-cache", *arguments)
        assert counted == []
    # In CI the report follows the check, and is to find what that has seen.
    spy.run(repo, "--gate", "ci")
    assert sorted(counted) == [FILES[".gitattributes"], b"a = 1\n", b"b = 1\n", b"b = 1\n"]
    assert spy.run(repo, command="report") == ([], 1)
    assert spy.run(repo, "--select", "IMP") == ([], 1)


def test_a_report_of_some_rules_looks_once(repo: Path, spy: Spy) -> None:
    looked_at, judged = spy.run(repo, "--config", "ignore=['SSOT']", command="report")
    assert (len(looked_at), judged) == (4, 1)


@pytest.mark.parametrize("letters", sorted({rule.family for rule in all_rules().values()}))
def test_the_rules_of_each_family_say_what_they_ask_for(repo: Path, spy: Spy, letters: str) -> None:
    """Where they need more than is gathered for them, every file is parsed and walked once more."""
    write(
        repo,
        {
            "bad.py": b"def (\n",
            "crlf.py": b"a = 1\r\nb = 2\n",
            "fields.py": b"from dataclasses import dataclass\n@dataclass\nclass A:\n    b: int\nA(c=1)\n",
            "latin.py": b"a = '\xe9'\n",
            "stack.py": b"from starlette.applications import Starlette\napp = Starlette()\n"
            b"app.add_middleware(Auth)\napp.add_middleware(SessionMiddleware)\n",
            "tests/test_a.py": b"from unittest.mock import patch\nfrom a import gone\n"
            b"def test_a():\n    patch('a.away')  # guard: ignore[IMP006] - it is in the plan\n",
        },
    )
    assert spy.run(repo, "--select", letters, code=None)[1] == 1


def test_a_renamed_file_is_not_looked_at_again(repo: Path, spy: Spy) -> None:
    spy.run(repo)
    (repo / "a.py").rename(repo / "c.py")
    assert spy.run(repo) == ([], 1)
    # As another kind of file it is something else.
    (repo / "c.py").rename(repo / "c.txt")
    assert spy.run(repo) == ([b"a = 1\n"], 1)


def test_a_changed_file_costs_only_itself(repo: Path, spy: Spy) -> None:
    spy.run(repo)
    (repo / "a.py").write_bytes(b"a = 2\n")
    assert spy.run(repo) == ([b"a = 2\n"], 1)
    (repo / "a.py").write_bytes(b"a = 1\n")
    assert spy.run(repo) == ([], 0)


def test_revisions_and_folders_share_facts(repo: Path, tmp_path: Path, spy: Spy) -> None:
    spy.run(repo)
    assert spy.run(repo, "--rev", "HEAD") == ([], 1)
    assert spy.run(repo, "--staged") == ([], 1)
    assert spy.run(write(tmp_path / "copy", FILES)) == ([], 1)


def test_modification_times_are_not_asked(repo: Path, spy: Spy) -> None:
    spy.run(repo)
    status = (repo / "a.py").stat()
    (repo / "a.py").write_bytes(b"a = 3\n")
    os.utime(repo / "a.py", ns=(status.st_atime_ns, status.st_mtime_ns))
    assert spy.run(repo)[0] == [b"a = 3\n"]
    os.utime(repo / "a.py")
    assert spy.run(repo) == ([], 0)


def test_the_key_covers_what_facts_depend_on(monkeypatch: pytest.MonkeyPatch) -> None:
    salts = {
        Gathering((3, 11), 1_000).salt,
        Gathering((3, 12), 1_000).salt,
        Gathering((3, 11), 2_000).salt,
        Gathering((3, 11), 1_000, frozenset({"modules"})).salt,
    }
    fewer = Gathering((3, 11), 1_000).families[1:]
    changes: list[tuple[object, str, object]] = [
        (guard.facts, "__version__", "99"),
        (guard.facts, "oracle_version", lambda: "99"),
        (guard.facts, "_own_code", lambda: "edited"),
        (guard.facts, "_families_of", lambda _only: fewer),
        (guard.facts.sys, "version_info", (3, 99, 0)),  # type: ignore[attr-defined]
    ]
    for target, name, value in changes:
        with monkeypatch.context() as patch:
            patch.setattr(target, name, value)
            salts.add(Gathering((3, 11), 1_000).salt)
    assert len(salts) == 9
    oid = "0" * 40
    kinds = ("a.py", "a.pyi", "a", "a.txt")
    assert len({key_of(SourceFile(path, REGULAR, oid)) for path in kinds}) == 4
    assert key_of(SourceFile("x/a.py", REGULAR, oid)) == key_of(SourceFile("y/b.py", REGULAR, oid))


def test_another_installation_of_one_guard_believes_what_is_remembered(tmp_path: Path) -> None:
    own_code = guard.facts._own_code.__wrapped__
    for name in ("one", "other", "edited"):
        write(tmp_path / name, {"a.py": b"a = 1\n", "b/c.py": b"c = 2\n" if name == "edited" else b"c = 1\n"})
    os.utime(tmp_path / "other/a.py", (1, 1))
    assert own_code(tmp_path / "one") == own_code(tmp_path / "other") != own_code(tmp_path / "edited")


def test_another_target_is_looked_at_anew(repo: Path, spy: Spy) -> None:
    everything = spy.run(repo)[0]
    assert spy.run(repo, "--config", "target-python=3.10")[0] == everything
    assert spy.run(repo, "--config", "target-python=3.10") == ([], 0)
    assert spy.run(repo) == ([], 0)


def test_problems_of_reading_are_not_remembered(tmp_path: Path) -> None:
    folder = repository(tmp_path / "repo", FILES)
    (folder / "a.py").write_bytes(b"a = 5\n")
    environment = {"GUARD_CACHE_DIR": str(tmp_path / "cache")}
    (folder / "a.py").chmod(0)
    closed = outside("check", cwd=folder, environment=environment, preexec_fn=without_privilege)
    assert closed.code == 3
    (folder / "a.py").chmod(0o644)
    assert outside("check", cwd=folder, environment=environment).code == 0


def test_missing_objects_are_not_remembered(repo: Path, spy: Spy) -> None:
    oid = git(repo, "rev-parse", "HEAD:a.py")
    file = repo / ".git" / "objects" / oid[:2] / oid[2:]
    content = file.read_bytes()
    file.unlink()
    spy.run(repo, "--rev", "HEAD", code=3)
    file.write_bytes(content)
    assert spy.run(repo, "--rev", "HEAD")[0] == [b"a = 1\n"]


def _staged(repo: Path) -> None:
    (repo.parent / "other").write_bytes(b"a = 1\r\n")
    oid = git(repo, "hash-object", "-w", "--no-filters", str(repo.parent / "other"))
    git(repo, "update-index", "--cacheinfo", f"100644,{oid},a.py")


def _info_attributes(repo: Path) -> None:
    (repo / ".git" / "info" / "attributes").write_bytes(b"*.py -text\n")


CHANGES: dict[str, Callable[[Path], object]] = {
    "autocrlf": lambda repo: git(repo, "config", "core.autocrlf", "true"),
    "eol": lambda repo: git(repo, "config", "core.eol", "crlf"),
    "info/attributes": _info_attributes,
    "the index": _staged,
    "a mode": lambda repo: (repo / "a.py").chmod(0o755),
    "an ignored name": lambda repo: (repo / ".gitignore").write_bytes(b"x.py\n"),
    "the configuration": lambda repo: (repo / "guard.toml").write_bytes(b"ignore = ['SUP']\n"),
    "the image": lambda repo: (repo / "Dockerfile").write_bytes(b"FROM python:3.12\n"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_result_is_not_used_when_what_it_depends_on_changes(repo: Path, spy: Spy, change: str) -> None:
    spy.run(repo)
    CHANGES[change](repo)
    spy.seen, spy.judged = [], 0
    inside("check", "--jobs", "1", cwd=repo)
    assert spy.judged == 1


def test_a_status_of_git_does_not_cost_the_result(repo: Path, spy: Spy) -> None:
    spy.run(repo)
    subprocess.run(["git", "status"], cwd=repo, check=True, capture_output=True)
    assert spy.run(repo) == ([], 0)


def test_an_attributes_file_of_the_user(repo: Path, tmp_path: Path, spy: Spy) -> None:
    mine = tmp_path / "attributes"
    mine.write_bytes(b"")
    git(repo, "config", "core.attributesFile", str(mine))
    spy.run(repo)
    mine.write_bytes(b"*.py -text\n")
    with_cache = inside("check", "--output", "concise", cwd=repo)
    without = inside("check", "--output", "concise", "--no-cache", cwd=repo)
    assert with_cache == without


def test_values_that_are_read_back(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "facts.db")
    keys = [f"k{number}" for number in range(1_200)]
    cache.put_many((key, key.encode() * 10) for key in keys)
    assert dict(cache.get_many([*keys, "other"])) == {key: key.encode() * 10 for key in keys}
    cache.put_many([("k0", b"new")])
    assert cache.get("k0") == b"new"
    assert cache.get("none") is None
    cache.close()
    assert cache.get("k0") is None
    cache.put_many([("k0", b"lost")])
    with contextlib.closing(Cache(tmp_path / "facts.db")) as again:
        assert again.get("k0") == b"new"
    assert Cache(None).get("k0") is None


def test_a_file_that_has_grown_too_large_is_begun_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = Cache(tmp_path / "facts.db")
    first.put_many([("k", bytes(100_000))])
    first.close()
    monkeypatch.setattr("guard.cache._SIZE_LIMIT", 50_000)
    with contextlib.closing(Cache(tmp_path / "facts.db")) as second:
        assert second.get("k") is None
        assert second.complaint == ""


def test_nothing_in_it_is_code(repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GUARD_CACHE_DIR", str(tmp_path))
    inside("check", cwd=repo)
    connection = sqlite3.connect(tmp_path / "facts.db")
    values = [value for (value,) in connection.execute("SELECT value FROM entries")]
    connection.close()
    assert len(values) >= 4
    for value in values:
        msgspec.msgpack.decode(value)
