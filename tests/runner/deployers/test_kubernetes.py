"""The `kubernetes` deployer over a program named kubectl."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from fake_tools import Fake, redact, silent

from guard.model import ConfigError, EnvironmentFailed
from guard.runner.deployers.base import DeployFailed
from guard.runner.deployers.kubernetes import KubernetesDeployer
from guard.runner.plan import Deploy, Target

PLAN = Deploy(
    kind="kubernetes",
    context="kind staging",
    namespace="chat",
    deployment="web",
    image="registry.example/chat:7",
    timeout_s=120,
)
BASE = ["--context=kind staging", "--namespace=chat"]
GET = [*BASE, "get", "deployment/web", "--output=json"]
SETS = [*BASE, "get", "replicasets", "--selector=app=web", "--output=json"]
STATUS = [*BASE, "rollout", "status", "deployment/web", "--timeout=120s"]
PATCH = [*BASE, "patch", "deployment/web", "--type=strategic", "--patch-file=/dev/stdin"]
TARGET = Target(name="staging", base_url="https://chat.example/")


def deployment(number: int, *containers: str) -> dict[str, Any]:
    """What `kubectl get deployment -o json` has, as far as it matters."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": "web",
            "uid": "uid-of-web",
            "annotations": {"deployment.kubernetes.io/revision": str(number)},
        },
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {"spec": {"containers": [{"name": name} for name in containers or ("app",)]}},
        },
        "status": {"availableReplicas": 2, "observedGeneration": 4},
    }


def replica_set(name: str, number: int, available: int = 0, owner: str = "uid-of-web") -> dict[str, Any]:
    """One of `kubectl get replicasets -o json`."""
    return {
        "metadata": {
            "name": f"web-{name}",
            "labels": {"app": "web", "pod-template-hash": name},
            "annotations": {"deployment.kubernetes.io/revision": str(number)},
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "Deployment", "uid": owner, "controller": True}],
        },
        "spec": {"selector": {"matchLabels": {"app": "web", "pod-template-hash": name}}},
        "status": {"availableReplicas": available} if available else {"replicas": 0},
    }


def listed(*items: dict[str, Any]) -> dict[str, Any]:
    """As kubectl lists objects."""
    return {"apiVersion": "v1", "kind": "List", "items": list(items)}


def pod(**status: Any) -> dict[str, Any]:
    """A pod with one container."""
    container = {"name": "app", "ready": False, "restartCount": 0, "state": {}, "lastState": {}} | status
    return {"metadata": {"name": "web-bbb-x1"}, "status": {"phase": "Pending", "containerStatuses": [container]}}


def deployer(fake: Fake, root: Path, **changes: Any) -> KubernetesDeployer:
    """The deployer with the fake kubectl on PATH."""
    return KubernetesDeployer(msgspec.structs.replace(PLAN, **changes), TARGET, root, fake.environ, redact)


@pytest.fixture
def kubectl(tmp_path: Path) -> Fake:
    """A kubectl that answers nothing yet."""
    return Fake(tmp_path, "kubectl")


def with_sets(kubectl: Fake, number: int = 4) -> None:
    """A deployment at `number` with two ReplicaSets of its own and one of somebody else."""
    kubectl.answers("get", "deployment/web", stdout=deployment(number))
    sets = replica_set("aaa", 3), replica_set("bbb", 4, available=2), replica_set("ccc", 4, 1, owner="other")
    kubectl.answers("get", "replicasets", stdout=listed(*sets))


