"""`kubernetes`: `kubectl apply`, `patch`, `rollout status` and `rollout undo` on one deployment.

A revision is the name of the deployment's ReplicaSet: unlike the number that Kubernetes counts up, it comes back when
the deployment goes back to it. A pod finds the end of it in its label `pod-template-hash`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from guard.model import ConfigError, EnvironmentFailed
from guard.runner.deployers.base import DeployFailed, Deployment, Progress
from guard.runner.deployers.kubernetes_objects import REVISION, DeploymentObject, Listed, PodObject, ReplicaSetObject
from guard.runner.deployers.tool import Ran, Redact, Tool, expanded, matching, parsed, read, required
from guard.runner.plan import Deploy, Target
from guard.runner.record import Evidence

_ASKING_S: Final = 60.0
_NAME: Final = r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?"
_NOT_BUILT: Final = frozenset({"ImagePullBackOff", "ErrImagePull", "InvalidImageName", "ErrImageNeverPull"})
"""Reasons of a pod that waits for an image which is not to be had."""


class KubernetesDeployer:
    """A `Deployer` over `kubectl`."""

    def __init__(self, deploy: Deploy, target: Target, root: Path, environ: Mapping[str, str], redact: Redact) -> None:
        required("kubernetes", deployment=deploy.deployment)
        if not deploy.image and not deploy.manifests:
            raise ConfigError(['loop.deploy: kind = "kubernetes" needs image or manifests'])
        names = {"deployment": deploy.deployment, "namespace": deploy.namespace, "container": deploy.container}
        matching(_NAME, "a name in Kubernetes (lower case, digits, - and .)", **names)
        matching(r"[^\s-]\S*", "the name of an image", image=deploy.image)
        self._deploy = deploy
        self._target = target
        self._name = f"deployment/{deploy.deployment}"
        self._redact = redact
        self._env = expanded(deploy.env, environ)
        self._kubectl = Tool(
            (
                "kubectl",
                *((f"--context={deploy.context}",) if deploy.context else ()),
                *((f"--namespace={deploy.namespace}",) if deploy.namespace else ()),
            ),
            root=root,
            environ=environ,
            redact=redact,
            timeout_s=deploy.timeout_s + _ASKING_S,
            mend="install kubectl",
        )

    def deploy(self, progress: Progress) -> Deployment:
        """Apply the manifests, set the environment and the image, and wait until the rollout is through."""
        for manifest in self._deploy.manifests:
            self._change(progress, "apply", f"--filename={manifest}")
        if self._env or self._deploy.image:
            # From standard input: on the command line every user of the machine could read it. `kubectl set env -`
            # would end each value at its first `#`.
            options = ("--type=strategic", "--patch-file=/dev/stdin")
            self._change(progress, "patch", self._name, *options, stdin=self._patch())
        return self._rolled_out(progress)

    def current(self) -> Deployment | None:
        """The ReplicaSet with pods that are available; the newest, where a rollout has got half way."""
        found = self._found()
        if found is None:
            return None
        serving = [one for one in self._replica_sets(found) if one.status.available_replicas]
        return self._deployment(max(serving, key=lambda one: one.number)) if serving else None

    def rollback(self, revision: str, progress: Progress) -> Deployment:
        """Let a former ReplicaSet's template serve again, and wait until the rollout is through."""
        found = self._found()
        if found is None:
            raise DeployFailed(f"there is no {self._name} to roll back", "start")
        former = next((one for one in self._replica_sets(found) if one.metadata.name == revision), None)
        if former is None:
            raise DeployFailed(f"{self._name} has no ReplicaSet {revision} to go back to", "start")
        if not former.number:
            raise DeployFailed(f"the ReplicaSet {revision} has no number to go back to", "start")
        if str(former.number) != found.metadata.annotations.get(REVISION):
            self._change(progress, "rollout", "undo", self._name, f"--to-revision={former.number}")
        served = self._rolled_out(progress)
        if served.revision != revision:
            raise DeployFailed(f"rolled back to {revision}, but {served.revision} serves", "start")
        return served

    @property
    def can_roll_back(self) -> bool:
        """Kubernetes keeps former ReplicaSets, ten unless the deployment says otherwise."""
        return True

    def logs(self, deployment: Deployment, since: float) -> str:
        """The logs of the revision's pods; each line begins with its pod and its time."""
        selector = deployment.data.get("selector")
        if not isinstance(selector, str) or not selector:
            return ""
        moment = datetime.fromtimestamp(since, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        options = ("--all-containers", "--prefix", "--timestamps", "--tail=-1", "--ignore-errors")
        return self._kubectl.text_of(
            ["logs", f"--selector={selector}", f"--since-time={moment}", "--max-log-requests=50", *options]
        )

    def alive(self, deployment: Deployment) -> bool:
        """Whether a pod of the revision is available."""
        found = self._found()
        sets = self._replica_sets(found) if found is not None else ()
        return any(one.metadata.name == deployment.revision and one.status.available_replicas for one in sets)

    def ending(self, deployment: Deployment) -> str:
        """What is wrong with the revision's pods."""
        selector = deployment.data.get("selector")
        pods = self._pods(selector) if isinstance(selector, str) and selector else ()
        return "; ".join(dict.fromkeys(self._redact(one.summary) for pod in pods for one in pod.troubles()))

    def adopt(self) -> None:
        """Nothing is stopped at the end."""

    def close(self) -> None:
        """What was deployed stays."""

    def _change(self, progress: Progress, *arguments: str, stdin: str = "") -> None:
        ran = self._kubectl.run(*arguments, progress=progress, stdin=stdin)
        if not ran.ok:
            raise self._kubectl.failed(f"kubectl {arguments[0]} failed", ran, "build")

    def _rolled_out(self, progress: Progress) -> Deployment:
        wait = max(1, int(self._deploy.timeout_s))
        ran = self._kubectl.run("rollout", "status", self._name, f"--timeout={wait}s", progress=progress)
        found = self._found()
        if found is None:
            raise self._kubectl.failed(f"there is no {self._name}", ran, "build")
        if not ran.ok:
            raise self._failed(found, ran)
        return self._deployment(self._newest(found))

    def _patch(self) -> str:
        """What changes in the template, as JSON: the environment of every container, and the image of one. As one
        change it is one rollout, so that there is no ReplicaSet of a state half way."""
        found = self._found()
        if found is None:
            raise DeployFailed(f"there is no {self._name} to change; name its manifests", "build")
        pod = found.spec.template.spec
        # A variable that came from a secret or the like would have a value and a source, which is refused.
        env = [{"name": key, "value": value, "valueFrom": None} for key, value in self._env.items()]
        every: dict[str, dict[str, object]] = {
            one.name: {"name": one.name} | ({"env": env} if env else {})
            for one in (*pod.containers, *pod.init_containers)
        }
        if self._deploy.image:
            every[self._container([one.name for one in pod.containers])]["image"] = self._deploy.image
        parts = {"containers": pod.containers, "initContainers": pod.init_containers}
        changed = {
            part: [every[one.name] for one in containers if len(every[one.name]) > 1]
            for part, containers in parts.items()
        }
        spec = {part: containers for part, containers in changed.items() if containers}
        return msgspec.json.encode({"spec": {"template": {"spec": spec}}}).decode()

    def _container(self, names: Sequence[str]) -> str:
        """The container that gets the image: the plan's, or the only one."""
        wanted, there = self._deploy.container, ", ".join(names)
        if wanted and wanted not in names:
            raise ConfigError([f"loop.deploy.container: {self._name} has no container {wanted}, only {there}"])
        if not wanted and len(names) != 1:
            raise ConfigError([f"loop.deploy.container is missing: one of {there} is to get the image"])
        return wanted or names[0]

    def _found(self) -> DeploymentObject | None:
        """The deployment; None where there is none. Raises EnvironmentFailed where kubectl cannot tell."""
        ran = self._kubectl.run("get", self._name, "--output=json", timeout_s=_ASKING_S)
        if not ran.ok:
            if "(NotFound)" in ran.stderr:
                return None
            raise EnvironmentFailed(f"{ran.command} failed: {ran.complaint()}")
        return read(parsed(ran), DeploymentObject, "kubectl get deployment")

    def _replica_sets(self, deployment: DeploymentObject) -> tuple[ReplicaSetObject, ...]:
        """Those that the deployment owns."""
        answer = self._kubectl.json(
            "get", "replicasets", f"--selector={deployment.selector}", "--output=json", timeout_s=_ASKING_S
        )
        found = read(answer, Listed[ReplicaSetObject], "kubectl get replicasets").items
        return tuple(one for one in found if deployment.metadata.uid in [own.uid for own in one.metadata.owners])

    def _newest(self, deployment: DeploymentObject) -> ReplicaSetObject:
        number = deployment.metadata.annotations.get(REVISION, "")
        for one in self._replica_sets(deployment):
            if one.number and str(one.number) == number:
                return one
        raise EnvironmentFailed(f"{self._name}: no ReplicaSet has its revision {number or '(none)'}")

    def _deployment(self, serving: ReplicaSetObject) -> Deployment:
        return Deployment(
            revision=serving.metadata.name,
            base_url=self._target.base_url.rstrip("/"),
            websocket_url=self._target.websocket_url,
            data={"selector": serving.pod_selector, "number": serving.number},
        )

    def _pods(self, selector: str) -> tuple[PodObject, ...]:
        answer = self._kubectl.json("get", "pods", f"--selector={selector}", "--output=json", timeout_s=_ASKING_S)
        return read(answer, Listed[PodObject], "kubectl get pods").items

    def _failed(self, found: DeploymentObject, ran: Ran) -> DeployFailed:
        """Why the rollout did not come through: what its pods wait for, and what the containers wrote that ended."""
        troubles = [trouble for pod in self._pods(self._newest(found).pod_selector) for trouble in pod.troubles()]
        evidence = [
            Evidence(source="deployer", text=self._redact(str(one)), place=f"pod {one.pod}") for one in troubles
        ]
        for one in troubles:
            if one.container and one.has_run:
                previous = ("--previous",) if one.restarted else ()
                log = self._kubectl.text_of(["logs", one.pod, f"--container={one.container}", "--tail=200", *previous])
                if log:
                    evidence.append(self._kubectl.log(log, place=f"log of pod {one.pod}, container {one.container}"))
                    break  # the pods of one ReplicaSet end of the same
        what = "; ".join(dict.fromkeys(self._redact(one.summary) for one in troubles)) or "the rollout is not through"
        not_built = bool(troubles) and all(one.reason in _NOT_BUILT for one in troubles)
        return self._kubectl.failed(what, ran, "build" if not_built else "start", *evidence)
