"""What a finding would hit, told by what a deployed process executes when it starts."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from guard.config import Config, load
from guard.engine import Options, check
from guard.model import Impact
from guard.registry import all_rules
from guard.sources.directory import DirectoryTree

BROKEN = "from app.nowhere import x\n"


def impacts(
    folder: Path, files: Mapping[str, str], config: Config | None = None, code: str = "IMP001"
) -> dict[str, Impact]:
    """The impact of the missing module that every file with `BROKEN` in it imports."""
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(content)
    tree = DirectoryTree(str(folder))
    report = check(tree, config or load(tree, "", (), rules=all_rules()), frozenset({code}), Options(jobs=1))
    assert not report.problems
    return {finding.path: finding.impact for finding in report.findings}


PACKAGE = {"app/__init__.py": "", "app/main.py": "import app.routes\n", "app/routes.py": BROKEN, "app/spare.py": BROKEN}


@pytest.mark.parametrize(
    "files",
    [
        {"Dockerfile": 'CMD ["uvicorn", "app.main:app"]'},
        {"Dockerfile": 'CMD ["./start.sh"]', "start.sh": "exec gunicorn app.main:app\n"},
        {"Dockerfile": 'CMD ["python", "run.py"]', "run.py": "import uvicorn\nuvicorn.run('app.main:app')\n"},
        {"compose.yaml": "services: {a: {command: python -m app.main}}"},
        {"deploy.yaml": "kind: Pod\nspec: {containers: [{args: [celery, -A, app.main, worker]}]}"},
        {"Procfile": "web: python app/main.py"},
        {"pyproject.toml": "[project.scripts]\nserve = 'app.main:run'"},
        {"setup.cfg": "[options.entry_points]\nconsole_scripts = serve = app.main:run"},
        {"manage.py": "import app.main"},
        {"wsgi.py": "import app.main"},
        {"guard.toml": "entry-points = ['app.main:app']"},
    ],
    ids=lambda files: next(iter(files)),
)
def test_what_an_entry_point_imports_stops_the_start(tmp_path: Path, files: Mapping[str, str]) -> None:
    assert impacts(tmp_path, {**PACKAGE, **files}) == {
        "app/routes.py": Impact.STARTUP,
        "app/spare.py": Impact.RUNTIME,
    }


def test_without_entry_points_nothing_stops_a_start(tmp_path: Path) -> None:
    assert set(impacts(tmp_path, PACKAGE).values()) == {Impact.RUNTIME}


@pytest.mark.parametrize(
    ("importers", "impact"),
    [
        (("tests/test_a.py",), Impact.TESTS),
        (("scripts/a.py",), Impact.TOOLING),
        (("tests/test_a.py", "app/b.py"), Impact.RUNTIME),
        (("app/main.py", "scripts/a.py"), Impact.STARTUP),
    ],
)
def test_an_empty_module_hits_what_takes_names_from_it(
    tmp_path: Path, importers: tuple[str, ...], impact: Impact
) -> None:
    files = {
        "Procfile": "web: uvicorn app.main:app",
        "app/__init__.py": "",
        "app/main.py": "import app.empty\n",
        "app/empty.py": "",
        **dict.fromkeys(importers, "from app.empty import name\n"),
    }
    assert impacts(tmp_path, files, code="TXT008") == {"app/empty.py": impact}


def test_lazy_and_type_checking_imports_do_not_lead_on(tmp_path: Path) -> None:
    files = {
        "Procfile": "web: uvicorn app.main:app",
        "app/__init__.py": "",
        "app/main.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import app.typed\n"
        "def f():\n    import app.later\n    from app.nowhere import y\n"
        "try:\n    import app.tried\nexcept ImportError:\n    raise\n",
        "app/typed.py": BROKEN,
        "app/later.py": BROKEN,
        "app/tried.py": BROKEN,
    }
    assert impacts(tmp_path, files) == {
        "app/main.py": Impact.RUNTIME,
        "app/typed.py": Impact.RUNTIME,
        "app/later.py": Impact.RUNTIME,
        "app/tried.py": Impact.STARTUP,
    }


def test_packages_above_and_what_a_package_runs(tmp_path: Path) -> None:
    files = {
        "Procfile": "web: python -m app.sub\nwork: celery -A app worker",
        "app/__init__.py": BROKEN,
        "app/celery.py": BROKEN,
        "app/sub/__init__.py": BROKEN,
        "app/sub/__main__.py": BROKEN,
        "app/sub/other.py": BROKEN,
    }
    found = impacts(tmp_path, files)
    assert found.pop("app/sub/other.py") is Impact.RUNTIME
    assert set(found.values()) == {Impact.STARTUP}
    assert len(found) == 4


def test_tests_and_tooling(tmp_path: Path) -> None:
    files = {
        "Procfile": "web: python scripts/serve.py",
        "app/__init__.py": "",
        "app/core.py": BROKEN,
        "app/test_core.py": BROKEN,
        "app/core_test.py": BROKEN,
        "conftest.py": BROKEN,
        "tests/helpers.py": BROKEN,
        "svc/tests/unit/deep.py": BROKEN,
        "e2e_playwright/pages.py": BROKEN,
        "scripts/tidy.py": BROKEN,
        "scripts/serve.py": BROKEN,
        "svc/tools/gen.py": BROKEN,
        "svc/deep/api/scripts/seed.py": BROKEN,
        "lib/core/__init__.py": "",
        "lib/core/tools/part.py": BROKEN,
        "noxfile.py": BROKEN,
        "tasks.py": BROKEN,
        "docs/conf.py": BROKEN,
        "app/tasks.py": BROKEN,
        "app/latest.py": BROKEN,
        "app/contest.py": BROKEN,
    }
    assert impacts(tmp_path, files) == {
        "app/core.py": Impact.RUNTIME,
        "app/test_core.py": Impact.TESTS,
        "app/core_test.py": Impact.TESTS,
        "conftest.py": Impact.TESTS,
        "tests/helpers.py": Impact.TESTS,
        "svc/tests/unit/deep.py": Impact.TESTS,
        "e2e_playwright/pages.py": Impact.TESTS,
        "scripts/tidy.py": Impact.TOOLING,
        "scripts/serve.py": Impact.STARTUP,
        "svc/tools/gen.py": Impact.TOOLING,
        "svc/deep/api/scripts/seed.py": Impact.TOOLING,
        "lib/core/tools/part.py": Impact.RUNTIME,
        "noxfile.py": Impact.TOOLING,
        "tasks.py": Impact.TOOLING,
        "docs/conf.py": Impact.TOOLING,
        "app/tasks.py": Impact.RUNTIME,
        "app/latest.py": Impact.RUNTIME,
        "app/contest.py": Impact.RUNTIME,
    }


def test_each_service_starts_its_own_module(tmp_path: Path) -> None:
    files = {}
    for name in ("one", "two", "three"):
        files |= {
            f"svc/{name}/main.py": "import core\n",
            f"svc/{name}/core.py": "from core_gone import x\nimport core.nowhere\n" + BROKEN,
        }
    files |= {"svc/one/Dockerfile": "CMD uvicorn main:app", "svc/two/Dockerfile": "CMD uvicorn app.main:app"}
    files |= {"app/__init__.py": ""}
    found = impacts(tmp_path, files)
    assert {path: impact for path, impact in found.items() if impact is Impact.STARTUP} == {
        "svc/one/core.py": Impact.STARTUP,
        "svc/two/core.py": Impact.STARTUP,
    }
    assert found["svc/three/core.py"] is Impact.RUNTIME


def test_a_name_that_could_be_several_files_is_none_of_them(tmp_path: Path) -> None:
    files = {
        "deploy/Dockerfile": "CMD python /srv/main.py",
        "one/main.py": "from one.gone import x\n",
        "two/main.py": "from two.gone import x\n",
        "one/__init__.py": "",
        "two/__init__.py": "",
    }
    assert impacts(tmp_path, files) == {"one/main.py": Impact.RUNTIME, "two/main.py": Impact.RUNTIME}


def test_findings_are_listed_by_impact(tmp_path: Path) -> None:
    files = {**PACKAGE, "Procfile": "web: uvicorn app.main:app", "a/tests/t.py": BROKEN, "a/scripts/s.py": BROKEN}
    assert list(impacts(tmp_path, files)) == ["app/routes.py", "app/spare.py", "a/tests/t.py", "a/scripts/s.py"]


def test_what_python_reads_all_the_same_does_not_stop_a_start(tmp_path: Path) -> None:
    """CRLF and a byte order mark harm a script, not a module that is imported."""
    files = {
        "Dockerfile": b'FROM python:3.11\nCMD ["./start.sh"]\n',
        ".gitattributes": b"* text eol=lf\n",
        "start.sh": b"#!/bin/sh\r\nexec uvicorn app.main:app\r\n",
        "app/__init__.py": b"",
        "app/main.py": b"\xef\xbb\xbfimport app.routes\r\n",
        "app/routes.py": b"x = 1\r\ny = '\xe2\x80\xae'\r\n",
    }
    for path, content in files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(content)
    tree = DirectoryTree(str(tmp_path))
    report = check(tree, Config(), frozenset({"EOL001", "EOL006", "TXT002", "TXT004"}), Options(jobs=1))
    assert {(finding.code, finding.path, finding.impact) for finding in report.findings} == {
        ("EOL006", "start.sh", Impact.STARTUP),
        ("EOL001", "app/main.py", Impact.RUNTIME),
        ("EOL001", "app/routes.py", Impact.RUNTIME),
        ("TXT002", "app/main.py", Impact.RUNTIME),
        ("TXT004", "app/routes.py", Impact.RUNTIME),
    }
    started = subprocess.run([sys.executable, "-c", "import app.main"], cwd=tmp_path, capture_output=True)
    assert (started.returncode, started.stderr) == (0, b"")


GUARDED = f"if __name__ == '__main__':\n    {BROKEN}"


@pytest.mark.parametrize(
    ("started", "impact"),
    [
        ("uvicorn app.main:app", Impact.RUNTIME),
        ("python -c 'import app.main'", Impact.RUNTIME),
        ("python app/main.py", Impact.STARTUP),
        ("python -m app.main", Impact.STARTUP),
    ],
)
def test_what_only_a_script_does_stops_the_start_of_a_script_alone(
    tmp_path: Path, started: str, impact: Impact
) -> None:
    files = {"Procfile": f"web: {started}", "app/__init__.py": "", "app/main.py": GUARDED}
    assert impacts(tmp_path, files) == {"app/main.py": impact}
    ran = subprocess.run([sys.executable, *_words(started)], cwd=tmp_path, capture_output=True, text=True)
    assert ("ModuleNotFoundError" in ran.stderr) is (impact is Impact.STARTUP)


def _words(started: str) -> list[str]:
    """What a Python does that imports what is started, where it is not started by Python itself."""
    program, *rest = shlex.split(started)
    return rest if program == "python" else ["-c", f"import {rest[0].partition(':')[0]}"]


def test_a_branch_that_may_not_be_taken_does_not_stop_a_start_for_certain(tmp_path: Path) -> None:
    files = {
        "Procfile": "web: python app/main.py",
        "app/__init__.py": "",
        "app/main.py": "import os\nimport app.a, app.b, app.c\n",
        "app/a.py": f"import os\nif os.environ.get('DEBUG'):\n    {BROKEN}",
        "app/b.py": f"try:\n    import somewhere_else\nexcept ImportError:\n    {BROKEN}",
        "app/c.py": f"class C:\n    {BROKEN}",
    }
    found = impacts(tmp_path, files)
    assert found == {"app/a.py": Impact.RUNTIME, "app/b.py": Impact.RUNTIME, "app/c.py": Impact.STARTUP}
