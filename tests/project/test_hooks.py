"""The hooks that pre-commit finds here: valid, the same in both files, and doing what they say."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from pre_commit.clientlib import load_manifest  # type: ignore[import-untyped]

ROOT = Path(__file__).parents[2]
MANIFEST = ROOT / ".pre-commit-hooks.yaml"


def hook(name: str) -> dict[str, Any]:
    """One hook, with pre-commit's own defaults filled in."""
    found: dict[str, Any] = next(one for one in load_manifest(str(MANIFEST)) if one["id"] == name)
    return found


def run(folder: Path, name: str, files: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
    """Run a hook's entry as pre-commit does, with this checkout's guard."""
    command, *arguments = shlex.split(hook(name)["entry"])
    assert command == "guard"
    return subprocess.run(
        [sys.executable, "-m", "guard", *arguments, *files], cwd=folder, check=False, capture_output=True, text=True
    )


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository in which everything is well, and committed."""
    for path, content in {
        ".gitattributes": "* text eol=lf\n",
        "app/__init__.py": "",
        "app/main.py": "from app.orders import Order\n\nprint(Order)\n",
        "app/orders.py": "class Order: ...\n",
    }.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(content)
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "x"]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    return tmp_path


def test_both_files_are_the_same() -> None:
    assert MANIFEST.read_bytes() == (ROOT / "pre-commit-hooks.yaml").read_bytes()


def test_pre_commit_accepts_the_manifest() -> None:
    assert {one["id"] for one in load_manifest(str(MANIFEST))} == {"guard", "guard-files", "guard-fix"}


def test_guard_sees_the_whole_repository_even_when_files_are_only_deleted() -> None:
    guard = hook("guard")
    assert guard["always_run"]
    assert not guard["pass_filenames"]
    assert guard["require_serial"]


def test_guard_passes_and_refuses(repository: Path) -> None:
    assert run(repository, "guard").returncode == 0
    subprocess.run(["git", "rm", "-q", "app/orders.py"], cwd=repository, check=True)
    done = run(repository, "guard")
    assert done.returncode == 1
    assert "IMP001" in done.stdout


def test_guard_files_looks_at_the_files_that_it_is_given(repository: Path) -> None:
    (repository / "app/orders.py").write_text("class Order:\nimport os\n")
    (repository / "app/other.py").write_text("def f(:\n")
    subprocess.run(["git", "add", "-A"], cwd=repository, check=True)
    done = run(repository, "guard-files", ["app/orders.py"])
    assert done.returncode == 1
    assert "app/orders.py" in done.stdout
    assert "app/other.py" not in done.stdout
