"""The `compose` deployer over a program named docker."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from fake_tools import Fake, redact, silent

from guard.model import ConfigError, EnvironmentFailed
from guard.runner.deployers.base import DeployFailed
from guard.runner.deployers.compose import ComposeDeployer
from guard.runner.plan import Deploy, Target

OLD = "sha256:" + "a" * 64
NEW = "sha256:" + "b" * 64
PLAN = Deploy(kind="compose", file="deploy/my compose.yaml", project="chat", env={"TAG": "7"}, timeout_s=90)
BASE = ["compose", "--file=deploy/my compose.yaml", "--project-name=chat"]
PS = [*BASE, "ps", "--all", "--no-trunc", "--format=json"]


def container(letter: str = "1", **fields: Any) -> dict[str, Any]:
    """One container as `docker compose ps --format json` has it."""
    return {
        "Command": '"uvicorn app:app"',
        "CreatedAt": "2026-09-21 14:13:20 +0000 UTC",
        "ExitCode": 0,
        "Health": "healthy",
        "ID": letter * 64,
        "Image": "chat-web",
        "Labels": "com.docker.compose.project=chat",
        "LocalVolumes": "0",
        "Mounts": "",
        "Name": "chat-web-1",
        "Names": "chat-web-1",
        "Networks": "chat_default",
        "Ports": "0.0.0.0:32768->8000/tcp",
        "Project": "chat",
        "Publishers": [
            {"URL": "0.0.0.0", "TargetPort": 8000, "PublishedPort": 32768, "Protocol": "tcp"},
            {"URL": "::", "TargetPort": 8000, "PublishedPort": 32768, "Protocol": "tcp"},
        ],
        "RunningFor": "2 seconds ago",
        "Service": "web",
        "Size": "0B",
        "State": "running",
        "Status": "Up 2 seconds (healthy)",
    } | fields


def database() -> dict[str, Any]:
    """A service without a port on the host."""
    return container("d", Name="chat-db-1", Service="db", Health="", Publishers=None)


def inspected(image: str = NEW, name: str = "chat-web") -> list[dict[str, Any]]:
    """What is read of `docker container inspect`."""
    return [{"Id": "1" * 64, "Image": image, "Config": {"Image": name, "Env": ["SECRET=hunter2"]}}]


def deployer(fake: Fake, root: Path, target: Target | None = None, **changes: Any) -> ComposeDeployer:
    """The deployer with the fake docker on PATH."""
    plan = msgspec.structs.replace(PLAN, **changes)
    return ComposeDeployer(plan, target or Target(name="staging"), root, fake.environ, redact)


@pytest.fixture
def docker(tmp_path: Path) -> Fake:
    """A docker that answers nothing yet."""
    return Fake(tmp_path, "docker")


def lines(*containers: dict[str, Any]) -> str:
    """As compose writes them since 2.21."""
    return "".join(json.dumps(one) + "\n" for one in containers)


@pytest.mark.parametrize("as_array", [True, False])
def test_it_deploys_and_finds_the_published_port(docker: Fake, tmp_path: Path, as_array: bool) -> None:
    docker.answers("ps", stdout="")
    docker.answers("ps", stdout=[container(), database()] if as_array else lines(container(), database()))
    docker.answers("up", stderr=" Container chat-web-1  Healthy\n")
    docker.answers("inspect", stdout=inspected())
    told: list[str] = []
    made = deployer(docker, tmp_path).deploy(told.append)
    assert (made.revision, made.base_url) == (NEW, "http://127.0.0.1:32768")
    assert made.data == {"container": "1" * 64, "service": "web", "image": "chat-web"}
    assert docker.lines() == [
        PS,
        [*BASE, "up", "--build", "--wait", "--wait-timeout=90", "--detach"],
        PS,
        ["container", "inspect", "--", "1" * 64],
    ]
    assert docker.asked()[1]["env"]["TAG"] == "7"
    assert told == ["Container chat-web-1  Healthy"]


def test_the_plans_address_wins(docker: Fake, tmp_path: Path) -> None:
    docker.answers("ps", stdout=lines(container()))
    docker.answers("inspect", stdout=inspected())
    made = deployer(docker, tmp_path, Target(base_url="http://chat.example/")).current()
    assert made is not None
    assert made.base_url == "http://chat.example"


def test_what_cannot_be_built_is_a_failed_build(docker: Fake, tmp_path: Path) -> None:
    docker.answers("ps", stdout=lines(container("9", State="exited", ExitCode=1, Health="")))
    docker.answers("up", stderr="failed to solve: pip install: exit code: 1 hunter2\n", status=17)
    with pytest.raises(DeployFailed, match="failed to solve") as caught:
        deployer(docker, tmp_path).deploy(silent)
    assert caught.value.phase == "build"
    assert "***" in caught.value.evidence[0].text


def test_a_container_that_ends_is_a_failed_start_with_its_log(docker: Fake, tmp_path: Path) -> None:
    docker.answers("ps", stdout="")
    docker.answers("ps", stdout=lines(container(State="exited", ExitCode=3, Health=""), database()))
    docker.answers("up", stderr="container chat-web-1 exited (3)\n", status=1)
    docker.answers("logs", stdout="web-1  | ImportError: cannot import name 'x' (hunter2)\n")
    with pytest.raises(DeployFailed, match=r"web \(chat-web-1\): exited, exit code 3") as caught:
        deployer(docker, tmp_path).deploy(silent)
    assert caught.value.phase == "start"
    assert [one.source for one in caught.value.evidence] == ["deployer", "deployer", "log"]
    assert caught.value.evidence[2].text == "web-1  | ImportError: cannot import name 'x' (***)\n"
    assert docker.lines()[-1] == [*BASE, "logs", "--no-color", "--tail=200", "--", "web"]


def test_it_rolls_back_to_an_image_that_is_there(docker: Fake, tmp_path: Path) -> None:
    docker.answers("ps", stdout=lines(container(), database()))
    docker.answers("container", "inspect", stdout=inspected())
    docker.answers("container", "inspect", stdout=inspected(OLD))
    docker.answers("image", "inspect", stdout=OLD + "\n")
    docker.answers("image", "tag")
    docker.answers("up")
    made = deployer(docker, tmp_path).rollback(OLD, silent)
    assert (made.revision, made.note) == (OLD, "only web went back; db is as it was")
    asked = docker.lines()
    assert ["image", "inspect", "--format={{.Id}}", "--", OLD] in asked
    assert ["image", "tag", "--", OLD, "chat-web"] in asked
    up = ["up", "--no-build", "--pull=never", "--no-deps", "--force-recreate", "--wait", "--wait-timeout=90"]
    assert [*BASE, *up, "--detach", "--", "web"] in asked


@pytest.mark.parametrize(
    ("name", "status", "error"),
    [("chat-web", 1, "the image sha256:a+ is gone"), ("chat@sha256:12", 0, "names the image by its digest")],
)
def test_it_refuses_a_rollback_that_cannot_be(docker: Fake, tmp_path: Path, name: str, status: int, error: str) -> None:
    docker.answers("ps", stdout=lines(container()))
    docker.answers("container", "inspect", stdout=inspected(name=name))
    docker.answers("image", "inspect", stderr="Error response from daemon: No such image\n", status=status)
    with pytest.raises(DeployFailed, match=error):
        deployer(docker, tmp_path).rollback(OLD, silent)
    assert not any("up" in line for line in docker.lines())


def test_a_rollback_that_another_image_comes_of_has_failed(docker: Fake, tmp_path: Path) -> None:
    docker.answers("ps", stdout=lines(container()))
    docker.answers("container", "inspect", stdout=inspected(NEW))
    docker.answers("image", stdout=OLD)
    docker.answers("up")
    with pytest.raises(DeployFailed, match=f"rolled back to {OLD}, but {NEW} serves"):
        deployer(docker, tmp_path).rollback(OLD, silent)


def test_logs_since_a_time(docker: Fake, tmp_path: Path) -> None:
    docker.answers("ps", stdout=lines(container()))
    docker.answers("inspect", stdout=inspected())
    docker.answers("logs", stdout="web-1  | hunter2\n")
    one = deployer(docker, tmp_path)
    made = one.current()
    assert made is not None
    assert one.logs(made, 1_790_000_000.25) == "web-1  | ***\n"
    assert docker.lines()[-1] == [*BASE, "logs", "--no-color", "--since=2026-09-21T14:13:20.250Z"]


def test_alive_is_the_same_container_running(docker: Fake, tmp_path: Path) -> None:
    docker.answers("ps", stdout=lines(container()))
    docker.answers("ps", stdout=lines(container()))
    docker.answers("ps", stdout=lines(container(State="exited", Health="", ExitCode=137)))
    docker.answers("ps", stdout=lines(container(State="exited", Health="", ExitCode=137)))
    docker.answers("inspect", stdout=inspected())
    one = deployer(docker, tmp_path)
    made = one.current()
    assert made is not None
    assert one.alive(made)
    assert not one.alive(made)
    assert "exited, exit code 137" in one.ending(made)
    assert one.ending(msgspec.structs.replace(made, data={"container": "another"})) == ""


@pytest.mark.parametrize(("keep", "downs"), [(False, 1), (True, 0)])
def test_what_it_started_is_taken_down_once_unless_kept(docker: Fake, tmp_path: Path, keep: bool, downs: int) -> None:
    docker.answers("ps", stdout=lines(container()))
    docker.answers("inspect", stdout=inspected())
    docker.answers("up")
    docker.answers("down")
    one = deployer(docker, tmp_path, keep=keep)
    one.close()
    assert docker.lines() == []
    one.deploy(silent)
    one.close()
    one.close()
    assert docker.lines().count([*BASE, "down", "--timeout=10"]) == downs


def test_what_somebody_else_started_is_left_alone(docker: Fake, tmp_path: Path) -> None:
    docker.answers("ps", stdout=lines(container()))
    docker.answers("inspect", stdout=inspected())
    docker.answers("down")
    one = deployer(docker, tmp_path)
    made = one.current()
    one.close()
    assert not any("down" in line for line in docker.lines())
    assert made is not None
    assert one.alive(made)
    one.close()
    assert not any("down" in line for line in docker.lines())
    one.adopt()
    one.close()
    assert docker.lines()[-1] == [*BASE, "down", "--timeout=10"]


def test_a_one_shot_that_is_done_is_not_blamed_beside_one_that_crashes(docker: Fake, tmp_path: Path) -> None:
    done = container("e", Name="chat-migrate-1", Service="migrate", State="exited", Health="", Publishers=None)
    docker.answers("ps", stdout="")
    docker.answers("ps", stdout=lines(container(State="restarting", ExitCode=1, Health=""), done))
    docker.answers("up", stderr="application not healthy after 1m30s\n", status=1)
    docker.answers("logs")
    with pytest.raises(DeployFailed) as caught:
        deployer(docker, tmp_path).deploy(silent)
    assert str(caught.value) == "web (chat-web-1): restarting, exit code 1: application not healthy after 1m30s"


def test_a_service_named_like_an_option_is_still_a_service(docker: Fake, tmp_path: Path) -> None:
    docker.answers("ps", stdout="")
    docker.answers("ps", stdout=lines(container(Service="--follow", State="exited", ExitCode=3, Health="")))
    docker.answers("up", stderr="container chat-web-1 exited (3)\n", status=1)
    docker.answers("logs")
    with pytest.raises(DeployFailed):
        deployer(docker, tmp_path).deploy(silent)
    assert docker.lines()[-1][-2:] == ["--", "--follow"]


def test_two_services_with_ports_have_to_be_told_apart(docker: Fake, tmp_path: Path) -> None:
    docker.answers("ps", stdout=lines(container(), container("2", Service="admin", Name="chat-admin-1")))
    docker.answers("inspect", stdout=inspected())
    with pytest.raises(ConfigError, match=r"loop\.deploy\.service is missing: one of admin, web"):
        deployer(docker, tmp_path).current()
    assert deployer(docker, tmp_path, service="web").current() is not None


def test_a_docker_that_does_not_answer_ends_with_code_4(docker: Fake, tmp_path: Path) -> None:
    docker.answers("ps", stderr="Cannot connect to the Docker daemon at unix:///var/run/docker.sock.\n", status=1)
    with pytest.raises(EnvironmentFailed, match="Cannot connect to the Docker daemon") as caught:
        deployer(docker, tmp_path).current()
    assert caught.value.exit_code == 4


@pytest.mark.parametrize(
    "changes", [{"file": ""}, {"project": "--help"}, {"project": "Chat"}, {"service": "-d"}, {"service": "a b"}]
)
def test_names_that_could_be_options_are_refused(docker: Fake, tmp_path: Path, changes: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match=rf"loop\.deploy\.{next(iter(changes))}"):
        deployer(docker, tmp_path, **changes)


def test_a_hostile_file_name_stays_a_file_name(docker: Fake, tmp_path: Path) -> None:
    docker.answers("ps", stdout="")
    assert deployer(docker, tmp_path, file="--help; $(id)").current() is None
    assert docker.lines()[0][:2] == ["compose", "--file=--help; $(id)"]
