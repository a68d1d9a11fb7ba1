"""Running a program that a deployer drives: docker, gcloud, kubectl, or what the plan names.

No shell. The child has a process group of its own, which is stopped when its time is over and when the loop is
interrupted. Of what it writes, the end is kept, redacted; standard output is whole up to a limit, since it is parsed.
"""

from __future__ import annotations

import contextlib
import os
import re
import selectors
import shlex
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO, Final, TypeVar

import msgspec

from guard.model import ConfigError, EnvironmentFailed
from guard.runner.deployers.base import DeployFailed, Progress
from guard.runner.record import Evidence

Redact = Callable[[str], str]
"""Takes secrets out of a text."""

_WHOLE: Final = 32 * 1024 * 1024
"""Bytes of standard output that are kept at the most."""
_KEPT: Final = 8_000
"""Characters of a stream in evidence."""
_LOG: Final = 1_000_000
"""Characters of a log."""
_LOG_S: Final = 60.0
_GRACE_S: Final = 5.0
"""Between the polite signal and the other one."""
_LATE_S: Final = 1.0
"""How long a stream is read after the program's end, where a child of it holds the stream open."""
_T = TypeVar("_T")
_VARIABLE: Final = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


class Ran(msgspec.Struct, frozen=True, kw_only=True):
    """A command that has ended, or was stopped."""

    command: str
    """As a shell would have it, redacted."""
    status: int
    """The exit status; negative for a signal."""
    timed_out: bool
    stdout: str
    """Not redacted, since it is parsed: never keep or show it as it is."""
    stderr: str
    """Redacted."""

    @property
    def ok(self) -> bool:
        """Whether it ended well."""
        return self.status == 0 and not self.timed_out

    def complaint(self) -> str:
        """One line on why it did not: the last line that tells of an error, or the last one, or the exit status."""
        if self.timed_out:
            return f"{self.command}: not done in time, stopped"
        lines = [line.strip() for line in self.stderr.splitlines() if line.strip()]
        told = [line for line in lines if re.match(r"(?i)error|fatal|failed", line)] or lines
        return told[-1][:500] if told else f"{self.command}: exit status {self.status}"


