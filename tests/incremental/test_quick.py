"""What is told quickly is what judging both trees whole tells: for variations of every case, and by the command."""

from __future__ import annotations

import random
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from guard import engine
from guard.cache import Cache
from guard.incremental import judging, quick
from guard.model import Gate
from guard.registry import Depends, all_rules
from tests.engine.support import git, inside, repository
from tests.incremental.trees import Compared, Pair, commits, compare, differences
from tests.incremental.variations import pairs_of
from tests.test_cases import _documented, _written

PARTS = 4
OF_EACH = 60
"""Pairs. There are some thousands, and each is judged three times; `python -m tests.incremental` judges all."""


def variations() -> list[Pair]:
    """All variations of all cases, in an order that is the same in every run."""
    pairs = [pair for code, case in (*_written(), *_documented()) for pair in pairs_of(code, case)]
    random.Random(0).shuffle(pairs)
    return pairs


@pytest.mark.parametrize("part", range(PARTS))
def test_a_variation_of_a_case_is_told_quickly_as_it_is_told_by_two_whole_runs(part: int, tmp_path: Path) -> None:
    pairs = variations()[part * OF_EACH : (part + 1) * OF_EACH]
    found, ids = commits(tmp_path / "pairs.git", [tree for pair in pairs for tree in (pair.before, pair.now)])
    told, answered = {}, 0
    with closing(Cache(tmp_path / "cache.db")) as cache:
        for pair, before, now in zip(pairs, ids[::2], ids[1::2], strict=True):
            compared = compare(found, before, now, cache)
            answered += compared.outcome.report is not None
            if wrong := differences(compared):
                told[pair.name] = wrong
    assert told == {}
    assert answered > OF_EACH / 5


APP: Mapping[str, bytes] = {
    ".gitattributes": b"* text=auto eol=lf\n",
    "README.md": b"an app\n",
    "app/__init__.py": b"",
    "app/users.py": b"class User:\n    def __init__(self, name):\n        self.name = name\n",
    "app/views.py": b"from app.users import User\n\n\ndef show():\n    return User('a').name\n",
    "app/other.py": b"import json\n\n\ndef other():\n    return json.dumps({})\n",
    "tests/test_views.py": b"from app.views import show\n\n\ndef test_show():\n    assert show()\n",
}


def told(tmp_path: Path, changes: Mapping[str, bytes | None], files: Mapping[str, bytes] = APP) -> Compared:
    """What both ways tell of a change of some files."""
    now = {path: content for path, content in {**files, **changes}.items() if content is not None}
    found, ids = commits(tmp_path / "pair.git", [files, now])
    with closing(Cache(tmp_path / "cache.db")) as cache:
        compared = compare(found, *ids, cache)
    assert differences(compared) == []
    return compared


@pytest.mark.parametrize(
    ("changes", "codes"),
    [
        ({"README.md": b"an app, and more\n"}, []),
        ({"README.md": b"<<<<<<< a\nan\n=======\nthe\n>>>>>>> b\n"}, ["TXT001"]),
        ({"app/other.py": b"import json\n\n\ndef other():\n    return json.dumps({'a': 1})\n"}, []),
        ({"app/other.py": None}, []),
        ({"tests/test_other.py": b"from app.other import other\n\n\ndef test_it():\n    assert other()\n"}, []),
        ({"tests/test_other.py": b"from app.other import gone\n"}, ["IMP002"]),
        ({"app/views.py": b"from app.users import User\n\n\ndef show():\n    return User().name\n"}, ["DCF003"]),
        ({"notes.txt": b"of today\n", "query.sql": b"select 1\n"}, []),
        # What is found stands in another file than what has changed.
        ({"app/users.py": b"class User:\n    def __init__(self, name, age):\n        self.name = name\n"}, ["DCF003"]),
    ],
)
def test_small_changes_are_told_without_judging_the_whole_tree(
    tmp_path: Path, changes: Mapping[str, bytes | None], codes: list[str]
) -> None:
    compared = told(tmp_path, changes)
    assert compared.outcome.why == ""
    assert [finding.code for finding in compared.whole.findings] == codes


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"pyproject.toml": b"[project]\nname = 'a'\n"}, "is read for what it says"),
        ({"app/users.py": b"class User:\n"}, "cannot be parsed"),
        ({"app/json.py": b"def dumps(it): ...\n"}, "something looks for json"),
        ({"app/users.py": b"from app.views import show\n" + APP["app/users.py"]}, "may close a circle of imports"),
        (
            {"app/users.py": b"import sys\nsys.path.insert(0, 'tests')\n" + APP["app/users.py"]},
            "the roots of the tree have changed",
        ),
        ({"app/views.py": b"import tests.test_views\n" + APP["app/views.py"]}, "leads through another root"),
        ({"app/other.py": APP["app/other.py"] + b"# guard: ignore[IMP001] it is there\n"}, "a comment leaves"),
        ({f"app/new_{number}.py": b"" for number in range(200)}, "200 files differ"),
    ],
)
def test_what_may_hit_anything_is_left_to_a_whole_run(
    tmp_path: Path, changes: Mapping[str, bytes | None], why: str
) -> None:
    compared = told(tmp_path, changes)
    assert compared.outcome.report is None
    assert why in compared.outcome.why


