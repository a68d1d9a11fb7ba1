"""`compose`: `docker compose up --build --wait`.

A revision is the id of the image that the service's container was made from. Going back gives the service's image
name to the former image and makes the container anew; that works as long as nobody has pruned it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from guard.model import ConfigError, EnvironmentFailed
from guard.runner.deployers.base import DeployFailed, Deployment, Progress
from guard.runner.deployers.tool import Ran, Redact, Tool, child_environment, matching, parsed, read, required
from guard.runner.plan import Deploy, Target
from guard.runner.record import Evidence

_ASKING_S: Final = 60.0
_LOOPBACK: Final = frozenset({"", "0.0.0.0", "::", "[::]"})
"""What docker calls every address of the machine."""


class _Publisher(msgspec.Struct, frozen=True, rename="pascal"):
    """A port of a container on the host."""

    url: str = msgspec.field(name="URL", default="")
    published_port: int = 0
    protocol: str = "tcp"


class _Container(msgspec.Struct, frozen=True, rename="pascal"):
    """One line of `docker compose ps`."""

    id: str = msgspec.field(name="ID")
    name: str = ""
    service: str = ""
    state: str = ""
    health: str = ""
    exit_code: int = 0
    publishers: tuple[_Publisher, ...] | None = None

    @property
    def is_done(self) -> bool:
        """Whether it has ended well, as what runs once before the others does."""
        return self.state == "exited" and self.exit_code == 0

    @property
    def serves(self) -> bool:
        """Whether it runs, and says nothing bad of its health."""
        return self.state == "running" and self.health in ("", "healthy")

    def __str__(self) -> str:
        told = f"{self.service} ({self.name}): {self.state}"
        if self.health:
            told += f", {self.health}"
        return f"{told}, exit code {self.exit_code}" if self.state in ("exited", "restarting") else told


class _Image(msgspec.Struct, frozen=True):
    """The image of a container: its id and the name that it was asked for by."""

    id: str
    name: str


class ComposeDeployer:
    """A `Deployer` over `docker compose`."""

    def __init__(self, deploy: Deploy, target: Target, root: Path, environ: Mapping[str, str], redact: Redact) -> None:
        required("compose", file=deploy.file)
        matching(r"[a-z0-9][a-z0-9_-]*", "a project's name (lower case, digits, _ and -)", project=deploy.project)
        matching(r"[A-Za-z0-9][A-Za-z0-9._-]*", "a service's name", service=deploy.service)
        self._deploy = deploy
        self._target = target
        self._is_ours = False
        """Whether this session has started it; then it is taken down when the session ends."""
        self._docker = Tool(
            ("docker",),
            root=root,
            environ=child_environment(deploy.env, environ),
            redact=redact,
            timeout_s=deploy.timeout_s,
            mend="install Docker with its compose plugin",
        )
        self._compose = ["compose", f"--file={deploy.file}"]
        if deploy.project:
            self._compose.append(f"--project-name={deploy.project}")

    def deploy(self, progress: Progress) -> Deployment:
        """Build, start everything, and wait until it runs and is healthy."""
        before = self._containers()
        self._is_ours = True
        ran = self._up(progress, "--build")
        if not ran.ok:
            raise self._failed(ran, before)
        return self._serving()

    def current(self) -> Deployment | None:
        """The service's container, if it runs."""
        container = self._container(running=True)
        return self._deployment(container) if container is not None else None

    def rollback(self, revision: str, progress: Progress) -> Deployment:
        """Give the service's image name to a former image, and make the container anew. Other services stay as they
        are, since only of this one is it known which image was well; the deployment's note says so."""
        container = self._container(running=False)
        if container is None:
            raise DeployFailed("there is no container to roll back", "start")
        name = self._image(container).name
        if "@" in name:
            raise DeployFailed(
                f"{name}: the compose file names the image by its digest, so no other can stand in", "start"
            )
        former = self._docker.run("image", "inspect", "--format={{.Id}}", "--", revision, timeout_s=_ASKING_S)
        if not former.ok:
            raise self._docker.failed(f"the image {revision} is gone", former, "build")
        tagged = self._docker.run("image", "tag", "--", revision, name, timeout_s=_ASKING_S)
        if not tagged.ok:
            raise self._docker.failed(f"{name} cannot be given to {revision}", tagged, "build")
        self._is_ours = True
        before = self._containers()
        options = ("--no-build", "--pull=never", "--no-deps", "--force-recreate")
        ran = self._up(progress, *options, service=container.service)
        if not ran.ok:
            raise self._failed(ran, before)
        found = self._serving()
        if found.revision != revision:
            raise DeployFailed(f"rolled back to {revision}, but {found.revision} serves", "start")
        others = sorted({one.service for one in before} - {container.service})
        stayed = f"{', '.join(others)} {'is as it was' if len(others) == 1 else 'are as they were'}"
        note = f"only {container.service} went back; {stayed}" if others else ""
        return msgspec.structs.replace(found, note=note)

    @property
    def can_roll_back(self) -> bool:
        """Whether the former image is there still shows when it is asked for."""
        return True

    def logs(self, deployment: Deployment, since: float) -> str:
        """The logs of all services; each line begins with the container's name."""
        moment = datetime.fromtimestamp(since, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return self._docker.text_of([*self._compose, "logs", "--no-color", f"--since={moment}"])

    def alive(self, deployment: Deployment) -> bool:
        """Whether the container that was deployed runs."""
        container = self._container(running=True)
        return container is not None and container.id == deployment.data.get("container")

    def ending(self, deployment: Deployment) -> str:
        """What became of the container that was deployed."""
        container = self._container(running=False)
        is_it = container is not None and container.id == deployment.data.get("container")
        return str(container) if is_it else ""

    def adopt(self) -> None:
        """What the project has up is taken down at the end."""
        self._is_ours = True

    def close(self) -> None:
        """Take everything down that this session has started, volumes left alone, unless the plan says `keep`."""
        if self._is_ours and not self._deploy.keep:
            self._is_ours = False
            self._docker.run(*self._compose, "down", "--timeout=10", timeout_s=120)

    def _up(self, progress: Progress, *options: str, service: str = "") -> Ran:
        wait = max(1, int(self._deploy.timeout_s))
        arguments = [*self._compose, "up", *options, "--wait", f"--wait-timeout={wait}", "--detach"]
        return self._docker.run(*arguments, *(("--", service) if service else ()), progress=progress)

    def _serving(self) -> Deployment:
        container = self._container(running=True)
        if container is None:
            raise DeployFailed(f"it is up, but no container of {self._deploy.service or 'a service'} runs", "start")
        return self._deployment(container)

    def _deployment(self, container: _Container) -> Deployment:
        image = self._image(container)
        return Deployment(
            revision=image.id,
            base_url=self._target.base_url.rstrip("/") or _published_url(container),
            websocket_url=self._target.websocket_url,
            data={"container": container.id, "service": container.service, "image": image.name},
        )

    def _container(self, *, running: bool) -> _Container | None:
        """The container of the service that is tested: the one that the plan names, or the only one with a port."""
        found = [one for one in self._containers() if one.state == "running" or not running]
        if self._deploy.service:
            named = [one for one in found if one.service == self._deploy.service]
            return named[0] if named else None
        if len({one.service for one in found}) > 1:
            found = [one for one in found if _published_url(one)]
        services = sorted({one.service for one in found})
        if len(services) > 1:
            raise ConfigError([f"loop.deploy.service is missing: one of {', '.join(services)} is to be tested"])
        return found[0] if found else None

    def _containers(self) -> tuple[_Container, ...]:
        """All containers of the project. Raises EnvironmentFailed where docker does not answer."""
        ran = self._docker.run(*self._compose, "ps", "--all", "--no-trunc", "--format=json", timeout_s=_ASKING_S)
        if not ran.ok:
            raise EnvironmentFailed(f"{ran.command} failed: {ran.complaint()}")
        # An array until compose 2.20, one object a line since.
        value = parsed(ran) or []
        return read(value if isinstance(value, list) else [value], tuple[_Container, ...], "docker compose ps")

    def _image(self, container: _Container) -> _Image:
        answer = self._docker.json("container", "inspect", "--", container.id, timeout_s=_ASKING_S)
        (inspected,) = read(answer, tuple[_Inspected], "docker container inspect")
        return _Image(id=inspected.image, name=inspected.config.image)

    def _failed(self, ran: Ran, before: Sequence[_Container]) -> DeployFailed:
        """Why `up` failed: nothing changed, so it was not built; or what has become of the containers."""
        after = self._containers()
        bad = [one for one in after if not one.serves]
        bad = [one for one in bad if not one.is_done] or bad
        known = {(one.id, one.state, one.health) for one in before}
        changed = {(one.id, one.state, one.health) for one in after} - known
        if not changed and not (bad and ("is unhealthy" in ran.stderr or "exited (" in ran.stderr)):
            return self._docker.failed("docker compose built or started nothing", ran, "build")
        states = Evidence(source="deployer", text="\n".join(map(str, bad or after)), place="docker compose ps")
        logs = [
            self._docker.log(text, place=f"log of {one.service}")
            for one in bad
            if (text := self._docker.text_of([*self._compose, "logs", "--no-color", "--tail=200", "--", one.service]))
        ]
        what = "; ".join(map(str, bad)) or "docker compose up failed"
        return self._docker.failed(what, ran, "start", states, *logs)


class _InspectedConfig(msgspec.Struct, frozen=True, rename="pascal"):
    image: str


class _Inspected(msgspec.Struct, frozen=True, rename="pascal"):
    """What is read of `docker container inspect`."""

    image: str
    config: _InspectedConfig


def _published_url(container: _Container) -> str:
    """Where the container's first published TCP port answers on this machine; empty where there is none."""
    for port in container.publishers or ():
        if port.published_port and port.protocol == "tcp":
            host = "127.0.0.1" if port.url in _LOOPBACK else port.url
            return f"http://{f'[{host}]' if ':' in host else host}:{port.published_port}"
    return ""
