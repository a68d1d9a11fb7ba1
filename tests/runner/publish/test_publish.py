"""Publishing to GitHub: everything once, found again, retried, and told in one line where it cannot be."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import githubkit
import msgspec
import pytest
from fake_github import GitHub, serving

from guard.model import ConfigError, EnvironmentFailed
from guard.runner.github import publish
from guard.runner.plan import Publish
from guard.runner.publish import Published, Texts, branch_of, files_of, log_path, marker, token_of

TEXTS = Texts(
    session="s7",
    title="Session s7: tests failed",
    body="The body.",
    comments=((1, "Cycle one."), (2, "Cycle two.")),
    log="# Session s7\n",
    pull_title="Log of session s7",
    pull_body="What came of it.",
)
TOKEN = "ghp_thetokenthatisnotshown"
Fault = tuple[int, dict[str, str], dict[str, Any], bool]


@pytest.fixture
def github() -> GitHub:
    """An empty repository."""
    return GitHub()


@pytest.fixture
def run(github: GitHub, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Published]]:
    """Publish to it. Every answer that the client takes is read with githubkit's own model."""
    plain = githubkit.GitHub.request

    def checked(self: Any, *arguments: Any, **more: Any) -> Any:
        answer = plain(self, *arguments, **more)
        if "raw" not in str((more.get("headers") or {}).get("Accept", "")):
            assert answer.parsed_data is not None
        return answer

    monkeypatch.setattr(githubkit.GitHub, "request", checked)
    with serving(github) as url:

        def go(texts: Texts = TEXTS, waits: list[float] | None = None, **more: Any) -> Published:
            known = more.pop("known_issue", 0)
            plan = Publish(repository="acme/chat", api_url=url, labels=("guard-loop", "staging"), **more)
            slept = [] if waits is None else waits
            return publish(texts, plan, TOKEN, known_issue=known, progress=lambda _: None, sleep=slept.append)

        yield go


def test_everything_is_made(github: GitHub, run: Callable[..., Published]) -> None:
    found = run()
    assert found.made == ("issue", "comment 1", "comment 2", "branch", "pull request")
    assert (found.issue, found.pull) == (1, 2)
    assert found.issue_url == "https://github.example/acme/chat/issues/1"
    (issue,) = github.issues_
    assert issue["title"] == TEXTS.title
    assert issue["body"] == "The body.\n\n<!-- guard-loop session=s7 -->"
    assert issue["labels"] == ["guard-loop", "staging"]
    assert [one["body"].split("\n")[0] for one in github.comments_[1]] == ["Cycle one.", "Cycle two."]
    tree, parents = github.commits[github.refs[f"heads/{branch_of('s7')}"]]
    assert github.trees[tree] == {"README.md": "read me", log_path("s7"): TEXTS.log}
    assert parents == [github.refs["heads/main"]]
    (pull,) = github.pulls_
    assert (pull["head"], pull["base"]) == ({"ref": "guard-loop/s7"}, {"ref": "main"})
    assert "Session issue: #1" in pull["body"]
    assert github.tokens == {f"token {TOKEN}"} or github.tokens == {f"Bearer {TOKEN}"}


def test_publishing_again_makes_and_changes_nothing(github: GitHub, run: Callable[..., Published]) -> None:
    first = run()
    github.asked.clear()
    again = run()
    assert (again.made, again.changed, again.issue, again.pull) == ((), (), first.issue, first.pull)
    assert github.writes == []


def test_another_cycle_changes_what_there_is(github: GitHub, run: Callable[..., Published]) -> None:
    run()
    later = msgspec.structs.replace(
        TEXTS, title="Session s7: goal met", comments=(*TEXTS.comments, (3, "Three.")), log="# Longer\n"
    )
    found = run(later)
    assert found.made == ("comment 3",)
    assert found.changed == ("issue", "branch")
    assert [one["title"] for one in github.issues_] == ["Session s7: goal met"]
    tree, parents = github.commits[github.refs["heads/guard-loop/s7"]]
    assert github.trees[tree][log_path("s7")] == "# Longer\n"
    assert len(parents) == 1
    assert len(github.pulls_) == 1


def test_comments_of_cycles_one_and_ten_are_told_apart(github: GitHub, run: Callable[..., Published]) -> None:
    run(msgspec.structs.replace(TEXTS, comments=((10, "Ten."),)))
    assert run(msgspec.structs.replace(TEXTS, comments=((1, "One."), (10, "Ten.")))).made == ("comment 1",)
    assert len(github.comments_[1]) == 2


def test_the_issue_is_found_behind_a_hundred_others(github: GitHub, run: Callable[..., Published]) -> None:
    github.add_issue("old", f"x {marker('s7')}", ["guard-loop"])
    for number in range(150):
        github.add_issue(f"other {number}", marker(f"s7{number}"), ["guard-loop"])
    found = run(pull_request=False)
    assert (found.issue, found.changed) == (1, ("issue", "labels"))
    assert github.issues_[0]["labels"] == ["guard-loop", "staging"]


def test_the_issue_is_known_by_its_number_even_without_its_label(github: GitHub, run: Callable[..., Published]) -> None:
    number = run(pull_request=False).issue
    github.issues_[0]["labels"].clear()
    assert run(pull_request=False, known_issue=number).made == ()
    github.issues_[0]["labels"].remove("guard-loop")
    assert run(pull_request=False, known_issue=99).made[0] == "issue"