def test_it_applies_sets_and_waits(kubectl: Fake, tmp_path: Path) -> None:
    with_sets(kubectl)
    kubectl.answers("apply", stdout="deployment.apps/web configured\n")
    kubectl.answers("patch")
    kubectl.answers("status", stdout='deployment "web" successfully rolled out\n')
    env = {"TOKEN": "hunter2#1", "FLAG": "--all", "LINES": "a\nb"}
    made = deployer(kubectl, tmp_path, manifests=("k8s/web.yaml", "-k; id"), env=env).deploy(silent)
    assert (made.revision, made.base_url) == ("web-bbb", "https://chat.example")
    assert made.data == {"selector": "app=web,pod-template-hash=bbb", "number": 4}
    assert kubectl.lines() == [
        [*BASE, "apply", "--filename=k8s/web.yaml"],
        [*BASE, "apply", "--filename=-k; id"],
        GET,
        PATCH,
        STATUS,
        GET,
        SETS,
    ]
    variables = [{"name": name, "value": value, "valueFrom": None} for name, value in env.items()]
    assert json.loads(kubectl.asked()[3]["stdin"]) == patch(
        containers=[{"name": "app", "env": variables, "image": "registry.example/chat:7"}]
    )


def patch(**containers: Any) -> dict[str, Any]:
    """A change of a template."""
    return {"spec": {"template": {"spec": containers}}}


def test_every_container_gets_the_environment_and_the_one_that_is_named_the_image(
    kubectl: Fake, tmp_path: Path
) -> None:
    found = deployment(4, "app", "proxy")
    found["spec"]["template"]["spec"]["initContainers"] = [{"name": "migrate"}]
    kubectl.answers("get", "deployment/web", stdout=found)
    kubectl.answers("get", "replicasets", stdout=listed(replica_set("bbb", 4, available=2)))
    kubectl.answers("patch")
    kubectl.answers("status")
    deployer(kubectl, tmp_path, container="proxy", env={"A": "1"}).deploy(silent)
    env = [{"name": "A", "value": "1", "valueFrom": None}]
    image = "registry.example/chat:7"
    assert [json.loads(one["stdin"]) for one in kubectl.asked() if "patch" in one["argv"]] == [
        patch(
            containers=[{"name": "app", "env": env}, {"name": "proxy", "env": env, "image": image}],
            initContainers=[{"name": "migrate", "env": env}],
        )
    ]


def test_an_image_for_a_container_that_is_not_there_is_refused(kubectl: Fake, tmp_path: Path) -> None:
    kubectl.answers("get", stdout=deployment(1, "app", "proxy"))
    with pytest.raises(
        ConfigError, match=r"loop\.deploy\.container: deployment/web has no container wep, only app, pr"
    ):
        deployer(kubectl, tmp_path, container="wep").deploy(silent)


def test_manifests_alone_need_no_change_of_the_template(kubectl: Fake, tmp_path: Path) -> None:
    with_sets(kubectl)
    kubectl.answers("apply")
    kubectl.answers("status")
    deployer(kubectl, tmp_path, image="", manifests=("k8s",)).deploy(silent)
    assert kubectl.lines() == [[*BASE, "apply", "--filename=k8s"], STATUS, GET, SETS]


def test_the_container_has_to_be_named_where_there_are_two(kubectl: Fake, tmp_path: Path) -> None:
    kubectl.answers("get", stdout=deployment(1, "app", "proxy"))
    with pytest.raises(ConfigError, match=r"loop\.deploy\.container is missing: one of app, proxy"):
        deployer(kubectl, tmp_path).deploy(silent)


def test_what_cannot_be_applied_is_a_failed_build(kubectl: Fake, tmp_path: Path) -> None:
    kubectl.answers("apply", stderr='error: error validating "web.yaml": unknown field "spec.replica"\n', status=1)
    with pytest.raises(DeployFailed, match="unknown field") as caught:
        deployer(kubectl, tmp_path, manifests=("web.yaml",)).deploy(silent)
    assert caught.value.phase == "build"


def failing(kubectl: Fake, *pods: dict[str, Any]) -> None:
    """A rollout that does not come through."""
    with_sets(kubectl)
    kubectl.answers("patch")
    kubectl.answers("status", stderr="error: timed out waiting for the condition\n", status=1)
    kubectl.answers("get", "pods", stdout=listed(*pods))


