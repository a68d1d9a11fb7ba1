"""`guard show middleware`, on a small service; `snapshots/` holds what is printed."""

from __future__ import annotations

import json
import os
from importlib.resources import files
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from guard.checks.middleware import FAMILY
from guard.checks.middleware_compare import compare
from guard.checks.middleware_view import AppView, ChoiceView, LayerView, NodeView, views
from guard.impact import reach_of
from tests.engine.support import git, inside, repository, write
from tests.middleware.middleware_support import names, program_of
from tests.middleware.test_stacks import LAYERS, SHAPES

SNAPSHOTS = Path(__file__).parent / "snapshots"
SCHEMA = Draft202012Validator(
    json.loads(files("guard").joinpath("schemas/middleware.schema.json").read_text(encoding="utf-8"))
)

FILES: dict[str, bytes] = {
    "Dockerfile": b'FROM python:3.11-slim\nCMD ["uvicorn", "shop.main:app"]\n',
    "shop/__init__.py": b"",
    "shop/main.py": b"from shop.setup import create_app\n\napp = create_app()\n",
    "shop/setup.py": b"""\
import os

from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.middleware.gzip import GZipMiddleware
from starlette.middleware.sessions import SessionMiddleware

from shop.layers import Tenant, Trace, Visits


def create_app():
    app = FastAPI()
    install(app)
    admin = Starlette()
    admin.add_middleware(GZipMiddleware)
    app.mount("/admin", admin)
    return app


def install(app):
    app.add_middleware(Tenant)
    app.add_middleware(SessionMiddleware, secret_key="x")
    if os.environ.get("TRACE"):
        app.add_middleware(Trace)
    app.add_middleware(Visits)


def forgotten(app: FastAPI):
    app.add_middleware(Trace)
""",
    "shop/layers.py": b"""\
from starlette.middleware.base import BaseHTTPMiddleware


class Tenant(BaseHTTPMiddleware):
    async def dispatch(self, request, call_next):
        request.state.tenant = request.session.get("tenant")
        return await call_next(request)


class Visits(BaseHTTPMiddleware):
    async def dispatch(self, request, call_next):
        request.session["visits"] = 1
        return await call_next(request)


class Trace(BaseHTTPMiddleware):
    async def dispatch(self, request, call_next):
        return await call_next(request)
""",
    "tests/test_app.py": b"from fastapi import FastAPI\n\n\ndef test():\n    app = FastAPI()\n",
}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return repository(tmp_path_factory.mktemp("service"), FILES)


@pytest.mark.parametrize("form", ["text", "markdown", "json"])
def test_the_page(service: Path, form: str) -> None:
    run = inside("show", "middleware", "--output", form, cwd=service)
    assert (run.code, run.err) == (0, "")
    suffix = {"text": "txt", "markdown": "md", "json": "json"}[form]
    assert run.out == (SNAPSHOTS / f"middleware.{suffix}").read_text(encoding="utf-8")


def test_json_is_as_the_schema_has_it(service: Path) -> None:
    run = inside("show", "middleware", "--all", "--output", "json", cwd=service)
    document = json.loads(run.out)
    SCHEMA.validate(document)
    assert [app["name"] for app in document["applications"]] == [
        "shop.main:app",
        "tests.test_app:test()",
        "shop.setup:forgotten()",
    ]


@pytest.mark.parametrize(
    "asked",
    ["shop.main:app", "shop.main", "app", "shop.main.app", "shop/setup.py:12", "create_app", "create_app()"],
)
def test_one_application(service: Path, asked: str) -> None:
    run = inside("show", "middleware", asked, "--output", "json", cwd=service)
    assert [app["name"] for app in json.loads(run.out)["applications"]] == ["shop.main:app"]


def test_no_such_application(service: Path) -> None:
    run = inside("show", "middleware", "shop.man:app", cwd=service)
    assert (run.code, run.out) == (2, "")
    assert run.err == "guard: no application 'shop.man:app' in this tree; there are shop.main:app\n"


def test_a_revision_and_the_index(service: Path, tmp_path: Path) -> None:
    whole = (SNAPSHOTS / "middleware.txt").read_text(encoding="utf-8")
    assert inside("show", "middleware", "--rev", "HEAD", cwd=service).out == whole
    assert inside("show", "middleware", "--staged", cwd=service).out == whole
    assert inside("show", "middleware", "--staged", "--rev", "HEAD", cwd=service).code == 2


def test_what_is_not_certain_and_what_is_never_there(tmp_path: Path) -> None:
    main = b"""from elsewhere import install
from fastapi import FastAPI
from layers import Trace, Visits

app = FastAPI()
app.add_middleware(Trace)
install(app)


@app.on_event("startup")
async def start():
    app.add_middleware(Visits)
"""
    folder = repository(tmp_path, {"main.py": main, "layers.py": FILES["shop/layers.py"]})
    out = inside("show", "middleware", cwd=folder).out
    assert "  main.py:7 hands it to code that is not known, which may add layers\n" in out
    assert "  Visits is added in a startup handler, main.py:12: too late, Starlette refuses it\n" in out
    markdown = inside("show", "middleware", "--output", "markdown", cwd=folder).out
    assert "\nVisits is added in a startup handler, main.py:12: too late" in markdown


