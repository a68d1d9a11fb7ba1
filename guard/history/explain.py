"""Findings on imports, told with what the history knows of what is missing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec

from guard.cache import Cache
from guard.history.answer import Answer, Verdict
from guard.history.question import tracer_of
from guard.history.tracer import Tracer
from guard.model import Finding
from guard.program import Program
from guard.where import Certainty, where
from guard.where.words import entry

_MOST: Final = 3
"""Candidates of one name, as in findings without a history."""

Missing = tuple[str, str, str]
"""A module as it is written, a name, and the file that asks."""


def missing_in(findings: Iterable[Finding]) -> list[Missing]:
    """What the findings on imports miss, each module and name once, in their order: startup first."""
    found: dict[tuple[str, str], Missing] = {}
    for finding in findings:
        for name in names_of(finding):
            module = str(finding.data["module"])
            key = (module if not module.startswith(".") else f"{finding.path}:{module}", name)
            found.setdefault(key, (module, name, finding.path))
    return list(found.values())


def names_of(finding: Finding) -> tuple[str, ...]:
    """The names that a finding says are missing; an empty one for a module; nothing for a finding of another kind."""
    names = finding.data.get("names")
    if not isinstance(names, (list, tuple)) or not finding.data.get("module"):
        return ()
    return tuple(map(str, names)) or ("",)


def explained(findings: Sequence[Finding], program: Program, cache: Cache, limit: int) -> tuple[Finding, ...]:
    """The findings, with what the history says in their help and data, for the first `limit` missing things.

    A function of the tree and the history that is there: how fast it is answered changes nothing.
    """
    asked = set(missing_in(findings)[:limit])
    chosen = {(module, name) for module, name, _ in asked}
    tracer = tracer_of(program, cache)
    try:
        return tuple(_explained(finding, program, tracer, chosen) for finding in findings)
    finally:
        tracer.close()


def _explained(finding: Finding, program: Program, tracer: Tracer, chosen: set[tuple[str, str]]) -> Finding:
    module = str(finding.data.get("module", ""))
    names = [name for name in names_of(finding) if (module, name) in chosen]
    if not names:
        return finding
    absolute = where(program).absolute(module, finding.path)
    answers = [tracer.answer(absolute, name, finding.path) for name in names]
    told = [sentence for answer in answers for sentence in _told(answer)]
    candidates = [entry(answer.name, one) for answer in answers for one in answer.replacements[:_MOST]]
    others = [
        one for one in _listed(finding.data.get("candidates")) if isinstance(one, dict) and one.get("for") not in names
    ]
    history = [_history(answer) for answer in answers]
    data = {**finding.data, "candidates": [*candidates, *others], "history": history}
    help_text = " ".join(told) if told else finding.help
    return msgspec.structs.replace(finding, help=help_text, data=data)


def _listed(value: object) -> list[object]:
    return list(value) if isinstance(value, (list, tuple)) else []


def _told(answer: Answer) -> Iterator[str]:
    """What a reader is told of one missing thing."""
    asked = answer.name or answer.module
    best = answer.replacements[0] if answer.replacements else None
    if answer.removed is not None and answer.removed.commit is not None:
        commit = answer.removed.commit
        yield f'{asked} is gone since {commit.oid[:12]} of {commit.author_date[:10]}, "{commit.subject}".'
    elif answer.removed is not None:
        yield f"{asked} is gone by a change that is not committed yet."
    elif answer.verdict is Verdict.NEVER:
        yield f"{asked} was never there, in no commit."
    elif answer.unseen:
        yield f"What became of {asked} cannot be told: {answer.unseen[0]}."
    if best is not None:
        called = f"{best.module}:{best.name}" if best.name else best.module
        how = (
            "It is"
            if best.certainty is Certainty.CERTAIN
            else f"It is {best.certainty.replace('possible', 'possibly')}"
        )
        yield f"{how} {called} now: {'; '.join(best.reasons[:2])}."
    elif answer.verdict is Verdict.REMOVED:
        yield "Nothing took its place: delete what uses it, or bring it back."


def _history(answer: Answer) -> dict[str, object]:
    removed = answer.removed
    commit = removed.commit if removed is not None else None
    return {
        "for": answer.name,
        "verdict": str(answer.verdict),
        "commit": commit.oid if commit is not None else None,
        "author_date": commit.author_date if commit is not None else None,
        "subject": commit.subject if commit is not None else None,
        "path": removed.path if removed is not None else None,
        "unseen": list(answer.unseen),
    }
