"""What changed since the last good session on the target: the first thing that anybody asks of a failure.

Nothing is said to be the cause; a chain of whys that comes to a question which guard cannot answer says before it where
to look, or that the repository is not the place to look.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from guard.runner.record import Cause, CauseKind, Evidence, Why

SINCE_WHEN: Final = "Since when"
"""How the question begins whose place this takes where nothing has answered it."""
_SHOWN: Final = 3
_FILES: Final = 5
_OF_ITSELF: Final = frozenset({CauseKind.GUARD, CauseKind.UNPROVEN, CauseKind.FLAKE, CauseKind.REVISION})
"""Kinds of cause for which no change need be looked for."""


class Lately(msgspec.Struct, frozen=True, kw_only=True):
    """What is between two trees."""

    session: str
    """The good one."""
    commits: tuple[str, ...]
    """The youngest first, each as `id date "subject" (files)`."""
    more: bool
    """Whether there are older ones that are not listed."""
    uncommitted: tuple[str, ...]
    """The files of now with changes that are not committed."""
    uncommitted_then: bool
    """Whether that of the good session had some."""


def told(causes: Sequence[Cause], lately: Callable[[], Lately | None]) -> tuple[Cause, ...]:
    """The causes, with what changed where a primary one is not explained to its end. `lately` is asked for it only
    then, and gives None where there was no good session, or its commit is not in this history."""
    wanting = [cause for cause in causes if cause.rank == "primary" and _is_open(cause)]
    found = lately() if wanting else None
    if found is None:
        return tuple(causes)
    why = _why(found)
    return tuple(
        msgspec.structs.replace(cause, whys=_with(cause, why)) if cause in wanting else cause for cause in causes
    )


def _is_open(cause: Cause) -> bool:
    """Whether a question is left, and no commit was found that answers it."""
    known = any(one.source == "git" for why in cause.whys for one in why.evidence)
    return cause.kind not in _OF_ITSELF and not known and any(not why.answer for why in cause.whys)


def _with(cause: Cause, why: Why) -> tuple[Why, ...]:
    left_open = [at for at, one in enumerate(cause.whys) if not one.answer]
    for at in left_open:
        if cause.whys[at].question.startswith(SINCE_WHEN):
            return (*cause.whys[:at], why, *cause.whys[at + 1 :])
    return (*cause.whys[: left_open[0]], why, *cause.whys[left_open[0] :])


def _why(lately: Lately) -> Why:
    parts = []
    if lately.commits:
        number = len(lately.commits)
        count = "1 commit" if number == 1 else f"{'more than ' if lately.more else ''}{number} commits"
        rest = f"; and {number - _SHOWN} before" if number > _SHOWN else ""
        parts.append(f"{count}: {'; '.join(lately.commits[:_SHOWN])}{rest}")
    if lately.uncommitted:
        files = lately.uncommitted
        rest = f" and {len(files) - _FILES} more" if len(files) > _FILES else ""
        parts.append(f"changes that are not committed ({', '.join(files[:_FILES])}{rest})")
    if lately.uncommitted_then:
        parts.append("what was not committed then")
    answer = f"{', and '.join(parts)}." if parts else "Nothing in this repository: the tree is the same."
    text = "\n".join([*lately.commits, *(["…"] if lately.more else []), *parts[bool(lately.commits) :]]) or answer
    return Why(
        question=f"What changed since {lately.session}, the last session that met its goal here?",
        answer=answer,
        evidence=(Evidence("git", text, lately.session),),
    )
