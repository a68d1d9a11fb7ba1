"""The `cloud-run` deployer over a program named gcloud."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from fake_tools import Fake, redact, silent

from guard.model import ConfigError, EnvironmentFailed
from guard.runner.deployers.base import DeployFailed
from guard.runner.deployers.cloud_run import CloudRunDeployer
from guard.runner.plan import Deploy, Target

PLAN = Deploy(
    kind="cloud-run", service="chat", region="europe-west1", project="acme-staging", image="gcr.io/acme/chat:7"
)
COMMON = ["--region=europe-west1", "--project=acme-staging", "--format=json", "--quiet"]
DESCRIBE = ["run", "services", "describe", "chat", *COMMON]
URL = "https://chat-abc123-ew.a.run.app"
NOT_READY = (
    "Revision 'chat-00003-xyz' is not ready and cannot serve traffic. The user-provided container failed to start and "
    "listen on the port defined provided by the PORT=8080 environment variable within the allocated timeout."
)
NO_SERVICE = "ERROR: (gcloud.run.services.describe) Cannot find service [chat]\n"


def service(ready: str, created: str = "", serving: str = "", message: str = "") -> dict[str, Any]:
    """What `gcloud run services describe --format json` has, as far as it matters."""
    status = "False" if message else "True"
    return {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {"name": "chat", "namespace": "1234567890", "generation": 3},
        "spec": {"template": {"spec": {"containers": [{"image": "gcr.io/acme/chat:7"}]}}},
        "status": {
            "address": {"url": URL},
            "conditions": [
                {"type": "Ready", "status": status, "reason": "HealthCheckContainerError", "message": message},
                {"type": "ConfigurationsReady", "status": status, "message": message},
                {"type": "RoutesReady", "status": "True"},
            ],
            "latestCreatedRevisionName": created or ready,
            "latestReadyRevisionName": ready,
            "observedGeneration": 3,
            "traffic": [{"latestRevision": not serving, "percent": 100, "revisionName": serving or ready}],
            "url": URL,
        },
    }


def deployer(fake: Fake, root: Path, target: Target | None = None, **changes: Any) -> CloudRunDeployer:
    """The deployer with the fake gcloud on PATH."""
    plan = msgspec.structs.replace(PLAN, **changes)
    environ = fake.environ | {"E2E_TOKEN": "hunter2"}
    return CloudRunDeployer(plan, target or Target(name="staging"), root, environ, redact)


@pytest.fixture
def gcloud(tmp_path: Path) -> Fake:
    """A gcloud that answers nothing yet."""
    return Fake(tmp_path, "gcloud")


def test_it_deploys_an_image(gcloud: Fake, tmp_path: Path) -> None:
    gcloud.answers("describe", stdout=service("chat-00001-abc"))
    gcloud.answers("describe", stdout=service("chat-00002-def"))
    gcloud.answers("deploy", stdout=service("chat-00002-def"), stderr="Deploying...\nDone.\n")
    told: list[str] = []
    made = deployer(gcloud, tmp_path).deploy(told.append)
    assert (made.revision, made.base_url) == ("chat-00002-def", URL)
    assert gcloud.lines() == [
        DESCRIBE,
        ["run", "deploy", "chat", "--image=gcr.io/acme/chat:7", *COMMON],
        DESCRIBE,
    ]
    assert told == ["Deploying...", "Done."]


def test_it_deploys_from_source_with_an_environment_that_no_command_line_shows(gcloud: Fake, tmp_path: Path) -> None:
    gcloud.answers("describe", stderr=NO_SERVICE, status=1)
    gcloud.answers("describe", stdout=service("chat-00001-abc"))
    gcloud.answers("deploy", stdout=service("chat-00001-abc"))
    env = {"TOKEN": "${E2E_TOKEN}", "LIST": "a,b", "DASH": "--quiet"}
    one = deployer(gcloud, tmp_path, image="", source="my service", env=env)
    assert one.deploy(silent).revision == "chat-00001-abc"
    (asked,) = [one for one in gcloud.asked() if "deploy" in one["argv"]]
    assert asked["argv"][:8] == ["run", "deploy", "chat", "--source=my service", *COMMON]
    assert asked["argv"][8].startswith("--flags-file=")
    assert asked["flags"] == [{"--update-env-vars": {"TOKEN": "hunter2", "LIST": "a,b", "DASH": "--quiet"}}]
    assert not Path(asked["argv"][8].partition("=")[2]).exists()
    assert not any("hunter2" in argument for line in gcloud.lines() for argument in line)


def test_a_deploy_without_a_new_revision_is_a_failed_build(gcloud: Fake, tmp_path: Path) -> None:
    gcloud.answers("describe", stdout=service("chat-00001-abc"))
    gcloud.answers("deploy", stderr="ERROR: (gcloud.run.deploy) Build failed; check build logs hunter2\n", status=1)
    with pytest.raises(DeployFailed, match="Build failed; check build logs") as caught:
        deployer(gcloud, tmp_path).deploy(silent)
    assert caught.value.phase == "build"
    assert "hunter2" not in repr(caught.value.evidence)


@pytest.mark.parametrize("status", [0, 1])
def test_a_revision_that_is_not_ready_is_a_failed_start_with_its_log(gcloud: Fake, tmp_path: Path, status: int) -> None:
    gcloud.answers("describe", stdout=service("chat-00002-def"))
    gcloud.answers("describe", stdout=service("chat-00002-def", created="chat-00003-xyz", message=NOT_READY))
    gcloud.answers("deploy", stderr=f"ERROR: (gcloud.run.deploy) {NOT_READY}\n", status=status)
    entries = [
        {"timestamp": "2026-09-21T14:13:22Z", "severity": "ERROR", "textPayload": "ImportError: hunter2"},
        {"timestamp": "2026-09-21T14:13:21Z", "severity": "INFO", "jsonPayload": {"message": "starting"}},
    ]
    gcloud.answers("logging", stdout=entries)
    with pytest.raises(DeployFailed, match=r"revision chat-00003-xyz is not ready: .*failed to start") as caught:
        deployer(gcloud, tmp_path).deploy(silent)
    assert caught.value.phase == "start"
    condition, command, log = caught.value.evidence
    assert (condition.text, condition.place) == (NOT_READY, "revision chat-00003-xyz")
    assert "gcloud run deploy" in command.place
    assert log.text == "2026-09-21T14:13:21Z INFO starting\n2026-09-21T14:13:22Z ERROR ImportError: ***"


def test_traffic_that_a_rollback_pinned_is_given_to_the_new_revision(gcloud: Fake, tmp_path: Path) -> None:
    gcloud.answers("describe", stdout=service("chat-00001-abc"))
    gcloud.answers("describe", stdout=service("chat-00002-def", serving="chat-00001-abc"))
    gcloud.answers("describe", stdout=service("chat-00002-def"))
    gcloud.answers("run", "deploy")
    gcloud.answers("update-traffic", stdout=[])
    assert deployer(gcloud, tmp_path).deploy(silent).revision == "chat-00002-def"
    assert ["run", "services", "update-traffic", "chat", "--to-latest", *COMMON] in gcloud.lines()


def test_it_rolls_back_by_traffic(gcloud: Fake, tmp_path: Path) -> None:
    gcloud.answers(
        "revisions", stdout=[{"metadata": {"name": "chat-00002-def"}}, {"metadata": {"name": "chat-00001-abc"}}]
    )
    gcloud.answers("update-traffic", stdout=[])
    gcloud.answers("describe", stdout=service("chat-00002-def", serving="chat-00001-abc"))
    assert deployer(gcloud, tmp_path).rollback("chat-00001-abc", silent).revision == "chat-00001-abc"
    assert gcloud.lines() == [
        ["run", "revisions", "list", "--service=chat", *COMMON],
        ["run", "services", "update-traffic", "chat", "--to-revisions=chat-00001-abc=100", *COMMON],
        DESCRIBE,
    ]


def test_a_revision_that_is_gone_is_not_gone_back_to(gcloud: Fake, tmp_path: Path) -> None:
    gcloud.answers("revisions", stdout=[])
    with pytest.raises(DeployFailed, match="chat has no revision --to-latest to go back to"):
        deployer(gcloud, tmp_path).rollback("--to-latest", silent)
    assert len(gcloud.lines()) == 1


def test_a_rollback_that_changes_nothing_has_failed(gcloud: Fake, tmp_path: Path) -> None:
    gcloud.answers("revisions", stdout=[{"metadata": {"name": "chat-00001-abc"}}])
    gcloud.answers("update-traffic", stdout=[])
    gcloud.answers("describe", stdout=service("chat-00002-def"))
    with pytest.raises(DeployFailed, match="rolled back to chat-00001-abc, but chat-00002-def gets the traffic"):
        deployer(gcloud, tmp_path).rollback("chat-00001-abc", silent)


def test_logs_are_asked_for_by_revision_and_time(gcloud: Fake, tmp_path: Path) -> None:
    gcloud.answers("describe", stdout=service("chat-00002-def"))
    gcloud.answers(
        "logging", stdout=[{"timestamp": "t", "severity": "ERROR", "protoPayload": {"status": {"message": "m"}}}]
    )
    one = deployer(gcloud, tmp_path)
    made = one.current()
    assert made is not None
    assert one.alive(made)
    assert one.logs(made, 1_790_000_000) == "t ERROR m"
    wanted = (
        'resource.type="cloud_run_revision" AND resource.labels.service_name="chat" AND '
        'resource.labels.revision_name="chat-00002-def" AND resource.labels.location="europe-west1" AND '
        'timestamp>="2026-09-21T14:13:20.000+00:00"'
    )
    assert gcloud.lines()[-1] == [
        *["logging", "read", wanted, "--limit=2000", "--order=desc"],
        *["--project=acme-staging", "--format=json", "--quiet"],
    ]


def test_requests_stand_in_the_log_with_their_status(gcloud: Fake, tmp_path: Path) -> None:
    gcloud.answers("describe", stdout=service("chat-00002-def"))
    request = {"requestMethod": "GET", "requestUrl": f"{URL}/health", "status": 503, "latency": "0.2s"}
    gcloud.answers("logging", stdout=[{"timestamp": "t", "severity": "ERROR", "httpRequest": request}])
    one = deployer(gcloud, tmp_path)
    made = one.current()
    assert made is not None
    assert one.logs(made, 0) == f"t ERROR GET {URL}/health 503"


def test_a_log_that_cannot_be_read_is_empty(gcloud: Fake, tmp_path: Path) -> None:
    gcloud.answers("describe", stdout=service("chat-00002-def"))
    gcloud.answers("logging", stderr="ERROR: (gcloud.logging.read) PERMISSION_DENIED\n", status=1)
    one = deployer(gcloud, tmp_path)
    made = one.current()
    assert made is not None
    assert one.logs(made, 0) == ""


def test_a_gcloud_without_an_account_ends_with_code_4(gcloud: Fake, tmp_path: Path) -> None:
    said = "ERROR: (gcloud.run.services.describe) You do not currently have an active account selected.\nPlease run:\n"
    gcloud.answers("describe", stderr=said, status=1)
    with pytest.raises(EnvironmentFailed, match="You do not currently have an active account") as caught:
        deployer(gcloud, tmp_path).current()
    assert caught.value.exit_code == 4


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"service": ""}, r"loop\.deploy\.service is missing"),
        ({"service": "--help"}, r"loop\.deploy\.service: '--help' is not"),
        ({"region": "-r"}, r"loop\.deploy\.region: '-r' is not"),
        ({"project": "a b"}, r"loop\.deploy\.project: 'a b' is not"),
        ({"source": "."}, "needs one of image and source"),
        ({"image": ""}, "needs one of image and source"),
    ],
)
def test_plans_that_cannot_work_are_refused(gcloud: Fake, tmp_path: Path, changes: dict[str, str], error: str) -> None:
    with pytest.raises(ConfigError, match=error):
        deployer(gcloud, tmp_path, **changes)
