"""`guard loop compare`, `merge`, `publish`, and `run --publish`, from the command line."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from fake_github import GitHub, serving

from guard.runner.record import Session, TestOutcome
from guard.runner.store import FILE, Store, folder_of
from tests.engine.support import inside, repository
from tests.runner import loop_support
from tests.runner.pages import page_sessions

TOKEN = "ghp_0123456789abcdefghijklmnopqrstuvwxyz"
PLAN = """
[tool.guard.loop.target]
name = "staging"
[tool.guard.loop.publish]
repository = "acme/chat"
api_url = "{url}"
"""


@pytest.fixture(autouse=True)
def _no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITHUB_TOKEN", raising=False)


def project(folder: Path, *sessions: Session, url: str = "http://127.0.0.1:1") -> Path:
    """A folder with a plan, and these sessions in its file of them."""
    folder.mkdir(exist_ok=True)
    (folder / "pyproject.toml").write_text(PLAN.format(url=url), encoding="utf-8")
    with Store(folder_of(folder) / FILE) as store:
        for session in sessions:
            store.add(session)
    return folder


def kept(root: Path) -> list[Session]:
    """The sessions in a folder's file, the last one first."""
    with Store(folder_of(root) / FILE) as store:
        return [store.load(one.id) for one in store.summaries(20)]


@pytest.fixture
def github() -> Iterator[tuple[GitHub, str]]:
    """A repository, and where its server is."""
    found = GitHub()
    with serving(found) as url:
        yield found, url


def test_what_is_added_whole_is_loaded_whole(tmp_path: Path) -> None:
    session = page_sessions.failed()
    assert kept(project(tmp_path, session)) == [session]


def test_compare_says_what_is_worse_and_ends_with_1(tmp_path: Path) -> None:
    root = project(tmp_path, page_sessions.good("s2"), page_sessions.failed("s3"))
    run = inside("loop", "compare", "s2", "s3", cwd=root)
    assert run.code == 1, run.err
    assert "now-failing" in run.out
    run = inside("loop", "compare", "s3", "s2", "--output", "json", cwd=root)
    assert run.code == 0, run.err
    assert json.loads(run.out)["comparison"]["after"]["id"] == "s2"


def test_compare_of_what_is_not_there(tmp_path: Path) -> None:
    run = inside("loop", "compare", "s2", "s9", cwd=project(tmp_path, page_sessions.good("s2")))
    assert (run.code, run.err) == (2, "guard: s9: no such session; see `guard loop list`\n")


