"""The `command` deployer."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from fake_tools import Fake, redact, silent

from guard.model import ConfigError
from guard.runner.deployers import make
from guard.runner.deployers.base import DeployFailed
from guard.runner.deployers.command import CommandDeployer
from guard.runner.plan import Deploy, Target

PLAN = Deploy(
    kind="command",
    deploy=("ship", "deploy", "--force now"),
    revision=("ship", "revision"),
    rollback=("ship", "rollback", "--to={revision}"),
    logs=("ship", "logs", "--since", "{since}"),
    env={"STAGE": "staging"},
)
TARGET = Target(name="staging", base_url="https://chat.example/")


def deployer(fake: Fake, root: Path, plan: Deploy = PLAN, target: Target = TARGET) -> CommandDeployer:
    """The deployer with `ship` on PATH."""
    return CommandDeployer(plan, target, root, fake.environ, redact)


@pytest.fixture
def ship(tmp_path: Path) -> Fake:
    """A program of the team's own."""
    return Fake(tmp_path, "ship")


def test_it_deploys_and_asks_for_the_revision(ship: Fake, tmp_path: Path) -> None:
    ship.answers("deploy", stderr="shipping\n")
    ship.answers("revision", stdout="looking\nv7\n")
    told: list[str] = []
    made = deployer(ship, tmp_path).deploy(told.append)
    assert (made.revision, made.base_url) == ("v7", "https://chat.example")
    assert ship.lines() == [["deploy", "--force now"], ["revision"]]
    assert told == ["shipping"]
    assert ship.asked()[0]["env"]["STAGE"] == "staging"
    assert ship.asked()[0]["cwd"] == str(tmp_path)


def test_a_command_that_fails_is_a_failed_deploy(ship: Fake, tmp_path: Path) -> None:
    ship.answers("deploy", stdout="step 1\n", stderr="error: password hunter2 refused\n", status=5)
    with pytest.raises(DeployFailed, match="the deploy command failed: error: password") as caught:
        deployer(ship, tmp_path).deploy(silent)
    assert caught.value.phase == "build"
    assert caught.value.evidence[0].text == "step 1\nerror: password *** refused"
    assert "hunter2" not in str(caught.value)


def test_a_deploy_without_a_revision_has_failed(ship: Fake, tmp_path: Path) -> None:
    ship.answers("deploy")
    ship.answers("revision", stdout="\n")
    with pytest.raises(DeployFailed, match="tells no revision"):
        deployer(ship, tmp_path).deploy(silent)


def test_a_line_that_is_too_long_is_no_revision(ship: Fake, tmp_path: Path) -> None:
    ship.answers("deploy")
    ship.answers("revision", stdout="x" * 201)
    with pytest.raises(DeployFailed, match="its last line has 201 characters, and a revision at most 200"):
        deployer(ship, tmp_path).deploy(silent)
    assert deployer(ship, tmp_path).current() is None


def test_it_rolls_back_and_looks(ship: Fake, tmp_path: Path) -> None:
    ship.answers("rollback")
    ship.answers("revision", stdout="v6\n")
    assert deployer(ship, tmp_path).rollback("v6", silent).revision == "v6"
    assert ship.lines()[0] == ["rollback", "--to=v6"]
    with pytest.raises(DeployFailed, match="rolled back to --all; rm, but v6 serves"):
        deployer(ship, tmp_path).rollback("--all; rm", silent)
    assert ship.lines()[2] == ["rollback", "--to=--all; rm"]


def test_it_says_when_it_cannot_roll_back(ship: Fake, tmp_path: Path) -> None:
    one = deployer(ship, tmp_path, msgspec.structs.replace(PLAN, rollback=None))
    assert not one.can_roll_back
    with pytest.raises(DeployFailed, match=r"no loop\.deploy\.rollback"):
        one.rollback("v6", silent)


def test_logs_since_a_time_and_nothing_where_that_fails(ship: Fake, tmp_path: Path) -> None:
    ship.answers("revision", stdout="v7")
    ship.answers("logs", stdout="token hunter2")
    ship.answers("logs", stdout="half", status=1)
    one = deployer(ship, tmp_path)
    made = one.current()
    assert made is not None
    assert one.alive(made)
    assert one.logs(made, 1_790_000_000.5) == "token ***"
    assert ship.lines()[-1] == ["logs", "--since", "2026-09-21T14:13:20Z"]
    assert one.logs(made, 0) == ""


def test_nothing_serves_where_the_revision_command_fails(ship: Fake, tmp_path: Path) -> None:
    ship.answers("revision", stdout="v7", status=1)
    assert deployer(ship, tmp_path).current() is None


@pytest.mark.parametrize(
    ("plan", "error"),
    [
        (Deploy(kind="command", revision=("x",)), "loop.deploy.deploy is missing"),
        (Deploy(kind="command", deploy=("x",)), "loop.deploy.revision is missing"),
    ],
)
def test_a_plan_that_cannot_work_is_refused(ship: Fake, tmp_path: Path, plan: Deploy, error: str) -> None:
    with pytest.raises(ConfigError, match=error):
        deployer(ship, tmp_path, plan)


@pytest.mark.parametrize(
    ("plan", "name"),
    [
        (PLAN, "CommandDeployer"),
        (Deploy(kind="compose", file="compose.yaml"), "ComposeDeployer"),
        (Deploy(kind="cloud-run", service="chat", image="chat:7"), "CloudRunDeployer"),
        (Deploy(kind="kubernetes", deployment="web", image="chat:7"), "KubernetesDeployer"),
    ],
)
def test_every_kind_is_made_by_its_name(tmp_path: Path, plan: Deploy, name: str) -> None:
    assert type(make(plan, TARGET, tmp_path, {})).__name__ == name


def test_what_is_made_takes_secrets_out(ship: Fake, tmp_path: Path) -> None:
    ship.answers("deploy", stderr="refused: correct-horse-battery\n", status=1)
    environ = ship.environ | {"SHIP_PASSWORD": "correct-horse-battery"}
    with pytest.raises(DeployFailed) as caught:
        make(PLAN, TARGET, tmp_path, environ).deploy(silent)
    assert "correct-horse-battery" not in f"{caught.value} {caught.value.evidence}"
