"""`guard check --history`: the same answers inside findings."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from history_support import History, guard, other, service

MAIN = "from app.net import Client\nfrom app.gone import First, Second\n"


@pytest.fixture
def history(tmp_path: Path) -> History:
    made = History.make(tmp_path / "repo")
    gone = other("First") + "\n\ndef Second(): ...\n"
    made.commit({"app/__init__.py": "", "app/net.py": service(), "app/gone.py": gone, "app/main.py": MAIN})
    return made


def findings(history: History, *options: str) -> dict[str, Any]:
    run = guard(history.path, "check", "--select", "IMP", "--output", "json", *options)
    return {finding["code"]: finding for finding in json.loads(run.stdout)["findings"]}


def test_what_the_tree_alone_says(history: History) -> None:
    history.commit(
        {"app/net.py": "x = 1\n", "app/wire.py": service(), "app/gone.py": None, "app/one.py": other("First")}
    )
    found = findings(history)
    name = found["IMP002"]
    assert name["data"]["names"] == ["Client"]
    assert name["data"]["candidates"] == [
        {
            "for": "Client",
            "certainty": "likely",
            "module": "app.wire",
            "name": "Client",
            "kind": "class",
            "path": "app/wire.py",
            "line": 1,
            "reasons": ["the only definition of that name"],
        }
    ]
    assert name["help"] == "Import Client from app.wire: the only definition of that name."
    module = found["IMP001"]
    assert module["data"]["names"] == ["First", "Second"]
    assert [one["for"] for one in module["data"]["candidates"]] == ["First"]
    assert module["help"] == "First is defined in app/one.py."


def test_a_file_that_is_no_python_may_define_it_too(history: History) -> None:
    broken = "import (\n\n" + service()
    history.commit({"app/net.py": "x = 1\n", "app/wire.py": service(), "app/broken.py": broken})
    (candidate,) = findings(history)["IMP002"]["data"]["candidates"]
    assert (candidate["certainty"], candidate["module"]) == ("possible", "app.wire")
    assert candidate["reasons"] == ["same name", "but app/broken.py seems to define it too, and is no valid Python"]
    history.commit({"app/broken.py": broken.replace("Client", "Others")})
    (candidate,) = findings(history)["IMP002"]["data"]["candidates"]
    assert candidate["certainty"] == "likely"


def test_what_the_history_adds(history: History) -> None:
    commit = history.commit({"app/net.py": "x = 1\n", "app/wire.py": service(), "app/gone.py": None}, "tidy up")
    found = findings(history, "--history")
    name = found["IMP002"]
    assert name["data"]["candidates"][0]["certainty"] == "certain"
    assert name["data"]["history"][0]["commit"] == commit
    assert name["help"] == (
        f'Client is gone since {commit[:12]} of 2025-03-02, "tidy up". '
        "It is app.wire:Client now: same body; same name, same kind."
    )
    module = found["IMP001"]
    assert [one["verdict"] for one in module["data"]["history"]] == ["removed", "removed"]
    assert "Nothing took its place" in module["help"]
    assert found["IMP002"]["fingerprint"] == findings(history)["IMP002"]["fingerprint"]


def test_a_name_that_somebody_made_up(history: History) -> None:
    history.commit({"app/main.py": "from app.net import Invented\n"})
    assert findings(history, "--history")["IMP002"]["help"] == "Invented was never there, in no commit."


def test_the_same_bytes_whatever_the_cache_holds(history: History) -> None:
    history.commit({"app/net.py": "x = 1\n", "app/wire.py": service()})
    plain = findings(history)
    with_history = findings(history, "--history")
    assert findings(history) == plain
    assert findings(history, "--history") == with_history
    assert findings(history, "--no-cache") == plain
    assert findings(history, "--no-cache", "--history") == with_history


def test_without_git_there_is_no_history(tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app/__init__.py").write_text("")
    (tmp_path / "app/net.py").write_text("x = 1\n")
    (tmp_path / "app/main.py").write_text("from app.net import Client\n")
    run = guard(tmp_path, "check", "--select", "IMP", "--history", "--output", "json")
    found = json.loads(run.stdout)["findings"][0]
    assert found["data"]["history"][0]["unseen"] == ["there is no git repository here, so no history"]


@pytest.mark.parametrize(("option", "told"), [("", True), ("--no-history", False)])
def test_a_terminal_is_told_of_a_few_names(history: History, option: str, told: bool) -> None:
    history.commit({"app/net.py": "x = 1\n", "app/wire.py": service()}, "tidy up")
    assert "tidy up" not in guard(history.path, "check", "--select", "IMP").stdout
    assert ("tidy up" in on_terminal(history.path, "check", "--select", "IMP", *filter(None, [option]))) is told


def on_terminal(cwd: Path, *arguments: str) -> str:
    """What `guard` prints on a terminal."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "TERM": "dumb"}
    command = [sys.executable, "-m", "guard", *arguments]
    with subprocess.Popen(command, cwd=cwd, stdout=theirs, stderr=subprocess.DEVNULL, env=environment) as process:
        os.close(theirs)
        printed = b""
        while True:
            try:
                chunk = os.read(ours, 65536)
            except OSError:
                break
            if not chunk:
                break
            printed += chunk
        process.wait()
    os.close(ours)
    return printed.decode()