def test_nothing_there(tmp_path: Path) -> None:
    run = inside("show", "middleware", cwd=repository(tmp_path, {"a.py": b"x = 1\n"}))
    assert (run.code, run.out) == (0, "No application was found that middleware could stand around.\n")


def test_since(tmp_path: Path) -> None:
    folder = repository(tmp_path, FILES)
    unchanged = inside("show", "middleware", "--since", "HEAD", cwd=folder)
    assert (unchanged.code, unchanged.out) == (0, "No application has other middleware than in HEAD.\n")
    setup = FILES["shop/setup.py"].decode()
    setup = setup.replace("    app.add_middleware(Tenant)\n", "").replace("Tenant, ", "")
    setup = setup.replace('    if os.environ.get("TRACE"):\n        app.add_middleware(Trace)\n', "")
    setup = setup.replace("    app.add_middleware(Visits)\n", "")
    setup = setup.replace(
        "    app.add_middleware(Session", "    app.add_middleware(Visits)\n    app.add_middleware(Session"
    )
    setup = setup.replace(
        "    app.mount", "    app.add_middleware(GZipMiddleware)\n    app.add_middleware(Trace)\n    app.mount"
    )
    (folder / "shop/setup.py").write_text(setup)
    git(folder, "mv", "shop/layers.py", "shop/layer.py")
    (folder / "shop/setup.py").write_text(setup.replace("shop.layers", "shop.layer"))
    run = inside("show", "middleware", "--since", "HEAD", cwd=folder)
    assert (run.code, run.err) == (0, "")
    assert run.out == (SNAPSHOTS / "middleware-since.txt").read_text(encoding="utf-8")
    document = json.loads(inside("show", "middleware", "--since", "HEAD", "--output", "json", cwd=folder).out)
    SCHEMA.validate(document)
    (app,) = document["applications"]
    assert {layer["name"]: layer["change"] for layer in app["layers"]} == {
        "Trace": "conditional",
        "GZipMiddleware": "added",
        "SessionMiddleware": "same",
        "Visits": "moved",
        "Tenant": "gone",
    }
    markdown = inside("show", "middleware", "--since", "HEAD", "--output", "markdown", cwd=folder).out
    assert "| − | <code>Tenant</code> | <code>shop/setup.py:21</code> | no longer there |" in markdown


def test_since_needs_git(tmp_path: Path) -> None:
    run = inside("show", "middleware", "--since", "HEAD", cwd=write(tmp_path, FILES))
    assert (run.code, run.out) == (2, "")


def test_a_django_project(tmp_path: Path) -> None:
    folder = repository(
        tmp_path,
        {
            "manage.py": b"import os\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'conf.live')\n",
            "conf/__init__.py": b"",
            "conf/base.py": b"ROOT_URLCONF = 'urls'\nMIDDLEWARE = [\n"
            b"    'conf.visits.Visits',\n    'django.contrib.sessions.middleware.SessionMiddleware',\n]\n",
            "conf/live.py": b"from conf.base import *\nif GZIP:\n"
            b"    MIDDLEWARE += ['django.middleware.gzip.GZipMiddleware']\n",
            "conf/visits.py": b"class Visits:\n    def __init__(self, get_response):\n"
            b"        self.get_response = get_response\n\n    def __call__(self, request):\n"
            b"        request.session['visits'] = 1\n        return self.get_response(request)\n",
        },
    )
    run = inside("show", "middleware", cwd=folder)
    assert (run.code, run.err) == (0, "")
    assert run.out == (SNAPSHOTS / "middleware-django.txt").read_text(encoding="utf-8")
    for asked in ("conf.live", "live", "conf/live.py"):
        assert inside("show", "middleware", asked, cwd=folder).out == run.out
    SCHEMA.validate(json.loads(inside("show", "middleware", "--output", "json", cwd=folder).out))
    (folder / "conf/ci.py").write_bytes(b"from conf.base import *\nMIDDLEWARE = MIDDLEWARE[1:]\n")
    (folder / "conf/live.example.py").write_bytes(b"from conf.base import *\n")
    git(folder, "add", "--all")
    more = inside("show", "middleware", cwd=folder).out
    assert more == f"{run.out}\n1 settings module that nothing names: --all shows them\n"
    everything = inside("show", "middleware", "--all", "--output", "json", cwd=folder).out
    assert [app["name"] for app in json.loads(everything)["applications"]] == ["conf.live", "conf.ci"]


