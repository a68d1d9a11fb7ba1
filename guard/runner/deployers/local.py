"""`local`: a copy of the sources, served by uvicorn on this machine.

Each revision is served from a copy of its own, so that a rollback has something to go back to, and so that what is
edited while the tests run is not what they test. The service belongs to nobody's terminal: it outlives a loop that is
killed, and is found again by what it wrote of itself.
"""

from __future__ import annotations

import contextlib
import re
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec

from guard.files import replace_file
from guard.model import ConfigError, EnvironmentFailed
from guard.runner import processes, snapshot
from guard.runner.deployers.base import DeployFailed, Deployment, Progress
from guard.runner.deployers.tool import Redact, child_environment, required, tail
from guard.runner.plan import Deploy, Target
from guard.runner.record import Evidence
from guard.runner.store import folder_of

_TICK_S: Final = 0.02
_TELLING_S: Final = 0.2
_LOG_BYTES: Final = 1_000_000
_LOGS_KEPT: Final = 20
_LAUNCH: Final = Path(__file__).with_name("launch.py")


class _Service(msgspec.Struct, frozen=True, kw_only=True):
    """What a service wrote of itself."""

    pid: int
    mark: str
    port: int
    revision: str
    log: str

    @property
    def runs(self) -> bool:
        return processes.is_running(self.pid, self.mark)


