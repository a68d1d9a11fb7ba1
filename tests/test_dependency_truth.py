"""guard's verdict on installed packages and hidden modules against Python's own, in child processes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.markdown_cases import Case, cases_in

_IMP = Path(__file__).parent / "cases" / "imp"
_PACKAGES = ".venv/lib/python3.11/site-packages"
_TRY = """
import importlib, json, sys
sys.path[:0] = sys.argv[1:3]
failed = {}
for name in sys.argv[3:]:
    try:
        importlib.import_module(name)
    except BaseException as error:
        failed[name] = type(error).__name__
print(json.dumps(failed))
"""


def _cases(code: str, words: str) -> list[tuple[Case, str]]:
    """The cases of a rule with certain words in their prose, and what stands in backticks there."""
    found = []
    text = (_IMP / f"{code}.md").read_text(encoding="utf-8")
    for section in text.split("\n## ")[1:]:
        if f"\n{words}" in section:
            said = section.partition(f"\n{words}")[2].partition("\n")[0].strip("` .")
            found += [(case, said) for case in cases_in(f"\n## {section}")]
    return found


def _id(value: object) -> str:
    return value.name.replace(" ", "-") if isinstance(value, Case) else ""


@pytest.mark.parametrize(("case", "_said"), _cases("IMP004", "Installed."), ids=_id)
def test_python_finds_the_same_in_packages(case: Case, _said: str, tmp_path: Path) -> None:
    case.write(tmp_path)
    modules = [path.removesuffix(".py") for path in case.files if path.endswith(".py") and "/" not in path]
    run = subprocess.run(
        [sys.executable, "-S", "-c", _TRY, str(tmp_path), str(tmp_path / _PACKAGES), *modules],
        capture_output=True,
        text=True,
        check=True,
    )
    failed = json.loads(run.stdout)
    assert set(failed) == {path.removesuffix(".py") for path, _, _ in case.expected}
    assert set(failed.values()) <= {"ImportError", "ModuleNotFoundError"}


@pytest.mark.parametrize(("case", "script"), _cases("IMP013", "Run `"), ids=_id)
def test_python_is_hidden_the_same(case: Case, script: str, tmp_path: Path) -> None:
    case.write(tmp_path)
    run = subprocess.run([sys.executable, "-S", script], cwd=tmp_path, capture_output=True, text=True, check=False)
    expected = {path for path, _, code in case.expected if code == "IMP013"}
    assert (run.returncode != 0) == bool(expected), run.stderr
    if expected:
        assert (
            run.stderr.rstrip().rpartition("\n")[2].startswith(("ImportError", "ModuleNotFoundError", "AttributeError"))
        )