SHOP = {
    "Dockerfile": b'FROM python:3.11-slim\nCMD ["gunicorn", "shop.web:app"]\n',
    "shop/__init__.py": b"",
    "shop/web.py": b"""\
from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from shop.admin import admin, pages
from shop.hooks import register


def create_app():
    app = Flask(__name__)
    app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1)
    app.register_blueprint(pages)
    app.register_blueprint(admin, url_prefix="/admin")
    register(app)
    return app


app = create_app()
""",
    "shop/admin.py": b"""\
from flask import Blueprint, abort, g

admin = Blueprint("admin", __name__)
pages = Blueprint("pages", __name__)


@admin.before_request
def only_staff():
    if not g.user:
        abort(403)
""",
    "shop/hooks.py": b"""\
import os

from flask import g, request


def register(app):
    @app.before_request
    def login():
        g.user = request.authorization

    if os.environ.get("TRACE"):
        app.before_request(trace)

    @app.after_request
    def headers(response):
        return response


def trace(): ...
""",
    "shop/events.py": b"""\
from aiohttp import web


@web.middleware
async def audit(request, handler):
    return await handler(request)


@web.middleware
async def token(request, handler):
    return await handler(request)


async def make() -> web.Application:
    app = web.Application(middlewares=[audit])
    feed = web.Application()
    feed.middlewares.append(token)
    app.add_subapp("/feed", feed)
    return app
""",
}


@pytest.mark.parametrize("form", ["text", "markdown"])
def test_flask_and_aiohttp(tmp_path: Path, form: str) -> None:
    folder = write(tmp_path / "shop", SHOP)
    run = inside("show", "middleware", "--output", form, cwd=folder)
    assert (run.code, run.err) == (0, "")
    suffix = {"text": "txt", "markdown": "md"}[form]
    assert run.out == (SNAPSHOTS / f"middleware-flask.{suffix}").read_text(encoding="utf-8")
    SCHEMA.validate(json.loads(inside("show", "middleware", "--all", "--output", "json", cwd=folder).out))


def test_odd_names_stay_on_their_line(tmp_path: Path) -> None:
    odd = 'main\x1b[31m\u202e`|<b>"].py'
    folder = repository(
        tmp_path, {odd: FILES["shop/setup.py"].replace(b"create_app", b"make").replace(b"shop.", b"s.")}
    )
    (folder / odd).write_text("from fastapi import FastAPI\napp = FastAPI()\napp.add_middleware(X)\n")
    for form in ("text", "markdown"):
        run = inside("show", "middleware", "--output", form, cwd=folder)
        assert run.code == 0
        assert "\x1b" not in run.out and "\u202e" not in run.out
    assert "main" in run.out and "<b>" not in run.out


def _ways(nodes: tuple[NodeView, ...]) -> list[tuple[str, ...]]:
    """Every way through what is drawn, outermost first, without the framework's own layers."""
    ways: list[tuple[str, ...]] = [()]
    for node in nodes:
        if isinstance(node, LayerView):
            ways = [(*way, node.name) for way in ways] if node.spot is not None else ways
        else:
            ways = [(*way, *inner) for way in ways for arm in node.arms for inner in _ways(arm.nodes)]
    return ways


def _all(apps: list[AppView]) -> list[AppView]:
    return [one for app in apps for one in (app, *_all(list(app.mounted)))]


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name.replace(" ", "-"))
def test_what_is_drawn_is_the_stack(shape, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """Over all shapes of applications that are built for real in `test_stacks`."""
    shape.write(tmp_path)
    (tmp_path / "layers.py").write_text(LAYERS)
    program = program_of(tmp_path)
    stacks = program.linked(FAMILY)
    apps = _all(views(stacks.bound, stacks.profile, reach_of(program).of))
    drawn = {way for app in apps if not app.handed for way in _ways(app.nodes)}
    real = {way for stack in stacks.all if not stack.handed for way in names(stack)}
    assert real <= drawn  # what is decided twice by one test is drawn twice
    decided_once = not any(isinstance(node, ChoiceView) for app in apps for node in app.nodes)
    assert not decided_once or real == drawn
    assert all(change.change == "same" for change in compare(apps, apps, {}))


def test_what_no_text_can_hold_is_kept_all_the_same(tmp_path: Path) -> None:
    """A path that is not UTF-8, of an application that a report keeps."""
    folder = repository(tmp_path, {"a.py": b"x = 1\n"})
    name = b"\xff.py"
    (Path(os.fsdecode(bytes(folder) + b"/" + name))).write_bytes(
        b"from fastapi import FastAPI\napp = FastAPI()\napp.add_middleware(X)\n"
    )
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "odd")
    for arguments in (("check", "--select", "MID", "--since", "HEAD"), ("report", "--output", "html")):
        run = inside(*arguments, cwd=folder)
        assert run.code == 0, run.err
    assert "\\xff:app" in run.out
