"""guard's stacks of Django projects against the ones that Django really sends a request through."""

from __future__ import annotations

import itertools
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from guard.checks.django import FAMILY, Project
from guard.registry import all_rules
from tests.markdown_cases import Case, cases_in
from tests.middleware.middleware_support import program_of

HERE = Path(__file__).parent
SHAPES = list(cases_in((HERE / "django_shapes.md").read_text(encoding="utf-8")))

LAYERS = """
class A:
    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        return self.get_response(request)


class B(A): ...


class C(A): ...


class D(A): ...


def tracing(get_response):
    def middleware(request):
        return get_response(request)

    return middleware
"""
URLS = """
from django.http import HttpResponse
from django.urls import path

urlpatterns = [path("", lambda request: HttpResponse("ok"))]
"""


def modules_of(folder: Path) -> list[str]:
    """The settings modules that a shape may be deployed with."""
    run = folder / "run.txt"
    return run.read_text().split() if run.exists() else ["settings"]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, dict[str, set[tuple[str, ...]]]]]:
    """Each shape's folder, and by settings module the stacks that a request really passes."""
    jobs, folders = [], []
    for number, shape in enumerate(SHAPES):
        folder = tmp_path_factory.mktemp(f"shape{number}")
        shape.write(folder)
        (folder / "layers.py").write_text(LAYERS)
        (folder / "urls.py").write_text(URLS)
        folders.append(folder)
        text = "".join(path.read_text() for path in folder.rglob("*.py"))
        asked = sorted(set(re.findall(r'environ\.get\("(WITH_\w+)"\)', text)))
        ways = [dict(zip(asked, values, strict=True)) for values in itertools.product(("", "1"), repeat=len(asked))]
        paths = [str(folder), str(folder / "src")]
        jobs += [(paths, module, ways) for module in modules_of(folder)]
    child = subprocess.run(
        [sys.executable, str(HERE / "real_django.py")],
        input=json.dumps(jobs),
        capture_output=True,
        text=True,
        check=False,
    )
    assert child.returncode == 0, child.stderr
    real = iter(json.loads(child.stdout))
    found = {}
    for shape, folder in zip(SHAPES, folders, strict=True):
        stacks = {module: {tuple(stack) for stack in next(real)} for module in modules_of(folder)}
        found[shape.name] = (folder, stacks)
    return found


def ways(project: Project) -> set[tuple[str, ...]]:
    """Every way through a project's stack, as the dotted names of its settings, outermost first."""
    found = project.stack.ways(lambda layer: True)
    assert found is not None
    return {tuple(layer.written for layer in reversed(way.layers)) for way in found}


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name.replace(" ", "-"))
def test_stack_is_the_real_one(shape: Case, built: dict[str, tuple[Path, dict[str, set[tuple[str, ...]]]]]) -> None:
    folder, real = built[shape.name]
    projects = program_of(folder).linked(FAMILY).all
    names = [project.settings.path.removeprefix("src/").removesuffix(".py") for project in projects]
    found = {name.removesuffix("/__init__").replace("/", "."): ways(p) for name, p in zip(names, projects, strict=True)}
    assert found == real


UNKNOWN = {
    "taken from the environment": 'MIDDLEWARE = env.list("MIDDLEWARE")',
    "changed by a function": "def more():\n    MIDDLEWARE.append('layers.B')\nmore()",
    "handed on": "configure(MIDDLEWARE)",
    "all variables handed on": "import heroku\nheroku.settings(locals())",
    "replaced by name": "globals()['MIDDLEWARE'] = []",
    "an item replaced": "MIDDLEWARE[0] = 'layers.B'",
    "included": "from split_settings.tools import include\ninclude('more.py')",
    "everything of a third party": "from somewhere_else.settings import *",
    "sorted": "MIDDLEWARE.sort()",
    "inserted somewhere": "MIDDLEWARE.insert(position(), 'layers.B')",
    "inserted behind what may not be there": "MIDDLEWARE.insert(MIDDLEWARE.index('layers.X') + 1, 'layers.B')",
    "deleted": "del MIDDLEWARE[0]",
}


