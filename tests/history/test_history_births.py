"""Since when each of several definitions is there: `guard check --select SSOT001 --history` in real repositories."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from history_support import History, guard, other, service

USE = "from app.clients import Client\nprint(Client)\n"
BASE = {"app/__init__.py": "", "app/clients.py": service(), "app/main.py": USE, "app/jobs.py": USE}


def told(history: History, *arguments: str) -> dict[str, Any]:
    """The findings by path."""
    run = guard(
        history.path, "check", "--select", "SSOT001", "--history", "--output", "json", "--exit-zero", *arguments
    )
    return {finding["path"]: finding for finding in json.loads(run.stdout)["findings"]}


def test_a_copy_and_the_original(tmp_path: Path) -> None:
    history = History.make(tmp_path / "repo")
    first = history.commit(BASE, "the client")
    history.commit({"app/other.py": other("Reader")})
    copied = history.commit({"app/other.py": other("Reader") + "\n\n" + service()}, 'copied "as it is"')
    history.commit({"app/other.py": "import os\n\n\n" + other("Reader") + "\n\n" + service()}, "later")
    found = told(history)
    assert found["app/other.py"]["data"]["since"] == {
        "commit": copied,
        "date": "2025-03-03T10:00:00+01:00",
        "path": "app/other.py",
        "subject": 'copied "as it is"',
    }
    assert found["app/other.py"]["data"]["canonical_since"]["commit"] == first
    assert found["app/clients.py"]["data"]["since"]["commit"] == first
    # As of a revision.
    assert told(history, "--rev", copied)["app/other.py"]["data"]["since"]["commit"] == copied


def test_the_text_says_which_is_the_older(tmp_path: Path) -> None:
    history = History.make(tmp_path / "repo")
    old = history.commit({"app/__init__.py": "", "app/old.py": service()}, "the old one")
    new = history.commit(BASE, "the new one")
    run = guard(history.path, "check", "--select", "SSOT001", "--history", "--exit-zero")
    text = " ".join(run.stdout.split())
    assert f'It is there since 2025-03-01 ({old[:12]} "the old one").' in text
    assert f'This one is the older of the two: the other is there since 2025-03-02 ({new[:12]} "the new one").' in text


def test_a_definition_that_moved_is_as_old_as_it_was(tmp_path: Path) -> None:
    history = History.make(tmp_path / "repo")
    history.commit({"app/__init__.py": "", "app/first.py": other("Reader") + "\n\n" + service()}, "begun")
    history.commit({"app/first.py": other("Reader"), "app/second.py": service()}, "taken out")
    history.commit({"app/second.py": None, "app/clients.py": service()}, "renamed")
    history.commit({**BASE, "app/copy.py": service()}, "copied")
    since = told(history)["app/copy.py"]["data"]["canonical_since"]
    assert (since["commit"], since["path"]) == (history.commits[0], "app/first.py")


def test_what_was_gone_for_a_while_begins_anew(tmp_path: Path) -> None:
    history = History.make(tmp_path / "repo")
    history.commit({**BASE, "app/copy.py": service()})
    history.commit({"app/copy.py": other("Reader")})
    again = history.commit({"app/copy.py": service()})
    assert told(history)["app/copy.py"]["data"]["since"]["commit"] == again


def test_a_bulk_move_is_followed(tmp_path: Path) -> None:
    history = History.make(tmp_path / "repo")
    many = {f"old/m{number}.py": f"A = {number}\n" for number in range(450)}
    history.commit({"old/__init__.py": "", "old/clients.py": service(), **many}, "begun")
    moved = {path.replace("old/", "app/"): f"{text}\n" for path, text in many.items()}
    edited = {"app/clients.py": "import os\n\n\n" + service(), "old/clients.py": None}
    history.commit({**BASE, **edited, **moved, **dict.fromkeys(many), "old/__init__.py": None}, "moved")
    history.commit({"app/copy.py": service()}, "copied")
    since = told(history)["app/copy.py"]["data"]["canonical_since"]
    assert (since["commit"], since["path"]) == (history.commits[0], "old/clients.py")


def test_what_is_not_committed_has_no_date(tmp_path: Path) -> None:
    history = History.make(tmp_path / "repo")
    history.write({**BASE, "app/copy.py": service()})
    assert not {"since", "canonical_since"} & told(history)["app/copy.py"]["data"].keys()
    (history.path / "app/copy.py").unlink()
    history.commit(BASE)
    history.write({"app/copy.py": service()})
    data = told(history)["app/copy.py"]["data"]
    assert "since" not in data
    assert data["canonical_since"]["commit"] == history.commits[0]


def test_a_shallow_clone_says_that_it_is(tmp_path: Path) -> None:
    history = History.make(tmp_path / "repo")
    history.commit(BASE)
    history.commit({"app/copy.py": service()})
    shallow = History(tmp_path / "shallow")
    history.git("clone", "--quiet", "--depth=1", f"file://{history.path}", str(shallow.path))
    run = guard(shallow.path, "check", "--select", "SSOT001", "--history", "--exit-zero")
    assert "cannot be told for sure: the history here is shallow" in " ".join(run.stdout.split())
