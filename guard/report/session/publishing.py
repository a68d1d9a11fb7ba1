"""What is published of a session: an issue, a comment for each cycle, a pull request, and the session log."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from guard.report.escape import shortened, visible
from guard.report.session.content import content, headline
from guard.report.session.markdown import cycle_text, escape, issue_text, render
from guard.runner.publish import Texts, log_path
from guard.runner.record import Session

_MOST: Final = 60_000
"""Characters of a body; GitHub takes 65,536."""
_TITLE: Final = 200
_WORDS: Final = frozenset({"outcome", "verdict", "kind", "priority", "id"})
"""Keys whose values are words of the record's own."""


def texts_of(session: Session, earlier: Sequence[Session], redact: Callable[[str], str]) -> Texts:
    """The texts. The record is redacted once more: what an older guard stored, or another machine, goes no further."""
    clean = redacted(session, redact)
    return Texts(
        session=clean.id,
        title=shortened(f"guard loop {clean.id}: {visible(headline(clean))}", _TITLE),
        body=_cut(issue_text(content(clean, earlier))),
        comments=tuple((cycle, _cut(cycle_text(clean, cycle))) for cycle in sorted({one.cycle for one in clean.steps})),
        log=render(clean, earlier),
        pull_title=f"Log of guard loop session {clean.id}",
        pull_body=f"Adds `{log_path(clean.id)}`. The session ended with: {escape(headline(clean))}",
    )


def redacted(session: Session, redact: Callable[[str], str]) -> Session:
    """The session with every text of it redacted."""
    return msgspec.convert(_redacted(msgspec.to_builtins(session), redact), Session)


def _redacted(value: object, redact: Callable[[str], str], key: str = "") -> object:
    if isinstance(value, str):
        return value if key in _WORDS else redact(value)
    if isinstance(value, dict):
        return {name: _redacted(item, redact, name) for name, item in value.items()}
    return [_redacted(item, redact, key) for item in value] if isinstance(value, list | tuple) else value


def _cut(text: str) -> str:
    """Within what GitHub takes, at the end of a line, and with what is open closed."""
    if len(text) <= _MOST:
        return text.rstrip("\n")
    kept = text[:_MOST]
    kept = kept[: kept.rfind("\n")]
    fence = ""
    for line in kept.splitlines():
        if fence:
            fence = "" if line == fence else fence
        elif line.startswith("```"):
            fence = line.removesuffix("text")
    if fence:
        kept += f"\n{fence}"
    folded = kept.count("<details>") - kept.count("</details>")
    return kept + "\n</details>" * folded + "\n\n… cut here; the session log has the rest."
