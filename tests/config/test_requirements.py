"""What files of requirements state."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guard.checks.requirement_commands import has_own_requirements, in_dockerfile, installed_by
from guard.checks.requirements import (
    Kind,
    Requirement,
    Stated,
    is_requirements_file,
    kind_of_file,
    requirement_of,
    stated_in,
)

FILES = (
    "pyproject.toml",
    "Pipfile",
    "pixi.toml",
    "hatch.toml",
    "setup.py",
    "setup.cfg",
    "requirements.txt",
    "requirements/dev.in",
    "environment.yml",
    "PKG-INFO",
    "poetry.lock",
    "uv.lock",
    "pdm.lock",
    "pylock.toml",
    "Pipfile.lock",
)


@pytest.mark.parametrize("path", FILES)
@settings(max_examples=40, deadline=None)
@given(content=st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace")))
def test_nothing_makes_a_reader_fail(path: str, content: bytes) -> None:
    assert isinstance(stated_in(path, content), Stated)


@pytest.mark.parametrize(
    ("constraint", "versions"),
    [
        ('"^1.2.3"', ">=1.2.3,<2"),
        ('"^0.2.3"', ">=0.2.3,<0.3"),
        ('"^0.0.3"', ">=0.0.3,<0.0.4"),
        ('"^0"', ">=0,<1"),
        ('"~1.2.3"', ">=1.2.3,<1.3"),
        ('"~1"', ">=1,<2"),
        ('"1.5"', "==1.5"),
        ('">=1,<3"', ">=1,<3"),
        ('"*"', ""),
        ('{ version = "^2.0", extras = ["x"] }', ">=2.0,<3"),
        ('{ git = "https://example.invalid/x.git" }', None),
        ('"^1 || ^2"', None),
    ],
)
def test_poetry_constraints(constraint: str, versions: str | None) -> None:
    stated = stated_in("pyproject.toml", f"[tool.poetry.dependencies]\nshoplib = {constraint}\n".encode())
    extras = ("x",) if "extras" in constraint else ()
    assert stated.requirements == (Requirement("shoplib", Kind.RUNTIME, versions, extras=extras),)


@pytest.mark.parametrize(
    ("line", "name", "versions", "conditional"),
    [
        ("Shop_Lib.x", "shop-lib-x", "", False),
        ("shoplib[a,b] >= 1, <2 ; python_version < '3.12'", "shoplib", ">= 1, <2", True),
        ("shoplib (>=1)", "shoplib", ">=1", False),
        ("shoplib @ https://example.invalid/x.whl", "shoplib", None, False),
    ],
)
def test_requirements_of_pep_508(line: str, name: str, versions: str | None, conditional: bool) -> None:
    extras = ("a", "b") if "[" in line else ()
    assert requirement_of(line, Kind.DEV) == Requirement(name, Kind.DEV, versions, conditional, extras)


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("requirements.txt", Kind.RUNTIME),
        ("requirements/prod.txt", Kind.RUNTIME),
        ("backend_requirements.txt", Kind.RUNTIME),
        ("requirements-dev.txt", Kind.DEV),
        ("requirements/test.in", Kind.DEV),
        ("dev-requirements.txt", Kind.DEV),
        ("docs/requirements.txt", Kind.DEV),
        ("services/contest/requirements.txt", Kind.RUNTIME),
        ("requirements.dev.in", Kind.DEV),
        ("test_requirements/base.txt", Kind.DEV),
        ("build/requirements.txt", Kind.DEV),
        ("contrib/deterministic-build/requirements.txt", Kind.RUNTIME),
        ("examples/look/requirements/look", Kind.RUNTIME),
        ("examples/look/requirements/test", Kind.DEV),
    ],
)
def test_what_a_list_is_for(path: str, kind: Kind) -> None:
    assert is_requirements_file(path)
    assert kind_of_file(path) is kind


def test_commands_that_install() -> None:
    found = installed_by(
        "python -m pip install --no-cache-dir -r deps/base.txt 'redis[hiredis]>=5' -c constraints.txt && pip3 install "
        "--index-url https://example.invalid/simple celery\nuv pip install git+https://example.invalid/acme.git@v1\n"
        "pip install $EXTRA .[dev]\n"
    )
    assert found.names == {"redis", "celery", "acme"}
    assert found.files == {"deps/base.txt"}
    assert found.unknown and found.development


@pytest.mark.parametrize(
    ("image", "plain"),
    [
        ("python:3.11-slim", True),
        ("docker.io/library/python:3.12", True),
        ("ghcr.io/astral-sh/uv:python3.12-bookworm-slim", True),
        ("public.ecr.aws/lambda/python:3.12", True),
        ("gcr.io/distroless/python3-debian12", True),
        ("mcr.microsoft.com/devcontainers/python:3.11", True),
        ("nvidia/cuda:12.1.0-base-ubuntu22.04", True),
        ("tensorflow/tensorflow:2.15.0", False),
        ("registry.example.invalid/platform/base:7", False),
        ("apache/airflow:2.9.0", False),
    ],
)
def test_images_that_bring_nothing_along(image: str, plain: bool) -> None:
    assert in_dockerfile(f"FROM {image} AS build\nRUN true\n".encode()).unknown is not plain


def test_scripts_that_bring_their_own_requirements() -> None:
    assert has_own_requirements(b"#!/usr/bin/env python\n# /// script\n# dependencies = [\n#   'rich',\n# ]\n# ///\n")
    assert has_own_requirements(b'subprocess.check_call([sys.executable, "-m", "pip", "install", "rich"])\n')
    assert not has_own_requirements(b"# pip, if installed, is used\nimport rich\n")
