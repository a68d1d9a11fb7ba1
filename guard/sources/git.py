"""git as guard uses it: a few plumbing commands that read, and nothing else.

A checked repository is hostile, and git's configuration can name programs. What keeps them from running:

- `core.fsmonitor` is a program that `ls-files` starts when it reads the index: switched off.
- Clean filters (`filter.*.clean`, `filter.*.process`) run wherever git compares a file with its blob: in
  `status`, in `ls-files -m`, and in `diff-files` too for a file as new as the index. None of these is ever
  used; guard compares stat data itself (see `guard.sources.worktree`). Smudge filters and textconv run only
  in `checkout`, `cat-file --filters`, `cat-file --textconv` and `diff -p`, which are not used either.
- Hooks (`core.hooksPath`) run only where git writes; it writes nothing here (`GIT_OPTIONAL_LOCKS=0` keeps it
  from refreshing the index), and the folder is set to one that holds nothing.
- A partial clone would fetch missing objects by `core.sshCommand`, `remote.*.uploadpack`, `remote.*.vcs` or a
  credential helper: `GIT_NO_LAZY_FETCH` forbids it, and `GIT_ALLOW_PROTOCOL` with no protocol in it forbids it
  to a git that does not know the former. So no socket is opened either.
- Pagers and aliases: output is never a terminal, and a builtin command cannot be an alias.
- `refs/replace` would show one object under another's id: `GIT_NO_REPLACE_OBJECTS`.
"""

# ruff: noqa: PTH100, PTH112, PTH117 - pathlib cannot hold a name as bytes, and costs more than the call

from __future__ import annotations

import os
import re
import shutil
import subprocess
import threading
from typing import Final

import msgspec

from guard.model import CannotCheck, EnvironmentFailed
from guard.sources import fifos
from guard.sources.fifos import refuse_if_stuck, refuse_special_files

_HARDENED: Final = {
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ALLOW_PROTOCOL": "",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_PAGER": "cat",
    # Messages are read (`could not open directory`), so they must be in one language.
    "LC_ALL": "C",
    "LANGUAGE": "C",
}
_OPTIONS: Final = ("-c", "core.fsmonitor=false", "-c", f"core.hooksPath={os.devnull}")
_DROPPED: Final = ("GIT_LITERAL_PATHSPECS", "GIT_GLOB_PATHSPECS", "GIT_NOGLOB_PATHSPECS", "GIT_ICASE_PATHSPECS")
"""They change what a path on the command line means, and `check-ignore` refuses to run with the first."""
_RELATIVE: Final = ("GIT_DIR", "GIT_WORK_TREE", "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY")
"""Variables with a path that counts from the current folder, which is not the folder that git is started in."""


_BUFFER: Final = 128 * 1024
"""Bytes. Most blobs then come with one read; with Python's own 8 KiB, reading them costs several times as much."""


class GitFailed(EnvironmentFailed):
    """A git command ended with an error. The message is its one line; `stderr` is all that it said."""

    def __init__(self, command: str, status: int, stderr: bytes) -> None:
        self.command = command
        self.status = status
        self.stderr = stderr
        super().__init__(f"git {command} failed: {first_complaint(stderr) or f'exit code {status}'}")


def first_complaint(stderr: bytes) -> str:
    """The line of git's standard error that says what went wrong, without its `fatal:`, printable."""
    lines = stderr.decode("utf-8", "replace").splitlines()
    for severity in ("fatal: ", "error: ", ""):
        for line in lines:
            if line.startswith(severity) and line.strip():
                return re.sub(r"[\x00-\x1f\x7f-\x9f]", "?", line.removeprefix(severity).strip())
    return ""


