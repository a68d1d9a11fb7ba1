"""Which Python is deployed, from each place that says so."""

from __future__ import annotations

import re
import subprocess
import sys
import time

import pytest
from config_support import MemoryTree

from guard.config import Config
from guard.syntax_oracle import executable
from guard.target import NEWEST, OLDEST, TargetPython, deployed_dockerfiles, target_python


def target(contents: dict[str, str], config: Config | None = None) -> TargetPython:
    return target_python(MemoryTree(contents), config or Config())


SLIM = "FROM python:3.12-slim\n"


def test_the_order_of_the_places() -> None:
    places = {
        "Dockerfile": SLIM,
        "pyproject.toml": "[project]\nname = 'x'\nrequires-python = '>=3.10'\n",
        ".python-version": "3.9.1\n",
        "runtime.txt": "python-3.8.2\n",
    }
    config = Config(target_python="3.13", sources=("guard.toml",))
    found = [target(places, config)]
    for path in [*places, None]:
        found.append(target(places))
        if path:
            del places[path]
    assert [(str(one), one.source, one.path, one.line) for one in found[:-1]] == [
        ("3.13", "target-python of guard.toml", "", 0),
        ("3.12", "Dockerfile:1 FROM python:3.12-slim", "Dockerfile", 1),
        ("3.10", "pyproject.toml:3 requires-python = >=3.10", "pyproject.toml", 3),
        ("3.9", ".python-version:1 3.9.1", ".python-version", 1),
        ("3.8", "runtime.txt:1 python-3.8.2", "runtime.txt", 1),
    ]
    assert (found[-1].version, found[-1].source) == (sys.version_info[:2], "the Python that guard runs on")


def test_that_it_is_said_where_nothing_says_it() -> None:
    running = "%d.%d" % sys.version_info[:2]
    found = target({})
    assert found.assumed
    assert found.note == "nothing here says which Python is deployed; target-python in the configuration can"
    assert found.deployed == (
        f"{running}, which guard runs on, is taken for the deployed one, since nothing here names one"
    )
    assert target({"Dockerfile": SLIM}).deployed == "3.12 is deployed (Dockerfile:1 FROM python:3.12-slim)"


def test_the_order_of_what_projects_declare() -> None:
    places = {
        "pyproject.toml": "[project]\nrequires-python = '>=3.14'\n",
        "setup.cfg": "[options]\npython_requires = >=3.13\n",
        "setup.py": "from setuptools import setup\nsetup(\n    python_requires='>=3.12.1',\n)\n",
        "Pipfile": "[requires]\npython_version = '3.11'\n",
        "environment.yml": "dependencies:\n  - pip\n  - python=3.10\n",
        ".python-version": "3.9.1\n",
    }
    found = []
    for path in list(places):
        found.append(target(places))
        del places[path]
    assert [(str(one), one.source) for one in found] == [
        ("3.14", "pyproject.toml:2 requires-python = >=3.14"),
        ("3.13", "setup.cfg:2 python_requires = >=3.13"),
        ("3.12", "setup.py:3 python_requires = >=3.12.1"),
        ("3.11", "Pipfile:2 python_version = 3.11"),
        ("3.10", "environment.yml:3 python=3.10"),
        ("3.9", ".python-version:1 3.9.1"),
    ]


@pytest.mark.parametrize(
    ("code", "version"),
    [
        ("WANTED = '>=3.12'\nsetup(name='x', python_requires=WANTED)", "3.12"),
        ("setuptools.setup(python_requires='~=3.12')", "3.12"),
        ("# python_requires='>=3.12'\nsetup()", None),
        ("setup(python_requires=f'>=3.{minor}')", None),
        ("setup(python_requires='>=3.12'", None),
        ("print 'python_requires'", None),
    ],
)
def test_what_a_setup_py_says(code: str, version: str | None) -> None:
    found = target({"setup.py": code})
    assert (None if found.assumed else str(found)) == version


