"""`cloud-run`: `gcloud run deploy`, revisions, traffic and logs.

A revision is what Cloud Run calls one; the service finds its own in the environment variable `K_REVISION`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from guard.model import ConfigError, EnvironmentFailed
from guard.runner.deployers.base import DeployFailed, Deployment, Progress
from guard.runner.deployers.tool import Ran, Redact, Tool, expanded, matching, parsed, read, required, tail
from guard.runner.plan import Deploy, Target
from guard.runner.record import Evidence

_ASKING_S: Final = 120.0
_LINES: Final = 2_000
"""Log entries that are asked for at the most."""


class _Named(msgspec.Struct, frozen=True):
    name: str = ""


class _Condition(msgspec.Struct, frozen=True):
    type: str = ""
    status: str = ""
    reason: str = ""
    message: str = ""


class _Traffic(msgspec.Struct, frozen=True, rename="camel"):
    revision_name: str = ""
    percent: int = 0


class _Status(msgspec.Struct, frozen=True, rename="camel"):
    url: str = ""
    latest_ready_revision_name: str = ""
    latest_created_revision_name: str = ""
    conditions: tuple[_Condition, ...] = ()
    traffic: tuple[_Traffic, ...] = ()


class _Service(msgspec.Struct, frozen=True):
    """What is read of `gcloud run services describe`."""

    status: _Status = _Status()

    @property
    def serving(self) -> str:
        """The revision that gets all of the traffic; empty where it is split, or nothing serves."""
        whole = [one.revision_name for one in self.status.traffic if one.percent == 100]
        return whole[0] if whole else ""

    @property
    def complaint(self) -> str:
        """What the conditions say that is not well."""
        bad = [one for one in self.status.conditions if one.status != "True" and (one.message or one.reason)]
        return "; ".join(dict.fromkeys(one.message or one.reason for one in bad))


class _Revision(msgspec.Struct, frozen=True):
    """What is read of `gcloud run revisions list`."""

    metadata: _Named = _Named()


class _Request(msgspec.Struct, frozen=True, rename="camel"):
    """A request in the log, as Cloud Run itself writes it."""

    request_method: str = ""
    request_url: str = ""
    status: int = 0


class _Entry(msgspec.Struct, frozen=True, rename="camel"):
    """What is read of `gcloud logging read`."""

    timestamp: str = ""
    severity: str = ""
    text_payload: str = ""
    json_payload: Mapping[str, object] = {}
    proto_payload: Mapping[str, object] = {}
    http_request: _Request | None = None

    def __str__(self) -> str:
        text = self.text_payload or str(self.json_payload.get("message") or "")
        if not text and self.json_payload:
            text = msgspec.json.encode(self.json_payload).decode()
        if not text:
            status = self.proto_payload.get("status")
            text = str(status.get("message") or "") if isinstance(status, Mapping) else ""
        request = self.http_request
        if not text and request is not None:
            text = f"{request.request_method} {request.request_url} {request.status}"
        return f"{self.timestamp} {self.severity or 'DEFAULT'} {text}".rstrip()


class CloudRunDeployer:
    """A `Deployer` over `gcloud run`."""

    def __init__(self, deploy: Deploy, target: Target, root: Path, environ: Mapping[str, str], redact: Redact) -> None:
        required("cloud-run", service=deploy.service)
        if bool(deploy.image) == bool(deploy.source):
            raise ConfigError(['loop.deploy: kind = "cloud-run" needs one of image and source'])
        matching(
            r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?", "a service's name (lower case, digits and -)", service=deploy.service
        )
        matching(r"[a-z][a-z0-9-]*", "a region", region=deploy.region)
        matching(r"[a-z][a-z0-9.:-]*", "the id of a project", project=deploy.project)
        self._deploy = deploy
        self._target = target
        self._gcloud = Tool(
            ("gcloud",),
            root=root,
            environ=environ,
            redact=redact,
            timeout_s=deploy.timeout_s,
            mend="install the Google Cloud CLI",
        )
        self._redact = redact
        self._env = expanded(deploy.env, environ)
        self._project = (f"--project={deploy.project}",) if deploy.project else ()
        self._common = (
            *((f"--region={deploy.region}",) if deploy.region else ()),
            *self._project,
            "--format=json",
            "--quiet",
        )

    def deploy(self, progress: Progress) -> Deployment:
        """Deploy, see that the new revision is ready, and let it have all of the traffic."""
        before = self._described()
        what = f"--image={self._deploy.image}" if self._deploy.image else f"--source={self._deploy.source}"
        with self._flags() as flags:
            ran = self._gcloud.run(
                "run", "deploy", self._deploy.service, what, *self._common, *flags, progress=progress
            )
        after = self._described()
        created = after.status.latest_created_revision_name if after else ""
        is_new = bool(created) and (before is None or created != before.status.latest_created_revision_name)
        if not ran.ok and not is_new:
            raise self._gcloud.failed("gcloud run deploy made no revision", ran, "build")
        if after is None:
            raise self._gcloud.failed("gcloud run deploy left no service", ran, "build")
        if not ran.ok or created != after.status.latest_ready_revision_name:
            raise self._not_started(created, after, ran)
        if after.serving != created:
            # Traffic that was once given to a revision by name, as a rollback does, stays there.
            self._give_traffic("--to-latest", progress)
            after = self._described()
            if after is None or after.serving != created:
                raise DeployFailed(f"{created} is ready, but does not get the traffic", "start")
        return self._deployment(after)

    def current(self) -> Deployment | None:
        """The revision that gets the traffic."""
        service = self._described()
        return self._deployment(service) if service is not None and service.serving else None

    def rollback(self, revision: str, progress: Progress) -> Deployment:
        """Give all of the traffic to a former revision."""
        listed = self._gcloud.json(
            "run", "revisions", "list", f"--service={self._deploy.service}", *self._common, timeout_s=_ASKING_S
        )
        names = [one.metadata.name for one in read(listed or [], tuple[_Revision, ...], "gcloud run revisions list")]
        if revision not in names:
            raise DeployFailed(f"{self._deploy.service} has no revision {revision} to go back to", "start")
        self._give_traffic(f"--to-revisions={revision}=100", progress)
        service = self._described()
        if service is None or service.serving != revision:
            found = service.serving if service is not None else ""
            raise DeployFailed(f"rolled back to {revision}, but {found or 'no revision'} gets the traffic", "start")
        return self._deployment(service)

    @property
    def can_roll_back(self) -> bool:
        """Cloud Run keeps revisions."""
        return True

    def logs(self, deployment: Deployment, since: float) -> str:
        """The revision's log entries since then, oldest first; the last 2,000 of them."""
        return self._log(deployment.revision, since)

    def alive(self, deployment: Deployment) -> bool:
        """Whether the revision gets the traffic."""
        service = self._described()
        return service is not None and service.serving == deployment.revision

    def ending(self, deployment: Deployment) -> str:
        """Nobody tells."""
        return ""

    def adopt(self) -> None:
        """Nothing is stopped at the end."""

    def close(self) -> None:
        """What was deployed stays."""

    def _described(self) -> _Service | None:
        """The service; None where there is none. Raises EnvironmentFailed where gcloud cannot tell."""
        ran = self._gcloud.run("run", "services", "describe", self._deploy.service, *self._common, timeout_s=_ASKING_S)
        if not ran.ok:
            if "Cannot find service" in ran.stderr or "NOT_FOUND" in ran.stderr:
                return None
            raise EnvironmentFailed(f"{ran.command} failed: {ran.complaint()}")
        return read(parsed(ran), _Service, "gcloud run services describe")

    def _give_traffic(self, to: str, progress: Progress) -> None:
        arguments = ("run", "services", "update-traffic", self._deploy.service, to, *self._common)
        ran = self._gcloud.run(*arguments, progress=progress)
        if not ran.ok:
            raise self._gcloud.failed("the traffic cannot be moved", ran, "start")

    def _not_started(self, revision: str, service: _Service, ran: Ran) -> DeployFailed:
        """A revision was made and is not ready: with its condition and its log."""
        message = self._redact(service.complaint)
        condition = Evidence(source="deployer", text=message or "no condition tells why", place=f"revision {revision}")
        log = self._log(revision, 0.0)
        more = (self._gcloud.log(log, place=f"log of revision {revision}"),) if log else ()
        told = message or ran.complaint()
        return DeployFailed(
            f"revision {revision} is not ready: {told}",
            "start",
            (condition, self._gcloud.evidence(ran), *more),
            revision,
        )

    def _deployment(self, service: _Service) -> Deployment:
        return Deployment(
            revision=service.serving,
            base_url=(self._target.base_url or service.status.url).rstrip("/"),
            websocket_url=self._target.websocket_url,
            data={"url": service.status.url},
        )

    def _log(self, revision: str, since: float) -> str:
        conditions = [
            'resource.type="cloud_run_revision"',
            f"resource.labels.service_name={_quoted(self._deploy.service)}",
            f"resource.labels.revision_name={_quoted(revision)}",
        ]
        if self._deploy.region:
            conditions.append(f"resource.labels.location={_quoted(self._deploy.region)}")
        if since:
            conditions.append(f'timestamp>="{datetime.fromtimestamp(since, UTC).isoformat(timespec="milliseconds")}"')
        arguments = ["logging", "read", " AND ".join(conditions), f"--limit={_LINES}", "--order=desc", *self._project]
        try:
            answer = self._gcloud.json(*arguments, "--format=json", "--quiet", timeout_s=_ASKING_S)
            entries = read(answer or [], tuple[_Entry, ...], "gcloud logging read")
        except EnvironmentFailed:
            return ""
        return tail(self._redact("\n".join(str(entry) for entry in reversed(entries))), 1_000_000)

    @contextmanager
    def _flags(self) -> Iterator[tuple[str, ...]]:
        """The environment of the service as a file of flags: on the command line every user of the machine could read
        it, and a comma in a value would end it."""
        if not self._env:
            yield ()
            return
        with tempfile.TemporaryDirectory(prefix="guard-") as folder:
            file = Path(folder) / "flags.yaml"
            # JSON is YAML.
            file.write_bytes(msgspec.json.encode({"--update-env-vars": self._env}))
            yield (f"--flags-file={file}",)


def _quoted(text: str) -> str:
    """`text` as a string of the logging query language."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