@pytest.mark.parametrize(("arguments", "why"), [((), "GITHUB_TOKEN is not set"), (("--dry-run",), "a dry run")])
def test_publish_without_a_token_writes_files_and_says_so(
    tmp_path: Path, arguments: tuple[str, ...], why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = project(tmp_path, page_sessions.failed("s3"))
    if arguments:
        monkeypatch.setenv("GITHUB_TOKEN", TOKEN)
    run = inside("loop", "publish", *arguments, cwd=root)
    assert (run.code, run.out) == (0, f"{why}: written to .guard/publish/s3, nothing sent\n"), run.err
    folder = root / ".guard/publish/s3"
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["comment-1.md", "issue.md", "pull-request.md", "session.md"]
    assert (folder / "issue.md").read_text(encoding="utf-8").startswith("guard loop s3: tests failed, rolled back")


def test_publish_makes_it_once(tmp_path: Path, github: tuple[GitHub, str], monkeypatch: pytest.MonkeyPatch) -> None:
    server, url = github
    root = project(tmp_path, page_sessions.hostile(TOKEN), url=url)
    monkeypatch.setenv("GITHUB_TOKEN", TOKEN)
    run = inside("loop", "publish", "s4", cwd=root)
    made = "made issue, comment 1, branch, pull request"
    urls = "https://github.example/acme/chat/issues/1 and https://github.example/acme/chat/pull/2"
    assert (run.code, run.out) == (0, f"{made}: {urls}\n"), run.err
    server.issues_[0]["labels"].clear()
    server.asked.clear()
    server.issues_[0]["labels"].append("guard-loop")
    run = inside("loop", "publish", cwd=root)
    assert (run.code, run.out) == (0, f"it is published already, nothing changed: {urls}\n"), run.err
    assert server.writes == []
    assert TOKEN not in json.dumps([server.issues_, server.comments_, server.pulls_, server.trees])
    assert TOKEN not in run.out + run.err


def test_publish_to_a_server_that_refuses_is_one_line(
    tmp_path: Path, github: tuple[GitHub, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    server, url = github
    server.faults.append(lambda *_: (401, {}, {"message": "Bad credentials"}, False))
    monkeypatch.setenv("GITHUB_TOKEN", TOKEN)
    run = inside("loop", "publish", cwd=project(tmp_path, page_sessions.good(), url=url))
    assert run.code == 4
    assert run.err == f"guard: acme/chat at {url}: HTTP 401, Bad credentials; the token is not valid\n"


def shard_of(session: Session, number: int, total: int) -> Session:
    """A part of a session."""
    tests = session.tests[number - 1 :: total]
    return msgspec.structs.replace(
        session,
        id=f"shard-{number}",
        shard=f"{number}/{total}",
        tests=tests,
        selection=session.selection[number - 1 :: total],
        criteria=(),
        plan=msgspec.structs.replace(session.plan, phases=tuple(
            msgspec.structs.replace(phase, criteria=()) for phase in session.plan.phases
        )),
    )  # fmt: skip


def test_merge_joins_shards_once(tmp_path: Path) -> None:
    good = page_sessions.good()
    here = project(tmp_path / "here")
    first = project(tmp_path / "one", page_sessions.good("older"), shard_of(good, 1, 2))
    second = project(tmp_path / "two", shard_of(good, 2, 2))
    files = [str(first / ".guard/loop.db"), str(second / ".guard")]
    run = inside("loop", "merge", *files, cwd=here)
    assert run.code == 0, run.err
    assert run.out.startswith("shard-1-all goal-met: 3 of 3 passed\n")
    (whole,) = kept(here)
    assert sorted(test.id for test in whole.tests) == sorted(test.id for test in good.tests)
    assert [step.name for step in whole.steps] == [step.name for step in good.steps]
    assert whole.stability is not None
    assert (here / ".guard/sessions/shard-1-all.html").is_file()
    again = inside("loop", "merge", *files, cwd=here)
    assert (again.code, again.err) == (2, "guard: these shards are merged already: guard loop show shard-1-all\n")


def test_merge_gives_the_exit_code_of_the_whole(tmp_path: Path) -> None:
    session = page_sessions.good()
    bad = tuple(msgspec.structs.replace(test, outcome=TestOutcome.FAILED) for test in session.tests)
    session = msgspec.structs.replace(session, tests=bad)
    roots = [project(tmp_path / str(number), shard_of(session, number, 2)) for number in (1, 2)]
    run = inside("loop", "merge", *(str(root / ".guard") for root in roots), cwd=project(tmp_path / "here"))
    assert run.code == 13, run.err


def test_merge_refuses_what_is_no_shard(tmp_path: Path) -> None:
    root = project(tmp_path / "one", page_sessions.good())
    for argument, told in (
        ("nowhere.db", "no such file"),
        (".", "no loop.db in it; name a .guard folder"),
        (".guard", "no session in it is a shard"),
    ):
        run = inside("loop", "merge", argument, cwd=root)
        assert run.code == 2
        assert run.err.startswith(f"guard: {argument}: {told}")
        assert run.err.count("\n") == 1
    assert not (root / "nowhere.db").exists()


def test_run_publishes_when_it_has_ended(
    tmp_path: Path, github: tuple[GitHub, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    server, url = github
    loop_support.with_requests(monkeypatch)
    for name, value in {**loop_support.ENVIRON, "GITHUB_TOKEN": TOKEN}.items():
        monkeypatch.setenv(name, value)
    more = f'[tool.guard.loop.publish]\nrepository = "acme/chat"\napi_url = "{url}"\n'
    root = loop_support.small(tmp_path / "small", more=more)
    run = inside("loop", "run", "--publish", cwd=root)
    assert run.code == 0, run.err
    (issue,) = server.issues_
    assert "goal met: 5 of 5 passed" in issue["title"]
    session = kept(root)[0]
    assert [step.name for step in session.steps][-1] == "publish"
    assert session.steps[-1].data["issue"] == 1
    assert server.pulls_[0]["number"] == 2
    again = inside("loop", "publish", cwd=root)
    assert len(server.issues_) == len(server.pulls_) == 1
    assert again.code == 0, again.err


def test_a_session_of_a_thousand_tests_is_shown_within_a_second_without_the_loop(tmp_path: Path) -> None:
    root = project(tmp_path, page_sessions.large())
    code = (
        "import sys, time\n"
        "from guard.cli.main import cli\n"
        "with cli.make_context('guard', ['loop', 'show', '--output', 'html']) as context:\n"
        "    assert cli.invoke(context) == 0\n"
        "loaded = sorted({'guard.runner.loop', 'guard.engine', 'httpx', 'githubkit'} & set(sys.modules))\n"
        "print(time.process_time(), loaded, file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    seconds, _, loaded = done.stderr.strip().partition(" ")
    assert float(seconds) < 1.0
    assert loaded == "[]"
    assert done.stdout.startswith("<!doctype html>")


def test_the_sessions_are_those_of_the_closest_configuration(tmp_path: Path) -> None:
    root = project(repository(tmp_path, {"below/deeper/file": b""}), page_sessions.good("s2"))
    below = root / "below" / "deeper"
    for command in (("list",), ("show", "s2"), ("compare", "s2", "s2")):
        run = inside("loop", *command, cwd=below)
        assert (run.code, "s2" in run.out) == (0, True), run.err
    (root / "pyproject.toml").write_text("[tool.guard\n", encoding="utf-8")
    run = inside("loop", "list", cwd=root)
    assert (run.code, run.err.count("\n")) == (2, 1)
    assert not (tmp_path / "below" / ".guard").exists()
