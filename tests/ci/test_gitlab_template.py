"""The GitLab component: what it declares, and its script run as a job would run it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from ci_support import BREAKING, HEALTHY, ROOT, loaded, made, put_guard, run_script, strings_in, yaml_blocks

TEMPLATE = (ROOT / "templates/guard.yml").read_text(encoding="utf-8")
SPEC, JOBS = loaded(TEMPLATE)
INPUTS: dict[str, dict[str, Any]] = SPEC["spec"]["inputs"]
JOB: dict[str, Any] = next(iter(JOBS.values()))


def test_inputs_are_declared_and_used() -> None:
    assert set(SPEC) == {"spec"}
    assert set(SPEC["spec"]) == {"inputs"}
    for name, one in INPUTS.items():
        assert set(one) <= {"description", "default", "type", "options", "regex"}, name
        kind = {"string": str, "number": (int, float), "boolean": bool}[one.get("type", "string")]
        assert isinstance(one["default"], kind), name  # type: ignore[arg-type]
        assert one["description"].endswith(".")
    used = {name for text in strings_in(JOBS) for name in re.findall(r"\$\[\[ inputs\.([\w-]+) \]\]", text)}
    assert used == set(INPUTS)


def test_merge_requests_can_show_what_the_job_leaves() -> None:
    assert len(JOBS) == 1
    assert re.fullmatch(r"[\w -]{1,100}", JOB["artifacts"]["expose_as"])


def test_includes_in_the_docs_give_inputs_that_there_are() -> None:
    included = [block for block in yaml_blocks("docs/ci.md") if "component:" in block]
    assert included
    for block in included:
        for one in loaded(block)[0]["include"]:
            assert set(one["inputs"]) <= set(INPUTS)


def run(folder: Path, programs: Path, **given: str) -> tuple[int, str]:
    """Run the job's script in a checkout; gives its exit code and what it wrote."""
    variables = {
        "GUARD_CACHE_DIR": str(folder / ".guard"),
        "GUARD_PATHS": "",
        "GUARD_CHECK": "true",
        "GUARD_FAIL_UNDER": "0",
        "GUARD_HISTORY": "0",
        **given,
    }
    assert set(variables) - {"CI_MERGE_REQUEST_DIFF_BASE_SHA"} == set(JOB["variables"]) - {"GIT_DEPTH"}
    (script,) = JOB["script"]
    path = f"{programs}:/usr/local/bin:/usr/bin:/bin"
    done = run_script(script, folder, {**variables, "PATH": path}, ("sh", "-e"))
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    return put_guard(tmp_path / "programs")


def test_the_job(tmp_path: Path, programs: Path) -> None:
    folder = tmp_path / "checkout"
    base = made(folder, HEALTHY, "all is well")
    code, told = run(folder, programs, GUARD_HISTORY="2", GUARD_FAIL_UNDER="90")
    assert code == 0, told
    written = {file.name for file in (folder / "guard-report").iterdir()}
    assert written == {".gitignore", "codequality.json", "junit.xml", "report.md", "report.json", "report.html"}
    before = json.loads((folder / "guard-report/report.json").read_text())
    assert before["counts"]["files"] == len(HEALTHY)
    made(folder, BREAKING, "break it")
    code, told = run(folder, programs, CI_MERGE_REQUEST_DIFF_BASE_SHA=base)
    assert code == 1
    assert "1 new, 0 fixed" in " ".join(told.split())
    code, told = run(folder, programs, CI_MERGE_REQUEST_DIFF_BASE_SHA=base, GUARD_CHECK="false")
    assert code == 0, told
    code, told = run(folder, programs, GUARD_CHECK="false", GUARD_FAIL_UNDER="100")
    assert code == 1
    assert "failed: the score is under 100" in told
    code, told = run(folder, programs, GUARD_PATHS="app/store.py app/nowhere.py")
    assert code == 2, told
