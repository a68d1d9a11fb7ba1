"""`guard loop run`: what it does in which order, and what it ends with."""

from __future__ import annotations

import json
import time
import tomllib
from pathlib import Path
from typing import Any

import pytest
from loop_support import APP, ENVIRON, gone, ran, shown, small, with_requests

from guard.cli.loop_session import locked, opened
from guard.model import EnvironmentFailed
from guard.runner.deployers.local import LocalDeployer
from tests.engine.support import git, inside

GOOD_STEPS = ["guards", "select", "deploy", "health", "phase:first", "phase:second", "stability", "audit", "record"]


@pytest.fixture(autouse=True)
def _requests(monkeypatch: pytest.MonkeyPatch) -> None:
    with_requests(monkeypatch)
    for name, value in ENVIRON.items():
        monkeypatch.setenv(name, value)


def last(root: Path) -> dict[str, Any]:
    """The last session, as JSON."""
    return shown(inside("loop", "show", "--output", "json", cwd=root))


def outcomes(session: dict[str, Any], cycle: int = 1) -> dict[str, str]:
    return {step["name"]: step["outcome"] for step in session["steps"] if step["cycle"] == cycle}


def service_of(session: dict[str, Any]) -> int:
    """The process id of the service that was deployed first."""
    return int(next(s for s in session["steps"] if s["name"] == "deploy")["data"]["deployment"]["data"]["pid"])


def test_a_good_service_meets_the_goal(tmp_path: Path) -> None:
    root = small(tmp_path / "small")
    run = inside("loop", "run", cwd=root)
    assert (run.code, run.out.splitlines()[0].split(" ", 1)[1]) == (0, "goal-met: 5 of 5 passed"), run.err
    session = last(root)
    assert outcomes(session) == dict.fromkeys(GOOD_STEPS, "ok")
    assert [step["name"] for step in session["steps"]] == GOOD_STEPS
    assert session["revision"].startswith(git(root, "rev-parse", "HEAD")[:8] + "-")
    assert session["tests"][0]["outcome"] == "passed"
    assert session["audit"]["files_found"] == 7
    assert gone(service_of(session))
    assert git(root, "status", "--porcelain") == "", "what the loop keeps is no part of the repository"


def rewrite(root: Path, old: str, new: str, path: str = "app/main.py") -> None:
    text = (root / path).read_text(encoding="utf-8")
    assert old in text
    (root / path).write_text(text.replace(old, new), encoding="utf-8")


def test_guards_block_it_before_anything_is_deployed(tmp_path: Path) -> None:
    root = small(tmp_path / "small")
    rewrite(root, "import json, os", "import json, os\nfrom app.gone import lost")
    run = inside("loop", "run", cwd=root)
    assert run.code == 10, run.err
    session = last(root)
    assert outcomes(session) == {"guards": "blocked", "record": "ok"}
    assert "guard check --fix; or go on all the same with --override-guards REASON" in run.out
    assert run.out.splitlines()[1].startswith("  1-1 guard: IMP001 app/main.py:3: "), "what it ended of"
    (cause,) = session["causes"]
    assert (cause["kind"], cause["rule"]) == ("guard", "IMP001")
    assert "\nin production: " in cause["evidence"][0]["text"]
    assert "\nhelp: " in cause["evidence"][0]["text"]
    assert not (root / ".guard/revisions").exists()


def test_what_serves_is_not_asked_where_nothing_was_deployed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(_: LocalDeployer) -> None:
        raise EnvironmentFailed("the platform does not answer")

    monkeypatch.setattr(LocalDeployer, "current", unreachable)
    root = small(tmp_path / "small", head="cycles = 2\n")
    (root / "app" / "more.py").write_text("import app.missing\n", encoding="utf-8")
    assert inside("loop", "run", cwd=root).code == 10


