"""Trees in memory whose files are put together from lines that are right and lines that are wrong, and their score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hypothesis import settings
from hypothesis import strategies as st

from guard.appraisal import Appraiser
from guard.config import load
from guard.engine import Options
from guard.model import Problem
from guard.registry import all_rules
from guard.scoring.model import Appraisal
from guard.sources.tree import REGULAR, Reader, SourceFile, Tree, Unreadable, blob_id

QUICK = settings(max_examples=30, deadline=None, derandomize=True, database=None)
"""The same examples in every run, and nothing left on disk."""

Contents = Mapping[str, bytes]


class SampleReader(Reader):
    def __init__(self, contents: Contents, unreadable: frozenset[str]) -> None:
        self.contents = contents
        self.unreadable = unreadable

    def read(self, file: SourceFile, limit: int | None = None) -> bytes:
        if file.path in self.unreadable:
            raise Unreadable(Problem(file.path, "unreadable", "permission denied"))
        content = self.contents[file.path]
        if limit is not None and len(content) > limit:
            raise Unreadable(Problem(file.path, "too-large", "too large"))
        return content


class SampleTree(Tree):
    """`contents` by path, of which those in `unreadable` cannot be read; `sized` for whether their sizes are known."""

    kind = "directory"
    label = "sample"
    submodules = ()
    problems = ()

    def __init__(self, contents: Contents, unreadable: Sequence[str] = (), *, sized: bool = True) -> None:
        self.contents = contents
        self.unreadable = frozenset(unreadable)
        self.sized = sized
        # An id that no other file has, or else the facts of one would do for the other.
        self.files = {
            path: SourceFile(path, REGULAR, blob_id(path.encode() if path in self.unreadable else content))
            for path, content in sorted(contents.items())
        }

    def reader(self) -> Reader:
        return SampleReader(self.contents, self.unreadable)

    def size(self, path: str) -> int | None:
        return len(self.contents[path]) if self.sized and path in self.contents else None


def appraised(tree: Tree, *overrides: str) -> Appraisal:
    """What `guard report` says of a tree; `overrides` as for `--config`."""
    rules = all_rules()
    return Appraiser(load(tree, "", overrides, rules=rules), rules, Options(jobs=1)).appraise(tree)


SERVICE = """\
from fastapi import FastAPI
from starlette.middleware.sessions import SessionMiddleware

app = FastAPI()

class Auth:
    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        request = Request(scope)
        request.session["user"]
        await self.app(scope, receive, send)