@pytest.mark.parametrize(
    ("line", "version"),
    [
        ("- python=3.12", "3.12"),
        ("- python==3.12", "3.12"),
        ("- python==3.12.4", "3.12"),
        ("- python=3.12.*", "3.12"),
        ("- python=3.12.1=h5499902_0  # the build", "3.12"),
        ("- python 3.12.*", "3.12"),
        ("- 'python>=3.10,<3.13'", "3.10"),
        ('- "python >=3.10"', "3.10"),
        ("- conda-forge::python=3.12", "3.12"),
        ("- python", None),
        ("- python=3", None),
        ("- python<3.13", None),
        ("- python-dateutil=3.12", None),
        ("- python_abi=3.12", None),
        ("# - python=3.12", None),
    ],
)
def test_what_a_conda_environment_says(line: str, version: str | None) -> None:
    found = target({"environment.yaml": f"name: python=3.8\nchannels:\n- python=3.8\ndependencies:\n{line}\n"})
    assert (None if found.assumed else str(found)) == version


def test_the_conda_environment_of_an_image() -> None:
    image = "FROM continuumio/miniconda3\nCOPY setup/environment.yml /tmp/environment.yml\n"
    asked = {"pyproject.toml": "[project]\nrequires-python = '>=3.9'\n"}
    pinned = {"Dockerfile": image, "setup/environment.yml": "dependencies:\n  - python=3.12\n"}
    found = target({**pinned, **asked})
    assert (str(found), found.source) == ("3.12", "setup/environment.yml:2 python=3.12")
    least = {"Dockerfile": image, "setup/environment.yml": "dependencies:\n  - python>=3.11\n"}
    assert str(target({**least, **asked})) == "3.9", "which one conda takes is not known"
    assert str(target(least)) == "3.11"
    beside = {"svc/Dockerfile": image, "svc/setup/environment.yml": "dependencies:\n- python=3.12"}
    assert str(target(beside)) == "3.12", "the context may be the folder of the Dockerfile"
    command = (
        "FROM mambaorg/micromamba\nRUN micromamba install -y -n base \\\n    python=3.13 pip && pip install python==1\n"
    )
    found = target({"Dockerfile": command, **asked})
    assert (str(found), found.source) == ("3.13", "Dockerfile:2 RUN … python=3.13")
    assert str(target({"Dockerfile": "FROM python:3.10\nRUN conda create python=3.13\n"})) == "3.10"


@pytest.mark.parametrize(
    ("path", "content", "version"),
    [
        ("pyproject.toml", "[tool.ruff]\ntarget-version = 'py313'", "3.13"),
        ("pyproject.toml", "[tool.black]\ntarget-version = ['py313', 'py310', 'py39']", "3.9"),
        ("pyproject.toml", "[tool.mypy]\npython_version = '3.12'", "3.12"),
        ("pyproject.toml", "[tool.pyright]\npythonVersion = '3.12'", "3.12"),
        ("pyproject.toml", "[tool.mypy]\npython_version = 3.12", None),
        ("pyproject.toml", "[tool.ruff]\ntarget-version = 'py27'", None),
        ("pyproject.toml", "tool = 3", None),
        (".ruff.toml", "target-version = 'py312'", "3.12"),
        ("ruff.toml", "target-version = []", None),
    ],
)
def test_what_linters_are_told_of(path: str, content: str, version: str | None) -> None:
    found = target({path: content})
    assert (None if found.assumed else str(found)) == version
    assert str(target({path: content, "runtime.txt": "python-3.8.2\n"})) == "3.8"


def test_that_odd_environments_take_no_long() -> None:
    started = time.process_time()
    spaces = " " * 1_000_000
    assert target({"environment.yml": f'dependencies:\n- python{spaces}"\n'}).assumed
    assert target({"Dockerfile": "FROM x\nRUN " + "conda " * 150_000 + "\nCOPY " + "a/" * 450_000}).assumed
    assert time.process_time() - started < 3