def test_guards_can_be_overridden_with_a_reason_that_is_kept(tmp_path: Path) -> None:
    root = small(tmp_path / "small")
    rewrite(root, "import json, os", "import json, os\nif os.environ.get('NEVER'):\n    from app.gone import lost")
    run = inside("loop", "run", "--override-guards", "the demo is at noon", cwd=root)
    assert run.code == 0, run.err
    guards = last(root)["steps"][0]
    assert guards["outcome"] == "failed"
    assert guards["summary"].startswith("GUARDS OVERRIDDEN: the demo is at noon (1 finding blocks: IMP001 ")


def test_a_service_that_does_not_start_is_a_failed_deploy_and_the_former_one_is_brought_back(tmp_path: Path) -> None:
    root = small(tmp_path / "small")
    assert inside("loop", "run", cwd=root).code == 0
    good = last(root)["revision"]
    rewrite(root, "STATUS = 200", "STATUS = int(os.environ['NOT_SET'])")
    run = inside("loop", "run", cwd=root)
    assert run.code == 11, run.err
    session = last(root)
    assert outcomes(session)["deploy"] == "failed"
    deploy = next(step for step in session["steps"] if step["name"] == "deploy")
    assert "KeyError: 'NOT_SET'" in deploy["evidence"][0]["text"]
    assert deploy["summary"] == "app.main:app ended with status 1 before it accepted connections"
    assert [outcomes(session)[name] for name in ("rollback", "health-after-rollback")] == ["ok", "ok"]
    assert session["goal"]["reached"] == f"rolled back to {good}, which is well"


def test_a_revision_that_does_not_start_is_not_gone_back_to_though_it_was_healthy_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = small(tmp_path / "small", app=APP.replace("STATUS = 200", "STATUS = 200 // (2 - len(os.environ['TWO']))"))
    monkeypatch.setenv("TWO", "1")
    assert inside("loop", "run", cwd=root).code == 0
    monkeypatch.setenv("TWO", "12")
    assert inside("loop", "run", cwd=root).code == 11
    session = last(root)
    assert outcomes(session)["rollback"] == "skipped"
    assert session["goal"]["reached"] == "not rolled back: no other revision is known that was healthy here"


def test_an_unhealthy_service_is_rolled_back_and_the_former_one_asked_again(tmp_path: Path) -> None:
    root = small(tmp_path / "small")
    assert inside("loop", "run", cwd=root).code == 0
    rewrite(root, "STATUS = 200", "STATUS = 503")
    assert inside("loop", "run", cwd=root).code == 12
    session = last(root)
    health = next(step for step in session["steps"] if step["name"] == "health")
    assert health["outcome"] == "failed"
    assert health["summary"].startswith("HTTP down, WebSocket up: http://127.0.0.1:")
    assert health["data"]["probes"][0]["status"] == 503
    assert [outcomes(session)[name] for name in ("rollback", "health-after-rollback")] == ["ok", "ok"]
    assert "phase:first" not in outcomes(session)


def test_without_a_former_revision_nothing_is_rolled_back_and_it_says_so(tmp_path: Path) -> None:
    root = small(tmp_path / "small", app=APP.replace("STATUS = 200", "STATUS = 503"))
    assert inside("loop", "run", cwd=root).code == 12
    session = last(root)
    assert outcomes(session)["rollback"] == "skipped"
    assert session["goal"]["reached"] == "not rolled back: no revision is known that was healthy here"


def test_the_first_failure_of_a_phase_that_stops_leaves_the_others_out(tmp_path: Path) -> None:
    root = small(tmp_path / "small", app=APP.replace("set()", "{'/test_b'}"))
    run = inside("loop", "run", cwd=root)
    assert (run.code, run.out.splitlines()[0].split(" ", 1)[1]) == (
        13,
        "tests-failed: 1 of 5 passed, 1 failed, 3 not run",
    )
    session = last(root)
    assert outcomes(session)["phase:first"] == "failed"
    assert outcomes(session)["phase:second"] == "skipped"
    assert session["causes"][0]["tests"] == ["tests/test_first.py::test_b"]
    assert [test["cause"] for test in session["tests"]] == ["", "1-1"]


