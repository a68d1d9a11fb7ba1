"""guard's stacks of Flask's and aiohttp's applications against the layers that requests really come through."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from guard.checks.middleware_stack import Layer, Stack, Way
from tests.markdown_cases import Case, cases_in
from tests.middleware.middleware_support import stacks_of

HERE = Path(__file__).parent
SHAPES = [
    (kind, shape)
    for kind in ("aiohttp", "flask")
    for shape in cases_in((HERE / f"{kind}_shapes.md").read_text(encoding="utf-8"))
]

LAYERS = {
    "aiohttp": """
from aiohttp import web


@web.middleware
async def a(request, handler):
    return await handler(request)


@web.middleware
async def b(request, handler):
    return await handler(request)


@web.middleware
async def c(request, handler):
    return await handler(request)


@web.middleware
async def d(request, handler):
    return await handler(request)


def make_e(value):
    @web.middleware
    async def e(request, handler):
        return await handler(request)

    return e


async def view(request):
    return web.Response()
""",
    "flask": """
def a(): ...
def b(): ...
def c(): ...
def d(): ...
def end(error): ...


def out(response):
    return response


def last(response):
    return response


class Timer:
    def __init__(self, wsgi):
        self.wsgi = wsgi

    def __call__(self, environ, start_response):
        return self.wsgi(environ, start_response)


class Trace:
    def __init__(self, wsgi, name=""):
        self.wsgi = wsgi

    def __call__(self, environ, start_response):
        return self.wsgi(environ, start_response)


def install(app):
    app.before_request(d)
""",
}
ON_THE_WAY_OUT = ("after_request", "teardown_request")


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], tuple[Path, list[list[str]]]]:
    """Each shape's folder, and the ways that requests take."""
    folders = []
    for number, (kind, shape) in enumerate(SHAPES):
        folder = tmp_path_factory.mktemp(f"shape{number}")
        shape.write(folder)
        (folder / "layers.py").write_text(LAYERS[kind])
        folders.append(folder)
    child = subprocess.run(
        [sys.executable, "-W", "ignore", str(HERE / "real_seen.py")],
        input=json.dumps([str(folder) for folder in folders]),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert child.returncode == 0, child.stderr
    real = json.loads(child.stdout)
    return {
        (kind, shape.name): (folder, ways) for (kind, shape), folder, ways in zip(SHAPES, folders, real, strict=True)
    }


@pytest.mark.parametrize(
    ("kind", "shape"), SHAPES, ids=[f"{kind}-{shape.name.replace(' ', '-')}" for kind, shape in SHAPES]
)
def test_requests_come_through_these_layers(
    kind: str, shape: Case, seen: dict[tuple[str, str], tuple[Path, list[list[str]]]]
) -> None:
    folder, real = seen[kind, shape.name]
    stacks = [stack for stack in stacks_of(folder).all if not stack.handed]
    assert sorted({tuple(way) for stack in stacks for way in ways_through(stack)}) == sorted(map(tuple, real))


def ways_through(stack: Stack) -> list[list[str]]:
    """The names of the layers that a request comes through, on its way in and out, for each way through a stack and
    those around it."""
    found = []
    for around in _layers(stack):
        inwards = [layer.name for layer in around if layer.means not in ON_THE_WAY_OUT]
        out = [layer for layer in reversed(around) if layer.means in ON_THE_WAY_OUT]
        found.append(inwards + [layer.name for kind in ON_THE_WAY_OUT for layer in out if layer.means == kind])
    return found


def _layers(stack: Stack) -> list[list[Layer]]:
    """Outermost first."""
    outside = [way for outer in stack.outer for way in _layers(outer)] or [[]]
    ways: list[Way] = list(stack.ways(lambda layer: True) or ())
    return [[*around, *reversed(way.layers)] for around in outside for way in ways]


def test_there_are_enough_shapes() -> None:
    for kind in ("aiohttp", "flask"):
        assert sum(one == kind for one, _ in SHAPES) >= 15
