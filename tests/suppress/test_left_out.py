"""What leaves a finding out is told, each way by its own words; what is reported is not among it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from guard.config import load, resolve_selection
from guard.engine import Options
from guard.left_out import left_out
from guard.registry import all_rules
from guard.sources.locate import open_tree
from tests.engine.support import inside, repository

BROKEN = b"from app.events import GONE\n"


def told(root: Path, *codes: str) -> list[tuple[str, str]]:
    tree, _ = open_tree((os.fspath(root),))
    config = load(tree, rules=all_rules())
    selected = resolve_selection(config, [], [], None, all_rules())
    return [(one.finding.path, one.by) for one in left_out(tree, config, codes, selected, Options(jobs=1))]


@pytest.mark.parametrize(
    ("settings", "code", "by"),
    [
        (
            "",
            BROKEN[:-1] + b"  # guard: ignore[IMP002] on purpose\n",
            "ignore[IMP002] at app/use.py:1 leaves it out, for",
        ),
        ("", BROKEN[:-1] + b"  # guard: ignore[IMP002]\n", "ignore[IMP002] at app/use.py:1 leaves it out, without a"),
        ('per-file-ignores = { "app/use.py" = ["IMP"] }', BROKEN, "per-file-ignores leave IMP002 out of app/use.py"),
        ('ignore = ["IMP002"]', BROKEN, "IMP002 is not selected"),
        ('baseline = "known.jsonl"', BROKEN, "the baseline known.jsonl has it as known"),
        ("", BROKEN, ""),
    ],
)
def test_what_leaves_it_out(tmp_path: Path, settings: str, code: bytes, by: str) -> None:
    files = {
        "app/__init__.py": b"",
        "app/events.py": b"HERE = 1\n",
        "app/use.py": code,
        "pyproject.toml": f"[tool.guard]\n{settings}\n".encode(),
        "known.jsonl": b"",
    }
    repository(tmp_path, files)
    if "baseline" in settings:
        assert inside("baseline", "write", cwd=tmp_path).code == 0
    found = told(tmp_path, "IMP001", "IMP002")
    assert [path for path, _ in found] == ["app/use.py"] * bool(by)
    assert all(by in said for _, said in found), found
    assert "IMP002" in inside("check", cwd=tmp_path).out or by