class Shape(NamedTuple):
    """A tree, a change, and what the change brings."""

    name: str
    files: Mapping[str, bytes]
    changes: Mapping[str, bytes | None]
    codes: list[str]
    complete: bool = False
    """Whether the facts of all files are needed: what is new is said with what all of them know."""


GIVING = {
    **APP,
    "app/loader.py": b"from app.users import User\n\n\ndef load(user: User):\n    user.age = 1\n",
    "app/users.py": b"from dataclasses import dataclass\n\n\n@dataclass\nclass User:\n    name: str\n",
    "app/children.py": (
        b"from dataclasses import dataclass\nfrom app.users import User\n\n\n"
        b"@dataclass\nclass Child(User):\n    size: int\n"
    ),
    "app/opener.py": (
        b"from app.users import User\n\n\n"
        b"class Holder:\n    held: User\n\n    def fill(self, values):\n"
        b"        for name, value in values:\n            setattr(self.held, name, value)\n"
    ),
}
BROKEN = {
    **APP,
    "app/script.py": b"from app.users import Gone\n",
    "app/above.py": b"from app.script import Gone\n",
    "app/alone.py": b"from app.views import gone\n",
    "app/below.py": b"from app.alone import *\nfrom app.users import Lost\n",
}
EXPORTING = {
    **APP,
    "app/all.py": b"__all__ = ['one', 'two']\none = two = three = 1\n",
    "app/star.py": b"from app.all import *\n",
    "tests/test_star.py": b"def test_it():\n    from app.star import two\n",
    "tests/test_both.py": b"from app.star import one\n",
}


