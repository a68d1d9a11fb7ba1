"""The files around the code: licence, changelog, packaging, the strict treatment of skips, the demo."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

from examples.shop import FILES, STORIES

ROOT = Path(__file__).parents[2]


def test_licence_is_whole() -> None:
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "Apache License" in text
    assert "END OF TERMS AND CONDITIONS" in text
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["license"] == "Apache-2.0"


def test_changelog_fragments_have_a_kind_and_a_text() -> None:
    fragments = [file for file in (ROOT / "changelog.d").iterdir() if file.name != "README.md"]
    assert fragments
    for file in fragments:
        assert re.fullmatch(r"[a-z0-9-]+\.(added|changed|fixed|removed)\.md", file.name)
        assert file.read_text(encoding="utf-8").strip().endswith(".")


def test_no_registry_is_named() -> None:
    for name in ("Makefile", ".ci/run", "pyproject.toml"):
        assert not re.search(r"pypi|--index|https?://", (ROOT / name).read_text(encoding="utf-8"))


def test_ci_script_is_executable_and_valid() -> None:
    assert os.access(ROOT / ".ci/run", os.X_OK)
    subprocess.run(["bash", "-n", str(ROOT / ".ci/run")], check=True)


def test_every_story_of_the_demo_is_told_and_mended() -> None:
    found = [finding for story in STORIES for finding in story.findings]
    assert len(found) == len(set(found))
    assert {path for _, path in found} <= set(FILES)
    for story in STORIES:
        for mend in story.mends:
            assert mend.old in FILES[mend.path]


def test_demo_runs(tmp_path: Path) -> None:
    """The part with `guard check`. The loop's part takes a minute; .ci/run runs both."""
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-m", "examples.demo", "check"],
        cwd=ROOT,
        env=environment,
        check=False,
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    assert "Clean: " in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_skips_fail_a_strict_run(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(
        "import pytest\n"
        "def test_skips(): pytest.skip('git is not here')\n"
        "def test_elsewhere(): pytest.skip('only on Windows')\n"
        "@pytest.mark.xfail\ndef test_fails_as_expected(): assert False\n"
        "def test_passes(): pass\n"
    )
    (tmp_path / "test_whole_file.py").write_text("import pytest\npytest.skip('no tool', allow_module_level=True)\n")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-c", os.devnull, str(tmp_path)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    for workers in ([], ["-p", "xdist", "-n", "2"]):
        strict = subprocess.run(
            [*command, "-p", "tests.strict_skips", *workers],
            cwd=ROOT,
            env=environment,
            check=False,
            capture_output=True,
            text=True,
        )
        assert strict.returncode == 1, strict.stdout
        assert "test_it.py::test_skips: git is not here" in strict.stdout
        assert "no tool" in strict.stdout
        assert "only on Windows" not in strict.stdout
    plain = subprocess.run(command, cwd=ROOT, env=environment, check=False, capture_output=True, text=True)
    assert plain.returncode == 0
