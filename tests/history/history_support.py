"""Small real repositories with a history, and what `guard trace` and `guard bisect` say of them."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.engine.support import inside

SERVICE = '''
class {name}:
    """Sends things."""

    def __init__(self, host, port):
        self.host = host
        self.port = port
        self.waiting_messages = []

    def send_everything_now(self, messages):
        for message in messages:
            self.waiting_messages.append(message.encode("utf-8"))
        return len(self.waiting_messages)

    def forget_old_messages(self, limit):
        while len(self.waiting_messages) > limit:
            self.waiting_messages.pop(0)
'''
OTHER = """
class {name}:
    def __init__(self, path):
        self.path = path

    def read_configuration(self):
        with open(self.path) as file:
            return [line.strip() for line in file if line.strip()]
"""


def service(name: str = "Client") -> str:
    return SERVICE.format(name=name).lstrip()


def other(name: str) -> str:
    return OTHER.format(name=name).lstrip()


@dataclass
class History:
    """A repository that grows by commits, one day each."""

    path: Path
    commits: list[str] = field(default_factory=list)

    @staticmethod
    def make(path: Path) -> History:
        path.mkdir(parents=True)
        made = History(path)
        made.git("init", "--quiet", "--initial-branch=main")
        return made

    def git(self, *arguments: str) -> str:
        day = f"2025-03-{len(self.commits) + 1:02}T10:00:00+01:00"
        environment = {**os.environ, "GIT_AUTHOR_DATE": day, "GIT_COMMITTER_DATE": day}
        done = subprocess.run(["git", *arguments], cwd=self.path, capture_output=True, check=False, env=environment)
        assert done.returncode == 0, done.stderr.decode()
        return os.fsdecode(done.stdout).strip()

    def write(self, files: Mapping[str, str | None]) -> None:
        """Write files; None deletes one."""
        for name, content in files.items():
            path = self.path / name
            if content is None:
                path.unlink()
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(content)

    def commit(self, files: Mapping[str, str | None], message: str = "a change") -> str:
        """Commit a change; gives the commit's id."""
        self.write(files)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        return self.head()

    def head(self) -> str:
        """Note HEAD as the next commit; gives its id."""
        self.commits.append(self.git("rev-parse", "HEAD"))
        return self.commits[-1]

    def merge(self, branch: str, message: str = "a merge") -> str:
        self.git("merge", "--quiet", "--no-ff", "--message", message, branch)
        return self.head()

    def trace(self, *arguments: str) -> Traced:
        return traced(self.path, *arguments)

    def bisect(self, *arguments: str) -> Any:
        run = guard(self.path, "bisect", *arguments, "--output", "json")
        assert run.returncode == 0, run.stderr
        return json.loads(run.stdout)

    def findings(self, code: str) -> list[Any]:
        run = guard(self.path, "check", "--select", code, "--output", "json", "--exit-zero")
        return list(json.loads(run.stdout)["findings"])


@dataclass
class Traced:
    """What `guard trace` said."""

    code: int
    document: Any

    @property
    def answer(self) -> Any:
        assert len(self.document["answers"]) == 1
        return self.document["answers"][0]

    @property
    def verdict(self) -> str:
        return str(self.answer["verdict"])

    @property
    def commit(self) -> str:
        return str(self.answer["removed"]["commit"]["hash"])

    @property
    def best(self) -> tuple[str, str]:
        """Certainty and place of the first replacement."""
        first = self.answer["replacements"][0]
        return first["certainty"], f"{first['module']}:{first['name']}"

    @property
    def reasons(self) -> list[str]:
        return list(self.answer["replacements"][0]["reasons"])


def guard(cwd: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`guard` in this process, as if it had been one of its own."""
    run = inside(*arguments, cwd=cwd)
    return subprocess.CompletedProcess(arguments, run.code, run.out, run.err)


def traced(cwd: Path, *arguments: str) -> Traced:
    run = guard(cwd, "trace", *arguments, "--output", "json")
    assert run.returncode in (0, 1, 3), run.stderr
    return Traced(run.returncode, json.loads(run.stdout))