MEND = """
import json, pathlib, sys
told = json.load(sys.stdin)
pathlib.Path("../told.json").write_text(json.dumps(told))
main = pathlib.Path("app/main.py")
main.write_text(main.read_text().replace("{'/test_b'}", "set()"))
"""


def test_a_command_is_told_of_the_failure_and_the_loop_goes_round_when_it_changed_the_tree(tmp_path: Path) -> None:
    (tmp_path / "mend.py").write_text(MEND, encoding="utf-8")
    root = small(
        tmp_path / "small",
        app=APP.replace("set()", "{'/test_b'}"),
        head='cycles = 3\non_failure = ["python3", "../mend.py"]\n',
    )
    run = inside("loop", "run", cwd=root)
    assert run.code == 0, run.out + run.err
    session = last(root)
    assert session["cycles"] == 2
    assert outcomes(session, 1)["on-failure"] == "ok"
    assert outcomes(session, 2) == dict.fromkeys(GOOD_STEPS, "ok")
    told = json.loads((tmp_path / "told.json").read_text(encoding="utf-8"))
    assert (told["verdict"], told["exit_code"], told["cycle"]) == ("tests-failed", 13, 1)
    assert [test["id"] for test in told["tests"]] == ["tests/test_first.py::test_b"]
    assert [cause["id"] for cause in told["causes"]] == ["1-1"]
    assert session["goal"] == {"wanted": "all tests passing", "reached": "5 of 5 passed", "met": True}


def test_the_loop_stops_when_nothing_changed(tmp_path: Path) -> None:
    root = small(
        tmp_path / "small", app=APP.replace("set()", "{'/test_d'}"), head='cycles = 5\non_failure = ["true"]\n'
    )
    assert inside("loop", "run", cwd=root).code == 13
    assert last(root)["cycles"] == 1


@pytest.mark.parametrize(
    ("criterion", "code", "verdict"),
    [("met", 0, "goal-met"), ("missed", 13, "tests-failed"), ("unproven", 14, "unproven")],
)
def test_criteria_decide_too(tmp_path: Path, criterion: str, code: int, verdict: str) -> None:
    root = small(tmp_path / "small")
    text = (root / "pyproject.toml").read_text(encoding="utf-8")
    (root / "pyproject.toml").write_text(f'{text}criteria = ["{criterion}"]\n', encoding="utf-8")
    assert inside("loop", "run", cwd=root).code == code
    assert last(root)["verdict"] == verdict


def test_a_share_of_the_tests_leaves_criteria_and_the_goal_to_the_whole(tmp_path: Path) -> None:
    root = small(tmp_path / "small", head="goal = 5\n")
    text = (root / "pyproject.toml").read_text(encoding="utf-8")
    (root / "pyproject.toml").write_text(f'{text}criteria = ["missed"]\n', encoding="utf-8")
    for number in (1, 2):
        assert inside("loop", "run", "--shard", f"{number}/2", cwd=root).code == 0
        session = last(root)
        assert session["criteria"] == []
        (phase,) = [step for step in session["steps"] if step["name"] == "phase:second"]
        assert phase["summary"].endswith(" passed; its criteria are left to guard loop merge")


@pytest.mark.parametrize(
    ("goal", "code"), [('"pass_rate >= 0.8"', 0), ('"pass_rate > 0.8"', 13), ("4", 0), ("5", 13), ('"all"', 13)]
)
def test_goals(tmp_path: Path, goal: str, code: int) -> None:
    root = small(tmp_path / "small", app=APP.replace("set()", "{'/test_d'}"), head=f"goal = {goal}\n")
    assert inside("loop", "run", cwd=root).code == code


