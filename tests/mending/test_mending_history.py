"""What the history makes certain is mended by `--fix`; what is only likely, or has another name, is not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.engine.support import git, inside, repository, write

BODY = """\
class Manager:
    def __init__(self, sockets):
        self.sockets = list(sockets)
        self.closed = False

    def broadcast(self, message):
        for socket in self.sockets:
            socket.send(message)
        return len(self.sockets)

    def close(self):
        self.closed = True
        for socket in self.sockets:
            socket.close()
"""
OTHER = BODY.replace("Manager", "Collector").replace("sockets", "shards").replace("send", "push")
USER = "from app.old import Manager  # the one\n\n\ndef make():\n    return Manager([])\n"


def moved(folder: Path, **steps: dict[str, str | None]) -> Path:
    """A repository with a commit for each step: contents by path, None for a file that goes."""
    repository(folder, {"app/__init__.py": b"", "README.md": b"\n"})
    for name, files in steps.items():
        for path, text in files.items():
            if text is None:
                (folder / path).unlink()
            else:
                write(folder, {path: text.encode()})
        git(folder, "add", "--all")
        git(folder, "commit", "--quiet", "--message", name)
    return folder


def test_a_class_that_was_moved(tmp_path: Path) -> None:
    folder = moved(
        tmp_path / "repo",
        first={"app/old.py": "import os\n\n" + BODY, "app/user.py": USER},
        second={"app/old.py": "import os\n", "app/new.py": BODY},
    )
    offered = json.loads(inside("check", "--select", "IMP", "--output", "json", cwd=folder).out)["findings"]
    assert [one["fix"]["applicability"] for one in offered] == ["unsafe"]
    assert inside("check", "--fix", "--select", "IMP", "--no-history", cwd=folder).err == ""
    run = inside("check", "--fix", "--select", "IMP", cwd=folder)
    assert (run.code, run.err) == (0, "guard: mended 1 finding in 1 file\n")
    assert (folder / "app/user.py").read_text() == USER.replace("app.old", "app.new")
    assert inside("shim", "app.old:Manager", cwd=folder).err.startswith("guard: app/old.py: Manager is imported from")


def test_a_module_that_was_moved(tmp_path: Path) -> None:
    user = "import app.old as o\nimport app.old\nfrom .old import Manager\nx = o, app.old.Manager, Manager\n"
    folder = moved(
        tmp_path / "repo",
        first={"app/old.py": BODY + OTHER, "app/user.py": user},
        second={"app/old.py": None, "app/sub/__init__.py": "", "app/sub/new.py": BODY + OTHER},
    )
    run = inside("check", "--fix", "--select", "IMP", cwd=folder)
    assert (run.code, run.err) == (0, "guard: mended 3 findings in 1 file\n")
    assert (folder / "app/user.py").read_text() == (
        "import app.sub.new as o\nimport app.sub.new\nfrom .sub.new import Manager\n"
        "x = o, app.sub.new.Manager, Manager\n"
    )


def test_a_class_that_was_renamed(tmp_path: Path) -> None:
    folder = moved(
        tmp_path / "repo",
        first={"app/old.py": BODY, "app/user.py": USER},
        second={"app/old.py": BODY.replace("Manager", "UnifiedManager")},
    )
    assert inside("check", "--fix", "--select", "IMP", cwd=folder).err == ""
    run = inside("check", "--fix", "--unsafe-fixes", "--select", "IMP", cwd=folder)
    assert (run.code, run.err) == (0, "guard: mended 1 finding in 1 file\n")
    assert (folder / "app/user.py").read_text() == USER.replace("Manager", "UnifiedManager")


def test_what_was_swallowed_runs_only_by_an_unsafe_fix(tmp_path: Path) -> None:
    user = "try:\n    from app.old import Manager\nexcept ImportError:\n    Manager = None\n"
    folder = moved(
        tmp_path / "repo",
        first={"app/old.py": BODY, "app/user.py": user},
        second={"app/old.py": "", "app/new.py": BODY},
    )
    assert inside("check", "--fix", "--select", "IMP", cwd=folder).err == ""
    run = inside("check", "--fix", "--unsafe-fixes", "--select", "IMP", cwd=folder)
    assert (run.code, run.err) == (0, "guard: mended 1 finding in 1 file\n")
    assert (folder / "app/user.py").read_text() == user.replace("app.old", "app.new")


def test_a_namesake_is_not_certain(tmp_path: Path) -> None:
    other = "class Manager:\n    def __init__(self, people): self.people = people\n    def hire(self): return 1\n"
    folder = moved(
        tmp_path / "repo",
        first={"app/old.py": BODY, "app/user.py": USER, "app/staff.py": other},
        second={"app/old.py": "x = 1\n"},
    )
    run = inside("check", "--fix", "--select", "IMP", cwd=folder)
    assert (run.code, run.err) == (1, "")
    assert (folder / "app/user.py").read_text() == USER
    shim = inside("shim", "app.old:Manager", cwd=folder)
    assert shim.code == 2
    assert "is not certain; it may be app.staff:Manager (" in shim.err


@pytest.mark.parametrize("how", ["shallow", "no git"])
def test_without_history_nothing_is_certain(tmp_path: Path, how: str) -> None:
    folder = moved(
        tmp_path / "repo",
        first={"app/old.py": BODY, "app/user.py": USER},
        second={"app/old.py": "", "app/new.py": BODY},
    )
    seen = tmp_path / "seen"
    if how == "shallow":
        git(tmp_path, "clone", "--quiet", "--depth=1", folder.as_uri(), str(seen))
    else:
        write(
            seen,
            {
                path: (folder / path).read_bytes()
                for path in ("app/user.py", "app/old.py", "app/new.py", "app/__init__.py")
            },
        )
    assert inside("check", "--fix", "--select", "IMP", cwd=seen).err == ""
    assert inside("check", "--fix", "--unsafe-fixes", "--select", "IMP", cwd=seen).err.startswith("guard: mended 1")
