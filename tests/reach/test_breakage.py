"""What a report says of how far a finding reaches."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from guard.config import Config
from guard.engine import Options, check
from guard.model import Broken, Finding, Report
from guard.sources.directory import DirectoryTree
from tests.engine.support import inside

CODES = frozenset({"IMP001", "IMP002", "IMP006", "IMP012", "SYN001", "SYN003", "SYN004", "TXT003"})
GONE = "from app import gone\n"


def checked(folder: Path, files: dict[str, str | bytes], within: str = "") -> Report:
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content.encode() if isinstance(content, str) else content)
    matches = (lambda path: path.startswith(within)) if within else None
    return check(DirectoryTree(str(folder)), Config(), CODES, Options(jobs=1), matches)


def reaching(report: Report) -> dict[str, tuple[int, int, int]]:
    """By file with a finding that stops an import: modules, test files, test files that it alone holds up."""
    return {
        finding.path: (finding.extent.modules, finding.extent.test_files, finding.extent.frees)
        for finding in report.findings
        if finding.extent is not None
    }


def numbers(report: Report) -> tuple[int, int]:
    return len(report.broken.modules), len(report.broken.test_files)


def test_a_failure_goes_to_all_that_import_its_module(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {
        "app/__init__.py": "",
        "app/models.py": GONE,
        "app/views.py": "from app.models import gone\n",
        "app/main.py": "import app.views\n",
        "app/safe.py": "try:\n    import app.views\nexcept ImportError:\n    pass\ndef f():\n    import app.main\n",
        "tests/test_main.py": "from app.main import x\n",
        "tests/test_views.py": "import app.views\nfrom app.models import other\n",
        "tests/test_safe.py": "import app.safe\n",
    }
    report = checked(tmp_path, files)
    first, *rest = report.findings
    assert first.path == "app/models.py"
    assert first.message == "app does not define gone; breaks 3 modules and 2 test files"
    data = {"module": "app", "name": "gone", "breaks_modules": 3, "breaks_test_files": 2, "frees_test_files": 0}
    assert first.data == first.data | data
    assert [finding.path for finding in rest] == ["tests/test_main.py", "tests/test_views.py"]
    assert [finding.message for finding in rest] == ["app.main does not define x", "app.models does not define other"]
    assert numbers(report) == (3, 2)


def test_what_is_alone_in_the_way_frees(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {
        "app/__init__.py": "",
        "one.py": GONE,
        "two.py": GONE,
        **{f"test_one_{number}.py": "import one\n" for number in range(3)},
        **{f"test_two_{number}.py": "import two\n" for number in range(2)},
        **{f"test_both_{number}.py": "import one, two\n" for number in range(2)},
    }
    report = checked(tmp_path, files)
    assert reaching(report) == {"one.py": (1, 5, 3), "two.py": (1, 4, 2)}
    assert numbers(report) == (2, 7)


def test_a_conftest_holds_up_what_is_below_its_folder(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {
        "app/__init__.py": "",
        "tests/conftest.py": "import app.nowhere\n",
        "tests/test_a.py": "",
        "tests/deep/down/test_b.py": GONE,
        "tests/helpers.py": "",
        "elsewhere/test_c.py": "",
    }
    assert reaching(checked(tmp_path, files)) == {
        "tests/conftest.py": (1, 2, 1),
        "tests/deep/down/test_b.py": (0, 1, 0),
    }


@pytest.mark.parametrize(
    "configuration",
    [
        {"pytest.ini": "[pytest]\npython_files = check_*.py\n"},
        {"pyproject.toml": '[tool.pytest.ini_options]\npython_files = ["check_*.py"]\n'},
        {"setup.cfg": "[tool:pytest]\npython_files =\n    check_*.py\n    other.py\n"},
        {"tox.ini": "[pytest]\npython_files = check_*.py\n", "setup.cfg": "[tool:pytest]\npython_files = test_*.py\n"},
        {"tests/pytest.ini": "[pytest]\npython_files = check_*.py\n", "pytest.ini": "[pytest]\n"},
    ],
    ids=lambda files: next(iter(files)),
)
def test_pytest_says_which_files_are_tests(tmp_path: Path, configuration: dict[str, str]) -> None:
    files: dict[str, str | bytes] = {"app/__init__.py": "", "tests/check_a.py": GONE, "tests/test_b.py": GONE}
    report = checked(tmp_path, {**files, **configuration})
    assert reaching(report) == {"tests/check_a.py": (0, 1, 1), "tests/test_b.py": (1, 0, 0)}


@pytest.mark.parametrize("configuration", ["[pytest\n", "python_files = x", "[other]\npython_files = x\n"])
def test_a_configuration_that_says_nothing(tmp_path: Path, configuration: str) -> None:
    configured: dict[str, str | bytes] = {"pytest.ini": configuration, "pyproject.toml": configuration}
    assert checked(tmp_path, {"app/__init__.py": "", "test_a.py": GONE, **configured}).broken.test_files == (
        "test_a.py",
    )


def test_folders_that_pytest_does_not_enter(tmp_path: Path) -> None:
    folders = ("node_modules/x", ".hidden", "build", "dist", "old.egg")
    files: dict[str, str | bytes] = {f"{folder}/test_a.py": GONE for folder in folders}
    report = checked(tmp_path, {**files, "app/__init__.py": "", "building/test_a.py": GONE})
    assert len(report.broken.test_files) == 1


def test_whatever_keeps_a_file_from_compiling(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {
        "app/__init__.py": "",
        "app/bad.py": "def f(:\n",
        "app/latin.py": b"x = '\xe9'\n",
        "app/name.py": "x = missing_name\n",
        "app/caught.py": "try:\n    x = missing_name\nexcept Exception:\n    pass\n",
        "tests/test_bad.py": "try:\n    import app.bad\nexcept ImportError:\n    pass\n",
        "tests/test_latin.py": "import app.latin\n",
        "tests/test_name.py": "import app.name\n",
        "tests/test_caught.py": "import app.caught\n",
    }
    assert reaching(checked(tmp_path, files)) == {
        "app/bad.py": (1, 1, 1),
        "app/latin.py": (1, 1, 1),
        "app/name.py": (1, 1, 1),
    }


def test_a_module_that_is_imported_by_a_string(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {
        "app/__init__.py": "",
        "app/plugins.py": "import importlib\nimportlib.import_module('app.gone')\n",
        "app/later.py": "import importlib\ndef f():\n    importlib.import_module('app.gone')\n",
        "app/perhaps.py": "import importlib\nif __file__:\n    importlib.import_module('app.gone')\n",
        "app/main.py": "import app.plugins\n",
        "app/other.py": "import app.later, app.perhaps\n",
        "tests/test_a.py": "from unittest.mock import patch\nwith patch('app.main.gone'):\n    pass\n",
    }
    report = checked(tmp_path, files)
    assert len(report.findings) == 4
    assert reaching(report) == {"app/plugins.py": (2, 0, 0)}


def test_what_is_not_certain_goes_nowhere(tmp_path: Path) -> None:
    """An import in a branch, two files that could be meant, an exception that cannot be told."""
    files: dict[str, str | bytes] = {
        "app/__init__.py": "import os\nif os.environ.get('X'):\n    import app.bad\n",
        "app/bad.py": GONE,
        "app/own.py": "from app.errors import Mine\ntry:\n    import app.bad\nexcept Mine:\n    pass\n",
        "app/errors.py": "Mine = ImportError\n",
        "app/match.py": "match 1:\n    case 1:\n        import app.bad\n",
        "app/loop.py": "for x in ():\n    import app.bad\n",
        "app/handler.py": "try:\n    1 / 0\nexcept ZeroDivisionError:\n    import app.bad\n",
        "app/orelse.py": "try:\n    x = 1\nexcept ValueError:\n    pass\nelse:\n    import app.bad\n",
    }
    assert reaching(checked(tmp_path, files)) == {"app/bad.py": (1, 0, 0)}


@pytest.mark.parametrize(
    "handler", ["pytest.skip('no app', allow_module_level=True)", "raise unittest.SkipTest('no app')"]
)
def test_a_module_that_always_skips_itself_is_not_broken(tmp_path: Path, handler: str) -> None:
    skipping = f"import pytest, unittest\ntry:\n    import app.nowhere\nexcept ImportError:\n    {handler}\n"
    files: dict[str, str | bytes] = {"app/__init__.py": "", "test_a.py": f"{skipping}from app import gone\n"}
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-p", "no:cacheprovider", "test_a.py"],
        cwd=(checked(tmp_path, files), tmp_path)[1],
        capture_output=True,
        text=True,
    )
    assert "1 skipped" in run.stdout
    report = checked(tmp_path, files)
    assert report.broken == Broken()
    assert [finding.cause for finding in report.findings] == [
        "Nothing for now: the module is left at line 3. With that mended, it raises ImportError here."
    ]


def test_a_suppressed_finding_breaks_nothing(tmp_path: Path) -> None:
    told = "from app import gone  # guard: ignore[IMP002] the release puts it there\n"
    assert checked(tmp_path, {"app/__init__.py": "", "test_a.py": told}).broken == Broken()


def test_paths_narrow_what_is_counted(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {"app/__init__.py": "", "app/bad.py": GONE, "one/test_a.py": "import app.bad\n"}
    files["two/test_b.py"] = "import app.bad\n"
    report = checked(tmp_path, files, within="two/")
    assert (report.findings, report.broken) == ((), Broken(test_files=("two/test_b.py",)))
    narrowed = checked(tmp_path, files, within="app/")
    assert reaching(narrowed) == {"app/bad.py": (1, 2, 2)}


def test_the_summary_says_what_to_mend_first(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {"app/__init__.py": "", "app/bad.py": GONE}
    checked(tmp_path, {**files, **{f"test_{number}.py": "import app.bad\n" for number in range(3)}})
    text = inside("check", "--select", "IMP", "--no-cache", cwd=tmp_path).out
    assert "1 module cannot be imported, and 3 test files cannot be collected. Mend first:\n" in text
    assert "  frees 3 of the 3 test files it holds up: IMP002 app/bad.py:1\n" in text
    markdown = inside("check", "--select", "IMP", "--no-cache", "--output", "markdown", cwd=tmp_path).out
    assert "1 module cannot be imported, and 3 test files cannot be collected.\n" in markdown
    assert "| 3 | 3 | IMP002 | <code>app/bad.py:1</code> |\n" in markdown
    for form in ("concise", "json", "jsonl", "sarif", "github", "gitlab", "junit", "markdown"):
        out = inside("check", "--select", "IMP", "--no-cache", "--output", form, cwd=tmp_path).out
        assert "breaks 1 module and 3 test files" in out, form


def _chain(folder: Path, length: int) -> float:
    """The seconds for a chain of modules, each of them broken, so that the first one breaks at all of them."""
    files: dict[str, str | bytes] = {"app/__init__.py": ""}
    for number in range(length):
        lines = [GONE, f"import app.m{number + 1}\n" if number + 1 < length else ""]
        files[f"app/m{number}.py"] = "".join(lines)
        files[f"tests/test_{number}.py"] = f"import app.m{number}\n"
    started = time.process_time()
    report = checked(folder, files)
    taken = time.process_time() - started
    found: list[Finding] = [finding for finding in report.findings if finding.extent is not None]
    assert sum(finding.extent.test_files for finding in found if finding.extent) == length * (length + 1) // 2
    assert reaching(report)["app/m0.py"] == (1, 1, 0)
    assert reaching(report)[f"app/m{length - 1}.py"] == (length, length, 1)
    return taken


def test_many_findings_that_reach_far(tmp_path: Path) -> None:
    short, long = _chain(tmp_path / "short", 400), _chain(tmp_path / "long", 1600)
    assert long < short * 8 + 1