def test_an_image_that_is_not_to_be_had_is_a_failed_build(kubectl: Fake, tmp_path: Path) -> None:
    message = 'Back-off pulling image "registry.example/chat:7"'
    failing(kubectl, pod(state={"waiting": {"reason": "ImagePullBackOff", "message": message}}))
    with pytest.raises(DeployFailed, match="app: ImagePullBackOff") as caught:
        deployer(kubectl, tmp_path).deploy(silent)
    assert caught.value.phase == "build"
    assert caught.value.evidence[1].text == f"app: ImagePullBackOff: {message}"
    assert [*BASE, "get", "pods", "--selector=app=web,pod-template-hash=bbb", "--output=json"] in kubectl.lines()


def test_a_container_that_ends_is_a_failed_start_with_the_log_of_its_last_run(kubectl: Fake, tmp_path: Path) -> None:
    crashed = pod(
        restartCount=3,
        state={"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 40s restarting failed container"}},
        lastState={"terminated": {"reason": "Error", "exitCode": 1}},
    )
    failing(kubectl, crashed, crashed)
    kubectl.answers("logs", stdout="ImportError: cannot import name 'x' hunter2\n")
    with pytest.raises(DeployFailed, match="app: CrashLoopBackOff, Error with exit code 1: error: timed") as caught:
        deployer(kubectl, tmp_path).deploy(silent)
    assert caught.value.phase == "start"
    assert caught.value.evidence[-1].text == "ImportError: cannot import name 'x' ***\n"
    assert kubectl.lines()[-1] == [*BASE, "logs", "web-bbb-x1", "--container=app", "--tail=200", "--previous"]


def test_a_pod_that_has_no_place_or_is_not_ready_says_so(kubectl: Fake, tmp_path: Path) -> None:
    homeless = {
        "metadata": {"name": "web-bbb-x2"},
        "status": {
            "conditions": [
                {
                    "type": "PodScheduled",
                    "status": "False",
                    "reason": "Unschedulable",
                    "message": "0/3 nodes are available: 3 Insufficient cpu.",
                }
            ]
        },
    }
    failing(kubectl, homeless, pod(state={"running": {"startedAt": "2026-09-21T14:13:20Z"}}))
    kubectl.answers("logs", stdout="waiting for the database\n")
    with pytest.raises(DeployFailed, match="pod: Unschedulable; app: NotReady") as caught:
        deployer(kubectl, tmp_path).deploy(silent)
    assert caught.value.phase == "start"
    assert "3 Insufficient cpu" in caught.value.evidence[1].text
    assert caught.value.evidence[-1].text == "waiting for the database\n"


def test_it_rolls_back_to_a_replica_set_by_its_number(kubectl: Fake, tmp_path: Path) -> None:
    kubectl.answers("get", "deployment/web", stdout=deployment(4))
    kubectl.answers("get", "deployment/web", stdout=deployment(5))
    kubectl.answers("get", "replicasets", stdout=listed(replica_set("aaa", 3), replica_set("bbb", 4, 2)))
    kubectl.answers("get", "replicasets", stdout=listed(replica_set("aaa", 5, 2), replica_set("bbb", 4)))
    kubectl.answers("undo", stdout="deployment.apps/web rolled back\n")
    kubectl.answers("status")
    assert deployer(kubectl, tmp_path).rollback("web-aaa", silent).revision == "web-aaa"
    assert kubectl.lines() == [
        GET,
        SETS,
        [*BASE, "rollout", "undo", "deployment/web", "--to-revision=3"],
        STATUS,
        GET,
        SETS,
    ]


def test_a_replica_set_that_is_gone_or_is_not_its_own_is_not_gone_back_to(kubectl: Fake, tmp_path: Path) -> None:
    with_sets(kubectl)
    for name in ("web-zzz", "web-ccc", "--help"):
        with pytest.raises(DeployFailed, match=f"has no ReplicaSet {name} to go back to"):
            deployer(kubectl, tmp_path).rollback(name, silent)
    assert not any("undo" in line for line in kubectl.lines())


