"""`guard bisect`: the commit that brought a finding in."""

from __future__ import annotations

import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from history_support import History, guard, service

from guard.cli.bisect import _chosen
from guard.model import GuardError, Report

MAIN = "from app.net import Client\n"


@pytest.fixture
def history(tmp_path: Path) -> History:
    made = History.make(tmp_path / "repo")
    made.commit({"app/__init__.py": "", "app/net.py": service(), "app/main.py": MAIN}, "begin")
    for number in range(3):
        made.commit({"readme": f"{number}\n"}, f"before {number}")
    return made


def more(history: History, number: int) -> None:
    for count in range(number):
        history.commit({"notes": f"{count}\n"}, f"after {count}")


def fingerprint(history: History, code: str = "IMP002") -> str:
    return str(history.findings(code)[0]["fingerprint"])


def test_a_name_that_was_removed(history: History) -> None:
    commit = history.commit({"app/net.py": "x = 1\n"}, "drop the client")
    more(history, 6)
    found = history.bisect(fingerprint(history)[:8])
    assert (found["origin"], found["commit"]["hash"]) == ("commit", commit)
    assert found["commit"]["subject"] == "drop the client"
    assert found["touched"] == [{"path": "app/net.py", "line": 0, "how": "changed"}]
    assert found["finding"]["path"] == "app/main.py"
    assert found["notes"] == []


def test_an_import_that_was_wrong_from_its_beginning(history: History) -> None:
    commit = history.commit({"app/late.py": "import os\nfrom app.net import Nothing\n"}, "invent a name")
    more(history, 2)
    found = history.bisect(fingerprint(history))
    assert found["commit"]["hash"] == commit
    assert found["touched"][0] == {"path": "app/late.py", "line": 2, "how": "added"}
    text = guard(history.path, "bisect", fingerprint(history)).stdout
    assert "app/late.py:2  added, the finding" in text
    assert "invent a name" in text


def test_a_module_that_was_deleted(history: History) -> None:
    commit = history.commit({"app/net.py": None}, "delete")
    more(history, 1)
    found = history.bisect(fingerprint(history, "IMP001"))
    assert found["commit"]["hash"] == commit
    assert found["touched"] == [{"path": "app/net.py", "line": 0, "how": "deleted"}]


def test_the_youngest_commit(history: History) -> None:
    commit = history.commit({"app/net.py": "x = 1\n"})
    assert history.bisect(fingerprint(history))["commit"]["hash"] == commit


def test_brought_in_by_a_branch(history: History) -> None:
    history.git("checkout", "--quiet", "-b", "side")
    history.commit({"side": "1\n"})
    commit = history.commit({"app/net.py": "x = 1\n"}, "on the side")
    history.commit({"side": "2\n"})
    history.git("checkout", "--quiet", "main")
    history.commit({"main": "1\n"})
    history.merge("side")
    more(history, 3)
    found = history.bisect(fingerprint(history))
    assert (found["origin"], found["commit"]["hash"]) == ("commit", commit)


def test_brought_in_by_two_branches_together(history: History) -> None:
    history.git("checkout", "--quiet", "-b", "side")
    history.commit({"app/second.py": "from app.net import Client\nx = 1\n", "app/main.py": "x = 1\n"})
    history.git("checkout", "--quiet", "main")
    history.commit({"app/net.py": "x = 1\n", "app/main.py": "x = 1\n"})
    merge = history.merge("side", "both")
    more(history, 2)
    found = history.bisect(fingerprint(history))
    assert (found["origin"], found["commit"]["hash"]) == ("merge", merge)


def test_always_there(tmp_path: Path) -> None:
    made = History.make(tmp_path / "repo")
    first = made.commit({"app/__init__.py": "", "app/net.py": "", "app/main.py": "from app.net import Client\n"})
    more(made, 5)
    found = made.bisect(fingerprint(made))
    assert (found["origin"], found["commit"]["hash"]) == ("root", first)


def test_not_committed_yet(history: History) -> None:
    history.write({"app/net.py": "x = 1\n"})
    found = history.bisect(fingerprint(history))
    assert (found["origin"], found["commit"]) == ("uncommitted", None)
    assert "not committed yet" in guard(history.path, "bisect", fingerprint(history)).stdout


