"""What import statements become: through the real command, in real repositories."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest

from tests.engine.support import inside, repository
from tests.markdown_cases import Case, cases_in

COMMON = {
    "app/__init__.py": b"",
    "app/old.py": b"A = D = 1\n",
    "app/new.py": b"class B: ...\nclass E: ...\nclass N: ...\nclass JwtReader: ...\ndef JwtWriter(*_, **__): ...\n",
    "app/far.py": b"class F: ...\n",
}
SHAPES = list(cases_in((Path(__file__).parent / "shapes.md").read_text(encoding="utf-8")))


@pytest.mark.parametrize("case", SHAPES, ids=lambda case: case.name.replace(" ", "-"))
def test_shape(case: Case, tmp_path: Path) -> None:
    folder = repository(tmp_path / "repo", {**COMMON, **case.files})
    before = findings(folder)
    run = inside("check", "--fix", "--unsafe-fixes", "--select", "IMP", cwd=folder)
    assert run.code in (0, 1), run.err
    assert {path: (folder / path).read_bytes().decode("latin-1") for path in case.fixed} == {
        path: content.decode("latin-1") for path, content in case.fixed.items()
    }
    for path in (one for one in case.fixed if one.endswith(".py")):
        ast.parse((folder / path).read_bytes())
    assert findings(folder) < before or not any(case.fixed[path] != case.files[path] for path in case.fixed)
    contents = {path: path.read_bytes() for path in folder.rglob("*.py")}
    inside("check", "--fix", "--unsafe-fixes", "--select", "IMP", cwd=folder)
    assert {path: path.read_bytes() for path in folder.rglob("*.py")} == contents


def findings(folder: Path) -> set[tuple[str, str, str]]:
    document = json.loads(inside("check", "--output", "json", cwd=folder).out)
    assert not document["problems"]
    return {(one["path"], one["code"], one["fingerprint"]) for one in document["findings"]}