def test_half_way_through_a_rollout_the_old_pods_are_what_serves(kubectl: Fake, tmp_path: Path) -> None:
    kubectl.answers("get", "deployment/web", stdout=deployment(4))
    kubectl.answers("get", "replicasets", stdout=listed(replica_set("aaa", 3, 2), replica_set("bbb", 4)))
    one = deployer(kubectl, tmp_path)
    made = one.current()
    assert made is not None
    assert made.revision == "web-aaa"
    assert one.alive(made)
    assert not one.alive(msgspec.structs.replace(made, revision="web-bbb"))


def test_how_the_pods_of_a_revision_ended_is_told(kubectl: Fake, tmp_path: Path) -> None:
    with_sets(kubectl)
    killed = pod(
        state={"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}},
        lastState={"terminated": {"reason": "OOMKilled", "exitCode": 137}},
    )
    kubectl.answers("get", "pods", stdout=listed(killed, killed))
    one = deployer(kubectl, tmp_path)
    made = one.current()
    assert made is not None
    assert one.ending(made) == "app: CrashLoopBackOff, OOMKilled with exit code 137"
    assert one.ending(msgspec.structs.replace(made, data={})) == ""


def test_logs_of_the_revisions_pods_since_a_time(kubectl: Fake, tmp_path: Path) -> None:
    with_sets(kubectl)
    kubectl.answers("logs", stdout="[pod/web-bbb-x1/app] 2026-09-21T14:13:21Z hunter2\n")
    one = deployer(kubectl, tmp_path)
    made = one.current()
    assert made is not None
    assert one.logs(made, 1_790_000_000) == "[pod/web-bbb-x1/app] 2026-09-21T14:13:21Z ***\n"
    assert kubectl.lines()[-1] == [
        *BASE,
        *["logs", "--selector=app=web,pod-template-hash=bbb", "--since-time=2026-09-21T14:13:20Z"],
        *["--max-log-requests=50", "--all-containers", "--prefix", "--timestamps", "--tail=-1", "--ignore-errors"],
    ]


def test_nothing_serves_where_there_is_no_deployment(kubectl: Fake, tmp_path: Path) -> None:
    said = 'Error from server (NotFound): deployments.apps "web" not found\n'
    kubectl.answers("get", stderr=said, status=1)
    assert deployer(kubectl, tmp_path).current() is None
    with pytest.raises(DeployFailed, match="there is no deployment/web to change; name its manifests"):
        deployer(kubectl, tmp_path).deploy(silent)


def test_a_cluster_that_does_not_answer_ends_with_code_4(kubectl: Fake, tmp_path: Path) -> None:
    said = "The connection to the server localhost:8080 was refused - did you specify the right host or port?\n"
    kubectl.answers("get", stderr=said, status=1)
    with pytest.raises(EnvironmentFailed, match="The connection to the server localhost:8080 was refused") as caught:
        deployer(kubectl, tmp_path).current()
    assert caught.value.exit_code == 4


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"deployment": ""}, r"loop\.deploy\.deployment is missing"),
        ({"deployment": "-w"}, r"loop\.deploy\.deployment: '-w' is not a name"),
        ({"namespace": "a b"}, r"loop\.deploy\.namespace: 'a b' is not a name"),
        ({"container": "x=y"}, r"loop\.deploy\.container: 'x=y' is not a name"),
        ({"image": "--all"}, r"loop\.deploy\.image: '--all' is not the name of an image"),
        ({"image": ""}, "needs image or manifests"),
    ],
)
def test_plans_that_cannot_work_are_refused(kubectl: Fake, tmp_path: Path, changes: dict[str, Any], error: str) -> None:
    with pytest.raises(ConfigError, match=error):
        deployer(kubectl, tmp_path, **changes)