@pytest.mark.parametrize(
    "shape",
    [
        Shape(
            "another file gives the attribute",
            {path: content for path, content in GIVING.items() if path != "app/opener.py"},
            {"app/views.py": APP["app/views.py"] + b"\n\ndef age(user: User):\n    return user.age\n"},
            [],
        ),
        Shape(
            "a subclass gives the attribute",
            {path: content for path, content in GIVING.items() if path != "app/opener.py"},
            {"app/views.py": APP["app/views.py"] + b"\n\ndef size(user: User):\n    return user.size\n"},
            [],
        ),
        Shape(
            "another file gives attributes of any name to what an attribute holds",
            GIVING,
            {"app/views.py": APP["app/views.py"] + b"\n\ndef any(user: User):\n    return user.any\n"},
            [],
        ),
        Shape(
            "no other file gives the attribute",
            {path: content for path, content in GIVING.items() if path != "app/opener.py"},
            {"app/views.py": APP["app/views.py"] + b"\n\ndef none(user: User):\n    return user.none\n"},
            ["DCF001"],
            complete=True,
        ),
        Shape(
            "a subclass is gone",
            {
                **{path: content for path, content in GIVING.items() if path != "app/opener.py"},
                "app/views.py": APP["app/views.py"] + b"\n\ndef size(user: User):\n    return user.size\n",
            },
            {"app/children.py": None},
            ["DCF001"],
            complete=True,
        ),
        Shape(
            "a subclass has less, and what is held stands for its base",
            {
                **{path: content for path, content in GIVING.items() if path != "app/opener.py"},
                "app/holder.py": (
                    b"from dataclasses import dataclass\nfrom app.users import User\n\n\n"
                    b"@dataclass\nclass Holder:\n    held: User\n"
                ),
                "app/last.py": b"from app.holder import Holder\n\n\ndef size(it: Holder):\n    return it.held.size\n",
            },
            {
                "app/children.py": (
                    b"from dataclasses import dataclass\nfrom app.users import User\n\n\n"
                    b"@dataclass\nclass Child(User): ...\n"
                )
            },
            ["DCF001"],
            complete=True,
        ),
        Shape(
            "a name is taken from a folder that is no package",
            {**APP, "plain/one.py": b"x = 1\n", "tests/test_plain.py": b"import plain.one\n"},
            {"app/other.py": b"from plain import two\n"},
            ["IMP002"],
            complete=True,
        ),
        Shape(
            "the same is said of another thing, which far files know to be none",
            {
                **APP,
                "pkg/__init__.py": b"",
                "pkg/distro/__init__.py": (
                    b"import sys\nfrom pkg.distro import real\nsys.modules['pkg.distro'] = real\n"
                ),
                "pkg/distro/real.py": b"version = 1\n",
                "pkg/info.py": b"x = 1\n",
                "tests/test_patch.py": b"def test_it(mocker):\n    mocker.patch('pkg.info.distro.version')\n",
            },
            {"pkg/info.py": b"from pkg import distro\n"},
            [],
            complete=True,
        ),
        Shape(
            "a test comes beside a script that is not pinned",
            {**APP, ".gitattributes": b"*.md text\n", "tools/deploy.sh": b"#!/bin/sh\necho\n"},
            {"tests/test_new.py": b"def test_it(): ...\n"},
            [],
        ),
        Shape("what could not be imported is gone", BROKEN, {"app/below.py": None}, []),
        Shape(
            "what was missing is given, elsewhere and by a file that was there",
            {
                **{path: content for path, content in GIVING.items() if path != "app/opener.py"},
                "app/views.py": APP["app/views.py"] + b"\n\ndef far(user: User):\n    return user.far\n",
            },
            {"app/other.py": b"from app.users import User\n\n\ndef other(user: User):\n    user.far = 1\n"},
            ["DCF007"],
            complete=True,
        ),
        Shape("what nobody imports is mended", BROKEN, {"app/above.py": b"from app.users import User\n"}, []),
        Shape("what is mended imports what is broken", BROKEN, {"app/below.py": b"from app.alone import *\n"}, []),
        Shape(
            "other names are exported",
            EXPORTING,
            {"app/all.py": b"__all__ = ['one', 'three']\none = two = three = 1\n"},
            ["IMP002"],
            complete=True,
        ),
        Shape(
            "all names are exported",
            EXPORTING,
            {"app/all.py": b"one = two = three = 1\n"},
            [],
        ),
        Shape(
            "a folder is put on the path twice",
            {**APP, "app/other.py": b"import sys\nsys.path.insert(0, 'app')\n"},
            {"app/other.py": b"import sys\nsys.path.insert(0, 'app')\nsys.path.insert(0, 'app')\n"},
            [],
        ),
        Shape(
            "a module of the standard library has a namesake in the tree",
            {**APP, "app/tools/json.py": b"def dumps(it): ...\n", "app/tools/__init__.py": b""},
            {"app/views.py": b"import json\n" + APP["app/views.py"]},
            [],
        ),
        Shape(
            "a file with a finding of a rule that is not run",
            {**APP, "app/other.py": b"import nobody_has_this\n\n\ndef other(): ...\n", "requirements.txt": b"click\n"},
            {"app/other.py": b"import nobody_has_this\n\n\ndef other():\n    return 1\n"},
            [],
        ),
    ],
    ids=lambda shape: shape.name,
)
def test_a_change_is_told_with_no_more_than_it_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shape: Shape
) -> None:
    asked: list[bool] = []
    complete = judging.Judge._complete

    def counted(*args: Any) -> Any:
        asked.append(True)
        return complete(*args)

    monkeypatch.setattr(judging.Judge, "_complete", counted)
    compared = told(tmp_path, shape.changes, shape.files)
    assert compared.outcome.why == ""
    assert [finding.code for finding in compared.whole.findings] == shape.codes
    assert bool(asked) == shape.complete


