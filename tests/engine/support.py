"""Repositories with findings of every family, and the command in this process and in one of its own."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import io
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

from guard.cli.main import main

Files = Mapping[str, bytes]


@dataclass(frozen=True)
class Run:
    """What a run gave: exit code, standard output, standard error."""

    code: int
    out: str
    err: str


def write(folder: Path, files: Files) -> Path:
    """Write the files below `folder`, which is made; gives the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    return folder


def git(folder: Path, *arguments: str) -> str:
    """Run git in `folder`; gives what it prints."""
    return subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


def repository(folder: Path, files: Files) -> Path:
    """A real repository with everything committed as it is; gives the folder."""
    write(folder, files)
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "-c", "core.autocrlf=false", "-c", "core.safecrlf=false", "add", "--all", "--force")
    git(folder, "commit", "--quiet", "--allow-empty", "--message", "a sample")
    return folder


def inside(*arguments: str, cwd: Path) -> Run:
    """`guard` with `arguments` in this process, by way of its own `main`."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="\n") for _ in range(2))
    code = 0
    with (
        contextlib.chdir(cwd),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        mock.patch.object(sys, "argv", ["guard", *arguments]),
    ):
        try:
            main()
        except SystemExit as stop:
            code = int(stop.code or 0)
        finally:
            gc.enable()
    out.flush()
    err.flush()
    return Run(code, *(stream.buffer.getvalue().decode("utf-8", "backslashreplace") for stream in (out, err)))  # type: ignore[attr-defined]


def started(
    *arguments: str | bytes,
    cwd: Path,
    environment: Mapping[str, str] | None = None,
    unset: Iterable[str] = (),
    **options: object,
) -> subprocess.Popen[bytes]:
    """`guard` with `arguments` in a process of its own, that runs."""
    inherited = {name: value for name, value in os.environ.items() if name not in set(unset)}
    return subprocess.Popen(
        [sys.executable, "-m", "guard", *arguments],
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**inherited, "PYTHONPATH": str(Path(__file__).parents[2]), **(environment or {})},
        **options,  # type: ignore[call-overload]
    )


def outside(*arguments: str | bytes, cwd: Path, timeout: float = 60, **options: object) -> Run:
    """`guard` with `arguments` in a process of its own, to its end."""
    with started(*arguments, cwd=cwd, **options) as process:  # type: ignore[arg-type]
        try:
            out, err = process.communicate(timeout=timeout)
        finally:
            process.kill()
    return Run(process.returncode, out.decode("utf-8", "backslashreplace"), err.decode("utf-8", "backslashreplace"))


def without_privilege() -> None:
    """For `preexec_fn`: root, too, may no longer read what its owner has closed."""
    prctl = ctypes.CDLL(None).prctl
    for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
        prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP; fails for a user who has neither


# Samples

SERVICE: Files = {
    "Dockerfile": b'FROM python:3.11-slim\nCOPY . .\nCMD ["uvicorn", "app.main:app"]\n',
    "app/__init__.py": b"",
    "app/main.py": b"""\
from fastapi import FastAPI
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.sessions import SessionMiddleware

from app.models import Metrics, read
from app.storage import Store, Gone
from app.vanished import anything


class Tenant(BaseHTTPMiddleware):
    async def dispatch(self, request, call_next):
        request.session["tenant"]
        return await call_next(request)


app = FastAPI()
app.add_middleware(SessionMiddleware, secret_key="x")
app.add_middleware(Tenant)
""",
    "app/models.py": b"""\
from dataclasses import dataclass


@dataclass
class Metrics:
    total: int
    failed: int = 0


def read() -> int:
    metrics = Metrics(total=1)
    return metrics.succeeded


def make() -> Metrics:
    return Metrics(totall=1)
""",
    "app/storage.py": b"class Store: ...\n",
    "app/exports.py": b"__all__ = ['Store', 'nothing']\nfrom app.storage import Store\n",
    "app/guarded.py": b"try:\n    from app.storage import Missing\nexcept ImportError:\n    Missing = None\n",
    "app/climbs.py": b"from .....far import away\n",
    "app/both.py": b"x = 1\n",
    "app/both/__init__.py": b"y = 1\n",
    "app/undefined.py": b"def f():\n    return undefined_name\n",
    "app/broken.py": b"def f(:\n    pass\n",
    "app/newer.py": b'x = f"{"nested"}"\ntype X = int\n',
    "app/late.py": b"import os\nfrom __future__ import annotations\nx = os.sep\n",
    "app/conflict.py": b"<<<<<<< HEAD\nx = 1\n=======\nx = 2\n>>>>>>> other\n",
    "app/marked.py": b"\xef\xbb\xbfx = 1\n",
    "app/windows.py": b"x = 1\r\ny = 2\r\n",
    "app/latin.py": b"x = '\xe9'\n",
    "app/hidden.py": "x = 'a\u202eb'\n".encode(),
    "app/ignored.py": b"from app.storage import A  # guard: ignore[IMP002] told elsewhere\n"
    b"x = 1  # guard: ignore[IMP002] nothing here\ny = 2  # guard: ignore[XYZ999] no such rule\n",
    "run.sh": b"#!/bin/sh\r\necho run\r\n",
    "tests/test_main.py": b"from app.main import app, Gone\nfrom app.nowhere import z\n",
    "scripts/tool.py": b"from app.storage import Tool\n",
}
"""One service: at least one finding of every family, in code that starts, in tests and in tooling."""

FAMILIES = {"DCF", "EOL", "IMP", "MID", "SUP", "SYN", "TXT"}


def monorepo(services: int = 5) -> dict[str, bytes]:
    """`services` services that differ, and some plain modules: about 30 files each."""
    files: dict[str, bytes] = {".gitattributes": b"*.bat text eol=crlf\n", "tidy.bat": b"echo\r\n"}
    for number in range(services):
        for path, content in SERVICE.items():
            files[f"services/s{number}/{path}"] = content.replace(b"x = 1\n", b"x = %d\n" % number)
        for plain in range(5):
            content = f"import json\nfrom app.storage import Store\n\nvalue_{plain} = json.dumps({number})\n"
            files[f"services/s{number}/app/plain_{plain}.py"] = content.encode()
    return files
