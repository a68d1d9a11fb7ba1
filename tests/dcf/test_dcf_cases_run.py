"""What the cases of the DCF rules expect to fail fails in Python."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from guard.registry import all_rules
from tests.markdown_cases import Case, case_of, cases_in

CASES = Path(__file__).parent.parent / "cases" / "dcf"
RUNNER = Path(__file__).with_name("dcf_runner.py")
CODES = ("DCF001", "DCF002", "DCF003", "DCF005", "DCF006")
"""Of rules whose findings are failures."""
ERRORS = {
    "AttributeError",
    "KeyError",
    "TypeError",
    "ValueError",
    "ValidationError",
    "FrozenInstanceError",
    "FrozenAttributeError",
}
UNCHECKED = (b".model_copy(", b".copy(")
"""What raises nothing, and is only a warning."""


def _all() -> list[tuple[str, Case]]:
    found = []
    for code in CODES:
        written = cases_in((CASES / f"{code}.md").read_text(encoding="utf-8"))
        documented = case_of(f"{code} documented", all_rules()[code].section("Bad"))
        found += [(code, case) for case in (documented, *written) if case.expected]
    return found


@pytest.mark.parametrize(("code", "case"), _all(), ids=lambda value: getattr(value, "name", value).replace(" ", "-"))
def test_what_is_expected_fails(code: str, case: Case, tmp_path: Path) -> None:
    case.write(tmp_path)
    packages = tmp_path / ".venv/lib/python3.11/site-packages"
    command = [sys.executable, str(RUNNER), str(tmp_path), *([str(packages)] if packages.is_dir() else [])]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    raised = [tuple(one) for one in json.loads(done.stdout.splitlines()[-1])]
    lines = {path: content.split(b"\n") for path, content in case.files.items()}
    expected = {
        (path, line)
        for path, line, one in case.expected
        if one in CODES and not any(text in lines[path][line - 1] for text in UNCHECKED)
    }
    proven = {
        (path, line)
        for path, line in expected
        if any(place == path and first <= line <= last and error in ERRORS for place, first, last, error in raised)
    }
    assert sorted(expected - proven) == [], done.stderr
