"""What depends on which files there are: told quickly as two whole runs tell it, for small trees made by chance."""

from __future__ import annotations

import random
from contextlib import closing
from pathlib import Path
from typing import Final

from guard.cache import Cache
from tests.incremental.trees import Files, Pair, commits, compare, differences

_TREES: Final = 120
_LINES: Final = (
    *("* text=auto", "* text=auto eol=lf", "* -text", "*.py text eol=lf", "*.py text", "*.py -text", "*.py eol=crlf"),
    *("*.sql text eol=lf", "*.sql -text", "start* text", "tools/** -text", "tools/*.py text eol=lf", "*.png binary"),
    *("my file.py text eol=lf", "/start.py -text", "[attr]lf text eol=lf", "*.py lf", "*.sql binary"),
)
_SETTINGS: Final = (
    *("[*]\nend_of_line = lf\n", "[*.py]\nend_of_line = crlf\n", "root = true\n[*.{py,sql}]\nend_of_line = lf\n"),
)
_PATHS: Final = (
    *("start.py", "Start.py", "my file.py", "tools/start.py", "tools/run.py", "tests/start.py", "vendor/start.py"),
    *("one.sql", "tools/two.sql", "tests/data/three.sql", "notes.txt", "NOTES.txt", "aux.md", "tools/notes.md"),
    *("app/services/core/start.py", "App/other.txt", "appservicescore_start.py", "homeappservicescore_a.py"),
)
_CONTENTS: Final = (b"#!/usr/bin/env python3\n", b"a = 1\n", b"a = 1\r\n", b"a = 2\n")


def _tree(chance: random.Random) -> dict[str, bytes]:
    files = {path: chance.choice(_CONTENTS) for path in chance.sample(_PATHS, chance.randint(1, 9))}
    for folder in ("", "tools/"):
        if chance.random() < (0.8 if not folder else 0.3):
            lines = chance.choices(_LINES, k=chance.randint(1, 5))
            files[f"{folder}.gitattributes"] = "".join(f"{line}\n" for line in lines).encode()
        if chance.random() < 0.3:
            files[f"{folder}.editorconfig"] = chance.choice(_SETTINGS).encode()
    return files


def _changed(files: Files, chance: random.Random) -> dict[str, bytes]:
    """With some files more, and some less."""
    now = dict(files)
    for path in chance.sample(_PATHS, chance.randint(1, 3)):
        if now.pop(path, None) is None:
            now[path] = chance.choice(_CONTENTS)
    return now


def test_files_come_and_go(tmp_path: Path) -> None:
    chance = random.Random(20)
    pairs = []
    for number in range(_TREES):
        before = _tree(chance)
        pairs.append(Pair(str(number), before, _changed(before, chance)))
    git, ids = commits(tmp_path / "trees.git", [tree for pair in pairs for tree in (pair.before, pair.now)])
    answered = new = 0
    with closing(Cache(tmp_path / "cache.db")) as cache:
        for pair, before, now in zip(pairs, ids[::2], ids[1::2], strict=True):
            compared = compare(git, before, now, cache)
            assert differences(compared) == [], (pair.before, pair.now)
            answered += compared.outcome.report is not None
            new += compared.outcome.report is not None and bool(compared.whole.findings)
    assert answered > _TREES / 2
    assert new > _TREES / 6
