"""guard's verdict on imports against Python's own: every importable case is imported in a child process."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.markdown_cases import Case, cases_in

_IMP = Path(__file__).parent / "cases" / "imp"
_TRY = """
import importlib, json, sys
sys.path.insert(0, sys.argv[1])
failed = {}
for name in sys.argv[2:]:
    for loaded in [m for m in sys.modules if m == "pkg" or m.startswith(("pkg.", "ns."))]:
        del sys.modules[loaded]
    try:
        importlib.import_module(name)
    except BaseException as error:
        failed[name] = type(error).__name__
print(json.dumps(failed))
"""


def _importable() -> list[Case]:
    found = []
    for path in sorted(_IMP.glob("*.md")):
        text = path.read_text(encoding="utf-8")
        for section in text.split("\n## ")[1:]:
            if "\nImportable.\n" in section:
                found.extend(cases_in(f"\n## {section}"))
    return found


def _module(path: str) -> str:
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


@pytest.mark.parametrize("case", _importable(), ids=lambda case: case.name.replace(" ", "-"))
def test_python_agrees(case: Case, tmp_path: Path) -> None:
    case.write(tmp_path)
    shadowed = {path for path in case.files if f"{path.removesuffix('.py')}/__init__.py" in case.files}
    paths = [path for path in case.files if path.endswith(".py") and path not in shadowed]
    modules = [_module(path) for path in paths]
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _TRY, str(tmp_path), *modules],
        capture_output=True,
        text=True,
        check=True,
    )
    failed = json.loads(run.stdout)
    expected = {
        _module(path) for path, _, code in case.expected if code in ("IMP001", "IMP002") and path not in shadowed
    }
    assert set(failed) == expected
    assert set(failed.values()) <= {"ImportError", "ModuleNotFoundError"}


def test_there_are_importable_cases() -> None:
    assert len(_importable()) > 20
