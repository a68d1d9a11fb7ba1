"""A small service with a plan, and a loop over it whose tests are requests made in this process: no pytest to start."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

import pytest

from guard.runner import classify, criteria, options, phase, whys
from guard.runner.deployers.base import DeployFailed
from guard.runner.phase import PhaseResult, Tests
from guard.runner.plan import Phase
from guard.runner.record import Cause, CauseKind, Criterion, Outcome, Session, Test, TestOutcome
from guard.runner.redact import Redactor
from tests.engine.support import Files, Run, repository

APP = """
import json, os

REVISION = os.environ["GUARD_REVISION"]
STATUS = 200
BROKEN = set()

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        await receive()
        return
    path = scope["path"]
    status = STATUS if path == "/health" else 500 if path in BROKEN else 200
    body = json.dumps({"status": "healthy" if status == 200 else "ill", "revision": REVISION}).encode()
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
"""
PLAN = """
[project]
name = "small"
version = "1"

[tool.guard.loop]
mission = "See that the small service works."

[tool.guard.loop.target]
name = "small"
websocket_path = "/ws"
env = {{ E2E_TOKEN = "${{E2E_TOKEN}}" }}

[tool.guard.loop.deploy]
app = "app.main:app"
timeout_s = 20

[[tool.guard.loop.health]]
path = "/health"
json = {{ status = "healthy" }}
revision = "json:revision"
cold_start_s = 0.3

[[tool.guard.loop.health]]
kind = "websocket"
cold_start_s = 0.3
{more}
[[tool.guard.loop.phases]]
name = "first"
priority = "P0"
tests = ["tests/test_first.py"]
fail_fast = true

[[tool.guard.loop.phases]]
name = "second"
tests = ["tests/test_second.py"]
"""
TESTS = {
    "first": ("tests/test_first.py::test_a", "tests/test_first.py::test_b"),
    "second": ("tests/test_second.py::test_c", "tests/test_second.py::test_d", "tests/test_second.py::test_e"),
}
ENVIRON = {"E2E_TOKEN": "a-token-of-the-tests"}


def small(folder: Path, *, app: str = APP, more: str = "", head: str = "") -> Path:
    """The service in a repository of its own."""
    plan = PLAN.format(more=more)
    files: Files = {
        "app/__init__.py": b"",
        "app/main.py": app.encode(),
        "pyproject.toml": plan.replace("[tool.guard.loop]\n", f"[tool.guard.loop]\n{head}", 1).encode(),
        "tests/test_first.py": b"",
        "tests/test_second.py": b"",
        ".gitignore": b"__pycache__/\nran.txt\n",
        ".gitattributes": b"* text=auto eol=lf\n",
    }
    return repository(folder, files)


def quick(patch: pytest.MonkeyPatch) -> None:
    """Put what starts at once in the place of uvicorn, and a moment in the place of longer ones."""
    patch.setenv("PYTHONPATH", str(Path(__file__).with_name("quick")), prepend=os.pathsep)
    patch.setattr("guard.runner.probe._SETTLE_S", 0.02)
    patch.setattr("guard.cli.loop_records._PAGES", {"markdown": "md"})


def with_requests(patch: pytest.MonkeyPatch) -> None:
    """As `quick`, and put requests in the place of pytest, the simplest of causes in the place of the real ones."""
    quick(patch)
    patch.setattr(phase, "run_phase", run_phase)
    patch.setattr(
        phase, "collect_phases", lambda phases, root, environ: {one.name: Tests(ids=TESTS[one.name]) for one in phases}
    )
    patch.setattr(criteria, "judge", judge)
    patch.setattr(criteria, "check", lambda expression: None)
    patch.setattr(classify, "causes", causes)
    patch.setattr(whys, "explained", lambda found, context: tuple(found))
    patch.setattr(options, "tried", lambda found, context: tuple(found))


def run_phase(
    one: Phase,
    *,
    root: Path,
    tests: Sequence[str],
    deselect: Collection[str],
    target_env: Mapping[str, str],
    revision: str,
    base_url: str,
    websocket_url: str,
    cycle: int,
    redact: Redactor,
    on_test: Callable[[Test], None],
    stop: Callable[[], bool],
    keep: Path | None = None,
    former_urls: Sequence[str] = (),
) -> PhaseResult:
    """Each test is one request to a path of its name; that it ran is written down before it is told."""
    for name in tests or TESTS[one.name]:
        begun = time.time()
        try:
            with urllib.request.urlopen(f"{base_url}/{name.rpartition('::')[2]}", timeout=5):
                outcome, message = TestOutcome.PASSED, ""
        except (urllib.error.URLError, OSError) as error:
            outcome, message = TestOutcome.FAILED, str(error)
        with (root / "ran.txt").open("a", encoding="utf-8") as file:
            file.write(f"{cycle} {name}\n")
        took = time.time() - begun
        on_test(
            Test(
                id=name,
                phase=one.name,
                cycle=cycle,
                outcome=outcome,
                started=begun,
                duration_s=took,
                message=redact.text(message),
            )
        )
        if one.fail_fast and outcome is TestOutcome.FAILED:
            break
    return PhaseResult(outcome=Outcome.OK, collected=TESTS[one.name])


def judge(one: Phase, cycle: int, tests: Sequence[Test], duration_s: float) -> tuple[Criterion, ...]:
    """The expression is its own outcome."""
    return tuple(
        Criterion(phase=one.name, cycle=cycle, expression=expression, value="", outcome=expression)
        for expression in one.criteria
    )


def causes(session: Session, cycle: int, log: str, failure: DeployFailed | None) -> tuple[Cause, ...]:
    """One for whatever it is."""
    failed = tuple(test.id for test in session.tests if test.cycle == cycle and test.outcome is TestOutcome.FAILED)
    kind = CauseKind.START if failure is not None else CauseKind.HTTP if failed else CauseKind.UNPROVEN
    return (Cause(id=f"{cycle}-1", kind=kind, summary=str(failure or "requests were answered with 500"), tests=failed),)


def ran(root: Path) -> list[str]:
    """What ran, each time."""
    file = root / "ran.txt"
    return file.read_text(encoding="utf-8").splitlines() if file.exists() else []


def shown(run: Run) -> dict[str, object]:
    """The JSON that a command wrote."""
    assert run.code == 0, run.err
    found: dict[str, object] = json.loads(run.out)
    return found


class Nursery:
    """Runs `guard loop` in processes of its own, with `patch` on them, a name in this module: see `loop_child.py`."""

    def __init__(self, scratch: Path, patch: str = "with_requests") -> None:
        self._output = scratch / "child"
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("loop_child.py")), patch],
            env={**os.environ, **ENVIRON, "PYTHONPATH": str(Path(__file__).parents[2])},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def begin(self, root: Path, arguments: str, moment: str = "") -> int:
        """Begin a command, which kills itself at `moment`; gives its process id."""
        order = {"root": str(root), "arguments": arguments, "moment": moment, "output": str(self._output)}
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return self._number()

    def end(self) -> Run:
        """What the command gave, once it has ended; the code is negative for a signal."""
        code = self._number()
        out, err = (Path(f"{self._output}.{name}").read_text(encoding="utf-8") for name in ("out", "err"))
        return Run(code, out, err)

    def close(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()

    def _number(self) -> int:
        assert self._process.stdout is not None
        return int(self._process.stdout.readline())


def gone(pid: int) -> bool:
    """Whether there is no such process, or only what is left of one."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return True
