"""What gets into a session by way of its journal."""

from __future__ import annotations

from pathlib import Path

from guard.runner.journal import Did, Journal
from guard.runner.plan import Plan
from guard.runner.record import Cause, CauseKind, Evidence, Outcome, Session, Step, Test, Verdict, Why
from guard.runner.redact import Redactor
from guard.runner.store import Store

SECRET = "never-to-be-kept-81"


class Nobody:
    def begun(self, session: Session, name: str, cycle: int) -> None: ...
    def line(self, text: str) -> None: ...
    def test(self, test: Test) -> None: ...
    def ended(self, session: Session, step: Step) -> None: ...


def test_causes_are_kept_without_secrets(tmp_path: Path) -> None:
    cause = Cause(
        id="1-1",
        kind=CauseKind.SERVICE_ERROR,
        summary=f"it raised KeyError: {SECRET}",
        tests=("t.py::test_one",),
        whys=(Why(question="Why?", evidence=(Evidence("git", f"Set it to {SECRET}", "abc"),)),),
    )
    path = tmp_path / "loop.db"
    with Store(path) as store:
        session = Session(id="s", plan=Plan(), target="t", verdict=Verdict.RUNNING)
        journal = Journal(store, session, Redactor({"API_TOKEN": SECRET}), Nobody())
        journal.step("why", 1, lambda _: Did(outcome=Outcome.OK, changes={"causes": (cause,)}))
        kept = store.load("s").causes[0]
    assert (kept.id, kept.tests, kept.summary) == ("1-1", cause.tests, "it raised KeyError: [redacted]")
    assert kept.whys[0].evidence[0].text == "Set it to [redacted]"
    assert all(SECRET.encode() not in file.read_bytes() for file in tmp_path.iterdir())
