"""`guard baseline`, and `guard check` with a baseline, in real repositories."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

import pytest

from tests.engine.support import git, inside, repository

FILE = "guard-baseline.jsonl"
FILES = {
    ".gitattributes": b"*.py text eol=lf\n*.toml text eol=lf\n",
    "guard.toml": b'baseline = "guard-baseline.jsonl"\n',
    "app/__init__.py": b"present = 1\n",
    "app/a.py": b"from app import lost\n",
    "app/b.py": b"from app import lost\nfrom app import lost as again\n",
}


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """A repository with old findings, all of them in its baseline."""
    folder = repository(tmp_path / "repo", FILES)
    run = inside("baseline", "write", cwd=folder)
    assert (run.code, run.out) == (0, "")
    assert f"3 findings written to {FILE}" in run.err
    git(folder, "add", FILE)
    git(folder, "commit", "--quiet", "--message", "the baseline")
    return folder


def found(folder: Path, *arguments: str) -> list[tuple[str, int, str]]:
    run = inside("check", "--output", "json", *arguments, cwd=folder)
    return [(one["path"], one["line"], one["code"]) for one in json.loads(run.out)["findings"]]


def lines(folder: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in (folder / FILE).read_text().splitlines()]


def test_known_findings_are_left_out_and_counted(repo: Path) -> None:
    run = inside("check", cwd=repo)
    assert run.code == 0
    assert "3 in the baseline" in run.out
    assert json.loads(inside("check", "--output", "json", cwd=repo).out)["baselined"] == 3
    assert [(line["path"], line["code"]) for line in lines(repo)] == [
        ("app/a.py", "IMP002"),
        ("app/b.py", "IMP002"),
        ("app/b.py", "IMP002"),
    ]
    before = (repo / FILE).read_bytes()
    assert inside("baseline", "write", cwd=repo).code == 0
    assert (repo / FILE).read_bytes() == before
    # The index and a revision have their own copy of it.
    assert inside("check", "--staged", cwd=repo).code == 0
    assert inside("check", "--rev", "HEAD", cwd=repo).code == 0


def test_no_old_finding_hides_a_new_one(repo: Path) -> None:
    (repo / "app/a.py").write_bytes(b"import os\nfrom app import lost\nfrom app import lost\n")
    (repo / "app/c.py").write_bytes(b"from app import lost\n")
    assert found(repo) == [("app/a.py", 3, "IMP002"), ("app/c.py", 1, "IMP002")]


def test_a_moved_file_takes_its_entries_along_and_a_copy_does_not(repo: Path) -> None:
    (repo / "app/a.py").rename(repo / "app/moved.py")
    assert found(repo) == []
    (repo / "app/copy.py").write_bytes(b"from app import lost\n")
    assert len(found(repo)) == 1


def test_the_entry_of_a_deleted_file_hides_nothing_in_one_that_was_there(repo: Path) -> None:
    (repo / "app/b.py").write_bytes(b"from app import other\n")
    assert inside("baseline", "write", cwd=repo).code == 0
    (repo / "app/a.py").unlink()
    (repo / "app/b.py").write_bytes(b"from app import other\nfrom app import lost\n")
    assert [one for one in found(repo) if one[2] == "IMP002"] == [("app/b.py", 2, "IMP002")]


def test_a_file_that_lost_a_finding_on_its_way_is_no_moved_one(repo: Path) -> None:
    (repo / "app/b.py").rename(repo / "app/moved.py")
    (repo / "app/moved.py").write_bytes(b"from app import lost\n")
    assert [one for one in found(repo) if one[2] == "IMP002"] == [("app/moved.py", 1, "IMP002")]


def test_mended_findings_leave_stale_entries_which_fix_and_prune_remove(repo: Path) -> None:
    (repo / "app/b.py").write_bytes(b"from app import lost\n")
    (repo / "app/a.py").unlink()
    before = (repo / FILE).read_bytes()
    stale = {line for line, entry in enumerate(lines(repo), 1) if entry["path"] == "app/a.py"}
    told = found(repo)
    assert [(path, code) for path, _, code in told] == [(FILE, "SUP004")] * 2
    assert stale < {line for _, line, _ in told}
    # Rules that did not run say nothing of their entries.
    assert found(repo, "--select", "DCF,SUP") == []
    assert inside("check", "--fix", cwd=repo).code == 0
    assert [line["path"] for line in lines(repo)] == ["app/b.py"]
    (repo / FILE).write_bytes(before)
    run = inside("baseline", "prune", cwd=repo)
    assert (run.code, run.err) == (0, f"guard: 2 stale entries removed from {FILE}\n")
    assert [line["path"] for line in lines(repo)] == ["app/b.py"]
    assert found(repo) == []


def test_stale_entries_are_told_only_where_their_rule_is_on(repo: Path) -> None:
    (repo / "app/a.py").unlink()
    assert found(repo, "--select", "IMP") == []
    assert found(repo, "--ignore", "SUP004") == []
    assert found(repo, "--config", f"per-file-ignores={{'{FILE}' = ['SUP004']}}") == []
    # To prune is to ask for it.
    assert inside("baseline", "prune", "--config", "ignore=['SUP']", cwd=repo).err.startswith("guard: 1 stale entry")


def test_prune_adds_nothing(repo: Path) -> None:
    (repo / "app/c.py").write_bytes(b"from app import lost\n")
    before = (repo / FILE).read_bytes()
    assert inside("baseline", "prune", cwd=repo).code == 0
    assert (repo / FILE).read_bytes() == before
    assert found(repo) == [("app/c.py", 1, "IMP002")]


def test_entries_of_a_file_that_cannot_be_read_stay(repo: Path) -> None:
    (repo / "app/b.py").write_bytes(b"def (\n")
    assert inside("baseline", "prune", "--config", "ignore=['SYN']", cwd=repo).code == 0
    assert len(lines(repo)) == 3


def test_a_narrowed_write_leaves_the_entries_of_others_alone(repo: Path) -> None:
    for name in ("a", "b"):
        (repo / f"app/{name}.py").write_bytes(b"from app import other\n")
    before = lines(repo)
    assert inside("baseline", "write", "app/a.py", cwd=repo).code == 0
    assert [line for line in lines(repo) if line["path"] == "app/b.py"] == before[1:]
    assert [line["fingerprint"] for line in lines(repo)[:1]] != [before[0]["fingerprint"]]
    assert inside("baseline", "write", "--select", "DCF", cwd=repo).code == 0
    assert len(lines(repo)) == 3


def test_two_branches_that_mend_and_add_merge(repo: Path) -> None:
    git(repo, "switch", "--quiet", "--create", "mends")
    (repo / "app/a.py").write_bytes(b"")
    inside("baseline", "prune", cwd=repo)
    git(repo, "commit", "--quiet", "--all", "--message", "mend a")
    git(repo, "switch", "--quiet", "main")
    (repo / "app/z.py").write_bytes(b"from app import lost\n")
    inside("baseline", "write", cwd=repo)
    git(repo, "add", "--all")
    git(repo, "commit", "--quiet", "--message", "a new one, on purpose")
    git(repo, "merge", "--quiet", "--no-edit", "mends")
    assert found(repo) == []
    assert [line["path"] for line in lines(repo)] == ["app/b.py", "app/b.py", "app/z.py"]


def mended(folder: Path, branch: str, number: int) -> None:
    """A branch that mends one of the findings of ten files, and takes its entry out."""
    git(folder, "switch", "--quiet", "--create", branch, "main")
    (folder / f"app/m{number}.py").write_bytes(b"")
    assert inside("baseline", "prune", cwd=folder).code == 0
    git(folder, "commit", "--quiet", "--all", "--message", branch)


def test_branches_that_mend_neighbours_merge_where_the_attributes_say_how(repo: Path) -> None:
    """git takes changes of adjacent lines for a conflict; with `merge=union` it keeps what either side has, so what is
    left is a stale entry, which is told and pruned, and never an unknown finding."""
    with (repo / ".gitattributes").open("ab") as attributes:
        attributes.write(b"%s text eol=lf merge=union\n" % FILE.encode())
    for number in range(10):
        (repo / f"app/m{number}.py").write_bytes(b"from app import lost\n")
    inside("baseline", "write", cwd=repo)
    git(repo, "add", "--all")
    git(repo, "commit", "--quiet", "--message", "ten more")
    mended(repo, "one", 4)
    mended(repo, "other", 5)
    git(repo, "merge", "--quiet", "--no-edit", "one")
    assert {(path, code) for path, _, code in found(repo)} <= {(FILE, "SUP004")}
    assert inside("baseline", "prune", cwd=repo).code == 0
    assert [line["path"] for line in lines(repo) if "/m" in line["path"]] == [
        f"app/m{number}.py" for number in range(10) if number not in (4, 5)
    ]
    assert found(repo) == []


def test_branches_that_add_at_one_place_merge_where_the_attributes_say_how(repo: Path) -> None:
    with (repo / ".gitattributes").open("ab") as attributes:
        attributes.write(b"%s text eol=lf merge=union\n" % FILE.encode())
    git(repo, "commit", "--quiet", "--all", "--message", "attributes")
    for name in ("x", "y"):
        git(repo, "switch", "--quiet", "--create", name, "main")
        (repo / f"app/{name}.py").write_bytes(b"from app import lost\n")
        inside("baseline", "write", cwd=repo)
        git(repo, "add", "--all")
        git(repo, "commit", "--quiet", "--message", name)
    git(repo, "merge", "--quiet", "--no-edit", "x")
    assert found(repo) == []
    before = (repo / FILE).read_bytes()
    # Both sides' entries, and no order of a merge that the next write would not keep.
    assert inside("baseline", "write", cwd=repo).code == 0
    assert sorted(before.splitlines()) == (repo / FILE).read_bytes().splitlines()


def test_without_them_a_conflict_is_an_error_and_no_loss(repo: Path) -> None:
    for number in range(10):
        (repo / f"app/m{number}.py").write_bytes(b"from app import lost\n")
    inside("baseline", "write", cwd=repo)
    git(repo, "add", "--all")
    git(repo, "commit", "--quiet", "--message", "ten more")
    mended(repo, "one", 4)
    mended(repo, "other", 5)
    merge = subprocess.run(["git", "merge", "--quiet", "--no-edit", "one"], cwd=repo, check=False, capture_output=True)
    assert merge.returncode == 1
    run = inside("check", cwd=repo)
    assert run.code == 2
    assert "not an entry of a baseline" in run.err


def test_ten_thousand_findings(tmp_path: Path) -> None:
    modules = {
        f"app/m{module:02}.py": b"".join(b"from app import lost_%d_%d\n" % (module, number) for number in range(100))
        for module in range(100)
    }
    folder = repository(
        tmp_path / "repo", {**modules, "app/__init__.py": b"here = 1\n", ".gitattributes": b"* text eol=lf\n"}
    )
    inside("check", "--output", "concise", cwd=folder)
    check = seconds("check", "--output", "concise", cwd=folder)
    written = []
    for _ in range(2):
        (folder / FILE).unlink(missing_ok=True)
        written.append(seconds("baseline", "write", cwd=folder))
    assert min(written) - check < 1
    assert len(lines(folder)) == 10_000
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "the baseline")
    # One more is one line, one less is one line, and moved lines are none.
    more, less = folder / "app/m50.py", folder / "app/m70.py"
    more.write_bytes(b"# moves all lines down\n\nfrom app import one_more\n" + more.read_bytes())
    less.write_bytes(less.read_bytes().replace(b"from app import lost_70_7\n", b""))
    assert inside("baseline", "write", cwd=folder).code == 0
    assert git(folder, "diff", "--numstat", "--", FILE).split() == ["1", "1", FILE]


def seconds(*arguments: str, cwd: Path) -> float:
    """What a run takes."""
    began = time.monotonic()
    inside(*arguments, cwd=cwd)
    return time.monotonic() - began


def test_an_entry_twice_is_one_too_many(repo: Path) -> None:
    first = (repo / FILE).read_text().splitlines(keepends=True)[0]
    (repo / FILE).write_text(first + (repo / FILE).read_text())
    assert len(found(repo)) == 1
    assert inside("baseline", "prune", cwd=repo).code == 0
    assert len(lines(repo)) == 3


def test_since_compares_what_the_baseline_does_not_know(repo: Path) -> None:
    (repo / "app/c.py").write_bytes(b"from app import lost\n")
    assert found(repo, "--since", "HEAD") == [("app/c.py", 1, "IMP002")]


def test_since_leaves_out_what_the_baseline_of_either_tree_knows(repo: Path) -> None:
    (repo / "app/a.py").unlink()
    git(repo, "commit", "--quiet", "--all", "--message", "leaves a stale entry")
    assert [code for _, _, code in found(repo)] == ["SUP004"]
    assert found(repo, "--since", "HEAD") == []
    # To take an entry out of the baseline brings its finding back.
    (repo / FILE).write_text("".join((repo / FILE).read_text().splitlines(keepends=True)[:2]))
    assert [code for _, _, code in found(repo, "--since", "HEAD")] == ["IMP002"]


def test_another_file_can_be_named(repo: Path) -> None:
    (repo / "guard.toml").write_bytes(b"")
    assert len(found(repo)) == 3
    assert found(repo, "--baseline", FILE) == []
    run = subprocess.run(["git", "status", "--porcelain"], cwd=repo, check=True, capture_output=True, text=True)
    assert run.stdout == " M guard.toml\n"
    written = inside("baseline", "write", "--file", "known.jsonl", cwd=repo / "app")
    assert written.code == 0
    assert 'set baseline = "app/known.jsonl" in the configuration' in written.err
    assert (repo / "app/known.jsonl").is_file()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'<<<<<<< HEAD\n{"path":"a","code":"b","fingerprint":"c"}\n', "guard-baseline.jsonl:1: not an entry"),
        (b'{"path":"a","code":"b","fingerprint":"c"}\n{"path":1}\n', "guard-baseline.jsonl:2: not an entry"),
        (b'{"path":"a","code":"b","fingerprint":"c","more":1}\n', "guard-baseline.jsonl:1: not an entry"),
        (b"\xff\n", "guard-baseline.jsonl:1: not an entry"),
        (None, "guard-baseline.jsonl: the baseline is not in the worktree; run: guard baseline write"),
    ],
)
def test_a_baseline_that_cannot_be_read_is_an_error(repo: Path, content: bytes | None, said: str) -> None:
    if content is None:
        (repo / FILE).unlink()
    else:
        (repo / FILE).write_bytes(content)
    run = inside("check", cwd=repo)
    assert run.code == 2
    assert said in run.err
    assert len(run.err.splitlines()) == 1


def test_a_damaged_baseline_can_be_written_anew(repo: Path) -> None:
    good = (repo / FILE).read_bytes()
    (repo / FILE).write_bytes(b"<<<<<<< HEAD\n" + good)
    run = inside("baseline", "write", cwd=repo)
    assert (run.code, len(run.err.splitlines())) == (2, 1)
    assert "mend the line, or delete the file and run: guard baseline write" in run.err
    (repo / FILE).unlink()
    assert inside("baseline", "write", cwd=repo).code == 0
    assert (repo / FILE).read_bytes() == good


def test_a_tree_without_files_is_no_bug_and_no_baseline(tmp_path: Path) -> None:
    folder = repository(tmp_path / "empty", {})
    other = repository(tmp_path / "other", {"a.py": b""})
    git(folder, "update-index", "--add", "--cacheinfo", f"160000,{git(other, 'rev-parse', 'HEAD')},module")
    run = inside("baseline", "write", cwd=folder)
    assert (run.code, run.err) == (3, "guard: nothing could be checked, so nothing is written\n")
    assert not (folder / FILE).exists()


def test_nothing_is_written_where_not_everything_was_checked(repo: Path) -> None:
    (repo / "app/big.py").write_bytes(b"#" * 200)
    before = (repo / FILE).read_bytes()
    run = inside("baseline", "write", "--config", "max-file-size=100", cwd=repo)
    assert run.code == 3
    assert "not everything could be checked, so nothing is written: app/big.py" in run.err
    assert (repo / FILE).read_bytes() == before


def test_a_baseline_outside_of_the_repository_is_refused(repo: Path) -> None:
    run = inside("check", "--baseline", "../known.jsonl", cwd=repo)
    assert run.code == 2
    assert "is outside of" in run.err
