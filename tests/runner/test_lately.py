"""What changed since the last good session: told where a chain of whys is left open, as far as the history knows it."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from guard.cli.loop_tools import Analysis
from guard.config import load
from guard.registry import all_rules
from guard.runner import lately
from guard.runner.lately import Lately
from guard.runner.record import Cause, CauseKind, Evidence, Why
from guard.sources.locate import open_tree
from tests.engine.support import git, repository

SOME = Lately(
    session="s1", commits=('0123 of 2026-11-28, "A" (a.py)',), more=False, uncommitted=("a.py",), uncommitted_then=False
)
SEEN = Why(question="Why did the tests fail?", answer="It is so.")
LEFT_OPEN = Why(question="Is it the service?")


def cause(*whys: Why, kind: CauseKind = CauseKind.ASSERTION, rank: str = "primary") -> Cause:
    return Cause(id="1-1", kind=kind, summary="", whys=whys, rank=rank)


def questions(one: Cause, found: Lately | None = SOME) -> list[str]:
    (told,) = lately.told([one], lambda: found)
    return [why.question.partition(" ")[0] for why in told.whys]


def test_it_stands_before_what_is_left_open() -> None:
    assert questions(cause(SEEN, LEFT_OPEN)) == ["Why", "What", "Is"]
    since = Why(question="Since when is it not there? The history does not tell.")
    assert questions(cause(SEEN, LEFT_OPEN, since, LEFT_OPEN)) == ["Why", "Is", "What", "Is"]
    (told,) = lately.told([cause(SEEN, LEFT_OPEN)], lambda: SOME)
    assert told.whys[1].answer == f"1 commit: {SOME.commits[0]}, and changes that are not committed (a.py)."
    assert "last session that met its goal" in told.whys[1].question


@pytest.mark.parametrize(
    "one",
    [
        cause(SEEN),
        cause(SEEN, LEFT_OPEN, rank="secondary"),
        cause(SEEN, LEFT_OPEN, kind=CauseKind.UNPROVEN),
        cause(Why(question="Why?", answer="Removed.", evidence=(Evidence("git", "0123"),)), LEFT_OPEN),
    ],
    ids=["answered", "of another cause", "of the tests", "a commit is known"],
)
def test_elsewhere_nobody_asks(one: Cause) -> None:
    def never() -> Lately:
        raise AssertionError("it was asked")

    assert lately.told([one], never) == (one,)


def test_nothing_is_told_where_nothing_is_known_and_sameness_is_told() -> None:
    assert questions(cause(SEEN, LEFT_OPEN), None) == ["Why", "Is"]
    same = msgspec.structs.replace(SOME, commits=(), uncommitted=())
    (told,) = lately.told([cause(SEEN, LEFT_OPEN)], lambda: same)
    assert told.whys[1].answer == "Nothing in this repository: the tree is the same."


@pytest.fixture
def root(tmp_path: Path) -> Path:
    repository(tmp_path, {"service/a.py": b"A = 1\n", "other/b.py": b"B = 1\n"})
    for at, path in enumerate(["service/a.py", "other/b.py", "service/notes.md"]):
        (tmp_path / path).write_text(f"A = {at + 2}\n")
        git(tmp_path, "add", ".")
        git(tmp_path, "commit", "-q", "-m", f"Change {at}")
    return tmp_path


def asked(root: Path, below: str, then: str) -> Lately | None:
    config = load(open_tree((str(root),))[0], rules=all_rules())
    analysis = Analysis(root / below, below, config, "")
    try:
        return analysis.lately("s1", then)
    finally:
        analysis.close()


def test_the_commits_since_are_listed(root: Path) -> None:
    first, head = (git(root, "rev-parse", name) for name in ("HEAD~3", "HEAD"))
    whole = asked(root, "", first[:12])
    assert whole is not None
    assert [text.partition('"')[2] for text in whole.commits] == [
        'Change 2" (service/notes.md)',
        'Change 1" (other/b.py)',
        'Change 0" (service/a.py)',
    ]
    assert (whole.more, whole.uncommitted, whole.uncommitted_then) == (False, (), False)
    for path in ("service/a.py", "service/new.py", "other/b.py"):
        (root / path).write_text("A = 9\n")
    part = asked(root, "service", f"{first[:12]}, with 1 file changed")
    assert part is not None
    assert [text.partition('"')[2][:8] for text in part.commits] == ["Change 2", "Change 0"]
    assert (part.uncommitted, part.uncommitted_then) == (("a.py", "new.py"), True)
    same = asked(root, "", head[:12])
    assert same is not None
    assert not same.commits


def test_what_the_history_does_not_know_is_not_told(root: Path) -> None:
    assert asked(root, "", "no commit") is None
    assert asked(root, "", "0123456789ab") is None
    head = git(root, "rev-parse", "HEAD")
    git(root, "checkout", "-q", "HEAD~1")
    assert asked(root, "", head[:12]) is None
