"""What pre-commit asks of `guard check --gate pre-commit`, by the variables that it sets for its hooks.

Its hooks run at more moments than a commit, and what the index differs in from HEAD is then not what is meant: at a
push there is no difference at all. So a hook that looked there alone would pass what nobody has looked at.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec


class Asked(msgspec.Struct, frozen=True):
    """What is to be checked, and against what."""

    rev: str | None = None
    """The revision to check; None for the index."""
    since: str | None = None
    """The revision that has what is known already; None for the parents of the commit that is being made."""
    is_whole: bool = False
    """Whether all findings count, and not only those of a change."""


def asked_by(environ: Mapping[str, str]) -> Asked:
    """What the environment of a process asks for.

    - pre-commit names a range, at a push or by `--from-ref` and `--to-ref`: what is new in it.
    - It names only the branch that is pushed, since the remote has none of its commits: all that is wrong in it.
    - git runs pre-commit for a commit, and so names the index: what is new in the commit.
    - A person runs pre-commit, and it does not say whether with `--all-files`: all that is wrong with what is staged.
    - Without pre-commit: what is new in the commit.
    """
    since, rev = environ.get("PRE_COMMIT_FROM_REF"), environ.get("PRE_COMMIT_TO_REF")
    if since and rev:
        return Asked(rev=rev, since=since)
    branch = environ.get("PRE_COMMIT_LOCAL_BRANCH")
    if branch:
        return Asked(rev=branch, is_whole=True)
    return Asked(is_whole="PRE_COMMIT" in environ and "GIT_INDEX_FILE" not in environ)