@pytest.mark.parametrize("change", UNKNOWN.values(), ids=UNKNOWN.keys())
def test_what_cannot_be_followed_is_not_known(change: str, tmp_path: Path) -> None:
    (tmp_path / "settings.py").write_text(f"ROOT_URLCONF = 'urls'\nMIDDLEWARE = ['layers.A']\n{change}\n")
    assert program_of(tmp_path).linked(FAMILY).all == ()


def test_a_loop_adds_at_the_end(tmp_path: Path) -> None:
    (tmp_path / "settings.py").write_text(
        "ROOT_URLCONF = 'urls'\nMIDDLEWARE = ['layers.A']\nfor one in PLUGINS:\n    MIDDLEWARE += [one]\n"
    )
    (project,) = program_of(tmp_path).linked(FAMILY).all
    assert ways(project) == {("layers.A", "")}


OTHERS = {
    "scrapy.py": "DOWNLOADER_MIDDLEWARES = {'a.B': 1}\nMIDDLEWARE = ['a.B']\n",
    "starlette_app.py": "MIDDLEWARE = [Middleware(A)]\n",
    "constant.py": "MIDDLEWARE = 'middleware'\n",
}


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_no_settings_module(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(OTHERS[name])
    assert program_of(tmp_path).linked(FAMILY).all == ()


def test_who_names_the_settings(tmp_path: Path) -> None:
    for name in ("base", "live", "stage", "ci"):
        more = "" if name == "base" else "from base import *\n"
        (tmp_path / f"{name}.py").write_text(f"{more}ROOT_URLCONF = 'urls'\nMIDDLEWARE = ['layers.A']\n")
    (tmp_path / "wsgi.py").write_text("import os\nos.environ['DJANGO_SETTINGS_MODULE'] = 'live'\n")
    (tmp_path / "deployment.yaml").write_text(
        "env:\n  - name: DJANGO_SETTINGS_MODULE\n    value: stage\n  - name: OTHER\n"
    )
    (tmp_path / "pytest.ini").write_text("[pytest]\nDJANGO_SETTINGS_MODULE = ci\n")
    (tmp_path / ".github/workflows").mkdir(parents=True)
    (tmp_path / ".github/workflows/ci.yml").write_text("env:\n  DJANGO_SETTINGS_MODULE: ci\n")
    found = program_of(tmp_path).linked(FAMILY).all
    named = {project.settings.path: [(p.path, p.line) for p in project.named] for project in found}
    assert named == {"ci.py": [], "live.py": [("wsgi.py", 2)], "stage.py": [("deployment.yaml", 2)]}
    assert {project.settings.path for project in found if not project.certain} == {"ci.py"}


def test_hostile_settings(tmp_path: Path) -> None:
    (tmp_path / "deep.py").write_text("ROOT_URLCONF = ''\nMIDDLEWARE = " + "[*" * 300 + "[]" + "]" * 300 + "\n")
    (tmp_path / "circle.py").write_text("from round import *\nROOT_URLCONF = ''\nMIDDLEWARE += ['a.B']\n")
    (tmp_path / "round.py").write_text("from circle import *\nMIDDLEWARE += ['a.B']\n")
    (tmp_path / "growing.py").write_text(
        "ROOT_URLCONF = ''\nMIDDLEWARE = ['a.B', 'a.C']\n" + "MIDDLEWARE = MIDDLEWARE + MIDDLEWARE\n" * 64
    )
    both = "if X{0}:\n    MIDDLEWARE = MIDDLEWARE + ['a.A{0}']\nelse:\n    MIDDLEWARE = ['a.B{0}'] + MIDDLEWARE\n"
    (tmp_path / "branching.py").write_text(
        "ROOT_URLCONF = ''\nMIDDLEWARE = ['a.B']\n" + "".join(both.format(number) for number in range(80))
    )
    many = "if X{0}:\n    MIDDLEWARE += ['django.A{0}']\n"
    (tmp_path / "optional.py").write_text(
        "ROOT_URLCONF = ''\nMIDDLEWARE = ['a.B']\n" + "".join(many.format(number) for number in range(80))
    )
    found = {project.settings.path: project for project in program_of(tmp_path).linked(FAMILY).all}
    assert len(list(found["branching.py"].stack.layers())) < 1_000, "more of a tangle than is followed"
    assert len(list(found["optional.py"].stack.layers())) == 81
    program = program_of(tmp_path)
    for code in ("MID001", "MID002", "MID003", "MID005"):
        list(all_rules()[code].check(program))
