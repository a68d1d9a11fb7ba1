"""What is read of kubectl's JSON: deployments, ReplicaSets and pods, and what is wrong with a pod."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, Generic, TypeVar

import msgspec

REVISION: Final = "deployment.kubernetes.io/revision"
"""The annotation with the number that a deployment counts its ReplicaSets by."""
_HASH: Final = "pod-template-hash"
_T = TypeVar("_T")


class _Read(msgspec.Struct, frozen=True, rename="camel"):
    """A part of an object; what is not read is left out."""


class Owner(_Read, frozen=True):
    """Who an object belongs to."""

    uid: str = ""


class Metadata(_Read, frozen=True):
    """What every object has."""

    name: str = ""
    uid: str = ""
    labels: Mapping[str, str] = {}
    annotations: Mapping[str, str] = {}
    owners: tuple[Owner, ...] = msgspec.field(name="ownerReferences", default=())


class Selector(_Read, frozen=True):
    """Which pods belong to something."""

    match_labels: Mapping[str, str] = {}


class Container(_Read, frozen=True):
    """A container of a template."""

    name: str = ""


class PodSpec(_Read, frozen=True):
    """What a pod is made of."""

    containers: tuple[Container, ...] = ()
    init_containers: tuple[Container, ...] = ()


class Template(_Read, frozen=True):
    """What pods are made from."""

    spec: PodSpec = PodSpec()


class DeploymentSpec(_Read, frozen=True):
    """What a deployment is to be."""

    selector: Selector = Selector()
    template: Template = Template()


class DeploymentObject(_Read, frozen=True):
    """One deployment."""

    metadata: Metadata = Metadata()
    spec: DeploymentSpec = DeploymentSpec()

    @property
    def selector(self) -> str:
        """Its pods, as `--selector` takes it."""
        return _selector(self.spec.selector.match_labels)


class ReplicaSetSpec(_Read, frozen=True):
    """What a ReplicaSet is to be."""

    selector: Selector = Selector()


class ReplicaSetStatus(_Read, frozen=True):
    """What a ReplicaSet is."""

    available_replicas: int = 0


class ReplicaSetObject(_Read, frozen=True):
    """One ReplicaSet."""

    metadata: Metadata = Metadata()
    spec: ReplicaSetSpec = ReplicaSetSpec()
    status: ReplicaSetStatus = ReplicaSetStatus()

    @property
    def number(self) -> int:
        """What the deployment counts it by; 0 where that is not said."""
        number = self.metadata.annotations.get(REVISION, "")
        return int(number) if number.isdecimal() else 0

    @property
    def pod_selector(self) -> str:
        """Its own pods, and no other ReplicaSet's."""
        labels = dict(self.spec.selector.match_labels)
        if _HASH in self.metadata.labels:
            labels[_HASH] = self.metadata.labels[_HASH]
        return _selector(labels)


class Waiting(_Read, frozen=True):
    """Why a container does not run yet."""

    reason: str = ""
    message: str = ""


class Terminated(_Read, frozen=True):
    """How a container ended."""

    reason: str = ""
    message: str = ""
    exit_code: int = 0


class State(_Read, frozen=True):
    """What a container does."""

    waiting: Waiting | None = None
    terminated: Terminated | None = None


class ContainerStatus(_Read, frozen=True):
    """A container of a pod."""

    name: str = ""
    ready: bool = False
    restart_count: int = 0
    state: State = State()
    last_state: State = State()


class PodCondition(_Read, frozen=True):
    """Something that holds for a pod, or not."""

    type: str = ""
    status: str = ""
    reason: str = ""
    message: str = ""


class PodStatus(_Read, frozen=True):
    """What a pod is."""

    conditions: tuple[PodCondition, ...] = ()
    init_container_statuses: tuple[ContainerStatus, ...] = ()
    container_statuses: tuple[ContainerStatus, ...] = ()


class Trouble(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong with one container of a pod, or with the pod (then `container` is empty)."""

    pod: str
    container: str
    reason: str
    message: str
    ended: Terminated | None = None
    restarted: bool = False

    @property
    def has_run(self) -> bool:
        """Whether it may have written a log."""
        return self.ended is not None or self.reason == "NotReady"

    @property
    def summary(self) -> str:
        """The same for the same trouble of every pod."""
        told = f"{self.container or 'pod'}: {self.reason}"
        if self.ended is not None:
            told += f", {self.ended.reason or 'ended'} with exit code {self.ended.exit_code}"
        return told

    def __str__(self) -> str:
        return f"{self.summary}: {self.message}" if self.message else self.summary


class PodObject(_Read, frozen=True):
    """One pod."""

    metadata: Metadata = Metadata()
    status: PodStatus = PodStatus()

    def troubles(self) -> Iterator[Trouble]:
        """What keeps it from being ready."""
        for condition in self.status.conditions:
            if condition.type == "PodScheduled" and condition.status == "False":
                reason = condition.reason or "Unschedulable"
                yield Trouble(pod=self.metadata.name, container="", reason=reason, message=condition.message)
        init = self.status.init_container_statuses
        waits_for_init = any(not one.ready for one in init)
        for status in (*init, *(() if waits_for_init else self.status.container_statuses)):
            if not status.ready:
                yield self._trouble(status)

    def _trouble(self, status: ContainerStatus) -> Trouble:
        now = status.state.waiting or status.state.terminated
        return Trouble(
            pod=self.metadata.name,
            container=status.name,
            reason=(now.reason or "Waiting") if now is not None else "NotReady",
            message=now.message if now is not None else "it runs, but its readiness probe is not answered",
            ended=status.state.terminated or status.last_state.terminated,
            restarted=status.state.terminated is None and status.last_state.terminated is not None,
        )


class Listed(msgspec.Struct, Generic[_T], frozen=True):
    """A list of objects."""

    items: tuple[_T, ...] = ()


def _selector(labels: Mapping[str, str]) -> str:
    return ",".join(f"{key}={value}" for key, value in sorted(labels.items()))