class Job:
    """A git command that is running. Its output is drained by a thread, so that several can run side by side."""

    __slots__ = ("_command", "_folders", "_output", "_process", "_thread", "errors")

    def __init__(
        self, process: subprocess.Popen[bytes], command: str, given: bytes | None, folders: tuple[str, str]
    ) -> None:
        self._process = process
        self._folders = folders
        self._command = command
        self._output = b""
        self.errors = b""
        """Standard error, once the command has ended."""
        self._thread = threading.Thread(target=self._drain, args=(given,), daemon=True)
        self._thread.start()

    def _drain(self, given: bytes | None) -> None:
        self._output, self.errors = self._process.communicate(given)

    def ends_within(self, seconds: float) -> bool:
        """Wait for at most so long; tells whether the command has ended."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def wait(self) -> tuple[int, bytes]:
        """Wait for the end; gives the exit code and standard output. Raises EnvironmentFailed where git waits at
        something that is no file."""
        if not self.ends_within(fifos.PATIENCE):
            try:
                refuse_if_stuck(*self._folders)
            except EnvironmentFailed:
                self._process.kill()
                raise
        self._thread.join()
        return self._process.returncode, self._output

    def finish(self) -> bytes:
        """Wait for the end; gives standard output. Raises `GitFailed` for any exit code but 0."""
        status, output = self.wait()
        if status:
            raise GitFailed(self._command, status, self.errors)
        return output


class Git(msgspec.Struct, frozen=True):
    """One repository, found. Both paths are absolute; `work_tree` is None where no files are checked out."""

    git_dir: str
    work_tree: str | None = None
    algorithm: str = "sha1"
    """The hash of its object ids: `sha1` or `sha256`."""

    def start(self, command: str, *arguments: str | bytes, given: bytes | None = None) -> Job:
        """Start a plumbing command at the top of the repository; `given` goes to its standard input."""
        process = self.popen(command, *arguments, stdin=subprocess.DEVNULL if given is None else subprocess.PIPE)
        return Job(process, command, given, (self.git_dir, self.common_dir))

    def run(self, command: str, *arguments: str | bytes, given: bytes | None = None) -> bytes:
        """The standard output of a plumbing command. Raises `GitFailed`."""
        return self.start(command, *arguments, given=given).finish()

    def popen(
        self, command: str, *arguments: str | bytes, stdin: int, stderr: int = subprocess.PIPE
    ) -> subprocess.Popen[bytes]:
        """The process of a plumbing command, for whoever talks with it. Raises EnvironmentFailed without git.

        The repository is named outright, so git neither searches for it again nor follows `core.worktree`.
        """
        environment = _environment()
        environment["GIT_DIR"] = self.git_dir
        environment.pop("GIT_WORK_TREE", None)
        if self.work_tree is not None:
            environment["GIT_WORK_TREE"] = self.work_tree
        return _popen(self.work_tree or self.git_dir, environment, (command, *arguments), stdin, stderr)

    @property
    def index_file(self) -> str:
        """The index, whether it is there or not. git takes `GIT_INDEX_FILE` from the top of the work tree."""
        named = os.environ.get("GIT_INDEX_FILE")
        if named:
            return os.path.join(self.work_tree or self.git_dir, named)
        return os.path.join(self.git_dir, "index")

    @property
    def common_dir(self) -> str:
        """Where a linked worktree keeps what it shares with the others (gitrepository-layout, `commondir`)."""
        named = os.environ.get("GIT_COMMON_DIR")
        if not named:
            try:
                with open(os.path.join(self.git_dir, "commondir"), encoding="utf-8", errors="surrogateescape") as file:
                    named = os.path.join(self.git_dir, file.read(4096).rstrip("\n"))
            except OSError:
                named = self.git_dir
        return os.path.abspath(named)

    @property
    def is_partial(self) -> bool:
        """Whether objects may be missing because the clone left them at its origin."""
        status, _ = self.start("config", "--get-regexp", r"^(remote\..*\.promisor|extensions\.partialclone)$").wait()
        return status == 0


def discover(folder: str) -> Git | None:
    """The repository that git finds from `folder` (or that `GIT_DIR` names); None where there is none.

    git is started only where something looks like a repository. Raises EnvironmentFailed when git is missing
    or refuses the repository, CannotCheck when its configuration points the work tree elsewhere.
    """
    named = bool(os.environ.get("GIT_DIR"))
    start = os.path.realpath(os.curdir if named else folder)
    sign = marker(start)
    if not named and sign is None:
        return None
    if sign is not None:
        refuse_special_files(sign)
    command = (
        "rev-parse",
        "--absolute-git-dir",
        "--is-inside-work-tree",
        "--is-inside-git-dir",
        "--show-object-format",
        "--show-cdup",
    )
    process = _popen(start, _environment(), command, subprocess.DEVNULL, subprocess.PIPE)
    job = Job(process, "rev-parse", None, (os.path.join(sign or start, ".git"), sign or start))
    status, output = job.wait()
    if status:
        raise _refusal(job.errors, start, sign)
    return _found(os.fsdecode(output), start, named or bool(os.environ.get("GIT_WORK_TREE")))


def marker(folder: str) -> str | None:
    """The nearest folder, from `folder` upwards, that has a `.git` or is a git directory itself."""
    while True:
        if os.path.lexists(os.path.join(folder, ".git")) or _is_git_dir(folder):
            return folder
        parent = os.path.dirname(folder)
        if parent == folder:
            return None
        folder = parent


def _is_git_dir(folder: str) -> bool:
    """git's own test, `is_git_directory` in its setup.c, without a look into HEAD."""
    return os.path.lexists(os.path.join(folder, "HEAD")) and all(
        os.path.isdir(os.path.join(folder, part)) for part in ("objects", "refs")
    )


