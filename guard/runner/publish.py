"""What is published of a session, and what it is found again by. Sending it is `guard.runner.github`."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from guard.runner.plan import Publish


class Texts(msgspec.Struct, frozen=True, kw_only=True):
    """What is published of a session, all of it redacted. Markers are put to it here."""

    session: str
    """The session's id."""
    title: str
    body: str
    comments: tuple[tuple[int, str], ...]
    """A cycle and its comment."""
    log: str
    """The whole session log, in Markdown."""
    pull_title: str
    pull_body: str


class Published(msgspec.Struct, frozen=True, kw_only=True):
    """What there is now."""

    issue: int
    issue_url: str
    pull: int = 0
    """0 where the plan wants none."""
    pull_url: str = ""
    made: tuple[str, ...] = ()
    """What was not there before: `issue`, `comment 1`, `branch`, `pull request`."""
    changed: tuple[str, ...] = ()
    """What was there, with another text."""


def marker(session: str, cycle: int = 0) -> str:
    """What an issue, or a comment on a cycle, is found again by; a reader does not see it."""
    return f"<!-- guard-loop session={session}{f' cycle={cycle}' if cycle else ''} -->"


def branch_of(session: str) -> str:
    """The branch that holds a session's log."""
    return f"guard-loop/{session}"


def log_path(session: str) -> str:
    """Where the session log stands in the repository."""
    return f"guard-loop/sessions/{session}.md"


def token_of(plan: Publish, environ: Mapping[str, str]) -> str:
    """The token; empty where there is none."""
    return environ.get(plan.token_env, "").strip()


def files_of(texts: Texts) -> dict[str, str]:
    """The same texts as files, by name: what there is where nothing is sent."""
    comments = {f"comment-{cycle}.md": f"{text}\n" for cycle, text in texts.comments}
    return {
        "issue.md": f"{texts.title}\n\n{texts.body}\n",
        **comments,
        "pull-request.md": f"{texts.pull_title}\n\n{texts.pull_body}\n",
        "session.md": texts.log,
    }
