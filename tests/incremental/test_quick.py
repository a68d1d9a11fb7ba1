"""What is told quickly is what judging both trees whole tells: for variations of every case, and by the command."""

from __future__ import annotations

import random
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import pytest

from guard import engine
from guard.cache import Cache
from guard.incremental import quick
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
            "what it does to others",
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


def test_of_every_rule_before_a_commit_it_is_known_what_its_findings_depend_on() -> None:
    on_anything = {
        code
        for code, rule in all_rules().items()
        if Gate.PRE_COMMIT in rule.gates and rule.depends is Depends.TREE and rule.family != "MID"
    }
    assert on_anything == quick.HANDLED


def test_the_command_judges_no_tree_whole_from_the_second_commit_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
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