@pytest.mark.parametrize(
    ("mock", "deployed"),
    [
        ("COPY main.py start.sh .\n", "3.12"),
        ("COPY mock/main.py /\nCOPY --from=other /x /x\n", "3.12"),
        ('COPY ["mock/main.py", "/"]\n', "3.12"),
        ("", "3.10"),  # the code is mounted, or it is the base of another one
        ("COPY start.sh /\n", "3.10"),
        ("COPY . /\n", "3.10"),
        ("COPY app /\n", "3.10"),
        ("COPY $WHAT /\n", "3.10"),
        ("COPY main.py /\nRUN git clone x\n", "3.10"),
        ("RUN --mount=type=bind,target=/x make\nCOPY main.py /\n", "3.10"),
        ("COPY main.py other.py /\n", "3.10"),  # built with a folder that is not known
    ],
)
def test_an_image_that_takes_a_file_or_two_does_not_speak_for_the_tree(mock: str, deployed: str) -> None:
    code = {f"app/m{number}.py": "" for number in range(11)}
    files = {"mock/main.py": "", "mock/start.sh": "", "mock/Dockerfile": f"FROM python:3.10\n{mock}", **code}
    assert str(target({"Dockerfile": f"{SLIM}COPY app /app\n", **files})) == deployed
    assert str(target(files)) == "3.10", "nothing else says"


def test_the_lowest_of_several_images_and_the_others_are_told() -> None:
    found = target({"a/Dockerfile": SLIM, "b/Dockerfile": "\n\nFROM python:3.11\n", "c.Dockerfile": "FROM nginx\n"})
    assert found == TargetPython(
        version=(3, 11),
        source="b/Dockerfile:3 FROM python:3.11",
        path="b/Dockerfile",
        line=3,
        others=("a/Dockerfile:1 FROM python:3.12-slim",),
    )


@pytest.mark.parametrize(
    "path",
    [
        "Dockerfile",
        "dockerfile",
        "Dockerfile.prod",
        "Dockerfile-api",
        "docker/api.Dockerfile",
        "api.staging.dockerfile",
        "Containerfile",
        "deployment/x/Dockerfile",
        "latest/Dockerfile",
        "contest.Dockerfile",
    ],
)
def test_names_of_dockerfiles(path: str) -> None:
    assert list(deployed_dockerfiles(MemoryTree({path: SLIM}), Config())) == [path]


@pytest.mark.parametrize(
    "path",
    [
        "Dockerfile.dockerignore",
        "Dockerfile.md",
        "dockerfile_parser.py",
        "my-dockerfile",
        "Profile",
        "tests/data/Dockerfile",
        "examples/hello/Dockerfile",
        ".devcontainer/Dockerfile",
        "web/node_modules/x/Dockerfile",
        "Dockerfile.test",
        "api.dev.Dockerfile",
        "Dockerfile-ci",
        "archive/Dockerfile",
        "left/Dockerfile",
        "checks/Dockerfile",
        "tools/Dockerfile",
    ],
)
def test_what_is_no_deployed_dockerfile(path: str) -> None:
    config = Config(exclude=("left/",), tests=("/checks/",), tooling=("tools/**",))
    assert list(deployed_dockerfiles(MemoryTree({path: SLIM}), config)) == []


# Images


@pytest.mark.parametrize(
    ("image", "version"),
    [
        ("python:3.11", "3.11"),
        ("python:3.11.7-slim-bookworm", "3.11"),
        ("python:3.9-alpine3.19", "3.9"),
        ("python:3.13-rc-slim", "3.13"),
        ("python:3.14.0a1", "3.14"),
        ("docker.io/library/python:3.11", "3.11"),
        ("public.ecr.aws/docker/library/python:3.12", "3.12"),
        ("localhost:5000/mirror/python:3.10-slim", "3.10"),
        ("python:3.11@sha256:0123456789abcdef", "3.11"),
        ("public.ecr.aws/lambda/python:3.12", "3.12"),
        ("ghcr.io/astral-sh/uv:python3.12-bookworm-slim", "3.12"),
        ("tiangolo/uvicorn-gunicorn-fastapi:python3.11-2024-01-01", "3.11"),
        ("apache/airflow:2.9.1-python3.10", "3.10"),
        ("mcr.microsoft.com/azure-functions/python:4-python3.11", "3.11"),
        ("pypy:3.10-7.3.15-slim", "3.10"),
        ("python", None),
        ("python:3", None),
        ("python:3-slim", None),
        ("python:latest", None),
        ("python@sha256:0123456789abcdef", None),
        ("localhost:5000/python", None),
        ("gcr.io/distroless/python3-debian12", None),
        ("debian:12.5", None),
        ("node:20.11", None),
        ("our/python:1.4", None),
        ("our/python:2024.11", None),
        ("happy3.9:1", None),
        ("our/copy:copy3.9", None),
        ("${MISSING}", None),
        ("python:${MISSING}", None),
        ("python:{{ version }}", None),
        ("scratch", None),
    ],
)
def test_images(image: str, version: str | None) -> None:
    found = target({"Dockerfile": f"FROM {image}\n"})
    assert (str(found) if found.path else None) == version