class LocalDeployer:
    """A `Deployer` of one service on this machine."""

    def __init__(self, deploy: Deploy, target: Target, root: Path, environ: Mapping[str, str], redact: Redact) -> None:
        required("local", app=deploy.app)
        if not all(deploy.app.partition(":")):
            raise ConfigError([f"loop.deploy.app: {deploy.app}: expected MODULE:NAME, such as app.main:app"])
        self._folder = (root / deploy.folder).resolve()
        if not self._folder.is_relative_to(root.resolve()) or not self._folder.is_dir():
            raise ConfigError([f"loop.deploy.folder: {deploy.folder}: no such folder in {root}"])
        self._deploy = deploy
        self._environ = child_environment(deploy.env, environ)
        self._redact = redact
        self._kept = folder_of(root)
        self._note = self._kept / f"local-{re.sub(r'[^A-Za-z0-9_.-]+', '-', target.name)}.json"
        self._url = target.base_url.rstrip("/")
        self._host, self._port = _listening(self._url, deploy.port)
        self._process: subprocess.Popen[bytes] | None = None

    def deploy(self, progress: Progress) -> Deployment:
        """Copy the sources, stop what serves, and start the copy."""
        taken = snapshot.taken(self._folder)
        progress(f"copying {len(taken.files)} files as {taken.revision}")
        return self._serve(taken.revision, snapshot.kept(taken, self._kept / "revisions"), progress)

    def current(self) -> Deployment | None:
        """The service that runs, once it accepts connections; None where there is none, or it ends before that."""
        service = self._noted()
        if service is None or not service.runs:
            return None
        deadline = time.monotonic() + self._deploy.timeout_s
        while service.runs:
            if self._accepts(service.port):
                return self._deployment(service)
            if time.monotonic() > deadline:
                break
            time.sleep(_TICK_S)
        return None

    def rollback(self, revision: str, progress: Progress) -> Deployment:
        """Serve the copy of a former revision again."""
        copy = self._kept / "revisions" / revision
        if "/" in revision or not copy.is_dir():
            raise DeployFailed(f"there is no copy of revision {revision} any more", "build")
        return self._serve(revision, copy, progress)

    @property
    def can_roll_back(self) -> bool:
        """Always: what was served before is kept."""
        return True

    def logs(self, deployment: Deployment, since: float) -> str:
        """The end of what this start of the service wrote: its lines need not have a time, so `since` is not asked."""
        return self._log(Path(str(deployment.data.get("log", ""))))

    def alive(self, deployment: Deployment) -> bool:
        """Whether the process runs."""
        pid, mark = deployment.data.get("pid"), deployment.data.get("mark")
        return isinstance(pid, int) and isinstance(mark, str) and processes.is_running(pid, mark)

    def ending(self, deployment: Deployment) -> str:
        """With which status its process ended, where this one started it."""
        process = self._process
        status = process.poll() if process is not None and process.pid == deployment.data.get("pid") else None
        return f"its process {_how(status)}" if status is not None else ""

    def adopt(self) -> None:
        """What the note names is stopped at the end, whoever began it: there is one loop on a target."""

    def close(self) -> None:
        """Stop the service, unless the plan says to leave it."""
        if not self._deploy.keep:
            self._stop()
        elif self._process is not None:
            self._process.returncode = 0  # nobody here waits for it any more, of which Popen would complain at the end
            self._process = None

    def _serve(self, revision: str, copy: Path, progress: Progress) -> Deployment:
        self._stop()
        log = self._new_log(revision)
        mark = secrets.token_hex(8)
        known = msgspec.json.encode({"mark": mark, "revision": revision, "log": str(log)}).decode()
        arguments = [str(self._note), known, self._host, str(self._port), self._deploy.app]
        progress(f"starting {self._deploy.app} from {revision}")
        try:
            with log.open("wb") as output:
                self._process = process = subprocess.Popen(
                    [self._deploy.python or sys.executable, str(_LAUNCH), *arguments],
                    cwd=copy,
                    env={**self._environ, "GUARD_REVISION": revision, "PYTHONUNBUFFERED": "1"},
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
        except OSError as error:
            raise EnvironmentFailed(
                f"{self._deploy.python}: cannot be started: {error.strerror}; mend loop.deploy.python"
            ) from error
        deadline = time.monotonic() + self._deploy.timeout_s
        while process.poll() is None:
            service = self._noted()
            if service is not None and service.mark == mark and self._accepts(service.port):
                return self._deployment(service)
            if time.monotonic() > deadline:
                if service is not None and service.mark == mark:
                    process.send_signal(signal.SIGUSR1)  # to write down where it is
                    time.sleep(_TELLING_S)
                self._stop()
                raise DeployFailed(
                    f"{self._deploy.app} did not accept connections within {self._deploy.timeout_s:g} s",
                    "start",
                    self._evidence(log),
                    revision,
                )
            time.sleep(_TICK_S)
        self._stop()
        raise DeployFailed(_end(self._deploy.app, process.returncode), "start", self._evidence(log), revision)

    def _stop(self) -> None:
        service = self._noted()
        if service is not None:
            processes.stop(service.pid, service.mark)
        if self._process is not None:
            if service is None or service.pid != self._process.pid:
                self._process.kill()  # it has not come as far as to write of itself
            self._process.wait()
            self._process = None
        if service is not None:
            self._tidy(Path(service.log))
        self._note.unlink(missing_ok=True)

    def _noted(self) -> _Service | None:
        try:
            return msgspec.json.decode(self._note.read_bytes(), type=_Service)
        except (OSError, msgspec.DecodeError):
            return None

    def _deployment(self, service: _Service) -> Deployment:
        host = f"[{self._host}]" if ":" in self._host else self._host
        return Deployment(
            revision=service.revision,
            base_url=self._url or f"http://{host}:{service.port}",
            data={"pid": service.pid, "mark": service.mark, "log": service.log},
        )

    def _accepts(self, port: int) -> bool:
        with contextlib.suppress(OSError), socket.create_connection((self._host, port), 1):
            return True
        return False

    def _new_log(self, revision: str) -> Path:
        folder = self._kept / "logs"
        folder.mkdir(exist_ok=True)
        former = sorted(folder.glob("local-*.log"), key=lambda path: path.stat().st_mtime)
        for old in former[: max(0, len(former) - _LOGS_KEPT + 1)]:
            old.unlink(missing_ok=True)
        return folder / f"local-{time.time_ns()}-{revision}.log"

    def _tidy(self, log: Path) -> None:
        """Of a log that nobody writes any more, keep the end, without secrets."""
        if log.parent == self._kept / "logs" and log.is_file():
            replace_file(log, self._log(log).encode())

    def _log(self, log: Path) -> str:
        try:
            with log.open("rb") as file:
                size = file.seek(0, 2)
                file.seek(max(0, size - _LOG_BYTES))
                return self._redact(file.read().decode("utf-8", "replace"))
        except OSError:
            return ""

    def _evidence(self, log: Path) -> tuple[Evidence, ...]:
        return (Evidence(source="log", text=tail(self._log(log)) or "(nothing)", place=log.name),)


def _listening(url: str, port: int) -> tuple[str, int]:
    """Where to listen for a service that answers at `url`: a port of 0 is any that is free."""
    if not url:
        return "127.0.0.1", port
    parts = urlsplit(url)
    try:
        return (parts.hostname or "127.0.0.1"), port or parts.port or 80
    except ValueError as error:
        raise ConfigError([f"loop.target.base_url: {url}: not a URL: {error}"]) from error


def _end(app: str, status: int) -> str:
    return f"{app} {_how(status)} before it accepted connections"


def _how(status: int) -> str:
    return f"was ended by signal {-status}" if status < 0 else f"ended with status {status}"