def test_come_and_gone_and_come_again(history: History) -> None:
    history.commit({"app/net.py": "x = 1\n"}, "first")
    more(history, 2)
    back = history.commit({"app/net.py": service()}, "back")
    history.commit({"notes": "x\n"})
    again = history.commit({"app/net.py": "x = 2\n"}, "second")
    more(history, 5)
    found = history.bisect(fingerprint(history))
    assert found["commit"]["hash"] == again
    if found["notes"]:
        assert back[:12] in found["notes"][0] or "does not have it" in found["notes"][0]


def test_a_gap_that_the_steps_jump_over_is_found_and_told(history: History) -> None:
    history.commit({"app/net.py": "x = 1\n"}, "first")
    more(history, 8)
    history.commit({"app/net.py": service()}, "back")
    again = history.commit({"app/net.py": "x = 2\n"}, "second")
    more(history, 4)
    found = history.bisect(fingerprint(history))
    assert found["commit"]["hash"] == again
    assert "it had come and gone before" in found["notes"][0]


def test_a_commit_whose_file_cannot_be_read_as_python(history: History) -> None:
    history.commit({"app/main.py": f"{MAIN}def f(:\n", "app/net.py": "x = 1\n"}, "broken")
    more(history, 1)
    history.commit({"app/main.py": MAIN}, "mended")
    more(history, 2)
    found = history.bisect(fingerprint(history))
    subjects = {history.git("log", "-1", "--format=%s", oid) for oid in (found["commit"]["hash"], *found["skipped"])}
    assert "broken" in subjects


def test_a_file_that_moved_keeps_its_finding(history: History) -> None:
    commit = history.commit({"app/net.py": "x = 1\n"}, "drop")
    more(history, 1)
    history.git("mv", "app/main.py", "app/start.py")
    history.commit({}, "move")
    assert history.bisect(fingerprint(history))["commit"]["hash"] == commit


def test_one_of_several_files(history: History) -> None:
    first = history.commit({"app/net.py": "x = 1\n"}, "drop")
    second = history.commit({"app/again.py": MAIN}, "again")
    more(history, 2)
    sought = fingerprint(history)
    assert history.bisect(sought)["commit"]["hash"] == first
    assert history.bisect(sought, "app/again.py")["commit"]["hash"] == second


def test_a_shallow_clone(history: History) -> None:
    history.commit({"app/net.py": "x = 1\n"})
    more(history, 4)
    sought = fingerprint(history)
    clone = history.path.parent / "clone"
    subprocess.run(["git", "clone", "--quiet", "--depth=3", f"file://{history.path}", str(clone)], check=True)
    run = guard(clone, "bisect", sought)
    assert run.returncode == 0
    assert "older than what this shallow clone has" in run.stdout


def test_a_revision_in_a_bare_repository(history: History) -> None:
    commit = history.commit({"app/net.py": "x = 1\n"})
    more(history, 2)
    sought = fingerprint(history)
    bare = history.path.parent / "bare.git"
    history.git("clone", "--quiet", "--bare", ".", str(bare))
    run = guard(bare, "bisect", sought, "--rev", "main")
    assert (run.returncode, commit[:12] in run.stdout) == (0, True)


def test_the_checkout_is_not_touched(history: History) -> None:
    history.commit({"app/net.py": "x = 1\n"})
    more(history, 2)
    sought = fingerprint(history)
    before = sorted((path, path.stat().st_mtime_ns) for path in history.path.rglob("*") if path.is_file())
    history.bisect(sought)
    assert before == sorted((path, path.stat().st_mtime_ns) for path in history.path.rglob("*") if path.is_file())


@pytest.mark.parametrize("asked", ["ffffffff", "xyz", "12", "--output"])
def test_what_no_finding_has(history: History, asked: str) -> None:
    run = guard(history.path, "bisect", asked)
    assert run.returncode == 2
    assert "Traceback" not in run.stderr


def test_two_fingerprints_with_one_beginning() -> None:
    findings = [SimpleNamespace(fingerprint="abcd1", path="a"), SimpleNamespace(fingerprint="abcd2", path="b")]
    report = cast(Report, cast(Any, SimpleNamespace(findings=findings)))
    with pytest.raises(GuardError, match="2 fingerprints begin with abcd"):
        _chosen(report, "abcd", None)
    assert _chosen(report, "abcd", "b").path == "b"
