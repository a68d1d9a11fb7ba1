"""guard's verdict on circles of imports against Python's own: each module of each case is imported first, in a process
of its own, and what fails there is what guard says."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from guard.cache import Cache
from guard.checks.import_cycles import Start, find_cycles
from guard.config import load
from guard.engine import Options, check, collect
from guard.facts import Gathering
from guard.model import Report
from guard.program import Program
from guard.registry import all_rules
from guard.sources.directory import DirectoryTree
from guard.target import target_python
from tests.markdown_cases import Case, cases_in

_CASES = list(cases_in((Path(__file__).parent / "cases" / "imp" / "IMP005.md").read_text(encoding="utf-8")))
_IMPORT = """
import importlib, json, os, runpy, sys, traceback
root = sys.argv[1]
sys.path.insert(0, root)
def fails(path, as_script):
    try:
        if as_script:
            runpy.run_path(f"{root}/{path}", run_name="__main__")
        else:
            importlib.import_module(path.removesuffix(".py").removesuffix("/__init__").replace("/", "."))
    except (ImportError, AttributeError) as error:
        while error.__cause__ is not None:
            error = error.__cause__
        last = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.startswith(root)][-1]
        return f"{type(error).__name__} {last.filename[len(root) + 1:]} {last.lineno}"
    return ""
for path, as_script in json.loads(sys.argv[2]):
    if child := os.fork():
        assert os.waitpid(child, 0)[1] == 0
        continue
    print(fails(path, as_script), flush=True)
    break
"""


def _python(root: Path, paths: list[str], *, as_script: bool = False) -> dict[str, str]:
    """The error, file and line that importing each path first ends with, each in a copy of one process; empty where it
    works."""
    asked = json.dumps([(path, as_script) for path in paths])
    command = [sys.executable, "-I", "-S", "-W", "ignore", "-c", _IMPORT, str(root), asked]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    return dict(zip(paths, run.stdout.splitlines(), strict=True))


def _program(folder: Path) -> Program:
    tree = DirectoryTree(str(folder))
    config = load(tree, rules=all_rules())
    target = target_python(tree, config)
    facts, _ = collect(tree, list(tree.files.values()), Gathering(target.version, 10**7), Options(jobs=1), Cache(None))
    return Program(tree, config, target, facts)


def _guard(program: Program, path: str, *, as_script: bool = False) -> str:
    """What guard says to the same question. A statement over several lines fails at its first for Python."""
    folders = path.split("/")[:-1]
    packages = ["/".join([*folders[:end], "__init__.py"]) for end in range(1, len(folders) + 1)]
    files = [package for package in packages if package in program.files and package != path]
    start = Start(0, path, 1, (path,) if as_script else (*files, path), path if as_script else "")
    for cycle in find_cycles(program, [start]):
        for breaks in cycle.breaks:
            if breaks.start is not None:
                failure = breaks.failure
                text = program.tree.read(failure.path) or b""
                lines = text.decode().splitlines()[: failure.line]
                line = failure.line
                while line > 1 and not re.match(r"\S", lines[line - 1]):
                    line -= 1
                in_block = lines[failure.line - 1].lstrip().startswith(("from ", "import ", "class ", "@"))
                return f"{failure.error} {failure.path} {failure.line if in_block else line}"
    return ""


@pytest.mark.parametrize("case", _CASES, ids=lambda case: case.name.replace(" ", "-"))
def test_python_agrees(case: Case, tmp_path: Path) -> None:
    case.write(tmp_path)
    program = _program(tmp_path)
    modules = [path for path in case.files if path.endswith(".py") and path != "tests/conftest.py"]
    assert {path: _guard(program, path) for path in modules} == _python(tmp_path, modules)
    scripts = [path for path in modules if "/" not in path]
    assert {path: _guard(program, path, as_script=True) for path in scripts} == _python(
        tmp_path, scripts, as_script=True
    )


def _report(folder: Path) -> Report:
    tree = DirectoryTree(str(folder))
    return check(tree, load(tree, rules=all_rules()), frozenset({"IMP005"}), Options(jobs=1))


@pytest.mark.parametrize("case", _CASES, ids=lambda case: case.name.replace(" ", "-"))
def test_severity(case: Case, tmp_path: Path) -> None:
    case.write(tmp_path)
    said = {
        (path, number, match[1])
        for path, content in case.files.items()
        for number, line in enumerate(content.decode().split("\n"), 1)
        if (match := re.search(r"<- IMP005 (\w+)", line))
    }
    assert {(f.path, f.span.line, str(f.severity)) for f in _report(tmp_path).findings} == said


def test_what_a_finding_says(tmp_path: Path) -> None:
    case = next(case for case in _CASES if case.name.startswith("through the package of"))
    case.write(tmp_path)
    (finding,) = _report(tmp_path).findings
    assert finding.message == (
        "get_auth is taken from pkg.auth, which is still being imported, "
        "since tests/test_auth.py comes to pkg.auth first: "
        "pkg/auth.py:1 -> pkg/sockets/__init__.py:1 -> pkg/sockets/manager.py:1 -> pkg/auth.py"
    )
    assert [(related.path, related.line) for related in finding.related] == [
        ("pkg/auth.py", 1),
        ("pkg/sockets/__init__.py", 1),
        ("tests/test_auth.py", 1),
    ]
    assert finding.data["first"] == "pkg/auth.py"


_DJANGO = list(cases_in((Path(__file__).parent / "cases" / "imp" / "IMP005-django.md").read_text(encoding="utf-8")))
_SET_UP = """
import os, runpy, sys
import django
from django.conf import settings
sys.path.insert(0, os.getcwd())
if os.path.exists("site_settings.py"):
    os.environ["DJANGO_SETTINGS_MODULE"] = "site_settings"
else:
    settings.configure(INSTALLED_APPS=["shop"])
try:
    django.setup()
    runpy.run_path(sys.argv[1])
except ImportError as error:
    print(error)
"""


@pytest.mark.parametrize("case", _DJANGO, ids=lambda case: case.name.replace(" ", "-"))
def test_django_agrees(case: Case, tmp_path: Path) -> None:
    """Tests are imported once Django is set up, by `manage.py test` and pytest-django; an error is what fails then."""
    case.write(tmp_path)
    errors = {(f.path, f.span.line) for f in _report(tmp_path).findings if f.severity == "error"}
    text = "".join(content.decode() for content in case.files.values())
    assert bool(errors) == ("<- IMP005 error" in text)
    (test,) = (path for path in case.files if "test_" in path)
    command = [sys.executable, "-c", _SET_UP, test]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert ("partially initialized module" in run.stdout) == bool(errors), run.stdout