@pytest.mark.parametrize(
    ("files", "changes", "why"),
    [
        (BROKEN, {"app/script.py": b"from app.users import User as Gone\n"}, "may be imported again"),
        (
            {**APP, "requirements.txt": b"-r app/deps.txt\n", "app/deps.txt": b"click\n"},
            {"app/deps.txt": b"flask\n"},
            "is named by a list of requirements",
        ),
        (APP, {"runtime.txt": b"python-3.13\n"}, "may be read by its name"),
        (
            {
                **APP,
                "app/first.py": b"class Layer:\n    def __init__(self, app): ...\n",
                "app/second.py": b"class Layer:\n    def __init__(self, app): ...\n",
                "app/layers.py": b"from app.first import Layer\n",
                "main.py": (
                    b"from fastapi import FastAPI\nfrom app.layers import Layer\n"
                    b"app = FastAPI()\napp.add_middleware(Layer)\n"
                ),
            },
            {"app/layers.py": b"from app.second import Layer\n"},
            "a stack of middleware may have changed",
        ),
        (APP, {"app/views.py": b"import tests.test_views\n" + APP["app/views.py"]}, "leads through another root"),
        (
            {
                **APP,
                "app/test_shop.py": b"import pytest\n\n\ndef shop(): ...\n\n\ndef sell(): ...\n",
                "app/main.py": b"from app.test_shop import shop\n",
            },
            {"app/test_shop.py": b"import pytest\n\n\ndef shop(): ...\n\n\ndef test_it(): ...\n"},
            "may be a test by now",
        ),
        (
            {**APP, "test_kit/one.py": b"x = 1\n", "app/main.py": b"from test_kit.one import x\n"},
            {"test_kit/two.py": b"import pytest\n"},
            "test_kit may be a folder for tests by now",
        ),
        (
            {
                **APP,
                "pkg/__init__.py": b"from pkg.core import run\n",
                "pkg/core.py": b"from pkg import limits\n\n\ndef run(): ...\n",
                "pkg/limits.py": b"limits = 3\n",
            },
            {"pkg/__init__.py": b"from pkg.core import run\nfrom pkg.limits import limits\n"},
            "a submodule may be hidden",
        ),
        (
            {**APP, "web/page.ts": b"export {}\n", "app/main.py": b"from web.page import x\n"},
            {"web/inner/one.py": b"x = 1\n"},
            "something looks for web",
        ),
    ],
)
def test_what_may_be_felt_elsewhere_is_left_to_a_whole_run(
    tmp_path: Path, files: Mapping[str, bytes], changes: Mapping[str, bytes | None], why: str
) -> None:
    compared = told(tmp_path, changes, files)
    assert compared.outcome.report is None
    assert why in compared.outcome.why


def test_of_every_rule_before_a_commit_it_is_known_what_its_findings_depend_on() -> None:
    on_anything = {
        code
        for code, rule in all_rules().items()
        if Gate.PRE_COMMIT in rule.gates and rule.depends is Depends.TREE and rule.family != "MID"
    }
    assert on_anything == quick.HANDLED


@pytest.mark.parametrize("most", [0, 20_000])
def test_the_command_judges_no_tree_whole_from_the_second_commit_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    """`most` entries are remembered beside the maps of the first tree; with none, they are made anew each time."""
    monkeypatch.setattr(quick, "_MOST_ADDED", most)
    monkeypatch.setenv("GUARD_CACHE_DIR", str(tmp_path / "cache"))
    root = repository(tmp_path / "app", APP)
    check = ("check", "--gate", "pre-commit", "--config", "environment=none", "--output", "concise")
    assert inside(*check, cwd=root).code == 0

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a whole tree is judged")

    monkeypatch.setattr(engine, "_judge", refuse)
    for number in range(3):
        (root / f"tests/test_{number}.py").write_bytes(b"from app.other import other\n")
        git(root, "add", "-A")
        run = inside(*check, cwd=root)
        assert (run.code, run.out) == (0, ""), run
        git(root, "commit", "--quiet", "--message", "one more")
    (root / "tests/test_views.py").write_bytes(b"from app.views import gone\n")
    git(root, "add", "-A")
    run = inside(*check, cwd=root)
    assert run.code == 1
    assert "tests/test_views.py:1:23: IMP002" in run.out
