"""The GitHub Action: its metadata, and each of its scripts run with what a runner would give it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from ci_support import BREAKING, HEALTHY, ROOT, loaded, made, put_guard, run_script, strings_in, yaml_blocks

ACTION: dict[str, Any] = loaded((ROOT / "action.yml").read_text(encoding="utf-8"))[0]
STEPS: list[dict[str, Any]] = ACTION["runs"]["steps"]
BASH = ("bash", "--noprofile", "--norc", "-eo", "pipefail")
"""How a runner starts `shell: bash`."""
WORKFLOWS = [block for block in yaml_blocks("docs/ci.md") if "\non:\n" in f"\n{block}"]
REFERENCES = re.compile(r"\b(inputs|steps|github|runner|env|job|matrix|secrets)\.([\w.-]+)")


def step(name: str) -> dict[str, Any]:
    return next(one for one in STEPS if one.get("name") == name)


def test_no_two_steps_have_one_id() -> None:
    ids = [one["id"] for one in STEPS if "id" in one]
    assert len(ids) == len(set(ids))


def test_every_expression_speaks_of_something_that_is_there() -> None:
    written = " ".join(one for one in strings_in(ACTION) if "${{" in one)
    written += " ".join(str(one.get("if", "")) for one in STEPS)
    outputs = {
        f"{one['id']}.outputs.{name}"
        for one in STEPS
        if "id" in one and "run" in one
        for name in re.findall(r'(?:echo "|print\(")(\w+)=', one["run"])
    }
    for context, name in REFERENCES.findall(written):
        match context:
            case "inputs":
                assert name in ACTION["inputs"]
            case "steps":
                assert name in outputs
            case _:
                assert context in ("github", "runner")
    used = {name for context, name in REFERENCES.findall(written) if context == "inputs"}
    assert used == set(ACTION["inputs"])


def test_no_script_holds_an_expression() -> None:
    """What stands in one is text of whoever opened the pull request, and would be run."""
    for one in STEPS:
        assert "${{" not in one.get("run", "")


@pytest.mark.parametrize("block", WORKFLOWS)
def test_workflows_in_the_docs_give_inputs_that_there_are(block: str) -> None:
    (workflow,) = loaded(block)
    for job in workflow["jobs"].values():
        for one in job["steps"]:
            if "/guard@" in one.get("uses", ""):
                assert set(one.get("with", {})) <= set(ACTION["inputs"])


def test_a_linter_finds_nothing_where_there_is_one(tmp_path: Path) -> None:
    linter = shutil.which("actionlint")
    for number, block in enumerate(WORKFLOWS if linter else ()):
        file = tmp_path / f"{number}.yml"
        file.write_text(block)
        subprocess.run([str(linter), "-no-color", str(file)], check=True)


class Runner:
    """A runner's folders, and the steps of the action in them."""

    def __init__(self, folder: Path) -> None:
        self.checkout = folder / "checkout"
        self.temp = folder / "temp"
        self.folder = self.temp / "guard-report"
        self.folder.mkdir(parents=True)
        put_guard(self.temp / "guard/bin")
        self.output = folder / "output"
        self.summary = folder / "summary"

    def run(self, name: str, given: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
        """Run a step, whose `env` has to be what is given."""
        one = step(name)
        assert set(given) == set(one.get("env", {}))
        self.output.write_text("")
        runner = {
            "RUNNER_TEMP": str(self.temp),
            "GITHUB_OUTPUT": str(self.output),
            "GITHUB_STEP_SUMMARY": str(self.summary),
            "GITHUB_REPOSITORY": "shop/shop",
            "GITHUB_ACTION_PATH": str(ROOT),
        }
        return run_script(one["run"], self.checkout, {**runner, **given}, BASH)

    @property
    def outputs(self) -> dict[str, str]:
        return dict(line.split("=", 1) for line in self.output.read_text().splitlines())

    def common(self, **given: str) -> dict[str, str]:
        cache = str(self.temp / "cache")
        return {"FOLDER": str(self.folder), "GUARD_CACHE_DIR": cache, "PATHS": "", "SINCE": "", **given}


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    found = Runner(tmp_path)
    made(found.checkout, HEALTHY, "all is well")
    return found


def test_a_healthy_push(runner: Runner) -> None:
    done = runner.run("Check", runner.common())
    assert (done.returncode, runner.outputs) == (0, {"status": "0"}), done.stderr
    done = runner.run("Report", runner.common(FAIL_UNDER="90", HISTORY="3"))
    assert (done.returncode, runner.outputs) == (0, {"status": "0", "score": "100.00", "grade": "A"}), done.stderr
    assert "1 commit" not in done.stderr
    written = {file.name for file in runner.folder.iterdir()}
    assert written == {"report.md", "report.json", "report.html", "guard.sarif"}
    assert runner.summary.read_text().startswith("<!-- guard-report -->\n")
    assert runner.run("Decide", {"CHECK": "0", "REPORT": "0"}).returncode == 0


def test_a_pull_request_that_breaks_something(runner: Runner) -> None:
    base = subprocess.run(["git", "rev-parse", "HEAD"], cwd=runner.checkout, check=True, capture_output=True, text=True)
    made(runner.checkout, BREAKING, "break it")
    given = runner.common(SINCE=base.stdout.strip(), PATHS="app\n")
    done = runner.run("Check", given)
    assert (done.returncode, runner.outputs) == (0, {"status": "1"})
    assert "::error file=app/main.py,line=1" in done.stdout
    runner.run("Report", {**given, "FAIL_UNDER": "100", "HISTORY": "0"})
    assert runner.outputs["status"] == "1"
    assert "1 new, 0 fixed" in runner.summary.read_text()
    assert runner.run("Decide", {"CHECK": "1", "REPORT": "1"}).returncode == 1
    assert runner.run("Decide", {"CHECK": "1", "REPORT": "3"}).returncode == 3


def test_a_mistake_leaves_no_summary(runner: Runner) -> None:
    done = runner.run("Report", runner.common(SINCE="nowhere", FAIL_UNDER="", HISTORY="0"))
    assert (done.returncode, runner.outputs) == (0, {"status": "2"})
    assert "no such commit: nowhere" in done.stderr
    assert not runner.summary.exists()


GH = """\
#!/usr/bin/env python3
import json, os, pathlib, sys
told = pathlib.Path(os.environ["TOLD"])
with told.open("a") as file:
    file.write(json.dumps([os.environ["GH_HOST"], *sys.argv[1:]]) + "\\n")
if "--paginate" in sys.argv:
    print(os.environ["FOUND"])
sys.exit(int(os.environ["FAILS"]) if "--method" in sys.argv else 0)
"""


@pytest.mark.parametrize(
    ("found", "written"),
    [
        ("", ["--method", "POST", "repos/shop/shop/issues/7/comments"]),
        ("12\n15", ["--method", "PATCH", "repos/shop/shop/issues/comments/12"]),
    ],
)
@pytest.mark.parametrize("fails", ["0", "1"])
def test_one_comment_is_kept_up_to_date(
    runner: Runner, monkeypatch: pytest.MonkeyPatch, found: str, written: list[str], fails: str
) -> None:
    programs = runner.temp / "programs"
    programs.mkdir()
    (programs / "gh").write_text(GH)
    (programs / "gh").chmod(0o755)
    told = runner.temp / "told"
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    for name, value in (("TOLD", str(told)), ("FOUND", found), ("FAILS", fails)):
        monkeypatch.setenv(name, value)
    given = {"FILE": "report.md", "GH_TOKEN": "x", "GH_HOST": "https://github.example", "NUMBER": "7"}
    done = runner.run("Comment on the pull request", given)
    assert done.returncode == 0, done.stderr
    listing, saying = (json.loads(line) for line in told.read_text().splitlines())
    assert listing[:4] == ["github.example", "api", "--paginate", "repos/shop/shop/issues/7/comments?per_page=100"]
    assert "<!-- guard-report -->" in listing[-1]
    assert saying == ["github.example", "api", *written, "--silent", "--field", "body=@report.md"]
    # Without the permission, as in a pull request from a fork, the job goes on and says so.
    assert ("::warning::" in done.stdout) == (fails == "1")
