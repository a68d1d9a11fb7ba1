"""guard's verdict on attributes and on names that may be missing against Python's own: the cases are run in child
processes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.markdown_cases import Case, cases_in

_IMP = Path(__file__).parent / "cases" / "imp"
_RUN = """
import importlib, json, os, sys, traceback
root, *paths = sys.argv[1:]
sys.path.insert(0, root)
failed = set()
def attempt(call, wanted):
    try:
        return call()
    except wanted as error:
        frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename.startswith(root)]
        failed.add((frames[-1].filename[len(root) + 1:], frames[-1].lineno))
        return None
for path in paths:
    if os.environ.get("ALONE"):
        if child := os.fork():
            assert os.waitpid(child, 0)[1] == 0
            continue
    name = path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    module = attempt(lambda: importlib.import_module(name), (AttributeError, ImportError))
    for run in [value for key, value in sorted(vars(module or object).items()) if key.startswith("run")]:
        attempt(run, AttributeError)
    if os.environ.get("ALONE"):
        break
print(json.dumps(sorted(failed)), flush=True)
"""


def _cases(code: str) -> list[tuple[Case, str]]:
    text = (_IMP / f"{code}.md").read_text(encoding="utf-8")
    return [(case, section) for section in text.split("\n## ")[1:] for case in cases_in(f"\n## {section}")]


def _failed(root: Path, paths: list[str], **environment: str) -> set[tuple[str, int]]:
    command = [sys.executable, "-I", "-S", "-W", "ignore", "-c", _RUN, str(root), *paths]
    run = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return {(path, line) for answer in run.stdout.splitlines() for path, line in json.loads(answer)}


@pytest.mark.parametrize(
    "case",
    [
        case
        for case, text in _cases("IMP011")
        if "Not run" not in text and not ("Before Python 3.14" in text and sys.version_info >= (3, 14))
    ],
    ids=lambda case: case.name.replace(" ", "-"),
)
def test_attributes(case: Case, tmp_path: Path) -> None:
    case.write(tmp_path)
    # Each module in a copy of the process: what one imports is no attribute for another.
    paths = [path for path in case.files if path.endswith(".py")]
    failed = _failed(tmp_path, paths, ALONE="1")
    assert failed == {(path, line) for path, line, code in case.expected if code == "IMP011"}


@pytest.mark.parametrize(
    "case",
    [case for case, text in _cases("IMP015") if "Either way." in text],
    ids=lambda case: case.name.replace(" ", "-"),
)
def test_names_that_may_be_missing(case: Case, tmp_path: Path) -> None:
    case.write(tmp_path)
    paths = sorted(path for path in case.files if path.endswith(".py"))
    with_it = _failed(tmp_path, paths, WAY="1")
    without = _failed(tmp_path, paths)
    assert with_it ^ without == {(path, line) for path, line, _ in case.expected}
    assert not with_it & without