def test_a_pull_request_that_is_closed_is_left_alone(github: GitHub, run: Callable[..., Published]) -> None:
    run()
    github.pulls_[0]["state"] = "closed"
    assert "pull request" not in run(msgspec.structs.replace(TEXTS, pull_title="Other")).changed
    assert github.pulls_[0]["title"] == TEXTS.pull_title


def test_without_a_pull_request_no_branch_is_made(github: GitHub, run: Callable[..., Published]) -> None:
    found = run(pull_request=False)
    assert (found.pull, found.made) == (0, ("issue", "comment 1", "comment 2"))
    assert list(github.refs) == ["heads/main"]


@pytest.mark.parametrize("lost", ["/issues", "/comments", "/git/refs", "/pulls"])
def test_an_answer_that_got_lost_makes_nothing_twice(github: GitHub, run: Callable[..., Published], lost: str) -> None:
    left = [1]

    def fault(method: str, path: str) -> Fault | None:
        if method == "POST" and path.endswith(lost) and left:
            left.pop()
            return 502, {}, {"message": "Server Error"}, True
        return None

    github.faults.append(fault)
    waits: list[float] = []
    found = run(waits=waits)
    assert len(github.issues_) == len(github.pulls_) == 1
    assert [len(there) for there in github.comments_.values()] == [2]
    assert found.made == ("issue", "comment 1", "comment 2", "branch", "pull request")
    assert len(waits) == 1
    assert 1 <= waits[0] < 3


def test_a_rate_limit_is_waited_for_as_long_as_github_says(github: GitHub, run: Callable[..., Published]) -> None:
    said = [429, 403]

    def fault(method: str, path: str) -> Fault | None:
        if said and path.endswith("/issues"):
            return said.pop(), {"retry-after": "7"}, {"message": "You have exceeded a secondary rate limit"}, False
        return None

    github.faults.append(fault)
    waits: list[float] = []
    assert run(waits=waits).issue == 1
    assert waits == [7, 7]


def test_a_rate_limit_that_lasts_ends_it(github: GitHub, run: Callable[..., Published]) -> None:
    github.faults.append(lambda *_: (429, {"retry-after": "3000"}, {"message": "secondary rate limit"}, False))
    with pytest.raises(EnvironmentFailed, match="rate limit; it is over in 3000 s") as caught:
        run()
    assert caught.value.exit_code == 4
    assert len(github.asked) == 1


def test_a_server_that_stays_broken_ends_it(github: GitHub, run: Callable[..., Published]) -> None:
    github.faults.append(lambda *_: (503, {}, {"message": "down"}, False))
    waits: list[float] = []
    with pytest.raises(EnvironmentFailed, match="HTTP 503, down"):
        run(waits=waits)
    assert len(waits) == 4
    assert waits == sorted(waits)


@pytest.mark.parametrize(
    ("status", "told"),
    [(401, "the token is not valid"), (403, "the token may not"), (404, "no such repository"), (422, "HTTP 422, no")],
)
def test_a_refusal_is_one_line_and_not_tried_again(
    github: GitHub, run: Callable[..., Published], status: int, told: str
) -> None:
    github.faults.append(lambda *_: (status, {}, {"message": "no"}, False))
    with pytest.raises(EnvironmentFailed, match=told) as caught:
        run()
    assert len(github.asked) == 1
    assert "\n" not in str(caught.value)
    assert TOKEN not in str(caught.value)


def test_an_answer_of_another_shape_is_one_line(github: GitHub, run: Callable[..., Published]) -> None:
    github.faults.append(lambda *_: (200, {}, {"odd": 1}, False))
    with pytest.raises(EnvironmentFailed) as caught:
        run()
    assert "\n" not in str(caught.value)


def test_nobody_listening_is_one_line_with_code_4() -> None:
    with serving(GitHub()) as url:
        plan = Publish(repository="acme/chat", api_url=url)
    waits: list[float] = []
    with pytest.raises(EnvironmentFailed, match="ConnectError") as caught:
        publish(TEXTS, plan, TOKEN, progress=lambda _: None, sleep=waits.append)
    assert caught.value.exit_code == 4
    assert len(waits) == 4


def test_a_base_that_is_not_there_is_told(run: Callable[..., Published]) -> None:
    with pytest.raises(EnvironmentFailed, match="acme/chat has no branch develop"):
        run(base="develop")


@pytest.mark.parametrize("repository", ["", "chat", "acme/chat/more", "../chat", "acme/chat?x"])
def test_what_is_no_repository_is_refused(repository: str) -> None:
    with pytest.raises(ConfigError, match="is not owner/name"):
        publish(TEXTS, Publish(repository=repository), TOKEN, progress=lambda _: None)


def test_the_same_texts_as_files() -> None:
    files = files_of(TEXTS)
    assert list(files) == ["issue.md", "comment-1.md", "comment-2.md", "pull-request.md", "session.md"]
    assert files["issue.md"] == "Session s7: tests failed\n\nThe body.\n"


def test_the_token_is_where_the_plan_says() -> None:
    assert token_of(Publish(token_env="BOT"), {"BOT": " t ", "GITHUB_TOKEN": "u"}) == "t"
    assert token_of(Publish(), {}) == ""
