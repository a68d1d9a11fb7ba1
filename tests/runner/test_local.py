"""`local`: copies, starts, finds again, goes back, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import socket
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from loop_support import APP, gone

from guard.model import ConfigError, GuardError
from guard.runner import processes
from guard.runner.classify_log import stands_at
from guard.runner.deployers.base import DeployFailed, Deployment
from guard.runner.deployers.local import LocalDeployer
from guard.runner.plan import Deploy, Target
from guard.runner.redact import Redactor
from tests.engine.support import repository

FILES = {"app/__init__.py": b"", "app/main.py": APP.encode(), ".gitignore": b"secret.txt\n", "data.txt": b"one\n"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return repository(tmp_path / "small", FILES)


@pytest.fixture
def deployer(root: Path) -> Iterator[LocalDeployer]:
    with closing(made(root)) as deployer:
        yield deployer


def made(root: Path, url: str = "", **settings: object) -> LocalDeployer:
    deploy = Deploy(**{"app": "app.main:app", "timeout_s": 20, **settings})  # type: ignore[arg-type]
    return LocalDeployer(
        deploy, Target(base_url=url), root, dict(os.environ), Redactor({"A_TOKEN": "s3cr3t-value"}).text
    )


def answer(deployment: Deployment) -> str:
    with urllib.request.urlopen(f"{deployment.base_url}/health", timeout=5) as found:
        text: str = found.read().decode()
    return text


def pid_of(deployment: Deployment) -> int:
    pid = deployment.data["pid"]
    assert isinstance(pid, int)
    return pid


def test_what_was_deployed_is_what_answers_and_is_found_by_another_process(root: Path, deployer: LocalDeployer) -> None:
    said: list[str] = []
    first = deployer.deploy(said.append)
    assert f'"revision": "{first.revision}"' in answer(first)
    assert said == [f"copying 4 files as {first.revision}", f"starting app.main:app from {first.revision}"]
    assert made(root).current() == first
    assert deployer.alive(first)
    assert 'GET /health HTTP/1.1" 200' in deployer.logs(first, 0)
    deployer.close()
    assert gone(pid_of(first))
    assert not deployer.alive(first)
    assert deployer.current() is None


def test_what_is_edited_meanwhile_is_not_served_and_a_former_revision_can_be(
    root: Path, deployer: LocalDeployer
) -> None:
    first = deployer.deploy(lambda _: None)
    (root / "secret.txt").write_text("x")
    (root / "data.txt").write_text("two\n")
    assert (root / ".guard/revisions" / first.revision / "data.txt").read_text() == "one\n"
    second = deployer.deploy(lambda _: None)
    assert second.revision != first.revision
    assert not (root / ".guard/revisions" / second.revision / "secret.txt").exists()
    assert gone(pid_of(first)), "there is one service at a time"
    third = deployer.rollback(first.revision, lambda _: None)
    assert third.revision == first.revision
    assert f'"revision": "{first.revision}"' in answer(third)
    with pytest.raises(DeployFailed, match="there is no copy of revision"):
        deployer.rollback("0000", lambda _: None)


def test_it_works_without_git(tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    for name, content in FILES.items():
        (tmp_path / name).write_bytes(content)
    with closing(made(tmp_path)) as deployer:
        assert deployer.deploy(lambda _: None).revision.startswith("tree-")


IMPORTS = "import json, os"
STARTUP = '"lifespan":\n        await send({"type": "lifespan.startup.failed", "message": "no database s3cr3t-value"})'


@pytest.mark.parametrize(
    ("old", "new", "said", "log"),
    [
        (IMPORTS, f"{IMPORTS}\nfrom app.gone import x", "ended with status 1", "No module named 'app.gone'"),
        ('"lifespan":', STARTUP, "ended with status 3", "no database [redacted]"),
        (IMPORTS, f"{IMPORTS}\nos.kill(os.getpid(), 11)", "ended by signal 11", "(nothing)"),
    ],
)
def test_a_service_that_does_not_start_says_why(root: Path, old: str, new: str, said: str, log: str) -> None:
    (root / "app/main.py").write_text(APP.replace(old, new, 1))
    with closing(made(root)) as deployer:
        with pytest.raises(DeployFailed, match=said) as caught:
            deployer.deploy(lambda _: None)
        assert caught.value.phase == "start"
        assert log in caught.value.evidence[0].text
        assert deployer.current() is None
    assert b"s3cr3t-value" not in b"".join(path.read_bytes() for path in (root / ".guard/logs").iterdir())


def test_a_service_that_never_listens_is_stopped_when_its_time_is_over(root: Path) -> None:
    (root / "app/main.py").write_text("import time\ntime.sleep(60)\n")
    with closing(made(root, timeout_s=0.7)) as deployer:
        with pytest.raises(DeployFailed, match=r"did not accept connections within 0.7 s") as caught:
            deployer.deploy(lambda _: None)
        assert not (root / ".guard/local-local.json").exists()
    assert stands_at(caught.value.evidence[0].text) == "app/main.py:2, <module>"


def test_the_port_of_the_plan_is_listened_on_and_one_that_is_taken_is_told(root: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with closing(made(root, f"http://127.0.0.1:{port}")) as deployer, pytest.raises(DeployFailed) as caught:
            deployer.deploy(lambda _: None)
    assert f"cannot listen on 127.0.0.1 port {port}: Address already in use" in caught.value.evidence[0].text
    with closing(made(root, f"http://127.0.0.1:{port}")) as deployer:
        assert deployer.deploy(lambda _: None).base_url == f"http://127.0.0.1:{port}"


def test_a_process_id_that_is_used_again_is_not_the_service(root: Path, deployer: LocalDeployer) -> None:
    first = deployer.deploy(lambda _: None)
    note = root / ".guard/local-local.json"
    note.write_text(note.read_text().replace(f'"pid": {pid_of(first)}', f'"pid": {os.getpid()}'))
    assert deployer.current() is None
    deployer.close()  # must not end this process
    assert gone(pid_of(first)), "its own child it knows all the same"


def test_it_can_be_left_running(root: Path) -> None:
    with closing(made(root, keep=True)) as deployer:
        first = deployer.deploy(lambda _: None)
    try:
        assert deployer.alive(first)
    finally:
        made(root).close()
    assert gone(pid_of(first))


def test_a_service_that_does_not_listen_to_reason_is_ended_all_the_same(
    root: Path, deployer: LocalDeployer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "_GRACE_S", 0.2)
    first = deployer.deploy(lambda _: None)
    os.kill(pid_of(first), signal.SIGSTOP)
    deployer.close()
    assert gone(pid_of(first))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"app": ""}, "loop.deploy.app is missing"),
        ({"app": "app.main"}, "loop.deploy.app: app.main: expected MODULE:NAME"),
        ({"folder": "../elsewhere"}, "loop.deploy.folder: ../elsewhere: no such folder"),
        ({"env": {"A": "${NOT_SET_AT_ALL}"}}, "NOT_SET_AT_ALL is not set"),
    ],
)
def test_what_is_wrong_with_the_plan(root: Path, settings: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said.replace(".", r"\.")):
        made(root, **settings)


def test_a_python_that_is_not_there(root: Path) -> None:
    with (
        closing(made(root, python="/no/such/python")) as deployer,
        pytest.raises(GuardError, match=r"loop\.deploy\.python"),
    ):
        deployer.deploy(lambda _: None)
