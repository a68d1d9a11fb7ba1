"""What copies of a definition become: through the real command, in real repositories, and really imported after it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.engine.support import inside, repository
from tests.markdown_cases import Case, cases_in

USERS = {
    "app/__init__.py": b"",
    "app/main.py": b"from app.levels import Level, clean, limited\nprint(Level, clean, limited)\n",
    "app/jobs.py": b"from app.levels import Level, clean, limited\nprint(Level, clean, limited)\n",
}
COPIES = list(cases_in((Path(__file__).parent / "copies.md").read_text(encoding="utf-8")))


@pytest.mark.parametrize("case", COPIES, ids=lambda case: case.name.replace(" ", "-"))
def test_copy(case: Case, tmp_path: Path) -> None:
    folder = repository(tmp_path / "repo", {**USERS, **case.files})
    imports(folder)
    run = inside("check", "--fix", "--unsafe-fixes", "--select", "SSOT", cwd=folder)
    assert run.code in (0, 1), run.err
    assert {path: (folder / path).read_bytes() for path in case.fixed} == case.fixed
    imports(folder)
    again = inside("check", "--fix", "--unsafe-fixes", "--select", "SSOT", cwd=folder)
    assert "guard: mended" not in again.err
    assert {path: (folder / path).read_bytes() for path in case.fixed} == case.fixed


def imports(folder: Path) -> None:
    """What Python says of it, whichever module comes first."""
    for first in ("copy", "levels"):
        command = [sys.executable, "-c", f"import app.{first}, app.main, app.copy, app.jobs"]
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
