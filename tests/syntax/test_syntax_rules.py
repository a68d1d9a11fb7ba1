"""What a whole run says of broken files: how bad, why, and what is left to other rules."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from guard.config import load
from guard.engine import Options, check
from guard.model import Finding, Severity
from guard.registry import all_rules
from guard.sources.directory import DirectoryTree

BROKEN = "def f(:\n"


def _findings(folder: Path, files: dict[str, str], family: str = "SYN") -> list[Finding]:
    for path, content in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(content, encoding="utf-8")
    tree = DirectoryTree(str(folder))
    rules = all_rules()
    codes = frozenset(code for code, rule in rules.items() if rule.family == family)
    return list(check(tree, load(tree, rules=rules), codes, Options(jobs=1)).findings)


@pytest.mark.parametrize(
    ("path", "severity"),
    [
        ("app/main.py", Severity.ERROR),
        ("tests/test_main.py", Severity.ERROR),
        ("tests/data/test_input.py", Severity.ERROR),
        ("tests/fixtures/conftest.py", Severity.ERROR),
        ("data/main.py", Severity.ERROR),
        ("tests/data/broken.py", Severity.WARNING),
        ("pkg/testing/unit/testdata/deep/broken.py", Severity.WARNING),
        ("pkg/test_data/broken.py", Severity.WARNING),
        ("{{cookiecutter.name}}/main.py", Severity.INFO),
        ("tests/git_data/02-invalid/jobs/__init__.py", Severity.WARNING),
        ("tests/git_data/invalid/__init__.py", Severity.ERROR),
    ],
)
def test_how_bad_a_broken_file_is(path: str, severity: Severity, tmp_path: Path) -> None:
    (finding,) = _findings(tmp_path, {path: BROKEN})
    assert (finding.code, finding.severity) == ("SYN001", severity)


@pytest.mark.parametrize(
    ("content", "severity"),
    [
        ("import os\n{% if x %}\nimport sys\n{% endif %}\n", Severity.INFO),
        ("from {{ package }} import name\n", Severity.INFO),
        ("class {{ name | title }}:\n    pass\n", Severity.INFO),
        ("x = '{{ name }}' = = 1\n", Severity.ERROR),
        ("x = {1: {2: 3}} 4\n", Severity.ERROR),
        ("x = 1  # {{ name }}\ny = = 2\n", Severity.ERROR),
    ],
)
def test_a_file_that_breaks_at_a_jinja_tag_is_a_template(content: str, severity: Severity, tmp_path: Path) -> None:
    (finding,) = _findings(tmp_path, {"app/templates/main.py": content})
    assert finding.severity is severity


def test_newer_syntax_names_the_deployed_python_and_its_place(tmp_path: Path) -> None:
    text = 'x = {"a": 1}\n' + 'y = f"{x["a"]}"\n' * 12
    (finding,) = _findings(tmp_path, {"Dockerfile": "FROM python:3.11-slim\nCMD python main.py\n", "main.py": text})
    assert "needs Python 3.12, and 3.11 is deployed (Dockerfile:1 FROM python:3.11-slim)" in finding.message
    assert finding.message.endswith("(also lines 3, 4, 5, 6, 7, 8, 9, 10 and more)")
    assert [(place.path, place.line) for place in finding.related] == [("Dockerfile", 1)]
    assert finding.data["needs"] == "3.12"


def test_newer_syntax_is_a_warning_where_nothing_says_which_python_is_deployed(tmp_path: Path) -> None:
    text = "try:\n    pass\nexcept OSError, ValueError:\n    pass\n"
    (finding,) = _findings(tmp_path, {"main.py": text})
    running = "%d.%d" % sys.version_info[:2]
    assert f"needs Python 3.14, and {running}, which guard runs on, is taken for the deployed one" in finding.message
    assert (finding.severity, finding.raises) == (Severity.WARNING, "")
    assert finding.help.endswith(", and say so (`target-python`).")
    (finding,) = _findings(tmp_path, {"pyproject.toml": "[project]\nrequires-python = '>=3.11'\n"})
    assert (finding.severity, finding.raises) == (Severity.ERROR, "SyntaxError")
    assert not _findings(tmp_path, {"pyproject.toml": "[tool.ruff]\ntarget-version = 'py314'\n"})


def test_a_script_of_zope_is_told_and_not_checked(tmp_path: Path) -> None:
    head = '## Script (Python) "show"\n##bind context=context\n##parameters=name\n##title=\n'
    (finding,) = _findings(tmp_path, {"skins/show.py": f"{head}\nreturn context.show(name)\n"})
    assert (finding.code, finding.severity, finding.raises) == ("SYN001", Severity.INFO, "")
    assert finding.message.startswith("a script that its host makes a function of; not checked")
    (tmp_path / "skins/show.py").write_text("# a comment\nreturn context.show(name)\n")
    assert _findings(tmp_path, {})[0].severity is Severity.ERROR


@pytest.mark.parametrize(
    ("name", "help_text"),
    [
        ("json", "Is `import json` missing?"),
        ("Optional", "Is `from typing import Optional` missing?"),
        ("AsyncMock", "Is `from unittest.mock import AsyncMock` missing?"),
        ("self", "This function is no method, so it has no `self`."),
        ("whatever", ""),
    ],
)
def test_an_undefined_name_comes_with_the_likely_import(name: str, help_text: str, tmp_path: Path) -> None:
    (finding,) = _findings(tmp_path, {"main.py": f"def outer():\n    return {name}.x\n"})
    assert (finding.symbol, finding.help, finding.span.line) == ("outer", help_text, 2)


@pytest.mark.parametrize(
    ("content", "severity"),
    [
        ("def f(x: Gone): pass\n", Severity.ERROR),
        ("def f(x: 'Gone'): pass\n", Severity.WARNING),
        ("def f():\n    x: Gone = 1\n", Severity.WARNING),
        ("class A:\n    x: Gone = 1\n", Severity.ERROR),
        ("class A:\n    def f(self):\n        self.x: Gone = 1\n", Severity.WARNING),
        ("from typing import cast\nx = cast('Gone', 1)\n", Severity.WARNING),
        ("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    print(Gone)\n", Severity.WARNING),
        ("from typing import TYPE_CHECKING\nif not TYPE_CHECKING:\n    pass\nelse:\n    pass\nGone\n", Severity.ERROR),
        ("reveal_type(1)\n", Severity.WARNING),
        ("f'{Gone}'\n", Severity.ERROR),
    ],
)
def test_what_python_does_not_evaluate_is_a_warning(content: str, severity: Severity, tmp_path: Path) -> None:
    (tmp_path / "guard.toml").write_text('target-python = "3.11"\n')
    (finding,) = _findings(tmp_path, {"main.py": content})
    assert (finding.code, finding.severity) == ("SYN004", severity)


def test_in_data_of_tests_an_undefined_name_is_a_warning(tmp_path: Path) -> None:
    (finding,) = _findings(tmp_path, {"tests/data/input.py": "print(Gone)\n"})
    assert (finding.code, finding.severity) == ("SYN004", Severity.WARNING)


def test_in_a_package_of_fixtures_it_is_an_error(tmp_path: Path) -> None:
    (finding,) = _findings(tmp_path, {"tests/fixtures/__init__.py": "", "tests/fixtures/server.py": "print(Gone)\n"})
    assert (finding.code, finding.severity) == ("SYN004", Severity.ERROR)


def test_on_python_3_14_no_annotation_is_evaluated(tmp_path: Path) -> None:
    (tmp_path / "guard.toml").write_text('target-python = "3.14"\n')
    (finding,) = _findings(tmp_path, {"main.py": "def f(x: Gone): pass\n"})
    assert finding.severity is Severity.WARNING