@pytest.mark.parametrize(
    ("dockerfile", "source"),
    [
        ("FROM --platform=$BUILDPLATFORM python:3.11-slim AS base", "1 FROM python:3.11-slim"),
        ("from python:3.11 as base\r\n", "1 FROM python:3.11"),
        ("ARG V=3.11\nFROM python:${V}-slim", "2 FROM python:3.11-slim"),
        ("ARG V\nFROM python:${V:-3.11}", "2 FROM python:3.11"),
        ('ARG A="3" B=.11\nARG V=$A$B\nFROM python:$V', "3 FROM python:3.11"),
        ("ARG SLIM=1\nFROM python:3.11${SLIM:+-slim}", "2 FROM python:3.11-slim"),
        ("ARG BASE=python:3.11\nARG FINAL=base\nFROM $BASE AS base\nFROM ${FINAL}", "3 FROM python:3.11"),
        ("# syntax=docker/dockerfile:1\n# FROM python:3.8\n\nFROM python:3.11", "4 FROM python:3.11"),
        ("FROM \\\n  # a comment\n\n  python:3.11 \\\n  AS x\nRUN y", "1 FROM python:3.11"),
        ("# escape=`\nFROM `\n  python:3.11\nRUN dir C:\\\nUSER x", "2 FROM python:3.11"),
        # the last stage decides
        ("FROM python:3.8 AS tools\nFROM python:3.11\nCOPY --from=tools /x /x", "2 FROM python:3.11"),
        ("FROM python:3.11 AS Base\nFROM base AS built\nFROM node AS web\nFROM built", "1 FROM python:3.11"),
        ("FROM python:3.11 AS build\nFROM nginx\nCOPY --from=build /x /x", None),
        ("FROM python:3.11 AS build\nFROM gcr.io/distroless/python3", None),
        ("FROM python:3.11 AS python\nRUN x", "1 FROM python:3.11"),
        ("FROM python:3.9\nFROM {{ base image }}", None),
        # an ARG inside a stage is not one of FROM's
        ("ARG V=3.11\nFROM node AS web\nARG V=3.8\nFROM python:$V", "4 FROM python:3.11"),
        # what only looks like an instruction
        ("FROM python:3.11\nRUN <<EOF\nFROM python:3.8\nEOF\nRUN x", "1 FROM python:3.11"),
        ("FROM python:3.11\nCOPY <<-'A' <<\"B\" /x/\nFROM python:3.8\n\tA\nFROM python:3.7\nB", "1 FROM python:3.11"),
        ("FROM node\nRUN echo $((a<<b)) <<<word\nFROM python:3.11", "3 FROM python:3.11"),
        ("FROM node\nRUN cat \\\n <<EOF\nFROM python:3.8\nEOF\nFROM python:3.11", "6 FROM python:3.11"),
        ("FROM python:3.11\nRUN echo \\\nFROM python:3.8", "1 FROM python:3.11"),
        ("", None),
        ("FROM", None),
        ("\ufeff# nothing", None),
        ("ARG V=3.11", None),
    ],
)
def test_stages(dockerfile: str, source: str | None) -> None:
    found = target({"Dockerfile": dockerfile})
    assert (found.source if found.path else None) == (f"Dockerfile:{source}" if source else None)


def test_a_hostile_dockerfile_takes_no_time() -> None:
    lines = "RUN <<A\n" * 40_000 + "FROM python:3.11 \\\n" * 1000 + "ARG " + "${" * 50_000 + "\n"
    assert target({"Dockerfile": lines}).path == ""


# requires-python