_REV_PARSED: Final = re.compile(r"(.+)\n(true|false)\n(?:true|false)\n(sha1|sha256)\n(?:(.*)\n)?", re.DOTALL)


def _found(printed: str, start: str, by_environment: bool) -> Git:
    """The repository that `rev-parse` printed. It prints no way to the top where there is no work tree."""
    match = _REV_PARSED.fullmatch(printed)
    if match is None:
        raise EnvironmentFailed(f"git rev-parse printed what guard cannot read: {printed!r}")
    git_dir, inside, algorithm, up = match.groups()
    if up is None:
        return Git(git_dir, None, algorithm)
    work_tree = os.path.realpath(os.path.join(start, up))
    # `core.worktree` of a hostile repository may name any folder of this machine, `/` included.
    if not by_environment and (inside == "false" or not os.path.lexists(os.path.join(work_tree, ".git"))):
        raise CannotCheck(
            f"{git_dir}: core.worktree points to {work_tree}, away from the repository; "
            f"set GIT_WORK_TREE if that is meant"
        )
    return Git(git_dir, work_tree, algorithm)


def _refusal(stderr: bytes, start: str, sign: str | None) -> EnvironmentFailed:
    """Why git does not read the repository at `start`, and git's own remedy where it has one."""
    text = stderr.decode("utf-8", "replace")
    if "dubious ownership" in text:
        remedy = re.search(r"git config --global --add safe\.directory .*", text)
        way_out = remedy.group() if remedy else "see safe.directory in `git help config`"
        return EnvironmentFailed(
            f"{sign or start}: git refuses this repository, which belongs to another user; run: {way_out}"
        )
    complaint = first_complaint(stderr)
    if sign is not None and not os.environ.get("GIT_DIR"):
        return EnvironmentFailed(f"{sign}: there is a .git, but git cannot use it: {complaint}")
    return EnvironmentFailed(f"git finds no repository: {complaint}")


def _environment() -> dict[str, str]:
    """The user's environment, hardened. `GIT_INDEX_FILE`, `GIT_DIR` and `GIT_WORK_TREE` keep their meaning."""
    environment = {name: value for name, value in os.environ.items() if name not in _DROPPED}
    for name in _RELATIVE:
        if environment.get(name):
            environment[name] = os.path.abspath(environment[name])
    return environment | _HARDENED


def _executable() -> str:
    """The absolute path of git. Relative entries of `PATH` are passed over: they would be taken from the
    folder that git is started in, which is the checked repository."""
    entries = os.environ.get("PATH", os.defpath).split(os.pathsep)
    found = shutil.which("git", path=os.pathsep.join(entry for entry in entries if os.path.isabs(entry)))
    if found is None:
        raise EnvironmentFailed("git is needed here and is not on PATH; install git, or check a folder without .git")
    return found


def _popen(
    folder: str, environment: dict[str, str], command: tuple[str | bytes, ...], stdin: int, stderr: int
) -> subprocess.Popen[bytes]:
    arguments = [_executable(), "--no-pager", *_OPTIONS, *command]
    try:
        return subprocess.Popen(
            arguments,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=stderr,
            cwd=folder,
            env=environment,
            bufsize=_BUFFER,
        )
    except OSError as error:
        raise EnvironmentFailed(f"git does not start: {error.strerror or error}") from error
