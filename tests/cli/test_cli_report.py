"""`guard report`: exit codes, comparison, history, and that two runs say the same, in real repositories."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.engine.support import Run, git, inside, outside, repository, without_privilege, write

HEALTHY = {
    ".gitattributes": b"* text=auto eol=lf\n",
    "app/__init__.py": b"VERSION = 1\n",
    "app/main.py": b"from app.store import load\n\nload()\n",
    "app/store.py": b"def load():\n    return 1\n",
    "app/old.py": b"from app import lost\n" + b"value = 'long enough'\n" * 300,
}


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """A healthy repository, but for one import."""
    return repository(tmp_path / "repo", HEALTHY)


def commit(folder: Path, message: str = "a change") -> None:
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", message)


def document(folder: Path, *arguments: str, code: int = 0) -> Any:
    """What the run reports, as JSON."""
    run = inside("report", "--output", "json", *arguments, cwd=folder)
    assert run.code == code, run.out + run.err
    return json.loads(run.out)


def refused(run: Run, code: int, words: str) -> None:
    assert (run.code, run.out) == (code, "")
    assert words in run.err
    assert "Traceback" not in run.err


def test_findings_alone_are_no_failure(repo: Path) -> None:
    run = inside("report", cwd=repo)
    assert (run.code, run.err) == (0, "")
    assert run.out.startswith("guard report: ")
    assert "IMP002 app does not define lost" in run.out
    assert "not in the score: environment, tests that prove something: this version" in run.out
    assert "image: there is nothing of it to look at" in " ".join(run.out.split())


def test_what_an_image_lacks_is_in_the_report(tmp_path: Path) -> None:
    files = {
        ".dockerignore": b"scripts\n",
        "Dockerfile": b"FROM python:3.12-slim\nCOPY app /srv/app\nCOPY scripts/run.sh /srv/\nCMD sleep 9\n",
        "app/main.py": b"value = 1\n",
        "scripts/run.sh": b"exec python -m app.main\n",
    }
    folder = repository(tmp_path / "repo", files)
    found = document(folder)
    assert [one["code"] for one in found["findings"] if one["code"].startswith("IMG")] == ["IMG003"]
    image = next(one for one in found["categories"] if one["category"] == "image")
    assert (image["score"], image["errors"], found["stops"], found["grade"]) == (0, 1, 1, "D")
    assert next(one for one in found["lifts"] if one["category"] == "image")["code"] == "IMG003"
    assert "IMG003" not in inside("check", "--gate", "ci", cwd=folder).out
    # Without the rules, or the weight, there is no such category.
    for setting, why in (
        ("ignore=['IMG']", "none of its rules is on"),
        ("report.weights={image=0}", "its weight is 0"),
    ):
        left = document(folder, "--config", setting)
        assert "image" not in {one["category"] for one in left["categories"]}
        assert {"label": "image", "why": why} in left["absent"]
    # What is mended is told of, and what is new.
    (folder / ".dockerignore").write_bytes(b"scripts\n!scripts/run.sh\n")
    mended = document(folder, "--since", "HEAD", "--fail-on-new")
    assert [one["code"] for one in mended["since"]["fixed"]] == ["IMG003"]
    assert mended["score"] > found["score"]
    commit(folder)
    (folder / ".dockerignore").write_bytes(b"scripts\n")
    broken = document(folder, "--since", "HEAD", "--fail-on-new", code=1)
    assert broken["failures"] == ["1 new finding since HEAD"]
    assert [one["score"] for one in document(folder, "--history", "5")["history"]] == [found["score"], mended["score"]]


def test_attributes_without_a_line_are_none(tmp_path: Path) -> None:
    folder = repository(tmp_path / "repo", {"run.sh": b"true\n" * 50, "notes.txt": b"true\n" * 200})
    before = document(folder)
    (folder / ".gitattributes").write_bytes(b"")
    after = document(folder)
    assert before["score"] == after["score"] < 100
    assert [one["code"] for one in after["lifts"]] == [one["code"] for one in before["lifts"]] == ["EOL002"]


def test_what_raises_the_score_is_told_in_the_words_of_the_list(tmp_path: Path) -> None:
    folder = repository(tmp_path / "repo", {"app/a.py": b"value = 1\n" * 50, "app/b.py": b""})
    written = document(folder)
    assert [one["message"] for one in written["lifts"]] == [one["message"] for one in written["findings"]]
    assert "2 files" in written["lifts"][0]["message"]


def test_a_score_that_is_asked_for(repo: Path) -> None:
    score = document(repo)["score"]
    assert 50 < score < 100
    assert document(repo, "--fail-under", str(score))["failures"] == []
    failed = document(repo, "--fail-under", str(score + 0.01), code=1)
    assert failed["failures"] == [f"the score is under {score + 0.01:g}"]
    assert inside("report", "--config", "report.fail-under=99.9", cwd=repo).code == 1
    assert inside("report", "--config", "report.fail-under=99.9", "--fail-under", "1", cwd=repo).code == 0


def test_what_is_new_and_what_is_fixed(repo: Path) -> None:
    (repo / "app/old.py").write_bytes(b"value = 'long enough'\n" * 300)
    (repo / "app/main.py").write_bytes(b"from app.store import gone, load\n\nload()\n")
    since = document(repo, "--since", "HEAD")["since"]
    assert [one["path"] for one in since["fixed"]] == ["app/old.py"]
    assert (len(since["new"]), since["unchanged"]) == (1, 0)
    assert since["change"] > 0
    failed = document(repo, "--since", "HEAD", "--fail-on-new", code=1)
    assert failed["failures"] == ["1 new finding since HEAD"]
    commit(repo)
    assert document(repo, "--since", "HEAD", "--fail-on-new")["since"]["change"] == 0
    assert document(repo, "--rev", "HEAD", "--since", "HEAD^")["since"] == {**since, "rev": "HEAD^"}
    text = inside("report", "--since", "HEAD^", cwd=repo).out
    assert "1 new, 1 fixed, 0 unchanged" in text
    assert "new error IMP002 app/main.py:1" in text


def test_its_findings_are_those_of_a_check_in_ci(repo: Path) -> None:
    write(repo, {"app/copy.py": HEALTHY["app/store.py"], "app/a:b.py": b"import app.nowhere\n"})
    check = inside("check", "--gate", "ci", "--output", "json", cwd=repo)
    assert document(repo)["findings"] == json.loads(check.out)["findings"] != []


def test_paths_narrow_the_score(repo: Path) -> None:
    whole, part = document(repo), document(repo, "app/store.py")
    assert part["score"] == 100 > whole["score"]
    assert part["findings"] == []
    counts = {"files": 1, "python_files": 1, "lines": 2, "unparsed_files": 0, "unparsed_lines": 0, "beside": {}}
    assert part["counts"] == counts


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--daily"], "--daily goes with --history"),
        (["--fail-on-new"], "--fail-on-new goes with --since"),
        (["--staged", "--rev", "HEAD"], "exclude one another"),
        (["--output", "github"], "no such format; there are text, markdown, html, json, sarif, junit"),
        (["--fail-under", "101"], "101"),
        (["--history", "0"], "0"),
        (["--since", "nowhere"], "no such commit: nowhere"),
        (["nowhere"], "no such path: nowhere"),
        (["--config", "ignore=['ALL']"], "no rule is left"),
    ],
)
def test_usage(repo: Path, arguments: list[str], words: str) -> None:
    refused(inside("report", *arguments, cwd=repo), 2, words)


def test_without_git_there_is_nothing_to_compare_with(tmp_path: Path) -> None:
    write(tmp_path, HEALTHY)
    assert document(tmp_path)["score"] > 50
    refused(inside("report", "--since", "HEAD", cwd=tmp_path), 2, "--since needs a git repository")
    refused(inside("report", "--history", "2", cwd=tmp_path), 2, "--history needs a git repository")


def test_what_cannot_be_read_ends_with_its_own_code(repo: Path) -> None:
    before = document(repo)
    small = ("--config", "max-file-size=1KB")
    after = document(repo, *small, "--fail-under", "100", code=3)
    assert after["score"] < before["score"]
    assert after["best"] > after["score"]
    assert [(one["path"], one["kind"]) for one in after["unread"]] == [("app/old.py", "too-large")]
    assert after["grade"] in ("D", "E")
    text = inside("report", *small, cwd=repo)
    assert text.code == 3
    assert "Not analysed, and counted as not clean" in text.out
    assert "could not check: app/old.py" in text.out


@pytest.mark.parametrize("closed", ["app", "app/old.py"])
def test_a_closed_place_lowers_the_score(repo: Path, closed: str) -> None:
    before = document(repo)
    (repo / closed).chmod(0)
    run = outside("report", "--output", "json", cwd=repo, preexec_fn=without_privilege)
    (repo / closed).chmod(0o700)
    assert (run.code, run.err) == (3, "")
    after = json.loads(run.out)
    assert after["score"] < before["score"]
    assert after["unread"]


def test_nothing_to_read(tmp_path: Path) -> None:
    run = inside("report", cwd=tmp_path)
    assert run.code == 3
    assert "nothing to score" in run.out


@pytest.mark.parametrize("form", ["text", "markdown", "html", "json", "sarif", "junit"])
def test_two_runs_give_the_same_bytes(repo: Path, form: str) -> None:
    """Also where the report is written into the tree that it is about."""
    told = []
    for _ in range(2):
        assert inside("report", "--output", f"{form}:guard-report.out", cwd=repo).code == 0
        told.append((repo / "guard-report.out").read_bytes())
    assert told[0] == told[1] != b""
    assert inside("report", "--output", form, "--no-cache", "--jobs", "1", cwd=repo).code == 0


def test_the_page_has_the_code_of_all_findings(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (repo / "app/older.py").write_bytes(b"from app import mislaid  # a comment\n")
    monkeypatch.setattr("guard.cli.output._FRAME_FILES", 1)
    run = inside("report", "--output", "html", cwd=repo)
    assert run.code == 0
    assert "from app import lost" in run.out
    assert "from app import mislaid  # a comment" in run.out


def test_the_configuration_leaves_nothing_out_of_the_score(repo: Path) -> None:
    before = document(repo)
    write(repo, {"guard.toml": b"exclude = ['app/old.py', 'guard.toml']\n"})
    after = document(repo)
    assert after["findings"] == []
    assert after["left_out"] == {"files": 2, "lines": 302, "findings": 1, "rules": []}
    assert after["categories"][1] == before["categories"][1]
    told = inside("report", cwd=repo).out
    assert "excluded by the configuration, and in the score all the same: 2 files, 302 lines" in " ".join(told.split())


def test_the_baseline_is_in_the_score(repo: Path) -> None:
    before = document(repo)
    assert inside("baseline", "write", "--file", "known.jsonl", cwd=repo).code == 0
    git(repo, "add", "known.jsonl")
    after = document(repo, "--config", "baseline=known.jsonl")
    assert after["findings"] == []
    assert after["left_out"]["findings"] == 1
    assert after["categories"][1]["score"] == before["categories"][1]["score"]
    # The earlier commit has no baseline yet.
    assert document(repo, "--config", "baseline=known.jsonl", "--since", "HEAD")["since"]["fixed"] != []


def test_rules_that_are_off_are_told(repo: Path) -> None:
    told = document(repo, "--config", "ignore=['SSOT', 'IMP014']")
    assert told["left_out"]["rules"][0] == "IMP014"
    assert {"label": "one source of truth", "why": "none of its rules is on"} in told["absent"]
    without = document(repo, "--config", "report.weights={imports=0}")
    assert without["score"] == 100 > told["score"]
    assert {"label": "imports", "why": "its weight is 0"} in without["absent"]


def with_history(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four more commits on three days, the third of which breaks something; and a branch that is merged."""
    for number, date in enumerate(("01T09:00:00", "01T23:30:00", "02T00:30:00", "03T12:00:00")):
        monkeypatch.setenv("GIT_COMMITTER_DATE", f"2030-01-{date} -0800")
        broken = b"from app.store import gone\n" if number == 2 else b""
        write(folder, {"app/more.py": broken + b"value = %d\n" % number})
        commit(folder, f"change {number}")


