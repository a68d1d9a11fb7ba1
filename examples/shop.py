"""The repository that `make demo` checks: a small service that holds, in small, failures which took a real one down.

Every failure is told with the file that has it: what happened, and the mend that a person has to make.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple


class Mend(NamedTuple):
    """What a person changes in one file, since guard cannot know it."""

    path: str
    old: str
    new: str
    why_not_guard: str


class Story(NamedTuple):
    """One failure: what happened, the findings it gives as (code, path), and who mends it."""

    title: str
    what_happened: str
    findings: tuple[tuple[str, str], ...]
    mends: tuple[Mend, ...] = ()
    """Empty where `guard check --fix` mends it."""


FILES: Final[Mapping[str, str]] = {
    "Dockerfile": """\
FROM python:3.11-slim
WORKDIR /srv
COPY . .
RUN pip install --no-cache-dir -r requirements.txt
CMD ["uvicorn", "shop.main:app", "--host", "0.0.0.0", "--port", "8080"]
""",
    ".gitattributes": "Dockerfile text eol=lf\n*.toml text eol=lf\n",
    "requirements.txt": "fastapi==0.115.6\nuvicorn==0.34.0\nitsdangerous==2.2.0\n",
    "release.sh": "#!/bin/sh\r\nset -e\r\nexec uvicorn shop.main:app --port 8080\r\n",
    "shop/__init__.py": "",
    "shop/main.py": """\
from fastapi import FastAPI, WebSocket

from shop.factory import Factory
from shop.helper import DataHelper
from shop.prices import PRICES
from shop.setup import add_layers
from shop.sockets import ConnectionManager

app = FastAPI()
add_layers(app)
factory = Factory()


@app.get("/prices/{name}")
async def price(name: str) -> dict[str, object]:
    return {"label": DataHelper().load(name), "cents": PRICES[name]}


@app.websocket("/events")
async def events(socket: WebSocket) -> None:
    manager = ConnectionManager(factory)
    await manager.serve(socket)
""",
    "shop/sockets.py": """\
from fastapi import WebSocket

from shop.factory import Factory


class SocketManager:
    def __init__(self, factory: Factory) -> None:
        self.factory = factory

    async def serve(self, socket: WebSocket) -> None:
        await socket.accept()
        await socket.send_json(self.factory.report())
""",
    "shop/setup.py": """\
from fastapi import FastAPI
from starlette.middleware.sessions import SessionMiddleware

from shop.auth import AuthContext


def add_layers(app: FastAPI) -> None:
    app.add_middleware(SessionMiddleware, secret_key="only-for-the-demo")
    app.add_middleware(AuthContext)
""",
    "shop/auth.py": """\
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import Response


class AuthContext(BaseHTTPMiddleware):
    async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
        request.state.user_id = request.session.get("user_id")
        return await call_next(request)
""",
    "shop/metrics.py": """\
from dataclasses import dataclass


@dataclass
class FactoryMetrics:
    created: int = 0
    cleanups: int = 0
""",
    "shop/factory.py": """\
from shop.metrics import FactoryMetrics


class Factory:
    def __init__(self) -> None:
        self.metrics = FactoryMetrics()

    def report(self) -> dict[str, int]:
        return {
            "created": self.metrics.created,
            "emergency_cleanups": self.metrics.emergency_cleanups,
        }
""",
    "shop/labels.py": """\
def label(order: dict[str, str]) -> str:
    return f"{order["id"]}: {order["title"]}"
""",
    "shop/helper.py": """\
class DataHelper:
    def load(self, name: str) -> str:
from shop.labels import label
        return label({"id": name, "title": name.title()})
""",
    "shop/prices.py": "PRICES = {\r\n    'apple': 30,\r\n    'pear': 45,\r\n}\r\n",
    "tests/test_sockets.py": """\
from shop.sockets import ConnectionManager


def test_a_manager_has_its_factory() -> None:
    assert ConnectionManager(None).factory is None