class Tool:
    """One program, with the folder and the environment that it runs in."""

    def __init__(
        self,
        program: Sequence[str],
        *,
        root: Path,
        environ: Mapping[str, str],
        redact: Redact,
        timeout_s: float,
        mend: str = "install it, or put it on PATH",
    ) -> None:
        """`program` is its name and the arguments that every command of it begins with; `mend` is what to do where it
        is missing."""
        self._program = tuple(program)
        self._root = root
        self._environ = environ
        self._redact = redact
        self._timeout_s = timeout_s
        self._mend = mend

    def run(
        self,
        *arguments: str,
        progress: Progress | None = None,
        timeout_s: float | None = None,
        stdin: str = "",
        extra: Mapping[str, str] | None = None,
    ) -> Ran:
        """Run it with `arguments`, and wait. `progress` is told each line of standard error; `extra` is added to its
        environment. Raises EnvironmentFailed where the program is missing or writes without an end."""
        argv = (*self._program, *arguments)
        deadline = time.monotonic() + (timeout_s or self._timeout_s)
        with tempfile.TemporaryFile() as given:
            given.write(stdin.encode("utf-8", "surrogateescape"))
            given.seek(0)
            with self._started(argv, given, {**self._environ, **(extra or {})}) as process:
                try:
                    out, err, in_time = self._drained(process, deadline, progress)
                except BaseException:
                    _stop(process)
                    raise
                if not in_time:
                    _stop(process)
        return Ran(
            command=self._redact(shlex.join(argv)),
            status=process.returncode,
            timed_out=not in_time,
            stdout=out.decode("utf-8", "replace"),
            stderr=self._redact(err.decode("utf-8", "replace")),
        )

    def _started(self, argv: Sequence[str], given: IO[bytes], environ: Mapping[str, str]) -> subprocess.Popen[bytes]:
        program = _found(argv[0], environ, self._root)
        if program is None:
            raise EnvironmentFailed(f"{self._redact(argv[0])}: no such program; {self._mend}")
        try:
            return subprocess.Popen(
                [program, *argv[1:]],
                cwd=self._root,
                env=dict(environ),
                stdin=given,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            raise EnvironmentFailed(f"{self._redact(argv[0])}: cannot be started: {error}; {self._mend}") from error

    def _drained(
        self, process: subprocess.Popen[bytes], deadline: float, progress: Progress | None
    ) -> tuple[bytes, bytes, bool]:
        """Both streams to their end, and whether that came in time."""
        assert process.stdout is not None
        assert process.stderr is not None
        out, err = bytearray(), bytearray()
        told = 0
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ, out)
            selector.register(process.stderr, selectors.EVENT_READ, err)
            while selector.get_map():
                if time.monotonic() > deadline:
                    return bytes(out), bytes(err), process.poll() is not None
                for key, _ in selector.select(0.1):
                    chunk = os.read(key.fd, 65_536)
                    key.data.extend(chunk)
                    if not chunk:
                        selector.unregister(key.fileobj)
                if len(out) > _WHOLE:
                    raise EnvironmentFailed(f"{self._redact(self._program[0])}: wrote more than {_WHOLE >> 20} MB")
                told = self._tell(err, told, progress)
                if len(err) > _WHOLE:
                    del err[: _WHOLE // 2]
                    told = max(0, told - _WHOLE // 2)
                if process.poll() is not None:
                    deadline = min(deadline, time.monotonic() + _LATE_S)
        try:
            process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            return bytes(out), bytes(err), False
        return bytes(out), bytes(err), True

    def _tell(self, err: bytearray, told: int, progress: Progress | None) -> int:
        """Tell the whole lines after the first `told` bytes; gives how many bytes are told by now."""
        end = err.rfind(b"\n") + 1
        if progress is not None and end > told:
            for line in self._redact(err[told:end].decode("utf-8", "replace")).splitlines():
                if line.strip():
                    progress(line.strip())
        return max(end, told)

    def json(self, *arguments: str, timeout_s: float | None = None) -> object:
        """Run it, and read its standard output as JSON: one value, or a list of them where there is one a line.

        Raises EnvironmentFailed where it fails or writes something else.
        """
        ran = self.run(*arguments, timeout_s=timeout_s)
        if not ran.ok:
            raise EnvironmentFailed(f"{ran.command} failed: {ran.complaint()}")
        return parsed(ran)

    def text_of(self, arguments: Iterable[str]) -> str:
        """What a command that shows a log wrote, redacted: the end of it. Empty where it fails; raises nothing."""
        try:
            ran = self.run(*arguments, timeout_s=_LOG_S)
        except EnvironmentFailed:
            return ""
        return tail(self._redact(ran.stdout or ran.stderr), _LOG) if ran.ok else ""

    def failed(self, what: str, ran: Ran, phase: str, *more: Evidence) -> DeployFailed:
        """What to raise where `ran` did not end well: with its words as evidence, and `more`."""
        return DeployFailed(f"{what}: {ran.complaint()}", phase, (self.evidence(ran), *more))

    def evidence(self, ran: Ran) -> Evidence:
        """What a command wrote, redacted; the end of it where it is much."""
        written = "\n".join(text.strip() for text in (self._redact(ran.stdout), ran.stderr) if text.strip())
        return Evidence(source="deployer", text=tail(written) or f"exit status {ran.status}", place=ran.command)

    def log(self, text: str, place: str = "") -> Evidence:
        """A piece of the service's log as evidence, redacted; the end of it where it is much."""
        return Evidence(source="log", text=tail(self._redact(text)), place=place)


def parsed(ran: Ran) -> object:
    """The JSON that a command wrote: one value, or a list of them where there is one a line; None for nothing."""
    text = ran.stdout.strip()
    if not text:
        return None
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        try:
            return [msgspec.json.decode(line) for line in text.splitlines() if line.strip()]
        except (msgspec.DecodeError, RecursionError) as error:
            raise EnvironmentFailed(f"{ran.command}: its output is no JSON: {error}") from error


def read(value: object, kind: type[_T], what: str) -> _T:
    """`value`, from a tool's JSON, as `kind`. Raises EnvironmentFailed where it has another shape."""
    try:
        return msgspec.convert(value, kind, strict=False)
    except msgspec.ValidationError as error:
        raise EnvironmentFailed(f"{what}: unexpected answer: {error}; this version of the tool is not known") from error


def tail(text: str, most: int = _KEPT) -> str:
    """The end of a text, from the beginning of a line where that is near."""
    if len(text) <= most:
        return text
    end = text[-most:]
    return f"… {len(text) - most:,} characters left out …\n{end[end.find(chr(10)) + 1 :]}"


def child_environment(own: Mapping[str, str], environ: Mapping[str, str]) -> dict[str, str]:
    """`environ` with a plan's own variables on top. Raises ConfigError for a `${NAME}` that is not set."""
    return dict(environ) | expanded(own, environ)


def expanded(own: Mapping[str, str], environ: Mapping[str, str]) -> dict[str, str]:
    """A plan's own variables, each `${NAME}` replaced. Raises ConfigError, all of what is not set at once."""
    missing = sorted({name for value in own.values() for name in _VARIABLE.findall(value) if name not in environ})
    if missing:
        raise ConfigError([f"deploy.env: {name} is not set in the environment" for name in missing])
    return {key: _VARIABLE.sub(lambda match: environ[match[1]], value) for key, value in own.items()}


def required(kind: str, **settings: object) -> None:
    """Raises ConfigError for every setting that is empty."""
    missing = [name for name, value in settings.items() if not value]
    if missing:
        raise ConfigError([f'loop.deploy.{name} is missing: kind = "{kind}" needs it' for name in missing])


def matching(pattern: str, what: str, **settings: str) -> None:
    """Raises ConfigError for every setting that is given and is not what `pattern` says, so that no value is taken for
    an option or for something else than it is."""
    wrong = [f"loop.deploy.{n}: {v!r} is not {what}" for n, v in settings.items() if v and not re.fullmatch(pattern, v)]
    if wrong:
        raise ConfigError(wrong)


def _found(program: str, environ: Mapping[str, str], root: Path) -> str | None:
    if os.sep in program:
        path = os.path.join(root, program)
        return path if os.path.exists(path) else None
    return shutil.which(program, path=environ.get("PATH", os.defpath))


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End a child and all of its process group."""
    for kind in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, kind)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE_S)
            break
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
