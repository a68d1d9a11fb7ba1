"""The same input gives the same bytes, whatever the processes, the cache, the hash seed and the current folder."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.engine.support import FAMILIES, git, inside, monorepo, outside, repository

FORMATS = ("text", "concise", "json", "jsonl", "sarif", "github", "gitlab", "junit", "markdown")


@pytest.fixture(scope="module")
def repo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return repository(tmp_path_factory.mktemp("sample") / "repo", monorepo())


def timeless(text: str) -> str:
    """A report without its timings, in whatever format."""
    text = re.sub(r'"total_s": ?[\d.]+', '"total_s":0', text)
    text = re.sub(r'\btime="[\d.]+"', 'time="0"', text)
    return re.sub(r"\b(in|took) [\d.]+ ?s\b", r"\1 0 s", text)


def reports(repo: Path, *arguments: str, cwd: Path | None = None) -> dict[str, str]:
    """The report of one run in every format, timings aside."""
    folder = repo.parent / "reports"
    folder.mkdir(exist_ok=True)
    outputs = [part for name in FORMATS for part in ("--output", f"{name}:{folder / name}")]
    run = inside("check", *arguments, *outputs, cwd=cwd or repo)
    assert (run.code, run.out, run.err) == (1, "", "")
    return {name: timeless((folder / name).read_text()) for name in FORMATS}


@pytest.fixture(scope="module")
def expected(repo: Path) -> dict[str, str]:
    found = reports(repo, "--no-cache", "--jobs", "1")
    document = json.loads(found["json"])
    assert {finding["code"][:3] for finding in document["findings"]} == FAMILIES
    assert {finding["impact"] for finding in document["findings"]} == {"startup", "runtime", "tests", "tooling"}
    assert document["files"]["found"] == document["files"]["analysed"] > 140
    return found


def test_again(repo: Path, expected: dict[str, str]) -> None:
    assert reports(repo, "--no-cache", "--jobs", "1") == expected


@pytest.mark.parametrize("jobs", [2, 3])
def test_processes(repo: Path, expected: dict[str, str], jobs: int) -> None:
    assert reports(repo, "--no-cache", "--jobs", str(jobs)) == expected


def test_cold_then_warm(repo: Path, expected: dict[str, str]) -> None:
    assert reports(repo) == expected
    assert reports(repo) == expected
    # Facts are remembered, the result is not: another rule is off.
    assert reports(repo, "--ignore", "DCF001") != expected
    assert reports(repo, "--ignore", "") == expected


def test_folders(repo: Path, expected: dict[str, str], tmp_path: Path) -> None:
    assert reports(repo, cwd=repo / "services" / "s1") == expected
    assert reports(repo, str(repo), cwd=tmp_path) == expected
    assert reports(repo, "../..", cwd=repo / "services" / "s1") == expected
    (tmp_path / "link").symlink_to(repo)
    assert reports(repo, "link", cwd=tmp_path) == expected


def test_a_part_of_the_report_is_a_part_of_the_whole(repo: Path, expected: dict[str, str]) -> None:
    whole = json.loads(expected["json"])["findings"]
    part = json.loads(reports(repo, "s2", "s3/app/main.py", cwd=repo / "services")["json"])["findings"]
    places = ("services/s2/", "services/s3/app/main.py")
    assert part == [finding for finding in whole if finding["path"].startswith(places)]


Finding = dict[str, Any]


def findings(*arguments: str, cwd: Path) -> list[Finding]:
    found: list[Finding] = json.loads(inside("check", "--output", "json", *arguments, cwd=cwd).out)["findings"]
    return found


def but_endings(found: list[Finding]) -> list[Finding]:
    return [finding for finding in found if not finding["code"].startswith("EOL")]


def endings(found: list[Finding]) -> set[tuple[str, str]]:
    return {(finding["code"], finding["path"]) for finding in found if finding["code"].startswith("EOL")}


def test_trees_of_the_same_files(repo: Path, expected: dict[str, str], tmp_path: Path) -> None:
    whole = json.loads(expected["json"])["findings"]
    bare = tmp_path / "bare.git"
    git(repo, "clone", "--quiet", "--bare", str(repo), str(bare))
    for found in (
        findings("--staged", cwd=repo),
        findings("--rev", "HEAD", cwd=repo),
        findings("--rev", "HEAD", cwd=bare),
    ):
        assert but_endings(found) == but_endings(whole)
        assert endings(found) == endings(whole)
    copy = tmp_path / "copy"
    shutil.copytree(repo, copy, ignore=shutil.ignore_patterns(".git"))
    without_git = findings(cwd=copy)
    assert but_endings(without_git) == but_endings(whole)
    assert endings(without_git) < endings(whole)  # bytes alone say less


@pytest.mark.parametrize("seed", ["0", "1", "random"])
def test_hash_seeds(repo: Path, expected: dict[str, str], seed: str) -> None:
    arguments = (
        "check",
        "--no-cache",
        "--jobs",
        "2",
        "--output",
        "json",
        "--output",
        "text:text",
        "--output",
        "sarif:sarif",
    )
    folder = repo.parent / f"seed-{seed}"
    folder.mkdir()
    run = outside(*arguments, str(repo), cwd=folder, environment={"PYTHONHASHSEED": seed})
    assert (run.code, run.err) == (1, "")
    assert timeless(run.out) == expected["json"]
    assert timeless((folder / "text").read_text()) == expected["text"]
    assert timeless((folder / "sarif").read_text()) == expected["sarif"]


def test_locales(tmp_path: Path) -> None:
    """Names of files are UTF-8 to guard whatever the locale says; a Latin-1 one is as far from it as ASCII."""
    files = {"caf\u00e9/b.py": b"def f(:\n", "caf\u00e9/c.py": b"x = 1\r\n", "a.py": "import caf\u00e9.gone\n".encode()}
    folder = repository(tmp_path / "repo", {**files, ".gitattributes": b"*.py text eol=lf\n"})
    git(folder, "config", "filter.x.clean", "false")
    strict = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    outcomes = {}
    for name, environment in (("strict", strict), ("usual", {"LC_ALL": "C.UTF-8"})):
        place = tmp_path / name
        place.mkdir()
        outputs = [part for form in FORMATS for part in ("--output", f"{form}:{place / form}")]
        run = outside("check", "--no-cache", *outputs, cwd=folder, environment=environment)
        assert (run.code, run.err) == (1, "")
        outcomes[name] = {form: timeless((place / form).read_text()) for form in FORMATS}
    assert outcomes["strict"] == outcomes["usual"]
    run = outside("check", "--fix", "--output", "concise", cwd=folder, environment=strict)
    assert run.err == "guard: mended 1 finding in 1 file\n"
    assert (folder / "caf\u00e9/c.py").read_bytes() == b"x = 1\n"
