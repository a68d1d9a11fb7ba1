"""What is new beside a baseline: told quickly as two whole runs tell it, for small trees made by chance."""

from __future__ import annotations

import random
from contextlib import closing
from pathlib import Path
from typing import Final

from guard.baseline import Entry, can_know, entry_of, render
from guard.cache import Cache
from guard.engine import Options, check
from guard.model import Report
from guard.sources.commit import CommitTree
from tests.incremental.trees import Files, commits, compare, configuration, differences

_TREES: Final = 90
_BASELINE: Final = "known.jsonl"
_USERS: Final = b"from dataclasses import dataclass\n\n\n@dataclass\nclass User:\n    name: str\n"
_LINES: Final = (
    *("from app.users import gone", "from app.users import lost", "from app.users import User", "import app.nowhere"),
    *("def age(user: User):\n    return user.age", "def size(user: User):\n    return user.size", "VALUE = 1"),
)
_PATHS: Final = ("app/one.py", "app/two.py", "app/three.py", "tools/one.py", "tools/four.py", "tests/test_one.py")


def _module(chance: random.Random) -> bytes:
    return "".join(f"{line}\n" for line in ["from app.users import User", *chance.sample(_LINES, 3)]).encode()


def _tree(chance: random.Random) -> dict[str, bytes]:
    files = {path: _module(chance) for path in chance.sample(_PATHS, chance.randint(2, 5))}
    return {**files, "app/__init__.py": b"", "app/users.py": _USERS, ".gitattributes": b"* text=auto eol=lf\n"}


def _entries(found: list[Entry], chance: random.Random) -> bytes:
    """Some of what is found, some of it under the path of a file that is not there, and what nothing has."""
    entries = [entry for entry in found if chance.random() < 0.6]
    if chance.random() < 0.4:
        gone = chance.choice(_PATHS)
        entries += [
            Entry(gone, entry.code, entry.fingerprint) for entry in found if entry.path == chance.choice(_PATHS)
        ]
    if chance.random() < 0.4:
        entries.append(Entry(chance.choice(_PATHS), chance.choice(["IMP002", "DCF001", "DCF999"]), "0" * 24))
    content = render(entries)
    return content + content.splitlines(keepends=True)[0] if entries and chance.random() < 0.05 else content


def _changed(files: Files, chance: random.Random) -> dict[str, bytes]:
    now = dict(files)
    for _ in range(chance.randint(1, 2)):
        path, other = chance.sample(_PATHS, 2)
        what = chance.random()
        if what < 0.25 and path in now:
            del now[path]
        elif what < 0.5 and path in now and other not in now:
            now[other] = now.pop(path)
        elif what < 0.7 and path in now:
            lines = now[path].decode().split("\n")
            now[path] = "\n".join([*lines[:-2], "OTHER = 2", ""]).encode()
        else:
            now[path] = _module(chance)
    return now


def test_with_a_baseline(tmp_path: Path) -> None:
    chance = random.Random(1)
    trees = [_tree(chance) for _ in range(_TREES)]
    with closing(Cache(tmp_path / "cache.db")) as cache:
        git, ids = commits(tmp_path / "trees.git", trees)
        pairs: list[Files] = []
        for files, oid in zip(trees, ids, strict=True):
            tree = CommitTree(git, oid)
            report = check(tree, *configuration(tree), Options(jobs=1, cache=cache))
            known = _entries([entry_of(one) for one in report.findings if can_know(one)], chance)
            settings = {"guard.toml": f'baseline = "{_BASELINE}"\n'.encode(), _BASELINE: known}
            pairs += [{**files, **settings}, {**_changed(files, chance), **settings}]
        git, ids = commits(tmp_path / "pairs.git", pairs)
        answered = new = stale = 0
        for number, (before, now) in enumerate(zip(ids[::2], ids[1::2], strict=True)):
            compared = compare(git, before, now, cache)
            assert differences(compared) == [], (number, pairs[2 * number], pairs[2 * number + 1])
            if compared.outcome.report is not None:
                answered += 1
                codes = {finding.code for finding in compared.whole.findings}
                new += bool(codes - {"SUP004"})
                stale += "SUP004" in codes
    assert answered > _TREES / 3
    assert min(new, stale) > _TREES / 12


def _both_ways(tmp_path: Path, before: Files, now: Files, entries: list[Entry]) -> Report:
    settings = {"guard.toml": f'baseline = "{_BASELINE}"\n'.encode(), _BASELINE: render(entries)}
    common = {"app/__init__.py": b"", "app/users.py": _USERS, ".gitattributes": b"* text=auto eol=lf\n", **settings}
    common["app/user.py"] = common["tools/user.py"] = b"from app.users import User\n"
    with closing(Cache(tmp_path / "cache.db")) as cache:
        git, ids = commits(tmp_path / "pair.git", [{**common, **before}, {**common, **now}])
        compared = compare(git, *ids, cache)
    assert compared.outcome.why == ""
    assert differences(compared) == []
    return compared.whole


_LOST: Final = b"from app.users import lost\n"
_FINGERPRINT: Final = "4581499d08b7dd8321d30daa"


def test_entries_of_a_file_that_goes_know_what_another_one_has(tmp_path: Path) -> None:
    before = {"app/one.py": _LOST, "tools/one.py": b"VALUE = 1\n"}
    told = _both_ways(tmp_path, before, {"app/one.py": _LOST}, [Entry("tools/one.py", "IMP002", _FINGERPRINT)])
    assert told.since is not None
    assert (told.since.unchanged, told.since.fixed, told.baselined) == (0, 2, 1)


def test_of_what_cannot_be_parsed_no_entry_is_stale(tmp_path: Path) -> None:
    before = {"app/torn.py": b"def f(:\n", "app/one.py": b"VALUE = 1\n"}
    entries = [Entry("app/torn.py", "IMP002", _FINGERPRINT)]
    told = _both_ways(tmp_path, before, {**before, "app/one.py": _LOST}, entries)
    assert told.since is not None
    assert ([finding.code for finding in told.findings], told.since.unchanged) == (["IMP002"], 1)


def test_what_comes_back_is_known_again(tmp_path: Path) -> None:
    entries = [Entry("app/one.py", "IMP002", _FINGERPRINT)]
    told = _both_ways(tmp_path, {"app/one.py": b"VALUE = 1\n"}, {"app/one.py": _LOST}, entries)
    assert told.since is not None
    assert (told.findings, told.since.fixed, told.baselined) == ((), 1, 1)
