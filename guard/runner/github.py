"""Publishing a session to GitHub: one issue, one comment a cycle, a branch with the session log, and a pull request.

Everything is looked for before it is made, by a marker in its text or by the branch's name, so that publishing again
changes what there is and makes nothing twice. What failed half way is looked for again before it is tried again: an
answer that got lost does not mean that nothing was made. The search index is never asked, since it lags behind.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from typing import Any, Final, Protocol, TypeVar

import githubkit
import tenacity
from githubkit.exception import GitHubException, RateLimitExceeded, RequestError, RequestFailed, RequestTimeout

from guard import __version__
from guard.model import ConfigError, EnvironmentFailed
from guard.runner.deployers.base import Progress
from guard.runner.plan import Publish
from guard.runner.publish import Published, Texts, branch_of, log_path, marker

_T = TypeVar("_T")
_ATTEMPTS: Final = 5
_LONGEST_WAIT_S: Final = 120.0
"""A rate limit that lasts longer ends the publishing with its time."""
_PAGES: Final = 50
"""Pages of 100 that are looked through at the most."""
_REPOSITORY: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?/[A-Za-z0-9._-]+")


def publish(
    texts: Texts,
    plan: Publish,
    token: str,
    *,
    known_issue: int = 0,
    progress: Progress,
    sleep: Callable[[float], None] = time.sleep,
) -> Published:
    """Make or bring up to date what there is of a session. `known_issue` is the issue's number where it was published
    before; where that is not it (or 0), it is looked for.

    Raises ConfigError where the plan names no repository, EnvironmentFailed where GitHub refuses or does not answer.
    """
    if not _REPOSITORY.fullmatch(plan.repository):
        raise ConfigError([f"loop.publish.repository: {plan.repository!r} is not owner/name"])
    client = githubkit.GitHub(
        token,
        base_url=plan.api_url,
        user_agent=f"deploy-guard/{__version__}",
        timeout=30,
        auto_retry=False,
        http_cache=False,
    )
    with client:
        return _Publisher(client, texts, plan, progress, sleep).all(known_issue)


class _Numbered(Protocol):
    """What is read of an issue or a pull request. githubkit's own types have a version in their module's name."""

    number: int
    title: str
    html_url: str


class _Publisher:
    def __init__(
        self,
        client: githubkit.GitHub[Any],
        texts: Texts,
        plan: Publish,
        progress: Progress,
        sleep: Callable[[float], None],
    ) -> None:
        self._rest: Any = client.rest
        self._texts = texts
        self._plan = plan
        self._owner, _, self._repo = plan.repository.partition("/")
        self._progress = progress
        self._sleep = sleep
        self._made: list[str] = []
        self._changed: list[str] = []

    def all(self, known_issue: int) -> Published:
        """Everything, in the order in which the one needs the other."""
        issue = self._trying(lambda: self._issue(known_issue))
        self._trying(lambda: self._comments(issue.number))
        pull = None
        if self._plan.pull_request:
            base = self._plan.base or self._trying(self._default_branch)
            self._trying(lambda: self._branch(base))
            pull = self._trying(lambda: self._pull(base, issue.number))
        return Published(
            issue=issue.number,
            issue_url=issue.html_url,
            pull=pull.number if pull is not None else 0,
            pull_url=pull.html_url if pull is not None else "",
            made=tuple(dict.fromkeys(self._made)),
            changed=tuple(dict.fromkeys(self._changed)),
        )

    # What there is to be

    def _issue(self, known: int) -> _Numbered:
        body = f"{self._texts.body}\n\n{marker(self._texts.session)}"
        found = self._found_issue(known)
        if found is None:
            self._note(self._made, "issue")
            made: _Numbered = self._rest.issues.create(
                self._owner, self._repo, title=self._texts.title, body=body, labels=list(self._plan.labels)
            ).parsed_data
            return made
        if (found.title, found.body) != (self._texts.title, body):
            self._note(self._changed, "issue")
            self._rest.issues.update(self._owner, self._repo, found.number, title=self._texts.title, body=body)
        there = {label if isinstance(label, str) else label.name for label in found.labels}
        missing = [label for label in self._plan.labels if label not in there]
        if missing:
            self._note(self._changed, "labels")
            self._rest.issues.add_labels(self._owner, self._repo, found.number, labels=missing)
        issue: _Numbered = found
        return issue

    def _found_issue(self, known: int) -> Any:
        wanted = marker(self._texts.session)
        if known:
            try:
                issue = self._rest.issues.get(self._owner, self._repo, known).parsed_data
            except RequestFailed as error:
                if error.response.status_code not in (404, 410):
                    raise
            else:
                if wanted in (issue.body or ""):
                    return issue
        label = self._plan.labels[0] if self._plan.labels else ""
        for page in range(1, _PAGES + 1):
            issues = self._rest.issues.list_for_repo(
                self._owner, self._repo, state="all", per_page=100, page=page, **({"labels": label} if label else {})
            ).parsed_data
            for one in issues:
                if not one.pull_request and wanted in (one.body or ""):
                    return one
            if len(issues) < 100:
                break
        return None

    def _comments(self, issue: int) -> None:
        there = list(self._listed_comments(issue))
        for cycle, text in self._texts.comments:
            wanted = marker(self._texts.session, cycle)
            body = f"{text}\n\n{wanted}"
            found = next((one for one in there if wanted in (one.body or "")), None)
            if found is None:
                self._note(self._made, f"comment {cycle}")
                self._rest.issues.create_comment(self._owner, self._repo, issue, body=body)
            elif found.body != body:
                self._note(self._changed, f"comment {cycle}")
                self._rest.issues.update_comment(self._owner, self._repo, found.id, body=body)

    def _listed_comments(self, issue: int) -> Iterator[Any]:
        for page in range(1, _PAGES + 1):
            comments = self._rest.issues.list_comments(
                self._owner, self._repo, issue, per_page=100, page=page
            ).parsed_data
            yield from comments
            if len(comments) < 100:
                break

    def _default_branch(self) -> str:
        return str(self._rest.repos.get(self._owner, self._repo).parsed_data.default_branch)

    def _branch(self, base: str) -> None:
        """The branch, with the log as it is now: a commit on the base, or on top of what there is."""
        git, where = self._rest.git, (self._owner, self._repo)
        name = branch_of(self._texts.session)
        head = self._head(name)
        if head and self._committed(head) == self._texts.log:
            return
        parent = head or self._head(base)
        if not parent:
            raise EnvironmentFailed(f"{self._plan.repository} has no branch {base}; see loop.publish.base")
        tree = git.get_commit(*where, parent).parsed_data.tree.sha
        entry = {"path": log_path(self._texts.session), "mode": "100644", "type": "blob", "content": self._texts.log}
        made = git.create_tree(*where, data={"base_tree": tree, "tree": [entry]}).parsed_data
        commit = git.create_commit(
            *where, message=f"Log of session {self._texts.session}", tree=made.sha, parents=[parent]
        ).parsed_data
        if head:
            self._note(self._changed, "branch")
            git.update_ref(*where, f"heads/{name}", sha=commit.sha, force=False)
        else:
            self._note(self._made, "branch")
            git.create_ref(*where, ref=f"refs/heads/{name}", sha=commit.sha)

    def _head(self, branch: str) -> str:
        try:
            return str(self._rest.git.get_ref(self._owner, self._repo, f"heads/{branch}").parsed_data.object_.sha)
        except RequestFailed as error:
            if error.response.status_code == 404:
                return ""
            raise

    def _committed(self, commit: str) -> str | None:
        """The log as a commit has it; None where it has none."""
        path = log_path(self._texts.session)
        try:
            # Raw, since as JSON it comes without its text from one megabyte on.
            answer = self._rest.repos.get_content(
                self._owner, self._repo, path, ref=commit, headers={"Accept": "application/vnd.github.raw+json"}
            )
        except RequestFailed as error:
            if error.response.status_code == 404:
                return None
            raise
        content: bytes = answer.content
        return content.decode("utf-8", "replace")

    def _pull(self, base: str, issue: int) -> _Numbered:
        head = branch_of(self._texts.session)
        body = f"{self._texts.pull_body}\n\nSession issue: #{issue}\n\n{marker(self._texts.session)}"
        there = self._rest.pulls.list(
            self._owner, self._repo, state="all", head=f"{self._owner}:{head}", per_page=100
        ).parsed_data
        found = next((one for one in there if one.head.ref == head), None)
        if found is None:
            self._note(self._made, "pull request")
            made: _Numbered = self._rest.pulls.create(
                self._owner, self._repo, title=self._texts.pull_title, head=head, base=base, body=body
            ).parsed_data
            return made
        if found.state == "open" and (found.title, found.body) != (self._texts.pull_title, body):
            self._note(self._changed, "pull request")
            self._rest.pulls.update(self._owner, self._repo, found.number, title=self._texts.pull_title, body=body)
        pull: _Numbered = found
        return pull

    # Trying

    def _note(self, what: list[str], name: str) -> None:
        what.append(name)
        self._progress(f"{'making' if what is self._made else 'changing'} {name}")

    def _trying(self, do: Callable[[], _T]) -> _T:
        """What `do` gives, which looks before it makes; again where GitHub is busy or out of reach for the moment."""
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(_is_passing),
            wait=_wait,
            stop=tenacity.stop_after_attempt(_ATTEMPTS),
            sleep=self._sleep,
            reraise=True,
        )
        try:
            return retrying(do)
        except (GitHubException, ValueError) as error:
            raise EnvironmentFailed(f"{self._plan.repository} at {self._plan.api_url}: {_told(error)}") from error


def _is_passing(error: BaseException) -> bool:
    """Whether it may be over the next time."""
    if isinstance(error, RateLimitExceeded):
        return _rest_of(error) <= _LONGEST_WAIT_S
    if isinstance(error, RequestFailed):
        status = int(error.response.status_code)
        return status in (408, 409, 429) or status >= 500
    return isinstance(error, RequestTimeout | RequestError)


def _wait(state: tenacity.RetryCallState) -> float:
    """Seconds: as long as GitHub says, else twice as long each time, with a little chance in it."""
    error = state.outcome.exception() if state.outcome is not None else None
    if isinstance(error, RateLimitExceeded):
        return max(1.0, _rest_of(error))
    return float(tenacity.wait_exponential_jitter(initial=1, max=30, jitter=0.5)(state))


def _rest_of(limit: RateLimitExceeded) -> float:
    """Seconds until a rate limit is over."""
    return float(limit.retry_after.total_seconds())


def _told(error: Exception) -> str:
    """One line: what GitHub said, and what to do."""
    if isinstance(error, RateLimitExceeded):
        return f"rate limit; it is over in {_rest_of(error):.0f} s: publish again then"
    if not isinstance(error, RequestFailed):
        cause = error.exc if isinstance(error, RequestError) else error
        return f"{type(cause).__name__}: {str(cause).partition(chr(10))[0]}"
    status = error.response.status_code
    try:
        said = str(error.response.json().get("message", ""))
    except (ValueError, AttributeError):
        said = ""
    mend = {
        401: "the token is not valid",
        403: "the token may not: it needs to write contents, issues and pull requests",
        404: "no such repository, or the token may not see it",
    }.get(status, "")
    return f"HTTP {status}" + (f", {said}" if said else "") + (f"; {mend}" if mend else "")