def test_the_selection_can_be_narrowed(tmp_path: Path) -> None:
    root = small(tmp_path / "small")
    assert inside("loop", "run", "--priority", "P0", cwd=root).code == 0
    assert ran(root) == ["1 tests/test_first.py::test_a", "1 tests/test_first.py::test_b"]
    session = last(root)
    assert session["focus"] == "--priority P0"
    (root / "ran.txt").unlink()
    assert inside("loop", "run", "--least-covered", "3", "--failed-first", cwd=root).code == 0
    assert ran(root) == [f"1 tests/test_second.py::test_{one}" for one in "cde"]
    assert last(root)["selection"][0]["reason"] == "least covered: no recent session ran it"


def test_a_target_that_is_held_is_refused_at_once_with_who_holds_it(tmp_path: Path) -> None:
    root = small(tmp_path / "small")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        place = opened(())
    with locked(place, "251129-101112-abc"):
        begun = time.perf_counter()
        run = inside("loop", "run", cwd=root)
        took = time.perf_counter() - begun
    assert run.code == 4
    assert "session 251129-101112-abc holds this target since " in run.err
    assert took < 1
    assert inside("loop", "run", cwd=root).code == 0, "it is free again"


def test_secrets_of_the_environment_are_nowhere_in_the_record(tmp_path: Path) -> None:
    app = APP.replace("REVISION =", "print('token is', os.environ['E2E_TOKEN'], flush=True)\nREVISION =")
    root = small(tmp_path / "small", app=app.replace("STATUS = 200", "STATUS = 503"))
    run = inside("loop", "run", cwd=root)
    assert run.code == 12
    kept = b"".join(
        path.read_bytes() for path in (root / ".guard").rglob("*") if path.suffix in (".db", ".md", ".html")
    )
    assert b"a-token-of-the-tests" not in kept
    assert "a-token-of-the-tests" not in run.out + run.err


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("[[tool.guard.loop.phases]]\nname = \"first\"", "[[tool.guard.loop.phases]]\nname = \"second\""), "2 phases"),
        (('name = "small"\nwebsocket', 'name = "small"\nbase_url = "localhost"\nwebsocket'), "expected a URL"),
        (('app = "app.main:app"', 'keep = false'), "loop.deploy.app is missing"),
        (("${E2E_TOKEN}", "${NOT_THERE}"), "${NOT_THERE} is not set in the environment"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_plan_is_told_in_one_line(tmp_path: Path, change: tuple[str, str], said: str) -> None:
    root = small(tmp_path / "small")
    rewrite(root, *change, path="pyproject.toml")
    run = inside("loop", "run", cwd=root)
    assert (run.code, run.out) == (2, "")
    assert said in run.err
    assert run.err.startswith("guard: loop.")
    assert run.err.count("\n") == 1


def test_the_plan_is_shown_as_toml_that_gives_the_same_plan(tmp_path: Path) -> None:
    root = small(tmp_path / "small")
    run = inside("loop", "plan", cwd=root)
    assert run.code == 0, run.err
    table = tomllib.loads(run.out)["loop"]
    assert table["target"]["env"] == {"E2E_TOKEN": "${E2E_TOKEN}"}
    (root / "guard.toml").write_text(run.out, encoding="utf-8")
    assert inside("loop", "plan", cwd=root).out.partition("\n")[2] == run.out.partition("\n")[2]


def test_lists_tell_of_every_session(tmp_path: Path) -> None:
    root = small(tmp_path / "small")
    assert inside("loop", "list", cwd=root).out == "There is no session yet; guard loop run makes one.\n"
    assert inside("loop", "show", cwd=root).code == 2
    assert inside("loop", "run", cwd=root).code == 0
    found: Any = shown(inside("loop", "list", "--output", "json", cwd=root))
    assert [(one["verdict"], one["tests"]) for one in found["sessions"]] == [("goal-met", {"passed": 5})]
    name = found["sessions"][0]["id"]
    assert inside("loop", "list", cwd=root).out.startswith(f"{name}  20")
    assert shown(inside("loop", "show", name[:8], "--output", "json", cwd=root))["id"] == name