app.add_middleware(SessionMiddleware, secret_key="x")
app.add_middleware(Auth)
"""
MODULES = ("main", "store", "views", "wide")
LINES = (
    *(f"from app.{name} import Thing, helper" for name in MODULES),
    *(f"from app.{name} import *" for name in MODULES),
    *(f"from app.{name} import gone" for name in MODULES),
    *(f"import app.{name}" for name in MODULES),
    *(f"app.{name}.nowhere()" for name in MODULES),
    "from app.absent import x",
    "from .store import gone",
    "from . import absent",
    "from ..app import store",
    "import store",
    "from sub.deep import Thing, gone",
    "import requests",
    "import sys\n\nsys.path.insert(0, 'app')\n",
    "__all__ = ['Thing', 'gone']",
    "from unittest import mock\n\nmock.patch('app.store.gone')\n",
    "from setuptools import setup\n\nsetup(name='app', install_requires=['httpx'])\n",
    "LIMIT = 30\nNAMES = ['a', 'b', 'c']\n",
    "import warnings\n\nwarnings.warn('app.views is deprecated', DeprecationWarning)\n",
    "import builtins\n\nbuiltins.undefined_name = 1\n",
    "setattr(helper, 'nam', 1)",
    "class Thing:\n    def __init__(self, size):\n        self.size = size\n",
    "import dataclasses\n\n@dataclasses.dataclass\nclass Row:\n    name: str\n\nrow = Row(1, 2).nam\n",
    "def use():\n    return Thing()\n",
    "def helper():\n    return 1\n",
    "def broken():\n    return undefined_name\n",
    "x = (",
    "value = 1\r",
    "try:\n    from app.store import gone\nexcept ImportError:\n    gone = None\n",
    SERVICE,
    "import importlib\nimportlib.import_module('app.store')\n",
)
PLACES = (
    *(f"app/{name}.py" for name in MODULES),
    "app/__init__.py",
    "app/sub/deep.py",
    "setup.py",
    "requirements.txt",
    "tests/conftest.py",
    "tests/test_main.py",
    "scripts/run.py",
    "run",
    "notes.txt",
    ".gitattributes",
)
EMPTIES = (
    *(f"{folder}__init__.py" for folder in ("", "app/", "app/sub/", "tests/", "tests/app/", "scripts/", "src/")),
    *(f"app/{name}/__init__.py" for name in ("absent", "store", "main")),
    *("app/absent.py", "app/absent.pyi", "app/absent/notes.txt", "app/absent.so", "app/store.pyi", "absent.py"),
    *(
        "app/absent.cpython-311-x86_64-linux-gnu.so",
        "requests.py",
        "requests/__init__.py",
        "store.py",
        "tests/store.py",
    ),
    *(f"{folder}conftest.py" for folder in ("", "app/", "tests/")),
    *(f"{folder}{name}" for folder in ("", "app/", "tests/") for name in ("pyproject.toml", "setup.py", "setup.cfg")),
    *(f"{folder}{name}" for folder in ("", "app/") for name in ("requirements.txt", "Dockerfile", ".gitattributes")),
    *("manage.py", "Procfile", "docker-compose.yml", "pytest.ini", "tox.ini", "meson.build", "CMakeLists.txt"),
    *(".editorconfig", ".gitignore", "MANIFEST.in", "Makefile", ".python-version", "runtime.txt", "guard.toml"),
    *("py.typed", "app/py.typed", "a", "app/new.py", "tests/test_new.py", "x/y/z.txt"),
    *(".dockerignore", "Dockerfile.dockerignore", "app/.dockerignore", "app/Dockerfile", "start.sh", "gone.txt"),
)
"""Files that say something by being there, or may seem to."""
FIRST = ("FROM python:3.12-slim\nWORKDIR /srv", "FROM node AS base\nCOPY app/store.py .\nFROM base\nWORKDIR /srv")
STEPS = (
    *("COPY . .", "COPY app ./app", "COPY main.py .", "COPY scripts app/views.py /srv/app/", "ADD app/sub app/sub"),
    *("COPY requirements.txt .", "COPY start.sh /start.sh", "COPY gone.txt .", "COPY *.py .", "COPY app/__init__.py ."),
    *("RUN pip install -r requirements.txt", "RUN git clone https://example.org/x", "FROM python:3.12 AS second"),
    *('CMD ["uvicorn", "app.main:app"]', 'CMD ["python", "-m", "app.main"]', 'ENTRYPOINT ["/start.sh"]'),
    *('CMD ["python", "app/main.py"]', 'CMD ["python", "main.py"]', "RUN echo {{name}}"),
)
STARTS = ('CMD ["uvicorn", "app.main:app"]', 'CMD ["python", "-m", "app.views"]', 'ENTRYPOINT ["./start.sh"]')
PATTERNS = (
    *("*", "!app", "!app/main.py", "app/store.py", "**/views*", "app/sub", "**/sub/*", "requirements.txt", "*.sh"),
    *("!start.sh", "scripts", "tests", "main.py", "app/wide.py", "store.py", "!", "# nothing"),
)
SERVICES = (
    "services:\n  web:\n    build: .\n",
    "services:\n  web:\n    build: ./app\n",
    "services:\n  web:\n    build: {context: ., dockerfile: web.Dockerfile}\n    volumes: ['./app/sub:/srv/s']\n",
    "services:\n  web:\n    build: {context: ., target: base}\n    command: uvicorn app.views:app\n",
    "services:\n  web:\n    build: {context: app, dockerfile: ../Dockerfile}\n",
)


def _texts(lines: Sequence[str], most: int = 4) -> st.SearchStrategy[bytes]:
    """Up to so many lines of those."""
    chosen = st.lists(st.sampled_from(lines), max_size=most)
    return chosen.map(lambda lines: "".join(f"{line}\n" for line in lines).encode())


def _joined(contents: Sequence[Contents]) -> Contents:
    return {path: content for some in contents for path, content in some.items()}


DOCKERFILES = st.builds(
    lambda first, steps, start: f"{first}\n".encode() + steps + f"{start}\n".encode(),
    st.sampled_from(FIRST),
    _texts(STEPS),
    st.sampled_from(STARTS),
)
BUILT = st.dictionaries(st.sampled_from(("Dockerfile", "app/Dockerfile", "web.Dockerfile")), DOCKERFILES)
IGNORED = st.dictionaries(
    st.sampled_from((".dockerignore", "app/.dockerignore", "web.Dockerfile.dockerignore")), _texts(PATTERNS)
)
BESIDE = st.dictionaries(
    st.sampled_from(("docker-compose.yml", "start.sh", "main.py")),
    st.sampled_from(
        (*(text.encode() for text in SERVICES), b"exec uvicorn app.main:app\n", b"from app.main import x\n")
    ),
)
IMPORTED = st.dictionaries(
    st.sampled_from(("app/__init__.py", *(f"app/{name}.py" for name in MODULES))),
    st.sampled_from([f"from app.{name} import *\nfrom app.{name} import x\n".encode() for name in MODULES]),
)
TEXTS = _texts(LINES)
TREES = st.tuples(IMPORTED, st.dictionaries(st.sampled_from(PLACES), TEXTS, min_size=2), BUILT, IGNORED, BESIDE).map(
    _joined
)
