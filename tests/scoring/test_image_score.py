"""Which Dockerfiles are clean, by the trees that they stand in."""

from __future__ import annotations

from fractions import Fraction

import pytest
from scoring_support import Contents, SampleTree, appraised

from guard.scoring.model import Category, CategoryScore

DOCKERFILE = b'FROM python:3.12-slim\nWORKDIR /srv\nCOPY app ./app\nCMD ["python", "-m", "app.main"]\n'
SERVICE: Contents = {
    "Dockerfile": DOCKERFILE,
    "app/__init__.py": b"value = 1\n",
    "app/main.py": b"from app import value\n",
    "tests/test_main.py": b"from app import value\n",
}


def image_of(contents: Contents) -> CategoryScore | None:
    standing = appraised(SampleTree(contents)).standing
    return next((one for one in standing.categories if one.category is Category.IMAGE), None)


@pytest.mark.parametrize(
    ("changes", "share", "best"),
    [
        ({}, 1, 1),
        ({"app/main.py": b"def broken(:\n"}, 0, 0),
        ({"tests/test_main.py": b"def broken(:\n"}, 1, 1),  # it is not in the image
        ({"app/tests/test_main.py": b"def broken(:\n"}, 1, 1),  # nor is it production code
        ({".dockerignore": b"docs\n!\n"}, 0, 1),  # Docker refuses it
        ({"Dockerfile": DOCKERFILE + b"LABEL a=b\n" * 1000}, 0, 1),
        ({"Dockerfile": DOCKERFILE + b"# a comment, and no more than that\n" * 40_000}, 0, 1),
        ({"compose.yaml": b"services:\n  web:\n    build: .\n" + b"# nothing\n" * 20_000}, 0, 1),
        ({"app/main.py": b"from app import value\n\nimport lib.gone\n", "lib/gone.py": b"value = 1\n"}, 0, 0),
        # Half of the lines are those of a file that is not built from a folder anybody knows.
        (
            {
                "sub/deep/Dockerfile": b"FROM alpine\nCOPY library /srv/library\nCOPY program /srv/program\nCMD true\n",
                ".dockerignore": b"app\n",
            },
            1 / 2,
            1 / 2,
        ),
    ],
)
def test_which_dockerfiles_are_clean(changes: Contents, share: float, best: float) -> None:
    image = image_of({**SERVICE, **changes})
    assert image is not None
    assert (image.share, image.best) == (Fraction(share), Fraction(best))


def test_without_a_dockerfile_there_is_no_such_category() -> None:
    others: Contents = {
        "Dockerfile": b"# Nothing is built here.\n",
        "Dockerfile.tmpl": b"FROM {{ base }}\nCOPY app /srv/app\n",
        "dockerfile_parser.go": b"package main\n\n// FROM alpine\n",
        "docs/Dockerfile.md": DOCKERFILE,
        ".dockerignore": b"app\n",
    }
    assert image_of({**SERVICE, **others}) is None
