"""Code that is larger, deeper or more tangled than set-up code is: an answer in time, and nothing made up."""

from __future__ import annotations

from pathlib import Path

from tests.middleware.middleware_support import names, stacks_of

HEAD = """\
from fastapi import FastAPI
from layers import A, B

app = FastAPI()
"""


def write(folder: Path, text: str) -> Path:
    (folder / "main.py").write_text(HEAD + text)
    (folder / "layers.py").write_text("class A: ...\nclass B: ...\n")
    return folder


def test_many_independent_conditions_are_too_many_ways(tmp_path: Path) -> None:
    ifs = "".join(f"if flags[{n}]:\n    app.add_middleware(A)\n" for n in range(40))
    (stack,) = stacks_of(write(tmp_path, ifs)).all
    assert len(list(stack.layers())) == 40
    assert stack.ways(lambda layer: True) is None


def test_a_long_chain_of_elif_is_given_up(tmp_path: Path) -> None:
    chain = "".join(f"{'el' if n else ''}if flags[{n}]:\n    app.add_middleware(A)\n" for n in range(120))
    assert stacks_of(write(tmp_path, chain)).all == ()


def test_a_chain_of_elif_that_a_person_writes_is_followed(tmp_path: Path) -> None:
    chain = "".join(f"{'el' if n else ''}if flags[{n}]:\n    app.add_middleware(A)\n" for n in range(20))
    (stack,) = stacks_of(write(tmp_path, chain)).all
    assert names(stack) == [(), ("A",)]


def test_functions_that_return_in_every_branch_of_many_are_given_up(tmp_path: Path) -> None:
    body = "".join(
        f"    if flags[{n}]:\n        app.add_middleware(A)\n        if flags[{n}].more:\n            return app\n"
        for n in range(30)
    )
    assert stacks_of(write(tmp_path, f"def setup(app):\n{body}\n\nsetup(app)\n")).all == ()


def test_recursion_ends(tmp_path: Path) -> None:
    text = "def setup(app, n):\n    app.add_middleware(A)\n    setup(app, n - 1)\n\n\nsetup(app, 3)\n"
    text += "app.add_middleware(B)\n"
    (stack,) = stacks_of(write(tmp_path, text)).all
    assert names(stack) == [("B", "A")]


def test_a_class_that_is_its_own_base_ends(tmp_path: Path) -> None:
    text = "class One(Two):\n    def dispatch(self, request, call_next): ...\n\n\nclass Two(One): ...\n\n\n"
    text += "app.add_middleware(Two)\n"
    stacks = stacks_of(write(tmp_path, text))
    (stack,) = stacks.all
    (layer,) = stack.layers()
    assert stacks.profile(layer).reads == {}


def test_facts_do_not_depend_on_unrelated_code(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text("def f(x):\n    return x.session\n\n\nprint(f)\n")
    assert stacks_of(tmp_path).all == ()
