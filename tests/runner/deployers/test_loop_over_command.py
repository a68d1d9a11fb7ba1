"""A whole session over the `command` deployer: a deploy that answers 503 is rolled back by the plan's own command."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.engine.support import inside, repository
from tests.runner import loop_support

SHIP = """
import os, pathlib, sys
serving = pathlib.Path(os.environ["STATE"]) / "serving"
what = sys.argv[1]
if what == "deploy":
    serving.write_text(os.environ["NEXT"])
    print("shipping with password=correct-horse-battery", file=sys.stderr)
elif what == "revision":
    print(serving.read_text() if serving.exists() else "")
elif what == "rollback":
    serving.write_text(sys.argv[2])
elif what == "logs":
    print("ERROR no database")
"""
PLAN = """
[tool.guard.loop.target]
name = "small"
base_url = "{url}"
[tool.guard.loop.deploy]
kind = "command"
deploy = ["{python}", "ship.py", "deploy"]
revision = ["{python}", "ship.py", "revision"]
rollback = ["{python}", "ship.py", "rollback", "{{revision}}"]
logs = ["{python}", "ship.py", "logs", "{{since}}"]
env = {{ STATE = "${{STATE}}", NEXT = "${{NEXT}}" }}
[[tool.guard.loop.health]]
path = "/health"
revision = "json:revision"
cold_start_s = 0.3
[[tool.guard.loop.phases]]
name = "first"
tests = ["tests/test_first.py"]
"""


@pytest.fixture
def service(tmp_path: Path) -> Iterator[str]:
    """What serves is what the file says; v2 is not well."""
    state = tmp_path / "serving"

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            revision = state.read_text(encoding="utf-8")
            said = json.dumps({"revision": revision}).encode()
            self.send_response(503 if revision == "v2" else 200)
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_deploy_that_is_not_well_is_rolled_back(
    tmp_path: Path, service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop_support.with_requests(monkeypatch)
    plan = PLAN.format(url=service, python=sys.executable)
    root = repository(
        tmp_path / "small",
        {
            "pyproject.toml": f'[project]\nname = "small"\nversion = "1"\n{plan}'.encode(),
            "ship.py": SHIP.encode(),
            "tests/test_first.py": b"",
            ".gitignore": b"ran.txt\n",
            ".gitattributes": b"* text=auto eol=lf\n",
        },
    )
    monkeypatch.setenv("STATE", str(tmp_path))
    monkeypatch.setenv("NEXT", "v1")
    run = inside("loop", "run", cwd=root)
    assert run.code == 0, run.out + run.err
    monkeypatch.setenv("NEXT", "v2")
    run = inside("loop", "run", cwd=root)
    assert run.code == 12, run.out + run.err
    session: dict[str, Any] = json.loads(inside("loop", "show", "--output", "json", cwd=root).out)
    outcomes = {step["name"]: step["outcome"] for step in session["steps"]}
    assert (outcomes["health"], outcomes["rollback"], outcomes["health-after-rollback"]) == ("failed", "ok", "ok")
    assert (tmp_path / "serving").read_text(encoding="utf-8") == "v1"
    page = inside("loop", "show", "--output", "html", cwd=root).out
    assert "Unhealthy, rolled back" in page
    for text in (page, run.out, run.err, (root / ".guard/loop.db").read_bytes().decode("latin-1")):
        assert "correct-horse-battery" not in text
    worse = inside("loop", "compare", *reversed(ids(root)), cwd=root)
    assert worse.code == 1
    assert "new-cause" in worse.out


def ids(root: Path) -> list[str]:
    """Of the sessions, the last one first."""
    listed = json.loads(inside("loop", "list", "--output", "json", cwd=root).out)
    return [one["id"] for one in listed["sessions"]]
