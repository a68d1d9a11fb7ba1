"""`guard config`: what was detected and why, as text and as JSON."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from guard.cli.config import settings_of
from guard.cli.main import cli
from guard.config import Config

FILES = {
    "guard.toml": 'tooling = ["ops/"]\nroots = ["vendored"]\nentry-points = ["app.worker:run"]\n',
    "Dockerfile": 'FROM python:3.12-slim\nCOPY . .\nCMD ["uvicorn", "app.main:api"]\n',
    "Dockerfile.dev": "FROM python:3.9\n",
    "pyproject.toml": '[project]\nname = "app"\nrequires-python = ">=3.11"\n',
    "app/__init__.py": "",
    "app/main.py": "from fastapi import FastAPI\nfrom app.orders import Order\n\napi = FastAPI()\n",
    "app/orders.py": "class Order: ...\n",
    "app/worker.py": "def run(): ...\n",
    "app/late.py": "x = 1\n",
    "billing/pyproject.toml": '[project]\nname = "billing"\n',
    "billing/src/bill/__init__.py": "",
    "billing/src/bill/core.py": "x = 1\n",
    "vendored/lib.py": "x = 1\n",
    "tools/tidy.py": "x = 1\n",
    "ops/run.py": "x = 1\n",
    "tests/test_orders.py": "import sys\nsys.path.insert(0, 'ops')\nimport bill.core\n",
    "manage.py": "import app.main\n",
}


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for path, content in FILES.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(content)
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def described(*arguments: str) -> Any:
    result = CliRunner().invoke(cli, ["config", "--output", "json", *arguments])
    assert result.exit_code == 0, result.output
    return json.loads(result.output)


def test_target_python_and_its_source(repository: Path) -> None:
    target = described()["target_python"]
    assert target == {"version": "3.12", "source": "Dockerfile:1 FROM python:3.12-slim", "note": "", "others": []}
    assert described("--config", "target-python=3.10")["target_python"]["version"] == "3.10"


def test_source_roots_and_why(repository: Path) -> None:
    roots = {root["path"]: root["why"] for root in described()["detected"]["roots"]}
    assert roots[""] == "the top of the tree"
    assert roots["billing"] == "holds pyproject.toml"
    assert roots["billing/src"] == "the source folder of a project"
    assert roots["vendored"] == "configured in roots"
    assert roots["ops"] == "on sys.path, or in a project's configuration, for tests/test_orders.py"


def test_entry_points_with_the_line_that_names_them(repository: Path) -> None:
    detected = described()["detected"]
    found = {entry["module"] or entry["script"]: entry for entry in detected["entry_points"]}
    assert found["app.main"]["path"] == "Dockerfile"
    assert found["app.main"]["line"] == 3
    assert found["app.main"]["leads_to"] == ["app/main.py"]
    assert found["app.worker"]["path"] == ""
    assert found["app.worker"]["leads_to"] == ["app/worker.py"]
    assert found["manage.py"]["leads_to"] == ["manage.py"]
    # app/__init__.py, app/main.py, app/orders.py, app/worker.py, manage.py
    assert detected["startup"] == 5


def test_kinds_of_files(repository: Path) -> None:
    detected = described()["detected"]
    assert detected["tests"] == {"files": 1, "places": ["tests/"]}
    assert detected["tooling"] == {"files": 2, "places": ["ops/", "tools/"]}
    assert detected["production"] == 9
    assert detected["dockerfiles"] == ["Dockerfile"]
    assert detected["frameworks"] == [{"name": "fastapi", "files": 1}]


def test_settings_and_where_they_come_from(repository: Path) -> None:
    document = described()
    assert document["configuration"] == ["guard.toml"]
    assert document["settings"]["tooling"] == ["ops/"]
    assert document["settings"]["select"] == ["ALL"]
    assert set(document["settings"]) == set(settings_of(Config()))


def test_text_says_the_same(repository: Path) -> None:
    result = CliRunner().invoke(cli, ["config"])
    assert result.exit_code == 0
    lines = result.output.splitlines()
    assert "Configuration: guard.toml" in lines
    assert "Deployed Python: 3.12  Dockerfile:1 FROM python:3.12-slim" in lines
    assert "  app.main  Dockerfile:3 -> app/main.py" in lines
    assert "  app.worker  configured in entry-points -> app/worker.py" in lines
    assert '  select = ["ALL"]  (default)' in lines
    assert '  tooling = ["ops/"]' in lines


def test_names_cannot_drive_the_terminal(repository: Path) -> None:
    (repository / "tests" / "test_\x1b[2J.py").write_text("")
    (repository / "app" / "test_\x1b[2J.py").write_text("")
    result = CliRunner().invoke(cli, ["config"])
    assert "\x1b" not in result.output
    assert r"test_\x1b[2J.py" in result.output


def test_a_revision_needs_no_checkout(repository: Path) -> None:
    for command in (["add", "-A"], ["commit", "-q", "-m", "x"], ["rm", "-q", "-r", "."]):
        subprocess.run(["git", *command], cwd=repository, check=True)
    document = described("--rev", "HEAD")
    assert document["tree"]["kind"] == "commit"
    assert document["tree"]["files"] == len(FILES)
