"""What `guard loop publish` and `guard loop run --publish` share: from a record to GitHub, or to files."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import click

from guard.files import replace_file
from guard.model import EnvironmentFailed
from guard.report.escape import visible
from guard.report.session.publishing import texts_of
from guard.runner.journal import Did
from guard.runner.plan import Plan
from guard.runner.publish import Texts, files_of, token_of
from guard.runner.record import Outcome, Session
from guard.runner.redact import Redactor
from guard.runner.store import Store


def tell(
    plan: Plan,
    store: Store,
    session: Session,
    redact: Redactor,
    environ: Mapping[str, str],
    *,
    dry_run: bool = False,
) -> Did:
    """Publish a session, as the plan says; without a token, or for a dry run, write what would be sent as files.

    The number of its issue is kept with the session's options, so that it is found again even where its label is gone.
    Raises ConfigError where the plan names no repository, EnvironmentFailed where GitHub refuses or does not answer.
    """
    texts = texts_of(session, store.earlier(session), redact.text)
    token = token_of(plan.publish, environ)
    if dry_run or not token:
        folder = _written(texts, store.path.parent / "publish" / session.id)
        why = "a dry run" if dry_run else f"{plan.publish.token_env} is not set"
        where = folder.relative_to(store.path.parent.parent).as_posix()
        return Did(
            outcome=Outcome.OK if dry_run else Outcome.SKIPPED, summary=f"{why}: written to {where}, nothing sent"
        )
    from guard.runner.github import publish  # its client is slow to import

    options = store.options(session.id)
    known = options.get("issue")
    found = publish(
        texts,
        plan.publish,
        token,
        known_issue=known if isinstance(known, int) else 0,
        progress=lambda line: click.echo(f"guard: {visible(line)}", err=True) if sys.stderr.isatty() else None,
    )
    store.set_options(session.id, {**options, "issue": found.issue})
    made = f"made {', '.join(found.made)}" if found.made else ""
    changed = f"changed {', '.join(found.changed)}" if found.changed else ""
    what = "; ".join(part for part in (made, changed) if part) or "it is published already, nothing changed"
    urls = " and ".join(url for url in (found.issue_url, found.pull_url) if url)
    return Did(outcome=Outcome.OK, summary=f"{what}: {urls}", data={"issue": found.issue, "pull": found.pull})


def _written(texts: Texts, folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files_of(texts).items():
            replace_file(folder / name, text.encode("utf-8", "backslashreplace"))
    except OSError as error:
        raise EnvironmentFailed(f"{folder}: cannot be written: {error.strerror or error}") from error
    return folder
