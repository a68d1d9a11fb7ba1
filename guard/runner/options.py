"""Ways out that guard can offer, each with what a dry run of it gave."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Final

import msgspec

from guard.model import Finding
from guard.runner.record import Cause, CauseKind, Option
from guard.runner.whys import NOT_INSTALLED, NOT_SEEN


class Fixed(msgspec.Struct, frozen=True, kw_only=True):
    """What a dry run of `guard check --fix` gave."""

    before: tuple[Finding, ...]
    after: tuple[Finding, ...]
    files: tuple[str, ...]
    """Those that it would change."""


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """What options can be made of."""

    fix: Callable[[Collection[str], bool], Fixed | None]
    """(rule codes, unsafe too) -> a dry run of the fixes; None where it cannot be made."""
    healthy: tuple[str, ...] = ()
    """Revisions that this database knows healthy, the last one first."""
    good: str = ""
    """The last revision with which a session met its goal on this target; empty where there is none."""
    revision: str = ""
    """The one that failed."""
    can_roll_back: bool = False
    back: Callable[[str, str], Fixed | None] = lambda _failed, _healthy: None
    """(the revision that failed, or nothing where none came about; a healthy one) -> what the guards find in the one
    and in the other; None where there is no copy of both."""
    findings: Callable[[], Sequence[Finding]] | None = None
    """What the guards say of the tree; None where that is not known."""


_MOST: Final = 20
"""Findings of a dry run that are listed of each sort."""
_OF_THE_SERVICE: Final = frozenset(
    {
        CauseKind.START, CauseKind.ENDED, CauseKind.HEALTH, CauseKind.SERVICE_ERROR, CauseKind.HTTP,
        CauseKind.WEBSOCKET_CLOSE, CauseKind.RESET, CauseKind.REFUSED, CauseKind.TIMEOUT_CLIENT,
        CauseKind.TIMEOUT_PROXY, CauseKind.ASSERTION, CauseKind.CRITERION,
    }
)  # fmt: skip
"""Kinds of cause that a revision which was well does not have."""
_HOOK: Final = (
    "in .pre-commit-config.yaml: repos: [{repo: URL of guard, rev: its version, hooks: [{id: guard}]}], "
    "then: pre-commit install"
)


def tried(causes: Sequence[Cause], context: Context) -> tuple[Cause, ...]:
    """The causes, with their options. Only primary ones have any: the others go with those."""
    return tuple(
        msgspec.structs.replace(cause, options=tuple(_options(cause, context))) if cause.rank == "primary" else cause
        for cause in causes
    )


def _options(cause: Cause, context: Context) -> Iterator[Option]:
    if cause.rule and cause.gate != NOT_SEEN:
        yield _fix(cause, context)
    if cause.gate == NOT_INSTALLED:
        yield Option(
            kind="configuration",
            title="Install what the project's requirements ask for where the service runs",
            note='not tried: that changes the environment; with kind = "local", loop.deploy.python may name another',
        )
    if cause.kind in _OF_THE_SERVICE:
        yield from _rollback(context)
    if cause.rule and "pre-commit: not installed" in cause.gate:
        # It changes nothing that the guards look at, so what they find now is what they find with it.
        yield Option(
            kind="configuration",
            title=f"Let pre-commit run guard, which finds {cause.rule} before it is committed",
            command=_HOOK,
            tried=context.findings is not None,
            leaves=_of_the_rule(cause, context),
            note="mends nothing by itself; keeps the next one out",
        )
    if cause.kind is CauseKind.UNPROVEN and cause.tests:
        yield Option(
            kind="configuration",
            title="Say that the phase is not about the real service",
            command="real = false",
            tried=True,
            note=f"{_passes(len(cause.tests))} then, and prove as little as now; for tests that are not meant to reach "
            "the target",
        )


def _passes(number: int) -> str:
    return "1 pass counts" if number == 1 else f"{number} passes count"


def _fix(cause: Cause, context: Context) -> Option:
    """The rule's own fix; with the unsafe ones where the safe ones change nothing."""
    command = f"guard check --fix --select {cause.rule}"
    for unsafe in (False, True):
        found = context.fix((cause.rule,), unsafe)
        if found is None or not found.files:
            continue
        before, after = _keyed(found.before), _keyed(found.after)
        return Option(
            kind="fix",
            title=f"Let guard mend {cause.rule}" + (", which may change what the code does" if unsafe else ""),
            command=command + (" --unsafe-fixes" if unsafe else ""),
            tried=True,
            removes=_listed(before, after),
            adds=_listed(after, before),
            leaves=_both(before, after),
            note=f"changes {', '.join(found.files[:5])}"
            + (f" and {len(found.files) - 5} more" * (len(found.files) > 5)),
        )
    return Option(
        kind="fix",
        title=f"Mend {cause.rule} by hand",
        command=f"guard check --select {cause.rule}",
        tried=True,
        leaves=_of_the_rule(cause, context),
        note="guard's own fixes change nothing here: it cannot know what was meant",
    )


def _of_the_rule(cause: Cause, context: Context) -> tuple[str, ...]:
    """What the rule of a cause finds in the tree as it is."""
    known = context.findings() if context.findings is not None else ()
    return tuple(_keyed([one for one in known if one.code == cause.rule]).values())[:_MOST]


def _rollback(context: Context) -> Iterator[Option]:
    """A dry run of it changes nothing that serves: the guards look at what would."""
    known = next((one for one in (context.good, *context.healthy) if one and one != context.revision), "")
    if not context.can_roll_back or not known:
        return
    which = "with which a session met its goal" if known == context.good else "that is known to be healthy"
    found = context.back(context.revision, known)
    before, after = (_keyed(found.before), _keyed(found.after)) if found is not None else ({}, {})
    checked = "its files were checked, it was not started" if found is not None else "not tried: its files are not here"
    yield Option(
        kind="rollback",
        title=f"Go back to {known}, the last revision {which} on this target",
        tried=found is not None,
        removes=_listed(before, after),
        adds=_listed(after, before),
        leaves=_both(before, after),
        note=f"{checked}; where health fails the loop goes back by itself, to the last revision that was healthy",
    )


_Key = tuple[str, str, str]


def _keyed(findings: Sequence[Finding]) -> dict[_Key, str]:
    return {
        (one.code, one.path, one.fingerprint): f"{one.code} {one.path}:{one.span.line}: {one.message}"
        for one in findings
    }


def _listed(these: dict[_Key, str], others: dict[_Key, str]) -> tuple[str, ...]:
    return tuple(text for key, text in these.items() if key not in others)[:_MOST]


def _both(before: dict[_Key, str], after: dict[_Key, str]) -> tuple[str, ...]:
    return tuple(text for key, text in after.items() if key in before)[:_MOST]
