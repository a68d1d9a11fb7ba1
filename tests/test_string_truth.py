"""guard's verdict on strings that are patched or imported, against Python's own: the tests in each case are run."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.markdown_cases import Case, cases_in

_CASES = Path(__file__).parent / "cases" / "imp"
_LEADS_NOWHERE = re.compile(r"(AttributeError|ModuleNotFoundError|ImportError|Failed: No module named)")


def _runnable() -> list[Case]:
    found = []
    for path in sorted(_CASES.glob("IMP006*.md")):
        for section in path.read_text(encoding="utf-8").split("\n## ")[1:]:
            if "\nRunnable.\n" in section:
                found.extend(cases_in(f"\n## {section}"))
    return found


def _tests(path: str, content: bytes) -> Iterator[tuple[str, set[int]]]:
    """The tests of a file as pytest names them, each with its lines; the decorators of its class are among them."""
    module = path.removesuffix(".py").replace("/", ".")
    for node in ast.parse(content).body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            yield f"{module}.{node.name}", _lines(node)
        elif isinstance(node, ast.ClassDef):
            shared = set(range(min(_lines(node)), node.lineno))
            for inner in node.body:
                if isinstance(inner, ast.FunctionDef) and inner.name.startswith("test_"):
                    yield f"{module}.{node.name}.{inner.name}", shared | _lines(inner)


def _lines(node: ast.FunctionDef | ast.ClassDef) -> set[int]:
    first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
    return set(range(first, (node.end_lineno or first) + 1))


@pytest.mark.parametrize("case", _runnable(), ids=lambda case: case.name.replace(" ", "-"))
def test_python_agrees(case: Case, tmp_path: Path) -> None:
    case.write(tmp_path)
    report = tmp_path / "report.xml"
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-c", "/dev/null", "--rootdir=.", "tests"]
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_PLUGINS": "pytest_mock"}
    run = subprocess.run(
        [*command, f"--junit-xml={report}"], cwd=tmp_path, capture_output=True, text=True, env=environment
    )
    assert run.returncode in (0, 1), run.stdout + run.stderr
    failures = {
        f"{test.attrib['classname']}.{test.attrib['name']}": failure.attrib["message"]
        for test in ET.parse(report).iter("testcase")
        if (failure := test.find("failure")) is not None
    }
    told = {
        name
        for path, content in case.files.items()
        if path.startswith("tests/test_")
        for name, lines in _tests(path, content)
        if any(path == where and line in lines for where, line, _ in case.expected)
    }
    assert failures.keys() == told
    assert not [message for message in failures.values() if not _LEADS_NOWHERE.match(message)]


def test_there_are_runnable_cases() -> None:
    assert len(_runnable()) > 10