def test_the_history(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_history(repo, monkeypatch)
    found = document(repo, "--history", "4")
    assert [one["subject"] for one in found["history"]] == [f"change {number}" for number in range(4)]
    assert [one["errors"] for one in found["history"]] == [1, 1, 2, 1]
    scores = [one["score"] for one in found["history"]]
    assert scores[2] < scores[1] == scores[3] == found["score"]
    assert found["notes"] == []
    # The first commit is the last that there is.
    assert len(document(repo, "--history", "9")["history"]) == 5
    assert [one["subject"] for one in document(repo, "--rev", "HEAD~2", "--history", "1")["history"]] == ["change 1"]


def test_the_history_by_day(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_history(repo, monkeypatch)
    found = document(repo, "--history", "3", "--daily")["history"]
    assert [(one["date"], one["subject"]) for one in found] == [
        ("2030-01-01T23:30:00-08:00", "change 1"),
        ("2030-01-02T00:30:00-08:00", "change 2"),
        ("2030-01-03T12:00:00-08:00", "change 3"),
    ]
    text = inside("report", "--history", "3", "--daily", cwd=repo).out
    assert [line.split()[0] for line in text.splitlines() if line.startswith("  2030-")] == [
        "2030-01-01",
        "2030-01-02",
        "2030-01-03",
    ]


def test_a_shallow_clone_says_what_it_cannot_see(repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_history(repo, monkeypatch)
    git(tmp_path, "clone", "--quiet", "--depth", "2", repo.as_uri(), "shallow")
    found = document(tmp_path / "shallow", "--history", "4")
    assert len(found["history"]) == 2
    assert found["notes"] == ["this clone is shallow, so older commits are not in it; run: git fetch --unshallow"]
    refused(inside("report", "--since", "HEAD~3", cwd=tmp_path / "shallow"), 2, "this clone is shallow")


def test_before_the_first_commit_there_is_no_history(tmp_path: Path) -> None:
    write(tmp_path, HEALTHY)
    git(tmp_path, "init", "--quiet")
    refused(inside("report", "--history", "2", cwd=tmp_path), 3, "there is no commit yet")


def test_an_object_that_comes_back_is_read(repo: Path) -> None:
    """What is remembered of a tree with objects missing holds only as long as they are missing."""
    whole = document(repo, "--rev", "HEAD")
    oid = git(repo, "rev-parse", "HEAD:app/store.py")
    lost = repo / ".git/objects" / oid[:2] / oid[2:]
    content = lost.read_bytes()
    lost.unlink()
    # The facts of the content are remembered, so nothing is missing yet.
    assert document(repo, "--rev", "HEAD")["unread"] == []
    cold = ("--rev", "HEAD", "--config", "max-file-size=4MB", "--config", "target-python=3.10")
    for _ in range(2):
        assert [one["path"] for one in document(repo, *cold, code=3)["unread"]] == ["app/store.py"]
    lost.write_bytes(content)
    found = document(repo, *cold)
    assert (found["unread"], found["score"]) == ([], whole["score"])


def test_duplicates_are_told_with_their_age(repo: Path) -> None:
    level = b"from enum import Enum\n\n\nclass Level(Enum):\n    LOW = 1\n    MIDDLE = 2\n    HIGH = 3\n"
    (repo / "app/levels.py").write_bytes(level)
    (repo / "app/main.py").write_bytes(b"from app.levels import Level\n\nprint(Level)\n")
    commit(repo, "levels")
    (repo / "app/copy.py").write_bytes(level)
    commit(repo, "copied")
    for _ in range(2):  # from git, and from what is remembered
        found = [one for one in document(repo)["findings"] if one["code"] == "SSOT001" and one["path"] == "app/copy.py"]
        assert [one["data"]["since"]["subject"] for one in found] == ["copied"]
        assert [one["data"]["canonical_since"]["subject"] for one in found] == ["levels"]
    page = inside("report", "--output", "html", cwd=repo).out
    assert "It is there since 2025-01-01" in page
