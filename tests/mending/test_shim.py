"""`guard shim`: what it writes, that it works when Python imports it, and what it refuses."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.engine.support import git, inside, outside, repository, without_privilege

FILES = {
    "app/__init__.py": b"",
    "app/new.py": b"class Manager: ...\nclass Other: ...\n",
    "app/main.py": b"from app.old import Manager\nfrom app.lost.deep import Other\n",
    "app/old.py": b'"""Old."""\nimport os\n\n__all__ = [\n    \'x\',  # first\n]\nx = os\n',
}


def imported(folder: Path, statement: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "always", "-c", statement], cwd=folder, capture_output=True, text=True, check=False
    )


def test_a_module_that_is_there(tmp_path: Path) -> None:
    folder = repository(tmp_path / "repo", FILES)
    run = inside("shim", "app.old:Manager", "--to", "app.new", cwd=folder)
    assert (run.code, run.out) == (0, "")
    assert run.err == "guard: app/old.py: Manager is imported from app.new:Manager again\nguard: mended 1 finding\n"
    assert (folder / "app/old.py").read_bytes() == (
        b'"""Old."""\nimport os\nfrom app.new import Manager  # deprecated: import from app.new instead\n\n'
        b"__all__ = [\n    'x',\n    'Manager',  # first\n]\nx = os\n"
    )
    assert imported(folder, "from app.old import *; print(Manager, x)").returncode == 0
    again = inside("shim", "app.old:Manager", "--to", "app.new", cwd=folder)
    assert (again.code, again.err) == (0, "guard: app.old:Manager is there: nothing to do\n")


DEPRECATED = b"from app.new import Manager  # noqa: F401  # deprecated: import from app.new instead\n"
BECOMES = {
    b"x = 1\r\n": DEPRECATED.replace(b"\n", b"\r\n") + b"x = 1\r\n",
    b"\xef\xbb\xbf# -*- coding: utf-8 -*-\nimport os": b"\xef\xbb\xbf# -*- coding: utf-8 -*-\nimport os\n"
    + DEPRECATED[:-1],
    b'"""Old."""\n__all__ = ()\n': b'"""Old."""\n\n'
    + DEPRECATED.replace(b"  # noqa: F401", b"")
    + b'__all__ = ("Manager",)\n',
    b"from __future__ import annotations\n__all__ = ['x'] + ['y']\nx = y = 1\n": b"from __future__ import annotations\n"
    + DEPRECATED
    + b"__all__ = ['x'] + ['y']\nx = y = 1\n",
}


@pytest.mark.parametrize(("old", "new"), BECOMES.items())
def test_what_a_module_becomes(tmp_path: Path, old: bytes, new: bytes) -> None:
    folder = repository(tmp_path / "repo", {**FILES, "app/old.py": old})
    run = inside("shim", "app.old:Manager", "--unsafe-fixes", cwd=folder)
    assert run.code == 0, run.err
    assert (folder / "app/old.py").read_bytes() == new


def test_a_module_that_is_gone(tmp_path: Path) -> None:
    folder = repository(tmp_path / "repo", FILES)
    (folder / "app/new.py").chmod(0o640)
    run = inside("shim", "app.lost.deep:Other", "--unsafe-fixes", cwd=folder)
    assert run.code == 0, run.err
    assert git(folder, "status", "--short", "-uall") == "?? app/lost/__init__.py\n?? app/lost/deep.py"
    assert (folder / "app/lost/__init__.py").read_bytes() == b""
    done = imported(folder, "from app.lost.deep import Other; from app.lost.deep import Other; print(Other)")
    assert done.stdout == "<class 'app.new.Other'>\n"
    # Once, at the line that imports it (which Python 3.13 shows too).
    warned, *_shown = done.stderr.splitlines()
    assert warned == "<string>:1: DeprecationWarning: app.lost.deep is deprecated: import from app.new"
    assert done.stderr.count("DeprecationWarning") == 1
    more = inside("shim", "app.lost.deep", cwd=folder)
    assert (more.code, more.err) == (0, "guard: app.lost.deep is there: nothing to do\n")


def test_all_that_is_taken_from_a_module(tmp_path: Path) -> None:
    files = {
        **FILES,
        "app/main.py": b"from app.lost import Manager, Other as O\nfrom .lost import helper, Manager\n",
        "app/tools.py": b"def helper(): ...\n",
    }
    folder = repository(tmp_path / "repo", files)
    run = inside("shim", "app.lost", "--unsafe-fixes", cwd=folder)
    assert run.code == 0, run.err
    assert (folder / "app/lost.py").read_text() == (
        '"""Deprecated: what was here is in app.new and app.tools now."""\n\nimport warnings\n\n'
        "from app.new import Manager, Other\nfrom app.tools import helper\n\n"
        '__all__ = ["Manager", "Other", "helper"]\n\n'
        'warnings.warn(\n    "app.lost is deprecated: import from app.new and app.tools",\n'
        "    DeprecationWarning,\n    stacklevel=2,\n)\n"
    )
    assert imported(folder, "import app.main").returncode == 0


def test_another_name(tmp_path: Path) -> None:
    folder = repository(tmp_path / "repo", FILES)
    run = inside("shim", "app.old:Manager", "--to", "app.new:Other", cwd=folder)
    assert run.code == 0
    assert "from app.new import Other as Manager  # deprecated" in (folder / "app/old.py").read_text()


def test_a_folder_without_init(tmp_path: Path) -> None:
    folder = repository(
        tmp_path / "repo",
        {**FILES, "app/space/part.py": b"", "app/main.py": b"from app.space import Other\nimport app.space.part\n"},
    )
    run = inside("shim", "app.space:Other", "--to", "app.new", cwd=folder)
    assert run.code == 0, run.err
    assert imported(folder, "import app.main").returncode == 0


def test_diff_writes_nothing_and_git_applies_it(tmp_path: Path) -> None:
    folder = repository(tmp_path / "repo", FILES)
    run = inside("shim", "app.lost.deep:Other", "--unsafe-fixes", "--diff", cwd=folder)
    assert git(folder, "status", "--short") == ""
    subprocess.run(["git", "apply", "-"], cwd=folder, input=run.out.encode(), check=True)
    assert (folder / "app/lost/__init__.py").read_bytes() == b""
    assert imported(folder, "import app.lost.deep").returncode == 0


REFUSED = {
    "app.old:Manager": (2, "where Manager of app.old went is not certain; it may be app.new:Manager (likely). "),
    "app.old:Nothing --unsafe-fixes": (
        2,
        "where Nothing of app.old went is not certain. Say where it is: --to MODULE:NAME",
    ),
    "app.old:Manager --to app.new:Gone": (2, "--to app.new:Gone: app.new does not bind Gone"),
    "app.old:Manager --to app.gone": (2, "--to app.gone: app.gone does not bind Manager"),
    "app.old:Manager --to ../x": (2, '--to "../x" is neither MODULE:NAME nor MODULE'),
    "a/b": (2, '"a/b" is neither MODULE:NAME nor MODULE'),
    "app.old:a.b": (2, '"app.old:a.b" is neither MODULE:NAME nor MODULE'),
    "nobody.knows:X --to app.new:Other": (2, "nothing in this tree is called nobody, so it is not known where"),
    "app.new.sub:X --to app.old:x": (
        2,
        "app/new.py is a module, so nothing can be below it: app.new.sub cannot come back",
    ),
    "app.lost.other": (2, "nothing in this tree takes a missing name from app.lost.other: say which"),
    "app.base:Client --to app.client": (1, "app.client loads app.base, so a shim there would be an import cycle"),
    "app.broken:X --to app.new:Other": (3, "app/broken.py cannot be parsed, so it is not known what it binds"),
}


@pytest.mark.parametrize("arguments", REFUSED)
def test_refused(tmp_path: Path, arguments: str) -> None:
    files = {
        **FILES,
        "app/base.py": b"class Base: ...\n",
        "app/client.py": b"from app.base import Base\nclass Client(Base): ...\n",
        "app/broken.py": b"def f(:\n",
    }
    folder = repository(tmp_path / "repo", files)
    run = inside("shim", *arguments.split(), cwd=folder)
    code, message = REFUSED[arguments]
    assert run.err.startswith(f"guard: {message}"), run.err
    assert (run.code, run.err.count("\n")) == (code, 1)
    assert git(folder, "status", "--short") == ""


def test_what_would_bring_in_a_finding_is_refused(tmp_path: Path) -> None:
    files = {
        **FILES,
        "app/new.py": b"class Manager:\n    def __init__(self, name): ...\n",
        "app/main.py": b"from app.old import Manager\nManager()\n",
    }
    folder = repository(tmp_path / "repo", files)
    run = inside("shim", "app.old:Manager", "--to", "app.new", cwd=folder)
    assert run.code == 1
    assert run.err.startswith("guard: refused: it would bring in DCF003 at app/main.py:2: ")
    assert git(folder, "status", "--short") == ""


def test_links_that_lead_out_and_folders_that_cannot_be_written(tmp_path: Path) -> None:
    folder = repository(tmp_path / "repo", FILES)
    (folder / "app").chmod(0o500)
    run = outside("shim", "app.lost.deep:Other", "--unsafe-fixes", cwd=folder, preexec_fn=without_privilege)
    (folder / "app").chmod(0o700)
    assert (run.code, run.err) == (4, "guard: app/lost/__init__.py: cannot be written: Permission denied\n")
    (tmp_path / "beyond").mkdir()
    (folder / "app/lost").symlink_to(tmp_path / "beyond")
    run = inside("shim", "app.lost.deep:Other", "--unsafe-fixes", cwd=folder)
    assert run.code == 2, run.err
    assert not list((tmp_path / "beyond").iterdir())
