"""What is published of a session: within what GitHub takes, well formed where it is cut, without a secret."""

from __future__ import annotations

import msgspec
import pytest

from guard.report.session.publishing import redacted, texts_of
from guard.runner.record import Evidence
from guard.runner.redact import Redactor
from tests.runner.pages import page_sessions

SECRET = "correct-horse_battery*staple"


def plain(text: str) -> str:
    """Redacts nothing."""
    return text


def test_the_texts_of_a_failed_session() -> None:
    texts = texts_of(page_sessions.failed(), [page_sessions.good()], plain)
    assert texts.title == (
        "guard loop s3: tests failed, rolled back: ImportError in the service: "
        "cannot import name 'AgentEvent' from 'chat.events'"
    )
    assert "## Next steps" in texts.body
    assert "Why did no gate catch it?" in texts.body
    assert [cycle for cycle, _ in texts.comments] == [1]
    assert texts.comments[0][1].startswith("### Cycle 1: 1 failed, 1 unproven, 1 passed")
    assert "## Timeline" in texts.log
    assert "guard-loop/sessions/s3.md" in texts.pull_body


def test_what_is_long_is_cut_with_its_fences_and_folds_closed() -> None:
    session = page_sessions.large()
    evidence = tuple(Evidence("log", f"```\nline {number}\n" * 60) for number in range(100))
    cause = msgspec.structs.replace(session.causes[0], evidence=evidence)
    texts = texts_of(msgspec.structs.replace(session, causes=(cause,)), [], plain)
    for text in (texts.body, texts.comments[0][1]):
        assert len(text) < 65_000
        assert text.endswith("… cut here; the session log has the rest.")
        assert text.count("<details>") == text.count("</details>")
        fence = ""
        for line in text.splitlines():
            if fence:
                fence = "" if line == fence else fence
            elif line.startswith("```"):
                fence = line.removesuffix("text")
        assert fence == ""
    assert len(texts.log) > 65_000
    assert len(texts.title) <= 200


@pytest.mark.parametrize("where", ["title", "body", "comments", "log", "pull_body"])
def test_no_secret_is_published_even_from_a_record_that_holds_one(where: str) -> None:
    session = page_sessions.hostile(SECRET)
    texts = texts_of(session, [], Redactor({"STAGING_PASSWORD": SECRET}).text)
    text = str(getattr(texts, where))
    assert text
    for piece in (SECRET, "correct-horse", "battery", "staple"):
        assert piece not in text


def test_what_is_redacted_is_a_session_still() -> None:
    session = page_sessions.failed()
    assert redacted(session, plain) == session
    assert redacted(session, lambda text: "failed").verdict is session.verdict