@pytest.mark.parametrize(
    "specifier",
    [
        ">=3.11",
        "~=3.11",
        "~=3.11.2",
        "==3.11.*",
        "==3.11.4",
        "===3.11.4",
        ">3.10,<3.13",
        ">3.10.4",
        ">=3.8,!=3.8.*,!=3.9.1",
        ">=3.9, <4",
        "<3.13,>=3.10",
        ">= 3.12",
        ">=3.13.0rc1",
        ">=3.7.1,<3.8",
        "<=3.9,>=3.9",
        ">=3.12,<3.12.4",
    ],
)
def test_specifiers_agree_with_packaging(specifier: str) -> None:
    from packaging.specifiers import SpecifierSet

    truth = SpecifierSet(specifier)
    lowest = next(minor for minor in range(7, 20) if any(f"3.{minor}.{patch}" in truth for patch in range(30)))
    assert target({"pyproject.toml": f"[project]\nrequires-python = '{specifier}'"}).version == (3, lowest)


@pytest.mark.parametrize(
    ("specifier", "version"),
    [
        ("^3.11", "3.11"),
        ("~3.10", "3.10"),
        ("^3.9 || ^3.11", "3.9"),
        (">=3.9 <3.12", "3.9"),
        ("3.12.*", "3.12"),
        ("3.12", "3.12"),
        ("*", None),
        ("<4", None),
        ("", None),
        ("nonsense", None),
        (">=3.11,nonsense", None),
        (">=4", None),
        (">=" + "9" * 999, None),
    ],
)
def test_what_poetry_writes_and_what_cannot_be_read(specifier: str, version: str | None) -> None:
    found = target({"pyproject.toml": f"[tool.poetry.dependencies]\npython = '{specifier}'"})
    assert (str(found) if found.path else None) == version


def test_where_requires_python_stands() -> None:
    poetry = "[tool.poetry.dependencies]\npython = { version = '^3.12' }"
    assert str(target({"pyproject.toml": poetry})) == "3.12"
    both = "[project]\nrequires-python = '>=3.10'\n" + poetry
    assert str(target({"pyproject.toml": both, "setup.cfg": "[options]\npython_requires = >=3.8"})) == "3.10"
    found = target({"pyproject.toml": "[build-system]", "setup.cfg": "[options]\npython_requires = >=3.8"})
    assert (str(found), found.source) == ("3.8", "setup.cfg:2 python_requires = >=3.8")
    assert target({"svc/pyproject.toml": both}).path == "", "only the root's"


@pytest.mark.parametrize(
    "contents",
    [
        {"pyproject.toml": "not toml ["},
        {"pyproject.toml": "[project]\nrequires-python = 3"},
        {"pyproject.toml": "project = 3\ntool = []"},
        {"setup.cfg": "python_requires = x"},
        {"setup.cfg": "[options]\npython_requires = %(x)s"},
        {".python-version": "system\nmyenv\n"},
        {".python-version": "3"},
        {"runtime.txt": "ruby-3.2"},
    ],
)
def test_what_says_nothing_falls_through(contents: dict[str, str]) -> None:
    assert target(contents).source == "the Python that guard runs on"


def test_forms_of_python_version_files() -> None:
    assert str(target({".python-version": "# ours\npypy3.10-7.3\n3.12"})) == "3.12"
    assert str(target({".python-version": "cpython@3.13.1\n"})) == "3.13"
    assert str(target({".python-version": "3.12.1\n3.11.2\n"})) == "3.12"


# What can be checked


def test_a_python_that_cannot_be_checked_is_replaced_by_the_nearest_and_said() -> None:
    old = target({"Dockerfile": "FROM python:2.7\n"})
    assert (old.version, old.note) == ((3, 7), "Python 2.7 cannot be checked for; 3.7, the nearest that can, is")
    new = target({}, Config(target_python="3.40", sources=("--config",)))
    assert (new.version, new.source) == (NEWEST, "target-python of --config")
    assert new.note.startswith("Python 3.40 cannot be checked for; ")
    assert target({"Dockerfile": SLIM}).note == ""


def test_the_bounds_are_those_of_the_syntax_oracle() -> None:
    said = subprocess.run([executable(), "check", "--help"], capture_output=True, text=True, check=True).stdout
    choices = re.findall(r"\bpy(3)(\d+)\b", said)
    assert tuple((int(major), int(minor)) for major, minor in (choices[0], choices[-1])) == (OLDEST, NEWEST)


def test_names_from_a_hostile_tree_are_made_printable() -> None:
    found = target({"a\x1b[31m/Dockerfile": "FROM python:3.11-\x07x\n"})
    assert found.source == "a\\x1b[31m/Dockerfile:1 FROM python:3.11-\\x07x"
