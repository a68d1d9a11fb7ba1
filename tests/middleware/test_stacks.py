"""Guard's stacks against the ones that Starlette and FastAPI really build."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.markdown_cases import Case, cases_in
from tests.middleware.middleware_support import names_with_outer, stacks_of
from tests.middleware.random_setups import Writer

HERE = Path(__file__).parent
SHAPES = list(cases_in((HERE / "shapes.md").read_text(encoding="utf-8")))

LAYERS = """
from starlette.middleware.base import BaseHTTPMiddleware


class A(BaseHTTPMiddleware):
    async def dispatch(self, request, call_next):
        return await call_next(request)


class B(A): ...


class C(A): ...


class D(A): ...


class Pure:
    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        await self.app(scope, receive, send)


def install_b(app):
    app.add_middleware(B)
"""

BUILT_IN = {
    *("ServerErrorMiddleware", "ExceptionMiddleware", "AsyncExitStackMiddleware"),
    *("ExceptionTelemetryMiddleware", "AppBodyLimitMiddleware", "RequestBodyLimitMiddleware"),
}
"""What the framework puts around and inside the user's layers by itself, in the newest and the oldest versions."""


def really_built(folders: Sequence[Path]) -> list[list[tuple[str, ...]]]:
    """The stacks that a child process builds of each folder: the user's own layers, outermost first."""
    child = subprocess.run(
        [sys.executable, str(HERE / "real_stacks.py")],
        input=json.dumps([str(folder) for folder in folders]),
        capture_output=True,
        text=True,
        check=False,
    )
    assert child.returncode == 0, child.stderr
    real = json.loads(child.stdout)
    for stacks in real:
        for stack in stacks:
            own = [index for index, name in enumerate(stack) if name not in BUILT_IN]
            own = own if "|" not in stack else []
            between = [i for i, name in enumerate(stack) if name in BUILT_IN and own and own[0] < i < own[-1]]
            assert not between or stack[between[0]] == "ServerErrorMiddleware"  # only wrappers stand outside of it
    return [sorted({tuple(name for name in stack if name not in BUILT_IN) for stack in stacks}) for stacks in real]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, list[tuple[str, ...]]]]:
    """Each shape's folder, and its real stacks: the user's own layers, outermost first."""
    folders = []
    for number, shape in enumerate(SHAPES):
        folder = tmp_path_factory.mktemp(f"shape{number}")
        shape.write(folder)
        (folder / "layers.py").write_text(LAYERS)
        folders.append(folder)
    users = really_built(folders)
    return {shape.name: (folder, stacks) for shape, folder, stacks in zip(SHAPES, folders, users, strict=True)}


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name.replace(" ", "-"))
def test_stack_is_the_real_one(shape: Case, built: dict[str, tuple[Path, list[tuple[str, ...]]]]) -> None:
    folder, real = built[shape.name]
    stacks = [stack for stack in stacks_of(folder).all if not stack.handed]
    assert sorted({way for stack in stacks for way in names_with_outer(stack)}) == real


def test_there_are_enough_shapes() -> None:
    assert len(SHAPES) > 75


def test_random_setups_are_followed(tmp_path: Path) -> None:
    """Guard may take two tests in different functions for independent, so it may have more ways; never fewer."""
    programs = {tmp_path / f"seed{seed}": Writer(seed).program() for seed in range(60)}
    for folder, text in programs.items():
        folder.mkdir()
        (folder / "main.py").write_text(text)
        (folder / "layers.py").write_text(LAYERS)
    for (folder, text), real in zip(programs.items(), really_built(list(programs)), strict=True):
        stacks = [stack for stack in stacks_of(folder).all if not stack.handed]
        mine = {way for stack in stacks for way in names_with_outer(stack)}
        assert set(real) <= mine, f"{folder.name}:\n{text}"
        if "def " not in text and "inner" not in text:
            assert set(real) == mine, f"{folder.name}:\n{text}"