""",
}
"""The repository, by path."""

STORIES: Final = (
    Story(
        "CRLF was committed",
        "A Windows checkout added a start script and a module with CRLF line endings. The kernel of the container "
        "looks for an interpreter called '/bin/sh\\r', and says that there is no such file.",
        (
            ("EOL001", "release.sh"),
            ("EOL001", "shop/prices.py"),
            ("EOL006", "release.sh"),
            ("EOL002", ".gitattributes"),
        ),
    ),
    Story(
        "A class was renamed",
        "A consolidation renamed ConnectionManager to SocketManager. Two modules still import the old name: the "
        "service cannot start, and its tests cannot be collected.",
        (("IMP002", "shop/main.py"), ("IMP002", "tests/test_sockets.py")),
        (
            Mend(
                "shop/main.py",
                "ConnectionManager",
                "SocketManager",
                "it does not know which class took the place of the old one",
            ),
            Mend("tests/test_sockets.py", "ConnectionManager", "SocketManager", "as above"),
        ),
    ),
    Story(
        "A bulk rewrite put an import into a method",
        "It stands at column 0, between a method's first line and its body. The module does not compile.",
        (("SYN001", "shop/helper.py"),),
        (
            Mend(
                "shop/helper.py",
                "class DataHelper:\n    def load(self, name: str) -> str:\nfrom shop.labels import label\n",
                "from shop.labels import label\n\n\nclass DataHelper:\n    def load(self, name: str) -> str:\n",
                "what the author meant to stand there is not in the file",
            ),
        ),
    ),
    Story(
        "The image has an older Python than the developer",
        "The same quotes inside an f-string are fine from Python 3.12 on. The Dockerfile says 3.11.",
        (("SYN003", "shop/labels.py"),),
        (
            Mend(
                "shop/labels.py",
                'f"{order["id"]}: {order["title"]}"',
                "f\"{order['id']}: {order['title']}\"",
                "a newer image would be a mend as well, and which one is right is not guard's to say",
            ),
        ),
    ),
    Story(
        "A middleware runs outside of what it needs",
        "In Starlette the layer that is added last is the outermost one. AuthContext reads request.session, and runs "
        "before SessionMiddleware has made it: every request fails.",
        (("MID001", "shop/setup.py"), ("MID005", "shop/auth.py")),
        (
            Mend(
                "shop/setup.py",
                '    app.add_middleware(SessionMiddleware, secret_key="only-for-the-demo")\n'
                "    app.add_middleware(AuthContext)\n",
                "    app.add_middleware(AuthContext)\n"
                '    app.add_middleware(SessionMiddleware, secret_key="only-for-the-demo")\n',
                "the order of layers is behaviour, and other layers may count on it",
            ),
        ),
    ),
    Story(
        "A data class is read for a field that it has not",
        "FactoryMetrics has no emergency_cleanups. Whoever opens a WebSocket gets an AttributeError.",
        (("DCF001", "shop/factory.py"),),
        (
            Mend(
                "shop/metrics.py",
                "    cleanups: int = 0\n",
                "    cleanups: int = 0\n    emergency_cleanups: int = 0\n",
                "it may be the field that is missing, or the reader that is wrong",
            ),
        ),
    ),
)


def write_repository(folder: Path) -> None:
    """Make the repository in `folder`, with everything committed exactly as `FILES` has it."""
    for path, content in FILES.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content.encode())
    (folder / "release.sh").chmod(0o755)
    commit(folder, "What was deployed")


def commit(folder: Path, message: str) -> None:
    """Commit everything. Nothing of the user's own git configuration has a say in it."""
    identity = ("-c", "user.name=demo", "-c", "user.email=demo@example.invalid", "-c", "core.autocrlf=false")
    for command in (("init", "--quiet"), ("add", "--all"), ("commit", "--quiet", "--message", message)):
        subprocess.run(["git", *identity, *command], cwd=folder, check=True)
