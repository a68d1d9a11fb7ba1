"""What must never raise a score: files that are left out, empty files, and files that cannot be read."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scoring_support import EMPTIES, PLACES, QUICK, TREES, Contents, SampleTree, appraised

from guard.model import Problem
from guard.scoring.model import Appraisal, Category

SOCKETS: Contents = {
    "app/__init__.py": b"",
    "app/sockets.py": b"x = 1\n",
    "app/main.py": b"from app.sockets import Gone\n" + b"name = 'a line of code'\n" * 50,
}
"""What is wrong in one file is only seen because of another, which is much smaller."""
CHAIN: Contents = {
    "app/__init__.py": b"",
    "app/store.py": b"import dataclasses\n\n@dataclasses.dataclass\nclass Thing:\n    size: int\n",
    "app/views.py": b"from app.store import Thing\n",
    "app/wide.py": b"from app.views import Thing\n",
    "app/main.py": b"from app.wide import Thing\n\nThing(1, 2)\n" + b"name = 'a line of code'\n" * 50,
}
STARS: Contents = {
    **CHAIN,
    "app/views.py": b"from app.store import *\n",
    "app/wide.py": b"from app.views import *\n",
    "app/main.py": b"from app.wide import Gone\n" + b"name = 'a line of code'\n" * 50,
}

LOOSE: Contents = {
    "app/main.py": b"import app.store\n",
    "app/store.py": b"value = 1\n",
    "app/views.py": b"from app.absent import x\n" + b"name = 'a line of code'\n" * 50,
}
"""That `app` is a package is known only from the file that imports through it."""

ROOTED: Contents = {
    "tool/main.py": b"from store import gone\n" + b"name = 'a line of code'\n" * 50,
    "tool/lib/store.py": b"value = 1\n",
    "tool/pytest.ini": b"[pytest]\npythonpath = lib\n",
}
"""Where a module is found, a file says that is no Python."""
STARTED: Contents = {
    "app/main.py": b"from app.main import Thing\n",
    "app/store.py": b"value = 1\n",
    "Dockerfile": b'FROM python:3.12-slim\nCMD ["uvicorn", "app.main:app"]\n',
    "app/Dockerfile": b'FROM python:3.12-slim\nCMD ["uvicorn", "app.main:app"]\n',
}
"""There are findings on imports in files that are no Python."""
SERVED: Contents = {
    ".dockerignore": b"scripts\n**/store.py\n",
    "Dockerfile": b"FROM python:3.12-slim\nWORKDIR /srv\nCOPY app ./app\nCMD python -m app.main\n" + b"LABEL a=b\n" * 9,
    "app/__init__.py": b"x = 1\n",
    "app/main.py": b"import app.views\n",
    "app/views.py": b"import app.store\n\ndef later():\n    import app.wide.store\n",
    "app/store.py": b"value = 1\n",
    "app/wide/__init__.py": b"x = 1\n",
    "app/wide/store.py": b"value = 1\n",
    "compose.yaml": b"services:\n  web:\n    build: .\n  jobs:\n    build: {context: ., dockerfile: jobs.Dockerfile}\n",
    "jobs.Dockerfile": b"FROM python:3.12-slim\nWORKDIR /srv\nCOPY app ./app\nCOPY scripts/run.sh .\nCMD ./run.sh\n",
    "ok.Dockerfile": b"FROM python:3.12-slim\nCOPY app/main.py .\nCMD python main.py\n",
    "scripts/run.sh": b"exec python -m app.main\n",
}
"""Findings in Dockerfiles, and in what their images hold, which other files than those bring about."""

FINE: Contents = {
    ".dockerignore": b"scripts\n",
    ".gitattributes": b"* text=auto eol=lf\n",
    "web.Dockerfile": b"FROM python:3.12-slim\nCOPY app ./app\nCOPY scripts/run.sh .\n",
    "app/main.py": b"from fastapi import FastAPI\n\napp = FastAPI()\n\n\nclass Thing:\n    size = 1\n",
    "app/data.py": b"name = 'a line of code'\n" * 2000,
    "scripts/run.sh": b"true\n",
}
"""All is well but the image."""


def never_above(after: Appraisal, before: Appraisal) -> None:
    """The score, and every category that both have; a category comes up or goes without raising the score."""
    assert after.standing.score <= before.standing.score
    shares = {one.category: one.share for one in before.standing.categories}
    assert {one.category for one in after.standing.categories} >= set(shares)
    for one in after.standing.categories:
        assert one.share <= shares.get(one.category, 1), one.category
    assert after.standing.grade >= before.standing.grade  # A comes before B


@QUICK
@given(contents=TREES, data=st.data())
def test_what_cannot_be_read_never_raises_the_score(contents: Contents, data: st.DataObject) -> None:
    unreadable = data.draw(st.lists(st.sampled_from(sorted(contents)), min_size=1, unique=True))
    sized = data.draw(st.booleans())
    never_above(appraised(SampleTree(contents, unreadable, sized=sized)), appraised(SampleTree(contents)))


@pytest.mark.parametrize("contents", [SOCKETS, CHAIN, STARS, LOOSE, ROOTED, STARTED, SERVED, FINE])
@pytest.mark.parametrize("sized", [True, False])
def test_nor_does_what_others_lean_on(contents: Contents, sized: bool) -> None:
    before = appraised(SampleTree(contents))
    assert before.standing.score < 1
    for path in contents:
        never_above(appraised(SampleTree(contents, [path], sized=sized)), before)


@pytest.mark.parametrize("folder", ["hidden", "hidden.d"])
def test_a_folder_that_cannot_be_listed_may_hold_anything(folder: str) -> None:
    tree = SampleTree({"app/main.py": b"value = 'a line of code'\n" * 50})
    before = appraised(tree)
    tree.problems = (Problem(folder, "unreadable", "permission denied"),)
    after = appraised(tree)
    never_above(after, before)
    assert after.standing.score < 0.01 and after.standing.best == before.standing.best == 1
    assert {one.category for one in after.standing.categories} == set(Category)


@QUICK
@given(contents=TREES, data=st.data())
def test_what_is_too_large_never_raises_the_score(contents: Contents, data: st.DataObject) -> None:
    limit = data.draw(st.integers(1, 400))
    never_above(appraised(SampleTree(contents), f"max-file-size={limit}"), appraised(SampleTree(contents)))


@QUICK
@given(contents=TREES, excluded=st.lists(st.sampled_from(PLACES), min_size=1, unique=True))
@example(contents=SOCKETS, excluded=["app/sockets.py"])
@example(contents=SOCKETS, excluded=["app/main.py"])
def test_what_the_configuration_leaves_out_is_in_the_score(contents: Contents, excluded: list[str]) -> None:
    before = appraised(SampleTree(contents)).standing
    for setting in (f"exclude={json.dumps(excluded)}", f"per-file-ignores={{{json.dumps(excluded[0])}=['ALL']}}"):
        after = appraised(SampleTree(contents), setting).standing
        assert (after.score, after.categories, after.grade) == (before.score, before.categories, before.grade)


@QUICK
@given(
    contents=TREES,
    there=st.lists(st.sampled_from(EMPTIES), max_size=3),
    added=st.lists(st.sampled_from(EMPTIES), min_size=1, max_size=3),
    content=st.sampled_from((b"", b"\n \n\n")),
)
def test_empty_files_never_raise_the_score(
    contents: Contents, there: list[str], added: list[str], content: bytes
) -> None:
    before = {**dict.fromkeys(there, b""), **contents}
    after = {**dict.fromkeys(added, content), **before}
    never_above(appraised(SampleTree(after)), appraised(SampleTree(before)))


CODE = b"name = 'a line of code'\n" * 50
MENDING = {
    "a module where one is missing": (
        {"app/main.py": b"import app.gone\n" + CODE, "app/__init__.py": CODE},
        "app/gone.py",
    ),
    "a package": ({"app/main.py": b"from app import gone\n" + CODE, "app/__init__.py": CODE}, "app/gone/__init__.py"),
    "an extension": ({"app/main.py": b"from app.gone import x\n" + CODE, "app/__init__.py": CODE}, "app/gone.so"),
    "a package at the top": ({"app/main.py": b"import app.gone\n" + CODE, "app/__init__.py": CODE}, "__init__.py"),
    "a package beside a module": (
        {
            "app/__init__.py": CODE,
            "app/main.py": b"import app.store.deep\n" + CODE,
            "app/store.py": CODE,
            "app/store/deep.py": CODE,
        },
        "app/store/__init__.py",
    ),
    "a build file": ({"app/main.py": b"import app.gone\n" + CODE, "app/__init__.py": CODE}, "CMakeLists.txt"),
    "settings": (
        {
            "app/main.py": b"x = (\n",
            "tests/test_a.py": CODE,
            "pyproject.toml": b"[tool.guard.report.areas]\ntests = 0\n",
        },
        "guard.toml",
    ),
}
"""What there is, and the empty file that would help."""


@pytest.mark.parametrize("what", MENDING)
@pytest.mark.parametrize("content", [b"", b"\n \n\n"])
def test_no_empty_file_mends_anything(what: str, content: bytes) -> None:
    contents, added = MENDING[what]
    before = appraised(SampleTree(contents)).standing
    after = appraised(SampleTree({**contents, added: content})).standing
    assert after.score <= before.score < 1


@pytest.mark.parametrize("content", [b"", b"\n \n\n"])
def test_no_empty_file_mends_an_image(content: bytes) -> None:
    before = appraised(SampleTree(SERVED))
    assert [one.code for one in before.report.findings] == ["IMG001", "IMG003", "IMG002"]
    for added in (*EMPTIES, "jobs.Dockerfile.dockerignore", "app/wide/.dockerignore", "srv/app/store.py"):
        if added not in SERVED:
            never_above(appraised(SampleTree({**SERVED, added: content})), before)


def test_what_an_empty_file_keeps_away_is_counted_beside_the_list() -> None:
    contents, added = MENDING["a module where one is missing"]
    appraisal = appraised(SampleTree({**contents, added: b""}))
    assert [one.path for one in appraisal.report.findings] == []
    assert [one.code for one in appraisal.standing.lifts[0].findings] == ["IMP001"]
    assert appraisal.standing.left_out.findings == 1


def test_what_an_empty_package_lacks_is_missing() -> None:
    contents: Contents = {"app/main.py": b"from app import gone\n" + CODE, "app/__init__.py": b""}
    appraisal = appraised(SampleTree(contents))
    assert [one.code for one in appraisal.report.findings] == ["IMP002", "TXT008"]
    assert appraisal.standing.score < 1


def test_an_empty_file_is_worth_nothing() -> None:
    many = {f"app/empty_{number}.py": b"" for number in range(50)}
    before, after = appraised(SampleTree(SOCKETS)).standing, appraised(SampleTree({**SOCKETS, **many})).standing
    assert before.score == after.score
    assert (before.lines, before.files + 50) == (after.lines, after.files)


def test_what_is_excluded_is_counted_beside_the_score() -> None:
    appraisal = appraised(SampleTree(SOCKETS), "exclude=['app/main.py']")
    left_out = appraisal.standing.left_out
    assert (left_out.files, left_out.lines, left_out.findings) == (1, 51, 1)
    assert [one.path for one in appraisal.report.findings] == []
    assert [one.path for one in appraisal.standing.lifts[0].findings] == ["app/main.py"]
