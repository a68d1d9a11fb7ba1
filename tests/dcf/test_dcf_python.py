"""The DCF rules against Python: what is reported must raise, and what raises must be reported."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest
from dcf_kinds import KINDS
from dcf_shapes import SHAPES as PLAIN
from dcf_support import found

SHAPES = [*PLAIN, *KINDS]

_RUNNER = """
import warnings
warnings.simplefilter("ignore")
import importlib, json, sys
sys.path.insert(0, sys.argv[1])
raised = {}
for number in range(int(sys.argv[2])):
    module = importlib.import_module(f"shape_{number}.use")
    for name, function in vars(module).copy().items():
        if name.startswith("use_"):
            try:
                function()
            except Exception as error:
                raised[f"{number}.{name}"] = type(error).__name__
print(json.dumps(raised))
"""


def _names(source: str) -> list[str]:
    body = ast.parse(source).body
    assigned = [t.id for node in body if isinstance(node, ast.Assign) for t in node.targets if isinstance(t, ast.Name)]
    return [node.name for node in body if isinstance(node, (ast.ClassDef, ast.FunctionDef))] + assigned


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every shape as a package of two modules; line N of `use.py` holds use N - 3."""
    root = tmp_path_factory.mktemp("shapes")
    for number, (_, source, uses) in enumerate(SHAPES):
        package = root / f"shape_{number}"
        package.mkdir()
        (package / "__init__.py").touch()
        (package / "lib.py").write_text(source)
        lines = [
            f"from shape_{number}.lib import {', '.join(_names(source))}",
            "import dataclasses, attr, attrs, msgspec",
        ]
        lines.append("from dataclasses import replace")
        lines += [f"def use_{index}(): {use}" for index, use in enumerate(uses)]
        (package / "use.py").write_text("\n".join(lines) + "\n")
    return root


@pytest.fixture(scope="module")
def raised(folder: Path) -> dict[str, str]:
    """The exceptions that Python raises, by shape and use."""
    command = [sys.executable, "-c", _RUNNER, str(folder), str(len(SHAPES))]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


@pytest.fixture(scope="module")
def reported(folder: Path) -> set[tuple[str, int]]:
    """Path and line of everything that guard reports."""
    return {(finding.path, finding.span.line) for _, finding in found(folder)}


@pytest.mark.parametrize("number", range(len(SHAPES)), ids=[name.replace(" ", "-") for name, _, _ in SHAPES])
def test_shape(number: int, raised: dict[str, str], reported: set[tuple[str, int]]) -> None:
    _, _, uses = SHAPES[number]
    expected = {}
    actual = {}
    for index, use in enumerate(uses):
        error = raised.get(f"{number}.use_{index}")
        fails = error is not None
        is_reported = (f"shape_{number}/use.py", index + 4) in reported
        if use.endswith("# unseen"):
            assert error is not None, f"{use} does not fail"
            fails = False
        expected[use] = fails
        actual[use] = is_reported
    assert actual == expected


def test_enough_shapes_fail_and_hold(raised: dict[str, str]) -> None:
    uses = sum(len(uses) for _, _, uses in SHAPES)
    assert len(SHAPES) >= 40
    assert uses / 4 < len(raised) < uses * 3 / 4
